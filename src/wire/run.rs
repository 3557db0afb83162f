//! `/api/v1/run`: the run as a whole, where its time went, and what its sinks wrote.

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use crate::{
    Graph, GraphSink, Snapshot,
    snapshot::{Lag, Node, Rate, Rates, Run, Sink, Stage, Trouble, Watching, Worker},
};

use super::{milliseconds, ms, share, tenths};

/// The run as a whole.
pub(crate) fn run(snapshot: &Snapshot) -> impl Serialize + '_ {
    let run = &snapshot.run;
    let busy_ns = busy_ns(snapshot);
    RunView {
        mode: run.mode,
        state: run.state.name(),
        error: run.error.as_deref(),
        trouble: run.trouble.as_ref().map(TroubleView::of),
        sequence: snapshot.sequence,
        checksum: format!("{:016x}", snapshot.checksum),
        taken: snapshot.taken,
        started: run.started,
        since: run.since,
        rewinds: run.rewinds,
        elapsed_s: run.elapsed.as_secs_f64(),
        bytes_done: run.bytes_done,
        bytes_total: run.bytes_total,
        lines_done: run.records_done,
        lines_total: run.state.is_over().then_some(run.records_done),
        sources_done: run.sources_done,
        sources_total: run.sources_total,
        lag: run.lag.as_ref().map(LagView::of),
        rates: RatesView::of(&run.rates),
        remaining_s: run.remaining.map(|time| time.as_secs_f64()),
        estimated_end: estimated_end(snapshot),
        busy_ms: ms(busy_ns),
        stages: stages(snapshot, busy_ns),
        workers: workers(run),
        watching: WatchingView::of(&run.watching),
        sinks: sinks(snapshot),
    }
}

/// The time that went into processors and stages: what every share of busy time is a share of.
pub(super) fn busy_ns(snapshot: &Snapshot) -> u64 {
    let nodes: u64 = snapshot.nodes.iter().map(Node::busy_here_ns).sum();
    let stages: u64 = snapshot.stages.iter().map(|stage| stage.busy_ns).sum();
    nodes + stages
}

fn estimated_end(snapshot: &Snapshot) -> Option<Timestamp> {
    let remaining = snapshot.run.remaining?;
    snapshot.taken.checked_add(SignedDuration::try_from(remaining).ok()?).ok()
}

fn stages(snapshot: &Snapshot, busy_ns: u64) -> Vec<StageView> {
    let view = |stage: &Stage| StageView {
        stage: stage.kind.name(),
        busy_ms: ms(stage.busy_ns),
        busy_share: share(stage.busy_ns, busy_ns),
    };
    snapshot.stages.iter().map(view).collect()
}

fn workers(run: &Run) -> Vec<WorkerView> {
    let view = |worker: &Worker| WorkerView {
        busy_share: share(worker.busy_ns, worker.busy_ns + worker.sink_wait_ns + worker.idle_ns),
        busy_ms: ms(worker.busy_ns),
        sink_wait_ms: ms(worker.sink_wait_ns),
        idle_ms: ms(worker.idle_ns),
    };
    run.workers.iter().map(view).collect()
}

fn sinks(snapshot: &Snapshot) -> Vec<SinkView<'_>> {
    let pairs = snapshot.graph.sinks.iter().zip(&snapshot.sinks);
    pairs.map(|(shown, sink)| SinkView::of(&snapshot.graph, shown, sink)).collect()
}

#[derive(Serialize)]
struct RunView<'a> {
    mode: &'a str,
    state: &'a str,
    error: Option<&'a str>,
    /// What holds it up while it goes on.
    trouble: Option<TroubleView<'a>>,
    sequence: u64,
    /// In hexadecimal: JSON numbers do not carry 64 bits everywhere.
    checksum: String,
    taken: Timestamp,
    started: Timestamp,
    /// Since when totals count: before `started` where a run goes on from a checkpoint.
    since: Timestamp,
    /// How often totals went back to those of the last checkpoint.
    rewinds: u64,
    elapsed_s: f64,
    bytes_done: u64,
    bytes_total: Option<u64>,
    lines_done: u64,
    /// Known only when the run is over.
    lines_total: Option<u64>,
    sources_done: u64,
    sources_total: u64,
    /// Whether it keeps up; null where nothing is followed.
    lag: Option<LagView>,
    rates: RatesView,
    remaining_s: Option<f64>,
    estimated_end: Option<Timestamp>,
    busy_ms: f64,
    stages: Vec<StageView>,
    workers: Vec<WorkerView>,
    watching: WatchingView,
    sinks: Vec<SinkView<'a>>,
}

