//! Going on after a restart: the files that the state knows are found, whatever they are called by now, and what came
//! after them is read behind them.

use std::{
    collections::HashSet,
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
};
use crate::{
    input::discover::open_at_once,
    metrics::SourceNews,
    place::{FileId, KnownFile},
};

/// A known file that is not simply where it was.
struct Strayed {
    id: FileId,
    /// The path whose lines it holds.
    home: PathBuf,
    age: Age,
    /// What to read of it; `None` where another source will.
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
    /// It could not be looked for.
    Hidden,
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
        let places = places(found);
        let homes = homes(found);
        let mut strayed: Vec<Strayed> = Vec::new();
        let all: Vec<KnownFile> = self.known.iter().cloned().collect();
        for known in all {
            strayed.extend(self.stray(&known, &homes, &places));
        }
        strayed.sort_by_key(|stray| stray.age);
        for stray in strayed {
            let source = self.sources.number(&stray.home);
            // It may be open by now, as one that came after another one.
            if let Some(rest) = stray.rest.filter(|_| !self.is_open(stray.id)) {
                self.forget_remembered(stray.id);
                let key = self.register(source, rest.path, rest.file, rest.tail);
                if !rest.is_wanted
                    && let Some(tracked) = self.files.get_mut(&key)
                {
                    tracked.is_wanted = false;
                    tracked.leaving = Some(self.now);
                }
            }
            self.take_siblings(source, &stray.home, stray.age, &places);
        }
    }

    /// Looks for a known file. `None` where there is nothing to do for it here.
    fn stray(&mut self, known: &KnownFile, homes: &Homes<'_>, places: &Places) -> Option<Strayed> {
        let id = known.mark.id;
        let home = home(&known.path, homes);
        let wanted_at = places.get(&identity(id));
        if home != known.path {
            self.successors.insert(home.clone());
        }
        if wanted_at == Some(&known.path) && home == known.path {
            return None;
        }
        if wanted_at != Some(&known.path) {
            self.successors.insert(known.path.clone());
        }
        match locate(known, wanted_at, &home, &mut self.listings) {
            Located::Here(path, file, tail) => {
                let tail = tail.unwrap_or_else(|| self.begun_anew(id, &home));
                let metadata = file.metadata().ok()?;
                let is_done = wanted_at == Some(&known.path) && metadata.size() == tail.offset;
                let rest = Rest { is_wanted: wanted_at.is_some(), path, file, tail };
                let rest = (!is_done).then_some(rest);
                Some(Strayed { id, home, age: Age::of(&metadata), rest })
            }
            // It is taken with the others, and found not to be what it was.
            Located::Gone if wanted_at.is_some() => None,
            Located::Gone => {
                self.forget_remembered(id);
                let source = self.sources.number(&home);
                self.orphans.entry(source).or_default().push(id);
                None
            }
            Located::Hidden => None,
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
            Err(_) => return Located::Hidden,
        }
    }
    let Ok(others) = listings.with_inode(folder_of(&known.path), known.mark.id.inode) else { return Located::Hidden };
    for (_, name) in others {
        let path = known.path.with_file_name(&name);
        let Ok(Some((file, tail))) = open_as(&path, known) else { continue };
        // The same inode is no proof where it may have been given to another file; the same name makes one.
        let is_of_home = is_rotated_name(home.file_name().unwrap_or_default(), &name);
        if tail.is_some() || is_of_home {
            return Located::Here(path, file, tail);
        }
    }
    Located::Gone
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
