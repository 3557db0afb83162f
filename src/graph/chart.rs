//! The graph in the languages of Mermaid and Graphviz, with numbers or without.
//!
//! Names come from users and may hold anything, so they only ever stand as quoted labels; nodes are told apart by
//! number.

use std::fmt::Write as _;

use super::{Graph, GraphSink, Port};

/// Numbers of lines, to be written beside what they went through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Counts {
    /// That entered each node.
    pub(crate) nodes: Vec<u64>,
    /// That left each node on each of its outputs.
    pub(crate) outputs: Vec<Vec<u64>>,
    /// That failed in each node.
    pub(crate) failed: Vec<u64>,
    /// That each sink took.
    pub(crate) sinks: Vec<u64>,
}

impl Graph {
    /// It as a Mermaid flow chart.
    #[must_use]
    pub fn mermaid(&self) -> String {
        mermaid(self, None)
    }

    /// It as a Graphviz digraph.
    #[must_use]
    pub fn dot(&self) -> String {
        dot(self, None)
    }

    /// A Mermaid flow chart with numbers.
    pub(crate) fn mermaid_with(&self, counts: &Counts) -> String {
        mermaid(self, Some(counts))
    }

    /// A Graphviz digraph with numbers.
    pub(crate) fn dot_with(&self, counts: &Counts) -> String {
        dot(self, Some(counts))
    }
}

fn mermaid(graph: &Graph, counts: Option<&Counts>) -> String {
    let chart = Chart { graph, counts };
    let mut text = String::from("flowchart LR\n");
    for node in 0..graph.nodes.len() {
        _ = writeln!(text, "  n{node}[\"{}\"]", mermaid_label(&chart.node(node)));
    }
    for edge in &graph.edges {
        let arrow = if edge.output == Port::Failed { "-.->" } else { "-->" };
        let label = mermaid_label(&chart.port(edge.from, edge.output));
        _ = writeln!(text, "  n{} {arrow}|\"{label}\"| n{}", edge.from, edge.to);
    }
    for (number, sink) in graph.sinks.iter().enumerate() {
        let output = chart.taken(sink).map(|output| format!("|\"{}\"|", mermaid_label(output))).unwrap_or_default();
        let label = mermaid_label(&chart.sink(number));
        _ = writeln!(text, "  n{} -->{output} s{number}[(\"{label}\")]", sink.from);
    }
    for (number, (node, port, reason)) in chart.drops().enumerate() {
        let (label, reason) = (mermaid_label(&chart.port(node, port)), mermaid_label(reason));
        _ = writeln!(text, "  n{node} -->|\"{label}\"| d{number}([\"dropped: {reason}\"])");
    }
    text
}

fn dot(graph: &Graph, counts: Option<&Counts>) -> String {
    let chart = Chart { graph, counts };
    let mut text = String::from("digraph logweir {\n  rankdir=LR;\n  node [shape=box];\n");
    for node in 0..graph.nodes.len() {
        _ = writeln!(text, "  n{node} [label=\"{}\"];", dot_label(&chart.node(node)));
    }
    for edge in &graph.edges {
        let style = if edge.output == Port::Failed { "dashed" } else { "solid" };
        let label = dot_label(&chart.port(edge.from, edge.output));
        _ = writeln!(text, "  n{} -> n{} [label=\"{label}\", style={style}];", edge.from, edge.to);
    }
    for (number, sink) in graph.sinks.iter().enumerate() {
        let output = chart.taken(sink).map(|output| format!(" [label=\"{}\"]", dot_label(output))).unwrap_or_default();
        let label = dot_label(&chart.sink(number));
        _ = writeln!(text, "  s{number} [label=\"{label}\", shape=cylinder];");
        _ = writeln!(text, "  n{} -> s{number}{output};", sink.from);
    }
    for (number, (node, port, reason)) in chart.drops().enumerate() {
        let (label, reason) = (dot_label(&chart.port(node, port)), dot_label(reason));
        _ = writeln!(text, "  d{number} [label=\"dropped: {reason}\", shape=oval];");
        _ = writeln!(text, "  n{node} -> d{number} [label=\"{label}\"];");
    }
    text.push_str("}\n");
    text
}

/// What both languages say about a graph.
struct Chart<'a> {
    graph: &'a Graph,
    counts: Option<&'a Counts>,
}

impl<'a> Chart<'a> {
    fn node(&self, number: usize) -> String {
        let node = &self.graph.nodes[number];
        label(&node.id, self.counts.map(|counts| counts.nodes[number]), &node.kind)
    }

    fn sink(&self, number: usize) -> String {
        let sink = &self.graph.sinks[number];
        let target = if sink.path.is_empty() { &sink.kind } else { &sink.path };
        label(&sink.id, self.counts.map(|counts| counts.sinks[number]), target)
    }

    /// The name of an output, and how many lines left on it.
    fn port(&self, node: usize, port: Port) -> String {
        let (name, lines) = match port {
            Port::Output(output) => {
                let lines = self.counts.map(|counts| counts.outputs[node].get(output).copied().unwrap_or(0));
                (self.graph.nodes[node].outputs[output].as_str(), lines)
            }
            Port::Failed => ("failed", self.counts.map(|counts| counts.failed[node])),
        };
        lines.map_or_else(|| name.to_owned(), |lines| format!("{name}: {lines}"))
    }

    /// The output that a sink takes, where it takes one of several.
    fn taken(&self, sink: &GraphSink) -> Option<&'a str> {
        let outputs = &self.graph.nodes[sink.from].outputs;
        sink.output.filter(|_| outputs.len() > 1).map(|output| outputs[output].as_str())
    }

    /// The outputs whose records are dropped, with the reason.
    fn drops(&self) -> impl Iterator<Item = (usize, Port, &'a str)> {
        self.graph.nodes.iter().enumerate().flat_map(|(node, shown)| {
            let outputs = shown.dropped_as.iter().enumerate();
            outputs.filter_map(move |(output, reason)| Some((node, Port::Output(output), reason.as_deref()?)))
        })
    }
}

/// A name, and below it how many lines there were, or else what it is.
fn label(name: &str, lines: Option<u64>, what: &str) -> String {
    match lines {
        Some(lines) => format!("{name}\n{lines} lines"),
        None => format!("{name}\n{what}"),
    }
}

/// Mermaid reads HTML entities in labels; everything that could end a label or begin markup becomes one.
fn mermaid_label(text: &str) -> String {
    let mut label = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\n' => label.push_str("<br/>"),
            '"' | '<' | '>' | '&' | '#' | '`' | '|' | '\\' => {
                _ = write!(label, "#{};", u32::from(character));
            }
            character if character.is_control() => label.push('\u{fffd}'),
            character => label.push(character),
        }
    }
    label
}

/// In a quoted string of Graphviz only quotes and backslashes matter.
fn dot_label(text: &str) -> String {
    let mut label = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\n' => label.push_str("\\n"),
            '"' | '\\' => label.extend(['\\', character]),
            character if character.is_control() => label.push('\u{fffd}'),
            character => label.push(character),
        }
    }
    label
}

#[cfg(test)]
mod tests;
