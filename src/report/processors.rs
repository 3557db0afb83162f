//! One row per processor along the graph, then what else the workers did, so that their time adds up.

use std::io::{self, Write};

use super::{
    picture::Picture,
    style,
    table::{Cell, Column, Table},
    tree,
};
use crate::{
    escape::escape,
    human::{self, NONE},
    metrics::{
        Snapshot,
        snapshot::{Latency, Node},
    },
};

/// Shares below this are rounding, not time that is missing.
const UNEXPLAINED_SHARE_MIN: f64 = 0.001;

/// The processors and the time.
pub(super) fn write(snapshot: &Snapshot, width: usize, out: &mut dyn Write) -> io::Result<()> {
    let time = Time::of(snapshot);
    let picture = Picture::over(snapshot.nodes.iter().map(|node| &node.latency));
    let mut table = Table::new(columns(snapshot));
    for row in tree::rows(&snapshot.graph) {
        let node = snapshot.nodes.get(row.node).cloned().unwrap_or_default();
        let mut cells = vec![name(snapshot, &row)];
        cells.extend(work(snapshot, &node, &time));
        cells.extend(alone(&node.latency, &picture));
        table.row(cells);
    }
    for (name, ns) in time.rows(snapshot) {
        table.row(rest(name, ns, snapshot.run.records_done, &time));
    }
    table.row(rest("together", time.whole_ns, snapshot.run.records_done, &time));
    table.write(width, out)?;
    writeln!(out)?;
    let spread = picture.span().filter(|_| table.shows("spread", width));
    write_notes(snapshot, spread, width, out)
}

fn columns(snapshot: &Snapshot) -> Vec<Column> {
    let drops = snapshot.nodes.iter().any(|node| node.dropped > 0);
    vec![
        Column::left("processor"),
        Column::right("lines"),
        Column::right("share").near().rank(5),
        if drops { Column::right("dropped") } else { Column::right("").rank(1) },
        Column::right("faults").near(),
        Column::right("time"),
        Column::right("each").near(),
        Column::right("p50").group("one line alone"),
        Column::right("p99").near(),
        Column::right("p99.9").near().rank(4),
        Column::right("max").near(),
        Column::right("probes").rank(3),
        Column::left("spread").rank(2),
    ]
}

fn name(snapshot: &Snapshot, row: &tree::Row) -> Cell {
    let node = &snapshot.graph.nodes[row.node];
    let cell = Cell::new(style::DIM, row.prefix.as_str()).and(style::STRONG, escape(node.id.as_bytes()));
    if row.via.is_empty() {
        cell
    } else {
        cell.and(style::DIM, format!(" ({})", escape(row.via.join(", ").as_bytes())))
    }
}

/// What it did: lines, share, dropped, faults, time, time per line.
fn work(snapshot: &Snapshot, node: &Node, time: &Time) -> [Cell; 6] {
    let drops = snapshot.nodes.iter().any(|node| node.dropped > 0);
    [
        human::count(node.records_in).into(),
        dense(human::share(node.records_in as f64, snapshot.run.records_done as f64)).into(),
        if drops { human::count(node.dropped).into() } else { Cell::default() },
        Cell::new(if node.failed > 0 { style::BAD } else { style::DIM }, human::count(node.failed)),
        Cell::new(time.style(node.busy_here_ns()), time.share(node.busy_here_ns())),
        per_line(node.busy_ns, node.records_in).into(),
    ]
}

/// What a line costs alone: percentiles, the slowest, on how many samples, and how they are spread.
fn alone(latency: &Latency, picture: &Picture) -> [Cell; 6] {
    let ns = |value: Option<u64>| match value {
        Some(ns) => dense(human::nanos(ns as f64)).into(),
        None => Cell::new(style::DIM, NONE),
    };
    [
        ns(latency.p50_ns),
        ns(latency.p99_ns),
        ns(latency.p999_ns),
        ns(latency.max_ns),
        Cell::new(style::DIM, dense(human::short(latency.samples as f64))),
        Cell::new(style::ACCENT, picture.draw(latency)),
    ]
}

/// A row for time outside processors.
fn rest(name: &'static str, ns: u64, records: u64, time: &Time) -> Vec<Cell> {
    let dim = |text: String| Cell::new(style::DIM, text);
    let mut cells = vec![dim(name.to_owned())];
    cells.extend([const { Cell::EMPTY }; 4]);
    cells.extend([Cell::new(time.style(ns), time.share(ns)), dim(per_line(ns, records))]);
    cells
}

