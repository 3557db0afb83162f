//! Standard input: a stream that is read when there is something, and that keeps what it has read of a record.
//!
//! It cannot be read again. So what was given out is kept until it is acknowledged, and given out again after a rewind;
//! where too much waits for that, nothing more is read, and whoever writes waits.

use std::{
    collections::VecDeque,
    fs::File,
    io::{self, Read},
    ops::Range,
    os::fd::{AsFd, BorrowedFd},
    path::Path,
    time::Instant,
};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::{FollowBlock, Follower, tail::Caps};
use crate::{input::describe, limits, record::SourceId};

/// Bytes that are asked for at once.
const READ_BYTES: usize = 64 << 10;

/// A stream.
#[derive(Debug)]
pub(super) struct Standard {
    source: SourceId,
    file: File,
    pub(super) caps: Caps,
    /// Where `pending` stands in the stream.
    offset: u64,
    /// Where the stretch began that is given out, and how far it goes.
    segment: u64,
    reached: u64,
    /// What was cut off and is not acknowledged, in order.
    kept: VecDeque<Kept>,
    kept_bytes: usize,
    pub(super) kept_bytes_max: usize,
    /// How many of `kept` were given out since the last rewind.
    given: usize,
    /// What was read and not given out; at most a record and one read more.
    pending: Vec<u8>,
    /// No newline stands before it in `pending`.
    scanned: usize,
    /// Bytes of the record in `pending` that were left out because it is over the limit.
    cut_bytes: u64,
    is_over: bool,
    partial_since: Option<Instant>,
}

/// A block that may have to be given out again.
#[derive(Debug)]
struct Kept {
    /// The number under which it was given out last.
    number: u64,
    offset: u64,
    bytes: Vec<u8>,
    cut_bytes: u64,
    is_open: bool,
}

impl Kept {
    /// What it takes: itself too, as lines may come one by one.
    fn cost(&self) -> usize {
        self.bytes.len() + size_of::<Self>()
    }
}

/// What stands at the head of the stream.
struct Piece {
    bytes: usize,
    cut_bytes: u64,
    is_open: bool,
}

impl Standard {
    pub(super) fn new(source: SourceId, file: File, caps: Caps) -> Self {
        Self {
            source,
            file,
            caps,
            offset: 0,
            segment: 0,
            reached: 0,
            kept: VecDeque::new(),
            kept_bytes: 0,
            kept_bytes_max: limits::STREAM_KEPT_BYTES,
            given: 0,
            pending: Vec::new(),
            scanned: 0,
            cut_bytes: 0,
            is_over: false,
            partial_since: None,
        }
    }

    /// It has ended, and all of it was given out.
    pub(super) fn is_over(&self) -> bool {
        self.is_over && self.pending.is_empty() && !self.has_again()
    }

    /// Something was taken back by a rewind, and is to be given out again.
    fn has_again(&self) -> bool {
        self.given < self.kept.len()
    }

    pub(super) fn is_owing(&self) -> bool {
        !self.kept.is_empty()
    }

    fn is_full(&self) -> bool {
        self.kept_bytes >= self.kept_bytes_max
    }

    /// Every block before the one of this number is delivered for good.
    pub(super) fn acknowledge(&mut self, number: u64) {
        while self.given > 0
            && let Some(kept) = self.kept.pop_front_if(|kept| kept.number < number)
        {
            self.given -= 1;
            self.kept_bytes -= kept.cost();
        }
    }

    /// Everything that is not acknowledged is to be given out again.
    pub(super) fn rewind(&mut self) {
        self.given = 0;
        self.reached = self.kept.front().map_or(self.offset, |kept| kept.offset);
        self.segment = self.reached;
    }

