//! A result as a page: one file, pictures inside, no script, nothing from elsewhere.

use super::{
    draw::{Anchor, Picture, Scale, html},
    result::{BenchResult, CostKind},
    statistics::{self, Estimate},
};
use crate::human;

const STYLE: &str = include_str!("page.css");
/// How wide pictures are.
const WIDTH: f64 = 720.0;
/// Where axes begin and end.
const SIDES: [f64; 2] = [56.0, WIDTH - 20.0];
/// Colours for parts of a whole, by their classes in the style sheet.
const COLOURS: usize = 8;
/// Parts below this share are drawn together.
const PART_MIN: f64 = 0.004;

/// `result` as HTML.
#[must_use]
pub fn bench_page(result: &BenchResult) -> String {
    let mut page = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <title>logweir bench</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n"
    );
    page.push_str(&head(result));
    let mut section = |title: &str, says: &str, picture: String| {
        let (title, says) = (html(title), html(says));
        page.push_str(&format!("<section>\n<h2>{title}</h2>\n<p>{says}</p>\n{picture}</section>\n"));
    };
    section("Runs", &runs_say(result), runs(result));
    section("Where the time goes", &costs_say(result), costs(result));
    if result.scaling.len() > 1 {
        section("Workers", &scaling_says(result), scaling(result));
    }
    if let Some(price) = result.price_of_watching() {
        section("The price of watching", &price_says(price), watching(result, price));
    }
    if !result.what_if.is_empty() {
        section("What if", &what_if_says(result), what_if(result));
    }
    page.push_str(&format!("<footer>{}</footer>\n</main>\n</body>\n</html>\n", html(super::METHOD)));
    page
}

fn head(result: &BenchResult) -> String {
    let tile = |value: String, what: &str| format!("<div><b>{}</b><span>{}</span></div>\n", html(&value), html(what));
    let mut tiles = tile(human::bytes_per_s(result.bytes_per_s().value), "bytes, engine");
    tiles += &tile(format!("{}/s", human::short(result.records_per_s().value)), "lines, engine");
    tiles += &tile(human::nanos_precise(result.engine().value), "one run, engine");
    if !result.process_ns.is_empty() {
        tiles += &tile(human::nanos_precise(statistics::median(&result.process_ns)), "whole process");
    }
    if let Some(price) = result.price_of_watching() {
        tiles += &tile(percent(price.value), "price of watching");
    }
    let (setup, machine, input) = (&result.setup, &result.machine, &result.input);
    let facts = [
        format!("{}, {}, {}", setup.pipeline, human::bytes(input.bytes), human::plural(input.records, "line")),
        format!("{} · timing {}", human::plural(setup.workers as u64, "worker"), setup.timing),
        setup.cache.words(),
        format!("{} · {} cores · {}", machine.cpu, machine.cores, machine.system),
        format!("{} · {}", result.program, result.taken),
    ];
    let facts: String = facts.iter().map(|fact| format!("<li>{}</li>\n", html(fact))).collect();
    format!("<header>\n<h1>logweir bench</h1>\n<div class=\"tiles\">\n{tiles}</div>\n<ul>\n{facts}</ul>\n</header>\n")
}

fn percent(share: f64) -> String {
    format!("{:.2} %", share * 100.0)
}

fn between(estimate: Estimate, write: impl Fn(f64) -> String) -> String {
    format!("{} to {}", write(estimate.low), write(estimate.high))
}

/// A horizontal axis with round numbers, below `y`, and lines up to `top`.
fn axis(picture: &mut Picture, scale: &Scale, [top, y]: [f64; 2], unit: &str) {
    let (ticks, decimals) = scale.ticks(6);
    for tick in ticks {
        let x = scale.at(tick);
        picture.line("grid", [x, top], [x, y]);
        picture.text("tick", [x, y + 16.0], Anchor::Middle, &format!("{tick:.decimals$}"));
    }
    picture.line("axis", [SIDES[0], y], [SIDES[1], y]);
    picture.text("tick", [SIDES[1], y + 32.0], Anchor::End, unit);
}

