//! Giving out again what was given out in vain.

use std::collections::HashMap;

use super::{Follower, Key, PlaceChange, devices, known::identity};
use crate::{
    place::{Age, FileId, KnownFile},
    record::SourceId,
};

impl Follower {
    /// A session failed: everything behind the `known` places is given out again, and what came by standard input and is
    /// not acknowledged.
    pub(crate) fn rewind(&mut self, known: &[KnownFile]) {
        self.end_segments();
        self.changes.clear();
        // Those that the state has to know are found to be gone once more.
        self.orphans.clear();
        if let Some(standard) = &mut self.standard {
            standard.rewind();
        }
        let (known, changes) = devices::as_of_now(known, &mut self.listings);
        self.changes.extend(changes);
        let by_id: HashMap<FileId, &KnownFile> = known.iter().map(|known| (known.mark.id, known)).collect();
        self.inherit_owed();
        let keys: Vec<Key> = self.files.keys().copied().collect();
        for key in keys {
            self.rewind_file(key, &by_id);
        }
        let lost = self.take_back_finished(&by_id);
        for file in &known {
            let id = file.mark.id;
            match self.open.get(&identity(id)) {
                Some(open) if *open == id => {}
                // It was known before it could be opened, by its inode alone.
                Some(_) if id.generation.is_none() => self.changes.push(PlaceChange::Forgotten(id)),
                _ => self.known.put(file.clone()),
            }
        }
        // What could not be opened yet, and is not known to the state either: that was to be told.
        let unopened = self.known.iter().filter(|unopened| !by_id.contains_key(&unopened.mark.id));
        self.changes.extend(unopened.cloned().map(PlaceChange::Placed));
        self.expect_lost(&lost);
        let familiar = self.known.identities().collect();
        let found = self.catalog.find(&familiar);
        self.resume(&found);
        self.chain();
        self.tell_lost(&lost);
        self.next_scan = self.now;
    }

    fn rewind_file(&mut self, key: Key, known: &HashMap<FileId, &KnownFile>) {
        let now = self.now;
        let Some(tracked) = self.files.get(&key) else { return };
        let mark = known.get(&tracked.tail.id).map_or(tracked.origin, |known| known.mark);
        let Some(file) = tracked.file.as_ref().and_then(|file| file.try_clone().ok()) else {
            // It is taken up again where it is known to be, when it can be read again.
            self.known.put(KnownFile { path: tracked.path.clone(), mark });
            self.remove(key);
            return;
        };
        let tail = self.tail_again(&file, tracked.source, &mark);
        let Some(tracked) = self.files.get_mut(&key) else { return };
        tracked.tail = tail;
        tracked.segment = tracked.tail.offset;
        // What it was before may have been read and delivered: nobody is to say that it is lost.
        tracked.peak = tracked.tail.offset;
        tracked.forget_arrivals();
        tracked.ends = false;
        tracked.leaving = tracked.leaving.map(|_| now);
        tracked.last_block = None;
        self.restless.insert(tracked.source);
        self.place(key);
        self.queue.push(key);
    }

    /// Lets every file wait for the one before it in its source.
    pub(super) fn chain(&mut self) {
        let mut order: Vec<(SourceId, bool, Age, Key)> = Vec::new();
        for (&key, tracked) in &self.files {
            order.push((tracked.source, tracked.leaving.is_none(), tracked.age, key));
        }
        order.sort();
        let mut before: Option<(SourceId, Key)> = None;
        for (source, _, _, key) in order {
            if let Some(tracked) = self.files.get_mut(&key) {
                let after = before.filter(|&(other, _)| other == source).map(|(_, key)| key);
                (tracked.after, tracked.next) = (after, None);
                if let Some(before) = after.and_then(|before| self.files.get_mut(&before)) {
                    before.next = Some(key);
                }
            }
            self.sources.set_last(source, key);
            before = Some((source, key));
        }
    }
}
