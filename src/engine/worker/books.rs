//! A worker's books: what it did is committed to its shard, and handed to the publisher with samples and traces.

use std::{fs::File, ops::Range, os::unix::fs::FileExt, sync::atomic::Ordering};

use bytes::Bytes;
use jiff::Timestamp;

use super::{Block, Torn, Worker};
use crate::{
    batch::Batch,
    engine::{Shared, frame::Frame, gather::Piece, options::Row, window::BlockOutput},
    fault::FaultKind,
    human, limits,
    metrics::{Layout, SourceTally, WorkerCell, tile},
    record::SourceId,
    snapshot::{Fault, StageKind},
};

impl Worker<'_> {
    /// Takes samples of what failed in the last chunk: the last ones of each node.
    pub(super) fn collect_faults(&mut self, batch: &Batch<'_>, frame: &Frame) {
        for (number, node) in frame.nodes.iter().enumerate() {
            let failed = node.out.failed.len();
            let first = node.marks.failed.max(failed.saturating_sub(limits::FAULT_SAMPLES));
            for failure in first..failed {
                let (record, kind, reason) = node.out.failure(failure);
                let origin = batch.origin(record);
                self.faults.push(Fault {
                    order: self.block,
                    node: Some(number as u32),
                    kind,
                    message: reason.to_string(),
                    time: Timestamp::now(),
                    source: origin.source,
                    offset: origin.offset,
                    length: batch.length(record),
                    excerpt: excerpt(batch.record(record)),
                });
            }
        }
    }

    /// Publishes what was done to the records of `done`, unless their bytes were not there: then all is taken back.
    pub(super) fn commit(
        &mut self,
        block: &Block<'_>,
        batch: &Batch<'_>,
        frame: &mut Frame,
        (done, is_open): (Range<u32>, bool),
        output: &mut Option<Box<BlockOutput>>,
        is_intact: &impl Fn(u64) -> bool,
    ) -> Result<(), Torn> {
        let is_whole = done.end == batch.len();
        let place = |record: u32| block.span.start + u64::from(batch.bounds()[record as usize]);
        let span = place(done.start)..if is_whole { block.span.end } else { place(done.end) };
        if !is_intact(block.span.end) {
            self.discard(output);
            return Err(Torn { from: span.start });
        }
        frame.done = done.end;
        output.iter_mut().flat_map(|output| &mut output.pieces).for_each(Piece::commit);
        self.account(block, batch, frame, done, &span, is_whole && is_open && block.is_last);
        self.publish();
        Ok(())
    }

    /// Forgets what was counted since the last commit; but the time that it took is gone all the same.
    pub(super) fn take_back(&mut self) {
        for cell in self.shared.board.layout.times() {
            self.committed[cell] = self.totals[cell];
        }
        self.totals.copy_from_slice(&self.committed);
    }

    fn account(
        &mut self,
        block: &Block<'_>,
        batch: &Batch<'_>,
        frame: &Frame,
        done: Range<u32>,
        span: &Range<u64>,
        is_open: bool,
    ) {
        let records = u64::from(done.end - done.start);
        let oversized = self.note_oversized(batch, &done);
        self.totals[WorkerCell::Bytes as usize] += span.end - span.start;
        self.totals[WorkerCell::Records as usize] += records;
        self.totals[WorkerCell::Oversized as usize] += oversized;
        let tally = SourceTally {
            bytes: span.end - span.start,
            records,
            oversized,
            tiles: tile(span.start, span.end),
            is_open,
            access: Some(block.access),
            ..SourceTally::default()
        };
        self.delta.sources.entry(block.source).or_default().absorb(&tally);
        self.has_news = true;
        for &(record, node, ns) in frame.probed.iter().filter(|(record, ..)| done.contains(record)) {
            self.delta.probes[node as usize].record(batch.origin(record), ns);
        }
        for fault in self.faults.drain(..) {
            self.delta.add_fault(fault);
        }
    }

    /// Counts the records over the limit, and keeps the last ones as samples.
    fn note_oversized(&mut self, batch: &Batch<'_>, done: &Range<u32>) -> u64 {
        if !batch.may_be_oversized() {
            return 0;
        }
        let mut count = 0;
        for record in done.clone().rev().filter(|&record| batch.is_oversized(record)) {
            count += 1;
            if count <= limits::FAULT_SAMPLES as u64 {
                self.faults.push(oversized_sample(self.block, batch, record));
            }
        }
        count
    }

    /// Puts the counters where they are read.
    pub(super) fn publish(&mut self) {
        self.shared.board.shards[self.number].store(&self.totals);
        self.committed.copy_from_slice(&self.totals);
    }

    pub(super) fn after_commit(&mut self) {
        self.charge(StageKind::Route);
        self.publish_if_asked(None);
    }

    /// Hands the rest over too, if the publisher has been there since the last time.
    pub(super) fn publish_if_asked(&mut self, in_work: Option<&Frame>) {
        let epoch = self.shared.board.epoch.load(Ordering::Relaxed);
        let exchange = &self.shared.board.exchanges[self.number];
        if !self.has_news || epoch == self.epoch || !exchange.is_ready() {
            return;
        }
        if self.shared.options.trace {
            self.collect_traces(in_work);
        }
        exchange.hand_over(&mut self.delta);
        (self.epoch, self.has_news) = (epoch, false);
        let ns = self.clock.lap_in(Row::Stage(StageKind::Observe));
        self.totals[Layout::stage(StageKind::Observe)] += ns;
        self.budget.spend(ns);
    }

    pub(super) fn collect_traces(&mut self, in_work: Option<&Frame>) {
        let shared = self.shared;
        let mut again = ReadAgain { shared, file: None };
        let mut read = |source: SourceId, offset: u64, length: usize| again.read(source, offset, length);
        self.delta.traces.clear();
        self.history.trace_last(in_work, limits::TRACES, &self.shared.pipeline, &mut read, &mut self.delta.traces);
    }
}

fn excerpt(record: &[u8]) -> Bytes {
    Bytes::copy_from_slice(&record[..record.len().min(limits::EXCERPT_BYTES)])
}

fn oversized_sample(order: u64, batch: &Batch<'_>, record: u32) -> Fault {
    let (origin, bytes) = (batch.origin(record), batch.record(record));
    let message = format!("longer than the limit: processors saw {} of it", human::bytes(bytes.len() as u64));
    let sample = source_fault_sample(order, origin.source, FaultKind::Oversized, message, origin.offset, bytes);
    Fault { length: batch.length(record), ..sample }
}

pub(super) fn source_fault_sample(
    order: u64,
    source: SourceId,
    kind: FaultKind,
    message: String,
    offset: u64,
    bytes: &[u8],
) -> Fault {
    let time = Timestamp::now();
    Fault { order, node: None, kind, message, time, source, offset, length: 0, excerpt: excerpt(bytes) }
}

/// Reads parts of sources again, to be shown.
struct ReadAgain<'r> {
    shared: &'r Shared,
    /// The file that was read last.
    file: Option<(SourceId, Option<File>)>,
}

impl ReadAgain<'_> {
    /// What is there now. Where it cannot be read, there is nothing to show.
    fn read(&mut self, source: SourceId, offset: u64, length: usize) -> Vec<u8> {
        if self.file.as_ref().is_none_or(|(open, _)| *open != source) {
            self.file = Some((source, self.shared.reopen(source)));
        }
        let mut bytes = vec![0; length];
        let file = self.file.as_ref().and_then(|(_, file)| file.as_ref());
        let read = file.map_or(0, |file| file.read_at(&mut bytes, offset).unwrap_or(0));
        bytes.truncate(read);
        bytes
    }
}
