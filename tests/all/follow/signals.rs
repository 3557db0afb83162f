//! How a follower ends, and how it begins anew.

use std::{
    fs, thread,
    time::{Duration, Instant},
};

use rustix::process::Signal;

use super::{append, copying, finish, json, wait_for, wait_until};
use crate::program::{HANG, Program, file, folder, follow, follow_serving};

#[test]
fn both_signals_end_it_with_a_checkpoint() {
    for signal in [Signal::TERM, Signal::INT] {
        let folder = folder();
        let (log, out) = (file(folder.path(), "app.log", "INFO 1\n"), folder.path().join("out"));
        let config = copying(folder.path(), &out);
        let start = || {
            let mut command = follow();
            command.args(["--from", "start", "--state"]).arg(folder.path().join("state"));
            Program::start(command.arg("-c").arg(&config).arg(&log))
        };
        let program = start();
        wait_for(&out, "INFO 1\n");
        program.signal(signal);
        let ended = program.end_within(Duration::from_secs(5));
        assert_eq!(ended.code(), Some(0), "{ended:?}");
        append(&log, "INFO 2\n");
        let program = start();
        wait_for(&out, "INFO 1\nINFO 2\n");
        finish(program);
    }
}

#[test]
fn what_cannot_be_delivered_in_time_is_read_again() {
    let folder = folder();
    let log = file(folder.path(), "app.log", "INFO 1\nINFO 2\nINFO 3\n");
    let slow = file(folder.path(), "slow.toml", "[[processor]]\nid = 'start'\nkind = 'delay'\nms = 100000\n");
    let mut command = follow();
    command.args(["--from", "start", "--drain", "200ms", "--state"]).arg(folder.path().join("state"));
    let program = Program::start(command.arg("-c").arg(&slow).arg(&log));
    program.wait_for_its_handlers();
    thread::sleep(Duration::from_millis(300));
    program.signal(Signal::TERM);
    let ended = program.end_within(Duration::from_secs(5));
    assert!(ended.stderr.contains("read again at the next start"), "{ended:?}");
    assert_eq!(ended.code(), Some(0), "nothing is lost: {ended:?}");
    let mut command = follow();
    command.args(["--from", "start", "--until-eof", "--print", "start", "--state"]).arg(folder.path().join("state"));
    let ended = crate::program::ended(command.arg(&log));
    assert_eq!(String::from_utf8_lossy(&ended.stdout), "INFO 1\nINFO 2\nINFO 3\n");
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let folder = folder();
    let log = file(folder.path(), "app.log", "INFO 1\n");
    let slow = file(folder.path(), "slow.toml", "[[processor]]\nid = 'start'\nkind = 'delay'\nms = 100000\n");
    let mut command = follow();
    command.args(["--no-state", "--from", "start", "--drain", "60s"]);
    let program = Program::start(command.arg("-c").arg(&slow).arg(&log));
    program.wait_for_its_handlers();
    thread::sleep(Duration::from_millis(300));
    program.signal(Signal::TERM);
    thread::sleep(Duration::from_millis(500));
    program.signal(Signal::TERM);
    assert_eq!(program.end_within(Duration::from_secs(2)).code(), Some(130));
}

/// As `timeout` does it, which signals its child, and then the group that the child is in.
#[test]
fn two_signals_at_once_are_one_and_another_one_later_is_the_second() {
    for (ms, is_drained) in [(20, true), (100_000, false)] {
        let folder = folder();
        let log = file(folder.path(), "app.log", "INFO line\n".repeat(20));
        let slow = format!("[[processor]]\nid = 'start'\nkind = 'delay'\nms = {ms}\n");
        let slow = file(folder.path(), "slow.toml", slow);
        let mut command = follow();
        command.args(["--no-state", "--from", "start", "--drain", "60s", "--workers", "1", "--report", "json"]);
        let mut program = Program::start(command.arg("-c").arg(&slow).arg(&log));
        program.wait_for_its_handlers();
        thread::sleep(Duration::from_millis(200));
        program.signal(Signal::TERM);
        program.signal(Signal::INT);
        if !is_drained {
            thread::sleep(Duration::from_millis(500));
            assert!(program.is_running(), "the first two are one");
            program.signal(Signal::TERM);
            assert_eq!(program.end_within(Duration::from_secs(2)).code(), Some(130));
            continue;
        }
        let ended = program.end();
        assert_eq!(ended.code(), Some(0), "{ended:?}");
        assert_eq!(ended.report()["run"]["lines_done"], 20, "{}", ended.report()["run"]);
    }
}

