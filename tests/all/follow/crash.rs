//! Killed at any moment, it loses nothing and writes nothing twice.

use std::{
    fs,
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use super::{append, copying, wait_until};
use crate::program::{Program, ended, folder, follow, is_long};

const CYCLES: u64 = 300;

/// A small generator of numbers: which moment is chosen does not matter, only that it is another one each time.
fn next(seed: &mut u64) -> u64 {
    *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
    *seed >> 33
}

/// Writes numbered lines to `log` until `stop`, and renames it now and then. Returns how many lines it wrote.
fn write(log: &Path, stop: &AtomicBool) -> u64 {
    let (mut number, mut rotated, mut seed) = (0, 0, 7);
    while !stop.load(Ordering::Relaxed) {
        let lines: String = (0..next(&mut seed) % 40).map(|line| format!("INFO line {}\n", number + line)).collect();
        // Cut where a write may be cut, in the middle of a line.
        let cut = lines.len().saturating_sub(3);
        append(log, &lines[..cut]);
        append(log, &lines[cut..]);
        number += lines.lines().count() as u64;
        if next(&mut seed).is_multiple_of(20) {
            rotated += 1;
            fs::rename(log, log.with_extension(format!("log.{rotated:06}"))).expect("a file of ours");
        }
        thread::sleep(Duration::from_millis(2));
    }
    number
}

/// Kills it `cycles` times while a log is written and rotated, then lets it read the rest: all lines are there, once.
fn survives(cycles: u64, options: &[&str]) {
    let folder = folder();
    let (log, out) = (folder.path().join("app.log"), folder.path().join("out"));
    let config = copying(folder.path(), &out);
    let command = || {
        let mut command = follow();
        command.args(["--from", "start", "--report", "none", "--state"]).arg(folder.path().join("state"));
        command.args(options).arg("-c").arg(&config).arg(&log);
        command
    };
    let stop = AtomicBool::new(false);
    let written = thread::scope(|scope| {
        let writer = scope.spawn(|| write(&log, &stop));
        let mut seed = 42;
        // What was never in a checkpoint was never followed.
        let program = Program::start(&mut command());
        wait_until(|| folder.path().join("state/checkpoint-a").exists(), || "a checkpoint".to_owned());
        program.kill();
        for _ in 0..cycles {
            let program = Program::start(&mut command());
            thread::sleep(Duration::from_millis(5 + next(&mut seed) % 60));
            program.kill();
        }
        stop.store(true, Ordering::Relaxed);
        writer.join().expect("the writer ends")
    });
    let last = ended(command().arg("--until-eof"));
    assert_eq!(last.code(), Some(0), "{last:?}");
    let found = fs::read_to_string(&out).expect("it was written");
    let mut lines = found.lines();
    for number in 0..written {
        assert_eq!(lines.next(), Some(&*format!("INFO line {number}")), "of {written}, {:?}", folder.keep());
    }
    assert_eq!(lines.next(), None);
}

#[test]
fn nothing_is_lost_and_nothing_doubled_however_often_it_is_killed() {
    let begun = Instant::now();
    survives(CYCLES, &[]);
    println!("{CYCLES} times in {:?}", begun.elapsed());
}

#[test]
fn the_same_with_many_small_blocks() {
    survives(CYCLES / 10, &["--block-size", "7", "--workers", "3"]);
    if is_long("killing a follower 3,000 times") {
        survives(10 * CYCLES, &[]);
    }
}
