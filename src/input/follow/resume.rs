//! Going on after a restart: the files that the state knows are found, whatever they are called by now, and what came
//! after them is read behind them.

use std::{
    collections::{BTreeMap, HashSet},
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
    rotation::{Age, Places, bases, folder_of, is_rotated_name},
    scan::places,
    tail::Tail,
    tracked::Tracked,
};
use crate::{
    input::discover::open_at_once,
    metrics::SourceNews,
    place::{FileId, KnownFile},
};

/// A known file that was found.
struct Refound {
    id: FileId,
    /// The path whose lines it holds.
    home: PathBuf,
    age: Age,
    /// It stands where it stood, and is taken with all others.
    is_home: bool,
    /// It cannot be opened.
    is_hidden: bool,
    /// What to read of it; `None` where it is taken with others, or cannot be opened.
    rest: Option<Rest>,
}

struct Rest {
    path: PathBuf,
    file: File,
    tail: Tail,
    is_wanted: bool,
}

/// Where a known file is.
enum Located {
    Here(PathBuf, File, Option<Tail>),
    /// Nowhere.
    Gone,
    /// It could not be looked for, or not be opened: how old it is, if it was found.
    Hidden(Option<Age>),
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
        if self.known.iter().any(is_astray) && self.find_known(found, places) {
            self.chain();
        }
    }

    /// Returns true if it began to read any.
    fn find_known(&mut self, found: &Found, places: &Places) -> bool {
        let mut refound: Vec<Refound> = Vec::new();
        let homes = homes(found);
        let all: Vec<KnownFile> = self.known.iter().cloned().collect();
        for known in all {
            refound.extend(self.find_again(&known, &homes, places));
        }
        refound.sort_by_key(|file| file.age);
        let mut youngest: BTreeMap<PathBuf, (Age, bool)> = BTreeMap::new();
        let mut has_begun = false;
        for file in refound {
            if file.is_home {
                if youngest.contains_key(&file.home) && is_still(&file.home, file.id) {
                    youngest.remove(&file.home);
                }
                continue;
            }
            youngest.insert(file.home.clone(), (file.age, file.is_hidden));
            has_begun |= file.rest.is_some_and(|rest| self.take_rest(&file.home, file.id, rest));
        }
        // What stands between two that are known came before the second one, and has been read. So has all that came
        // before one that is at home.
        for (home, (age, is_hidden)) in youngest {
            let source = self.sources.number(&home);
            // One that is gone may have come later, and then everything else has been read.
            if is_hidden && self.orphans.get(&source).is_some_and(|orphans| !orphans.is_empty()) {
                continue;
            }
            let open = self.sources.last(source).and_then(|key| self.files.get(&key)).and_then(Tracked::age);
            let age = [Some(age), open, self.sources.last_age(source)].into_iter().flatten().max().unwrap_or(age);
            self.take_siblings(source, &home, age, places);
        }
        has_begun
    }

    /// Goes on in a file; `false`: it is open by now, as one that came after another one.
    fn take_rest(&mut self, home: &Path, id: FileId, rest: Rest) -> bool {
        if self.is_open(id) {
            return false;
        }
        let source = self.sources.number(home);
        self.forget_remembered(id);
        self.sources.restore(source);
        let key = self.register(source, rest.path, rest.file, rest.tail);
        if !rest.is_wanted
            && let Some(tracked) = self.files.get_mut(&key)
        {
            tracked.is_wanted = false;
            tracked.leaving = Some(self.now);
        }
        true
    }

    /// Looks for a known file.
    fn find_again(&mut self, known: &KnownFile, homes: &Homes<'_>, places: &Places) -> Option<Refound> {
        let id = known.mark.id;
        let home = home(&known.path, homes);
        let wanted_at = places.get(&identity(id));
        if home != known.path {
            self.successors.insert(home.clone());
        }
        if wanted_at == Some(&known.path) && home == known.path {
            return age_of(&known.path, known).map(|age| Refound {
                id,
                home,
                age,
                is_home: true,
                is_hidden: false,
                rest: None,
            });
        }
        if wanted_at != Some(&known.path) {
            self.successors.insert(known.path.clone());
        }
        match locate(known, wanted_at, &home, &mut self.listings) {
            Located::Here(path, file, tail) => {
                // It may be known by less than it can be known by now that it is open.
                let id = file_id(&file).ok()?;
                let tail = tail.unwrap_or_else(|| self.begun_anew(id, &home));
                let metadata = file.metadata().ok()?;
                let is_done = wanted_at == Some(&known.path) && metadata.size() == tail.offset;
                let rest = Rest { is_wanted: wanted_at.is_some(), path, file, tail };
                let rest = (!is_done).then_some(rest);
                Some(Refound { id, home, age: Age::of(&metadata), is_home: false, is_hidden: false, rest })
            }
            // It is taken with the others, and found not to be what it was.
            Located::Gone if wanted_at.is_some() => None,
            Located::Gone => {
                self.forget_remembered(id);
                let source = self.sources.number(&home);
                self.orphans.entry(source).or_default().push(id);
                None
            }
            // What came after it can be read meanwhile.
            Located::Hidden(age) => {
                age.map(|age| Refound { id, home, age, is_home: false, is_hidden: true, rest: None })
            }
        }
    }

    /// A file was truncated, and then renamed.
    fn begun_anew(&mut self, id: FileId, home: &Path) -> Tail {
        let source = self.sources.number(home);
        self.sources.news.push(SourceNews::Truncated { source, lost: None });
        let mut tail = Tail::new(id);
        tail.restart();
        tail
    }

    /// What is known of a file that is not open.
    pub(super) fn remembered(&self, id: FileId) -> Option<KnownFile> {
        let mut finished = self.finished.iter().filter(|finished| finished.may_return).map(|finished| &finished.known);
        let exact = self.known.get(id).or_else(|| finished.clone().find(|known| known.mark.id == id));
        let with_inode = || {
            let is_inode = |known: &&KnownFile| identity(known.mark.id) == identity(id);
            self.known.with_inode_of(id).or_else(|| finished.find(is_inode))
        };
        exact.or_else(with_inode).cloned()
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
            Ok(Some((file, Some(tail)))) => return Located::Here(path.clone(), file, Some(tail)),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(_) => return Located::Hidden(age_of(path, known)),
        }
    }
    let Ok(others) = listings.with_inode(folder_of(&known.path), known.mark.id.inode) else {
        return Located::Hidden(None);
    };
    for (_, name) in others {
        let path = known.path.with_file_name(&name);
        let (file, tail) = match open_as(&path, known) {
            Ok(Some(found)) => found,
            Ok(None) => continue,
            Err(_) => match age_of(&path, known) {
                Some(age) => return Located::Hidden(Some(age)),
                None => continue,
            },
        };
        // The same inode is no proof where it may have been given to another file; the same name makes one.
        let is_of_home = is_rotated_name(home.file_name().unwrap_or_default(), &name);
        if tail.is_some() || is_of_home {
            return Located::Here(path, file, tail);
        }
    }
    Located::Gone
}

