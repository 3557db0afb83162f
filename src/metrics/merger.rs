//! The one place that merges: shards, deltas and what followers tell become a snapshot.

mod base;

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use jiff::Timestamp;

use super::{
    Layout,
    board::Board,
    delta::{Delta, keep_last_faults},
    latency::Probes,
    layout::{NodeCell, WorkerCell},
    ledger,
    news::SourceNews,
    rates::RateMeter,
    source_table::SourceTable,
    totals::Totals,
};
use crate::{
    graph::Graph,
    limits,
    snapshot::{
        Fault, FaultKind, Lag, Latency, Node, Output, Rates, Run, RunState, Sink, Snapshot, Stage, StageKind, Trace,
        Trouble, Watching, Worker,
    },
};
pub(crate) use base::{BaseTotals, EarlierPart};

/// The mode in which sources are followed, whether there are some already or not.
const FOLLOW: &str = "follow";

/// Everything that was merged so far.
pub(crate) struct Merger {
    graph: Arc<Graph>,
    layout: Layout,
    mode: &'static str,
    budget: f64,
    started: (Instant, Timestamp),
    /// When this part of it started: speeds come from this part only.
    part_started: Instant,
    sequence: u64,
    /// Per worker: what was last read whole, and a place to read into.
    cells: Vec<Vec<u64>>,
    scratch: Vec<u64>,
    torn_reads: u64,
    probes: Vec<Probes>,
    /// What they come to, as it was shown last, until more come.
    latencies: Vec<Option<Latency>>,
    /// Those since they were last taken, where somebody records them.
    recent: Option<Vec<Probes>>,
    /// Per worker: the last records that it finished; then those of the part before this one.
    traces: Vec<Vec<Trace>>,
    /// As they were shown last, until others come.
    traces_shown: Option<Arc<[Trace]>>,
    /// Where this part begins in the order of all parts: each counts its blocks from 0.
    first: u64,
    /// Records that parts before this one split off, as far as they do not come again.
    records_before: u64,
    /// How often a part before this one went back to its last checkpoint.
    rewinds: u64,
    faults: Vec<Fault>,
    /// As they were shown last, until others come.
    faults_shown: Option<Arc<[Fault]>>,
    sources: SourceTable,
    base: BaseTotals,
    trouble: Option<Trouble>,
    rates: RateMeter,
    own_time: Duration,
}

/// What a merger has to know at the start.
pub(crate) struct MergerPlan {
    pub(crate) graph: Arc<Graph>,
    pub(crate) mode: &'static str,
    pub(crate) workers: usize,
    pub(crate) budget: f64,
    pub(crate) sources: SourceTable,
    /// What was counted before, where a run goes on from a checkpoint.
    pub(crate) base: Option<BaseTotals>,
    /// The part of the run before this one, if this process had one.
    pub(crate) earlier: Option<EarlierPart>,
}

impl Merger {
    /// Nothing merged yet.
    pub(crate) fn new(plan: MergerPlan) -> Self {
        let layout = Layout::new(&plan.graph);
        let nodes = &plan.graph.nodes;
        let earlier = plan.earlier.as_ref();
        let mut faults = earlier.map_or_else(|| plan.sources.faults_found(), |earlier| earlier.faults(&plan.graph));
        keep_last_faults(&mut faults);
        let mut traces = vec![Vec::new(); plan.workers];
        traces.extend(earlier.map(|earlier| earlier.traces(&plan.graph)));
        let probes = |id: &str| earlier.and_then(|earlier| earlier.probes(id)).cloned().unwrap_or_default();
        let part_started = (Instant::now(), Timestamp::now());
        let started = earlier.map_or(part_started, |earlier| earlier.started);
        Self {
            cells: vec![vec![0; layout.len()]; plan.workers],
            scratch: vec![0; layout.len()],
            probes: nodes.iter().map(|node| probes(&node.id)).collect(),
            latencies: vec![None; nodes.len()],
            recent: None,
            traces,
            traces_shown: None,
            first: earlier.map_or(0, EarlierPart::end),
            records_before: earlier.map_or(0, |earlier| earlier.records),
            rewinds: earlier.map_or(0, |earlier| earlier.rewinds),
            rates: RateMeter::new(nodes.len()),
            sequence: earlier.map_or(0, |earlier| earlier.sequence),
            graph: plan.graph,
            mode: plan.mode,
            budget: plan.budget,
            sources: plan.sources,
            layout,
            base: plan.base.unwrap_or_else(|| BaseTotals { since: started.1, totals: Totals::default() }),
            trouble: None,
            started,
            part_started: part_started.0,
            torn_reads: 0,
            faults,
            faults_shown: None,
            own_time: Duration::ZERO,
        }
    }

