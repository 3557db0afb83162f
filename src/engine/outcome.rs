//! How a run ended, and what stops one.

use std::{path::PathBuf, sync::Arc};

use crate::{
    fault::FaultKind,
    metrics::Snapshot,
    sink::{OpenError, WriteError},
};

/// What stops a run.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The worker pool could not be made.
    #[error("cannot start {workers} workers: {message}")]
    Workers {
        /// How many were wanted.
        workers: usize,
        /// What the pool said.
        message: String,
    },
    /// A sink could not be opened.
    #[error(transparent)]
    Sink(#[from] OpenError),
    /// A sink could not be written.
    #[error("{error}; what was read up to offset {offset} of {} is written", path.display())]
    Write {
        /// What went wrong.
        error: WriteError,
        /// The source whose records were being written.
        path: PathBuf,
        /// Where in it the first block begins that is not written whole.
        offset: u64,
    },
    /// A record failed where the pipeline says to stop then.
    #[error("{processor} failed on the record at offset {offset} of {}, and its `on_error` says to stop: {reason}", path.display())]
    Stopped {
        /// The processor.
        processor: String,
        /// Why it failed.
        reason: String,
        /// The source of the record.
        path: PathBuf,
        /// Where the record stands.
        offset: u64,
    },
    /// A processor lost records, or put some on two outputs.
    #[error("{processor} was given {records_in} records and accounted for {accounted}: its kind has a bug")]
    Unbalanced {
        /// The processor.
        processor: String,
        /// What it was given.
        records_in: usize,
        /// What it put somewhere.
        accounted: usize,
    },
    /// A server did not take records, and the sink is over.
    #[error("{message}")]
    Post {
        /// Which, and why.
        message: String,
    },
    /// A follower could not make sure of what it has done.
    #[error("{message}")]
    Keep {
        /// What went wrong.
        message: String,
    },
    /// A worker panicked outside any processor.
    #[error("a worker panicked, which is a bug of logweir")]
    Panicked,
}

impl RunError {
    /// True when nothing was run at all.
    #[must_use]
    pub fn is_before_start(&self) -> bool {
        matches!(self, Self::Workers { .. } | Self::Sink(_))
    }
}

/// How a run ended.
#[derive(Debug)]
pub struct Finished {
    /// The exact totals.
    pub snapshot: Arc<Snapshot>,
    /// Why it could not go on, if it could not.
    pub error: Option<RunError>,
    /// Whoever read standard output has gone.
    pub is_closed: bool,
}

impl Finished {
    /// True when something was wrong with the data.
    #[must_use]
    pub fn has_faults(&self) -> bool {
        let failed = self.snapshot.nodes.iter().any(|node| node.failed > 0);
        let is_fault = |&(kind, count): &(FaultKind, u64)| count > 0 && kind != FaultKind::Oversized;
        failed || self.snapshot.source_faults.iter().any(is_fault)
    }
}
