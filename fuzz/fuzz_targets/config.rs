//! Configurations: nothing panics; what is valid is a graph in topological order; what is not has a place in the text;
//! and of a graph that we drew ourselves it is known beforehand which of the two it is.
#![no_main]

use std::collections::HashSet;

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use logweir::{ConfigError, Pipeline, Port, Registry};
use logweir_fuzz::{TomlText, drawn::Drawing};

#[derive(Debug, Arbitrary)]
enum Input<'a> {
    Bytes(&'a [u8]),
    Text(TomlText),
    Drawn(Drawing),
}

fuzz_target!(|input: Input<'_>| match input {
    Input::Bytes(bytes) => _ = compile(bytes),
    Input::Text(text) => _ = compile(text.0.as_bytes()),
    Input::Drawn(drawing) => {
        let text = drawing.to_toml();
        let is_valid = compile(text.as_bytes());
        assert_eq!(is_valid, drawing.is_valid(), "{text}");
    }
});

/// True if it is valid.
fn compile(text: &[u8]) -> bool {
    match Pipeline::from_toml(text, "fuzz.toml", &Registry::standard()) {
        Ok(pipeline) => check_graph(&pipeline),
        Err(error) => check_error(&error, text),
    }
}

fn check_graph(pipeline: &Pipeline) -> bool {
    let graph = pipeline.graph();
    let ids: HashSet<&str> = graph.nodes.iter().map(|node| node.id.as_str()).collect();
    assert_eq!(ids.len(), graph.nodes.len(), "ids are their own");
    let mut is_reached = vec![false; graph.nodes.len()];
    is_reached[0] = true;
    for edge in &graph.edges {
        assert!(edge.from < edge.to, "edges lead forwards: {edge:?}");
        if let Port::Output(output) = edge.output {
            assert!(output < graph.nodes[edge.from].outputs.len(), "{edge:?}");
            assert_eq!(graph.nodes[edge.from].dropped_as[output], None, "what is dropped leads nowhere");
        }
        is_reached[edge.to] |= is_reached[edge.from];
    }
    assert!(is_reached.iter().all(|&reached| reached), "every node is reached from the entry, in this order");
    for sink in &graph.sinks {
        assert!(sink.from < graph.nodes.len());
        assert!(sink.output.is_none_or(|output| output < graph.nodes[sink.from].outputs.len()));
    }
    true
}

fn check_error(error: &ConfigError, text: &[u8]) -> bool {
    let shown = String::from_utf8_lossy(text);
    let lines = shown.split('\n').count();
    for mistake in error.mistakes() {
        assert!(!mistake.message().is_empty());
        if let Some((line, column)) = error.position(mistake) {
            assert!((1..=lines).contains(&line), "line {line} of {lines}");
            let length = shown.split('\n').nth(line - 1).map_or(0, |line| line.chars().count());
            assert!((1..=length + 1).contains(&column), "column {column} of {length}");
        }
    }
    // Only what is too large, or not tied to any table, may do without a place.
    assert!(error.line().is_some() || text.len() > logweir::limits::CONFIG_BYTES, "{error}");
    let line = error.to_string();
    assert!(!line.contains(|c: char| c.is_control() && c != '\t'), "{line:?}");
    assert!(!error.render(false).contains(|c: char| c.is_control() && !matches!(c, '\t' | '\n')));
    false
}
