//! Keeps checkpoints: folds what every sink has acknowledged, makes sure that it is on disk, and saves.
//!
//! A place moves only past blocks that all sinks have, in order, without a gap; and only after what was written for them
//! would survive a loss of power.

use std::{
    collections::{BTreeMap, VecDeque},
    io,
    path::{Path, PathBuf},
    sync::atomic::Ordering,
    time::Instant,
};

use jiff::Timestamp;

use super::{
    RunError, Shared,
    backoff::Backoff,
    delivery::{Deliveries, Delivery},
    trouble::Noticed,
};
use crate::{
    limits,
    metrics::SinkTotals,
    place::{FileId, KnownFile, PlaceChange, SinkMark},
    sink::{Kept, put_aside},
    store::{Checkpoint, Store},
};

/// A file that is written.
pub(super) struct Written {
    pub(super) file: Kept,
    /// Its path; none for standard output.
    path: Option<PathBuf>,
    /// It is written exactly once: then checkpoints remember how long it is.
    is_exact: bool,
    /// How long it is on disk for sure.
    synced: u64,
    /// It was said that somebody else writes to it.
    is_told: bool,
}

impl Written {
    /// A file that is `length` bytes long.
    pub(super) fn new(file: Kept, path: Option<PathBuf>, is_exact: bool, length: u64) -> Self {
        Self { file, path, is_exact, synced: length, is_told: false }
    }

    /// Makes sure of its first `length` bytes.
    fn sync(&mut self, length: u64) -> Result<(), (io::Error, Option<Suspect>)> {
        if self.synced == length {
            return Ok(());
        }
        self.file.sync().map_err(|error| (error, self.suspect()))?;
        self.synced = length;
        Ok(())
    }

    /// What is to be said, once, if it is to be written exactly once and somebody else was seen to write to it.
    fn notice(&mut self) -> Option<String> {
        let path = self.path.as_ref().filter(|_| self.is_exact && self.file.is_shared() && !self.is_told)?.display();
        self.is_told = true;
        Some(format!(
            "{path}: somebody else writes to it too, or cuts it: nothing is cut off it from now on, and after a crash some \
             lines may stand in it twice; let nobody else write to it, and rename it instead of truncating it"
        ))
    }

    fn suspect(&self) -> Option<Suspect> {
        let length = (self.is_exact && !self.file.is_shared()).then_some(self.synced);
        self.path.clone().map(|path| Suspect { path, identity: self.file.identity(), length })
    }
}

/// A file that could not be synced. The system may have thrown away what it could not write, and tells it only once: so
/// nothing is ever written behind that.
#[derive(Debug)]
pub(super) struct Suspect {
    path: PathBuf,
    identity: (u64, u64),
    /// Up to where it was synced before, where what is behind that will be written again.
    length: Option<u64>,
}

impl Suspect {
    /// Puts it aside, so that a new one is begun in its place, and says so. Nobody writes to it any more.
    pub(super) fn put_aside(&self) -> String {
        let path = self.path.display();
        match put_aside(&self.path, self.identity, self.length) {
            Ok(Some(aside)) => {
                let part =
                    self.length.map_or_else(String::new, |length| format!(", cut to the {length} bytes that are"));
                let aside = aside.display();
                format!("{path}: not all of it is on disk; it is now {aside}{part}, and a new file is begun")
            }
            Ok(None) => format!("{path}: not all of it was on disk, and it stands there no more"),
            Err(error) => format!("{path}: not all of it is on disk, and it cannot be put aside: {error}"),
        }
    }
}

/// What keeps the checkpoints of one session.
pub(super) struct Keeper<'r> {
    shared: &'r Shared,
    store: Option<&'r mut Store>,
    /// One an outlet, then one for dead letters; none where nothing stays.
    written: Vec<Option<Written>>,
    /// How long they are at the present places.
    lengths: Vec<u64>,
    /// What the last checkpoint says, and the next one changes.
    known: Checkpoint,
    files: BTreeMap<FileId, KnownFile>,
    /// What was counted in this session, cell by cell, and sink by sink.
    cells: Vec<u64>,
    sinks: Vec<SinkTotals>,
    /// What those that post had done when it was last saved, with their numbers.
    posted: Vec<(usize, SinkTotals)>,
    waiting: VecDeque<Delivery>,
    folded: u64,
    /// The last state that was made sure of, and how many blocks it covers. Files and what was written for them fit
    /// together only here: a session that fails is gone on with from this, whatever was folded since.
    sure: (Checkpoint, u64),
    /// What could not be synced.
    suspect: Option<Suspect>,
    schedule: Schedule,
}

/// When to save.
#[derive(Debug)]
struct Schedule {
    /// Since when there is something that is not saved.
    changed: Option<Instant>,
    backoff: Backoff,
}

