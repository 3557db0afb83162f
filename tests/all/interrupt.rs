//! Signals: the first one ends a run soon, with its report and its books in order; the second one at once.

use std::{
    fs,
    os::fd::OwnedFd,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use rustix::process::Signal;

use crate::program::{Ended, Program, check_ledger, file, folder, run};

/// What a user may have to wait; a busy machine is why it is not less.
const SOON: Duration = Duration::from_secs(2);

/// `yes`, for ever: the end of a pipe that does not end.
fn endless() -> Child {
    Command::new("yes").arg("INFO some line").stdout(Stdio::piped()).spawn().expect("starts")
}

/// Lets `program` run for a moment, and then interrupts it.
fn interrupted(program: Program, signal: Signal) -> Ended {
    thread::sleep(Duration::from_millis(500));
    program.signal(signal);
    let asked = Instant::now();
    let ended = program.end_within(SOON);
    eprintln!("ended {:?} after the signal", asked.elapsed());
    assert_eq!(ended.code(), Some(130), "{ended:?}");
    let report = ended.report();
    assert_eq!(report["run"]["state"], "interrupted");
    check_ledger(&report);
    ended
}

#[test]
fn an_endless_pipe_is_interrupted() {
    for signal in [Signal::INT, Signal::TERM] {
        let mut yes = endless();
        let pipe = yes.stdout.take().expect("piped");
        let mut command = run();
        let program = Program::start(command.args(["--report", "json", "-"]).stdin(pipe));
        // Ours would keep the pipe open.
        drop(command);
        let report = interrupted(program, signal).report();
        assert!(report["run"]["lines_done"].as_u64() > Some(10_000), "{}", report["run"]);
        yes.wait().expect("its pipe is gone");
    }
}

#[test]
fn what_is_printed_is_what_was_counted_when_a_pipe_is_interrupted() {
    let folder = folder();
    // Slow workers, so that their reader has to wait for them when the signal comes.
    let slow = file(folder.path(), "slow.toml", "[[processor]]\nid = 'start'\nkind = 'delay'\nms = 0.2\n");
    for (block, config) in [("512", None), ("64KiB", None), ("512", Some(&slow))] {
        let mut yes = endless();
        let mut command = run();
        command.args(["--block-size", block, "--print", "start", "--report", "json", "-"]);
        config.into_iter().for_each(|config| _ = command.arg("-c").arg(config));
        let program = Program::start(command.stdin(yes.stdout.take().expect("piped")));
        drop(command);
        let ended = interrupted(program, Signal::INT);
        let lines = memchr::memchr_iter(b'\n', &ended.stdout).count();
        assert_eq!(ended.report()["run"]["lines_done"], lines, "in blocks of {block}");
        assert!(ended.stdout.split(|&byte| byte == b'\n').all(|line| line.is_empty() || line == b"INFO some line"));
        yes.wait().expect("its pipe is gone");
    }
}

#[test]
fn a_large_file_and_a_slow_pipeline_are_interrupted() {
    let folder = folder();
    let path = file(folder.path(), "app.log", "ERROR some line\n".repeat(2_000_000));
    // A minute for one line, a tenth of a second, and so little that a block would be long.
    for ms in ["60000", "100", "0.05"] {
        let config =
            file(folder.path(), "slow.toml", format!("[[processor]]\nid = 'slow'\nkind = 'delay'\nms = {ms}\n"));
        let mut command = run();
        command.args(["--report", "json", "-c"]).args([&config, &path]);
        let report = interrupted(Program::start(&mut command), Signal::INT).report();
        assert!(report["run"]["lines_done"].as_u64() < Some(2_000_000), "it was too fast to be interrupted");
    }
}

#[test]
fn a_pipe_that_says_nothing_is_interrupted() {
    let (reader, writer) = std::io::pipe().expect("a pipe");
    let mut command = run();
    let program = Program::start(command.args(["--report", "json", "-"]).stdin(reader));
    drop(command);
    assert_eq!(interrupted(program, Signal::INT).report()["run"]["lines_done"], 0);
    drop(writer);
}

#[test]
fn the_first_signal_is_enough_where_nobody_takes_the_output() {
    let folder = folder();
    let path = file(folder.path(), "app.log", "ERROR some line that fills a pipe\n".repeat(2_000_000));
    let config = "[[processor]]\nid = 'start'\nkind = 'level'\n[[sink]]\nid = 'all'\nfrom = 'start'\nkind = 'stdout'\n";
    let config = file(folder.path(), "sink.toml", config);
    let (terminal, end) = terminal();
    let (reader, pipe) = std::io::pipe().expect("a pipe");
    for output in [Stdio::from(pipe), Stdio::from(end)] {
        let mut command = run();
        command.args(["--report", "json", "-c"]).args([&config, &path]).stdout(output);
        let program = Program::start(&mut command);
        drop(command);
        let ended = interrupted(program, Signal::INT);
        let said = ended.said().join("\n");
        let words =
            ["standard output: nobody takes it, and a stop was asked for (after ", "what was read up to offset 0 of"];
        words.iter().for_each(|word| assert!(said.contains(word), "{word} in {said}"));
        let error = ended.report()["run"]["error"].as_str().map(str::to_owned).expect("is there too");
        assert!(said.ends_with(&error), "{said} and {error}");
    }
    drop((reader, terminal));
}

/// A terminal that nobody looks at: its two ends.
fn terminal() -> (OwnedFd, OwnedFd) {
    use rustix::{
        fs::{Mode, OFlags, open},
        pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt},
    };
    let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("Linux has terminals");
    grantpt(&terminal).and_then(|()| unlockpt(&terminal)).expect("it is ours");
    let name = ptsname(&terminal, Vec::new()).expect("it has a name");
    let end = open(name, OFlags::RDWR | OFlags::NOCTTY, Mode::empty()).expect("it is ours");
    (terminal, end)
}