fn per_line(ns: u64, lines: u64) -> String {
    dense(human::nanos(ns as f64 / lines as f64))
}

/// A number and its unit without the space between them: columns are dear in this table.
fn dense(number: String) -> String {
    number.replace(' ', "")
}

/// The workers' time: how long all of them together were there, and what it went into.
struct Time {
    whole_ns: u64,
    sink_wait_ns: u64,
    idle_ns: u64,
    /// Busy, but neither in a processor nor in a stage.
    unexplained_ns: u64,
}

impl Time {
    fn of(snapshot: &Snapshot) -> Self {
        let workers = &snapshot.run.workers;
        let busy_ns = sum(workers.iter().map(|worker| worker.busy_ns));
        let sink_wait_ns = sum(workers.iter().map(|worker| worker.sink_wait_ns));
        let idle_ns = sum(workers.iter().map(|worker| worker.idle_ns));
        let nodes = snapshot.nodes.iter().map(Node::busy_here_ns);
        let explained_ns = sum(nodes.chain(snapshot.stages.iter().map(|stage| stage.busy_ns)));
        Self {
            whole_ns: sum([busy_ns.max(explained_ns), sink_wait_ns, idle_ns].into_iter()),
            sink_wait_ns,
            idle_ns,
            unexplained_ns: busy_ns.saturating_sub(explained_ns),
        }
    }

    /// The rows below the processors; with them, the shares add up to 100 %.
    fn rows(&self, snapshot: &Snapshot) -> Vec<(&'static str, u64)> {
        let mut rows: Vec<_> = snapshot.stages.iter().map(|stage| (stage.kind.name(), stage.busy_ns)).collect();
        if self.unexplained_ns as f64 > self.whole_ns as f64 * UNEXPLAINED_SHARE_MIN {
            rows.push(("other", self.unexplained_ns));
        }
        rows.extend([("sink wait", self.sink_wait_ns), ("idle", self.idle_ns)]);
        rows
    }

    fn share(&self, ns: u64) -> String {
        dense(human::share(ns as f64, self.whole_ns as f64))
    }

    /// What takes the most time is what somebody who wants speed looks for.
    fn style(&self, ns: u64) -> anstyle::Style {
        match ns as f64 / self.whole_ns as f64 {
            share if share >= 0.25 => style::STRONG,
            share if share >= 0.01 => style::PLAIN,
            _ => style::DIM,
        }
    }
}

fn sum(numbers: impl Iterator<Item = u64>) -> u64 {
    numbers.fold(0, u64::saturating_add)
}

/// What the numbers mean, and what does not fit a row.
fn write_notes(snapshot: &Snapshot, spread: Option<[String; 2]>, width: usize, out: &mut dyn Write) -> io::Result<()> {
    let mut notes = vec!["time is a share of all workers' time; each is that time for one line among many.".to_owned()];
    if snapshot.nodes.iter().any(|node| node.latency.samples > 0) {
        let mut note = "One line alone is a probe: a line that was run as a batch of one, which costs more.".to_owned();
        if let Some([start, end]) = spread {
            note.push_str(&format!(" Spread is from {start} to {end}, logarithmic both ways."));
        }
        notes.push(note);
    }
    for (node, shape) in snapshot.nodes.iter().zip(&snapshot.graph.nodes) {
        let id = escape(shape.id.as_bytes());
        if node.merged > 0 {
            notes.push(format!("{id}: {} met here and went on once.", human::plural(node.merged, "second arrival")));
        }
        if node.latency.saturated > 0 {
            notes.push(format!(
                "{id}: {} took longer than can be told apart.",
                human::plural(node.latency.saturated, "probe")
            ));
        }
        notes.extend(dropped(node, &shape.dropped_as).map(|reasons| format!("{id} dropped {reasons}.")));
    }
    for note in &notes {
        super::write_wrapped(style::DIM, note, width, out)?;
    }
    Ok(())
}

/// The reasons for which records were dropped, with their numbers.
fn dropped(node: &Node, reasons: &[Option<String>]) -> Option<String> {
    let named =
        node.outputs.iter().zip(reasons).filter_map(|(output, reason)| Some((output.records, reason.as_ref()?)));
    let named: Vec<_> = named
        .filter(|(records, _)| *records > 0)
        .map(|(records, reason)| format!("{} as {}", human::count(records), escape(reason.as_bytes())))
        .collect();
    (!named.is_empty()).then(|| named.join(", "))
}
