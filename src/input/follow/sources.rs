//! The sources that a follower has numbered, and the news about them.

use std::{
    collections::{BTreeMap, HashMap},
    ops::Range,
    path::{Path, PathBuf},
    sync::Arc,
};

use super::Key;
use crate::{
    fault::FaultKind,
    metrics::{Restored, SourceNews},
    place::Mark,
    record::SourceId,
};

/// All sources, and what was not told about them yet.
#[derive(Debug, Default)]
pub(super) struct Sources {
    list: Vec<Source>,
    by_path: HashMap<PathBuf, SourceId>,
    /// Those of which a file is known and cannot be opened, and why.
    hidden: BTreeMap<SourceId, String>,
    pub(super) news: Vec<SourceNews>,
}

#[derive(Debug)]
struct Source {
    path: Arc<Path>,
    /// The file that came last, and whether there was one.
    last: Option<Key>,
    /// All that are open.
    files: Vec<Key>,
    /// How far the last file was read when it was closed, or when the state knew it last.
    last_mark: Option<Mark>,
    had_file: bool,
    trouble: Option<Trouble>,
}

/// Why a source cannot be read.
#[derive(Debug, PartialEq, Eq)]
struct Trouble {
    message: String,
    is_absent: bool,
}

impl Sources {
    /// The number for `path`, which gets one if it has none.
    pub(super) fn number(&mut self, path: &Path) -> SourceId {
        if let Some(&source) = self.by_path.get(path) {
            return source;
        }
        let source = self.list.len() as SourceId;
        self.by_path.insert(path.to_owned(), source);
        self.list.push(Source {
            path: path.into(),
            last: None,
            files: Vec::new(),
            last_mark: None,
            had_file: false,
            trouble: None,
        });
        self.news.push(SourceNews::Added { source, path: path.to_string_lossy().into_owned() });
        source
    }

    /// The source that `path` has a number for.
    pub(super) fn get(&self, path: &Path) -> Option<SourceId> {
        self.by_path.get(path).copied()
    }

    pub(super) fn path(&self, source: SourceId) -> Arc<Path> {
        self.list[source as usize].path.clone()
    }

    /// A source, where it does not matter which.
    pub(super) fn any(&self) -> (SourceId, Arc<Path>) {
        (0, self.list.first().map_or_else(|| Path::new("").into(), |source| source.path.clone()))
    }

    /// Notes that the file `key` came to `source`; returns the one that came before it.
    pub(super) fn succeed(&mut self, source: SourceId, key: Key, identity: (u64, u64)) -> Option<Key> {
        let entry = &mut self.list[source as usize];
        let had_file = std::mem::replace(&mut entry.had_file, true);
        let rotated = SourceNews::Rotated { source, identity };
        self.news.push(if had_file { rotated } else { SourceNews::Opened { source, identity } });
        entry.last.replace(key)
    }

    pub(super) fn add_file(&mut self, source: SourceId, key: Key) {
        self.list[source as usize].files.push(key);
    }

    pub(super) fn remove_file(&mut self, source: SourceId, key: Key) {
        self.list[source as usize].files.retain(|&other| other != key);
    }

    /// The files of `source` that are open.
    pub(super) fn files(&self, source: SourceId) -> &[Key] {
        &self.list[source as usize].files
    }

    pub(super) fn last_mark(&self, source: SourceId) -> Option<Mark> {
        self.list[source as usize].last_mark
    }

    /// Notes how far the file `key` was read, if it is the last one of `source`.
    pub(super) fn close(&mut self, source: SourceId, key: Key, mark: Mark) {
        let entry = &mut self.list[source as usize];
        if entry.last == Some(key) {
            entry.last_mark = Some(mark);
        }
    }

    /// What comes to `source` comes after `mark`, unless a file of it is open.
    pub(super) fn set_last_mark(&mut self, source: SourceId, mark: Mark) {
        self.list[source as usize].last_mark = Some(mark);
    }

    pub(super) fn set_last(&mut self, source: SourceId, key: Key) {
        self.list[source as usize].last = Some(key);
    }

    /// The file of `source` that came last.
    pub(super) fn last(&self, source: SourceId) -> Option<Key> {
        self.list[source as usize].last
    }

    pub(super) fn segment(&mut self, source: SourceId, segment: Range<u64>) {
        if !segment.is_empty() {
            self.news.push(SourceNews::Segment { source, start: segment.start, end: segment.end });
        }
    }

    /// Says that `source` cannot be read, unless that was said.
    pub(super) fn fail(&mut self, source: SourceId, message: String) {
        if self.is_new_trouble(source, &message, false) {
            self.news.push(SourceNews::Failed { source, kind: FaultKind::Unreadable, message });
        }
    }

    /// Says that nothing is there for `source`, unless that was said.
    pub(super) fn miss(&mut self, source: SourceId, message: String) {
        if self.is_new_trouble(source, &message, true) {
            self.news.push(SourceNews::Absent { source, message });
        }
    }

    fn is_new_trouble(&mut self, source: SourceId, message: &str, is_absent: bool) -> bool {
        let trouble = Some(Trouble { message: message.to_owned(), is_absent });
        let before = &mut self.list[source as usize].trouble;
        let is_new = *before != trouble;
        *before = trouble;
        is_new
    }

    /// Says that `source` can be read again, if it was said that it cannot.
    pub(super) fn restore(&mut self, source: SourceId) {
        self.end_trouble(source, Restored::Readable);
    }

    /// The same, where its file was removed meanwhile.
    pub(super) fn forget_trouble(&mut self, source: SourceId) {
        self.end_trouble(source, Restored::Away);
    }

    fn end_trouble(&mut self, source: SourceId, how: Restored) {
        let Some(trouble) = self.list[source as usize].trouble.take() else { return };
        if !self.hidden.contains_key(&source) {
            let how = if trouble.is_absent { Restored::There } else { how };
            self.news.push(SourceNews::Restored { source, how });
        }
    }

    /// Says that a file of `source` is known and cannot be opened, unless that was said. Its path may be read meanwhile.
    pub(super) fn hide(&mut self, source: SourceId, message: String) {
        if self.hidden.get(&source) != Some(&message) {
            self.hidden.insert(source, message.clone());
            self.news.push(SourceNews::Failed { source, kind: FaultKind::Unreadable, message });
        }
    }

    /// Only `hidden` have files that are known and cannot be opened.
    pub(super) fn hide_only(&mut self, hidden: BTreeMap<SourceId, String>) {
        let shown = std::mem::take(&mut self.hidden);
        let (still, over): (BTreeMap<_, _>, BTreeMap<_, _>) =
            shown.into_iter().partition(|(source, _)| hidden.contains_key(source));
        self.hidden = still;
        for source in over.into_keys() {
            if self.list[source as usize].trouble.is_none() {
                self.news.push(SourceNews::Restored { source, how: Restored::Readable });
            }
        }
        hidden.into_iter().for_each(|(source, message)| self.hide(source, message));
    }

    /// Paths of the sources that cannot be read and have no file.
    pub(super) fn in_trouble(&self) -> impl Iterator<Item = (SourceId, &Arc<Path>)> {
        let troubled = (0..).zip(&self.list).filter(|(_, source)| source.trouble.is_some());
        troubled.map(|(number, source)| (number, &source.path))
    }
}
