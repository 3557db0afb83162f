//! Thousands of files: what takes a moment for one must not take the square of that for all of them.

use std::{fs, time::Duration};

use super::support::{Bench, processor_time};
use crate::metrics::SourceNews;

const FILES: usize = 3_000;
/// Many times what it takes, and a fraction of what it took when each file was held against all others (2,000 rotated
/// files: 15 s).
const MOST: Duration = Duration::from_secs(3);

#[track_caller]
fn within(what: &str, work: impl FnOnce()) {
    let before = processor_time();
    work();
    let spent = processor_time().saturating_sub(before);
    println!("{what}: {spent:.2?}");
    assert!(spent < MOST, "{what}: {spent:?}");
}

fn lines(bench: &Bench) -> usize {
    bench.text().lines().count()
}

#[test]
fn thousands_of_files_are_begun_gone_on_with_rotated_and_rewound_in_a_moment() {
    let mut bench = Bench::of(&["."]);
    let path = |bench: &Bench, number: usize, end: &str| bench.path(&format!("app{number:05}.log{end}"));
    (0..FILES).for_each(|number| fs::write(path(&bench, number, ""), "1\n").unwrap());
    within("begun", || bench.start());
    assert_eq!((lines(&bench), bench.known.len()), (FILES, FILES));
    within("gone on with", || bench.start());
    assert_eq!(lines(&bench), FILES);
    bench.end();
    for number in 0..FILES {
        fs::rename(path(&bench, number, ""), path(&bench, number, ".1")).unwrap();
        fs::write(path(&bench, number, ""), "2\n").unwrap();
    }
    within("found rotated", || bench.start());
    assert_eq!(lines(&bench), 2 * FILES);
    bench.acknowledges = false;
    let known = bench.known.clone();
    for number in 0..FILES {
        fs::rename(path(&bench, number, ""), path(&bench, number, ".2")).unwrap();
        fs::write(path(&bench, number, ""), "3\n").unwrap();
    }
    within("rotated", || bench.poll_times(4));
    assert_eq!(lines(&bench), 3 * FILES);
    within("rewound", || {
        bench.rewind(known);
        bench.poll_times(2);
    });
    assert_eq!(lines(&bench), FILES);
    assert_eq!(bench.count(|news| matches!(news, SourceNews::Lost { .. })), 0);
}
