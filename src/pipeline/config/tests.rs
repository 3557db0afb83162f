//! What a configuration means, and how each mistake in one is shown (`mistakes.txt`).

use std::path::PathBuf;

use proptest::prelude::*;

use crate::{
    Edge,
    graph::Port,
    limits,
    pipeline::{
        Existing, OnError, Pipeline, Registry, SinkTarget,
        golden::{check, compile, good},
    },
};

/// The edges by name.
fn edges(pipeline: &Pipeline) -> Vec<String> {
    let graph = pipeline.graph();
    let edge = |edge: &Edge| {
        let from = &graph.nodes[edge.from];
        let output = match edge.output {
            Port::Output(output) => from.outputs[output].as_str(),
            Port::Failed => "!",
        };
        format!("{}.{output} -> {}", from.id, graph.nodes[edge.to].id)
    };
    graph.edges.iter().map(edge).collect()
}

#[test]
fn mistakes_are_shown_as_written_down() {
    check("config/mistakes.txt", |pipeline| match pipeline {
        Ok(_) => "nothing is wrong".to_owned(),
        Err(error) => error.render(false),
    });
}

#[test]
fn the_default_pipeline_branches_by_level() {
    let pipeline = Pipeline::default_pipeline();
    let ids: Vec<&str> = pipeline.graph().nodes.iter().map(|node| node.id.as_str()).collect();
    assert_eq!(ids, ["start", "error", "warn", "general"]);
    assert_eq!(edges(&pipeline), ["start.error -> error", "start.warn -> warn", "start.other -> general"]);
    assert_eq!(pipeline.nodes[0].inputs, []);
    assert_eq!(pipeline.nodes[3].inputs, [(0, Port::Output(2))]);
    assert_eq!(pipeline.graph().nodes[0].line, Some(3));
    assert_eq!(pipeline.on_error(0), OnError::Drop);
}

/// Processors, each from its id, kind and further keys.
fn processors(all: &[(&str, &str, &str)]) -> String {
    let table =
        |(id, kind, keys): &(&str, &str, &str)| format!("[[processor]]\nid = '{id}'\nkind = '{kind}'\n{keys}\n");
    all.iter().map(table).collect()
}

/// Which outputs of a node are dropped, and why.
fn drops(pipeline: &Pipeline, node: usize) -> Vec<Option<&str>> {
    let shown: Vec<Option<&str>> = pipeline.graph().nodes[node].dropped_as.iter().map(Option::as_deref).collect();
    assert_eq!(pipeline.nodes[node].drops, shown.iter().map(Option::is_some).collect::<Vec<_>>());
    shown
}

const MATCH: &str = "any = 'x'";

#[test]
fn without_any_to_it_is_a_sequence() {
    let pipeline = good(&processors(&[("a", "level", ""), ("m", "match", MATCH), ("n", "match", MATCH)]));
    assert_eq!(edges(&pipeline), ["a.error -> m", "a.warn -> m", "a.other -> m", "m.match -> n"]);
    assert_eq!(drops(&pipeline, 0), [None, None, None]);
    assert_eq!(drops(&pipeline, 1), [None, Some("no_match")]);
    assert_eq!(drops(&pipeline, 2), [None, Some("no_match")]);
    assert_eq!(pipeline.nodes[1].inputs, [(0, Port::Output(0)), (0, Port::Output(1)), (0, Port::Output(2))]);
}

#[test]
fn a_plain_to_hands_on_what_matched() {
    let keys = format!("{MATCH}\nto = ['a', 'b']");
    let pipeline = good(&processors(&[("m", "match", &keys), ("a", "match", MATCH), ("b", "pass", "")]));
    assert_eq!(edges(&pipeline), ["m.match -> a", "m.match -> b"]);
    assert_eq!(drops(&pipeline, 0), [None, Some("no_match")]);
    assert_eq!(drops(&pipeline, 1), [None, Some("no_match")], "an end, too");
}

#[test]
fn a_table_in_to_speaks_for_every_output() {
    let keys = format!("{MATCH}\nto = {{ match = 'a' }}");
    let pipeline = good(&processors(&[("m", "match", &keys), ("a", "pass", "")]));
    assert_eq!(edges(&pipeline), ["m.match -> a"]);
    assert_eq!(drops(&pipeline, 0), [None, None], "what it does not mention ends there");
}

#[test]
fn nodes_stand_in_topological_order_and_else_as_in_the_file() {
    let pipeline = good(&processors(&[
        ("start", "pass", "to = ['late', 'a', 'b']"),
        ("late", "pass", ""),
        ("b", "pass", "to = 'late'"),
        ("a", "pass", "to = 'b'\non_error = 'late'"),
    ]));
    let ids: Vec<&str> = pipeline.graph().nodes.iter().map(|node| node.id.as_str()).collect();
    assert_eq!(ids, ["start", "a", "b", "late"]);
    assert_eq!(pipeline.on_error(1), OnError::Route(3));
    assert_eq!(pipeline.nodes[3].inputs, [(0, Port::Output(0)), (1, Port::Failed), (2, Port::Output(0))]);
    assert_eq!(pipeline.graph().nodes[3].line, Some(5));
}

