//! The input: our own sample logs, repeated.

use std::{fs, path::Path};

use logweir::{Batch, Origin, internals};

/// What one worker takes at once.
pub const BLOCK_BYTES: usize = logweir::limits::BLOCK_BYTES;

/// Bytes with a name.
pub struct Sample {
    pub bytes: Vec<u8>,
    /// Size and hash.
    pub name: String,
}

impl Sample {
    /// All files of `tests/sample`, over and over, as many whole times as fit into `bytes_max`.
    pub fn new(bytes_max: usize) -> Self {
        let once = once();
        let bytes = once.repeat(bytes_max / once.len());
        let name = format!("sample-{}MB-{:08x}", bytes.len() / 1_000_000, hash(&bytes));
        Self { bytes, name }
    }

    /// It as blocks, each with the bounds of its records.
    pub fn blocks(&self) -> Vec<Block<'_>> {
        let mut blocks = Vec::new();
        let mut rest = &self.bytes[..];
        while !rest.is_empty() {
            let window = &rest[..rest.len().min(BLOCK_BYTES)];
            let end = if window.len() == rest.len() {
                rest.len()
            } else {
                memchr::memrchr(b'\n', window).expect("sample lines are short") + 1
            };
            let (bytes, behind) = rest.split_at(end);
            let mut bounds = Vec::new();
            internals::bounds(bytes, &mut bounds);
            blocks.push(Block { bytes, bounds });
            rest = behind;
        }
        blocks
    }
}

/// A block with its record index.
pub struct Block<'a> {
    pub bytes: &'a [u8],
    pub bounds: Vec<u32>,
}

impl Block<'_> {
    /// What a processor gets. Not from the head of a source, where a BOM would be looked for.
    pub fn batch(&self) -> Batch<'_> {
        let origin = Origin { source: 0, offset: 1 };
        Batch::new(self.bytes, &self.bounds, origin, logweir::limits::RECORD_BYTES, 0)
    }
}

fn once() -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sample");
    let mut paths: Vec<_> =
        fs::read_dir(folder).expect("the sample").map(|entry| entry.expect("a name").path()).collect();
    paths.sort();
    let mut bytes = Vec::new();
    for path in paths {
        bytes.extend(fs::read(path).expect("a sample file"));
        if bytes.last() != Some(&b'\n') {
            bytes.push(b'\n');
        }
    }
    bytes
}

/// FNV-1a: enough to tell two samples apart.
fn hash(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0x811c_9dc5, |hash, &byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}
