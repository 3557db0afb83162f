//! What was counted before, what is in the way, and the parts of one run.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::*;
use crate::{
    graph::{Edge, GraphNode, GraphSink, Port},
    metrics::{EntryKind, NodeTotals, OutputTotals, SinkTotals},
};

fn graph() -> Arc<Graph> {
    let node = |id: &str, outputs: &[&str]| GraphNode {
        id: id.to_owned(),
        outputs: outputs.iter().map(|&output| output.to_owned()).collect(),
        dropped_as: vec![None; outputs.len()],
        ..GraphNode::default()
    };
    Arc::new(Graph {
        nodes: vec![node("start", &["left", "right"]), node("end", &["out"])],
        edges: vec![Edge { from: 0, output: Port::Output(1), to: 1 }],
        sinks: vec![GraphSink {
            id: "kept".to_owned(),
            kind: "file".to_owned(),
            from: 1,
            output: None,
            path: String::new(),
        }],
    })
}

fn plan(base: Option<BaseTotals>) -> MergerPlan {
    MergerPlan {
        graph: graph(),
        mode: "follow",
        workers: 1,
        budget: 0.01,
        sources: SourceTable::default(),
        base,
        earlier: None,
    }
}

/// Totals of a pipeline that had the same `start`, and another processor instead of `end`.
fn base() -> BaseTotals {
    let output = |records| OutputTotals { records, bytes: records * 10 };
    let sink = |records| SinkTotals { records, bytes: records * 10, refused: 1, retries: 2 };
    let start = NodeTotals {
        records_in: 100,
        bytes_in: 1_000,
        dropped: 1,
        failed: 2,
        panicked: 3,
        busy_ns: 500,
        outputs: BTreeMap::from([("right".to_owned(), output(90)), ("gone".to_owned(), output(4))]),
        ..NodeTotals::default()
    };
    let totals = Totals {
        bytes: 1_000,
        records: 100,
        oversized: 7,
        nodes: BTreeMap::from([("start".to_owned(), start), ("other".to_owned(), NodeTotals::default())]),
        sinks: BTreeMap::from([("kept".to_owned(), sink(50)), ("forgotten".to_owned(), sink(1))]),
    };
    BaseTotals { since: Timestamp::UNIX_EPOCH, totals }
}

/// Makes worker 0 of `merger` have counted three records that went right.
fn count_three(merger: &mut Merger) {
    let layout = Layout::new(&graph());
    let cells = &mut merger.cells[0];
    let mut set = |cell: usize, value| cells[cell] = value;
    set(WorkerCell::Bytes as usize, 30);
    set(WorkerCell::Records as usize, 3);
    for (node, output) in [(0, 1), (1, 0)] {
        set(layout.node(node, NodeCell::In), 3);
        set(layout.node(node, NodeCell::BytesIn), 30);
        set(layout.output(node, output).start, 3);
        set(layout.output(node, output).start + 1, 30);
    }
}

#[test]
fn what_was_counted_before_is_shown_and_does_not_unbalance_the_ledger() {
    let mut merger = Merger::new(plan(Some(base())));
    count_three(&mut merger);
    let snapshot = merger.snapshot(RunState::Running, None, None);
    let (run, start, end) = (&snapshot.run, &snapshot.nodes[0], &snapshot.nodes[1]);
    assert_eq!((run.bytes_done, run.records_done, run.since), (1_030, 103, Timestamp::UNIX_EPOCH));
    assert!(run.started > run.since);
    assert_eq!((start.records_in, start.bytes_in, start.dropped, start.failed), (103, 1_030, 1, 5));
    assert_eq!(start.fault_kinds, [(FaultKind::Failed, 2), (FaultKind::Panicked, 3)]);
    assert_eq!((start.outputs[0].records, start.outputs[1].records, start.outputs[1].bytes), (0, 93, 930));
    assert_eq!((end.records_in, end.outputs[0].records), (3, 3), "it was not there before");
    assert_eq!((snapshot.sinks[0].records, snapshot.sinks[0].bytes_written), (50, 500));
    assert_eq!((snapshot.sinks[0].refused, snapshot.sinks[0].retries), (1, 2));
    assert!(snapshot.source_faults.contains(&(FaultKind::Oversized, 7)));
    assert!(snapshot.ledger.balanced, "{:?}", snapshot.ledger.problems);
    assert_eq!(snapshot.ledger.nodes[0].records_in, 3);
    assert_eq!(snapshot.checksum, snapshot.checksum_expected());
}