#[test]
fn settings_are_kept_on_one_line() {
    let keys = "any = ['a\"b', { regex = '\\d' }, # two\n \"c'd\"]\nignore_case = true\nto = 'b'";
    let pipeline = good(&processors(&[("m", "match", keys), ("b", "pass", "")]));
    let expected = r#"any = ['a"b', { regex = '\d' }, "c'd"], ignore_case = true"#;
    assert_eq!(pipeline.graph().nodes[0].config, expected);
}

#[test]
fn failures_go_where_the_user_says_or_else_to_the_dead_letters() {
    let text = processors(&[("a", "pass", "on_error = 'stop'"), ("b", "pass", "")]);
    let mut pipeline = good(&text);
    assert_eq!([pipeline.on_error(0), pipeline.on_error(1)], [OnError::Stop, OnError::Drop]);
    assert_eq!(pipeline.graph().nodes[1].on_error, "drop");
    pipeline.set_dead_letters("dead.ndjson").unwrap();
    assert_eq!([pipeline.on_error(0), pipeline.on_error(1)], [OnError::Stop, OnError::DeadLetter]);
    assert_eq!(pipeline.graph().nodes[1].on_error, "dead_letter");
    let pipeline = good(&format!("dead_letters = 'x'\n{text}"));
    assert_eq!(pipeline.dead_letters, Some(PathBuf::from("x")));
    assert_eq!(pipeline.on_error(1), OnError::DeadLetter);
}

fn sink(id: &str, from: &str, keys: &str) -> String {
    format!("[[sink]]\nid = '{id}'\nfrom = '{from}'\n{keys}\n")
}

#[test]
fn sinks_take_a_node_or_an_output() {
    let text = processors(&[("a", "level", ""), ("m", "match", MATCH)])
        + &sink("all", "a", "kind = 'stdout'")
        + &sink("rest", "m.rest", "kind = 'file'\npath = 'rest.log'")
        + &sink("more", "m.match", "kind = 'file'\npath = 'more.log'\nexisting = 'append'");
    let mut pipeline = good(&text);
    let sinks = &pipeline.sinks;
    assert_eq!([sinks[0].from, sinks[1].from, sinks[2].from], [0, 1, 1]);
    assert_eq!([sinks[0].output, sinks[1].output, sinks[2].output], [None, Some(1), Some(0)]);
    assert_eq!(sinks[0].target, SinkTarget::Stdout);
    assert_eq!(drops(&pipeline, 1), [None, None], "what a sink asks for by name is not dropped");
    let existing = |pipeline: &Pipeline| {
        Vec::from_iter(pipeline.sinks.iter().filter_map(|sink| match &sink.target {
            SinkTarget::File { existing, .. } => Some(*existing),
            SinkTarget::Stdout | SinkTarget::Http(_) => None,
        }))
    };
    assert_eq!(existing(&pipeline), [Existing::Refuse, Existing::Append]);
    pipeline.set_existing_default(Existing::Replace);
    assert_eq!(existing(&pipeline), [Existing::Replace, Existing::Append]);
}

#[test]
fn printing_adds_a_sink() {
    let mut pipeline = Pipeline::default_pipeline();
    pipeline.print("error", SinkTarget::Stdout).unwrap();
    pipeline.print("start.other", SinkTarget::Stdout).unwrap();
    let sinks = &pipeline.graph().sinks;
    assert_eq!([sinks[0].id.as_str(), sinks[1].id.as_str()], ["print", "print-2"]);
    assert_eq!([(sinks[0].from, sinks[0].output), (sinks[1].from, sinks[1].output)], [(1, None), (0, Some(2))]);
}

#[test]
fn printing_what_is_not_there_is_shown_as_it_was_typed() {
    let mut pipeline = Pipeline::default_pipeline();
    let error = pipeline.print("eror", SinkTarget::Stdout).unwrap_err();
    assert_eq!(error.to_string(), "--print:1:1: there is no processor `eror` (did you mean `error`?)");
    let error = pipeline.print("start.wran", SinkTarget::Stdout).unwrap_err();
    assert_eq!(error.message(), "kind `level` has no output `wran`");
    assert_eq!(error.help(), Some("did you mean `warn`? It has `error`, `warn` and `other`"));
    let error = pipeline.print("\x1b[31m", SinkTarget::Stdout).unwrap_err();
    assert!(!error.render(false).contains('\x1b') && !error.to_string().contains('\x1b'));
}

