//! Hands what the publisher knows to a thread that records it.
//!
//! Nothing is locked and nobody waits: the publisher leaves a snapshot, and the probes since the last one, in a mailbox
//! when an interval is over and the mailbox is empty; else they go with the next. Snapshots count up, so what is not
//! recorded now is part of the interval that is recorded then. Only at the end of a run the recorder is waited for.

#[cfg(test)]
mod tests;

use std::{
    io,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use crate::{
    limits,
    metrics::{History, Mailbox, Merger, Probes, Published},
    snapshot::Snapshot,
    store::Archive,
};

/// What is recorded next.
struct Letter {
    now: Arc<Snapshot>,
    probes: Vec<Probes>,
}

/// What the publisher and the recorder share.
struct Shared {
    next: Mailbox<Letter>,
    is_over: AtomicBool,
    published: Arc<Published>,
}

/// A run that is being recorded: the publisher's side.
pub(super) struct Recording {
    shared: Arc<Shared>,
    /// When what was left for the recorder last was taken.
    last: Arc<Snapshot>,
    /// How long an interval is at least.
    every: Duration,
    /// There until the recorder is waited for.
    thread: Option<JoinHandle<Tape>>,
}

/// What a thread records onto.
struct Tape {
    archive: Archive,
    /// Where the next interval begins.
    previous: Arc<Snapshot>,
    /// Probes that could not be recorded yet.
    pending: Vec<Probes>,
}

/// Opens the history in the state directory `state`.
pub(super) fn open(state: &Path) -> io::Result<Archive> {
    Archive::open(state)
}

impl Recording {
    /// Records onto `archive`, on a thread of its own, what is counted beyond what `published` shows now.
    pub(super) fn start(archive: Archive, published: Arc<Published>, merger: &mut Merger) -> io::Result<Self> {
        merger.keep_recent();
        let previous = published.latest();
        // What was recorded before takes a while to read; that it is recorded is known now.
        published.publish_history(archive.history());
        let shared = Arc::new(Shared { next: Mailbox::new(), is_over: AtomicBool::new(false), published });
        let tape = Tape { archive, previous: Arc::clone(&previous), pending: Vec::new() };
        let recorder = Arc::clone(&shared);
        let thread = thread::Builder::new().name("logweir-history".to_owned()).spawn(move || tape.run(&recorder))?;
        Ok(Self { shared, last: previous, every: limits::RECORDING_INTERVAL, thread: Some(thread) })
    }

    /// Leaves the snapshot that was just published to the recorder, if it is time and there is room.
    pub(super) fn note(&mut self, merger: &mut Merger) {
        let now = self.shared.published.latest();
        let passed = now.run.elapsed.saturating_sub(self.last.run.elapsed);
        if passed < self.every || !self.shared.next.is_empty() {
            return;
        }
        self.last = Arc::clone(&now);
        self.shared.next.put(Box::new(Letter { now, probes: merger.take_recent() }));
        self.wake();
    }

    fn wake(&self) {
        self.thread.iter().for_each(|thread| thread.thread().unpark());
    }

    /// Records the last interval, up to the last snapshot: `probes` are those that were not yet left for the recorder.
    /// Gives back the archive, for the next part of a run; `None` where the recorder panicked: the run is none the worse
    /// for it.
    pub(super) fn finish(mut self, probes: Vec<Probes>) -> Option<Archive> {
        self.shared.is_over.store(true, Ordering::Release);
        self.wake();
        let published = &self.shared.published;
        let Ok(mut tape) = self.thread.take()?.join() else {
            published.publish_history(History::troubled("the recorder panicked, which is a bug of logweir"));
            return None;
        };
        tape.record(Letter { now: published.latest(), probes }, published);
        Some(tape.archive)
    }
}

impl Drop for Recording {
    /// A run that does not begin is not recorded, and the recorder lets go of the directory.
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::Release);
        self.wake();
    }
}

impl Tape {
    /// Records until the run is over; the last interval is recorded by whoever ends it.
    fn run(mut self, shared: &Shared) -> Self {
        self.archive.load(&shared.is_over);
        shared.published.publish_history(self.archive.history());
        loop {
            // Asked first: what is left before the end is then found.
            let is_over = shared.is_over.load(Ordering::Acquire);
            match shared.next.take() {
                Some(letter) => self.record(*letter, &shared.published),
                None if is_over => return self,
                // Whoever leaves a letter, or ends the run, wakes this thread.
                None => thread::park_timeout(limits::RECORDING_INTERVAL),
            }
        }
    }

    /// Appends an interval; where that fails, it becomes a part of the next one.
    fn record(&mut self, letter: Letter, published: &Published) {
        for (number, probes) in letter.probes.into_iter().enumerate() {
            match self.pending.get_mut(number) {
                Some(pending) => pending.absorb(&probes),
                None => self.pending.push(probes),
            }
        }
        // The archive remembers why, and the server tells.
        if self.archive.append(&self.previous, &letter.now, &self.pending).is_ok() {
            self.previous = letter.now;
            self.pending.clear();
        }
        published.publish_history(self.archive.history());
    }
}
