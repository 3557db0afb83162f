//! Which cell of a shard counts what: the one list behind merging, snapshots and everything that shows them.

use std::ops::Range;

use crate::{graph::Graph, snapshot::StageKind};

/// What every worker counts once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(usize)]
pub(crate) enum WorkerCell {
    /// Bytes of input accounted for.
    Bytes,
    /// Records that the splitter found.
    Records,
    /// Nanoseconds of waiting for a sink.
    SinkWait,
    /// Nanoseconds of waiting for input.
    Idle,
    /// Nanoseconds spent on probes: a part of the processors' busy time, not beside it.
    Probe,
    /// Records over the limit.
    Oversized,
    /// The first of the stages' busy nanoseconds, in the order of [`StageKind::ALL`].
    Stages,
}

const WORKER_CELLS: usize = WorkerCell::Stages as usize + StageKind::ALL.len();

/// What is counted for every node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(usize)]
pub(crate) enum NodeCell {
    /// Distinct records in.
    In,
    /// Their bytes.
    BytesIn,
    /// Arrivals beyond a record's first.
    Merged,
    /// Records dropped.
    Dropped,
    /// Records that failed, panics not included.
    Failed,
    /// Records on which it panicked.
    Panicked,
    /// Nanoseconds.
    Busy,
    /// The first output's records; then its bytes; then the next output's.
    Outputs,
}

/// Where the cells of a pipeline's nodes stand.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    nodes: Vec<usize>,
    length: usize,
}

impl Layout {
    /// The layout for `graph`.
    pub(crate) fn new(graph: &Graph) -> Self {
        let mut length = WORKER_CELLS;
        let mut nodes = Vec::with_capacity(graph.nodes.len());
        for node in &graph.nodes {
            nodes.push(length);
            length += NodeCell::Outputs as usize + 2 * node.outputs.len();
        }
        Self { nodes, length }
    }

    /// How many cells there are.
    pub(crate) fn len(&self) -> usize {
        self.length
    }

    /// The cell of a stage's busy time.
    pub(crate) fn stage(stage: StageKind) -> usize {
        WorkerCell::Stages as usize + stage as usize
    }

    /// The cell that counts `what` of `node`.
    pub(crate) fn node(&self, node: usize, what: NodeCell) -> usize {
        self.nodes[node] + what as usize
    }

    /// The cells that count records and bytes of output number `output` of `node`.
    pub(crate) fn output(&self, node: usize, output: usize) -> Range<usize> {
        let first = self.node(node, NodeCell::Outputs) + 2 * output;
        first..first + 2
    }

    /// The cells that hold times.
    pub(crate) fn times(&self) -> impl Iterator<Item = usize> + '_ {
        let others = [WorkerCell::SinkWait, WorkerCell::Idle, WorkerCell::Probe];
        self.busy().chain(others.map(|cell| cell as usize))
    }

    /// The cells whose sum is the time that a worker was busy: its stages and the nodes.
    pub(crate) fn busy(&self) -> impl Iterator<Item = usize> + '_ {
        let nodes = (0..self.nodes.len()).map(|node| self.node(node, NodeCell::Busy));
        StageKind::ALL.into_iter().map(Self::stage).chain(nodes)
    }
}
