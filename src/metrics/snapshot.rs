//! The merged, immutable view of all shards at one moment: what the server, the report and the progress bar read.
//!
//! Plain data. The publisher is the only one that makes a [`Snapshot`]; those who show it know nothing behind it.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;

use crate::graph::{Edge, Graph, Port};

mod lag;

pub use crate::fault::FaultKind;
pub use bytes::Bytes;
pub use lag::{Lag, Live, Trouble};

/// Everything that was known about a run at one moment.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// Counts up by one with every publication; the first snapshot is 1.
    pub sequence: u64,
    /// A hash over the totals of this very snapshot, see [`Snapshot::checksum_expected`].
    pub checksum: u64,
    /// When it was made, by the wall clock (for people; intervals come from a monotonic clock).
    pub taken: Timestamp,
    /// The graph that all node, port and sink numbers refer to.
    pub graph: Arc<Graph>,
    /// The run as a whole.
    pub run: Run,
    /// One entry per processor, in the order of `graph.nodes` (topological, the entry first).
    pub nodes: Vec<Node>,
    /// Where the workers' time went outside processors, in the order of [`StageKind::ALL`].
    pub stages: Vec<Stage>,
    /// One entry per sink, in the order of `graph.sinks`.
    pub sinks: Vec<Sink>,
    /// Where the bytes came from.
    pub sources: Sources,
    /// The paths of the records that stand last in input order among those finished, oldest first.
    pub traces: Arc<[Trace]>,
    /// Samples of bad data, in input order; per processor the last ones are kept.
    pub faults: Arc<[Fault]>,
    /// How often each kind of fault happened outside processors, in the order of [`FaultKind::ALL`].
    pub source_faults: Vec<(FaultKind, u64)>,
    /// The proof that nothing was lost and nothing counted twice.
    pub ledger: Ledger,
}

/// What a run is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunState {
    /// Inputs are being opened; nothing has been read.
    Starting,
    /// Records are flowing.
    Running,
    /// A stop was asked for; what is in flight is being finished.
    Draining,
    /// All input was read.
    Finished,
    /// Ended early because somebody asked for it; the totals are exact for what was read.
    Interrupted,
    /// Ended early because whoever read its output has seen enough (`… | head`); exact for what was read.
    Closed,
    /// Could not go on (see `Run::error`).
    Failed,
}

impl RunState {
    /// The word for it, as the endpoints spell it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Draining => "draining",
            Self::Finished => "finished",
            Self::Interrupted => "interrupted",
            Self::Closed => "closed",
            Self::Failed => "failed",
        }
    }

    /// True when no more records will come.
    #[must_use]
    pub fn is_over(self) -> bool {
        matches!(self, Self::Finished | Self::Interrupted | Self::Closed | Self::Failed)
    }
}

/// The run as a whole.
#[derive(Debug, Clone)]
pub struct Run {
    /// `run`, or `follow`.
    pub mode: &'static str,
    /// What it is doing.
    pub state: RunState,
    /// Why it failed, if it did; and what could not be written because nobody took it, if a stop was asked for.
    pub error: Option<String>,
    /// What holds it up while it goes on, if anything.
    pub trouble: Option<Trouble>,
    /// When it started, by the wall clock.
    pub started: Timestamp,
    /// Since when totals count: before `started` where a run goes on from a checkpoint. Rates, times of workers, latency
    /// and the ledger are those of this process.
    pub since: Timestamp,
    /// How often totals went back to those of the last checkpoint, because what came after it was read again.
    pub rewinds: u64,
    /// How long it has been running (or ran, when it is over).
    pub elapsed: Duration,
    /// Bytes of input that are accounted for.
    pub bytes_done: u64,
    /// Bytes of input there are; `None` when a stream makes that unknown.
    pub bytes_total: Option<u64>,
    /// Records that entered the pipeline.
    pub records_done: u64,
    /// Sources that were read to their end, or given up.
    pub sources_done: u64,
    /// How many sources there are.
    pub sources_total: u64,
    /// Whether it keeps up, where sources are followed.
    pub lag: Option<Lag>,
    /// Speeds.
    pub rates: Rates,
    /// Time that is left at the present rate, where the total is known.
    pub remaining: Option<Duration>,
    /// One entry per worker.
    pub workers: Vec<Worker>,
    /// What watching costs.
    pub watching: Watching,
}

