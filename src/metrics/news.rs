//! What a follower tells about its sources. Advisory: counts of records come from the workers.

use std::time::Instant;

use crate::{record::SourceId, snapshot::FaultKind};

/// Something happened to a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum SourceNews {
    /// There is a new one. Numbers count up from 0 without gaps, and stay.
    Added { source: SourceId, path: String },
    /// Its first file is read: device and inode. Until then there was none.
    Opened { source: SourceId, identity: (u64, u64) },
    /// How far it is read, how long it is, and since when its oldest unread byte waits.
    Reached { source: SourceId, read: u64, size: u64, behind_since: Option<Instant> },
    /// Its file was renamed or removed, and another one stands in its place.
    Rotated { source: SourceId, identity: (u64, u64) },
    /// Its file became shorter, or was written anew. So many bytes were seen to be there, and will never be read; nobody
    /// can know how many more were.
    Truncated { source: SourceId, lost_at_least: u64 },
    /// A hole was passed over, or NUL bytes behind one.
    Skipped { source: SourceId, bytes: u64 },
    /// Bytes that were there and will never be read; `None` where nobody knows how many.
    Lost { source: SourceId, bytes: Option<u64> },
    /// All of one file from `start` to `end` was handed over, without a gap.
    Segment { source: SourceId, start: u64, end: u64 },
    /// It cannot be read now.
    Failed { source: SourceId, kind: FaultKind, message: String },
    /// Nothing is there that could be read, which is no fault: it is waited for.
    Absent { source: SourceId, message: String },
    /// It does not fail any more, nor is it absent.
    Restored { source: SourceId, how: Restored },
    /// Its file is gone, and no other has come yet.
    Gone { source: SourceId },
    /// Bytes of files that were removed and are still open, all sources together.
    Held { bytes: u64 },
    /// What follows as a whole is limited from now on (too many files, no inotify), how, and what to do. Said once.
    Limited { message: String },
}

/// How a source came out of its trouble.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Restored {
    /// It failed, and can be read again.
    Readable,
    /// It was absent, and is there.
    There,
    /// It failed, and is not there any more; nobody asked for it by its name.
    Away,
}
