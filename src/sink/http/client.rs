//! One request and its answer, with bounds on time and size: hyper, rustls, and a token that may be renewed.

use std::{
    error::Error,
    fs::File,
    io::{self, Read},
    path::Path,
    sync::Arc,
    time::Duration,
};

use arc_swap::ArcSwapOption;
use http_body_util::{BodyExt, Full};
use hyper::{
    Request, Response, Uri,
    body::{Bytes, Incoming},
    header::{self, HeaderMap, HeaderName, HeaderValue},
};
use hyper_rustls::{ConfigBuilderExt, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{self, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};
use rustls::{ClientConfig, RootCertStore, crypto::ring};
use rustls_pki_types::{CertificateDer, pem::PemObject};
use tokio::time::timeout;

use super::{encode::content_type, invalid, judge::Answer};
use crate::{
    limits,
    pipeline::{HttpFormat, HttpPlan},
    sink::OpenError,
};

/// How long a connection that nobody uses is kept: shorter than servers keep it, so that seldom one is just gone.
const IDLE_TIME: Duration = Duration::from_secs(4);
/// All that is wanted of the answer to a bulk request.
const BULK_FILTER: &str = "filter_path=errors,items.*.status,items.*.error.type,items.*.error.reason";

/// See the module.
pub(super) struct Client {
    plan: Arc<HttpPlan>,
    client: legacy::Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    url: Uri,
    token: ArcSwapOption<HeaderValue>,
}

impl Client {
    /// Reads token and certificates. Nothing is connected yet.
    pub(super) fn new(plan: &Arc<HttpPlan>) -> Result<Self, OpenError> {
        let token = plan.token_file.as_deref().map(read_token).transpose()?;
        let mut connector = HttpConnector::new();
        connector.enforce_http(false);
        connector.set_nodelay(true);
        connector.set_connect_timeout(Some(limits::HTTP_CONNECT_TIME.min(plan.timeout)));
        let builder = HttpsConnectorBuilder::new().with_tls_config(tls(plan)?);
        let connector = builder.https_or_http().enable_http1().wrap_connector(connector);
        let client = legacy::Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_TIME)
            .pool_max_idle_per_host(plan.concurrency)
            .build(connector);
        Ok(Self { plan: Arc::clone(plan), client, url: url(plan), token: ArcSwapOption::new(token.map(Arc::new)) })
    }

    /// Posts `body`. The error is something that may pass, in words.
    pub(super) async fn post(&self, body: Vec<u8>) -> Result<Answer, String> {
        let request = self.request(body);
        match timeout(self.plan.timeout, self.exchange(request)).await {
            Ok(answer) => answer,
            Err(_) => Err(format!("no answer within {:?}", self.plan.timeout)),
        }
    }

    /// Reads the token again; why that is not possible.
    pub(super) fn renew_token(&self) -> Result<(), String> {
        if let Some(path) = &self.plan.token_file {
            let token = read_token(path).map_err(|error| error.to_string())?;
            self.token.store(Some(Arc::new(token)));
        }
        Ok(())
    }

    fn request(&self, body: Vec<u8>) -> Request<Full<Bytes>> {
        let mut request = Request::post(self.url.clone())
            .header(header::CONTENT_TYPE, content_type(self.plan.format))
            .header(header::USER_AGENT, concat!("logweir/", env!("CARGO_PKG_VERSION")))
            .body(Full::new(Bytes::from(body)))
            .expect("a URL that was parsed makes a request");
        let headers = request.headers_mut();
        if self.plan.gzip {
            headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        if let Some(token) = &*self.token.load() {
            headers.insert(header::AUTHORIZATION, HeaderValue::clone(token));
        }
        request
    }

    async fn exchange(&self, request: Request<Full<Bytes>>) -> Result<Answer, String> {
        let response = self.client.request(request).await.map_err(|error| causes(&error))?;
        let most = match self.plan.format {
            HttpFormat::Elasticsearch => limits::HTTP_BULK_ANSWER_BYTES,
            HttpFormat::Ndjson | HttpFormat::Loki => limits::HTTP_ANSWER_BYTES,
        };
        read(response, most).await
    }
}

/// Reads the answer up to `most` bytes of its body; the connection is given up where there are more.
async fn read(response: Response<Incoming>, most: usize) -> Result<Answer, String> {
    let (head, mut incoming) = response.into_parts();
    let mut answer = Answer {
        status: head.status,
        retry_after: text(&head.headers, &header::RETRY_AFTER),
        location: text(&head.headers, &header::LOCATION),
        ..Answer::default()
    };
    while let Some(frame) = incoming.frame().await {
        let frame = frame.map_err(|error| format!("{}: the answer breaks off: {}", head.status, causes(&error)))?;
        let Some(data) = frame.data_ref() else { continue };
        let room = most - answer.body.len();
        answer.body.extend_from_slice(&data[..data.len().min(room)]);
        if data.len() > room {
            answer.is_cut = true;
            break;
        }
    }
    Ok(answer)
}

fn text(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
}

/// The URL to post to; of a bulk request's answer, only what is looked at is wanted.
fn url(plan: &HttpPlan) -> Uri {
    if plan.format != HttpFormat::Elasticsearch {
        return plan.url.clone();
    }
    let query = plan.url.query().map(|query| format!("{query}&")).unwrap_or_default();
    let mut parts = plan.url.clone().into_parts();
    parts.path_and_query = format!("{}?{query}{BULK_FILTER}", plan.url.path()).parse().ok();
    Uri::from_parts(parts).unwrap_or_else(|_| plan.url.clone())
}

/// What stands behind an error: the library's own words for the place add nothing to it.
fn causes(error: &dyn Error) -> String {
    let mut words: Vec<String> = Vec::new();
    let mut next = error.source().or(Some(error));
    while let Some(error) = next {
        let text = error.to_string();
        // Some repeat what is behind them.
        words.retain(|known| !known.contains(&text) && !text.contains(known.as_str()));
        words.push(text);
        next = error.source();
    }
    words.join(": ")
}

/// Whom to trust. Where nothing is encrypted, nobody is asked.
fn tls(plan: &HttpPlan) -> Result<ClientConfig, OpenError> {
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = builder.expect("the provider knows the default versions");
    let builder = match &plan.ca_file {
        Some(path) => builder.with_root_certificates(roots(path)?),
        None if plan.url.scheme_str() == Some("https") => {
            let failed = |error| OpenError::Io { name: "the system's certificates".to_owned(), error };
            builder.with_native_roots().map_err(failed)?
        }
        None => builder.with_root_certificates(RootCertStore::empty()),
    };
    Ok(builder.with_no_client_auth())
}

fn roots(path: &Path) -> Result<RootCertStore, OpenError> {
    let failed = |error: rustls_pki_types::pem::Error| match error {
        rustls_pki_types::pem::Error::Io(error) => OpenError::Io { name: path.display().to_string(), error },
        error => invalid(path, error.to_string()),
    };
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(path).map_err(failed)? {
        roots.add(certificate.map_err(failed)?).map_err(|error| invalid(path, error.to_string()))?;
    }
    if roots.is_empty() { Err(invalid(path, "there is no certificate in it")) } else { Ok(roots) }
}

/// The header for the token in a file; white space around it is not part of it.
fn read_token(path: &Path) -> Result<HeaderValue, OpenError> {
    let text = read_bounded(path).map_err(|error| OpenError::Io { name: path.display().to_string(), error })?;
    let token = text.trim();
    if token.is_empty() {
        return Err(invalid(path, "there is no token in it"));
    }
    let header = HeaderValue::from_str(&format!("Bearer {token}"));
    let mut header = header.map_err(|_| invalid(path, "a token is one line of printable characters"))?;
    header.set_sensitive(true);
    Ok(header)
}

fn read_bounded(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    let read = File::open(path)?.take(limits::TOKEN_BYTES as u64 + 1).read_to_string(&mut text)?;
    if read > limits::TOKEN_BYTES {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "too large for a token"));
    }
    Ok(text)
}
