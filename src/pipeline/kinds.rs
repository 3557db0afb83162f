//! Tests of the small kinds: what each does with its records.

use std::{
    sync::atomic::AtomicBool,
    time::{Duration, Instant},
};

use super::{Context, Outputs, Pipeline, golden::good};
use crate::{
    batch::{Batch, Selection},
    record::Origin,
};

/// Runs the first processor of `text` over three records, `one`, `two` and `three`, of which the last two are selected.
fn run(pipeline: &Pipeline, is_stopping: bool) -> Outputs {
    let bounds = [0, 4, 8, 14];
    let batch = Batch::new(b"one\ntwo\nthree\n", &bounds, Origin { source: 0, offset: 0 }, 100, 0);
    let definition = &pipeline.nodes[0].definition;
    let mut outputs = Outputs::new(definition.outputs().len());
    let stop = AtomicBool::new(is_stopping);
    definition.build().process(&batch, Selection::List(&[1, 2]), &mut outputs, &Context::new(&stop));
    outputs
}

fn kind(kind: &str, keys: &str) -> Pipeline {
    good(&format!("[[processor]]\nid = 'a'\nkind = '{kind}'\n{keys}"))
}

/// Record and reason of all failures.
fn failures(outputs: &Outputs) -> Vec<(u32, &str)> {
    let one = |failure| {
        let (record, _, reason) = outputs.failure(failure);
        (record, &**reason)
    };
    (0..outputs.failed.len()).map(one).collect()
}

#[test]
fn pass_hands_all_on() {
    assert_eq!(run(&kind("pass", ""), false).ports, [[1, 2]]);
}

#[test]
fn drop_drops_all() {
    let outputs = run(&kind("drop", ""), false);
    assert_eq!(outputs.dropped, [1, 2]);
    assert!(outputs.ports.is_empty());
}

#[test]
fn delay_takes_its_time_over_each_and_says_so() {
    let pipeline = kind("delay", "ms = 2.5");
    let start = Instant::now();
    assert_eq!(run(&pipeline, false).ports, [[1, 2]]);
    assert!(start.elapsed() >= Duration::from_millis(5));
    assert_eq!(pipeline.nodes[0].definition.cost_hint(), Duration::from_micros(2_500));
}

#[test]
fn delay_can_be_interrupted_and_keeps_its_records() {
    let start = Instant::now();
    assert_eq!(run(&kind("delay", "ms = 3_600_000"), true).ports, [[1, 2]]);
    assert!(start.elapsed() < Duration::from_secs(60));
}

#[test]
fn fail_fails_all_or_those_that_match() {
    let outputs = run(&kind("fail", ""), false);
    assert_eq!(failures(&outputs), [(1, "failed as configured"), (2, "failed as configured")]);
    let outputs = run(&kind("fail", "matching = 'hre'\nmessage = 'no threes'"), false);
    assert_eq!(failures(&outputs), [(2, "no threes")]);
    assert_eq!(outputs.ports, [[1]]);
}
