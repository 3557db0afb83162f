//! `/api/v1/history`: a stretch of the past, as a whole and as a curve.

use jiff::Timestamp;
use serde::Serialize;

use crate::{
    History,
    history::{NodeSum, Stretch, Sum},
};

use super::{ms, ns_each, processors::PercentilesView};

/// What happened in `stretch` of `history`.
pub(crate) fn history<'a>(history: &'a History, stretch: &'a Stretch) -> impl Serialize + 'a {
    let total = stretch.total.as_ref();
    HistoryView {
        since: history.since,
        recorded: RangeView { from: history.start(), to: history.end() },
        covered: RangeView { from: total.map(|sum| sum.start), to: total.map(|sum| sum.end) },
        intervals: total.map_or(0, |sum| sum.intervals),
        recorded_s: total.map_or(0.0, |sum| sum.recorded.as_secs_f64()),
        bytes: total.map_or(0, |sum| sum.bytes),
        lines: total.map_or(0, |sum| sum.records),
        processors: total.map_or_else(Vec::new, |sum| sum.nodes.iter().map(NodeView::of).collect()),
        series: stretch.series.iter().map(PointView::of).collect(),
        passed_over: history.passed_over,
        trouble: history.trouble.as_deref(),
    }
}

#[derive(Serialize)]
struct HistoryView<'a> {
    /// Since when the totals of the last run count.
    since: Option<Timestamp>,
    /// All that is known.
    recorded: RangeView,
    /// What this answer is about: whole intervals, and so perhaps a little more than was asked for.
    covered: RangeView,
    intervals: u64,
    /// How long they were together: what is missing in `covered` was not recorded.
    recorded_s: f64,
    bytes: u64,
    lines: u64,
    processors: Vec<NodeView<'a>>,
    series: Vec<PointView<'a>>,
    /// Recorded lines that could not be read.
    passed_over: u64,
    /// Why nothing can be recorded now.
    trouble: Option<&'a str>,
}

#[derive(Serialize)]
struct RangeView {
    from: Option<Timestamp>,
    to: Option<Timestamp>,
}

#[derive(Serialize)]
struct NodeView<'a> {
    id: &'a str,
    lines_in: u64,
    bytes_in: u64,
    dropped: u64,
    failed: u64,
    busy_ms: f64,
    ns_per_line: Option<f64>,
    latency: PercentilesView,
}

impl<'a> NodeView<'a> {
    fn of(node: &'a NodeSum) -> Self {
        let counts = &node.counts;
        Self {
            id: &node.id,
            lines_in: counts.records_in,
            bytes_in: counts.bytes_in,
            dropped: counts.dropped,
            failed: counts.failed,
            busy_ms: ms(counts.busy_ns),
            ns_per_line: ns_each(counts.busy_ns, counts.records_in),
            latency: PercentilesView::of(&node.latency),
        }
    }
}

/// A piece of the stretch: one interval, or several that are added up.
#[derive(Serialize)]
struct PointView<'a> {
    from: Timestamp,
    to: Timestamp,
    intervals: u64,
    recorded_s: f64,
    bytes: u64,
    lines: u64,
    processors: Vec<NodeView<'a>>,
}

impl<'a> PointView<'a> {
    fn of(sum: &'a Sum) -> Self {
        Self {
            from: sum.start,
            to: sum.end,
            intervals: sum.intervals,
            recorded_s: sum.recorded.as_secs_f64(),
            bytes: sum.bytes,
            lines: sum.records,
            processors: sum.nodes.iter().map(NodeView::of).collect(),
        }
    }
}
