//! Recordings that are written, torn, rotated and read again.

use std::{fs, path::Path, sync::atomic::AtomicBool};

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use super::{archive::Archive, files::Kind, *};
use crate::{
    limits,
    metrics::{History, Probes},
    record::Origin,
    snapshot::{RunState, Snapshot},
};

use crate::sample;

/// What happens to a processor in one interval: records, and what its probes took.
type Doings = (u64, Vec<u64>);

fn doings() -> impl Strategy<Value = Vec<Doings>> {
    prop::collection::vec((0u64..1 << 40, prop::collection::vec(1u64..1 << 43, 0..40)), 7)
}

/// A run that has done nothing.
fn nothing() -> Snapshot {
    let scene = sample::Scene { done_permille: 0, state: RunState::Running, faults: false, sized: true };
    let mut snapshot = sample::snapshot(1, scene);
    for node in &mut snapshot.nodes {
        node.latency = Probes::default().latency();
    }
    snapshot
}

/// `before`, ten seconds and `doings` later.
fn later(before: &Snapshot, doings: &[Doings]) -> (Snapshot, Vec<Probes>) {
    let mut now = before.clone();
    now.sequence += 1;
    now.taken = before.taken.checked_add(SignedDuration::from_secs(10)).expect("in range");
    let mut all = Vec::new();
    for (number, (node, (records, values))) in now.nodes.iter_mut().zip(doings).enumerate() {
        node.records_in += records;
        node.bytes_in += 3 * records;
        node.dropped += records / 2;
        node.busy_ns += 7 * records;
        node.outputs[0].records += records - records / 2;
        node.outputs[0].bytes += 2 * records;
        let mut probes = Probes::default();
        let origin = |at: usize| Origin { source: number as u32 % 2, offset: before.sequence << 20 | at as u64 };
        values.iter().enumerate().for_each(|(at, &ns)| probes.record(origin(at), ns));
        all.push(probes);
    }
    now.run.records_done += doings[0].0;
    now.run.bytes_done += 3 * doings[0].0;
    now.sinks[0].records += doings[4].0;
    (now, all)
}

/// Records all `intervals` below `state`; the last snapshot, and the naive merge of all probes.
fn record(state: &Path, first: &Snapshot, intervals: &[Vec<Doings>]) -> (Snapshot, Vec<Probes>) {
    let mut archive = Archive::open(state).expect("a directory of our own");
    let (mut last, mut merged) = (first.clone(), vec![Probes::default(); first.nodes.len()]);
    for doings in intervals {
        let (now, probes) = later(&last, doings);
        archive.append(&last, &now, &probes).expect("there is room");
        merged.iter_mut().zip(&probes).for_each(|(merged, probes)| merged.absorb(probes));
        last = now;
    }
    (last, merged)
}

fn everything(history: &History) -> crate::history::Sum {
    history.between(Timestamp::MIN, Timestamp::MAX).total.expect("something was recorded")
}

fn loaded(state: &Path) -> History {
    let mut archive = Archive::open(state).expect("a directory of our own");
    archive.load(&AtomicBool::new(false));
    archive.history()
}

/// The files of one kind, oldest first.
fn files_of(state: &Path, kind: Kind) -> Vec<std::path::PathBuf> {
    let dir = state.join("history");
    files::stems(&dir).expect("it is there").iter().map(|stem| files::path(&dir, stem, kind)).collect()
}

