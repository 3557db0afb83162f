//! Keeps the past within its bounds: the older it is, the coarser.

use std::sync::Arc;

use jiff::Timestamp;

use super::{History, Span};
use crate::limits;

/// The past as it grows.
#[derive(Debug, Default)]
pub(crate) struct HistoryIndex {
    pub(super) history: History,
    pub(super) bytes: usize,
}

impl HistoryIndex {
    /// Adds an interval that begins where the last one ended, or later. `since`: when the totals began that it adds to.
    pub(crate) fn push(&mut self, span: Span, since: Timestamp) {
        self.history.since = Some(since);
        self.history.generation += 1;
        self.bytes += span.size_bytes();
        self.history.spans.push(Arc::new(span));
        while self.is_over() && self.thin() {}
    }

    /// Counts lines that could not be read.
    pub(crate) fn pass_over(&mut self, lines: u64) {
        self.history.passed_over += lines;
        self.history.generation += 1;
    }

    /// Says why nothing can be recorded now, or that it can.
    pub(crate) fn set_trouble(&mut self, trouble: Option<String>) {
        self.history.trouble = trouble.map(Into::into);
        self.history.generation += 1;
    }

    /// What is known now.
    pub(crate) fn history(&self) -> History {
        self.history.clone()
    }

    fn is_over(&self) -> bool {
        self.history.spans.len() > limits::HISTORY_SPANS || self.bytes > limits::HISTORY_INDEX_BYTES
    }

    /// Adds up neighbours in the older half, those that are then still short first, so that it becomes coarser evenly.
    /// False when there is nothing left to add up.
    fn thin(&mut self) -> bool {
        let spans = &mut self.history.spans;
        let half = spans.len() / 2;
        if half < 2 {
            return false;
        }
        let newer = spans.split_off(half);
        let goal_ms = goal_ms(spans);
        let mut thinned: Vec<Arc<Span>> = Vec::with_capacity(half + newer.len());
        for span in spans.drain(..) {
            match thinned.last_mut() {
                Some(last) if length_ms(last, &span) <= goal_ms => Arc::make_mut(last).absorb(&span),
                _ => thinned.push(span),
            }
        }
        thinned.extend(newer);
        *spans = thinned;
        self.bytes = spans.iter().map(|span| span.size_bytes()).sum();
        true
    }
}

/// How long two neighbours may be together to be added up: half of the pairs are, and those that are nearly so.
fn goal_ms(spans: &[Arc<Span>]) -> i64 {
    let mut lengths: Vec<i64> = spans.windows(2).map(|pair| length_ms(&pair[0], &pair[1])).collect();
    let middle = lengths.len() / 2;
    let (_, median, _) = lengths.select_nth_unstable(middle);
    *median + *median / 4
}

fn length_ms(first: &Span, last: &Span) -> i64 {
    last.end.as_millisecond() - first.start.as_millisecond()
}
