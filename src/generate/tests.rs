//! What is made up is what it says it is, and the same everywhere.

use std::collections::HashMap;

use super::*;
use crate::pipeline::level_of;

fn made(format: LogFormat, seed: u64, quota: Quota) -> (Vec<u8>, Vec<u8>, Tally) {
    let mut generator = Generator::new(format, seed, quota);
    let (mut file, mut labels) = (Vec::new(), Vec::new());
    while generator.fill(&mut file, Some(&mut labels)) {}
    (file, labels, generator.tally())
}

fn lines(number: u64) -> Quota {
    Quota { lines: number, bytes: u64::MAX }
}

/// If this fails, inputs that somebody made with an earlier version cannot be made again: bump nothing, find out why.
#[test]
fn the_bytes_of_a_seed_never_change() {
    let golden = [
        (LogFormat::Combined, 1, 0x7330_f5f0_0fc1_e23c),
        (LogFormat::Combined, u64::MAX, 0x791b_8c66_f0cb_94ee),
        (LogFormat::Json, 1, 0x877d_ffa9_a299_e82f),
        (LogFormat::Syslog, 1, 0x04d6_d019_50b8_18df),
        (LogFormat::Log4j, 1, 0x7269_2368_7cf9_19e2),
    ];
    let hashes = golden.map(|(format, seed, _)| {
        let (file, ..) = made(format, seed, lines(20_000));
        (format, seed, xxhash_rust::xxh3::xxh3_64(&file))
    });
    assert_eq!(hashes, golden);
}

#[test]
fn the_level_of_each_line_is_the_one_that_is_told() {
    for format in LogFormat::ALL {
        let (file, labels, tally) = made(format, 3, lines(50_000));
        let mut counts = [0; 3];
        let told = labels.split_inclusive(|&byte| byte == b'\n');
        for (line, told) in file.split_inclusive(|&byte| byte == b'\n').zip(told) {
            let level = level_of(line.strip_suffix(b"\n").expect("whole lines"));
            assert_eq!(label(level), told, "{format:?}: {}", String::from_utf8_lossy(line));
            counts[level as usize] += 1;
        }
        assert_eq!(tally, Tally { lines: 50_000, bytes: file.len() as u64, levels: counts }, "{format:?}");
    }
}

#[test]
fn quotas_are_kept_in_whole_lines() {
    for format in LogFormat::ALL {
        let (file, _, tally) = made(format, 1, Quota { lines: u64::MAX, bytes: 3_000_000 });
        assert!(file.len() <= 3_000_000 && file.len() > 2_980_000, "{format:?}: {}", file.len());
        assert!(file.ends_with(b"\n") && tally.bytes == file.len() as u64);
        assert!(made(format, 1, lines(0)).0.is_empty());
        // A longer file begins with the shorter one.
        assert!(made(format, 1, lines(tally.lines + 1)).0.starts_with(&file));
    }
}

#[test]
fn lines_are_text_and_a_few_are_long() {
    for format in LogFormat::ALL {
        let (file, ..) = made(format, 5, lines(100_000));
        let text = String::from_utf8(file).expect("it is UTF-8");
        let long = text.lines().filter(|line| line.len() > 1_600).count();
        assert!((5..200).contains(&long), "{format:?}: {long}");
        assert!(text.lines().all(|line| !line.is_empty() && line.len() < 32_000), "{format:?}");
        assert!(text.lines().any(|line| !line.is_ascii()), "{format:?}");
    }
}

#[test]
fn objects_are_objects() {
    let (file, ..) = made(LogFormat::Json, 2, lines(5_000));
    for line in file.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()) {
        let object: serde_json::Value = serde_json::from_slice(line).expect("it is JSON");
        assert!(object["msg"].is_string() && object["duration_ms"].is_u64());
    }
}

#[test]
fn time_never_goes_back_and_comes_in_bursts() {
    let (file, ..) = made(LogFormat::Syslog, 4, lines(50_000));
    let text = String::from_utf8(file).expect("it is UTF-8");
    let times: Vec<&str> = text.lines().map(|line| line.split(' ').nth(1).expect("a time")).collect();
    assert!(times.is_sorted());
    let mut seconds: HashMap<&str, u32> = HashMap::new();
    times.iter().for_each(|time| *seconds.entry(&time[..19]).or_default() += 1);
    let most = seconds.values().max().copied().unwrap_or_default();
    let mean = times.len() as u32 / seconds.len() as u32;
    assert!(most > 10 * mean, "{most} {mean}");
}

#[test]
fn errors_drag_stack_traces_behind_them() {
    let (file, ..) = made(LogFormat::Log4j, 1, lines(50_000));
    let text = String::from_utf8(file).expect("it is UTF-8");
    let frames = text.lines().filter(|line| line.starts_with("\tat ")).count();
    assert!((10_000..40_000).contains(&frames), "{frames}");
    let causes = text.lines().filter(|line| line.starts_with("Caused by: ")).count();
    assert!(causes > 100, "{causes}");
}

#[test]
fn keys_are_skewed() {
    let (file, ..) = made(LogFormat::Combined, 1, lines(50_000));
    let text = String::from_utf8(file).expect("it is UTF-8");
    let mut clients: HashMap<&str, u32> = HashMap::new();
    text.lines().for_each(|line| *clients.entry(line.split(' ').next().expect("an address")).or_default() += 1);
    assert!(clients.len() > 1_000, "{}", clients.len());
    assert!(clients.values().max().is_some_and(|&most| most > 4_000));
}
