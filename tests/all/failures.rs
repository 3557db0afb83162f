//! Fault 36, and what becomes of lines that fail: panics, dead letters, `on_error` in all its forms.

use std::{
    fs,
    path::{Path, PathBuf},
};

use logweir::{
    Batch, Context, Definition, DiscoverOptions, Engine, Finished, Outputs, OwnedLetter, Pipeline, Processor, Registry,
    RunOptions, Selection, discover, snapshot::FaultKind,
};

use crate::program::{Ended, check_ledger, ended, file, folder, run};

/// Panics on lines that say so; in two ways. Notes what it has let through, per run.
#[derive(Clone)]
struct Fragile;

impl Definition for Fragile {
    fn build(&self) -> Box<dyn Processor> {
        Box::new(self.clone())
    }
}

impl Processor for Fragile {
    fn process(&mut self, batch: &Batch<'_>, input: Selection<'_>, out: &mut Outputs, _: &Context<'_>) {
        for record in input.iter() {
            let line = batch.record(record);
            // What was put out before a panic must not count.
            out.push(0, record);
            assert!(!line.ends_with(b"PANIC"), "cannot bear {}", String::from_utf8_lossy(line));
            if line.ends_with(b"INDEX") {
                let _ = line[line.len()];
            }
        }
    }
}

/// The panics of this test are meant: the words about them would hide others. Only one test may use this: there is one
/// hook for all.
fn silently<T>(work: impl FnOnce() -> T) -> T {
    let usual = std::sync::Arc::new(std::panic::take_hook());
    let passed_on = std::sync::Arc::clone(&usual);
    std::panic::set_hook(Box::new(move |info| {
        if !logweir::is_in_processor() {
            passed_on(info);
        }
    }));
    let result = work();
    std::panic::set_hook(Box::new(move |info| usual(info)));
    result
}

const LINES: usize = 3_000;

/// What line `number` is; every hundredth is one too many.
fn line(number: usize) -> Vec<u8> {
    let end: &[u8] = match number % 200 {
        50 => b"\xff\0 PANIC",
        150 => b"INDEX",
        _ => b"fine",
    };
    [format!("{number:06} ").as_bytes(), end, b"\r\n"].concat()
}

fn is_fragile(number: usize) -> bool {
    number % 100 == 50
}

fn with_panics(folder: &Path, block_bytes: usize, config: &str) -> (Finished, Vec<OwnedLetter>, Vec<u8>) {
    let path = file(folder, "app.log", (0..LINES).flat_map(line).collect::<Vec<u8>>());
    let registry = Registry::standard().with("fragile", |_| Ok(Box::new(Fragile)));
    let (letters, printed) = (folder.join("letters"), folder.join("printed"));
    let _ = (fs::remove_file(&letters), fs::remove_file(&printed));
    let config = format!(
        "dead_letters = {letters:?}\n[[processor]]\nid = 'fragile'\nkind = 'fragile'\n{config}\n\
         [[sink]]\nid = 'all'\nfrom = 'fragile'\nkind = 'file'\npath = {printed:?}\n"
    );
    let pipeline = Pipeline::from_toml(config, "x", &registry).unwrap_or_else(|error| panic!("{error}"));
    let inputs = discover(&[path], DiscoverOptions::default());
    let options = RunOptions { workers: 2, block_bytes: Some(block_bytes), ..RunOptions::default() };
    let finished = silently(|| Engine::new(pipeline, inputs, options).run());
    let letters = decode(&letters);
    (finished, letters, fs::read(printed).expect("the sink was opened"))
}

fn decode(path: &Path) -> Vec<OwnedLetter> {
    let text = fs::read(path).expect("the dead letters were opened");
    let lines = text.split_inclusive(|&byte| byte == b'\n');
    lines.map(|line| OwnedLetter::decode(line).expect("a letter")).collect()
}

#[test]
fn a_panic_is_one_lines_fault_and_the_run_goes_on() {
    let folder = folder();
    for block_bytes in [1, 4_096, 1 << 20] {
        let (finished, letters, printed) = with_panics(folder.path(), block_bytes, "");
        let (snapshot, node) = (&finished.snapshot, &finished.snapshot.nodes[0]);
        assert!(finished.error.is_none() && finished.has_faults());
        assert!(snapshot.ledger.balanced, "{:?}", snapshot.ledger.problems);
        assert_eq!((node.records_in, node.failed, node.outputs[0].records), (3_000, 30, 2_970));
        assert_eq!(node.fault_kinds, [(FaultKind::Panicked, 30)]);
        let message = |fault: &&logweir::snapshot::Fault| fault.message.starts_with("cannot bear 000050");
        assert_eq!(snapshot.faults.iter().filter(message).count(), 1, "{:?}", snapshot.faults);
        // Each line is written once, in order: here what passed, there, byte for byte, what did not.
        let passed: Vec<u8> = (0..LINES).filter(|&number| !is_fragile(number)).flat_map(line).collect();
        assert!(printed == passed, "in blocks of {block_bytes}");
        let expected: Vec<_> = (0..LINES).filter(|&number| is_fragile(number)).map(line).collect();
        let found: Vec<_> = letters.iter().map(|letter| [&letter.line[..], b"\n"].concat()).collect();
        assert_eq!(found, expected);
        let offset = (0..50).map(|number| line(number).len() as u64).sum::<u64>();
        assert_eq!((letters[0].offset, letters[0].length), (offset, line(50).len() as u64));
        assert_eq!((letters[0].kind, letters[0].processor.as_str()), (FaultKind::Panicked, "fragile"));
        assert!(letters[1].reason.contains("index out of bounds"), "{}", letters[1].reason);
    }
}

