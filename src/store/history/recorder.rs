//! Appends intervals to recordings.

use std::{
    collections::{HashSet, VecDeque},
    fs::{self, File, TryLockError},
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use jiff::{SignedDuration, Timestamp, TimestampRound, Unit};

use super::{
    files::{self, Kind, Lines, Recording},
    hlog,
    record::{FaultRecord, Header, Interval, NodeRecord, SlowestRecord, TraceRecord, VERSION, write_line},
};
use crate::{
    graph::Graph,
    limits,
    metrics::{NodeCounts, Probes, Span},
    snapshot::{Fault, Snapshot, Trace},
};

/// The one who appends to a directory.
#[derive(Debug)]
pub(super) struct Recorder {
    dir: PathBuf,
    /// Held as long as this lives: two processes would remove each other's recordings.
    _lock: File,
    /// Recordings that are complete, oldest first, with their bytes.
    complete: VecDeque<(String, u64)>,
    current: Option<(Recording, Arc<Graph>)>,
    /// Where the last interval ended: the next one begins there or later.
    last_end: Option<Timestamp>,
    /// Which of the samples that are still remembered were recorded.
    recorded: HashSet<FaultKey>,
    bytes_max: u64,
}

/// What tells samples of bad data apart.
type FaultKey = (Option<u32>, u32, u64, Timestamp);

fn key(fault: &Fault) -> FaultKey {
    (fault.node, fault.source, fault.offset, fault.time)
}

impl Recorder {
    /// Opens the directory `dir`, and makes it where there is none.
    pub(super) fn open(dir: &Path) -> io::Result<Self> {
        fs::create_dir_all(dir)?;
        let lock = File::create(dir.join("lock"))?;
        lock.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => io::Error::new(io::ErrorKind::WouldBlock, "another process records there"),
            TryLockError::Error(error) => error,
        })?;
        let stems = files::stems(dir)?;
        let sizes = stems.into_iter().map(|stem| {
            let bytes = files::size_bytes(dir, &stem);
            (stem, bytes)
        });
        Ok(Self {
            dir: dir.to_owned(),
            _lock: lock,
            complete: sizes.collect(),
            current: None,
            last_end: None,
            recorded: HashSet::new(),
            bytes_max: limits::RECORDINGS_BYTES,
        })
    }

    /// Says where the last interval ends that was recorded by others.
    pub(super) fn set_last_end(&mut self, end: Timestamp) {
        self.last_end = self.last_end.max(Some(end));
    }

    /// The names of the recordings that are complete, oldest first.
    pub(super) fn complete(&self) -> impl Iterator<Item = &str> {
        self.complete.iter().map(|(stem, _)| &**stem)
    }

    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    /// The next recordings stay within `bytes_max`.
    #[cfg(test)]
    pub(super) fn set_bytes_max(&mut self, bytes_max: u64) {
        self.bytes_max = bytes_max;
    }

    /// Appends what happened between two snapshots of one run, with the probes of that time: all of it or nothing.
    pub(super) fn append(&mut self, previous: &Snapshot, now: &Snapshot, probes: &[Probes]) -> io::Result<Span> {
        let times = self.times(previous.taken, now.taken);
        let mut lines = Lines::default();
        let is_first = self.is_next_due(&now.graph);
        if is_first {
            lines[Kind::Histograms as usize] = hlog::header(times.0);
            let header = Header { logweir_history: VERSION, graph: (*now.graph).clone() };
            write_line(&mut lines[Kind::Intervals as usize], &header);
        }
        let mut interval = Interval::between(previous, now, times, is_first);
        for (record, probes) in interval.processors.iter_mut().zip(probes) {
            add_probes(record, now, probes);
            if let Some(histogram) = probes.histogram() {
                hlog::write(&mut lines[Kind::Histograms as usize], &record.id, times, histogram);
            }
        }
        write_line(&mut lines[Kind::Intervals as usize], &interval);
        for trace in last_traces(now) {
            write_line(&mut lines[Kind::Traces as usize], &TraceRecord::of(now, trace, times.1));
        }
        let faults = self.new_faults(now);
        for fault in &faults {
            write_line(&mut lines[Kind::Faults as usize], &FaultRecord::of(now, fault, times.1));
        }
        self.write(&lines, is_first.then_some(times.0), &now.graph)?;
        self.last_end = Some(times.1);
        let remembered: HashSet<FaultKey> = now.faults.iter().map(key).collect();
        self.recorded.extend(faults.iter().map(|fault| key(fault)));
        self.recorded.retain(|key| remembered.contains(key));
        Ok(span(&interval, probes))
    }

    /// Whole milliseconds, which is what the interval log tells apart. Intervals neither overlap nor are they empty,
    /// whatever somebody does to the clock.
    fn times(&self, start: Timestamp, end: Timestamp) -> (Timestamp, Timestamp) {
        let start = self.last_end.map_or(milliseconds(start), |last| last.max(milliseconds(start)));
        let soonest = start.saturating_add(SignedDuration::from_millis(1)).unwrap_or(Timestamp::MAX);
        (start, milliseconds(end).max(soonest))
    }

    fn is_next_due(&self, graph: &Arc<Graph>) -> bool {
        !matches!(&self.current, Some((recording, of)) if !recording.is_full() && of == graph)
    }

    /// The samples that were not recorded yet, the last ones of them.
    fn new_faults<'a>(&self, now: &'a Snapshot) -> Vec<&'a Fault> {
        let new: Vec<&Fault> = now.faults.iter().filter(|fault| !self.recorded.contains(&key(fault))).collect();
        let most = if now.run.state.is_over() { new.len() } else { limits::RECORDED_FAULTS };
        new[new.len().saturating_sub(most)..].to_vec()
    }

    /// Appends `lines`, to a new recording where they begin one at this time.
    fn write(&mut self, lines: &Lines, begin: Option<Timestamp>, graph: &Arc<Graph>) -> io::Result<()> {
        if let Some(start) = begin {
            self.complete_current();
            self.current = Some((Recording::begin(&self.dir, start)?, Arc::clone(graph)));
        }
        if let Some((recording, _)) = &mut self.current
            && let Err(error) = recording.append(lines)
        {
            // One without its first lines is worth nothing.
            if recording.size_bytes() == 0 {
                files::remove(&self.dir, &recording.stem);
                self.current = None;
            }
            self.trim();
            return Err(error);
        }
        self.trim();
        Ok(())
    }

    fn complete_current(&mut self) {
        if let Some((recording, _)) = self.current.take() {
            self.complete.push_back((recording.stem.clone(), recording.size_bytes()));
        }
    }

    /// Removes the oldest recordings that are too many.
    fn trim(&mut self) {
        let current = self.current.as_ref().map_or(0, |(recording, _)| recording.size_bytes());
        let mut bytes: u64 = current + self.complete.iter().map(|(_, bytes)| bytes).sum::<u64>();
        while bytes > self.bytes_max || self.complete.len() >= limits::RECORDINGS {
            let Some((stem, size)) = self.complete.pop_front() else { return };
            files::remove(&self.dir, &stem);
            bytes -= size;
        }
    }
}

