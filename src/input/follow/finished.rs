//! Files that were read to their end: closed, remembered in case they come back, and held open as long as some of what was
//! given out of them may have to be given out again.

use std::{
    collections::{HashMap, VecDeque},
    fs::{File, Metadata},
    os::unix::fs::MetadataExt,
};

use super::{Follower, Key, known::identity, rotation::Ending, tail::Tail, tracked::Tracked};
use crate::{
    limits,
    metrics::SourceNews,
    place::{FileId, KnownFile, Mark},
    record::SourceId,
};

/// A file that was read to its end.
#[derive(Debug)]
pub(super) struct Finished {
    pub(super) source: SourceId,
    pub(super) known: KnownFile,
    /// Where reading began.
    origin: Mark,
    /// All of it is delivered when all blocks before this number are.
    owes_until: u64,
    /// Held until then: nobody may find it by its name any more when it has to be read again.
    file: Option<File>,
    /// It may come back under another name.
    pub(super) may_return: bool,
}

impl Finished {
    /// The disk space that nobody else needs any more.
    fn held_bytes(&self) -> u64 {
        let metadata = self.file.as_ref().and_then(|file| file.metadata().ok());
        metadata.filter(|metadata| metadata.nlink() == 0).map_or(0, |metadata| disk_bytes(&metadata))
    }
}

/// What is to be given out again of a file that is not open: so many bytes of its source.
struct Owed {
    source: SourceId,
    id: FileId,
    bytes: u64,
}

impl Follower {
    /// Remembers a file that cannot be found, if some of it may have to be given out again.
    pub(super) fn remember_owed(&mut self, tracked: Tracked) {
        self.remember_finished(tracked, Ending::GivenUp);
    }

    /// Remembers a file that is done with.
    pub(super) fn remember_finished(&mut self, tracked: Tracked, ending: Ending) {
        let may_return = !tracked.is_removed && ending == Ending::Quiet;
        let is_owed = tracked.owes_until > self.acknowledged;
        if !may_return && !is_owed {
            return;
        }
        // Where it was given up, there is no room for it.
        let mark = tracked.mark();
        let file = tracked.file.filter(|_| is_owed && ending == Ending::Quiet);
        self.finished.push_back(Finished {
            source: tracked.source,
            known: KnownFile { path: tracked.path, mark },
            origin: tracked.origin,
            owes_until: tracked.owes_until,
            file,
            may_return,
        });
        let held = self.finished.iter().filter(|finished| finished.file.is_some()).count();
        if held > self.held_files_max {
            self.release_oldest_finished();
        }
        self.bound_finished();
    }

    /// Forgets the oldest of those of which nothing is owed. What is owed is bounded by the blocks that are under way.
    fn bound_finished(&mut self) {
        let acknowledged = self.acknowledged;
        while self.finished.len() > limits::FINISHED_FILES {
            let oldest = self.finished.iter().position(|finished| finished.owes_until <= acknowledged);
            let Some(oldest) = oldest else { return };
            self.finished.remove(oldest);
        }
    }

    /// Forgets what had the inode of `id`, but for what is owed.
    pub(super) fn forget_finished(&mut self, id: FileId) {
        let acknowledged = self.acknowledged;
        self.finished.retain_mut(|finished| {
            let is_it = identity(finished.known.mark.id) == identity(id);
            finished.may_return &= !is_it;
            !is_it || finished.owes_until > acknowledged
        });
    }

    /// Finished files that came back and are open: what is owed of them begins where they were begun the first time.
    pub(super) fn inherit_owed(&mut self) {
        let acknowledged = self.acknowledged;
        let mut keys: HashMap<FileId, Key> = HashMap::new();
        keys.extend(self.files.iter().map(|(&key, tracked)| (tracked.tail.id, key)));
        // The oldest one last: reading began there.
        for finished in self.finished.iter().rev().filter(|finished| finished.owes_until > acknowledged) {
            let key = keys.get(&finished.known.mark.id);
            if let Some(tracked) = key.and_then(|key| self.files.get_mut(key)) {
                tracked.origin = finished.origin;
            }
        }
        self.finished.retain(|finished| !keys.contains_key(&finished.known.mark.id));
    }

    /// Closes the file that was held for the longest time. If it must be read again, it has to be found.
    fn release_oldest_finished(&mut self) -> bool {
        let oldest = self.finished.iter_mut().find(|finished| finished.file.is_some());
        oldest.is_some_and(|finished| finished.file.take().is_some())
    }

