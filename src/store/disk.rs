//! Keeps checkpoints in a directory, so that at every moment, whatever fails, one of the last two is whole on disk.
//!
//! There are two slots. A checkpoint is written to a new file, which is synced and then renamed to the slot that does not
//! hold the last good one; then the directory is synced. Whatever goes wrong on the way, the other slot is as it was. A
//! file whose sync failed is never synced again, since the system may have thrown away what it could not write and call
//! the second try a success: the next save begins a new file.

use std::{
    fs::{self, DirBuilder, File},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, MetadataExt},
    path::{Path, PathBuf},
};

use rustix::fs::{AtFlags, Mode, OFlags, openat, renameat, unlinkat};

use super::{
    checkpoint::Checkpoint,
    error::{StoreError, shown},
    generation::{self, Generation, Unbelievable},
    lock,
    slots::{self, SLOTS, Slot, Why},
};
use crate::limits;

/// A directory of state, which no other process can open until this is dropped.
#[derive(Debug)]
pub struct Store {
    path: PathBuf,
    /// What is written goes here, even if the directory is renamed.
    dir: File,
    _lock: File,
    /// The slot that is written next: the other one holds the last good generation.
    next: usize,
    /// The generation that was last begun.
    generation: u64,
}

/// What was found.
#[derive(Debug)]
pub struct Loaded {
    /// Where to go on. `None`: there was nothing, or it is to be forgotten.
    pub checkpoint: Option<Checkpoint>,
    /// What must be said loudly, a line each.
    pub said: Vec<String>,
    /// It may be older than the last one that was saved: records behind it may have been delivered already.
    pub is_older: bool,
}

impl Store {
    /// Opens the state in `dir`, which is made if it does not exist, and loads the newest good generation. With `forget`
    /// all that is there is put aside.
    ///
    /// # Errors
    ///
    /// Another process has it; there are checkpoints, but none can be believed (they are left as they are); or the system
    /// refuses something.
    pub fn open(dir: &Path, forget: bool) -> Result<(Self, Loaded), StoreError> {
        let path = std::path::absolute(dir).map_err(|error| StoreError::io("find", dir, error))?;
        make(&path)?;
        let dir = File::open(&path).map_err(|error| StoreError::io("open", &path, error))?;
        let lock = lock::take(&path)?;
        remove_leftovers(&path).map_err(|error| StoreError::io("clean up", &path, error))?;
        let found = load(&path, forget)?;
        let mut store = Self { path, dir, _lock: lock, next: 0, generation: found.newest };
        let mut said = found.said;
        said.extend(store.openness());
        let checkpoint = found.good.map(|(slot, generation)| {
            store.next = 1 - slot;
            generation.checkpoint
        });
        Ok((store, Loaded { checkpoint, said, is_older: found.is_older }))
    }

    /// Where it is.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.path
    }

    /// Saves a checkpoint. When this returns, it survives a power cut.
    ///
    /// # Errors
    ///
    /// The disk is full or broken, or the checkpoint is one that would not be believed. The last one that was saved is
    /// still there, and saving may be tried again.
    pub fn save(&mut self, checkpoint: &Checkpoint) -> io::Result<()> {
        checkpoint.check().map_err(|words| io::Error::new(io::ErrorKind::InvalidInput, words))?;
        // Also what fails may be on the disk: its number is not used again.
        self.generation += 1;
        let bytes = generation::encode(self.generation, checkpoint)?;
        if bytes.len() as u64 > limits::CHECKPOINT_BYTES {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, "the checkpoint is larger than any may be"));
        }
        let name = slots::temporary(self.next, self.generation);
        if let Err(error) = self.put(&name, &bytes) {
            // It may be in the way of the next one where the disk is full.
            let _ = unlinkat(&self.dir, &name, AtFlags::empty());
            return Err(error);
        }
        // Until this has worked, the slot is not counted as good, and it is the one that is written again.
        self.dir.sync_all()?;
        self.next = 1 - self.next;
        Ok(())
    }

    /// Writes a new file, and renames it to the slot.
    fn put(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let mut file = File::from(openat(&self.dir, name, flags, Mode::RUSR | Mode::WUSR)?);
        file.write_all(bytes)?;
        file.sync_all()?;
        Ok(renameat(&self.dir, name, &self.dir, SLOTS[self.next])?)
    }

    /// A warning where others could put a checkpoint into our hands.
    fn openness(&self) -> Option<String> {
        let mode = self.dir.metadata().ok()?.mode();
        (mode & 0o022 != 0).then(|| {
            format!(
                "{}: others may write to this directory (mode {:o}): chmod go-w it",
                shown(&self.path),
                mode & 0o7777
            )
        })
    }
}

