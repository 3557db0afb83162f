//! Synthetic snapshots, for tests of whatever shows one.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;

use crate::{
    graph::{Edge, Graph, GraphNode, GraphSink, Port},
    metrics::{
        Snapshot,
        snapshot::{
            Fault, FaultKind, Lag, Latency, Ledger, Live, Node, Output, Rate, Rates, Run, RunState, Sink, Source,
            Sources, Stage, StageKind, Trouble, Watching, Worker,
        },
    },
};

fn node(id: &str, kind: &str, outputs: &[&str]) -> GraphNode {
    let outputs: Vec<_> = outputs.iter().map(ToString::to_string).collect();
    GraphNode {
        id: id.to_owned(),
        kind: kind.to_owned(),
        dropped_as: vec![None; outputs.len()],
        outputs,
        ..GraphNode::default()
    }
}

fn default_graph() -> Graph {
    let edge = |output, to| Edge { from: 0, output: Port::Output(output), to };
    Graph {
        nodes: vec![
            node("start", "level", &["error", "warn", "other"]),
            node("error", "pass", &["out"]),
            node("warn", "pass", &["out"]),
            node("general", "pass", &["out"]),
        ],
        edges: vec![edge(0, 1), edge(1, 2), edge(2, 3)],
        sinks: Vec::new(),
    }
}

fn latency(scale: u64) -> Latency {
    Latency {
        samples: 12_800,
        p50_ns: Some(scale),
        p90_ns: Some(scale * 2),
        p99_ns: Some(scale * 7),
        p999_ns: Some(scale * 40),
        max_ns: Some(scale * 9_000),
        log2_counts: (0..22_u32).map(|k| if k < 6 { 0 } else { 12_800 >> (k - 6).min(13) }).collect(),
        ..Latency::default()
    }
}

fn worked(records: u64, busy_ns: u64, latency: Latency) -> Node {
    Node { records_in: records, busy_ns, latency, ..Node::default() }
}

fn run(state: RunState) -> Run {
    let life = Rate { bytes_per_s: 6.47e9, records_per_s: 59.5e6 };
    Run {
        mode: "run",
        state,
        error: None,
        trouble: None,
        started: Timestamp::UNIX_EPOCH,
        since: Timestamp::UNIX_EPOCH,
        rewinds: 0,
        elapsed: Duration::from_millis(166),
        bytes_done: 1_073_741_824,
        bytes_total: Some(1_073_741_824),
        records_done: 9_876_543,
        sources_done: 1,
        sources_total: 1,
        lag: None,
        rates: Rates { life, ..Rates::default() },
        remaining: None,
        workers: vec![Worker { busy_ns: 160_000_000, sink_wait_ns: 0, idle_ns: 6_000_000 }; 2],
        watching: Watching { probe_ns: 1_200_000, hand_over_ns: 300_000, share: 0.0042, budget: 0.01, torn_reads: 0 },
    }
}

fn source(path: &str, bytes: u64) -> Source {
    Source {
        path: path.to_owned(),
        access: "mapped",
        size: Some(bytes),
        bytes_read: bytes,
        done: true,
        ..Source::default()
    }
}

/// A clean run of the default pipeline over a gibibyte.
pub(crate) fn clean() -> Snapshot {
    let stages = [62, 71, 9, 0, 3].map(|ms| ms * 1_000_000);
    Snapshot {
        sequence: 7,
        checksum: 0,
        taken: Timestamp::UNIX_EPOCH,
        graph: Arc::new(default_graph()),
        run: run(RunState::Finished),
        nodes: vec![
            worked(9_876_543, 170_000_000, latency(210)),
            worked(123_456, 1_500_000, latency(30)),
            worked(1_234_567, 1_500_000, latency(31)),
            worked(8_518_520, 2_000_000, Latency { samples: 5, p50_ns: Some(28), ..Latency::default() }),
        ],
        stages: StageKind::ALL.into_iter().zip(stages).map(|(kind, busy_ns)| Stage { kind, busy_ns }).collect(),
        sinks: Vec::new(),
        sources: Sources {
            listed: vec![Arc::new(Source { records: 9_876_543, ..source("/var/log/mixed.log", 1_073_741_824) })],
            others: None,
            skipped: Vec::new(),
        },
        traces: Arc::new([]),
        faults: Arc::new([]),
        source_faults: Vec::new(),
        ledger: Ledger {
            balanced: true,
            sources_tiled: true,
            bytes_covered: 1_073_741_824,
            bytes_expected: 1_073_741_824,
            sources_complete: 1,
            records_split: 9_876_543,
            records_entered: 9_876_543,
            ..Ledger::default()
        },
    }
}

