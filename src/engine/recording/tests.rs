//! Real runs, recorded at every publication, against the snapshots that they end with.

use std::{fs, path::PathBuf, time::Duration};

use jiff::Timestamp;
use proptest::prelude::*;

use crate::{
    DiscoverOptions, Discovered, Engine, Finished, Mapping, Pipeline, Registry, RunOptions, Timing, discover,
    json_report, replay,
};

const SLOW: &str = "
    [[processor]]
    id = 'start'
    kind = 'level'
    to = { error = ['errors', 'slow'], warn = 'slow', other = 'slow' }

    [[processor]]
    id = 'errors'
    kind = 'fail'
    matching = 'disk'

    [[processor]]
    id = 'slow'
    kind = 'delay'
    ms = 1
";

/// Runs `lines` as one file, recorded in `state` at every publication.
fn run(folder: &std::path::Path, state: &std::path::Path, lines: &[String], workers: usize) -> Finished {
    let path: PathBuf = folder.join("app.log");
    fs::write(&path, lines.concat()).expect("a temporary file");
    let inputs = discover(&[path], DiscoverOptions::default());
    let pipeline = Pipeline::from_toml(SLOW, "slow.toml", &Registry::standard()).expect("valid");
    let options = RunOptions {
        workers,
        block_bytes: Some(512),
        mapping: Mapping::Never,
        timing: Timing::Full,
        ..RunOptions::default()
    };
    let mut engine = Engine::new(pipeline, inputs, options);
    engine.record(state).expect("a directory of our own");
    assert!(engine.published().is_recorded(), "known before what was recorded earlier has been read");
    engine.recording.as_mut().expect("just begun").every = Duration::ZERO;
    engine.run()
}

/// What the endpoints say that does not depend on whether it is a run or a recorded one.
fn parts(snapshot: &crate::Snapshot) -> serde_json::Value {
    let mut report: serde_json::Value = serde_json::from_str(&json_report(snapshot)).expect("JSON");
    let run = report["run"].as_object_mut().expect("an object");
    for differing in ["mode", "state", "sequence", "checksum", "taken"] {
        run.remove(differing);
    }
    report
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2))]

    #[test]
    fn intervals_add_up_to_the_last_snapshot(
        kinds in prop::collection::vec(0usize..4, 600..900), workers in 1usize..4,
    ) {
        let words = ["INFO all is well\n", "ERROR disk is full\n", "WARN late\n", "ERROR \x1b[31m\u{9b} \u{fffd}\"\\\n"];
        let lines: Vec<String> = kinds.iter().map(|&kind| words[kind].to_owned()).collect();
        let (folder, state) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
        let mut records = 0;
        // The second run continues the history, and has totals of its own.
        for turn in 1..=2 {
            let finished = run(folder.path(), state.path(), &lines, workers);
            prop_assert_eq!(finished.snapshot.run.records_done, lines.len() as u64);
            records += finished.snapshot.run.records_done;
            let replayed = replay(state.path()).expect("recorded");
            prop_assert_eq!(parts(&replayed.latest()), parts(&finished.snapshot));
            prop_assert_eq!(&replayed.latest().traces, &finished.snapshot.traces);
            prop_assert_eq!(&replayed.latest().faults, &finished.snapshot.faults);
            prop_assert_eq!(replayed.latest().checksum, replayed.latest().checksum_expected());
            let history = replayed.history().expect("recorded");
            prop_assert_eq!((history.passed_over, history.trouble.clone()), (0, None));
            let total = history.between(Timestamp::MIN, Timestamp::MAX).total.expect("something");
            prop_assert!(total.intervals >= 2 * turn, "{} intervals", total.intervals);
            prop_assert_eq!((total.records, total.nodes[0].latency.samples), (records, records));
        }
    }
}

#[test]
fn a_second_recorder_is_refused() {
    let state = tempfile::tempdir().expect("a folder");
    let engine = || Engine::new(Pipeline::default_pipeline(), Discovered::default(), RunOptions::default());
    let mut first = engine();
    first.record(state.path()).expect("free");
    let error = engine().record(state.path()).expect_err("taken");
    assert_eq!(error.to_string(), "another process records there");
    let _ = first.run();
    engine().record(state.path()).expect("free again");
}

#[test]
fn a_run_goes_on_where_nothing_can_be_recorded() {
    let (folder, state) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    let mut engine = Engine::new(
        Pipeline::default_pipeline(),
        discover(&[folder.path().to_owned()], DiscoverOptions::default()),
        RunOptions::default(),
    );
    engine.record(state.path()).expect("a directory of our own");
    fs::remove_dir_all(state.path().join("history")).expect("it is there");
    let published = engine.published();
    assert!(engine.run().error.is_none());
    let history = published.history().expect("it was tried");
    let trouble = history.trouble.as_deref().expect("it did not work");
    assert!(trouble.starts_with("cannot record what happens: "), "{trouble}");
}