#[test]
fn a_file_is_written_by_one_only() {
    let file = |path: &str| SinkTarget::File { path: path.into(), existing: Existing::Refuse };
    let mut pipeline = Pipeline::default_pipeline();
    pipeline.print("error", file("out/a.log")).unwrap();
    assert!(pipeline.print("warn", file("./out/a.log")).is_err());
    assert!(pipeline.set_dead_letters("out//a.log").is_err());
    pipeline.set_dead_letters("dead").unwrap();
    assert!(pipeline.print("warn", file("dead")).is_err());
    pipeline.set_dead_letters("dead").unwrap();
    pipeline.print("warn", file("/dev/null")).unwrap();
    pipeline.print("general", file("/dev/null")).unwrap();
}

#[test]
fn files_that_no_person_wrote_are_refused() {
    let error = compile(&"#".repeat(limits::CONFIG_BYTES + 1)).err().unwrap();
    assert_eq!(error.message(), "the file is larger than 1048576 bytes");
    let many: String = (0..=limits::NODES).map(|node| processors(&[(&format!("n{node}"), "pass", "")])).collect();
    let error = compile(&many).err().unwrap();
    assert_eq!(error.message(), "more than 256 of `processor`");
    assert_eq!(error.line(), Some(256 * 4 + 1));
    let error = Pipeline::from_toml(b"# \xff\xfe\n", "x.toml", &Registry::standard()).err().unwrap();
    assert_eq!(error.to_string(), "x.toml:1:3: the file is not UTF-8");
    let deep = format!("a = {}{}", "[".repeat(100_000), "]".repeat(100_000));
    assert!(compile(&deep).is_err());
}

/// Pieces that configurations are made of, good and bad.
const PIECES: [&str; 45] = [
    "[[processor]]\n",
    "[[sink]]\n",
    "[processor.to]\n",
    "id = 'a'\n",
    "id = 'b'\n",
    "id = 'c'\n",
    "id = 3\n",
    "kind = 'pass'\n",
    "kind = 'match'\n",
    "kind = 'level'\n",
    "kind = 'drop'\n",
    "kind = 'fail'\n",
    "kind = 'stdout'\n",
    "kind = 'file'\n",
    "kind = 'http'\n",
    "url = 'http://a'\n",
    "format = 'loki'\n",
    "labels = { a = 'b', '' = 1 }\n",
    "retry = { backoff = '1s..' }\n",
    "path = 'x'\n",
    "path = ''\n",
    "from = 'a'\n",
    "from = 'b.match'\n",
    "from = 'a.b.c'\n",
    "to = 'a'\n",
    "to = 'b'\n",
    "to = ['b', 'c']\n",
    "to = { match = 'b', rest = ['c'] }\n",
    "to = {}\n",
    "to = [[]]\n",
    "any = 'x'\n",
    "all = ['x', { regex = 'a(' }]\n",
    "not = { regex = '^a' }\n",
    "any = []\n",
    "ms = 1\n",
    "on_error = 'b'\n",
    "on_error = 'drop'\n",
    "existing = 'append'\n",
    "dead_letters = 'x'\n",
    "\u{85}",
    "é",
    "\r\n",
    "= '",
    "\"\"\"",
    "#",
];

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2_000) })]

    #[test]
    fn no_text_panics(pieces in prop::collection::vec(prop::sample::select(&PIECES[..]), 0..25)) {
        no_panic(&pieces.concat());
    }

    #[test]
    fn nothing_that_looks_like_processors_panics(
        tables in prop::collection::vec(table(), 0..6)
    ) {
        no_panic(&tables.concat());
    }

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
        if let Err(error) = Pipeline::from_toml(&bytes, "x", &Registry::standard()) {
            assert!(!error.render(false).is_empty() && !error.to_string().contains('\n'));
        }
    }
}

/// A processor or sink of which most keys are good by themselves.
fn table() -> impl Strategy<Value = String> {
    let keys = ["id", "kind", "to", "from", "any", "on_error", "ms"].map(|key| {
        let known = PIECES.iter().copied().filter(|piece| piece.starts_with(key));
        prop::option::weighted(0.7, prop::sample::select(Vec::from_iter(known)))
    });
    (prop::bool::weighted(0.8), keys).prop_map(|(is_processor, keys)| {
        let head = if is_processor { "[[processor]]\n" } else { "[[sink]]\n" };
        head.to_owned() + &keys.into_iter().flatten().collect::<String>()
    })
}

/// Whatever is said of `text` points into it, and stays on one line where it should.
fn no_panic(text: &str) {
    match compile(text) {
        Ok(pipeline) => {
            let graph = pipeline.graph();
            assert!(!graph.text().is_empty() && !graph.mermaid().is_empty() && !graph.dot().is_empty());
        }
        Err(error) => {
            assert!(!error.to_string().contains('\n'));
            assert!(!error.render(false).contains(|c: char| c.is_control() && c != '\n'), "{text:?}");
            assert!(!error.render(true).is_empty());
            for mistake in error.mistakes() {
                assert!(error.position(mistake).is_some(), "{text}\n{mistake:?}");
            }
        }
    }
}
