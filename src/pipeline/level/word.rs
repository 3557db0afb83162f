//! Level words: which there are, and whether one stands at a given place.

use std::ops::Range;

use super::Level::{self, Error, Other, Warn};
use crate::simd::is_word;

/// A level word in one of its three forms: lower case, upper case, capitalised.
#[derive(Clone, Copy)]
struct Word {
    /// The eight bytes that are read at its place, and which of them are its own.
    bytes: u64,
    mask: u64,
    /// What makes it a longer word that counts as well.
    rest: &'static [u8],
    length: u8,
    level: Level,
}

/// Words, and what makes longer ones of WARN and CRIT.
const WORDS: [(&str, &str, Level); 12] = [
    ("trace", "", Other),
    ("debug", "", Other),
    ("info", "", Other),
    ("notice", "", Other),
    ("warn", "ing", Warn),
    ("error", "", Error),
    ("severe", "", Error),
    ("fatal", "", Error),
    ("crit", "ical", Error),
    ("alert", "", Error),
    ("emerg", "", Error),
    ("panic", "", Error),
];

/// The only word that can stand at a place, by its first two letters as they are written.
static BY_LETTERS: [Word; SLOTS] = by_letters();
const SLOTS: usize = 64;

/// The slot of the word that begins with two of these bytes. The number was looked for until no two words shared a slot.
#[inline]
const fn slot(bytes: u64) -> usize {
    ((bytes as u16 as u32).wrapping_mul(27_028_063) >> (u32::BITS - SLOTS.ilog2())) as usize
}

const fn by_letters() -> [Word; SLOTS] {
    // All masked bytes of any text are 0: this is found nowhere.
    let nothing = Word { bytes: 1, mask: 0, rest: b"", length: 0, level: Other };
    let mut table = [nothing; SLOTS];
    let mut number = 0;
    while number < WORDS.len() {
        let (text, rest, level) = WORDS[number];
        let bytes = read(text.as_bytes());
        let (mask, length) = (u64::MAX >> (64 - 8 * text.len()), text.len() as u8);
        let forms = [(bytes, rest), (bytes & !CASE, upper(rest)), (bytes & !0x20, rest)];
        let mut form = 0;
        while form < forms.len() {
            let (bytes, rest) = forms[form];
            assert!(table[slot(bytes)].mask == 0, "two words in one slot");
            table[slot(bytes)] = Word { bytes: bytes & mask, mask, rest: rest.as_bytes(), length, level };
            form += 1;
        }
        number += 1;
    }
    table
}

/// What tells lower case from upper case, in each of eight letters.
const CASE: u64 = 0x2020_2020_2020_2020;

const fn upper(rest: &str) -> &'static str {
    match rest.len() {
        0 => "",
        3 => "ING",
        _ => "ICAL",
    }
}

const fn read(text: &[u8]) -> u64 {
    let mut bytes = 0;
    let mut place = text.len();
    while place > 0 {
        place -= 1;
        bytes = bytes << 8 | text[place] as u64;
    }
    bytes
}

/// The level of the word that begins at `position` of `text` and ends before `text` does or with it. What stands before
/// does not count.
// Left to itself the compiler calls it, nearly once a record.
#[inline(always)]
pub(super) fn at(text: &[u8], position: usize) -> Option<Level> {
    let bytes = eight_bytes(&text[position..]);
    let word = &BY_LETTERS[slot(bytes)];
    if bytes & word.mask != word.bytes {
        return None;
    }
    let behind = &text[position + usize::from(word.length)..];
    (!begins_with_word_byte(behind) || goes_on_with(behind, word.rest)).then_some(word.level)
}

#[inline]
fn begins_with_word_byte(text: &[u8]) -> bool {
    text.first().is_some_and(|&byte| is_word(byte))
}

#[cold]
fn goes_on_with(text: &[u8], rest: &[u8]) -> bool {
    !rest.is_empty() && text.strip_prefix(rest).is_some_and(|behind| !begins_with_word_byte(behind))
}

/// The first eight bytes of `text`; zeros where there are fewer.
#[inline]
fn eight_bytes(text: &[u8]) -> u64 {
    match text.first_chunk() {
        Some(chunk) => u64::from_le_bytes(*chunk),
        None => read(text),
    }
}

/// The level of the first level word that begins in `range` of `record`.
pub(super) fn first(record: &[u8], range: Range<usize>) -> Option<Level> {
    range.filter(|&position| is_free(record, position)).find_map(|position| at(record, position))
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
    at(lower, 0).filter(|_| lower.iter().all(|&byte| is_word(byte)))
}
