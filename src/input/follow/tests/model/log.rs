//! The log of a life, and who writes, rotates, truncates and removes it.

use std::{
    fs::{self, File, OpenOptions},
    io::Write,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::atomic::Ordering,
    time::Duration,
};

use super::{super::super::identity::file_id, Life, REUSED, Shape, lines};

impl Life {
    pub(super) fn path(&self) -> PathBuf {
        self.folder.path().join("app.log")
    }

    /// The writer opens its path anew.
    pub(super) fn reopen(&mut self) {
        let is_new = !self.path().exists();
        let file = OpenOptions::new().append(true).create(true).open(self.path()).unwrap();
        if is_new && self.removed.remove(&file.metadata().unwrap().ino()) {
            REUSED.fetch_add(1, Ordering::Relaxed);
        }
        self.writer = Some(file);
        self.file += 1;
    }

    pub(super) fn write(&mut self, text: &str) {
        self.writer.as_mut().unwrap().write_all(text.as_bytes()).unwrap();
    }

    pub(super) fn append(&mut self) {
        for _ in 0..self.rng.u32(1..6) {
            let rest = if self.partial.is_empty() { self.new_line() } else { std::mem::take(&mut self.partial) };
            self.write(&rest);
            self.written.entry(self.file).or_default().push(self.line);
        }
    }

    pub(super) fn new_line(&mut self) -> String {
        self.line += 1;
        let filling = "x".repeat(self.rng.usize(0..60));
        format!("{}:{}:{filling}\n", self.file, self.line)
    }

    pub(super) fn write_partial(&mut self) {
        if self.partial.is_empty() {
            let line = self.new_line();
            let cut = self.rng.usize(1..line.len());
            self.write(&line[..cut]);
            self.partial = line[cut..].to_owned();
        }
    }

    /// What is begun must be ended before the file is left: a torn line is a line that nobody can tell.
    pub(super) fn end_partial(&mut self) {
        if !self.partial.is_empty() {
            let rest = std::mem::take(&mut self.partial);
            self.write(&rest);
            self.written.entry(self.file).or_default().push(self.line);
        }
    }

    pub(super) fn shift(&mut self) {
        for number in (1..=self.rotations).rev() {
            let name = |number: u32| self.folder.path().join(format!("app.{number}.log"));
            if name(number).exists() {
                fs::rename(name(number), name(number + 1)).unwrap();
            }
        }
        self.rotations += 1;
    }

    pub(super) fn rename(&mut self, is_late: bool) {
        if !self.path().exists() {
            return self.reopen();
        }
        self.shift();
        fs::rename(self.path(), self.folder.path().join("app.1.log")).unwrap();
        if is_late {
            if self.rng.bool() {
                self.take_within(0..1_000);
            }
            self.append();
        }
        self.end_partial();
        self.reopen();
    }

    pub(super) fn endanger(&mut self) {
        let lines = self.written.get(&self.file).cloned().unwrap_or_default();
        self.endangered.extend(lines);
        self.endangered.insert(self.line);
        self.partial.clear();
    }

    pub(super) fn truncate(&mut self, copies: bool) {
        self.end_partial();
        self.endanger();
        if copies && self.shape == Shape::File {
            self.shift();
            self.copy_to(&self.folder.path().join("app.1.log"));
        }
        let writer = self.writer.as_ref().unwrap();
        let id = file_id(writer).unwrap();
        self.must_say |= self.known.iter().any(|known| known.mark.id == id && known.mark.offset > 0);
        writer.set_len(0).unwrap();
        self.file += 1;
    }

    /// A second ago: all that is done here is done within one tick of the clock that files are stamped by.
    pub(super) fn copy_to(&self, path: &Path) {
        if fs::copy(self.path(), path).is_ok() {
            let file = File::options().append(true).open(path).unwrap();
            file.set_modified(std::time::SystemTime::now() - Duration::from_secs(1)).unwrap();
        }
    }

    pub(super) fn delete(&mut self) {
        self.end_partial();
        self.endanger();
        self.removed.extend(fs::metadata(self.path()).map(|metadata| metadata.ino()));
        let _ = fs::remove_file(self.path());
        self.writer = None;
        self.reopen();
    }

    /// Removes a rotated file. What was in it is in danger, unless it `is_seen` before.
    pub(super) fn remove_rotated(&mut self, is_seen: bool) {
        let rotated = fs::read_dir(self.folder.path()).unwrap().map(|entry| entry.unwrap().path());
        let mut rotated: Vec<PathBuf> = rotated.filter(|path| *path != self.path()).collect();
        rotated.sort();
        if rotated.is_empty() {
            return;
        }
        let path = &rotated[self.rng.usize(0..rotated.len())];
        let bytes = fs::read(path).unwrap();
        if !is_seen {
            self.endangered.extend(lines(&bytes).map(|(_, line)| line));
            let id = file_id(&File::open(path).unwrap()).unwrap();
            let known = self.known.iter().find(|known| known.mark.id == id).map(|known| known.mark);
            let is_behind = |mark: crate::place::Mark| mark.age.is_some_and(|age| mark.offset < age.size);
            self.must_say_lost |= known.is_some_and(|mark| !mark.is_over && is_behind(mark));
        }
        self.removed.insert(fs::metadata(path).unwrap().ino());
        fs::remove_file(path).unwrap();
    }
}
