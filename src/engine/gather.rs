//! Copies the records that leave a node into what will be written for a block.

use std::{path::Path, sync::Arc};

use jiff::Timestamp;

use super::{
    flow::dedup_from,
    frame::{Frame, NodeFrame},
};
use crate::{
    batch::Batch,
    escape::escape_line_into,
    graph::Port,
    letter::Letter,
    limits,
    pipeline::{OnError, OnRefusal, Pipeline, SinkTarget},
    record::SourceId,
    sink::HttpRecord,
};

/// One place that is written to, and all sinks that write there: standard output may be the target of several, and gets
/// their records in input order, each once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Outlet {
    pub(super) target: SinkTarget,
    /// Number of the sink, its node and output.
    pub(super) sinks: Vec<(usize, usize, Option<usize>)>,
    /// Control characters are escaped, because a terminal is at the other end.
    pub(super) is_escaped: bool,
    /// What its file does not take may become dead letters.
    pub(super) may_be_buried: bool,
}

impl Outlet {
    /// The outlets of `pipeline`, in the order of their first sinks.
    pub(super) fn all(pipeline: &Pipeline, escape_stdout: bool) -> Vec<Self> {
        let mut outlets: Vec<Self> = Vec::new();
        for (number, sink) in pipeline.sinks.iter().enumerate() {
            let place = (number, sink.from, sink.output);
            match outlets.iter_mut().find(|outlet| outlet.target == sink.target) {
                Some(outlet) => outlet.sinks.push(place),
                None => outlets.push(Self {
                    target: sink.target.clone(),
                    sinks: vec![place],
                    is_escaped: escape_stdout && sink.target == SinkTarget::Stdout,
                    may_be_buried: matches!(sink.target, SinkTarget::File { .. })
                        && sink.delivery.retry.attempts.is_some()
                        && sink.delivery.fate(pipeline.dead_letters.is_some()) == OnRefusal::DeadLetter,
                }),
            }
        }
        outlets
    }
}

/// What one block has for one outlet.
#[derive(Debug, Default)]
pub(super) struct Piece {
    pub(super) bytes: Vec<u8>,
    /// The rest of the last record, where it is over the limit: offset and length in the block's source.
    pub(super) tail: Option<(u64, u64)>,
    /// How many records each sink of the outlet has here, and how many of those are sure.
    pub(super) records: Vec<Records>,
    /// How many of the bytes are sure to be written.
    pub(super) committed: usize,
    /// Where each record is, for those who post them one by one, or bury them so.
    pub(super) posts: Vec<HttpRecord>,
    committed_posts: usize,
}

/// The records that a piece has for one sink.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Records {
    pub(super) count: u64,
    committed: u64,
}

impl Piece {
    /// Bytes that are written as they are.
    pub(super) fn of(bytes: Vec<u8>) -> Self {
        Self { bytes, ..Self::default() }
    }

    /// From now on, what is there is sure.
    pub(super) fn commit(&mut self) {
        self.committed = self.bytes.len();
        self.committed_posts = self.posts.len();
        self.records.iter_mut().for_each(|records| records.committed = records.count);
    }

    /// Takes back what is not sure.
    pub(super) fn rewind(&mut self) {
        self.bytes.truncate(self.committed);
        self.posts.truncate(self.committed_posts);
        self.tail = None;
        self.records.iter_mut().for_each(|records| records.count = records.committed);
    }

    /// Forgets all, and keeps the memory.
    pub(super) fn clear(&mut self) {
        (self.committed, self.committed_posts) = (0, 0);
        self.records.clear();
        self.rewind();
        // One block of many short lines must not keep the memory of what they became.
        self.bytes.shrink_to(limits::OUTPUT_PART_BYTES);
    }
}

/// Fills the pieces of a block.
pub(super) struct Gatherer<'r> {
    pipeline: &'r Pipeline,
    outlets: &'r [Outlet],
    paths: &'r [std::path::PathBuf],
    numbers: Vec<u32>,
}

impl<'r> Gatherer<'r> {
    /// Gathers for `outlets`; `paths` are those of the sources.
    pub(super) fn new(pipeline: &'r Pipeline, outlets: &'r [Outlet], paths: &'r [std::path::PathBuf]) -> Self {
        Self { pipeline, outlets, paths, numbers: Vec::new() }
    }

    /// Appends to `pieces` (one an outlet, then one for dead letters) what the last chunk of `frame` has for them.
    pub(super) fn gather(&mut self, batch: &Batch<'_>, frame: &Frame, pieces: &mut [Piece]) {
        for (outlet, piece) in self.outlets.iter().zip(&mut *pieces) {
            self.numbers.clear();
            piece.records.resize_with(outlet.sinks.len(), Records::default);
            for (&(_, node, output), records) in outlet.sinks.iter().zip(&mut piece.records) {
                let before = self.numbers.len();
                append_left(&frame.nodes[node], output, &mut self.numbers);
                records.count += (self.numbers.len() - before) as u64;
            }
            self.numbers.sort();
            dedup_from(&mut self.numbers, 0);
            if matches!(outlet.target, SinkTarget::Http(_)) {
                self.copy_posts(batch, frame, piece);
            } else if outlet.may_be_buried {
                self.copy_each(batch, frame, piece);
            } else if outlet.is_escaped {
                copy_escaped(batch, &self.numbers, piece);
            } else {
                copy(batch, &self.numbers, piece);
            }
        }
        if let Some(piece) = pieces.get_mut(self.outlets.len()) {
            self.gather_letters(batch, frame, &mut piece.bytes);
        }
    }

