//! What workers, the sink writer and the publisher share: shards, exchanges, and the last snapshot.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use arc_swap::ArcSwapOption;
use crossbeam_utils::CachePadded;

use super::{Layout, Published, delta::Exchange, shard::Shard};
use crate::snapshot::{Sink, Snapshot};

/// What one sink has written: by whoever writes to it, and nobody else.
#[derive(Debug, Default)]
struct Written {
    records: AtomicU64,
    bytes: AtomicU64,
}

/// How one sink gets on: told by whoever watches over its delivery, and nobody else.
#[derive(Debug, Default)]
struct Delivered {
    refused: AtomicU64,
    retries: AtomicU64,
    waiting_records: AtomicU64,
    waiting_bytes: AtomicU64,
    trouble: ArcSwapOption<String>,
}

/// How a sink gets on with what it was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Delivery {
    /// Records that were refused for good.
    pub(crate) refused: u64,
    /// How often something was tried again.
    pub(crate) retries: u64,
    /// Records that wait to be taken.
    pub(crate) waiting_records: u64,
    /// Bytes that wait to be taken.
    pub(crate) waiting_bytes: u64,
}

/// The shared side of a run's numbers. Every part of it has one writer.
pub(crate) struct Board {
    pub(crate) layout: Layout,
    /// One a worker.
    pub(crate) shards: Vec<CachePadded<Shard>>,
    /// One a worker.
    pub(crate) exchanges: Vec<CachePadded<Exchange>>,
    /// Counts publications: workers hand over when it has moved. Written by the publisher.
    pub(crate) epoch: CachePadded<AtomicU64>,
    /// What each sink has written. Written by the sink writer.
    written: Vec<Written>,
    /// How each sink gets on.
    delivered: Vec<Delivered>,
    pub(crate) published: Arc<Published>,
}

impl Board {
    /// A board for `workers` workers, with `first` as the first snapshot.
    pub(crate) fn new(workers: usize, layout: Layout, first: Snapshot) -> Self {
        let (nodes, sinks) = (first.graph.nodes.len(), first.graph.sinks.len());
        let published = Arc::new(Published::new(first));
        Self::over(published, workers, layout, nodes, sinks)
    }

    /// A board for the next part of a run, whose readers stay with `published`: `first` is published there.
    pub(crate) fn next(published: Arc<Published>, workers: usize, layout: Layout, first: Snapshot) -> Self {
        let (nodes, sinks) = (first.graph.nodes.len(), first.graph.sinks.len());
        published.publish(first);
        Self::over(published, workers, layout, nodes, sinks)
    }

    fn over(published: Arc<Published>, workers: usize, layout: Layout, nodes: usize, sinks: usize) -> Self {
        Self {
            shards: (0..workers).map(|_| CachePadded::new(Shard::new(layout.len()))).collect(),
            exchanges: (0..workers).map(|_| CachePadded::new(Exchange::new(nodes))).collect(),
            epoch: CachePadded::new(AtomicU64::new(0)),
            written: (0..sinks).map(|_| Written::default()).collect(),
            delivered: (0..sinks).map(|_| Delivered::default()).collect(),
            published,
            layout,
        }
    }

    /// Adds to what `sink` has written. Only the sink writer calls this.
    pub(crate) fn add_written(&self, sink: usize, records: u64, bytes: u64) {
        let add = |cell: &AtomicU64, more| cell.store(cell.load(Ordering::Relaxed) + more, Ordering::Relaxed);
        add(&self.written[sink].records, records);
        add(&self.written[sink].bytes, bytes);
    }

    /// Says what `sink` has done that posts. Only the publisher calls this.
    pub(crate) fn set_posted(&self, sink: usize, records: u64, bytes: u64) {
        self.written[sink].records.store(records, Ordering::Relaxed);
        self.written[sink].bytes.store(bytes, Ordering::Relaxed);
    }

    /// Says how `sink` gets on. Only who watches over its delivery calls this.
    pub(crate) fn set_delivery(&self, sink: usize, delivery: Delivery) {
        let to = &self.delivered[sink];
        to.refused.store(delivery.refused, Ordering::Relaxed);
        to.retries.store(delivery.retries, Ordering::Relaxed);
        to.waiting_records.store(delivery.waiting_records, Ordering::Relaxed);
        to.waiting_bytes.store(delivery.waiting_bytes, Ordering::Relaxed);
    }

    /// Says why `sink` does not get on now, or that it does. Only who watches over its delivery calls this; saying the
    /// same again costs nothing.
    pub(crate) fn set_sink_trouble(&self, sink: usize, trouble: Option<&str>) {
        let to = &self.delivered[sink].trouble;
        if to.load().as_deref().map(String::as_str) != trouble {
            to.store(trouble.map(|trouble| Arc::new(trouble.to_owned())));
        }
    }

    /// What `sink` has written, and how it gets on.
    pub(crate) fn sink(&self, sink: usize) -> Sink {
        let (written, delivered) = (&self.written[sink], &self.delivered[sink]);
        let read = |cell: &AtomicU64| cell.load(Ordering::Relaxed);
        Sink {
            records: read(&written.records),
            bytes_written: read(&written.bytes),
            refused: read(&delivered.refused),
            retries: read(&delivered.retries),
            waiting_records: read(&delivered.waiting_records),
            waiting_bytes: read(&delivered.waiting_bytes),
            trouble: delivered.trouble.load().as_deref().cloned(),
        }
    }
}
