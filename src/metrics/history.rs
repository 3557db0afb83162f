//! What happened over time: spans with counts and latencies that add up, so that any stretch of the past has true
//! percentiles.
//!
//! Plain data, made by whoever records or reads a recording. It is bounded: the newer half keeps every interval, in the
//! older half neighbours are added up as more come (see `HistoryIndex`).

mod index;
mod packed;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use hdrhistogram::Histogram;
use jiff::{SignedDuration, Timestamp};

use super::{
    latency::{Probes, empty_histogram, latency_of},
    snapshot::Latency,
};
use crate::limits;

pub(crate) use index::HistoryIndex;
use packed::Packed;

/// What is known of the past.
#[derive(Debug, Clone, Default)]
pub struct History {
    /// Moves with every change.
    pub generation: u64,
    /// Since when the totals of the last recording count.
    pub since: Option<Timestamp>,
    /// Lines of recordings that could not be read: most likely the last ones before a crash.
    pub passed_over: u64,
    /// Why nothing can be recorded now.
    pub trouble: Option<Arc<str>>,
    spans: Vec<Arc<Span>>,
}

/// A stretch of time, with what happened in it.
#[derive(Debug, Clone)]
pub(crate) struct Span {
    pub(crate) start: Timestamp,
    pub(crate) end: Timestamp,
    /// How many intervals were added up here.
    intervals: u64,
    /// How long they were together: there may be time between them.
    recorded: SignedDuration,
    bytes: u64,
    records: u64,
    nodes: Vec<SpanNode>,
}

#[derive(Debug, Clone)]
struct SpanNode {
    id: Arc<str>,
    counts: NodeCounts,
    latency: Packed,
}

/// What a processor did in a stretch of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct NodeCounts {
    /// Records in.
    pub records_in: u64,
    /// Their bytes.
    pub bytes_in: u64,
    /// Records dropped on purpose.
    pub dropped: u64,
    /// Records failed.
    pub failed: u64,
    /// Time spent in it by all workers.
    pub busy_ns: u64,
}

impl NodeCounts {
    fn add(&mut self, other: &Self) {
        self.records_in = self.records_in.saturating_add(other.records_in);
        self.bytes_in = self.bytes_in.saturating_add(other.bytes_in);
        self.dropped = self.dropped.saturating_add(other.dropped);
        self.failed = self.failed.saturating_add(other.failed);
        self.busy_ns = self.busy_ns.saturating_add(other.busy_ns);
    }
}

/// The sum over a stretch of time.
#[derive(Debug, Clone)]
pub struct Sum {
    /// Where its first span begins.
    pub start: Timestamp,
    /// Where its last span ends.
    pub end: Timestamp,
    /// How many recorded intervals it is the sum of.
    pub intervals: u64,
    /// How long they were together. What is missing between `start` and `end` was not recorded.
    pub recorded: SignedDuration,
    /// Bytes of input.
    pub bytes: u64,
    /// Records that entered the pipeline.
    pub records: u64,
    /// Per processor.
    pub nodes: Vec<NodeSum>,
}

/// What one processor did in a stretch of time.
#[derive(Debug, Clone)]
pub struct NodeSum {
    /// Which processor.
    pub id: Arc<str>,
    /// Its counts.
    pub counts: NodeCounts,
    /// What a record cost alone. Which one was the slowest is not kept.
    pub latency: Latency,
}

/// A stretch of the past, as a whole and as a curve.
#[derive(Debug, Clone)]
pub struct Stretch {
    /// All of it; `None` where nothing was recorded.
    pub total: Option<Sum>,
    /// The same in order, piece by piece.
    pub series: Vec<Sum>,
}

impl Span {
    /// One interval. `nodes` are in the order of the graph.
    pub(crate) fn new(
        (start, end): (Timestamp, Timestamp),
        (bytes, records): (u64, u64),
        nodes: impl Iterator<Item = (Arc<str>, NodeCounts, Option<Probes>)>,
    ) -> Self {
        let node = |(id, counts, probes): (Arc<str>, NodeCounts, Option<Probes>)| SpanNode {
            id,
            counts,
            latency: probes.as_ref().map(Packed::of).unwrap_or_default(),
        };
        let recorded = end.duration_since(start);
        Self { start, end, intervals: 1, recorded, bytes, records, nodes: nodes.map(node).collect() }
    }

    /// Adds `next`, which comes later. Processors that `next` alone has go to the end.
    fn absorb(&mut self, next: &Self) {
        self.end = self.end.max(next.end);
        self.intervals = self.intervals.saturating_add(next.intervals);
        self.recorded = self.recorded.saturating_add(next.recorded);
        self.bytes = self.bytes.saturating_add(next.bytes);
        self.records = self.records.saturating_add(next.records);
        for node in &next.nodes {
            match self.nodes.iter_mut().find(|ours| ours.id == node.id) {
                Some(ours) => {
                    ours.counts.add(&node.counts);
                    ours.latency = ours.latency.merged(&node.latency);
                }
                None => self.nodes.push(node.clone()),
            }
        }
    }

    /// About how many bytes it takes.
    fn size_bytes(&self) -> usize {
        let nodes = self.nodes.iter().map(|node| size_of::<SpanNode>() + node.latency.size_bytes());
        size_of::<Self>() + nodes.sum::<usize>()
    }
}

impl History {
    /// A past of which nothing is known, and why.
    pub(crate) fn troubled(trouble: &str) -> Self {
        Self { trouble: Some(trouble.into()), ..Self::default() }
    }

    /// The moment that relative times count back from: where the last interval ends.
    #[must_use]
    pub fn end(&self) -> Option<Timestamp> {
        self.spans.last().map(|span| span.end)
    }

