//! Level words: which there are, and whether one stands at a given place.

use std::ops::Range;

use super::Level::{self, Error, Other, Warn};
use crate::simd::is_word;

/// A level word in lower case, as the eight bytes that would be read at its place.
#[derive(Clone, Copy)]
struct Word {
    bytes: u64,
    /// Which of `bytes` are the word's.
    mask: u64,
    /// The same for the short form that counts as well; the whole word where there is none.
    short_mask: u64,
    level: Level,
}

const fn mask(length: usize) -> u64 {
    u64::MAX >> (64 - 8 * length)
}

/// How long the word is that `mask` covers.
const fn length(mask: u64) -> usize {
    mask.count_ones() as usize / 8
}

const fn word(text: &str, short: usize, level: Level) -> Word {
    let mut bytes = 0;
    let mut place = text.len();
    while place > 0 {
        place -= 1;
        bytes = bytes << 8 | text.as_bytes()[place] as u64;
    }
    Word { bytes, mask: mask(text.len()), short_mask: mask(short), level }
}

/// Words, and the length of their short forms: WARN and CRIT are there with the longer ones.
const WORDS: [Word; 12] = [
    word("trace", 5, Other),
    word("debug", 5, Other),
    word("info", 4, Other),
    word("notice", 6, Other),
    word("warning", 4, Warn),
    word("error", 5, Error),
    word("severe", 6, Error),
    word("fatal", 5, Error),
    word("critical", 4, Error),
    word("alert", 5, Error),
    word("emerg", 5, Error),
    word("panic", 5, Error),
];

/// The only word that can stand at a place, by its first two letters.
const BY_LETTERS: [Word; SLOTS] = by_letters();
const SLOTS: usize = 16;

/// Two letters to a slot, in either case: a number that was looked for until no two words shared a slot.
const fn slot(bytes: u64) -> usize {
    (((bytes & 0x1f1f) * 33) >> 5) as usize % SLOTS
}

const fn by_letters() -> [Word; SLOTS] {
    // No byte is zero in lower case: this is found nowhere.
    let nothing = Word { bytes: 0, mask: u64::MAX, short_mask: u64::MAX, level: Other };
    let mut table = [nothing; SLOTS];
    let mut number = 0;
    while number < WORDS.len() {
        let place = slot(WORDS[number].bytes);
        assert!(table[place].bytes == 0, "two words in one slot");
        table[place] = WORDS[number];
        number += 1;
    }
    table
}

const CASE: u64 = 0x2020_2020_2020_2020;

/// The level of the word that begins at `position` of `text` and ends before `end` or there. What stands before, or from
/// `end` on, does not count.
// Left to itself the compiler calls it, nearly once a record.
#[inline(always)]
pub(super) fn at(text: &[u8], position: usize, end: usize) -> Option<Level> {
    let bytes = eight_bytes(&text[position..]);
    let word = &BY_LETTERS[slot(bytes)];
    let differing = (bytes | CASE) ^ word.bytes;
    if differing & word.short_mask != 0 {
        return None;
    }
    let is_long = differing & word.mask == 0 && position + length(word.mask) <= end;
    let mask = if is_long { word.mask } else { word.short_mask };
    let upper = !bytes & CASE & mask;
    let is_cased = upper == 0 || upper == CASE & mask || upper == CASE & 0xff;
    let behind = position + length(mask);
    let ends = behind == end || (behind < end && !is_word(text[behind]));
    (is_cased && ends).then_some(word.level)
}

/// The first eight bytes of `text`; zeros where there are fewer.
#[inline]
fn eight_bytes(text: &[u8]) -> u64 {
    match text.first_chunk() {
        Some(chunk) => u64::from_le_bytes(*chunk),
        None => text.iter().rev().fold(0, |bytes, &byte| bytes << 8 | u64::from(byte)),
    }
}

/// The level of the first level word that begins in `range` of `record`.
pub(super) fn first(record: &[u8], range: Range<usize>) -> Option<Level> {
    range.filter(|&position| is_free(record, position)).find_map(|position| at(record, position, record.len()))
}

/// True when no word byte stands before `position`. The `m` that ends a colour sequence is none: programs that write to a
/// terminal put one directly before the level, and their logs are kept as they are.
#[inline]
pub(super) fn is_free(record: &[u8], position: usize) -> bool {
    match record[..position].last() {
        None => true,
        Some(b'm') => ends_with_colour(&record[..position]),
        Some(&byte) => !is_word(byte),
    }
}

/// True when `text`, which ends with `m`, ends with an SGR sequence (ECMA-48, 8.3.117): ESC `[`, numbers and `;`, `m`.
#[cold]
fn ends_with_colour(text: &[u8]) -> bool {
    let numbers = text[..text.len() - 1].iter().rev().take_while(|byte| matches!(byte, b'0'..=b'9' | b';')).count();
    text[..text.len() - 1 - numbers].ends_with(b"\x1b[")
}

/// The level that a field's whole value names, in any case; `err` and `emergency` are known here as well.
pub(super) fn of_value(value: &[u8]) -> Option<Level> {
    let named = |name: &str| value.eq_ignore_ascii_case(name.as_bytes());
    if named("err") || named("emergency") {
        return Some(Error);
    }
    // No level word is longer than this, and a copy on the stack costs no allocation.
    let mut lower = [0; 12];
    let lower = lower.get_mut(..value.len())?;
    lower.copy_from_slice(value);
    lower.make_ascii_lowercase();
    at(lower, 0, lower.len()).filter(|_| lower.iter().all(|&byte| is_word(byte)))
}
