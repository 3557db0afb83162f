//! `--redrive`: the letters of a run, run again, come out as the same letters; what is no letter is a fault.

use std::{
    fs::{self, File},
    path::Path,
};

use logweir::{
    Access, Discovered, Engine, Input, OwnedLetter, Pipeline, RunOptions,
    snapshot::{Fault, FaultKind},
};
use serde_json::{Value, json};

use crate::program::{Ended, check_ledger, ended, file, folder, run};

/// A pipeline in which every line fails.
const ALL_FAIL: &str = "[[processor]]\nid = 'work'\nkind = 'fail'\nmessage = 'does not work'\n";

/// Runs what `input` says, so that every line becomes a letter in `letters`.
fn fail_all(folder: &Path, letters: &Path, input: impl FnOnce(&mut std::process::Command)) -> Ended {
    let config = file(folder, "fail.toml", ALL_FAIL);
    let mut command = run();
    command.args(["--report", "json", "-c"]).arg(config).arg("--dead-letters").arg(letters);
    input(&mut command);
    let ended = ended(&mut command);
    assert_eq!(ended.code(), Some(1), "{ended:?}");
    check_ledger(&ended.report());
    ended
}

fn redrive(folder: &Path, from: &Path, to: &Path, more: &[&str]) -> Ended {
    fail_all(folder, to, |command| _ = command.args(more).arg("--redrive").arg(from))
}

/// The letters in `path`, without their times.
fn letters(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).expect("the letters were opened");
    let without_time = |line: &str| {
        OwnedLetter::decode(line.as_bytes()).unwrap_or_else(|error| panic!("{error}: {line:.200}"));
        let mut letter: Value = serde_json::from_str(line).expect("JSON");
        letter.as_object_mut().expect("an object").remove("time");
        letter
    };
    text.lines().map(without_time).collect()
}

/// Redrives the letters in `first` into another file, and demands that they are the same.
#[track_caller]
fn check_same(folder: &Path, first: &Path, more: &[&str]) -> Ended {
    let second = folder.join("second");
    let _ = fs::remove_file(&second);
    let ended = redrive(folder, first, &second, more);
    let (expected, found) = (letters(first), letters(&second));
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(&expected) {
        // Lines of a megabyte are not to be printed.
        let [found_text, expected_text] = [found, expected].map(Value::to_string);
        assert!(found == expected, "{found_text:.300}\nand not\n{expected_text:.300}");
    }
    ended
}

fn oversized(ended: &Ended) -> u64 {
    ended.report()["sources"]["faults"]["oversized"].as_u64().expect("a number")
}

/// More than the limit, and more than a file's reader sees of the next block.
const LONG: usize = 3 << 20;

fn long_line() -> Vec<u8> {
    [&b"ERROR ".repeat(LONG / 6)[..], b"\n"].concat()
}

#[test]
fn a_record_over_the_limit_keeps_its_length_and_stays_oversized() {
    let folder = folder();
    let path = file(folder.path(), "app.log", [b"one\n", &long_line()[..], b"two\n"].concat());
    for from_stdin in [false, true] {
        let first = folder.path().join("first");
        let _ = fs::remove_file(&first);
        let ended = fail_all(folder.path(), &first, |command| {
            if from_stdin {
                command.arg("-").stdin(File::open(&path).expect("is there"));
            } else {
                command.arg(&path);
            }
        });
        let said = letters(&first);
        assert_eq!((&said[1]["length"], &said[1]["truncated"]), (&json!(LONG + 1), &json!(true)));
        assert_eq!(said[1]["line"].as_str().map(str::len), Some(1 << 20));
        assert_eq!((oversized(&ended), oversized(&check_same(folder.path(), &first, &[]))), (1, 1));
    }
}

// ---- The same letters

/// What breaks others, one a line; the second file ends without a newline.
fn hostile() -> [Vec<u8>; 3] {
    let long = b"a long one, within the limit ".repeat(30_000);
    let first =
        [&b"\xef\xbb\xbfbehind a BOM\n"[..], b"\xff\xfe\x80 not UTF-8\r\n\n\r\n\0 NUL\n", &long, b"\n"].concat();
    [first, b"\"quoted\" \\ \x1b[31m\x7f\nno newline, but a CR\r".to_vec(), long_line()]
}

#[test]
fn letters_run_again_are_the_same_letters_in_the_same_order() {
    let folder = folder();
    let mut number = 0;
    let paths = hostile().map(|content| {
        number += 1;
        file(folder.path(), &format!("{number}.log"), content)
    });
    let first = folder.path().join("first");
    fail_all(folder.path(), &first, |command| _ = command.args(&paths));
    assert_eq!(letters(&first).len(), 9);
    for block_size in ["1", "4096", "1000000"] {
        check_same(folder.path(), &first, &["--block-size", block_size]);
    }
    check_same(folder.path(), &first, &["--workers", "4"]);
    // The head that a letter holds is more than processors may see now; the record is what it was.
    let ended = check_same(folder.path(), &first, &["--record-limit", "100"]);
    assert_eq!(oversized(&ended), 2);
}

