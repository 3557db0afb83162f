//! Recordings on disk: their names, how they are appended to, and how many there may be.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
    time::Instant,
};

use jiff::{SignedDuration, Timestamp};

use crate::limits;

/// What a file of a recording holds. The last one decides what counts, and is written last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(usize)]
pub(super) enum Kind {
    Histograms,
    Traces,
    Faults,
    Intervals,
}

impl Kind {
    pub(super) const ALL: [Self; 4] = [Self::Histograms, Self::Traces, Self::Faults, Self::Intervals];

    fn extension(self) -> &'static str {
        match self {
            Self::Histograms => "hlog",
            Self::Traces => "traces.ndjson",
            Self::Faults => "faults.ndjson",
            Self::Intervals => "intervals.ndjson",
        }
    }
}

/// What is appended at once, by kind.
pub(super) type Lines = [Vec<u8>; Kind::ALL.len()];

/// The path of one file of the recording `stem`.
pub(super) fn path(dir: &Path, stem: &str, kind: Kind) -> PathBuf {
    dir.join(format!("{stem}.{}", kind.extension()))
}

/// The names of the recordings in `dir`, oldest first.
pub(super) fn stems(dir: &Path) -> io::Result<Vec<String>> {
    let mut stems = Vec::new();
    for entry in fs::read_dir(dir)? {
        let name = entry?.file_name();
        let stem = name.to_str().and_then(|name| name.strip_suffix(".intervals.ndjson"));
        stems.extend(stem.map(str::to_owned));
    }
    stems.sort();
    Ok(stems)
}

/// The bytes that a recording takes.
pub(super) fn size_bytes(dir: &Path, stem: &str) -> u64 {
    let size = |kind| fs::metadata(path(dir, stem, kind)).map_or(0, |file| file.len());
    Kind::ALL.into_iter().map(size).sum()
}

/// Removes a recording. What decides that it counts goes first.
pub(super) fn remove(dir: &Path, stem: &str) {
    for kind in Kind::ALL.into_iter().rev() {
        // What is gone already need not be removed, and what cannot be removed is tried again next time.
        let _ = fs::remove_file(path(dir, stem, kind));
    }
}

/// The recording that is appended to.
#[derive(Debug)]
pub(super) struct Recording {
    pub(super) stem: String,
    files: [File; Kind::ALL.len()],
    lengths: [u64; Kind::ALL.len()],
    begun: Instant,
}

impl Recording {
    /// Begins one at `start`, or a little later where there is one of that name.
    pub(super) fn begin(dir: &Path, mut start: Timestamp) -> io::Result<Self> {
        loop {
            let stem = start.strftime("%Y%m%dT%H%M%S%.3fZ").to_string();
            match create(dir, &stem, Kind::Intervals) {
                Ok(intervals) => return Self::with(dir, stem, intervals),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    start = start.saturating_add(SignedDuration::from_millis(1)).unwrap_or(Timestamp::MAX);
                }
                Err(error) => return Err(error),
            }
        }
    }

    fn with(dir: &Path, stem: String, intervals: File) -> io::Result<Self> {
        let others = || {
            let of = |kind| create(dir, &stem, kind);
            Ok([of(Kind::Histograms)?, of(Kind::Traces)?, of(Kind::Faults)?, intervals])
        };
        match others() {
            Ok(files) => Ok(Self { stem, files, lengths: [0; Kind::ALL.len()], begun: Instant::now() }),
            Err(error) => {
                remove(dir, &stem);
                Err(error)
            }
        }
    }

    /// Appends all of `lines` or nothing, one write a file.
    pub(super) fn append(&mut self, lines: &Lines) -> io::Result<()> {
        for (file, lines) in self.files.iter_mut().zip(lines) {
            if let Err(error) = file.write_all(lines) {
                self.cut_back();
                return Err(error);
            }
        }
        self.lengths.iter_mut().zip(lines).for_each(|(length, lines)| *length += lines.len() as u64);
        Ok(())
    }

    /// Takes back what was appended by halves. Where that fails, a torn line is left, which readers pass over.
    fn cut_back(&self) {
        for (file, &length) in self.files.iter().zip(&self.lengths) {
            let _ = file.set_len(length);
        }
    }

    pub(super) fn size_bytes(&self) -> u64 {
        self.lengths.iter().sum()
    }

    /// True when the next interval belongs into another one.
    pub(super) fn is_full(&self) -> bool {
        self.size_bytes() >= limits::RECORDING_BYTES || self.begun.elapsed() >= limits::RECORDING_AGE
    }
}

fn create(dir: &Path, stem: &str, kind: Kind) -> io::Result<File> {
    OpenOptions::new().create_new(true).append(true).open(path(dir, stem, kind))
}
