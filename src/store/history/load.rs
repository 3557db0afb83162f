//! Reads recordings. Whatever stands in them, what can be read is read, and the rest is counted.

use std::{collections::HashMap, fs, io, path::Path, sync::Arc};

use hdrhistogram::Histogram;

use super::{
    files::{Kind, path},
    hlog,
    record::{FaultRecord, Header, Interval, NodeRecord, TraceRecord, VERSION, read_line},
    recorder::node_counts,
};
use crate::{
    graph::Graph,
    metrics::{Probes, Span},
    snapshot::Exemplar,
};

/// One recording.
#[derive(Debug, Default)]
pub(super) struct Loaded {
    pub(super) graph: Arc<Graph>,
    pub(super) intervals: Vec<LoadedInterval>,
    /// Lines that could not be read.
    pub(super) passed_over: u64,
}

/// One interval with the probes of its processors, in the order of `interval.processors`.
#[derive(Debug)]
pub(super) struct LoadedInterval {
    pub(super) interval: Interval,
    pub(super) probes: Vec<Option<Probes>>,
}

/// The single lines of one recording.
#[derive(Debug, Default)]
pub(super) struct LoadedLines {
    pub(super) traces: Vec<TraceRecord>,
    pub(super) faults: Vec<FaultRecord>,
}

/// Reads what was counted and measured in recording `stem`.
pub(super) fn load(dir: &Path, stem: &str) -> io::Result<Loaded> {
    let bytes = fs::read(path(dir, stem, Kind::Intervals))?;
    let mut lines = lines(&bytes);
    let header = lines.next().and_then(read_line::<Header>);
    let Some(header) = header.filter(|header| header.logweir_history == VERSION && is_sound(&header.graph)) else {
        return Ok(Loaded { passed_over: u64::from(!bytes.is_empty()), ..Loaded::default() });
    };
    let mut loaded = Loaded { graph: Arc::new(header.graph), ..Loaded::default() };
    let mut histograms = histograms(dir, stem, &mut loaded.passed_over);
    for line in lines {
        match read_line::<Interval>(line).filter(|interval| interval.start < interval.end) {
            Some(interval) => loaded.intervals.push(with_probes(interval, &mut histograms, &mut loaded.passed_over)),
            None => loaded.passed_over += 1,
        }
    }
    Ok(loaded)
}

/// Reads the traces and faults of recording `stem`. Without them, the rest is still worth something.
pub(super) fn load_lines(dir: &Path, stem: &str, passed_over: &mut u64) -> LoadedLines {
    let read = |kind| fs::read(path(dir, stem, kind)).unwrap_or_default();
    let (traces, faults) = (read(Kind::Traces), read(Kind::Faults));
    let traces = lines(&traces).map(read_line).collect::<Vec<Option<TraceRecord>>>();
    let faults = lines(&faults).map(read_line).collect::<Vec<Option<FaultRecord>>>();
    *passed_over += traces.iter().filter(|line| line.is_none()).count() as u64;
    *passed_over += faults.iter().filter(|line| line.is_none()).count() as u64;
    LoadedLines { traces: traces.into_iter().flatten().collect(), faults: faults.into_iter().flatten().collect() }
}

/// Lines with their ends; the last one may have none.
fn lines(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    bytes.split_inclusive(|&byte| byte == b'\n')
}

/// True when no number in it leads nowhere: those who show a graph trust it.
fn is_sound(graph: &Graph) -> bool {
    let nodes = &graph.nodes;
    let has_output = |node: usize, output: usize| nodes.get(node).is_some_and(|node| output < node.outputs.len());
    let is_edge = |edge: &crate::graph::Edge| {
        let leaves = match edge.output {
            crate::graph::Port::Output(output) => has_output(edge.from, output),
            crate::graph::Port::Failed => edge.from < nodes.len(),
        };
        leaves && edge.to < nodes.len()
    };
    let is_sink = |sink: &crate::graph::GraphSink| {
        sink.from < nodes.len() && sink.output.is_none_or(|output| has_output(sink.from, output))
    };
    let is_node = |node: &crate::graph::GraphNode| node.dropped_as.len() == node.outputs.len();
    nodes.iter().all(is_node) && graph.edges.iter().all(is_edge) && graph.sinks.iter().all(is_sink)
}

/// Histograms by processor and start.
type Histograms = HashMap<(String, i64), Histogram<u64>>;

fn histograms(dir: &Path, stem: &str, passed_over: &mut u64) -> Histograms {
    let bytes = fs::read(path(dir, stem, Kind::Histograms)).unwrap_or_default();
    let mut histograms = Histograms::new();
    for line in lines(&bytes) {
        match hlog::read(line) {
            Ok(Some(entry)) => drop(histograms.insert((entry.id, entry.start_ms), entry.histogram)),
            Ok(None) => {}
            Err(()) => *passed_over += 1,
        }
    }
    histograms
}

fn with_probes(interval: Interval, histograms: &mut Histograms, passed_over: &mut u64) -> LoadedInterval {
    let start_ms = interval.start.as_millisecond();
    let mut probes = Vec::with_capacity(interval.processors.len());
    for record in &interval.processors {
        let found = histograms.remove(&(record.id.clone(), start_ms)).and_then(|found| restore(record, found));
        // A line that was lost has been counted already, unless all of it was.
        *passed_over += u64::from(found.is_none() && record.samples > 0);
        probes.push(found);
    }
    LoadedInterval { interval, probes }
}

/// The probes of `record`, if `histogram` can be theirs.
fn restore(record: &NodeRecord, histogram: Histogram<u64>) -> Option<Probes> {
    let slowest = record.slowest.as_ref().map(|slowest| Exemplar { source: 0, offset: slowest.offset, ns: slowest.ns });
    let is_whole = histogram.len() == record.samples;
    Probes::restore(histogram, slowest, (record.saturated, record.sum_ns)).filter(|_| is_whole)
}

impl LoadedInterval {
    /// The interval, as it is kept in memory.
    pub(super) fn span(&self) -> Span {
        let Interval { start, end, bytes, lines, processors, .. } = &self.interval;
        let nodes = processors.iter().zip(&self.probes);
        let nodes = nodes.map(|(record, probes)| (Arc::from(&*record.id), node_counts(record), probes.clone()));
        Span::new((*start, *end), (*bytes, *lines), nodes)
    }
}
