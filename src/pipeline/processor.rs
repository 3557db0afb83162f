//! What a processor is: the two traits that a kind implements, and what it is handed.

use std::{
    borrow::Cow,
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use crate::{
    batch::{Batch, Selection},
    fault::FaultKind,
    limits,
};

/// A configured processor, as the pipeline holds it: immutable and shared by all workers.
pub trait Definition: Send + Sync {
    /// The names of its outputs. A selection is split over them in this order.
    fn outputs(&self) -> &[&'static str] {
        &["out"]
    }

    /// Makes the instance that one worker uses, with whatever scratch space it needs.
    fn build(&self) -> Box<dyn Processor>;

    /// The output whose records are dropped, and the reason, when the processor stands in a plain sequence.
    fn dropped_in_sequence(&self) -> Option<(&'static str, &'static str)> {
        None
    }

    /// What one record is known to take, where a processor is slow by nature: its records are then handed over in
    /// small portions from the start.
    fn cost_hint(&self) -> Duration {
        Duration::ZERO
    }

    /// What its instances that are gone were asked to search, where it searches through whole blocks.
    fn search_effort(&self) -> Option<SearchEffort> {
        None
    }
}

/// How much of what was to be searched had to be looked at record by record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SearchEffort {
    /// Records that were to be searched; one that several searches are asked about counts for each.
    pub asked: u64,
    /// Those of them at which a search through the block stopped, or that were searched alone from the start.
    pub alone: u64,
}

/// One worker's instance of a processor.
pub trait Processor: Send {
    /// Takes the records of `batch` that `input` selects, and accounts for every one of them: puts it on exactly one
    /// output, drops it, or fails it.
    ///
    /// The order within each output must be ascending. `out` may hold what earlier calls put there, of records before
    /// these; a processor only appends. A panic is caught: the records are tried again one by one, and
    /// those on which it panics are faults.
    fn process(&mut self, batch: &Batch<'_>, input: Selection<'_>, out: &mut Outputs, context: &Context<'_>);
}

/// What a processor may know of the run around it.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    stop: &'a AtomicBool,
}

impl<'a> Context<'a> {
    /// A context that says to stop once `stop` is set.
    #[must_use]
    pub fn new(stop: &'a AtomicBool) -> Self {
        Self { stop }
    }

    /// True when the run is to end soon: whoever waits should stop waiting.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Sleeps for `time`, or until the run is to end.
    pub fn sleep(&self, time: Duration) {
        let start = Instant::now();
        while !self.is_stopping() {
            let left = time.saturating_sub(start.elapsed());
            if left.is_zero() {
                break;
            }
            std::thread::sleep(left.min(limits::CHUNK_TIME));
        }
    }
}

/// Why a record failed.
pub type Reason = Cow<'static, str>;

/// Where a processor puts its records.
#[derive(Debug, Default)]
pub struct Outputs {
    pub(crate) ports: Vec<Vec<u32>>,
    pub(crate) dropped: Vec<u32>,
    pub(crate) failed: Vec<u32>,
    /// For each failed record, which of `reasons` it is.
    pub(crate) reason_of: Vec<u32>,
    pub(crate) reasons: Vec<(FaultKind, Reason)>,
}

impl Outputs {
    /// Room for a processor with `outputs` outputs.
    #[must_use]
    pub fn new(outputs: usize) -> Self {
        Self { ports: vec![Vec::new(); outputs], ..Self::default() }
    }

    /// Puts `record` on output number `output`.
    ///
    /// # Panics
    ///
    /// If there is no such output.
    #[inline]
    pub fn push(&mut self, output: usize, record: u32) {
        self.ports[output].push(record);
    }

    /// Puts all of `selection` on output number `output`.
    ///
    /// # Panics
    ///
    /// If there is no such output.
    pub fn forward(&mut self, output: usize, selection: Selection<'_>) {
        selection.append_to(&mut self.ports[output]);
    }

    /// The list behind output number `output`, for loops that append many.
    ///
    /// # Panics
    ///
    /// If there is no such output.
    #[inline]
    pub fn port(&mut self, output: usize) -> &mut Vec<u32> {
        &mut self.ports[output]
    }

    /// All lists at once, for loops that choose among outputs.
    #[inline]
    pub fn ports(&mut self) -> &mut [Vec<u32>] {
        &mut self.ports
    }

    /// Drops `record` on purpose.
    #[inline]
    pub fn drop(&mut self, record: u32) {
        self.dropped.push(record);
    }

    /// Drops all of `selection` on purpose.
    pub fn drop_all(&mut self, selection: Selection<'_>) {
        selection.append_to(&mut self.dropped);
    }

    /// Fails `record`, with the reason that people will read.
    pub fn fail(&mut self, record: u32, reason: impl Into<Reason>) {
        self.fail_as(FaultKind::Failed, record, reason.into());
    }

    pub(crate) fn fail_as(&mut self, kind: FaultKind, record: u32, reason: Reason) {
        // Most failures of a batch have the same reason: it is kept once, however many there are.
        if self.reasons.last().is_none_or(|(last_kind, last)| (*last_kind, last) != (kind, &reason)) {
            self.reasons.push((kind, reason));
        }
        self.failed.push(record);
        self.reason_of.push(self.reasons.len() as u32 - 1);
    }

    /// Kind and reason of failure number `number`.
    pub(crate) fn failure(&self, number: usize) -> (u32, FaultKind, &Reason) {
        let (kind, reason) = &self.reasons[self.reason_of[number] as usize];
        (self.failed[number], *kind, reason)
    }

    /// Forgets all, and keeps the memory.
    pub(crate) fn clear(&mut self) {
        self.ports.iter_mut().for_each(Vec::clear);
        self.dropped.clear();
        self.failed.clear();
        self.reason_of.clear();
        self.reasons.clear();
    }
}
