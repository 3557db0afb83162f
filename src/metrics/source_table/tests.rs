//! What a follower tells, and what becomes of it.

use std::time::Duration;

use proptest::prelude::*;

use super::*;

fn added(source: SourceId) -> SourceNews {
    SourceNews::Added { source, path: format!("{source}.log") }
}

fn reached(source: SourceId, read: u64, size: u64, behind_since: Option<Instant>) -> SourceNews {
    SourceNews::Reached { source, read, size, behind_since }
}

/// A table that has heard `news`.
fn table(news: &[SourceNews]) -> SourceTable {
    let mut table = SourceTable::default();
    news.iter().for_each(|news| _ = table.hear(news));
    table.refresh(Instant::now());
    table
}

fn block(start: u64, end: u64) -> SourceTally {
    SourceTally { bytes: end - start, records: 1, tiles: ledger::tile(start, end), ..SourceTally::default() }
}

fn live(table: &SourceTable, source: usize) -> Live {
    table.view().listed[source].live.clone().expect("it is followed")
}

#[test]
fn sources_come_while_it_runs_and_are_never_done() {
    let mut table = table(&[added(0), added(1)]);
    assert_eq!(table.view().listed[1].identity, None, "it has no file yet");
    table.hear(&SourceNews::Opened { source: 1, identity: (1, 1) });
    table.hear(&reached(1, 10, 10, None));
    table.absorb(1, &block(0, 10));
    assert_eq!((table.progress(), table.bytes_total()), ((0, 2), None));
    let shown = table.view().listed[1].clone();
    assert_eq!((&*shown.path, shown.access, shown.identity), ("1.log", "followed", Some((1, 1))));
    assert_eq!((shown.bytes_read, shown.size, shown.done), (10, None, false));
    table.absorb(2, &block(0, 7));
    assert_eq!(table.view().listed[2].path, "?", "a worker was heard before the follower");
    table.hear(&added(2));
    table.refresh(Instant::now());
    assert_eq!((&*table.view().listed[2].path, table.view().listed[2].bytes_read), ("2.log", 7));
}

#[test]
fn how_long_it_waits_depends_on_when_one_asks() {
    let now = Instant::now();
    let mut table = table(&[added(0), added(1), reached(0, 40, 100, Some(now)), reached(1, 5, 6, Some(now))]);
    table.refresh(now + Duration::from_secs(3));
    assert_eq!((live(&table, 0).bytes_behind, live(&table, 0).seconds_behind), (60, 3.0));
    let lag = table.lag().expect("sources are followed");
    assert_eq!((lag.sources, lag.bytes_behind, lag.seconds_behind), (2, 61, 3.0));
    table.hear(&reached(0, 100, 100, Some(now)));
    table.hear(&reached(1, 6, 6, None));
    table.refresh(now + Duration::from_secs(9));
    let lag = table.lag().expect("sources are followed");
    assert_eq!((lag.bytes_behind, lag.seconds_behind), (0, 0.0));
}

#[test]
fn what_happened_is_counted() {
    let table = table(&[
        added(0),
        added(1),
        SourceNews::Gone { source: 0 },
        SourceNews::Gone { source: 1 },
        SourceNews::Rotated { source: 0, identity: (1, 77) },
        SourceNews::Truncated { source: 0, lost_at_least: 5 },
        SourceNews::Truncated { source: 0, lost_at_least: 0 },
        SourceNews::Lost { source: 0, bytes: Some(2) },
        SourceNews::Skipped { source: 0, bytes: 4_096 },
        SourceNews::Held { bytes: 1_000 },
    ]);
    let expected = Live {
        rotations: 1,
        truncations: 2,
        bytes_lost: 7,
        is_lost_unknown: true,
        bytes_skipped: 4_096,
        ..Live::default()
    };
    assert_eq!(live(&table, 0), expected);
    assert_eq!(table.view().listed[0].identity, Some((1, 77)));
    assert!(live(&table, 1).is_gone && !live(&table, 1).is_lost_unknown);
    let lag = table.lag().expect("sources are followed");
    assert_eq!((lag.rotations, lag.truncations, lag.bytes_lost, lag.held_bytes, lag.gone), (1, 2, 7, 1_000, 1));
    assert!(lag.is_lost_unknown);
}

/// Where all was read that was ever seen, more may have come between the last look and the cut.
#[test]
fn of_a_truncation_nobody_knows_all_that_it_took() {
    for lost_at_least in [0, 5] {
        let table = table(&[added(0), SourceNews::Truncated { source: 0, lost_at_least }]);
        let lag = table.lag().expect("sources are followed");
        assert_eq!((lag.bytes_lost, lag.is_lost_unknown), (lost_at_least, true));
        assert!(live(&table, 0).is_lost_unknown);
    }
}

