//! A thousand files that nobody writes to cost next to nothing.

use std::{
    fs, thread,
    time::{Duration, Instant},
};

use super::{append, copying, finish, wait_until};
use crate::program::{Program, folder, follow};

/// The share of a core that is allowed: 3 % is asked of a release build. What the tests run with by default is hardly
/// optimised, on a machine that others use meanwhile.
const SHARE: f64 = if cfg!(debug_assertions) { 0.05 } else { 0.03 };

/// Seconds of processor time that a process has used.
fn cpu_seconds(pid: u32) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).expect("it lives");
    let fields: Vec<&str> = stat.rsplit(')').next().expect("a name").split_whitespace().collect();
    let ticks: f64 = [11, 12].iter().map(|&field| fields[field].parse::<f64>().expect("a number")).sum();
    ticks / rustix::param::clock_ticks_per_second() as f64
}

/// The share of a core that a process uses, in the best of some spans of time. It is its own time, and others who need the
/// machine meanwhile can only make it more, by what they take out of the caches.
fn share(pid: u32) -> f64 {
    let share = |_| {
        let (before, begun) = (cpu_seconds(pid), Instant::now());
        thread::sleep(Duration::from_secs(2));
        (cpu_seconds(pid) - before) / begun.elapsed().as_secs_f64()
    };
    (0..4).map(share).fold(f64::INFINITY, f64::min)
}

#[test]
fn a_thousand_quiet_files_are_cheap() {
    let folder = folder();
    let logs = folder.path().join("logs");
    fs::create_dir(&logs).expect("a folder of ours");
    for number in 0..1_000 {
        append(&logs.join(format!("{number}.log")), "INFO there\n");
    }
    let out = folder.path().join("out");
    let mut command = follow();
    command.args(["--from", "start", "--state"]).arg(folder.path().join("state"));
    command.arg("-c").arg(copying(folder.path(), &out)).arg(&logs);
    let program = Program::start(&mut command);
    // All are followed, and read: what comes now is idleness.
    let read = || fs::read_to_string(&out).map_or(0, |text| text.lines().count());
    wait_until(|| read() == 1_000, || format!("{} lines", read()));
    thread::sleep(Duration::from_secs(2));
    let (share, memory) = (share(program.child.id()), program.private_kib());
    println!("{:.1} % of a core, {memory} KiB", 100.0 * share);
    assert!(share < SHARE, "{share}");
    assert!((1..128 << 10).contains(&memory), "{memory} KiB");
    finish(program);
}
