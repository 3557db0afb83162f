//! One worker's counters: one writer, any number of readers, no lock.
//!
//! A sequence lock (H.-J. Boehm, "Can seqlocks get along with programming language memory models?", MSPC 2012) over
//! plain atomics: the owner stores, and never reads, modifies and writes; a reader that looks while the owner stores
//! notices, and takes what it read last instead. So all cells of a reading belong together, and every snapshot balances.

use super::sync::{AtomicU64, Ordering, SHARD_BEGIN, SHARD_CHECK, SHARD_END, fence};

/// The cells of one worker.
pub(crate) struct Shard {
    /// Odd while the owner is storing.
    sequence: AtomicU64,
    cells: Box<[AtomicU64]>,
}

impl Shard {
    /// A shard with `cells` cells, all zero.
    pub(crate) fn new(cells: usize) -> Self {
        Self { sequence: AtomicU64::new(0), cells: (0..cells).map(|_| AtomicU64::new(0)).collect() }
    }

    /// Stores `totals` as one. Only the owner may call this.
    pub(crate) fn store(&self, totals: &[u64]) {
        debug_assert_eq!(totals.len(), self.cells.len());
        // Relaxed: nobody else writes it.
        let sequence = self.sequence.load(Ordering::Relaxed);
        self.sequence.store(sequence + 1, Ordering::Relaxed);
        fence(SHARD_BEGIN);
        for (cell, &total) in self.cells.iter().zip(totals) {
            cell.store(total, Ordering::Relaxed);
        }
        self.sequence.store(sequence + 2, SHARD_END);
    }

    /// Reads all cells into `totals` if the owner was not storing meanwhile; else returns false, and `totals` is
    /// anything.
    pub(crate) fn read(&self, totals: &mut [u64]) -> bool {
        let before = self.sequence.load(Ordering::Acquire);
        for (total, cell) in totals.iter_mut().zip(&self.cells) {
            *total = cell.load(Ordering::Relaxed);
        }
        fence(SHARD_CHECK);
        before.is_multiple_of(2) && self.sequence.load(Ordering::Relaxed) == before
    }
}
