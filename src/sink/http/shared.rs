//! What the sink's thread and those who feed it share: a bounded queue, and words that each have one writer.

use std::{
    ops::Range,
    path::Path,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    time::Instant,
};

use arc_swap::ArcSwapOption;
use crossbeam_queue::ArrayQueue;
use jiff::Timestamp;
use tokio::sync::Notify;

use crate::{limits, record::SourceId, snapshot::Fault};

/// What is to be said of files and nobody has taken yet.
const NOTICES: usize = 4;

/// What one block has for the sink.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct HttpPiece {
    /// The records, with whatever stands between them.
    pub(crate) bytes: Vec<u8>,
    /// Where they are, in their order.
    pub(crate) records: Vec<HttpRecord>,
    /// The number of their source.
    pub(crate) source: SourceId,
}

/// One record of a piece.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HttpRecord {
    /// Its bytes in the piece; a newline at their end is not part of it.
    pub(crate) range: Range<u32>,
    /// The path of its source.
    pub(crate) source: Arc<Path>,
    /// What tells this source from others that had its path, and is the same after a restart; 0 where nothing does.
    pub(crate) identity: u64,
    /// Where it begins in its source.
    pub(crate) offset: u64,
    /// Its whole length there, line end included.
    pub(crate) length: u64,
}

impl HttpPiece {
    /// What it takes of the room, in bytes.
    pub(super) fn cost(&self) -> u64 {
        (self.bytes.len() + self.records.len() * size_of::<HttpRecord>()) as u64
    }

    /// The bytes of `record` without a newline.
    pub(super) fn line(&self, record: &HttpRecord) -> &[u8] {
        let bytes = &self.bytes[record.range.start as usize..record.range.end as usize];
        bytes.strip_suffix(b"\n").unwrap_or(bytes)
    }
}

/// A piece that was taken from the queue: it gives its room back when nobody needs it any more.
pub(super) struct Held {
    pub(super) piece: HttpPiece,
    shared: Arc<Shared>,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.shared.held.fetch_sub(self.piece.cost(), Ordering::Release);
        self.shared.wake();
    }
}

/// What a sink has done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct HttpNumbers {
    /// Records that were delivered.
    pub(crate) sent: u64,
    /// Records that were refused for good.
    pub(crate) refused: u64,
    /// How many of these are in the dead-letter file.
    pub(crate) letters: u64,
    /// Requests that were made.
    pub(crate) requests: u64,
    /// Requests that failed in a way that may pass.
    pub(crate) retries: u64,
    /// Bytes of the bodies that the server took, as they were sent; where it took some of the records of one, their share.
    pub(crate) bytes: u64,
    /// Records that wait or are under way.
    pub(crate) waiting_records: u64,
    /// Bytes of records that wait or are under way.
    pub(crate) waiting: u64,
}

/// [`HttpNumbers`] in the making; the sink's thread alone writes them.
#[derive(Debug, Default)]
pub(super) struct Counts {
    /// Records that came; whoever feeds the sink alone writes this.
    pub(super) given: AtomicU64,
    pub(super) sent: AtomicU64,
    pub(super) refused: AtomicU64,
    pub(super) letters: AtomicU64,
    pub(super) requests: AtomicU64,
    pub(super) retries: AtomicU64,
    pub(super) bytes: AtomicU64,
}

/// Adds to a count of which this thread is the only writer.
pub(super) fn add(count: &AtomicU64, more: usize) {
    count.store(count.load(Ordering::Relaxed) + more as u64, Ordering::Relaxed);
}

/// See the module.
pub(super) struct Shared {
    queue: ArrayQueue<(u64, HttpPiece)>,
    /// What all pieces take that wait or are under way.
    held: AtomicU64,
    room: u64,
    acknowledged: AtomicU64,
    /// Since when nothing gets on, in nanoseconds; 0 where all is well.
    troubled_since: AtomicI64,
    trouble: ArcSwapOption<Arc<str>>,
    failure: OnceLock<Arc<str>>,
    deadline: OnceLock<Instant>,
    /// Records that were refused, to be shown: the last ones that nobody has taken yet.
    refused: ArrayQueue<Fault>,
    /// What is to be said of files; the last of it.
    notices: ArrayQueue<String>,
    pub(super) counts: Counts,
    /// Something arrived, or the end was asked for.
    pub(super) arrived: Notify,
    /// The server takes records again.
    pub(super) recovered: Notify,
    wake: Box<dyn Fn() + Send + Sync>,
}