#[derive(Serialize)]
struct TroubleView<'a> {
    cause: &'a str,
    action: &'a str,
    since: Timestamp,
}

impl<'a> TroubleView<'a> {
    fn of(trouble: &'a Trouble) -> Self {
        Self { cause: &trouble.cause, action: &trouble.action, since: trouble.since }
    }
}

/// All followed sources together.
#[derive(Serialize)]
struct LagView {
    sources: u64,
    bytes_behind: u64,
    /// For how long the oldest byte that was not read has waited.
    seconds_behind: f64,
    rotations: u64,
    truncations: u64,
    bytes_skipped: u64,
    bytes_lost: u64,
    /// Something may have been lost that was never seen: `bytes_lost` is then the least.
    lost_unknown: bool,
    /// Bytes of files that were removed and are still open.
    held_bytes: u64,
    /// Sources whose file is gone.
    gone: u64,
    /// Sources that cannot be read now.
    in_trouble: u64,
}

impl LagView {
    fn of(lag: &Lag) -> Self {
        Self {
            sources: lag.sources,
            bytes_behind: lag.bytes_behind,
            seconds_behind: milliseconds(lag.seconds_behind),
            rotations: lag.rotations,
            truncations: lag.truncations,
            bytes_skipped: lag.bytes_skipped,
            bytes_lost: lag.bytes_lost,
            lost_unknown: lag.is_lost_unknown,
            held_bytes: lag.held_bytes,
            gone: lag.gone,
            in_trouble: lag.in_trouble,
        }
    }
}

#[derive(Serialize)]
struct RatesView {
    now: RateView,
    #[serde(rename = "1m")]
    minute: RateView,
    #[serde(rename = "5m")]
    five_minutes: RateView,
    life: RateView,
}

impl RatesView {
    fn of(rates: &Rates) -> Self {
        Self {
            now: RateView::of(rates.now),
            minute: RateView::of(rates.minute),
            five_minutes: RateView::of(rates.five_minutes),
            life: RateView::of(rates.life),
        }
    }
}

#[derive(Serialize)]
struct RateView {
    bytes_per_s: f64,
    lines_per_s: f64,
}

impl RateView {
    fn of(rate: Rate) -> Self {
        Self { bytes_per_s: tenths(rate.bytes_per_s), lines_per_s: tenths(rate.records_per_s) }
    }
}

#[derive(Serialize)]
struct StageView {
    stage: &'static str,
    busy_ms: f64,
    busy_share: f64,
}

#[derive(Serialize)]
struct WorkerView {
    busy_share: f64,
    busy_ms: f64,
    sink_wait_ms: f64,
    idle_ms: f64,
}

#[derive(Serialize)]
struct WatchingView {
    probe_ms: f64,
    hand_over_ms: f64,
    share: f64,
    budget: f64,
    torn_reads: u64,
}

impl WatchingView {
    fn of(watching: &Watching) -> Self {
        Self {
            probe_ms: ms(watching.probe_ns),
            hand_over_ms: ms(watching.hand_over_ns),
            share: watching.share,
            budget: watching.budget,
            torn_reads: watching.torn_reads,
        }
    }
}

#[derive(Serialize)]
struct SinkView<'a> {
    id: &'a str,
    kind: &'a str,
    from: &'a str,
    /// `None`: whatever leaves the processor.
    output: Option<&'a str>,
    path: Option<&'a str>,
    lines: u64,
    bytes_written: u64,
    /// Lines that were refused for good.
    refused: u64,
    retries: u64,
    waiting_lines: u64,
    waiting_bytes: u64,
    /// Why it does not get on now.
    trouble: Option<&'a str>,
}

impl<'a> SinkView<'a> {
    fn of(graph: &'a Graph, shown: &'a GraphSink, sink: &'a Sink) -> Self {
        let node = &graph.nodes[shown.from];
        Self {
            id: &shown.id,
            kind: &shown.kind,
            from: &node.id,
            output: shown.output.map(|output| node.outputs[output].as_str()),
            path: Some(shown.path.as_str()).filter(|path| !path.is_empty()),
            lines: sink.records,
            bytes_written: sink.bytes_written,
            refused: sink.refused,
            retries: sink.retries,
            waiting_lines: sink.waiting_records,
            waiting_bytes: sink.waiting_bytes,
            trouble: sink.trouble.as_deref(),
        }
    }
}
