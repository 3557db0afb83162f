//! What a worker remembers of a batch: which records went where. Traces are rebuilt from it, when somebody wants them.

use std::{collections::VecDeque, ops::Range, path::Path, sync::Arc};

use bytes::Bytes;

use super::traced::{Heads, Paths};
use crate::{
    batch::{Batch, Selection},
    graph::Port,
    limits,
    pipeline::{Outputs, Pipeline},
    record::{Origin, SourceId},
    snapshot::{Hop, Trace},
};

/// The selections of one batch, gathered over all chunks of it, with what is needed to find its records again.
#[derive(Debug, Default)]
pub(super) struct Frame {
    pub(super) source: SourceId,
    pub(super) offset: u64,
    pub(super) cut_bytes: u64,
    /// Number of the block.
    pub(super) order: u64,
    /// The name of the source, where it has none from the start.
    pub(super) path: Option<Arc<Path>>,
    /// What tells its file from others of that name; 0 where nothing does.
    pub(super) identity: u64,
    /// Shared with the batch that is being run.
    pub(super) bounds: Arc<Vec<u32>>,
    pub(super) offsets: Option<Arc<Vec<u64>>>,
    /// The bytes, where they cannot be read again.
    pub(super) bytes: Option<Arc<Vec<u8>>>,
    /// The heads of its last records, where the bytes cannot be read again and were too many to be kept.
    heads: Option<Vec<Bytes>>,
    pub(super) nodes: Vec<NodeFrame>,
    /// Records up to this one have been through, and are published.
    pub(super) done: u32,
    /// What probes took: record, node, nanoseconds.
    pub(super) probed: Vec<(u32, u32, u64)>,
    /// Bytes of the block, those that could be seen.
    pub(super) length: usize,
}

/// Frames that wait for a batch: one in work and one before it is the usual turn.
const SPARE_FRAMES: usize = 2;
/// Numbers that a list may have room for without being looked at.
const LIST_ROOM: usize = 16 << 10;

fn shrink(list: &mut Vec<u32>) {
    if list.capacity() > LIST_ROOM.max(4 * list.len()) {
        list.shrink_to(LIST_ROOM.max(list.len()));
    }
}

/// Where a block has at most so many bytes for each that is shown, it is read in one piece.
const READ_AT_ONCE: usize = 4;

/// The part of `bytes` that is shown, as far as it is there; a CR before the newline is hidden.
fn shown(bytes: &[u8], head: Range<usize>) -> &[u8] {
    let head = bytes.get(head.start..head.end.min(bytes.len())).unwrap_or_default();
    head.strip_suffix(b"\r").unwrap_or(head)
}

/// The selections of one node.
#[derive(Debug, Default)]
pub(super) struct NodeFrame {
    pub(super) out: Outputs,
    /// What came in, where several outputs lead here.
    pub(super) merged: Vec<u32>,
    /// How long all lists were when the present chunk began.
    pub(super) marks: Marks,
    /// Bytes of what was put out in the present chunk.
    pub(super) left: LeftBytes,
}

/// Bytes of the records that left a node in one chunk.
#[derive(Debug, Default)]
pub(super) struct LeftBytes {
    pub(super) ports: Vec<u64>,
    pub(super) failed: u64,
}

impl LeftBytes {
    /// Those of one way out.
    pub(super) fn of(&self, port: Port) -> u64 {
        match port {
            Port::Output(output) => self.ports[output],
            Port::Failed => self.failed,
        }
    }
}

/// How long the lists of a node were at one moment.
#[derive(Debug, Default, Clone)]
pub(super) struct Marks {
    pub(super) ports: Vec<usize>,
    pub(super) dropped: usize,
    pub(super) failed: usize,
    reasons: usize,
    pub(super) merged: usize,
}

impl Marks {
    pub(super) fn set(&mut self, out: &Outputs, merged: &[u32]) {
        self.ports.clear();
        self.ports.extend(out.ports.iter().map(Vec::len));
        self.dropped = out.dropped.len();
        self.failed = out.failed.len();
        self.reasons = out.reasons.len();
        self.merged = merged.len();
    }

    /// Takes everything back that was put on `out` since.
    pub(super) fn rewind(&self, out: &mut Outputs) {
        for (port, &length) in out.ports.iter_mut().zip(&self.ports) {
            port.truncate(length);
        }
        out.dropped.truncate(self.dropped);
        out.failed.truncate(self.failed);
        out.reason_of.truncate(self.failed);
        out.reasons.truncate(self.reasons);
    }
}

impl NodeFrame {
    /// Notes how long the lists are.
    pub(super) fn mark(&mut self) {
        self.marks.set(&self.out, &self.merged);
        self.left.ports.clear();
        self.left.ports.resize(self.out.ports.len(), 0);
        self.left.failed = 0;
    }

