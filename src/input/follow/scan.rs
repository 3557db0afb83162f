//! Looking around: what is there, what is new, what has changed.

use std::{
    collections::{HashMap, HashSet},
    fs::File,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::Arc,
    time::Instant,
};

use super::{
    Follower, From, Key, PlaceChange,
    catalog::{Found, FoundFile},
    identity::file_id,
    known::identity,
    rotation::Places,
    tail::Tail,
    tracked::{Seen, Tracked, Trouble, later},
};
use crate::{
    input::{
        describe,
        discover::{Identity, is_on_nfs, open_at_once},
    },
    limits,
    metrics::SourceNews,
    place::{Age, FileId, KnownFile},
    record::SourceId,
};

impl Follower {
    /// Looks at all files whose time has come.
    pub(super) fn look_at_files(&mut self, now: Instant) {
        let due: Vec<Key> =
            self.files.iter().filter(|(_, tracked)| tracked.next_look <= now).map(|(&key, _)| key).collect();
        for key in due {
            self.look_at(key, now);
        }
        self.bound_held();
        let next = self.files.values().map(|tracked| tracked.next_look).min();
        self.next_look = next.unwrap_or_else(|| later(now, limits::LOOK_INTERVAL));
    }

    fn look_at(&mut self, key: Key, now: Instant) {
        if self.files.get(&key).is_some_and(|tracked| tracked.trouble.is_some()) {
            return self.reopen(key);
        }
        let Some(tracked) = self.files.get_mut(&key) else { return };
        match measure(tracked) {
            Ok((seen, stands)) => {
                if !stands {
                    tracked.has_left = true;
                    self.next_scan = now;
                }
                self.seen(key, seen);
            }
            Err(error) => self.cannot_read(key, &error),
        }
    }

    /// Looks at a file that was just found where it stands: what was `seen` of it then is a look.
    fn look_at_found(&mut self, key: Key, places: &Places, seen: &HashMap<Identity, Seen>) {
        let Some(tracked) = self.files.get(&key) else { return };
        let is_well = tracked.leaving.is_none() && tracked.trouble.is_none();
        if is_well
            && places.get(&tracked.identity()) == Some(&tracked.path)
            && let Some(&seen) = seen.get(&tracked.identity())
        {
            self.seen(key, seen);
        }
    }

    fn seen(&mut self, key: Key, seen: Seen) {
        let now = self.now;
        let Some(tracked) = self.files.get_mut(&key) else { return };
        self.restless.insert(tracked.source);
        let has_grown = seen.size > tracked.seen.size;
        let has_changed = tracked.note(seen, now);
        if has_changed {
            tracked.is_drained = false;
            self.queue.push(key);
        }
        if let Some(leaving) = tracked.leaving {
            if has_grown {
                tracked.leaving = Some(now);
                tracked.ends = false;
            } else if now.saturating_duration_since(leaving) >= limits::GRACE_TIME {
                tracked.ends = true;
                self.queue.push(key);
            }
        }
        tracked.next_look = tracked.look_again(now);
        if let Some(after) = self.options.partial_after
            && let Some(since) = tracked.partial_since
        {
            let due = later(since, after);
            if due <= now {
                self.queue.push(key);
            } else {
                tracked.next_look = tracked.next_look.min(due);
            }
        }
    }

    /// Tries to open a file again that could not be read.
    fn reopen(&mut self, key: Key) {
        let now = self.now;
        let Some(tracked) = self.files.get_mut(&key) else { return };
        let opened = open_at_once(&tracked.path).and_then(|file| Ok((file_id(&file)?, file)));
        match opened {
            Ok((id, file)) if id == tracked.tail.id => {
                // What can be opened cannot always be read: it is in trouble until something was.
                tracked.file = Some(file);
                tracked.is_drained = false;
                tracked.next_look = later(now, limits::LOOK_INTERVAL);
                self.queue.push(key);
            }
            // Another file has taken its place, and is found by the next scan.
            Ok(_) => self.vanished(key),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => self.vanished(key),
            Err(_) => {
                let trouble = Trouble::next(tracked.trouble, now);
                tracked.trouble = Some(trouble);
                tracked.next_look = trouble.retry_at;
            }
        }
    }

    /// It cannot be read, and is not where it was: it is known, and looked for wherever it is by now.
    fn vanished(&mut self, key: Key) {
        self.next_scan = self.now;
        let Some(tracked) = self.close(key) else { return };
        if tracked.path.exists() {
            self.sources.restore(tracked.source);
        } else {
            self.sources.forget_trouble(tracked.source);
        }
        self.sources.news.push(SourceNews::Gone { source: tracked.source });
        self.known.put(KnownFile { path: tracked.path.clone(), mark: tracked.mark() });
        self.remember_owed(tracked);
    }