fn one(records: u64) -> Vec<Doings> {
    vec![(records, vec![100, 2_000, 30_000]); 7]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn what_was_recorded_adds_up_to_the_last_snapshot(intervals in prop::collection::vec(doings(), 1..12)) {
        let state = tempfile::tempdir().expect("a folder");
        let (last, merged) = record(state.path(), &nothing(), &intervals);
        let replayed = replay(state.path()).expect("recorded").latest();
        for ((node, expected), probes) in replayed.nodes.iter().zip(&last.nodes).zip(&merged) {
            let expected = crate::snapshot::Node { latency: probes.latency(), ..expected.clone() };
            prop_assert_eq!(format!("{node:?}"), format!("{expected:?}"));
        }
        prop_assert_eq!(replayed.run.records_done, last.run.records_done);
        prop_assert_eq!(format!("{:?}", replayed.sinks), format!("{:?}", last.sinks));
        prop_assert_eq!(format!("{:?}", replayed.sources), format!("{:?}", last.sources));
        prop_assert_eq!(&replayed.graph, &last.graph);
        prop_assert_eq!((replayed.run.mode, replayed.run.state), ("replay", RunState::Finished));
        let total = everything(&loaded(state.path()));
        prop_assert_eq!(total.intervals, intervals.len() as u64);
        for (node, probes) in total.nodes.iter().zip(&merged) {
            let expected = crate::snapshot::Latency { slowest: None, ..probes.latency() };
            prop_assert_eq!(format!("{:?}", node.latency), format!("{expected:?}"));
        }
    }

    /// A crash leaves the head of what was written last, of every file any.
    #[test]
    fn a_torn_end_is_passed_over_and_counted(kept_permille in prop::array::uniform4(0usize..=1000)) {
        let state = tempfile::tempdir().expect("a folder");
        let (last, _) = record(state.path(), &nothing(), &[one(10), one(20)]);
        let whole = Kind::ALL.map(|kind| fs::read(&files_of(state.path(), kind)[0]).expect("it is there"));
        let mut archive = Archive::open(state.path()).expect("a directory of our own");
        drop(archive.append(&last, &later(&last, &one(40)).0, &[]));
        drop(archive);
        // The third interval's lines go, with a part of those of the second.
        let newest = files::stems(&state.path().join("history")).expect("it is there").pop().expect("two");
        files::remove(&state.path().join("history"), &newest);
        let mut torn_lines = 0;
        for ((kind, whole), kept) in Kind::ALL.into_iter().zip(&whole).zip(kept_permille) {
            let lines: Vec<&[u8]> = whole.split_inclusive(|&byte| byte == b'\n').collect();
            let torn = lines.last().map_or(0, |line| line.len());
            let kept = torn * kept / 1000;
            let is_counted = matches!(kind, Kind::Histograms | Kind::Intervals) && (1..torn).contains(&kept);
            torn_lines += u64::from(is_counted);
            let length = whole.len() - torn + kept;
            fs::write(&files_of(state.path(), kind)[0], &whole[..length]).expect("can");
        }
        let history = loaded(state.path());
        let total = everything(&history);
        prop_assert!(matches!((total.intervals, total.records), (1, 10) | (2, 30)), "{total:?}");
        prop_assert!(history.passed_over >= torn_lines, "{} of {torn_lines}", history.passed_over);
        prop_assert!(replay(state.path()).is_ok());
        // Whoever records next is not disturbed.
        let (_, _) = record(state.path(), &last, &[one(50)]);
        prop_assert_eq!(everything(&loaded(state.path())).records, total.records + 50);
    }

    #[test]
    fn any_flipped_byte_is_no_panic(kind in 0usize..4, at in any::<prop::sample::Index>(), to in any::<u8>()) {
        let state = tempfile::tempdir().expect("a folder");
        let mut first = nothing();
        first.traces = sample::snapshot(1, sample::FINISHED).traces;
        first.faults = sample::snapshot(1, sample::FINISHED).faults;
        record(state.path(), &first, &[one(10), one(20)]);
        let path = &files_of(state.path(), Kind::ALL[kind])[0];
        let mut bytes = fs::read(path).expect("it is there");
        let at = at.index(bytes.len());
        bytes[at] = to;
        fs::write(path, bytes).expect("can");
        let _ = loaded(state.path());
        if let Ok(published) = replay(state.path()) {
            // Those who show it trust its numbers.
            let _ = crate::json_report(&published.latest());
            let _ = crate::wire::to_json(&crate::wire::event(&published.latest(), true));
            let _ = crate::wire::to_json(&crate::wire::graph::json(&published.latest()));
        }
    }
}

