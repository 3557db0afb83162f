//! The three answers that are a contract: `/stats` (whose objects may gain fields), `/trace` and `/errors` (which may
//! not).

use serde::{Serialize, Serializer, ser::SerializeMap};

use crate::{
    Snapshot,
    snapshot::{Node, Trace},
};

use super::{ms, ms_each, tenths};

/// `/stats`: an object by processor, in the order of the graph.
pub(crate) fn stats(snapshot: &Snapshot) -> impl Serialize + '_ {
    ByProcessor { snapshot, value: Stats::of }
}

/// `/errors`: how many records failed, by processor, in the order of the graph.
pub(crate) fn errors(snapshot: &Snapshot) -> impl Serialize + '_ {
    ByProcessor { snapshot, value: |node: &Node| node.failed }
}

/// `/trace`: the paths of the last `limit` records, oldest first, each a list of processors.
pub(crate) fn trace(snapshot: &Snapshot, limit: usize) -> impl Serialize + '_ {
    last(&snapshot.traces, limit).iter().map(|trace| path(snapshot, trace)).collect::<Vec<_>>()
}

/// The last `limit` of `items`.
pub(super) fn last<T>(items: &[T], limit: usize) -> &[T] {
    &items[items.len().saturating_sub(limit)..]
}

fn path<'a>(snapshot: &'a Snapshot, trace: &Trace) -> Vec<&'a str> {
    trace.hops.iter().map(|hop| processor_id(snapshot, hop.node)).collect()
}

/// The name of processor `number`; a number without a processor would be a mistake of ours, and is shown as `?`.
pub(super) fn processor_id(snapshot: &Snapshot, number: u32) -> &str {
    snapshot.graph.nodes.get(number as usize).map_or("?", |node| &node.id)
}

/// A map from processor to something, which keeps the order of the graph.
struct ByProcessor<'a, F> {
    snapshot: &'a Snapshot,
    value: F,
}

impl<T: Serialize, F: Fn(&Node) -> T> Serialize for ByProcessor<'_, F> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.snapshot.nodes.len()))?;
        for (shown, node) in self.snapshot.graph.nodes.iter().zip(&self.snapshot.nodes) {
            map.serialize_entry(&shown.id, &(self.value)(node))?;
        }
        map.end()
    }
}

#[derive(Serialize)]
struct Stats {
    processed: u64,
    errors: u64,
    avg_time_ms: Option<f64>,
    p50_ms: Option<f64>,
    p90_ms: Option<f64>,
    p99_ms: Option<f64>,
    p999_ms: Option<f64>,
    max_ms: Option<f64>,
    samples: u64,
    lines_per_s: f64,
}

impl Stats {
    fn of(node: &Node) -> Self {
        let latency = &node.latency;
        Self {
            processed: node.records_in,
            errors: node.failed,
            avg_time_ms: ms_each(node.busy_ns, node.records_in),
            p50_ms: latency.p50_ns.map(ms),
            p90_ms: latency.p90_ns.map(ms),
            p99_ms: latency.p99_ns.map(ms),
            p999_ms: latency.p999_ns.map(ms),
            max_ms: latency.max_ns.map(ms),
            samples: latency.samples,
            lines_per_s: tenths(node.records_per_s),
        }
    }
}