#[test]
fn rates_are_those_of_this_process() {
    let snapshot = Merger::new(plan(Some(base()))).snapshot(RunState::Running, None, None);
    assert_eq!((snapshot.run.rates.life.records_per_s, snapshot.nodes[0].records_per_s), (0.0, 0.0));
    assert_eq!(snapshot.run.records_done, 100);
}

#[test]
fn a_run_that_follows_has_a_lag_before_it_has_sources() {
    let mut merger = Merger::new(plan(None));
    assert_eq!(merger.snapshot(RunState::Running, None, None).run.lag, Some(Lag::default()));
    merger.hear(&SourceNews::Added { source: 0, path: "a.log".to_owned() });
    merger.hear(&SourceNews::Reached { source: 0, read: 1, size: 3, behind_since: Some(Instant::now()) });
    let snapshot = merger.snapshot(RunState::Running, None, None);
    assert_eq!(snapshot.run.lag.map(|lag| (lag.sources, lag.bytes_behind)), Some((1, 2)));
    let mut bulk = MergerPlan { mode: "run", ..plan(None) };
    bulk.sources.add("a.log".to_owned(), Some(3), None, EntryKind::Read);
    let snapshot = Merger::new(bulk).snapshot(RunState::Running, None, None);
    assert_eq!((snapshot.run.lag, snapshot.run.since), (None, snapshot.run.started));
}

#[test]
fn a_source_that_fails_leaves_a_sample() {
    let mut merger = Merger::new(plan(None));
    let failed = SourceNews::Failed { source: 0, kind: FaultKind::Unreadable, message: "no".to_owned() };
    merger.hear(&failed);
    merger.hear(&failed);
    let snapshot = merger.snapshot(RunState::Running, None, None);
    assert_eq!(snapshot.faults.len(), 1);
    assert!(snapshot.source_faults.contains(&(FaultKind::Unreadable, 1)));
}

#[test]
fn trouble_began_when_its_cause_was_first_named() {
    let mut merger = Merger::new(plan(None));
    let trouble = |merger: &mut Merger| merger.snapshot(RunState::Running, None, None).run.trouble;
    assert_eq!(trouble(&mut merger), None);
    merger.set_trouble(Some(("disk full", "make room")));
    let first = trouble(&mut merger).expect("trouble");
    merger.set_trouble(Some(("disk full", "make room, 3rd try")));
    let second = trouble(&mut merger).expect("trouble");
    assert_eq!((second.since, &*second.action), (first.since, "make room, 3rd try"));
    merger.set_trouble(None);
    assert_eq!(trouble(&mut merger), None);
}

#[test]
fn the_parts_of_a_run_look_like_one() {
    let mut merger = Merger::new(plan(None));
    merger.hear(&SourceNews::Added { source: 0, path: "a.log".to_owned() });
    let first = merger.snapshot(RunState::Running, None, None);
    let (sources, earlier) = merger.into_next_part(None);
    let mut merger = Merger::new(MergerPlan { sources, earlier: Some(earlier), ..plan(Some(base())) });
    let second = merger.snapshot(RunState::Running, None, None);
    assert_eq!(second.sequence, first.sequence + 1);
    assert_eq!(second.run.started, first.run.started);
    assert!(second.run.elapsed >= first.run.elapsed);
    assert_eq!(second.sources.listed[0].path, "a.log");
}

