//! What goes on in the next session and in the next process: numbers, places, and how soon they are safe.

use std::{
    fs,
    net::SocketAddr,
    path::Path,
    process::Command,
    thread,
    time::{Duration, Instant},
};

use logweir::{Behind, Store, examine_state};
use rustix::process::Signal;

use super::{append, copying, finish, json, wait_for, wait_until};
use crate::program::{HANG, Program, check_ledger, ended, file, folder, follow, follow_serving};

/// A pipeline that fails some lines; with another processor before it if there is to be one.
fn failing(folder: &Path, before: &str) -> std::path::PathBuf {
    let text = format!(
        "{before}[[processor]]\nid = 'check'\nkind = 'fail'\nmatching = 'bad'\nmessage = 'it is bad'\n\n[[processor]]\n\
         id = 'end'\nkind = 'pass'\n"
    );
    file(folder, "failing.toml", text)
}

fn samples(address: SocketAddr, id: &str) -> u64 {
    let processors = json(address, "/api/v1/processors");
    let found = processors.as_array().expect("processors").iter().find(|processor| processor["id"] == id);
    found.and_then(|processor| processor["latency"]["samples"].as_u64()).expect("it is there")
}

/// Hangs up, and waits until the next session goes on.
#[track_caller]
fn hang_up(program: &Program, address: SocketAddr, log: &Path, is_there: impl Fn() -> bool) {
    program.signal(Signal::HUP);
    wait_until(&is_there, || json(address, "/api/v1/graph").to_string());
    let before = json(address, "/api/v1/run")["lines_done"].as_u64().expect("a number");
    append(log, "INFO another\n");
    wait_until(
        || json(address, "/api/v1/run")["lines_done"] == before + 1,
        || json(address, "/api/v1/run").to_string(),
    );
}

#[test]
fn hangups_keep_percentiles_traces_and_samples_of_faults() {
    let folder = folder();
    let log = file(folder.path(), "app.log", "");
    let config = failing(folder.path(), "");
    let mut command = follow_serving();
    command.args(["--no-state", "--from", "start", "-c"]).arg(&config).arg(&log);
    let mut program = Program::start(&mut command);
    let address = program.address();
    for number in 0..20 {
        append(&log, format!("INFO {number}\nbad {number}\n"));
    }
    wait_until(|| samples(address, "check") == 40, || samples(address, "check").to_string());
    let traces = || json(address, "/api/v1/traces").as_array().expect("traces").clone();
    let faults = || json(address, "/api/v1/errors")["samples"].as_array().expect("samples").clone();
    wait_until(|| traces().len() == 40 && faults().len() == 20, || format!("{:?}", traces()));
    let (traces_before, faults_before) = (traces(), faults());

    let is_loaded = |word: &'static str| move || json(address, "/api/v1/graph").to_string().contains(word);
    hang_up(&program, address, &log, is_loaded("check"));
    wait_until(|| samples(address, "check") == 41, || samples(address, "check").to_string());
    assert_eq!(samples(address, "end"), 21);
    assert_eq!(traces()[..40], traces_before, "and the new one behind them");
    assert_eq!((traces().len(), faults()), (41, faults_before));
    check_audit(address);

    // Another graph: paths through the old one mean nothing there. Processors with the same names go on.
    failing(folder.path(), "[[processor]]\nid = 'first'\nkind = 'pass'\n\n");
    hang_up(&program, address, &log, is_loaded("first"));
    wait_until(|| samples(address, "check") == 42, || samples(address, "check").to_string());
    assert_eq!((samples(address, "first"), traces().len(), faults().len()), (1, 1, 20));
    assert!(faults().iter().all(|fault| fault["processor"] == "check"), "{:?}", faults());

    // And without it, nobody has failed.
    fs::write(&config, "[[processor]]\nid = 'end'\nkind = 'pass'\n").unwrap();
    hang_up(&program, address, &log, || !is_loaded("check")());
    wait_until(|| samples(address, "end") == 23, || samples(address, "end").to_string());
    assert_eq!(faults(), Vec::<serde_json::Value>::new());
    finish(program);
}

/// Lines of all sessions are in the ledger, as the bytes of all sessions are.
fn check_audit(address: SocketAddr) {
    let audit = json(address, "/api/v1/audit");
    assert_eq!((&audit["balanced"], &audit["lines"]["entered"]), (&true.into(), &41.into()), "{audit}");
}

