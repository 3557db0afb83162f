//! A result as text that one enjoys reading, in the style of the report of `run`.

use std::io::{self, Write};

use super::{
    compare::{Comparison, Verdict},
    result::{BenchResult, Cost, CostKind},
    statistics::{self, Estimate},
};
use crate::{
    escape::escape,
    human,
    report::{
        self, style,
        table::{Cell, Column, Table},
    },
};

/// Bars of the terminal, a full one so many columns wide.
const BAR_COLUMNS: usize = 20;

/// Writes the report on `result`, for a terminal of `width` columns.
///
/// # Errors
///
/// If `out` cannot be written to.
pub fn write_bench_report(result: &BenchResult, width: usize, out: &mut dyn Write) -> io::Result<()> {
    let width = width.clamp(*report::WIDTH_COLUMNS.start(), *report::WIDTH_COLUMNS.end());
    write_head(result, width, out)?;
    write_speeds(result, width, out)?;
    write_scaling(result, width, out)?;
    write_costs(result, width, out)?;
    write_outputs(result, width, out)?;
    write_what_if(result, width, out)?;
    write_watching(result, width, out)?;
    writeln!(out)?;
    report::write_wrapped(style::DIM, super::METHOD, width, out)
}

fn write_head(result: &BenchResult, width: usize, out: &mut dyn Write) -> io::Result<()> {
    let (strong, setup) = (style::STRONG, &result.setup);
    writeln!(out, "logweir bench {strong}{}{strong:#}", human::bytes_per_s(result.bytes_per_s().value))?;
    let input = &result.input;
    let (sources, lines) = (human::plural(input.sources, "source"), human::plural(input.records, "line"));
    let text = format!(
        "{sources}, {}, {lines} · {}",
        human::bytes(input.bytes),
        human::plural(setup.workers as u64, "worker")
    );
    report::write_wrapped(style::PLAIN, &text, width, out)?;
    let pipeline = escape(setup.pipeline.as_bytes());
    report::write_wrapped(style::DIM, &format!("{pipeline} · {}", setup.cache.words()), width, out)?;
    let machine = &result.machine;
    let text = format!("{} · {} · {} cores · {}", result.program, machine.cpu, machine.cores, machine.system);
    report::write_wrapped(style::DIM, &escape(text.as_bytes()), width, out)?;
    writeln!(out)
}

/// `12.3 ms`, and how well that is known.
fn time(ns: Estimate) -> [Cell; 2] {
    [human::nanos_precise(ns.value).into(), Cell::new(style::DIM, between(ns, human::nanos_precise))]
}

fn between(estimate: Estimate, write: impl Fn(f64) -> String) -> String {
    format!("{} to {}", write(estimate.low), write(estimate.high))
}

fn write_speeds(result: &BenchResult, width: usize, out: &mut dyn Write) -> io::Result<()> {
    let mut table = Table::new(vec![
        Column::left("what"),
        Column::right("runs"),
        Column::right("time"),
        Column::right("95 %").rank(2),
        Column::right("bytes"),
        Column::right("95 %").rank(1),
        Column::right("lines"),
    ]);
    let mut row = |name: &str, runs: &[f64]| {
        if runs.is_empty() {
            return;
        }
        let ns = statistics::estimate(runs);
        let bytes = ns.map(|ns| result.input.bytes as f64 * 1e9 / ns);
        let lines = human::short(result.input.records as f64 * 1e9 / ns.value);
        let mut cells = vec![Cell::new(style::STRONG, name), human::count(runs.len() as u64).into()];
        cells.extend(time(ns));
        cells.push(Cell::new(style::STRONG, human::bytes_per_s(bytes.value)));
        cells.push(Cell::new(style::DIM, between(bytes, human::bytes_per_s)));
        cells.push(format!("{lines}/s").into());
        table.row(cells);
    };
    row("engine", &result.engine_ns);
    row("whole process", &result.process_ns);
    table.write(width, out)?;
    let mut note = "engine: from inputs that are found to the last number, in this process.".to_owned();
    if !result.process_ns.is_empty() {
        note.push_str(" whole process: `logweir run` with the same, from start to exit.");
    }
    report::write_wrapped(style::DIM, &note, width, out)
}

