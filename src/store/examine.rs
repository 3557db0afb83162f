//! Looks at a directory of state from outside, as somebody who asks what is in it: nothing is locked, changed or put
//! aside, whoever uses it goes on, and what is broken is described instead of refused.

use std::{
    collections::HashMap,
    fs::{self, File, Metadata, OpenOptions},
    io,
    os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use jiff::Timestamp;
use rustix::fs::OFlags;
use serde::Serialize;

use super::{
    Checkpoint,
    error::StoreError,
    generation::Unbelievable,
    history,
    lock::{self, Holder},
    slots::{self, SLOTS, Slot},
};
use crate::{
    input::describe,
    limits,
    metrics::Totals,
    place::{KnownFile, Print, SinkMark},
};

/// All that can be told about a directory of state.
#[derive(Debug, Clone, Serialize)]
pub struct StateReport {
    /// The directory.
    #[serde(with = "crate::place::paths")]
    pub dir: PathBuf,
    /// Who uses it now.
    pub lock: Holder,
    /// What is in its slots.
    pub generations: Vec<GenerationReport>,
    /// Files that were put aside.
    pub aside: Vec<AsideReport>,
    /// What a start would go on from, if anything can be believed.
    pub checkpoint: Option<CheckpointReport>,
}

/// One slot that is not free.
#[derive(Debug, Clone, Serialize)]
pub struct GenerationReport {
    /// Its file.
    pub slot: &'static str,
    /// Whether it can be believed; if not, why.
    pub bad: Option<String>,
    /// Its number, if it can.
    pub generation: Option<u64>,
    /// When it was saved, if it can.
    pub saved: Option<Timestamp>,
}

/// One file that was put aside.
#[derive(Debug, Clone, Serialize)]
pub struct AsideReport {
    /// Its name.
    pub name: String,
    /// Its size.
    pub bytes: u64,
}

/// The newest checkpoint that can be believed, held against the files as they are now.
#[derive(Debug, Clone, Serialize)]
pub struct CheckpointReport {
    /// Its number.
    pub generation: u64,
    /// When it was saved.
    pub saved: Timestamp,
    /// Since when the totals count.
    pub since: Timestamp,
    /// What was counted.
    pub totals: Totals,
    /// Files that are followed.
    pub files: Vec<PlaceReport>,
    /// Files that are written.
    pub sinks: Vec<PlaceReport>,
}

/// A place in a file: how far it is read, or how long it was when it was last known to be right.
#[derive(Debug, Clone, Serialize)]
pub struct PlaceReport {
    /// Where the file was last seen.
    #[serde(with = "crate::place::paths")]
    pub path: PathBuf,
    /// The place.
    pub offset: u64,
    /// The size of the file now, where that can be told.
    pub size: Option<u64>,
    /// Bytes behind the place, where it is proved.
    pub behind: Option<u64>,
    /// Whether the file is still the one that was meant.
    #[serde(flatten)]
    pub verdict: Verdict,
}

/// What a file says to a place in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "verdict", content = "detail", rename_all = "snake_case")]
pub enum Verdict {
    /// It is the same file with the same bytes before the place.
    Proved,
    /// So it is, but it has another name now.
    Rotated(String),
    /// It is the same file, and has become shorter, or has other bytes before the place.
    Changed(&'static str),
    /// Another file has its name, and it was not found in the same directory.
    Replaced,
    /// It is not there, nor in the same directory.
    Gone,
    /// It cannot be looked at.
    Unknown(String),
}

/// Looks at `dir`.
///
/// # Errors
///
/// It cannot be read, or there is no state in it.
pub fn examine(dir: &Path) -> Result<StateReport, StoreError> {
    let names = slots::names(dir).map_err(|error| StoreError::io("read", dir, error))?;
    let slots = SLOTS.map(|name| (name, look(&dir.join(name))));
    let is_ours = slots.iter().any(|(_, slot)| !matches!(slot, Slot::Free))
        || names.iter().any(|name| name == lock::NAME || name == history::DIR || slots::is_aside(name));
    if !is_ours {
        return Err(StoreError::NoState(dir.to_owned()));
    }
    let generations = slots.iter().filter_map(|(name, slot)| generation(name, slot)).collect();
    let good = slots.into_iter().filter_map(|(_, slot)| if let Slot::Good(good) = slot { Some(good) } else { None });
    let newest = good.max_by_key(|good| good.number);
    Ok(StateReport {
        dir: dir.to_owned(),
        lock: lock::holder(dir),
        generations,
        aside: names.into_iter().filter(|name| slots::is_aside(name)).map(|name| aside(dir, name)).collect(),
        checkpoint: newest.map(|good| checkpoint(good.number, good.checkpoint)),
    })
}

impl StateReport {
    /// True if a start would go on from the last checkpoint that was saved.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.generations.iter().all(|generation| generation.bad.is_none())
    }
}

fn look(path: &Path) -> Slot {
    slots::read(path).unwrap_or_else(|error| Slot::Bad(Unbelievable::Disk(describe(&error))))
}

fn generation(slot: &'static str, found: &Slot) -> Option<GenerationReport> {
    let (bad, good) = match found {
        Slot::Free => return None,
        Slot::Bad(why) => (Some(why.to_string()), None),
        Slot::Good(good) => (None, Some(good)),
    };
    let saved = good.map(|good| good.checkpoint.saved);
    Some(GenerationReport { slot, bad, generation: good.map(|good| good.number), saved })
}

fn aside(dir: &Path, name: String) -> AsideReport {
    let bytes = dir.join(&name).symlink_metadata().map_or(0, |metadata| metadata.len());
    AsideReport { name, bytes }
}

fn checkpoint(generation: u64, checkpoint: Checkpoint) -> CheckpointReport {
    let Checkpoint { saved, since, files, sinks, totals } = checkpoint;
    let mut siblings = Siblings::default();
    let files = files.iter().map(|file| place_of_file(file, &mut siblings)).collect();
    let sinks = sinks.iter().map(|sink| place_of_sink(sink, &mut siblings)).collect();
    CheckpointReport { generation, saved, since, totals, files, sinks }
}

fn place_of_file(file: &KnownFile, siblings: &mut Siblings) -> PlaceReport {
    let KnownFile { path, mark } = file;
    let wanted =
        Wanted { identity: (mark.id.device, mark.id.inode), offset: mark.offset, head: mark.head, tail: mark.tail };
    wanted.report(path, siblings)
}

fn place_of_sink(sink: &SinkMark, siblings: &mut Siblings) -> PlaceReport {
    let wanted = Wanted { identity: sink.identity, offset: sink.length, head: Print::default(), tail: sink.tail };
    wanted.report(&sink.path, siblings)
}

/// A place that is held against a file.
struct Wanted {
    identity: (u64, u64),
    offset: u64,
    head: Print,
    tail: Print,
}

impl Wanted {
    fn report(&self, path: &Path, siblings: &mut Siblings) -> PlaceReport {
        let (verdict, size) = self.judge(path, siblings);
        let is_proved = matches!(verdict, Verdict::Proved | Verdict::Rotated(_));
        let behind = size.filter(|_| is_proved).map(|size| size.saturating_sub(self.offset));
        PlaceReport { path: path.to_owned(), offset: self.offset, size, behind, verdict }
    }

    fn judge(&self, path: &Path, siblings: &mut Siblings) -> (Verdict, Option<u64>) {
        let otherwise = match fs::metadata(path) {
            Ok(metadata) if identity(&metadata) == self.identity => return self.prove(path, Verdict::Proved),
            // A system may give a device another number when it starts: then the bytes say whether it is that file.
            Ok(metadata) if metadata.ino() == self.identity.1 && self.offset > 0 => {
                let renumbered = Wanted { identity: identity(&metadata), ..*self };
                match renumbered.prove(path, Verdict::Proved) {
                    (Verdict::Changed(_), _) => Verdict::Replaced,
                    proved => return proved,
                }
            }
            Ok(_) => Verdict::Replaced,
            Err(error) if is_absence(&error) => Verdict::Gone,
            Err(error) => return (Verdict::Unknown(describe(&error)), None),
        };
        match siblings.find(path, self.identity) {
            Some(now) => {
                let name = super::error::shown(&now);
                match self.prove(&now, Verdict::Rotated(name)) {
                    // An inode that was given to some other file.
                    (Verdict::Changed(_), _) => (otherwise, None),
                    proved => proved,
                }
            }
            None => (otherwise, None),
        }
    }

    /// `proved` if the prints agree.
    fn prove(&self, path: &Path, proved: Verdict) -> (Verdict, Option<u64>) {
        match self.compare(path) {
            Ok((None, size)) => (proved, Some(size)),
            Ok((Some(change), size)) => (Verdict::Changed(change), Some(size)),
            Err(error) => (Verdict::Unknown(describe(&error)), None),
        }
    }

    /// What has changed, and the size.
    fn compare(&self, path: &Path) -> io::Result<(Option<&'static str>, u64)> {
        let flags = (OFlags::NONBLOCK | OFlags::NOCTTY).bits() as i32;
        let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
        let metadata = file.metadata()?;
        let size = metadata.len();
        let change = if !metadata.is_file() || identity(&metadata) != self.identity {
            Some("it is another file")
        } else if size < self.offset {
            Some("it became shorter")
        } else if !agrees(&file, 0, self.head)? {
            Some("it begins with other bytes")
        } else if !agrees(&file, self.offset - u64::from(self.tail.bytes), self.tail)? {
            Some("other bytes stand before the place")
        } else {
            None
        };
        Ok((change, size))
    }
}

fn agrees(file: &File, start: u64, print: Print) -> io::Result<bool> {
    if print.bytes == 0 {
        return Ok(true);
    }
    let mut bytes = vec![0; print.bytes as usize];
    match file.read_exact_at(&mut bytes, start) {
        Ok(()) => Ok(Print::of(&bytes) == print),
        // It became shorter just now.
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}

fn identity(metadata: &Metadata) -> (u64, u64) {
    (metadata.dev(), metadata.ino())
}

fn is_absence(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// The files of directories, by identity; each is read once.
#[derive(Default)]
struct Siblings(HashMap<PathBuf, HashMap<(u64, u64), PathBuf>>);

impl Siblings {
    fn find(&mut self, path: &Path, identity: (u64, u64)) -> Option<PathBuf> {
        let parent = path.parent()?;
        let known = self.0.entry(parent.to_owned()).or_insert_with(|| files_of(parent));
        known.get(&identity).cloned()
    }
}

fn files_of(dir: &Path) -> HashMap<(u64, u64), PathBuf> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten().take(limits::SOURCES_LISTED);
    let files = entries.filter_map(|entry| {
        let metadata = entry.metadata().ok().filter(Metadata::is_file)?;
        Some((identity(&metadata), entry.path()))
    });
    files.collect()
}