/// Speeds over several spans.
#[derive(Debug, Clone, Copy, Default)]
pub struct Rates {
    /// Over about the last second.
    pub now: Rate,
    /// Over the last minute, or since the start if that is shorter.
    pub minute: Rate,
    /// Over the last five minutes, or since the start if that is shorter.
    pub five_minutes: Rate,
    /// Since the start.
    pub life: Rate,
}

/// One speed.
#[derive(Debug, Clone, Copy, Default)]
pub struct Rate {
    /// Bytes of input per second.
    pub bytes_per_s: f64,
    /// Records per second.
    pub records_per_s: f64,
}

/// How one worker spent its time. The three spans add up to its wall time.
#[derive(Debug, Clone, Copy, Default)]
pub struct Worker {
    /// Doing something: reading, splitting, running processors, handing results over.
    pub busy_ns: u64,
    /// Waiting for a sink to take what was written (back-pressure).
    pub sink_wait_ns: u64,
    /// Waiting for input.
    pub idle_ns: u64,
}

/// What watching costs: probes, traces, and handing numbers over. Counting is part of the work and not in here.
#[derive(Debug, Clone, Copy, Default)]
pub struct Watching {
    /// Time spent on probes; all of it, though the same records in a batch would have taken a part of it.
    pub probe_ns: u64,
    /// Time spent on rebuilding traces, collecting samples and handing over.
    pub hand_over_ns: u64,
    /// Both, and the publisher's own time, as a share (0 to 1) of the workers' wall time, waiting included.
    pub share: f64,
    /// The share that was allowed for (`--observe-budget`).
    pub budget: f64,
    /// How many snapshots were read from a shard's last good copy because its owner was just writing.
    pub torn_reads: u64,
}

/// What one processor did.
#[derive(Debug, Clone, Default)]
pub struct Node {
    /// Distinct records that entered.
    pub records_in: u64,
    /// Their bytes, line ends included.
    pub bytes_in: u64,
    /// Arrivals beyond the first of a record, where several edges lead here.
    pub merged: u64,
    /// Per output, in the order of `graph.nodes[i].outputs`.
    pub outputs: Vec<Output>,
    /// Records dropped on purpose.
    pub dropped: u64,
    /// Records that failed, whatever became of them then.
    pub failed: u64,
    /// The failed ones by kind; only kinds that happened.
    pub fault_kinds: Vec<(FaultKind, u64)>,
    /// Time spent in it by all workers, exact.
    pub busy_ns: u64,
    /// How much of that was before this part of the run began, where totals go on: workers' times do not.
    pub busy_before_ns: u64,
    /// Records per second, over about the last second.
    pub records_per_s: f64,
    /// What a record costs alone, from probes.
    pub latency: Latency,
}

impl Node {
    /// Time spent in it in this part of the run.
    #[must_use]
    pub fn busy_here_ns(&self) -> u64 {
        self.busy_ns.saturating_sub(self.busy_before_ns)
    }
}

impl Edge {
    /// How many records went this way, by the counts of `nodes`.
    #[must_use]
    pub fn records(&self, nodes: &[Node]) -> u64 {
        match self.output {
            Port::Output(output) => nodes[self.from].outputs[output].records,
            Port::Failed => nodes[self.from].failed,
        }
    }
}

/// What left a processor on one output.
#[derive(Debug, Clone, Copy, Default)]
pub struct Output {
    /// Records.
    pub records: u64,
    /// Their bytes, line ends included.
    pub bytes: u64,
}

