//! What was counted before this process began, where a run goes on from a checkpoint.

use std::{sync::Arc, time::Instant};

use jiff::Timestamp;

use super::Merger;
use crate::{
    graph::{Graph, GraphNode},
    metrics::{NodeTotals, Probes, Totals},
    snapshot::{Fault, FaultKind, Node, Sink, Trace},
};

/// Counts until a checkpoint, by the names of what counted: what a pipeline no longer has is left out.
#[derive(Debug, Clone)]
pub(crate) struct BaseTotals {
    /// Since when they count.
    pub(crate) since: Timestamp,
    /// The counts.
    pub(crate) totals: Totals,
}

/// What the next part of a run goes on with, so that nothing that is shown goes back.
#[derive(Debug, Clone)]
pub(crate) struct EarlierPart {
    /// The number of its last snapshot.
    pub(super) sequence: u64,
    /// When the run started.
    pub(super) started: (Instant, Timestamp),
    /// How often a part before went back to its last checkpoint.
    pub(super) rewinds: u64,
    /// Records that were split off so far, as far as they do not come again.
    pub(super) records: u64,
    /// Its graph, which the numbers of nodes speak of.
    graph: Arc<Graph>,
    /// Per node.
    probes: Vec<Probes>,
    /// In input order.
    traces: Vec<Trace>,
    faults: Vec<Fault>,
}

impl EarlierPart {
    /// What `merger` leaves. What comes again, from block `rewound_to` on, leaves its traces and samples then.
    pub(super) fn of(merger: &mut Merger, rewound_to: Option<u64>) -> Self {
        let end = rewound_to.map_or(u64::MAX, |block| merger.first + block);
        let (traces, faults) = (merger.last_traces(), merger.faults.iter());
        Self {
            sequence: merger.sequence,
            started: merger.started,
            rewinds: merger.rewinds + u64::from(rewound_to.is_some()),
            records: rewound_to.map_or_else(|| merger.records_split(), |_| 0),
            graph: Arc::clone(&merger.graph),
            probes: merger.probes.clone(),
            traces: traces.iter().filter(|trace| trace.order < end).cloned().collect(),
            faults: faults.filter(|fault| fault.node.is_none() || fault.order < end).cloned().collect(),
        }
    }

    /// The same, after a part that did not begin: only snapshots have gone on.
    pub(crate) fn behind(self, merger: &Merger) -> Self {
        Self { sequence: merger.sequence, ..self }
    }

    /// What it knows of the node `id`.
    pub(super) fn probes(&self, id: &str) -> Option<&Probes> {
        self.graph.nodes.iter().position(|node| node.id == id).map(|node| &self.probes[node])
    }

    /// Its traces, where they are paths through `graph` as well.
    pub(super) fn traces(&self, graph: &Graph) -> Vec<Trace> {
        let ids = |graph: &Graph| graph.nodes.iter().map(|node| node.id.clone()).collect::<Vec<_>>();
        let is_same = ids(&self.graph) == ids(graph) && self.graph.edges == graph.edges;
        if is_same { self.traces.clone() } else { Vec::new() }
    }

    /// Its samples, but for those of processors that `graph` does not have.
    pub(super) fn faults(&self, graph: &Graph) -> Vec<Fault> {
        let now = |node: u32| {
            let id = &self.graph.nodes[node as usize].id;
            graph.nodes.iter().position(|node| node.id == *id).map(|node| node as u32)
        };
        let still = |fault: &Fault| {
            let node = match fault.node {
                Some(node) => Some(now(node)?),
                None => None,
            };
            Some(Fault { node, ..fault.clone() })
        };
        self.faults.iter().filter_map(still).collect()
    }

    /// The first place in input order that comes after all of it.
    pub(super) fn end(&self) -> u64 {
        let orders = self.traces.iter().map(|trace| trace.order).chain(self.faults.iter().map(|fault| fault.order));
        orders.max().map_or(0, |last| last + 1)
    }
}

impl BaseTotals {
    /// Adds what the processors of `graph` had counted to what they count now.
    pub(super) fn add_to_nodes(&self, graph: &Graph, nodes: &mut [Node]) {
        for (shape, node) in graph.nodes.iter().zip(nodes) {
            if let Some(base) = self.totals.nodes.get(&shape.id) {
                add_to(base, shape, node);
            }
        }
    }

    /// The same for sinks.
    pub(super) fn add_to_sinks(&self, graph: &Graph, sinks: &mut [Sink]) {
        for (shape, sink) in graph.sinks.iter().zip(sinks) {
            let base = self.totals.sinks.get(&shape.id).copied().unwrap_or_default();
            sink.records += base.records;
            sink.bytes_written += base.bytes;
            sink.refused += base.refused;
            sink.retries += base.retries;
        }
    }
}

fn add_to(base: &NodeTotals, shape: &GraphNode, node: &mut Node) {
    node.records_in += base.records_in;
    node.bytes_in += base.bytes_in;
    node.merged += base.merged;
    node.dropped += base.dropped;
    node.failed += base.failed + base.panicked;
    node.busy_ns += base.busy_ns;
    node.busy_before_ns += base.busy_ns;
    for (name, output) in shape.outputs.iter().zip(&mut node.outputs) {
        let base = base.outputs.get(name).copied().unwrap_or_default();
        output.records += base.records;
        output.bytes += base.bytes;
    }
    let before = [(FaultKind::Failed, base.failed), (FaultKind::Panicked, base.panicked)];
    let now = |kind| node.fault_kinds.iter().find(|(known, _)| *known == kind).map_or(0, |(_, count)| *count);
    let both = before.map(|(kind, count)| (kind, now(kind) + count));
    node.fault_kinds = both.into_iter().filter(|(_, count)| *count > 0).collect();
}
