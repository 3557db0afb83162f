//! One place in a growing file: what is read next, and whether the file is still the one that was read so far.
//!
//! Two numbers are kept and no bytes of records: all before `offset` was given out, and there is no newline between
//! `offset` and `scanned`. What stands at `offset` is read again when its newline has come, so that a line of any
//! length takes no memory while it is waited for. Every read begins a little before the place and compares what it
//! finds there with what it remembers: a file that was truncated and has grown again shows itself by that, not by its
//! size.

use std::{
    fs::File,
    io::{self, IoSliceMut},
    ops::Range,
};

use super::holes::{self, Hole};
use crate::{
    input::discover::Head,
    limits,
    place::{FileId, Mark, Print},
};

/// Bytes that are searched at once for the newline of a record that fills more than a block.
const SCAN_BYTES: usize = 256 << 10;
/// Bytes before `scanned` that are remembered.
const LEAD_BYTES: usize = 64;

/// How much is given out at once.
#[derive(Debug, Clone, Copy)]
pub(super) struct Caps {
    pub(super) block_bytes: usize,
    pub(super) record_bytes_max: usize,
}

/// What one turn came to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// The buffer holds the bytes of a block.
    Block { offset: u64, cut_bytes: u64, is_open: bool },
    /// These bytes were passed over: a hole, or NUL bytes behind one.
    Skipped(Range<u64>),
    /// It is another file than it was, or shorter: reading begins anew at 0. It was given out until `reached`.
    Restarted { reached: u64 },
    /// Nothing to give out yet, but there is more to look at.
    More,
    /// There is nothing before it grows.
    Quiet,
    /// Text in an encoding whose lines do not end in a single byte.
    Refused(&'static str),
}

/// A place in a file.
#[derive(Debug, Clone)]
pub(super) struct Tail {
    pub(super) id: FileId,
    /// How often it was begun anew.
    epoch: u32,
    /// All before it was given out.
    pub(super) offset: u64,
    /// There is no newline between `offset` and here.
    pub(super) scanned: u64,
    /// The first bytes of what was given out.
    head: Vec<u8>,
    /// The bytes just before `offset`.
    tail: Vec<u8>,
    /// The bytes just before `scanned`, where that is not `offset`.
    lead: Vec<u8>,
    /// NUL bytes at `offset` are no data: they stand behind a hole, or a truncation.
    passes_nuls: bool,
    /// What to pass over next.
    gap: Option<Range<u64>>,
}

impl Tail {
    /// At the beginning of a file.
    pub(super) fn new(id: FileId) -> Self {
        let (head, tail, lead) = (Vec::new(), Vec::new(), Vec::new());
        Self { id, epoch: 0, offset: 0, scanned: 0, head, tail, lead, passes_nuls: false, gap: None }
    }

    /// At the beginning of a file that is not what it was, and had been begun anew `epoch` times before.
    pub(super) fn begun_anew(id: FileId, epoch: u32) -> Self {
        let mut place = Self { epoch, ..Self::new(id) };
        place.restart();
        place
    }

    /// Somewhere in a file.
    pub(super) fn at(file: &File, id: FileId, offset: u64) -> io::Result<Self> {
        let mut place = Self::new(id);
        place.move_to(file, offset)?;
        Ok(place)
    }

    /// At `mark`, if the file is what it was when the mark was made.
    pub(super) fn proven(file: &File, id: FileId, mark: &Mark) -> io::Result<Option<Self>> {
        let is_same = (id.device, id.inode) == (mark.id.device, mark.id.inode)
            && (id.generation == mark.id.generation || id.generation.is_none() || mark.id.generation.is_none());
        let bounds = u64::from(mark.head.bytes) <= mark.offset && u64::from(mark.tail.bytes) <= mark.offset;
        if !is_same || !bounds || mark.head.bytes.max(mark.tail.bytes) as usize > limits::PRINT_BYTES {
            return Ok(None);
        }
        let place = Self { epoch: mark.epoch, ..Self::at(file, id, mark.offset)? };
        let is_there = file.metadata()?.len() >= mark.offset;
        let head = place.head.get(..mark.head.bytes as usize).map(Print::of);
        let tail = place.tail.len().checked_sub(mark.tail.bytes as usize).map(|from| Print::of(&place.tail[from..]));
        let is_proven = is_there && head == Some(mark.head) && tail == Some(mark.tail);
        Ok(is_proven.then_some(place))
    }

    /// So many lines before the end of a file; with none, behind its last newline. At most `most` bytes are searched.
    pub(super) fn at_last_lines(file: &File, id: FileId, lines: u64, most: u64) -> io::Result<Self> {
        let size = file.metadata()?.len();
        let offset = start_of_last_lines(file, size, lines, most)?;
        Self::at(file, id, offset)
    }

    /// What proves this place, but for the file's age.
    pub(super) fn mark(&self) -> Mark {
        let (head, tail) = (Print::of(&self.head), Print::of(&self.tail));
        Mark { id: self.id, head, offset: self.offset, tail, age: None, is_over: false, epoch: self.epoch }
    }

