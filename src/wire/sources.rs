//! `/api/v1/sources`: where the bytes came from.

use std::cmp::Reverse;

use serde::{Serialize, Serializer, ser::SerializeMap};

use crate::{
    Snapshot,
    snapshot::{Live, Source},
};

use super::{milliseconds, processors::Kinds};

/// The sources in input order, what was skipped, and what was wrong.
pub(crate) fn sources(snapshot: &Snapshot) -> impl Serialize + '_ {
    let sources = &snapshot.sources;
    SourcesView {
        done: snapshot.run.sources_done,
        total: snapshot.run.sources_total,
        listed: sources.listed.iter().map(|source| SourceView::of(source)).collect(),
        others: sources.others.as_ref().map(SourceView::of),
        skipped: Skipped(&sources.skipped),
        faults: Kinds(&snapshot.source_faults),
    }
}

/// Sources in one event: about what a screen shows.
const SOURCES_SHOWN: usize = 24;

/// The followed sources that most want to be looked at: those that cannot be read, those whose file is gone, those that
/// are behind. Where nothing is wrong, the first ones.
pub(super) fn sources_shown(snapshot: &Snapshot) -> Option<SourcesShown<'_>> {
    let lag = snapshot.run.lag.as_ref()?;
    let listed = snapshot.sources.listed.iter();
    let mut shown: Vec<(&Source, &Live)> =
        listed.filter_map(|source| Some((&**source, source.live.as_ref()?))).collect();
    // Whole seconds, so that those that are about to be read do not dance.
    let order = |live: &Live| (live.trouble.is_some(), live.is_gone, live.seconds_behind as u64);
    shown.sort_by_key(|(_, live)| Reverse(order(live)));
    let shown = shown.into_iter().take(SOURCES_SHOWN).map(|(source, _)| SourceView::of(source)).collect();
    Some(SourcesShown { shown, total: lag.sources })
}

/// Some sources, and how many there are.
#[derive(Serialize)]
pub(super) struct SourcesShown<'a> {
    shown: Vec<SourceView<'a>>,
    total: u64,
}

#[derive(Serialize)]
struct SourcesView<'a> {
    done: u64,
    total: u64,
    listed: Vec<SourceView<'a>>,
    /// The sum of those that are not listed.
    others: Option<SourceView<'a>>,
    skipped: Skipped<'a>,
    faults: Kinds<'a>,
}

#[derive(Serialize)]
struct SourceView<'a> {
    path: &'a str,
    access: &'a str,
    identity: Option<IdentityView>,
    size: Option<u64>,
    bytes_read: u64,
    bytes_behind: Option<u64>,
    /// For how long the oldest byte that was not read has waited; null where the source is not followed.
    seconds_behind: Option<f64>,
    lines: u64,
    done: bool,
    oversized: u64,
    unterminated: bool,
    fault: Option<&'a str>,
    /// Null where the source is not followed.
    live: Option<LiveView>,
}

impl<'a> SourceView<'a> {
    fn of(source: &'a Source) -> Self {
        Self {
            path: &source.path,
            access: source.access,
            identity: source.identity.map(|(device, inode)| IdentityView { device, inode }),
            size: source.live.as_ref().map(|live| live.size).or(source.size),
            bytes_read: source.bytes_read,
            bytes_behind: source.bytes_behind(),
            seconds_behind: source.live.as_ref().map(|live| milliseconds(live.seconds_behind)),
            lines: source.records,
            done: source.done,
            oversized: source.oversized,
            unterminated: source.unterminated,
            fault: source.fault.as_deref(),
            live: source.live.as_ref().map(LiveView::of),
        }
    }
}

/// What happened to a source that is followed.
#[derive(Serialize)]
struct LiveView {
    rotations: u64,
    truncations: u64,
    bytes_skipped: u64,
    bytes_lost: u64,
    /// Something may have been lost that was never seen: `bytes_lost` is then the least.
    lost_unknown: bool,
    gone: bool,
}

impl LiveView {
    fn of(live: &Live) -> Self {
        Self {
            rotations: live.rotations,
            truncations: live.truncations,
            bytes_skipped: live.bytes_skipped,
            bytes_lost: live.bytes_lost,
            lost_unknown: live.is_lost_unknown,
            gone: live.is_gone,
        }
    }
}

#[derive(Serialize)]
struct IdentityView {
    device: u64,
    inode: u64,
}

/// Counts by reason, in an object.
struct Skipped<'a>(&'a [(&'static str, u64)]);

impl Serialize for Skipped<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (reason, count) in self.0 {
            map.serialize_entry(reason, count)?;
        }
        map.end()
    }
}
