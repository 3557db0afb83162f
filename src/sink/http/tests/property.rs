//! Whatever fails, and in whatever order: every record ends where it should, and none is acknowledged before.

use std::{
    collections::HashSet,
    sync::atomic::{AtomicUsize, Ordering},
};

use proptest::prelude::*;

use super::*;

/// How requests fail, one after the other; then all is well.
fn failure() -> impl Strategy<Value = u16> {
    prop::sample::select(vec![200, 200, 503, 429, 401, 400, 413, 404, 0, 1, 2])
}

fn reply(code: u16) -> Reply {
    match code {
        0 => Reply::Drop,
        1 => Reply::Half,
        2 => Reply::Silence,
        status => Reply::status(status),
    }
}

/// Blocks of so many records each; no two records are the same.
fn blocks(sizes: &[usize]) -> Vec<Vec<String>> {
    let mut all = numbered(sizes.iter().sum()).into_iter();
    sizes.iter().map(|&size| all.by_ref().take(size).collect()).collect()
}

fn case(sizes: &[usize], failures: &[u16], keys: &str) {
    let (_folder, path) = folder();
    let (failures, next) = (failures.to_vec(), AtomicUsize::new(0));
    let receiver = Receiver::start(move |_| {
        let code = failures.get(next.fetch_add(1, Ordering::SeqCst)).copied().unwrap_or(200);
        reply(code)
    });
    let sink = start(&receiver.url(), &format!("timeout = '50ms'\n{keys}"), Some(&path));
    let blocks = blocks(sizes);
    let mut offset = 0;
    for (number, lines) in (0..).zip(&blocks) {
        let lines: Vec<&[u8]> = lines.iter().map(String::as_bytes).collect();
        let piece = piece(offset, &lines);
        offset += piece.bytes.len() as u64;
        put(&sink, number, piece);
    }
    let mut last = 0;
    until("all is acknowledged", || {
        // First what is acknowledged, then what has arrived: the other way round, it would prove nothing.
        let acknowledged = sink.acknowledged();
        assert!(acknowledged >= last, "it never goes back");
        let arrived = arrived(&receiver, &path);
        for line in blocks[..acknowledged as usize].iter().flatten() {
            assert!(arrived.contains(line), "{line} is acknowledged and nowhere: {acknowledged}");
        }
        last = acknowledged;
        acknowledged == blocks.len() as u64
    });
    let letters = lines_of(&letters(&path));
    assert_eq!(letters.len(), letters.iter().collect::<HashSet<_>>().len(), "nobody dies twice");
    assert_eq!(sink.numbers().sent + sink.numbers().refused, sizes.iter().sum::<usize>() as u64);
    assert_eq!((sink.numbers().waiting, sink.failure()), (0, None));
}

fn arrived(receiver: &Receiver, path: &Path) -> HashSet<String> {
    // A letter that is just being written is not whole, and not acknowledged.
    let bytes = fs::read(path).unwrap_or_default();
    let letters = bytes.split(|&byte| byte == b'\n').filter_map(|line| OwnedLetter::decode(line).ok());
    let letters = letters.map(|letter| String::from_utf8(letter.line).unwrap());
    letters.chain(receiver.messages()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(16) })]

    #[test]
    fn every_record_is_delivered_or_a_dead_letter_and_never_acknowledged_before(
        sizes in prop::collection::vec(0_usize..20, 1..20),
        failures in prop::collection::vec(failure(), 0..30),
        concurrency in 1..5,
        batch in prop::sample::select(vec![1, 300, 1_000, 100_000]),
        attempts in prop::sample::select(vec!["", "attempts = 2, "]),
    ) {
        let retry = format!("retry = {{ {attempts}backoff = '1ms..5ms' }}");
        let keys = format!("batch_bytes = {batch}\nconcurrency = {concurrency}\nbatch_time = '1ms'\n{retry}");
        case(&sizes, &failures, &keys);
    }
}
