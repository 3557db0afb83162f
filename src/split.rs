//! Bytes to blocks, cut at record boundaries. Pure: no input or output.
//!
//! A source of known size is divided into equal ranges. The block of a range holds the records that *start* in it: it
//! begins at the first record start at or behind the range's beginning, and ends at the first one at or behind the
//! range's end. Both are found without looking at other blocks, and so the blocks of a source tile it, whoever cuts them.

use std::ops::Range;

use crate::simd;

/// A block inside the window of bytes that it was cut from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Block {
    /// Where the visible bytes stand in the window. Empty if no record starts in the range.
    pub(crate) bytes: Range<usize>,
    /// How the block ends.
    pub(crate) end: End,
}

/// How a block ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// At a record boundary, or at the source's end.
    Whole,
    /// The last record goes on behind the window; its start in the window.
    Open(usize),
}

/// Cuts the block of `range` out of `window`, which begins at offset `window_start` of its source: one byte before the
/// range, or with it at the source's beginning. `is_last` says that the window reaches to the source's end.
pub(crate) fn cut(window: &[u8], window_start: u64, range: &Range<u64>, is_last: bool) -> Block {
    // The position in the window of the byte before which a record of the next range could start.
    let limit = ((range.end - window_start) as usize).min(window.len());
    let start = if window_start == range.start { Some(0) } else { start_behind_newline(&window[..limit.max(1) - 1]) };
    let Some(start) = start else { return Block { bytes: 0..0, end: End::Whole } };
    let last_byte = limit.max(1) - 1;
    if let Some(newline) = memchr::memchr(b'\n', &window[last_byte..]) {
        return Block { bytes: start..last_byte + newline + 1, end: End::Whole };
    }
    if is_last {
        return Block { bytes: start..window.len(), end: End::Whole };
    }
    let record =
        memchr::memrchr(b'\n', &window[start..last_byte.max(start)]).map_or(start, |newline| start + newline + 1);
    Block { bytes: start..window.len(), end: End::Open(record) }
}

fn start_behind_newline(bytes: &[u8]) -> Option<usize> {
    memchr::memchr(b'\n', bytes).map(|newline| newline + 1)
}

/// Writes into `bounds` where the records of `block` start, and behind the last one its end, as if it had a newline
/// even where it has none. Returns true if it has none.
pub(crate) fn bounds(block: &[u8], bounds: &mut Vec<u32>) -> bool {
    bounds.clear();
    bounds.push(0);
    simd::line_ends(block, bounds);
    let is_open = bounds.last().is_some_and(|&end| (end as usize) < block.len());
    if is_open {
        bounds.push(block.len() as u32 + 1);
    }
    is_open
}

#[cfg(test)]
mod tests;
