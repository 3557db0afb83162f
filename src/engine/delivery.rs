//! The way from the writer to whoever keeps checkpoints: what each block that was written means for them.

use std::sync::atomic::{AtomicBool, Ordering};

use crossbeam_queue::ArrayQueue;

use crate::{limits, metrics::SinkTotals, place::Places, waiters::Waiters};

/// A block that was given to every sink.
#[derive(Debug)]
pub(super) struct Delivery {
    /// Its number. They come in order, without gaps.
    pub(super) number: u64,
    /// What is known of places when every sink has acknowledged it.
    pub(super) places: Option<Box<Places>>,
    /// What was counted for it, cell by cell.
    pub(super) counts: Vec<u64>,
    /// What each sink got of it.
    pub(super) written: Vec<SinkTotals>,
    /// How long the file behind each outlet was then; 0 where it is none.
    pub(super) lengths: Vec<u64>,
}

/// A bounded queue of deliveries: one writer, one keeper.
pub(super) struct Deliveries {
    queue: ArrayQueue<Delivery>,
    is_over: AtomicBool,
    /// Nobody takes any more of them.
    is_abandoned: AtomicBool,
    keeper: Waiters,
    writer: Waiters,
}

impl Deliveries {
    /// An empty queue.
    pub(super) fn new() -> Self {
        Self {
            queue: ArrayQueue::new(limits::DELIVERIES),
            is_over: AtomicBool::new(false),
            is_abandoned: AtomicBool::new(false),
            keeper: Waiters::new(1),
            writer: Waiters::new(1),
        }
    }

    /// Hands one over; waits for room. False if there is none and `is_stopping`: it may not come any more.
    pub(super) fn put(&self, mut delivery: Delivery, is_stopping: impl Fn() -> bool) -> bool {
        while let Err(refused) = self.queue.push(delivery) {
            if self.is_abandoned.load(Ordering::Acquire) || is_stopping() {
                return false;
            }
            delivery = refused;
            self.writer.wait(|| !self.queue.is_full());
        }
        self.keeper.wake();
        true
    }

    /// The next one, if it is there.
    pub(super) fn take(&self) -> Option<Delivery> {
        let delivery = self.queue.pop()?;
        self.writer.wake();
        Some(delivery)
    }

    /// Waits a moment for the next one.
    pub(super) fn wait(&self) {
        self.keeper.wait(|| !self.queue.is_empty() || self.is_over());
    }

    /// Says that no more will come.
    pub(super) fn finish(&self) {
        self.is_over.store(true, Ordering::Release);
        self.keeper.wake();
    }

    /// Says that no more are taken.
    pub(super) fn abandon(&self) {
        self.is_abandoned.store(true, Ordering::Release);
        self.writer.wake();
    }

    /// True when no more will come than are there.
    pub(super) fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Acquire)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// While a server takes nothing, the keeper takes nothing either: an end that is asked for must still come.
    #[test]
    fn a_writer_that_is_to_stop_does_not_wait_for_room() {
        let deliveries = Deliveries::new();
        let delivery =
            |number| Delivery { number, places: None, counts: Vec::new(), written: Vec::new(), lengths: Vec::new() };
        for number in 0..limits::DELIVERIES as u64 {
            assert!(deliveries.put(delivery(number), || true), "there is room");
        }
        assert!(!deliveries.put(delivery(limits::DELIVERIES as u64), || true));
    }
}
