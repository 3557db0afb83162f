//! Stretches of the past against a naive merge, and the bounds.

use proptest::prelude::*;

use super::*;
use crate::record::Origin;

const IDS: [&str; 3] = ["start", "error", "late"];

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).expect("in range")
}

fn probes(values: &[u64]) -> Probes {
    let mut probes = Probes::default();
    values.iter().for_each(|&ns| probes.record(Origin { source: 0, offset: 7 }, ns));
    probes
}

/// The interval from second `start` on, in which each processor saw these values.
fn span(start: i64, values: &[Vec<u64>]) -> Span {
    let node = |(id, values): (&&str, &Vec<u64>)| {
        let records_in = values.len() as u64;
        let counts = NodeCounts { records_in, bytes_in: 2 * records_in, busy_ns: 3, ..NodeCounts::default() };
        (Arc::from(*id), counts, (!values.is_empty()).then(|| probes(values)))
    };
    Span::new((at(start), at(start + 10)), (20, 10), IDS.iter().zip(values).map(node))
}

fn index(intervals: &[Vec<Vec<u64>>]) -> HistoryIndex {
    let mut index = HistoryIndex::default();
    for (number, values) in intervals.iter().enumerate() {
        index.push(span(number as i64 * 10, values), at(0));
    }
    index
}

proptest! {
    #[test]
    fn a_stretch_is_a_naive_merge_of_its_intervals(
        intervals in prop::collection::vec(prop::collection::vec(prop::collection::vec(1u64..1 << 44, 0..30), 3), 1..20),
        from in 0i64..210, length in 1i64..210,
    ) {
        let history = index(&intervals).history();
        let stretch = history.between(at(from), at(from + length));
        let inside: Vec<&Vec<Vec<u64>>> = (0..).zip(&intervals)
            .filter(|(number, _)| number * 10 + 10 > from && number * 10 < from + length).map(|(_, values)| values).collect();
        prop_assert_eq!(stretch.series.len(), inside.len());
        let Some(total) = stretch.total else {
            prop_assert!(inside.is_empty());
            return Ok(());
        };
        prop_assert_eq!((total.intervals, total.records), (inside.len() as u64, 10 * inside.len() as u64));
        prop_assert_eq!(total.recorded, SignedDuration::from_secs(10 * inside.len() as i64));
        for (number, node) in total.nodes.iter().enumerate() {
            let values: Vec<u64> = inside.iter().flat_map(|interval| interval[number].clone()).collect();
            let naive = Latency { slowest: None, ..probes(&values).latency() };
            prop_assert_eq!(format!("{:?}", node.latency), format!("{naive:?}"));
            prop_assert_eq!(node.counts.records_in, values.len() as u64);
        }
    }
}

#[test]
fn the_past_is_bounded_and_adds_up_however_long_it_is() {
    let mut index = HistoryIndex::default();
    let values = vec![vec![100, 5_000], vec![70], vec![]];
    let intervals = 5 * limits::HISTORY_SPANS as i64;
    for number in 0..intervals {
        index.push(span(number * 10, &values), at(0));
        assert!(index.history.spans.len() <= limits::HISTORY_SPANS);
    }
    let history = index.history();
    let total = history.between(at(0), at(i64::from(u32::MAX))).total.expect("much was recorded");
    assert_eq!((total.intervals, total.nodes[0].latency.samples), (intervals as u64, 2 * intervals as u64));
    assert_eq!((total.start, total.end), (at(0), at(intervals * 10)));
    // The newest intervals are all there, and the oldest are not one long span.
    let newest = &history.spans[history.spans.len() - limits::HISTORY_SPANS / 3..];
    assert!(newest.iter().all(|span| span.intervals == 1));
    assert!(history.spans[0].intervals <= 64, "{}", history.spans[0].intervals);
}

#[test]
fn memory_is_bounded_where_intervals_are_large() {
    let mut index = HistoryIndex::default();
    let wide: Vec<u64> = (0..3_000).map(|step| 1 << (step % 40) | step << (step % 20)).collect();
    for number in 0..6_000 {
        index.push(span(number * 10, &[wide.clone(), Vec::new(), Vec::new()]), at(0));
        assert!(index.bytes <= limits::HISTORY_INDEX_BYTES);
    }
    let total = index.history().between(at(0), at(60_000)).total.expect("much was recorded");
    assert_eq!(total.nodes[0].latency.samples, 6_000 * wide.len() as u64);
}

#[test]
fn time_that_was_not_recorded_is_told_apart_however_coarse_the_past_is() {
    let mut index = HistoryIndex::default();
    for number in 0..2 * limits::HISTORY_SPANS as i64 {
        // Of every fifteen seconds, ten are recorded.
        index.push(span(number * 15, &[vec![], vec![], vec![]]), at(0));
    }
    let stretch = index.history().between(at(0), at(i64::from(u32::MAX)));
    let total = stretch.total.expect("much was recorded");
    assert_eq!(total.recorded, SignedDuration::from_secs(10 * total.intervals as i64));
    assert!(stretch.series.iter().all(|sum| sum.recorded == SignedDuration::from_secs(10 * sum.intervals as i64)));
    assert!(index.history.spans[0].intervals > 1, "the older half was added up");
}

#[test]
fn a_long_time_without_a_run_is_within_no_piece_of_a_curve() {
    let mut index = HistoryIndex::default();
    let hours = [0, 3_600, 3_600 * 20];
    for number in 0..3_000 {
        index.push(span(hours[number as usize / 1_000] + number * 10, &[vec![], vec![], vec![]]), at(0));
    }
    let series = index.history().between(at(0), at(i64::from(u32::MAX))).series;
    assert!((500..=limits::HISTORY_POINTS).contains(&series.len()), "{}", series.len());
    for sum in &series {
        assert_eq!(sum.end.duration_since(sum.start), sum.recorded);
    }
    // However many gaps there are, there are no more points.
    let mut index = HistoryIndex::default();
    for number in 0..3_000 {
        index.push(span(number * number * 100, &[vec![], vec![], vec![]]), at(0));
    }
    let series = index.history().between(at(0), at(i64::from(u32::MAX))).series;
    assert!((300..=limits::HISTORY_POINTS).contains(&series.len()), "{}", series.len());
}

#[test]
fn a_curve_has_few_enough_points() {
    let history = index(&vec![vec![vec![100]; 3]; 2_500]).history();
    let stretch = history.between(at(0), at(25_000));
    assert_eq!(stretch.series.len(), 834);
    assert_eq!(stretch.series.iter().map(|sum| sum.intervals).sum::<u64>(), 2_500);
    assert!(history.between(at(25_000), at(26_000)).total.is_none());
    // What is asked for in few enough intervals is not added up.
    assert_eq!(history.between(at(0), at(10_000)).series.len(), limits::HISTORY_POINTS);
    // Nonsense is an empty stretch.
    assert!(history.between(at(500), at(100)).total.is_none());
}
