//! System calls that fail, or are the last ones: strace answers for the system.

use std::{
    fs,
    os::unix::process::ExitStatusExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::atomic::Ordering,
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};

use super::{
    append, copying, finish,
    outage::{lines, posting},
    receiver::{Mood, Received, Receiver, numbers_in},
    wait_for, wait_until,
};
use crate::{
    program::{Program, ended, file, folder, follow},
    support::skip,
};

/// What is needed to disturb a program.
pub(crate) struct Strace {
    log: PathBuf,
}

impl Strace {
    /// One that writes down what it did in `folder`.
    pub(crate) fn new(folder: &Path, what: &str) -> Option<Self> {
        let is_there = Command::new("strace").arg("-V").stdout(Stdio::null()).status().is_ok();
        if !is_there {
            skip(&format!("{what}: strace is not installed"));
        }
        is_there.then(|| Self { log: folder.join("strace") })
    }

    /// `command`, of whose calls one is answered as `inject` says; only calls about `path`, if there is one.
    pub(crate) fn command(&self, command: &Command, inject: &str, path: Option<&Path>) -> Command {
        let _ = fs::remove_file(&self.log);
        let call = inject.split(':').next().expect("a call");
        let mut strace = Command::new("strace");
        // As a grandchild, so that signals reach the program, and not its tracer.
        strace.args(["-D", "-f", "-qq", "-e", &format!("trace={call}"), "-e", &format!("inject={inject}"), "-o"]);
        strace.arg(&self.log);
        if let Some(path) = path {
            strace.arg("-P").arg(path);
        }
        strace.arg(command.get_program()).args(command.get_args());
        strace.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        strace
    }

    /// Lets `program` go its way from now on.
    pub(super) fn release(program: &Program) {
        let status = fs::read_to_string(format!("/proc/{}/status", program.child.id())).expect("it lives");
        let tracer = status.lines().find_map(|line| line.strip_prefix("TracerPid:")).expect("there is such a line");
        let tracer = Pid::from_raw(tracer.trim().parse().expect("a number")).expect("it is traced");
        kill_process(tracer, Signal::KILL).expect("our own tracer");
    }

    pub(crate) fn injected(&self) -> usize {
        fs::read_to_string(&self.log).unwrap_or_default().matches("(INJECTED").count()
    }
}

/// A log, and a follower that copies it.
struct Copying {
    folder: tempfile::TempDir,
    log: PathBuf,
    out: PathBuf,
    config: PathBuf,
}

impl Copying {
    fn new() -> Self {
        let folder = folder();
        let (log, out) = (file(folder.path(), "app.log", ""), folder.path().join("out"));
        let config = copying(folder.path(), &out);
        Self { folder, log, out, config }
    }

    fn command(&self) -> Command {
        let mut command = follow();
        command.args(["--from", "start", "--report", "none", "--state"]).arg(self.folder.path().join("state"));
        command.arg("-c").arg(&self.config).arg(&self.log);
        command
    }

    /// Everything that was written to the log is in the copy, once.
    #[track_caller]
    fn check_exact(&self, why: &str) {
        let last = ended(self.command().arg("--until-eof"));
        assert_eq!(last.code(), Some(0), "{why}: {last:?}");
        let (log, out) = (fs::read_to_string(&self.log).unwrap(), fs::read_to_string(&self.out).unwrap());
        assert!(log == out, "{why}: {} bytes of {}, {:?}", out.len(), log.len(), first_difference(&log, &out));
    }
}

/// The first line that differs.
fn first_difference<'a>(log: &'a str, out: &'a str) -> Option<(Option<&'a str>, &'a str)> {
    let mut lines = log.lines();
    out.lines().map(|line| (lines.next(), line)).find(|(expected, found)| *expected != Some(*found))
}

/// Appends lines, some at a time, until `is_over` or for a long time.
fn append_until(log: &Path, mut is_over: impl FnMut() -> bool) {
    let begun = Instant::now();
    let mut number = 0;
    while !is_over() && begun.elapsed() < Duration::from_secs(30) {
        append(log, format!("INFO line {number}\nINFO more of {number}\n"));
        number += 1;
        thread::sleep(Duration::from_millis(10));
    }
}

/// What stands in the files that were put aside, oldest first, and then in `out`.
pub(super) fn all_written(out: &Path) -> String {
    let folder = fs::read_dir(out.parent().expect("a folder")).expect("our own folder");
    let mut paths: Vec<PathBuf> = folder.map(|entry| entry.expect("a name").path()).collect();
    paths.retain(|path| path.to_string_lossy().contains("out.suspect-"));
    paths.sort();
    paths.push(out.to_owned());
    paths.iter().map(|path| fs::read_to_string(path).unwrap_or_default()).collect()
}

