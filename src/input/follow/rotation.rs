//! Files that lose their path: renamed, removed, followed by another one at the same place.

use std::{
    collections::HashMap,
    ffi::{OsStr, OsString},
    fs::{self, File, Metadata},
    os::{
        fd::AsRawFd,
        unix::{
            ffi::{OsStrExt, OsStringExt},
            fs::MetadataExt,
        },
    },
    path::{Path, PathBuf},
    time::SystemTime,
};

use super::{
    Follower, Key, PlaceChange, identity::file_id, known::identity, listing::stem, tail::Tail, tracked::Tracked,
};
use crate::{
    input::{
        describe,
        discover::{Head, Identity, open_at_once},
        follow::tail::read_range,
    },
    metrics::SourceNews,
    place::{FileId, KnownFile},
    record::SourceId,
};

/// Why a file is done with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// It was read to its end, and has not grown for a while.
    Quiet,
    /// It takes too much room.
    GivenUp,
    /// It cannot be opened by any name.
    Vanished,
}

/// Files that were found, by their identities.
pub(super) type Places = HashMap<Identity, PathBuf>;

impl Follower {
    /// Looks whether a file still stands where it stood.
    pub(super) fn check_path(&mut self, key: Key, places: &Places) {
        let Some(tracked) = self.files.get_mut(&key) else { return };
        let found = places.get(&tracked.identity());
        if found == Some(&tracked.path) {
            tracked.is_wanted = true;
            return;
        }
        let stands = match fs::metadata(&tracked.path) {
            Ok(metadata) => (metadata.dev(), metadata.ino()) == tracked.identity(),
            // Who cannot look does not know.
            Err(error) => error.kind() != std::io::ErrorKind::NotFound,
        };
        if stands || tracked.file.is_none() {
            return;
        }
        let (source, old_path) = (tracked.source, tracked.path.clone());
        match found {
            Some(path) => self.moved(key, path.clone(), true),
            None => self.left(key),
        }
        self.take_missed(source, places);
        self.tell_gone(source, &old_path);
    }

    fn moved(&mut self, key: Key, path: PathBuf, is_wanted: bool) {
        let now = self.now;
        let Some(tracked) = self.files.get_mut(&key) else { return };
        tracked.is_wanted = is_wanted;
        tracked.leaving.get_or_insert(now);
        tracked.next_look = now;
        self.next_look = now;
        // It may have grown until a moment ago, and whoever comes after it has to wait for that.
        tracked.is_drained = false;
        if tracked.path != path {
            tracked.path.clone_from(&path);
            self.changes.push(PlaceChange::Moved { id: tracked.tail.id, path });
        }
        self.queue.push(key);
    }

    /// The file stands at none of the paths that are followed any more.
    fn left(&mut self, key: Key) {
        let Some(tracked) = self.files.get_mut(&key) else { return };
        let links = tracked.file.as_ref().and_then(|file| file.metadata().ok()).map_or(1, |metadata| metadata.nlink());
        tracked.is_removed = links == 0;
        let path = tracked.file.as_ref().and_then(path_of).filter(|_| links > 0);
        let path = path.unwrap_or_else(|| tracked.path.clone());
        self.moved(key, path, false);
    }

    fn tell_gone(&mut self, source: SourceId, old_path: &Path) {
        if self.sources.get(old_path) == Some(source) && fs::metadata(old_path).is_err() {
            self.sources.news.push(SourceNews::Gone { source });
        }
    }

    /// Files may have come into a source after its last one, and been renamed too before they were seen.
    pub(super) fn take_missed(&mut self, source: SourceId, places: &Places) {
        let open = self.sources.last(source).and_then(|key| self.files.get(&key)).and_then(Tracked::age);
        if let Some(age) = open.or_else(|| self.sources.last_age(source)) {
            let path = self.sources.path(source);
            self.take_siblings(source, &path, age, places);
        }
    }

    /// Takes all files that once stood at `path`, after the one of `age`, and were rotated since; oldest first.
    pub(super) fn take_siblings(&mut self, source: SourceId, path: &Path, age: Age, places: &Places) {
        for sibling in self.siblings(path, age) {
            let is_wanted = places.contains_key(&(sibling.id.device, sibling.id.inode));
            let file = match sibling.opened {
                Ok(file) => file,
                Err(error) => {
                    self.await_sibling(source, sibling.path, sibling.id, &error);
                    continue;
                }
            };
            let known = self.remembered(sibling.id).map(|known| Tail::proven(&file, sibling.id, &known.mark));
            let tail = known.and_then(|place| place.ok().flatten()).unwrap_or_else(|| Tail::new(sibling.id));
            self.forget_remembered(sibling.id);
            let key = self.register(source, sibling.path, file, tail);
            if !is_wanted && let Some(tracked) = self.files.get_mut(&key) {
                tracked.is_wanted = false;
                tracked.leaving = Some(self.now);
            }
        }
    }

