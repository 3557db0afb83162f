//! The sinks that post records to servers: they run beside the writer, and acknowledge later.

use std::{path::Path, sync::Arc};

use super::gather::Outlet;
use crate::{
    metrics::{Board, Delivery, SinkTotals},
    pipeline::SinkTarget,
    sink::{HttpPiece, HttpSink, OpenError},
    snapshot::Fault,
};

/// One for each outlet that is posted to; none for the others.
#[derive(Default)]
pub(super) struct Posts {
    sinks: Vec<Option<HttpSink>>,
    /// The numbers of the sinks that each outlet is.
    numbers: Vec<Vec<usize>>,
}

impl Posts {
    /// Starts those of `outlets`. What is refused goes to `dead_letters`, if there is such a file; `ids` are those of the
    /// sinks.
    pub(super) fn start(outlets: &[Outlet], ids: &[&str], dead_letters: Option<&Path>) -> Result<Self, OpenError> {
        let start = |outlet: &Outlet| match &outlet.target {
            // Who waits for it looks often enough.
            SinkTarget::Http(plan) => HttpSink::start(plan, ids[outlet.sinks[0].0], dead_letters, || {}).map(Some),
            SinkTarget::Stdout | SinkTarget::File { .. } => Ok(None),
        };
        let numbers = outlets.iter().map(|outlet| outlet.sinks.iter().map(|&(number, ..)| number).collect());
        Ok(Self { sinks: outlets.iter().map(start).collect::<Result<_, _>>()?, numbers: numbers.collect() })
    }

    /// True if the outlet with this number is posted to.
    pub(super) fn has(&self, outlet: usize) -> bool {
        self.sinks.get(outlet).is_some_and(Option::is_some)
    }

    /// Hands over what block `number` has for `outlet`; gives it back if there is no room now.
    pub(super) fn put(&self, outlet: usize, number: u64, piece: HttpPiece) -> Result<(), HttpPiece> {
        match self.sinks.get(outlet) {
            Some(Some(sink)) => sink.put(number, piece),
            _ => Ok(()),
        }
    }

    fn each(&self) -> impl Iterator<Item = &HttpSink> {
        self.sinks.iter().flatten()
    }

    /// All of them have the blocks with smaller numbers.
    pub(super) fn acknowledged(&self) -> u64 {
        self.each().map(HttpSink::acknowledged).min().unwrap_or(u64::MAX)
    }

    /// Why one of them is over, if one is.
    pub(super) fn failure(&self) -> Option<Arc<str>> {
        self.each().find_map(HttpSink::failure)
    }

    /// Why one of them does not get on now.
    pub(super) fn trouble(&self) -> Option<Arc<str>> {
        self.each().find_map(HttpSink::trouble)
    }

    /// The records that were refused lately.
    pub(super) fn refused(&self) -> impl Iterator<Item = Fault> {
        self.each().flat_map(|sink| std::iter::from_fn(|| sink.take_refused()))
    }

    /// What is to be said of files of theirs.
    pub(super) fn notices(&self) -> impl Iterator<Item = String> {
        self.each().flat_map(|sink| std::iter::from_fn(|| sink.take_notice()))
    }

    /// What those have done that post, with the numbers of their sinks.
    pub(super) fn totals(&self) -> impl Iterator<Item = (usize, SinkTotals)> {
        self.each_sink().map(|(number, sink)| {
            let now = sink.numbers();
            let totals = SinkTotals { records: now.sent, bytes: now.bytes, refused: now.refused, retries: now.retries };
            (number, totals)
        })
    }

    /// Shows on `board` what they have done.
    pub(super) fn show(&self, board: &Board) {
        for (number, sink) in self.each_sink() {
            let now = sink.numbers();
            board.set_posted(number, now.sent, now.bytes);
            let delivery = Delivery {
                refused: now.refused,
                retries: now.retries,
                waiting_records: now.waiting_records,
                waiting_bytes: now.waiting,
            };
            board.set_delivery(number, delivery);
            board.set_sink_trouble(number, sink.trouble().as_deref());
        }
    }

    /// Ends them at once: from then on, their numbers stay as they are.
    pub(super) fn end(&mut self) {
        self.sinks.iter_mut().flatten().for_each(HttpSink::end_now);
    }

    /// Those that post, with the numbers of the sinks that they are.
    fn each_sink(&self) -> impl Iterator<Item = (usize, &HttpSink)> {
        let sinks = self.sinks.iter().zip(&self.numbers);
        sinks
            .filter_map(|(sink, numbers)| Some((sink.as_ref()?, numbers)))
            .flat_map(|(sink, numbers)| numbers.iter().map(move |number| (*number, sink)))
    }
}
