//! What is known about every source: found before the run, or heard of while it goes on, and counted.

mod followed;

use std::{collections::BTreeMap, sync::Arc, time::Instant};

use bytes::Bytes;
use jiff::Timestamp;

use super::{
    delta::SourceTally,
    ledger::{self, SourceTotals},
    news::SourceNews,
};
use crate::{
    limits,
    record::SourceId,
    snapshot::{Fault, FaultKind, Lag, Live, RunState, Source, Sources},
};
use followed::{Followed, Proof};

/// All sources of a run, in input order.
#[derive(Debug, Clone, Default)]
pub(crate) struct SourceTable {
    entries: Vec<Entry>,
    /// Views of those that are listed; made anew when they change.
    listed: Vec<Arc<Source>>,
    skipped: Vec<(&'static str, u64)>,
    /// Sources that could not be opened, with what was said about them.
    unreadable: Vec<(SourceId, String)>,
    done: u64,
    /// Bytes of files that were removed and are still open.
    held_bytes: u64,
    /// Records that were counted by an earlier part of this run.
    records_before: u64,
}

#[derive(Debug, Clone, Default)]
struct Entry {
    view: Source,
    tally: SourceTally,
    kind: EntryKind,
    /// What was heard of it, if it is followed.
    followed: Option<Box<Followed>>,
    /// Something was heard that its view does not show yet.
    is_stale: bool,
}

/// What a source's bytes mean to the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum EntryKind {
    /// It is read, and must be accounted for.
    #[default]
    Read,
    /// It is only named by letters of another source.
    Named,
    /// It grows, and is proven by what its follower says that it handed over.
    Followed,
}

impl SourceTable {
    /// Adds a source that will be read; its number is the count of those before it.
    pub(crate) fn add(
        &mut self,
        path: String,
        size: Option<u64>,
        identity: Option<(u64, u64)>,
        kind: EntryKind,
    ) -> SourceId {
        let number = self.entries.len() as SourceId;
        let is_done = kind == EntryKind::Named || size == Some(0);
        let is_followed = kind == EntryKind::Followed;
        let access = match size {
            _ if is_followed => "followed",
            // Nothing is left to be read of it.
            Some(0) => "read",
            _ => UNREAD,
        };
        let live = is_followed.then(Live::default);
        let view = Source { path, size, identity, done: is_done, access, live, ..Source::default() };
        if self.listed.len() < limits::SOURCES_LISTED {
            self.listed.push(Arc::new(view.clone()));
        }
        self.done += u64::from(is_done);
        let followed = is_followed.then(Box::default);
        self.entries.push(Entry { view, kind, followed, ..Entry::default() });
        number
    }

    /// Takes in what a follower tells. Returns a sample where a source has become unreadable.
    pub(crate) fn hear(&mut self, news: &SourceNews) -> Option<Fault> {
        let source = match news {
            SourceNews::Held { bytes } => {
                self.held_bytes = *bytes;
                return None;
            }
            // It is said aloud, by those who start a follower.
            SourceNews::Limited { .. } => return None,
            SourceNews::Added { source, .. }
            | SourceNews::Opened { source, .. }
            | SourceNews::Reached { source, .. }
            | SourceNews::Rotated { source, .. }
            | SourceNews::Truncated { source, .. }
            | SourceNews::Skipped { source, .. }
            | SourceNews::Lost { source, .. }
            | SourceNews::Segment { source, .. }
            | SourceNews::Failed { source, .. }
            | SourceNews::Absent { source, .. }
            | SourceNews::Restored { source, .. }
            | SourceNews::Gone { source } => *source,
        };
        let entry = self.entry(source);
        if let SourceNews::Added { path, .. } = news {
            entry.view.path.clone_from(path);
        }
        if let SourceNews::Opened { identity, .. } | SourceNews::Rotated { identity, .. } = news {
            entry.view.identity = Some(*identity);
        }
        let is_fault = entry.followed.get_or_insert_default().hear(news);
        (entry.kind, entry.is_stale) = (EntryKind::Followed, true);
        match news {
            SourceNews::Failed { kind, message, .. } if is_fault => Some(source_fault(source, *kind, message)),
            _ => None,
        }
    }

    /// The entry of `source`. What a worker says of it may come before its follower is heard: it is then made room for.
    fn entry(&mut self, source: SourceId) -> &mut Entry {
        while self.entries.len() <= source as usize {
            self.add(UNNAMED.to_owned(), None, None, EntryKind::Followed);
        }
        &mut self.entries[source as usize]
    }

