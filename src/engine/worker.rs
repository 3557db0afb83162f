//! A worker: takes blocks, runs them through the graph, and accounts for what it did.

mod books;
mod files;
mod streams;

use std::{
    ops::Range,
    sync::{Arc, atomic::Ordering},
};

use books::source_fault_sample;

use super::{
    RunError, Shared, Timing,
    account::Unbalanced,
    budget::Budget,
    clock::Clock,
    flow::{Accounts, Flow},
    frame::{Frame, History},
    gather::{Gatherer, Piece},
    options::Row,
    window::BlockOutput,
};
use crate::{
    batch::Batch,
    input::{BlockFile, Choice},
    limits,
    metrics::{Delta, Layout, WorkerCell},
    pipeline::OnError,
    record::SourceId,
    snapshot::{Fault, FaultKind, StageKind},
    split,
};

/// One worker, with everything that it alone writes.
pub(super) struct Worker<'r> {
    number: usize,
    shared: &'r Shared,
    flow: Flow<'r>,
    gatherer: Gatherer<'r>,
    clock: Clock,
    budget: Budget,
    history: History,
    /// What will be in the shard after the next commit, and what is in it now.
    totals: Vec<u64>,
    committed: Vec<u64>,
    /// What was in the shard when the present block was begun, where somebody wants to know what each block adds.
    begun: Vec<u64>,
    /// Faults since the last commit.
    faults: Vec<Fault>,
    delta: Box<Delta>,
    epoch: u64,
    /// Number of the block in work.
    block: u64,
    /// Why it ended the run, and on which block.
    stopped: Option<(u64, RunError)>,
    /// Something happened since the last hand-over.
    has_news: bool,
    buffer: Vec<u8>,
    /// The file that it reads, with its number.
    file: Option<(SourceId, BlockFile)>,
    choice: Choice,
    /// What splitting the last block took: for a mapping, its page faults.
    split_ns: u64,
}

/// Bytes to be run, and what is known of them.
struct Block<'b> {
    /// The source that is read.
    source: SourceId,
    /// What can be seen of the block.
    bytes: &'b [u8],
    /// Where it stands in its source.
    span: Range<u64>,
    /// It is the last of its source.
    is_last: bool,
    /// How it was read.
    access: &'static str,
}

/// The file became shorter while a block of it was looked at. What came before this offset is published.
struct Torn {
    from: u64,
}

impl<'r> Worker<'r> {
    /// Worker number `number` of a run.
    pub(super) fn new(number: usize, shared: &'r Shared) -> Self {
        let board = &shared.board;
        let cells = board.layout.len();
        Self {
            number,
            shared,
            flow: Flow::new(&shared.pipeline, &board.layout),
            gatherer: Gatherer::new(&shared.pipeline, &shared.outlets, &shared.paths),
            clock: Clock::start(shared.options.slowdown),
            budget: Budget::new(shared.options.observe_budget),
            history: History::default(),
            totals: vec![0; cells],
            committed: vec![0; cells],
            begun: Vec::new(),
            faults: Vec::new(),
            delta: Box::new(Delta::new(shared.pipeline.nodes.len())),
            epoch: 0,
            block: 0,
            stopped: None,
            has_news: false,
            buffer: Vec::new(),
            file: None,
            choice: Choice::default(),
            split_ns: 0,
        }
    }

    /// What was not handed over yet, at the end of the run.
    pub(super) fn into_delta(mut self) -> Delta {
        if self.shared.options.trace {
            self.collect_traces(None);
        }
        *self.delta
    }

    fn end_of_jobs(&mut self) {
        self.charge(StageKind::Route);
        self.publish();
    }

    fn charge(&mut self, stage: StageKind) -> u64 {
        let ns = self.clock.lap_in(Row::Stage(stage));
        self.totals[Layout::stage(stage)] += ns;
        ns
    }

    /// Charges what has passed to a kind of waiting, and shows it, and what was done before, while the wait goes on:
    /// nothing may come for long.
    fn wait(&mut self, cell: WorkerCell) {
        let ns = self.clock.lap();
        self.totals[cell as usize] += ns;
        if self.shared.is_live() {
            // There is time to look closely while nothing else is to be done.
            self.budget.earn(ns);
        }
        self.publish();
        self.publish_if_asked(None);
    }

    fn begin_output(&mut self, number: u64) -> Option<Box<BlockOutput>> {
        self.block = number;
        let window = self.shared.window.as_ref()?;
        if !window.has_room(number) {
            self.charge(StageKind::Route);
            window.wait_for_room(number, || self.wait(WorkerCell::SinkWait));
            self.wait(WorkerCell::SinkWait);
        }
        let mut output = window.output();
        output.pieces.resize_with(self.shared.pieces(), Default::default);
        if self.shared.deliveries.is_some() {
            self.begun.clone_from(&self.committed);
        }
        Some(output)
    }

