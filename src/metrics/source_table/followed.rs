//! A source that is followed: what a follower tells about it, and what that proves.

use std::time::Instant;

use crate::{
    metrics::{delta::SourceTally, ledger, news::SourceNews},
    snapshot::{FaultKind, Live, RunState},
};

/// What was heard about one source that is followed.
#[derive(Debug, Clone, Default)]
pub(super) struct Followed {
    /// What is shown of it, but for how long its oldest byte waits: that depends on when one asks.
    live: Live,
    behind_since: Option<Instant>,
    /// The sum of the tiles of its segments: what its blocks must come to.
    tiles: u64,
    /// How long its segments are.
    bytes: u64,
    /// How often it could not be read, by kind.
    faults: Vec<(FaultKind, u64)>,
}

/// What the ledger makes of a source that is followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Proof {
    /// It is still being read, or was left in the middle.
    Open,
    /// All that was handed over was processed once.
    Complete,
    /// Something was processed twice, or left out.
    Untiled,
}

impl Followed {
    /// Takes in what is told of it. True if it has just become unreadable, or for another reason than before.
    pub(super) fn hear(&mut self, news: &SourceNews) -> bool {
        let live = &mut self.live;
        match news {
            SourceNews::Reached { read, size, behind_since, .. } => {
                live.size = *size;
                live.bytes_behind = size.saturating_sub(*read);
                self.behind_since = behind_since.filter(|_| live.bytes_behind > 0);
            }
            SourceNews::Rotated { .. } => (live.rotations, live.is_gone) = (live.rotations + 1, false),
            SourceNews::Truncated { lost_at_least, .. } => {
                live.truncations += 1;
                live.bytes_lost += lost_at_least;
                live.is_lost_unknown = true;
            }
            SourceNews::Skipped { bytes, .. } => live.bytes_skipped += bytes,
            SourceNews::Lost { bytes, .. } => {
                live.bytes_lost += bytes.unwrap_or(0);
                live.is_lost_unknown |= bytes.is_none();
            }
            SourceNews::Segment { start, end, .. } => {
                self.tiles = self.tiles.wrapping_add(ledger::tile(*start, *end));
                self.bytes += end.saturating_sub(*start);
            }
            SourceNews::Failed { kind, message, .. } => return self.fail(*kind, message),
            SourceNews::Absent { message, .. } => live.trouble = Some(message.clone()),
            SourceNews::Restored { .. } => live.trouble = None,
            SourceNews::Gone { .. } => {
                (live.is_gone, live.size, live.bytes_behind) = (true, 0, 0);
                self.behind_since = None;
            }
            SourceNews::Added { .. } | SourceNews::Opened { .. } => live.is_gone = false,
            SourceNews::Held { .. } | SourceNews::Limited { .. } => {}
        }
        false
    }

    /// Said again while it goes on, the same failure is one.
    fn fail(&mut self, kind: FaultKind, message: &str) -> bool {
        if self.live.trouble.as_deref() == Some(message) {
            return false;
        }
        self.live.trouble = Some(message.to_owned());
        match self.faults.iter_mut().find(|(known, _)| *known == kind) {
            Some((_, count)) => *count += 1,
            None => self.faults.push((kind, 1)),
        }
        true
    }

    /// What is shown of it at `now`.
    pub(super) fn live(&self, now: Instant) -> Live {
        let waited = self.behind_since.map(|since| now.saturating_duration_since(since).as_secs_f64());
        Live { seconds_behind: waited.unwrap_or(0.0), ..self.live.clone() }
    }

    /// True while a byte waits, and what is shown grows old.
    pub(super) fn is_waiting(&self) -> bool {
        self.behind_since.is_some()
    }

    pub(super) fn trouble(&self) -> Option<&String> {
        self.live.trouble.as_ref()
    }

    pub(super) fn faults(&self) -> &[(FaultKind, u64)] {
        &self.faults
    }

    /// How long its segments are.
    pub(super) fn bytes_handed_over(&self) -> u64 {
        self.bytes
    }

    /// Whether what was processed is what was handed over. While a run goes on there is more in flight than is known,
    /// and one that was made to stop may have left some of it; but nothing is ever processed twice.
    pub(super) fn proof(&self, tally: &SourceTally, state: RunState) -> Proof {
        let is_all = tally.bytes == self.bytes && tally.tiles == self.tiles;
        match state {
            RunState::Starting | RunState::Running | RunState::Draining => Proof::Open,
            _ if is_all => {
                if self.live.trouble.is_some() {
                    Proof::Open
                } else {
                    Proof::Complete
                }
            }
            RunState::Interrupted | RunState::Closed | RunState::Failed if tally.bytes < self.bytes => Proof::Open,
            _ => Proof::Untiled,
        }
    }

    /// Forgets what was handed over: its blocks will come again.
    pub(super) fn forget_segments(&mut self) {
        (self.tiles, self.bytes) = (0, 0);
    }
}
