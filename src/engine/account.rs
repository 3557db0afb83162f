//! Counts what became of the records that a node was given in one chunk, and checks that it is all of them.

use super::frame::{LeftBytes, Marks};
use crate::{
    batch::{Batch, Selection},
    fault::FaultKind,
    metrics::{Layout, NodeCell},
    pipeline::Outputs,
};

/// A processor did not account for what it was given.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unbalanced {
    pub(super) node: usize,
    pub(super) records_in: usize,
    pub(super) accounted: usize,
}

/// What a node was given in one chunk.
pub(super) struct Given<'a> {
    pub(super) node: usize,
    pub(super) records: Selection<'a>,
    pub(super) bytes: u64,
    /// Its kind does not come with logweir, and has no twin in our tests.
    pub(super) is_foreign: bool,
    /// Per output: its records are dropped.
    pub(super) drops: &'a [bool],
}

/// Counts into `totals` what `out` got since `marks`, and its bytes into `left`; then drops what stands on outputs whose
/// records are dropped.
pub(super) fn account(
    given: &Given<'_>,
    batch: &Batch<'_>,
    (out, marks): (&mut Outputs, &Marks),
    left: &mut LeftBytes,
    (layout, totals): (&Layout, &mut [u64]),
) -> Result<(), Unbalanced> {
    let ports: usize = out.ports.iter().zip(&marks.ports).map(|(port, &mark)| port.len() - mark).sum();
    let accounted = ports + out.dropped.len() - marks.dropped + out.failed.len() - marks.failed;
    let records_in = given.records.len();
    let is_exact = || !(given.is_foreign || cfg!(debug_assertions)) || is_exact(given.records, out, marks);
    if accounted != records_in || !is_exact() || !measure(batch, out, marks, given.bytes, left) {
        return Err(Unbalanced { node: given.node, records_in, accounted });
    }
    for (port, &bytes) in left.ports.iter().enumerate() {
        let cells = &mut totals[layout.output(given.node, port)];
        cells[0] += (out.ports[port].len() - marks.ports[port]) as u64;
        cells[1] += bytes;
    }
    drop_unrouted(given.drops, out, marks);
    let panicked = count_panicked(out, marks);
    let mut add = |cell, more: u64| totals[layout.node(given.node, cell)] += more;
    add(NodeCell::In, records_in as u64);
    add(NodeCell::BytesIn, given.bytes);
    add(NodeCell::Dropped, (out.dropped.len() - marks.dropped) as u64);
    add(NodeCell::Failed, (out.failed.len() - marks.failed) as u64 - panicked);
    add(NodeCell::Panicked, panicked);
    Ok(())
}

/// True if every record of `given` is on exactly one way out, and each way out is in order. Counts alone would not show
/// one that was lost beside one that was doubled.
fn is_exact(given: Selection<'_>, out: &Outputs, marks: &Marks) -> bool {
    let ports = out.ports.iter().zip(&marks.ports).map(|(port, &mark)| &port[mark..]);
    let ways: Vec<&[u32]> = ports.chain([&out.dropped[marks.dropped..], &out.failed[marks.failed..]]).collect();
    let mut all = ways.concat();
    all.sort_unstable();
    ways.iter().all(|way| way.is_sorted()) && all.into_iter().eq(given.iter())
}

/// Adds up the bytes of every way out. They share `bytes`, and so those of the longest list follow from the others: the
/// lengths of most records are never added up. False if they come to more, as records on two outputs would.
fn measure(batch: &Batch<'_>, out: &Outputs, marks: &Marks, bytes: u64, left: &mut LeftBytes) -> bool {
    let ports = out.ports.len();
    let list = |way: usize| match way.checked_sub(ports) {
        None => &out.ports[way][marks.ports[way]..],
        Some(0) => &out.dropped[marks.dropped..],
        Some(_) => &out.failed[marks.failed..],
    };
    let longest = (0..ports + 2).max_by_key(|&way| list(way).len()).unwrap_or(ports);
    let mut rest = Some(bytes);
    let mut of = |way: usize, bytes: u64| {
        if way < ports {
            left.ports[way] = bytes
        } else if way > ports {
            left.failed = bytes
        }
    };
    for way in (0..ports + 2).filter(|&way| way != longest) {
        let bytes = batch.bytes_of(Selection::List(list(way)));
        of(way, bytes);
        rest = rest.and_then(|rest| rest.checked_sub(bytes));
    }
    of(longest, rest.unwrap_or(0));
    rest.is_some()
}

fn count_panicked(out: &Outputs, marks: &Marks) -> u64 {
    let kind = |&reason: &u32| out.reasons[reason as usize].0;
    out.reason_of[marks.failed..].iter().filter(|reason| kind(reason) == FaultKind::Panicked).count() as u64
}

/// Drops what stands on outputs whose records are dropped.
fn drop_unrouted(drops: &[bool], out: &mut Outputs, marks: &Marks) {
    for (port, _) in drops.iter().enumerate().filter(|(_, drops)| **drops) {
        if out.ports[port].len() > marks.ports[port] {
            let is_first = out.dropped.len() == marks.dropped;
            out.dropped.extend(out.ports[port].drain(marks.ports[port]..));
            if !is_first {
                out.dropped[marks.dropped..].sort_unstable();
            }
        }
    }
}
