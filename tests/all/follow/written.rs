//! Files that are written exactly once, while somebody else writes to them too.

use std::{
    fs, thread,
    time::{Duration, Instant},
};

use rustix::process::Signal;

use super::{append, copying, finish, wait_for, wait_until};
use crate::program::{HANG, Program, file, folder, follow};

/// Through a reload, an end, a start and a crash: nothing of ours is cut off for lines that somebody else wrote.
#[test]
fn what_somebody_else_appends_stays_and_nothing_of_ours_is_lost() {
    let folder = folder();
    let (log, out) = (file(folder.path(), "app.log", ""), folder.path().join("out"));
    let config = copying(folder.path(), &out);
    let start = || {
        let mut command = follow();
        command.args(["--from", "start", "--report", "none", "--state"]).arg(folder.path().join("state"));
        Program::start(command.arg("-c").arg(&config).arg(&log))
    };
    let mut all = String::new();
    let ours = |all: &mut String, name: &str| {
        let line = format!("INFO {name}\n");
        append(&log, &line);
        all.push_str(&line);
        wait_for(&out, all);
    };
    let theirs = |all: &mut String, name: &str| {
        let line = format!("theirs, {name}\n");
        append(&out, &line);
        all.push_str(&line);
    };
    let mut program = start();
    ours(&mut all, "one");
    theirs(&mut all, "before a reload");
    ours(&mut all, "two");
    let begun = Instant::now();
    while !program.has_said("somebody else writes to it too") {
        assert!(begun.elapsed() < HANG, "it is said while it runs");
        thread::sleep(Duration::from_millis(5));
    }
    program.signal(Signal::HUP);
    ours(&mut all, "three");
    theirs(&mut all, "before a second reload, and nothing of ours behind");
    program.signal(Signal::HUP);
    ours(&mut all, "four");
    theirs(&mut all, "before the end");
    let ended = finish(program);
    assert!(ended.stderr.contains("somebody else writes to it too"), "{ended:?}");
    theirs(&mut all, "after the end");
    let program = start();
    ours(&mut all, "five");
    theirs(&mut all, "before a crash");
    ours(&mut all, "six");
    // Longer than a checkpoint may take.
    thread::sleep(Duration::from_millis(500));
    program.kill();
    theirs(&mut all, "after it");
    let program = start();
    ours(&mut all, "seven");
    let ended = finish(program);
    assert!(ended.stderr.contains("records are appended, and some may stand in it twice"), "{ended:?}");
}

#[test]
fn a_file_that_another_logweir_writes_is_refused() {
    let folder = folder();
    let (log, out) = (file(folder.path(), "app.log", "INFO one\n"), folder.path().join("out"));
    let config = copying(folder.path(), &out);
    let start = |state: &str| {
        let mut command = follow();
        command.args(["--from", "start", "--report", "none", "--state"]).arg(folder.path().join(state));
        Program::start(command.arg("-c").arg(&config).arg(&log))
    };
    let first = start("one");
    wait_for(&out, "INFO one\n");
    let second = start("two").end();
    assert_eq!(second.code(), Some(2), "{second:?}");
    assert!(second.stderr.contains("out is written by another logweir; end it"), "{second:?}");
    append(&log, "INFO two\n");
    wait_for(&out, "INFO one\nINFO two\n");
    finish(first);
}

/// Others that rotate it by copying and truncating: that is no way to rotate it, but neither is it the end.
#[test]
fn a_file_that_is_truncated_while_it_is_written_ends_nothing() {
    let folder = folder();
    let (log, out) = (file(folder.path(), "app.log", ""), folder.path().join("out"));
    let config = copying(folder.path(), &out);
    let mut command = follow();
    command.args(["--from", "start", "--report", "none", "--state"]).arg(folder.path().join("state"));
    let mut program = Program::start(command.arg("-c").arg(&config).arg(&log));
    for round in 0..3 {
        append(&log, format!("INFO {round}\n"));
        wait_for(&out, &format!("INFO {round}\n"));
        fs::File::options().write(true).open(&out).unwrap().set_len(0).unwrap();
        thread::sleep(Duration::from_millis(200));
        assert!(program.is_running());
    }
    append(&log, "INFO last\n");
    wait_until(|| fs::read(&out).is_ok_and(|found| found == b"INFO last\n"), || "not the last line".to_owned());
    let ended = finish(program);
    assert!(ended.stderr.contains("or cuts it"), "{ended:?}");
}
