//! How a run is to be done.

use std::thread;

use crate::{
    input::{Choice, How, MapPermit},
    limits,
    snapshot::StageKind,
};

/// How a run is to be done.
#[derive(Debug, Clone)]
pub struct RunOptions {
    /// How many workers, at least one.
    pub workers: usize,
    /// Bytes of a block; by default [`limits::BLOCK_BYTES`], and less for pipelines that say they are slow.
    pub block_bytes: Option<usize>,
    /// Bytes of a record that processors see.
    pub record_bytes_max: usize,
    /// Whether files are mapped or read.
    pub mapping: Mapping,
    /// Which records are timed alone.
    pub timing: Timing,
    /// Whether paths of records are remembered.
    pub trace: bool,
    /// Share (0 to 1) of the workers' time that watching may take.
    pub observe_budget: f64,
    /// Whether control characters are escaped on standard output.
    pub escape_stdout: bool,
    /// For an experiment: everything but one row of the report is slowed down.
    pub slowdown: Option<Slowdown>,
}

impl Default for RunOptions {
    fn default() -> Self {
        Self {
            workers: thread::available_parallelism().map_or(1, usize::from),
            block_bytes: None,
            record_bytes_max: limits::RECORD_BYTES,
            mapping: Mapping::Never,
            timing: Timing::Sampled,
            trace: true,
            observe_budget: limits::OBSERVE_BUDGET,
            escape_stdout: false,
            slowdown: None,
        }
    }
}

impl RunOptions {
    /// With nothing in it that could not be.
    pub(super) fn within_limits(self) -> Self {
        Self {
            workers: self.workers.max(1),
            block_bytes: self.block_bytes.map(|bytes| bytes.clamp(1, limits::BLOCK_BYTES_MAX)),
            record_bytes_max: self.record_bytes_max.clamp(1, limits::BLOCK_BYTES_MAX),
            ..self
        }
    }
}

/// Slows down everything that workers do but one thing, in proportion to what it takes: what that makes of a run is what
/// the run would gain if the one thing were faster (Curtsinger and Berger, "Coz", SOSP 2015).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Slowdown {
    /// What is not slowed down.
    pub spared: Row,
    /// By which share of its own time everything else takes longer.
    pub share: f64,
}

/// What a worker's time is charged to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Row {
    /// The processor with this number.
    Node(usize),
    /// What is done besides.
    Stage(StageKind),
}

/// Whether files are mapped into memory or read.
#[derive(Debug, Clone, Copy)]
pub enum Mapping {
    /// They are read.
    Never,
    /// Whichever is faster here: both are tried on the first blocks, and again later. Small files are read.
    Auto(MapPermit),
    /// They are mapped, where that works.
    Always(MapPermit),
}

impl Mapping {
    pub(super) fn how(self, choice: &Choice, size: u64) -> How {
        match self {
            Self::Never => How::Read,
            Self::Auto(_) => choice.next(size),
            Self::Always(_) => How::Map,
        }
    }
}

/// Which records are run alone, with a clock around every hop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Timing {
    /// As many as the budget for watching has room for.
    Sampled,
    /// Every one: slow, and complete.
    Full,
    /// None.
    Off,
}
