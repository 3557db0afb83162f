//! Follows files that grow, through rotation, truncation and restarts.
//!
//! A [`Follower`] is driven from outside and is given the time: it looks at what is due, gives out what is there, block by
//! block, and says what happened. It never waits but in `wait`, never maps a file, and takes nothing for granted: which
//! file stands at a path (`identity`), that a file is what it was (`tail`), that events come (`watch`; sizes and
//! directories are polled whether they come or not).
//!
//! Sources are numbered by the paths where they were first seen. A file that is renamed stays with its source, and the
//! next file at the path comes into the same one, behind it: old before new.

mod batching;
mod catalog;
mod devices;
mod finished;
mod holes;
mod identity;
mod known;
mod listing;
mod next;
mod options;
mod resume;
mod rewind;
mod rotation;
mod scan;
mod sources;
mod standard;
mod tail;
mod tracked;
mod watch;

#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, VecDeque},
    fs::File,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

pub use options::{FollowError, FollowOptions, From};

pub(crate) use crate::place::PlaceChange;
use batching::Queue;
use catalog::Catalog;
use finished::Finished;
pub(crate) use identity::file_id;
use known::Known;
use listing::Listings;
use sources::Sources;
use standard::Standard;
use tail::Caps;
use tracked::Tracked;
use watch::Watch;

use crate::{
    limits,
    metrics::SourceNews,
    place::{FileId, KnownFile, Mark},
    record::SourceId,
};

/// Whole records of one file, in order.
#[derive(Debug)]
pub(crate) struct FollowBlock {
    /// Counts up, and is never given twice: what is given out again has another one.
    pub(crate) number: u64,
    /// Their source.
    pub(crate) source: SourceId,
    /// The path under which the source was first seen.
    pub(crate) path: Arc<Path>,
    /// Where the block stands in its file.
    pub(crate) offset: u64,
    /// The records. Empty where there are only changes to tell.
    pub(crate) bytes: Vec<u8>,
    /// Bytes of the last record that were left out because it is over the limit.
    pub(crate) cut_bytes: u64,
    /// The file that these bytes stand in, if there are any and it can be read again.
    pub(crate) rest: Option<Arc<File>>,
    /// The last record has no newline, and none will come.
    pub(crate) is_open: bool,
    /// The place behind the block. Streams have none.
    pub(crate) mark: Option<Mark>,
    /// What changed before `mark`, in order.
    pub(crate) changes: Vec<PlaceChange>,
}

/// Number of a file that is open; later ones are larger.
type Key = u64;

/// Follows files.
pub struct Follower {
    options: FollowOptions,
    catalog: Catalog,
    caps: Caps,
    files: BTreeMap<Key, Tracked>,
    /// Which those are, by device and inode.
    open: HashMap<(u64, u64), FileId>,
    next_key: Key,
    sources: Sources,
    queue: Queue,
    /// What the next block has to tell.
    changes: Vec<PlaceChange>,
    /// Places in files that could not be opened yet.
    known: Known,
    listings: Listings,
    /// Files that were read to their end and closed, in case they come back, or have to be read again.
    finished: VecDeque<Finished>,
    /// Files that are done, but that the state has to know until another one comes into their source.
    orphans: BTreeMap<SourceId, Vec<FileId>>,
    /// Sources of which something may have to be told.
    restless: BTreeSet<SourceId>,
    /// Paths whose files came after known ones, and so are read from their beginning.
    successors: BTreeSet<PathBuf>,
    watch: Option<Watch>,
    standard: Option<Standard>,
    is_turn_of_standard: bool,
    /// How many blocks were given out, and how many of them are acknowledged.
    given: u64,
    acknowledged: u64,
    next_scan: Instant,
    /// When the last scan was: a burst of events is not worth more than a few of them.
    last_scan: Option<Instant>,
    /// When events were listened to last.
    last_heard: Option<Instant>,
    /// When the next file is to be looked at.
    next_look: Instant,
    now: Instant,
    /// The disk space of removed files that was said last.
    held_bytes: u64,
    held_bytes_max: u64,
    held_files_max: usize,
    /// How many known files wait to be read to their end: they are not followed any more, and there is no room for them.
    waiting: usize,
    said_waiting: bool,
    said_too_many: bool,
    said_nfs: bool,
    /// Files that nobody knows begin where the options say, and not at their beginning.
    at_start: bool,
}

impl std::fmt::Debug for Follower {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Follower").field("files", &self.files.len()).finish_non_exhaustive()
    }
}

