//! Holes in files: what is left where a program goes on writing at its old place after somebody has truncated its file.

use std::{fs::File, ops::Range};

use rustix::fs::{SeekFrom, seek};

/// What of a file is there before the next hole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Hole {
    /// Between data.
    Inside(Range<u64>),
    /// From here to the end of the file: somebody has made room, and may yet write there.
    Last(u64),
}

/// The first hole that begins in `range`. `None` too where the file system knows no holes.
///
/// Moves the file's own position, which nobody here uses.
pub(super) fn first(file: &File, range: Range<u64>) -> Option<Hole> {
    let start = seek(file, SeekFrom::Hole(range.start)).ok()?;
    if start >= range.end {
        return None;
    }
    match seek(file, SeekFrom::Data(start)) {
        Ok(end) => Some(Hole::Inside(start..end)),
        Err(rustix::io::Errno::NXIO) => Some(Hole::Last(start)),
        Err(_) => None,
    }
}

/// How many NUL bytes `bytes` begins with.
pub(super) fn leading_nuls(bytes: &[u8]) -> usize {
    bytes.iter().position(|&byte| byte != 0).unwrap_or(bytes.len())
}

/// `bytes` without the NUL bytes at its end.
pub(super) fn without_trailing_nuls(bytes: &[u8]) -> &[u8] {
    &bytes[..bytes.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1)]
}
