//! The real `logrotate` against a writer at full speed.

use std::{
    fs,
    io::Write,
    os::unix::fs::{FileExt, PermissionsExt},
    path::Path,
    process::Command,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use super::{append, copying, finish, wait_until};
use crate::{
    program::{Program, file, folder, follow},
    support::skip,
};

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

/// How often a file is rotated.
const ROTATIONS: usize = 60;

/// Follows `app.log` while it is written and rotated; returns the lines that were written, and those that came out. The
/// writer opens the file anew after every `held` lines, as one does that is told of a rotation some time later.
fn follow_through(mode: &str, held: u64) -> (u64, Vec<String>) {
    let folder = folder();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).expect("our folder");
    let logs = folder.path().join("logs");
    fs::create_dir(&logs).expect("a folder of ours");
    let log = logs.join("app.log");
    append(&log, "");
    file(
        folder.path(),
        "rotate.conf",
        format!("{} {{\n rotate 1000\n {mode}\n nocompress\n missingok\n su root root\n}}\n", log.display()),
    );
    let out = folder.path().join("out");
    let config = copying(folder.path(), &out);
    let mut command = follow();
    command.args(["--from", "start", "--report", "none", "--state"]).arg(folder.path().join("state"));
    let program = Program::start(command.arg("-c").arg(&config).arg(&log));
    let stop = AtomicBool::new(false);
    let written = thread::scope(|scope| {
        let writer = scope.spawn(|| {
            let open = || fs::File::options().append(true).create(true).open(&log).expect("a file of ours");
            let (mut number, mut file) = (0, open());
            while !stop.load(Ordering::Relaxed) {
                file.write_all(format!("INFO line {number}\n").as_bytes()).expect("there is room");
                number += 1;
                if number % held == 0 {
                    file = open();
                }
            }
            number
        });
        let failed = (0..ROTATIONS).find_map(|_| {
            thread::sleep(Duration::from_millis(50));
            rotate(folder.path())
        });
        // In this order: a writer that is not stopped would keep the test for ever.
        stop.store(true, Ordering::Relaxed);
        let written = writer.join().expect("the writer ends");
        assert_eq!(failed, None, "{mode}");
        written
    });
    let last = format!("INFO line {}\n", written - 1);
    wait_until(|| ends_with(&out, last.as_bytes()), || format!("{last:?} in {}", out.display()));
    finish(program);
    (written, fs::read_to_string(&out).expect("it was written").lines().map(str::to_owned).collect())
}

/// True if the file ends with `tail`.
fn ends_with(path: &Path, tail: &[u8]) -> bool {
    let Ok(file) = fs::File::open(path) else { return false };
    let Ok(length) = file.metadata().map(|metadata| metadata.len()) else { return false };
    let mut found = vec![0; tail.len()];
    let start = length.saturating_sub(tail.len() as u64);
    file.read_exact_at(&mut found, start).is_ok() && found == tail
}

#[test]
fn renaming_loses_and_doubles_nothing() {
    if !has_logrotate() {
        return;
    }
    for held in [1, 100, 20_000] {
        let (written, lines) = follow_through("nocreate", held);
        assert_eq!(lines.len() as u64, written, "opened anew after {held} lines");
        assert!((0..written).zip(&lines).all(|(number, line)| *line == format!("INFO line {number}")));
    }
}

/// What nobody has read when the file is truncated is lost by logrotate itself: one stretch of lines at each truncation at
/// most. Nothing else is lost, nothing comes twice, and all in order.
#[test]
fn copying_and_truncating_doubles_nothing() {
    if !has_logrotate() {
        return;
    }
    let (written, lines) = follow_through("copytruncate", 1);
    let numbers: Vec<u64> = lines.iter().filter_map(|line| line.strip_prefix("INFO line ")?.parse().ok()).collect();
    assert!(numbers.is_sorted_by(|left, right| left < right), "twice, or out of order");
    let stretches = numbers.windows(2).filter(|pair| pair[1] != pair[0] + 1).count() + usize::from(numbers[0] > 0);
    let (lost, whole) = (written - numbers.len() as u64, lines.len() - numbers.len());
    println!("{lost} of {written} lines were lost in {stretches} stretches, and {whole} are not whole");
    assert!(stretches <= ROTATIONS, "{stretches} stretches for {ROTATIONS} truncations");
    assert_eq!(whole, 0, "halves of lines");
}
