//! What a worker hands to the publisher besides its counters: probes, traces, samples, and what it did to each source.

use std::collections::BTreeMap;

use super::{latency::Probes, mailbox::Mailbox};
use crate::{
    limits,
    record::SourceId,
    snapshot::{Fault, FaultKind, Trace},
};

/// What happened since the last hand-over. Recycled: clearing it keeps the memory.
#[derive(Debug, Clone)]
pub(crate) struct Delta {
    /// Per node.
    pub(crate) probes: Vec<Probes>,
    /// The last records that this worker finished, in input order: all of them, not only new ones.
    pub(crate) traces: Vec<Trace>,
    /// Samples: per node and for sources together the last ones.
    pub(crate) faults: Vec<Fault>,
    /// What was done to each source.
    pub(crate) sources: BTreeMap<SourceId, SourceTally>,
}

/// What was done to one source.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct SourceTally {
    /// Bytes accounted for.
    pub(crate) bytes: u64,
    /// Records found.
    pub(crate) records: u64,
    /// Records over the limit.
    pub(crate) oversized: u64,
    /// See [`super::ledger::tile`]: the sum over its blocks.
    pub(crate) tiles: u64,
    /// Its last record has no newline.
    pub(crate) is_open: bool,
    /// How it was read.
    pub(crate) access: Option<&'static str>,
    /// What went wrong with it as a whole, first.
    pub(crate) message: Option<String>,
    /// How often what went wrong with it.
    pub(crate) faults: Vec<(FaultKind, u64)>,
    /// No more will come of it, whatever its size was.
    pub(crate) is_over: bool,
}

impl SourceTally {
    /// Adds what `other` says.
    pub(crate) fn absorb(&mut self, other: &Self) {
        self.bytes += other.bytes;
        self.records += other.records;
        self.oversized += other.oversized;
        self.tiles = self.tiles.wrapping_add(other.tiles);
        self.is_open |= other.is_open;
        self.is_over |= other.is_over;
        self.access = other.access.or(self.access);
        if self.message.is_none() {
            self.message.clone_from(&other.message);
        }
        for &(kind, count) in &other.faults {
            self.count(kind, count);
        }
    }

    /// Notes that something went wrong with it as a whole.
    pub(crate) fn add_fault(&mut self, kind: FaultKind, message: String) {
        self.message.get_or_insert(message);
        self.count(kind, 1);
    }

    /// A source fails to open, or is cut short, once, however many workers notice.
    fn count(&mut self, kind: FaultKind, more: u64) {
        let is_once = matches!(kind, FaultKind::Unreadable | FaultKind::Truncated);
        match self.faults.iter_mut().find(|(known, _)| *known == kind) {
            Some((_, count)) if is_once => *count = 1,
            Some((_, count)) => *count += more,
            None => self.faults.push((kind, more)),
        }
    }
}

impl Delta {
    /// An empty one for a pipeline of `nodes` nodes.
    pub(crate) fn new(nodes: usize) -> Self {
        Self {
            probes: vec![Probes::default(); nodes],
            traces: Vec::new(),
            faults: Vec::new(),
            sources: BTreeMap::new(),
        }
    }

    /// Forgets all.
    pub(crate) fn clear(&mut self) {
        self.probes.iter_mut().for_each(Probes::clear);
        self.traces.clear();
        self.faults.clear();
        self.sources.clear();
    }

    /// Adds a sample, and forgets one of the same processor if there are many.
    pub(crate) fn add_fault(&mut self, fault: Fault) {
        self.faults.push(fault);
        // Trimmed now and then, not each time, so that a flood of faults costs little.
        if self.faults.len().is_multiple_of(8 * limits::FAULT_SAMPLES) {
            keep_last_faults(&mut self.faults);
        }
    }
}

/// Sorts samples by input order and keeps the last ones of each processor, and of sources.
pub(crate) fn keep_last_faults(faults: &mut Vec<Fault>) {
    faults.sort_by_key(|fault| (fault.order, fault.source, fault.offset));
    let mut kept: BTreeMap<Option<u32>, usize> = BTreeMap::new();
    let mut keep: Vec<bool> = faults
        .iter()
        .rev()
        .map(|fault| {
            let count = kept.entry(fault.node).or_default();
            *count += 1;
            *count <= limits::FAULT_SAMPLES
        })
        .collect();
    faults.retain(|_| keep.pop().unwrap_or(true));
}

/// The way of one worker's deltas to the publisher, and of the emptied ones back.
pub(crate) struct Exchange {
    full: Mailbox<Delta>,
    empty: Mailbox<Delta>,
}

impl Exchange {
    /// One with a spare delta for a pipeline of `nodes` nodes.
    pub(crate) fn new(nodes: usize) -> Self {
        let exchange = Self { full: Mailbox::new(), empty: Mailbox::new() };
        exchange.empty.put(Box::new(Delta::new(nodes)));
        exchange
    }

    /// The worker's side: hands `delta` over and puts an empty one in its place; false if the publisher is behind, and
    /// the worker goes on filling the same.
    pub(crate) fn hand_over(&self, delta: &mut Box<Delta>) -> bool {
        if !self.full.is_empty() {
            return false;
        }
        let Some(empty) = self.empty.take() else { return false };
        self.full.put(std::mem::replace(delta, empty));
        true
    }

    /// The publisher's side: shows a full delta to `absorb` and sends it back empty.
    pub(crate) fn receive(&self, absorb: impl FnOnce(&mut Delta)) {
        if let Some(mut delta) = self.full.take() {
            absorb(&mut delta);
            delta.clear();
            self.empty.put(delta);
        }
    }

    /// The worker's side: true when [`Exchange::hand_over`] would succeed.
    pub(crate) fn is_ready(&self) -> bool {
        self.full.is_empty() && !self.empty.is_empty()
    }
}