    /// Reads every shard, and takes what workers have handed over.
    pub(crate) fn collect(&mut self, board: &Board) {
        for (worker, (shard, exchange)) in board.shards.iter().zip(&board.exchanges).enumerate() {
            // What was handed over goes first: its records are in the counters that are read then.
            exchange.receive(|delta| self.absorb(worker, delta));
            if shard.read(&mut self.scratch) {
                self.cells[worker].copy_from_slice(&self.scratch);
            } else {
                self.torn_reads += 1;
            }
        }
    }

    /// Adds what worker number `worker` handed over.
    pub(crate) fn absorb(&mut self, worker: usize, delta: &mut Delta) {
        for ((ours, shown), theirs) in self.probes.iter_mut().zip(&mut self.latencies).zip(&delta.probes) {
            ours.absorb(theirs);
            *shown = shown.take().filter(|_| theirs.is_empty());
        }
        for (ours, theirs) in self.recent.iter_mut().flatten().zip(&delta.probes) {
            ours.absorb(theirs);
        }
        delta.traces.iter_mut().for_each(|trace| trace.order += self.first);
        delta.faults.iter_mut().for_each(|fault| fault.order += self.first);
        if !delta.traces.is_empty() {
            std::mem::swap(&mut self.traces[worker], &mut delta.traces);
            self.traces_shown = None;
        }
        self.add_faults(delta.faults.drain(..));
        for (&source, tally) in &delta.sources {
            self.sources.absorb(source, tally);
        }
    }

    /// Takes in what a follower tells of its sources.
    pub(crate) fn hear(&mut self, news: &SourceNews) {
        let fault = self.sources.hear(news);
        self.add_faults(fault.into_iter());
    }

    /// Takes in samples of what went wrong.
    pub(crate) fn add_faults(&mut self, faults: impl Iterator<Item = Fault>) {
        let before = self.faults.len();
        self.faults.extend(faults);
        if self.faults.len() > before {
            keep_last_faults(&mut self.faults);
            self.faults_shown = None;
        }
    }

    /// Says what holds the run up now, cause and action, or that nothing does any more. It began when the cause was
    /// first named.
    pub(crate) fn set_trouble(&mut self, trouble: Option<(&str, &str)>) {
        let is_known = |known: &Trouble| trouble == Some((&*known.cause, &*known.action));
        if self.trouble.as_ref().is_some_and(is_known) {
            return;
        }
        let same = |cause: &str| self.trouble.as_ref().filter(|known| known.cause == cause).map(|known| known.since);
        self.trouble = trouble.map(|(cause, action)| Trouble {
            since: same(cause).unwrap_or_else(Timestamp::now),
            cause: cause.to_owned(),
            action: action.to_owned(),
        });
    }

    /// What the next part of the same run goes on with: its sources, and where its numbers stand. `rewound_to` where that
    /// part is given once more what was handed over and not delivered: the first block that comes again.
    pub(crate) fn into_next_part(mut self, rewound_to: Option<u64>) -> (SourceTable, EarlierPart) {
        let earlier = EarlierPart::of(&mut self, rewound_to);
        (self.sources.for_next_part(rewound_to.is_some()), earlier)
    }

    /// Records that entered the pipeline so far, those before this process included.
    pub(crate) fn records_done(&self) -> u64 {
        let entered = self.layout.node(0, NodeCell::In);
        self.base.totals.records + self.cells.iter().filter_map(|cells| cells.get(entered)).sum::<u64>()
    }

    /// Records that were split off, in this part and in those before.
    fn records_split(&self) -> u64 {
        self.records_before + self.cells.iter().map(|cells| cells[WorkerCell::Records as usize]).sum::<u64>()
    }

