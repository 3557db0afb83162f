//! `bench`: a small measurement from end to end. What numbers it gives depends on the machine, what they mean does not.

use std::{
    fs,
    path::Path,
    process::{Command, Output, Stdio},
};

use logweir::{DiscoverOptions, Engine, Pipeline, Row, RunOptions, Slowdown, Timing, discover};
use serde_json::Value;

use crate::program::{file, folder};

fn bench(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_logweir"));
    command.arg("bench").args(arguments).current_dir(folder).stdin(Stdio::null()).output().expect("it starts")
}

fn made(folder: &Path, lines: u64) {
    let quota = logweir::Quota { lines, bytes: u64::MAX };
    let mut generator = logweir::Generator::new(logweir::LogFormat::Syslog, 1, quota);
    let mut text = Vec::new();
    while generator.fill(&mut text, None) {}
    file(folder, "made.log", text);
}

fn json(output: &Output) -> Value {
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("it is JSON")
}

#[test]
fn costs_add_up_to_the_workers_time() {
    let folder = folder();
    made(folder.path(), 20_000);
    let answer = json(&bench(folder.path(), &["--json", "--runs", "3", "--workers", "2", "made.log"]));
    let (summary, result) = (&answer["summary"], &answer["result"]);
    let costs = result["costs"].as_array().expect("rows");
    let sum: f64 = costs.iter().map(|cost| cost["busy_ns"].as_f64().expect("a number")).sum();
    let whole = summary["workers_ns"].as_f64().expect("a number");
    assert!((sum - whole).abs() < 1.0 && whole > 0.0, "{sum} {whole}");
    assert_eq!(result["input"]["records"], 20_000);
    assert_eq!(result["engine_ns"].as_array().map(Vec::len), Some(3));
    assert_eq!(result["process_ns"].as_array().map(Vec::len), Some(3));
    assert_eq!(result["watching"].as_array().map(Vec::len), Some(3));
    assert_eq!(result["scaling"].as_array().map(Vec::len), Some(2));
    assert!(result["what_if"][0]["measured"]["value"].is_f64());
    assert!(summary["bytes_per_s"]["low"].as_f64() <= summary["bytes_per_s"]["high"].as_f64());
    let shares: u64 =
        result["outputs"].as_array().expect("rows").iter().map(|way| way["records"].as_u64().unwrap_or(0)).sum();
    assert_eq!(shares, 20_000, "the outputs of `start` take all lines");
}

/// What the experiment behind "20 % faster" stands on. One worker's own time is asked for, which other programs hardly touch.
#[test]
fn an_experiment_slows_down_all_but_one_thing() {
    let folder = folder();
    made(folder.path(), 50_000);
    let busy_ns = |slowdown| {
        let inputs = discover(&[folder.path().join("made.log")], DiscoverOptions::default());
        let options = RunOptions { workers: 1, timing: Timing::Off, trace: false, slowdown, ..RunOptions::default() };
        let snapshot = Engine::new(Pipeline::default_pipeline(), inputs, options).run().snapshot;
        let stages: u64 = snapshot.stages.iter().map(|stage| stage.busy_ns).sum();
        (snapshot.nodes[0].busy_ns, stages)
    };
    let (level, stages) = busy_ns(None);
    let (spared, slowed) = busy_ns(Some(Slowdown { spared: Row::Node(0), share: 20.0 }));
    assert!(slowed > 5 * stages, "{slowed} {stages}");
    assert!(spared < 5 * level, "{spared} {level}");
}

