//! What loom cannot see into: `arc-swap` under stress. Versions before 1.9.5 could hand out what had been stored into
//! another instance, and 1.9.4 fixed a use after free; so there are several instances here, and all that is loaded is
//! looked at.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use super::*;
use crate::report::samples;

const INSTANCES: u64 = 3;

/// The snapshot with this number of this instance.
fn snapshot(base: &Snapshot, instance: u64, sequence: u64) -> Snapshot {
    let mut snapshot = base.clone();
    snapshot.sequence = sequence;
    snapshot.run.bytes_done = instance;
    // Something that depends on both, so that a mixture is noticed.
    snapshot.run.records_done = instance.wrapping_mul(sequence);
    snapshot.checksum = snapshot.checksum_expected();
    snapshot
}

/// Something new comes at least so often to each reader, however the system spreads readers and writers over its cores.
const NEWS_MIN: u64 = 300;

/// Loads from all of `places` in turn, `times` times and on until enough was new, and checks what comes.
fn load(places: &[Published], times: u64) {
    let mut last = [0; INSTANCES as usize];
    let mut kept = None;
    let (mut news, mut turn) = (0, 0);
    let start = Instant::now();
    while turn < times || news < NEWS_MIN {
        assert!(turn < times || start.elapsed() < Duration::from_secs(60), "nothing was published meanwhile: {news}");
        turn += 1;
        let instance = turn % INSTANCES;
        let found = places[instance as usize].latest();
        assert_eq!(found.checksum, found.checksum_expected(), "half of one and half of another");
        assert_eq!(found.run.bytes_done, instance, "it was stored into another instance");
        let last = &mut last[instance as usize];
        assert!(found.sequence >= *last, "it went back from {last} to {}", found.sequence);
        news += u64::from(found.sequence > *last);
        *last = found.sequence;
        // Some are kept for a while, as answers under way do.
        if turn % 7 == 0 {
            kept = Some(found);
        }
    }
    drop(kept);
}

#[test]
fn what_is_loaded_beside_a_writer_is_whole_and_never_older() {
    let is_long = std::env::var_os("LOGWEIR_LONG").is_some_and(|value| value == "1");
    let times = if is_long { 30_000_000 } else { 300_000 };
    let base = samples::clean();
    let places: Vec<_> = (0..INSTANCES).map(|instance| Published::new(snapshot(&base, instance, 1))).collect();
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        for (instance, place) in (0..).zip(&places) {
            let (base, is_over) = (&base, &is_over);
            scope.spawn(move || {
                let mut sequence = 2;
                while !is_over.load(Ordering::Relaxed) {
                    place.publish(snapshot(base, instance, sequence));
                    sequence += 1;
                }
            });
        }
        let readers: Vec<_> = (0..3).map(|_| scope.spawn(|| load(&places, times))).collect();
        let results: Vec<_> = readers.into_iter().map(|reader| reader.join()).collect();
        // Before anything is said about failures: the writers must end.
        is_over.store(true, Ordering::Relaxed);
        assert!(results.iter().all(Result::is_ok), "a reader saw what it must not see");
    });
}
