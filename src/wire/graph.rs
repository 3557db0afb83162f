//! `/api/v1/graph`: the pipeline with its numbers, as JSON, and as text for Mermaid and Graphviz.

use serde::Serialize;

use crate::{Edge, Snapshot, graph::Counts, snapshot::Node};

use super::processors::{PortView, lines_on};

/// Nodes and edges, and who writes what.
pub(crate) fn json(snapshot: &Snapshot) -> impl Serialize + '_ {
    let graph = &*snapshot.graph;
    GraphView {
        nodes: graph.nodes.iter().enumerate().map(|(number, _)| NodeView::of(snapshot, number)).collect(),
        edges: graph.edges.iter().map(|edge| EdgeView::of(snapshot, edge)).collect(),
        sinks: graph.sinks.iter().enumerate().map(|(number, _)| SinkView::of(snapshot, number)).collect(),
    }
}

/// A Mermaid flow chart.
pub(crate) fn mermaid(snapshot: &Snapshot) -> String {
    snapshot.graph.mermaid_with(&counts(snapshot))
}

/// A Graphviz digraph.
pub(crate) fn dot(snapshot: &Snapshot) -> String {
    snapshot.graph.dot_with(&counts(snapshot))
}

fn counts(snapshot: &Snapshot) -> Counts {
    let outputs = |node: &Node| node.outputs.iter().map(|output| output.records).collect();
    Counts {
        nodes: snapshot.nodes.iter().map(|node| node.records_in).collect(),
        outputs: snapshot.nodes.iter().map(outputs).collect(),
        failed: snapshot.nodes.iter().map(|node| node.failed).collect(),
        sinks: (0..snapshot.graph.sinks.len()).map(|number| sink_lines(snapshot, number)).collect(),
    }
}

fn sink_lines(snapshot: &Snapshot, number: usize) -> u64 {
    snapshot.sinks.get(number).map_or(0, |sink| sink.records)
}

#[derive(Serialize)]
struct GraphView<'a> {
    nodes: Vec<NodeView<'a>>,
    edges: Vec<EdgeView<'a>>,
    sinks: Vec<SinkView<'a>>,
}

#[derive(Serialize)]
struct NodeView<'a> {
    id: &'a str,
    kind: &'a str,
    lines: u64,
    dropped: u64,
    failed: u64,
}

impl<'a> NodeView<'a> {
    fn of(snapshot: &'a Snapshot, number: usize) -> Self {
        let (shown, node) = (&snapshot.graph.nodes[number], &snapshot.nodes[number]);
        Self { id: &shown.id, kind: &shown.kind, lines: node.records_in, dropped: node.dropped, failed: node.failed }
    }
}

#[derive(Serialize)]
struct EdgeView<'a> {
    from: &'a str,
    #[serde(flatten)]
    port: PortView<'a>,
    to: &'a str,
    lines: u64,
}

impl<'a> EdgeView<'a> {
    fn of(snapshot: &'a Snapshot, edge: &Edge) -> Self {
        let nodes = &snapshot.graph.nodes;
        Self {
            from: &nodes[edge.from].id,
            port: PortView::of(&nodes[edge.from], edge.output),
            to: &nodes[edge.to].id,
            lines: lines_on(&snapshot.nodes[edge.from], edge.output),
        }
    }
}

#[derive(Serialize)]
struct SinkView<'a> {
    id: &'a str,
    kind: &'a str,
    from: &'a str,
    lines: u64,
}

impl<'a> SinkView<'a> {
    fn of(snapshot: &'a Snapshot, number: usize) -> Self {
        let sink = &snapshot.graph.sinks[number];
        Self {
            id: &sink.id,
            kind: &sink.kind,
            from: &snapshot.graph.nodes[sink.from].id,
            lines: sink_lines(snapshot, number),
        }
    }
}
