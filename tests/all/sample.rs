//! A made-up run, consistent in itself, at any moment of its life: for tests of those who only show snapshots.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use jiff::Timestamp;
use logweir::{
    Edge, Graph, GraphNode, GraphSink, Port, Snapshot,
    snapshot::{
        Exemplar, Fault, FaultKind, Hop, Lag, Latency, Ledger, LedgerNode, Live, Node, Output, Rate, Rates, Run,
        RunState, Sink, Source, Sources, Stage, StageKind, Trace, Trouble, Watching, Worker,
    },
};

/// What is to be seen.
#[derive(Debug, Clone, Copy)]
pub struct Scene {
    /// How much of the input was read, from 0 to 1000.
    pub done_permille: u64,
    /// What the run is doing.
    pub state: RunState,
    /// Whether anything went wrong.
    pub faults: bool,
    /// Whether the size of the input is known.
    pub sized: bool,
}

/// A run that is over, with faults.
pub const FINISHED: Scene = Scene { done_permille: 1000, state: RunState::Finished, faults: true, sized: true };
/// A run in the middle, with faults.
pub const RUNNING: Scene = Scene { done_permille: 420, state: RunState::Running, ..FINISHED };

/// Bytes of the whole input.
const BYTES: u64 = 48_318_382_080;
/// Records of the whole input.
const RECORDS: u64 = 412_330_000;

/// The snapshot of `scene` with this sequence number.
pub fn snapshot(sequence: u64, scene: Scene) -> Snapshot {
    let graph = Arc::new(graph());
    let nodes = nodes(scene);
    let mut snapshot = Snapshot {
        sequence,
        checksum: 0,
        taken: time(1_790_000_000 + 31 * scene.done_permille as i64 / 1000),
        run: run(scene),
        stages: stages(scene),
        sinks: vec![Sink {
            records: nodes[4].outputs[0].records,
            bytes_written: nodes[4].outputs[0].bytes,
            ..Sink::default()
        }],
        sources: sources(scene),
        traces: traces().into(),
        faults: if scene.faults { faults() } else { Vec::new() }.into(),
        source_faults: if scene.faults { vec![(FaultKind::Unreadable, 1)] } else { Vec::new() },
        ledger: ledger(scene, &nodes),
        graph,
        nodes,
    };
    snapshot.checksum = snapshot.checksum_expected();
    snapshot
}

/// A run that follows three files after a restart: one is behind, one is gone, one cannot be read.
pub fn following(sequence: u64) -> Snapshot {
    let mut snapshot = snapshot(sequence, Scene { sized: false, ..RUNNING });
    snapshot.run.rewinds = 1;
    let followed = |number: usize, live: Live| {
        let path = ["/var/log/gateway.log", "/var/log/app/checkout.log", "/var/log/app/secret.log"][number].to_owned();
        let (fault, bytes) = (live.trouble.clone(), 1_000_000_000 * (number as u64 + 1));
        let known = Source { path, fault, access: "followed", identity: Some((65_025, 17)), ..Source::default() };
        Arc::new(Source { bytes_read: bytes, records: bytes / 117, live: Some(live), ..known })
    };
    let lives = [
        Live { size: 700, rotations: 3, ..Live::default() },
        Live {
            size: 9_000_000,
            bytes_behind: 1_250_000,
            seconds_behind: 4.25,
            truncations: 1,
            bytes_lost: 512,
            is_lost_unknown: true,
            bytes_skipped: 4_096,
            ..Live::default()
        },
        Live { is_gone: true, trouble: Some("permission denied".to_owned()), ..Live::default() },
    ];
    snapshot.sources.listed = lives.into_iter().enumerate().map(|(number, live)| followed(number, live)).collect();
    let run = &mut snapshot.run;
    (run.mode, run.sources_done, run.since) = ("follow", 0, time(1_789_900_000));
    (run.bytes_done, run.rates.now) = (6_000_000_000, Rate { bytes_per_s: 2.4e6, records_per_s: 20_512.0 });
    run.lag = Some(Lag {
        sources: 3,
        bytes_behind: 1_250_000,
        seconds_behind: 4.25,
        rotations: 3,
        truncations: 1,
        bytes_skipped: 4_096,
        bytes_lost: 512,
        is_lost_unknown: true,
        held_bytes: 65_536,
        gone: 1,
        in_trouble: 1,
    });
    run.trouble = Some(Trouble {
        cause: "disk full: sink memory.log cannot write out/memory.log".to_owned(),
        action: "make room; it goes on by itself".to_owned(),
        since: time(1_790_000_003),
    });
    let sink = &mut snapshot.sinks[0];
    (sink.refused, sink.retries, sink.waiting_records, sink.waiting_bytes) = (2, 7, 40, 4_680);
    sink.trouble = Some("No space left on device (os error 28)".to_owned());
    snapshot.checksum = snapshot.checksum_expected();
    snapshot
}

