//! Brings what workers finish out of order back into input order, in bounded space.
//!
//! A ring of mailboxes: block `n` goes into place `n % WINDOW_BLOCKS`, once the writer is near enough. Workers wait
//! for that before they begin a block, so that whoever has the next one to be written is never held up.

use std::{
    fs::File,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering, fence},
    },
};

use crossbeam_queue::ArrayQueue;
use crossbeam_utils::CachePadded;

use super::gather::Piece;
use crate::{limits, metrics::Mailbox, place::Places, record::Origin, waiters::Waiters};

/// So many blocks with nothing to be written may lie there before the writer is woken for them: for a match that is rare,
/// waking it for each took 15 ms of 145 for 1 GiB.
const AHEAD_BLOCKS: u64 = limits::WINDOW_BLOCKS as u64 / 4;

/// What one block has for all outlets.
#[derive(Debug, Default)]
pub(super) struct BlockOutput {
    /// Where the block begins.
    pub(super) origin: Option<Origin>,
    pub(super) pieces: Vec<Piece>,
    /// More of the same block will follow.
    pub(super) is_part: bool,
    /// Not all of the block is here, and nothing follows it.
    pub(super) is_cut: bool,
    /// For what is followed: what is known when all of the block is delivered.
    pub(super) places: Option<Box<Places>>,
    /// For the same, where its record was over the limit: the file that has the rest of it.
    pub(super) rest: Option<Arc<File>>,
    /// For the same: what was counted for the block, cell by cell.
    pub(super) counts: Vec<u64>,
}

impl BlockOutput {
    /// Bytes that wait to be written.
    pub(super) fn len(&self) -> usize {
        self.pieces.iter().map(|piece| piece.bytes.len()).sum()
    }

    /// Somebody wants to know when it was written, even if there is nothing in it.
    fn is_told(&self) -> bool {
        self.is_part || self.is_cut || self.places.is_some() || !self.counts.is_empty()
    }
}

/// The ring.
pub(super) struct Window {
    places: Vec<CachePadded<Mailbox<BlockOutput>>>,
    /// The block that the writer needs next.
    head: CachePadded<AtomicU64>,
    /// Bytes that wait to be written.
    waiting_bytes: CachePadded<AtomicU64>,
    /// The block behind which nothing is written any more: it was cut short, and what follows would leave a hole.
    cut_at: AtomicU64,
    is_over: AtomicBool,
    /// Somebody who was waited for is gone: nobody waits any more.
    is_abandoned: AtomicBool,
    workers: Waiters,
    writer: Waiters,
    spare: ArrayQueue<Box<BlockOutput>>,
}

impl Window {
    /// An empty ring for `workers` workers.
    pub(super) fn new(workers: usize) -> Self {
        Self {
            places: (0..limits::WINDOW_BLOCKS).map(|_| CachePadded::new(Mailbox::new())).collect(),
            head: CachePadded::new(AtomicU64::new(0)),
            waiting_bytes: CachePadded::new(AtomicU64::new(0)),
            cut_at: AtomicU64::new(u64::MAX),
            is_over: AtomicBool::new(false),
            is_abandoned: AtomicBool::new(false),
            workers: Waiters::new(workers),
            writer: Waiters::new(1),
            spare: ArrayQueue::new(workers + limits::WINDOW_BLOCKS),
        }
    }

    /// True when block `number` may be begun.
    pub(super) fn has_room(&self, number: u64) -> bool {
        let head = self.head.load(Ordering::Acquire);
        let has_room = || self.waiting_bytes.load(Ordering::Relaxed) < limits::WINDOW_BYTES;
        let is_near = number < head + limits::WINDOW_BLOCKS as u64;
        // The one that is written next is never held up: it is what makes room.
        number == head || (is_near && has_room()) || self.is_abandoned.load(Ordering::Relaxed)
    }

    /// Says that block `number` was cut short: nothing behind it is written. Before it is put.
    pub(super) fn cut_behind(&self, number: u64) {
        self.cut_at.fetch_min(number, Ordering::AcqRel);
    }

    /// Lets everybody go who waits for somebody that will not come. What is under way is lost.
    pub(super) fn abandon(&self) {
        self.is_abandoned.store(true, Ordering::Release);
        self.workers.wake();
        self.writer.wake();
    }

    /// Hands over a part of what block `number` has, and waits until it may: when all before it is written.
    pub(super) fn put_part(&self, number: u64, mut output: Box<BlockOutput>) {
        let place = &self.places[(number % limits::WINDOW_BLOCKS as u64) as usize];
        let is_turn = || {
            let is_abandoned = self.is_abandoned.load(Ordering::Acquire);
            is_abandoned || (self.head.load(Ordering::Acquire) == number && place.is_empty())
        };
        while !is_turn() {
            self.workers.wait(is_turn);
        }
        output.is_part = true;
        self.put(number, output);
    }

