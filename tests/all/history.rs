//! Runs that are recorded: by the program, read by it, by the library that made the format, and by others' tools.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use base64::{Engine, prelude::BASE64_STANDARD};
use hdrhistogram::serialization::{
    Deserializer,
    interval_log::{IntervalLogIterator, LogEntry},
};
use rustix::process::Signal;
use serde_json::Value;

use crate::{
    http::get,
    program::{Program, ended, folder, mode, run},
    support::skip,
};

/// Records a run of the sample in `state`, every line a probe.
pub fn recorded(state: &Path) -> Command {
    let mut command = run();
    command.args(["--timing", "full", "--report", "json", "--state"]).arg(state).arg("tests/sample");
    command
}

/// Shows what was recorded in `state`.
pub fn replay(state: &Path) -> Program {
    Program::start(mode("replay").arg(state).args(["--listen", "127.0.0.1:0"]))
}

/// The files below `state` whose names end so.
fn files(state: &Path, end: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(state.join("history")).expect("it is there");
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("a name").path()).collect();
    paths.retain(|path| path.to_str().is_some_and(|path| path.ends_with(end)));
    paths.sort();
    paths
}

/// Moves everything that is recorded in `state` so many hours back.
pub fn age(state: &Path, hours: i64) {
    let earlier = |text: &str| {
        let time: jiff::Timestamp = text.parse().expect("a time");
        (time - jiff::SignedDuration::from_hours(hours)).to_string()
    };
    for path in files(state, ".intervals.ndjson") {
        let mut lines = Vec::new();
        for line in fs::read_to_string(&path).expect("text").lines() {
            let mut value: Value = serde_json::from_str(line).expect("JSON");
            for key in ["start", "end", "since"] {
                if let Some(time) = value[key].as_str().map(earlier) {
                    value[key] = time.into();
                }
            }
            lines.push(value.to_string());
        }
        fs::write(&path, lines.join("\n") + "\n").expect("can be written");
    }
    for path in files(state, ".hlog") {
        let mut text = String::new();
        for line in fs::read_to_string(&path).expect("text").lines() {
            let fields: Vec<&str> = line.splitn(3, ',').collect();
            text += &match (line.starts_with("Tag="), &fields[..]) {
                (true, [tag, start, rest]) => {
                    let start: f64 = start.parse().expect("a number");
                    format!("{tag},{:.3},{rest}\n", start - 3_600.0 * hours as f64)
                }
                _ => format!("{line}\n"),
            };
        }
        fs::write(&path, text).expect("can be written");
    }
    for path in files(state, "") {
        let name = path.file_name().expect("a file").to_str().expect("text");
        if name != "lock" {
            // Recordings are read in the order of their names.
            fs::rename(&path, path.with_file_name(format!("0{name}"))).expect("can be renamed");
        }
    }
}

/// Calls processor `error` of the last recording in `state` by another name, as no pipeline could.
pub fn rename_error(state: &Path, name: &str) {
    let path = files(state, ".intervals.ndjson").pop().expect("a recording");
    let text = fs::read_to_string(&path).expect("text");
    let id = format!("\"id\":{}", Value::from(name));
    fs::write(&path, text.replace("\"id\":\"error\"", &id)).expect("can be written");
}