#[test]
fn what_cannot_be_synced_is_put_aside_and_written_again_to_a_new_file() {
    for when in [1, 3] {
        let copying = Copying::new();
        let Some(strace) = Strace::new(copying.folder.path(), "a sync that fails") else { return };
        let inject = format!("fdatasync:error=EIO:when={when}");
        let program = Program::start(&mut strace.command(&copying.command(), &inject, Some(&copying.out)));
        append_until(&copying.log, || strace.injected() > 0);
        assert!(strace.injected() > 0, "it did not happen");
        // Each session has a thread that syncs, and calls are counted by thread.
        Strace::release(&program);
        append(&copying.log, "INFO behind it\n");
        let all = fs::read_to_string(&copying.log).unwrap();
        wait_until(|| all_written(&copying.out) == all, || all_written(&copying.out));
        let ended = finish(program);
        assert!(ended.stderr.contains("on disk: Input/output error"), "{ended:?}");
        assert!(ended.stderr.contains("it is now") && ended.stderr.contains("a new file is begun"), "{ended:?}");
        // What was synced before stays where it was; the rest is in the new file.
        let new = fs::read_to_string(&copying.out).unwrap();
        assert!(!new.is_empty() && (when == 1) == (new == all), "{when}: {} of {} bytes", new.len(), all.len());
        append(&copying.log, "INFO after a restart\n");
        let last = crate::program::ended(copying.command().arg("--until-eof"));
        assert_eq!(last.code(), Some(0), "{last:?}");
        assert_eq!(all_written(&copying.out), all + "INFO after a restart\n", "{inject}");
    }
}

/// Nobody knows which of its lines are whose: so nothing of it is cut off, and what may not be on disk is written again.
#[test]
fn what_somebody_else_writes_to_as_well_is_put_aside_whole() {
    let copying = Copying::new();
    let Some(strace) = Strace::new(copying.folder.path(), "a sync that fails, of a file of two writers") else {
        return;
    };
    let program =
        Program::start(&mut strace.command(&copying.command(), "fdatasync:error=EIO:when=10", Some(&copying.out)));
    append(&copying.log, "INFO one\n");
    wait_for(&copying.out, "INFO one\n");
    append(&copying.out, "theirs\n");
    append(&copying.log, "INFO two\n");
    wait_for(&copying.out, "INFO one\ntheirs\nINFO two\n");
    append_until(&copying.log, || strace.injected() > 0);
    assert!(strace.injected() > 0, "it did not happen");
    Strace::release(&program);
    append(&copying.log, "INFO behind it\n");
    let all = fs::read_to_string(&copying.log).unwrap();
    let new = || fs::read_to_string(&copying.out).unwrap_or_default();
    wait_until(|| new().ends_with("INFO behind it\n"), new);
    let ended = finish(program);
    assert!(ended.stderr.contains("somebody else writes to it too"), "{ended:?}");
    assert!(ended.stderr.contains("it is now") && !ended.stderr.contains("cut to"), "{ended:?}");
    let (new, written) = (new(), all_written(&copying.out));
    let aside = written.strip_suffix(&new).expect("it stands last");
    assert!(aside.starts_with("INFO one\ntheirs\nINFO two\n"), "{aside}");
    // The lines of the log are all there, in order; those that may not be on disk stand in both.
    let ours = aside.replace("theirs\n", "");
    assert!(all.starts_with(&ours) && all.ends_with(&new), "{ours} {new}");
    assert!(ours.len() + new.len() > all.len(), "nothing was cut off: {} + {} of {}", ours.len(), new.len(), all.len());
}

/// Letters are somebody's last copy: those that may not be on disk are written once more, elsewhere.
#[test]
fn letters_that_cannot_be_synced_are_written_again_to_a_new_file() {
    const LINES: u64 = 100;
    let folder = folder();
    let Some(strace) = Strace::new(folder.path(), "letters that cannot be synced") else { return };
    let received = Received::up_to(LINES as usize);
    received.set(Mood::BadOnce);
    let receiver = Receiver::start(&received);
    let config = posting(folder.path(), &receiver, "retry = { backoff = '10ms..20ms' }");
    let mut bytes = Vec::new();
    lines(0..LINES, &mut bytes);
    let log = file(folder.path(), "app.log", bytes);
    let mut command = follow();
    command.args(["--from", "start", "--until-eof", "--report", "none", "--state"]).arg(folder.path().join("state"));
    command.arg("-c").arg(config).arg(&log);
    let dead = folder.path().join("dead.ndjson");
    let ended = ended(&mut strace.command(&command, "fdatasync:error=EIO:when=1", Some(&dead)));
    assert_eq!(strace.injected(), 1, "it did not happen");
    let letters = |path: &Path| numbers_in(&fs::read(path).expect("there are letters")).collect::<Vec<_>>();
    let aside: Vec<PathBuf> = fs::read_dir(folder.path())
        .expect("our own folder")
        .map(|entry| entry.expect("a name").path())
        .filter(|path| path.to_string_lossy().contains("dead.ndjson.suspect-"))
        .collect();
    assert_eq!(aside.len(), 1, "{ended:?}");
    assert!(ended.stderr.contains("dead.ndjson: not all of it may be on disk: it is put aside as"), "{ended:?}");
    assert_eq!(letters(&dead).len() as u64, received.refused.load(Ordering::SeqCst), "{ended:?}");
    assert_eq!(letters(&dead), letters(&aside[0]), "nobody knows which of those are there");
    assert_eq!(received.numbers() + letters(&dead).len() as u64, LINES);
}

