//! Streams cut whatever way they come are the bytes that came.

use std::thread;

use proptest::prelude::*;

use super::*;

/// The blocks that come of `pieces`.
fn blocks(pieces: &[Vec<u8>], block_bytes: usize, record_bytes_max: usize) -> Vec<StreamBlock> {
    let (stream, stop) = (Stream::new(1), AtomicBool::new(false));
    let mut cutter = Cutter::new(block_bytes, record_bytes_max);
    thread::scope(|scope| {
        scope.spawn(|| {
            pieces.iter().for_each(|piece| cutter.push(piece, &stream, &stop));
            cutter.finish(&stream, &stop);
            stream.finish();
        });
        std::iter::from_fn(|| stream.next(&stop, || {})).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn nothing_is_lost_and_records_stay_whole(
        pieces in prop::collection::vec(prop::collection::vec(prop::sample::select(b"ab\n\r".to_vec()), 1..30), 0..8),
        block_bytes in 1usize..40,
        record_bytes_max in 1usize..30,
    ) {
        let all = pieces.concat();
        let mut at = 0u64;
        for (number, block) in blocks(&pieces, block_bytes, record_bytes_max).into_iter().enumerate() {
            prop_assert_eq!((block.number, block.offset), (number as u64, at));
            let start = at as usize;
            prop_assert_eq!(&block.bytes, &all[start..start + block.bytes.len()]);
            at += block.bytes.len() as u64 + block.cut_bytes;
            prop_assert!(at as usize <= all.len());
            let ends_whole = all[at as usize - 1] == b'\n';
            prop_assert_eq!(block.is_open, !ends_whole);
            prop_assert!(ends_whole || at as usize == all.len());
            if block.cut_bytes > 0 {
                // Only a single record is ever cut, and only beyond the limit.
                prop_assert_eq!(block.bytes.len(), record_bytes_max);
                prop_assert!(!block.bytes.contains(&b'\n'));
            }
        }
        prop_assert_eq!(at as usize, all.len());
    }
}

/// A record that is larger than a block is not taken byte by byte: no piece takes more than a few steps.
#[test]
fn a_record_over_the_size_of_a_block_takes_few_steps() {
    let (stream, stop) = (Stream::new(1), AtomicBool::new(false));
    let mut cutter = Cutter::new(4 << 10, 1 << 20);
    for _ in 0..4 {
        let mut bytes = &[b'x'; 200 << 10][..];
        let mut steps = 0;
        while !bytes.is_empty() {
            bytes = cutter.take(bytes, &stream, &stop);
            steps += 1;
        }
        assert!(steps <= 2, "{steps}");
    }
    assert_eq!(cutter.take(b"end\nnext", &stream, &stop), b"next");
    let block = stream.next(&stop, || {}).expect("the record is whole");
    assert_eq!((block.bytes.len(), block.cut_bytes), ((800 << 10) + 4, 0));
}

/// Who is told to stop while it waits for room gives up a block, and whatever follows it too: the writer of records, which
/// waits for blocks in their order, would never see what comes behind a gap.
#[test]
fn nothing_follows_a_block_that_was_given_up() {
    let (stream, stop) = (Stream::new(1), AtomicBool::new(false));
    let block = |number| StreamBlock { number, ..StreamBlock::default() };
    let queued = limits::STREAM_BLOCKS as u64;
    (0..queued).for_each(|number| stream.put(block(number), &stop));
    stop.store(true, Ordering::Relaxed);
    stream.put(block(queued), &stop);
    assert_eq!(stream.next(&stop, || {}).map(|block| block.number), Some(0), "there is room again");
    stream.put(block(queued + 1), &stop);
    let left: Vec<u64> = std::iter::from_fn(|| stream.next(&stop, || {})).map(|block| block.number).collect();
    assert_eq!(left, (1..queued).collect::<Vec<_>>());
}