fn write_scaling(result: &BenchResult, width: usize, out: &mut dyn Write) -> io::Result<()> {
    if result.scaling.len() < 2 {
        return Ok(());
    }
    writeln!(out)?;
    let mut table = Table::new(vec![
        Column::right("workers"),
        Column::right("bytes"),
        Column::right("times one"),
        Column::right("95 %"),
        Column::right("of ideal"),
        Column::left("").rank(1),
    ]);
    for ((workers, speedup), scaling) in result.speedups().into_iter().zip(&result.scaling) {
        let rate = result.input.bytes as f64 * 1e9 / statistics::median(&scaling.runs_ns);
        let ideal = speedup.value / workers as f64;
        table.row(vec![
            workers.to_string().into(),
            human::bytes_per_s(rate).into(),
            Cell::new(style::STRONG, format!("{:.2}", speedup.value)),
            Cell::new(
                style::DIM,
                if workers > 1 { between(speedup, |value| format!("{value:.2}")) } else { String::new() },
            ),
            human::share(ideal, 1.0).into(),
            Cell::new(style::ACCENT, bar(ideal)),
        ]);
    }
    table.write(width, out)
}

/// `share` of a bar, in eighths of a column.
fn bar(share: f64) -> String {
    const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    let eighths = (share.clamp(0.0, 1.0) * BAR_COLUMNS as f64 * 8.0).round() as usize;
    "█".repeat(eighths / 8) + EIGHTHS[eighths % 8]
}

fn write_costs(result: &BenchResult, width: usize, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out)?;
    let mut table = Table::new(vec![
        Column::left("processor"),
        Column::right("lines"),
        Column::right("each"),
        Column::right("time"),
        Column::right("share"),
        Column::left("").rank(1),
    ]);
    let whole = result.workers_ns();
    for cost in &result.costs {
        table.row(cost_row(cost, whole));
    }
    let together = |text: String| Cell::new(style::DIM, text);
    table.row(vec![
        together("together".to_owned()),
        Cell::EMPTY,
        together(human::nanos(whole / result.input.records as f64)),
        together(human::nanos(whole)),
        together(human::share(whole, whole)),
    ]);
    table.write(width, out)?;
    let note = "time of all workers in one run, exact: the rows add up to the time that they were there. each is that time \
                for one line among many.";
    report::write_wrapped(style::DIM, note, width, out)
}

fn cost_row(cost: &Cost, whole: f64) -> Vec<Cell> {
    let is_processor = cost.kind == CostKind::Processor;
    let (name, number) = if is_processor { (style::STRONG, style::PLAIN) } else { (style::DIM, style::DIM) };
    let each = cost.each_ns().map_or(human::NONE.to_owned(), human::nanos);
    vec![
        Cell::new(name, escape(cost.name.as_bytes())),
        if is_processor { human::count(cost.records).into() } else { Cell::EMPTY },
        Cell::new(number, each),
        Cell::new(number, human::nanos(cost.busy_ns)),
        Cell::new(number, human::share(cost.busy_ns, whole)),
        Cell::new(style::ACCENT, bar(cost.busy_ns / whole)),
    ]
}

fn write_outputs(result: &BenchResult, width: usize, out: &mut dyn Write) -> io::Result<()> {
    if result.outputs.is_empty() {
        return Ok(());
    }
    writeln!(out)?;
    let mut table = Table::new(vec![
        Column::left("output"),
        Column::right("lines"),
        Column::right("of its input"),
        Column::left("").rank(1),
    ]);
    for way in &result.outputs {
        let name = format!("{}.{}", way.processor, way.output);
        table.row(vec![
            Cell::new(style::STRONG, escape(name.as_bytes())),
            human::count(way.records).into(),
            human::share(way.records as f64, way.of as f64).into(),
            Cell::new(style::ACCENT, bar(way.records as f64 / way.of.max(1) as f64)),
        ]);
    }
    table.write(width, out)?;
    for saved in &result.searches {
        let (name, spared) = (escape(saved.processor.as_bytes()), saved.asked.saturating_sub(saved.alone));
        let share = human::share(spared as f64, saved.asked as f64);
        let text = format!(
            "{name}: {share} of {} were passed over in searches through whole blocks; {} were looked at one by one",
            human::plural(saved.asked, "line"),
            human::count(saved.alone)
        );
        report::write_wrapped(style::PLAIN, &text, width, out)?;
    }
    Ok(())
}

fn write_what_if(result: &BenchResult, width: usize, out: &mut dyn Write) -> io::Result<()> {
    let Some(first) = result.what_if.first() else { return Ok(()) };
    writeln!(out)?;
    let head = format!("{:.0} % faster", first.faster * 100.0);
    let mut table = Table::new(vec![
        Column::left(head),
        Column::right("run gains"),
        Column::right("by experiment"),
        Column::right("95 %"),
    ]);
    for gain in &result.what_if {
        let measured = gain.measured.map(|measured| (signed(measured.value), between(measured, signed)));
        let (value, interval) = measured.unwrap_or_else(|| (human::NONE.to_owned(), String::new()));
        table.row(vec![
            Cell::new(style::STRONG, escape(gain.processor.as_bytes())),
            signed(gain.predicted).into(),
            value.into(),
            Cell::new(style::DIM, interval),
        ]);
    }
    table.write(width, out)?;
    let note = "run gains: by its share of the workers' time. The experiment slows everything else down in proportion, which \
                makes this one relatively faster.";
    report::write_wrapped(style::DIM, note, width, out)
}

