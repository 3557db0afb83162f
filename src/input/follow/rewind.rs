//! Giving out again what was given out in vain.

use std::collections::HashMap;

use super::{
    Follower, Key, PlaceChange,
    rotation::{Age, Finished},
    tail::Tail,
};
use crate::{
    input::discover::Identity,
    metrics::SourceNews,
    place::{FileId, KnownFile},
    record::SourceId,
};

impl Follower {
    /// A session failed: everything behind the `known` places is given out again. Bytes of streams, and of files that
    /// were removed and closed meanwhile, are gone.
    pub(crate) fn rewind(&mut self, known: &[KnownFile]) {
        self.end_segments();
        self.changes.clear();
        self.known.retain(|unopened| !known.iter().any(|known| known.mark.id == unopened.mark.id));
        // What could not be opened yet, and is not known to the state either: that was to be told.
        self.changes.extend(self.known.iter().cloned().map(PlaceChange::Placed));
        let keys: Vec<Key> = self.files.keys().copied().collect();
        for &key in &keys {
            let mark = known.iter().find(|known| self.files[&key].tail.id == known.mark.id);
            self.rewind_file(key, mark);
        }
        let open: HashMap<Identity, FileId> = self.files.values().map(|file| (file.identity(), file.tail.id)).collect();
        let mut closed: Vec<KnownFile> = Vec::new();
        for known in known {
            let id = known.mark.id;
            match open.get(&(id.device, id.inode)) {
                Some(open) if *open == id => {}
                // It was known before it could be opened, by its inode alone.
                Some(_) if id.generation.is_none() => self.changes.push(PlaceChange::Forgotten(id)),
                _ => closed.push(known.clone()),
            }
        }
        // Those that nobody acknowledged are read again from where they were begun.
        let unheard: Vec<Finished> = self.finished.drain(..).filter(|finished| !finished.is_acknowledged).collect();
        for finished in unheard {
            if !closed.iter().any(|known| known.mark.id == finished.known.mark.id) {
                self.known.push(KnownFile { mark: finished.origin, ..finished.known });
            }
        }
        self.known.extend(closed);
        let familiar = self.known.iter().map(|known| (known.mark.id.device, known.mark.id.inode)).collect();
        let found = self.catalog.find(&familiar);
        self.resume(&found);
        self.chain();
        self.next_scan = self.now;
    }

    /// Says which files will not be asked for again: everything up to their `PlaceChange::Forgotten` was acknowledged.
    pub(crate) fn acknowledge_forgotten(&mut self, ids: &[FileId]) {
        for finished in self.finished.iter_mut().filter(|finished| ids.contains(&finished.known.mark.id)) {
            finished.is_acknowledged = true;
        }
    }

    fn rewind_file(&mut self, key: Key, known: Option<&KnownFile>) {
        let now = self.now;
        let Some(tracked) = self.files.get_mut(&key) else { return };
        let Some(file) = tracked.file.as_ref() else {
            // It is taken up again where it is known to be, when it can be read again.
            self.known.extend(known.cloned());
            self.files.remove(&key);
            return;
        };
        let id = tracked.tail.id;
        let place = match known {
            Some(known) => Tail::proven(file, id, &known.mark),
            None => Tail::proven(file, id, &tracked.origin),
        };
        tracked.tail = place.ok().flatten().unwrap_or_else(|| {
            self.sources.news.push(SourceNews::Truncated { source: tracked.source, lost: None });
            let mut tail = Tail::new(id);
            tail.restart();
            tail
        });
        tracked.segment = tracked.tail.offset;
        tracked.forget_arrivals();
        tracked.ends = false;
        tracked.leaving = tracked.leaving.map(|_| now);
        tracked.last_block = None;
        self.place(key);
        self.queue.push(key);
    }

    /// Lets every file wait for the one before it in its source.
    pub(super) fn chain(&mut self) {
        let mut order: Vec<(SourceId, bool, Option<Age>, Key)> = Vec::new();
        for (&key, tracked) in &self.files {
            order.push((tracked.source, tracked.leaving.is_none(), tracked.age(), key));
        }
        order.sort();
        let mut before: Option<(SourceId, Key)> = None;
        for (source, _, _, key) in order {
            if let Some(tracked) = self.files.get_mut(&key) {
                tracked.after = before.filter(|&(other, _)| other == source).map(|(_, key)| key);
            }
            self.sources.set_last(source, key);
            before = Some((source, key));
        }
    }
}