    /// What `port` got since the last mark.
    pub(super) fn fresh(&self, port: Port) -> &[u32] {
        match port {
            Port::Output(output) => &self.out.ports[output][self.marks.ports[output]..],
            Port::Failed => &self.out.failed[self.marks.failed..],
        }
    }

    fn all(&self, port: Port) -> &[u32] {
        match port {
            Port::Output(output) => &self.out.ports[output],
            Port::Failed => &self.out.failed,
        }
    }
}

impl Frame {
    /// Makes it ready for another batch, and keeps its memory.
    pub(super) fn reset(&mut self, pipeline: &Pipeline) {
        self.nodes.resize_with(pipeline.nodes.len(), NodeFrame::default);
        for (node, plan) in self.nodes.iter_mut().zip(&pipeline.nodes) {
            node.out.ports.resize_with(plan.drops.len(), Vec::new);
            node.out.clear();
            node.merged.clear();
            node.mark();
        }
        self.probed.clear();
        (self.done, self.cut_bytes, self.length, self.identity) = (0, 0, 0, 0);
        (self.offsets, self.bytes, self.heads, self.path) = (None, None, None, None);
    }

    /// The record bounds, to be written anew.
    pub(super) fn bounds_mut(&mut self) -> &mut Vec<u32> {
        // Whoever shared them has let go: this copies nothing.
        Arc::make_mut(&mut self.bounds)
    }

    /// The batch that it is of, over `bytes`.
    pub(super) fn batch<'a>(&self, bytes: &'a [u8], bounds: &'a [u32], record_bytes_max: usize) -> Batch<'a> {
        let origin = Origin { source: self.source, offset: self.offset };
        Batch::new(bytes, bounds, origin, record_bytes_max, self.cut_bytes)
    }

    /// How many of its records a trace could be made of.
    fn traceable(&self) -> usize {
        self.done as usize
    }

    /// Appends the traces of its last `count` records, oldest first. `read` fills a buffer with the bytes of the
    /// source from an offset on.
    fn trace_last(&self, count: usize, pipeline: &Pipeline, read: &mut ReadAgain<'_>, traces: &mut Vec<Trace>) {
        let first = self.done - count as u32;
        let mut paths = Paths::new(count);
        self.visits(first, pipeline, |record, _| paths.make_room(record));
        paths.settle();
        self.visits(first, pipeline, |record, node| paths.push(record, node));
        for &(record, node, ns) in self.probed.iter().filter(|&&(record, ..)| (first..self.done).contains(&record)) {
            paths.set_time((record - first) as usize, node, ns);
        }
        let heads = self.heads(first, read);
        for (index, (record, head)) in (first..self.done).zip(heads).enumerate() {
            traces.push(self.trace(record, paths.shared(index), head));
        }
    }

    /// Calls `visit` for each node that each record from `first` on came to: with how far behind `first` the record is, and
    /// the node. A record's nodes come in the graph's order.
    fn visits(&self, first: u32, pipeline: &Pipeline, mut visit: impl FnMut(usize, u32)) {
        for node in 0..self.nodes.len() {
            let mut visit = |record: u32| visit((record - first) as usize, node as u32);
            match self.input_of(node, pipeline) {
                Selection::Range(..) => (first..self.done).for_each(&mut visit),
                Selection::List(list) => {
                    let start = list.partition_point(|&record| record < first);
                    list[start..].iter().copied().filter(|&record| record < self.done).for_each(&mut visit);
                }
            }
        }
    }

    fn trace(&self, record: u32, hops: Arc<[Hop]>, head: Bytes) -> Trace {
        let (start, end) = (self.bounds[record as usize] as usize, self.bounds[record as usize + 1] as usize);
        let cut = if record as usize + 2 == self.bounds.len() { self.cut_bytes } else { 0 };
        let here = self.offset + start as u64;
        Trace {
            order: self.order,
            source: self.source,
            offset: self.offsets.as_ref().map_or(here, |offsets| offsets[record as usize]),
            length: (end.min(self.length) - start) as u64 + cut,
            hops,
            excerpt: head,
        }
    }

    /// Where the head of `record` stands in the block.
    fn head(&self, record: u32) -> Range<usize> {
        let (start, end) = (self.bounds[record as usize] as usize, self.bounds[record as usize + 1] as usize);
        start..(end - 1).min(start + limits::EXCERPT_BYTES).min(self.length)
    }

