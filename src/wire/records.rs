//! `/api/v1/traces` and `/api/v1/errors`: single lines, with where they came from and what became of them.

use jiff::Timestamp;
use serde::Serialize;

use crate::{
    Snapshot,
    snapshot::{Fault, FaultKind, Hop, Trace},
};

use super::{
    contract::{last, processor_id},
    processors::Kinds,
    text::LineView,
};

/// The paths of the last `limit` records, oldest first.
pub(crate) fn traces(snapshot: &Snapshot, limit: usize) -> impl Serialize + '_ {
    last(&snapshot.traces, limit).iter().map(|trace| TraceView::of(snapshot, trace)).collect::<Vec<_>>()
}

/// The last `limit` samples of bad data, in input order, and how often there was any.
pub(crate) fn faults(snapshot: &Snapshot, limit: usize) -> impl Serialize + '_ {
    FaultsView {
        total: faults_total(snapshot),
        by_processor: super::errors(snapshot),
        by_source: Kinds(&snapshot.source_faults),
        samples: fault_samples(snapshot, limit),
    }
}

/// How many faults there were in all, in processors and outside.
pub(super) fn faults_total(snapshot: &Snapshot) -> u64 {
    let in_processors: u64 = snapshot.nodes.iter().map(|node| node.failed).sum();
    let elsewhere: u64 = snapshot.source_faults.iter().map(|(_, count)| count).sum();
    in_processors + elsewhere
}

/// The last `limit` samples of bad data.
pub(super) fn fault_samples(snapshot: &Snapshot, limit: usize) -> Vec<FaultView<'_>> {
    last(&snapshot.faults, limit).iter().map(|fault| FaultView::of(snapshot, fault)).collect()
}

#[derive(Serialize)]
struct TraceView<'a> {
    source: &'a str,
    offset: u64,
    length: u64,
    hops: Vec<HopView<'a>>,
    #[serde(flatten)]
    line: LineView,
}

impl<'a> TraceView<'a> {
    fn of(snapshot: &'a Snapshot, trace: &'a Trace) -> Self {
        let hop = |hop: &Hop| HopView { processor: processor_id(snapshot, hop.node), ns: hop.ns };
        Self {
            source: snapshot.sources.name(trace.source),
            offset: trace.offset,
            length: trace.length,
            hops: trace.hops.iter().map(hop).collect(),
            line: LineView::of(&trace.excerpt, trace.length),
        }
    }
}

#[derive(Serialize)]
struct HopView<'a> {
    processor: &'a str,
    /// Null where this line was no probe.
    ns: Option<u64>,
}

#[derive(Serialize)]
struct FaultsView<'a, E> {
    total: u64,
    by_processor: E,
    by_source: Kinds<'a>,
    samples: Vec<FaultView<'a>>,
}

#[derive(Serialize)]
pub(super) struct FaultView<'a> {
    /// Null where a source was at fault.
    processor: Option<&'a str>,
    kind: &'static str,
    message: &'a str,
    time: Timestamp,
    source: &'a str,
    offset: u64,
    length: u64,
    #[serde(flatten)]
    line: LineView,
    /// How many faults of this kind there were in this processor (or outside of processors), this one included.
    count: u64,
}

impl<'a> FaultView<'a> {
    fn of(snapshot: &'a Snapshot, fault: &'a Fault) -> Self {
        Self {
            processor: fault.node.map(|node| processor_id(snapshot, node)),
            kind: fault.kind.name(),
            message: &fault.message,
            time: fault.time,
            source: snapshot.sources.name(fault.source),
            offset: fault.offset,
            length: fault.length,
            line: LineView::of(&fault.excerpt, fault.length),
            count: count_of(snapshot, fault.node, fault.kind),
        }
    }
}

fn count_of(snapshot: &Snapshot, node: Option<u32>, kind: FaultKind) -> u64 {
    let counts = match node {
        Some(node) => snapshot.nodes.get(node as usize).map_or(&[][..], |node| &node.fault_kinds),
        None => &snapshot.source_faults,
    };
    counts.iter().find(|(counted, _)| *counted == kind).map_or(0, |(_, count)| *count)
}
