//! What a measurement ran on.

use std::fs;

use super::result::Machine;

/// This machine.
pub(super) fn this() -> Machine {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let machine = std::env::consts::ARCH;
    Machine {
        cpu: model.map_or_else(|| format!("{machine} processor"), |(_, model)| model.trim().to_owned()),
        cores: std::thread::available_parallelism().map_or(1, usize::from),
        system: format!("Linux {} {machine}", release.trim()),
    }
}