/// Two ways that meet again, sinks, several sources, and strangers that try everything.
pub(crate) fn hostile() -> Snapshot {
    let mut snapshot = clean();
    let edge = |from, output, to| Edge { from, output: Port::Output(output), to };
    let mut nodes = vec![
        node("pa\x1b[31mrse", "match", &["match", "rest"]),
        node("\u{202e}evil", "fail", &["out"]),
        node("a-name-that-goes-on-and-on-and-never-ends", "pass", &["out"]),
    ];
    nodes[0].dropped_as[1] = Some("no_match".to_owned());
    let sink = |id: &str, from, output, path: &str| GraphSink {
        id: id.to_owned(),
        kind: if path.is_empty() { "stdout" } else { "file" }.to_owned(),
        from,
        output,
        path: path.to_owned(),
    };
    snapshot.graph = Arc::new(Graph {
        nodes,
        edges: vec![edge(0, 0, 1), edge(0, 0, 2), Edge { from: 1, output: Port::Failed, to: 2 }],
        sinks: vec![sink("out", 0, Some(0), ""), sink("all\x07", 2, None, "/tmp/\x1b]0;title\x07.log")],
    });
    let out = |records| Output { records, bytes: records * 100 };
    snapshot.nodes = vec![
        Node { outputs: vec![out(1_000), out(9_000)], dropped: 9_000, ..worked(10_000, 300_000, latency(90)) },
        Node {
            failed: 1_000,
            fault_kinds: vec![(FaultKind::Failed, 990), (FaultKind::Panicked, 10)],
            ..worked(1_000, 100_000_000, Latency::default())
        },
        Node { merged: 1_000, ..worked(1_000, 9_000, Latency { saturated: 2, ..latency(9) }) },
    ];
    snapshot.sinks =
        [100_000, 65_536].map(|bytes_written| Sink { records: 1_000, bytes_written, ..Sink::default() }).to_vec();
    let fault = |node, kind, message: &str, offset, excerpt: &'static [u8]| Fault {
        order: 0,
        node,
        kind,
        message: message.to_owned(),
        time: Timestamp::UNIX_EPOCH,
        source: 0,
        offset,
        length: excerpt.len() as u64,
        excerpt: excerpt.into(),
    };
    snapshot.faults = Arc::new([
        fault(Some(1), FaultKind::Failed, "no", 0, b"\x1b[2J\x1b]0;owned\x07 hello \xff\x9b31m"),
        fault(Some(1), FaultKind::Failed, "no", 100, b"second"),
        fault(Some(1), FaultKind::Failed, "no", 200, b"third"),
        fault(Some(1), FaultKind::Failed, "new\nline", 300, &[b'x'; 256]),
        fault(Some(1), FaultKind::Panicked, "index out of bounds", 400, "日本語 \u{202e}".as_bytes()),
        fault(None, FaultKind::Unreadable, "Permission denied (os error 13)", 0, b""),
    ]);
    snapshot.source_faults = vec![(FaultKind::Unreadable, 1), (FaultKind::Oversized, 0)];
    let path = "/var/log/\x1b[5m/a/very/long/path/that/does/not/end/before/the/line/does.log";
    snapshot.sources = Sources {
        listed: vec![
            Arc::new(Source { records: 10_000, unterminated: true, oversized: 3, ..source(path, 1_000_000) }),
            Arc::new(Source { fault: Some("Permission denied \x1b[1m".to_owned()), ..source("secret.log", 0) }),
        ],
        others: None,
        skipped: vec![("hidden", 12), ("binary", 0), ("the same file again", 1_234)],
    };
    snapshot.run.records_done = 10_000;
    snapshot.run.workers = vec![Worker { busy_ns: 300_000_000, sink_wait_ns: 20_000_000, idle_ns: 0 }];
    snapshot.run.sources_done = 1;
    snapshot.run.sources_total = 2;
    snapshot
}