impl Follower {
    /// Begins to follow what `options` name. Files that are `known` go on at their marks.
    ///
    /// # Errors
    ///
    /// Only what is wrong with the options; what is wrong with files is news.
    pub fn new(mut options: FollowOptions, known: &[KnownFile], now: Instant) -> Result<Self, FollowError> {
        let catalog = Catalog::new(&options)?;
        options.partial_after = options.partial_after.or(options.until_eof.then_some(limits::PARTIAL_TIME));
        let mut listings = Listings::default();
        let (known, changes) = devices::as_of_now(known, &mut listings);
        let mut follower = Self {
            caps: Caps { block_bytes: options.block_bytes.max(1), record_bytes_max: options.record_bytes_max.max(1) },
            catalog,
            files: BTreeMap::new(),
            open: HashMap::new(),
            next_key: 0,
            sources: Sources::default(),
            queue: Queue::default(),
            changes,
            known: known.into_iter().collect(),
            listings,
            finished: VecDeque::new(),
            successors: BTreeSet::new(),
            orphans: BTreeMap::new(),
            restless: BTreeSet::new(),
            watch: None,
            standard: None,
            is_turn_of_standard: false,
            given: 0,
            acknowledged: 0,
            next_scan: now,
            last_scan: None,
            last_heard: None,
            next_look: now,
            now,
            held_bytes: 0,
            held_bytes_max: limits::HELD_BYTES,
            held_files_max: limits::HELD_FILES,
            waiting: 0,
            said_waiting: false,
            said_too_many: false,
            said_nfs: false,
            at_start: true,
            options,
        };
        follower.open_standard();
        follower.start_watch();
        follower.start();
        follower.at_start = false;
        follower.next_scan = tracked::later(now, limits::LOOK_INTERVAL);
        Ok(follower)
    }

    /// Looks at what is due: events, sizes, identities, directories. Cheap to call often.
    pub(crate) fn look(&mut self, now: Instant) {
        self.now = self.now.max(now);
        let now = self.now;
        self.hear_events(now);
        // A scan looks at most files too, and a look at a file may ask for a scan.
        if now >= self.next_scan {
            self.scan(now);
        }
        if now >= self.next_look {
            self.look_at_files(now);
        }
        if now >= self.next_scan {
            self.scan(now);
        }
    }

    /// Waits until there may be something to do, at most for `most`.
    pub(crate) fn wait(&mut self, most: Duration) {
        if !self.changes.is_empty() || self.queue.is_ready(self.now) {
            return;
        }
        let due = [Some(self.next_look), Some(self.next_scan), self.queue.next_due()];
        let next = due.into_iter().flatten().min().unwrap_or(self.now);
        // `now` was true when it was said; a little time has passed since.
        let time = most.min(next.saturating_duration_since(self.now));
        watch::wait(self.watch.as_ref(), self.standard.as_ref(), time);
    }

    /// What happened since it was last asked for.
    pub(crate) fn news(&mut self) -> impl Iterator<Item = SourceNews> + use<> {
        self.tell_progress();
        std::mem::take(&mut self.sources.news).into_iter()
    }

    /// True when everything that is there now was given out, and no last line waits for its newline that will be taken
    /// without it.
    pub(crate) fn is_at_end(&self) -> bool {
        let is_over = self.standard.as_ref().is_none_or(Standard::is_over);
        let takes_partial = self.options.partial_after.is_some();
        let waits = self.files.values().any(|file| file.after.is_some() || (takes_partial && file.waits_for_newline()));
        is_over && !waits && self.waiting == 0 && self.queue.is_empty() && self.changes.is_empty()
    }

    /// How many blocks were given out: the number of the next one.
    pub(crate) fn blocks_given(&self) -> u64 {
        self.given
    }

    /// True while some of what came by standard input may have to be given out again.
    pub(crate) fn owes_stream(&self) -> bool {
        self.standard.as_ref().is_some_and(Standard::is_owing)
    }

    /// True when nothing more will come, or nothing more is wanted, and everything was given out.
    pub(crate) fn is_over(&self) -> bool {
        let is_stream_alone = self.catalog.paths().is_empty();
        (is_stream_alone || !self.is_waiting()) && self.is_at_end()
    }

    /// True unless it ends when all that is there was given out.
    pub(crate) fn is_waiting(&self) -> bool {
        !self.options.until_eof
    }

    /// Says of each file what was given out of it in one stretch, as when the stretch ended there.
    pub(crate) fn end_segments(&mut self) {
        let keys: Vec<Key> = self.files.keys().copied().collect();
        keys.into_iter().for_each(|key| self.end_segment(key));
        if let Some(standard) = &mut self.standard {
            let (source, segment) = standard.end_segment();
            self.sources.segment(source, segment);
        }
    }

    /// Ends the stretch of a file at its place.
    fn end_segment(&mut self, key: Key) {
        if let Some(file) = self.files.get_mut(&key) {
            let start = std::mem::replace(&mut file.segment, file.tail.offset);
            self.sources.segment(file.source, start..file.tail.offset);
        }
    }

    /// What is known of places before the next block.
    pub(crate) fn take_changes(&mut self) -> Vec<PlaceChange> {
        std::mem::take(&mut self.changes)
    }

    /// Files that are written by this process, by device and inode: they are not followed, whatever they are called.
    pub(crate) fn leave_out(&mut self, identities: impl IntoIterator<Item = (u64, u64)>) {
        self.catalog.leave_out(identities);
    }

    /// Device and inode of all files that are open.
    pub(crate) fn identities(&self) -> BTreeSet<(u64, u64)> {
        self.files.values().map(Tracked::identity).collect()
    }
}