    /// Makes the view of `source` anew, as it is at `now`.
    fn show(&mut self, source: SourceId, now: Instant) {
        let entry = &mut self.entries[source as usize];
        let was_done = entry.view.done;
        entry.refresh(now);
        self.done = self.done + u64::from(entry.view.done) - u64::from(was_done);
        if let Some(listed) = self.listed.get_mut(source as usize) {
            *listed = Arc::new(entry.view.clone());
        }
    }

    /// Brings views up to `now`: what was heard since the last time, and how long bytes have been waiting.
    pub(crate) fn refresh(&mut self, now: Instant) {
        for number in 0..self.entries.len() {
            if self.entries[number].is_to_be_shown() {
                self.show(number as SourceId, now);
            }
        }
    }

    /// What the followed ones come to, if there are any.
    pub(crate) fn lag(&self) -> Option<Lag> {
        let mut lag: Option<Lag> = None;
        for live in self.entries.iter().filter_map(|entry| entry.view.live.as_ref()) {
            lag.get_or_insert(Lag { held_bytes: self.held_bytes, ..Lag::default() }).add(live);
        }
        lag
    }

    /// The table for the next part of the same run, in which records are counted from zero again. Where what was handed
    /// over will come again (`is_rewound`), counts of sources begin anew too, and their proof.
    pub(crate) fn for_next_part(mut self, is_rewound: bool) -> Self {
        if is_rewound {
            for entry in &mut self.entries {
                entry.tally = SourceTally { access: entry.tally.access, ..SourceTally::default() };
                entry.followed.iter_mut().for_each(|followed| followed.forget_segments());
            }
            (0..self.entries.len()).for_each(|number| self.show(number as SourceId, Instant::now()));
        }
        self.records_before = self.entries.iter().map(|entry| entry.tally.records).sum();
        self
    }

    /// Adds a source that cannot be read, and why.
    pub(crate) fn add_unreadable(&mut self, path: String, message: String) {
        let number = self.add(path, None, None, EntryKind::Read);
        let mut tally = SourceTally { is_over: true, ..SourceTally::default() };
        tally.add_fault(FaultKind::Unreadable, message.clone());
        self.absorb(number, &tally);
        self.unreadable.push((number, message));
    }

