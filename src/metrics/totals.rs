//! Counts by the names that the user gave, so that they can go on under another process and another graph.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{
    Layout,
    layout::{NodeCell, WorkerCell},
};
use crate::graph::Graph;

/// Counts that go on after a restart.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Totals {
    /// Bytes of input.
    pub bytes: u64,
    /// Records.
    pub records: u64,
    /// Records over the limit.
    pub oversized: u64,
    /// By the ids of processors.
    pub nodes: BTreeMap<String, NodeTotals>,
    /// By the ids of sinks.
    pub sinks: BTreeMap<String, SinkTotals>,
}

/// Counts of one processor.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct NodeTotals {
    /// Records in.
    pub records_in: u64,
    /// Their bytes.
    pub bytes_in: u64,
    /// Arrivals beyond a record's first.
    pub merged: u64,
    /// Records dropped.
    pub dropped: u64,
    /// Records failed, panics not included.
    pub failed: u64,
    /// Records on which it panicked.
    pub panicked: u64,
    /// Nanoseconds.
    pub busy_ns: u64,
    /// By the names of outputs.
    pub outputs: BTreeMap<String, OutputTotals>,
}

/// Counts of one output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct OutputTotals {
    /// Records.
    pub records: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// Counts of one sink.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct SinkTotals {
    /// Records written, or taken by a server.
    pub records: u64,
    /// Bytes written, or of the bodies that a server took.
    pub bytes: u64,
    /// Records that were refused for good.
    #[serde(default)]
    pub refused: u64,
    /// How often something was tried again.
    #[serde(default)]
    pub retries: u64,
}

impl SinkTotals {
    /// Adds what it has done besides.
    pub(crate) fn add(&mut self, more: Self) {
        self.records += more.records;
        self.bytes += more.bytes;
        self.refused += more.refused;
        self.retries += more.retries;
    }
}

impl Totals {
    /// Adds what the sink `id` has done besides.
    pub(crate) fn add_sink(&mut self, id: &str, more: SinkTotals) {
        self.sinks.entry(id.to_owned()).or_default().add(more);
    }

    /// Adds what `cells` of a run over `graph` counted.
    pub(crate) fn add_cells(&mut self, graph: &Graph, layout: &Layout, cells: &[u64]) {
        self.bytes += cells[WorkerCell::Bytes as usize];
        self.records += cells[WorkerCell::Records as usize];
        self.oversized += cells[WorkerCell::Oversized as usize];
        for (number, shape) in graph.nodes.iter().enumerate() {
            let cell = |what| cells[layout.node(number, what)];
            let node = self.nodes.entry(shape.id.clone()).or_default();
            node.records_in += cell(NodeCell::In);
            node.bytes_in += cell(NodeCell::BytesIn);
            node.merged += cell(NodeCell::Merged);
            node.dropped += cell(NodeCell::Dropped);
            node.failed += cell(NodeCell::Failed);
            node.panicked += cell(NodeCell::Panicked);
            node.busy_ns += cell(NodeCell::Busy);
            for (output, name) in shape.outputs.iter().enumerate() {
                let cells = &cells[layout.output(number, output)];
                let output = node.outputs.entry(name.clone()).or_default();
                output.records += cells[0];
                output.bytes += cells[1];
            }
        }
    }
}
