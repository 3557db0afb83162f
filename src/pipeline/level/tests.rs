//! Levels: the rules as cases, the words against a regular expression, the fast path against the portable one.

use std::sync::atomic::AtomicBool;

use proptest::prelude::*;
use regex::bytes::Regex;

use super::*;
use crate::record::Origin;

fn check(cases: &[(&str, Level)]) {
    for &(record, level) in cases {
        assert_eq!(level_of(record.as_bytes()), level, "{record:?}");
    }
}

#[test]
fn the_first_level_word_decides() {
    check(&[
        ("", Level::Other),
        ("nothing to see", Level::Other),
        ("INFO instruction cache parity error corrected", Level::Other),
        ("[Sun Dec 04 04:47:44 2005] [error] child in error state 6", Level::Error),
        ("2015-07-29 19:04:29,071 - WARN  [SendWorker] - leaving", Level::Warn),
        ("a Warning, then ERROR", Level::Warn),
        ("terror, errors, error_code, 2error, errOR: none", Level::Other),
        ("(PANIC)", Level::Error),
        ("crit", Level::Error),
        ("kernel: Critical!", Level::Error),
        ("x=emerg;", Level::Error),
        ("warnings are not warn", Level::Warn),
        ("\u{e9}ERROR\u{e9}", Level::Error),
    ]);
}

#[test]
fn a_colour_sequence_before_a_word_is_no_part_of_it() {
    check(&[
        ("\x1b[31mERROR\x1b[0m it broke", Level::Error),
        ("2026-11-24 10:00:00 \x1b[1;33mWARN\x1b[0m main: a bit", Level::Warn),
        ("\x1b[mERROR", Level::Error),
        ("\x1b[1m\x1b[38;5;196mERROR", Level::Error),
        ("\x1b[32mINFO\x1b[0m no ERROR", Level::Other),
        ("[31mERROR", Level::Other),
        ("\x1b31mERROR", Level::Other),
        ("\x1b[31xmERROR", Level::Other),
        ("mERROR", Level::Other),
        ("1mERROR", Level::Other),
        ("\x1b[31MERROR", Level::Other),
        ("\x1b[31mERRORS", Level::Other),
    ]);
}

