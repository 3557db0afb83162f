//! `/metrics`: the numbers of a snapshot for those who keep them over time.

use std::collections::BTreeMap;

use crate::{
    Snapshot, limits,
    snapshot::{FaultKind, Node, RunState, Source, Worker},
};

use super::exposition::{Exposition, Kind, Text, seconds};

/// All families, in this format.
pub(crate) fn metrics(snapshot: &Snapshot, exposition: Exposition) -> String {
    let mut text = Text::new(exposition);
    run(&mut text, snapshot);
    time(&mut text, snapshot);
    processors(&mut text, snapshot);
    latency(&mut text, snapshot);
    sinks(&mut text, snapshot);
    sources(&mut text, snapshot);
    text.finish()
}

const STATES: [RunState; 7] = [
    RunState::Starting,
    RunState::Running,
    RunState::Draining,
    RunState::Finished,
    RunState::Interrupted,
    RunState::Closed,
    RunState::Failed,
];

/// Bounds of latency buckets: powers of two from this one, in nanoseconds, …
const BUCKET_FIRST: u32 = 5;
/// … to this one, which is over a minute. They are always the same, so that pictures over time can be made of them.
const BUCKET_LAST: u32 = 36;

fn run(text: &mut Text, snapshot: &Snapshot) {
    let run = &snapshot.run;
    text.family(Kind::Info, "logweir_build_info", "The program.").count(&[("version", env!("CARGO_PKG_VERSION"))], 1);
    text.family(Kind::Gauge, "logweir_run_state", "1 for what the run is doing, 0 for everything else.");
    for state in STATES {
        text.count(&[("mode", run.mode), ("state", state.name())], u64::from(state == run.state));
    }
    text.family(Kind::Gauge, "logweir_run_trouble", "1 while something holds the run up; /readyz says what.")
        .count(&[], u64::from(run.trouble.is_some()));
    text.family(Kind::Counter, "logweir_read_bytes_total", "Bytes of input that are accounted for.")
        .count(&[], run.bytes_done);
    text.family(Kind::Counter, "logweir_records_total", "Records that entered the pipeline.")
        .count(&[], run.records_done);
    text.family(Kind::Gauge, "logweir_sources", "Where bytes come from.").count(&[], run.sources_total);
    if let Some(lag) = &run.lag {
        text.family(Kind::Gauge, "logweir_behind_bytes", "Bytes that are there and were not read yet, all sources.")
            .count(&[], lag.bytes_behind);
        text.family(
            Kind::Gauge,
            "logweir_behind_seconds",
            "For how long the oldest byte that was not read has waited.",
        )
        .number(&[], lag.seconds_behind);
        text.family(Kind::Gauge, "logweir_held_bytes", "Bytes of files that were removed and are still open.")
            .count(&[], lag.held_bytes);
        text.family(Kind::Gauge, "logweir_sources_gone", "Sources whose file is gone.").count(&[], lag.gone);
        text.family(Kind::Gauge, "logweir_sources_in_trouble", "Sources that cannot be read now.")
            .count(&[], lag.in_trouble);
    }
    text.family(Kind::Counter, "logweir_source_faults_total", "What went wrong outside processors, by kind.");
    for kind in FaultKind::ALL.into_iter().filter(|kind| !is_of_processors(*kind)) {
        let found = snapshot.source_faults.iter().find(|(known, _)| *known == kind);
        text.count(&[("kind", kind.name())], found.map_or(0, |(_, count)| *count));
    }
    text.family(Kind::Gauge, "logweir_ledger_balanced", "1 while every record is accounted for.")
        .count(&[], u64::from(snapshot.ledger.balanced));
    text.family(Kind::Gauge, "logweir_snapshot_sequence", "The number of the snapshot that all of this is taken from.")
        .count(&[], snapshot.sequence);
}

fn is_of_processors(kind: FaultKind) -> bool {
    matches!(kind, FaultKind::Failed | FaultKind::Panicked)
}