#[test]
fn trouble_is_said_until_it_is_over_and_counted_once() {
    let failed =
        |message: &str| SourceNews::Failed { source: 0, kind: FaultKind::Unreadable, message: message.to_owned() };
    let mut table = table(&[added(0)]);
    let sample = table.hear(&failed("permission denied")).expect("a sample");
    assert_eq!((sample.kind, &*sample.message, sample.node), (FaultKind::Unreadable, "permission denied", None));
    assert_eq!(table.hear(&failed("permission denied")), None);
    table.refresh(Instant::now());
    assert_eq!(live(&table, 0).trouble.as_deref(), Some("permission denied"));
    assert_eq!(table.view().listed[0].fault.as_deref(), Some("permission denied"));
    table.hear(&SourceNews::Restored { source: 0, how: crate::metrics::Restored::Readable });
    table.refresh(Instant::now());
    assert_eq!((live(&table, 0).trouble, table.view().listed[0].fault.clone()), (None, None));
    assert!(table.hear(&failed("permission denied")).is_some());
    assert_eq!(table.fault_counts()[&FaultKind::Unreadable], 2);
}

#[test]
fn a_followed_source_is_judged_only_when_the_run_is_over() {
    let mut table = table(&[added(0)]);
    table.absorb(0, &block(0, 10));
    let judged = |table: &SourceTable, state| {
        let totals = table.totals(state);
        (totals.complete, totals.incomplete, totals.untiled, totals.bytes_covered, totals.bytes_expected)
    };
    assert_eq!(judged(&table, RunState::Running), (0, 1, 0, 0, 0));
    assert_eq!(judged(&table, RunState::Finished), (1, 0, 1, 10, 0), "more than was handed over");
    table.hear(&SourceNews::Segment { source: 0, start: 0, end: 10 });
    assert_eq!(judged(&table, RunState::Draining), (0, 1, 0, 0, 0));
    assert_eq!(judged(&table, RunState::Finished), (1, 0, 0, 10, 10));
    // The file is rotated, and another one begins.
    table.hear(&SourceNews::Segment { source: 0, start: 0, end: 4 });
    assert_eq!(judged(&table, RunState::Finished), (1, 0, 1, 10, 14), "less than was handed over");
    assert_eq!(judged(&table, RunState::Interrupted), (0, 1, 0, 0, 0), "it was made to stop");
    table.absorb(0, &block(0, 4));
    assert_eq!(judged(&table, RunState::Interrupted), (1, 0, 0, 14, 14));
    table.absorb(0, &block(0, 4));
    assert_eq!(judged(&table, RunState::Interrupted).2, 1, "twice is never right");
}

#[test]
fn the_next_part_goes_on_and_a_rewound_one_begins_anew() {
    let news = [added(0), SourceNews::Segment { source: 0, start: 0, end: 10 }];
    let mut first = table(&news);
    first.absorb(0, &block(0, 10));
    let mut next = first.clone().for_next_part(false);
    assert_eq!(next.totals(RunState::Running).records, 0);
    next.absorb(0, &block(10, 12));
    next.hear(&SourceNews::Segment { source: 0, start: 10, end: 12 });
    let totals = next.totals(RunState::Finished);
    assert_eq!((totals.records, totals.untiled, totals.bytes_covered), (1, 0, 12));
    let mut rewound = first.for_next_part(true);
    rewound.absorb(0, &block(4, 10));
    rewound.hear(&SourceNews::Segment { source: 0, start: 4, end: 10 });
    let totals = rewound.totals(RunState::Finished);
    assert_eq!((totals.records, totals.untiled, totals.bytes_covered), (1, 0, 6));
}

proptest! {
    /// Segments and blocks need not end in the same places, nor come in the same order.
    #[test]
    fn segments_prove_their_blocks(mut cuts in prop::collection::btree_set(1u64..100_000, 2..30), every in 1usize..5, doubled in any::<bool>(), which in any::<prop::sample::Index>()) {
        cuts.insert(0);
        let cuts: Vec<u64> = cuts.into_iter().collect();
        let last = cuts[cuts.len() - 1];
        let mut ends: Vec<u64> = cuts.iter().copied().step_by(every).chain([last]).collect();
        ends.dedup();
        let mut table = table(&[added(0)]);
        for pair in ends.windows(2) {
            table.hear(&SourceNews::Segment { source: 0, start: pair[0], end: pair[1] });
        }
        let blocks: Vec<SourceTally> = cuts.windows(2).rev().map(|pair| block(pair[0], pair[1])).collect();
        let odd = which.index(blocks.len());
        for (number, tally) in blocks.iter().enumerate() {
            if doubled || number != odd {
                table.absorb(0, tally);
            }
        }
        prop_assert_eq!(table.totals(RunState::Finished).untiled, u64::from(!doubled));
        table.absorb(0, &blocks[odd]);
        prop_assert_eq!(table.totals(RunState::Finished).untiled, u64::from(doubled));
    }
}
