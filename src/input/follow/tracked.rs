//! A file that is open, and what is known of it beside the place in it.

use std::{
    collections::VecDeque,
    fs::{File, Metadata},
    os::unix::fs::MetadataExt,
    path::PathBuf,
    time::{Duration, Instant},
};

use super::{
    Key,
    tail::{Tail, Turn},
};
use crate::{
    limits,
    place::{Age, Mark},
    record::SourceId,
};

/// How many observations of a growing size are kept.
const ARRIVALS: usize = 32;

/// A file that is read.
#[derive(Debug)]
pub(super) struct Tracked {
    pub(super) source: SourceId,
    /// Where it stands, as far as is known.
    pub(super) path: PathBuf,
    /// `None` while it cannot be read.
    pub(super) file: Option<File>,
    pub(super) tail: Tail,
    /// Where reading began.
    pub(super) origin: Mark,
    /// Where the stretch began that is given out.
    pub(super) segment: u64,
    pub(super) seen: Seen,
    /// When it was made, and when it was last written while it stood at its path.
    pub(super) age: Age,
    /// How far it was seen to reach since it was known to be what it is.
    pub(super) peak: u64,
    /// Its path is one of those that are followed.
    pub(super) is_wanted: bool,
    pub(super) is_removed: bool,
    /// It was renamed or removed at some time: another one may be what is written at its path now.
    pub(super) has_left: bool,
    /// It was renamed or removed, and this is when that was seen, or when it last grew after that.
    pub(super) leaving: Option<Instant>,
    /// The file that has to be read first.
    pub(super) after: Option<Key>,
    /// The one that may wait for it.
    pub(super) next: Option<Key>,
    /// No newline will come for its last record.
    pub(super) ends: bool,
    /// It is read to its end.
    pub(super) is_drained: bool,
    pub(super) next_look: Instant,
    pub(super) grew: Option<Instant>,
    pub(super) last_block: Option<Instant>,
    /// All of it that was given out is acknowledged when all blocks before this number are.
    pub(super) owes_until: u64,
    /// Since when the beginning of a record waits for its end.
    pub(super) partial_since: Option<Instant>,
    /// inotify has told of it.
    pub(super) has_events: bool,
    /// It is text in another encoding, and left alone as long as it is.
    pub(super) is_refused: bool,
    pub(super) trouble: Option<Trouble>,
    /// Sizes that were seen and when, of which the last byte was not given out yet.
    arrivals: VecDeque<(u64, Instant)>,
    /// What was last told of it.
    pub(super) told: Option<(u64, u64, Option<Instant>)>,
}

/// What a look at a file shows that changes when it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Seen {
    pub(super) size: u64,
    modified: i64,
    pub(super) disk_bytes: u64,
    /// No name leads to it any more.
    is_removed: bool,
}

impl Seen {
    pub(super) fn of(metadata: &Metadata) -> Self {
        let Age { modified, size, .. } = Age::of(metadata);
        let disk_bytes = metadata.blocks().saturating_mul(512);
        Self { size, modified, disk_bytes, is_removed: metadata.nlink() == 0 }
    }
}

/// A file that cannot be read now.
#[derive(Debug, Clone, Copy)]
pub(super) struct Trouble {
    pub(super) retry_at: Instant,
    backoff: Duration,
}

impl Trouble {
    /// The first attempt, or the one after `before`.
    pub(super) fn next(before: Option<Self>, now: Instant) -> Self {
        let backoff = before.map_or(limits::LOOK_INTERVAL, |before| before.backoff.saturating_mul(2));
        let backoff = backoff.min(limits::REOPEN_TIME_MAX);
        Self { retry_at: later(now, backoff), backoff }
    }
}

