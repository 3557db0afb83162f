// The models, compiled once for each set of orderings. Not a module of its own: `main.rs` includes it.

use loom::{cell::UnsafeCell, sync::Arc, thread};

/// A plain number that loom watches: touching it from two threads without order between them is reported.
pub(crate) struct Watched(UnsafeCell<u64>);

// SAFETY: in these models it is reached by one thread after the other, which is what loom checks.
unsafe impl Send for Watched {}

impl Watched {
    fn new(value: u64) -> Self {
        Self(UnsafeCell::new(value))
    }

    fn get(&self) -> u64 {
        // SAFETY: as above.
        self.0.with(|value| unsafe { *value })
    }

    fn add(&self, more: u64) {
        // SAFETY: as above.
        self.0.with_mut(|value| unsafe { *value += more });
    }
}

/// Shard to publisher: two cells that always go together are never seen apart.
pub(crate) fn shard() {
    let shard = Arc::new(Shard::new(2));
    let owner = Arc::clone(&shard);
    let writer = thread::spawn(move || {
        for total in 1..=2 {
            owner.store(&[total, total * 10]);
        }
    });
    let mut totals = [0; 2];
    if shard.read(&mut totals) {
        assert_eq!(totals[0] * 10, totals[1], "a reading was torn");
    }
    writer.join().unwrap();
    assert!(shard.read(&mut totals), "nobody writes any more");
    assert_eq!(totals, [2, 20]);
}

/// A worker's delta goes to the publisher and comes back empty.
pub(crate) fn hand_over() {
    let boxes = Arc::new((Mailbox::new(), Mailbox::new()));
    boxes.1.put(Box::new(Watched::new(0)));
    let worker_boxes = Arc::clone(&boxes);
    let worker = thread::spawn(move || {
        let (full, empty) = &*worker_boxes;
        for _ in 0..2 {
            if full.is_empty()
                && let Some(delta) = empty.take()
            {
                delta.add(1);
                full.put(delta);
            }
        }
    });
    let (full, empty) = &*boxes;
    let mut sum = 0;
    if let Some(delta) = full.take() {
        sum += delta.get();
        empty.put(Box::new(Watched::new(0)));
    }
    worker.join().unwrap();
    sum += full.take().map_or(0, |delta| delta.get());
    assert!((1..=2).contains(&sum), "{sum}");
}

/// End of run: the publisher takes what it sees, and the end takes the rest, from mailbox and worker.
pub(crate) fn end_of_run(drains_mailbox: bool) {
    let full = Arc::new(Mailbox::new());
    let worker_full = Arc::clone(&full);
    let worker = thread::spawn(move || {
        let mut delta = Box::new(Watched::new(0));
        delta.add(1);
        if worker_full.is_empty() {
            worker_full.put(std::mem::replace(&mut delta, Box::new(Watched::new(0))));
        }
        delta.add(2);
        delta
    });
    let mut sum = full.take().map_or(0, |delta| delta.get());
    let rest = worker.join().unwrap();
    if drains_mailbox {
        sum += full.take().map_or(0, |delta| delta.get());
    }
    sum += rest.get();
    assert_eq!(sum, 3, "something was lost or counted twice");
}

/// Publisher to reader: each snapshot is complete when it is seen, and none is older than the one before.
///
/// `arc-swap` itself is out of loom's sight (it has its stress test); a mailbox stands in for it, since both promise the
/// same: what was stored before the swap is seen by whoever gets the pointer.
pub(crate) fn publish_and_read() {
    let current = Arc::new(Mailbox::new());
    let publisher_current = Arc::clone(&current);
    let publisher = thread::spawn(move || {
        for sequence in 1..=2 {
            let snapshot = Box::new(Watched::new(0));
            snapshot.add(sequence);
            drop(publisher_current.take());
            publisher_current.put(snapshot);
        }
    });
    let mut last = 0;
    for _ in 0..2 {
        if let Some(snapshot) = current.take() {
            let sequence = snapshot.get();
            assert!(sequence > last, "a reader went back in time");
            last = sequence;
        }
    }
    publisher.join().unwrap();
}