/// Percentiles of what a record costs when it passes a processor alone, as a batch of one.
///
/// A percentile is `None` unless at least one sample is expected above it: p50 needs 2 samples, p90 10, p99 100,
/// p99.9 1,000.
#[derive(Debug, Clone, Default)]
pub struct Latency {
    /// How many probes this stands on.
    pub samples: u64,
    /// What they took together.
    pub sum_ns: u64,
    /// Median.
    pub p50_ns: Option<u64>,
    /// 90th percentile.
    pub p90_ns: Option<u64>,
    /// 99th percentile.
    pub p99_ns: Option<u64>,
    /// 99.9th percentile.
    pub p999_ns: Option<u64>,
    /// The slowest.
    pub max_ns: Option<u64>,
    /// The probe that was the slowest.
    pub slowest: Option<Exemplar>,
    /// Values beyond the histogram's range, counted at its end.
    pub saturated: u64,
    /// Counts per power of two: entry `k` counts values in `[2^k, 2^(k+1))` ns. Trailing zeros are left out.
    pub log2_counts: Vec<u64>,
}

/// A record that stands for a percentile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exemplar {
    /// Number of the source, see [`Sources::name`].
    pub source: u32,
    /// Offset of the record in its source, in bytes.
    pub offset: u64,
    /// What it took.
    pub ns: u64,
}

/// Where workers spend time outside processors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StageKind {
    /// Opening sources and getting bytes (page faults of a mapping included).
    Read,
    /// Finding the record boundaries.
    Split,
    /// Routing selections between processors, counting, checking the balance.
    Route,
    /// Copying records for sinks and dead letters.
    Gather,
    /// Rebuilding traces and handing numbers to the publisher.
    Observe,
}

impl StageKind {
    /// All of them, in the order of `Snapshot::stages`.
    pub const ALL: [Self; 5] = [Self::Read, Self::Split, Self::Route, Self::Gather, Self::Observe];

    /// The word for it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Split => "split",
            Self::Route => "route",
            Self::Gather => "gather",
            Self::Observe => "observe",
        }
    }
}

/// Time spent in one stage by all workers.
#[derive(Debug, Clone, Copy)]
pub struct Stage {
    /// Which.
    pub kind: StageKind,
    /// How long.
    pub busy_ns: u64,
}

/// What one sink wrote.
#[derive(Debug, Clone, Default)]
pub struct Sink {
    /// Records it has written whole, or that its server has taken. Where several sinks share an output that ended early, those of its last block are
    /// known together only, and each may claim as many as were written.
    pub records: u64,
    /// Bytes it has written and the system has taken; of a server, those of the bodies that it has taken, as they were sent.
    pub bytes_written: u64,
    /// Records that were refused for good.
    pub refused: u64,
    /// How often something was tried again.
    pub retries: u64,
    /// Records that wait to be taken.
    pub waiting_records: u64,
    /// Bytes that wait to be taken.
    pub waiting_bytes: u64,
    /// Why it does not get on now.
    pub trouble: Option<String>,
}

/// Where the bytes came from.
#[derive(Debug, Clone)]
pub struct Sources {
    /// The sources in input order, as many as are listed one by one; sources without a change keep their allocation.
    pub listed: Vec<Arc<Source>>,
    /// The rest, summed up.
    pub others: Option<Source>,
    /// Things that were not read at all (hidden and binary files in directories, the same file again), counted.
    pub skipped: Vec<(&'static str, u64)>,
}

impl Sources {
    /// The path of source `number` as it is shown, or `others`.
    #[must_use]
    pub fn name(&self, number: u32) -> &str {
        self.listed.get(number as usize).map_or("others", |source| &source.path)
    }
}

/// One source.
#[derive(Debug, Clone, Default)]
pub struct Source {
    /// Its path, `-` for standard input. Lossy where it was not UTF-8.
    pub path: String,
    /// `mapped`, `read`, `stream`, or `followed`.
    pub access: &'static str,
    /// Device and inode, where it has them.
    pub identity: Option<(u64, u64)>,
    /// Its size when it was opened; `None` for a stream, and for what is followed.
    pub size: Option<u64>,
    /// Bytes of it that are accounted for.
    pub bytes_read: u64,
    /// Records found in it.
    pub records: u64,
    /// True once all of it was read.
    pub done: bool,
    /// Records over the limit, which processors saw up to the limit.
    pub oversized: u64,
    /// True when its last record had no newline.
    pub unterminated: bool,
    /// What went wrong with it, if anything; of a followed one, what is wrong now.
    pub fault: Option<String>,
    /// What there is to say only where it is followed.
    pub live: Option<Live>,
}

impl Source {
    /// Bytes that are there and were not read yet, where that is known.
    #[must_use]
    pub fn bytes_behind(&self) -> Option<u64> {
        let of_file = || self.size.map(|size| size.saturating_sub(self.bytes_read));
        self.live.as_ref().map(|live| live.bytes_behind).or_else(of_file)
    }
}

/// The path of one record through the graph.
///
/// Cheap to clone, as it is for every snapshot: what is long in it is shared, the path even with other records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trace {
    /// Counts up with the input: what comes later has a larger one, or the same.
    pub order: u64,
    /// Number of the source.
    pub source: u32,
    /// Offset of the record in its source, in bytes.
    pub offset: u64,
    /// Its length in bytes, line end included.
    pub length: u64,
    /// The nodes it visited, in the graph's order.
    pub hops: Arc<[Hop]>,
    /// The head of the record, line end excluded, as long as `limits::EXCERPT_BYTES` allows.
    pub excerpt: Bytes,
}