    /// From now on, keeps apart what is merged between two calls of [`Merger::take_recent`].
    pub(crate) fn keep_recent(&mut self) {
        self.recent = Some(self.empty_probes());
    }

    /// The probes, per node, that were merged since this was last asked; none where they are not kept apart.
    pub(crate) fn take_recent(&mut self) -> Vec<Probes> {
        let empty = self.empty_probes();
        self.recent.as_mut().map(|recent| std::mem::replace(recent, empty)).unwrap_or_default()
    }

    fn empty_probes(&self) -> Vec<Probes> {
        vec![Probes::default(); self.probes.len()]
    }

    /// Remembers how much of the machine the publisher itself took.
    pub(crate) fn add_own_time(&mut self, time: Duration) {
        self.own_time += time;
    }

    /// Makes the next snapshot.
    pub(crate) fn snapshot(&mut self, state: RunState, error: Option<String>, board: Option<&Board>) -> Snapshot {
        self.sequence += 1;
        let totals = self.totals();
        self.sources.refresh(Instant::now());
        let mut nodes: Vec<Node> = (0..self.graph.nodes.len()).map(|node| self.node(node, &totals)).collect();
        let node_counts = nodes.iter().map(|node| node.records_in).collect();
        let records = nodes.first().map_or(0, |node| node.records_in);
        let bytes = totals[WorkerCell::Bytes as usize];
        let (rates, node_rates) = self.rates.note(self.part_started.elapsed(), bytes, records, node_counts);
        for (node, rate) in nodes.iter_mut().zip(node_rates) {
            node.records_per_s = rate;
        }
        let sources = self.sources.totals(state);
        let records_split = totals[WorkerCell::Records as usize];
        let mut ledger = ledger::draw_up(&self.graph, &nodes, &sources, records_split, state);
        // As sources do, these speak of all parts; processors are those of the present one.
        ledger.records_split += self.records_before;
        ledger.records_entered += self.records_before;
        // Only now: what was counted before is shown, but was proven then, perhaps by another graph.
        self.base.add_to_nodes(&self.graph, &mut nodes);
        let run = self.run(state, error, &totals, rates, records);
        let sinks = self.sinks(board);
        let refused = sinks.iter().map(|sink| sink.refused).sum();
        let mut snapshot = Snapshot {
            sequence: self.sequence,
            checksum: 0,
            taken: Timestamp::now(),
            graph: Arc::clone(&self.graph),
            run,
            nodes,
            stages: StageKind::ALL.map(|kind| Stage { kind, busy_ns: totals[Layout::stage(kind)] }).to_vec(),
            sinks,
            sources: self.sources.view(),
            traces: self.last_traces(),
            faults: Arc::clone(self.faults_shown.get_or_insert_with(|| self.faults.clone().into())),
            source_faults: self.source_faults(&totals, refused),
            ledger,
        };
        snapshot.checksum = snapshot.checksum_expected();
        snapshot
    }

    fn totals(&self) -> Vec<u64> {
        let mut totals = vec![0; self.layout.len()];
        for cells in &self.cells {
            totals.iter_mut().zip(cells).for_each(|(total, cell)| *total += cell);
        }
        totals
    }

    fn node(&mut self, node: usize, totals: &[u64]) -> Node {
        let cell = |what| totals[self.layout.node(node, what)];
        let (failed, panicked) = (cell(NodeCell::Failed), cell(NodeCell::Panicked));
        let outputs = (0..self.graph.nodes[node].outputs.len()).map(|output| {
            let cells = &totals[self.layout.output(node, output)];
            Output { records: cells[0], bytes: cells[1] }
        });
        let kinds = [(FaultKind::Failed, failed), (FaultKind::Panicked, panicked)];
        Node {
            records_in: cell(NodeCell::In),
            bytes_in: cell(NodeCell::BytesIn),
            merged: cell(NodeCell::Merged),
            outputs: outputs.collect(),
            dropped: cell(NodeCell::Dropped),
            failed: failed + panicked,
            fault_kinds: kinds.into_iter().filter(|&(_, count)| count > 0).collect(),
            busy_before_ns: 0,
            busy_ns: cell(NodeCell::Busy),
            records_per_s: 0.0,
            latency: self.latencies[node].get_or_insert_with(|| self.probes[node].latency()).clone(),
        }
    }