    fn end_output(&mut self, number: u64, output: Option<Box<BlockOutput>>) {
        if let Some((window, mut output)) = self.shared.window.as_ref().zip(output) {
            if self.shared.deliveries.is_some() {
                let added = self.committed.iter().zip(&self.begun).map(|(now, begun)| now - begun);
                output.counts.extend(added);
            }
            window.put(number, output);
            self.charge(StageKind::Gather);
        }
    }

    fn source_fault(&mut self, source: SourceId, kind: FaultKind, message: String, offset: u64) {
        let tally = self.delta.sources.entry(source).or_default();
        let is_first = tally.message.is_none();
        tally.add_fault(kind, message.clone());
        tally.is_over = true;
        self.has_news = true;
        if is_first {
            self.delta.add_fault(source_fault_sample(self.block, source, kind, message, offset, &[]));
        }
    }

    fn begin_frame(&mut self, source: SourceId, offset: u64, cut_bytes: u64) -> Option<Vec<u8>> {
        let traces = if self.shared.options.trace { limits::TRACES } else { 0 };
        let freed = self.history.begin(&self.shared.pipeline, traces);
        let frame = self.history.current();
        (frame.source, frame.offset, frame.cut_bytes, frame.order) = (source, offset, cut_bytes, self.block);
        freed
    }

    /// Runs a block chunk by chunk: probes first, then as much at once as may be. What is done is committed at the end,
    /// and on the way if that is long; but only after `is_intact` said that the bytes seen so far were there.
    fn run_block(
        &mut self,
        block: &Block<'_>,
        output: &mut Option<Box<BlockOutput>>,
        is_intact: impl Fn(u64) -> bool,
    ) -> Result<(), Torn> {
        let mut frame = std::mem::take(self.history.current());
        let is_open = split::bounds(block.bytes, frame.bounds_mut());
        frame.length = block.bytes.len();
        self.split_ns = self.charge(StageKind::Split);
        let (bounds, offsets) = (Arc::clone(&frame.bounds), frame.offsets.clone());
        let batch = frame.batch(block.bytes, &bounds, self.shared.options.record_bytes_max);
        let batch = batch.with_offsets(offsets.as_ref().map(|offsets| offsets.as_slice()));
        if let Some(output) = output {
            output.origin = Some(batch.origin(0));
        }
        let result = self.run_chunks(block, &batch, &mut frame, output, &is_intact, is_open);
        *self.history.current() = frame;
        if result.is_ok() {
            self.after_commit();
        }
        result
    }

    fn run_chunks(
        &mut self,
        block: &Block<'_>,
        batch: &Batch<'_>,
        frame: &mut Frame,
        output: &mut Option<Box<BlockOutput>>,
        is_intact: &impl Fn(u64) -> bool,
        is_open: bool,
    ) -> Result<(), Torn> {
        let (mut at, mut begun) = (0, self.clock.last());
        let mut probes = self.probes(batch.len());
        let mut stopped = None;
        while at < batch.len() {
            let end = if probes > 0 { at + 1 } else { at + self.chunk_records().min(batch.len() - at) };
            let is_probe = probes > 0 || (end == at + 1 && self.shared.options.timing != Timing::Off);
            probes = probes.saturating_sub(1);
            if let Err(unbalanced) = self.run_chunk(batch, (at, end), frame, output, is_probe) {
                // Nothing that it counted is worth anything.
                self.discard(output);
                self.shared.fail(self.unbalanced(&unbalanced));
                self.cut_behind(output);
                break;
            }
            stopped = stopped.or_else(|| self.stopped_by(batch, frame));
            at = end;
            let is_slow = self.clock.since(begun) >= limits::CHUNK_TIME;
            let is_cut_short = stopped.is_some() || (is_slow && self.shared.is_stopping());
            let is_full = output.as_ref().is_some_and(|output| output.len() >= limits::OUTPUT_PART_BYTES);
            if at == batch.len() || is_slow || is_full || is_cut_short {
                let done = frame.done..at;
                self.commit(block, batch, frame, (done, is_open), output, is_intact)?;
                begun = self.clock.last();
                if is_full && at < batch.len() {
                    self.put_part(output);
                }
                if is_slow && at < batch.len() {
                    self.publish_if_asked(Some(frame));
                }
            }
            if is_cut_short && (at < batch.len() || self.shared.is_live()) {
                self.cut_behind(output);
                break;
            }
        }
        // Only now is it sure that the record was there.
        self.stop_by(stopped);
        Ok(())
    }