/// Shows text that would run as markup if anybody let it.
pub const HOSTILE: [&str; 4] = [
    "<img src=x onerror=\"alert(1)\">",
    "</script><script>alert(2)</script>",
    "<svg/onload=fetch('http://evil.invalid/')>",
    "\"><style>@import'//evil.invalid/a.css';</style>",
];

/// A snapshot in which everything that users or their logs can name is hostile.
pub fn hostile(sequence: u64) -> Snapshot {
    let mut snapshot = snapshot(sequence, FINISHED);
    let mut graph = (*snapshot.graph).clone();
    for (number, node) in graph.nodes.iter_mut().enumerate() {
        node.id = format!("{}{number}", HOSTILE[number % HOSTILE.len()]);
        node.config = HOSTILE[1].to_owned();
        node.outputs.iter_mut().for_each(|output| output.push_str(HOSTILE[0]));
    }
    graph.sinks[0].id = HOSTILE[2].to_owned();
    graph.sinks[0].path = HOSTILE[3].to_owned();
    snapshot.graph = Arc::new(graph);
    snapshot.sources.listed = vec![Arc::new(Source {
        path: HOSTILE[0].to_owned(),
        fault: Some(HOSTILE[1].to_owned()),
        live: Some(Live { trouble: Some(HOSTILE[1].to_owned()), ..Live::default() }),
        ..Source::default()
    })];
    let excerpt = |number: usize| HOSTILE[number % HOSTILE.len()].as_bytes().into();
    let mut traces = snapshot.traces.to_vec();
    traces.iter_mut().enumerate().for_each(|(number, trace)| trace.excerpt = excerpt(number));
    snapshot.traces = traces.into();
    let mut faults = snapshot.faults.to_vec();
    for (number, fault) in faults.iter_mut().enumerate() {
        fault.excerpt = excerpt(number);
        fault.message = HOSTILE[(number + 1) % HOSTILE.len()].to_owned();
    }
    snapshot.faults = faults.into();
    snapshot.run.error = Some(HOSTILE[1].to_owned());
    snapshot.run.trouble =
        Some(Trouble { cause: HOSTILE[0].to_owned(), action: HOSTILE[2].to_owned(), since: time(1_790_000_000) });
    snapshot.run.lag = Some(Lag { sources: 1, in_trouble: 1, ..Lag::default() });
    snapshot.sinks[0].trouble = Some(HOSTILE[3].to_owned());
    snapshot.ledger.problems = vec![HOSTILE[0].to_owned()];
    snapshot
}

fn time(second: i64) -> Timestamp {
    Timestamp::from_second(second).expect("in range")
}

fn node(id: &str, kind: &str, outputs: &[&str], line: usize, config: &str) -> GraphNode {
    GraphNode {
        id: id.to_owned(),
        kind: kind.to_owned(),
        outputs: outputs.iter().map(|&output| output.to_owned()).collect(),
        dropped_as: vec![None; outputs.len()],
        on_error: "drop".to_owned(),
        line: Some(line),
        config: config.to_owned(),
    }
}

