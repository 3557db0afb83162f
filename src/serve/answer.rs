//! Parts of the last snapshot as bytes, rendered once however many ask for them.

use std::{cell::RefCell, sync::Arc};

use hyper::body::Bytes;
use jiff::Timestamp;
use serde::Serialize;

use crate::{History, Published, Snapshot, limits, wire};

use super::route::{GraphFormat, Part, Range};

/// Parts that are kept rendered. Beyond the dozen kinds there are only unusual limits, and somebody who asks for many of
/// those must not fill the memory: the oldest goes.
const RENDERED: usize = 16;

/// Renders parts of the last snapshot, and keeps them until there is a newer one.
pub(super) struct Answers {
    published: Arc<Published>,
    /// Never borrowed across an await: rendering is not asynchronous.
    rendered: RefCell<Rendered>,
    /// Answers about the past, and which one it was: it takes a while to add them up. Never borrowed across an await.
    past: RefCell<Past>,
}

#[derive(Default)]
struct Past {
    generation: u64,
    answers: Vec<(Range, Bytes)>,
}

#[derive(Default)]
struct Rendered {
    sequence: u64,
    parts: Vec<(Part, Bytes)>,
}

impl Answers {
    pub(super) fn new(published: Arc<Published>) -> Self {
        Self { published, rendered: RefCell::default(), past: RefCell::default() }
    }

    /// The last snapshot.
    pub(super) fn latest(&self) -> Arc<Snapshot> {
        self.published.latest()
    }

    /// `part` of the last snapshot.
    pub(super) fn part(&self, part: Part) -> Bytes {
        self.part_of(&self.latest(), part)
    }

    /// What was recorded in `range`, if anybody records.
    pub(super) fn history(&self, range: Range) -> Option<Bytes> {
        let history = self.published.history()?;
        Some(self.past.borrow_mut().get(&history, range))
    }

    /// `part` of `snapshot`, which was the last one a moment ago.
    pub(super) fn part_of(&self, snapshot: &Snapshot, part: Part) -> Bytes {
        self.rendered.borrow_mut().get(snapshot, part, self.published.is_recorded())
    }
}

#[cfg(test)]
impl Answers {
    /// How many parts are kept.
    pub(super) fn kept(&self) -> usize {
        self.rendered.borrow().parts.len()
    }
}

impl Rendered {
    fn get(&mut self, snapshot: &Snapshot, part: Part, is_recorded: bool) -> Bytes {
        if self.sequence != snapshot.sequence {
            self.sequence = snapshot.sequence;
            self.parts.clear();
        }
        if let Some((_, bytes)) = self.parts.iter().find(|(kept, _)| *kept == part) {
            return bytes.clone();
        }
        let bytes = render(snapshot, part, is_recorded);
        if self.parts.len() >= RENDERED {
            self.parts.remove(0);
        }
        self.parts.push((part, bytes.clone()));
        bytes
    }
}

impl Past {
    fn get(&mut self, history: &History, range: Range) -> Bytes {
        if self.generation != history.generation {
            self.generation = history.generation;
            self.answers.clear();
        }
        if let Some((_, bytes)) = self.answers.iter().find(|(kept, _)| *kept == range) {
            return bytes.clone();
        }
        let bytes = render_past(history, range);
        if self.answers.len() >= limits::HISTORY_ANSWERS {
            self.answers.remove(0);
        }
        self.answers.push((range, bytes.clone()));
        bytes
    }
}

fn render_past(history: &History, range: Range) -> Bytes {
    // Without an interval nothing is between any two moments.
    let end = history.end().unwrap_or(Timestamp::UNIX_EPOCH);
    let from = range.from.map_or(Timestamp::MIN, |moment| moment.resolve(end));
    let to = range.to.map_or(Timestamp::MAX, |moment| moment.resolve(end));
    json(&wire::history(history, &history.between(from, to)))
}

fn render(snapshot: &Snapshot, part: Part, is_recorded: bool) -> Bytes {
    match part {
        Part::Stats => json(&wire::stats(snapshot)),
        Part::Trace(limit) => json(&wire::trace(snapshot, limit)),
        Part::ErrorCounts => json(&wire::errors(snapshot)),
        Part::Run => json(&wire::run(snapshot)),
        Part::Processors => json(&wire::processors(snapshot)),
        Part::Traces(limit) => json(&wire::traces(snapshot, limit)),
        Part::Faults(limit) => json(&wire::faults(snapshot, limit)),
        Part::Sources => json(&wire::sources(snapshot)),
        Part::Graph(GraphFormat::Json) => json(&wire::graph::json(snapshot)),
        Part::Graph(GraphFormat::Mermaid) => wire::graph::mermaid(snapshot).into(),
        Part::Graph(GraphFormat::Dot) => wire::graph::dot(snapshot).into(),
        Part::Audit => json(&wire::audit(snapshot)),
        Part::Metrics(exposition) => wire::metrics(snapshot, exposition).into(),
        Part::Event => super::events::frame(&json(&wire::event(snapshot, is_recorded))),
    }
}

/// `value` as JSON.
pub(super) fn json(value: &impl Serialize) -> Bytes {
    wire::to_json(value).into()
}
