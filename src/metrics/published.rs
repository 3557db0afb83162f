//! The one place where a snapshot is handed from the publisher to those who read it.

use std::sync::Arc;

use arc_swap::{ArcSwap, ArcSwapOption};

use super::{History, Snapshot};

/// Holds the last snapshot, and what is known of the past where it is recorded. Reading never waits for writing, nor the other way round.
#[derive(Debug)]
pub struct Published {
    current: ArcSwap<Snapshot>,
    history: ArcSwapOption<History>,
}

impl Published {
    /// Starts with `first`.
    #[must_use]
    pub fn new(first: Snapshot) -> Self {
        Self { current: ArcSwap::from_pointee(first), history: ArcSwapOption::empty() }
    }

    /// The last snapshot that was published.
    #[must_use]
    pub fn latest(&self) -> Arc<Snapshot> {
        self.current.load_full()
    }

    /// Publishes `snapshot`. Only the publisher calls this.
    pub(crate) fn publish(&self, snapshot: Snapshot) {
        self.current.store(Arc::new(snapshot));
    }

    /// What is known of the past, if anybody records it.
    #[must_use]
    pub fn history(&self) -> Option<Arc<History>> {
        self.history.load_full()
    }

    /// True where the past is recorded.
    #[must_use]
    pub fn is_recorded(&self) -> bool {
        self.history.load().is_some()
    }

    /// Publishes what is known of the past. Only the recorder calls this.
    pub(crate) fn publish_history(&self, history: History) {
        self.history.store(Some(Arc::new(history)));
    }
}

#[cfg(test)]
mod tests;
