//! The engine against a naive twin: read, split, classify, count, print, line by line.

use std::{fs, os::unix::fs::MetadataExt, path::PathBuf};

use logweir::{
    Access, Discovered, Engine, Existing, Finished, Input, Mapping, Pipeline, RunOptions, SinkTarget, Timing,
};
use proptest::prelude::*;
use regex::bytes::Regex;

/// What the twin says of the inputs.
#[derive(Debug, Default, PartialEq, Eq)]
struct Expected {
    lines: u64,
    bytes: u64,
    /// error, warn, other.
    levels: [u64; 3],
    oversized: u64,
    /// What `--print error` writes.
    printed: Vec<u8>,
    /// Source, offset, length, and the last node of the path, of the last 1,000 records.
    traces: Vec<(u32, u64, u64, usize)>,
}

/// All level words in all three spellings; a colour sequence may stand before.
fn level_words() -> Regex {
    let words = "trace debug info notice warn warning error severe fatal critical crit alert emerg panic";
    let spellings = words.split(' ').flat_map(|word| {
        let capitalised = word[..1].to_ascii_uppercase() + &word[1..];
        [word.to_owned(), word.to_ascii_uppercase(), capitalised]
    });
    Regex::new(&format!(r"(?-u)(?:\b|\x1b\[[0-9;]*m)({})\b", spellings.collect::<Vec<_>>().join("|")))
        .expect("a pattern")
}

/// Levels of generated records, which have no shapes, by a regular expression.
fn level(words: &Regex, record: &[u8]) -> usize {
    match words.captures(record).map(|found| found[1].to_ascii_lowercase()).as_deref() {
        Some(b"trace" | b"debug" | b"info" | b"notice") | None => 2,
        Some(b"warn" | b"warning") => 1,
        Some(_) => 0,
    }
}

fn expect(files: &[Vec<u8>], record_bytes_max: usize) -> Expected {
    let words = level_words();
    let mut expected = Expected::default();
    for (source, file) in files.iter().enumerate() {
        let mut offset = 0;
        for raw in file.split_inclusive(|&byte| byte == b'\n') {
            let line = raw.strip_suffix(b"\n").unwrap_or(raw);
            let cut = &line[..line.len().min(record_bytes_max)];
            let seen = cut.strip_suffix(b"\r").unwrap_or(cut);
            let seen = if offset == 0 { seen.strip_prefix(b"\xef\xbb\xbf").unwrap_or(seen) } else { seen };
            let level = level(&words, seen);
            expected.lines += 1;
            expected.bytes += raw.len() as u64;
            expected.levels[level] += 1;
            expected.oversized += u64::from(line.len() > record_bytes_max);
            if level == 0 {
                expected.printed.extend_from_slice(line);
                expected.printed.push(b'\n');
            }
            expected.traces.push((source as u32, offset, raw.len() as u64, 1 + level));
            offset += raw.len() as u64;
        }
    }
    let first = expected.traces.len().saturating_sub(1_000);
    expected.traces.drain(..first);
    expected
}

fn found(finished: &Finished, printed: Vec<u8>) -> Expected {
    let snapshot = &finished.snapshot;
    let outputs = &snapshot.nodes[0].outputs;
    let last = |trace: &logweir::snapshot::Trace| trace.hops.last().map_or(0, |hop| hop.node as usize);
    Expected {
        lines: snapshot.run.records_done,
        bytes: snapshot.run.bytes_done,
        levels: [outputs[0].records, outputs[1].records, outputs[2].records],
        oversized: snapshot.sources.listed.iter().map(|source| source.oversized).sum(),
        printed,
        traces: snapshot.traces.iter().map(|trace| (trace.source, trace.offset, trace.length, last(trace))).collect(),
    }
}

/// Checks what must hold of any finished run.
fn check_invariants(finished: &Finished) {
    let snapshot = &finished.snapshot;
    assert!(finished.error.is_none(), "{:?}", finished.error);
    assert!(snapshot.ledger.balanced, "{:?}", snapshot.ledger.problems);
    assert_eq!(snapshot.checksum, snapshot.checksum_expected());
    assert_eq!(snapshot.ledger.bytes_covered, snapshot.ledger.bytes_expected);
    assert_eq!(snapshot.ledger.sources_incomplete, 0);
    let entry = &snapshot.nodes[0];
    assert_eq!(entry.bytes_in, snapshot.run.bytes_done);
    assert_eq!(entry.outputs.iter().map(|output| output.bytes).sum::<u64>(), entry.bytes_in);
    for (node, output) in snapshot.nodes[1..].iter().zip(&entry.outputs) {
        assert_eq!((node.records_in, node.bytes_in), (output.records, output.bytes));
    }
}

