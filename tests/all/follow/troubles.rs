//! What holds a follower up is shown, and passes.

use std::{fs, process::Command, thread, time::Duration};

use rustix::process::Signal;

use super::{append, copying, finish, wait_for, wait_until};
use crate::{
    http,
    program::{Program, file, folder, follow_serving},
    support::skip,
};

/// A file system of a mebibyte, gone with the test.
struct Small(tempfile::TempDir);

impl Small {
    fn mount() -> Option<Self> {
        let place = folder();
        let options = ["-t", "tmpfs", "-o", "size=1m,nr_inodes=20", "tmpfs"];
        let mounted =
            Command::new("mount").args(options).arg(place.path()).output().is_ok_and(|done| done.status.success());
        if !mounted {
            skip("a small file system cannot be mounted here (it takes root)");
        }
        mounted.then_some(Self(place))
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(self.0.path()).status();
    }
}

#[test]
fn a_full_disk_holds_it_up_and_it_recovers_by_itself() {
    let Some(small) = Small::mount() else { return };
    let folder = folder();
    let log = file(folder.path(), "app.log", "");
    let (ballast, out) = (small.0.path().join("ballast"), small.0.path().join("out"));
    let config = copying(folder.path(), &out);
    let mut command = follow_serving();
    command.arg("--state").arg(folder.path().join("state"));
    let mut program = Program::start(command.arg("-c").arg(&config).arg(&log));
    let address = program.address();
    thread::sleep(Duration::from_millis(300));
    append(&log, "INFO before\n");
    wait_for(&out, "INFO before\n");
    fs::write(&ballast, vec![0; 900 << 10]).unwrap();
    let lines: String = (0..20_000).map(|number| format!("INFO line {number}\n")).collect();
    append(&log, &lines);
    wait_until(|| http::get(address, "/readyz").status == 503, || "ready".to_owned());
    let cause = http::get(address, "/readyz").json()["cause"].to_string();
    assert!(cause.contains("No space left"), "{cause}");
    // What stands there is whole records of what was written before.
    fs::remove_file(&ballast).unwrap();
    wait_for(&out, &format!("INFO before\n{lines}"));
    wait_until(|| http::get(address, "/readyz").status == 200, || "not ready".to_owned());
    finish(program);
}

/// Where the disk is full in the middle of a letter, the letter comes again, and no line of the file is half of one.
#[test]
fn a_full_disk_under_dead_letters_leaves_no_half_letter() {
    const LINES: usize = 1_500;
    let Some(small) = Small::mount() else { return };
    let folder = folder();
    let log = file(folder.path(), "app.log", "");
    let (ballast, letters) = (small.0.path().join("ballast"), small.0.path().join("dead.ndjson"));
    let text = format!("dead_letters = '{}'\n\n[[processor]]\nid = 'f'\nkind = 'fail'\n", letters.display());
    let config = file(folder.path(), "failing.toml", text);
    let mut command = follow_serving();
    command.arg("--state").arg(folder.path().join("state"));
    let mut program = Program::start(command.arg("-c").arg(&config).arg(&log));
    let address = program.address();
    thread::sleep(Duration::from_millis(300));
    fs::write(&ballast, vec![0; 900 << 10]).unwrap();
    append(&log, (0..LINES).map(|number| format!("INFO line {number}\n")).collect::<String>());
    wait_until(|| http::get(address, "/readyz").status == 503, || "ready".to_owned());
    // Some attempts.
    thread::sleep(Duration::from_millis(300));
    fs::remove_file(&ballast).unwrap();
    let written = || fs::read_to_string(&letters).unwrap_or_default();
    wait_until(|| written().lines().count() >= LINES, || format!("{} letters", written().lines().count()));
    finish(program);
    let text = written();
    let letters: Vec<serde_json::Value> =
        text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}"))).collect();
    let lines: Vec<&str> = letters.iter().filter_map(|letter| letter["line"].as_str()).collect();
    assert_eq!(lines, (0..LINES).map(|number| format!("INFO line {number}")).collect::<Vec<_>>());
}

#[test]
fn a_full_disk_under_the_state_holds_no_record_up() {
    let Some(small) = Small::mount() else { return };
    let folder = folder();
    let (log, out) = (file(folder.path(), "app.log", ""), folder.path().join("out"));
    let ballast = small.0.path().join("ballast");
    let config = copying(folder.path(), &out);
    let mut command = follow_serving();
    command.arg("--state").arg(small.0.path().join("state"));
    let mut program = Program::start(command.arg("-c").arg(&config).arg(&log));
    let address = program.address();
    thread::sleep(Duration::from_millis(300));
    let _ = fs::write(&ballast, vec![0; 1 << 20]);
    append(&log, "INFO one\n");
    wait_for(&out, "INFO one\n");
    wait_until(|| http::get(address, "/readyz").status == 503, || "ready".to_owned());
    fs::remove_file(&ballast).unwrap();
    wait_until(|| http::get(address, "/readyz").status == 200, || "not ready".to_owned());
    finish(program);
}

#[test]
fn a_reload_while_the_disk_of_a_sink_is_full_ends_nothing() {
    let Some(small) = Small::mount() else { return };
    let folder = folder();
    let (log, out) = (file(folder.path(), "app.log", ""), small.0.path().join("out"));
    let ballast = small.0.path().join("ballast");
    let config = copying(folder.path(), &out);
    let mut command = follow_serving();
    command.args(["--from", "start", "--drain", "300ms", "--state"]).arg(folder.path().join("state"));
    let mut program = Program::start(command.arg("-c").arg(&config).arg(&log));
    let address = program.address();
    fs::write(&ballast, vec![0; 900 << 10]).unwrap();
    let lines: String = (0..20_000).map(|number| format!("INFO line {number}\n")).collect();
    append(&log, &lines);
    wait_until(|| http::get(address, "/readyz").status == 503, || "ready".to_owned());
    program.signal(Signal::HUP);
    thread::sleep(Duration::from_secs(2));
    fs::remove_file(&ballast).unwrap();
    wait_for(&out, &lines);
    finish(program);
}

#[test]
fn a_reload_while_no_checkpoint_can_be_saved_takes_nothing_back() {
    let Some(small) = Small::mount() else { return };
    let folder = folder();
    let (log, out) = (file(folder.path(), "app.log", ""), folder.path().join("out"));
    let ballast = small.0.path().join("ballast");
    let config = copying(folder.path(), &out);
    let mut command = follow_serving();
    command.args(["--from", "start", "--state"]).arg(small.0.path().join("state"));
    let mut program = Program::start(command.arg("-c").arg(&config).arg(&log));
    let address = program.address();
    append(&log, "INFO one\n");
    wait_for(&out, "INFO one\n");
    thread::sleep(Duration::from_millis(300));
    let _ = fs::write(&ballast, vec![0; 1 << 20]);
    append(&log, "INFO two\n");
    wait_for(&out, "INFO one\nINFO two\n");
    wait_until(|| http::get(address, "/readyz").status == 503, || "ready".to_owned());
    program.signal(Signal::HUP);
    thread::sleep(Duration::from_secs(2));
    append(&log, "INFO three\n");
    wait_for(&out, "INFO one\nINFO two\nINFO three\n");
    fs::remove_file(&ballast).unwrap();
    wait_until(|| http::get(address, "/readyz").status == 200, || "not ready".to_owned());
    finish(program);
}
