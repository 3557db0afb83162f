//! The world around a follower changes: rights go and come back, the clock is set.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::Duration,
};

use serde_json::Value;

use super::{append, as_nobody, copying, ended, finish, json, wait_for, wait_until};
use crate::{
    http,
    program::{Program, allow, file, folder, follow, follow_serving},
    support::skip,
};

#[test]
fn rights_that_are_taken_from_a_followed_file_and_its_directory_lose_nothing() {
    let Some(mut command) = as_nobody() else { return };
    let (folder, logs) = (folder(), folder());
    allow(logs.path(), 0o755);
    let (log, out) = (file(logs.path(), "app.log", "INFO 1\n"), folder.path().join("out"));
    command.args(["--no-state", "--report", "none", "--from", "start", "--print", "start"]).arg(&log);
    let program = Program::start(command.stdout(File::create(&out).expect("a file of ours")));
    wait_for(&out, "INFO 1\n");
    allow(&log, 0o000);
    append(&log, "INFO 2\n");
    wait_for(&out, "INFO 1\nINFO 2\n");
    allow(logs.path(), 0o000);
    append(&log, "INFO 3\n");
    wait_for(&out, "INFO 1\nINFO 2\nINFO 3\n");
    // Rotated where it cannot look: that is no removal, and nothing is missed when it can look again.
    fs::rename(&log, logs.path().join("app.log.1")).expect("we are root");
    append(&logs.path().join("app.log.1"), "INFO 4\n");
    append(&log, "INFO 5\n");
    thread::sleep(Duration::from_millis(2_200));
    assert_eq!(fs::read_to_string(&out).expect("it is there"), "INFO 1\nINFO 2\nINFO 3\nINFO 4\n");
    allow(logs.path(), 0o755);
    wait_for(&out, "INFO 1\nINFO 2\nINFO 3\nINFO 4\nINFO 5\n");
    let ended = finish(program);
    assert!(!ended.stderr.contains("truncated") && !ended.stderr.contains("lost"), "{ended:?}");
}

#[test]
fn a_known_file_that_cannot_be_opened_is_said_and_to_the_end_of_all_is_not_clean_then() {
    let (folder, logs) = (folder(), folder());
    allow(logs.path(), 0o755);
    allow(folder.path(), 0o777);
    let log = file(logs.path(), "app.log", "INFO 1\n");
    let run = || {
        let mut command = as_nobody()?;
        command
            .args(["--until-eof", "--report", "none", "--from", "start", "--print", "start", "--state"])
            .stdout(Stdio::piped());
        Some(Program::start(command.arg(folder.path().join("state")).arg(&log)).end())
    };
    let Some(first) = run() else { return };
    assert_eq!((first.code(), &first.stdout[..]), (Some(0), &b"INFO 1\n"[..]), "{first:?}");
    append(&log, "INFO 2\n");
    let rotated = logs.path().join("app.log.1");
    fs::rename(&log, &rotated).expect("we are root");
    append(&log, "INFO 3\n");
    allow(&rotated, 0o000);
    let second = run().expect("as before");
    assert_eq!((second.code(), &second.stdout[..]), (Some(1), &b"INFO 3\n"[..]), "{second:?}");
    assert!(second.stderr.contains("app.log.1 cannot be opened: "), "{second:?}");
    allow(&rotated, 0o644);
    let third = run().expect("as before");
    assert_eq!((third.code(), &third.stdout[..]), (Some(0), &b"INFO 2\n"[..]), "{third:?}");
}

/// A clock that can be set while a program runs under it. Time that passes is not changed by it, as in the kernel.
struct Clock {
    file: PathBuf,
    library: String,
}

impl Clock {
    fn new(folder: &Path) -> Option<Self> {
        let found = Command::new("faketime").args(["-f", "+0", "sh", "-c", "echo $LD_PRELOAD"]).output();
        let library = found.ok().filter(|found| found.status.success()).map(|found| found.stdout);
        let Some(library) = library else {
            skip("a clock that jumps: no faketime");
            return None;
        };
        let clock = Self { file: folder.join("clock"), library: String::from_utf8_lossy(&library).trim().to_owned() };
        clock.set("+0");
        Some(clock)
    }

    fn set(&self, offset: &str) {
        let next = self.file.with_extension("next");
        fs::write(&next, offset).expect("there is room");
        fs::rename(next, &self.file).expect("our own file");
    }

    fn rule(&self, command: &mut Command) {
        command.env("LD_PRELOAD", &self.library).env("FAKETIME_TIMESTAMP_FILE", &self.file);
        command.env("FAKETIME_NO_CACHE", "1").env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
    }
}

/// Seconds from now to when the last snapshot says that it was taken.
fn ahead_s(run: &Value) -> i64 {
    let taken: jiff::Timestamp = run["taken"].as_str().expect("a time").parse().expect("a time");
    taken.duration_since(jiff::Timestamp::now()).as_secs()
}

#[test]
fn a_clock_that_jumps_back_and_far_ahead_changes_no_count() {
    let folder = folder();
    let Some(clock) = Clock::new(folder.path()) else { return };
    let (log, out) = (file(folder.path(), "app.log", "ERROR 0\n"), folder.path().join("out"));
    let (config, state) = (copying(folder.path(), &out), folder.path().join("state"));
    let mut command = follow_serving();
    clock.rule(&mut command);
    command.args(["--from", "start", "-c"]).arg(&config).arg("--state").arg(&state).arg(&log);
    let mut program = Program::start(&mut command);
    let address = program.address();
    let mut written = "ERROR 0\n".to_owned();
    wait_for(&out, &written);
    for (line, offset, seconds) in
        [("INFO 1\n", "-3h", -10_800), ("INFO 2\n", "+40d", 3_456_000), ("INFO 3\n", "+0", 0)]
    {
        clock.set(offset);
        append(&log, line);
        written.push_str(line);
        wait_for(&out, &written);
        let is_set = || (ahead_s(&json(address, "/api/v1/run")) - seconds).abs() < 60;
        wait_until(is_set, || format!("{} instead of {seconds}", ahead_s(&json(address, "/api/v1/run"))));
        let run = json(address, "/api/v1/run");
        let elapsed = run["elapsed_s"].as_f64().expect("a number");
        assert!((0.0..600.0).contains(&elapsed), "{elapsed} s since it began");
        assert_eq!(http::get(address, "/api/v1/history?from=-1h").status, 200);
        assert_eq!(http::get(address, "/readyz").status, 200);
    }
    assert_eq!(json(address, "/stats")["all"]["processed"], 4);
    finish(program);
    // The state that was written under all these clocks is believed, and what it holds is neither lost nor doubled.
    let mut command = follow();
    command.args(["--until-eof", "--report", "json", "-c"]).arg(&config).arg("--state").arg(&state).arg(&log);
    let ended = ended(&mut command);
    assert_eq!(ended.report()["stats"]["all"]["processed"], 4, "{ended:?}");
    assert_eq!(fs::read_to_string(&out).expect("it is there"), written);
}
