//! The blocks of files: fetched, run, and run again by other means if the file became shorter meanwhile.

use std::{io, ops::Range};

use super::{Block, Torn, Worker};
use crate::{
    engine::{
        jobs::{FileJob, FileJobs},
        window::BlockOutput,
    },
    input::{Access, BlockFile, FileBlock, How, Input},
    place::FileId,
    snapshot::{FaultKind, StageKind},
};

/// How often the rest of a block is tried to be read from a file that becomes shorter every time. Somebody who truncates
/// and writes in turns could go on for ever.
const REST_ATTEMPTS: u32 = 16;

/// What tells the file from others that have its name at other times.
fn identity_of(input: &Input) -> u64 {
    match input.access {
        Access::Random { identity: (device, inode), .. } => FileId { device, inode, generation: None }.number(),
        Access::Stream | Access::Letters => 0,
    }
}

impl Worker<'_> {
    /// Runs the blocks of files until there are no more.
    pub(in crate::engine) fn run_files(&mut self, jobs: &FileJobs) {
        self.clock.restart();
        while !self.shared.is_stopping()
            && let Some(job) = jobs.next()
        {
            let number = job.number;
            let mut output = self.begin_output(number);
            self.run_file_block(&job, &mut output);
            self.end_output(number, output);
        }
        self.file = None;
        self.end_of_jobs();
    }

    fn run_file_block(&mut self, job: &FileJob<'_>, output: &mut Option<Box<BlockOutput>>) {
        let mut buffer = std::mem::take(&mut self.buffer);
        let outcome = self.open(job).and_then(|file| {
            let outcome = self.run_block_of(&file, job, job.range.clone(), &mut buffer, output);
            if matches!(outcome, Ok(Ok(()))) {
                self.file = Some((job.source, file));
            }
            outcome
        });
        if let Some(from) = self.torn_from(job, job.range.start, outcome) {
            let message = "became shorter while it was read; what was left of it was read".to_owned();
            self.source_fault(job.source, FaultKind::Truncated, message, from);
            self.run_rest(job, from, &mut buffer, output);
        }
        self.buffer = buffer;
    }

    /// Where to go on after `outcome`, if the file became shorter; `begun` is where this attempt began.
    fn torn_from(&mut self, job: &FileJob<'_>, begun: u64, outcome: io::Result<Result<(), Torn>>) -> Option<u64> {
        match outcome {
            Ok(Ok(())) => None,
            Ok(Err(torn)) => Some(torn.from),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Some(begun),
            Err(error) => {
                self.source_fault(job.source, FaultKind::Unreadable, crate::input::describe(&error), job.range.start);
                None
            }
        }
    }

    fn open(&mut self, job: &FileJob<'_>) -> io::Result<BlockFile> {
        let result = match self.file.take() {
            Some((source, file)) if source == job.source => Ok(file),
            _ => BlockFile::open(job.input, self.shared.options.record_bytes_max),
        };
        self.charge(StageKind::Read);
        result
    }

    fn run_block_of(
        &mut self,
        file: &BlockFile,
        job: &FileJob<'_>,
        range: Range<u64>,
        buffer: &mut Vec<u8>,
        output: &mut Option<Box<BlockOutput>>,
    ) -> io::Result<Result<(), Torn>> {
        let how = self.shared.options.mapping.how(&self.choice, file.size());
        let fetched = file.block(how, range, buffer);
        let read_ns = self.charge(StageKind::Read);
        let fetched = fetched?;
        if fetched.span.is_empty() {
            let is_intact = fetched.is_intact(file.size());
            self.release(fetched, read_ns);
            return Ok(if is_intact { Ok(()) } else { Err(Torn { from: job.range.start }) });
        }
        let is_last = fetched.span.end == file.size();
        self.begin_frame(job.source, fetched.span.start, fetched.cut_bytes);
        self.history.current().identity = identity_of(job.input);
        let access = match fetched.how {
            How::Map => "mapped",
            How::Read => "read",
        };
        let block = Block { source: job.source, bytes: fetched.bytes, span: fetched.span.clone(), is_last, access };
        let result = self.run_block(&block, output, |end| fetched.is_intact(end));
        self.release(fetched, read_ns + self.split_ns);
        Ok(result)
    }

    /// Lets go of a block, and notes what it cost to get at it: `ns` so far.
    fn release(&mut self, block: FileBlock<'_>, ns: u64) {
        let (how, bytes) = (block.how, block.touched_bytes());
        block.release();
        let release_ns = self.charge(StageKind::Read);
        self.choice.note(how, bytes, ns + release_ns);
    }

    /// The file became shorter: what is left of the block is read, from `from` on. While that goes on it may become
    /// shorter still.
    fn run_rest(
        &mut self,
        job: &FileJob<'_>,
        mut from: u64,
        buffer: &mut Vec<u8>,
        output: &mut Option<Box<BlockOutput>>,
    ) {
        for _ in 0..REST_ATTEMPTS {
            let rest = BlockFile::open_rest(job.input, self.shared.options.record_bytes_max);
            let outcome = rest.and_then(|file| self.run_block_of(&file, job, from..job.range.end, buffer, output));
            match self.torn_from(job, from, outcome) {
                Some(next) => from = next,
                None => return,
            }
        }
    }
}