/// A share in percent, with its sign where it is below zero.
fn signed(share: f64) -> String {
    format!("{:.2} %", share * 100.0)
}

fn write_watching(result: &BenchResult, width: usize, out: &mut dyn Write) -> io::Result<()> {
    let Some(price) = result.price_of_watching() else { return Ok(()) };
    writeln!(out)?;
    let text = format!(
        "watching makes a run {} longer (95 %: {}; {} pairs with it and without)",
        signed(price.value),
        between(price, signed),
        human::count(result.watching.len() as u64)
    );
    report::write_wrapped(style::STRONG, &text, width, out)
}

/// Writes how a result stands to an earlier one.
///
/// # Errors
///
/// If `out` cannot be written to.
pub fn write_comparison(comparison: &Comparison, width: usize, out: &mut dyn Write) -> io::Result<()> {
    let width = width.clamp(*report::WIDTH_COLUMNS.start(), *report::WIDTH_COLUMNS.end());
    let mut table = Table::new(vec![
        Column::left("each line"),
        Column::right("before"),
        Column::right("now"),
        Column::right("change"),
    ]);
    for (name, old, new) in &comparison.rows {
        let change = if *old > 0.0 { format!("{:+.1} %", (new / old - 1.0) * 100.0) } else { human::NONE.to_owned() };
        table.row(vec![
            Cell::new(style::STRONG, escape(name.as_bytes())),
            human::nanos(*old).into(),
            human::nanos(*new).into(),
            change.into(),
        ]);
    }
    writeln!(out)?;
    table.write(width, out)?;
    writeln!(out)?;
    let (mood, word) = match comparison.verdict {
        Verdict::Slower => (style::BAD, "slower than"),
        Verdict::Faster => (style::GOOD, "faster than"),
        Verdict::Same => (style::GOOD, "no different from"),
    };
    let times = |ratio: f64| format!("{ratio:.3}");
    let text = format!(
        "{word} the baseline: {} times its time (95 %: {})",
        times(comparison.time.value),
        between(comparison.time, times)
    );
    report::write_wrapped(mood, &text, width, out)?;
    comparison.doubts.iter().try_for_each(|doubt| {
        report::write_wrapped(style::WARN, &format!("but {}", escape(doubt.as_bytes())), width, out)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        bench::{compare, samples::result},
        escape::columns,
    };

    fn text(width: usize) -> String {
        let mut out = Vec::new();
        write_bench_report(&result(), width, &mut out).expect("memory can be written to");
        anstream::adapter::strip_str(&String::from_utf8(out).expect("it is text")).to_string()
    }

    #[test]
    fn it_says_what_was_found() {
        let text = text(100);
        for part in [
            "logweir bench 2.97 GB/s",
            "1 source, 150 MB, 1,000,000 lines · 4 workers",
            "page cache warm: 100 % of the input in it (mincore)",
            "whole process",
            "together",
            "start.warn",
            "98.4 % of 250,000 lines were passed over",
            "20 % faster",
            "watching makes a run 0.80 % longer (95 %: 0.50 % to 0.80 %; 20 pairs",
        ] {
            assert!(text.contains(part), "no {part:?} in\n{text}");
        }
        assert!(!text.contains('\u{1b}'), "names cannot control the terminal");
    }

    #[test]
    fn lines_fit() {
        for width in [60, 80, 100, 160] {
            let widest = text(width).lines().map(columns).max();
            assert!(widest <= Some(width), "{width}: {widest:?}\n{}", text(width));
        }
    }

    #[test]
    fn a_comparison_ends_with_the_verdict() {
        let mut slower = result();
        slower.engine_ns.iter_mut().for_each(|ns| *ns *= 1.2);
        let comparison = compare(&slower, &result(), 0.02).expect("they can be compared");
        let mut out = Vec::new();
        write_comparison(&comparison, 80, &mut out).expect("memory can be written to");
        let text = anstream::adapter::strip_str(&String::from_utf8(out).expect("it is text")).to_string();
        assert!(text.contains("slower than the baseline: 1.2"), "{text}");
    }
}