impl Schedule {
    /// There is something to be saved.
    fn change(&mut self, now: Instant) {
        self.changed.get_or_insert(now);
    }

    fn is_due(&self, now: Instant, is_over: bool) -> bool {
        let is_late = self.changed.is_some_and(|since| now.saturating_duration_since(since) >= limits::SAVE_DELAY);
        self.changed.is_some() && (is_over || (is_late && self.backoff.is_over()))
    }

    /// All is saved.
    fn saved(&mut self) {
        self.changed = None;
        self.backoff.reset();
    }
}

/// How keeping ended.
#[derive(Debug)]
pub(super) struct KeptUp {
    /// The last state for which everything that was written is on disk, whether it could be saved or not.
    pub(super) checkpoint: Checkpoint,
    /// How many blocks it covers.
    pub(super) folded: u64,
    /// It is on disk.
    pub(super) is_saved: bool,
    /// What could not be synced.
    pub(super) suspect: Option<Suspect>,
}

impl<'r> Keeper<'r> {
    /// A keeper that goes on from `known`.
    pub(super) fn new(
        shared: &'r Shared,
        store: Option<&'r mut Store>,
        written: Vec<Option<Written>>,
        known: Checkpoint,
    ) -> Self {
        let files = known.files.iter().map(|file| (file.mark.id, file.clone())).collect();
        let lengths = written.iter().map(|written| written.as_ref().map_or(0, |written| written.synced)).collect();
        Self {
            store,
            written,
            lengths,
            sure: (known.clone(), 0),
            known,
            files,
            cells: vec![0; shared.board.layout.len()],
            sinks: vec![SinkTotals::default(); shared.pipeline.sinks.len()],
            posted: Vec::new(),
            waiting: VecDeque::new(),
            folded: 0,
            suspect: None,
            // The files that are written may be others than before.
            schedule: Schedule { changed: Some(Instant::now()), backoff: Backoff::new(limits::SAVE_RETRY) },
            shared,
        }
    }

    /// Saves what is known before anything is written: how long files are then, and where reading begins. Without that,
    /// what is written before the first checkpoint would stand there twice after a crash.
    pub(super) fn begin(&mut self, changes: Vec<PlaceChange>) -> Result<(), RunError> {
        changes.into_iter().for_each(|change| self.change(change));
        self.save(false)
    }

    /// Keeps until no more comes.
    pub(super) fn run(mut self, deliveries: &Deliveries) -> KeptUp {
        loop {
            // In this order: what was put before the end was said is found after it was heard.
            let is_over = deliveries.is_over();
            while self.waiting.len() < limits::DELIVERIES
                && let Some(delivery) = deliveries.take()
            {
                self.waiting.push_back(delivery);
            }
            self.fold();
            if is_over && (self.written_exactly() || self.shared.posts.totals().ne(self.posted.iter().copied())) {
                self.schedule.change(Instant::now());
            }
            if self.schedule.is_due(Instant::now(), is_over)
                && let Err(error) = self.save(is_over)
            {
                deliveries.abandon();
                self.shared.fail(error);
                return self.end();
            }
            if is_over {
                return self.end();
            }
            deliveries.wait();
        }
    }

    /// Some file is: then the last checkpoint says that nothing more came behind its mark.
    fn written_exactly(&self) -> bool {
        self.written.iter().flatten().any(|written| written.is_exact)
    }

    fn end(self) -> KeptUp {
        let (checkpoint, folded) = self.sure;
        KeptUp { checkpoint, folded, is_saved: self.schedule.changed.is_none(), suspect: self.suspect }
    }

    /// Takes in the blocks that every sink has.
    fn fold(&mut self) {
        let acknowledged = self.shared.acknowledged();
        while let Some(delivery) = self.waiting.pop_front_if(|delivery| delivery.number < acknowledged) {
            self.schedule.change(Instant::now());
            self.folded += 1;
            self.cells.iter_mut().zip(&delivery.counts).for_each(|(cell, more)| *cell += more);
            for (sink, more) in self.sinks.iter_mut().zip(&delivery.written) {
                sink.add(*more);
            }
            self.lengths = delivery.lengths;
            let Some(places) = delivery.places else { continue };
            places.changes.into_iter().for_each(|change| self.change(change));
            if let Some(mark) = places.mark {
                let new = || KnownFile { path: absolute(&places.path), mark };
                self.files.entry(mark.id).or_insert_with(new).mark = mark;
            }
        }
    }

    fn change(&mut self, change: PlaceChange) {
        match change {
            PlaceChange::Placed(file) => {
                let file = KnownFile { path: absolute(&file.path), mark: file.mark };
                self.files.insert(file.mark.id, file);
            }
            PlaceChange::Forgotten(id) => {
                self.files.remove(&id);
            }
            PlaceChange::Moved { id, path } => {
                if let Some(file) = self.files.get_mut(&id) {
                    file.path = absolute(&path);
                }
            }
        }
    }