    fn path<'a>(&'a self, frame: &'a Frame, source: SourceId) -> &'a Path {
        let listed = || self.paths.get(source as usize).map_or(Path::new(""), |path| path);
        frame.path.as_deref().unwrap_or_else(listed)
    }

    /// Copies records so that each can be told from the others.
    fn copy_posts(&self, batch: &Batch<'_>, frame: &Frame, piece: &mut Piece) {
        let Some(source) = self.source(batch, frame) else { return };
        for &number in &self.numbers {
            piece.posts.push(record(batch, frame, number, &source, piece.bytes.len()));
            piece.bytes.extend_from_slice(&batch.bytes()[batch.raw(number)]);
        }
    }

    /// Copies records as [`copy`] does it, and remembers where each is.
    fn copy_each(&self, batch: &Batch<'_>, frame: &Frame, piece: &mut Piece) {
        let Some(source) = self.source(batch, frame) else { return };
        for number in &self.numbers {
            piece.posts.push(record(batch, frame, *number, &source, piece.bytes.len()));
            copy(batch, std::slice::from_ref(number), piece);
        }
    }

    /// The path of the records at hand; all records of a block are of one source.
    fn source(&self, batch: &Batch<'_>, frame: &Frame) -> Option<Arc<Path>> {
        let &first = self.numbers.first()?;
        let named = || Arc::from(self.path(frame, batch.origin(first).source));
        Some(frame.path.clone().unwrap_or_else(named))
    }

    fn gather_letters(&self, batch: &Batch<'_>, frame: &Frame, letters: &mut Vec<u8>) {
        for (number, node) in frame.nodes.iter().enumerate() {
            if node.out.failed.len() == node.marks.failed || self.pipeline.on_error(number) != OnError::DeadLetter {
                continue;
            }
            let time = Timestamp::now();
            for failure in node.marks.failed..node.out.failed.len() {
                let (record, kind, reason) = node.out.failure(failure);
                let origin = batch.origin(record);
                let letter = Letter {
                    time,
                    processor: &self.pipeline.graph.nodes[number].id,
                    kind,
                    reason,
                    source: self.path(frame, origin.source),
                    offset: origin.offset,
                    length: batch.length(record),
                    truncated: batch.length(record) > batch.raw(record).len() as u64,
                    line: without_newline(&batch.bytes()[batch.raw(record)]),
                };
                letter.encode(letters);
            }
        }
    }
}

/// Appends the records that left `node` in the last chunk, on `output` or on any.
fn append_left(node: &NodeFrame, output: Option<usize>, numbers: &mut Vec<u32>) {
    for output in output.map_or(0..node.out.ports.len(), |output| output..output + 1) {
        numbers.extend_from_slice(node.fresh(Port::Output(output)));
    }
}

/// A record that stands at `start` of a piece.
fn record(batch: &Batch<'_>, frame: &Frame, number: u32, source: &Arc<Path>, start: usize) -> HttpRecord {
    HttpRecord {
        range: start as u32..(start + batch.raw(number).len()) as u32,
        source: Arc::clone(source),
        identity: frame.identity,
        offset: batch.origin(number).offset,
        length: batch.length(number),
    }
}

fn without_newline(bytes: &[u8]) -> &[u8] {
    bytes.strip_suffix(b"\n").unwrap_or(bytes)
}

/// Copies records as they are; runs of neighbours at once. A missing last newline is added.
fn copy(batch: &Batch<'_>, numbers: &[u32], piece: &mut Piece) {
    for run in numbers.chunk_by(|&left, &right| left + 1 == right) {
        let (first, last) = (run[0], run[run.len() - 1]);
        let range = batch.raw(first).start..batch.raw(last).end;
        piece.bytes.extend_from_slice(&batch.bytes()[range.clone()]);
        let cut = batch.length(last) - batch.raw(last).len() as u64;
        if cut > 0 {
            piece.tail = Some((batch.origin(last).offset + batch.raw(last).len() as u64, cut));
        } else if piece.bytes.last() != Some(&b'\n') {
            piece.bytes.push(b'\n');
        }
    }
}

fn copy_escaped(batch: &Batch<'_>, numbers: &[u32], piece: &mut Piece) {
    for &number in numbers {
        escape_line_into(without_newline(&batch.bytes()[batch.raw(number)]), &mut piece.bytes);
        piece.bytes.push(b'\n');
    }
}