#[test]
fn letters_of_many_sources_keep_them_and_their_order() {
    let folder = folder();
    let letter = |number: usize| {
        let text = format!("line {number}");
        json!({
            "time": "2026-11-24T10:00:00Z", "processor": "work", "kind": "failed", "reason": "does not work",
            "source": format!("{}.log", number % 300), "offset": 7 * number, "length": text.len() + 1,
            "truncated": false, "line": text,
        })
    };
    let text: String = (0..3_000).map(|number| format!("{}\n", letter(number))).collect();
    let first = file(folder.path(), "first", text);
    let ended = check_same(folder.path(), &first, &[]);
    assert_eq!(ended.report()["run"]["lines_done"], 3_000);
}

#[test]
fn no_letters_are_an_empty_run() {
    let folder = folder();
    let (config, empty) = (file(folder.path(), "fail.toml", ALL_FAIL), file(folder.path(), "empty", ""));
    let ended = ended(run().args(["--report", "json", "-c"]).arg(config).arg("--redrive").arg(empty));
    assert_eq!(ended.code(), Some(0), "{ended:?}");
    check_ledger(&ended.report());
    assert_eq!(ended.report()["run"]["lines_done"], 0);
}

// ---- What is no letter

/// A letter for `text`, as a line.
fn good(text: &str) -> String {
    let about =
        "\"time\":\"2026-11-24T10:00:00Z\",\"processor\":\"work\",\"kind\":\"failed\",\"reason\":\"does not work\"";
    format!("{{{about},\"source\":\"a.log\",\"offset\":0,\"length\":{},\"line\":{}}}\n", text.len() + 1, json!(text))
}

/// The faults of a run of the letters in `path`, in order.
fn bad_letters(path: &Path) -> Vec<Fault> {
    let input = Input { path: path.to_owned(), access: Access::Letters };
    let inputs = Discovered { inputs: vec![input], ..Discovered::default() };
    let finished = Engine::new(Pipeline::default_pipeline(), inputs, RunOptions::default()).run();
    assert!(finished.snapshot.ledger.balanced, "{:?}", finished.snapshot.ledger.problems);
    let mut faults = finished.snapshot.faults.to_vec();
    faults.sort_by_key(|fault| fault.offset);
    assert!(faults.iter().all(|fault| fault.kind == FaultKind::BadLetter && fault.node.is_none()), "{faults:?}");
    assert_eq!(faults.len(), 5);
    faults
}

#[test]
fn what_is_no_letter_is_a_fault_with_its_place_and_the_run_goes_on() {
    let folder = folder();
    let bad = [
        ("{\"time\":\"2026-\n".to_owned(), "not a dead letter"),
        (good("x").replace("\"failed\"", "\"odd\""), "unknown kind of fault"),
        (good("two\nlines"), "holds a newline"),
        (format!("{}\n", "x".repeat(20 << 20)), "longer than a letter can be"),
        (good("x").replace("\"length\":2", "\"length\":18446744073709551615,\"truncated\":true"), "where no file does"),
    ];
    // Empty lines are passed over, and are lines all the same.
    let (mut text, mut expected) = (good("0") + "\n", Vec::new());
    for (number, (line, message)) in bad.iter().enumerate() {
        expected.push((text.len() as u64, format!("line {}: ", text.lines().count() + 1), *message));
        text += &(line.clone() + &good(&(number + 1).to_string()));
    }
    let (first, second) = (file(folder.path(), "first", text), folder.path().join("second"));
    let report = redrive(folder.path(), &first, &second, &[]).report();
    let lines: Vec<_> = letters(&second).iter().map(|letter| letter["line"].clone()).collect();
    assert_eq!(lines, ["0", "1", "2", "3", "4", "5"]);
    assert_eq!(report["sources"]["faults"]["bad_letter"], 5);
    for (fault, (offset, line, message)) in bad_letters(&first).iter().zip(&expected) {
        let is_named = fault.message.starts_with(line) && fault.message.contains(message);
        assert!(fault.offset == *offset && is_named, "{fault:?}, not {line}{message} at {offset}");
    }
}

#[test]
fn letters_are_not_written_to_the_file_that_they_are_read_from() {
    let folder = folder();
    let (config, first) = (file(folder.path(), "fail.toml", ALL_FAIL), file(folder.path(), "first", good("one")));
    let link = folder.path().join("link");
    fs::hard_link(&first, &link).expect("links can be made");
    for target in [&first, &link] {
        let ended = ended(run().arg("-c").arg(&config).arg("--dead-letters").arg(target).arg("--redrive").arg(&first));
        assert_eq!(ended.code(), Some(2), "{ended:?}");
        assert_eq!(fs::read_to_string(&first).expect("is there"), good("one"));
    }
}
