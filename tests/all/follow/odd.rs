//! Files that are not what one expects: removed, sparse, endless, closed to us.

use std::{
    fs::{self, File},
    io::Write,
    os::unix::fs::FileExt,
    path::Path,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use super::{Strace, append, as_nobody, copying, finish, wait_for, wait_until};
use crate::{
    http::get,
    program::{HANG, Program, allow, ended, file, folder, follow, is_long, private_kib},
    support::skip,
};

/// Open files that were removed, of those whose path has `name`.
fn deleted(program: &Program, name: &str) -> usize {
    let links = fs::read_dir(format!("/proc/{}/fd", program.child.id())).expect("it lives");
    let targets = links.flatten().filter_map(|link| fs::read_link(link.path()).ok());
    targets
        .filter(|target| target.to_string_lossy().contains(name) && target.to_string_lossy().contains("(deleted)"))
        .count()
}

/// A follower that prints all of `path` to `out`.
fn printing(path: &Path, out: &Path) -> Program {
    let mut command = follow();
    command.args(["--no-state", "--report", "none", "--from", "start", "--print", "start"]).arg(path);
    Program::start(command.stdout(File::create(out).expect("a file of ours")))
}

#[test]
fn a_file_that_is_removed_while_it_is_read_is_read_to_its_end_and_closed() {
    let folder = folder();
    let lines: String = (0..200_000).map(|number| format!("INFO line {number}\n")).collect();
    let (log, out) = (file(folder.path(), "app.log", &lines), folder.path().join("out"));
    let program = printing(&log, &out);
    wait_until(|| out.metadata().is_ok_and(|out| out.len() > 0), || "nothing was read".to_owned());
    fs::remove_file(&log).expect("our own file");
    wait_until(|| deleted(&program, "app.log") == 1, || "it was not open".to_owned());
    let removed = Instant::now();
    wait_for(&out, &lines);
    while deleted(&program, "app.log") > 0 {
        assert!(removed.elapsed() < Duration::from_secs(10), "it is still open");
        thread::sleep(Duration::from_millis(20));
    }
    println!("closed after {:.1?}", removed.elapsed());
    finish(program);
}

/// Where few files may be open at once, as many are followed as leave room for state, sinks and server, and that is said.
#[test]
fn of_few_descriptors_some_are_left_for_all_else() {
    let folder = folder();
    let (logs, out) = (folder.path().join("logs"), folder.path().join("out"));
    fs::create_dir(&logs).expect("a directory");
    (0..300).for_each(|number| _ = file(&logs, &format!("{number}.log"), "INFO there\n"));
    let mut command = Command::new("prlimit");
    command.args(["--nofile=200:200", env!("CARGO_BIN_EXE_logweir"), "follow", "--listen", "0", "--from", "start"]);
    command.arg("--state").arg(folder.path().join("state")).arg("-c").arg(copying(folder.path(), &out)).arg(&logs);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut program = Program::start(&mut command);
    let address = program.address();
    let read = || fs::read_to_string(&out).map_or(0, |text| text.lines().count());
    wait_until(|| read() == 100, || format!("{} lines", read()));
    assert_eq!(get(address, "/readyz").status, 200);
    let ended = finish(program);
    assert!(ended.stderr.contains("only 100 files are followed at once; 200 are left out"), "{ended:?}");
    assert!(ended.stderr.contains("ulimit -Hn") && !ended.stderr.contains("Too many open files"), "{ended:?}");
}

#[test]
fn a_hole_of_gigabytes_takes_no_time() {
    let folder = folder();
    let (log, out) = (file(folder.path(), "app.log", "INFO before\n"), folder.path().join("out"));
    let program = printing(&log, &out);
    wait_for(&out, "INFO before\n");
    let file = File::options().write(true).open(&log).expect("our own file");
    let begun = Instant::now();
    if file.set_len(8 << 30).is_err() {
        return skip("a hole of 8 GiB: the file system has no room for such a file");
    }
    file.write_all_at(b"INFO behind\n", 8 << 30).expect("there is room");
    wait_for(&out, "INFO before\nINFO behind\n");
    let took = begun.elapsed();
    println!("a hole of 8 GiB in {took:.2?}");
    assert!(took < Duration::from_secs(2), "{took:?}");
    finish(program);
}

#[test]
fn a_line_without_an_end_takes_no_memory() {
    let bytes: u64 = if is_long("a line of a GiB") { 1 << 30 } else { 200 << 20 };
    let folder = folder();
    let (log, out) = (file(folder.path(), "app.log", "INFO before\n"), folder.path().join("out"));
    let program = printing(&log, &out);
    wait_for(&out, "INFO before\n");
    let mut file = File::options().append(true).open(&log).expect("our own file");
    let (chunk, mut most) = (vec![b'x'; 8 << 20], 0);
    for _ in 0..bytes / chunk.len() as u64 {
        file.write_all(&chunk).expect("there is room");
        most = most.max(private_kib(program.child.id()));
    }
    file.write_all(b"\nINFO behind\n").expect("there is room");
    let begun = Instant::now();
    // Processors see its head; all of it is written.
    let expected = ("INFO before\n".len() + "\nINFO behind\n".len()) as u64 + bytes;
    while out.metadata().is_ok_and(|out| out.len() < expected) {
        most = most.max(private_kib(program.child.id()));
        assert!(begun.elapsed() < HANG, "{:?}", out.metadata());
        thread::sleep(Duration::from_millis(2));
    }
    println!("{most} KiB, {:.1?} behind its end", begun.elapsed());
    assert!(most < 64 << 10, "{most} KiB");
    finish(program);
    let written = fs::read(&out).expect("our own file");
    assert_eq!(written.len() as u64, expected);
    assert!(written.ends_with(b"x\nINFO behind\n"));
}

#[test]
fn what_may_not_be_read_holds_no_other_up_and_is_read_when_it_may() {
    let Some(mut command) = as_nobody() else { return };
    let folder = folder();
    allow(folder.path(), 0o755);
    let (open, closed) = (file(folder.path(), "open.log", ""), file(folder.path(), "closed.log", "INFO closed\n"));
    allow(&closed, 0o000);
    let out = folder.path().join("out");
    command.args(["--no-state", "--report", "none", "--from", "start", "--print", "start"]);
    let program =
        Program::start(command.arg(folder.path().join("*.log")).stdout(File::create(&out).expect("a file of ours")));
    append(&open, "INFO open\n");
    wait_for(&out, "INFO open\n");
    // It is looked at again meanwhile.
    thread::sleep(Duration::from_millis(2_200));
    assert_eq!(fs::read_to_string(&out).expect("it is there"), "INFO open\n", "it was not closed to it");
    allow(&closed, 0o644);
    wait_for(&out, "INFO open\nINFO closed\n");
    let ended = finish(program);
    let said: Vec<&str> = ended.said().into_iter().filter(|line| line.contains("closed.log")).collect();
    assert_eq!(said.len(), 2, "one line for each change: {said:?}");
    assert!(said[0].contains("Permission denied") && said[1].contains("can be read again"), "{said:?}");
}

/// There is no NFS here: strace makes the kernel say so of all files.
#[test]
fn a_network_file_system_is_warned_of_once() {
    let folder = folder();
    let Some(strace) = Strace::new(folder.path(), "the warning about NFS") else { return };
    let logs = ["a.log", "b.log"].map(|name| file(folder.path(), name, "INFO\n"));
    let mut command = follow();
    command.args(["--no-state", "--until-eof", "--from", "start", "--report", "none"]).args(&logs);
    let nfs = |ended: &crate::program::Ended| ended.stderr.matches("on a network file system (NFS)").count();
    // The number of the file system stands first in what the call fills in.
    let f_type = [&0x6969_u32.to_le_bytes()[..], &[0; 4]].concat();
    let f_type: String = f_type.iter().map(|byte| format!("{byte:02x}")).collect();
    let on_nfs = ended(&mut strace.command(&command, &format!("fstatfs:poke_exit=@arg2={f_type}"), None));
    assert!(strace.injected() >= 2, "it was asked of both: {on_nfs:?}");
    assert_eq!((on_nfs.code(), nfs(&on_nfs)), (Some(0), 1), "{on_nfs:?}");
    assert!(on_nfs.stderr.contains("a.log: on a network file system"), "{on_nfs:?}");
    assert_eq!(nfs(&ended(&mut command)), 0, "it is none");
}
