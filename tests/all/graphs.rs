//! Random graphs against a twin that leads each record through them by hand.

use std::fmt::Write;

use logweir::{Access, Discovered, Engine, Input, Pipeline, Registry, RunOptions, Timing, level_of};
use proptest::prelude::*;

/// One node of a random graph. All its targets come after it.
#[derive(Debug, Clone)]
struct Node {
    kind: Kind,
    /// Per output.
    targets: Vec<Vec<usize>>,
    /// Where its failures go, if anywhere.
    on_error: Option<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    Pass,
    Level,
    Drop,
    /// Looks for an `R`.
    Match,
    /// Fails records with an `x`.
    Fail,
}

impl Kind {
    fn outputs(self) -> &'static [&'static str] {
        match self {
            Self::Pass | Self::Fail => &["out"],
            Self::Level => &["error", "warn", "other"],
            Self::Match => &["match", "rest"],
            Self::Drop => &[],
        }
    }
}

/// What the twin counted for a node.
#[derive(Debug, Default, Clone, PartialEq)]
struct Counts {
    records_in: u64,
    merged: u64,
    outputs: Vec<u64>,
    dropped: u64,
    failed: u64,
}

fn toml(nodes: &[Node]) -> String {
    let mut text = String::new();
    for (number, node) in nodes.iter().enumerate() {
        let kind = format!("{:?}", node.kind).to_lowercase();
        let _ = writeln!(text, "[[processor]]\nid = \"n{number}\"\nkind = \"{kind}\"");
        if node.kind == Kind::Fail {
            let _ = writeln!(text, "matching = \"x\"\nmessage = \"it has an x\"");
        }
        if node.kind == Kind::Match {
            let _ = writeln!(text, "any = \"R\"");
        }
        if let Some(target) = node.on_error {
            let _ = writeln!(text, "on_error = \"n{target}\"");
        }
        let named =
            |targets: &Vec<usize>| targets.iter().map(|target| format!("\"n{target}\"")).collect::<Vec<_>>().join(", ");
        let to = node.kind.outputs().iter().zip(&node.targets).filter(|(_, targets)| !targets.is_empty());
        let to: Vec<String> = to.map(|(output, targets)| format!("{output} = [{}]", named(targets))).collect();
        if !to.is_empty() {
            let _ = writeln!(text, "to = {{ {} }}", to.join(", "));
        }
    }
    text
}

/// Leads each record by hand; returns the counts, and each record's path.
fn twin(nodes: &[Node], records: &[Vec<u8>]) -> (Vec<Counts>, Vec<Vec<u32>>) {
    let blank = |node: &Node| Counts { outputs: vec![0; node.kind.outputs().len()], ..Counts::default() };
    let mut counts: Vec<Counts> = nodes.iter().map(blank).collect();
    let mut paths = Vec::new();
    for record in records {
        let mut arrivals = vec![0u64; nodes.len()];
        arrivals[0] = 1;
        for (number, node) in nodes.iter().enumerate() {
            if arrivals[number] == 0 {
                continue;
            }
            let count = &mut counts[number];
            count.records_in += 1;
            count.merged += arrivals[number] - 1;
            let output = match node.kind {
                Kind::Pass => Some(0),
                Kind::Level => Some(level_of(record) as usize),
                Kind::Match => Some(usize::from(!record.contains(&b'R'))),
                Kind::Fail => (!record.contains(&b'x')).then_some(0),
                Kind::Drop => None,
            };
            match output {
                Some(output) => {
                    count.outputs[output] += 1;
                    // Where it does not speak of outputs, only what matched goes on.
                    let is_rest = node.kind == Kind::Match && output == 1;
                    count.dropped += u64::from(is_rest && node.targets.iter().all(Vec::is_empty));
                    node.targets[output].iter().for_each(|&target| arrivals[target] += 1);
                }
                None if node.kind == Kind::Drop => count.dropped += 1,
                None => {
                    count.failed += 1;
                    node.on_error.iter().for_each(|&target| arrivals[target] += 1);
                }
            }
        }
        paths.push((0..nodes.len() as u32).filter(|&number| arrivals[number as usize] > 0).collect());
    }
    (counts, paths)
}