fn runs_say(result: &BenchResult) -> String {
    let (bytes, runs) = (result.bytes_per_s(), result.engine_ns.len() as u64);
    format!(
        "{}: median {} (95 %: {}). Each dot is a run of the engine in one process; the box holds the middle half, the \
         band is the interval of the median.",
        human::plural(runs, "run"),
        human::bytes_per_s(bytes.value),
        between(bytes, human::bytes_per_s)
    )
}

fn runs(result: &BenchResult) -> String {
    const HEIGHT: f64 = 170.0;
    let (top, bottom, middle) = (10.0, HEIGHT - 42.0, 70.0);
    let (size, unit) = if result.bytes_per_s().value < 1e9 { (1e6, "MB/s") } else { (1e9, "GB/s") };
    let rates: Vec<f64> = result.engine_ns.iter().map(|ns| result.input.bytes as f64 * 1e9 / ns / size).collect();
    let scale = Scale::around(rates.iter().copied(), SIDES);
    let mut picture = Picture::new(WIDTH, HEIGHT);
    axis(&mut picture, &scale, [top, bottom], unit);
    let interval = result.bytes_per_s().map(|rate| rate / size);
    let [low, high] = [scale.at(interval.low), scale.at(interval.high)];
    picture.rect("band", [low, top], [(high - low).max(1.5), bottom - top]);
    let mut sorted = rates.clone();
    sorted.sort_by(f64::total_cmp);
    let quarter = |quarters: usize| sorted[(sorted.len() - 1) * quarters / 4];
    let (first, third) = (scale.at(quarter(1)), scale.at(quarter(3)));
    picture.rect("box", [first, middle - 26.0], [(third - first).max(1.5), 52.0]);
    for (number, rate) in rates.iter().enumerate() {
        // Spread so that neighbours do not hide each other, the same every time.
        let row = (number * 7 % 13) as f64 - 6.0;
        picture.dot("run", [scale.at(*rate), middle + row * 3.4], 3.2);
    }
    let x = scale.at(interval.value);
    picture.line("median", [x, middle - 34.0], [x, middle + 34.0]);
    picture.svg("runs, as bytes per second")
}

fn scaling_says(result: &BenchResult) -> String {
    let Some((workers, speedup)) = result.speedups().pop() else { return String::new() };
    let interval = between(speedup, |value| format!("{value:.2}"));
    format!(
        "{workers} workers are {:.2} times as fast as one (95 %: {interval}). Dashed: what they could be at best.",
        speedup.value
    )
}

fn scaling(result: &BenchResult) -> String {
    const HEIGHT: f64 = 300.0;
    let speedups = result.speedups();
    let most = speedups.iter().map(|(workers, _)| *workers).max().unwrap_or(1) as f64;
    let x = Scale::new(1.0, most, [SIDES[0] + 24.0, SIDES[1] - 24.0]);
    let highest = speedups.iter().map(|(_, speedup)| speedup.high).fold(most, f64::max);
    let y = Scale::new(0.0, highest, [HEIGHT - 42.0, 14.0]);
    let mut picture = Picture::new(WIDTH, HEIGHT);
    let (ticks, decimals) = y.ticks(5);
    for tick in ticks {
        picture.line("grid", [SIDES[0], y.at(tick)], [SIDES[1], y.at(tick)]);
        picture.text("tick", [SIDES[0] - 8.0, y.at(tick) + 4.0], Anchor::End, &format!("{tick:.decimals$}×"));
    }
    picture.line("axis", [SIDES[0], y.at(0.0)], [SIDES[1], y.at(0.0)]);
    picture.line("ideal", [x.at(1.0), y.at(1.0)], [x.at(most), y.at(most)]);
    let points: Vec<[f64; 2]> =
        speedups.iter().map(|(workers, speedup)| [x.at(*workers as f64), y.at(speedup.value)]).collect();
    picture.way("curve", &points);
    for ((workers, speedup), point) in speedups.iter().zip(&points) {
        picture.line("whisker", [point[0], y.at(speedup.low)], [point[0], y.at(speedup.high)]);
        picture.dot("point", *point, 4.5);
        picture.text("tick", [point[0], HEIGHT - 26.0], Anchor::Middle, &workers.to_string());
        picture.text("value", [point[0], point[1] + 22.0], Anchor::Middle, &format!("{:.2}×", speedup.value));
    }
    picture.text("tick", [SIDES[1], HEIGHT - 10.0], Anchor::End, "workers");
    picture.svg("speed by number of workers, with the ideal")
}