    /// The heads of the records from `first` on.
    fn heads(&self, first: u32, read: &mut ReadAgain<'_>) -> Vec<Bytes> {
        if let Some(heads) = &self.heads {
            return heads[heads.len() - (self.done - first) as usize..].to_vec();
        }
        let mut heads = Heads::default();
        if let Some(bytes) = &self.bytes {
            (first..self.done).for_each(|record| heads.push(shown(bytes, self.head(record))));
            return heads.cut();
        }
        let start = self.bounds[first as usize] as usize;
        let heads_bytes = (self.done - first) as usize * limits::EXCERPT_BYTES;
        if self.length - start <= READ_AT_ONCE * heads_bytes {
            let bytes = read(self.source, self.offset + start as u64, self.length - start);
            let head = |record| self.head(record).start - start..self.head(record).end - start;
            (first..self.done).for_each(|record| heads.push(shown(&bytes, head(record))));
            return heads.cut();
        }
        for record in first..self.done {
            let head = self.head(record);
            let bytes = read(self.source, self.offset + head.start as u64, head.len());
            heads.push(shown(&bytes, 0..head.len()));
        }
        heads.cut()
    }

    /// Gives memory back that another block needed and this one does not: many frames may be kept at once, and one of a
    /// block with a million records must not make all of them as large.
    fn shrink(&mut self) {
        shrink(Arc::make_mut(&mut self.bounds));
        for node in &mut self.nodes {
            let NodeFrame { out, merged, .. } = node;
            out.ports.iter_mut().for_each(shrink);
            [merged, &mut out.dropped, &mut out.failed, &mut out.reason_of].into_iter().for_each(shrink);
        }
    }

    /// What its copy of the block takes.
    fn kept_bytes(&self) -> usize {
        self.bytes.as_ref().map_or(0, |bytes| bytes.capacity())
    }

    /// Keeps no more of the bytes than traces can show; gives the rest back.
    fn compact(&mut self) -> Option<Vec<u8>> {
        let first = self.done.saturating_sub(limits::TRACES as u32);
        let bytes = self.bytes.take()?;
        let mut heads = Heads::default();
        (first..self.done).for_each(|record| heads.push(shown(&bytes, self.head(record))));
        self.heads = Some(heads.cut());
        Arc::try_unwrap(bytes).ok()
    }

    fn input_of(&self, node: usize, pipeline: &Pipeline) -> Selection<'_> {
        match pipeline.nodes[node].inputs[..] {
            [] => Selection::Range(0, self.done),
            [(from, port)] => Selection::List(self.nodes[from].all(port)),
            _ => Selection::List(&self.nodes[node].merged),
        }
    }
}

/// Reads bytes of a source again: source, offset, length. May give less, or none.
pub(super) type ReadAgain<'a> = dyn FnMut(SourceId, u64, usize) -> Vec<u8> + 'a;

/// The last frames of a worker, as many as hold the records that traces can be asked of, and one to work in.
#[derive(Debug, Default)]
pub(super) struct History {
    frames: VecDeque<Frame>,
    spare: Vec<Frame>,
}

impl History {
    /// The frame in work.
    pub(super) fn current(&mut self) -> &mut Frame {
        self.frames.back_mut().expect("begin comes first")
    }

    /// Begins a frame; returns it, and the buffer of a frame that is not needed any more.
    pub(super) fn begin(&mut self, pipeline: &Pipeline, traces: usize) -> Option<Vec<u8>> {
        let mut freed = None;
        let mut kept: usize = self.frames.iter().map(Frame::traceable).sum();
        while let Some(oldest) = self.frames.front() {
            kept -= oldest.traceable();
            if kept < traces && oldest.traceable() > 0 {
                break;
            }
            let mut frame = self.frames.pop_front().expect("there is a front");
            freed = frame.bytes.take().and_then(|bytes| Arc::try_unwrap(bytes).ok()).or(freed);
            self.spare.push(frame);
        }
        let kept: usize = self.frames.iter().map(Frame::kept_bytes).sum();
        if kept > limits::HISTORY_BYTES {
            freed = self.frames.iter_mut().filter_map(Frame::compact).last().or(freed);
        }
        if let Some(last) = self.frames.back_mut() {
            last.shrink();
        }
        self.spare.truncate(SPARE_FRAMES);
        let mut frame = self.spare.pop().unwrap_or_default();
        frame.reset(pipeline);
        self.frames.push_back(frame);
        freed
    }

    /// Appends the traces of the last `count` finished records, oldest first; `in_work` is a frame that was taken out.
    pub(super) fn trace_last(
        &self,
        in_work: Option<&Frame>,
        count: usize,
        pipeline: &Pipeline,
        read: &mut ReadAgain<'_>,
        traces: &mut Vec<Trace>,
    ) {
        let mut left = count;
        let mut portions = Vec::new();
        for frame in self.frames.iter().chain(in_work).rev() {
            let portion = left.min(frame.traceable());
            portions.push((frame, portion));
            left -= portion;
        }
        for (frame, portion) in portions.into_iter().rev().filter(|&(_, portion)| portion > 0) {
            frame.trace_last(portion, pipeline, read, traces);
        }
    }
}
