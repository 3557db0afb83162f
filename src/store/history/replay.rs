//! A recorded run as a snapshot: the sums of its intervals, and how it stood at the end of the last one.

use std::{
    collections::{BTreeMap, HashMap},
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use jiff::Timestamp;

use super::{
    DIR, archive, files,
    load::{LoadedInterval, load, load_lines},
    record::{FaultRecord, Interval, NodeRecord, TraceRecord, kind_of},
};
use crate::{
    graph::{Graph, GraphNode},
    limits,
    metrics::{Probes, Published},
    snapshot::{Exemplar, Fault, FaultKind, Hop, LedgerNode, Node, Output, Sink, Snapshot, Source, Sources, Trace},
};

/// Why a recorded run cannot be shown.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The directory cannot be read.
    #[error("cannot read {}: {error}", dir.display())]
    Io {
        /// The directory.
        dir: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// There is nothing in it.
    #[error("nothing is recorded in {}: it is made by `logweir run --state DIR` and `logweir follow`", dir.display())]
    Empty {
        /// The directory.
        dir: PathBuf,
    },
}

/// The last run that was recorded in the state directory `dir`, or in the `history` of one, as it stood at its end; and
/// the past of all that were.
///
/// # Errors
///
/// Where the directory cannot be read, or holds no interval that can.
pub fn replay(dir: &Path) -> Result<Arc<Published>, ReplayError> {
    let below = dir.join(DIR);
    let dir = if below.is_dir() { below } else { dir.to_owned() };
    let failed = |error| ReplayError::Io { dir: dir.clone(), error };
    let history = archive::read(&dir).map_err(failed)?;
    let snapshot = last_run(&dir).map_err(failed)?.ok_or_else(|| ReplayError::Empty { dir: dir.clone() })?;
    let published = Published::new(snapshot);
    published.publish_history(history);
    Ok(Arc::new(published))
}

/// The sum of the intervals that belong to the last run.
fn last_run(dir: &Path) -> io::Result<Option<Snapshot>> {
    let mut run: Option<Sum> = None;
    for stem in files::stems(dir)? {
        let loaded = load(dir, &stem)?;
        for interval in &loaded.intervals {
            let since = interval.interval.since;
            let sum = match run.take().filter(|run| run.since == since) {
                Some(run) => run,
                None => Sum::new(since, &loaded.graph, &interval.interval),
            };
            run = Some(sum.with(&loaded.graph, interval));
        }
        if let Some(run) = &mut run {
            // Those of a run before this one are older than its first interval.
            let lines = load_lines(dir, &stem, &mut 0);
            run.add_traces(lines.traces);
            run.add_faults(lines.faults);
        }
    }
    Ok(run.map(Sum::into_snapshot))
}

/// What the intervals of one run come to. Processors and sinks go by their names: what follows files may read a new
/// pipeline on the way.
struct Sum {
    since: Timestamp,
    first: Timestamp,
    graph: Arc<Graph>,
    last: Interval,
    bytes: u64,
    records: u64,
    nodes: HashMap<String, NodeSum>,
    sinks: HashMap<String, Sink>,
    source_faults: BTreeMap<FaultKind, u64>,
    sources: SourceList,
    traces: Vec<TraceRecord>,
    faults: Vec<FaultRecord>,
}

/// What one processor comes to.
struct NodeSum {
    counts: NodeRecord,
    kinds: BTreeMap<FaultKind, u64>,
    outputs: HashMap<String, Output>,
    probes: Probes,
    slowest: Option<(u64, String, u64)>,
}

/// Sources in the order in which they were seen first.
#[derive(Default)]
struct SourceList {
    listed: Vec<Arc<Source>>,
    numbers: HashMap<String, u32>,
}

impl SourceList {
    fn set(&mut self, source: Source) {
        match self.numbers.get(&source.path) {
            Some(&number) => self.listed[number as usize] = Arc::new(source),
            None if self.listed.len() < limits::SOURCES_LISTED => {
                self.numbers.insert(source.path.clone(), self.listed.len() as u32);
                self.listed.push(Arc::new(source));
            }
            None => {}
        }
    }

    /// The number of the source at `path`; one that is not listed has a number beyond.
    fn number(&self, path: &str) -> u32 {
        self.numbers.get(path).copied().unwrap_or(u32::MAX)
    }
}

impl Sum {
    fn new(since: Timestamp, graph: &Arc<Graph>, first: &Interval) -> Self {
        Self {
            since,
            first: first.start,
            graph: Arc::clone(graph),
            last: first.clone(),
            bytes: 0,
            records: 0,
            nodes: HashMap::new(),
            sinks: HashMap::new(),
            source_faults: BTreeMap::new(),
            sources: SourceList::default(),
            traces: Vec::new(),
            faults: Vec::new(),
        }
    }

    fn with(mut self, graph: &Arc<Graph>, loaded: &LoadedInterval) -> Self {
        let interval = &loaded.interval;
        self.graph = Arc::clone(graph);
        self.bytes = self.bytes.saturating_add(interval.bytes);
        self.records = self.records.saturating_add(interval.lines);
        for (record, probes) in interval.processors.iter().zip(&loaded.probes) {
            let shape = graph.nodes.iter().find(|node| node.id == record.id);
            self.nodes.entry(record.id.clone()).or_insert_with(NodeSum::new).add(record, probes.as_ref(), shape);
        }
        for sink in &interval.sinks {
            let sum = self.sinks.entry(sink.id.clone()).or_default();
            sum.records = sum.records.saturating_add(sink.lines);
            sum.bytes_written = sum.bytes_written.saturating_add(sink.bytes_written);
        }
        add_kinds(&mut self.source_faults, &interval.source_faults);
        interval.sources.iter().for_each(|source| self.sources.set(source.shown()));
        self.last = interval.clone();
        self
    }

    /// Keeps the last ones; what was seen twice, once.
    fn add_traces(&mut self, traces: Vec<TraceRecord>) {
        let place = |trace: &TraceRecord| (trace.source.clone(), trace.offset);
        self.traces.extend(traces.into_iter().filter(|trace| trace.seen > self.first));
        let mut seen = std::collections::HashSet::new();
        let mut kept: Vec<TraceRecord> =
            self.traces.drain(..).rev().filter(|trace| seen.insert(place(trace))).collect();
        kept.truncate(limits::TRACES);
        kept.reverse();
        self.traces = kept;
    }

    /// Keeps the last ones: as many as a snapshot could have.
    fn add_faults(&mut self, faults: Vec<FaultRecord>) {
        self.faults.extend(faults.into_iter().filter(|fault| fault.seen > self.first));
        let most = (limits::NODES + 1) * limits::FAULT_SAMPLES;
        self.faults.drain(..self.faults.len().saturating_sub(most));
    }

    fn into_snapshot(self) -> Snapshot {
        let graph = Arc::clone(&self.graph);
        let at_end = &self.last.at_end;
        let nodes: Vec<Node> = graph.nodes.iter().map(|node| self.node(node)).collect();
        let ledger = graph.nodes.iter().zip(&nodes).map(|(shape, node)| ledger_line(shape, node)).collect();
        let sink = |id: &str| self.sinks.get(id).cloned().unwrap_or_default();
        let mut run = at_end.run(self.bytes, self.records);
        // What was recorded before may have been removed since.
        run.since = self.since;
        run.started = run.started.max(self.since);
        let mut snapshot = Snapshot {
            sequence: 1,
            checksum: 0,
            taken: self.last.end,
            run,
            stages: at_end.stages(),
            sinks: graph.sinks.iter().map(|shown| sink(&shown.id)).collect(),
            traces: self.traces(),
            faults: self.faults(),
            source_faults: self.source_faults(),
            ledger: at_end.ledger(ledger),
            sources: Sources {
                listed: self.sources.listed.clone(),
                others: at_end.others(),
                skipped: at_end.skipped(),
            },
            graph,
            nodes,
        };
        snapshot.checksum = snapshot.checksum_expected();
        snapshot
    }

    fn node(&self, shape: &GraphNode) -> Node {
        let empty = || Node { outputs: vec![Output::default(); shape.outputs.len()], ..Node::default() };
        let Some(sum) = self.nodes.get(&shape.id) else { return empty() };
        let mut latency = sum.probes.latency();
        latency.max_ns = sum.slowest.as_ref().map(|(ns, ..)| *ns);
        latency.slowest = sum.slowest.as_ref().map(|(ns, source, offset)| Exemplar {
            source: self.sources.number(source),
            offset: *offset,
            ns: *ns,
        });
        let last = self.last.processors.iter().find(|record| record.id == shape.id);
        Node {
            records_in: sum.counts.lines_in,
            bytes_in: sum.counts.bytes_in,
            merged: sum.counts.merged,
            outputs: shape.outputs.iter().map(|name| sum.outputs.get(name).copied().unwrap_or_default()).collect(),
            dropped: sum.counts.dropped,
            failed: sum.counts.failed,
            fault_kinds: sum.kinds.iter().map(|(&kind, &count)| (kind, count)).collect(),
            busy_ns: sum.counts.busy_ns,
            busy_before_ns: 0,
            records_per_s: last.map_or(0.0, |record| record.lines_per_s),
            latency,
        }
    }

    fn source_faults(&self) -> Vec<(FaultKind, u64)> {
        let kinds = FaultKind::ALL.into_iter().filter(|kind| !matches!(kind, FaultKind::Failed | FaultKind::Panicked));
        kinds.map(|kind| (kind, self.source_faults.get(&kind).copied().unwrap_or(0))).collect()
    }

    fn node_number(&self, id: &str) -> Option<u32> {
        self.graph.nodes.iter().position(|node| node.id == id).map(|number| number as u32)
    }

    /// Traces whose processors are all in the last pipeline, in the order in which they were recorded.
    fn traces(&self) -> Arc<[Trace]> {
        let trace = |record: &TraceRecord| {
            let hops = record.hops.iter().map(|(id, ns)| Some(Hop { node: self.node_number(id)?, ns: *ns }));
            Some(Trace {
                order: record.order,
                source: self.sources.number(&record.source),
                offset: record.offset,
                length: record.length,
                hops: hops.collect::<Option<_>>()?,
                excerpt: record.line.bytes(),
            })
        };
        self.traces.iter().filter_map(trace).collect()
    }

    fn faults(&self) -> Arc<[Fault]> {
        let fault = |record: &FaultRecord| {
            let node = match &record.processor {
                Some(id) => Some(self.node_number(id)?),
                None => None,
            };
            Some(Fault {
                order: record.order,
                node,
                kind: kind_of(&record.kind)?,
                message: record.message.clone(),
                time: record.time,
                source: self.sources.number(&record.source),
                offset: record.offset,
                length: record.length,
                excerpt: record.line.bytes(),
            })
        };
        let mut faults: Vec<Fault> = self.faults.iter().filter_map(fault).collect();
        crate::metrics::keep_last_faults(&mut faults);
        faults.into()
    }
}

impl NodeSum {
    fn new() -> Self {
        Self {
            counts: NodeRecord::default(),
            kinds: BTreeMap::new(),
            outputs: HashMap::new(),
            probes: Probes::default(),
            slowest: None,
        }
    }

    fn add(&mut self, record: &NodeRecord, probes: Option<&Probes>, shape: Option<&GraphNode>) {
        let counts = &mut self.counts;
        counts.lines_in = counts.lines_in.saturating_add(record.lines_in);
        counts.bytes_in = counts.bytes_in.saturating_add(record.bytes_in);
        counts.merged = counts.merged.saturating_add(record.merged);
        counts.dropped = counts.dropped.saturating_add(record.dropped);
        counts.failed = counts.failed.saturating_add(record.failed);
        counts.busy_ns = counts.busy_ns.saturating_add(record.busy_ns);
        add_kinds(&mut self.kinds, &record.failed_by_kind);
        for (name, &(records, bytes)) in shape.iter().flat_map(|shape| &shape.outputs).zip(&record.outputs) {
            let output = self.outputs.entry(name.clone()).or_default();
            output.records = output.records.saturating_add(records);
            output.bytes = output.bytes.saturating_add(bytes);
        }
        probes.into_iter().for_each(|probes| self.probes.absorb(probes));
        let slowest = record.slowest.as_ref().map(|slowest| (slowest.ns, slowest.source.clone(), slowest.offset));
        if slowest.as_ref().map(|(ns, ..)| *ns) > self.slowest.as_ref().map(|(ns, ..)| *ns) {
            self.slowest = slowest;
        }
    }
}

fn add_kinds(sums: &mut BTreeMap<FaultKind, u64>, counts: &[(String, u64)]) {
    for (name, count) in counts {
        if let Some(kind) = kind_of(name) {
            let sum = sums.entry(kind).or_default();
            *sum = sum.saturating_add(*count);
        }
    }
}

/// What stands on an output that is dropped is among the dropped.
fn ledger_line(shape: &GraphNode, node: &Node) -> LedgerNode {
    let outputs = shape.dropped_as.iter().zip(&node.outputs).filter(|(dropped_as, _)| dropped_as.is_none());
    let out = outputs.map(|(_, output)| output.records).sum();
    LedgerNode { records_in: node.records_in, out, dropped: node.dropped, failed: node.failed }
}
