//! What the lines of a recording say: made from two snapshots, and turned back into parts of one.

use std::sync::Arc;

use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::Bytes;
use jiff::Timestamp;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{
    graph::Graph,
    snapshot::{Fault, FaultKind, Node, Snapshot, Source, Trace},
};

use super::at_end::AtEnd;

/// The version of all that follows.
pub(super) const VERSION: u32 = 1;

/// The first line of a recording.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Header {
    /// Which form the lines have.
    pub(super) logweir_history: u32,
    /// What the numbers of outputs, and the ids, refer to.
    pub(super) graph: Graph,
}

/// One interval: what was counted in it, and how things stood at its end.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Interval {
    pub(super) start: Timestamp,
    pub(super) end: Timestamp,
    /// Since when the totals count to which this adds.
    pub(super) since: Timestamp,
    pub(super) bytes: u64,
    pub(super) lines: u64,
    /// In the order of the graph.
    pub(super) processors: Vec<NodeRecord>,
    pub(super) sinks: Vec<SinkRecord>,
    /// What went wrong outside processors, by kind.
    pub(super) source_faults: Vec<(String, u64)>,
    /// The sources that changed; in the first interval of a recording all that are listed.
    pub(super) sources: Vec<SourceRecord>,
    pub(super) at_end: AtEnd,
}

/// What one processor did.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(super) struct NodeRecord {
    pub(super) id: String,
    pub(super) lines_in: u64,
    pub(super) bytes_in: u64,
    pub(super) merged: u64,
    pub(super) dropped: u64,
    pub(super) failed: u64,
    pub(super) failed_by_kind: Vec<(String, u64)>,
    pub(super) busy_ns: u64,
    /// Lines and bytes, per output.
    pub(super) outputs: Vec<(u64, u64)>,
    /// At the end of the interval.
    pub(super) lines_per_s: f64,
    /// How many probes the line with its tag in the interval log has.
    pub(super) samples: u64,
    /// Those beyond the range of the histogram.
    pub(super) saturated: u64,
    /// What they took together.
    #[serde(default)]
    pub(super) sum_ns: u64,
    pub(super) slowest: Option<SlowestRecord>,
}

/// The slowest probe.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct SlowestRecord {
    pub(super) source: String,
    pub(super) offset: u64,
    pub(super) ns: u64,
}

/// What one sink wrote.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(super) struct SinkRecord {
    pub(super) id: String,
    pub(super) lines: u64,
    pub(super) bytes_written: u64,
}

/// One source, as it was at the end of an interval.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(super) struct SourceRecord {
    pub(super) path: String,
    pub(super) access: String,
    pub(super) identity: Option<(u64, u64)>,
    pub(super) size: Option<u64>,
    pub(super) bytes_read: u64,
    pub(super) lines: u64,
    pub(super) done: bool,
    pub(super) oversized: u64,
    pub(super) unterminated: bool,
    pub(super) fault: Option<String>,
}

/// The path of one record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct TraceRecord {
    /// The end of the interval.
    pub(super) seen: Timestamp,
    #[serde(default)]
    pub(super) order: u64,
    pub(super) source: String,
    pub(super) offset: u64,
    pub(super) length: u64,
    /// Processors with nanoseconds.
    pub(super) hops: Vec<(String, Option<u64>)>,
    #[serde(flatten)]
    pub(super) line: Line,
}

/// A sample of bad data.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct FaultRecord {
    /// The end of the interval.
    pub(super) seen: Timestamp,
    #[serde(default)]
    pub(super) order: u64,
    pub(super) time: Timestamp,
    pub(super) processor: Option<String>,
    pub(super) kind: String,
    pub(super) message: String,
    pub(super) source: String,
    pub(super) offset: u64,
    pub(super) length: u64,
    #[serde(flatten)]
    pub(super) line: Line,
}

/// The head of a record: text, or base64 where it is none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Line {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    line: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    line_base64: Option<String>,
}

impl Line {
    fn of(bytes: &[u8]) -> Self {
        match std::str::from_utf8(bytes) {
            Ok(text) => Self { line: Some(text.to_owned()), line_base64: None },
            Err(_) => Self { line: None, line_base64: Some(BASE64_STANDARD.encode(bytes)) },
        }
    }

    /// The bytes; those of a line that somebody else wrote wrong are none.
    pub(super) fn bytes(&self) -> Bytes {
        let decoded = self.line_base64.as_ref().and_then(|text| BASE64_STANDARD.decode(text).ok());
        let text = self.line.as_ref().map(|text| text.clone().into_bytes());
        decoded.or(text).unwrap_or_default().into()
    }
}

impl Interval {
    /// What happened between two snapshots of one run. Of the sources all are listed where `is_first`.
    pub(super) fn between(
        previous: &Snapshot,
        now: &Snapshot,
        (start, end): (Timestamp, Timestamp),
        is_first: bool,
    ) -> Self {
        let (before, after) = (&previous.run, &now.run);
        Self {
            start,
            end,
            since: after.since,
            bytes: after.bytes_done.saturating_sub(before.bytes_done),
            lines: after.records_done.saturating_sub(before.records_done),
            processors: (0..now.nodes.len()).map(|node| NodeRecord::between(previous, now, node)).collect(),
            sinks: sinks(previous, now),
            source_faults: counts(&previous.source_faults, &now.source_faults),
            sources: changed(previous, now, is_first).map(|source| SourceRecord::of(source)).collect(),
            at_end: AtEnd::of(now),
        }
    }
}

