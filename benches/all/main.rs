//! What each stage costs per byte, beside its naive twin and beside its limit. One module per module of `src`.
//!
//! `cargo bench` runs everything in a few minutes, `cargo bench -- level` one of them. A benchmark's name says what it
//! ran on: the size and a hash of the sample, so that numbers of different inputs are never compared. Numbers from a
//! machine that does other things meanwhile say nothing; ratios within one run say more.

mod end_to_end;
mod level;
mod matching;
mod sample;
mod split;

use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};

/// Enough for a stable median of what takes milliseconds, in a time that one waits for.
fn criterion() -> Criterion {
    let criterion = Criterion::default().sample_size(30);
    criterion.warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(2))
}

criterion_group! {
    name = benches;
    config = criterion();
    targets = split::bench, level::bench, matching::bench, end_to_end::bench
}
criterion_main!(benches);