    /// Looks what is at the paths that are followed.
    pub(super) fn scan(&mut self, now: Instant) {
        self.last_scan = Some(now);
        self.next_scan = later(now, limits::LOOK_INTERVAL);
        let mut familiar = self.identities();
        familiar.extend(self.known.identities());
        let found = self.catalog.find(&familiar);
        let places = places(&found);
        let keys: Vec<Key> = self.files.keys().copied().collect();
        let seen = found.files.iter().filter_map(|file| Some((file.identity, file.seen?))).collect();
        for key in keys {
            self.check_path(key, &places);
            self.look_at_found(key, &places, &seen);
        }
        self.resume_hidden(&found, &places);
        self.admit_all(&found);
        self.tell_troubles(&found);
        self.update_watch(&found);
        self.listings.clear();
    }

    /// Takes the files that are not followed yet.
    pub(super) fn admit_all(&mut self, found: &Found) {
        let followed = self.identities();
        let mut new: Vec<&FoundFile> = found.files.iter().filter(|file| !followed.contains(&file.identity)).collect();
        let wanted = self.files.values().filter(|tracked| tracked.is_wanted).count();
        let room = self.options.max_files.saturating_sub(wanted);
        if new.len() > room {
            self.tell_too_many(new.len() - room);
            new = latest(new, room);
        }
        let places = places(found);
        for file in new {
            self.admit(file, &places);
        }
    }

    fn tell_too_many(&mut self, left_out: usize) {
        if !std::mem::replace(&mut self.said_too_many, true) {
            let most = self.options.max_files;
            let message = format!(
                "only {most} files are followed at once; {left_out} are left out, those that changed longest ago: name \
                 fewer, or raise --max-files, or the limit of open files (ulimit -Hn) where that is the lower one"
            );
            self.sources.news.push(SourceNews::Limited { message });
        }
    }

    fn tell_nfs(&mut self, path: &Path) {
        if !std::mem::replace(&mut self.said_nfs, true) {
            let message = format!(
                "{}: on a network file system (NFS): what other machines write is seen late, and not every rotation can \
                 be told; follow files where they are written, if that can be",
                path.display()
            );
            self.sources.news.push(SourceNews::Limited { message });
        }
    }

    fn admit(&mut self, found: &FoundFile, places: &Places) {
        let opened = open_at_once(&found.path).and_then(|file| Ok((file.metadata()?, file_id(&file)?, file)));
        let (age, id, file) = match opened {
            Ok((metadata, id, file)) if metadata.is_file() => (Age::of(&metadata), id, file),
            // Replaced since it was found: the next scan sees what it is now.
            Ok(_) => return,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return,
            Err(error) => {
                let source = self.sources.number(&found.path);
                return self.sources.fail(source, describe(&error));
            }
        };
        if self.is_open(id) {
            return;
        }
        let source = self.sources.number(&found.path);
        let known = self.remembered(id, &age);
        let is_known = known.is_some();
        match self.first_place(&found.path, &file, (id, known), source) {
            Ok(tail) => {
                self.sources.restore(source);
                // What came before one that is known has been read.
                if !is_known {
                    self.take_missed(source, places);
                }
                self.register(source, found.path.clone(), file, tail);
            }
            Err(error) => self.sources.fail(source, describe(&error)),
        }
    }

    /// Where to begin in a file that was just opened.
    fn first_place(
        &mut self,
        path: &Path,
        file: &File,
        (id, known): (FileId, Option<KnownFile>),
        source: SourceId,
    ) -> std::io::Result<Tail> {
        if let Some(known) = known {
            if let Some(tail) = Tail::proven(file, id, &known.mark)? {
                self.forget_remembered(id);
                return Ok(tail);
            }
            self.forget_remembered(id);
            return Ok(self.begun_anew(id, source, &known.mark));
        }
        if !self.at_start || self.successors.contains(path) {
            return Ok(Tail::new(id));
        }
        match self.options.from {
            From::Start => Ok(Tail::new(id)),
            From::End => Tail::at_last_lines(file, id, 0, self.caps.record_bytes_max as u64),
            From::LastLines(lines) => Tail::at_last_lines(file, id, lines, limits::LAST_LINES_BYTES),
        }
    }

    /// Begins to read a file, behind the one that came before it into the same source.
    pub(super) fn register(&mut self, source: SourceId, path: PathBuf, file: File, tail: Tail) -> Key {
        if is_on_nfs(&file) {
            self.tell_nfs(&path);
        }
        let mut tracked = Tracked::new(source, path, file, tail, self.now);
        let before = self.sources.succeed(source, self.next_key, tracked.identity());
        tracked.after = before.filter(|before| self.files.contains_key(before));
        let after = tracked.after;
        let key = self.insert(tracked);
        if let Some(before) = after.and_then(|before| self.files.get_mut(&before)) {
            before.next = Some(key);
        }
        let orphans = self.orphans.remove(&source).unwrap_or_default().into_iter();
        let gone = orphans.filter(|orphan| self.open.get(&identity(*orphan)) != Some(orphan));
        self.changes.extend(gone.map(PlaceChange::Forgotten));
        key
    }

