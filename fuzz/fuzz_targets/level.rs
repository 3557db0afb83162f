//! Levels: the fast path over a batch is `level_of` of each record, and where no shape can decide, `level_of` is what a
//! regular expression finds.
#![no_main]

use std::sync::{LazyLock, atomic::AtomicBool};

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use logweir::{Batch, Context, Level, Origin, Outputs, Pipeline, internals, level_of};
use logweir_fuzz::{Bounded, LogBytes, portions};
use regex::bytes::Regex;

#[derive(Debug, Arbitrary)]
struct Input {
    record_bytes_max: Bounded<1, 400>,
    /// At the head of the source, where a BOM is hidden.
    is_first: bool,
    /// Which records are selected; all where it is `None`.
    keep: Option<u32>,
    /// How many of the selected records come in a call of their own, as probes do; outputs are filled further.
    first: Bounded<0, 3>,
    content: LogBytes,
}

fuzz_target!(|input: Input| {
    let mut bounds = Vec::new();
    internals::bounds(&input.content.0, &mut bounds);
    let origin = Origin { source: 0, offset: u64::from(!input.is_first) };
    let batch = Batch::new(&input.content.0, &bounds, origin, input.record_bytes_max.0, 0);
    check_batch(&batch, input.keep, input.first.0);
    (0..batch.len()).for_each(|number| check_words(batch.record(number)));
});

fn check_batch(batch: &Batch<'_>, keep: Option<u32>, first: usize) {
    let numbers = (0..batch.len()).filter(|number| keep.is_none_or(|keep| keep >> (number % 32) & 1 == 1));
    let list: Vec<u32> = numbers.collect();
    let mut out = Outputs::new(3);
    let mut processor = internals::processors(&Pipeline::default_pipeline()).remove(0);
    for selection in portions(&list, first, batch.len()) {
        processor.process(batch, selection, &mut out, &Context::new(&AtomicBool::new(false)));
    }
    for (port, level) in [Level::Error, Level::Warn, Level::Other].into_iter().enumerate() {
        let is_level = |&number: &u32| level_of(batch.record(number)) == level;
        let expected: Vec<u32> = list.iter().copied().filter(is_level).collect();
        assert_eq!(out.ports()[port], expected, "{level:?}");
    }
}

/// No shape begins with this, so that only words decide; and it is no word byte, so that it hides none.
const NO_SHAPE: u8 = b'~';

fn check_words(record: &[u8]) {
    let record = [&[NO_SHAPE], record].concat();
    let word = WORDS.captures(&record).map(|found| found[1].to_ascii_lowercase());
    let expected = match word.as_deref() {
        Some(b"warn" | b"warning") => Level::Warn,
        None | Some(b"trace" | b"debug" | b"info" | b"notice") => Level::Other,
        Some(_) => Level::Error,
    };
    assert_eq!(level_of(&record), expected);
}

/// The level words, upper, lower or capitalised, with no word byte on either side, or a colour sequence before.
static WORDS: LazyLock<Regex> = LazyLock::new(|| {
    let words = "trace debug info notice warn warning error severe fatal critical crit alert emerg panic";
    let forms = words.split(' ').flat_map(|word| {
        let capitalised = word[..1].to_ascii_uppercase() + &word[1..];
        [word.to_owned(), word.to_ascii_uppercase(), capitalised]
    });
    Regex::new(&format!(r"(?-u)(?:\b|\x1b\[[0-9;]*m)({})\b", forms.collect::<Vec<_>>().join("|")))
        .expect("a plain pattern")
});
