//! State as text for a person. Pure: what it needs to know of the system it is told.

use std::{
    io::{self, Write},
    path::Path,
    time::Duration,
};

use jiff::Timestamp;

use super::{
    error::shown,
    examine::{CheckpointReport, GenerationReport, PlaceReport, StateReport, Verdict},
    history::HistoryReport,
    lock::Holder,
};
use crate::{
    escape::{columns, escape},
    human,
    metrics::Totals,
};

/// Writes what is known about a directory of state, as it is seen at `now` by somebody who is in the directory `here`.
///
/// # Errors
///
/// Those of `out`.
pub fn write_state(state: &StateReport, now: Timestamp, here: &Path, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{}: {}", shown(&state.dir), held(state.lock))?;
    match &state.checkpoint {
        Some(checkpoint) => write_checkpoint(checkpoint, now, here, out)?,
        None if state.generations.is_empty() => writeln!(out, "no checkpoint yet: a start begins anew")?,
        None => writeln!(out, "no checkpoint can be believed: `follow` refuses to start without --forget-state")?,
    }
    write_generations(state, now, out)
}

/// Writes what is recorded, as it is seen at `now`.
///
/// # Errors
///
/// Those of `out`.
pub fn write_history(history: &HistoryReport, now: Timestamp, out: &mut dyn Write) -> io::Result<()> {
    let HistoryReport { intervals, damaged, recordings, files, bytes, .. } = *history;
    let plural = human::plural;
    let holds = format!("{} in {}, {}", plural(recordings, "recording"), plural(files, "file"), human::bytes(bytes));
    writeln!(out, "\nhistory, for `logweir replay`: {holds}")?;
    if let (Some(from), Some(to)) = (history.from, history.to) {
        writeln!(out, "  from  {}", moment(from, now))?;
        writeln!(out, "  to    {}, {}", moment(to, now), plural(intervals, "interval"))?;
    }
    if damaged > 0 {
        writeln!(out, "  DAMAGED: {} cannot be read, and what they held is not shown", plural(damaged, "line"))?;
    }
    Ok(())
}

fn held(lock: Holder) -> String {
    match lock {
        Holder::Nobody => "not in use".to_owned(),
        Holder::Process(Some(process)) => format!("in use by process {process}"),
        Holder::Process(None) => "in use".to_owned(),
        Holder::Unknown => "whether it is in use cannot be told here".to_owned(),
    }
}

fn write_checkpoint(checkpoint: &CheckpointReport, now: Timestamp, here: &Path, out: &mut dyn Write) -> io::Result<()> {
    let CheckpointReport { saved, since, totals, .. } = checkpoint;
    writeln!(out, "saved   {}", moment(*saved, now))?;
    writeln!(out, "counts  since {}", moment(*since, now))?;
    let long = match totals.oversized {
        0 => String::new(),
        oversized => format!(", {} over the limit", human::count(oversized)),
    };
    let (records, bytes) = (human::plural(totals.records, "line"), human::bytes(totals.bytes));
    writeln!(out, "totals  {records}, {bytes}{long}")?;
    write_places("file", ["delivered", "size", "behind"], &checkpoint.files, here, out)?;
    write_places("written file", ["length", "size", "after it"], &checkpoint.sinks, here, out)?;
    write_totals(totals, out)
}

fn write_places(
    what: &str,
    heads: [&str; 3],
    places: &[PlaceReport],
    here: &Path,
    out: &mut dyn Write,
) -> io::Result<()> {
    if places.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n{}", human::plural(places.len() as u64, what))?;
    let number = |number: Option<u64>| number.map_or_else(|| human::NONE.to_owned(), human::count);
    let rows = places.iter().map(|place| {
        let behind = place.behind.map_or_else(|| human::NONE.to_owned(), human::bytes);
        let numbers = [human::count(place.offset), number(place.size), behind];
        // As a user would type it who asks from where it is near.
        let path = place.path.strip_prefix(here).unwrap_or(&place.path);
        (numbers, format!("{}{}", shown(path), verdict(&place.verdict)))
    });
    write_rows(heads, "", &rows.collect::<Vec<_>>(), out)
}