    /// Takes a file in among those that are read.
    pub(super) fn insert(&mut self, tracked: Tracked) -> Key {
        let key = self.next_key;
        self.next_key += 1;
        self.next_look = self.next_look.min(tracked.next_look);
        self.open.insert(tracked.identity(), tracked.tail.id);
        self.sources.add_file(tracked.source, key);
        self.restless.insert(tracked.source);
        // What is read again is not to be forgotten.
        if let Some(orphans) = self.orphans.get_mut(&tracked.source) {
            orphans.retain(|&orphan| orphan != tracked.tail.id);
        }
        self.files.insert(key, tracked);
        self.place(key);
        self.queue.push(key);
        key
    }

    /// Takes a file out of those that are read.
    pub(super) fn remove(&mut self, key: Key) -> Option<Tracked> {
        let tracked = self.files.remove(&key)?;
        self.open.remove(&tracked.identity());
        self.sources.remove_file(tracked.source, key);
        self.restless.insert(tracked.source);
        Some(tracked)
    }

    /// Says what cannot be read, and what can be read again.
    pub(super) fn tell_troubles(&mut self, found: &Found) {
        let unreadable: HashSet<&Path> = found.unreadable.iter().map(|entry| &*entry.path).collect();
        if !unreadable.is_empty() {
            // A file that is read, and has just been replaced: the next scan finds the other one.
            let (leaving, standing): (Vec<&Tracked>, Vec<_>) =
                self.files.values().partition(|tracked| tracked.leaving.is_some());
            let standing: HashSet<&Path> = standing.iter().map(|tracked| &*tracked.path).collect();
            // Between a rename and the file that comes next, the name is free for a moment.
            let rotated: HashSet<SourceId> = leaving.iter().map(|tracked| tracked.source).collect();
            for entry in &found.unreadable {
                let is_rotated = self.sources.get(&entry.path).is_some_and(|source| rotated.contains(&source));
                if !is_rotated && !standing.contains(&*entry.path) {
                    let source = self.sources.number(&entry.path);
                    let message = entry.message.clone();
                    if entry.is_absent {
                        self.sources.miss(source, message)
                    } else {
                        self.sources.fail(source, message)
                    }
                }
            }
        }
        let over: Vec<(SourceId, Arc<Path>)> = self
            .sources
            .in_trouble()
            .filter(|(source, path)| self.sources.files(*source).is_empty() && !unreadable.contains(&***path))
            .map(|(source, path)| (source, path.clone()))
            .collect();
        if over.is_empty() {
            return;
        }
        // What is there, but cannot be opened, was said when that was tried.
        let there: HashSet<&Path> = found.files.iter().map(|file| &*file.path).collect();
        for (source, path) in over {
            if there.contains(&*path) {
                continue;
            }
            // A directory that may be entered again, or a glob that matches; or what was found by one and was removed.
            if self.catalog.is_named(&path) || path.exists() {
                self.sources.restore(source);
            } else {
                self.sources.forget_trouble(source);
            }
        }
    }
}

/// How a file looks now, and whether it stands where it stood.
fn measure(tracked: &Tracked) -> std::io::Result<(Seen, bool)> {
    let at_path = if tracked.leaving.is_none() { Some(std::fs::metadata(&tracked.path)) } else { None };
    let stands = match at_path {
        None => true,
        Some(Ok(metadata)) if (metadata.dev(), metadata.ino()) == tracked.identity() => {
            return Ok((Seen::of(&metadata), true));
        }
        Some(Ok(_)) => false,
        Some(Err(error)) => error.kind() != std::io::ErrorKind::NotFound,
    };
    let metadata = tracked.file.as_ref().map(File::metadata).transpose()?;
    Ok((metadata.map_or(tracked.seen, |metadata| Seen::of(&metadata)), stands))
}

/// Where the files are that were found.
pub(super) fn places(found: &Found) -> Places {
    found.files.iter().map(|file| (file.identity, file.path.clone())).collect()
}

/// The `room` files that changed last, in their order.
fn latest(files: Vec<&FoundFile>, room: usize) -> Vec<&FoundFile> {
    let modified = |file: &FoundFile| std::fs::metadata(&file.path).and_then(|metadata| metadata.modified()).ok();
    let mut dated: Vec<(Option<std::time::SystemTime>, usize)> =
        files.iter().enumerate().map(|(number, file)| (modified(file), number)).collect();
    dated.sort_by(|one, other| other.0.cmp(&one.0).then(one.1.cmp(&other.1)));
    let mut kept: Vec<usize> = dated.into_iter().take(room).map(|(_, number)| number).collect();
    kept.sort_unstable();
    kept.into_iter().map(|number| files[number]).collect()
}