fn graph() -> impl Strategy<Value = Vec<Node>> {
    let kind = prop::sample::select(vec![Kind::Pass, Kind::Level, Kind::Match, Kind::Fail, Kind::Drop]);
    let node = (kind, prop::collection::vec(any::<u32>(), 3), any::<u32>(), any::<prop::sample::Index>());
    prop::collection::vec(node, 1..9).prop_map(|drawn| {
        let count = drawn.len();
        let mut nodes: Vec<Node> = Vec::new();
        for (number, (kind, masks, error, _)) in drawn.iter().enumerate() {
            let kind = if number == 0 && *kind == Kind::Drop { Kind::Level } else { *kind };
            let later = |mask: u32| (number + 1..count).filter(|target| mask >> target & 3 == 3).collect();
            let targets = kind.outputs().iter().zip(masks).map(|(_, &mask)| later(mask)).collect();
            let on_error = (kind == Kind::Fail && number + 1 < count && error % 2 == 0)
                .then(|| number + 1 + *error as usize % (count - number - 1));
            nodes.push(Node { kind, targets, on_error });
        }
        // Every node needs a way to it.
        for number in 1..count {
            let is_reached = nodes.iter().any(|node| {
                node.on_error == Some(number) || node.targets.iter().any(|targets| targets.contains(&number))
            });
            if !is_reached {
                let parents: Vec<usize> = (0..number).filter(|&parent| nodes[parent].kind != Kind::Drop).collect();
                let parent = parents[drawn[number].3.index(parents.len())];
                let output = drawn[number].2 as usize % nodes[parent].targets.len();
                nodes[parent].targets[output].push(number);
            }
        }
        // A file without any `to` would be a plain sequence.
        if count > 1 && nodes.iter().all(|node| node.targets.iter().all(Vec::is_empty)) {
            nodes[0].targets[0].push(1);
        }
        nodes
    })
}

fn record() -> impl Strategy<Value = Vec<u8>> {
    prop::sample::select(vec!["ERROR a", "WARN b", "INFO c", "x", "ERROR x", "WARN x", "", "plain", "INFO x"])
        .prop_map(|text| text.as_bytes().to_vec())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn records_take_the_ways_that_the_graph_says(
        nodes in graph(),
        records in prop::collection::vec(record(), 1..80),
        block_bytes in 1usize..400,
        workers in 1usize..4,
        timing in prop::sample::select(vec![Timing::Sampled, Timing::Full, Timing::Off]),
    ) {
        let text = toml(&nodes);
        let pipeline = Pipeline::from_toml(&text, "random.toml", &Registry::standard());
        prop_assert!(pipeline.is_ok(), "{}\n{:?}", text, pipeline.err());
        let pipeline = pipeline.expect("it was just asked");
        // Nodes may be listed in another topological order than they were written in.
        let order: Vec<usize> = pipeline.graph().nodes.iter().map(|node| node.id[1..].parse().expect("a number")).collect();
        let file = tempfile::NamedTempFile::new().expect("a temporary file");
        std::fs::write(file.path(), records.join(&b'\n')).expect("a temporary file");
        let inputs = logweir::discover(&[file.path().to_owned()], logweir::DiscoverOptions::default());
        let options = RunOptions { workers, block_bytes: Some(block_bytes), timing, ..RunOptions::default() };
        let finished = Engine::new(pipeline, inputs, options).run();
        let snapshot = &finished.snapshot;
        prop_assert!(snapshot.ledger.balanced, "{:?}\n{}", snapshot.ledger.problems, text);
        // Joining and splitting again: a last empty record is none.
        let kept = if records.last().is_some_and(Vec::is_empty) { &records[..records.len() - 1] } else { &records[..] };
        let (counts, paths) = twin(&nodes, kept);
        for (place, &number) in order.iter().enumerate() {
            let node = &snapshot.nodes[place];
            let found = Counts {
                records_in: node.records_in,
                merged: node.merged,
                outputs: node.outputs.iter().map(|output| output.records).collect(),
                dropped: node.dropped,
                failed: node.failed,
            };
            prop_assert_eq!(&found, &counts[number], "n{} in\n{}", number, text);
        }
        let found: Vec<Vec<u32>> = snapshot.traces.iter().map(|trace| {
            let mut path: Vec<u32> = trace.hops.iter().map(|hop| order[hop.node as usize] as u32).collect();
            path.sort_unstable();
            path
        }).collect();
        prop_assert_eq!(found, paths);
    }
}

#[test]
fn an_empty_input_is_an_empty_run() {
    let inputs = Discovered {
        inputs: vec![Input { path: "/dev/null".into(), access: Access::Stream }],
        ..Discovered::default()
    };
    let finished = Engine::new(Pipeline::default_pipeline(), inputs, RunOptions::default()).run();
    assert!(finished.snapshot.ledger.balanced && finished.error.is_none());
    assert_eq!((finished.snapshot.run.records_done, finished.snapshot.traces.len()), (0, 0));
}
