//! Whose turn it is: files take turns, one block each, and one that keeps growing is left alone for a moment.

use std::{
    collections::{BTreeSet, VecDeque},
    time::Instant,
};

use super::Key;

/// Files that may have something to give out.
#[derive(Debug, Default)]
pub(super) struct Queue {
    ready: VecDeque<Key>,
    /// What is in `ready`.
    queued: BTreeSet<Key>,
    /// Files whose time has not come yet.
    later: BTreeSet<(Instant, Key)>,
}

impl Queue {
    /// Puts `key` at the end, unless it is in line.
    pub(super) fn push(&mut self, key: Key) {
        if self.queued.insert(key) {
            self.ready.push_back(key);
        }
    }

    /// Puts `key` at the end when the time has come.
    pub(super) fn push_later(&mut self, at: Instant, key: Key) {
        self.later.insert((at, key));
    }

    /// Whose turn it is.
    pub(super) fn pop(&mut self, now: Instant) -> Option<Key> {
        while self.later.first().is_some_and(|&(at, _)| at <= now) {
            if let Some((_, key)) = self.later.pop_first() {
                self.push(key);
            }
        }
        let key = self.ready.pop_front()?;
        self.queued.remove(&key);
        Some(key)
    }

    pub(super) fn is_ready(&self, now: Instant) -> bool {
        !self.ready.is_empty() || self.later.first().is_some_and(|&(at, _)| at <= now)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.ready.is_empty() && self.later.is_empty()
    }

    pub(super) fn next_due(&self) -> Option<Instant> {
        self.later.first().map(|&(at, _)| at)
    }
}