fn costs_say(result: &BenchResult) -> String {
    format!(
        "All workers together: {} in one run, {} a line. Exact, not sampled: the parts add up to the time that the workers \
         were there.",
        human::nanos(result.workers_ns()),
        human::nanos(result.workers_ns() / result.input.records as f64)
    )
}

/// A bar in its parts, and a row for each of them below it.
fn costs(result: &BenchResult) -> String {
    const ROW: f64 = 24.0;
    let whole = result.workers_ns().max(1.0);
    let shown: Vec<_> = result.costs.iter().filter(|cost| cost.busy_ns / whole >= PART_MIN).collect();
    let mut picture = Picture::new(WIDTH, 74.0 + ROW * shown.len() as f64);
    let scale = Scale::new(0.0, 1.0, [0.0, WIDTH]);
    let (mut at, mut processor, mut stage) = (0.0, 0, 0);
    for (row, cost) in shown.iter().enumerate() {
        let class = match cost.kind {
            CostKind::Processor => {
                processor += 1;
                format!("part p{}", (processor - 1) % COLOURS)
            }
            CostKind::Stage => {
                stage += 1;
                format!("part s{}", (stage - 1) % COLOURS)
            }
            CostKind::Waiting => "part wait".to_owned(),
        };
        let share = cost.busy_ns / whole;
        picture.rect(&class, [scale.at(at), 4.0], [scale.at(share) - 1.0, 40.0]);
        if share > 0.08 {
            picture.text("inside", [scale.at(at + share / 2.0), 29.0], Anchor::Middle, &human::share(share, 1.0));
        }
        at += share;
        let y = 72.0 + ROW * row as f64;
        picture.rect(&class, [2.0, y - 11.0], [13.0, 13.0]);
        let name = shortened(&cost.name);
        picture.text(if cost.kind == CostKind::Processor { "name" } else { "stage" }, [24.0, y], Anchor::Start, &name);
        picture.text(
            "number",
            [440.0, y],
            Anchor::End,
            &cost.each_ns().map_or(human::NONE.to_owned(), |ns| format!("{} a line", human::nanos(ns))),
        );
        picture.text("number", [580.0, y], Anchor::End, &human::nanos(cost.busy_ns));
        picture.text("number", [WIDTH - 8.0, y], Anchor::End, &human::share(cost.busy_ns, whole));
    }
    picture.svg("what the workers' time goes into")
}

/// A name that fits into its column.
fn shortened(name: &str) -> String {
    crate::escape::escape_within(name.as_bytes(), 36)
}

fn price_says(price: Estimate) -> String {
    format!(
        "Watching makes a run {} longer (95 %: {}). Each dot is a pair of runs, one after the other: with timing and traces, \
         and without.",
        percent(price.value),
        between(price, percent)
    )
}

fn watching(result: &BenchResult, price: Estimate) -> String {
    const HEIGHT: f64 = 150.0;
    let (top, bottom, middle) = (10.0, HEIGHT - 42.0, 58.0);
    let prices: Vec<f64> = result.watching.iter().map(|[on, off]| (on / off - 1.0) * 100.0).collect();
    let scale = Scale::around(prices.iter().copied().chain([0.0, 1.0]), SIDES);
    let mut picture = Picture::new(WIDTH, HEIGHT);
    axis(&mut picture, &scale, [top, bottom], "% longer with watching");
    let [low, high] = [scale.at(price.low * 100.0), scale.at(price.high * 100.0)];
    picture.rect("band", [low, top], [(high - low).max(1.5), bottom - top]);
    picture.line("zero", [scale.at(0.0), top], [scale.at(0.0), bottom]);
    for (number, price) in prices.iter().enumerate() {
        let row = (number * 7 % 13) as f64 - 6.0;
        picture.dot("run", [scale.at(*price), middle + row * 3.4], 3.2);
    }
    let x = scale.at(price.value * 100.0);
    picture.line("median", [x, top + 6.0], [x, bottom - 6.0]);
    picture.svg("how much longer runs with watching are")
}

