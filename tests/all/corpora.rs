//! Real logs: lines, levels and labels. `LOGWEIR_CORPORA` names the folder that holds them.

use std::{
    fs,
    path::{Path, PathBuf},
};

use logweir::{DiscoverOptions, Engine, Level, Pipeline, RunOptions, discover, level_of};
use regex::bytes::Regex;

use crate::support::skip;

/// The logs below the folder of corpora, if there is one.
fn logs() -> Vec<PathBuf> {
    let Some(root) = std::env::var_os("LOGWEIR_CORPORA").map(PathBuf::from) else {
        skip("the corpora: LOGWEIR_CORPORA is not set");
        return Vec::new();
    };
    let mut logs = Vec::new();
    for folder in fs::read_dir(&root).expect("LOGWEIR_CORPORA names a folder") {
        let folder = folder.expect("can be listed").path();
        let files = fs::read_dir(folder).into_iter().flatten().map(|file| file.expect("can be listed").path());
        logs.extend(files.filter(|path| path.extension().is_some_and(|extension| extension == "log")));
    }
    logs.sort();
    assert!(logs.len() >= 10, "these are not the corpora: {logs:?}");
    logs
}

fn lines(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let lines = bytes.split_inclusive(|&byte| byte == b'\n');
    lines.map(|line| line.strip_suffix(b"\n").unwrap_or(line)).map(|line| line.strip_suffix(b"\r").unwrap_or(line))
}

/// Records by level, as the engine counts them.
fn counted(path: &Path, block_bytes: usize) -> [u64; 3] {
    let inputs = discover(&[path.to_owned()], DiscoverOptions::default());
    let options = RunOptions { workers: 3, block_bytes: Some(block_bytes), ..RunOptions::default() };
    let finished = Engine::new(Pipeline::default_pipeline(), inputs, options).run();
    let (snapshot, size) = (&finished.snapshot, fs::metadata(path).expect("is there").len());
    assert!(snapshot.ledger.balanced && snapshot.ledger.sources_tiled, "{path:?}: {:?}", snapshot.ledger);
    assert_eq!((snapshot.run.bytes_done, snapshot.ledger.bytes_covered), (size, size), "{path:?}");
    let levels: Vec<u64> = snapshot.nodes[0].outputs.iter().map(|output| output.records).collect();
    assert_eq!(levels.iter().sum::<u64>(), snapshot.run.records_done);
    levels.try_into().expect("three levels")
}

/// `wc -l`, and one for a last line without a newline.
fn line_total(path: &Path, bytes: &[u8]) -> u64 {
    let output = std::process::Command::new("wc").arg("-l").arg(path).output().expect("wc runs");
    let text = String::from_utf8(output.stdout).expect("a number");
    let newlines: u64 = text.split_whitespace().next().and_then(|number| number.parse().ok()).expect("a number");
    newlines + u64::from(bytes.last().is_some_and(|&byte| byte != b'\n'))
}

#[test]
fn every_line_is_counted_once_and_at_its_level() {
    for path in logs() {
        let bytes = fs::read(&path).expect("can be read");
        let mut expected = [0; 3];
        lines(&bytes).for_each(|line| expected[level_of(line) as usize] += 1);
        for block_bytes in [1_000, 1 << 16, 1 << 20] {
            let counted = counted(&path, block_bytes);
            assert_eq!(counted, expected, "{path:?} in blocks of {block_bytes}");
            assert_eq!(counted.iter().sum::<u64>(), line_total(&path, &bytes), "{path:?}");
        }
    }
}

/// A label of the collection as a level: logcat's letters, and words.
fn labelled(label: &str) -> Level {
    match label.to_ascii_uppercase().as_str() {
        "E" | "F" | "ERROR" | "FATAL" | "SEVERE" => Level::Error,
        "W" | "WARN" | "WARNING" => Level::Warn,
        "V" | "D" | "I" | "INFO" | "NOTICE" => Level::Other,
        other => panic!("a label that nobody knows: {other}"),
    }
}

#[test]
fn levels_are_what_the_labels_say() {
    let (mut checked, logs) = (0, logs());
    for path in &logs {
        let Ok(labels) = fs::read_to_string(path.with_extension("levels")) else { continue };
        let (bytes, mut expected) = (fs::read(path).expect("can be read"), [0; 3]);
        assert_eq!(lines(&bytes).count(), labels.lines().count(), "{path:?}");
        for (number, (line, label)) in lines(&bytes).zip(labels.lines()).enumerate() {
            let level = labelled(label.trim());
            let found = level_of(line);
            assert_eq!(found, level, "{path:?}:{}: {}", number + 1, String::from_utf8_lossy(line));
            expected[level as usize] += 1;
            checked += 1;
        }
        assert_eq!(counted(path, 64 << 10), expected, "{path:?}");
    }
    assert!(logs.is_empty() || checked == 12_000, "{checked} labelled lines");
}

/// Words at the places where a level word may not stand alone, straight from the corpora: the naive rule must not be
/// what is implemented.
#[test]
fn some_lines_need_more_than_the_first_word() {
    let words = Regex::new(r"(?i-u)\b(error|fatal|severe|warn|warning)\b").expect("a pattern");
    let naive = |line: &[u8]| words.is_match(line);
    let differ = |path: &PathBuf| {
        let bytes = fs::read(path).expect("can be read");
        lines(&bytes).filter(|line| naive(line) != (level_of(line) != Level::Other)).count()
    };
    let logs = logs();
    let differ: usize = logs.iter().map(differ).sum();
    assert!(logs.is_empty() || differ > 100, "the corpora are too easy: {differ}");
}