#[test]
fn history_goes_on_after_a_restart() {
    let state = tempfile::tempdir().expect("a folder");
    let (last, _) = record(state.path(), &nothing(), &[one(10), one(20)]);
    // The same totals go on, as after a checkpoint.
    let (last, merged) = {
        let (now, probes) = record(state.path(), &last, &[one(30)]);
        (now, probes)
    };
    assert_eq!(files_of(state.path(), Kind::Intervals).len(), 2);
    let history = loaded(state.path());
    let total = everything(&history);
    assert_eq!((total.intervals, total.records), (3, 60));
    assert_eq!(history.since, Some(last.run.since));
    assert_eq!(merged[0].latency().samples, 3);
    let replayed = replay(state.path()).expect("recorded").latest();
    assert_eq!((replayed.nodes[0].records_in, replayed.nodes[0].latency.samples), (60, 9));
    // A run with totals of its own is shown by itself, and is history just the same.
    let mut other = nothing();
    (other.run.started, other.run.since) = (last.taken, last.taken);
    other.taken = last.taken;
    record(state.path(), &other, &[one(5)]);
    assert_eq!(replay(state.path()).expect("recorded").latest().nodes[0].records_in, 5);
    assert_eq!(everything(&loaded(state.path())).records, 65);
}

#[test]
fn intervals_follow_each_other_whatever_the_clock_does() {
    let state = tempfile::tempdir().expect("a folder");
    let (mut last, _) = record(state.path(), &nothing(), &[one(10)]);
    last.taken = last.taken.checked_sub(SignedDuration::from_hours(5)).expect("in range");
    record(state.path(), &last, &[one(20), one(30)]);
    let stretch = loaded(state.path()).between(Timestamp::MIN, Timestamp::MAX);
    assert_eq!(stretch.series.iter().map(|sum| sum.records).collect::<Vec<u64>>(), [10, 20, 30]);
    assert!(stretch.series.windows(2).all(|pair| pair[0].end <= pair[1].start), "{:?}", stretch.series);
    let stems = files::stems(&state.path().join("history")).expect("it is there");
    assert!(stems.is_sorted() && stems.len() == 2, "{stems:?}");
}

#[test]
fn a_new_pipeline_begins_a_recording_and_totals_go_by_name() {
    let state = tempfile::tempdir().expect("a folder");
    let mut archive = Archive::open(state.path()).expect("a directory of our own");
    let first = nothing();
    let (now, probes) = later(&first, &one(10));
    archive.append(&first, &now, &probes).expect("there is room");
    let mut graph = (*now.graph).clone();
    graph.nodes[1].id = "renamed".to_owned();
    let mut other = first.clone();
    (other.graph, other.taken) = (graph.into(), now.taken);
    let (last, probes) = later(&other, &one(20));
    archive.append(&other, &last, &probes).expect("there is room");
    assert_eq!(files_of(state.path(), Kind::Intervals).len(), 2);
    let replayed = replay(state.path()).expect("recorded").latest();
    assert_eq!(replayed.graph, last.graph);
    assert_eq!((replayed.nodes[0].records_in, replayed.nodes[1].records_in), (30, 20));
    let total = everything(&archive.history());
    assert_eq!(total.nodes.len(), 8, "the one that is gone has its past");
}

#[test]
fn recordings_stay_within_their_bound_and_the_oldest_goes() {
    let state = tempfile::tempdir().expect("a folder");
    let dir = state.path().join("history");
    let bytes = || files::stems(&dir).expect("there").iter().map(|stem| files::size_bytes(&dir, stem)).sum::<u64>();
    let bytes_max = 60_000;
    let mut last = nothing();
    for turn in 0..40 {
        let mut archive = Archive::open(state.path()).expect("a directory of our own");
        archive.set_bytes_max(bytes_max);
        for _ in 0..3 {
            let (now, probes) = later(&last, &one(turn));
            archive.append(&last, &now, &probes).expect("there is room");
            last = now;
            assert!(bytes() <= bytes_max, "{}", bytes());
        }
    }
    let history = loaded(state.path());
    let total = everything(&history);
    assert!(total.intervals < 120 && total.intervals > 3, "{}", total.intervals);
    assert_eq!(history.end(), Some(last.taken));
    // Nothing but whole recordings and the lock is left.
    let recordings = files::stems(&dir).expect("there").len();
    assert_eq!(fs::read_dir(&dir).expect("there").count(), 4 * recordings + 1);
}

