//! What the outside sees of a [`Snapshot`]: the JSON of the endpoints and of `--report json`.
//!
//! Nearly every function borrows a snapshot and returns something that serializes; nothing is copied, and keys keep the order
//! in which they are written here (processors: the order of the graph). `/stats`, `/trace` and `/errors` are a contract,
//! see [`contract`]; everything richer lives in the files beside it. Only [`graph`] and [`metrics`](metrics()) know formats other
//! than JSON.

mod audit;
mod contract;
mod event;
mod exposition;
pub(crate) mod graph;
mod history;
mod metrics;
mod processors;
mod records;
mod run;
mod sources;
mod text;

use serde::Serialize;

use crate::Snapshot;

pub(crate) use audit::audit;
pub(crate) use contract::{errors, stats, trace};
pub(crate) use event::event;
pub(crate) use exposition::Exposition;
pub(crate) use history::history;
pub(crate) use metrics::metrics;
pub(crate) use processors::processors;
pub(crate) use records::{faults, traces};
pub(crate) use run::run;
pub(crate) use sources::sources;
pub(crate) use text::to_json;

/// The whole report as one object on one line, as `--report json` prints it: `run`, `stats`, `errors`, `processors`,
/// `sources` and `audit`, each as the endpoint of that name answers it.
#[must_use]
pub fn json_report(snapshot: &Snapshot) -> String {
    let json = to_json(&Report {
        run: run(snapshot),
        stats: stats(snapshot),
        errors: errors(snapshot),
        processors: processors(snapshot),
        sources: sources(snapshot),
        audit: audit(snapshot),
    });
    String::from_utf8(json).expect("JSON is UTF-8")
}

#[derive(Serialize)]
struct Report<R, S, E, P, O, A> {
    run: R,
    stats: S,
    errors: E,
    processors: P,
    sources: O,
    audit: A,
}

/// Nanoseconds as milliseconds, exact to the nanosecond.
fn ms(ns: u64) -> f64 {
    ns as f64 / 1e6
}

/// `ns` spread over `count` things, in nanoseconds rounded to the picosecond: clocks know no better.
fn ns_each(ns: u64, count: u64) -> Option<f64> {
    (count > 0).then(|| (ns as f64 / count as f64 * 1e3).round() / 1e3)
}

/// `part` of `whole` as a share between 0 and 1; 0 where there is no whole.
fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

/// The same in milliseconds.
fn ms_each(ns: u64, count: u64) -> Option<f64> {
    (count > 0).then(|| (ns as f64 / count as f64 * 1e3).round() / 1e9)
}

/// A rate, rounded to a tenth: what comes behind it is noise.
fn tenths(rate: f64) -> f64 {
    (rate * 10.0).round() / 10.0
}

/// Seconds, rounded to the millisecond: nobody can say more exactly when a byte came.
fn milliseconds(seconds: f64) -> f64 {
    (seconds * 1e3).round() / 1e3
}
