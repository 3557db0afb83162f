//! Letters come out of the packer record by record, however large the blocks are.

use std::thread;

use proptest::prelude::*;

use super::*;
use crate::{
    batch::Batch,
    fault::FaultKind,
    record::{Origin, Record},
    split,
};

/// A record as it went in, or as it came out: source, offset, length, whether that is more than is there, bytes.
type Seen = (SourceId, u64, u64, bool, Vec<u8>);

/// The blocks that come of `letters`.
fn blocks(letters: &[(SourceId, OwnedLetter)], block_bytes: usize) -> Vec<StreamBlock> {
    let (stream, stop) = (Stream::new(1), AtomicBool::new(false));
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut packer = Packer { block: StreamBlock::default(), block_bytes, stream: &stream, stop: &stop };
            letters.iter().for_each(|(source, letter)| packer.add(*source, letter));
            packer.hand_over();
            stream.finish();
        });
        std::iter::from_fn(|| stream.next(&stop, || {})).collect()
    })
}

/// The records of `block`, as a worker sees them.
fn records(block: &StreamBlock) -> Vec<Seen> {
    let mut bounds = Vec::new();
    split::bounds(&block.bytes, &mut bounds);
    let origin = Origin { source: block.source.expect("letters have one"), offset: block.offset };
    let batch = Batch::new(&block.bytes, &bounds, origin, limits::RECORD_BYTES, block.cut_bytes)
        .with_offsets(block.offsets.as_deref());
    let seen = |number| {
        let Record { origin, length, .. } = batch.get(number);
        let raw = &batch.bytes()[batch.raw(number)];
        let line = raw.strip_suffix(b"\n").unwrap_or(raw).to_vec();
        (origin.source, origin.offset, length, length > raw.len() as u64, line)
    };
    (0..batch.len()).map(seen).collect()
}

/// A letter of one of a few sources: whole, without a newline, or truncated.
fn letter() -> impl Strategy<Value = (SourceId, OwnedLetter)> {
    let line = prop::collection::vec(prop::sample::select(b"ab\r\0\xff\xef\xbb\xbf".to_vec()), 0..20);
    (0..3 as SourceId, 0..1_000_u64, line, 0..6_u64).prop_map(|(source, offset, line, form)| {
        // Without a newline there is no empty record; and what is cut off is never nothing.
        let (more, truncated) = match form {
            0 if !line.is_empty() => (0, false),
            1 if !line.is_empty() => (offset + 1, true),
            _ => (1, false),
        };
        let letter = OwnedLetter {
            time: jiff::Timestamp::UNIX_EPOCH,
            processor: String::new(),
            kind: FaultKind::Failed,
            reason: String::new(),
            source: PathBuf::new(),
            offset,
            length: line.len() as u64 + more,
            truncated,
            line,
        };
        (source, letter)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn every_letter_comes_out_as_its_record(
        letters in prop::collection::vec(letter(), 0..30),
        block_bytes in 1usize..100,
    ) {
        let expected: Vec<Seen> = letters
            .iter()
            .map(|(source, letter)| (*source, letter.offset, letter.length, letter.truncated, letter.line.clone()))
            .collect();
        let (mut found, mut at) = (Vec::new(), 0);
        for (number, block) in blocks(&letters, block_bytes).iter().enumerate() {
            prop_assert_eq!((block.number, block.offset), (number as u64, at));
            at += block.bytes.len() as u64 + block.cut_bytes;
            found.extend(records(block));
        }
        prop_assert_eq!(found, expected);
    }
}