#[test]
fn a_recording_that_is_full_is_followed_by_another() {
    let state = tempfile::tempdir().expect("a folder");
    let mut first = sample::snapshot(1, sample::FINISHED);
    // All traces at every interval: 8 MiB are soon full.
    first.run.state = RunState::Finished;
    record(state.path(), &first, &vec![one(1); 60]);
    let recordings = files_of(state.path(), Kind::Intervals).len();
    assert!(recordings >= 2, "{recordings}");
    for stem in files::stems(&state.path().join("history")).expect("there") {
        assert!(files::size_bytes(&state.path().join("history"), &stem) < limits::RECORDING_BYTES + (1 << 20));
    }
    assert_eq!(everything(&loaded(state.path())).intervals, 60);
}

#[test]
fn faults_are_recorded_once_and_traces_are_the_last() {
    let state = tempfile::tempdir().expect("a folder");
    let mut first = sample::snapshot(1, sample::RUNNING);
    let mut archive = Archive::open(state.path()).expect("a directory of our own");
    for _ in 0..3 {
        let (now, probes) = later(&first, &one(1));
        archive.append(&first, &now, &probes).expect("there is room");
        first = now;
    }
    let lines = |kind| fs::read_to_string(&files_of(state.path(), kind)[0]).expect("text").lines().count();
    assert_eq!((lines(Kind::Faults), lines(Kind::Traces)), (first.faults.len(), 3 * limits::RECORDED_TRACES));
    let replayed = replay(state.path()).expect("recorded").latest();
    let mut faults = first.faults.to_vec();
    faults.sort_by_key(|fault| (fault.order, fault.source, fault.offset));
    assert_eq!(replayed.faults[..], faults);
    let traces = &first.traces[first.traces.len() - limits::RECORDED_TRACES..];
    assert_eq!(&replayed.traces[..], traces);
}

#[test]
fn whatever_logs_hold_lines_are_json_and_obey_nobody() {
    let state = tempfile::tempdir().expect("a folder");
    let mut hostile = sample::hostile(1);
    let mut traces = hostile.traces.to_vec();
    traces[0].excerpt = b"\xff\x00\n\r{\"hops\":[]}\n"[..].into();
    traces[1].excerpt = "\u{1b}[2J\u{9b}31m\u{7f}\u{2028}\"}".as_bytes().into();
    (hostile.traces, hostile.run.state) = (traces.into(), RunState::Finished);
    let (last, _) = record(state.path(), &hostile, &[one(1)]);
    for kind in Kind::ALL {
        let text = fs::read_to_string(&files_of(state.path(), kind)[0]).expect("text");
        let is_tame = |character: char| character == '\n' || !character.is_control();
        assert!(text.chars().all(is_tame), "{kind:?}");
        for line in text.lines().filter(|_| kind != Kind::Histograms) {
            assert!(serde_json::from_str::<serde_json::Value>(line).expect(line).is_object());
        }
    }
    let replayed = replay(state.path()).expect("recorded").latest();
    assert_eq!(replayed.graph, last.graph);
    let excerpts = |snapshot: &Snapshot| {
        let mut excerpts: Vec<_> = snapshot.traces.iter().map(|trace| trace.excerpt.clone()).collect();
        excerpts.sort();
        excerpts
    };
    assert_eq!(excerpts(&replayed), excerpts(&last));
    assert_eq!(replayed.nodes[0].latency.samples, 3);
}

#[test]
fn an_empty_directory_is_told_from_none() {
    let state = tempfile::tempdir().expect("a folder");
    let error = replay(state.path()).expect_err("nothing is there").to_string();
    assert!(error.starts_with("nothing is recorded in "), "{error}");
    let error = replay(&state.path().join("none")).expect_err("nothing is there").to_string();
    assert!(error.starts_with("cannot read "), "{error}");
    drop(Archive::open(state.path()));
    assert!(replay(state.path()).is_err());
}