#[test]
fn a_result_is_kept_compared_and_drawn() {
    let folder = folder();
    made(folder.path(), 5_000);
    let arguments = ["--runs", "2", "--workers", "1", "--export", "old.json", "--html", "page.html", "made.log"];
    let text = bench(folder.path(), &arguments);
    assert_eq!(text.status.code(), Some(0), "{}", String::from_utf8_lossy(&text.stderr));
    let text = String::from_utf8(text.stdout).expect("it is text");
    assert!(text.contains("together") && text.contains("watching makes a run"), "{text}");
    let page = fs::read_to_string(folder.path().join("page.html")).expect("it was written");
    assert!(page.starts_with("<!DOCTYPE html>") && page.contains("<svg") && !page.contains("<script"));

    // A baseline that took no time at all cannot be reached, and one that took for ever is always passed.
    let path = folder.path().join("old.json");
    let mut old: Value = serde_json::from_slice(&fs::read(&path).expect("it was written")).expect("it is JSON");
    for (ns, code, verdict) in [(1.0, 1, "slower than"), (1e15, 0, "faster than")] {
        old["result"]["engine_ns"] = serde_json::json!([ns, ns]);
        fs::write(&path, old.to_string()).expect("it is ours");
        let arguments = ["--runs", "2", "--workers", "1", "--compare", "old.json", "made.log"];
        let compared = bench(folder.path(), &arguments);
        assert_eq!(compared.status.code(), Some(code), "{}", String::from_utf8_lossy(&compared.stderr));
        assert!(String::from_utf8_lossy(&compared.stdout).contains(verdict));
    }
    made(folder.path(), 6_000);
    let compared = bench(folder.path(), &["--runs", "2", "--workers", "1", "--compare", "old.json", "made.log"]);
    assert_eq!(compared.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&compared.stderr).contains("the inputs differ"), "{compared:?}");
}

#[test]
fn cold_runs_say_whether_they_were_cold() {
    let folder = folder();
    made(folder.path(), 2_000);
    let arguments = ["--json", "--cold", "--runs", "2", "--timing", "off", "--trace", "off", "made.log"];
    let answer = json(&bench(folder.path(), &arguments));
    let cache = &answer["result"]["setup"]["cache"];
    assert_eq!(cache["cold"], true);
    // Where the system tells, it is a share.
    assert!(cache["resident"].as_f64().is_none_or(|share| (0.0..=1.0).contains(&share)), "{cache}");
    assert_eq!(answer["result"]["watching"].as_array().map(Vec::len), Some(0), "there is nothing to switch off");
}

#[test]
fn searches_say_what_they_passed_over() {
    let folder = folder();
    made(folder.path(), 20_000);
    let config = "[[processor]]\nid = 'find'\nkind = 'match'\nany = ['payment not confirmed']\n";
    file(folder.path(), "p.toml", config);
    let arguments = ["--json", "-c", "p.toml", "--runs", "2", "--timing", "off", "--trace", "off", "made.log"];
    let answer = json(&bench(folder.path(), &arguments));
    let (saved, found) = (&answer["result"]["searches"][0], &answer["result"]["outputs"][0]);
    assert_eq!((&saved["processor"], &saved["asked"]), (&"find".into(), &20_000.into()));
    // A literal without anchors: the search stops where it is, and nowhere else.
    assert_eq!(saved["alone"], found["records"]);
    assert!(found["records"].as_u64().is_some_and(|records| (1..1_000).contains(&records)), "{found}");
}

#[test]
fn sinks_write_nowhere() {
    let folder = folder();
    made(folder.path(), 1_000);
    let config = "[[processor]]\nid = 'all'\nkind = 'pass'\n\n[[sink]]\nid = 'out'\nfrom = 'all'\nkind = 'file'\npath = 'out.log'\n";
    file(folder.path(), "p.toml", config);
    let answer = json(&bench(folder.path(), &["--json", "-c", "p.toml", "--runs", "2", "made.log"]));
    assert!(!folder.path().join("out.log").exists());
    assert_eq!(answer["result"]["process_ns"].as_array().map(Vec::len), Some(0), "the program would write");
}

#[test]
fn what_cannot_be_measured_is_refused() {
    let folder = folder();
    file(folder.path(), "empty.log", "");
    file(folder.path(), "bad.json", "{}");
    made(folder.path(), 10);
    for (arguments, said) in [
        (&["empty.log"][..], "nothing to measure"),
        (&["-"], "only once"),
        (&["absent.log"], "absent.log"),
        (&["--compare", "bad.json", "made.log"], "bad.json: not a result"),
        (&["--compare", "absent.json", "made.log"], "cannot read absent.json"),
    ] {
        let output = bench(folder.path(), arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(stderr.contains(said), "{arguments:?}: {stderr}");
    }
}