fn what_if_says(result: &BenchResult) -> String {
    let Some(first) = result.what_if.first() else { return String::new() };
    let mut text = format!(
        "Were {} {:.0} % faster, a run should gain {}.",
        first.processor,
        first.faster * 100.0,
        percent(first.predicted)
    );
    if let Some(measured) = first.measured {
        text.push_str(&format!(
            " An experiment, in which everything else was slowed down in proportion, says {} (95 %: {}).",
            percent(measured.value),
            between(measured, percent)
        ));
    }
    text
}

fn what_if(result: &BenchResult) -> String {
    const ROW: f64 = 34.0;
    /// Gains that are drawn; the others are smaller.
    const ROWS: usize = 8;
    let rows = &result.what_if[..result.what_if.len().min(ROWS)];
    let ends = rows.iter().flat_map(|gain| [gain.predicted, gain.measured.map_or(0.0, |measured| measured.high)]);
    let most = ends.fold(0.001, f64::max) * 1.15;
    // Where little is known, the interval reaches below zero.
    let least = rows.iter().filter_map(|gain| gain.measured).map(|measured| measured.low * 1.05).fold(0.0, f64::min);
    let scale = Scale::new(least * 100.0, most * 100.0, [220.0, SIDES[1]]);
    let bottom = 12.0 + ROW * rows.len() as f64;
    let mut picture = Picture::new(WIDTH, bottom + 42.0);
    let (ticks, decimals) = scale.ticks(5);
    for tick in ticks {
        picture.line("grid", [scale.at(tick), 6.0], [scale.at(tick), bottom]);
        picture.text("tick", [scale.at(tick), bottom + 16.0], Anchor::Middle, &format!("{tick:.decimals$}"));
    }
    picture.text("tick", [SIDES[1], bottom + 32.0], Anchor::End, "% less time");
    for (row, gain) in rows.iter().enumerate() {
        let y = 12.0 + ROW * row as f64;
        picture.text(
            "name",
            [208.0, y + 16.0],
            Anchor::End,
            &crate::escape::escape_within(gain.processor.as_bytes(), 26),
        );
        picture.rect("part p0", [scale.at(0.0), y + 3.0], [scale.at(gain.predicted * 100.0) - scale.at(0.0), 18.0]);
        if let Some(measured) = gain.measured.map(|measured| measured.map(|share| share * 100.0)) {
            picture.line("median", [scale.at(measured.low), y + 12.0], [scale.at(measured.high), y + 12.0]);
            picture.dot("point", [scale.at(measured.value), y + 12.0], 4.5);
        }
    }
    picture.line("axis", [scale.at(0.0), 6.0], [scale.at(0.0), bottom]);
    picture.svg("what a faster processor would gain; bars are estimates, the dot is the experiment")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::samples::result;

    #[test]
    fn it_is_one_page_without_scripts() {
        let page = bench_page(&result());
        assert_eq!(page.matches("<svg").count(), 5);
        assert!(!page.contains("<script") && !page.contains("<b>fast") && !page.contains('\u{1b}'));
        assert!(page.contains("pipe&lt;line&gt;.toml") && !page.contains("http://") && !page.contains("https://"));
        assert!(!page.contains("NaN") && !page.contains("inf\""), "{page}");
        if let Some(path) = std::env::var_os("LOGWEIR_PAGE") {
            std::fs::write(path, page).expect("it can be written");
        }
    }

    #[test]
    fn it_is_drawn_even_of_little() {
        let mut little = result();
        little.engine_ns = vec![1.0];
        (little.scaling, little.watching, little.what_if, little.process_ns) = Default::default();
        little.costs.iter_mut().for_each(|cost| cost.busy_ns = 0.0);
        let page = bench_page(&little);
        assert_eq!(page.matches("<svg").count(), 2);
        assert!(!page.contains("NaN"), "{page}");
    }
}