    /// A file that was rotated before anything of it was read, and that cannot be opened: it is known from now on, as one
    /// that has to be read from its beginning.
    fn await_sibling(&mut self, source: SourceId, path: PathBuf, id: FileId, error: &std::io::Error) {
        if self.remembered(id).is_some() {
            return;
        }
        self.sources.fail(source, format!("{} cannot be opened: {}", path.display(), describe(error)));
        let known = KnownFile { path, mark: Tail::new(id).mark() };
        self.changes.push(PlaceChange::Placed(known.clone()));
        self.known.put(known);
    }

    fn siblings(&mut self, path: &Path, age: Age) -> Vec<Sibling> {
        let (folder, Some(name)) = (folder_of(path), path.file_name()) else { return Vec::new() };
        let Ok(names) = self.listings.names(folder, stem(name)) else { return Vec::new() };
        let rotated = names.iter().filter(|other| is_rotated_name(name, other));
        let mut siblings: Vec<Sibling> = rotated
            .filter_map(|name| Sibling::open(&path.with_file_name(name), age))
            .filter(|sibling| !self.is_open(sibling.id) && !self.is_finished(sibling.id))
            .collect();
        siblings.sort_by_key(|sibling| sibling.age);
        siblings
    }

    pub(super) fn is_open(&self, id: FileId) -> bool {
        self.open.contains_key(&identity(id))
    }

    /// True for a file that was read to its end. Its inode alone says nothing: it may be another file's by now.
    fn is_finished(&self, id: FileId) -> bool {
        self.finished.iter().any(|finished| finished.known.mark.id == id)
    }

    /// A file was read to its end after no newline could come any more.
    pub(super) fn finish(&mut self, key: Key, ending: Ending) {
        let Some(tracked) = self.files.get_mut(&key) else { return };
        if ending == Ending::Quiet && tracked.is_wanted && !tracked.is_removed {
            // It is only called something else now.
            tracked.leaving = None;
            tracked.ends = false;
            return;
        }
        self.end_segment(key);
        self.release_successors(key);
        let Some(tracked) = self.remove(key) else { return };
        if self.sources.last(tracked.source) == Some(key) {
            self.sources.set_last_age(tracked.source, tracked.age());
        }
        if ending != Ending::Quiet && tracked.bytes_behind() > 0 {
            let (source, bytes) = (tracked.source, tracked.bytes_behind());
            self.sources.news.push(SourceNews::Lost { source, bytes });
        }
        if self.sources.last(tracked.source) == Some(key) && self.is_named(tracked.source) {
            // Until another one comes the state has to know that there was one: else, after a restart, what came
            // meanwhile would be taken for a file that was always there.
            self.orphans.entry(tracked.source).or_default().push(tracked.tail.id);
        } else {
            self.changes.push(PlaceChange::Forgotten(tracked.tail.id));
        }
        self.remember_finished(tracked, ending);
    }

    /// True for a source that the user named, and not a directory or a glob that it is in.
    fn is_named(&self, source: SourceId) -> bool {
        self.catalog.is_named(&self.sources.path(source))
    }
}

/// A file beside the one that is followed.
struct Sibling {
    path: PathBuf,
    opened: std::io::Result<File>,
    id: FileId,
    age: Age,
}

impl Sibling {
    /// Opens `path` if it is a file of lines that is younger than `age`; one that cannot be opened may be.
    fn open(path: &Path, age: Age) -> Option<Self> {
        let is_younger = |metadata: &Metadata| metadata.is_file() && Age::of(metadata).is_after(&age);
        let metadata = fs::symlink_metadata(path).ok().filter(is_younger)?;
        match open_at_once(path) {
            Ok(file) => Self::of(path, file, is_younger),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            Err(error) => {
                let id = FileId { device: metadata.dev(), inode: metadata.ino(), generation: None };
                Some(Self { path: path.to_owned(), opened: Err(error), id, age: Age::of(&metadata) })
            }
        }
    }

