//! How a run stood at the end of an interval: what is no count, and of which only the last one matters.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::record::SourceRecord;
use crate::snapshot::{
    Ledger, LedgerNode, Rate, Rates, Run, RunState, Snapshot, Source, Stage, StageKind, Watching, Worker,
};

/// How a run stood. Times are those of its process.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct AtEnd {
    pub(super) mode: String,
    pub(super) state: String,
    pub(super) error: Option<String>,
    pub(super) started: Timestamp,
    pub(super) elapsed_ns: u64,
    pub(super) bytes_total: Option<u64>,
    pub(super) sources_done: u64,
    pub(super) sources_total: u64,
    /// Bytes and lines per second: now, over a minute, over five, and since the start.
    pub(super) rates: [(f64, f64); 4],
    /// Busy, waiting for a sink, and idle nanoseconds of each worker.
    pub(super) workers: Vec<(u64, u64, u64)>,
    pub(super) stages: Vec<(String, u64)>,
    pub(super) watching: WatchingRecord,
    pub(super) ledger: LedgerRecord,
    /// The sources that are not listed.
    pub(super) others: Option<SourceRecord>,
    pub(super) skipped: Vec<(String, u64)>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct WatchingRecord {
    probe_ns: u64,
    hand_over_ns: u64,
    share: f64,
    budget: f64,
    torn_reads: u64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct LedgerRecord {
    balanced: bool,
    sources_tiled: bool,
    bytes_covered: u64,
    bytes_expected: u64,
    sources_complete: u64,
    sources_incomplete: u64,
    records_split: u64,
    records_entered: u64,
    problems: Vec<String>,
}

impl AtEnd {
    pub(super) fn of(snapshot: &Snapshot) -> Self {
        let run = &snapshot.run;
        let rate = |rate: Rate| (rate.bytes_per_s, rate.records_per_s);
        let rates = &run.rates;
        Self {
            mode: run.mode.to_owned(),
            state: run.state.name().to_owned(),
            error: run.error.clone(),
            started: run.started,
            elapsed_ns: u64::try_from(run.elapsed.as_nanos()).unwrap_or(u64::MAX),
            bytes_total: run.bytes_total,
            sources_done: run.sources_done,
            sources_total: run.sources_total,
            rates: [rates.now, rates.minute, rates.five_minutes, rates.life].map(rate),
            workers: run.workers.iter().map(|one| (one.busy_ns, one.sink_wait_ns, one.idle_ns)).collect(),
            stages: snapshot.stages.iter().map(|stage| (stage.kind.name().to_owned(), stage.busy_ns)).collect(),
            watching: WatchingRecord::of(&run.watching),
            ledger: LedgerRecord::of(&snapshot.ledger),
            others: snapshot.sources.others.as_ref().map(SourceRecord::of),
            skipped: snapshot.sources.skipped.iter().map(|&(reason, count)| (reason.to_owned(), count)).collect(),
        }
    }

    /// The run as it is shown again: over, whatever became of it, because no more will come.
    pub(super) fn run(&self, bytes: u64, records: u64) -> Run {
        let [now, minute, five_minutes, life] =
            self.rates.map(|(bytes_per_s, records_per_s)| Rate { bytes_per_s, records_per_s });
        let worker = |&(busy_ns, sink_wait_ns, idle_ns): &(u64, u64, u64)| Worker { busy_ns, sink_wait_ns, idle_ns };
        Run {
            mode: "replay",
            state: RunState::Finished,
            error: self.error.clone(),
            trouble: None,
            started: self.started,
            since: self.started,
            rewinds: 0,
            elapsed: Duration::from_nanos(self.elapsed_ns),
            bytes_done: bytes,
            bytes_total: self.bytes_total,
            records_done: records,
            sources_done: self.sources_done,
            sources_total: self.sources_total,
            lag: None,
            rates: Rates { now, minute, five_minutes, life },
            remaining: None,
            workers: self.workers.iter().map(worker).collect(),
            watching: self.watching.shown(),
        }
    }

    pub(super) fn stages(&self) -> Vec<Stage> {
        let busy = |kind: StageKind| self.stages.iter().find(|(name, _)| name == kind.name());
        StageKind::ALL.map(|kind| Stage { kind, busy_ns: busy(kind).map_or(0, |(_, busy_ns)| *busy_ns) }).to_vec()
    }

    /// The ledger; `nodes` are its lines.
    pub(super) fn ledger(&self, nodes: Vec<LedgerNode>) -> Ledger {
        let ledger = self.ledger.clone();
        Ledger {
            balanced: ledger.balanced && nodes.iter().all(LedgerNode::is_balanced),
            nodes,
            sources_tiled: ledger.sources_tiled,
            bytes_covered: ledger.bytes_covered,
            bytes_expected: ledger.bytes_expected,
            sources_complete: ledger.sources_complete,
            sources_incomplete: ledger.sources_incomplete,
            records_split: ledger.records_split,
            records_entered: ledger.records_entered,
            problems: ledger.problems,
        }
    }

    pub(super) fn others(&self) -> Option<Source> {
        self.others.as_ref().map(SourceRecord::shown)
    }

    pub(super) fn skipped(&self) -> Vec<(&'static str, u64)> {
        self.skipped.iter().map(|(reason, count)| (word(reason), *count)).collect()
    }
}

impl WatchingRecord {
    fn of(watching: &Watching) -> Self {
        let Watching { probe_ns, hand_over_ns, share, budget, torn_reads } = *watching;
        Self { probe_ns, hand_over_ns, share, budget, torn_reads }
    }

    fn shown(&self) -> Watching {
        let Self { probe_ns, hand_over_ns, share, budget, torn_reads } = *self;
        Watching { probe_ns, hand_over_ns, share, budget, torn_reads }
    }
}

impl LedgerRecord {
    fn of(ledger: &Ledger) -> Self {
        Self {
            balanced: ledger.balanced,
            sources_tiled: ledger.sources_tiled,
            bytes_covered: ledger.bytes_covered,
            bytes_expected: ledger.bytes_expected,
            sources_complete: ledger.sources_complete,
            sources_incomplete: ledger.sources_incomplete,
            records_split: ledger.records_split,
            records_entered: ledger.records_entered,
            problems: ledger.problems.clone(),
        }
    }
}

impl SourceRecord {
    /// The source as it is shown.
    pub(super) fn shown(&self) -> Source {
        Source {
            path: self.path.clone(),
            access: word(&self.access),
            identity: self.identity,
            size: self.size,
            bytes_read: self.bytes_read,
            records: self.lines,
            done: self.done,
            oversized: self.oversized,
            unterminated: self.unterminated,
            fault: self.fault.clone(),
            live: None,
        }
    }
}

/// The words for how a source is read, and for why things are not.
const WORDS: [&str; 13] = [
    "mapped",
    "read",
    "stream",
    "followed",
    "unread",
    "various",
    "hidden",
    "binary",
    "compressed",
    "same_file",
    "symlink",
    "special",
    "output",
];

/// One of our words that stands in a file; one that another version wrote is not known here.
fn word(text: &str) -> &'static str {
    WORDS.into_iter().find(|word| *word == text).unwrap_or("unknown")
}
