//! Finds the records in which one of some patterns occurs: through the whole block at once, or record by record.
//!
//! The search through the block finds candidates. It sees more than records show (a CR before the newline, a BOM, what
//! is over the limit), so its anchors are as wide as a record's true ends may be, it never misses a record, and where a
//! record hides something, the record alone is asked.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use regex_automata::{
    Input, MatchKind,
    meta::{BuildError, Cache, Config, Regex},
    util::prefilter::Prefilter,
};
use regex_syntax::hir::{
    Hir, Look,
    literal::{ExtractKind, Extractor},
};

use super::pattern::rebuild;
use crate::{
    batch::{Batch, Selection},
    pipeline::SearchEffort,
};

/// A list of records is searched one by one when fewer than one in so many of those around are in it: between them, a
/// search through all would look at bytes that nobody asked for.
const SPARSE: usize = 4;

/// Bytes that the lazily built automaton of one regex may take, in each worker, before it is thrown away and begun anew:
/// regexes of real life need a tenth of it, and memory is bounded by it times regexes times workers.
const AUTOMATON_BYTES: usize = 2 << 20;

/// So many bytes in a row are seldom there by chance.
const RARE_BYTES: usize = 3;

/// Some patterns, compiled; shared by all workers.
#[derive(Debug, Clone)]
pub(super) struct Search {
    /// For one record.
    record: Regex,
    /// For many at once, if that can be done and pays.
    block: Option<Regex>,
    looks: Looks,
    spent: Arc<Spent>,
}

/// What all searchers that are gone have done: each adds its own when it goes, and never on the way of a record.
#[derive(Debug, Default)]
struct Spent {
    asked: AtomicU64,
    alone: AtomicU64,
}

/// What the patterns ask about what stands around them.
#[derive(Debug, Clone, Copy)]
struct Looks {
    /// Anything at all.
    any: bool,
    /// Where a record ends.
    end: bool,
}

impl Search {
    /// Compiles `patterns`, which [`rebuild`] has taken the newlines out of, into about `limit` bytes at most.
    pub(super) fn new(patterns: Vec<Hir>, limit: usize) -> Result<Self, Box<BuildError>> {
        let hir = Hir::alternation(patterns);
        let looks = hir.properties().look_set();
        let record = compile(&hir, limit)?;
        let block = if !looks.iter().all(is_same_in_block) {
            None
        } else if looks.is_empty() {
            Some(record.clone())
        } else {
            (!is_anchored(&hir) || is_rare_at_start(&hir)).then(|| compile(&in_block(&hir), limit)).transpose()?
        };
        let looks = Looks { any: !looks.is_empty(), end: looks.contains(Look::End) };
        Ok(Self { record, block, looks, spent: Arc::default() })
    }

    /// What all searchers that are gone have done.
    pub(super) fn effort(&self) -> SearchEffort {
        // Relaxed: whoever wants all of it waits until the searchers are gone.
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        SearchEffort { asked: read(&self.spent.asked), alone: read(&self.spent.alone) }
    }

    /// True when bytes that cannot begin a match are passed over at the speed of memory.
    pub(super) fn is_accelerated(&self) -> bool {
        self.block.as_ref().is_some_and(Regex::is_accelerated)
    }

    /// What one worker searches with.
    pub(super) fn searcher(&self) -> Searcher {
        Searcher {
            record: Engine::new(&self.record),
            block: self.block.as_ref().map(Engine::new),
            looks: self.looks,
            effort: SearchEffort::default(),
            spent: Arc::clone(&self.spent),
        }
    }
}

fn compile(hir: &Hir, limit: usize) -> Result<Regex, Box<BuildError>> {
    let config = Config::new()
        .utf8_empty(false)
        .nfa_size_limit(Some(limit))
        .onepass_size_limit(Some(limit))
        .hybrid_cache_capacity(limit.min(AUTOMATON_BYTES));
    Regex::builder().configure(config).build_from_hir(hir).map_err(Box::new)
}

/// True for what [`in_block`] can ask in a block so that it holds wherever it holds in a record.
fn is_same_in_block(look: Look) -> bool {
    use Look::{
        End, Start, WordAscii, WordAsciiNegate, WordEndAscii, WordEndHalfAscii, WordStartAscii, WordStartHalfAscii,
    };
    // Next to a record, there is a newline, a CR, a BOM or nothing: none of them is part of a word.
    matches!(
        look,
        Start
            | End
            | WordAscii
            | WordAsciiNegate
            | WordStartAscii
            | WordEndAscii
            | WordStartHalfAscii
            | WordEndHalfAscii
    )
}

fn in_block(hir: &Hir) -> Hir {
    rebuild(hir, &|look| match look {
        Look::Start => Look::StartLF,
        Look::End => Look::EndCRLF,
        other => other,
    })
}

/// True where most records fail at once when they are asked one by one.
fn is_anchored(hir: &Hir) -> bool {
    let properties = hir.properties();
    properties.look_set_prefix().contains(Look::Start) || properties.look_set_suffix().contains(Look::End)
}