    /// Waits until block `number` may be begun, and calls `meanwhile` every now and then. The writer always gets on, if
    /// only by throwing away.
    pub(super) fn wait_for_room(&self, number: u64, mut meanwhile: impl FnMut()) {
        while !self.has_room(number) {
            self.workers.wait(|| self.has_room(number));
            meanwhile();
        }
    }

    /// An empty output to be filled.
    pub(super) fn output(&self) -> Box<BlockOutput> {
        self.spare.pop().unwrap_or_default()
    }

    /// Hands over what block `number` has.
    pub(super) fn put(&self, number: u64, output: Box<BlockOutput>) {
        if self.is_abandoned.load(Ordering::Acquire) {
            return;
        }
        // A last part may come while the one before is not taken yet.
        let place = &self.places[(number % limits::WINDOW_BLOCKS as u64) as usize];
        while !place.is_empty() && !self.is_abandoned.load(Ordering::Acquire) {
            self.workers.wait(|| place.is_empty());
        }
        self.waiting_bytes.fetch_add(output.len() as u64, Ordering::Relaxed);
        let is_told = output.is_told();
        place.put(output);
        // Pairs with the one in `wake`: if the bytes of another block are not seen here, then whoever wakes the writer for
        // them does so after this block was put.
        fence(Ordering::SeqCst);
        let is_waited_for = || self.waiting_bytes.load(Ordering::Relaxed) > 0;
        if is_told || is_waited_for() || number >= self.head.load(Ordering::Relaxed) + AHEAD_BLOCKS {
            self.writer.wake();
        }
    }

    /// Says that no more will come.
    pub(super) fn finish(&self) {
        self.is_over.store(true, Ordering::Release);
        self.writer.wake();
    }

    /// The writer's side: what the next block has, in order; `None` at the end.
    pub(super) fn next(&self) -> Option<Box<BlockOutput>> {
        let head = self.head.load(Ordering::Relaxed);
        let place = &self.places[(head % limits::WINDOW_BLOCKS as u64) as usize];
        loop {
            // In this order: what was put before the end was said is found after it was heard.
            let is_over = self.is_over.load(Ordering::Acquire);
            if let Some(output) = place.take() {
                self.waiting_bytes.fetch_sub(output.len() as u64, Ordering::Relaxed);
                if !output.is_part {
                    self.head.store(head + 1, Ordering::Release);
                }
                self.workers.wake();
                if head > self.cut_at.load(Ordering::Acquire) {
                    self.recycle(output);
                    return self.next();
                }
                return Some(output);
            }
            if is_over || self.is_abandoned.load(Ordering::Acquire) {
                return None;
            }
            self.writer.wait(|| {
                let is_over = self.is_over.load(Ordering::Acquire) || self.is_abandoned.load(Ordering::Acquire);
                is_over || !place.is_empty()
            });
        }
    }

    /// The writer's side: gives an output back.
    pub(super) fn recycle(&self, mut output: Box<BlockOutput>) {
        (output.origin, output.places, output.rest) = (None, None, None);
        (output.is_part, output.is_cut) = (false, false);
        output.counts.clear();
        output.pieces.iter_mut().for_each(Piece::clear);
        // If there are enough of them, this one is dropped.
        let _ = self.spare.push(output);
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    /// Many workers, any order: the writer sees all blocks, in order, and the window bounds how far they are ahead.
    #[test]
    fn blocks_come_out_in_order() {
        let (window, next) = (Window::new(4), AtomicU64::new(0));
        thread::scope(|scope| {
            let workers: Vec<_> = (0..4u64)
                .map(|worker| {
                    let (window, next) = (&window, &next);
                    scope.spawn(move || {
                        loop {
                            let number = next.fetch_add(1, Ordering::Relaxed);
                            if number >= 2_000 {
                                return;
                            }
                            window.wait_for_room(number, || {});
                            if number % 7 == worker {
                                thread::yield_now();
                            }
                            let mut output = window.output();
                            output.origin = Some(Origin { source: 0, offset: number });
                            window.put(number, output);
                        }
                    })
                })
                .collect();
            let window = &window;
            let reader = scope.spawn(move || {
                let mut seen = 0;
                while let Some(output) = window.next() {
                    assert_eq!(output.origin.map(|origin| origin.offset), Some(seen));
                    seen += 1;
                    window.recycle(output);
                }
                seen
            });
            workers.into_iter().for_each(|worker| worker.join().expect("no worker panics"));
            window.finish();
            assert_eq!(reader.join().expect("the writer does not panic"), 2_000);
        });
    }
}
