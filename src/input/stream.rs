//! A stream, read from front to back by a thread of its own and cut into blocks at record boundaries.
//!
//! The reader hands blocks over through a bounded lock-free queue. It does not wait for a block to be full while the
//! workers have nothing to do: what came is cut at its last newline and handed over at once.

use std::{
    fs::File,
    io::{self, Read},
    os::fd::AsFd,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use crossbeam_queue::ArrayQueue;

use crate::{limits, place::Places, record::SourceId, waiters::Waiters};

/// How long a reader waits for bytes before it looks whether it should stop.
const POLL_MS: i32 = 50;
/// Bytes that are asked for at once.
const READ_BYTES: usize = 256 << 10;

/// A block of a stream: whole records, but for the last one of all, and for one over the limit.
#[derive(Debug, Default)]
pub(crate) struct StreamBlock {
    /// Counts up from 0.
    pub(crate) number: u64,
    /// Where it stands in the stream.
    pub(crate) offset: u64,
    /// What can be seen of it.
    pub(crate) bytes: Vec<u8>,
    /// Bytes of the last record that cannot be seen.
    pub(crate) cut_bytes: u64,
    /// The stream ends with its last record, which has no newline.
    pub(crate) is_open: bool,
    /// For records that were somewhere else before: where each one stood.
    pub(crate) offsets: Option<Vec<u64>>,
    /// For the same: the source that they stood in.
    pub(crate) source: Option<SourceId>,
    /// Things in the stream that were no records.
    pub(crate) faults: Vec<BadPart>,
    /// For what is followed: where it stands, and what becomes known by it.
    pub(crate) places: Option<Box<Places>>,
    /// For the same, where bytes of a record cannot be seen: the file that has them.
    pub(crate) rest: Option<Arc<File>>,
}

/// A part of a stream that was no record.
#[derive(Debug)]
pub(crate) struct BadPart {
    /// Where it stands.
    pub(crate) offset: u64,
    /// What is wrong with it.
    pub(crate) message: String,
    /// How it begins.
    pub(crate) excerpt: Vec<u8>,
}

/// The queue between a stream's reader and the workers.
pub(crate) struct Stream {
    blocks: ArrayQueue<StreamBlock>,
    spare: ArrayQueue<Vec<u8>>,
    waiting: Waiters,
    is_over: AtomicBool,
    /// The reader has given up a block: nothing may follow it, or there would be a gap.
    is_cut_off: AtomicBool,
}

impl Stream {
    /// An empty queue for `workers` workers.
    pub(crate) fn new(workers: usize) -> Self {
        Self {
            blocks: ArrayQueue::new(limits::STREAM_BLOCKS),
            spare: ArrayQueue::new(limits::STREAM_BLOCKS + workers),
            waiting: Waiters::new(workers + 1),
            is_over: AtomicBool::new(false),
            is_cut_off: AtomicBool::new(false),
        }
    }

    /// The next block; waits for it, calls `meanwhile` every now and then, and is `None` at the end, or when `stop` is set and nothing is left.
    pub(crate) fn next(&self, stop: &AtomicBool, mut meanwhile: impl FnMut()) -> Option<StreamBlock> {
        loop {
            // In this order: what was put before the end was said is found after it was heard.
            let is_over = self.is_over.load(Ordering::Acquire) || stop.load(Ordering::Relaxed);
            if let Some(block) = self.blocks.pop() {
                self.waiting.wake();
                return Some(block);
            }
            if is_over {
                return None;
            }
            self.waiting.wait(|| !self.blocks.is_empty() || self.is_over.load(Ordering::Acquire));
            meanwhile();
        }
    }

    /// Gives a block's buffer back.
    pub(crate) fn recycle(&self, mut buffer: Vec<u8>) {
        buffer.clear();
        // If there are enough of them, this one is dropped.
        let _ = self.spare.push(buffer);
    }

    /// Hands `block` over, if there is room.
    #[expect(clippy::result_large_err)] // it is what came in, to be offered again
    pub(crate) fn offer(&self, block: StreamBlock) -> Result<(), StreamBlock> {
        self.blocks.push(block)?;
        self.waiting.wake();
        Ok(())
    }

    /// Waits a moment for room.
    pub(crate) fn wait_for_room(&self) {
        self.waiting.wait(|| !self.blocks.is_full());
    }

    /// Hands `block` over; waits for room, and gives up when `stop` is set.
    pub(crate) fn put(&self, mut block: StreamBlock, stop: &AtomicBool) {
        if self.is_cut_off.load(Ordering::Relaxed) {
            return;
        }
        while let Err(refused) = self.blocks.push(block) {
            if stop.load(Ordering::Relaxed) {
                self.is_cut_off.store(true, Ordering::Relaxed);
                return;
            }
            block = refused;
            self.waiting.wait(|| !self.blocks.is_full());
        }
        self.waiting.wake();
    }

    /// Says that no more will come.
    pub(crate) fn finish(&self) {
        self.is_over.store(true, Ordering::Release);
        self.waiting.wake();
    }

    /// True when the workers have nothing to do.
    pub(crate) fn is_hungry(&self) -> bool {
        self.blocks.is_empty()
    }

    /// An empty buffer.
    pub(crate) fn buffer(&self) -> Vec<u8> {
        self.spare.pop().unwrap_or_default()
    }
}

/// Reads `source` to its end, or until `stop` is set.
///
/// # Errors
///
/// What reading says; all that came before it is handed over.
pub(crate) fn read_stream(
    mut source: impl Read + AsFd,
    stream: &Stream,
    block_bytes: usize,
    record_bytes_max: usize,
    stop: &AtomicBool,
) -> io::Result<()> {
    let mut cutter = Cutter::new(block_bytes, record_bytes_max);
    let mut chunk = vec![0; READ_BYTES];
    let result = loop {
        match next_chunk(&mut source, &mut chunk, stop) {
            Ok(0) => break Ok(()),
            Ok(length) => cutter.push(&chunk[..length], stream, stop),
            Err(error) => break Err(error),
        }
    };
    // When it was told to stop, what is pending is no record: its end was not read.
    if !stop.load(Ordering::Relaxed) {
        cutter.finish(stream, stop);
    }
    stream.finish();
    result
}

/// Waits for bytes, but looks now and then whether to stop; 0 at the end.
fn next_chunk(source: &mut (impl Read + AsFd), chunk: &mut [u8], stop: &AtomicBool) -> io::Result<usize> {
    loop {
        if stop.load(Ordering::Relaxed) {
            return Ok(0);
        }
        if is_readable(source)? {
            match source.read(chunk) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => return result,
            }
        }
    }
}