fn input(path: PathBuf, is_stream: bool) -> Input {
    let metadata = fs::metadata(&path).expect("the file is there");
    let random = Access::Random { size: metadata.len(), identity: (metadata.dev(), metadata.ino()) };
    Input { path, access: if is_stream { Access::Stream } else { random } }
}

fn piece() -> impl Strategy<Value = Vec<u8>> {
    let words = prop::sample::select(vec![
        "ERROR",
        "error",
        "FATAL",
        "Fatal",
        "WARN",
        "warn",
        "Warning",
        "INFO",
        "info",
        "terror",
        "_",
        " ",
        "-",
        "\r",
        "\n",
        "\n",
        "\n\n\n",
        "\r\n",
        "\0",
        "\u{feff}",
        "\u{e9}",
        "some words in between ",
    ]);
    let noise = prop::collection::vec(128u8..=255, 1..6);
    let long = (1usize..3_000).prop_map(|length| vec![b'x'; length]);
    prop_oneof![40 => words.prop_map(|word| word.as_bytes().to_vec()), 4 => noise, 1 => long]
}

fn file() -> impl Strategy<Value = Vec<u8>> {
    let small = prop::collection::vec(piece(), 0..60);
    let many_lines = prop::collection::vec(piece(), 1..12)
        .prop_flat_map(|pieces| (1usize..200).prop_map(move |times| vec![pieces.concat().repeat(times)]));
    prop_oneof![8 => small, 1 => many_lines].prop_map(|pieces| pieces.concat())
}

#[derive(Debug, Clone)]
struct Setting {
    workers: usize,
    block_bytes: usize,
    record_bytes_max: usize,
    timing: Timing,
    how: u8,
    streams: u8,
}

fn setting() -> impl Strategy<Value = Setting> {
    let record = prop_oneof![1usize..40, Just(logweir::limits::RECORD_BYTES)];
    let block = prop_oneof![4 => 1usize..200, 1 => Just(logweir::limits::BLOCK_BYTES)];
    let timing = prop::sample::select(vec![Timing::Sampled, Timing::Sampled, Timing::Full, Timing::Off]);
    // Threads cost the test more than the engine: few workers mostly, and up to 16 now and then.
    let workers = prop_oneof![4 => 1usize..4, 1 => 4usize..=16];
    (workers, block, record, timing, 0u8..3, any::<u8>()).prop_map(
        |(workers, block_bytes, record_bytes_max, timing, how, streams)| Setting {
            workers,
            block_bytes,
            record_bytes_max,
            timing,
            how,
            streams,
        },
    )
}

fn mapping(how: u8) -> Mapping {
    // SAFETY: nobody truncates the files of this test.
    let permit = unsafe { logweir::MapPermit::new() };
    [Mapping::Never, Mapping::Auto(permit), Mapping::Always(permit)][how as usize]
}

fn run(folder: &std::path::Path, files: &[Vec<u8>], setting: &Setting) -> (Finished, Vec<u8>) {
    let mut inputs = Discovered::default();
    for (number, bytes) in files.iter().enumerate() {
        let path = folder.join(format!("{number}.log"));
        fs::write(&path, bytes).expect("a temporary file");
        inputs.inputs.push(input(path, setting.streams >> number & 1 == 1));
    }
    let printed = folder.join("printed");
    let mut pipeline = Pipeline::default_pipeline();
    let target = SinkTarget::File { path: printed.clone(), existing: Existing::Replace };
    pipeline.print("error", target).expect("the default pipeline has this node");
    let options = RunOptions {
        workers: setting.workers,
        block_bytes: Some(setting.block_bytes),
        record_bytes_max: setting.record_bytes_max,
        timing: setting.timing,
        mapping: mapping(setting.how),
        ..RunOptions::default()
    };
    let finished = Engine::new(pipeline, inputs, options).run();
    let printed = fs::read(printed).expect("the sink was opened");
    (finished, printed)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    #[test]
    fn the_engine_is_its_naive_twin(files in prop::collection::vec(file(), 1..4), setting in setting()) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (finished, printed) = run(folder.path(), &files, &setting);
        check_invariants(&finished);
        let mut expected = expect(&files, setting.record_bytes_max);
        // A stream cannot be read again: of a record over the limit only the head can be printed.
        let is_cut = expected.oversized > 0 && setting.streams & 7 != 0;
        let found = found(&finished, if is_cut { std::mem::take(&mut expected.printed) } else { printed });
        if is_cut {
            expected.printed = found.printed.clone();
        }
        prop_assert_eq!(found, expected);
    }
}
