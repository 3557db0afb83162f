//! Directories: everything below, in the order of names, without loops.

use std::{collections::HashSet, fs, io, path::Path};

use walkdir::{DirEntry, WalkDir};

use super::{Choice, Probe, Search, Skip, describe, identity};

/// Files that are looked at together, at most.
const WAITING_MAX: usize = 1 << 10;

impl Search {
    /// Takes the files below `root`.
    pub(super) fn walk(&mut self, root: &Path) {
        let walk = WalkDir::new(root).follow_links(self.options.follow_links).sort_by_file_name();
        let mut entries = walk.into_iter();
        let mut entered = HashSet::new();
        while let Some(entry) = entries.next() {
            let entry = match entry {
                Ok(entry) => entry,
                Err(error) => {
                    self.look_at_waiting();
                    self.walk_error(root, &error);
                    continue;
                }
            };
            let is_directory = entry.file_type().is_dir();
            if let Some(reason) = self.reason_to_skip(&entry, &mut entered) {
                self.skip(reason);
                if is_directory {
                    entries.skip_current_dir();
                }
            } else if !is_directory && entry.depth() > 0 {
                self.walked(&entry);
            }
        }
        self.look_at_waiting();
    }

    /// Looks at the files that wait for it. Before anything else is taken or refused: order counts.
    fn look_at_waiting(&mut self) {
        if self.waiting.is_empty() {
            return;
        }
        let mut waiting = std::mem::take(&mut self.waiting);
        for (path, probe) in waiting.iter().zip(Probe::all(&waiting, &self.devices)) {
            match probe {
                Some(probe) => self.judge(path, probe, Choice::Walk),
                None => self.other(path),
            }
        }
        waiting.clear();
        self.waiting = waiting;
    }

    fn reason_to_skip(&self, entry: &DirEntry, entered: &mut HashSet<(u64, u64)>) -> Option<Skip> {
        if entry.depth() > 0 && is_hidden(entry) && !self.options.hidden {
            return Some(Skip::Hidden);
        }
        // walkdir ends loops, but a few links that cross make a great many ways to one directory.
        if self.options.follow_links && entry.file_type().is_dir() {
            let metadata = entry.metadata().ok()?;
            return (!entered.insert(identity(&metadata))).then_some(Skip::Symlink);
        }
        None
    }

    fn walked(&mut self, entry: &DirEntry) {
        // Those that somebody reads already are told by what they are, and not opened.
        if entry.file_type().is_file() && self.familiar.is_empty() {
            self.waiting.push(entry.path().to_owned());
            if self.waiting.len() >= WAITING_MAX {
                self.look_at_waiting();
            }
            return;
        }
        self.look_at_waiting();
        self.other(entry.path());
    }

    /// What is not known to be a file.
    fn other(&mut self, path: &Path) {
        match fs::metadata(path) {
            // Directories proper are entered before they get here: this one stands behind a link.
            Ok(metadata) if metadata.is_dir() => self.skip(Skip::Symlink),
            Ok(metadata) => self.file(path, &metadata, Choice::Walk),
            Err(_) if is_link(path) => self.skip(Skip::Symlink),
            Err(error) if error.kind() == io::ErrorKind::NotFound => self.absent(path, describe(&error)),
            Err(error) => self.refuse(path, describe(&error)),
        }
    }

    pub(super) fn walk_error(&mut self, root: &Path, error: &walkdir::Error) {
        if error.loop_ancestor().is_some() {
            return self.skip(Skip::Symlink);
        }
        let path = error.path().unwrap_or(root);
        if leads_nowhere(path) {
            return self.skip(Skip::Symlink);
        }
        let message = error.io_error().map_or_else(|| error.to_string(), describe);
        match fs::metadata(path) {
            Ok(metadata) => self.refuse_once(path, identity(&metadata), message),
            Err(error) if error.kind() == io::ErrorKind::NotFound => self.absent(path, message),
            Err(_) => self.refuse(path, message),
        }
    }
}

pub(super) fn is_hidden(entry: &DirEntry) -> bool {
    entry.file_name().as_encoded_bytes().starts_with(b".")
}

/// A link to nothing, or one that leads back to itself: left over, as links are; nothing that somebody wanted read.
fn leads_nowhere(path: &Path) -> bool {
    is_link(path) && fs::metadata(path).is_err_and(|error| error.kind() != io::ErrorKind::PermissionDenied)
}

fn is_link(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_symlink())
}
