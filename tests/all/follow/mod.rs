//! The real follower against real files: what it reads, what it remembers, how it ends.

mod absent;
mod carried;
mod crash;
mod disturbed;
mod idle;
mod ids;
mod odd;
mod outage;
mod own;
mod partial;
mod receiver;
mod renumbered;
mod rotation;
mod signals;
mod stream;
mod troubles;
mod world;
mod written;

pub(crate) use disturbed::Strace;

use std::{
    fs::{self, OpenOptions},
    io::Write,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use rustix::process::Signal;
use serde_json::Value;

use crate::{
    http,
    program::{Ended, HANG, Program, ended, file, folder, follow, follow_serving},
    support::skip,
};

/// A pipeline that writes every record to `out`.
pub(crate) fn copying(folder: &Path, out: &Path) -> PathBuf {
    let text = format!(
        "[[processor]]\nid = 'all'\nkind = 'pass'\n\n[[sink]]\nid = 'copy'\nfrom = 'all'\nkind = 'file'\npath = '{}'\n",
        out.display()
    );
    file(folder, "copying.toml", text)
}

/// Appends to a file.
fn append(path: &Path, content: impl AsRef<[u8]>) {
    let mut file = OpenOptions::new().create(true).append(true).open(path).expect("a file of ours");
    file.write_all(content.as_ref()).expect("there is room");
}

/// Waits until `path` holds `content`.
#[track_caller]
fn wait_for(path: &Path, content: &str) {
    wait_until(
        || fs::read_to_string(path).is_ok_and(|found| found == content),
        || format!("{:?} instead of {content:?}", fs::read_to_string(path)),
    );
}

#[track_caller]
fn wait_until(is_so: impl Fn() -> bool, words: impl Fn() -> String) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < HANG, "{}", words());
        thread::sleep(Duration::from_millis(2));
    }
}