#[test]
fn a_board_tells_how_sinks_get_on() {
    let graph = graph();
    let first = Merger::new(plan(None)).snapshot(RunState::Starting, None, None);
    let board = Board::new(1, Layout::new(&graph), first);
    board.add_written(0, 2, 20);
    board.set_delivery(0, crate::metrics::Delivery { refused: 1, retries: 2, waiting_records: 3, waiting_bytes: 4 });
    board.set_sink_trouble(0, Some("it does not answer"));
    let mut merger = Merger::new(plan(None));
    let sink = merger.snapshot(RunState::Running, None, Some(&board)).sinks.remove(0);
    assert_eq!((sink.records, sink.bytes_written, sink.refused, sink.retries), (2, 20, 1, 2));
    assert_eq!((sink.waiting_records, sink.waiting_bytes), (3, 4));
    assert_eq!(sink.trouble.as_deref(), Some("it does not answer"));
    board.set_sink_trouble(0, None);
    assert_eq!(merger.snapshot(RunState::Running, None, Some(&board)).sinks[0].trouble, None);
}

/// What a worker hands over that ran block `block`: a trace, a sample of `end`, and a probe of each node.
fn block(order: u64) -> Delta {
    let mut delta = Delta::new(2);
    let (origin, offset) = (crate::record::Origin { source: 0, offset: order }, order);
    delta.probes.iter_mut().for_each(|probes| probes.record(origin, 100));
    delta.traces.push(Trace { order, source: 0, offset, length: 1, hops: Arc::default(), excerpt: Bytes::default() });
    let (kind, message, time) = (FaultKind::Failed, String::new(), Timestamp::UNIX_EPOCH);
    let (length, excerpt) = (1, Bytes::default());
    delta.add_fault(Fault { order, node: Some(1), kind, message, time, source: 0, offset, length, excerpt });
    delta
}

/// Two parts whose blocks each count from 0; the second one has a graph of these nodes.
fn two_parts(rewound_to: Option<u64>, graph: Arc<Graph>) -> Snapshot {
    let mut merger = Merger::new(MergerPlan { workers: 3, ..plan(None) });
    (0..3).for_each(|order| merger.absorb(order as usize, &mut block(order)));
    let (sources, earlier) = merger.into_next_part(rewound_to);
    let mut merger = Merger::new(MergerPlan { sources, earlier: Some(earlier), graph, ..plan(None) });
    merger.absorb(0, &mut block(0));
    merger.snapshot(RunState::Running, None, None)
}

#[test]
fn what_was_seen_before_stands_before_what_comes() {
    let snapshot = two_parts(None, graph());
    assert_eq!(snapshot.traces.iter().map(|trace| trace.offset).collect::<Vec<_>>(), [0, 1, 2, 0]);
    assert_eq!(snapshot.faults.iter().map(|fault| fault.offset).collect::<Vec<_>>(), [0, 1, 2, 0]);
    assert!(snapshot.traces.is_sorted_by_key(|trace| trace.order), "{:?}", snapshot.traces);
    assert_eq!((snapshot.nodes[0].latency.samples, snapshot.run.rewinds), (4, 0));
}

#[test]
fn what_comes_again_is_not_seen_twice() {
    let snapshot = two_parts(Some(1), graph());
    assert_eq!(snapshot.traces.iter().map(|trace| trace.offset).collect::<Vec<_>>(), [0, 0]);
    assert_eq!(snapshot.faults.iter().map(|fault| fault.offset).collect::<Vec<_>>(), [0, 0]);
    assert_eq!((snapshot.nodes[0].latency.samples, snapshot.run.rewinds), (4, 1));
}

#[test]
fn another_graph_keeps_what_its_processors_were_before() {
    let mut other = (*graph()).clone();
    other.nodes.swap(0, 1);
    other.edges.clear();
    let snapshot = two_parts(None, Arc::new(other.clone()));
    assert_eq!(snapshot.traces.len(), 1, "paths through another graph");
    // The samples were of `end`, which is number 0 now; the new one is of number 1.
    assert_eq!(snapshot.faults.iter().map(|fault| fault.node).collect::<Vec<_>>(), [0, 0, 0, 1].map(Some));
    other.nodes[0].id = "new".to_owned();
    let snapshot = two_parts(None, Arc::new(other));
    assert_eq!(snapshot.nodes.iter().map(|node| node.latency.samples).collect::<Vec<_>>(), [1, 4]);
    assert_eq!(snapshot.faults.len(), 1, "nobody else has failed");
}
