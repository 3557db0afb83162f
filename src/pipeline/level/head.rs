//! The quick form of [`shape`](super::shape): where the first bytes of a record say at once that it has no shape, or that
//! it has logcat's, nothing else is asked. Plain logs come by here with every record.

use std::ops::Range;

use super::{
    Level::{self, Error, Other, Warn},
    shape,
};
use crate::simd::avx2;

/// What a record may be, by its first byte.
#[derive(Debug, Clone, Copy)]
enum Head {
    /// Nothing that has a shape.
    Plain,
    /// Logcat, and many that are not.
    Digit,
    /// logfmt, and many that are not.
    Letter,
    /// JSON, syslog, glog or logfmt.
    Shaped,
}

const HEADS: [Head; 256] = heads();

const fn heads() -> [Head; 256] {
    let mut heads = [Head::Plain; 256];
    let mut byte = 0;
    while byte < 256 {
        heads[byte] = match byte as u8 {
            b'0'..=b'9' => Head::Digit,
            b'<' | b'{' | b' ' | b'\t' | b'I' | b'W' | b'E' | b'F' => Head::Shaped,
            b'A'..=b'Z' | b'a'..=b'z' | b'_' | b'@' => Head::Letter,
            _ => Head::Plain,
        };
        byte += 1;
    }
    heads
}

/// The same as [`shape::level`] of the record at `range` of `bytes`. Bytes behind it are looked at too, and never count.
#[inline]
#[target_feature(enable = "avx2,bmi1,popcnt")]
pub(super) fn level(bytes: &[u8], range: &Range<usize>) -> Option<Level> {
    let record = &bytes[range.clone()];
    match HEADS[usize::from(*record.first()?)] {
        Head::Plain => None,
        // The dash tells nearly all other logs apart.
        Head::Digit if record.get(2) != Some(&b'-') => None,
        Head::Digit => logcat(&bytes[range.start..], record.len()).or_else(|| shape::level(record)),
        Head::Letter if is_no_pair(&bytes[range.start..], record.len()) => None,
        Head::Letter | Head::Shaped => shape::level(record),
    }
}

/// True when a space among the first bytes of a record of `length` bytes, with which `bytes` begins, shows that no key of
/// logfmt stands there.
#[inline]
#[target_feature(enable = "avx2,bmi1,popcnt")]
fn is_no_pair(bytes: &[u8], length: usize) -> bool {
    let Some(head) = bytes.first_chunk() else { return false };
    let space = avx2::equal(head, b' ').trailing_zeros();
    space < avx2::equal(head, b'=').trailing_zeros() && (space as usize) < length
}

/// How a line of logcat begins; where there is a 0, any digit.
const STAMP: [u8; 32] = *b"00-00 00:00:00.000 \n\n\n\n\n\n\n\n\n\n\n\n\n";
const STAMP_LENGTH: usize = 19;
const STAMP_DIGITS: u32 = stamp_digits();
const STAMP_MARKS: u32 = !STAMP_DIGITS & ((1 << STAMP_LENGTH) - 1);

const fn stamp_digits() -> u32 {
    let (mut bits, mut place) = (0, 0);
    while place < STAMP_LENGTH {
        if STAMP[place] == b'0' {
            bits |= 1 << place;
        }
        place += 1;
    }
    bits
}

/// The level of a usual line of logcat (`03-17 16:13:38.811  1702  2395 D tag: …`), of `length` bytes, with which `bytes`
/// begins. `None` for all others, and where it is unusual: where it is long, or other white space than spaces stands in it.
#[inline]
#[target_feature(enable = "avx2,bmi1,popcnt")]
fn logcat(bytes: &[u8], length: usize) -> Option<Level> {
    /// The space before the first number.
    const SPACE: usize = STAMP_LENGTH - 1;
    let head: &[u8; SPACE + 32] = bytes.first_chunk()?;
    let (stamp, rest) = (head.first_chunk()?, head.last_chunk()?);
    let is_stamp = avx2::digits(stamp) & STAMP_DIGITS | avx2::same(stamp, &STAMP) & STAMP_MARKS;
    if is_stamp != STAMP_DIGITS | STAMP_MARKS {
        return None;
    }
    let (spaces, digits) = (avx2::equal(rest, b' '), avx2::digits(rest));
    let mut at = (!spaces).trailing_zeros();
    for _ in 0..2 {
        let number_end = at + (!digits).checked_shr(at)?.trailing_zeros();
        let next = number_end + (!spaces).checked_shr(number_end)?.trailing_zeros();
        if number_end == at || next == number_end {
            return None;
        }
        at = next;
    }
    let is_alone = spaces.checked_shr(at + 1)? & 1 == 1 && SPACE + at as usize + 1 < length;
    match rest[at as usize] {
        b'E' | b'F' | b'A' if is_alone => Some(Error),
        b'W' if is_alone => Some(Warn),
        b'V' | b'D' | b'I' | b'S' if is_alone => Some(Other),
        _ => None,
    }
}
