//! `level`: sends a record to `error`, `warn` or `other`.
//!
//! First, a shape that proves itself at the record's head decides ([`shape`]): a JSON or logfmt level field, logcat's
//! `pid tid W tag:`, glog's and klog's `E0612`, syslog's `<PRI>`. Else the first level word of the record does: TRACE
//! DEBUG INFO NOTICE WARN WARNING ERROR SEVERE FATAL CRITICAL CRIT ALERT EMERG PANIC, upper, lower or capitalised, with
//! `[A-Za-z0-9_]` on neither side; what ends a colour sequence before the word does not count. Else it is `other`. So
//! `INFO … parity error corrected` is no error.

#[cfg(target_arch = "x86_64")]
mod head;
mod shape;
mod word;

#[cfg(target_arch = "x86_64")]
use head::Head;

use super::{Context, Definition, Mistake, Options, Outputs, Processor};
use crate::batch::{Batch, Selection};
#[cfg(target_arch = "x86_64")]
use crate::simd::{self, avx2};

/// What a record's level comes to; the number is the output's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Level {
    /// ERROR SEVERE FATAL CRITICAL CRIT ALERT EMERG PANIC.
    Error = 0,
    /// WARN WARNING.
    Warn = 1,
    /// All else.
    Other = 2,
}

/// The level of one record: the portable form, and what the fast one is held against.
#[must_use]
pub fn level_of(record: &[u8]) -> Level {
    shape::level(record).or_else(|| word::first(record, 0..record.len())).unwrap_or(Level::Other)
}

/// Reads its settings: it has none.
pub(super) fn build(_: &mut Options<'_>) -> Result<Box<dyn Definition>, Mistake> {
    Ok(Box::new(ByLevel))
}

#[derive(Debug, Clone, Copy)]
struct ByLevel;

impl Definition for ByLevel {
    fn outputs(&self) -> &[&'static str] {
        &["error", "warn", "other"]
    }

    fn build(&self) -> Box<dyn Processor> {
        Box::new(*self)
    }
}

impl Processor for ByLevel {
    fn process(&mut self, batch: &Batch<'_>, input: Selection<'_>, out: &mut Outputs, _: &Context<'_>) {
        for port in out.ports() {
            port.reserve(input.len());
        }
        #[cfg(target_arch = "x86_64")]
        if simd::has_avx2() {
            // SAFETY: the processor has what it needs, as was just asked.
            return unsafe {
                match input {
                    Selection::Range(start, end) => classify_avx2(batch, start..end, out),
                    Selection::List(list) => classify_avx2(batch, list.iter().copied(), out),
                }
            };
        }
        for number in input.iter() {
            out.push(level_of(batch.record(number)) as usize, number);
        }
    }
}

/// Does what [`level_of`] does to each record, 32 bytes a step. Bytes behind the record are looked at too, and never
/// counted.
///
/// A CR at its end and a BOM at its head are bytes like others here: neither is part of a word.
// One function, because a call for each record would cost the tables their registers.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,bmi1,popcnt")]
fn classify_avx2(batch: &Batch<'_>, numbers: impl Iterator<Item = u32>, out: &mut Outputs) {
    let (bytes, tables) = (batch.bytes(), avx2::Tables::new());
    for number in numbers {
        let level = 'record: {
            let Some(line) = batch.line(number) else { break 'record unusual(batch, number) };
            let Some(mut window) = avx2::window(bytes, line.start) else { break 'record unusual(batch, number) };
            match head::look(window, line.len()) {
                Head::Plain => {}
                Head::Shows(level) => break 'record level,
                Head::Unclear => {
                    if let Some(level) = shaped(batch, number) {
                        break 'record level;
                    }
                }
            }
            let mut at = line.start;
            loop {
                let mut bits = avx2::candidates(window, &tables);
                while bits != 0 {
                    let place = bits.trailing_zeros() as usize;
                    if at + place >= line.end {
                        break 'record Level::Other;
                    }
                    // A candidate is free, but for an `m` before it: only then is that looked at once more.
                    if let Some(level) = word::at(window, 1 + place)
                        && (window[place] != b'm' || word::is_free(&bytes[line.start..], at + place - line.start))
                    {
                        break 'record level;
                    }
                    bits &= bits - 1;
                }
                at += avx2::STEP;
                if at >= line.end {
                    break 'record Level::Other;
                }
                let Some(next) = avx2::window(bytes, at) else {
                    break 'record rest(&bytes[line.clone()], at - line.start);
                };
                window = next;
            }
        };
        out.push(level as usize, number);
    }
}

// What follows is needed seldom, or by shapes whose fields cost more than a call: kept out of the loop, it leaves the
// loop its registers.

/// The level of a record that is too close to either end of the block, or of which not all is seen.
#[cfg(target_arch = "x86_64")]
#[cold]
#[inline(never)]
fn unusual(batch: &Batch<'_>, number: u32) -> Level {
    level_of(batch.record(number))
}

#[cfg(target_arch = "x86_64")]
#[cold]
#[inline(never)]
fn shaped(batch: &Batch<'_>, number: u32) -> Option<Level> {
    shape::level(batch.record(number))
}

/// The level by the words from `from` on, where the block ends before a whole window does.
#[cfg(target_arch = "x86_64")]
#[cold]
#[inline(never)]
fn rest(record: &[u8], from: usize) -> Level {
    word::first(record, from..record.len()).unwrap_or(Level::Other)
}

#[cfg(test)]
mod tests;
