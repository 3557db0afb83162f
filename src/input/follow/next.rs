//! Giving out: what is due now, one block of one file, then of the next one.

use std::{fs::Metadata, io, sync::Arc, time::Instant};

use super::{
    FollowBlock, Follower, Key, PlaceChange,
    rotation::Ending,
    tail::Turn,
    tracked::{Seen, Trouble, later},
};
use crate::{input::describe, limits, metrics::SourceNews, place::KnownFile};

/// Turns without a block after which whoever drives may do something else: a record of gigabytes takes many.
const TURNS: usize = 256;

/// What came of one turn of a file.
#[expect(clippy::large_enum_variant, reason = "one at a time, and nothing beside what reading a block costs")]
enum Outcome {
    Block(FollowBlock),
    /// Nothing, and it need not be in line.
    Rest,
    /// Nothing yet, but there is more to look at.
    Again,
}

impl Follower {
    /// What is due now, read into `buffer`; `None`: nothing.
    pub(crate) fn next(&mut self, now: Instant, mut buffer: Vec<u8>) -> Option<FollowBlock> {
        self.look(now);
        // Standard input is one among many: after a block of it a file has its turn.
        self.is_turn_of_standard = !self.is_turn_of_standard;
        let block = if self.is_turn_of_standard {
            self.next_of_standard(&mut buffer).or_else(|| self.next_of_files(&mut buffer))
        } else {
            self.next_of_files(&mut buffer).or_else(|| self.next_of_standard(&mut buffer))
        };
        block.or_else(|| self.changes_alone(buffer)).map(|block| self.numbered(block))
    }

    /// `block` with its number, by which it is acknowledged.
    pub(super) fn numbered(&mut self, mut block: FollowBlock) -> FollowBlock {
        block.number = self.given;
        self.given += 1;
        block
    }

    fn next_of_files(&mut self, buffer: &mut Vec<u8>) -> Option<FollowBlock> {
        for _ in 0..TURNS {
            let key = self.queue.pop(self.now)?;
            match self.turn(key, buffer) {
                Outcome::Rest => {}
                Outcome::Again => self.queue.push(key),
                Outcome::Block(block) => {
                    self.queue.push(key);
                    return Some(block);
                }
            }
        }
        None
    }

    /// A block without bytes, where changes must be told and no bytes are due.
    fn changes_alone(&mut self, mut buffer: Vec<u8>) -> Option<FollowBlock> {
        if self.changes.is_empty() {
            return None;
        }
        buffer.clear();
        let changes = std::mem::take(&mut self.changes);
        let (source, path) = self.sources.any();
        Some(FollowBlock {
            number: 0,
            source,
            path,
            offset: 0,
            bytes: buffer,
            cut_bytes: 0,
            rest: None,
            is_open: false,
            mark: None,
            changes,
        })
    }

    fn turn(&mut self, key: Key, buffer: &mut Vec<u8>) -> Outcome {
        if self.waits_for_another(key) {
            return Outcome::Rest;
        }
        let metadata = match self.measure(key) {
            None => return Outcome::Rest,
            Some(Err(error)) => {
                self.cannot_read(key, &error);
                return Outcome::Rest;
            }
            Some(Ok(metadata)) => metadata,
        };
        if self.is_left_to_grow(key) {
            return Outcome::Rest;
        }
        let (caps, now) = (self.caps, self.now);
        let Some(tracked) = self.files.get_mut(&key) else { return Outcome::Rest };
        let Some(file) = tracked.file.as_ref() else { return Outcome::Rest };
        let size = metadata.len();
        let ends = tracked.ends || is_over_due(tracked, self.options.partial_after, now);
        let scanned = tracked.tail.scanned;
        let turn = tracked.tail.turn(file, size, caps, ends, buffer);
        if tracked.tail.scanned != scanned {
            tracked.partial_since = None;
        }
        if let Some(lost_at_least) = turn.as_ref().ok().and_then(|turn| tracked.note_size(size, turn)) {
            self.sources.news.push(SourceNews::Truncated { source: tracked.source, lost_at_least });
        }
        match turn {
            Ok(turn) => {
                self.can_read(key);
                self.after_turn(key, turn, buffer)
            }
            Err(error) => {
                self.cannot_read(key, &error);
                Outcome::Rest
            }
        }
    }

