//! What a request asks for. Pure: path and query in, a [`Route`] or a refusal out.

use std::time::Duration;

use hyper::http::StatusCode;

use crate::{limits, wire::Exposition};

use super::{
    assets::Asset,
    moment::{FORMS, Moment},
};

/// What can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Route {
    /// Part of the page; the same for everyone, so it needs no token.
    Asset(Asset),
    /// Alive? Needs no token.
    Health,
    /// Ready?
    Ready,
    /// The stream of snapshots, at most one in this time.
    Events(Duration),
    /// A part of the last snapshot.
    Part(Part),
    /// The numbers of the last snapshot, in the format that the client likes best.
    Metrics,
    /// The description of all of this.
    Description,
    /// What was recorded between these two.
    History(Range),
}

/// From when to when; without an end, as far as it goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Range {
    pub(super) from: Option<Moment>,
    pub(super) to: Option<Moment>,
}

/// A part of a snapshot, as it is rendered and kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Stats,
    Trace(usize),
    ErrorCounts,
    Run,
    Processors,
    Traces(usize),
    Faults(usize),
    Sources,
    Graph(GraphFormat),
    Audit,
    Metrics(Exposition),
    /// What the event stream carries.
    Event,
}

/// How the graph is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum GraphFormat {
    Json,
    Mermaid,
    Dot,
}

/// Why a request gets no answer, and what would get one.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    pub(super) error: String,
    pub(super) allowed: Vec<String>,
}

/// Everything that can be asked for, for those who lost their way.
const PATHS: [&str; 17] = [
    "/",
    "/stats",
    "/trace",
    "/errors",
    "/healthz",
    "/readyz",
    "/metrics",
    "/api/v1/run",
    "/api/v1/processors",
    "/api/v1/traces",
    "/api/v1/errors",
    "/api/v1/sources",
    "/api/v1/graph",
    "/api/v1/audit",
    "/api/v1/events",
    "/api/v1/openapi.json",
    "/api/v1/history",
];

/// The shortest and the longest time between two events: more often than there are snapshots makes no sense.
const EVENT_MS: (u64, u64) = (limits::PUBLISH_INTERVAL.as_millis() as u64, 60_000);

/// Finds what `path` and `query` ask for.
pub(super) fn route(path: &str, query: Option<&str>) -> Result<Route, Refusal> {
    let query = Query(query.unwrap_or_default());
    let plain = |route| query.only(&[]).map(|()| route);
    match path {
        "/stats" => plain(Route::Part(Part::Stats)),
        "/trace" => query.limit(limits::TRACES_SHOWN, limits::TRACES).map(|limit| Route::Part(Part::Trace(limit))),
        "/errors" => plain(Route::Part(Part::ErrorCounts)),
        "/api/v1/run" => plain(Route::Part(Part::Run)),
        "/api/v1/processors" => plain(Route::Part(Part::Processors)),
        "/api/v1/traces" => {
            query.limit(limits::TRACES_SHOWN, limits::TRACES).map(|limit| Route::Part(Part::Traces(limit)))
        }
        "/api/v1/errors" => {
            query.limit(limits::FAULT_SAMPLES, FAULTS_MAX).map(|limit| Route::Part(Part::Faults(limit)))
        }
        "/api/v1/sources" => plain(Route::Part(Part::Sources)),
        "/api/v1/graph" => query.format().map(|format| Route::Part(Part::Graph(format))),
        "/api/v1/audit" => plain(Route::Part(Part::Audit)),
        "/api/v1/events" => query.interval().map(Route::Events),
        "/api/v1/openapi.json" => plain(Route::Description),
        "/metrics" => plain(Route::Metrics),
        "/api/v1/history" => query.range().map(Route::History),
        "/healthz" => plain(Route::Health),
        "/readyz" => plain(Route::Ready),
        // A page may be opened with anything behind it.
        _ => Asset::at(path).map(Route::Asset).ok_or_else(no_such_path),
    }
}

/// More fault samples than anybody wants to see at once.
const FAULTS_MAX: usize = 1_000;

fn no_such_path() -> Refusal {
    Refusal {
        status: StatusCode::NOT_FOUND,
        error: "there is nothing here".to_owned(),
        allowed: PATHS.iter().map(|&path| path.to_owned()).collect(),
    }
}

/// A query string. No value that is allowed needs an escape, so none is undone.
struct Query<'a>(&'a str);

impl<'a> Query<'a> {
    /// Fails where there is a key that is not one of `keys`, or one of them twice.
    fn only(&self, keys: &[&str]) -> Result<(), Refusal> {
        let mut seen = Vec::new();
        for (key, _) in self.pairs() {
            if !keys.contains(&key) || seen.contains(&key) {
                let what = if seen.contains(&key) { "there is twice" } else { "there is no" };
                return Err(bad_query(format!("{what} query key {key:?}"), keys.iter().map(|key| format!("{key}="))));
            }
            seen.push(key);
        }
        Ok(())
    }

    fn pairs(&self) -> impl Iterator<Item = (&'a str, &'a str)> {
        let parts = self.0.split('&').filter(|part| !part.is_empty());
        parts.map(|part| part.split_once('=').unwrap_or((part, "")))
    }

    fn range(&self) -> Result<Range, Refusal> {
        self.only(&["from", "to"])?;
        Ok(Range { from: self.moment("from")?, to: self.moment("to")? })
    }

    fn moment(&self, key: &str) -> Result<Option<Moment>, Refusal> {
        let Some((_, value)) = self.pairs().find(|(found, _)| *found == key) else { return Ok(None) };
        let unknown = || bad_query(format!("{key} is no moment"), FORMS.map(|form| format!("{key}={form}")));
        Moment::parse(value).map(Some).ok_or_else(unknown)
    }

    /// The value of `key`, the only key there may be.
    fn value(&self, key: &str) -> Result<Option<&'a str>, Refusal> {
        self.only(&[key])?;
        Ok(self.pairs().next().map(|(_, value)| value))
    }

    fn number(&self, key: &str, default: u64, min: u64, max: u64) -> Result<u64, Refusal> {
        let Some(value) = self.value(key)? else { return Ok(default) };
        let digits = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
        let number = value.parse().ok().filter(|number| digits && (min..=max).contains(number));
        number.ok_or_else(|| {
            bad_query(format!("{key} is not a number that is allowed"), [format!("{key}={min} to {key}={max}")])
        })
    }

    fn limit(&self, default: usize, max: usize) -> Result<usize, Refusal> {
        self.number("limit", default as u64, 1, max as u64).map(|limit| limit as usize)
    }

    fn interval(&self) -> Result<Duration, Refusal> {
        let (min, max) = EVENT_MS;
        self.number("every_ms", min, min, max).map(Duration::from_millis)
    }

    fn format(&self) -> Result<GraphFormat, Refusal> {
        match self.value("format")? {
            None | Some("json") => Ok(GraphFormat::Json),
            Some("mermaid") => Ok(GraphFormat::Mermaid),
            Some("dot") => Ok(GraphFormat::Dot),
            Some(_) => {
                let formats = ["json", "mermaid", "dot"].map(|format| format!("format={format}"));
                Err(bad_query("there is no such format".to_owned(), formats))
            }
        }
    }
}

fn bad_query(error: String, allowed: impl IntoIterator<Item = String>) -> Refusal {
    Refusal { status: StatusCode::BAD_REQUEST, error, allowed: allowed.into_iter().collect() }
}
