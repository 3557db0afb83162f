//! Cuts what blocks bring into batches, and remembers which blocks are dealt with when which batches are. Pure.

use std::{collections::VecDeque, path::Path, sync::Arc};

use super::shared::{Held, HttpRecord};
use crate::{pipeline::HttpFormat, record::SourceId};

/// One record on its way, with the piece that its bytes are in.
#[derive(Clone)]
pub(super) struct Item {
    held: Arc<Held>,
    index: u32,
    /// When it came, in nanoseconds since the epoch: no two have the same, however often they are sent.
    pub(super) time: i64,
}

impl Item {
    pub(super) fn new(held: Arc<Held>, index: u32, time: i64) -> Self {
        Self { held, index, time }
    }

    pub(super) fn record(&self) -> &HttpRecord {
        &self.held.piece.records[self.index as usize]
    }

    /// The number of its source.
    pub(super) fn source_number(&self) -> SourceId {
        self.held.piece.source
    }

    /// Its bytes without the newline.
    pub(super) fn line(&self) -> &[u8] {
        self.held.piece.line(self.record())
    }

    pub(super) fn source(&self) -> &Path {
        &self.record().source
    }

    /// The sources never saw the end of it.
    pub(super) fn is_cut(&self) -> bool {
        let record = self.record();
        record.length > u64::from(record.range.end - record.range.start)
    }

    /// About what it becomes in a body.
    pub(super) fn cost(&self, format: HttpFormat) -> usize {
        let around = match format {
            HttpFormat::Ndjson => 80 + self.source().as_os_str().len(),
            HttpFormat::Elasticsearch => 180 + self.source().as_os_str().len(),
            HttpFormat::Loki => 28,
        };
        around + self.line().len()
    }
}

/// The batch that is being filled.
pub(super) struct Filling {
    format: HttpFormat,
    limit: usize,
    items: Vec<Item>,
    bytes: usize,
    is_full: bool,
}

impl Filling {
    pub(super) fn new(format: HttpFormat, limit: usize) -> Self {
        Self { format, limit, items: Vec::new(), bytes: 0, is_full: false }
    }

    /// Adds `item` unless that makes it too large; one alone always fits.
    pub(super) fn add(&mut self, item: Item) -> bool {
        let cost = item.cost(self.format);
        if !self.items.is_empty() && self.bytes + cost > self.limit {
            self.is_full = true;
            return false;
        }
        self.bytes += cost;
        self.is_full = self.bytes >= self.limit;
        self.items.push(item);
        true
    }

    pub(super) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    pub(super) fn is_full(&self) -> bool {
        self.is_full
    }

    /// Takes what there is, and begins anew.
    pub(super) fn take(&mut self) -> Vec<Item> {
        (self.bytes, self.is_full) = (0, false);
        std::mem::take(&mut self.items)
    }
}

/// Batches that were started, in order, each with the number that all blocks before which are dealt with when it and
/// all batches before it are.
#[derive(Debug, Default)]
pub(super) struct Order {
    pending: VecDeque<(u64, bool)>,
    /// The sequence number of the first of them.
    first: u64,
}

impl Order {
    /// Enters a batch; returns its sequence number.
    pub(super) fn start(&mut self, completes: u64) -> u64 {
        self.pending.push_back((completes, false));
        self.first + self.pending.len() as u64 - 1
    }

    /// Block numbers below `completes` were taken, and nothing waits for a batch. Returns what is dealt with by that.
    pub(super) fn extend(&mut self, completes: u64) -> Option<u64> {
        match self.pending.back_mut() {
            Some(last) => {
                last.0 = completes;
                None
            }
            None => Some(completes),
        }
    }

    /// Batch `sequence` is dealt with. Returns the number that blocks are now dealt with up to, if that moved.
    pub(super) fn end(&mut self, sequence: u64) -> Option<u64> {
        let index = sequence.checked_sub(self.first)?;
        self.pending.get_mut(index as usize)?.1 = true;
        let mut completes = None;
        while let Some((number, true)) = self.pending.front() {
            completes = Some(*number);
            self.pending.pop_front();
            self.first += 1;
        }
        completes
    }

    pub(super) fn len(&self) -> usize {
        self.pending.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_dealt_with_in_their_order() {
        let mut order = Order::default();
        assert_eq!(order.extend(1), Some(1), "nothing is under way");
        let batches = [order.start(1), order.start(3), order.start(3)];
        assert_eq!(order.extend(5), None, "waits for the last batch");
        assert_eq!((order.end(batches[1]), order.len()), (None, 3));
        assert_eq!((order.end(batches[0]), order.len()), (Some(3), 1));
        assert_eq!((order.end(batches[2]), order.len()), (Some(5), 0));
        let next = order.start(6);
        assert_eq!((next, order.end(next)), (3, Some(6)));
    }
}
