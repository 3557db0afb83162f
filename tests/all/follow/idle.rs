//! A thousand files that nobody writes to cost next to nothing.

use std::{fs, thread, time::Duration};

use super::{append, finish};
use crate::program::{Program, folder, follow, private_kib};

/// Seconds of processor time that a process has used.
fn cpu_seconds(pid: u32) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).expect("it lives");
    let fields: Vec<&str> = stat.rsplit(')').next().expect("a name").split_whitespace().collect();
    let ticks: f64 = [11, 12].iter().map(|&field| fields[field].parse::<f64>().expect("a number")).sum();
    ticks / rustix::param::clock_ticks_per_second() as f64
}

#[test]
fn a_thousand_quiet_files_are_cheap() {
    let folder = folder();
    let logs = folder.path().join("logs");
    fs::create_dir(&logs).expect("a folder of ours");
    for number in 0..1_000 {
        append(&logs.join(format!("{number}.log")), "INFO there\n");
    }
    let mut command = follow();
    let program = Program::start(command.arg("--state").arg(folder.path().join("state")).arg(&logs));
    thread::sleep(Duration::from_secs(2));
    let (before, memory) = (cpu_seconds(program.child.id()), private_kib(program.child.id()));
    thread::sleep(Duration::from_secs(5));
    let share = (cpu_seconds(program.child.id()) - before) / 5.0;
    println!("{:.1} % of a core, {memory} KiB", 100.0 * share);
    // What others do on this machine is not in it, but a debug build takes more.
    assert!(share < if cfg!(debug_assertions) { 0.06 } else { 0.03 }, "{share}");
    assert!(memory < 128 << 10, "{memory} KiB");
    finish(program);
}
