//! Going on after a restart: the files that the state knows are found, whatever they are called by now, and what came
//! after them is read behind them.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    fs::{self, File},
    io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use super::{
    Follower, PlaceChange,
    catalog::Found,
    identity::file_id,
    known::identity,
    listing::Listings,
    rotation::{Places, bases, cannot_be_opened, folder_of, is_rotated_name},
    scan::places,
    tail::Tail,
};
use crate::{
    input::discover::open_at_once,
    metrics::SourceNews,
    place::{Age, FileId, KnownFile, Mark},
    record::SourceId,
};

/// A known file that was looked for.
struct Sought {
    known: KnownFile,
    /// The path whose lines it holds.
    home: PathBuf,
    located: Located,
}

impl Sought {
    /// How old it is: as it was while it stood at its path, or else as it is.
    fn age(&self) -> Option<Age> {
        let now = match &self.located {
            Located::Here(rest) => Some(rest.age),
            Located::Home(age) => Some(*age),
            Located::Hidden(age, _) => *age,
            Located::Gone => None,
        };
        self.known.mark.age.or(now)
    }
}

/// For how many more known files there is room: so many of those that are followed, and as many of those that are not any
/// more and have only to be read to their end.
struct Room {
    wanted: usize,
    unwanted: usize,
}

impl Room {
    /// Takes the room for one, if there is any.
    fn take(&mut self, is_wanted: bool) -> bool {
        let room = if is_wanted { &mut self.wanted } else { &mut self.unwanted };
        let left = room.checked_sub(1);
        *room = left.unwrap_or(0);
        left.is_some()
    }
}

/// Where a known file is.
enum Located {
    /// Where it stood, and where it is taken with all others.
    Home(Age),
    /// Somewhere, with what to read of it.
    Here(Rest),
    /// It could not be looked for, or not be opened, and why: how old it is, if it was found.
    Hidden(Option<Age>, String),
    /// Nowhere.
    Gone,
}

/// It is not held open: of thousands that are known there may be room for few.
struct Rest {
    id: FileId,
    path: PathBuf,
    age: Age,
    /// The place in it; `None`: it is not what it was.
    tail: Option<Tail>,
}

impl Follower {
    /// Finds all files for the first time.
    pub(super) fn start(&mut self) {
        let familiar = self.known.identities().collect();
        let found = self.catalog.find(&familiar);
        self.resume(&found);
        self.admit_all(&found);
        self.tell_troubles(&found);
        self.update_watch(&found);
        self.listings.clear();
    }

    /// Goes on in known files that were renamed, and behind each in those that came after it. Those that stand where
    /// they stood are taken with all others.
    pub(super) fn resume(&mut self, found: &Found) {
        self.find_known(found, &places(found));
    }

    /// Looks again for known files that could not be opened when they were looked for, and were renamed.
    pub(super) fn resume_hidden(&mut self, found: &Found, places: &Places) {
        let is_astray = |known: &KnownFile| places.get(&identity(known.mark.id)) != Some(&known.path);
        if !self.known.iter().any(is_astray) {
            self.waiting = 0;
            self.sources.hide_only(BTreeMap::new());
        } else if self.waiting > 0 && self.room().unwanted == 0 {
            // What became of them is seen when there is room for one: to open thousands every second would be in vain.
        } else if self.find_known(found, places) {
            self.chain();
        }
    }

    /// Returns true if it began to read any.
    fn find_known(&mut self, found: &Found, places: &Places) -> bool {
        let homes = homes(found);
        let all: Vec<KnownFile> = self.known.iter().cloned().collect();
        let mut sought: Vec<Sought> =
            all.into_iter().filter_map(|known| self.find_again(known, &homes, places)).collect();
        sought.sort_by_key(Sought::age);
        // What stands between two that are known came before the second one, and has been read: so it matters only what
        // came after the last one of each path.
        let last: HashMap<PathBuf, FileId> =
            sought.iter().map(|sought| (sought.home.clone(), sought.known.mark.id)).collect();
        let mut hidden: BTreeMap<SourceId, String> = BTreeMap::new();
        let mut before: BTreeMap<PathBuf, Mark> = BTreeMap::new();
        let mut has_begun = false;
        let mut room = self.room();
        self.waiting = 0;
        for Sought { known, home, located } in sought {
            let mut mark = known.mark;
            let is_last = last.get(&home) == Some(&mark.id);
            match located {
                // All others of its path came before it.
                Located::Home(_) => {
                    before.remove(&home);
                    continue;
                }
                Located::Here(rest) => {
                    mark.age = mark.age.or(Some(rest.age));
                    let known = KnownFile { path: known.path, mark };
                    has_begun |= self.take_rest(&home, known, rest, places, &mut room);
                }
                // What came after it can be read meanwhile.
                Located::Hidden(age, message) => {
                    mark.age = mark.age.or(age);
                    hidden.insert(self.sources.number(&home), message);
                }
                Located::Gone => self.is_gone(known, &home, is_last, homes.contains(&*home)),
            }
            before.insert(home, mark);
        }
        self.sources.hide_only(hidden);
        self.tell_waiting();
        for (home, before) in before {
            self.take_later(&home, before, places);
        }
        has_begun
    }

