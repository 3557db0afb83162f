//! When to try something again: later each time, up to a limit.

use std::{
    ops::Range,
    time::{Duration, Instant},
};

/// The next time, and how long the wait after that will be.
#[derive(Debug, Clone)]
pub(super) struct Backoff {
    span: Range<Duration>,
    wait: Duration,
    until: Option<Instant>,
}

impl Backoff {
    /// Waits from the shortest of `span` to the longest.
    pub(super) fn new(span: Range<Duration>) -> Self {
        Self { wait: span.start, span, until: None }
    }

    /// It failed: begins a wait.
    pub(super) fn next(&mut self) {
        self.until = Instant::now().checked_add(self.wait);
        self.wait = self.wait.saturating_mul(2).min(self.span.end);
    }

    /// True when it may be tried.
    pub(super) fn is_over(&self) -> bool {
        self.until.is_none_or(|until| Instant::now() >= until)
    }

    /// It worked.
    pub(super) fn reset(&mut self) {
        (self.wait, self.until) = (self.span.start, None);
    }
}
