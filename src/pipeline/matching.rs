//! `match`: sends records in which patterns occur to `match`, the others to `rest`.
//!
//! A record matches if one of `any` occurs in it, each of `all`, and none of `not`; keys that are not given ask for
//! nothing. A pattern is text, which is looked for byte by byte, or `{ regex = '…' }`, on bytes too: `.` is a byte, and
//! `(?u:…)` asks for characters. With `ignore_case`, ASCII letters of both cases are the same.
//!
//! In a plain sequence, and wherever `to` does not name outputs, only `match` goes on: `rest` is dropped as `no_match`.

mod pattern;
mod search;

use regex_syntax::hir::Hir;

use self::search::{Search, Searcher};
use super::{Context, Definition, Mistake, Options, Outputs, Processor, SearchEffort, Value};
use crate::{
    batch::{Batch, Selection},
    limits,
};

const KEYS: [&str; 3] = ["any", "all", "not"];

const MATCH: usize = 0;
const REST: usize = 1;

/// Reads its settings: `any`, `all`, `not` and `ignore_case`.
pub(super) fn build(options: &mut Options<'_>) -> Result<Box<dyn Definition>, Mistake> {
    let ignore_case = options.get("ignore_case").map(|value| value.flag()).transpose()?.unwrap_or(false);
    options.require_one_of(&KEYS)?;
    let [any, all, not] = KEYS.map(|key| options.get(key));
    let mut wanted = Vec::new();
    if let Some(any) = any {
        wanted.push(compile(&any, patterns(&any, ignore_case)?, limits::REGEX_BYTES)?);
    }
    if let Some(all) = all {
        wanted.extend(each(&all, patterns(&all, ignore_case)?)?);
    }
    // What is searched first sees all records, the others only what it found: a fast one goes first.
    wanted.sort_by_key(|search| !search.is_accelerated());
    let not = not.map(|not| compile(&not, patterns(&not, ignore_case)?, limits::REGEX_BYTES)).transpose()?;
    Ok(Box::new(Match { wanted, not }))
}

/// The patterns of a pattern or a list of patterns.
fn patterns(value: &Value<'_>, ignore_case: bool) -> Result<Vec<Hir>, Mistake> {
    let members = value.list();
    if members.is_empty() {
        return Err(value.mistake("there is nothing to look for").label("an empty list"));
    }
    members.iter().map(|member| pattern::read(member, ignore_case)).collect()
}

/// A search for each of `patterns`, which share what memory there is for one.
fn each(value: &Value<'_>, patterns: Vec<Hir>) -> Result<Vec<Search>, Mistake> {
    if patterns.len() > limits::PATTERNS_ALL {
        let label = format!("{} patterns, and {} are allowed", patterns.len(), limits::PATTERNS_ALL);
        return Err(value.mistake("too many patterns in `all`").label(label));
    }
    let limit = limits::REGEX_BYTES / patterns.len();
    let members = value.list();
    members.iter().zip(patterns).map(|(member, pattern)| compile(member, vec![pattern], limit)).collect()
}

fn compile(value: &Value<'_>, patterns: Vec<Hir>, limit: usize) -> Result<Search, Mistake> {
    Search::new(patterns, limit).map_err(|error| match error.size_limit() {
        Some(_) => value
            .mistake("the pattern is too big")
            .label(format!("compiled, it takes more than {} KiB", limit >> 10))
            .with_help("a counted repetition such as `{1000}` multiplies what it repeats"),
        None => value.mistake(format!("the pattern cannot be compiled: {error}")),
    })
}

/// What is looked for, compiled.
struct Match {
    /// Each must be found.
    wanted: Vec<Search>,
    /// Must not be found.
    not: Option<Search>,
}

impl Definition for Match {
    fn outputs(&self) -> &[&'static str] {
        &["match", "rest"]
    }

    fn build(&self) -> Box<dyn Processor> {
        Box::new(Matcher {
            wanted: self.wanted.iter().map(Search::searcher).collect(),
            not: self.not.as_ref().map(Search::searcher),
            found: Vec::new(),
            left: Vec::new(),
        })
    }

    fn dropped_in_sequence(&self) -> Option<(&'static str, &'static str)> {
        Some(("rest", "no_match"))
    }

    fn search_effort(&self) -> Option<SearchEffort> {
        let efforts = self.wanted.iter().chain(&self.not).map(Search::effort);
        Some(efforts.fold(SearchEffort::default(), |sum, effort| SearchEffort {
            asked: sum.asked + effort.asked,
            alone: sum.alone + effort.alone,
        }))
    }
}

/// One worker's searchers and scratch space.
struct Matcher {
    wanted: Vec<Searcher>,
    not: Option<Searcher>,
    /// What the search at work has found.
    found: Vec<u32>,
    /// What is left after the searches so far.
    left: Vec<u32>,
}

impl Processor for Matcher {
    fn process(&mut self, batch: &Batch<'_>, input: Selection<'_>, out: &mut Outputs, _: &Context<'_>) {
        let mut is_first = true;
        for search in &mut self.wanted {
            let among = if is_first { input } else { Selection::List(&self.left) };
            self.found.clear();
            search.find(batch, among, &mut self.found);
            std::mem::swap(&mut self.found, &mut self.left);
            is_first = false;
        }
        let wanted = if is_first { input } else { Selection::List(&self.left) };
        // What stands there already is from other parts of the block.
        let before = out.port(MATCH).len();
        if let Some(not) = &mut self.not {
            self.found.clear();
            not.find(batch, wanted, &mut self.found);
            without(wanted, &self.found, out.port(MATCH));
        } else {
            wanted.append_to(out.port(MATCH));
        }
        let [matched, rest] = out.ports() else { unreachable!("it has two outputs, {MATCH} and {REST}") };
        without(input, &matched[before..], rest);
    }
}

/// Appends the members of `all` that are not in `taken`, which is a part of it.
fn without(all: Selection<'_>, taken: &[u32], target: &mut Vec<u32>) {
    target.reserve(all.len() - taken.len());
    match all {
        Selection::Range(mut start, end) => {
            for &number in taken {
                target.extend(start..number);
                start = number + 1;
            }
            target.extend(start..end);
        }
        Selection::List(mut list) => {
            for number in taken {
                let Some(before) = list.iter().position(|member| member == number) else { break };
                target.extend_from_slice(&list[..before]);
                list = &list[before + 1..];
            }
            target.extend_from_slice(list);
        }
    }
}

#[cfg(test)]
mod tests;
