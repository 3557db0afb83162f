//! Faults 11 and 12: bytes are what they are. Processors see neither CR nor BOM; output keeps both.

use std::{
    fs,
    process::Stdio,
    sync::atomic::{AtomicUsize, Ordering},
};

use logweir::{
    Batch, Context, Definition, DiscoverOptions, Engine, Outputs, Pipeline, Processor, Registry, RunOptions, Selection,
    discover,
};

use crate::program::{check_ledger, ended, file, folder, run};

/// A line each of what breaks others, and what a processor must see of it.
const GOLDEN: [(&[u8], &[u8]); 12] = [
    (b"\xef\xbb\xbfERROR behind a BOM\r\n", b"ERROR behind a BOM"),
    (b"\xef\xbb\xbfERROR a BOM in the middle is data\r\n", b"\xef\xbb\xbfERROR a BOM in the middle is data"),
    (b"WARN \xff\xfe\x80 not UTF-8\n", b"WARN \xff\xfe\x80 not UTF-8"),
    (b"\xc3(\n", b"\xc3("),
    (b"ERROR\0NUL in the middle\n", b"ERROR\0NUL in the middle"),
    (b"\0\0\0\n", b"\0\0\0"),
    (b"\r\n", b""),
    (b"\n", b""),
    (b"two\r\r\n", b"two\r"),
    (b"a\rb WARN\n", b"a\rb WARN"),
    // The letter that ends a colour sequence is no part of the word behind it.
    (b"\x1b[31mERROR\x1b[0m\n", b"\x1b[31mERROR\x1b[0m"),
    (b"no newline, but a CR\r", b"no newline, but a CR"),
];

fn golden() -> Vec<u8> {
    GOLDEN.map(|(line, _)| line).concat()
}

/// Counts the records that look as they must, and fails the others.
#[derive(Clone)]
struct Compare;

static SEEN: AtomicUsize = AtomicUsize::new(0);

impl Definition for Compare {
    fn build(&self) -> Box<dyn Processor> {
        Box::new(self.clone())
    }
}

impl Processor for Compare {
    fn process(&mut self, batch: &Batch<'_>, input: Selection<'_>, out: &mut Outputs, _: &Context<'_>) {
        for record in input.iter() {
            let offset = batch.origin(record).offset as usize;
            let mut start = 0;
            let line = GOLDEN.iter().find(|(line, _)| {
                start += line.len();
                start - line.len() == offset
            });
            match line {
                Some((_, seen)) if *seen == batch.record(record) => {
                    SEEN.fetch_add(1, Ordering::Relaxed);
                    out.push(0, record);
                }
                _ => out.fail(record, format!("{:?} at {offset}", String::from_utf8_lossy(batch.record(record)))),
            }
        }
    }
}

#[test]
fn processors_see_lines_without_their_dress() {
    let folder = folder();
    let path = file(folder.path(), "golden.log", golden());
    let registry = Registry::standard().with("compare", |_| Ok(Box::new(Compare)));
    for block_bytes in [1, 7, 40, 1 << 20] {
        SEEN.store(0, Ordering::Relaxed);
        let pipeline = Pipeline::from_toml("[[processor]]\nid = 'a'\nkind = 'compare'\n", "x", &registry);
        let inputs = discover(std::slice::from_ref(&path), DiscoverOptions::default());
        let options = RunOptions { block_bytes: Some(block_bytes), ..RunOptions::default() };
        let finished = Engine::new(pipeline.unwrap_or_else(|error| panic!("{error}")), inputs, options).run();
        assert!(finished.snapshot.faults.is_empty(), "{:?}", finished.snapshot.faults);
        assert_eq!((SEEN.load(Ordering::Relaxed), finished.snapshot.run.records_done), (GOLDEN.len(), 12));
    }
}

#[test]
fn output_is_the_input_byte_for_byte() {
    let folder = folder();
    let path = file(folder.path(), "golden.log", golden());
    // A missing last newline is added, and nothing else.
    let expected = [golden(), b"\n".to_vec()].concat();
    for how in ["--mmap", "--no-mmap"] {
        for block in ["1", "7", "40", "1MiB"] {
            let mut command = run();
            command.args([how, "--block-size", block, "--print", "start", "--report", "json"]).arg(&path);
            let ended = ended(&mut command);
            assert_eq!(ended.code(), Some(0), "strange bytes are no fault: {ended:?}");
            assert_eq!(ended.stdout, expected, "in blocks of {block}");
            let report = ended.report();
            check_ledger(&report);
            let outputs = &report["processors"][0]["outputs"];
            let lines: Vec<_> = (0..3).map(|number| outputs[number]["lines"].as_u64()).collect();
            assert_eq!(lines, [Some(4), Some(2), Some(6)], "{outputs}");
            assert_eq!(report["sources"]["listed"][0]["unterminated"], true);
        }
    }
}

#[test]
fn a_pipe_is_no_other_thing_than_a_file() {
    let folder = folder();
    let path = file(folder.path(), "golden.log", golden());
    let expected = [golden(), b"\n".to_vec()].concat();
    let mut command = run();
    command
        .args(["--print", "start", "--report", "json", "-"])
        .stdin(Stdio::from(fs::File::open(path).expect("is there")));
    let ended = ended(&mut command);
    assert_eq!((ended.code(), &ended.stdout), (Some(0), &expected));
    assert_eq!(ended.report()["run"]["lines_done"], 12);
}

#[test]
fn a_head_that_is_utf_16_is_refused_in_one_line() {
    let folder = folder();
    let text: Vec<u8> = "\u{feff}ERROR one\r\nERROR two\r\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let ended = ended(run().arg(file(folder.path(), "wide.log", text)));
    assert_eq!(ended.code(), Some(2));
    assert!(ended.stderr.contains("UTF-16") && ended.stderr.contains("iconv"), "{ended:?}");
}