fn is_readable(source: &impl AsFd) -> io::Result<bool> {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let mut fds = [PollFd::new(source, PollFlags::IN)];
    let timeout = Timespec { tv_sec: 0, tv_nsec: i64::from(POLL_MS) * 1_000_000 };
    match poll(&mut fds, Some(&timeout)) {
        Ok(ready) => Ok(ready > 0),
        Err(rustix::io::Errno::INTR) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Cuts what comes into blocks.
struct Cutter {
    block_bytes: usize,
    record_bytes_max: usize,
    /// Offset of `pending` in the stream.
    offset: u64,
    /// Bytes that were not handed over: whole records while a block fills, then the beginning of one.
    pending: Vec<u8>,
    /// Behind the last newline of `pending`.
    whole: usize,
    /// Bytes of the record in `pending` that were left out because it is over the limit.
    cut_bytes: u64,
    number: u64,
}

impl Cutter {
    fn new(block_bytes: usize, record_bytes_max: usize) -> Self {
        Self { block_bytes, record_bytes_max, offset: 0, pending: Vec::new(), whole: 0, cut_bytes: 0, number: 0 }
    }

    fn push(&mut self, mut bytes: &[u8], stream: &Stream, stop: &AtomicBool) {
        while !bytes.is_empty() {
            bytes = if self.cut_bytes > 0 { self.skip(bytes, stream, stop) } else { self.take(bytes, stream, stop) };
        }
    }

    /// How many of `bytes` may be taken at once: never more than makes a block, so that blocks have their size however
    /// much comes. A record that fills a block and goes on is taken to its end, or as far as processors may see; and one
    /// byte more, which tells a newline from a record over the limit.
    fn room(&self, bytes: &[u8]) -> usize {
        if self.pending.len() < self.block_bytes {
            return self.block_bytes - self.pending.len();
        }
        let most = (self.record_bytes_max - self.pending.len()).saturating_add(1);
        let newline = memchr::memchr(b'\n', &bytes[..most.min(bytes.len())]);
        newline.map_or(most, |newline| newline + 1)
    }

    /// Takes bytes into `pending`, and hands over what is worth it. Returns what it did not take.
    fn take<'a>(&mut self, bytes: &'a [u8], stream: &Stream, stop: &AtomicBool) -> &'a [u8] {
        let (bytes, rest) = bytes.split_at(self.room(bytes).min(bytes.len()));
        let before = self.pending.len();
        self.pending.extend_from_slice(bytes);
        if let Some(newline) = memchr::memrchr(b'\n', bytes) {
            self.whole = before + newline + 1;
        }
        if self.whole > 0 && (self.pending.len() >= self.block_bytes || (rest.is_empty() && stream.is_hungry())) {
            self.hand_over(self.whole, false, stream, stop);
        }
        if self.whole == 0 && self.pending.len() > self.record_bytes_max {
            self.cut_bytes = (self.pending.len() - self.record_bytes_max) as u64;
            self.pending.truncate(self.record_bytes_max);
        }
        rest
    }

    /// Passes over the rest of a record over the limit. Returns what follows it.
    fn skip<'a>(&mut self, bytes: &'a [u8], stream: &Stream, stop: &AtomicBool) -> &'a [u8] {
        let Some(newline) = memchr::memchr(b'\n', bytes) else {
            self.cut_bytes += bytes.len() as u64;
            return &[];
        };
        self.cut_bytes += newline as u64 + 1;
        self.hand_over(self.pending.len(), false, stream, stop);
        &bytes[newline + 1..]
    }

    fn hand_over(&mut self, length: usize, is_open: bool, stream: &Stream, stop: &AtomicBool) {
        let mut rest = stream.buffer();
        rest.extend_from_slice(&self.pending[length..]);
        self.pending.truncate(length);
        let bytes = std::mem::replace(&mut self.pending, rest);
        let cut_bytes = std::mem::take(&mut self.cut_bytes);
        let block = StreamBlock {
            number: self.number,
            offset: self.offset,
            bytes,
            cut_bytes,
            is_open,
            ..StreamBlock::default()
        };
        self.offset += length as u64 + cut_bytes;
        self.number += 1;
        self.whole = 0;
        stream.put(block, stop);
    }

    /// Hands over what is left; its last record has no newline.
    fn finish(&mut self, stream: &Stream, stop: &AtomicBool) {
        if !self.pending.is_empty() {
            let is_open = self.whole < self.pending.len();
            self.hand_over(self.pending.len(), is_open, stream, stop);
        }
    }
}

#[cfg(test)]
mod tests;
