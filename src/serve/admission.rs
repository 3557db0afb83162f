//! Who is answered: requests for names that are ours, and where there is a token, those who know it.
//!
//! A page of a stranger can make a browser send requests here under the stranger's own name (DNS rebinding). It cannot
//! choose the `Host` header, so a request for a name that is not ours is refused. Ports are not compared: rebinding is
//! about names, and a tunnel from another port is a normal way to get here.

use std::{fmt, hint::black_box, net::IpAddr, net::SocketAddr, str::FromStr};

use hyper::http::{HeaderMap, Uri, header, uri::Authority};

/// Whom a server answers. The default: loopback names only, no token.
#[derive(Debug, Clone, Default)]
pub struct Admission {
    token: Option<Token>,
    hosts: Vec<String>,
}

/// A secret that clients have to show.
#[derive(Clone)]
pub struct Token(Box<[u8]>);

impl Token {
    /// Takes the content of a token file: white space around it is not part of it. `None` where nothing is left.
    #[must_use]
    pub fn new(content: &str) -> Option<Self> {
        let token = content.trim();
        (!token.is_empty()).then(|| Self(token.as_bytes().into()))
    }

    /// Compares in a time that depends on the lengths alone, so that nobody can find the token byte by byte.
    fn matches(&self, offered: &[u8]) -> bool {
        let difference = self.0.iter().zip(offered).fold(0, |difference, (a, b)| black_box(difference | (a ^ b)));
        difference == 0 && self.0.len() == offered.len()
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Token(…)")
    }
}

/// Why a request is not for us.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Stranger {
    /// It does not say, or says in several ways, whom it is for.
    NoHost,
    /// It is for a name that is not ours.
    OtherHost,
}

impl Admission {
    /// Asks for `token`.
    #[must_use]
    pub fn with_token(self, token: Token) -> Self {
        Self { token: Some(token), ..self }
    }

    /// Answers to `host` too, a name without a port, on whatever port it is asked for.
    #[must_use]
    pub fn with_host(mut self, host: impl Into<String>) -> Self {
        self.hosts.push(host.into());
        self
    }

    pub(super) fn has_token(&self) -> bool {
        self.token.is_some()
    }

    /// Checks whom a request is for; `local` is the address that it came in on.
    pub(super) fn host(&self, uri: &Uri, headers: &HeaderMap, local: SocketAddr) -> Result<(), Stranger> {
        let mut named = headers.get_all(header::HOST).iter();
        let (Some(host), None) = (named.next(), named.next()) else { return Err(Stranger::NoHost) };
        let host = host.to_str().ok().and_then(authority).ok_or(Stranger::NoHost)?;
        let known = |authority: &Authority| self.knows(authority.host(), local.ip());
        // An absolute URI names a host of its own; both must be ours.
        let ours = known(&host) && uri.authority().is_none_or(known);
        ours.then_some(()).ok_or(Stranger::OtherHost)
    }

    fn knows(&self, host: &str, local: IpAddr) -> bool {
        match host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>() {
            Ok(address) => address.is_loopback() || address.to_canonical() == local.to_canonical(),
            Err(_) => {
                host.eq_ignore_ascii_case("localhost")
                    || self.hosts.iter().any(|known| known.eq_ignore_ascii_case(host))
            }
        }
    }

    /// True where no token is asked for, or the right one is shown.
    pub(super) fn token(&self, headers: &HeaderMap) -> bool {
        let Some(token) = &self.token else { return true };
        let shown = headers.get(header::AUTHORIZATION).map(|value| value.as_bytes());
        shown.and_then(bearer).is_some_and(|offered| token.matches(offered))
    }
}

/// A host, and perhaps a port, which is a number (RFC 3986, 3.2.3).
fn authority(text: &str) -> Option<Authority> {
    let authority = Authority::from_str(text).ok()?;
    let rest = &text[authority.host().len()..];
    let is_port = |port: &str| port.is_empty() || port.parse::<u16>().is_ok();
    (rest.is_empty() || rest.strip_prefix(':').is_some_and(is_port)).then_some(authority)
}

/// What stands behind `Bearer ` (the word in any case).
fn bearer(value: &[u8]) -> Option<&[u8]> {
    let (scheme, token) = value.split_at_checked(7)?;
    scheme.eq_ignore_ascii_case(b"bearer ").then(|| token.trim_ascii())
}