    fn run(&self, state: RunState, error: Option<String>, totals: &[u64], rates: Rates, records: u64) -> Run {
        let bytes = totals[WorkerCell::Bytes as usize];
        let bytes_total = self.sources.bytes_total();
        let (sources_done, sources_total) = self.sources.progress();
        let speed = if rates.now.bytes_per_s > 0.0 { rates.minute.bytes_per_s } else { 0.0 };
        let remaining = bytes_total
            .filter(|_| speed > 0.0 && !state.is_over())
            .and_then(|total| Duration::try_from_secs_f64(total.saturating_sub(bytes) as f64 / speed).ok());
        Run {
            mode: self.mode,
            state,
            error,
            trouble: self.trouble.clone(),
            started: self.started.1,
            since: self.base.since,
            rewinds: self.rewinds,
            elapsed: self.started.0.elapsed(),
            bytes_done: self.base.totals.bytes + bytes,
            bytes_total: bytes_total.map(|total| self.base.totals.bytes + total),
            records_done: self.base.totals.records + records,
            sources_done,
            sources_total,
            lag: self.sources.lag().or_else(|| (self.mode == FOLLOW).then(Lag::default)),
            rates,
            remaining,
            workers: self.cells.iter().map(|cells| self.worker(cells)).collect(),
            watching: self.watching(totals),
        }
    }

    fn worker(&self, cells: &[u64]) -> Worker {
        Worker {
            busy_ns: self.layout.busy().map(|cell| cells[cell]).sum(),
            sink_wait_ns: cells[WorkerCell::SinkWait as usize],
            idle_ns: cells[WorkerCell::Idle as usize],
        }
    }

    fn watching(&self, totals: &[u64]) -> Watching {
        let probe_ns = totals[WorkerCell::Probe as usize];
        let hand_over_ns = totals[Layout::stage(StageKind::Observe)];
        let busy: u64 = self.layout.busy().map(|cell| totals[cell]).sum();
        let wall = busy + totals[WorkerCell::SinkWait as usize] + totals[WorkerCell::Idle as usize];
        let own = u64::try_from(self.own_time.as_nanos()).unwrap_or(u64::MAX);
        let share = if wall > 0 { (probe_ns + hand_over_ns + own) as f64 / wall as f64 } else { 0.0 };
        Watching { probe_ns, hand_over_ns, share, budget: self.budget, torn_reads: self.torn_reads }
    }

    fn sinks(&self, board: Option<&Board>) -> Vec<Sink> {
        let sink = |number| board.map_or_else(Sink::default, |board| board.sink(number));
        let mut sinks: Vec<Sink> = (0..self.graph.sinks.len()).map(sink).collect();
        self.base.add_to_sinks(&self.graph, &mut sinks);
        sinks
    }

    fn last_traces(&mut self) -> Arc<[Trace]> {
        let last = || {
            let mut traces: Vec<&Trace> = self.traces.iter().flatten().collect();
            traces.sort_by_key(|trace| trace.order);
            let first = traces.len().saturating_sub(limits::TRACES);
            traces[first..].iter().map(|&trace| trace.clone()).collect()
        };
        Arc::clone(self.traces_shown.get_or_insert_with(last))
    }

    fn source_faults(&self, totals: &[u64], refused: u64) -> Vec<(FaultKind, u64)> {
        let mut counts: BTreeMap<FaultKind, u64> = self.sources.fault_counts();
        counts.insert(FaultKind::Oversized, self.base.totals.oversized + totals[WorkerCell::Oversized as usize]);
        counts.insert(FaultKind::Refused, refused);
        let kinds = FaultKind::ALL.into_iter().filter(|kind| !matches!(kind, FaultKind::Failed | FaultKind::Panicked));
        kinds.map(|kind| (kind, counts.get(&kind).copied().unwrap_or(0))).collect()
    }
}

#[cfg(test)]
mod tests;
