//! The past of one state directory: on disk and in memory.

use std::{
    io,
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
};

use super::{DIR, files, load::load, recorder::Recorder};
use crate::{
    metrics::{History, HistoryIndex, Probes},
    snapshot::Snapshot,
};

/// Everything that is known of the past, and the one who adds to it.
#[derive(Debug)]
pub(crate) struct Archive {
    recorder: Recorder,
    index: HistoryIndex,
    is_loaded: bool,
}

impl Archive {
    /// Opens the history of the state directory `state`, and makes it where there is none.
    pub(crate) fn open(state: &Path) -> io::Result<Self> {
        let recorder = Recorder::open(&state.join(DIR))?;
        // Intervals follow each other, and so the last recording knows the end of all.
        let mut archive = Self { recorder, index: HistoryIndex::default(), is_loaded: false };
        let last = archive.recorder.complete().last().map(str::to_owned);
        let loaded = last.and_then(|stem| load(archive.recorder.dir(), &stem).ok());
        if let Some(last) = loaded.as_ref().and_then(|loaded| loaded.intervals.last()) {
            archive.recorder.set_last_end(last.interval.end);
        }
        Ok(archive)
    }

    /// Reads what was recorded before, unless it was read already; gives up when `stop` is set.
    pub(crate) fn load(&mut self, stop: &AtomicBool) {
        if std::mem::replace(&mut self.is_loaded, true) {
            return;
        }
        for stem in self.recorder.complete() {
            if stop.load(Ordering::Acquire) {
                return;
            }
            add(&mut self.index, self.recorder.dir(), stem);
        }
    }

    /// Appends what happened between two snapshots of one run, with the probes of that time. Where that fails, nothing
    /// was recorded, and the next interval may begin where this one did.
    pub(crate) fn append(&mut self, previous: &Snapshot, now: &Snapshot, probes: &[Probes]) -> io::Result<()> {
        let result = self.recorder.append(previous, now, probes);
        let trouble = result.as_ref().err().map(|error| format!("cannot record what happens: {error}"));
        self.index.set_trouble(trouble);
        self.index.push(result?, now.run.since);
        Ok(())
    }

    /// What is known now.
    pub(crate) fn history(&self) -> History {
        self.index.history()
    }

    /// The next recordings stay within `bytes_max`.
    #[cfg(test)]
    pub(super) fn set_bytes_max(&mut self, bytes_max: u64) {
        self.recorder.set_bytes_max(bytes_max);
    }
}

/// Adds recording `stem` to `index`.
fn add(index: &mut HistoryIndex, dir: &Path, stem: &str) {
    // One that cannot be opened is gone: recordings are removed as others come.
    let Ok(loaded) = load(dir, stem) else { return index.pass_over(1) };
    index.pass_over(loaded.passed_over);
    for loaded in &loaded.intervals {
        index.push(loaded.span(), loaded.interval.since);
    }
}

/// The past that is recorded in the directory `dir`, which nobody appends to.
pub(super) fn read(dir: &Path) -> io::Result<History> {
    let mut index = HistoryIndex::default();
    for stem in files::stems(dir)? {
        add(&mut index, dir, &stem);
    }
    Ok(index.history())
}
