//! From drafts to a pipeline: names become numbers, outputs get their targets, and the graph is proven to be one.

use std::{collections::HashMap, path::PathBuf, sync::Arc};

use super::{
    Definition, Mistake, OnError, Pipeline, SinkTarget,
    compiled::Node,
    draft::{Draft, Named, ProcessorDraft, SinkDraft, To},
    names::suggestion,
    order,
    sinks::{add_sink, exclusive, source, unknown_output, unknown_processor},
};
use crate::graph::{Edge, Graph, GraphNode, Port};

/// Where the records of one processor go, by the numbers that processors have in the file.
#[derive(Debug, Clone, Default)]
struct Wiring {
    /// Per output.
    targets: Vec<Vec<usize>>,
    /// Per output, the reason for which its records are dropped.
    dropped: Vec<Option<String>>,
    failed: Option<usize>,
    on_error: Option<OnError>,
}

impl Wiring {
    fn successors(&self) -> Vec<usize> {
        let mut all: Vec<usize> = self.targets.iter().flatten().copied().chain(self.failed).collect();
        all.sort_unstable();
        all.dedup();
        all
    }
}

/// Compiles `draft`; `None` where `mistakes` has got more.
pub(super) fn resolve(draft: Draft, mistakes: &mut Vec<Mistake>) -> Option<Pipeline> {
    let mut resolver = Resolver::new(&draft.processors, mistakes);
    let wirings: Vec<Wiring> = (0..draft.processors.len()).map(|node| resolver.wiring(node)).collect();
    unique_sinks(&draft.sinks, mistakes);
    unique_paths(&draft, mistakes);
    if !mistakes.is_empty() {
        check_sources(&draft, mistakes);
        return None;
    }
    let order = in_order(&draft.processors, &wirings, mistakes)?;
    let mut pipeline = assemble(&draft.processors, &wirings, &order);
    pipeline.dead_letters = draft.dead_letters.as_ref().map(|(path, _)| path.clone());
    pipeline.show_failures();
    for sink in &draft.sinks {
        attach(&mut pipeline, sink, mistakes);
    }
    mistakes.is_empty().then_some(pipeline)
}

/// Looks names up among the processors.
struct Resolver<'a> {
    processors: &'a [ProcessorDraft],
    names: HashMap<&'a str, usize>,
    /// Each processor hands its records to the next.
    is_sequence: bool,
    mistakes: &'a mut Vec<Mistake>,
}

impl<'a> Resolver<'a> {
    fn new(processors: &'a [ProcessorDraft], mistakes: &'a mut Vec<Mistake>) -> Self {
        let mut names: HashMap<&str, usize> = HashMap::new();
        for (node, id) in processors.iter().enumerate().filter_map(|(node, draft)| Some((node, draft.id.as_ref()?))) {
            match names.get(id.name.as_str()) {
                Some(&first) => mistakes.push(duplicate(id, processors[first].id.as_ref(), "processor")),
                None => _ = names.insert(&id.name, node),
            }
        }
        Self { processors, names, is_sequence: is_sequence(processors), mistakes }
    }

    fn wiring(&mut self, node: usize) -> Wiring {
        let draft = &self.processors[node];
        let mut wiring = match &draft.definition {
            Some(definition) => self.outputs(node, draft, definition.as_ref()),
            None => {
                self.targets_alone(draft);
                Wiring::default()
            }
        };
        if let Some(on_error) = &draft.on_error {
            wiring.on_error = self.on_error(on_error);
            if let Some(OnError::Route(target)) = wiring.on_error {
                wiring.failed = Some(target);
            }
        }
        wiring
    }

    /// Targets and drops of each output.
    ///
    /// Where the user does not speak of single outputs, the one that `dropped_in_sequence` names is dropped: that
    /// `to = "x"` of a `match` hands on what matched is what everybody means by it. A table in `to` speaks of outputs;
    /// those it leaves out end there.
    fn outputs(&mut self, node: usize, draft: &ProcessorDraft, definition: &dyn Definition) -> Wiring {
        let outputs = definition.outputs();
        let mut wiring = Wiring {
            targets: vec![Vec::new(); outputs.len()],
            dropped: vec![None; outputs.len()],
            ..Wiring::default()
        };
        if let Some(To::PerOutput(table)) = &draft.to {
            self.per_output(draft, outputs, table, &mut wiring);
            return wiring;
        }
        let dropped = definition.dropped_in_sequence();
        let targets = self.same_for_all(node, draft, outputs);
        for (index, output) in outputs.iter().enumerate() {
            match dropped {
                Some((name, reason)) if name == *output => wiring.dropped[index] = Some(reason.to_owned()),
                _ => wiring.targets[index].clone_from(&targets),
            }
        }
        wiring
    }