    /// True when the beginning of a record waits for its end.
    pub(super) fn has_partial(&self) -> bool {
        self.scanned > self.offset
    }

    fn move_to(&mut self, file: &File, offset: u64) -> io::Result<()> {
        self.offset = offset;
        self.scanned = offset;
        self.lead.clear();
        let length = offset.min(limits::PRINT_BYTES as u64);
        if (self.head.len() as u64) < length {
            read_range(file, 0..length, &mut self.head)?;
        }
        read_range(file, offset - length..offset, &mut self.tail)
    }

    /// Begins anew. NUL bytes at the beginning are left by whoever writes on at its old place.
    pub(super) fn restart(&mut self) -> Turn {
        let reached = self.offset;
        *self = Self { passes_nuls: true, epoch: self.epoch.wrapping_add(1), ..Self::new(self.id) };
        Turn::Restarted { reached }
    }

    /// Looks at the file, which has `size` bytes, and takes what can be given out into `buffer`. `ends` says that no
    /// newline will come for a last record without one.
    pub(super) fn turn(
        &mut self,
        file: &File,
        size: u64,
        caps: Caps,
        ends: bool,
        buffer: &mut Vec<u8>,
    ) -> io::Result<Turn> {
        if let Some(gap) = self.gap.take() {
            return self.pass(file, gap);
        }
        if size < self.offset {
            return Ok(self.restart());
        }
        if size < self.scanned {
            self.scanned = self.offset;
        }
        if self.has_partial() {
            self.scan(file, size, caps, ends, buffer)
        } else {
            self.take(file, size, caps, ends, buffer)
        }
    }

    /// Takes the whole records that stand at `offset`.
    fn take(&mut self, file: &File, size: u64, caps: Caps, ends: bool, buffer: &mut Vec<u8>) -> io::Result<Turn> {
        let most = (size - self.offset).min(caps.block_bytes as u64) as usize;
        let Some(length) = fetch(file, self.offset, &self.tail, most, buffer)? else { return Ok(self.restart()) };
        let (visible, hole) = before_hole(file, self.offset, &buffer[..length]);
        let nuls = if self.passes_nuls { holes::leading_nuls(visible) } else { 0 };
        if nuls > 0 {
            return self.pass(file, self.offset..self.offset + nuls as u64);
        }
        self.passes_nuls &= visible.is_empty();
        if let Some(newline) = memchr::memrchr(b'\n', visible) {
            return self.give(file, newline + 1, 0, false, buffer);
        }
        self.scanned = self.offset + visible.len() as u64;
        self.lead.clear();
        remember(&mut self.lead, LEAD_BYTES, visible);
        self.without_newline(file, size, hole, caps, ends, buffer)
    }

    /// Searches on behind `scanned` for the newline of a record that was found to have none yet.
    fn scan(&mut self, file: &File, size: u64, caps: Caps, ends: bool, buffer: &mut Vec<u8>) -> io::Result<Turn> {
        let most = (size - self.scanned).min(SCAN_BYTES as u64) as usize;
        let Some(length) = fetch(file, self.scanned, &self.lead, most, buffer)? else {
            // Only the beginning of a record was written anew, perhaps: what stands at `offset` decides.
            self.scanned = self.offset;
            return Ok(Turn::More);
        };
        let (visible, hole) = before_hole(file, self.scanned, &buffer[..length]);
        if let Some(newline) = memchr::memchr(b'\n', visible) {
            let end = self.scanned + newline as u64;
            return self.give_record(file, end, false, caps, buffer);
        }
        self.scanned += visible.len() as u64;
        remember(&mut self.lead, LEAD_BYTES, visible);
        self.without_newline(file, size, hole, caps, ends, buffer)
    }

    /// There is no newline up to `scanned`.
    fn without_newline(
        &mut self,
        file: &File,
        size: u64,
        hole: Option<Hole>,
        caps: Caps,
        ends: bool,
        buffer: &mut Vec<u8>,
    ) -> io::Result<Turn> {
        match hole {
            Some(Hole::Inside(hole)) if self.has_partial() => {
                self.gap = Some(self.scanned..hole.end);
                self.give_record(file, self.scanned, true, caps, buffer)
            }
            Some(Hole::Inside(hole)) => self.pass(file, self.offset..hole.end),
            Some(Hole::Last(_)) if ends && self.has_partial() => {
                self.give_record(file, self.scanned, true, caps, buffer)
            }
            Some(Hole::Last(_)) => Ok(Turn::Quiet),
            None if self.scanned < size => Ok(Turn::More),
            None if ends && self.has_partial() => self.give_record(file, self.scanned, true, caps, buffer),
            None => Ok(Turn::Quiet),
        }
    }

