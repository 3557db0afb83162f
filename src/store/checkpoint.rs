//! What a follower knows at one moment: how far every file is delivered, what was counted until there, and how long the
//! files that it writes were. Plain data; how it is kept on disk is told elsewhere.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    metrics::Totals,
    place::{KnownFile, SinkMark},
};

/// Everything that a follower needs to go on where it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// When it was made.
    pub saved: Timestamp,
    /// Since when the totals count.
    pub since: Timestamp,
    /// Files, each with the place up to which every sink has acknowledged it.
    pub files: Vec<KnownFile>,
    /// Files that are written, as they were at these places.
    pub sinks: Vec<SinkMark>,
    /// What was counted until these places.
    pub totals: Totals,
}
