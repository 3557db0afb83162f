//! What a sink takes and where it writes: finding the node and output that it names, and adding it to a pipeline.

use std::{
    path::{Component, Path, PathBuf},
    sync::Arc,
};

use super::{
    Delivery, Mistake, Pipeline, SinkTarget,
    compiled::SinkPlan,
    names::{listed, suggestion},
};
use crate::graph::{Graph, GraphSink};

/// The node and output that `selector` names.
pub(super) fn source(graph: &Graph, selector: &str) -> Result<(usize, Option<usize>), Mistake> {
    let (id, output) = match selector.split_once('.') {
        Some((id, output)) => (id, Some(output)),
        None => (selector, None),
    };
    let node = graph.nodes.iter().position(|node| node.id == id).ok_or_else(|| {
        let ids: Vec<&str> = graph.nodes.iter().map(|node| node.id.as_str()).collect();
        unknown_processor(id, &ids)
    })?;
    let (kind, outputs) = (&graph.nodes[node].kind, &graph.nodes[node].outputs);
    if outputs.is_empty() {
        return Err(Mistake::new(format!("nothing leaves `{id}`, which is of kind `{kind}`")).label("never written"));
    }
    let Some(output) = output else {
        return Ok((node, None));
    };
    let number = outputs.iter().position(|known| known == output).ok_or_else(|| {
        let outputs: Vec<&str> = outputs.iter().map(String::as_str).collect();
        unknown_output(output, kind, &outputs)
    })?;
    Ok((node, Some(number)))
}

/// Adds a sink. An output that a sink asks for by name is not dropped any more: its records leave through the sink.
pub(super) fn add_sink(
    pipeline: &mut Pipeline,
    id: String,
    (from, output): (usize, Option<usize>),
    target: SinkTarget,
    existing_given: bool,
    delivery: Delivery,
) {
    let graph = Arc::make_mut(&mut pipeline.graph);
    if let Some(output) = output {
        pipeline.nodes[from].drops[output] = false;
        graph.nodes[from].dropped_as[output] = None;
    }
    let (kind, path) = match &target {
        SinkTarget::Stdout => ("stdout", String::new()),
        SinkTarget::File { path, .. } => ("file", path.to_string_lossy().into_owned()),
        SinkTarget::Http(plan) => ("http", plan.shown()),
    };
    graph.sinks.push(GraphSink { id, kind: kind.to_owned(), from, output, path });
    pipeline.sinks.push(SinkPlan { from, output, target, existing_given, delivery });
}

/// That no processor has this name, with what was probably meant.
pub(super) fn unknown_processor(name: &str, ids: &[&str]) -> Mistake {
    Mistake::new(format!("there is no processor `{name}`")).label("not the id of a processor").with_help(suggestion(
        name,
        "processor",
        ids,
    ))
}

/// That the kind has no such output, with what was probably meant.
pub(super) fn unknown_output(name: &str, kind: &str, outputs: &[&str]) -> Mistake {
    let mistake = Mistake::new(format!("kind `{kind}` has no output `{name}`")).label("not one of its outputs");
    match super::names::nearest(name, outputs.iter().copied()) {
        Some(found) => mistake.with_help(format!("did you mean `{found}`? It has {}", listed(outputs.iter().copied()))),
        None => mistake.with_help(suggestion(name, "output", outputs)),
    }
}

/// `path` without detours, where only one may write to it; devices take any number.
pub(super) fn exclusive(path: &Path) -> Option<PathBuf> {
    (!path.starts_with("/dev")).then(|| path.components().filter(|part| *part != Component::CurDir).collect())
}