#[test]
fn what_is_not_under_way_yet_ends_at_once() {
    let folder = folder();
    let path = folder.path().join("pipeline");
    rustix::fs::mkfifoat(rustix::fs::CWD, &path, rustix::fs::Mode::RWXU).expect("a named pipe");
    // It waits for what we might write there.
    let _writer = fs::File::options().read(true).write(true).open(&path).expect("both ends of a pipe of ours");
    let program = Program::start(run().arg("-c").args([&path, &path]));
    thread::sleep(Duration::from_millis(300));
    program.signal(Signal::TERM);
    assert_eq!(program.end_within(SOON).code(), Some(130));
}

#[test]
fn the_second_signal_ends_it_at_once() {
    let folder = folder();
    let path = file(folder.path(), "app.log", "ERROR some line that fills a pipe\n".repeat(2_000_000));
    // Nobody reads what it prints, so that it cannot end in order.
    let program = Program::start_unread(run().args(["--print", "start"]).arg(&path));
    thread::sleep(Duration::from_millis(400));
    program.signal(Signal::INT);
    thread::sleep(Duration::from_millis(400));
    let mut program = program;
    assert!(program.is_running(), "it has ended already, and the second signal is not tested");
    program.signal(Signal::INT);
    let ended = program.end_within(Duration::from_millis(500));
    assert_eq!(ended.code(), Some(130));
}

#[test]
fn a_run_that_is_served_stays_until_it_is_told_to_go() {
    let folder = folder();
    let path = file(folder.path(), "app.log", "one\n");
    let mut command = run();
    let mut program = Program::start(command.args(["--listen", "0", "--report", "json"]).arg(&path));
    let address = program.address();
    thread::sleep(Duration::from_millis(300));
    assert_eq!(crate::http::get(address, "/api/v1/run").json()["state"], "finished");
    program.signal(Signal::TERM);
    let ended = program.end_within(SOON);
    assert_eq!((ended.code(), &ended.report()["run"]["lines_done"]), (Some(0), &1.into()));
}