#[test]
fn a_session_that_cannot_begin_leaves_the_report_whole() {
    let folder = folder();
    let (log, out) = (file(folder.path(), "app.log", "INFO 1\nINFO 2\n"), folder.path().join("out"));
    let config = copying(folder.path(), &out);
    let mut command = follow();
    command.args(["--from", "start", "--report", "json", "--state"]).arg(folder.path().join("state"));
    let program = Program::start(command.arg("-c").arg(&config).arg(&log));
    wait_for(&out, "INFO 1\nINFO 2\n");
    let good = fs::read_to_string(&config).unwrap();
    copying(folder.path(), &folder.path().join("nowhere/out"));
    program.signal(Signal::HUP);
    append(&log, "INFO 3\n");
    wait_for(&out, "INFO 1\nINFO 2\nINFO 3\n");
    fs::write(&config, good).unwrap();
    let ended = finish(program);
    assert!(ended.stderr.contains("nowhere does not exist"), "{ended:?}");
    let report = ended.report();
    check_ledger(&report);
    let (run, audit) = (&report["run"], &report["audit"]);
    assert_eq!((&run["state"], &run["error"], &run["lines_done"]), (&"interrupted".into(), &().into(), &3.into()));
    assert_eq!(audit["sources"]["bytes_covered"], 21, "{audit}");
    assert_eq!(audit["sources"]["bytes_expected"], 21, "{audit}");
}

/// Leaves a state as a crash does: what is behind a mark may be ours.
fn as_by_a_crash(state: &Path) {
    let (mut store, loaded) = Store::open(state, false).expect("our own state");
    let mut checkpoint = loaded.checkpoint.expect("it was saved");
    checkpoint.sinks.iter_mut().for_each(|sink| sink.behind = Behind::Ours);
    store.save(&checkpoint).expect("there is room");
}

/// Places and lengths in a state mean the same wherever a process is started: the file is found that was rotated
/// meanwhile, and what was written behind the last checkpoint is taken back.
#[test]
fn started_in_another_directory_it_goes_on_where_it_was() {
    let folder = folder();
    let below = folder.path().join("below");
    fs::create_dir(&below).unwrap();
    let log = file(&below, "app.log", "INFO 1\n");
    let run = |from: &str, dir: &Path, out: &str, log: &str| {
        let config = copying(folder.path(), Path::new(out));
        let mut command: Command = follow();
        command.args(["--until-eof", "--from", from, "--state"]).arg(folder.path().join("state"));
        let ended = ended(command.arg("-c").arg(config).arg(log).current_dir(dir));
        assert_eq!(ended.code(), Some(0), "{ended:?}");
        assert!(!ended.stderr.contains("twice"), "{ended:?}");
    };
    run("start", &below, "out", "app.log");
    append(&log, "INFO 2\n");
    fs::rename(&log, below.join("app.log.1")).unwrap();
    append(&log, "INFO 3\n");
    append(&below.join("out"), "INFO 2\nINF");
    as_by_a_crash(&folder.path().join("state"));
    // What the state does not know would begin at its end.
    run("end", folder.path(), "below/out", "below/app.log");
    wait_for(&below.join("out"), "INFO 1\nINFO 2\nINFO 3\n");
    append(&log, "INFO 4\n");
    run("end", Path::new("/"), below.join("out").to_str().unwrap(), below.to_str().unwrap());
    wait_for(&below.join("out"), "INFO 1\nINFO 2\nINFO 3\nINFO 4\n");
    append(&log, "INFO 5\n");
    run("end", &below, "./out", "./app.log");
    wait_for(&below.join("out"), "INFO 1\nINFO 2\nINFO 3\nINFO 4\nINFO 5\n");
}

/// From a line in the written file to its place in a checkpoint on disk. A busy machine takes its time now and then, and so
/// only the shortest of several times is held to what is promised.
#[test]
fn a_checkpoint_follows_soon_after_what_was_written() {
    const PROMISED: Duration = Duration::from_millis(100);
    let folder = folder();
    let (log, out, state) =
        (file(folder.path(), "app.log", ""), folder.path().join("out"), folder.path().join("state"));
    let config = copying(folder.path(), &out);
    let mut command = follow();
    command.args(["--from", "start", "--state"]).arg(&state);
    let program = Program::start(command.arg("-c").arg(config).arg(&log));
    let saved = || {
        let report = examine_state(&state).ok()?;
        let checkpoint = report.checkpoint.as_ref()?;
        checkpoint.files.first().map(|file| file.offset)
    };
    let (mut all, mut shortest) = (String::new(), HANG);
    for number in 0..10 {
        let line = format!("INFO {number}\n");
        append(&log, &line);
        all += &line;
        wait_for(&out, &all);
        let written = Instant::now();
        wait_until(|| saved() == Some(all.len() as u64), || format!("{:?}", saved()));
        shortest = shortest.min(written.elapsed());
        // So that no line finds a checkpoint that was due anyhow.
        thread::sleep(Duration::from_millis(37));
    }
    finish(program);
    assert!(shortest < PROMISED, "{shortest:?}");
}
