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
    limits,
    metrics::SourceNews,
    place::{Age, FileId, KnownFile, Mark},
    record::SourceId,
};

/// Why a file is done with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// It was read to its end, and has not grown for a while.
    Quiet,
    /// It takes too much room.
    GivenUp,
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
            tracked.has_left = false;
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
        tracked.has_left = true;
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
        if let Some(mark) = self.last_mark(source) {
            let path = self.sources.path(source);
            self.take_siblings(source, &path, &mark, places);
        }
    }

    /// How far the last file of `source` is read, or was when it was closed.
    pub(super) fn last_mark(&self, source: SourceId) -> Option<Mark> {
        let open = self.sources.last(source).and_then(|key| self.files.get(&key)).map(Tracked::mark);
        open.or_else(|| self.sources.last_mark(source))
    }

    /// Takes all files that once stood at `path`, after `before`, and were rotated since; oldest first.
    pub(super) fn take_siblings(&mut self, source: SourceId, path: &Path, before: &Mark, places: &Places) {
        for sibling in self.siblings(path, before) {
            match &sibling.opened {
                Ok(file) => {
                    if let Some(tail) = self.place_in_sibling(source, file, &sibling, before) {
                        self.take_sibling(source, sibling, tail, places);
                    }
                }
                Err(error) => {
                    let message = cannot_be_opened(&sibling.path, error);
                    self.await_sibling(source, &sibling, message);
                }
            }
        }
    }

    /// Where to begin in a sibling; `None`: nowhere. What is a copy of a file that was read goes on where that was left.
    fn place_in_sibling(&mut self, source: SourceId, file: &File, sibling: &Sibling, before: &Mark) -> Option<Tail> {
        let id = sibling.id;
        if let Some(known) = self.remembered(id, &sibling.age) {
            // Where it cannot be read now it stays known, and is looked for.
            let place = Tail::proven(file, id, &known.mark).ok()?;
            return Some(place.unwrap_or_else(|| self.begun_anew(id, source, &known.mark)));
        }
        let in_copy = |mark: &Mark| {
            let copied = Mark { id, ..*mark };
            (copied.offset > 0).then(|| Tail::proven(file, id, &copied).ok().flatten()).flatten()
        };
        for open in self.sources.files(source).iter().filter_map(|key| self.files.get(key)) {
            if let Some(tail) = in_copy(&open.mark()) {
                let is_in_it = open.file.as_ref().is_some_and(|whole| begins_with(whole, file).unwrap_or(false));
                return (!is_in_it).then_some(tail);
            }
        }
        let finished = self.finished.iter().filter(|finished| finished.source == source);
        let copy = finished.map(|finished| &finished.known.mark).chain([before]).find_map(in_copy);
        Some(copy.unwrap_or_else(|| Tail::new(id)))
    }

    fn take_sibling(&mut self, source: SourceId, sibling: Sibling, tail: Tail, places: &Places) {
        let is_wanted = places.contains_key(&identity(sibling.id));
        self.forget_remembered(sibling.id);
        let Ok(file) = sibling.opened else { return };
        let key = self.register(source, sibling.path, file, tail);
        if let Some(tracked) = self.files.get_mut(&key) {
            tracked.has_left = true;
            if !is_wanted {
                tracked.is_wanted = false;
                tracked.leaving = Some(self.now);
            }
        }
    }

    /// A file that was rotated before anything of it was read, and that cannot be opened: it is known from now on, as one
    /// that has to be read from its beginning.
    fn await_sibling(&mut self, source: SourceId, sibling: &Sibling, message: String) {
        if self.remembered(sibling.id, &sibling.age).is_some() {
            return;
        }
        self.sources.hide(source, message);
        let mark = Mark { age: Some(sibling.age), ..Tail::new(sibling.id).mark() };
        let known = KnownFile { path: sibling.path.clone(), mark };
        self.changes.push(PlaceChange::Placed(known.clone()));
        self.known.put(known);
    }

    /// Which files of `path` came after `before`, oldest first.
    fn siblings(&mut self, path: &Path, before: &Mark) -> Vec<Sibling> {
        let (folder, Some(name)) = (folder_of(path), path.file_name()) else { return Vec::new() };
        let (Some(age), Ok(names)) = (before.age, self.listings.names(folder, stem(name))) else {
            return Vec::new();
        };
        let rotated = names.iter().filter(|other| is_rotated_name(name, other));
        let mut siblings: Vec<Sibling> = rotated
            .filter_map(|name| Sibling::open(&path.with_file_name(name), age))
            .filter(|sibling| !self.is_open(sibling.id) && !self.is_finished(sibling))
            .collect();
        siblings.sort_by_key(|sibling| sibling.age);
        siblings
    }

    pub(super) fn is_open(&self, id: FileId) -> bool {
        self.open.contains_key(&identity(id))
    }

    /// True for a file that was read to its end. Its inode alone says nothing: it may be another file's by now.
    fn is_finished(&self, sibling: &Sibling) -> bool {
        self.finished.iter().any(|finished| !finished.known.mark.is_of_another(sibling.id, &sibling.age))
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
        let Some(tracked) = self.close(key) else { return };
        if ending != Ending::Quiet && tracked.bytes_behind() > 0 {
            let (source, bytes) = (tracked.source, Some(tracked.bytes_behind()));
            self.sources.news.push(SourceNews::Lost { source, bytes });
        }
        if self.sources.last(tracked.source) == Some(key) && self.is_named(tracked.source) {
            // Until another one comes the state has to know that there was one: else, after a restart, what came
            // meanwhile would be taken for a file that was always there.
            self.orphans.entry(tracked.source).or_default().push(tracked.tail.id);
            self.place_as_over(KnownFile { path: tracked.path.clone(), mark: tracked.mark() });
        } else {
            self.changes.push(PlaceChange::Forgotten(tracked.tail.id));
        }
        self.remember_finished(tracked, ending);
    }

    /// Takes a file out of those that are read, for whatever comes after it.
    pub(super) fn close(&mut self, key: Key) -> Option<Tracked> {
        self.end_segment(key);
        self.release_successors(key);
        let tracked = self.remove(key)?;
        self.sources.close(tracked.source, key, tracked.mark());
        Some(tracked)
    }

    /// Tells that nothing of a file is missing, or that what is missing was said.
    pub(super) fn place_as_over(&mut self, mut known: KnownFile) {
        known.mark.is_over = true;
        self.changes.push(PlaceChange::Placed(known));
    }

    /// True for a source that the user named, and not a directory or a glob that it is in.
    pub(super) fn is_named(&self, source: SourceId) -> bool {
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

/// What is said of a file that is known, and cannot be opened.
pub(super) fn cannot_be_opened(path: &Path, error: &std::io::Error) -> String {
    format!("{} cannot be opened: {}", path.display(), describe(error))
}

/// True where all of `part` stands at the beginning of `whole`, as far as its last bytes say.
fn begins_with(whole: &File, part: &File) -> std::io::Result<bool> {
    let size = part.metadata()?.size();
    let range = size.saturating_sub(limits::PRINT_BYTES as u64)..size;
    let (mut one, mut other) = (Vec::new(), Vec::new());
    read_range(whole, range.clone(), &mut one)?;
    read_range(part, range, &mut other)?;
    Ok(whole.metadata()?.size() >= size && one == other)
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