    /// Takes what came after `before`, and after all that has been read of the same path. What cannot be opened while it
    /// stands at the path, and is rotated before it can be, comes after that too: so it is remembered.
    fn take_later(&mut self, home: &Path, before: Mark, places: &Places) {
        let source = self.sources.number(home);
        let before = self.last_mark(source).filter(|read| read.age > before.age).unwrap_or(before);
        self.sources.set_last_mark(source, before);
        self.take_siblings(source, home, &before, places);
    }

    /// For how many known files there is room beside those that are open.
    fn room(&self) -> Room {
        let most = self.options.max_files.max(1);
        let wanted = self.files.values().filter(|tracked| tracked.is_wanted).count();
        Room { wanted: most.saturating_sub(wanted), unwanted: most.saturating_sub(self.files.len() - wanted) }
    }

    /// Goes on in a file; `false`: there is nothing to read of it, or no room for it, or it is open by now, as one that
    /// came after another.
    fn take_rest(&mut self, home: &Path, known: KnownFile, rest: Rest, places: &Places, room: &mut Room) -> bool {
        let wanted_at = places.get(&identity(rest.id));
        let source = self.sources.number(home);
        let mark = known.mark;
        let is_done =
            rest.tail.as_ref().is_some_and(|tail| wanted_at == Some(&rest.path) && rest.age.size == tail.offset);
        if is_done || self.is_open(rest.id) {
            return false;
        }
        if !room.take(wanted_at.is_some()) {
            self.let_wait(known, wanted_at);
            return false;
        }
        // Where it has just been renamed or removed it stays known, and the next scan looks for it.
        let Ok(Some((file, rest))) = open_as(&rest.path, &known) else {
            self.next_scan = self.now;
            return false;
        };
        let tail = rest.tail.unwrap_or_else(|| self.begun_anew(rest.id, source, &mark));
        self.forget_remembered(rest.id);
        self.sources.restore(source);
        let key = self.register(source, rest.path, file, tail);
        if let Some(tracked) = self.files.get_mut(&key) {
            tracked.has_left = true;
            tracked.age.modified = mark.age.map_or(tracked.age.modified, |age| age.modified);
            if wanted_at.is_none() {
                tracked.is_wanted = false;
                tracked.leaving = Some(self.now);
            }
        }
        true
    }

    /// There is no room for a known file now: it stays known.
    fn let_wait(&mut self, mut known: KnownFile, wanted_at: Option<&PathBuf>) {
        match wanted_at {
            // It is one of those that are followed, and is taken or left out with them, where it stands now.
            Some(path) if *path != known.path => {
                self.changes.push(PlaceChange::Moved { id: known.mark.id, path: path.clone() });
                known.path.clone_from(path);
                self.known.put(known);
            }
            Some(_) => {}
            None => self.waiting += 1,
        }
    }

    fn tell_waiting(&mut self) {
        if self.waiting > 0 && !std::mem::replace(&mut self.said_waiting, true) {
            let message = format!(
                "only {} files that are not followed any more are read to their end at once; {} wait for that, and stay \
                 known: let them stand where they are, or raise --max-files",
                self.options.max_files.max(1),
                self.waiting
            );
            self.sources.news.push(SourceNews::Limited { message });
        }
    }

    /// A known file is nowhere. Where some of it was not read, or nobody can know that, it is said, once.
    fn is_gone(&mut self, known: KnownFile, home: &Path, is_last: bool, is_succeeded: bool) {
        let mark = known.mark;
        self.known.take(mark.id);
        self.forget_finished(mark.id);
        let source = self.sources.number(home);
        let is_awaited = is_succeeded || self.is_named(source);
        let was_behind = mark.age.is_none_or(|age| mark.offset < age.size);
        if !mark.is_over && (was_behind || (is_last && is_awaited)) {
            self.sources.news.push(SourceNews::Lost { source, bytes: None });
        }
        if is_awaited {
            self.place_as_over(known);
            self.orphans.entry(source).or_default().push(mark.id);
        } else {
            self.changes.push(PlaceChange::Forgotten(mark.id));
        }
    }

    /// Looks for a known file. `None` where it is taken with the others, and found not to be what it was.
    fn find_again(&mut self, known: KnownFile, homes: &Homes<'_>, places: &Places) -> Option<Sought> {
        let home = home(&known.path, homes);
        // Its inode may be another file's by now.
        let wanted_at = places.get(&identity(known.mark.id)).filter(|path| !is_another(path, &known.mark));
        if home != known.path {
            self.successors.insert(home.clone());
        }
        if wanted_at == Some(&known.path)
            && home == known.path
            && let Some(age) = age_of(&known.path, &known)
        {
            return Some(Sought { known, home, located: Located::Home(age) });
        }
        if wanted_at != Some(&known.path) {
            self.successors.insert(known.path.clone());
        }
        let located = locate(&known, wanted_at, &home, &mut self.listings);
        let is_with_others = matches!(located, Located::Gone) && wanted_at.is_some();
        (!is_with_others).then_some(Sought { known, home, located })
    }