// ---- `on_error`, through the program

const CONTENT: &str = "one\nBAD two\nthree\nBAD four\n";

fn failing(folder: &Path, on_error: &str, more: &str) -> (PathBuf, PathBuf) {
    let head = "[[processor]]\nid = 'work'\nkind = 'fail'\nmatching = 'BAD'\nmessage = 'does not work'\nto = 'next'\n";
    let text = format!("{head}{on_error}\n\n[[processor]]\nid = 'next'\nkind = 'pass'\n{more}");
    (file(folder, "fail.toml", text), file(folder, "app.log", CONTENT))
}

fn run_failing(folder: &Path, on_error: &str, more: &str, letters: Option<&Path>) -> Ended {
    let (config, path) = failing(folder, on_error, more);
    let mut command = run();
    command.args(["--report", "json", "--print", "next", "-c"]).args([&config, &path]);
    letters.into_iter().for_each(|letters| _ = command.arg("--dead-letters").arg(letters));
    let ended = ended(&mut command);
    check_ledger(&ended.report());
    ended
}

/// Lines in, out and failed of processor number `number`.
fn counts(ended: &Ended, number: usize) -> [u64; 3] {
    let report = ended.report();
    let processor = &report["processors"][number];
    let out = processor["outputs"][0]["lines"].as_u64().expect("a number");
    [processor["lines_in"].as_u64().expect("a number"), out, processor["failed"].as_u64().expect("a number")]
}

#[test]
fn lines_that_fail_are_dropped_and_counted_where_nobody_said_otherwise() {
    let folder = folder();
    let letters = folder.path().join("letters");
    for (on_error, letters) in [("", None), ("on_error = 'drop'", None), ("on_error = 'drop'", Some(&*letters))] {
        let ended = run_failing(folder.path(), on_error, "", letters);
        assert_eq!((ended.code(), ended.stdout.as_slice()), (Some(1), b"one\nthree\n".as_slice()), "{ended:?}");
        assert_eq!((counts(&ended, 0), counts(&ended, 1)), ([4, 2, 2], [2, 2, 0]));
        assert_eq!(ended.report()["errors"], serde_json::json!({"work": 2, "next": 0}));
    }
    assert_eq!(fs::read(letters).expect("was opened"), b"", "`drop` drops");
}

#[test]
fn lines_that_fail_become_dead_letters_where_there_is_a_file_for_them() {
    let folder = folder();
    let letters = folder.path().join("letters");
    for (round, on_error) in ["", "on_error = 'dead_letter'"].into_iter().enumerate() {
        let ended = run_failing(folder.path(), on_error, "", Some(&letters));
        assert_eq!((ended.code(), ended.stdout.as_slice()), (Some(1), b"one\nthree\n".as_slice()), "{ended:?}");
        // A second run writes behind the first: its letters are somebody's last copy.
        let all = decode(&letters);
        assert_eq!(all.len(), 2 * (round + 1));
        let last = &all[2 * round..];
        assert_eq!((&last[0].line[..], &last[1].line[..]), (&b"BAD two"[..], &b"BAD four"[..]));
        assert_eq!((last[0].offset, last[0].length, last[1].offset), (4, 8, 18));
        assert_eq!(
            (last[0].reason.as_str(), last[0].source.as_path()),
            ("does not work", &*folder.path().join("app.log"))
        );
    }
}

#[test]
fn lines_that_fail_go_where_they_are_sent() {
    let folder = folder();
    let more = "\n[[processor]]\nid = 'repair'\nkind = 'pass'\nto = 'next'\n";
    let ended = run_failing(folder.path(), "on_error = 'repair'", more, None);
    assert_eq!((ended.code(), ended.stdout.as_slice()), (Some(1), CONTENT.as_bytes()), "{ended:?}");
    let report = ended.report();
    let in_of = |id: &str| report["stats"][id]["processed"].as_u64();
    assert_eq!((in_of("work"), in_of("repair"), in_of("next")), (Some(4), Some(2), Some(4)));
    assert_eq!(report["errors"]["work"], 2);
}

#[test]
fn a_line_that_fails_ends_the_run_where_that_was_asked_for() {
    let folder = folder();
    let ended = run_failing(folder.path(), "on_error = 'stop'", "", None);
    assert_eq!(ended.code(), Some(2), "{ended:?}");
    let said = ended.said().join("\n");
    let words = ["work failed on the record at offset 4 of", "app.log", "does not work", "`on_error` says to stop"];
    words.iter().for_each(|word| assert!(said.contains(word), "{said}"));
    assert_eq!(ended.report()["run"]["state"], "failed");
    assert_eq!(ended.stdout, b"one\n", "what came before it is written");
    let before = counts(&ended, 0);
    assert_eq!((before[0], before[2]), (2, 1), "nothing behind it was run");
}
