//! Standard input, which cannot be read again: nothing of it is lost where a session fails, and where it alone is followed
//! it ends with it.

use std::{
    fs,
    io::Write,
    process::{Command, Stdio},
    thread,
    time::Duration,
};

use super::{
    append, copying,
    disturbed::{Strace, all_written},
    finish, wait_for, wait_until,
};
use crate::program::{Program, file, folder, follow};

/// `command`, which is given `bytes`.
fn fed(command: &mut Command, bytes: &'static [u8]) -> Program {
    command.stdin(Stdio::piped());
    let mut program = Program::start(command);
    let mut pipe = program.child.stdin.take().expect("piped");
    thread::spawn(move || pipe.write_all(bytes));
    program
}

#[test]
fn alone_it_ends_at_its_end_and_reports() {
    for (bytes, code) in [(&b"INFO a\nERROR b\n"[..], 0), (b"", 0)] {
        let mut command = follow();
        command.args(["--no-state", "--print", "start", "--report", "json", "-"]);
        let ended = fed(&mut command, bytes).end();
        assert_eq!(ended.code(), Some(code), "{ended:?}");
        assert!(ended.stdout.starts_with(bytes), "{ended:?}");
    }
    let folder = folder();
    let config = file(folder.path(), "fail.toml", "[[processor]]\nid = 'f'\nkind = 'fail'\n");
    let ended = fed(follow().args(["--no-state", "--report", "none", "-c"]).arg(config).arg("-"), b"one\n").end();
    assert_eq!(ended.code(), Some(1), "there were faults: {ended:?}");
}

#[test]
fn its_last_line_is_taken_at_a_signal_without_its_newline() {
    let folder = folder();
    let out = folder.path().join("out");
    let config = copying(folder.path(), &out);
    let mut command = follow();
    command.args(["--no-state", "--report", "none", "-c"]).arg(&config).arg("-");
    let mut program = Program::start(command.stdin(Stdio::piped()));
    let mut pipe = program.child.stdin.take().expect("piped");
    pipe.write_all(b"INFO whole\nINFO hal").expect("it reads");
    wait_for(&out, "INFO whole\n");
    program.signal(rustix::process::Signal::TERM);
    let ended = program.end();
    assert_eq!((ended.code(), all_written(&out).as_str()), (Some(0), "INFO whole\nINFO hal\n"), "{ended:?}");
}

#[test]
fn beside_files_it_ends_and_they_are_followed_on() {
    let folder = folder();
    let (log, out) = (file(folder.path(), "app.log", ""), folder.path().join("out"));
    let mut command = follow();
    command.args(["--no-state", "--report", "none", "--print", "start"]).arg(&log).arg("-");
    let program = fed(command.stdout(fs::File::create(&out).expect("a file of ours")), b"INFO piped\n");
    wait_for(&out, "INFO piped\n");
    thread::sleep(Duration::from_millis(300));
    append(&log, "INFO logged\n");
    wait_for(&out, "INFO piped\nINFO logged\n");
    finish(program);
}

#[test]
fn what_came_by_it_is_delivered_again_when_a_session_fails() {
    let folder = folder();
    let Some(strace) = Strace::new(folder.path(), "a sync that fails, and standard input") else { return };
    let out = folder.path().join("out");
    let config = copying(folder.path(), &out);
    let mut command = follow();
    command.args(["--no-state", "--report", "none", "-c"]).arg(&config).arg("-");
    let mut command = strace.command(&command, "fdatasync:error=EIO:when=2", Some(&out));
    let mut program = Program::start(command.stdin(Stdio::piped()));
    let mut pipe = program.child.stdin.take().expect("piped");
    let mut all = String::new();
    while strace.injected() == 0 && all.len() < 100_000 {
        let line = format!("INFO line {}\n", all.len());
        pipe.write_all(line.as_bytes()).expect("it reads");
        all += &line;
        thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(strace.injected(), 1, "it did not happen");
    // Each session has a thread that syncs, and calls are counted by thread.
    Strace::release(&program);
    wait_until(|| all_written(&out) == all, || all_written(&out));
    pipe.write_all(b"INFO behind it\n").expect("it reads");
    drop(pipe);
    let ended = program.end();
    assert_eq!(ended.code(), Some(0), "{ended:?}");
    assert!(ended.stderr.contains("a new file is begun"), "{ended:?}");
    assert_eq!(all_written(&out), all + "INFO behind it\n");
}

/// Lines that come while nothing can be delivered wait in the pipe, and with whoever writes them.
#[test]
fn it_is_not_read_without_end_while_nothing_is_delivered() {
    let folder = folder();
    let nobody = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        listener.local_addr().expect("it has one")
    };
    let text = format!(
        "[[processor]]\nid = 'all'\nkind = 'pass'\n\n[[sink]]\nid = 'post'\nfrom = 'all'\nkind = 'http'\nurl = \
         'http://{nobody}/'\nformat = 'ndjson'\n"
    );
    let config = file(folder.path(), "posting.toml", text);
    let mut command = follow();
    command.args(["--no-state", "--report", "none", "--drain", "100ms", "-c"]).arg(&config).arg("-");
    let mut program = Program::start(command.stdin(Stdio::piped()));
    let mut pipe = program.child.stdin.take().expect("piped");
    let (sender, receiver) = std::sync::mpsc::channel();
    thread::spawn(move || {
        let line = [b'x'; 1_023].iter().chain(b"\n").copied().collect::<Vec<u8>>();
        let lines = line.repeat(1 << 10);
        while pipe.write_all(&lines).is_ok() {
            let _ = sender.send(());
        }
    });
    let mut mebibytes = 0;
    while receiver.recv_timeout(Duration::from_secs(3)).is_ok() {
        mebibytes += 1;
        assert!(mebibytes < 100, "it reads without end");
    }
    assert!((8..=24).contains(&mebibytes), "{mebibytes} MiB");
    program.signal(rustix::process::Signal::TERM);
    let ended = program.end();
    assert_eq!(ended.code(), Some(1), "{ended:?}");
    assert!(ended.stderr.contains("lost"), "{ended:?}");
}
