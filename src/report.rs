//! The report at the end of a run: a [`Snapshot`] as text that one enjoys reading.
//!
//! It is written with colours; whoever opens the writer decides whether they get through (`anstream` does that). Every
//! byte that came from outside, names and messages too, is escaped: the report cannot control a terminal. Nothing is
//! cut short but lines and paths, and where something is, it says so.

use std::io::{self, Write};

use anstyle::Style;

use crate::{
    escape::{columns, escape},
    human,
    metrics::{
        Snapshot,
        snapshot::{Run, RunState},
    },
};

mod closing;
mod faults;
mod keeping;
mod origins;
mod picture;
mod processors;
#[cfg(test)]
pub(crate) mod samples;
pub(crate) mod style;
pub(crate) mod table;
#[cfg(test)]
mod tests;
mod tree;

/// Narrower terminals get lines that wrap; wider ones gain nothing from longer lines.
pub(crate) const WIDTH_COLUMNS: std::ops::RangeInclusive<usize> = 60..=160;

/// Writes the report on `snapshot`, for a terminal of `width` columns (100 is a good choice where there is none).
///
/// # Errors
///
/// If `out` cannot be written to.
pub fn write_report(snapshot: &Snapshot, width: usize, out: &mut dyn Write) -> io::Result<()> {
    let width = width.clamp(*WIDTH_COLUMNS.start(), *WIDTH_COLUMNS.end());
    write_headline(&snapshot.run, out)?;
    write_totals(&snapshot.run, width, out)?;
    write_ending(&snapshot.run, width, out)?;
    writeln!(out)?;
    processors::write(snapshot, width, out)?;
    let is_waiting = snapshot.sinks.iter().any(|sink| sink.waiting_records > 0);
    keeping::write(&snapshot.run, is_waiting, width, out)?;
    origins::write_sinks(snapshot, width, out)?;
    origins::write_sources(&snapshot.sources, width, out)?;
    faults::write(snapshot, width, out)?;
    writeln!(out)?;
    closing::write(snapshot, width, out)
}

/// What ran, and how it ended.
fn write_headline(run: &Run, out: &mut dyn Write) -> io::Result<()> {
    let mood = match run.state {
        RunState::Finished => style::GOOD.bold(),
        RunState::Failed => style::BAD,
        RunState::Interrupted | RunState::Draining => style::WARN.bold(),
        RunState::Starting | RunState::Running | RunState::Closed => style::STRONG,
    };
    let elapsed = human::duration(run.elapsed);
    let (state, joint) = match run.state {
        // What is followed has no end but this one.
        RunState::Interrupted if run.lag.is_some() => ("stopped", "after"),
        state => (state.name(), if state.is_over() { "in" } else { "for" }),
    };
    writeln!(out, "logweir {} {mood}{state}{mood:#} {joint} {}{elapsed}{:#}", run.mode, style::STRONG, style::STRONG)
}

/// How much was read, and how fast.
fn write_totals(run: &Run, width: usize, out: &mut dyn Write) -> io::Result<()> {
    let sources = match (run.sources_done, run.sources_total) {
        // What is followed has no end to be read to.
        (done, total) if done == total || run.lag.is_some() => human::plural(total, "source"),
        (done, total) => format!("{} of {}", human::count(done), human::plural(total, "source")),
    };
    let lines = human::plural(run.records_done, "line");
    let workers = human::plural(run.workers.len() as u64, "worker");
    let size = human::bytes(run.bytes_done);
    let text = format!("{sources}, {size}, {lines}{} · {workers}", speed(run).unwrap_or_default());
    write_wrapped(style::PLAIN, &text, width, out)
}

/// How fast; `None` if there was nothing to be fast with.
fn speed(run: &Run) -> Option<String> {
    let rates = run.rates.life;
    let (bytes, lines) = (human::bytes_per_s(rates.bytes_per_s), human::short(rates.records_per_s));
    (run.bytes_done > 0).then(|| format!(" · {bytes}, {lines} lines/s"))
}

/// Why it ended before its time.
fn write_ending(run: &Run, width: usize, out: &mut dyn Write) -> io::Result<()> {
    if let Some(error) = &run.error {
        write_wrapped(style::BAD, &escape(error.as_bytes()), width, out)?;
    }
    let is_early = match run.state {
        RunState::Interrupted => run.lag.is_none(),
        state => matches!(state, RunState::Closed | RunState::Failed),
    };
    if is_early {
        let part = match run.bytes_total {
            Some(total) => format!("{} of the input", human::share(run.bytes_done as f64, total as f64)),
            None => human::bytes(run.bytes_done),
        };
        let why = if run.state == RunState::Closed { ": nobody reads the output any more" } else { "" };
        let text = format!("ended after {part}{why}; the numbers are exact for what was read");
        write_wrapped(style::WARN, &text, width, out)?;
    }
    Ok(())
}

/// Writes `text` in one style, indented, broken between words where it would not fit.
pub(crate) fn write_wrapped(style: Style, text: &str, width: usize, out: &mut dyn Write) -> io::Result<()> {
    const INDENT: &str = "  ";
    let lines = wrapped(text, width.saturating_sub(INDENT.len()));
    lines.iter().try_for_each(|line| writeln!(out, "{INDENT}{style}{line}{style:#}"))
}

/// `text` in lines of at most `room` columns, if its words allow that; a number stays with its unit.
fn wrapped(text: &str, room: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    let mut rest = text;
    while !rest.is_empty() {
        let mut ends = rest.match_indices(' ').map(|(at, _)| at);
        let is_end = |at: &usize| !rest[..*at].ends_with(|c: char| c.is_ascii_digit());
        let (word, after) = rest.split_at(ends.find(is_end).unwrap_or(rest.len()));
        let line = lines.last_mut().expect("there is always one");
        if line.is_empty() {
            line.push_str(word);
        } else if columns(line) + 1 + columns(word) <= room {
            line.push(' ');
            line.push_str(word);
        } else {
            lines.push(word.to_owned());
        }
        rest = after.strip_prefix(' ').unwrap_or(after);
    }
    lines
}
