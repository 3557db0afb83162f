//! The worst faults: the most frequent kinds first, each with some of the lines that caused it.

use std::io::{self, Write};

use super::style;
use crate::{
    escape::{columns, end_within, escape, escape_within},
    human,
    metrics::{
        Snapshot,
        snapshot::{Fault, FaultKind},
    },
};

/// Kinds that are shown.
const KINDS_SHOWN: usize = 5;
/// Samples that are shown of each.
const SAMPLES_SHOWN: usize = 3;
/// The most columns of a processor's name.
const NAME_COLUMNS_MAX: usize = 40;

/// One kind of fault in one place, with its exact count.
struct Group {
    node: Option<u32>,
    kind: FaultKind,
    count: u64,
}

/// All faults of the run.
pub(super) fn total(snapshot: &Snapshot) -> u64 {
    groups(snapshot).iter().fold(0, |sum, group| sum.saturating_add(group.count))
}

/// The worst of them; nothing if there are none.
pub(super) fn write(snapshot: &Snapshot, width: usize, out: &mut dyn Write) -> io::Result<()> {
    let groups = groups(snapshot);
    if groups.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n  {}{}{:#}", style::BAD, human::plural(total(snapshot), "fault"), style::BAD)?;
    for group in groups.iter().take(KINDS_SHOWN) {
        write_group(snapshot, group, width, out)?;
    }
    if let Some(more) = groups.len().checked_sub(KINDS_SHOWN).filter(|more| *more > 0) {
        writeln!(out, "  {}and {} more{:#}", style::DIM, human::plural(more as u64, "more kind"), style::DIM)?;
    }
    Ok(())
}

/// The most frequent first; among equals in the order of the graph, sources last.
fn groups(snapshot: &Snapshot) -> Vec<Group> {
    let of_nodes = snapshot.nodes.iter().zip(0..).flat_map(|(node, number)| {
        node.fault_kinds.iter().map(move |&(kind, count)| Group { node: Some(number), kind, count })
    });
    let of_sources = snapshot.source_faults.iter().map(|&(kind, count)| Group { node: None, kind, count });
    let mut groups: Vec<_> = of_nodes.chain(of_sources).filter(|group| group.count > 0).collect();
    groups.sort_by_key(|group| std::cmp::Reverse(group.count));
    groups
}

fn write_group(snapshot: &Snapshot, group: &Group, width: usize, out: &mut dyn Write) -> io::Result<()> {
    let place = match group.node.and_then(|node| snapshot.graph.nodes.get(node as usize)) {
        Some(node) => escape_within(node.id.as_bytes(), NAME_COLUMNS_MAX),
        None => "(source)".to_owned(),
    };
    let (kind, count) = (group.kind.name(), human::count(group.count));
    writeln!(out, "  {}{place}{:#}  {kind}  {}{count}×{:#}", style::STRONG, style::STRONG, style::BAD, style::BAD)?;
    let samples = snapshot.faults.iter().filter(|fault| (fault.node, fault.kind) == (group.node, group.kind));
    for sample in varied(samples.collect()) {
        write_sample(snapshot, sample, width, out)?;
    }
    Ok(())
}

/// A few samples, in input order: one of each message first.
fn varied(samples: Vec<&Fault>) -> Vec<&Fault> {
    let is_new = |at: usize| samples[..at].iter().all(|earlier| earlier.message != samples[at].message);
    let (new, repeated): (Vec<_>, Vec<_>) = (0..samples.len()).partition(|&at| is_new(at));
    let mut chosen: Vec<_> = new.into_iter().chain(repeated).take(SAMPLES_SHOWN).collect();
    chosen.sort_unstable();
    chosen.into_iter().map(|at| samples[at]).collect()
}

/// Where it was and what was wrong; below, the line.
fn write_sample(snapshot: &Snapshot, fault: &Fault, width: usize, out: &mut dyn Write) -> io::Result<()> {
    let origin = origin(snapshot, fault, width);
    let left = width.saturating_sub(6 + columns(&origin));
    let message = escape_within(fault.message.as_bytes(), left);
    writeln!(out, "    {}{origin}{:#}  {message}", style::ACCENT, style::ACCENT)?;
    if fault.excerpt.is_empty() {
        return Ok(());
    }
    let line = escape_within(&fault.excerpt, width.saturating_sub(8));
    writeln!(out, "      {}│{:#} {line}", style::DIM, style::DIM)
}

/// `path:offset`. A long path loses its head, since its end tells more.
fn origin(snapshot: &Snapshot, fault: &Fault, width: usize) -> String {
    let path = escape(snapshot.sources.name(fault.source).as_bytes());
    let place = if fault.length == 0 { path } else { format!("{path}:{}", fault.offset) };
    end_within(&place, width / 2)
}