    /// Looks how long a file is.
    fn measure(&mut self, key: Key) -> Option<io::Result<Metadata>> {
        let tracked = self.files.get_mut(&key)?;
        let metadata = tracked.file.as_ref()?.metadata();
        if let Ok(metadata) = &metadata {
            tracked.note(Seen::of(metadata), self.now);
            self.restless.insert(tracked.source);
        }
        Some(metadata)
    }

    fn after_turn(&mut self, key: Key, turn: Turn, buffer: &mut Vec<u8>) -> Outcome {
        match turn {
            Turn::Block { offset, cut_bytes, is_open } => self.given(key, offset, cut_bytes, is_open, buffer),
            Turn::Skipped(range) => {
                self.skipped(key, range);
                Outcome::Again
            }
            Turn::Restarted { reached } => {
                self.restarted(key, reached);
                Outcome::Again
            }
            Turn::More => Outcome::Again,
            Turn::Quiet => self.quiet(key),
            Turn::Refused(encoding) => self.refused(key, encoding),
        }
    }

    fn given(&mut self, key: Key, offset: u64, cut_bytes: u64, is_open: bool, buffer: &mut Vec<u8>) -> Outcome {
        let now = self.now;
        let Some(tracked) = self.files.get_mut(&key) else { return Outcome::Rest };
        tracked.last_block = Some(now);
        tracked.owes_until = self.given + 1;
        tracked.partial_since = None;
        tracked.is_drained = false;
        let (source, mark) = (tracked.source, Some(tracked.mark()));
        let file = tracked.file.as_ref().filter(|_| cut_bytes > 0);
        let rest = file.and_then(|file| file.try_clone().ok()).map(Arc::new);
        if std::mem::take(&mut tracked.is_refused) {
            self.sources.restore(source);
        }
        let changes = std::mem::take(&mut self.changes);
        let (path, bytes) = (self.sources.path(source), std::mem::take(buffer));
        Outcome::Block(FollowBlock { number: 0, source, path, offset, bytes, cut_bytes, rest, is_open, mark, changes })
    }

    fn skipped(&mut self, key: Key, range: std::ops::Range<u64>) {
        let Some(tracked) = self.files.get_mut(&key) else { return };
        let segment = std::mem::replace(&mut tracked.segment, range.end)..range.start;
        self.sources.segment(tracked.source, segment);
        let bytes = range.end - range.start;
        self.sources.news.push(SourceNews::Skipped { source: tracked.source, bytes });
    }

    /// The file begins anew, and was given out until `reached`.
    fn restarted(&mut self, key: Key, reached: u64) {
        let Some(tracked) = self.files.get_mut(&key) else { return };
        let segment = std::mem::replace(&mut tracked.segment, 0)..reached;
        self.sources.segment(tracked.source, segment);
        // What was seen is known. What came between the last look and the truncation was seen by nobody, and no time or
        // size of the file tells of it any more: it may be that nothing did, and that cannot be proven.
        let lost_at_least = tracked.peak.saturating_sub(reached);
        self.sources.news.push(SourceNews::Truncated { source: tracked.source, lost_at_least });
        tracked.peak = 0;
        tracked.origin = tracked.mark();
        tracked.forget_arrivals();
        self.place(key);
    }

    /// Tells the place of a file.
    pub(super) fn place(&mut self, key: Key) {
        if let Some(tracked) = self.files.get(&key) {
            let known = KnownFile { path: tracked.path.clone(), mark: tracked.mark() };
            self.changes.push(PlaceChange::Placed(known));
        }
    }

    /// The file was read as far as it goes.
    fn quiet(&mut self, key: Key) -> Outcome {
        let now = self.now;
        let Some(tracked) = self.files.get_mut(&key) else { return Outcome::Rest };
        if tracked.tail.has_partial() {
            tracked.partial_since.get_or_insert(now);
        } else {
            tracked.partial_since = None;
        }
        tracked.is_drained = !tracked.tail.has_partial();
        if let Some(after) = self.options.partial_after.filter(|_| tracked.tail.has_partial()) {
            let due = tracked.partial_since.map_or(now, |since| later(since, after));
            tracked.next_look = tracked.next_look.min(due);
            self.next_look = self.next_look.min(due);
        }
        let (ends, is_drained) = (tracked.ends, tracked.is_drained);
        if is_drained {
            self.release_successors(key);
        }
        if ends {
            self.finish(key, Ending::Quiet);
        }
        Outcome::Rest
    }

