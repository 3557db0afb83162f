//! Threads that wait for something another thread does, without a lock: they leave their names and park.
//!
//! Whoever waits leaves its name and then looks once more; whoever wakes has changed something and then looks for names.
//! A fence stands between the two on either side: one of them sees what the other one did. (Without it, a store may still
//! be on its way while the list is found empty, on x86 too.) So a wake-up can be missed only if the list of names is full;
//! therefore, nobody parks for longer than [`WAIT`].

use std::{
    sync::atomic::{Ordering, fence},
    thread::{self, Thread},
    time::Duration,
};

use crossbeam_queue::ArrayQueue;

/// Whoever waits looks again after this time, whatever happens.
const WAIT: Duration = Duration::from_millis(20);

/// The names of those who wait.
pub(crate) struct Waiters {
    names: ArrayQueue<Thread>,
}

impl Waiters {
    /// Room for `threads` threads, and for names of theirs that are out of date.
    pub(crate) fn new(threads: usize) -> Self {
        Self { names: ArrayQueue::new(4 * threads.max(1)) }
    }

    /// Parks this thread until somebody wakes it. Whether that is still wanted is asked after the name was left: what
    /// happens before that is seen, and what happens later finds the name.
    pub(crate) fn wait(&self, is_ready: impl Fn() -> bool) {
        let _ = self.names.push(thread::current());
        // Pairs with the one in `wake`.
        fence(Ordering::SeqCst);
        if !is_ready() {
            thread::park_timeout(WAIT);
        }
    }

    /// Wakes those who wait now. Those who come back while this goes on are left alone: waking them until none is left
    /// could go on for ever.
    pub(crate) fn wake(&self) {
        // Pairs with the one in `wait`.
        fence(Ordering::SeqCst);
        for _ in 0..self.names.len() {
            let Some(thread) = self.names.pop() else { return };
            thread.unpark();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::atomic::AtomicU64, time::Instant};

    use super::*;

    /// Many threads wait for their turn, and each turn wakes all of them: no turn may take as long as `WAIT`, and
    /// waking must end although those who were woken come back at once.
    #[test]
    fn waking_ends_and_nobody_is_forgotten() {
        let (waiters, turn) = (Waiters::new(8), AtomicU64::new(0));
        let start = Instant::now();
        thread::scope(|scope| {
            for worker in 0..8 {
                let (waiters, turn) = (&waiters, &turn);
                scope.spawn(move || {
                    for round in 0..50 {
                        while turn.load(Ordering::Acquire) != round * 8 + worker {
                            waiters.wait(|| turn.load(Ordering::Acquire) == round * 8 + worker);
                        }
                        turn.fetch_add(1, Ordering::Release);
                        waiters.wake();
                    }
                });
            }
        });
        assert_eq!(turn.into_inner(), 400);
        assert!(start.elapsed() < 400 * WAIT, "{:?}", start.elapsed());
    }
}
