//! What is not there (yet): it is said, and is no fault.

use std::{
    fs, thread,
    time::{Duration, Instant},
};

use super::{append, finish, wait_for};
use crate::program::{HANG, Program, check_ledger, ended, folder, follow};

#[test]
fn what_is_not_there_is_said_and_no_fault() {
    let folder = folder();
    for name in ["nope.log", "*.log", "no/such/*.log"] {
        let path = folder.path().join(name);
        let mut command = follow();
        let ended = ended(command.args(["--no-state", "--until-eof", "--report", "json"]).arg(&path));
        assert_eq!(ended.code(), Some(0), "{name}: {ended:?}");
        let report = ended.report();
        check_ledger(&report);
        assert_eq!(report["sources"]["faults"]["unreadable"], 0, "{name}");
        let said = ended.said().into_iter().filter(|line| line.contains(name) && line.contains("No ")).count();
        assert_eq!(said, 1, "{name}: {ended:?}");
    }
}

#[test]
fn what_is_waited_for_is_there_when_it_comes() {
    let folder = folder();
    for name in ["late.log", "lat*.log"] {
        let (log, out) = (folder.path().join("late.log"), folder.path().join("out"));
        let mut command = follow();
        command.args(["--no-state", "--report", "none", "--print", "start"]).arg(folder.path().join(name));
        let mut program = Program::start(command.stdout(fs::File::create(&out).expect("a file of ours")));
        let begun = Instant::now();
        while !program.has_said("; it is waited for") {
            assert!(begun.elapsed() < HANG, "{name}: nothing was said");
            thread::sleep(Duration::from_millis(10));
        }
        append(&log, "INFO come\n");
        wait_for(&out, "INFO come\n");
        let ended = finish(program);
        let said: Vec<&str> = ended.said().into_iter().filter(|line| line.contains(name)).collect();
        assert_eq!(said.len(), 2, "{said:?}");
        assert!(said[1].contains("is there now"), "{said:?}");
        fs::remove_file(&log).expect("our own file");
    }
}