    fn of(path: &Path, file: File, is_younger: impl Fn(&Metadata) -> bool) -> Option<Self> {
        let metadata = file.metadata().ok().filter(is_younger)?;
        let mut head = Vec::new();
        read_range(&file, 0..16, &mut head).ok()?;
        let id = file_id(&file).ok()?;
        let is_plain = matches!(Head::of(&head), Head::Plain | Head::Binary);
        is_plain.then(|| Self { path: path.to_owned(), opened: Ok(file), id, age: Age::of(&metadata) })
    }
}

/// When a file was made, and when it was last written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Age {
    created: Option<SystemTime>,
    modified: (i64, i64),
}

impl Age {
    pub(super) fn of(metadata: &Metadata) -> Self {
        Self { created: metadata.created().ok(), modified: (metadata.mtime(), metadata.mtime_nsec()) }
    }

    /// True for what came after `before` at the same path. What was copied from it is younger too, but is not written
    /// any more, while `before` is: so both times have to say so.
    fn is_after(&self, before: &Self) -> bool {
        match self.created.zip(before.created) {
            // Files are stamped by a clock that ticks every few milliseconds.
            Some((created, before_created)) => created >= before_created && self.modified >= before.modified,
            None => self.modified > before.modified,
        }
    }
}

/// The directory of `path`.
pub(super) fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// What the system calls the file now. It may be wrong from the next moment on, and so it is proven.
fn path_of(file: &File) -> Option<PathBuf> {
    let path = fs::read_link(format!("/proc/self/fd/{}", file.as_raw_fd())).ok()?;
    let (at_path, open) = (fs::metadata(&path).ok()?, file.metadata().ok()?);
    ((at_path.dev(), at_path.ino()) == (open.dev(), open.ino())).then_some(path)
}

/// True when `name` is what a rotation makes of `base`: `app.log.1`, `app.log-20261125`, `app-2026-11-25.log`,
/// `app.log.old`. Digits tell it from a log of something else, `app.log.err`.
pub(super) fn is_rotated_name(base: &OsStr, name: &OsStr) -> bool {
    let (base, name) = (base.as_bytes(), name.as_bytes());
    if let Some(rest) = name.strip_prefix(base) {
        return is_rotation(rest);
    }
    let Some(dot) = base.iter().rposition(|&byte| byte == b'.').filter(|&dot| dot > 0) else { return false };
    let (stem, extension) = base.split_at(dot);
    name.strip_prefix(stem).and_then(|rest| rest.strip_suffix(extension)).is_some_and(is_rotation)
}

/// All names of which a rotation may have made `name`.
pub(super) fn bases(name: &OsStr) -> Vec<OsString> {
    let name = name.as_bytes();
    let dot = name.iter().rposition(|&byte| byte == b'.').unwrap_or(0);
    let (stem, extension) = name.split_at(dot);
    let cut = |whole: &[u8]| (1..whole.len()).filter(|&at| is_rotation(&whole[at..])).collect::<Vec<_>>();
    let whole = cut(name).into_iter().map(|at| name[..at].to_vec());
    let inner = cut(stem).into_iter().map(|at| [&stem[..at], extension].concat());
    whole.chain(inner).map(OsString::from_vec).collect()
}

fn is_rotation(rest: &[u8]) -> bool {
    let Some((separator, rest)) = rest.split_first() else { return false };
    let is_number = |byte: &u8| byte.is_ascii_digit() || b"-_.:T".contains(byte);
    let is_counted = rest.first().is_some_and(u8::is_ascii_digit) && rest.iter().all(is_number);
    b".-_".contains(separator) && (is_counted || rest == b"old")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_rotated_files_are_told_from_names_of_others() {
        let is_rotated = |base: &str, name: &str| is_rotated_name(OsStr::new(base), OsStr::new(name));
        for name in ["app.log.1", "app.log-20261125", "app.log.2026-11-25", "app-2026-11-25.log", "app.log.old"] {
            assert!(is_rotated("app.log", name), "{name}");
            assert!(bases(OsStr::new(name)).contains(&"app.log".into()), "{name}");
        }
        for name in ["app.log", "app.log.err", "app2.log", "app.log.1.gz", "app.log1", "apple-1.log", "b.log.1"] {
            assert!(!is_rotated("app.log", name), "{name}");
            assert!(!bases(OsStr::new(name)).contains(&"app.log".into()), "{name}");
        }
        assert!(is_rotated("app", "app.1") && !is_rotated(".log", "x.log"));
    }
}
