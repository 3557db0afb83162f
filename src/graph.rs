//! The shape of a pipeline: plain data that the compiled pipeline and everyone who shows numbers share.
//!
//! It stands below both, so that those who count and show need not know what a processor is.

mod chart;

use serde::{Deserialize, Serialize};

pub(crate) use chart::Counts;

/// The shape of a pipeline, as it is shown: every node, output and sink number elsewhere refers to it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Graph {
    /// In topological order, the entry first.
    pub nodes: Vec<GraphNode>,
    /// In the order of the nodes that they leave.
    pub edges: Vec<Edge>,
    /// In the order of the configuration.
    pub sinks: Vec<GraphSink>,
}

/// A processor, as it is shown.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GraphNode {
    /// The name that the user gave.
    pub id: String,
    /// The kind, as the user types it.
    pub kind: String,
    /// The names of its outputs.
    pub outputs: Vec<String>,
    /// Per output, the reason for which its records are dropped, where nobody takes them.
    pub dropped_as: Vec<Option<String>>,
    /// What becomes of records that fail, as the user types it: where they did not say, what holds for them.
    pub on_error: String,
    /// Line of the configuration where it begins, from 1; `None` for what was made in code.
    pub line: Option<usize>,
    /// The settings of its kind as the configuration has them, on one line.
    pub config: String,
}

/// A way from one node to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Edge {
    /// Where it leaves.
    pub from: usize,
    /// On which output.
    pub output: Port,
    /// Where it leads.
    pub to: usize,
}

/// An output of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Port {
    /// The output with this number.
    Output(usize),
    /// The records that failed, where `on_error` names a processor.
    Failed,
}

/// A sink, as it is shown.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GraphSink {
    /// The name that the user gave.
    pub id: String,
    /// `stdout`, `file` or `http`.
    pub kind: String,
    /// The node whose records it takes.
    pub from: usize,
    /// The output it takes; all of them that are not dropped where it is `None`.
    pub output: Option<usize>,
    /// The path or URL it writes to; empty for standard output.
    pub path: String,
}