    /// Says how many things were not read at all, and why.
    pub(crate) fn set_skipped(&mut self, skipped: Vec<(&'static str, u64)>) {
        self.skipped = skipped;
    }

    /// Samples of the sources that could not be read.
    pub(crate) fn faults_found(&self) -> Vec<Fault> {
        self.unreadable.iter().map(|(source, message)| source_fault(*source, FaultKind::Unreadable, message)).collect()
    }

    /// Adds what was done to `source`.
    pub(crate) fn absorb(&mut self, source: SourceId, tally: &SourceTally) {
        self.entry(source).tally.absorb(tally);
        self.show(source, Instant::now());
    }

    /// How many sources are done, out of how many.
    pub(crate) fn progress(&self) -> (u64, u64) {
        let named = self.entries.iter().filter(|entry| entry.kind == EntryKind::Named).count() as u64;
        (self.done - named, self.entries.len() as u64 - named)
    }

    /// Bytes of all sources, if all sizes are known.
    pub(crate) fn bytes_total(&self) -> Option<u64> {
        let read = self.entries.iter().filter(|entry| entry.kind != EntryKind::Named);
        read.map(|entry| if entry.view.done { Some(entry.tally.bytes) } else { entry.view.size }).sum()
    }

    /// What is shown of them.
    pub(crate) fn view(&self) -> Sources {
        let rest = self.entries.get(self.listed.len()..).unwrap_or_default();
        let others = (!rest.is_empty()).then(|| sum_up(rest));
        Sources { listed: self.listed.clone(), others, skipped: self.skipped.clone() }
    }

    /// How often sources failed as a whole, by kind.
    pub(crate) fn fault_counts(&self) -> BTreeMap<FaultKind, u64> {
        let mut counts = BTreeMap::new();
        for entry in &self.entries {
            let followed = entry.followed.iter().flat_map(|followed| followed.faults());
            for &(kind, count) in entry.tally.faults.iter().chain(followed) {
                *counts.entry(kind).or_default() += count;
            }
        }
        counts
    }

    /// What they come to, in a run that is in this state.
    pub(crate) fn totals(&self, state: RunState) -> SourceTotals {
        let mut totals = SourceTotals::default();
        for entry in self.entries.iter().filter(|entry| entry.kind != EntryKind::Named) {
            totals.records += entry.tally.records;
            let (proof, expected) = entry.proof(state);
            if proof == Proof::Open {
                totals.incomplete += 1;
                continue;
            }
            totals.complete += 1;
            totals.bytes_covered += entry.tally.bytes;
            totals.bytes_expected += expected;
            totals.untiled += u64::from(proof == Proof::Untiled);
        }
        totals.records -= self.records_before.min(totals.records);
        totals
    }
}

/// How a source is read of which nothing has been read yet.
const UNREAD: &str = "unread";
/// The name of a source that nobody has named yet.
const UNNAMED: &str = "?";

/// A sample of a source that failed as a whole.
fn source_fault(source: SourceId, kind: FaultKind, message: &str) -> Fault {
    Fault {
        order: 0,
        node: None,
        kind,
        message: message.to_owned(),
        time: Timestamp::now(),
        source,
        offset: 0,
        length: 0,
        excerpt: Bytes::default(),
    }
}

impl Entry {
    /// Whether its blocks tile it, and how many bytes they should have.
    fn proof(&self, state: RunState) -> (Proof, u64) {
        if let Some(followed) = &self.followed {
            return (followed.proof(&self.tally, state), followed.bytes_handed_over());
        }
        let size = self.view.size.unwrap_or(self.tally.bytes);
        // Read to the end, and nothing went wrong on the way.
        let is_complete = self.view.done && self.tally.message.is_none();
        let proof = match (is_complete, self.tally.tiles == ledger::tile(0, size)) {
            (false, _) => Proof::Open,
            (true, true) => Proof::Complete,
            (true, false) => Proof::Untiled,
        };
        (proof, size)
    }

    fn is_to_be_shown(&self) -> bool {
        self.is_stale || self.followed.as_ref().is_some_and(|followed| followed.is_waiting())
    }

    fn refresh(&mut self, now: Instant) {
        self.is_stale = false;
        let Self { view, tally, followed, .. } = self;
        view.bytes_read = tally.bytes;
        view.records = tally.records;
        view.oversized = tally.oversized;
        view.unterminated = tally.is_open;
        view.access = tally.access.unwrap_or(view.access);
        if tally.is_over && view.access == UNREAD && tally.faults.iter().all(|(kind, _)| *kind != FaultKind::Unreadable)
        {
            // It was read to its end, and there was nothing.
            view.access = "read";
        }
        view.fault.clone_from(&tally.message);
        view.done = view.done || tally.is_over || view.size.is_some_and(|size| tally.bytes >= size);
        if let Some(followed) = followed {
            // It is never done: there may always come more.
            (view.size, view.done, view.access) = (None, false, "followed");
            view.fault = followed.trouble().or(tally.message.as_ref()).cloned();
            view.live = Some(followed.live(now));
        }
    }
}

fn sum_up(entries: &[Entry]) -> Source {
    let mut sum =
        Source { path: "others".to_owned(), size: Some(0), done: true, access: "various", ..Source::default() };
    for Entry { view, .. } in entries {
        sum.size = sum.size.zip(view.size).map(|(sum, size)| sum + size);
        sum.bytes_read += view.bytes_read;
        sum.records += view.records;
        sum.oversized += view.oversized;
        sum.done &= view.done;
        if let Some(live) = &view.live {
            add_live(sum.live.get_or_insert_default(), live);
        }
    }
    sum
}

fn add_live(sum: &mut Live, live: &Live) {
    sum.size += live.size;
    sum.bytes_behind += live.bytes_behind;
    sum.seconds_behind = sum.seconds_behind.max(live.seconds_behind);
    sum.rotations += live.rotations;
    sum.truncations += live.truncations;
    sum.bytes_skipped += live.bytes_skipped;
    sum.bytes_lost += live.bytes_lost;
    sum.is_lost_unknown |= live.is_lost_unknown;
    sum.is_gone |= live.is_gone;
    if sum.trouble.is_none() {
        sum.trouble.clone_from(&live.trouble);
    }
}

#[cfg(test)]
mod tests;