/// The name of a new file is on disk before anything is written to it: else a loss of power takes all of it.
#[test]
fn a_file_whose_name_cannot_be_made_sure_of_is_not_written() {
    let mut copying = Copying::new();
    let Some(strace) = Strace::new(copying.folder.path(), "a directory that cannot be synced") else { return };
    let below = copying.folder.path().join("below");
    fs::create_dir(&below).expect("a directory");
    copying.out = below.join("out");
    copying.config = super::copying(copying.folder.path(), &copying.out);
    append(&copying.log, "INFO one\n");
    let mut command = strace.command(copying.command().arg("--until-eof"), "fsync:error=EIO", Some(&below));
    let refused = ended(&mut command);
    assert_eq!(strace.injected(), 1, "it did not happen");
    assert_eq!((refused.code(), fs::read_to_string(&copying.out).unwrap().len()), (Some(2), 0), "{refused:?}");
    assert!(refused.stderr.contains("Input/output error"), "{refused:?}");
    copying.check_exact("when it can be");
}

#[test]
fn killed_at_any_write_it_is_exact() {
    let copying = Copying::new();
    let Some(strace) = Strace::new(copying.folder.path(), "killed at every write") else { return };
    let mut number = 0;
    for when in 1..=40 {
        // Enough for that many blocks.
        let lines: String = (number..number + 200).map(|line| format!("INFO line {line}\n")).collect();
        number += 200;
        append(&copying.log, lines);
        let inject = format!("write:signal=KILL:when={when}");
        let mut command = copying.command();
        command.args(["--until-eof", "--block-size", "64"]);
        let killed = Program::start(&mut strace.command(&command, &inject, None)).end();
        assert_eq!(killed.status.signal(), Some(9), "{inject}: it was not killed: {killed:?}");
        if when % 4 == 0 {
            copying.check_exact(&inject);
        }
    }
    copying.check_exact("all of them");
}

#[test]
fn killed_at_any_sync_or_rename_it_is_exact() {
    let copying = Copying::new();
    let Some(strace) = Strace::new(copying.folder.path(), "killed at every sync") else { return };
    for (call, most) in [("fsync", 5), ("fdatasync", 3), ("renameat", 3)] {
        for when in 1..=most {
            let inject = format!("{call}:signal=KILL:when={when}");
            let mut program = Program::start(&mut strace.command(&copying.command(), &inject, None));
            let is_over = || program.child.try_wait().is_ok_and(|status| status.is_some());
            append_until(&copying.log, is_over);
            let killed = program.end_within(Duration::from_secs(1));
            assert_eq!(killed.status.signal(), Some(9), "{inject}: it was not killed: {killed:?}");
            copying.check_exact(&inject);
        }
    }
}

#[test]
fn a_read_that_fails_is_said_once_and_passes() {
    let copying = Copying::new();
    let Some(strace) = Strace::new(copying.folder.path(), "a read that fails") else { return };
    for (error, words) in [("ESTALE", "Stale"), ("EIO", "Input/output")] {
        let inject = format!("preadv:error={error}:when=3..4");
        let program = Program::start(&mut strace.command(&copying.command(), &inject, Some(&copying.log)));
        append_until(&copying.log, || strace.injected() >= 2);
        assert_eq!(strace.injected(), 2, "{inject}: it did not happen");
        append(&copying.log, "INFO behind it\n");
        wait_for(&copying.out, &fs::read_to_string(&copying.log).unwrap());
        let ended = finish(program);
        let said: Vec<&str> = ended.said().into_iter().filter(|line| line.contains("app.log")).collect();
        assert_eq!(said.len(), 2, "one when it fails, one when it works again: {said:?}");
        assert!(said[0].contains(words) && said[1].contains("can be read again"), "{said:?}");
        copying.check_exact(&inject);
    }
}