/// A run that follows, a little behind, after a restart.
pub(crate) fn following() -> Snapshot {
    let mut snapshot = clean();
    let live = |bytes_behind: u64, seconds_behind: f64| Live { bytes_behind, seconds_behind, ..Live::default() };
    let followed = |path: &str, live: Live| {
        let whole = source(path, 1_000_000);
        Arc::new(Source { access: "followed", size: None, done: false, live: Some(live), ..whole })
    };
    let quiet = Live { rotations: 3, ..live(0, 0.0) };
    let busy = Live { truncations: 1, is_lost_unknown: true, bytes_lost: 512, ..live(1_200_000, 3.25) };
    let gone = Live { is_gone: true, trouble: Some("Permission denied".to_owned()), ..live(0, 0.0) };
    let mut lag = Lag { held_bytes: 4_096, ..Lag::default() };
    [&quiet, &busy, &gone].into_iter().for_each(|live| lag.add(live));
    snapshot.sources.listed = vec![
        followed("/var/log/quiet.log", quiet),
        followed("/var/log/busy.log", busy),
        Arc::new(Source { fault: gone.trouble.clone(), ..(*followed("/var/log/gone.log", gone)).clone() }),
    ];
    let run = &mut snapshot.run;
    (run.mode, run.state, run.bytes_total) = ("follow", RunState::Interrupted, None);
    (run.sources_done, run.sources_total, run.lag) = (0, 3, Some(lag));
    run.rewinds = 2;
    run.since = Timestamp::UNIX_EPOCH - jiff::SignedDuration::from_hours(1);
    run.trouble = Some(Trouble {
        cause: "disk full: out.log".to_owned(),
        action: "make room; it goes on by itself".to_owned(),
        since: Timestamp::UNIX_EPOCH,
    });
    snapshot
}

/// Nothing was read.
pub(crate) fn empty() -> Snapshot {
    let mut snapshot = clean();
    snapshot.run.bytes_done = 0;
    snapshot.run.bytes_total = Some(0);
    snapshot.run.records_done = 0;
    snapshot.run.elapsed = Duration::ZERO;
    snapshot.run.rates.life = Rate { bytes_per_s: f64::NAN, records_per_s: f64::INFINITY };
    snapshot.run.sources_done = 0;
    snapshot.run.sources_total = 0;
    snapshot.run.workers = vec![Worker::default()];
    snapshot.run.watching = Watching::default();
    snapshot.nodes = vec![Node::default(); 4];
    snapshot.stages.iter_mut().for_each(|stage| stage.busy_ns = 0);
    snapshot.sources.listed = Vec::new();
    snapshot.ledger = Ledger { balanced: true, ..Ledger::default() };
    snapshot
}

/// Every number at its end, and a ledger that does not balance.
pub(crate) fn failed() -> Snapshot {
    let mut snapshot = clean();
    let most = u64::MAX;
    snapshot.run.state = RunState::Failed;
    snapshot.run.error = Some("/mnt/full/out.log: offset 1,073,741: No space left on device (os error 28)".to_owned());
    snapshot.run.bytes_done = most / 3;
    snapshot.run.bytes_total = Some(most);
    snapshot.run.records_done = most;
    snapshot.run.elapsed = Duration::MAX;
    snapshot.run.workers = vec![Worker { busy_ns: most, sink_wait_ns: most, idle_ns: most }; 256];
    let latency = Latency { samples: most, max_ns: Some(most), log2_counts: vec![most; 64], ..latency(1 << 50) };
    snapshot.nodes = vec![
        Node {
            dropped: most,
            failed: most,
            fault_kinds: FaultKind::ALL.map(|kind| (kind, most)).to_vec(),
            ..worked(most, most, latency)
        };
        4
    ];
    snapshot.sources.listed = (0..50)
        .map(|number| Arc::new(Source { oversized: number, ..source(&format!("{number}.log"), most) }))
        .collect();
    snapshot.ledger.balanced = false;
    snapshot.ledger.problems =
        (0..12).map(|number| format!("start: {number} in, but 3 out + 1 dropped + 0 failed")).collect();
    snapshot
}
