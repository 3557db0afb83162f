//! One process at a time: a lock on a file of the directory, which the system lets go when the process ends, however it
//! ends. The file holds the process's number, for those who meet the lock, and stays.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{Read, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::Path,
};

use rustix::fs::OFlags;
use serde::Serialize;

use super::error::StoreError;

/// The file that is locked.
pub(super) const NAME: &str = "lock";

/// Who has a directory now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Holder {
    /// Nobody.
    Nobody,
    /// A process, with its number where that is known.
    Process(Option<u32>),
    /// The system does not say.
    Unknown,
}

/// Takes the lock of `dir`, for as long as the file is open.
pub(super) fn take(dir: &Path) -> Result<File, StoreError> {
    let path = dir.join(NAME);
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(0o600);
    let file = options.custom_flags(OFlags::NOFOLLOW.bits() as i32).open(&path);
    let mut file = file.map_err(|error| StoreError::io("open", &path, error))?;
    match file.try_lock() {
        Ok(()) => {
            // Advisory: a full disk is no reason not to start.
            let _ = file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id()));
            Ok(file)
        }
        Err(TryLockError::WouldBlock) => Err(StoreError::InUse { dir: dir.to_owned(), process: written(dir) }),
        Err(TryLockError::Error(error)) => Err(StoreError::io("lock", &path, error)),
    }
}

/// Who holds the lock of `dir`, found out without touching it: whoever starts just now must not meet us there.
pub(super) fn holder(dir: &Path) -> Holder {
    let Ok(metadata) = fs::metadata(dir.join(NAME)) else { return Holder::Nobody };
    let Ok(locks) = fs::read_to_string("/proc/locks") else { return Holder::Unknown };
    let process = written(dir);
    match locks.lines().any(|line| is_about(line, metadata.dev(), metadata.ino(), process)) {
        true => Holder::Process(process),
        false => Holder::Nobody,
    }
}

/// Whether a line of /proc/locks (`1: FLOCK  ADVISORY  WRITE 720 fe:00:1234 0 EOF`) is about this file. Some file
/// systems tell another device there than elsewhere; then the process decides.
fn is_about(line: &str, device: u64, inode: u64, process: Option<u32>) -> bool {
    let words: Vec<&str> = line.split_ascii_whitespace().collect();
    let [_, "FLOCK", _, _, holder, file, ..] = words[..] else { return false };
    let (major, minor) = (rustix::fs::major(device), rustix::fs::minor(device));
    let is_process = process.is_some_and(|process| holder == process.to_string());
    file == format!("{major:02x}:{minor:02x}:{inode}") || is_process && file.ends_with(&format!(":{inode}"))
}

/// The process that the file names.
fn written(dir: &Path) -> Option<u32> {
    let mut text = String::new();
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits() as i32;
    let file = OpenOptions::new().read(true).custom_flags(flags).open(dir.join(NAME)).ok()?;
    file.take(16).read_to_string(&mut text).ok()?;
    text.trim_end().parse().ok()
}