    fn refused(&mut self, key: Key, encoding: &str) -> Outcome {
        let Some(tracked) = self.files.get_mut(&key) else { return Outcome::Rest };
        tracked.is_refused = true;
        tracked.is_drained = true;
        let message = format!(
            "text in {encoding}, whose lines do not end in a single byte: it is not followed; have it written in UTF-8, \
             or convert it: tail -c +1 -F {} | iconv -f {encoding} -t UTF-8 | logweir follow -",
            tracked.path.display()
        );
        let ends = tracked.ends;
        self.sources.fail(tracked.source, message);
        self.release_successors(key);
        if ends {
            self.finish(key, Ending::Quiet);
        }
        Outcome::Rest
    }

    /// Closes a file that cannot be read; it is opened again later.
    pub(super) fn cannot_read(&mut self, key: Key, error: &io::Error) {
        let now = self.now;
        let Some(tracked) = self.files.get_mut(&key) else { return };
        tracked.file = None;
        let trouble = Trouble::next(tracked.trouble, now);
        tracked.trouble = Some(trouble);
        tracked.next_look = trouble.retry_at;
        self.next_look = self.next_look.min(trouble.retry_at);
        self.sources.fail(tracked.source, format!("cannot be read: {}; it is tried again", describe(error)));
        self.release_successors(key);
    }

    /// A file was read; it may have been in trouble.
    fn can_read(&mut self, key: Key) {
        let Some(tracked) = self.files.get_mut(&key) else { return };
        if tracked.trouble.take().is_some() {
            self.sources.restore(tracked.source);
        }
    }

    /// True while an older file of the same source is not read to its end.
    fn waits_for_another(&mut self, key: Key) -> bool {
        let Some(before) = self.files.get(&key).and_then(|tracked| tracked.after) else { return false };
        let waits = self.files.get(&before).is_some_and(|before| !before.is_drained && before.trouble.is_none());
        if !waits && let Some(tracked) = self.files.get_mut(&key) {
            tracked.after = None;
        }
        waits
    }

    /// The file `key` needs not be waited for any more.
    pub(super) fn release_successors(&mut self, key: Key) {
        let Some(next) = self.files.get_mut(&key).and_then(|tracked| tracked.next.take()) else { return };
        if let Some(tracked) = self.files.get_mut(&next).filter(|tracked| tracked.after == Some(key)) {
            tracked.after = None;
            self.queue.push(next);
        }
    }

    /// True for a file that keeps growing, where its last block was given out a moment ago and little came since.
    fn is_left_to_grow(&mut self, key: Key) -> bool {
        let Some(tracked) = self.files.get(&key) else { return true };
        let size = tracked.seen.size;
        let little = size > tracked.tail.scanned && size - tracked.tail.scanned < limits::BATCH_BYTES;
        let due = tracked.last_block.map_or(self.now, |last| later(last, limits::BATCH_TIME));
        let waits = little && due > self.now && !self.options.until_eof;
        if waits {
            self.queue.push_later(due, key);
        }
        waits
    }

    /// Says how far every source is of which something was seen since.
    pub(super) fn tell_progress(&mut self) {
        for source in std::mem::take(&mut self.restless) {
            let (mut bytes, mut since) = (0, None);
            for key in self.sources.files(source) {
                let Some(tracked) = self.files.get_mut(key) else { continue };
                bytes += tracked.bytes_behind();
                since = since.into_iter().chain(tracked.behind_since()).min();
            }
            let Some(tracked) = self.sources.last(source).and_then(|key| self.files.get_mut(&key)) else { continue };
            let read = tracked.tail.offset;
            let told = (read, read + bytes, since);
            if tracked.told != Some(told) {
                tracked.told = Some(told);
                self.sources.news.push(SourceNews::Reached { source, read, size: read + bytes, behind_since: since });
            }
        }
    }
}

/// True when the beginning of a record has waited long enough for its end.
fn is_over_due(tracked: &super::Tracked, after: Option<std::time::Duration>, now: Instant) -> bool {
    let waited = tracked.partial_since.map(|since| now.saturating_duration_since(since));
    after.zip(waited).is_some_and(|(after, waited)| waited >= after)
}