impl NodeRecord {
    /// Counts only: what its probes say is added by whoever has them.
    fn between(previous: &Snapshot, now: &Snapshot, number: usize) -> Self {
        let zero = Node::default();
        let (before, after) = (previous.nodes.get(number).unwrap_or(&zero), &now.nodes[number]);
        let outputs = after.outputs.iter().enumerate().map(|(port, output)| {
            let before = before.outputs.get(port).copied().unwrap_or_default();
            (output.records.saturating_sub(before.records), output.bytes.saturating_sub(before.bytes))
        });
        Self {
            id: now.graph.nodes[number].id.clone(),
            lines_in: after.records_in.saturating_sub(before.records_in),
            bytes_in: after.bytes_in.saturating_sub(before.bytes_in),
            merged: after.merged.saturating_sub(before.merged),
            dropped: after.dropped.saturating_sub(before.dropped),
            failed: after.failed.saturating_sub(before.failed),
            failed_by_kind: counts(&before.fault_kinds, &after.fault_kinds),
            busy_ns: after.busy_ns.saturating_sub(before.busy_ns),
            outputs: outputs.collect(),
            lines_per_s: after.records_per_s,
            samples: 0,
            saturated: 0,
            sum_ns: 0,
            slowest: None,
        }
    }
}

fn sinks(previous: &Snapshot, now: &Snapshot) -> Vec<SinkRecord> {
    let sink = |(number, shown): (usize, &crate::graph::GraphSink)| {
        let of =
            |snapshot: &Snapshot| snapshot.sinks.get(number).map_or((0, 0), |sink| (sink.records, sink.bytes_written));
        let (before, after) = (of(previous), of(now));
        SinkRecord {
            id: shown.id.clone(),
            lines: after.0.saturating_sub(before.0),
            bytes_written: after.1.saturating_sub(before.1),
        }
    };
    now.graph.sinks.iter().enumerate().map(sink).collect()
}

/// What was added to each kind; kinds to which nothing was are left out.
fn counts(before: &[(FaultKind, u64)], after: &[(FaultKind, u64)]) -> Vec<(String, u64)> {
    let added = after.iter().map(|&(kind, count)| {
        let known = before.iter().find(|(known, _)| *known == kind).map_or(0, |(_, count)| *count);
        (kind.name().to_owned(), count.saturating_sub(known))
    });
    added.filter(|(_, count)| *count > 0).collect()
}

/// The kind with this name.
pub(super) fn kind_of(name: &str) -> Option<FaultKind> {
    FaultKind::ALL.into_iter().find(|kind| kind.name() == name)
}

/// The sources that are not what they were: those that are keep their allocation.
fn changed<'a>(previous: &'a Snapshot, now: &'a Snapshot, is_first: bool) -> impl Iterator<Item = &'a Arc<Source>> {
    let is_same = |number: usize, source: &Arc<Source>| {
        previous.sources.listed.get(number).is_some_and(|before| Arc::ptr_eq(before, source))
    };
    let listed = now.sources.listed.iter().enumerate();
    listed.filter(move |&(number, source)| is_first || !is_same(number, source)).map(|(_, source)| source)
}

impl SourceRecord {
    pub(super) fn of(source: &Source) -> Self {
        Self {
            path: source.path.clone(),
            access: source.access.to_owned(),
            identity: source.identity,
            size: source.size,
            bytes_read: source.bytes_read,
            lines: source.records,
            done: source.done,
            oversized: source.oversized,
            unterminated: source.unterminated,
            fault: source.fault.clone(),
        }
    }
}

impl TraceRecord {
    pub(super) fn of(snapshot: &Snapshot, trace: &Trace, seen: Timestamp) -> Self {
        let hops = trace.hops.iter().map(|hop| (id(snapshot, hop.node), hop.ns));
        Self {
            seen,
            order: trace.order,
            source: snapshot.sources.name(trace.source).to_owned(),
            offset: trace.offset,
            length: trace.length,
            hops: hops.collect(),
            line: Line::of(&trace.excerpt),
        }
    }
}

impl FaultRecord {
    pub(super) fn of(snapshot: &Snapshot, fault: &Fault, seen: Timestamp) -> Self {
        Self {
            seen,
            order: fault.order,
            time: fault.time,
            processor: fault.node.map(|node| id(snapshot, node)),
            kind: fault.kind.name().to_owned(),
            message: fault.message.clone(),
            source: snapshot.sources.name(fault.source).to_owned(),
            offset: fault.offset,
            length: fault.length,
            line: Line::of(&fault.excerpt),
        }
    }
}

fn id(snapshot: &Snapshot, node: u32) -> String {
    snapshot.graph.nodes.get(node as usize).map(|node| node.id.clone()).unwrap_or_default()
}

/// Appends `value` as one line. Whatever a record holds, a terminal that the file is shown on obeys nothing of it.
pub(super) fn write_line(out: &mut Vec<u8>, value: &impl Serialize) {
    let json = serde_json::to_string(value).expect("our own types serialize");
    let mut rest = &*json;
    // JSON leaves these as they are, and outside of strings there are none.
    while let Some(at) = rest.find(|character: char| matches!(character, '\u{7f}'..='\u{9f}')) {
        out.extend_from_slice(&rest.as_bytes()[..at]);
        let mut characters = rest[at..].chars();
        let code = characters.next().map_or(0, u32::from);
        out.extend_from_slice(format!("\\u{code:04x}").as_bytes());
        rest = characters.as_str();
    }
    out.extend_from_slice(rest.as_bytes());
    out.push(b'\n');
}

/// What `line` says, if it is whole.
pub(super) fn read_line<T: DeserializeOwned>(line: &[u8]) -> Option<T> {
    serde_json::from_slice(line.strip_suffix(b"\n")?).ok()
}