/// How old the known file is, if it stands at `path`, whether it can be opened or not.
fn age_of(path: &Path, known: &KnownFile) -> Option<Age> {
    let metadata = fs::metadata(path).ok()?;
    ((metadata.dev(), metadata.ino()) == identity(known.mark.id)).then(|| Age::of(&metadata))
}

/// True unless the inode of the file of `id` was given to another one, which stands at `path` now.
fn is_still(path: &Path, id: FileId) -> bool {
    let generation = open_at_once(path).and_then(|file| file_id(&file)).ok().and_then(|id| id.generation);
    generation.zip(id.generation).is_none_or(|(one, other)| one == other)
}

/// Opens `path` if the known file stands there; with the place in it if it is what it was.
fn open_as(path: &Path, known: &KnownFile) -> io::Result<Option<(File, Option<Tail>)>> {
    let metadata = fs::metadata(path)?;
    if !metadata.is_file() || (metadata.dev(), metadata.ino()) != identity(known.mark.id) {
        return Ok(None);
    }
    let file = open_at_once(path)?;
    let id = file_id(&file)?;
    let tail = Tail::proven(&file, id, &known.mark)?;
    let is_other = id.generation.zip(known.mark.id.generation).is_some_and(|(one, other)| one != other);
    Ok((!is_other).then_some((file, tail)))
}
