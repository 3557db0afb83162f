//! The two files of a directory that hold checkpoints, and those that are put aside.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use jiff::Timestamp;
use rustix::{fs::OFlags, io::Errno};

use super::{
    error::StoreError,
    generation::{self, Generation, Unbelievable},
};
use crate::limits;

/// The two files, which are written in turn.
pub(super) const SLOTS: [&str; 2] = ["checkpoint-a", "checkpoint-b"];
/// What follows a slot's name while its file is written.
const TEMPORARY: &str = ".new-";
/// What follows it when the file was put aside.
const ASIDE: [&str; 2] = [".bad-", ".old-"];

/// What stands in a slot.
#[derive(Debug)]
pub(super) enum Slot {
    /// Nothing.
    Free,
    /// A checkpoint.
    Good(Generation),
    /// Something else.
    Bad(Unbelievable),
}

/// Why a file is put aside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Why {
    /// It is not believed.
    Bad,
    /// It is to be forgotten.
    Forgotten,
}

/// Reads a slot. What may be better next time, or for somebody else, is an error; what is wrong with the file is not.
pub(super) fn read(path: &Path) -> io::Result<Slot> {
    match bytes_of(path) {
        Ok(Ok(bytes)) => Ok(generation::decode(&bytes).map_or_else(Slot::Bad, Slot::Good)),
        Ok(Err(why)) => Ok(Slot::Bad(why)),
        Err(error) => match Errno::from_io_error(&error) {
            Some(Errno::NOENT) => Ok(Slot::Free),
            // A link (which is not followed), a socket.
            Some(Errno::LOOP | Errno::NXIO) => Ok(Slot::Bad(Unbelievable::Kind)),
            Some(Errno::IO) => Ok(Slot::Bad(Unbelievable::Disk(crate::input::describe(&error)))),
            _ => Err(error),
        },
    }
}

fn bytes_of(path: &Path) -> io::Result<Result<Vec<u8>, Unbelievable>> {
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY).bits() as i32;
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Ok(Err(Unbelievable::Kind));
    }
    if metadata.len() > limits::CHECKPOINT_BYTES {
        return Ok(Err(Unbelievable::Size(metadata.len())));
    }
    let mut bytes = Vec::with_capacity(metadata.len() as usize);
    // Whoever writes to it meanwhile does not make it endless.
    file.take(limits::CHECKPOINT_BYTES).read_to_end(&mut bytes)?;
    Ok(Ok(bytes))
}

/// The name under which a slot's next file is written.
pub(super) fn temporary(slot: usize, attempt: u64) -> String {
    format!("{}{TEMPORARY}{attempt}", SLOTS[slot])
}

/// Whether a file was begun and never finished.
pub(super) fn is_temporary(name: &str) -> bool {
    SLOTS.iter().any(|slot| name.strip_prefix(slot).is_some_and(|rest| rest.starts_with(TEMPORARY)))
}

/// Whether a file was put aside.
pub(super) fn is_aside(name: &str) -> bool {
    let rest = SLOTS.iter().find_map(|slot| name.strip_prefix(slot));
    rest.is_some_and(|rest| ASIDE.iter().any(|aside| rest.starts_with(aside)))
}

/// The names in `dir` that are text, in order. All of ours are.
pub(super) fn names(dir: &Path) -> io::Result<Vec<String>> {
    let entries = fs::read_dir(dir)?.collect::<io::Result<Vec<_>>>()?;
    let mut names: Vec<String> = entries.into_iter().filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.sort();
    Ok(names)
}

/// Renames a slot's file to a name that is not taken, and gives that.
pub(super) fn put_aside(dir: &Path, slot: usize, why: Why) -> Result<PathBuf, StoreError> {
    let path = dir.join(SLOTS[slot]);
    let kind = ASIDE[usize::from(why == Why::Forgotten)];
    let time = Timestamp::now().strftime("%Y%m%dT%H%M%SZ");
    let free = (1..).find_map(|number: u32| {
        let again = if number > 1 { format!("-{number}") } else { String::new() };
        let aside = dir.join(format!("{}{kind}{time}{again}", SLOTS[slot]));
        // Nobody else makes files here: we have the lock.
        aside.symlink_metadata().is_err().then_some(aside)
    });
    let aside = free.expect("numbers do not run out");
    fs::rename(&path, &aside).map_err(|error| StoreError::io("put aside", &path, error))?;
    Ok(aside)
}

/// Removes the oldest of the files that were put aside, beyond the number that may stay; never one of `recent`.
pub(super) fn thin_out(dir: &Path, recent: &[PathBuf]) -> io::Result<()> {
    let mut old: Vec<PathBuf> = names(dir)?.iter().filter(|name| is_aside(name)).map(|name| dir.join(name)).collect();
    let excess = old.len().saturating_sub(limits::CHECKPOINTS_ASIDE);
    old.retain(|path| !recent.contains(path));
    old.sort_by_key(|path| when(path));
    old.iter().take(excess).try_for_each(fs::remove_file)
}

/// When a file was put aside, as its name says.
fn when(path: &Path) -> Option<String> {
    Some(path.extension()?.to_str()?.split_once('-')?.1.to_owned())
}

/// Makes renames in `dir` last.
pub(super) fn sync(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}
