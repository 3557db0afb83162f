//! Which block of which file comes next: one atomic counter over all blocks of a group of files.

use std::{
    ops::Range,
    sync::atomic::{AtomicU64, Ordering},
};

use crate::{
    input::{Access, Input},
    record::SourceId,
};

/// Sources that follow each other in the input and are run together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Group {
    /// Files of known size: all workers take blocks of all of them.
    Files(Range<usize>),
    /// A stream, or a dead-letter file: a reader cuts it, all workers take its blocks.
    Stream(usize),
}

/// Groups `inputs`.
pub(super) fn groups(inputs: &[Input]) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for (number, input) in inputs.iter().enumerate() {
        match (input.access, groups.last_mut()) {
            (Access::Stream | Access::Letters, _) => groups.push(Group::Stream(number)),
            (Access::Random { .. }, Some(Group::Files(range))) if range.end == number => range.end += 1,
            (Access::Random { .. }, _) => groups.push(Group::Files(number..number + 1)),
        }
    }
    groups
}

/// The blocks of a group of files.
pub(super) struct FileJobs<'r> {
    inputs: &'r [Input],
    /// Number of the first source.
    source: usize,
    /// For each file, the number of the first block behind it, counted from the group's first.
    ends: Vec<u64>,
    /// Number of the group's first block in the run.
    first: u64,
    block_bytes: u64,
    next: AtomicU64,
}

/// One block to be run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FileJob<'r> {
    pub(super) source: SourceId,
    pub(super) input: &'r Input,
    /// The records that start here are its.
    pub(super) range: Range<u64>,
    /// Number of the block in the run.
    pub(super) number: u64,
}

impl<'r> FileJobs<'r> {
    /// The blocks of `inputs[files]`; the first has number `first` in the run.
    pub(super) fn new(inputs: &'r [Input], files: Range<usize>, first: u64, block_bytes: usize) -> Self {
        let block_bytes = block_bytes as u64;
        let mut end = 0;
        let ends = inputs[files.clone()].iter().map(|input| {
            end += size(input).div_ceil(block_bytes);
            end
        });
        let ends = ends.collect();
        Self { inputs: &inputs[files.clone()], source: files.start, ends, first, block_bytes, next: AtomicU64::new(0) }
    }

    /// How many there are.
    pub(super) fn len(&self) -> u64 {
        self.ends.last().copied().unwrap_or(0)
    }

    /// The next one. Blocks are given out in input order.
    pub(super) fn next(&self) -> Option<FileJob<'r>> {
        // Relaxed: the number is all that is shared.
        let block = self.next.fetch_add(1, Ordering::Relaxed);
        (block < self.len()).then(|| self.job(block))
    }

    fn job(&self, block: u64) -> FileJob<'r> {
        let file = self.ends.partition_point(|&end| end <= block);
        let input = &self.inputs[file];
        let start = (block - if file == 0 { 0 } else { self.ends[file - 1] }) * self.block_bytes;
        let end = start.saturating_add(self.block_bytes).min(size(input));
        FileJob { source: (self.source + file) as SourceId, input, range: start..end, number: self.first + block }
    }
}

fn size(input: &Input) -> u64 {
    match input.access {
        Access::Random { size, .. } => size,
        Access::Stream | Access::Letters => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(size: u64) -> Input {
        Input { path: "x".into(), access: Access::Random { size, identity: (0, 0) } }
    }

    #[test]
    fn blocks_cover_every_file_in_order() {
        let inputs = [file(0), file(25), file(0), file(10), file(1)];
        let jobs = FileJobs::new(&inputs, 0..5, 100, 10);
        let found: Vec<_> = std::iter::from_fn(|| jobs.next()).map(|job| (job.source, job.range, job.number)).collect();
        assert_eq!(found, [(1, 0..10, 100), (1, 10..20, 101), (1, 20..25, 102), (3, 0..10, 103), (4, 0..1, 104),]);
        assert_eq!(jobs.next(), None);
    }

    #[test]
    fn neighbouring_files_are_one_group() {
        let stream = Input { path: "-".into(), access: Access::Stream };
        let inputs = [file(1), file(2), stream.clone(), stream, file(3)];
        assert_eq!(groups(&inputs), [Group::Files(0..2), Group::Stream(2), Group::Stream(3), Group::Files(4..5)]);
    }
}
