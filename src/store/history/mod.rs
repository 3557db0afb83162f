//! Metrics that outlive the process: what happened in every interval, appended to files that other tools read too.
//!
//! # Layout
//!
//! A directory holds recordings, oldest first by name. Each is named by the moment when it begins, and has four files:
//!
//! - `….intervals.ndjson`: a line for the graph, then one for each interval: counts of processors and sinks since the
//!   line before, and how the run stood at its end
//! - `….hlog`: an HdrHistogram interval log (V2, tagged by processor) with what probes took in each interval
//! - `….traces.ndjson`: the last traces at the end of each interval
//! - `….faults.ndjson`: the samples of bad data that were new in it
//!
//! What an interval has in `intervals.ndjson` is written last: without that line the others do not count. A line that
//! was torn by a crash, or that cannot be read, is passed over and counted. Nothing is synced: the system may lose the
//! last seconds of its own crash, and nothing else.
//!
//! - `record`: what lines say, made from two snapshots; `at_end`: how a run stood
//! - `hlog`: histograms as lines
//! - `files`: recordings on disk, their rotation and bounds
//! - `recorder`: appends intervals
//! - `load`: reads recordings
//! - `archive`: both, and the past in memory
//! - `replay`: a recorded run as a snapshot; `examine`: what there is

mod archive;
mod at_end;
mod examine;
mod files;
mod hlog;
mod load;
mod record;
mod recorder;
mod replay;
#[cfg(test)]
mod tests;

pub(crate) use archive::Archive;
pub use examine::{HistoryReport, examine};
pub use replay::{ReplayError, replay};

/// Where recordings are in a directory of state.
pub(super) const DIR: &str = "history";