/// Makes the directory, and those above it that are missing, for nobody else to read; each lasts.
fn make(path: &Path) -> Result<(), StoreError> {
    let fail = |error| StoreError::io("make this directory", path, error);
    if path.is_dir() {
        return Ok(());
    }
    let parent = path.parent().ok_or_else(|| fail(io::ErrorKind::NotFound.into()))?;
    make(parent)?;
    match DirBuilder::new().mode(0o700).create(path) {
        // Another process may have been faster; the lock tells which of us goes on.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => {}
        made => made.map_err(fail)?,
    }
    slots::sync(parent).map_err(|error| StoreError::io("sync", parent, error))
}

/// Removes what a crash left half written.
fn remove_leftovers(dir: &Path) -> io::Result<()> {
    slots::names(dir)?
        .iter()
        .filter(|name| slots::is_temporary(name))
        .try_for_each(|name| fs::remove_file(dir.join(name)))
}

/// What [`load`] makes of the slots.
#[derive(Debug, Default)]
struct Found {
    good: Option<(usize, Generation)>,
    /// The highest number that was seen, in whatever is to be forgotten too.
    newest: u64,
    said: Vec<String>,
    is_older: bool,
}

fn load(dir: &Path, forget: bool) -> Result<Found, StoreError> {
    let mut found = Found::default();
    let (mut bad, mut good) = (Vec::new(), Vec::new());
    for (slot, name) in SLOTS.iter().enumerate() {
        let path = dir.join(name);
        match slots::read(&path).map_err(|error| StoreError::io("read", &path, error))? {
            Slot::Free => {}
            Slot::Bad(why) => bad.push((slot, why)),
            Slot::Good(generation) => good.push((slot, generation)),
        }
    }
    found.newest = good.iter().map(|(_, generation)| generation.number).max().unwrap_or(0);
    if good.is_empty() && !bad.is_empty() && !forget {
        let bad = bad.into_iter().map(|(slot, why)| (SLOTS[slot].to_owned(), why)).collect();
        return Err(StoreError::NoneGood { dir: dir.to_owned(), bad });
    }
    found.is_older = !bad.is_empty() && !forget;
    let mut aside = Vec::new();
    for (slot, why) in bad {
        aside.push(put_bad_aside(dir, slot, &why, &mut found.said)?);
    }
    if forget {
        for (slot, generation) in good.drain(..) {
            aside.push(forget_good(dir, slot, &generation, &mut found.said)?);
        }
    }
    settle(dir, &aside)?;
    found.good = good.into_iter().max_by_key(|(_, generation)| generation.number);
    if let (true, Some((slot, generation))) = (found.is_older, &found.good) {
        found.said.push(going_on(dir, *slot, generation));
    }
    Ok(found)
}

fn put_bad_aside(dir: &Path, slot: usize, why: &Unbelievable, said: &mut Vec<String>) -> Result<PathBuf, StoreError> {
    let aside = slots::put_aside(dir, slot, Why::Bad)?;
    said.push(format!("{}: not believed: {why}; put aside as {}", shown(&dir.join(SLOTS[slot])), shown(&aside)));
    Ok(aside)
}

fn forget_good(dir: &Path, slot: usize, old: &Generation, said: &mut Vec<String>) -> Result<PathBuf, StoreError> {
    let aside = slots::put_aside(dir, slot, Why::Forgotten)?;
    let (number, saved) = (old.number, old.checkpoint.saved);
    said.push(format!("forgotten: generation {number}, saved {saved:.0}; it was put aside as {}", shown(&aside)));
    Ok(aside)
}

fn going_on(dir: &Path, slot: usize, generation: &Generation) -> String {
    let Generation { number, checkpoint } = generation;
    let path = dir.join(SLOTS[slot]);
    format!(
        "{}: going on from this older checkpoint (generation {number}, saved {:.0}): what was delivered after it may be \
         delivered again",
        shown(&path),
        checkpoint.saved
    )
}

/// Makes it last that files were put aside, and lets go of the oldest.
fn settle(dir: &Path, aside: &[PathBuf]) -> Result<(), StoreError> {
    if aside.is_empty() {
        return Ok(());
    }
    let thinned = slots::thin_out(dir, aside).and_then(|()| slots::sync(dir));
    thinned.map_err(|error| StoreError::io("put files aside in", dir, error))
}
