//! Lines that are being written while a follower comes to them, and files that are not there yet.

use std::{
    fs, thread,
    time::{Duration, Instant},
};

use super::{append, finish, json, wait_for, wait_until};
use crate::program::{Program, ended, file, folder, follow, follow_serving};

#[test]
fn a_line_that_is_being_written_is_not_split_over_two_runs_until_eof() {
    let folder = folder();
    let (log, out) = (file(folder.path(), "app.log", "INFO one\nINFO tw"), folder.path().join("out"));
    let command = |after: Option<&str>| {
        let mut command = follow();
        command.args(["--until-eof", "--from", "start", "--report", "none", "--print", "start", "--state"]);
        command.arg(folder.path().join("state")).arg(&log);
        command.args(after.map(|after| ["--partial-after", after]).into_iter().flatten());
        command
    };
    let first = Program::start(command(Some("30s")).stdout(fs::File::create(&out).expect("a file of ours")));
    wait_for(&out, "INFO one\n");
    thread::sleep(Duration::from_millis(300));
    append(&log, "o\n");
    let first = first.end();
    assert_eq!((first.code(), fs::read_to_string(&out).unwrap().as_str()), (Some(0), "INFO one\nINFO two\n"));
    append(&log, "INFO three");
    let begun = Instant::now();
    let second = ended(&mut command(None));
    assert_eq!(String::from_utf8_lossy(&second.stdout), "INFO three\n", "{second:?}");
    assert!(begun.elapsed() >= Duration::from_secs(1), "{:?}", begun.elapsed());
}

#[test]
fn a_file_that_is_not_there_yet_has_no_identity_until_it_is() {
    use std::os::unix::fs::MetadataExt;
    let folder = folder();
    let log = folder.path().join("app.log");
    let mut program = Program::start(follow_serving().args(["--no-state", "--report", "none"]).arg(&log));
    let address = program.address();
    let source = || json(address, "/api/v1/sources")["listed"][0].clone();
    wait_until(|| source()["path"].is_string(), || source().to_string());
    assert!(source()["identity"].is_null(), "{}", source());
    append(&log, "INFO one\n");
    let metadata = fs::metadata(&log).unwrap();
    let is_it = || source()["identity"]["inode"] == metadata.ino() && source()["identity"]["device"] == metadata.dev();
    wait_until(is_it, || source().to_string());
    finish(program);
}
