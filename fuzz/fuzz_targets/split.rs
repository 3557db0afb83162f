//! Blocks and bounds: whatever size ranges have, the blocks tile the input, and their records are those of a loop.
#![no_main]

use std::ops::Range;

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use logweir::internals;
use logweir_fuzz::{Bounded, LogBytes};

#[derive(Debug, Arbitrary)]
struct Input {
    range_bytes: Bounded<1, 300>,
    /// How far behind its range a window reaches.
    tail_bytes: Bounded<0, 40>,
    content: LogBytes,
}

fuzz_target!(|input: Input| {
    let content = &input.content.0[..];
    check_line_ends(content);
    let mut found = Vec::new();
    let mut covered = 0;
    let mut start = 0;
    while start < content.len() {
        let end = (start + input.range_bytes.0).min(content.len());
        let block = block(content, start..end, input.tail_bytes.0);
        if !block.is_empty() {
            assert_eq!(block.start, covered, "blocks tile");
            covered = block.end;
            records(content, block, &mut found);
        }
        start = end;
    }
    assert_eq!(covered, content.len(), "blocks cover");
    assert_eq!(found, naive(content));
});

/// The block of `range`, as a reader gets it that sees only a window and then looks for the end of an open record.
fn block(content: &[u8], range: Range<usize>, tail_bytes: usize) -> Range<usize> {
    let window_start = range.start.saturating_sub(1);
    let window_end = (range.end + tail_bytes).min(content.len());
    let window = &content[window_start..window_end];
    let range_in_source = range.start as u64..range.end as u64;
    let cut = internals::cut(window, window_start as u64, &range_in_source, window_end == content.len());
    let bytes = cut.bytes.start + window_start..cut.bytes.end + window_start;
    let Some(open) = cut.open else { return if cut.bytes.is_empty() { 0..0 } else { bytes } };
    assert_eq!(bytes.end, window_end, "an open record reaches to the end of what is seen");
    let record = open + window_start;
    let naive_start = content[..window_end].iter().rposition(|&byte| byte == b'\n').map_or(0, |newline| newline + 1);
    assert_eq!(record, naive_start.max(bytes.start), "the open record");
    let rest = content[window_end..].iter().position(|&byte| byte == b'\n');
    bytes.start..rest.map_or(content.len(), |newline| window_end + newline + 1)
}

/// Appends the records of `block`, as positions in `content`, line ends included.
fn records(content: &[u8], block: Range<usize>, found: &mut Vec<Range<usize>>) {
    let bytes = &content[block.clone()];
    let mut bounds = vec![7; 3]; // what stood there before must not matter
    let is_open = internals::bounds(bytes, &mut bounds);
    assert_eq!(is_open, bytes.last() != Some(&b'\n'), "only a missing newline is open");
    for pair in bounds.windows(2) {
        found.push(block.start + pair[0] as usize..(block.start + pair[1] as usize).min(block.end));
    }
}

fn check_line_ends(content: &[u8]) {
    let (mut fast, mut portable) = (vec![1], vec![1]);
    internals::line_ends(content, &mut fast);
    internals::line_ends_portable(content, &mut portable);
    assert_eq!(fast, portable);
}

/// The records, one byte after the other.
fn naive(content: &[u8]) -> Vec<Range<usize>> {
    let mut records = Vec::new();
    let mut start = 0;
    for (position, &byte) in content.iter().enumerate() {
        if byte == b'\n' {
            records.push(start..position + 1);
            start = position + 1;
        }
    }
    if start < content.len() {
        records.push(start..content.len());
    }
    records
}
