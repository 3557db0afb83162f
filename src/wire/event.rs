//! `/api/v1/events`: what a live view needs of a snapshot, and no more: it is sent several times a second.

use serde::Serialize;

use crate::Snapshot;

use super::{
    audit, processors,
    records::{FaultView, fault_samples, faults_total},
    run,
    sources::{SourcesShown, sources_shown},
    traces,
};

/// Traces and faults in one event: about what a screen shows.
const RECORDS_SHOWN: usize = 12;

/// One snapshot, as an event stream carries it, and whether there is a past to ask for.
pub(crate) fn event(snapshot: &Snapshot, is_recorded: bool) -> impl Serialize + '_ {
    EventView {
        recorded: is_recorded,
        run: run(snapshot),
        processors: processors(snapshot),
        traces: traces(snapshot, RECORDS_SHOWN),
        faults_total: faults_total(snapshot),
        faults: fault_samples(snapshot, RECORDS_SHOWN),
        sources: sources_shown(snapshot),
        audit: audit(snapshot),
    }
}

#[derive(Serialize)]
struct EventView<'a, R, P, T, A> {
    recorded: bool,
    run: R,
    processors: P,
    traces: T,
    faults_total: u64,
    faults: Vec<FaultView<'a>>,
    /// Null where nothing is followed: what was read to its end needs no watching.
    sources: Option<SourcesShown<'a>>,
    audit: A,
}