    /// Every block before the one of this number was delivered for good: it will not be asked for again.
    pub(crate) fn acknowledge(&mut self, number: u64) {
        if number <= self.acknowledged {
            return;
        }
        self.acknowledged = number;
        if let Some(standard) = &mut self.standard {
            standard.acknowledge(number);
        }
        for finished in self.finished.iter_mut().filter(|finished| finished.owes_until <= number) {
            finished.file = None;
        }
        self.finished.retain(|finished| finished.may_return || finished.owes_until > number);
        self.bound_finished();
    }

    /// Takes up finished files again of which something is owed, behind what is `known` of them, or where they were
    /// begun. Where they are not held, they are looked for with all others; see `tell_lost`.
    pub(super) fn take_back_finished(&mut self, known: &HashMap<FileId, &KnownFile>) -> Lost {
        let acknowledged = self.acknowledged;
        let all = std::mem::take(&mut self.finished);
        let (owed, done): (VecDeque<_>, _) = all.into_iter().partition(|finished| finished.owes_until > acknowledged);
        self.finished = done;
        let mut lost = Vec::new();
        for finished in owed {
            let id = finished.known.mark.id;
            let mark = known.get(&id).map_or(finished.origin, |known| known.mark);
            if let Some(file) = finished.file {
                let tail = self.tail_again(&file, finished.source, &mark);
                let mut tracked = Tracked::new(finished.source, finished.known.path, file, tail, self.now);
                tracked.is_wanted = false;
                tracked.is_removed = !finished.may_return;
                tracked.leaving = Some(self.now);
                self.insert(tracked);
                continue;
            }
            let bytes = finished.known.mark.offset.saturating_sub(mark.offset);
            lost.push(Owed { source: finished.source, id, bytes });
            if !known.contains_key(&id) {
                self.known.put(KnownFile { path: finished.known.path, mark });
            }
        }
        Lost(lost)
    }

    /// The place `mark` in a file that is read again, or its beginning if it is not there any more.
    pub(super) fn tail_again(&mut self, file: &File, source: SourceId, mark: &Mark) -> Tail {
        let place = Tail::proven(file, mark.id, mark).ok().flatten();
        place.unwrap_or_else(|| self.begun_anew(mark.id, source, mark))
    }

    /// What is missing of `lost` is known to the byte: nobody else needs to say that it is.
    pub(super) fn expect_lost(&mut self, Lost(lost): &Lost) {
        lost.iter().for_each(|owed| self.known.set_over(owed.id, true));
    }

    /// Says what of `lost` is nowhere to be found.
    pub(super) fn tell_lost(&mut self, Lost(lost): &Lost) {
        for Owed { source, id, bytes } in lost {
            let is_waited_for = self.known.get(*id).is_some();
            self.known.set_over(*id, false);
            if *bytes > 0 && !self.is_open(*id) && !is_waited_for {
                self.sources.news.push(SourceNews::Lost { source: *source, bytes: Some(*bytes) });
            }
        }
    }

    /// Says how much room removed files take that are still open, and gives up the oldest ones where it is too much;
    /// first those that were read to their end.
    pub(super) fn bound_held(&mut self) {
        loop {
            let removed = self.files.iter().filter(|(_, tracked)| tracked.is_removed && tracked.file.is_some());
            let (read, oldest) = removed.fold((0u64, None), |(bytes, oldest): (u64, Option<Key>), (&key, tracked)| {
                (bytes.saturating_add(tracked.seen.disk_bytes), oldest.or(Some(key)))
            });
            let finished = self.finished.iter().map(Finished::held_bytes).fold(0, u64::saturating_add);
            let bytes = read.saturating_add(finished);
            if bytes > self.held_bytes_max {
                if finished > 0 && self.release_oldest_finished() {
                    continue;
                }
                if let Some(key) = oldest {
                    self.finish(key, Ending::GivenUp);
                    continue;
                }
            }
            if std::mem::replace(&mut self.held_bytes, bytes) != bytes {
                self.sources.news.push(SourceNews::Held { bytes });
            }
            return;
        }
    }
}

/// What is lost unless it is found by its name.
pub(super) struct Lost(Vec<Owed>);

fn disk_bytes(metadata: &Metadata) -> u64 {
    metadata.blocks().saturating_mul(512)
}
