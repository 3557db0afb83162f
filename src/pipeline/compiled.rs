//! The compiled pipeline: what the engine runs for each node, who feeds whom, and what is written where.

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{Definition, Delivery, HttpPlan, OnRefusal};
use crate::graph::{Graph, Port};

/// A validated, acyclic graph of processors: immutable, shared by all workers.
#[derive(Clone)]
pub struct Pipeline {
    pub(crate) graph: Arc<Graph>,
    /// In topological order, the entry first.
    pub(crate) nodes: Vec<Node>,
    pub(crate) sinks: Vec<SinkPlan>,
    pub(crate) dead_letters: Option<PathBuf>,
}

/// What the engine runs for one node.
#[derive(Clone)]
pub(crate) struct Node {
    pub(crate) definition: Arc<dyn Definition>,
    /// Its kind does not come with logweir: that it accounts for every record is checked at each call.
    pub(crate) is_foreign: bool,
    /// The outputs that lead here; empty for the entry.
    pub(crate) inputs: Vec<(usize, Port)>,
    /// Per output: its records are dropped.
    pub(crate) drops: Vec<bool>,
    /// `None` where the user did not say: dead letters where there is a file for them, else drop.
    pub(crate) on_error: Option<OnError>,
}

/// What becomes of records that fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnError {
    /// They are written to the dead-letter file.
    DeadLetter,
    /// They are counted and forgotten.
    Drop,
    /// They go to this node.
    Route(usize),
    /// The run ends.
    Stop,
}

/// What the engine writes for one sink.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SinkPlan {
    pub(crate) from: usize,
    /// `None`: all outputs whose records are not dropped, in input order.
    pub(crate) output: Option<usize>,
    pub(crate) target: SinkTarget,
    /// What to do with a file that exists was said by the user.
    pub(crate) existing_given: bool,
    pub(crate) delivery: Delivery,
}

/// Where a sink writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SinkTarget {
    /// Standard output.
    Stdout,
    /// A file.
    File {
        /// Its path.
        path: PathBuf,
        /// What to do if it exists.
        existing: Existing,
    },
    /// A server that takes batches by POST.
    Http(Arc<HttpPlan>),
}

/// What to do with a file that exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Existing {
    /// Write behind what is there.
    Append,
    /// Start it anew.
    Replace,
    /// Do not start the run.
    #[default]
    Refuse,
}

impl fmt::Debug for Pipeline {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Pipeline").field("graph", &self.graph).finish_non_exhaustive()
    }
}

impl Pipeline {
    /// Its shape, as it is shown.
    #[must_use]
    pub fn graph(&self) -> &Arc<Graph> {
        &self.graph
    }

    /// The files that it writes.
    pub(crate) fn files_written(&self) -> impl Iterator<Item = &Path> {
        let files = self.sinks.iter().filter_map(|sink| match &sink.target {
            SinkTarget::File { path, .. } => Some(&**path),
            SinkTarget::Stdout => Some(Path::new("/dev/stdout")),
            SinkTarget::Http(_) => None,
        });
        files.chain(self.dead_letters.as_deref())
    }

    /// What becomes of records that fail in `node`.
    #[must_use]
    pub(crate) fn on_error(&self, node: usize) -> OnError {
        let default = if self.dead_letters.is_some() { OnError::DeadLetter } else { OnError::Drop };
        self.nodes[node].on_error.unwrap_or(default)
    }

    /// The processors and sinks whose failures are to be dead letters, where no file is named that takes them: unless one
    /// is before the pipeline runs, they are dropped.
    #[must_use]
    pub fn without_dead_letters(&self) -> Vec<&str> {
        if self.dead_letters.is_some() {
            return Vec::new();
        }
        let nodes = self.nodes.iter().zip(&self.graph.nodes);
        let nodes = nodes.filter(|(node, _)| node.on_error == Some(OnError::DeadLetter)).map(|(_, shape)| &*shape.id);
        let sinks = self.sinks.iter().zip(&self.graph.sinks);
        let wants = |sink: &SinkPlan| sink.delivery.on_error == Some(OnRefusal::DeadLetter);
        nodes.chain(sinks.filter(|(sink, _)| wants(sink)).map(|(_, shape)| &*shape.id)).collect()
    }

    /// Tells the graph what becomes of failures where the user did not say.
    pub(super) fn show_failures(&mut self) {
        let word = if self.dead_letters.is_some() { "dead_letter" } else { "drop" };
        let graph = Arc::make_mut(&mut self.graph);
        for (shown, _) in graph.nodes.iter_mut().zip(&self.nodes).filter(|(_, node)| node.on_error.is_none()) {
            word.clone_into(&mut shown.on_error);
        }
    }
}