fn graph() -> Graph {
    let edge = |from, output, to| Edge { from, output: Port::Output(output), to };
    let level = r#"id = "start" kind = "level" to = { error = "error", warn = ["warn", "oom"], other = "general" }"#;
    let mut oom = node("oom", "match", &["match", "rest"], 13, r#"id = "oom" kind = "match" any = ["OutOfMemory"]"#);
    oom.dropped_as[1] = Some("no_match".to_owned());
    let mut alert = node("alert", "fail", &["out"], 18, r#"id = "alert" kind = "fail" on_error = "graveyard""#);
    alert.on_error = "graveyard".to_owned();
    Graph {
        nodes: vec![
            node("start", "level", &["error", "warn", "other"], 1, level),
            node("error", "pass", &["out"], 6, r#"id = "error" kind = "pass" to = "oom""#),
            node("warn", "pass", &["out"], 10, r#"id = "warn" kind = "pass""#),
            node("general", "pass", &["out"], 23, r#"id = "general" kind = "pass""#),
            oom,
            alert,
            node("graveyard", "pass", &["out"], 27, r#"id = "graveyard" kind = "pass""#),
        ],
        edges: vec![
            edge(0, 0, 1),
            edge(0, 1, 2),
            edge(0, 1, 4),
            edge(0, 2, 3),
            edge(1, 0, 4),
            edge(4, 0, 5),
            Edge { from: 5, output: Port::Failed, to: 6 },
        ],
        sinks: vec![GraphSink {
            id: "memory.log".to_owned(),
            kind: "file".to_owned(),
            from: 4,
            output: Some(0),
            path: "out/memory.log".to_owned(),
        }],
    }
}

fn scaled(whole: u64, scene: Scene) -> u64 {
    (u128::from(whole) * u128::from(scene.done_permille) / 1000) as u64
}

fn nodes(scene: Scene) -> Vec<Node> {
    let records = scaled(RECORDS, scene);
    let (error, warn) = (records / 89, records / 17);
    let general = records - error - warn;
    let oom = (error + warn) / 311;
    let failed = if scene.faults { oom / 97 } else { 0 };
    vec![
        made(records, &[error, warn, general], 5.4, 12, scene),
        made(error, &[error], 1.9, 9, scene),
        made(warn, &[warn], 1.7, 8, scene),
        made(general, &[general], 0.4, 6, scene),
        Node { dropped: error + warn - oom, ..made(error + warn, &[oom, 0], 11.3, 14, scene) },
        Node {
            failed,
            fault_kinds: if failed > 1 {
                vec![(FaultKind::Failed, failed - 1), (FaultKind::Panicked, 1)]
            } else {
                Vec::new()
            },
            ..made(oom, &[oom - failed], 402.0, 19, scene)
        },
        made(failed, &[failed], 2.2, 7, scene),
    ]
}

/// A processor that was given `records`; `peak` says where its histogram stands.
fn made(records: u64, outputs: &[u64], ns_per_line: f64, peak: usize, scene: Scene) -> Node {
    let running = scene.state == RunState::Running;
    Node {
        records_in: records,
        bytes_in: records * 117,
        outputs: outputs.iter().map(|&records| Output { records, bytes: records * 117 }).collect(),
        busy_ns: (records as f64 * ns_per_line) as u64,
        records_per_s: if running { records as f64 / 13.1 } else { 0.0 },
        latency: latency(records / 18_000, peak),
        ..Node::default()
    }
}

fn latency(samples: u64, peak: usize) -> Latency {
    let weights = [0, 1, 9, 60, 180, 420, 240, 60, 14, 5, 2, 1, 1];
    let mut log2_counts = vec![0; peak.saturating_sub(5)];
    log2_counts.extend(weights.iter().map(|weight| weight * samples / 993));
    log2_counts[peak] += samples - log2_counts.iter().sum::<u64>();
    while log2_counts.last() == Some(&0) {
        log2_counts.pop();
    }
    let at = |numerator: u64, enough: bool| enough.then_some((1 << peak) * numerator / 10);
    Latency {
        samples,
        sum_ns: samples * (1 << peak) * 3 / 2,
        p50_ns: at(14, samples >= 2),
        p90_ns: at(27, samples >= 10),
        p99_ns: at(74, samples >= 100),
        p999_ns: at(370, samples >= 1000),
        max_ns: at(1204, samples >= 1),
        slowest: (samples >= 1).then_some(Exemplar { source: 1, offset: 73_400_321, ns: (1 << peak) * 1204 / 10 }),
        saturated: 0,
        log2_counts,
    }
}

fn stages(scene: Scene) -> Vec<Stage> {
    let busy = [31_000_000_000, 9_400_000_000, 1_200_000_000, 310_000_000, 390_000_000];
    let pairs = StageKind::ALL.into_iter().zip(busy);
    pairs.map(|(kind, busy_ns)| Stage { kind, busy_ns: scaled(busy_ns, scene) }).collect()
}

fn run(scene: Scene) -> Run {
    let now = Rate { bytes_per_s: 1.62e9, records_per_s: 13.8e6 };
    let life = Rate { bytes_per_s: 1.5587e9, records_per_s: 13.3e6 };
    let running = scene.state == RunState::Running;
    let left = 31_000 * (1000 - scene.done_permille) / 1000;
    let worker = |busy: u64, wait: u64, idle: u64| Worker {
        busy_ns: scaled(busy * 1_000_000, scene),
        sink_wait_ns: scaled(wait * 1_000_000, scene),
        idle_ns: scaled(idle * 1_000_000, scene),
    };
    Run {
        mode: "run",
        state: scene.state,
        error: (scene.state == RunState::Failed).then(|| "out/memory.log at 1048576: no space left".to_owned()),
        trouble: None,
        started: time(1_790_000_000),
        since: time(1_790_000_000),
        rewinds: 0,
        elapsed: Duration::from_millis(31 * scene.done_permille),
        bytes_done: scaled(BYTES, scene),
        bytes_total: scene.sized.then_some(BYTES),
        records_done: scaled(RECORDS, scene),
        sources_done: scaled(3, scene),
        sources_total: 3,
        lag: None,
        rates: Rates { now: if running { now } else { Rate::default() }, minute: life, five_minutes: life, life },
        remaining: (running && scene.sized).then(|| Duration::from_millis(left)),
        workers: vec![worker(30_400, 410, 190), worker(29_900, 700, 400)],
        watching: Watching {
            probe_ns: scaled(240_000_000, scene),
            hand_over_ns: scaled(61_000_000, scene),
            share: 0.0051,
            budget: 0.01,
            torn_reads: 3,
        },
    }
}

fn sources(scene: Scene) -> Sources {
    let source = |path: &str, bytes: u64, records: u64| {
        Arc::new(Source {
            path: path.to_owned(),
            access: "mapped",
            identity: Some((65_025, 1_837_204)),
            size: Some(bytes),
            bytes_read: scaled(bytes, scene),
            records: scaled(records, scene),
            done: scene.done_permille == 1000,
            ..Source::default()
        })
    };
    let broken = Source {
        path: "logs/secret.log".to_owned(),
        access: "mapped",
        size: Some(0),
        fault: Some("permission denied".to_owned()),
        ..Source::default()
    };
    let mut listed = vec![
        source("logs/gateway-2026-11-01.log", BYTES / 2, RECORDS / 2),
        source("logs/app/checkout.log", BYTES - BYTES / 2, RECORDS - RECORDS / 2),
    ];
    if scene.faults {
        listed.push(Arc::new(broken));
    }
    Sources { listed, others: None, skipped: vec![("hidden", 2), ("binary", 1)] }
}

const LINES: [(&str, &[u32]); 6] = [
    ("2026-11-01T09:00:41.118Z INFO  gateway GET /api/cart/88121 200 12ms user=u-48113 trace=7f3ac0", &[0, 3]),
    ("2026-11-01T09:00:41.119Z WARN  checkout retrying payment provider (attempt 2 of 5) order=553190", &[0, 2, 4]),
    (r#"{"ts":"2026-11-01T09:00:41.120Z","level":"error","msg":"upstream reset","peer":"10.3.0.17:8443"}"#, &[0, 1, 4]),
    ("10.2.0.9 - - [01/Nov/2026:09:00:41 +0000] \"POST /login HTTP/1.1\" 401 188 \"-\" \"curl/8.5\"", &[0, 3]),
    ("2026-11-01T09:00:41.122Z ERROR worker java.lang.OutOfMemoryError: Java heap space", &[0, 1, 4, 5]),
    ("Nov  1 09:00:41 db1 postgres[811]: LOG:  checkpoint complete: wrote 4211 buffers (25.7%)", &[0, 3]),
];

fn traces() -> Vec<Trace> {
    let trace = |number: u64| {
        let (line, nodes) = LINES[(number * number % 6) as usize];
        let hop = |&node: &u32| Hop { node, ns: number.is_multiple_of(3).then(|| 900 + 377 * u64::from(node)) };
        Trace {
            order: 0,
            source: (number % 2) as u32,
            offset: 24_159_000_000 + number * 117,
            length: line.len() as u64 + 1,
            hops: nodes.iter().map(hop).collect(),
            excerpt: line.as_bytes().into(),
        }
    };
    (0..1000).map(trace).collect()
}

fn faults() -> Vec<Fault> {
    let fault = |number: u64| Fault {
        order: 0,
        node: Some(5),
        kind: if number == 3 { FaultKind::Panicked } else { FaultKind::Failed },
        message: if number == 3 { "panicked: index out of bounds".to_owned() } else { "told to fail".to_owned() },
        time: time(1_790_000_002 + number as i64),
        source: (number % 2) as u32,
        offset: 9_120_117 + 40_961 * number,
        length: 90,
        excerpt: match number {
            5 => b"2026-11-01T08:59:02Z ERROR \xff\xfe worker OutOfMemory \x1b[31mred\x1b[0m"[..].into(),
            _ => LINES[4].0.as_bytes().into(),
        },
    };
    let unreadable = Fault {
        order: 0,
        node: None,
        kind: FaultKind::Unreadable,
        message: "permission denied".to_owned(),
        time: time(1_790_000_000),
        source: 2,
        offset: 0,
        length: 0,
        excerpt: Bytes::default(),
    };
    std::iter::once(unreadable).chain((0..8).map(fault)).collect()
}

fn ledger(scene: Scene, nodes: &[Node]) -> Ledger {
    let line = |node: &Node| LedgerNode {
        records_in: node.records_in,
        out: node.outputs.iter().map(|output| output.records).sum(),
        dropped: node.dropped,
        failed: node.failed,
    };
    let over = scene.done_permille == 1000;
    Ledger {
        balanced: true,
        nodes: nodes.iter().map(line).collect(),
        sources_tiled: true,
        bytes_covered: if over { BYTES } else { 0 },
        bytes_expected: if over { BYTES } else { 0 },
        sources_complete: if over { 2 } else { 0 },
        sources_incomplete: if over { 0 } else { 2 } + u64::from(scene.faults),
        records_split: nodes[0].records_in,
        records_entered: nodes[0].records_in,
        problems: Vec::new(),
    }
}