#[test]
fn without_inotify_watches_files_are_followed_nevertheless() {
    let copying = Copying::new();
    let Some(strace) = Strace::new(copying.folder.path(), "no room for watches") else { return };
    let inject = "inotify_add_watch:error=ENOSPC";
    let program = Program::start(&mut strace.command(&copying.command(), inject, None));
    wait_until(|| strace.injected() > 0, || "it did not happen".to_owned());
    append(&copying.log, "INFO one\n");
    wait_for(&copying.out, "INFO one\n");
    let ended = finish(program);
    assert_eq!(ended.stderr.matches("inotify has no more watches").count(), 1, "{ended:?}");
}

/// As many watches as a system with a low limit gives: a user namespace has a limit of its own.
#[test]
fn where_the_system_gives_few_watches_all_directories_are_followed() {
    let folder = folder();
    let limited = |program: &str| {
        let mut command = Command::new("unshare");
        let script = "echo 3 > /proc/sys/user/max_inotify_watches && exec \"$@\"";
        command.args(["-Ur", "sh", "-c", script, "sh", program]);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    };
    if !limited("true").status().is_ok_and(|status| status.success()) {
        return skip("few inotify watches: there are no user namespaces here");
    }
    let logs: Vec<PathBuf> = (0..6)
        .map(|number| {
            let dir = folder.path().join(number.to_string());
            fs::create_dir(&dir).expect("a directory");
            file(&dir, "app.log", "")
        })
        .collect();
    let out = folder.path().join("out");
    let mut command = limited(env!("CARGO_BIN_EXE_logweir"));
    command.args(["follow", "--no-serve", "--no-state", "--report", "none", "--from", "start", "--print", "start"]);
    let program = Program::start(command.args(&logs).stdout(fs::File::create(&out).expect("a file")));
    thread::sleep(Duration::from_millis(200));
    let mut all = String::new();
    for (number, log) in logs.iter().enumerate() {
        append(log, format!("INFO in {number}\n"));
        all += &format!("INFO in {number}\n");
        wait_for(&out, &all);
    }
    let ended = finish(program);
    assert_eq!(ended.stderr.matches("inotify has no more watches").count(), 1, "{ended:?}");
}

// ---- Files that do not take what they are given

/// A follower that copies, and whose file does not take the second line, however often it is tried, with further settings
/// of the sink.
fn refusing(settings: &str) -> Option<(Copying, Strace, Program)> {
    let mut copying = Copying::new();
    let strace = Strace::new(copying.folder.path(), "a file that takes nothing")?;
    let mut text = fs::read_to_string(&copying.config).expect("our own file");
    text += &format!("retry = {{ attempts = 3, backoff = '10ms..20ms' }}\n{settings}\n");
    let letters = copying.folder.path().join("dead.ndjson");
    copying.config =
        file(copying.folder.path(), "refusing.toml", format!("dead_letters = '{}'\n{text}", letters.display()));
    let inject = "write:error=ENOSPC:when=2..4";
    let program = Program::start(&mut strace.command(&copying.command(), inject, Some(&copying.out)));
    append(&copying.log, "INFO one\n");
    wait_for(&copying.out, "INFO one\n");
    append(&copying.log, "INFO two\n");
    wait_until(|| strace.injected() == 3, || format!("{} times", strace.injected()));
    Some((copying, strace, program))
}

#[test]
fn what_a_file_does_not_take_is_given_up_after_so_many_attempts() {
    for (settings, is_buried) in [("on_error = 'drop'", false), ("on_error = 'dead_letter'", true), ("", true)] {
        let Some((copying, _strace, program)) = refusing(settings) else { return };
        // Its turn comes when the line before it was given up.
        append(&copying.log, "INFO three\n");
        wait_for(&copying.out, "INFO one\nINFO three\n");
        finish(program);
        let letters = fs::read_to_string(copying.folder.path().join("dead.ndjson")).unwrap_or_default();
        assert_eq!(letters.lines().count(), usize::from(is_buried), "{settings}: {letters}");
        assert_eq!(letters.contains("INFO two") && letters.contains("\"copy\""), is_buried, "{settings}: {letters}");
    }
}

#[test]
fn a_sink_that_stops_ends_the_follower_and_the_next_one_goes_on_there() {
    let Some((copying, _strace, program)) = refusing("on_error = 'stop'") else { return };
    let ended = program.end();
    assert_eq!(ended.code(), Some(2), "{ended:?}");
    assert!(ended.stderr.contains("No space left"), "{ended:?}");
    append(&copying.log, "INFO three\n");
    copying.check_exact("behind a stop");
}