/// What there is to say about a file that is not simply the one that was meant.
fn verdict(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Proved => "  (proved)".to_owned(),
        Verdict::Rotated(now) => format!("  (proved; it is {now} now)"),
        Verdict::Changed(how) => format!("  CHANGED: {how}"),
        Verdict::Replaced => "  REPLACED: another file has this name, and it was not found beside it".to_owned(),
        Verdict::Gone => "  GONE".to_owned(),
        Verdict::Unknown(why) => format!("  UNKNOWN: {}", escape(why.as_bytes())),
    }
}

fn write_totals(totals: &Totals, out: &mut dyn Write) -> io::Result<()> {
    let nodes = totals.nodes.iter().map(|(id, node)| {
        let lost = [node.records_in, node.dropped, node.failed.saturating_add(node.panicked)];
        (lost.map(human::count), escape(id.as_bytes()))
    });
    let nodes: Vec<_> = nodes.collect();
    if !nodes.is_empty() {
        writeln!(out, "\n{}", human::plural(nodes.len() as u64, "processor"))?;
        write_rows(["in", "dropped", "failed"], "", &nodes, out)?;
    }
    let sinks = totals.sinks.iter();
    let sinks: Vec<_> = sinks
        .map(|(id, sink)| ([human::count(sink.records), human::bytes(sink.bytes)], escape(id.as_bytes())))
        .collect();
    if !sinks.is_empty() {
        writeln!(out, "\n{}", human::plural(sinks.len() as u64, "sink"))?;
        write_rows(["lines", "bytes"], "", &sinks, out)?;
    }
    Ok(())
}

fn write_generations(state: &StateReport, now: Timestamp, out: &mut dyn Write) -> io::Result<()> {
    if !state.generations.is_empty() {
        writeln!(out, "\n{}", human::plural(state.generations.len() as u64, "generation"))?;
    }
    let newest = state.checkpoint.as_ref().map(|checkpoint| checkpoint.generation);
    for generation in &state.generations {
        writeln!(out, "  {}  {}", generation.slot, told(generation, newest, now))?;
    }
    if !state.aside.is_empty() {
        writeln!(out, "\n{} put aside; delete when no longer needed", human::plural(state.aside.len() as u64, "file"))?;
    }
    for aside in &state.aside {
        writeln!(out, "  {}  {}", escape(aside.name.as_bytes()), human::bytes(aside.bytes))?;
    }
    Ok(())
}

fn told(generation: &GenerationReport, newest: Option<u64>, now: Timestamp) -> String {
    match (&generation.bad, generation.generation, generation.saved) {
        (None, Some(number), Some(saved)) => {
            let is_next = if newest == Some(number) { "; a start goes on from it" } else { "" };
            format!("good: number {number}, saved {}{is_next}", moment(saved, now))
        }
        (bad, ..) => format!("BAD: {}", escape(bad.as_deref().unwrap_or_default().as_bytes())),
    }
}

/// A time, and how long ago that is.
fn moment(time: Timestamp, now: Timestamp) -> String {
    let ago = match Duration::try_from(now.duration_since(time)) {
        Ok(ago) => format!("{} ago", human::duration(ago)),
        Err(_) => "by a clock that was ahead of this one".to_owned(),
    };
    format!("{time:.0} ({ago})")
}

/// Numbers that lean right, then text.
fn write_rows<const N: usize>(
    heads: [&str; N],
    head: &str,
    rows: &[([String; N], String)],
    out: &mut dyn Write,
) -> io::Result<()> {
    let widths: [usize; N] = std::array::from_fn(|at| {
        rows.iter().map(|(numbers, _)| columns(&numbers[at])).chain([columns(heads[at])]).max().unwrap_or(0)
    });
    let heads = (heads.map(str::to_owned), head.to_owned());
    for (numbers, text) in [&heads].into_iter().chain(rows) {
        let line = numbers.iter().zip(widths).fold(String::new(), |line, (number, width)| {
            let padding = width.saturating_sub(columns(number));
            format!("{line}  {}{number}", " ".repeat(padding))
        });
        writeln!(out, "{}", format!("{line}  {text}").trim_end())?;
    }
    Ok(())
}
