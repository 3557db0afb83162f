//! Where the bytes came from and went to: sources, what was skipped, sinks.

use std::io::{self, Write};

use super::{
    keeping, style,
    table::{Cell, Column, Table},
};
use crate::{
    escape::{end_within, escape},
    human,
    metrics::{
        Snapshot,
        snapshot::{Sink, Source, Sources},
    },
};

/// Up to this many sources are shown one by one; of more, only those with something to say.
const SOURCES_FEW: usize = 5;
/// The most that are shown even then.
const SOURCES_SHOWN: usize = 10;

/// The sources, and what was skipped.
pub(super) fn write_sources(sources: &Sources, width: usize, out: &mut dyn Write) -> io::Result<()> {
    let all = || sources.listed.iter().map(AsRef::as_ref).chain(&sources.others);
    let few = all().count() <= SOURCES_FEW;
    let shown: Vec<&Source> = all().filter(|source| few || is_remarkable(source)).collect();
    if !shown.is_empty() {
        writeln!(out)?;
        source_table(&shown, width / 2).write(width, out)?;
    }
    if let Some(more) = shown.len().checked_sub(SOURCES_SHOWN).filter(|more| *more > 0) {
        writeln!(out, "  {}and {} more like these{:#}", style::WARN, human::count(more as u64), style::WARN)?;
    }
    write_skipped(&sources.skipped, width, out)
}

/// A path as it is shown; if it is long, its end.
fn path(path: &str, width: usize) -> String {
    end_within(&escape(path.as_bytes()), width)
}

fn is_remarkable(source: &Source) -> bool {
    let is_live = source.live.as_ref().is_some_and(|live| !keeping::remarks(live).is_empty());
    source.fault.is_some() || source.oversized > 0 || is_live
}

fn source_table(shown: &[&Source], path_columns: usize) -> Table {
    let mut table = Table::new(vec![
        Column::left("source"),
        Column::right("bytes"),
        Column::right("lines"),
        Column::left("").rank(1),
        Column::left("").rank(2),
    ]);
    for source in shown.iter().take(SOURCES_SHOWN) {
        table.row(vec![
            Cell::new(style::ACCENT, path(&source.path, path_columns)),
            human::bytes(source.bytes_read).into(),
            human::count(source.records).into(),
            Cell::new(style::DIM, source.access),
            remarks(source),
        ]);
    }
    table
}

/// What is not as one would expect.
fn remarks(source: &Source) -> Cell {
    let mut remarks = source.live.as_ref().map(keeping::remarks).unwrap_or_default();
    if let Some(size) = source.size.filter(|size| *size != source.bytes_read) {
        remarks.push(format!("of {}", human::bytes(size)));
    }
    if source.oversized > 0 {
        remarks.push(format!("{} over the limit", human::count(source.oversized)));
    }
    if source.unterminated {
        remarks.push("no newline at the end".to_owned());
    }
    let cell = Cell::new(style::DIM, remarks.join(", "));
    match &source.fault {
        Some(fault) => {
            cell.and(style::PLAIN, if remarks.is_empty() { "" } else { ", " }).and(style::BAD, escape(fault.as_bytes()))
        }
        None => cell,
    }
}

fn write_skipped(skipped: &[(&'static str, u64)], width: usize, out: &mut dyn Write) -> io::Result<()> {
    let skipped: Vec<_> = skipped.iter().filter(|(_, count)| *count > 0).collect();
    if skipped.is_empty() {
        return Ok(());
    }
    let reasons: Vec<_> = skipped.iter().map(|(reason, count)| format!("{} {reason}", human::count(*count))).collect();
    super::write_wrapped(style::DIM, &format!("not read: {}", reasons.join(", ")), width, out)
}

/// The sinks.
pub(super) fn write_sinks(snapshot: &Snapshot, width: usize, out: &mut dyn Write) -> io::Result<()> {
    if snapshot.graph.sinks.is_empty() {
        return Ok(());
    }
    let mut table = Table::new(vec![
        Column::left("sink"),
        Column::left("from").rank(2),
        Column::right("lines"),
        Column::right("written"),
        Column::left("to").rank(1),
        Column::left("").rank(3),
    ]);
    for (sink, shape) in snapshot.sinks.iter().zip(&snapshot.graph.sinks) {
        let target = if shape.path.is_empty() { &shape.kind } else { &shape.path };
        table.row(vec![
            Cell::new(style::STRONG, escape(shape.id.as_bytes())),
            Cell::new(style::DIM, escape(origin(snapshot, shape.from, shape.output).as_bytes())),
            human::count(sink.records).into(),
            human::bytes(sink.bytes_written).into(),
            Cell::new(style::ACCENT, path(target, width / 2)),
            delivery(sink),
        ]);
    }
    writeln!(out)?;
    table.write(width, out)?;
    // Longer than a cell may be, and said already where sources are followed.
    let troubles =
        snapshot.sinks.iter().filter_map(|sink| sink.trouble.as_ref()).filter(|_| snapshot.run.lag.is_none());
    troubles
        .into_iter()
        .try_for_each(|trouble| super::write_wrapped(style::BAD, &escape(trouble.as_bytes()), width, out))
}

/// What did not go smoothly.
fn delivery(sink: &Sink) -> Cell {
    let counts = [(sink.refused, "refused"), (sink.retries, "tried again"), (sink.waiting_records, "waiting")];
    let said = counts.into_iter().filter(|(count, _)| *count > 0);
    let said: Vec<String> = said.map(|(count, word)| format!("{} {word}", human::count(count))).collect();
    Cell::new(style::WARN, said.join(", "))
}

/// `id` or `id.output`, as a configuration says it.
fn origin(snapshot: &Snapshot, node: usize, output: Option<usize>) -> String {
    let Some(node) = snapshot.graph.nodes.get(node) else { return human::NONE.to_owned() };
    match output.and_then(|output| node.outputs.get(output)) {
        Some(output) => format!("{}.{output}", node.id),
        None => node.id.clone(),
    }
}