    /// Makes sure of what was written, and saves. What cannot be made sure of ends the session; what cannot be saved is
    /// tried again.
    fn save(&mut self, is_last: bool) -> Result<(), RunError> {
        let sinks = self.sync(is_last)?;
        self.known.sinks.clone_from(&sinks);
        self.sure = (self.checkpoint(sinks), self.folded);
        if let Some(live) = &self.shared.live {
            live.sure.store(self.folded, Ordering::Release);
        }
        let Some(store) = &mut self.store else {
            self.schedule.saved();
            return Ok(());
        };
        match store.save(&self.sure.0) {
            Ok(()) => {
                self.schedule.saved();
                self.shared.troubles.end(Noticed::Keeping);
            }
            Err(error) => {
                let cause = format!("cannot save a checkpoint in {}: {error}", store.dir().display());
                if is_last {
                    return Err(RunError::Keep { message: cause });
                }
                self.shared.troubles.begin(Noticed::Keeping, cause, "make room, or mend the disk; it is tried again");
                self.schedule.backoff.next();
            }
        }
        Ok(())
    }

    /// Waits until all that was written is on disk. Returns the marks of those that are written exactly once.
    fn sync(&mut self, is_last: bool) -> Result<Vec<SinkMark>, RunError> {
        let mut marks = Vec::new();
        for (written, &length) in self.written.iter_mut().zip(&self.lengths) {
            let Some(written) = written else { continue };
            let error = |error: io::Error| RunError::Keep {
                message: format!("cannot make sure that what was written is on disk: {error}"),
            };
            if let Err((failed, suspect)) = written.sync(length) {
                self.suspect = suspect;
                return Err(error(failed));
            }
            if let Some(path) = written.path.as_ref().filter(|_| written.is_exact) {
                marks.push(written.file.mark(path, length, is_last).map_err(error)?);
            }
            if let Some((live, notice)) = self.shared.live.as_ref().zip(written.notice()) {
                // There is room for one of each.
                let _ = live.notices.push(notice);
            }
        }
        // Files that no sink writes now may be written again by a later pipeline.
        let others = self.known.sinks.iter().filter(|known| marks.iter().all(|mark| mark.path != known.path));
        let others: Vec<SinkMark> = others.cloned().collect();
        marks.extend(others);
        Ok(marks)
    }

    fn checkpoint(&mut self, sinks: Vec<SinkMark>) -> Checkpoint {
        self.posted = self.shared.posts.totals().collect();
        let mut totals = self.known.totals.clone();
        let graph = self.shared.pipeline.graph();
        totals.add_cells(graph, &self.shared.board.layout, &self.cells);
        for (number, more) in self.sinks.iter().copied().enumerate().chain(self.posted.iter().copied()) {
            totals.add_sink(&graph.sinks[number].id, more);
        }
        Checkpoint {
            saved: Timestamp::now(),
            since: self.known.since,
            files: self.files.values().cloned().collect(),
            sinks,
            totals,
        }
    }
}

/// A path that means the same wherever the next process is started.
fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// Blocks are acknowledged every millisecond for ten seconds. However that falls, none waits for longer than it may,
    /// and saving is not done for each of them.
    #[test]
    fn what_is_acknowledged_is_saved_in_time_and_not_one_by_one() {
        const MILLISECOND: Duration = Duration::from_millis(1);
        let mut schedule = Schedule { changed: None, backoff: Backoff::new(limits::SAVE_RETRY) };
        let begun = Instant::now();
        let (mut saves, mut waiting, mut longest) = (0, None, Duration::ZERO);
        for now in (0..10_000).map(|number| begun + number * MILLISECOND) {
            assert!(!schedule.is_due(now, true) || waiting.is_some(), "nothing is saved twice");
            schedule.change(now);
            let since = *waiting.get_or_insert(now);
            if schedule.is_due(now, false) {
                longest = longest.max(now - since);
                (saves, waiting) = (saves + 1, None);
                schedule.saved();
            }
        }
        assert!(longest <= limits::SAVE_DELAY + MILLISECOND, "{longest:?}");
        assert!((300..=500).contains(&saves), "{saves} times in ten seconds");
        schedule.change(begun);
        assert!(schedule.is_due(begun, true), "nothing waits at the end");
    }

    #[test]
    fn what_cannot_be_saved_is_tried_again_later() {
        let mut schedule = Schedule { changed: None, backoff: Backoff::new(limits::SAVE_RETRY) };
        let now = Instant::now();
        schedule.change(now);
        schedule.backoff.next();
        assert!(!schedule.is_due(now + limits::SAVE_DELAY, false) && schedule.is_due(now, true));
        schedule.saved();
        schedule.change(now);
        assert!(schedule.is_due(now + limits::SAVE_DELAY, false));
    }
}