    /// What to wait for, unless it has ended, or has to wait itself.
    pub(super) fn waits_for(&self) -> Option<BorrowedFd<'_>> {
        (!self.is_over && !self.is_full()).then(|| self.file.as_fd())
    }

    pub(super) fn end_segment(&mut self) -> (SourceId, Range<u64>) {
        (self.source, std::mem::replace(&mut self.segment, self.reached)..self.reached)
    }

    /// Reads what is there. `false`: nothing is.
    fn fill(&mut self) -> io::Result<bool> {
        if self.is_over || !is_readable(&self.file) {
            return Ok(false);
        }
        let before = self.pending.len();
        self.pending.resize(before + READ_BYTES, 0);
        let read = match self.file.read(&mut self.pending[before..]) {
            Err(error) if matches!(error.kind(), io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock) => {
                self.pending.truncate(before);
                return Ok(false);
            }
            result => result,
        };
        self.pending.truncate(before + *read.as_ref().unwrap_or(&0));
        self.is_over = !matches!(read, Ok(read) if read > 0);
        read.map(|_| true)
    }

    /// What can be given out. `ends` says that a last record needs no newline.
    fn piece(&mut self, ends: bool) -> Option<Piece> {
        let max = self.caps.record_bytes_max;
        if self.cut_bytes == 0 {
            if let Some(last) = memchr::memrchr(b'\n', &self.pending[self.scanned..]) {
                return Some(self.whole(self.scanned + last + 1));
            }
            self.scanned = self.pending.len();
            if self.scanned <= max {
                let is_open = ends && self.scanned > 0;
                return is_open.then_some(Piece { bytes: self.scanned, cut_bytes: 0, is_open: true });
            }
        }
        // A record over the limit: its head stays, and the rest is passed over until its newline.
        let rest = max.min(self.pending.len());
        if let Some(newline) = memchr::memchr(b'\n', &self.pending[rest..]) {
            let cut_bytes = self.cut_bytes + newline as u64 + 1;
            self.pending.drain(rest..=rest + newline);
            return Some(Piece { bytes: rest, cut_bytes, is_open: false });
        }
        self.cut_bytes += (self.pending.len() - rest) as u64;
        self.pending.truncate(rest);
        ends.then_some(Piece { bytes: rest, cut_bytes: self.cut_bytes, is_open: true })
    }

    /// Whole records up to `end`, or the first one if that is over the limit.
    fn whole(&mut self, end: usize) -> Piece {
        let max = self.caps.record_bytes_max;
        let first = memchr::memchr(b'\n', &self.pending).unwrap_or(end);
        if first > max {
            self.pending.drain(max..=first);
            return Piece { bytes: max, cut_bytes: (first - max) as u64 + 1, is_open: false };
        }
        let most = end.min(self.caps.block_bytes.max(first + 1));
        let bytes = memchr::memrchr(b'\n', &self.pending[..most]).map_or(end, |last| last + 1);
        Piece { bytes, cut_bytes: 0, is_open: false }
    }

    /// Cuts `piece` off.
    fn keep(&mut self, Piece { bytes, cut_bytes, is_open }: Piece) {
        let bytes: Vec<u8> = self.pending.drain(..bytes).collect();
        self.scanned = 0;
        self.cut_bytes = 0;
        self.partial_since = None;
        let kept = Kept { number: 0, offset: self.offset, bytes, cut_bytes, is_open };
        self.offset += kept.bytes.len() as u64 + cut_bytes;
        self.kept_bytes += kept.cost();
        self.kept.push_back(kept);
    }

    /// The next block that was cut off and not given out, which gets this number.
    fn give(&mut self, number: u64, buffer: &mut Vec<u8>) -> Option<&Kept> {
        let kept = self.kept.get_mut(self.given)?;
        self.given += 1;
        kept.number = number;
        self.reached = kept.offset + kept.bytes.len() as u64 + kept.cut_bytes;
        buffer.clear();
        buffer.extend_from_slice(&kept.bytes);
        Some(kept)
    }
}

impl Follower {
    /// Opens standard input if it is asked for.
    pub(super) fn open_standard(&mut self) {
        let Some(path) = self.options.paths.iter().find(|path| path.as_os_str() == "-").cloned() else { return };
        match io::stdin().as_fd().try_clone_to_owned() {
            Ok(descriptor) => self.follow_stream(&path, File::from(descriptor)),
            Err(error) => {
                let source = self.sources.number(&path);
                self.sources.fail(source, describe(&error));
            }
        }
    }

    pub(super) fn follow_stream(&mut self, path: &Path, file: File) {
        let source = self.sources.number(path);
        self.standard = Some(Standard::new(source, file, self.caps));
    }

    /// What came by standard input.
    pub(super) fn next_of_standard(&mut self, buffer: &mut Vec<u8>) -> Option<FollowBlock> {
        let standard = self.standard.as_mut()?;
        if !standard.has_again() {
            let piece = if standard.is_full() { None } else { self.piece_of_standard() };
            self.standard.as_mut()?.keep(piece?);
        }
        self.give_of_standard(buffer)
    }

    /// What came by standard input before a session ends, without reading on: whole records, and the beginning of the next
    /// one where it `ends` for good.
    pub(crate) fn rest_of_standard(&mut self, mut buffer: Vec<u8>, ends: bool) -> Option<FollowBlock> {
        let standard = self.standard.as_mut()?;
        if !standard.has_again() {
            let piece = standard.piece(ends || standard.is_over)?;
            standard.keep(piece);
        }
        let block = self.give_of_standard(&mut buffer)?;
        Some(self.numbered(block))
    }

    fn piece_of_standard(&mut self) -> Option<Piece> {
        let now = self.now;
        let standard = self.standard.as_mut()?;
        if standard.pending.len() > standard.scanned
            && let Some(piece) = standard.piece(false)
        {
            return Some(piece);
        }
        let filled = standard.fill();
        let since = *standard.partial_since.get_or_insert(now);
        if matches!(filled, Ok(true)) {
            standard.partial_since = Some(now);
        }
        let waited = now.saturating_duration_since(since);
        let is_over_due =
            matches!(filled, Ok(false)) && self.options.partial_after.is_some_and(|after| waited >= after);
        let piece = standard.piece(standard.is_over || is_over_due);
        if let Err(error) = filled {
            self.sources.fail(standard.source, format!("cannot be read: {}", describe(&error)));
        }
        piece
    }

    fn give_of_standard(&mut self, buffer: &mut Vec<u8>) -> Option<FollowBlock> {
        let standard = self.standard.as_mut()?;
        let source = standard.source;
        let &Kept { number, offset, cut_bytes, is_open, .. } = standard.give(self.given, buffer)?;
        let (path, bytes, changes) =
            (self.sources.path(source), std::mem::take(buffer), std::mem::take(&mut self.changes));
        Some(FollowBlock { number, source, path, offset, bytes, cut_bytes, rest: None, is_open, mark: None, changes })
    }
}

fn is_readable(file: &File) -> bool {
    let mut fds = [PollFd::new(file, PollFlags::IN)];
    let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
    poll(&mut fds, Some(&at_once)).is_ok_and(|ready| ready > 0)
}