/// One step of a trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hop {
    /// Number of the node.
    pub node: u32,
    /// Time it took there, if this record was a probe.
    pub ns: Option<u64>,
}

/// One sample of bad data, with its origin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// As in [`Trace::order`]; 0 for what was wrong before anything was read.
    pub order: u64,
    /// The processor that failed, or `None` where a source did.
    pub node: Option<u32>,
    /// What kind.
    pub kind: FaultKind,
    /// What was wrong, in words.
    pub message: String,
    /// When.
    pub time: Timestamp,
    /// Number of the source.
    pub source: u32,
    /// Offset of the record in its source, in bytes.
    pub offset: u64,
    /// The length of the record in bytes, line end included; 0 where there is no record.
    pub length: u64,
    /// The head of the record, line end excluded.
    pub excerpt: Bytes,
}

/// The proof that every record that went in is accounted for.
#[derive(Debug, Clone, Default)]
pub struct Ledger {
    /// True when every line of it balances. While a run goes on, `sources` speaks of what was read so far. What was
    /// counted before a restart was proven then, and is not in here.
    pub balanced: bool,
    /// Per processor, in the graph's order: in = out + dropped + failed. Since the pipeline was loaded.
    pub nodes: Vec<LedgerNode>,
    /// True when the blocks of all finished sources tile them without gap or overlap.
    pub sources_tiled: bool,
    /// Bytes of the finished sources that the blocks cover.
    pub bytes_covered: u64,
    /// Bytes that the finished sources had.
    pub bytes_expected: u64,
    /// Sources that were read to the end.
    pub sources_complete: u64,
    /// Sources that were not (yet): still being read, unreadable, cut short, interrupted.
    pub sources_incomplete: u64,
    /// Records that the splitter found.
    pub records_split: u64,
    /// Records that entered the first processor.
    pub records_entered: u64,
    /// What does not balance, in words.
    pub problems: Vec<String>,
}

/// One line of the ledger.
#[derive(Debug, Clone, Copy, Default)]
pub struct LedgerNode {
    /// Records in.
    pub records_in: u64,
    /// Records out, over all outputs.
    pub out: u64,
    /// Records dropped.
    pub dropped: u64,
    /// Records failed.
    pub failed: u64,
}

impl LedgerNode {
    /// True when nothing was lost and nothing counted twice.
    #[must_use]
    pub fn is_balanced(&self) -> bool {
        self.records_in == self.out + self.dropped + self.failed
    }
}

impl Snapshot {
    /// The hash that `checksum` must equal: over sequence, bytes, records and every processor's counts.
    ///
    /// A reader that ever saw a half-written or foreign snapshot would see the two differ.
    #[must_use]
    pub fn checksum_expected(&self) -> u64 {
        let totals = [self.sequence, self.run.bytes_done, self.run.records_done];
        let nodes = self.nodes.iter().flat_map(|node| [node.records_in, node.dropped, node.failed, node.busy_ns]);
        totals.into_iter().chain(nodes).fold(0x9e37_79b9_7f4a_7c15, |hash, value| {
            (hash ^ value).wrapping_mul(0xff51_afd7_ed55_8ccd).rotate_left(31)
        })
    }
}