#[test]
fn a_recorded_run_is_shown_as_it_ended() {
    let state = folder();
    let mut program = Program::start(recorded(state.path()).args(["--listen", "127.0.0.1:0"]));
    let address = program.address();
    let parts = ["/stats", "/trace?limit=1000", "/errors", "/api/v1/processors", "/api/v1/traces", "/api/v1/sources"];
    let others = ["/api/v1/errors", "/api/v1/graph", "/api/v1/graph?format=dot", "/api/v1/audit"];
    while get(address, "/api/v1/history").json()["lines"] != 610 {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let all = || parts.into_iter().chain(others).chain(["/api/v1/history"]);
    let live: Vec<String> = all().map(|path| get(address, path).body).collect();
    program.signal(Signal::INT);
    program.end();

    let mut program = replay(state.path());
    let address = program.address();
    for (path, live) in all().zip(live) {
        let value = |body: &str| -> Value {
            let mut value: Value = serde_json::from_str(body).unwrap_or_else(|_| body.into());
            // The curve is the same; only who adds it up is another one.
            value.as_object_mut().map(|object| object.remove("trouble"));
            value
        };
        assert_eq!(value(&get(address, path).body), value(&live), "{path}");
    }
    let run = get(address, "/api/v1/run").json();
    assert_eq!((&run["mode"], &run["state"], &run["lines_done"]), (&"replay".into(), &"finished".into(), &610.into()));
    assert_eq!(get(address, "/readyz").status, 200);
    assert_eq!(get(address, "/").status, 200);
    program.signal(Signal::INT);
    assert_eq!(program.end().code(), Some(0));
}

#[test]
fn history_goes_on_with_the_next_run_and_is_asked_for_by_time() {
    let state = folder();
    let first = ended(&mut recorded(state.path())).report();
    let mut program = Program::start(recorded(state.path()).args(["--listen", "127.0.0.1:0"]));
    let address = program.address();
    while get(address, "/api/v1/history").json()["lines"] != 1_220 {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let whole = get(address, "/api/v1/history?from=0").json();
    assert_eq!((&whole["intervals"], whole["series"].as_array().map(Vec::len)), (&2.into(), Some(2)));
    assert_eq!(whole["series"][0]["lines"], first["run"]["lines_done"]);
    assert_eq!(whole["processors"][0]["latency"]["samples"], 1_220);
    assert!(whole["processors"][0]["latency"]["p999_ns"].is_u64(), "{whole}");
    let from = whole["series"][1]["from"].as_str().expect("a time");
    let second = get(address, &format!("/api/v1/history?from={from}")).json();
    assert_eq!(second["lines"], 610);
    assert_eq!(get(address, "/api/v1/history?from=-1h").json(), whole);
    assert_eq!(get(address, "/api/v1/history?to=1000").json()["covered"]["from"], Value::Null);
    for query in ["from=noon", "from=-1h&from=-2h", "since=0", "to="] {
        let answer = get(address, &format!("/api/v1/history?{query}"));
        assert_eq!(answer.status, 400, "{query}");
        assert!(answer.json()["allowed"].is_array(), "{query}");
    }
    program.signal(Signal::INT);
    program.end();
}

#[test]
fn without_a_directory_nothing_is_recorded_and_that_is_said() {
    let mut program = Program::start(run().args(["--listen", "127.0.0.1:0", "tests/sample"]));
    let answer = get(program.address(), "/api/v1/history");
    assert_eq!(answer.status, 404);
    assert_eq!(answer.json()["error"], "nothing is recorded: that needs `--state DIR`");
    program.signal(Signal::INT);
    program.end();
    let file = folder();
    let path = file.path().join("state");
    fs::write(&path, "").expect("a temporary file");
    let refused = ended(&mut recorded(&path));
    assert_eq!(refused.code(), Some(2));
    assert!(refused.stderr.starts_with("logweir: cannot record in "), "{refused:?}");
}

#[test]
fn the_state_says_what_is_recorded_and_what_is_damaged() {
    let state = folder();
    ended(&mut recorded(state.path()));
    age(state.path(), 2);
    ended(&mut recorded(state.path()));
    let shown = |json: bool| {
        let shown = ended(mode("state").arg(state.path()).args(json.then_some("--json")));
        assert_eq!(shown.code(), Some(0), "{shown:?}");
        String::from_utf8(shown.stdout).expect("text")
    };
    let history = || serde_json::from_str::<Value>(&shown(true)).expect("JSON")["history"].clone();
    let report = history();
    let time = |key: &str| report[key].as_str().expect("a time").parse::<jiff::Timestamp>().expect("a time");
    assert!((7_200..7_260).contains(&time("to").duration_since(time("from")).as_secs()), "{report}");
    let counts = ["intervals", "damaged", "recordings", "files"].map(|key| report[key].as_u64());
    assert_eq!(counts, [2, 0, 2, 8].map(Some));
    let entries = fs::read_dir(state.path().join("history")).expect("it is there");
    let sizes = entries.map(|entry| entry.expect("a name").metadata().expect("a file").len());
    assert_eq!(report["bytes"].as_u64(), Some(sizes.sum()));
    let text = shown(false);
    assert!(text.contains("no checkpoint yet"), "{text}");
    assert!(text.contains("history, for `logweir replay`: 2 recordings in 8 files, "), "{text}");
    assert!(text.contains(", 2 intervals\n") && !text.contains("DAMAGED"), "{text}");

    // The last interval was torn by a crash: its counts and four latencies are lost with one line.
    let path = files(state.path(), ".intervals.ndjson").pop().expect("a recording");
    let bytes = fs::read(&path).expect("it is there");
    fs::write(&path, &bytes[..bytes.len() - 20]).expect("can be written");
    assert_eq!((&history()["intervals"], &history()["damaged"]), (&1.into(), &1.into()));
    assert!(shown(false).contains("  DAMAGED: 1 line cannot be read"));
}

/// Per processor what the report says of its probes, and what the interval logs hold.
fn samples(report: &Value) -> BTreeMap<String, u64> {
    let processors = report["processors"].as_array().expect("a list").iter();
    let pairs = processors.map(|of| (of["id"].as_str().expect("an id").to_owned(), of["latency"]["samples"].as_u64()));
    pairs.map(|(id, samples)| (id, samples.expect("a number"))).collect()
}

#[test]
fn interval_logs_are_read_by_the_library_that_made_the_format() {
    let state = folder();
    let report = ended(&mut recorded(state.path())).report();
    let mut found = BTreeMap::new();
    for path in files(state.path(), ".hlog") {
        let bytes = fs::read(path).expect("it is there");
        for entry in IntervalLogIterator::new(&bytes) {
            let LogEntry::Interval(interval) = entry.expect("every line is well formed") else { continue };
            let bytes = BASE64_STANDARD.decode(interval.encoded_histogram()).expect("base64");
            let histogram = Deserializer::new().deserialize::<u64, _>(&mut &*bytes).expect("a histogram");
            assert!((interval.max() - histogram.max() as f64 / 1e6).abs() < 0.001);
            let id = interval.tag().expect("a tag").as_str().to_owned();
            *found.entry(id).or_insert(0) += histogram.len();
        }
    }
    assert_eq!(found, samples(&report));
}

/// A reader that others wrote: prints count, median and maximum of each tag.
const READER: &str = "
import sys
from hdrh.histogram import HdrHistogram
from hdrh.log import HistogramLogReader
reader = HistogramLogReader(sys.argv[1], HdrHistogram(1, 3600000000000, 2))
while True:
    found = reader.get_next_interval_histogram()
    if found is None:
        break
    print(found.get_tag(), found.get_total_count(), found.get_value_at_percentile(50), int(found.get_start_time_stamp()))
";

#[test]
fn interval_logs_are_read_by_the_tools_of_the_project() {
    let python = std::env::var("LOGWEIR_HDRH_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let has_reader = Command::new(&python).args(["-c", "import hdrh"]).output();
    if !has_reader.is_ok_and(|output| output.status.success()) {
        return skip("interval logs read by HdrHistogram's Python tools: no package hdrhistogram");
    }
    let state = folder();
    let report = ended(&mut recorded(state.path())).report();
    let log = &files(state.path(), ".hlog")[0];
    let output = Command::new(&python).args(["-c", READER]).arg(log).output().expect("starts");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let intervals = fs::read_to_string(&files(state.path(), ".intervals.ndjson")[0]).expect("text");
    let interval: Value = serde_json::from_str(intervals.lines().nth(1).expect("an interval")).expect("JSON");
    let start: jiff::Timestamp = interval["start"].as_str().expect("a time").parse().expect("a time");
    let mut found = BTreeMap::new();
    for line in text.lines() {
        let words: Vec<&str> = line.split(' ').collect();
        let [id, count, median, began] = words[..] else { panic!("{line}") };
        found.insert(id.to_owned(), count.parse::<u64>().expect("a number"));
        let processors = report["processors"].as_array().expect("a list");
        let processor = processors.iter().find(|processor| processor["id"] == id).expect("known");
        // Theirs names the lowest value of the same cell, or the highest.
        let (theirs, ours) = (median.parse::<f64>().expect("a number"), processor["latency"]["p50_ns"].as_f64());
        assert!(ours.is_none_or(|ours| (theirs - ours).abs() <= ours / 100.0 + 1.0), "{line} {ours:?}");
        // Their clock is a float.
        let began: i64 = began.parse().expect("a number");
        assert!((began - start.as_millisecond()).abs() <= 1, "{line} {start}");
    }
    assert_eq!(found, samples(&report));
}
