//! The real `logrotate` against a writer at full speed.

use std::{
    collections::HashSet,
    fs::{self, File, OpenOptions},
    io::Write,
    os::unix::fs::{FileExt, PermissionsExt},
    path::Path,
    process::Command,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;

use super::{append, copying, finish, json, wait_until};
use crate::{
    program::{Program, file, folder, follow_serving},
    support::skip,
};

/// A rotation every 50 ms.
const PAUSE: Duration = Duration::from_millis(50);

/// Rotates once, now; says what went wrong, if anything.
fn rotate(folder: &Path) -> Option<String> {
    let config = folder.join("rotate.conf");
    let status = folder.join("rotate.status");
    let done = Command::new("logrotate").args(["--force", "--state"]).arg(&status).arg(&config).output();
    let done = done.expect("logrotate runs");
    (!done.status.success()).then(|| String::from_utf8_lossy(&done.stderr).into_owned())
}

fn has_logrotate() -> bool {
    let found = Command::new("logrotate").arg("--version").output().is_ok();
    if !found {
        skip("there is no logrotate (Debian: logrotate)");
    }
    found
}

/// A writer that was followed through rotations.
struct Followed {
    /// How many lines were written.
    written: u64,
    /// The numbers of those that came out.
    out: Vec<u64>,
    /// What is left of what was written: the numbers in each file, from the oldest to the newest.
    kept: Vec<Vec<u64>>,
    /// What is known of what happened to the source.
    source: Value,
}

/// Writes numbered lines at full speed, and returns how many; opens the file anew after `hold`.
fn write_until(stop: &AtomicBool, log: &Path, hold: Duration) -> u64 {
    let open = || OpenOptions::new().create(true).append(true).open(log).expect("a file of ours");
    let (mut file, mut opened, mut number) = (open(), Instant::now(), 0);
    while !stop.load(Ordering::Relaxed) {
        if opened.elapsed() >= hold {
            (file, opened) = (open(), Instant::now());
        }
        file.write_all(line(number).as_bytes()).expect("there is room");
        number += 1;
    }
    number
}

fn line(number: u64) -> String {
    format!("INFO line {number}\n")
}

/// The numbers of the lines of a file. A copy may end in the middle of one, and nobody has the rest of it.
fn numbers(path: &Path) -> Vec<u64> {
    let text = fs::read_to_string(path).expect("a file of ours");
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    let number = |line: &str| line.strip_prefix("INFO line ").and_then(|number| number.parse().ok());
    whole.lines().map(|line| number(line).unwrap_or_else(|| panic!("{line:?} in {}", path.display()))).collect()
}

/// Follows `app.log` while it is written and rotated.
fn follow_through(mode: &str, rotations: usize, hold: Duration) -> Followed {
    let folder = folder();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).expect("our folder");
    let logs = folder.path().join("logs");
    fs::create_dir(&logs).expect("a folder of ours");
    let log = logs.join("app.log");
    append(&log, "");
    file(
        folder.path(),
        "rotate.conf",
        format!("{} {{\n rotate 1000\n {mode}\n missingok\n nocompress\n su root root\n}}\n", log.display()),
    );
    let out = folder.path().join("out");
    let config = copying(folder.path(), &out);
    let mut command = follow_serving();
    command.args(["--from", "start", "--report", "none", "--state"]).arg(folder.path().join("state"));
    let mut program = Program::start(command.arg("-c").arg(&config).arg(&log));
    let address = program.address();
    let stop = AtomicBool::new(false);
    let written = thread::scope(|scope| {
        let writer = scope.spawn(|| write_until(&stop, &log, hold));
        let failed = (0..rotations).find_map(|_| {
            thread::sleep(PAUSE);
            rotate(folder.path())
        });
        // In this order: a writer that is not stopped would keep the test for ever.
        stop.store(true, Ordering::Relaxed);
        let written = writer.join().expect("the writer ends");
        assert_eq!(failed, None, "{mode}");
        written
    });
    // What comes when nothing is rotated any more is there to tell when all is read.
    append(&log, line(written));
    wait_until(|| ends_with(&out, line(written).as_bytes()), || format!("{written} in {}", out.display()));
    let source = json(address, "/api/v1/sources")["listed"][0]["live"].clone();
    finish(program);
    let older = (1..=rotations).rev().map(|number| logs.join(format!("app.log.{number}")));
    let kept = older.chain([log]).filter(|path| path.exists()).map(|path| numbers(&path)).collect();
    Followed { written: written + 1, out: numbers(&out), kept, source }
}

/// True if the file ends with `tail`.
fn ends_with(path: &Path, tail: &[u8]) -> bool {
    let Ok(file) = File::open(path) else { return false };
    let Ok(length) = file.metadata().map(|metadata| metadata.len()) else { return false };
    let mut found = vec![0; tail.len()];
    let start = length.saturating_sub(tail.len() as u64);
    file.read_exact_at(&mut found, start).is_ok() && found == tail
}

/// Nothing is lost, nothing comes twice, and all is in order.
fn check_all(mode: &str, rotations: usize, hold: Duration) {
    if !has_logrotate() {
        return;
    }
    let Followed { written, out, kept, .. } = follow_through(mode, rotations, hold);
    println!("{written} lines in {} files", kept.len());
    assert!(kept.len() > rotations / 10, "{} files are few", kept.len());
    let wrong = (0..written).zip(&out).find(|(number, found)| number != *found);
    assert_eq!((out.len() as u64, wrong), (written, None), "{mode}");
}

#[test]
fn renaming_loses_and_doubles_nothing() {
    check_all("nocreate", 100, Duration::ZERO);
}

/// As a program that is told to reopen its file some time later: meanwhile it writes to the one that was renamed, perhaps
/// several times.
#[test]
fn renaming_under_a_writer_that_keeps_its_file_open_loses_and_doubles_nothing() {
    check_all("nocreate", 100, 3 * PAUSE);
}

/// Only what stands behind the place up to where it was read when it is truncated can be lost: nothing comes twice, all is
/// in order, and of each copy it is the end that is missing, if anything. What is in no copy was lost by logrotate itself.
#[test]
fn copying_and_truncating_loses_nothing_but_what_came_just_before() {
    const ROTATIONS: usize = 100;
    if !has_logrotate() {
        return;
    }
    let Followed { written, out, kept, source } = follow_through("copytruncate", ROTATIONS, 3 * PAUSE);
    assert!(out.is_sorted_by(|left, right| left < right), "twice, or out of order");
    let there: HashSet<u64> = out.iter().copied().collect();
    let mut missing = 0;
    for copy in &kept {
        let read = copy.iter().take_while(|number| there.contains(number)).count();
        let after = copy[read..].iter().find(|number| there.contains(number));
        assert_eq!(after, None, "read behind a gap of a copy that begins with {:?}", copy.first());
        missing += copy.len() - read;
    }
    let lost = written - out.len() as u64;
    let in_copies: usize = kept.iter().map(Vec::len).sum();
    println!("{written} written, {in_copies} kept by logrotate, {lost} lost, {missing} of them in a copy; {source}");
    assert!(missing * 10 < in_copies, "{missing} of {in_copies} lines in copies");
    let truncations = source["truncations"].as_u64().expect("a count");
    assert!((ROTATIONS as u64 / 2..=ROTATIONS as u64).contains(&truncations), "{source}");
}
