//! How a follower ends, and how it begins anew.

use std::{fs, thread, time::Duration};

use rustix::process::Signal;

use super::{append, copying, finish, wait_for, wait_until};
use crate::program::{Program, file, folder, follow};

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
