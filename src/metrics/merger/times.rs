//! Where the time of this process went, over all parts of its run.

use std::time::Duration;

use crate::{
    graph::Graph,
    metrics::layout::{Layout, NodeCell, WorkerCell},
    snapshot::{Node, Stage, StageKind, Watching, Worker},
};

/// Times of one part of a run, or of several.
#[derive(Debug, Clone, Default)]
pub(super) struct Times {
    workers: Vec<Worker>,
    /// Nanoseconds, in the order of [`StageKind::ALL`].
    stages: [u64; StageKind::ALL.len()],
    /// Nanoseconds, per node.
    nodes: Vec<u64>,
    /// Nanoseconds that were spent on probes.
    probe_ns: u64,
    /// What the publisher took.
    own: Duration,
}

impl Times {
    /// Those of a part whose workers have counted `cells`, beside what the publisher took.
    pub(super) fn of(layout: &Layout, nodes: usize, cells: &[Vec<u64>], own: Duration) -> Self {
        let sum = |cell: usize| cells.iter().map(|cells| cells[cell]).sum();
        let worker = |cells: &Vec<u64>| Worker {
            busy_ns: layout.busy().map(|cell| cells[cell]).sum(),
            sink_wait_ns: cells[WorkerCell::SinkWait as usize],
            idle_ns: cells[WorkerCell::Idle as usize],
        };
        Self {
            workers: cells.iter().map(worker).collect(),
            stages: StageKind::ALL.map(|kind| sum(Layout::stage(kind))),
            nodes: (0..nodes).map(|node| sum(layout.node(node, NodeCell::Busy))).collect(),
            probe_ns: sum(WorkerCell::Probe as usize),
            own,
        }
    }

    /// These and what was before, of the same workers and nodes.
    pub(super) fn after(mut self, before: &Self) -> Self {
        for (worker, before) in self.workers.iter_mut().zip(&before.workers) {
            worker.busy_ns += before.busy_ns;
            worker.sink_wait_ns += before.sink_wait_ns;
            worker.idle_ns += before.idle_ns;
        }
        self.stages.iter_mut().zip(&before.stages).for_each(|(ns, before)| *ns += before);
        self.nodes.iter_mut().zip(&before.nodes).for_each(|(ns, before)| *ns += before);
        self.probe_ns += before.probe_ns;
        self.own += before.own;
        self
    }

    /// The same, with the nodes of `old` as they are numbered in `new`. Those that it does not have leave their time to
    /// their workers.
    pub(super) fn renumbered(&self, old: &Graph, new: &Graph) -> Self {
        let of = |id: &str| old.nodes.iter().position(|node| node.id == id).and_then(|node| self.nodes.get(node).copied());
        Self { nodes: new.nodes.iter().map(|node| of(&node.id).unwrap_or(0)).collect(), ..self.clone() }
    }

    pub(super) fn workers(&self) -> Vec<Worker> {
        self.workers.clone()
    }

    pub(super) fn stages(&self) -> Vec<Stage> {
        StageKind::ALL.into_iter().zip(self.stages).map(|(kind, busy_ns)| Stage { kind, busy_ns }).collect()
    }

    /// Tells nodes how much of what they count was before this process.
    pub(super) fn tell_nodes(&self, nodes: &mut [Node]) {
        // Where a session went back to its checkpoint, a node may have taken more than it counts.
        nodes.iter_mut().zip(&self.nodes).for_each(|(node, ns)| node.busy_before_ns = node.busy_ns.saturating_sub(*ns));
    }

    pub(super) fn watching(&self, budget: f64, torn_reads: u64) -> Watching {
        let hand_over_ns = self.stages[StageKind::Observe as usize];
        let wall: u64 =
            self.workers.iter().map(|worker| worker.busy_ns + worker.sink_wait_ns + worker.idle_ns).sum();
        let own = u64::try_from(self.own.as_nanos()).unwrap_or(u64::MAX);
        let share = if wall > 0 { (self.probe_ns + hand_over_ns + own) as f64 / wall as f64 } else { 0.0 };
        Watching { probe_ns: self.probe_ns, hand_over_ns, share, budget, torn_reads }
    }
}