    /// The beginning of a file that is not what it was at `mark`.
    pub(super) fn begun_anew(&mut self, id: FileId, source: SourceId, mark: &Mark) -> Tail {
        // The state says how long it was. But some of what is behind the mark may have been given out in vain or said to
        // be lost before: so nothing of it is sure to be missing now.
        self.sources.news.push(SourceNews::Truncated { source, lost_at_least: 0 });
        Tail::begun_anew(id, mark.epoch)
    }

    /// What is known of the file that is `id` now, and of this `age`, and is not open.
    pub(super) fn remembered(&self, id: FileId, age: &Age) -> Option<KnownFile> {
        let mut finished = self.finished.iter().filter(|finished| finished.may_return).map(|finished| &finished.known);
        let known = self.known.same(id, age);
        known.or_else(|| finished.find(|known| !known.mark.is_of_another(id, age))).cloned()
    }

    /// Forgets what is known of all files that ever had the inode of `id`, which is open now, or gone.
    pub(super) fn forget_remembered(&mut self, id: FileId) {
        let others = self.known.take_inode_of(id).into_iter().map(|known| known.mark.id).filter(|other| *other != id);
        self.changes.extend(others.map(PlaceChange::Forgotten));
        self.forget_finished(id);
    }
}

/// All paths that were found.
type Homes<'f> = HashSet<&'f Path>;

fn homes(found: &Found) -> Homes<'_> {
    found.files.iter().map(|file| &*file.path).chain(found.unreadable.iter().map(|file| &*file.path)).collect()
}

/// The path that `path` was rotated away from, if that is followed, else `path`.
fn home(path: &Path, homes: &Homes<'_>) -> PathBuf {
    let candidates = bases(path.file_name().unwrap_or_default()).into_iter().map(|base| path.with_file_name(base));
    // Of `app.log` and `app.log.1`, the shorter is where it all begins.
    let home = candidates.filter(|path| homes.contains(&**path)).min_by_key(|path| path.as_os_str().len());
    home.unwrap_or_else(|| path.to_owned())
}

/// Finds a known file: where it is to be followed, where it was, or anywhere in the same directory.
fn locate(known: &KnownFile, wanted_at: Option<&PathBuf>, home: &Path, listings: &mut Listings) -> Located {
    for path in wanted_at.into_iter().chain([&known.path]) {
        match open_as(path, known) {
            Ok(Some((_, rest))) if rest.tail.is_some() => return Located::Here(rest),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Located::Hidden(age_of(path, known), cannot_be_opened(path, &error)),
        }
    }
    let others = match listings.with_inode(folder_of(&known.path), known.mark.id.inode) {
        Ok(others) => others,
        Err(error) => return Located::Hidden(None, cannot_be_opened(&known.path, &error)),
    };
    for (_, name) in others {
        let path = known.path.with_file_name(&name);
        let rest = match open_as(&path, known) {
            Ok(Some((_, rest))) => rest,
            Ok(None) => continue,
            Err(error) => match age_of(&path, known) {
                Some(age) => return Located::Hidden(Some(age), cannot_be_opened(&path, &error)),
                None => continue,
            },
        };
        // The same inode is no proof where it may have been given to another file; the same name makes one.
        let is_of_home = is_rotated_name(home.file_name().unwrap_or_default(), &name);
        if rest.tail.is_some() || is_of_home {
            return Located::Here(rest);
        }
    }
    Located::Gone
}

/// How old the known file is, if it stands at `path`, whether it can be opened or not.
fn age_of(path: &Path, known: &KnownFile) -> Option<Age> {
    let metadata = fs::metadata(path).ok()?;
    let age = Age::of(&metadata);
    let id = FileId { device: metadata.dev(), inode: metadata.ino(), generation: None };
    (!known.mark.is_of_another(id, &age)).then_some(age)
}

/// True where the inode was given to another file, which stands at `path` now.
fn is_another(path: &Path, mark: &Mark) -> bool {
    let Ok(metadata) = fs::metadata(path) else { return false };
    let age = Age::of(&metadata);
    // Where the file system tells when a file was made, that says it without opening it.
    if mark.age.and_then(|age| age.created).zip(age.created).is_some() {
        return mark.age.is_some_and(|before| age.is_of_another(&before));
    }
    open_at_once(path).and_then(|file| file_id(&file)).is_ok_and(|id| mark.is_of_another(id, &age))
}

/// Opens `path` if the known file stands there; with the place in it if it is what it was.
fn open_as(path: &Path, known: &KnownFile) -> io::Result<Option<(File, Rest)>> {
    let metadata = fs::metadata(path)?;
    if !metadata.is_file() || (metadata.dev(), metadata.ino()) != identity(known.mark.id) {
        return Ok(None);
    }
    let file = open_at_once(path)?;
    let id = file_id(&file)?;
    let age = Age::of(&file.metadata()?);
    if known.mark.is_of_another(id, &age) {
        return Ok(None);
    }
    let tail = Tail::proven(&file, id, &known.mark)?;
    Ok(Some((file, Rest { id, path: path.to_owned(), age, tail })))
}