impl Shared {
    /// With room for `room` bytes; `wake` is called whenever there is news.
    pub(super) fn new(room: usize, wake: Box<dyn Fn() + Send + Sync>) -> Self {
        Self {
            queue: ArrayQueue::new(limits::HTTP_BACKLOG_BLOCKS),
            held: AtomicU64::new(0),
            room: room as u64,
            acknowledged: AtomicU64::new(0),
            troubled_since: AtomicI64::new(0),
            trouble: ArcSwapOption::empty(),
            failure: OnceLock::new(),
            deadline: OnceLock::new(),
            refused: ArrayQueue::new(limits::FAULT_SAMPLES),
            notices: ArrayQueue::new(NOTICES),
            counts: Counts::default(),
            arrived: Notify::new(),
            recovered: Notify::new(),
            wake,
        }
    }

    /// Lets a piece in if there is room. A piece that is larger than all the room gets in alone.
    pub(super) fn put(&self, number: u64, piece: HttpPiece) -> Result<(), HttpPiece> {
        let (held, cost, records) = (self.held.load(Ordering::Acquire), piece.cost(), piece.records.len());
        if held > 0 && held + cost > self.room {
            return Err(piece);
        }
        // Before it is in the queue: who takes it out gives its room back.
        self.held.fetch_add(cost, Ordering::Relaxed);
        if let Err((_, piece)) = self.queue.push((number, piece)) {
            self.held.fetch_sub(cost, Ordering::Relaxed);
            return Err(piece);
        }
        add(&self.counts.given, records);
        self.arrived.notify_one();
        Ok(())
    }

    pub(super) fn take(self: &Arc<Self>) -> Option<(u64, Arc<Held>)> {
        let (number, piece) = self.queue.pop()?;
        Some((number, Arc::new(Held { piece, shared: Arc::clone(self) })))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// All blocks with a smaller number are dealt with.
    pub(super) fn acknowledge(&self, number: u64) {
        self.acknowledged.store(number, Ordering::Release);
        self.wake();
    }

    pub(super) fn acknowledged(&self) -> u64 {
        self.acknowledged.load(Ordering::Acquire)
    }

    /// Asks for the end: what is there is sent until `deadline`.
    pub(super) fn close(&self, deadline: Instant) {
        _ = self.deadline.set(deadline);
        self.arrived.notify_one();
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.deadline.get().copied()
    }

    /// The sink is over, and the run with it.
    pub(super) fn fail(&self, why: String) {
        _ = self.failure.set(why.into());
        self.arrived.notify_one();
        self.wake();
    }

    pub(super) fn failure(&self) -> Option<Arc<str>> {
        self.failure.get().cloned()
    }

    /// Something does not get on; it is said since when.
    pub(super) fn troubled(&self, why: &str) {
        let now = Timestamp::now();
        let since = self.troubled_since.load(Ordering::Relaxed);
        let since = if since == 0 { now } else { Timestamp::from_nanosecond(since.into()).unwrap_or(now) };
        self.troubled_since.store(nanoseconds(since), Ordering::Relaxed);
        let since = since.strftime("%Y-%m-%dT%H:%M:%SZ");
        self.trouble.store(Some(Arc::new(Arc::from(format!("since {since}: {why}")))));
        self.wake();
    }

    /// It gets on again.
    pub(super) fn untroubled(&self) {
        if self.troubled_since.swap(0, Ordering::Relaxed) != 0 {
            self.trouble.store(None);
            self.recovered.notify_waiters();
            self.wake();
        }
    }

    /// Shows a record that was refused; an older one makes room for it.
    pub(super) fn show_refused(&self, fault: Fault) {
        drop(self.refused.force_push(fault));
    }

    pub(super) fn take_refused(&self) -> Option<Fault> {
        self.refused.pop()
    }

    /// Has something said that somebody should know.
    pub(super) fn notice(&self, words: &str) {
        // Where nobody says them, old ones go.
        self.notices.force_push(words.to_owned());
    }

    pub(super) fn take_notice(&self) -> Option<String> {
        self.notices.pop()
    }

    pub(super) fn trouble(&self) -> Option<Arc<str>> {
        self.failure().or_else(|| self.trouble.load().as_deref().map(Arc::clone))
    }

    pub(super) fn numbers(&self) -> HttpNumbers {
        let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let counts = &self.counts;
        let (sent, refused) = (of(&counts.sent), of(&counts.refused));
        HttpNumbers {
            sent,
            refused,
            // It may be dealt with before it is counted as given.
            waiting_records: of(&counts.given).saturating_sub(sent + refused),
            letters: of(&counts.letters),
            requests: of(&counts.requests),
            retries: of(&counts.retries),
            bytes: of(&counts.bytes),
            waiting: of(&self.held),
        }
    }

    fn wake(&self) {
        (self.wake)();
    }
}

/// `time` since the epoch, as long as that fits.
pub(super) fn nanoseconds(time: Timestamp) -> i64 {
    i64::try_from(time.as_nanosecond()).unwrap_or(i64::MAX)
}