impl Tracked {
    pub(super) fn new(source: SourceId, path: PathBuf, file: File, tail: Tail, now: Instant) -> Self {
        let metadata = file.metadata();
        let age = metadata.as_ref().map(Age::of).unwrap_or_default();
        Self {
            source,
            path,
            origin: Mark { age: Some(age), ..tail.mark() },
            segment: tail.offset,
            seen: metadata.map_or_else(|_| Seen::default(), |metadata| Seen::of(&metadata)),
            age,
            peak: tail.offset,
            file: Some(file),
            tail,
            is_wanted: true,
            is_removed: false,
            has_left: false,
            leaving: None,
            after: None,
            next: None,
            ends: false,
            is_drained: false,
            next_look: later(now, limits::LOOK_INTERVAL),
            grew: None,
            last_block: None,
            owes_until: 0,
            partial_since: None,
            has_events: false,
            is_refused: false,
            trouble: None,
            arrivals: VecDeque::new(),
            told: None,
        }
    }

    pub(super) fn identity(&self) -> (u64, u64) {
        (self.tail.id.device, self.tail.id.inode)
    }

    /// The place in it, with all that proves it.
    pub(super) fn mark(&self) -> Mark {
        Mark { age: Some(self.age), ..self.tail.mark() }
    }

    /// When to look at it after `now`.
    pub(super) fn look_again(&self, now: Instant) -> Instant {
        let is_busy = self.grew.is_some_and(|grew| now.saturating_duration_since(grew) < limits::BUSY_TIME);
        let is_polled = self.leaving.is_some() || (is_busy && !self.has_events);
        let interval = if is_polled { limits::BUSY_LOOK_INTERVAL } else { limits::LOOK_INTERVAL };
        let due = later(now, interval);
        self.trouble.map_or(due, |trouble| trouble.retry_at)
    }

    /// Notes what was seen; returns true if it changed.
    pub(super) fn note(&mut self, seen: Seen, now: Instant) -> bool {
        if seen.size > self.tail.offset {
            self.note_arrival(seen.size, now);
        }
        self.is_removed |= seen.is_removed;
        let before = std::mem::replace(&mut self.seen, seen);
        self.age.size = seen.size;
        if !self.has_left {
            self.age.modified = seen.modified;
        }
        let has_changed = (before.size, before.modified) != (seen.size, seen.modified);
        if has_changed {
            self.grew = Some(now);
            self.partial_since = None;
        }
        has_changed
    }

    /// Notes how long it was at a turn. Returns how much of it is gone, if it became shorter, and all that was read stands.
    pub(super) fn note_size(&mut self, size: u64, turn: &Turn) -> Option<u64> {
        let peak = match turn {
            Turn::Restarted { .. } => return None,
            // Behind the last byte there may be room that was made in advance: nothing is lost with that.
            Turn::Quiet => self.tail.scanned,
            _ => self.peak.max(size),
        };
        let before = std::mem::replace(&mut self.peak, peak.min(size));
        before.checked_sub(size).filter(|&lost| lost > 0)
    }

    fn note_arrival(&mut self, size: u64, now: Instant) {
        let is_full = self.arrivals.len() == ARRIVALS;
        match self.arrivals.back_mut() {
            Some((last, _)) if *last == size => {}
            Some((last, _)) if is_full => *last = size,
            _ => self.arrivals.push_back((size, now)),
        }
    }

    /// Since when the oldest byte waits that was not given out.
    pub(super) fn behind_since(&mut self) -> Option<Instant> {
        let offset = self.tail.offset;
        while self.arrivals.front().is_some_and(|&(size, _)| size <= offset) {
            self.arrivals.pop_front();
        }
        self.arrivals.front().map(|&(_, at)| at)
    }

    /// The beginning of a record was read, and its end may come.
    pub(super) fn waits_for_newline(&self) -> bool {
        self.tail.has_partial() && self.file.is_some() && !self.is_refused
    }

    /// Bytes that are known to be there and were not given out.
    pub(super) fn bytes_behind(&self) -> u64 {
        self.seen.size.saturating_sub(self.tail.offset)
    }

    /// Everything that was measured of it is worth nothing any more.
    pub(super) fn forget_arrivals(&mut self) {
        self.arrivals.clear();
        self.partial_since = None;
        self.is_drained = false;
    }
}

/// `time` after `now`, or `now` if there is no such time.
pub(super) fn later(now: Instant, time: Duration) -> Instant {
    now.checked_add(time).unwrap_or(now)
}