    /// How many records the next chunk may have: so few that it ends soon, and that what is written for it is bounded.
    fn chunk_records(&self) -> u32 {
        let letters = if self.shared.pipeline.dead_letters.is_some() { limits::LETTER_RECORDS } else { u32::MAX };
        self.flow.chunk_records().min(letters)
    }

    /// Takes back what was done since the last commit.
    fn discard(&mut self, output: &mut Option<Box<BlockOutput>>) {
        self.take_back();
        self.faults.clear();
        output.iter_mut().flat_map(|output| &mut output.pieces).for_each(Piece::rewind);
    }

    /// The present block is cut short: what other workers make of later ones must not be written behind the hole.
    fn cut_behind(&self, output: &mut Option<Box<BlockOutput>>) {
        output.iter_mut().for_each(|output| output.is_cut = true);
        self.shared.window.iter().for_each(|window| window.cut_behind(self.block));
    }

    /// Hands over what the present block has for sinks so far, when its turn has come.
    fn put_part(&mut self, output: &mut Option<Box<BlockOutput>>) {
        let Some((window, mut full)) = self.shared.window.as_ref().zip(output.take()) else { return };
        let (origin, places, rest) = (full.origin, full.places.take(), full.rest.clone());
        self.charge(StageKind::Gather);
        window.put_part(self.block, full);
        self.totals[WorkerCell::SinkWait as usize] += self.clock.lap();
        let mut next = window.output();
        (next.origin, next.places, next.rest) = (origin, places, rest);
        next.pieces.resize_with(self.shared.pieces(), Default::default);
        *output = Some(next);
    }

    fn probes(&self, records: u32) -> u32 {
        match self.shared.options.timing {
            Timing::Off => 0,
            Timing::Sampled => self.budget.probes(records),
            Timing::Full => records,
        }
    }

    /// Runs one chunk.
    fn run_chunk(
        &mut self,
        batch: &Batch<'_>,
        (start, end): (u32, u32),
        frame: &mut Frame,
        output: &mut Option<Box<BlockOutput>>,
        is_probe: bool,
    ) -> Result<(), Unbalanced> {
        let begun = self.clock.last();
        let mut probed = std::mem::take(&mut frame.probed);
        let mut accounts = Accounts { totals: &mut self.totals, clock: &mut self.clock, stop: &self.shared.stop };
        let result = self.flow.run(batch, (start, end), frame, &mut accounts, is_probe.then_some(&mut probed));
        frame.probed = probed;
        result?;
        if let Some(output) = output {
            self.gatherer.gather(batch, frame, &mut output.pieces);
            self.charge(StageKind::Gather);
        }
        let ns = u64::try_from(self.clock.since(begun).as_nanos()).unwrap_or(u64::MAX);
        if is_probe {
            self.totals[WorkerCell::Probe as usize] += ns;
            self.budget.spend_on_probes(ns, 1, 0.0);
        } else {
            self.budget.earn(ns);
        }
        self.collect_faults(batch, frame);
        Ok(())
    }

    fn unbalanced(&self, unbalanced: &Unbalanced) -> RunError {
        RunError::Unbalanced {
            processor: self.shared.pipeline.graph.nodes[unbalanced.node].id.clone(),
            records_in: unbalanced.records_in,
            accounted: unbalanced.accounted,
        }
    }

    /// What ends the run, if a record of the last chunk failed where that does: the first such record.
    fn stopped_by(&self, batch: &Batch<'_>, frame: &Frame) -> Option<RunError> {
        let mut first: Option<(u32, usize)> = None;
        for (number, node) in frame.nodes.iter().enumerate() {
            if node.out.failed.len() > node.marks.failed && self.shared.pipeline.on_error(number) == OnError::Stop {
                let here = (node.out.failed[node.marks.failed], number);
                first = Some(first.map_or(here, |first| first.min(here)));
            }
        }
        let (record, number) = first?;
        let node = &frame.nodes[number];
        let (_, _, reason) = node.out.failure(node.marks.failed);
        let origin = batch.origin(record);
        Some(RunError::Stopped {
            processor: self.shared.pipeline.graph.nodes[number].id.clone(),
            reason: reason.to_string(),
            path: self.shared.paths.get(origin.source as usize).cloned().unwrap_or_default(),
            offset: origin.offset,
        })
    }

    /// Ends the run if there is reason to. Of what several workers say, that counts which stands first in the input.
    fn stop_by(&mut self, reason: Option<RunError>) {
        if let Some(reason) = reason {
            self.stopped.get_or_insert((self.block, reason));
            self.shared.stop.store(true, Ordering::Relaxed);
        }
    }

    /// Why this worker ended the run, if it did, and on which block.
    pub(super) fn take_stopped(&mut self) -> Option<(u64, RunError)> {
        self.stopped.take()
    }
}
