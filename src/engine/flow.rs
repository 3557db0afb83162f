//! One chunk of a batch through the graph: node by node, each with the whole of its selection.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::atomic::AtomicBool,
    time::Duration,
};

use super::{
    account::{Given, Unbalanced, account},
    clock::Clock,
    frame::{Frame, Marks, NodeFrame},
    options::Row,
};
use crate::{
    batch::{Batch, Selection},
    graph::Port,
    limits,
    metrics::{Layout, NodeCell},
    pipeline::{Context, Node, Outputs, Pipeline, Processor},
    snapshot::{FaultKind, StageKind},
};

/// A worker's instances of the processors, and what it knows of their cost.
pub(super) struct Flow<'p> {
    pipeline: &'p Pipeline,
    layout: &'p Layout,
    processors: Vec<Box<dyn Processor>>,
    /// Per node, nanoseconds for one record, of late.
    cost_ns: Vec<f64>,
}

/// Where a chunk's numbers go.
pub(super) struct Accounts<'a> {
    pub(super) totals: &'a mut [u64],
    pub(super) clock: &'a mut Clock,
    pub(super) stop: &'a AtomicBool,
}

impl<'p> Flow<'p> {
    /// Builds an instance of every processor.
    pub(super) fn new(pipeline: &'p Pipeline, layout: &'p Layout) -> Self {
        let processors = pipeline.nodes.iter().map(|node| node.definition.build()).collect();
        let unknown = |node: &Node| if node.is_foreign { limits::UNKNOWN_COST } else { Duration::ZERO };
        let cost = |node: &Node| node.definition.cost_hint().max(unknown(node)).as_nanos() as f64;
        let cost_ns = pipeline.nodes.iter().map(cost).collect();
        Self { pipeline, layout, processors, cost_ns }
    }

    /// How many records a chunk may have so that it takes no longer than it should, even if every record visits every
    /// node.
    pub(super) fn chunk_records(&self) -> u32 {
        let cost: f64 = self.cost_ns.iter().sum();
        (limits::CHUNK_TIME.as_nanos() as f64 / cost.max(1e-3)).clamp(1.0, f64::from(u32::MAX)) as u32
    }

    /// Runs the records from `start` up to `end`. If `probe` is there, each hop's time is added to it.
    pub(super) fn run(
        &mut self,
        batch: &Batch<'_>,
        (start, end): (u32, u32),
        frame: &mut Frame,
        accounts: &mut Accounts<'_>,
        mut probe: Option<&mut Vec<(u32, u32, u64)>>,
    ) -> Result<(), Unbalanced> {
        for node in &mut frame.nodes {
            node.mark();
        }
        for node in 0..self.processors.len() {
            let (before, rest) = frame.nodes.split_at_mut(node);
            let NodeFrame { out, merged, marks, left } = &mut rest[0];
            let (input, bytes) = match self.pipeline.nodes[node].inputs[..] {
                [] => (Selection::Range(start, end), batch.bytes_of(Selection::Range(start, end))),
                [(from, port)] => (Selection::List(before[from].fresh(port)), before[from].left.of(port)),
                ref inputs => {
                    let arrived = merge(inputs, before, merged);
                    let fresh = &merged[marks.merged..];
                    accounts.totals[self.layout.node(node, NodeCell::Merged)] += (arrived - fresh.len()) as u64;
                    (Selection::List(fresh), batch.bytes_of(Selection::List(fresh)))
                }
            };
            if input.is_empty() {
                continue;
            }
            accounts.totals[Layout::stage(StageKind::Route)] += accounts.clock.lap_in(Row::Stage(StageKind::Route));
            self.process(node, batch, input, out, marks, accounts.stop);
            let ns = accounts.clock.lap_in(Row::Node(node));
            accounts.totals[self.layout.node(node, NodeCell::Busy)] += ns;
            self.learn(node, ns, input.len());
            if let Some(hops) = probe.as_deref_mut() {
                hops.push((start, node as u32, ns));
            }
            let plan = &self.pipeline.nodes[node];
            let given = Given { node, records: input, bytes, is_foreign: plan.is_foreign, drops: &plan.drops };
            account(&given, batch, (out, marks), left, (self.layout, accounts.totals))?;
        }
        accounts.totals[Layout::stage(StageKind::Route)] += accounts.clock.lap_in(Row::Stage(StageKind::Route));
        Ok(())
    }

    /// Remembers what a record costs: the mean, with older calls fading, so that one slow call does not decide.
    fn learn(&mut self, node: usize, ns: u64, records: usize) {
        let cost = ns as f64 / records as f64;
        let hint = self.pipeline.nodes[node].definition.cost_hint().as_nanos() as f64;
        self.cost_ns[node] = (self.cost_ns[node] * 0.75 + cost * 0.25).max(hint);
    }

    fn process(
        &mut self,
        node: usize,
        batch: &Batch<'_>,
        input: Selection<'_>,
        out: &mut Outputs,
        marks: &Marks,
        stop: &AtomicBool,
    ) {
        let context = Context::new(stop);
        let Err(_) = guarded(|| self.processors[node].process(batch, input, out, &context)) else { return };
        // Which record was it? All are tried again, each alone, with a fresh instance after each panic.
        marks.rewind(out);
        self.rebuild(node);
        let mut whole = Marks::default();
        for record in input.iter() {
            whole.set(out, &[]);
            let alone = Selection::Range(record, record + 1);
            if let Err(message) = guarded(|| self.processors[node].process(batch, alone, out, &context)) {
                whole.rewind(out);
                out.fail_as(FaultKind::Panicked, record, message.into());
                self.rebuild(node);
            }
        }
    }

    fn rebuild(&mut self, node: usize) {
        self.processors[node] = self.pipeline.nodes[node].definition.build();
    }
}

/// Appends to `merged` the union of what `inputs` got, ascending; returns how many arrived.
fn merge(inputs: &[(usize, Port)], nodes: &[NodeFrame], merged: &mut Vec<u32>) -> usize {
    let start = merged.len();
    for &(from, port) in inputs {
        merged.extend_from_slice(nodes[from].fresh(port));
    }
    let arrived = merged.len() - start;
    // A stable sort takes the ascending runs as they are and merges them.
    merged[start..].sort();
    dedup_from(merged, start);
    arrived
}

/// Removes repetitions behind `start`.
pub(super) fn dedup_from(list: &mut Vec<u32>, start: usize) {
    let mut kept = start;
    for at in start..list.len() {
        if at == start || list[at] != list[kept - 1] {
            list[kept] = list[at];
            kept += 1;
        }
    }
    list.truncate(kept);
}

thread_local! {
    static IN_PROCESSOR: std::cell::Cell<bool> = const { std::cell::Cell::new(false) };
}

/// True while this thread runs a processor: a panic now is a fault of a record, and is reported as one, so that a panic
/// hook can stay silent.
#[must_use]
pub fn is_in_processor() -> bool {
    IN_PROCESSOR.get()
}

/// Runs `work`; a panic in it becomes an error with its message.
fn guarded(work: impl FnOnce()) -> Result<(), String> {
    IN_PROCESSOR.set(true);
    // Whatever `work` leaves half done is thrown away: outputs are rewound, and the instance is built anew.
    let result = catch_unwind(AssertUnwindSafe(work));
    IN_PROCESSOR.set(false);
    result.map_err(|payload| {
        let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
        text.or_else(|| payload.downcast_ref::<String>().cloned()).unwrap_or_else(|| "a panic without words".to_owned())
    })
}