    /// Gives out the one record from `offset` to its newline at `end`, or to `end` where it is open.
    fn give_record(
        &mut self,
        file: &File,
        end: u64,
        is_open: bool,
        caps: Caps,
        buffer: &mut Vec<u8>,
    ) -> io::Result<Turn> {
        let content = end - self.offset;
        let whole = content + u64::from(!is_open);
        let seen = if content <= caps.record_bytes_max as u64 { whole } else { caps.record_bytes_max as u64 };
        let Some(length) = fetch(file, self.offset, &self.tail, seen as usize, buffer)? else {
            return Ok(self.restart());
        };
        let cut_bytes = whole - seen;
        let is_as_seen = length as u64 == seen && (is_open || cut_bytes > 0 || buffer[length - 1] == b'\n');
        if !is_as_seen {
            self.scanned = self.offset;
            self.gap = None;
            return Ok(Turn::More);
        }
        self.give(file, length, cut_bytes, is_open, buffer)
    }

    /// Gives out the first `length` bytes of `buffer`, which stand at `offset`.
    fn give(
        &mut self,
        file: &File,
        length: usize,
        cut_bytes: u64,
        is_open: bool,
        buffer: &mut Vec<u8>,
    ) -> io::Result<Turn> {
        buffer.truncate(length);
        if let (0, Head::Wide(encoding)) = (self.offset, Head::of(buffer)) {
            return Ok(Turn::Refused(encoding));
        }
        let offset = self.offset;
        let end = offset + length as u64 + cut_bytes;
        if cut_bytes > 0 {
            self.move_to(file, end)?;
        } else {
            if self.head.len() as u64 == offset {
                let missing = limits::PRINT_BYTES.saturating_sub(self.head.len());
                self.head.extend_from_slice(&buffer[..length.min(missing)]);
            }
            remember(&mut self.tail, limits::PRINT_BYTES, buffer);
            self.offset = end;
            self.scanned = end;
        }
        Ok(Turn::Block { offset, cut_bytes, is_open })
    }

    fn pass(&mut self, file: &File, gap: Range<u64>) -> io::Result<Turn> {
        let skipped = self.offset..gap.end;
        self.move_to(file, gap.end)?;
        self.passes_nuls = true;
        Ok(Turn::Skipped(skipped))
    }
}

/// Reads up to `length` bytes at `offset` into `buffer`, with what stands before them; `None` if that is not `before`.
fn fetch(file: &File, offset: u64, before: &[u8], length: usize, buffer: &mut Vec<u8>) -> io::Result<Option<usize>> {
    buffer.resize(length, 0);
    let mut found = [0; limits::PRINT_BYTES];
    let found = &mut found[..before.len()];
    let start = offset - before.len() as u64;
    let read = loop {
        let mut parts = [IoSliceMut::new(found), IoSliceMut::new(buffer)];
        match rustix::io::preadv(file, &mut parts, start) {
            Err(rustix::io::Errno::INTR) => {}
            result => break result?,
        }
    };
    Ok(read.checked_sub(before.len()).filter(|_| found == before))
}

/// Reads `range` as far as the file reaches.
pub(super) fn read_range(file: &File, range: Range<u64>, bytes: &mut Vec<u8>) -> io::Result<()> {
    bytes.clear();
    let length = (range.end - range.start) as usize;
    let read = fetch(file, range.start, &[], length, bytes)?;
    bytes.truncate(read.unwrap_or(0));
    Ok(())
}

/// Where the last `lines` lines of a file of `size` bytes begin; the beginning of one that has no newline yet counts as
/// none where no lines are asked for, and as one where some are.
fn start_of_last_lines(file: &File, size: u64, lines: u64, most: u64) -> io::Result<u64> {
    let mut bytes = Vec::new();
    let mut end = size;
    let mut left = lines;
    while end > 0 && size - end <= most {
        let start = end.saturating_sub(SCAN_BYTES as u64);
        read_range(file, start..end, &mut bytes)?;
        for newline in memchr::memrchr_iter(b'\n', &bytes) {
            let behind = start + newline as u64 + 1;
            if left == 0 {
                return Ok(behind);
            }
            // The newline of a whole last line ends it, and begins none.
            left -= u64::from(behind < size);
            if left == 0 && behind < size {
                return Ok(behind);
            }
        }
        end = start;
    }
    Ok(if end == 0 { 0 } else { size })
}

/// What of `bytes`, which stand at `offset`, stands before the first hole in them, without the NUL bytes before that.
fn before_hole<'a>(file: &File, offset: u64, bytes: &'a [u8]) -> (&'a [u8], Option<Hole>) {
    let hole = memchr::memchr(0, bytes).and_then(|_| holes::first(file, offset..offset + bytes.len() as u64));
    let start = match &hole {
        None => return (bytes, None),
        Some(Hole::Inside(hole)) => hole.start,
        Some(Hole::Last(start)) => *start,
    };
    (holes::without_trailing_nuls(&bytes[..(start - offset) as usize]), hole)
}

/// Makes `last` the last `most` bytes of itself and `bytes`.
fn remember(last: &mut Vec<u8>, most: usize, bytes: &[u8]) {
    let kept = last.len().min(most.saturating_sub(bytes.len()));
    last.drain(..last.len() - kept);
    last.extend_from_slice(&bytes[bytes.len().saturating_sub(most)..]);
}
