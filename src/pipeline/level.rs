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
            return unsafe { classify_avx2(batch, input, out) };
        }
        for number in input.iter() {
            out.push(level_of(batch.record(number)) as usize, number);
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,bmi1,popcnt")]
fn classify_avx2(batch: &Batch<'_>, input: Selection<'_>, out: &mut Outputs) {
    let tables = avx2::Tables::new();
    match input {
        Selection::Range(start, end) => {
            for number in start..end {
                out.push(level_avx2(batch, number, &tables) as usize, number);
            }
        }
        Selection::List(list) => {
            for &number in list {
                out.push(level_avx2(batch, number, &tables) as usize, number);
            }
        }
    }
}

/// The same as [`level_of`], 32 bytes a step. Bytes behind the record are looked at too, and never counted.
#[cfg(target_arch = "x86_64")]
#[inline]
#[target_feature(enable = "avx2,bmi1,popcnt")]
fn level_avx2(batch: &Batch<'_>, number: u32, tables: &avx2::Tables) -> Level {
    let range = batch.visible(number);
    let bytes = batch.bytes();
    if let Some(level) = head::level(bytes, &range) {
        return level;
    }
    let record = &bytes[range.clone()];
    let mut at = range.start;
    while at < range.end {
        let Some(mut bits) = avx2::candidates(bytes, at, tables) else {
            // Too close to either end of the block for a whole step.
            return word::first(record, at - range.start..range.len()).unwrap_or(Level::Other);
        };
        while bits != 0 {
            let position = at + bits.trailing_zeros() as usize;
            if position >= range.end {
                return Level::Other;
            }
            // A candidate is free, but for an `m` before it: only then is that looked at once more.
            if let Some(level) = word::at(bytes, position, range.end)
                && (bytes[position - 1] != b'm' || word::is_free(record, position - range.start))
            {
                return level;
            }
            bits &= bits - 1;
        }
        at += avx2::STEP;
    }
    Level::Other
}

#[cfg(test)]
mod tests;
