//! Whether a run that follows keeps up: how far behind it is, what its files went through, what was lost.

use std::io::{self, Write};

use jiff::SignedDuration;

use super::{style, write_wrapped};
use crate::{
    escape::escape,
    human,
    metrics::snapshot::{Lag, Live, Run},
};

/// The section, where sources are followed; `is_waiting` says that lines wait for a server.
pub(super) fn write(run: &Run, is_waiting: bool, width: usize, out: &mut dyn Write) -> io::Result<()> {
    let Some(lag) = &run.lag else { return Ok(()) };
    writeln!(out, "\n  {}keeping up{:#}", style::DIM, style::DIM)?;
    let is_all_read = lag.bytes_behind == 0 && lag.in_trouble == 0 && !is_waiting;
    let mood = if is_all_read { style::GOOD } else { style::WARN };
    let sources = human::plural(lag.sources, "source");
    let how_far = match lag.bytes_behind {
        0 if is_all_read => ", all read".to_owned(),
        0 => String::new(),
        bytes => format!(", {}", behind(bytes, lag.seconds_behind)),
    };
    write_wrapped(mood, &format!("{sources} followed{how_far}"), width, out)?;
    write_wrapped(style::PLAIN, &changes(lag), width, out)?;
    if let Some(lost) = lost(lag.bytes_lost, lag.is_lost_unknown) {
        let why = if lag.is_lost_unknown { ": a file was cut or removed between two looks" } else { "" };
        write_wrapped(style::BAD, &format!("{lost}{why}"), width, out)?;
    }
    if let Some(trouble) = &run.trouble {
        let said = format!("{}: {}", escape(trouble.cause.as_bytes()), escape(trouble.action.as_bytes()));
        write_wrapped(style::BAD, &said, width, out)?;
    }
    if run.rewinds > 0 {
        let often = if run.rewinds == 1 { "once".to_owned() } else { format!("{} times", human::count(run.rewinds)) };
        let said = format!("counts went back to the last checkpoint {often}: what came after it was read again");
        write_wrapped(style::WARN, &said, width, out)?;
    }
    // Totals without a checkpoint begin a moment before the run does.
    if run.started.duration_since(run.since) >= SignedDuration::from_secs(1) {
        let since = format!("counts go back to {:.0}, over restarts; times are of this process", run.since);
        write_wrapped(style::DIM, &since, width, out)?;
    }
    Ok(())
}

/// What is remarkable about one source.
pub(super) fn remarks(live: &Live) -> Vec<String> {
    let mut remarks = Vec::new();
    if live.bytes_behind > 0 {
        remarks.push(behind(live.bytes_behind, live.seconds_behind));
    }
    for (count, word) in [(live.rotations, "rotation"), (live.truncations, "truncation")] {
        if count > 0 {
            remarks.push(human::plural(count, word));
        }
    }
    remarks.extend(lost(live.bytes_lost, live.is_lost_unknown));
    if live.is_gone {
        remarks.push("its file is gone".to_owned());
    }
    remarks
}

fn behind(bytes: u64, seconds: f64) -> String {
    format!("{} behind for {}", human::bytes(bytes), human::nanos(seconds * 1e9))
}

fn changes(lag: &Lag) -> String {
    let mut parts = vec![human::plural(lag.rotations, "rotation"), human::plural(lag.truncations, "truncation")];
    if lag.bytes_lost == 0 && !lag.is_lost_unknown {
        parts.push("nothing lost".to_owned());
    }
    if lag.bytes_skipped > 0 {
        parts.push(format!("{} of holes passed over", human::bytes(lag.bytes_skipped)));
    }
    if lag.gone > 0 {
        parts.push(format!("{} without a file", human::plural(lag.gone, "source")));
    }
    if lag.in_trouble > 0 {
        parts.push(format!("{} that cannot be read", human::plural(lag.in_trouble, "source")));
    }
    if lag.held_bytes > 0 {
        parts.push(format!("{} held by removed files", human::bytes(lag.held_bytes)));
    }
    parts.join(" · ")
}

fn lost(bytes: u64, is_unknown: bool) -> Option<String> {
    match (bytes, is_unknown) {
        (0, false) => None,
        (0, true) => Some("something may be lost".to_owned()),
        (bytes, false) => Some(format!("{} lost", human::bytes(bytes))),
        (bytes, true) => Some(format!("at least {} lost", human::bytes(bytes))),
    }
}
