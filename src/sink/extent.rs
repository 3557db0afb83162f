//! How far a file that is written reaches, as far as it is ours, and whether somebody else writes to it too.

use std::{
    fs::File,
    io::Seek,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
};

/// Shared by who writes a file and who makes sure of it.
#[derive(Debug)]
pub(super) struct Extent {
    /// Where what we wrote last ends; at first, where the file ended.
    end: AtomicU64,
    /// Somebody else has written to it, or made it shorter, since it was opened.
    is_shared: AtomicBool,
}

impl Extent {
    /// A file that is `length` bytes long.
    pub(super) fn new(length: u64) -> Self {
        Self { end: AtomicU64::new(length), is_shared: AtomicBool::new(false) }
    }

    pub(super) fn end(&self) -> u64 {
        self.end.load(Ordering::Acquire)
    }

    pub(super) fn is_shared(&self) -> bool {
        self.is_shared.load(Ordering::Acquire)
    }

    pub(super) fn share(&self) {
        self.is_shared.store(true, Ordering::Release);
    }

    pub(super) fn cut(&self, length: u64) {
        self.end.store(length, Ordering::Release);
    }

    /// Notes that the system took `count` bytes for `file`, which is open for appending: they stand where the file ended
    /// by then, and the place behind them is where the descriptor stands now.
    pub(super) fn note(&self, mut file: &File, count: u64) {
        let expected = self.end() + count;
        let end = file.stream_position().unwrap_or(expected);
        if end != expected {
            self.share();
        }
        self.end.store(end, Ordering::Release);
    }
}
