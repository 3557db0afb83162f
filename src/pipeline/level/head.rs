//! The quick form of [`shape`](super::shape): where the first bytes of a record say at once that it has no shape, or that
//! it has logcat's, nothing else is asked. Plain logs come by here with every record.

use super::Level::{self, Error, Other, Warn};
use crate::simd::avx2::{self, Window, chunk};

/// What the first bytes of a record say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Head {
    /// It has no shape.
    Plain,
    /// It has one that names this level.
    Shows(Level),
    /// [`shape::level`](super::shape::level) knows.
    Unclear,
}

/// What a record may be, by its first byte.
#[derive(Debug, Clone, Copy)]
enum First {
    /// Nothing that has a shape.
    Plain,
    /// Logcat, and many that are not.
    Digit,
    /// logfmt, and many that are not.
    Letter,
    /// glog, or as any letter.
    Initial,
    /// JSON, syslog, or something behind blanks or a BOM.
    Shaped,
}

static FIRST: [First; 256] = {
    let mut first = [First::Plain; 256];
    let mut byte = 0;
    while byte < 256 {
        first[byte] = match byte as u8 {
            b'0'..=b'9' => First::Digit,
            b'<' | b'{' | b' ' | b'\t' | 0xef => First::Shaped,
            b'I' | b'W' | b'E' | b'F' => First::Initial,
            b'A'..=b'Z' | b'a'..=b'z' | b'_' | b'@' => First::Letter,
            _ => First::Plain,
        };
        byte += 1;
    }
    first
};

/// What the head of the record of `length` bytes says that begins with the second byte of `window`.
#[inline]
#[target_feature(enable = "avx2,bmi1,popcnt")]
pub(super) fn look(window: &Window, length: usize) -> Head {
    let is_plain = match FIRST[usize::from(window[1])] {
        First::Plain => true,
        // The dash tells nearly all other logs apart.
        First::Digit if window[3] == b'-' => return logcat(window).map_or(Head::Unclear, Head::Shows),
        First::Digit => true,
        First::Initial if window[2].is_ascii_digit() => false,
        First::Letter | First::Initial => is_no_pair(window, length),
        First::Shaped => false,
    };
    if is_plain { Head::Plain } else { Head::Unclear }
}

/// True when a space among the first bytes of the record shows that no key of logfmt stands there.
#[inline]
#[target_feature(enable = "avx2,bmi1,popcnt")]
fn is_no_pair(window: &Window, length: usize) -> bool {
    let head = chunk(window, 1);
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

/// logcat's letters.
static LETTERS: [Option<Level>; 256] = {
    let mut letters = [None; 256];
    let mut byte = 0;
    while byte < 256 {
        letters[byte] = match byte as u8 {
            b'E' | b'F' | b'A' => Some(Error),
            b'W' => Some(Warn),
            b'V' | b'D' | b'I' | b'S' => Some(Other),
            _ => None,
        };
        byte += 1;
    }
    letters
};

/// The level of a usual line of logcat (`03-17 16:13:38.811  1702  2395 D tag: …`), which begins with the second byte of
/// `window`. `None` for all others, and where it is unusual: where it is long, or other white space than spaces stands in
/// it. All bytes up to the space behind the letter are looked at, and none is a newline: they are the record's.
#[inline]
#[target_feature(enable = "avx2,bmi1,popcnt")]
fn logcat(window: &Window) -> Option<Level> {
    let (stamp, rest) = (chunk(window, 1), chunk(window, STAMP_LENGTH));
    let is_stamp = avx2::digits(stamp) & STAMP_DIGITS | avx2::same(stamp, &STAMP) & STAMP_MARKS;
    if is_stamp != STAMP_DIGITS | STAMP_MARKS {
        return None;
    }
    // `rest` begins with the space before the first number. One bit walks over it: a sum carries it to the end of a run.
    let (spaces, digits) = (avx2::equal(rest, b' '), avx2::digits(rest));
    let over = |run: u32, bit: u32| run.wrapping_add(bit) & !run;
    let first_end = over(digits, over(spaces, 1));
    let second_end = over(digits, over(spaces, first_end));
    let letter = over(spaces, second_end);
    // Where a run was missing, the bit has stood still since, on a byte that is neither space nor digit.
    if second_end & spaces == 0 || letter << 1 & spaces == 0 {
        return None;
    }
    LETTERS[usize::from(rest[letter.trailing_zeros() as usize])]
}
