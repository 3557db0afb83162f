//! Looks at what is recorded, for somebody who asks what there is.

use std::{io, path::Path};

use jiff::Timestamp;
use serde::Serialize;

use super::{
    DIR,
    files::{self, Kind},
    load::{load, load_lines},
};

/// What is recorded in a directory of state.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct HistoryReport {
    /// Where the first interval begins that can be read.
    pub from: Option<Timestamp>,
    /// Where the last one ends.
    pub to: Option<Timestamp>,
    /// How many can be read.
    pub intervals: u64,
    /// Lines of any kind that cannot.
    pub damaged: u64,
    /// How many recordings there are.
    pub recordings: u64,
    /// The files in which they are.
    pub files: u64,
    /// The bytes that those take.
    pub bytes: u64,
}

/// What is recorded in the state directory `state`; `None` where nothing ever was.
///
/// # Errors
///
/// The directory cannot be read.
pub fn examine(state: &Path) -> io::Result<Option<HistoryReport>> {
    let dir = state.join(DIR);
    let stems = match files::stems(&dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        stems => stems?,
    };
    let mut report = HistoryReport::default();
    for stem in stems {
        report.add(&dir, &stem);
    }
    Ok(Some(report))
}

impl HistoryReport {
    fn add(&mut self, dir: &Path, stem: &str) {
        // One that cannot be opened is gone: recordings are removed as others come.
        let Ok(loaded) = load(dir, stem) else { return self.damaged += 1 };
        self.recordings += 1;
        self.files += Kind::ALL.into_iter().filter(|&kind| files::path(dir, stem, kind).exists()).count() as u64;
        self.bytes += files::size_bytes(dir, stem);
        self.damaged += loaded.passed_over;
        load_lines(dir, stem, &mut self.damaged);
        self.intervals += loaded.intervals.len() as u64;
        for loaded in &loaded.intervals {
            let (start, end) = (loaded.interval.start, loaded.interval.end);
            self.from = Some(self.from.map_or(start, |from| from.min(start)));
            self.to = self.to.max(Some(end));
        }
    }
}
