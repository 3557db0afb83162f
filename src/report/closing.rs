//! The last lines: what watching cost, and whether everything is accounted for.

use std::io::{self, Write};

use super::{faults, style, write_wrapped};
use crate::{
    escape::escape,
    human,
    metrics::{
        Snapshot,
        snapshot::{Ledger, Run},
    },
};

/// Problems of the ledger that are shown; the first ones say what the others follow from.
const PROBLEMS_SHOWN: usize = 10;

/// Watching, faults if there are none, the ledger.
pub(super) fn write(snapshot: &Snapshot, width: usize, out: &mut dyn Write) -> io::Result<()> {
    write_wrapped(style::DIM, &watching(&snapshot.run), width, out)?;
    if faults::total(snapshot) == 0 {
        write_wrapped(style::GOOD, "no faults", width, out)?;
    }
    write_ledger(&snapshot.ledger, width, out)
}

fn watching(run: &Run) -> String {
    let watching = &run.watching;
    // Where nothing ran there is nothing that it could be a share of.
    let cost = if run.records_done == 0 { human::NONE.to_owned() } else { human::share(watching.share, 1.0) };
    let budget = human::share(watching.budget, 1.0);
    let (probes, hand_over) = (human::nanos(watching.probe_ns as f64), human::nanos(watching.hand_over_ns as f64));
    format!("watching took {cost} of the workers' time (budget {budget}): probes {probes}, hand-over {hand_over}")
}

fn write_ledger(ledger: &Ledger, width: usize, out: &mut dyn Write) -> io::Result<()> {
    if ledger.balanced && ledger.problems.is_empty() {
        return write_wrapped(style::GOOD, &verdict(ledger), width, out);
    }
    write_wrapped(style::BAD, "the ledger does not balance; do not trust these numbers:", width, out)?;
    for problem in ledger.problems.iter().take(PROBLEMS_SHOWN) {
        write_wrapped(style::BAD, &format!("- {}", escape(problem.as_bytes())), width, out)?;
    }
    match ledger.problems.len() {
        0 => write_wrapped(style::BAD, "- it does not say why", width, out),
        all if all > PROBLEMS_SHOWN => {
            let more = human::plural((all - PROBLEMS_SHOWN) as u64, "more problem");
            write_wrapped(style::BAD, &format!("- and {more}"), width, out)
        }
        _ => Ok(()),
    }
}

fn verdict(ledger: &Ledger) -> String {
    let lines = human::plural(ledger.records_entered, "line");
    let complete = human::plural(ledger.sources_complete, "source");
    let covered = human::bytes(ledger.bytes_covered);
    let open = match ledger.sources_incomplete {
        0 => String::new(),
        open => format!("; {} not read to the end", human::plural(open, "source")),
    };
    format!("balanced: {lines} in, every one accounted for; {complete}, {covered}, covered without gap{open}")
}
