//! The router: never panics, and answers as a table and a handful of rules do.
#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use logweir::{internals, limits};

/// Pieces that paths are made of.
const PATHS: [&str; 30] = [
    "/",
    "/stats",
    "/trace",
    "/errors",
    "/healthz",
    "/readyz",
    "/metrics",
    "/api",
    "/api/v1",
    "/api/v1/run",
    "/api/v1/processors",
    "/api/v1/traces",
    "/api/v1/errors",
    "/api/v1/sources",
    "/api/v1/graph",
    "/api/v1/audit",
    "/api/v1/events",
    "/api/v1/history",
    "/api/v1/openapi.json",
    "/index.html",
    "/assets/page.css",
    "/assets/page.js",
    "/assets/processors.js",
    "/assets/history.js",
    "/assets/tools.js",
    "/assets/icon.svg",
    "/favicon.ico",
    "/..",
    "//",
    "%2f",
];
/// Pieces that queries are made of.
const QUERIES: [&str; 24] = [
    "limit",
    "every_ms",
    "format",
    "=",
    "&",
    "0",
    "1",
    "9",
    "100",
    "1000",
    "60000",
    "json",
    "mermaid",
    "dot",
    "Limit",
    "+",
    "%31",
    "-",
    "limit=10",
    "format=dot",
    "from=-1h",
    "to=",
    "2026-11-24T10:23:43Z",
    ".5",
];

#[derive(Debug, Arbitrary)]
enum Piece<'a> {
    Known(u8),
    Other(&'a str),
}

impl Piece<'_> {
    fn text<'a>(&'a self, known: &[&'a str]) -> &'a str {
        match self {
            Self::Known(number) => known[usize::from(*number) % known.len()],
            Self::Other(text) => text,
        }
    }
}

#[derive(Debug, Arbitrary)]
struct Input<'a> {
    path: Vec<Piece<'a>>,
    query: Option<Vec<Piece<'a>>>,
}

fuzz_target!(|input: Input<'_>| {
    let path: String = input.path.iter().map(|piece| piece.text(&PATHS)).collect();
    let query = input.query.map(|pieces| pieces.iter().map(|piece| piece.text(&QUERIES)).collect::<String>());
    if path == "/api/v1/history" && query.is_some() {
        // What a moment is has its own tests; here, none may panic.
        let _ = internals::route(&path, query.as_deref());
        return;
    }
    match (internals::route(&path, query.as_deref()), twin(&path, query.as_deref().unwrap_or_default())) {
        (Ok(route), Ok(value)) => assert!(value.is_none_or(|value| route.contains(&value)), "{route}"),
        (Err((status, offers)), Err(expected)) => {
            assert_eq!(status, expected);
            check_offers(&path, status, &offers);
        }
        (found, expected) => panic!("{path:?} {query:?}: {found:?} instead of {expected:?}"),
    }
});

/// What a refusal offers gets an answer, and the twin knows of it: a route that it was not told of is seen at the first
/// path that is none, not only when its name is guessed.
fn check_offers(path: &str, status: u16, offers: &[String]) {
    for offer in offers {
        if status == 404 {
            assert!(internals::route(offer, None).is_ok(), "{offer}");
            assert_eq!(twin(offer, ""), Ok(None), "{offer}");
        } else if let Some((first, last)) = offer.split_once(" to ") {
            for query in [first, last] {
                assert!(internals::route(path, Some(query)).is_ok(), "{query}");
            }
        }
    }
}

/// What a key of a query may be.
enum Key {
    Number(&'static str, u64, u64),
    Format,
    None,
    /// The page may be opened with anything behind it.
    Anything,
}

/// The status of the refusal, or what the route must speak of.
fn twin(path: &str, query: &str) -> Result<Option<String>, u16> {
    let key = match path {
        "/" | "/index.html" | "/assets/page.css" | "/assets/icon.svg" | "/favicon.ico" => Key::Anything,
        "/assets/page.js" | "/assets/processors.js" | "/assets/history.js" | "/assets/tools.js" => Key::Anything,
        "/trace" | "/api/v1/traces" => Key::Number("limit", 1, limits::TRACES as u64),
        "/api/v1/errors" => Key::Number("limit", 1, 1_000),
        "/api/v1/events" => Key::Number("every_ms", 100, 60_000),
        "/api/v1/graph" => Key::Format,
        "/stats" | "/errors" | "/healthz" | "/readyz" | "/metrics" => Key::None,
        "/api/v1/run" | "/api/v1/processors" | "/api/v1/sources" | "/api/v1/audit" => Key::None,
        "/api/v1/history" | "/api/v1/openapi.json" => Key::None,
        _ => return Err(404),
    };
    let parts: Vec<&str> = query.split('&').filter(|part| !part.is_empty()).collect();
    match (key, &parts[..]) {
        (Key::Anything, _) | (_, []) => Ok(None),
        (Key::Number(name, min, max), [part]) => number(part, name, min, max).map(Some).ok_or(400),
        (Key::Format, ["format=json"]) => Ok(Some("Json".to_owned())),
        (Key::Format, ["format=mermaid"]) => Ok(Some("Mermaid".to_owned())),
        (Key::Format, ["format=dot"]) => Ok(Some("Dot".to_owned())),
        _ => Err(400),
    }
}

/// The number in `name=number`, as a route shows it.
fn number(part: &str, name: &str, min: u64, max: u64) -> Option<String> {
    let digits = part.strip_prefix(name)?.strip_prefix('=')?;
    let significant = digits.trim_start_matches('0');
    if digits.is_empty() || significant.len() > 5 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let number = significant.bytes().fold(0, |number, digit| number * 10 + u64::from(digit - b'0'));
    if !(min..=max).contains(&number) {
        return None;
    }
    Some(match name {
        "limit" => format!("({number})"),
        _ if number % 1_000 == 0 => format!("({}s)", number / 1_000),
        _ => String::new(),
    })
}
