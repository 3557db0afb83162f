//! The blocks of streams: taken from the queue that their reader fills.

use std::{
    io,
    sync::{Arc, OnceLock},
};

use super::{Block, Worker, books::source_fault_sample};
use crate::{
    engine::window::BlockOutput,
    input::{BadPart, Stream, StreamBlock},
    metrics::WorkerCell,
    record::SourceId,
    snapshot::{FaultKind, StageKind},
};

/// What tells the bytes of this process's streams from what other processes read under the same name.
fn stream_identity() -> u64 {
    static IDENTITY: OnceLock<u64> = OnceLock::new();
    *IDENTITY.get_or_init(|| fastrand::u64(..))
}

impl Worker<'_> {
    /// Runs the blocks of a stream until there are no more, and returns how many it ran. `first` is the number of its
    /// first block.
    pub(in crate::engine) fn run_stream(&mut self, stream: &Stream, source: SourceId, first: u64) -> u64 {
        self.clock.restart();
        let mut blocks = 0;
        while let Some(block) = self.next_of(stream) {
            let number = first + block.number;
            let mut output = self.begin_output(number);
            if let Some(buffer) = self.run_stream_block(block, source, &mut output) {
                stream.recycle(buffer);
            }
            self.end_output(number, output);
            blocks += 1;
        }
        self.end_of_jobs();
        blocks
    }

    /// Says that no more will come of a stream, and why, if that was no end.
    pub(in crate::engine) fn stream_ended(&mut self, source: SourceId, error: Option<&io::Error>) {
        if let Some(error) = error {
            self.source_fault(source, FaultKind::Unreadable, crate::input::describe(error), 0);
        }
        self.delta.sources.entry(source).or_default().is_over = true;
        self.has_news = true;
    }

    fn next_of(&mut self, stream: &Stream) -> Option<StreamBlock> {
        self.charge(StageKind::Route);
        let block = stream.next(&self.shared.stop, || self.wait(WorkerCell::Idle));
        self.wait(WorkerCell::Idle);
        block
    }

    /// Runs a block of a stream. Returns a buffer that is free now.
    fn run_stream_block(
        &mut self,
        block: StreamBlock,
        source: SourceId,
        output: &mut Option<Box<BlockOutput>>,
    ) -> Option<Vec<u8>> {
        for BadPart { offset, message, excerpt } in &block.faults {
            self.delta.sources.entry(source).or_default().add_fault(FaultKind::BadLetter, message.clone());
            self.delta.add_fault(source_fault_sample(
                self.block,
                source,
                FaultKind::BadLetter,
                message.clone(),
                *offset,
                excerpt,
            ));
        }
        // What is followed stands in many sources; letters stand in the one that they are read from.
        let source = if block.places.is_some() { block.source.unwrap_or(source) } else { source };
        let path = block.places.as_ref().map(|places| Arc::clone(&places.path));
        let identity = match &block.places {
            Some(places) => places.mark.map_or_else(stream_identity, |mark| mark.content()),
            // Letters name the same places whenever they are run again.
            None if block.source.is_some() => 0,
            None => stream_identity(),
        };
        if let Some(output) = output {
            (output.places, output.rest) = (block.places, block.rest);
        }
        if block.bytes.is_empty() && block.faults.is_empty() {
            return Some(block.bytes);
        }
        let freed = self.begin_frame(block.source.unwrap_or(source), block.offset, block.cut_bytes);
        let bytes = Arc::new(block.bytes);
        let frame = self.history.current();
        (frame.path, frame.identity) = (path, identity);
        frame.offsets = block.offsets.map(Arc::new);
        frame.bytes = Some(Arc::clone(&bytes));
        let span = block.offset..block.offset + bytes.len() as u64 + block.cut_bytes;
        let run = Block { source, bytes: &bytes, span, is_last: block.is_open, access: "stream" };
        let intact = self.run_block(&run, output, |_| true);
        debug_assert!(intact.is_ok(), "a stream does not become shorter");
        freed
    }
}