    /// Where the first interval begins that is still known.
    #[must_use]
    pub fn start(&self) -> Option<Timestamp> {
        self.spans.first().map(|span| span.start)
    }

    /// The past between `from` and `to`. Spans are not cut: those that reach into it belong to it whole, and the answer
    /// says where they begin and end.
    #[must_use]
    pub fn between(&self, from: Timestamp, to: Timestamp) -> Stretch {
        let first = self.spans.partition_point(|span| span.end <= from);
        let last = self.spans.partition_point(|span| span.start < to);
        let spans = self.spans.get(first..last).unwrap_or_default();
        let mut total = Adder::default();
        let series = pieces(spans, points_max(spans)).into_iter().map(|piece| {
            let mut adder = Adder::default();
            piece.iter().for_each(|span| adder.add(span));
            total.absorb(&adder);
            adder.sum()
        });
        let series = series.collect::<Option<Vec<Sum>>>().unwrap_or_default();
        Stretch { total: total.sum(), series }
    }
}

/// How many points a curve over `spans` may have.
fn points_max(spans: &[Arc<Span>]) -> usize {
    let nodes = spans.iter().map(|span| span.nodes.len()).max().unwrap_or(0);
    (limits::HISTORY_CELLS / nodes.max(1)).clamp(1, limits::HISTORY_POINTS)
}

/// Cuts `spans` into at most `most` pieces that last about equally long, so that a long time in which nothing was
/// recorded lies between two pieces.
fn pieces(spans: &[Arc<Span>], most: usize) -> Vec<&[Arc<Span>]> {
    let Some(first) = spans.first() else { return Vec::new() };
    let recorded_ms = spans.iter().fold(0, |sum: i64, span| sum.saturating_add(span.recorded.as_millis() as i64));
    let mut longest_ms = if spans.len() > most { recorded_ms / most as i64 } else { 0 };
    loop {
        let mut begin_ms = first.start.as_millisecond();
        let belongs = |_: &Arc<Span>, next: &Arc<Span>| {
            let is_short = next.end.as_millisecond() - begin_ms <= longest_ms;
            begin_ms = if is_short { begin_ms } else { next.start.as_millisecond() };
            is_short
        };
        let pieces: Vec<&[Arc<Span>]> = spans.chunk_by(belongs).collect();
        if pieces.len() <= most {
            return pieces;
        }
        longest_ms += longest_ms / 4 + 1;
    }
}

/// Adds up spans.
#[derive(Default)]
struct Adder {
    time: Option<(Timestamp, Timestamp)>,
    intervals: u64,
    recorded: SignedDuration,
    bytes: u64,
    records: u64,
    nodes: Vec<AdderNode>,
}

struct AdderNode {
    id: Arc<str>,
    counts: NodeCounts,
    histogram: Histogram<u64>,
    max_ns: Option<u64>,
    saturated: u64,
    sum_ns: u64,
}

impl Adder {
    fn add(&mut self, span: &Span) {
        self.reach(span.start, span.end);
        self.intervals = self.intervals.saturating_add(span.intervals);
        self.recorded = self.recorded.saturating_add(span.recorded);
        self.bytes = self.bytes.saturating_add(span.bytes);
        self.records = self.records.saturating_add(span.records);
        for node in &span.nodes {
            let ours = self.node(&node.id);
            ours.counts.add(&node.counts);
            node.latency.add_to(&mut ours.histogram);
            ours.max_ns = ours.max_ns.max(node.latency.max_ns);
            ours.saturated = ours.saturated.saturating_add(node.latency.saturated);
            ours.sum_ns = ours.sum_ns.saturating_add(node.latency.sum_ns);
        }
    }

    fn absorb(&mut self, other: &Self) {
        let Some((start, end)) = other.time else { return };
        self.reach(start, end);
        self.intervals = self.intervals.saturating_add(other.intervals);
        self.recorded = self.recorded.saturating_add(other.recorded);
        self.bytes = self.bytes.saturating_add(other.bytes);
        self.records = self.records.saturating_add(other.records);
        for node in &other.nodes {
            let ours = self.node(&node.id);
            ours.counts.add(&node.counts);
            ours.histogram.add(&node.histogram).expect("both have the same bounds");
            ours.max_ns = ours.max_ns.max(node.max_ns);
            ours.saturated = ours.saturated.saturating_add(node.saturated);
            ours.sum_ns = ours.sum_ns.saturating_add(node.sum_ns);
        }
    }

    fn reach(&mut self, start: Timestamp, end: Timestamp) {
        self.time = Some(self.time.map_or((start, end), |(first, last)| (first.min(start), last.max(end))));
    }

    fn node(&mut self, id: &Arc<str>) -> &mut AdderNode {
        let known = self.nodes.iter().position(|node| node.id == *id);
        let number = known.unwrap_or_else(|| {
            self.nodes.push(AdderNode {
                id: Arc::clone(id),
                counts: NodeCounts::default(),
                histogram: empty_histogram(),
                max_ns: None,
                saturated: 0,
                sum_ns: 0,
            });
            self.nodes.len() - 1
        });
        &mut self.nodes[number]
    }

    fn sum(&self) -> Option<Sum> {
        let (start, end) = self.time?;
        let node = |node: &AdderNode| NodeSum {
            id: Arc::clone(&node.id),
            counts: node.counts,
            latency: Latency {
                max_ns: node.max_ns,
                saturated: node.saturated,
                sum_ns: node.sum_ns,
                ..latency_of(&node.histogram)
            },
        };
        let Self { intervals, recorded, bytes, records, .. } = *self;
        Some(Sum { start, end, intervals, recorded, bytes, records, nodes: self.nodes.iter().map(node).collect() })
    }
}