#[test]
fn shapes_at_the_head_prove_themselves() {
    check(&[
        (r#"{"msg":"error","level":"info"}"#, Level::Other),
        (r#"{"msg":"a \"level\":\"error\" b","severity":"WARNING"}"#, Level::Warn),
        (r#"{"inner":{"level":"error"},"lvl":"warn"}"#, Level::Warn),
        (r#"{ "list" : [1, {"a": "]"}], "level" : 50 }"#, Level::Error),
        (r#"{"level":40,"msg":"x"}"#, Level::Warn),
        (r#"{"level":30,"msg":"error"}"#, Level::Other),
        (r#"{"levelname":"Critical"}"#, Level::Error),
        (r#"{"level":"err"}"#, Level::Error),
        (r#"{"level":null,"msg":"FATAL"}"#, Level::Error),
        (r#"{"broken": "error"#, Level::Error),
        ("ts=1 level=warn msg=\"an error\"", Level::Warn),
        ("msg=\"level=error INFO\" lvl=warn", Level::Warn),
        ("level=info err=\"FATAL\"", Level::Other),
        ("a=1 b c=\"unclosed error", Level::Error),
        ("03-17 16:13:38.811  1702  2395 D WindowManager: error", Level::Other),
        ("03-17 16:13:38.811  1702  2395 E WindowManager: info", Level::Error),
        ("03-17 16:13:38.811  1702  2395 W View: x", Level::Warn),
        ("03-17 16:13:38.811  1702  what? error", Level::Error),
        ("E0612 10:00:00.000000       1 a.go:1] info", Level::Error),
        ("W0612 10:00:00.000000       1 a.go:1] x", Level::Warn),
        ("I0612 10:00:00.000000       1 a.go:1] error", Level::Other),
        ("E0612 is no date, INFO is", Level::Other),
        ("<11>1 2026-11-01T00:00:00Z host app - - - info", Level::Error),
        ("<12>Oct 11 22:14:15 host su: x", Level::Warn),
        ("<14>Oct 11 22:14:15 host su: error", Level::Other),
        ("<999>error", Level::Error),
        ("<a>error", Level::Error),
    ]);
}

fn word_regex() -> Regex {
    let words = "trace debug info notice warn warning error severe fatal critical crit alert emerg panic";
    let forms = words.split(' ').flat_map(|word| {
        let capitalised = word[..1].to_ascii_uppercase() + &word[1..];
        [word.to_owned(), word.to_ascii_uppercase(), capitalised]
    });
    Regex::new(&format!(r"(?-u)(?:\b|\x1b\[[0-9;]*m)({})\b", forms.collect::<Vec<_>>().join("|")))
        .expect("a plain pattern")
}

fn level_by_regex(regex: &Regex, record: &[u8]) -> Level {
    let found = regex.captures(record).map(|found| found[1].to_ascii_lowercase());
    match found.as_deref() {
        Some(b"warn" | b"warning") => Level::Warn,
        None | Some(b"trace" | b"debug" | b"info" | b"notice") => Level::Other,
        Some(_) => Level::Error,
    }
}

fn record() -> impl Strategy<Value = Vec<u8>> {
    let words = prop::sample::select(vec![
        "error",
        "ERROR",
        "Error",
        "eRROR",
        "warn",
        "WARNING",
        "Warning",
        "info",
        "INFO",
        "Notice",
        "trace",
        "critical",
        "Crit",
        "emerg",
        "PANIC",
        "severe",
        "fatal",
        "_",
        "-",
        " ",
        "[",
        "]",
        "x",
        "m",
        "\x1b[31m",
        "\x1b[",
        ";",
        "1",
        "level=",
        "lvl=",
        "\"",
        "{\"level\":\"",
        "}",
        ",",
        ":",
        "<11>",
        "E0612 10:00:00",
        "03-17 16:13:38.811  1  2 W ",
        "03-17 16:13:38.811 ",
        "  1702  2395 ",
        "22225",
        "E tag: ",
        "Dec 10 10:54:27 LabSZ sshd[24868]: ",
        "\t",
        "\r",
        "\u{feff}",
        "\u{e9}",
        "a longer stretch of plain text ",
    ]);
    let noise = prop::collection::vec(any::<u8>().prop_filter("newline", |&byte| byte != b'\n'), 0..12);
    let part = prop_oneof![8 => words.prop_map(|word| word.as_bytes().to_vec()), 1 => noise];
    prop::collection::vec(part, 0..12).prop_map(|parts| parts.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3_000))]

    #[test]
    fn words_are_what_a_regular_expression_finds(record in record()) {
        let expected = level_by_regex(&word_regex(), &record);
        prop_assert_eq!(word::first(&record, 0..record.len()).unwrap_or(Level::Other), expected);
    }

    #[test]
    fn the_fast_path_agrees(records in prop::collection::vec(record(), 1..20), record_bytes_max in 1usize..200, (keep, heads) in any::<(u32, Option<u32>)>(), (ahead, cut_bytes) in (0usize..120, 0u64..2)) {
        // What follows lets the quick forms, which read ahead, at the last records too.
        let bytes = [records.join(&b'\n'), vec![b' '; ahead]].concat();
        let mut bounds = vec![0];
        crate::simd::line_ends(&bytes, &mut bounds);
        bounds.push(bytes.len() as u32 + 1);
        let batch = Batch::new(&bytes, &bounds, Origin { source: 0, offset: 0 }, record_bytes_max, cut_bytes);
        // Records that come from elsewhere: any may be the head of its source, where a BOM is hidden.
        let offset = |heads: u32, number: u32| u64::from(heads >> (number % 32) & 1);
        let offsets: Option<Vec<u64>> = heads.map(|heads| (0..batch.len()).map(|number| offset(heads, number)).collect());
        let batch = batch.with_offsets(offsets.as_deref());
        let list: Vec<u32> = (0..batch.len()).filter(|number| keep >> (number % 32) & 1 == 1).collect();
        for input in [Selection::Range(0, batch.len()), Selection::List(&list)] {
            let mut out = Outputs::new(3);
            ByLevel.process(&batch, input, &mut out, &Context::new(&AtomicBool::new(false)));
            for (port, level) in [Level::Error, Level::Warn, Level::Other].into_iter().enumerate() {
                let expected: Vec<u32> = input.iter().filter(|&number| level_of(batch.record(number)) == level).collect();
                prop_assert_eq!(&out.ports[port], &expected, "{:?}", level);
            }
        }
    }
}
