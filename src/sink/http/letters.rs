//! Appends dead letters to a file that others append to as well: whole lines, synced before anybody relies on them.

use std::{
    fs::{File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{FileExt, MetadataExt},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use arc_swap::ArcSwapOption;
use jiff::Timestamp;
use rustix::io::Errno;

use super::batch::Item;
use crate::{
    fault::FaultKind,
    letter::Letter,
    sink::durable::{put_aside, sync_parent},
};

/// See the module.
pub(super) struct Letters {
    path: PathBuf,
    /// The sink.
    id: String,
    /// Opened when the first letter comes.
    file: ArcSwapOption<File>,
    /// The last line in it may have no end.
    is_open: AtomicBool,
    /// What became of a file that could not be synced, until it is said.
    left: ArcSwapOption<String>,
}

impl Letters {
    pub(super) fn new(path: &Path, id: &str) -> Self {
        Self {
            path: path.to_owned(),
            id: id.to_owned(),
            file: ArcSwapOption::empty(),
            is_open: AtomicBool::new(false),
            left: ArcSwapOption::empty(),
        }
    }

    /// What is to be said of a file that was left; once.
    pub(super) fn take_left(&self) -> Option<Arc<String>> {
        self.left.swap(None)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// `items`, refused for `reason`, as lines.
    pub(super) fn encode(&self, items: &[Item], reason: &str) -> Vec<u8> {
        let mut lines = Vec::new();
        let time = Timestamp::now();
        for item in items {
            let record = item.record();
            let letter = Letter {
                time,
                processor: &self.id,
                kind: FaultKind::Refused,
                reason,
                source: item.source(),
                offset: record.offset,
                length: record.length,
                truncated: item.is_cut(),
                line: item.line(),
            };
            letter.encode(&mut lines);
        }
        lines
    }

    /// Appends `lines`, and returns when they are safe.
    pub(super) fn append(&self, lines: &[u8]) -> io::Result<()> {
        let file = self.file()?;
        if self.is_open.load(Ordering::Relaxed) {
            (&*file).write_all(b"\n")?;
            self.is_open.store(false, Ordering::Relaxed);
        }
        self.write(&file, lines)?;
        match file.sync_data() {
            // A pipe or a device cannot be synced.
            Err(error) if error.raw_os_error() == Some(Errno::INVAL.raw_os_error()) => Ok(()),
            synced => synced.map_err(|error| self.leave(&file, &error)),
        }
    }

    /// Leaves a file that could not be synced: the system may have thrown away what it could not write, and tells it only
    /// once. What is appended next, these letters again, goes to a new one.
    fn leave(&self, file: &File, error: &io::Error) -> io::Error {
        self.file.store(None);
        let identity = file.metadata().map(|metadata| (metadata.dev(), metadata.ino()));
        let aside = identity.and_then(|identity| put_aside(&self.path, identity, None));
        let then = match aside {
            Ok(Some(aside)) => format!("it is put aside as {}", aside.display()),
            Ok(None) => "it stands there no more".to_owned(),
            Err(error) => format!("it cannot be put aside: {error}"),
        };
        let then = format!("not all of it may be on disk: {then}");
        self.left.store(Some(Arc::new(format!("{}: {then}, and a new file is begun", self.path.display()))));
        io::Error::other(format!("{error}; {then}"))
    }

    /// Writes all lines, or none if that can be.
    fn write(&self, mut file: &File, lines: &[u8]) -> io::Result<()> {
        let mut taken = 0;
        while taken < lines.len() {
            let error = match file.write(&lines[taken..]) {
                Ok(0) => io::ErrorKind::WriteZero.into(),
                Ok(count) => {
                    taken += count;
                    continue;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => error,
            };
            self.take_back(file, &lines[..taken]);
            return Err(error);
        }
        Ok(())
    }

    /// Cuts off `written` if nobody has written behind it; else the next letter begins on a line of its own.
    fn take_back(&self, file: &File, written: &[u8]) {
        if written.is_empty() {
            return;
        }
        let taken_back = || {
            let start = file.metadata().ok()?.len().checked_sub(written.len() as u64)?;
            let mut last = vec![0; written.len()];
            file.read_exact_at(&mut last, start).ok()?;
            (last == written).then(|| file.set_len(start).ok())?
        };
        if taken_back().is_none() {
            self.is_open.store(written.last() != Some(&b'\n'), Ordering::Relaxed);
        }
    }

    fn file(&self) -> io::Result<Arc<File>> {
        if let Some(file) = self.file.load_full() {
            return Ok(file);
        }
        let file = OpenOptions::new().read(true).append(true).create(true).open(&self.path)?;
        self.is_open.store(has_open_end(&file)?, Ordering::Relaxed);
        sync_parent(&self.path)?;
        let file = Arc::new(file);
        self.file.store(Some(Arc::clone(&file)));
        Ok(file)
    }
}

/// True for a file whose last line has no newline.
fn has_open_end(file: &File) -> io::Result<bool> {
    let metadata = file.metadata()?;
    if !metadata.is_file() || metadata.len() == 0 {
        return Ok(false);
    }
    let mut last = [0];
    file.read_exact_at(&mut last, metadata.len() - 1)?;
    Ok(last != *b"\n")
}