/// `logweir follow` as somebody who is not root.
fn as_nobody() -> Option<Command> {
    let mut command = Command::new("setpriv");
    command.args(["--reuid", "65534", "--regid", "65534", "--clear-groups", env!("CARGO_BIN_EXE_logweir")]);
    let works = command.arg("follow").arg("--help").output().is_ok_and(|output| output.status.success());
    if !works {
        skip("permissions: setpriv cannot start the program as somebody else here");
        return None;
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid", "65534", "--regid", "65534", "--clear-groups", env!("CARGO_BIN_EXE_logweir")]);
    command.args(["follow", "--no-serve"]).stdin(Stdio::null()).stderr(Stdio::piped());
    Some(command)
}

/// Asks it to end, and checks that it did in order.
#[track_caller]
fn finish(program: Program) -> Ended {
    program.signal(Signal::TERM);
    let ended = program.end();
    assert_eq!(ended.code(), Some(0), "{ended:?}");
    ended
}

fn json(address: SocketAddr, path: &str) -> Value {
    http::get(address, path).json()
}

#[test]
fn what_comes_is_printed_and_what_was_there_is_not() {
    let folder = folder();
    let log = file(folder.path(), "app.log", "INFO before\n");
    let out = folder.path().join("out");
    let mut command = follow();
    command.args(["--print", "error", "--state"]).arg(folder.path().join("state")).arg(&log);
    command.stdout(fs::File::create(&out).unwrap());
    let program = Program::start(&mut command);
    thread::sleep(Duration::from_millis(300));
    append(&log, "ERROR one\nINFO two\nERR");
    wait_for(&out, "ERROR one\n");
    append(&log, "OR three\n");
    wait_for(&out, "ERROR one\nERROR three\n");
    finish(program);
}

#[test]
fn the_last_lines_come_first_as_tail_does_it() {
    let folder = folder();
    let log = file(folder.path(), "app.log", "INFO 1\nINFO 2\nINFO 3\n");
    let mut command = follow();
    let ended = ended(command.args(["--no-state", "--until-eof", "-n", "2", "--print", "start"]).arg(&log));
    assert_eq!(String::from_utf8_lossy(&ended.stdout), "INFO 2\nINFO 3\n");
    assert_eq!(ended.code(), Some(0), "{ended:?}");
}

#[test]
fn a_restart_goes_on_where_it_was_and_so_do_the_totals() {
    let folder = folder();
    let (log, out) = (file(folder.path(), "app.log", "ERROR 1\n"), folder.path().join("out.log"));
    let config = copying(folder.path(), &out);
    let command = || {
        let mut command = follow();
        command
            .args(["--from", "start", "--until-eof", "--report", "json", "--state"])
            .arg(folder.path().join("state"));
        command.arg("-c").arg(&config).arg(&log);
        command
    };
    for (more, content, lines) in
        [("", "ERROR 1\n", 1), ("INFO 2\n", "ERROR 1\nINFO 2\n", 2), ("", "ERROR 1\nINFO 2\n", 2)]
    {
        append(&log, more);
        let ended = ended(&mut command());
        assert_eq!(fs::read_to_string(&out).unwrap(), content);
        let report = ended.report();
        assert_eq!(report["run"]["lines_done"], lines, "{}", report["run"]);
        assert_eq!(report["stats"]["all"]["processed"], lines);
        assert_eq!(report["audit"]["balanced"], true, "{}", report["audit"]);
    }
}

#[test]
fn a_glob_finds_files_that_appear_and_a_directory_may_come_later() {
    let folder = folder();
    let out = folder.path().join("out");
    let (late, glob) = (folder.path().join("late"), folder.path().join("*.log"));
    let mut command = follow();
    command.args(["--no-state", "--print", "start", "--exclude", "not*"]).args([&glob, &late]);
    command.stdout(fs::File::create(&out).unwrap());
    let program = Program::start(&mut command);
    thread::sleep(Duration::from_millis(300));
    file(folder.path(), "new.log", "INFO new\n");
    wait_for(&out, "INFO new\n");
    file(folder.path(), "not.log", "INFO not\n");
    fs::create_dir(&late).unwrap();
    file(&late, "deep.txt", "INFO deep\n");
    wait_for(&out, "INFO new\nINFO deep\n");
    finish(program);
}

#[test]
fn a_record_over_the_limit_is_written_whole() {
    let folder = folder();
    let long = format!("ERROR {}\n", "x".repeat(700_000));
    let (log, out) = (file(folder.path(), "app.log", format!("INFO 1\n{long}INFO 2\n")), folder.path().join("out"));
    let config = copying(folder.path(), &out);
    let mut command = follow();
    command
        .args(["--no-state", "--from", "start", "--until-eof", "--record-limit", "100", "-c"])
        .arg(&config)
        .arg(&log);
    let ended = ended(&mut command);
    assert_eq!(ended.code(), Some(0), "{ended:?}");
    assert_eq!(fs::read_to_string(&out).unwrap(), format!("INFO 1\n{long}INFO 2\n"));
}

#[test]
fn polling_alone_is_enough() {
    let folder = folder();
    let (log, out) = (file(folder.path(), "app.log", ""), folder.path().join("out"));
    let mut command = follow();
    command.args(["--no-state", "--poll", "--print", "start"]).arg(&log);
    command.stdout(fs::File::create(&out).unwrap());
    let program = Program::start(&mut command);
    thread::sleep(Duration::from_millis(300));
    append(&log, "INFO one\n");
    wait_for(&out, "INFO one\n");
    finish(program);
}

#[test]
fn standard_input_is_followed_to_its_end() {
    let mut command = follow();
    command.args(["--no-state", "--until-eof", "--print", "start", "-"]);
    let mut echo = Command::new("printf").arg("INFO one\\nINFO two").stdout(Stdio::piped()).spawn().unwrap();
    let ended = ended(command.stdin(echo.stdout.take().unwrap()));
    echo.wait().unwrap();
    assert_eq!(String::from_utf8_lossy(&ended.stdout), "INFO one\nINFO two\n");
}

#[test]
fn every_record_is_a_probe_while_it_is_slow() {
    let folder = folder();
    let log = file(folder.path(), "app.log", "");
    let mut program = Program::start(follow_serving().arg("--no-state").arg(&log));
    let address = program.address();
    thread::sleep(Duration::from_millis(200));
    for number in 0..50 {
        append(&log, format!("INFO {number}\n"));
        thread::sleep(Duration::from_millis(2));
    }
    wait_until(|| json(address, "/stats")["start"]["processed"] == 50, || "50 lines".to_owned());
    wait_until(|| json(address, "/stats")["start"]["samples"] == 50, || json(address, "/stats")["start"].to_string());
    let run = json(address, "/api/v1/run");
    assert_eq!(run["mode"], "follow");
    let ended = finish(program);
    assert!(ended.stderr.contains("serving"), "{ended:?}");
}

#[test]
fn a_second_follower_of_the_same_state_is_refused() {
    let folder = folder();
    let log = file(folder.path(), "app.log", "");
    let state = folder.path().join("state");
    let mut command = follow();
    let program = Program::start(command.arg("--state").arg(&state).arg(&log));
    wait_until(|| state.join("lock").exists(), || "no lock".to_owned());
    thread::sleep(Duration::from_millis(200));
    let second = ended(follow().arg("--state").arg(&state).arg(&log));
    assert_eq!(second.code(), Some(2));
    assert!(second.stderr.contains("state"), "{second:?}");
    finish(program);
}

#[test]
fn without_a_home_the_state_must_be_named() {
    let folder = folder();
    let log = file(folder.path(), "app.log", "");
    let ended = ended(follow().env_remove("HOME").env_remove("XDG_STATE_HOME").arg(&log));
    assert_eq!(ended.code(), Some(2));
    assert!(ended.stderr.contains("--state"), "{ended:?}");
}