fn time(text: &mut Text, snapshot: &Snapshot) {
    let run = &snapshot.run;
    let stamps = [
        ("logweir_run_start_time_seconds", "When the run started, in Unix time.", run.started),
        ("logweir_totals_since_time_seconds", "Since when totals count: over restarts, in Unix time.", run.since),
        ("logweir_snapshot_time_seconds", "When the snapshot was taken, in Unix time.", snapshot.taken),
    ];
    for (name, help, stamp) in stamps {
        text.family(Kind::Gauge, name, help).number(&[], stamp.as_millisecond() as f64 / 1e3);
    }
    let help = "How often totals went back to those of the last checkpoint, as what came after it was read again.";
    text.family(Kind::Counter, "logweir_rewinds_total", help).count(&[], run.rewinds);
    text.family(Kind::Counter, "logweir_worker_time_seconds_total", "What each worker did with its time.");
    for (number, worker) in run.workers.iter().enumerate() {
        let number = number.to_string();
        for (doing, ns) in doings(worker) {
            text.nanos(&[("worker", &number), ("doing", doing)], ns);
        }
    }
    text.family(Kind::Counter, "logweir_stage_busy_seconds_total", "Where workers' time went outside processors.");
    for stage in &snapshot.stages {
        text.nanos(&[("stage", stage.kind.name())], stage.busy_ns);
    }
    text.family(Kind::Gauge, "logweir_watching_ratio", "What watching takes of the workers' time.")
        .number(&[], run.watching.share);
    text.family(Kind::Gauge, "logweir_watching_budget_ratio", "What watching may take of it.")
        .number(&[], run.watching.budget);
}