#[test]
fn hangup_loads_the_pipeline_anew_and_reopens_what_is_written() {
    let folder = folder();
    let (log, out) = (file(folder.path(), "app.log", ""), folder.path().join("out"));
    let config = copying(folder.path(), &out);
    let mut command = follow();
    command.arg("--state").arg(folder.path().join("state"));
    let program = Program::start(command.arg("-c").arg(&config).arg(&log));
    program.wait_for_its_handlers();
    thread::sleep(Duration::from_millis(300));
    append(&log, "INFO 1\n");
    wait_for(&out, "INFO 1\n");
    // As logrotate does with what we write.
    let kept = folder.path().join("out.1");
    fs::rename(&out, &kept).unwrap();
    append(&log, "INFO 2\n");
    wait_for(&kept, "INFO 1\nINFO 2\n");
    program.signal(Signal::HUP);
    wait_until(|| out.exists(), || "not reopened".to_owned());
    append(&log, "INFO 3\n");
    wait_for(&out, "INFO 3\n");
    // A mistake in the new one: the old one stays.
    fs::write(&config, "[[processor]]\nid = 'start'\nkind = 'pas'\n").unwrap();
    program.signal(Signal::HUP);
    program.wait_for_its_handlers();
    thread::sleep(Duration::from_millis(300));
    append(&log, "INFO 4\n");
    wait_for(&out, "INFO 3\nINFO 4\n");
    // And another pipeline.
    let other = folder.path().join("other");
    copying(folder.path(), &other);
    program.signal(Signal::HUP);
    wait_until(|| other.exists(), || "not reopened".to_owned());
    append(&log, "INFO 5\n");
    wait_for(&other, "INFO 5\n");
    let ended = finish(program);
    assert!(ended.stderr.contains("unknown kind `pas`"), "{ended:?}");
    wait_for(&out, "INFO 3\nINFO 4\n");
    wait_for(&kept, "INFO 1\nINFO 2\n");
}

#[test]
fn no_record_is_lost_or_doubled_by_hangups_under_load() {
    let folder = folder();
    let (log, out) = (file(folder.path(), "app.log", ""), folder.path().join("out"));
    let config = copying(folder.path(), &out);
    let mut command = follow();
    command.arg("--state").arg(folder.path().join("state"));
    let program = Program::start(command.arg("-c").arg(&config).arg(&log));
    program.wait_for_its_handlers();
    thread::sleep(Duration::from_millis(300));
    let mut expected = String::new();
    for number in 0..3_000 {
        let line = format!("INFO line {number}\n");
        append(&log, &line);
        expected.push_str(&line);
        if number % 150 == 0 {
            program.signal(Signal::HUP);
        }
        if number % 10 == 0 {
            thread::sleep(Duration::from_millis(1));
        }
    }
    wait_for(&out, &expected);
    finish(program);
}

/// Waits until it has said `words`, and fails where it ends before.
#[track_caller]
fn wait_for_words(program: &mut Program, words: &str) {
    let begun = Instant::now();
    while !program.has_said(words) {
        assert!(program.is_running(), "it ended, and did not say: {words}");
        assert!(begun.elapsed() < HANG, "it did not say: {words}");
        thread::sleep(Duration::from_millis(2));
    }
}

/// While it opens many files, it has no session yet that could be told.
#[test]
fn a_hangup_during_the_start_is_kept_and_ends_nothing() {
    let folder = folder();
    let logs = folder.path().join("logs");
    fs::create_dir(&logs).unwrap();
    for number in 0..2_000 {
        file(&logs, &format!("{number}.log"), "INFO 1\n");
    }
    let config = copying(folder.path(), &folder.path().join("out"));
    let mut program = Program::start(follow().arg("--no-state").arg("-c").arg(&config).arg(&logs));
    program.wait_for_its_handlers();
    program.signal(Signal::HUP);
    wait_for_words(&mut program, "loaded the pipeline anew");
    finish(program);
}

#[test]
fn a_pipeline_whose_sink_cannot_be_opened_is_refused_and_the_one_before_goes_on() {
    let folder = folder();
    let (log, out) = (file(folder.path(), "app.log", ""), folder.path().join("out"));
    let config = copying(folder.path(), &out);
    let mut program = Program::start(follow_serving().arg("--no-state").arg("-c").arg(&config).arg(&log));
    let address = program.address();
    wait_until(|| out.exists(), || "not begun".to_owned());
    copying(folder.path(), &folder.path().join("absent").join("out"));
    program.signal(Signal::HUP);
    let begun = Instant::now();
    while !program.has_said("the pipeline stays as it was") || begun.elapsed() < Duration::from_millis(300) {
        assert_ne!(json(address, "/api/v1/run")["state"], "failed", "it goes on");
        assert!(begun.elapsed() < HANG, "not said");
    }
    append(&log, "INFO 1\n");
    wait_for(&out, "INFO 1\n");
    let ended = finish(program);
    assert!(ended.stderr.contains("absent"), "it says why: {ended:?}");
    assert!(!ended.stderr.contains("loaded the pipeline anew"), "{ended:?}");
}

#[test]
fn a_refused_pipeline_does_not_end_what_ends_with_its_files() {
    let folder = folder();
    let (log, out) = (file(folder.path(), "app.log", "INFO 1\nINFO 2\nINFO 3\n"), folder.path().join("out"));
    let pipeline = |out: &std::path::Path| {
        let sink = format!("[[sink]]\nid = 'copy'\nfrom = 'slow'\nkind = 'file'\npath = '{}'\n", out.display());
        file(folder.path(), "slow.toml", format!("[[processor]]\nid = 'slow'\nkind = 'delay'\nms = 300\n\n{sink}"))
    };
    let config = pipeline(&out);
    let mut command = follow();
    command.args(["--from", "start", "--until-eof", "--workers", "1", "--state"]).arg(folder.path().join("state"));
    let program = Program::start(command.arg("-c").arg(&config).arg(&log));
    wait_until(|| out.exists(), || "not begun".to_owned());
    pipeline(&folder.path().join("absent").join("out"));
    program.signal(Signal::HUP);
    let ended = program.end();
    assert_eq!(ended.code(), Some(0), "{ended:?}");
    assert!(ended.stderr.contains("the pipeline stays as it was"), "{ended:?}");
    wait_for(&out, "INFO 1\nINFO 2\nINFO 3\n");
}