    fn same_for_all(&mut self, node: usize, draft: &ProcessorDraft, outputs: &[&str]) -> Vec<usize> {
        match &draft.to {
            Some(To::Same(names)) => {
                if let ([], Some(first)) = (outputs, names.first()) {
                    self.mistakes.push(no_outputs(&draft.kind, first));
                }
                names.iter().filter_map(|name| self.target(name)).collect()
            }
            None if self.is_sequence && node + 1 < self.processors.len() => vec![node + 1],
            _ => Vec::new(),
        }
    }

    fn per_output(
        &mut self,
        draft: &ProcessorDraft,
        outputs: &[&'static str],
        table: &[(Named, Vec<Named>)],
        wiring: &mut Wiring,
    ) {
        for (output, names) in table {
            let targets = names.iter().filter_map(|name| self.target(name)).collect();
            match outputs.iter().position(|known| *known == output.name) {
                Some(index) => wiring.targets[index] = targets,
                None if outputs.is_empty() => self.mistakes.push(no_outputs(&draft.kind, output)),
                None => self.mistakes.push(unknown_output(&output.name, &draft.kind, outputs).at(output.span.clone())),
            }
        }
    }

    /// Checks the targets of a processor whose outputs are not known.
    fn targets_alone(&mut self, draft: &ProcessorDraft) {
        let names: Vec<&Named> = match &draft.to {
            None => Vec::new(),
            Some(To::Same(names)) => names.iter().collect(),
            Some(To::PerOutput(table)) => table.iter().flat_map(|(_, names)| names).collect(),
        };
        for name in names {
            _ = self.target(name);
        }
    }

    fn target(&mut self, name: &Named) -> Option<usize> {
        let found = self.names.get(name.name.as_str()).copied();
        if found.is_none() {
            let ids: Vec<&str> = ids(self.processors).collect();
            self.mistakes.push(unknown_processor(&name.name, &ids).at(name.span.clone()));
        }
        found
    }

    fn on_error(&mut self, name: &Named) -> Option<OnError> {
        let word = match name.name.as_str() {
            "dead_letter" => OnError::DeadLetter,
            "drop" => OnError::Drop,
            "stop" => OnError::Stop,
            other if self.names.contains_key(other) => return self.target(name).map(OnError::Route),
            other => {
                let words: Vec<&str> =
                    ["dead_letter", "drop", "stop"].into_iter().chain(ids(self.processors)).collect();
                self.mistakes.push(
                    Mistake::new(format!("`on_error` cannot be `{other}`"))
                        .at(name.span.clone())
                        .label("neither a word for it nor a processor")
                        .with_help(suggestion(other, "word", &words)),
                );
                return None;
            }
        };
        if let Some(&node) = self.names.get(name.name.as_str()) {
            self.mistakes.push(ambiguous(name, self.processors[node].id.as_ref()));
        }
        Some(word)
    }
}

/// True where no processor says where its records go.
fn is_sequence(processors: &[ProcessorDraft]) -> bool {
    processors.iter().all(|draft| draft.to.is_none())
}

fn ids(processors: &[ProcessorDraft]) -> impl Iterator<Item = &str> {
    processors.iter().filter_map(|draft| Some(draft.id.as_ref()?.name.as_str()))
}

fn duplicate(id: &Named, first: Option<&Named>, what: &str) -> Mistake {
    let mistake = Mistake::new(format!("there are two {what}s called `{}`", id.name))
        .at(id.span.clone())
        .label("already taken")
        .with_help("every id must be its own");
    match first {
        Some(first) => mistake.also(first.span.clone(), "first here"),
        None => mistake,
    }
}

fn ambiguous(name: &Named, processor: Option<&Named>) -> Mistake {
    let mistake = Mistake::new(format!("`{}` is both a word for `on_error` and a processor here", name.name))
        .at(name.span.clone())
        .label("which of the two?")
        .with_help("give the processor another id");
    match processor {
        Some(id) => mistake.also(id.span.clone(), "the processor"),
        None => mistake,
    }
}

fn no_outputs(kind: &str, place: &Named) -> Mistake {
    Mistake::new(format!("nothing leaves a processor of kind `{kind}`")).at(place.span.clone()).label("never reached")
}

/// The order in which to run the processors, if all of them are reached and none leads back to itself.
fn in_order(processors: &[ProcessorDraft], wirings: &[Wiring], mistakes: &mut Vec<Mistake>) -> Option<Vec<usize>> {
    let successors: Vec<Vec<usize>> = wirings.iter().map(Wiring::successors).collect();
    let order = order::topological(&successors);
    if let Err(cycle) = &order {
        mistakes.push(cycle_mistake(processors, cycle));
    }
    let reached = order::reachable(&successors);
    for (node, _) in reached.iter().enumerate().filter(|&(_, reached)| !reached) {
        // What hangs below an unreachable processor is not a mistake of its own.
        let has_parent = successors.iter().enumerate().any(|(from, next)| from != node && next.contains(&node));
        if !has_parent {
            mistakes.push(unreachable(processors, node));
        }
    }
    order.ok().filter(|_| mistakes.is_empty())
}

fn cycle_mistake(processors: &[ProcessorDraft], cycle: &[usize]) -> Mistake {
    let name = |node: usize| processors[node].id.as_ref().map_or("?", |id| id.name.as_str());
    let path: Vec<&str> = cycle.iter().chain(cycle.first()).map(|&node| name(node)).collect();
    let mut mistake = Mistake::new(format!("the pipeline goes round in a circle: {}", path.join(" -> ")))
        .with_help("records flow one way: take one of these out");
    for (index, &from) in cycle.iter().enumerate() {
        let to = cycle[(index + 1) % cycle.len()];
        let span = link(&processors[from], name(to)).unwrap_or_else(|| processors[from].place.clone());
        mistake = if index + 1 == cycle.len() {
            mistake.at(span).label("leads back")
        } else {
            mistake.also(span, format!("`{}` leads to `{}`", name(from), name(to)))
        };
    }
    mistake
}

/// Where `draft` says that it leads to `target`.
fn link(draft: &ProcessorDraft, target: &str) -> Option<std::ops::Range<usize>> {
    let names: Vec<&Named> = match draft.to.as_ref() {
        None => Vec::new(),
        Some(To::Same(names)) => names.iter().collect(),
        Some(To::PerOutput(table)) => table.iter().flat_map(|(_, names)| names).collect(),
    };
    names.into_iter().chain(&draft.on_error).find(|name| name.name == target).map(|name| name.span.clone())
}

fn unreachable(processors: &[ProcessorDraft], node: usize) -> Mistake {
    let draft = &processors[node];
    let (name, span) = match &draft.id {
        Some(id) => (id.name.as_str(), id.span.clone()),
        None => ("?", draft.place.clone()),
    };
    let entry = processors[0].id.as_ref().map_or("?", |id| id.name.as_str());
    let before = node.checked_sub(1).map(|before| &processors[before]);
    let help = match before.and_then(|before| before.id.as_ref()) {
        Some(id) if is_sequence(processors) => format!("nothing leaves `{}` before it", id.name),
        _ => format!("the entry is `{entry}`; name `{name}` in the `to` of a processor that it leads to"),
    };
    Mistake::new(format!("no record can reach `{name}`")).at(span).label("nothing leads here").with_help(help)
}

fn unique_sinks(sinks: &[SinkDraft], mistakes: &mut Vec<Mistake>) {
    let mut seen: HashMap<&str, &Named> = HashMap::new();
    for id in sinks.iter().filter_map(|sink| sink.id.as_ref()) {
        match seen.get(id.name.as_str()) {
            Some(first) => mistakes.push(duplicate(id, Some(first), "sink")),
            None => _ = seen.insert(&id.name, id),
        }
    }
}

/// No file is written by two.
fn unique_paths(draft: &Draft, mistakes: &mut Vec<Mistake>) {
    let mut seen: HashMap<PathBuf, std::ops::Range<usize>> = HashMap::new();
    let files = draft.sinks.iter().filter_map(|sink| match &sink.target {
        Some((SinkTarget::File { path, .. }, span)) => Some((path, span)),
        _ => None,
    });
    // In the order of the text, in which dead letters stand first.
    let dead_letters = draft.dead_letters.iter().map(|(path, span)| (path, span));
    for (path, span) in dead_letters.chain(files) {
        let Some(normal) = exclusive(path) else { continue };
        match seen.get(&normal) {
            Some(first) => mistakes.push(
                Mistake::new(format!("two write to the file `{}`", path.display()))
                    .at(span.clone())
                    .label("already written")
                    .also(first.clone(), "first here"),
            ),
            None => _ = seen.insert(normal, span.clone()),
        }
    }
}

/// Where there are other mistakes already, the sources of sinks are checked by name alone.
fn check_sources(draft: &Draft, mistakes: &mut Vec<Mistake>) {
    let ids: Vec<&str> = ids(&draft.processors).collect();
    for from in draft.sinks.iter().filter_map(|sink| sink.from.as_ref()) {
        let name = from.name.split_once('.').map_or(from.name.as_str(), |(id, _)| id);
        if !ids.contains(&name) {
            mistakes.push(unknown_processor(name, &ids).at(from.span.clone()));
        }
    }
}

fn attach(pipeline: &mut Pipeline, sink: &SinkDraft, mistakes: &mut Vec<Mistake>) {
    let (Some(id), Some(from), Some((target, _))) = (&sink.id, &sink.from, &sink.target) else {
        return;
    };
    match source(&pipeline.graph, &from.name) {
        Ok((node, output)) => {
            let (id, from) = (id.name.clone(), (node, output));
            add_sink(pipeline, id, from, target.clone(), sink.existing_given, sink.delivery);
        }
        Err(mistake) => mistakes.push(mistake.at(from.span.clone())),
    }
}

/// Puts everything together in `order`.
fn assemble(processors: &[ProcessorDraft], wirings: &[Wiring], order: &[usize]) -> Pipeline {
    let mut position = vec![0; order.len()];
    for (index, &node) in order.iter().enumerate() {
        position[node] = index;
    }
    let on_error = |wiring: &Wiring| match wiring.on_error {
        Some(OnError::Route(node)) => Some(OnError::Route(position[node])),
        other => other,
    };
    let edges: Vec<Edge> =
        order.iter().enumerate().flat_map(|(from, &node)| edges(from, &wirings[node], &position)).collect();
    let nodes = order.iter().enumerate().filter_map(|(index, &node)| {
        Some(Node {
            definition: Arc::clone(processors[node].definition.as_ref()?),
            is_foreign: processors[node].is_foreign,
            inputs: edges.iter().filter(|edge| edge.to == index).map(|edge| (edge.from, edge.output)).collect(),
            drops: wirings[node].dropped.iter().map(Option::is_some).collect(),
            on_error: on_error(&wirings[node]),
        })
    });
    let nodes = nodes.collect();
    let shown = order.iter().map(|&node| shown(&processors[node], &wirings[node])).collect();
    let graph = Arc::new(Graph { nodes: shown, edges, sinks: Vec::new() });
    Pipeline { graph, nodes, sinks: Vec::new(), dead_letters: None }
}

fn edges(from: usize, wiring: &Wiring, position: &[usize]) -> Vec<Edge> {
    let outputs = wiring.targets.iter().enumerate();
    let outputs = outputs.flat_map(|(output, targets)| targets.iter().map(move |&to| (Port::Output(output), to)));
    let failed = wiring.failed.map(|to| (Port::Failed, to));
    outputs.chain(failed).map(|(output, to)| Edge { from, output, to: position[to] }).collect()
}

fn shown(draft: &ProcessorDraft, wiring: &Wiring) -> GraphNode {
    let outputs = draft.definition.iter().flat_map(|definition| definition.outputs());
    GraphNode {
        id: draft.id.as_ref().map_or_else(String::new, |id| id.name.clone()),
        kind: draft.kind.clone(),
        outputs: outputs.map(|&output| output.to_owned()).collect(),
        dropped_as: wiring.dropped.clone(),
        on_error: draft.on_error.as_ref().map_or_else(String::new, |name| name.name.clone()),
        line: Some(draft.line),
        config: draft.config.clone(),
    }
}