fn doings(worker: &Worker) -> [(&'static str, u64); 3] {
    [("busy", worker.busy_ns), ("sink_wait", worker.sink_wait_ns), ("idle", worker.idle_ns)]
}

fn processors(text: &mut Text, snapshot: &Snapshot) {
    let all = || snapshot.graph.nodes.iter().zip(&snapshot.nodes);
    let mut plain = |name, help, value: fn(&Node) -> u64| {
        text.family(Kind::Counter, name, help);
        all().for_each(|(shape, node)| _ = text.count(&[("processor", &shape.id)], value(node)));
    };
    plain("logweir_records_in_total", "Distinct records that entered a processor.", |node| node.records_in);
    plain("logweir_in_bytes_total", "Their bytes, line ends included.", |node| node.bytes_in);
    plain("logweir_records_merged_total", "Arrivals beyond the first of a record.", |node| node.merged);
    plain("logweir_records_dropped_total", "Records that were dropped on purpose.", |node| node.dropped);
    text.family(
        Kind::Counter,
        "logweir_records_out_total",
        "Records that left on an output: in = out + dropped + failed.",
    );
    for (shape, node) in all() {
        // What stands on an output that nobody takes is among the dropped.
        let taken = shape.outputs.iter().zip(&shape.dropped_as).zip(&node.outputs);
        for ((name, _), output) in taken.filter(|((_, dropped_as), _)| dropped_as.is_none()) {
            text.count(&[("processor", &shape.id), ("output", name)], output.records);
        }
    }
    text.family(
        Kind::Counter,
        "logweir_records_failed_total",
        "Records that failed, by kind, whatever became of them.",
    );
    for (shape, node) in all() {
        for kind in FaultKind::ALL.into_iter().filter(|kind| is_of_processors(*kind)) {
            let found = node.fault_kinds.iter().find(|(known, _)| *known == kind);
            text.count(&[("processor", &shape.id), ("kind", kind.name())], found.map_or(0, |(_, count)| *count));
        }
    }
    text.family(Kind::Counter, "logweir_busy_seconds_total", "Time that all workers spent in a processor, exact.");
    for (shape, node) in all() {
        text.nanos(&[("processor", &shape.id)], node.busy_ns);
    }
}

fn latency(text: &mut Text, snapshot: &Snapshot) {
    let help =
        "What one record costs alone, as a batch of one. From probes, not from all records, and of this process.";
    text.family(Kind::Histogram, "logweir_record_latency_seconds", help);
    for (shape, node) in snapshot.graph.nodes.iter().zip(&snapshot.nodes) {
        let latency = &node.latency;
        let below = below(&latency.log2_counts);
        text.histogram(("processor", &shape.id), &below, latency.samples, latency.sum_ns);
    }
}

/// How many values there are below each bound, in seconds. Entry `k` of `counts` is of those from `2^k` to `2^(k+1)` ns.
fn below(counts: &[u64]) -> Vec<(f64, u64)> {
    let up_to = |power: u32| counts.iter().take(power as usize).fold(0, |sum: u64, count| sum.saturating_add(*count));
    (BUCKET_FIRST..=BUCKET_LAST).map(|power| (seconds(1 << power), up_to(power))).collect()
}

fn sinks(text: &mut Text, snapshot: &Snapshot) {
    let all = || snapshot.graph.sinks.iter().zip(&snapshot.sinks);
    if snapshot.graph.sinks.is_empty() {
        return;
    }
    let mut plain = |kind, name, help, value: fn(&crate::snapshot::Sink) -> u64| {
        text.family(kind, name, help);
        all().for_each(|(shape, sink)| _ = text.count(&[("sink", &shape.id)], value(sink)));
    };
    plain(Kind::Counter, "logweir_sink_records_total", "Records that a sink has written.", |sink| sink.records);
    plain(Kind::Counter, "logweir_sink_written_bytes_total", "Bytes that a sink has written.", |sink| {
        sink.bytes_written
    });
    plain(Kind::Counter, "logweir_sink_refused_total", "Records that were refused for good.", |sink| sink.refused);
    plain(Kind::Counter, "logweir_sink_retries_total", "How often something was tried again.", |sink| sink.retries);
    plain(Kind::Gauge, "logweir_sink_waiting", "Records that wait to be taken.", |sink| sink.waiting_records);
    plain(Kind::Gauge, "logweir_sink_waiting_bytes", "Bytes that wait to be taken.", |sink| sink.waiting_bytes);
    plain(Kind::Gauge, "logweir_sink_trouble", "1 while a sink does not get on.", |sink| {
        u64::from(sink.trouble.is_some())
    });
}

/// The numbers of one source, or of several that go by one name.
#[derive(Debug, Clone, Copy, Default)]
struct SourceNumbers {
    read: u64,
    records: u64,
    behind: Option<u64>,
    seconds_behind: Option<f64>,
    rotations: u64,
    truncations: u64,
    lost: u64,
    is_lost_unknown: bool,
    skipped: u64,
}

impl SourceNumbers {
    fn add(&mut self, source: &Source) {
        self.read += source.bytes_read;
        self.records += source.records;
        if let Some(behind) = source.bytes_behind() {
            *self.behind.get_or_insert(0) += behind;
        }
        if let Some(live) = &source.live {
            self.seconds_behind = Some(self.seconds_behind.unwrap_or(0.0).max(live.seconds_behind));
            self.rotations += live.rotations;
            self.truncations += live.truncations;
            self.lost += live.bytes_lost;
            self.is_lost_unknown |= live.is_lost_unknown;
            self.skipped += live.bytes_skipped;
        }
    }
}

/// The first sources by their paths, and all others as one: two that cannot be told apart are one too.
fn by_name(snapshot: &Snapshot) -> BTreeMap<&str, SourceNumbers> {
    let mut numbers: BTreeMap<&str, SourceNumbers> = BTreeMap::new();
    let listed = snapshot.sources.listed.iter().map(AsRef::as_ref).enumerate();
    for (number, source) in listed.chain(snapshot.sources.others.iter().map(|source| (usize::MAX, source))) {
        let name = if number < limits::METRIC_SOURCES { &*source.path } else { "other" };
        numbers.entry(name).or_default().add(source);
    }
    numbers
}

fn sources(text: &mut Text, snapshot: &Snapshot) {
    let sources = by_name(snapshot);
    if sources.is_empty() {
        return;
    }
    let mut counter = |name, help, value: fn(&SourceNumbers) -> u64| {
        text.family(Kind::Counter, name, help);
        sources.iter().for_each(|(path, source)| _ = text.count(&[("source", path)], value(source)));
    };
    counter("logweir_source_read_bytes_total", "Bytes of a source that are accounted for.", |source| source.read);
    counter("logweir_source_records_total", "Records found in a source.", |source| source.records);
    if snapshot.run.lag.is_some() {
        counter("logweir_source_rotations_total", "How often another file came in its place.", |source| {
            source.rotations
        });
        counter("logweir_source_truncations_total", "How often it became shorter.", |source| source.truncations);
        counter("logweir_source_lost_bytes_total", "Bytes that will never be read, at least.", |source| source.lost);
        counter("logweir_source_skipped_bytes_total", "Bytes of holes that were passed over.", |source| source.skipped);
    }
    if snapshot.run.lag.is_some() {
        let help = "1 where more may be lost than was ever seen (a file was cut or removed between two looks).";
        text.family(Kind::Gauge, "logweir_source_lost_unknown", help);
        for (path, source) in &sources {
            text.count(&[("source", path)], u64::from(source.is_lost_unknown));
        }
    }
    if sources.values().any(|source| source.behind.is_some()) {
        text.family(Kind::Gauge, "logweir_source_behind_bytes", "Bytes that are there and were not read yet.");
        for (path, source) in &sources {
            source.behind.iter().for_each(|behind| _ = text.count(&[("source", path)], *behind));
        }
    }
    if sources.values().any(|source| source.seconds_behind.is_some()) {
        text.family(Kind::Gauge, "logweir_source_behind_seconds", "For how long the oldest of them has waited.");
        for (path, source) in &sources {
            source.seconds_behind.iter().for_each(|behind| _ = text.number(&[("source", path)], *behind));
        }
    }
}
