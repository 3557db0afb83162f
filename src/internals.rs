//! What the benches and the fuzzers need of the inside. Not part of the API: it changes without notice.
//!
//! Each function is the one that the engine uses, or the twin that it is held against; nothing here does more than hand
//! on, so that what is measured and attacked is what runs.

use std::ops::Range;

use crate::{
    pipeline::{Pipeline, Processor},
    serve, simd,
    split::{self, End},
    store::{self, Generation, Unbelievable},
};

/// A block that was cut out of a window, as positions in the window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cut {
    /// The block; empty if no record starts in the range.
    pub bytes: Range<usize>,
    /// Where the last record starts, if it goes on behind the window.
    pub open: Option<usize>,
}

/// Cuts the block of `range` out of `window`, which begins at offset `window_start` of its source.
#[must_use]
pub fn cut(window: &[u8], window_start: u64, range: &Range<u64>, is_last: bool) -> Cut {
    let block = split::cut(window, window_start, range, is_last);
    let open = match block.end {
        End::Whole => None,
        End::Open(record) => Some(record),
    };
    Cut { bytes: block.bytes, open }
}

/// Writes the bounds of the records of `block`, and says whether the last one has no newline.
pub fn bounds(block: &[u8], bounds: &mut Vec<u32>) -> bool {
    split::bounds(block, bounds)
}

/// Appends the position behind every newline, by the fastest way that the processor has.
pub fn line_ends(bytes: &[u8], ends: &mut Vec<u32>) {
    simd::line_ends(bytes, ends);
}

/// The same by the way that every processor has.
pub fn line_ends_portable(bytes: &[u8], ends: &mut Vec<u32>) {
    simd::line_ends_portable(bytes, ends);
}

/// One worker's instances of the processors of `pipeline`, in the order of its graph.
#[must_use]
pub fn processors(pipeline: &Pipeline) -> Vec<Box<dyn Processor>> {
    pipeline.nodes.iter().map(|node| node.definition.build()).collect()
}

/// What the server makes of a request for `path`.
///
/// # Errors
///
/// The status of the refusal, and what it offers instead.
pub fn route(path: &str, query: Option<&str>) -> Result<String, (u16, Vec<String>)> {
    serve::route_in_words(path, query)
}

/// The checkpoint in the bytes of a file.
///
/// # Errors
///
/// Why it is not believed.
pub fn load_checkpoint(file: &[u8]) -> Result<Generation, Unbelievable> {
    store::decode(file)
}

/// The bytes of a file with this checkpoint.
///
/// # Panics
///
/// Never: there is no checkpoint that is no JSON.
#[must_use]
pub fn checkpoint_file(generation: &Generation) -> Vec<u8> {
    store::encode(generation.number, &generation.checkpoint).expect("a checkpoint is JSON")
}

/// The bytes of a file with any contents, proven as a checkpoint's are.
#[must_use]
pub fn checkpoint_file_of(number: u64, contents: Vec<u8>) -> Vec<u8> {
    store::wrapped(number, contents)
}