fn milliseconds(time: Timestamp) -> Timestamp {
    let floor = TimestampRound::new().smallest(Unit::Millisecond).mode(jiff::RoundMode::Floor);
    time.round(floor).unwrap_or(time)
}

fn add_probes(record: &mut NodeRecord, now: &Snapshot, probes: &Probes) {
    record.samples = probes.samples();
    record.saturated = probes.saturated();
    record.sum_ns = probes.sum_ns();
    record.slowest = probes.slowest().map(|slowest| SlowestRecord {
        source: now.sources.name(slowest.source).to_owned(),
        offset: slowest.offset,
        ns: slowest.ns,
    });
}

/// The last ones; at the end of a run all.
fn last_traces(now: &Snapshot) -> &[Trace] {
    let most = if now.run.state.is_over() { limits::TRACES } else { limits::RECORDED_TRACES };
    &now.traces[now.traces.len().saturating_sub(most)..]
}

/// The interval, as it is kept in memory.
fn span(interval: &Interval, probes: &[Probes]) -> Span {
    let nodes = interval.processors.iter().enumerate().map(|(number, record)| {
        let probes = probes.get(number).filter(|probes| !probes.is_empty());
        (Arc::from(&*record.id), node_counts(record), probes.cloned())
    });
    Span::new((interval.start, interval.end), (interval.bytes, interval.lines), nodes)
}

/// What the past in memory keeps of a processor's counts.
pub(super) fn node_counts(record: &NodeRecord) -> NodeCounts {
    NodeCounts {
        records_in: record.lines_in,
        bytes_in: record.bytes_in,
        dropped: record.dropped,
        failed: record.failed,
        busy_ns: record.busy_ns,
    }
}