/// True where matches start with bytes that a block can be searched for, and that are seldom there by chance.
///
/// Where they do not, a search through the block for `^\d{4}-\d\d.*ERROR` took 40 times as long as one record by
/// record; where they do, as in `^081109`, a quarter.
fn is_rare_at_start(hir: &Hir) -> bool {
    let literals = Extractor::new().kind(ExtractKind::Prefix).extract(hir);
    let is_long = literals.min_literal_len().is_some_and(|length| length >= RARE_BYTES);
    is_long && Prefilter::from_hir_prefix(MatchKind::LeftmostFirst, hir).is_some_and(|prefilter| prefilter.is_fast())
}

/// A regular expression with scratch space of its own, so that no worker waits for another.
struct Engine {
    regex: Regex,
    cache: Cache,
}

impl Engine {
    fn new(regex: &Regex) -> Self {
        Self { regex: regex.clone(), cache: regex.create_cache() }
    }

    /// Where a match ends in the first record at or behind `from` that has one.
    fn first_end(&mut self, bytes: &[u8], from: usize) -> Option<usize> {
        let input = Input::new(bytes).range(from..).earliest(true);
        self.regex.search_half_with(&mut self.cache, &input).map(|found| found.offset())
    }
}

/// What one worker searches with.
pub(super) struct Searcher {
    record: Engine,
    block: Option<Engine>,
    looks: Looks,
    effort: SearchEffort,
    spent: Arc<Spent>,
}

impl Drop for Searcher {
    fn drop(&mut self) {
        self.spent.asked.fetch_add(self.effort.asked, Ordering::Relaxed);
        self.spent.alone.fetch_add(self.effort.alone, Ordering::Relaxed);
    }
}

impl Searcher {
    /// Appends those records of `input` to `found` in which one of the patterns occurs.
    pub(super) fn find(&mut self, batch: &Batch<'_>, input: Selection<'_>, found: &mut Vec<u32>) {
        self.effort.asked += input.len() as u64;
        match input {
            _ if !self.is_for_block(batch, input) => {
                self.effort.alone += input.len() as u64;
                found.extend(input.iter().filter(|&number| self.is_in(batch, number)));
            }
            Selection::Range(start, end) => {
                self.walk(batch, |index| start + index as u32, (end - start) as usize, found)
            }
            Selection::List(list) => self.walk(batch, |index| list[index], list.len(), found),
        }
    }

    fn is_for_block(&self, batch: &Batch<'_>, input: Selection<'_>) -> bool {
        let (Some(first), Some(last), Some(_)) = (input.first(), input.last(), &self.block) else { return false };
        // Where a record is cut, nothing in the block shows its end.
        let is_cut = || batch.may_be_oversized() && input.iter().any(|number| batch.is_oversized(number));
        input.len() * SPARSE >= (last - first) as usize && !(self.looks.any && is_cut())
    }

    /// Goes from hit to hit through the block. `at` gives `len` record numbers, ascending.
    fn walk(&mut self, batch: &Batch<'_>, at: impl Fn(usize) -> u32, len: usize, found: &mut Vec<u32>) {
        let bounds = batch.bounds();
        let start = |index| bounds[at(index) as usize] as usize;
        let bytes = &batch.bytes()[..batch.raw(at(len - 1)).end];
        let mut next = 0;
        if self.looks.any && batch.visible(at(0)).start > start(0) {
            // Behind a BOM, nothing in the block shows the record's start.
            found.extend(Some(at(0)).filter(|&number| self.is_in(batch, number)));
            self.effort.alone += 1;
            next = 1;
        }
        while next < len {
            let Some(hit) = self.block.as_mut().and_then(|block| block.first_end(bytes, start(next))) else { break };
            let index = gallop(next, len, |index| start(index) <= hit);
            let number = at(index);
            // Else it is in a record between those that were asked for.
            if hit < bounds[number as usize + 1] as usize {
                self.effort.alone += 1;
                found.extend(self.is_confirmed(batch, number).then_some(number));
            }
            next = index + 1;
        }
    }

    /// True when record `number`, in which the block has a hit, matches as it is seen.
    fn is_confirmed(&mut self, batch: &Batch<'_>, number: u32) -> bool {
        let visible = batch.visible(number);
        let line = batch.bounds()[number as usize] as usize..batch.bounds()[number as usize + 1] as usize - 1;
        let shows_all = visible == line;
        // A CR within a record passes for its end in the block.
        let has_false_end = || self.looks.end && memchr::memchr(b'\r', &batch.bytes()[line]).is_some();
        (shows_all && !has_false_end()) || self.is_in(batch, number)
    }

    fn is_in(&mut self, batch: &Batch<'_>, number: u32) -> bool {
        self.record.first_end(batch.record(number), 0).is_some()
    }
}

/// The last index from `low` on, below `len`, for which `holds`, which holds for `low` and then up to some index.
pub(super) fn gallop(mut low: usize, len: usize, holds: impl Fn(usize) -> bool) -> usize {
    let mut step = 1;
    while low + step < len && holds(low + step) {
        low += step;
        step *= 2;
    }
    let mut high = len.min(low + step);
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        if holds(middle) {
            low = middle;
        } else {
            high = middle;
        }
    }
    low
}
