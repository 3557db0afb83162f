//! `/api/v1/processors`: what each processor did with what it was given.

use serde::{Serialize, Serializer, ser::SerializeMap};

use crate::{
    Graph, GraphNode, Port, Snapshot,
    snapshot::{Exemplar, FaultKind, Latency, Node},
};

use super::{ms, ns_each, run::busy_ns, share, tenths};

/// One entry per processor, in the order of the graph.
pub(crate) fn processors(snapshot: &Snapshot) -> impl Serialize + '_ {
    let busy_ns = busy_ns(snapshot);
    (0..snapshot.nodes.len()).map(|number| ProcessorView::of(snapshot, number, busy_ns)).collect::<Vec<_>>()
}

#[derive(Serialize)]
struct ProcessorView<'a> {
    id: &'a str,
    kind: &'a str,
    lines_in: u64,
    bytes_in: u64,
    /// Lines in, of all lines that entered the pipeline.
    line_share: f64,
    /// Arrivals beyond the first of a line, where several edges lead here.
    merged: u64,
    lines_out: u64,
    bytes_out: u64,
    outputs: Vec<OutputView<'a>>,
    edges: Vec<EdgeView<'a>>,
    dropped: u64,
    failed: u64,
    failed_by_kind: Kinds<'a>,
    on_error: &'a str,
    busy_ms: f64,
    /// Busy time, of all busy time of processors and stages.
    busy_share: f64,
    ns_per_line: Option<f64>,
    lines_per_s: f64,
    latency: LatencyView<'a>,
    config_line: Option<usize>,
    config: &'a str,
}

impl<'a> ProcessorView<'a> {
    fn of(snapshot: &'a Snapshot, number: usize, busy_ns: u64) -> Self {
        let (graph, node) = (&*snapshot.graph, &snapshot.nodes[number]);
        let shown = &graph.nodes[number];
        let outputs = outputs(shown, node);
        Self {
            id: &shown.id,
            kind: &shown.kind,
            lines_in: node.records_in,
            bytes_in: node.bytes_in,
            line_share: share(node.records_in, snapshot.run.records_done),
            merged: node.merged,
            lines_out: outputs.iter().filter(|output| output.dropped_as.is_none()).map(|output| output.lines).sum(),
            bytes_out: outputs.iter().filter(|output| output.dropped_as.is_none()).map(|output| output.bytes).sum(),
            outputs,
            edges: edges(graph, node, number),
            dropped: node.dropped,
            failed: node.failed,
            failed_by_kind: Kinds(&node.fault_kinds),
            on_error: &shown.on_error,
            busy_ms: ms(node.busy_ns),
            busy_share: share(node.busy_here_ns(), busy_ns),
            ns_per_line: ns_each(node.busy_ns, node.records_in),
            lines_per_s: tenths(node.records_per_s),
            latency: LatencyView::of(snapshot, &node.latency),
            config_line: shown.line,
            config: &shown.config,
        }
    }
}

#[derive(Serialize)]
struct OutputView<'a> {
    output: &'a str,
    lines: u64,
    bytes: u64,
    /// The reason for which its lines are dropped, where nobody takes them.
    dropped_as: Option<&'a str>,
}

fn outputs<'a>(shown: &'a GraphNode, node: &Node) -> Vec<OutputView<'a>> {
    let view = |(number, name): (usize, &'a String)| {
        let output = node.outputs.get(number).copied().unwrap_or_default();
        OutputView {
            output: name,
            lines: output.records,
            bytes: output.bytes,
            dropped_as: shown.dropped_as.get(number).and_then(Option::as_deref),
        }
    };
    shown.outputs.iter().enumerate().map(view).collect()
}

#[derive(Serialize)]
struct EdgeView<'a> {
    to: &'a str,
    #[serde(flatten)]
    port: PortView<'a>,
    lines: u64,
}

fn edges<'a>(graph: &'a Graph, node: &Node, number: usize) -> Vec<EdgeView<'a>> {
    let leaving = graph.edges.iter().filter(|edge| edge.from == number);
    let view = |edge: &crate::Edge| EdgeView {
        to: &graph.nodes[edge.to].id,
        port: PortView::of(&graph.nodes[number], edge.output),
        lines: lines_on(node, edge.output),
    };
    leaving.map(view).collect()
}

/// The output that an edge leaves by: an output's name, or the word for failed lines.
#[derive(Serialize)]
pub(super) struct PortView<'a> {
    pub(super) output: &'a str,
    /// True on the way of the lines that failed.
    pub(super) on_error: bool,
}

impl<'a> PortView<'a> {
    pub(super) fn of(shown: &'a GraphNode, port: Port) -> Self {
        match port {
            Port::Output(number) => Self { output: &shown.outputs[number], on_error: false },
            Port::Failed => Self { output: "failed", on_error: true },
        }
    }
}

/// How many lines left `node` by `port`.
pub(super) fn lines_on(node: &Node, port: Port) -> u64 {
    match port {
        Port::Output(number) => node.outputs.get(number).map_or(0, |output| output.records),
        Port::Failed => node.failed,
    }
}

/// Counts by kind of fault, in an object.
pub(super) struct Kinds<'a>(pub(super) &'a [(FaultKind, u64)]);

impl Serialize for Kinds<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (kind, count) in self.0 {
            map.serialize_entry(kind.name(), count)?;
        }
        map.end()
    }
}

/// What a line costs alone, from probes. Percentiles without enough samples are null.
#[derive(Serialize)]
pub(super) struct PercentilesView {
    samples: u64,
    p50_ns: Option<u64>,
    p90_ns: Option<u64>,
    p99_ns: Option<u64>,
    p999_ns: Option<u64>,
    max_ns: Option<u64>,
    saturated: u64,
}

impl PercentilesView {
    pub(super) fn of(latency: &Latency) -> Self {
        let Latency { samples, p50_ns, p90_ns, p99_ns, p999_ns, max_ns, saturated, .. } = *latency;
        Self { samples, p50_ns, p90_ns, p99_ns, p999_ns, max_ns, saturated }
    }
}

/// The same with the line that took longest, and how all are spread.
#[derive(Serialize)]
struct LatencyView<'a> {
    #[serde(flatten)]
    percentiles: PercentilesView,
    slowest: Option<ExemplarView<'a>>,
    /// Entry `k` counts the probes that took from `2^k` to `2^(k+1)` ns.
    log2_counts: &'a [u64],
}

impl<'a> LatencyView<'a> {
    fn of(snapshot: &'a Snapshot, latency: &'a Latency) -> Self {
        Self {
            percentiles: PercentilesView::of(latency),
            slowest: latency.slowest.map(|exemplar| ExemplarView::of(snapshot, exemplar)),
            log2_counts: &latency.log2_counts,
        }
    }
}

/// The line that took longest.
#[derive(Serialize)]
struct ExemplarView<'a> {
    source: &'a str,
    offset: u64,
    ns: u64,
}

impl<'a> ExemplarView<'a> {
    fn of(snapshot: &'a Snapshot, exemplar: Exemplar) -> Self {
        Self { source: snapshot.sources.name(exemplar.source), offset: exemplar.offset, ns: exemplar.ns }
    }
}
