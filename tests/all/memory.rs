//! Fault 9: lines of any length, and files of any size, in little memory.

use std::{
    fs::{self, File},
    io::{BufWriter, Write},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use serde_json::Value;

use crate::program::{Ended, Program, check_ledger, ended, folder, is_long, run};

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;
/// How long the longest of these runs may take, in a debug build on a busy machine.
const LIMIT: Duration = Duration::from_secs(240);

/// Two short lines, one of `bytes` bytes, two short ones.
fn one_long_line(folder: &Path, bytes: u64) -> PathBuf {
    let path = folder.join("long.log");
    let mut file = BufWriter::new(File::create(&path).expect("a temporary file"));
    file.write_all(b"WARN before\nINFO before\nERROR ").expect("is written");
    let portion = vec![b'x'; MIB as usize];
    (0..bytes / MIB).for_each(|_| file.write_all(&portion).expect("is written"));
    file.write_all(b"\nWARN behind\nWARN last").expect("is written");
    file.into_inner().expect("is written");
    path
}

fn check_long_line(ended: &Ended, private_kib_max: u64) {
    let report = ended.report();
    check_ledger(&report);
    eprintln!("{} KiB private at most, {:?}", ended.private_kib, ended.took);
    assert_eq!(ended.code(), Some(0), "a long line is no fault of the run: {}", ended.stderr);
    assert_eq!(report["run"]["lines_done"], 5);
    assert_eq!(report["processors"][0]["outputs"].as_array().map(|outputs| lines(outputs)), Some(vec![1, 3, 1]));
    assert_eq!(report["sources"]["faults"]["oversized"], 1);
    assert_eq!(report["sources"]["listed"][0]["oversized"], 1);
    assert!(ended.private_kib > 0, "was never looked at");
    assert!(ended.private_kib < private_kib_max, "{} KiB", ended.private_kib);
}

fn lines(outputs: &[Value]) -> Vec<u64> {
    outputs.iter().map(|output| output["lines"].as_u64().expect("a number")).collect()
}

fn long_line_from_a_file(bytes: u64) {
    let folder = folder();
    let path = one_long_line(folder.path(), bytes);
    for how in ["--mmap", "--no-mmap"] {
        let program = Program::start(run().args([how, "--report", "json"]).arg(&path));
        check_long_line(&program.end_within(LIMIT), 96 * KIB);
    }
}

fn long_line_through_a_pipe(bytes: u64) {
    let folder = folder();
    let path = one_long_line(folder.path(), bytes);
    let mut cat = std::process::Command::new("cat").arg(&path).stdout(Stdio::piped()).spawn().expect("starts");
    let pipe = cat.stdout.take().expect("piped");
    let program = Program::start(run().args(["-", "--report", "json"]).stdin(pipe));
    check_long_line(&program.end_within(LIMIT), 96 * KIB);
    assert!(cat.wait().expect("ends").success());
}

/// Of a line over the limit, the report shows where it stands and how it begins.
#[test]
fn a_long_line_is_shown_among_the_faults_and_is_none_for_the_exit_code() {
    let folder = folder();
    let path = one_long_line(folder.path(), 2 * MIB);
    for input in ["a file", "a pipe"] {
        let mut command = run();
        match input {
            "a file" => command.arg(&path),
            _ => command.arg("-").stdin(File::open(&path).expect("our own file")),
        };
        let ended = ended(&mut command);
        assert_eq!(ended.code(), Some(0), "{ended:?}");
        let (shown, excerpt) = (":24  longer than the limit: processors saw 1.05 MB of it", "ERROR xxxxxxx");
        let report = String::from_utf8_lossy(&ended.stdout);
        assert!(report.contains(shown) && report.contains(excerpt), "{report}");
    }
}

#[test]
fn a_line_of_64_mib_is_a_line_in_little_memory() {
    long_line_from_a_file(64 * MIB);
    long_line_through_a_pipe(64 * MIB);
}

#[test]
fn a_line_of_2_gib_is_a_line_in_little_memory() {
    if is_long("a line of 2 GiB (64 MiB is done)") {
        long_line_from_a_file(2 * GIB);
        long_line_through_a_pipe(2 * GIB);
    }
}

#[test]
fn a_long_line_is_printed_whole_where_it_can_be_read_again() {
    let folder = folder();
    let path = one_long_line(folder.path(), 48 * MIB);
    let mut command = run();
    command.args(["--print", "start", "--report", "json"]).arg(&path);
    let ended = Program::start(&mut command).end();
    let mut content = fs::read(&path).expect("can be read");
    content.push(b'\n');
    assert!(ended.stdout == content, "{} bytes of {}", ended.stdout.len(), content.len());
    assert!(ended.private_kib < 96 * KIB, "{} KiB", ended.private_kib);

    // Through a pipe only what was seen can be: up to the limit.
    let mut command = run();
    command.args(["--print", "start", "--report", "json", "-"]);
    let mut cat = std::process::Command::new("cat").arg(&path).stdout(Stdio::piped()).spawn().expect("starts");
    let ended = Program::start(command.stdin(cat.stdout.take().expect("piped"))).end();
    cat.wait().expect("ends");
    let long = [b"ERROR ".as_slice(), &vec![b'x'; MIB as usize - 6]].concat();
    let expected = [b"WARN before\nINFO before\n".as_slice(), &long, b"\nWARN behind\nWARN last\n"].concat();
    assert!(ended.stdout == expected, "{} bytes of {}", ended.stdout.len(), expected.len());
}

/// A file of holes with a line here and there, and what to expect of it: lines, and those over the limit.
fn sparse(folder: &Path, bytes: u64, step: u64) -> (PathBuf, u64, u64) {
    let path = folder.join("sparse.log");
    let file = File::create(&path).expect("a temporary file");
    file.set_len(bytes).expect("can be sparse");
    let mut lines = 0;
    for offset in (0..bytes).step_by(step as usize) {
        file.write_all_at(b"\nERROR here\n", offset).expect("is written");
        lines += 2;
    }
    // The last hole is an unterminated line.
    (path, lines + 1, bytes.div_ceil(step))
}

fn sparse_file(bytes: u64, step: u64) {
    let folder = folder();
    let (path, lines, oversized) = sparse(folder.path(), bytes, step);
    for how in ["--no-mmap", "--mmap"] {
        let ended = Program::start(run().args([how, "--report", "json"]).arg(&path)).end_within(LIMIT);
        let report = ended.report();
        eprintln!("{} KiB private at most, {:?}", ended.private_kib, ended.took);
        check_ledger(&report);
        assert_eq!(report["run"]["lines_done"], lines);
        assert_eq!(report["run"]["bytes_done"], bytes);
        assert_eq!(report["sources"]["faults"]["oversized"], oversized);
        assert_eq!(report["processors"][0]["outputs"][0]["lines"], oversized, "a line between the holes was missed");
        assert!(ended.private_kib < 64 * KIB, "{} KiB", ended.private_kib);
    }
}

#[test]
fn a_large_file_takes_little_memory() {
    sparse_file(512 * MIB, 100 * MIB / 2);
    if is_long("a sparse file of 10 GiB (512 MiB are done)") {
        sparse_file(10 * GIB, GIB);
    }
}

/// Lines just under the limit: each is a block of its own, and the last thousand are remembered for traces.
#[test]
fn a_stream_of_long_lines_takes_little_memory() {
    let folder = folder();
    let path = folder.path().join("wide.log");
    let line = [b"INFO ".as_slice(), &vec![b'y'; 900 << 10], b"\n"].concat();
    fs::write(&path, line.repeat(10)).expect("a temporary file");
    let copies = vec![path.as_os_str(); 30];
    let mut cat = std::process::Command::new("cat").args(copies).stdout(Stdio::piped()).spawn().expect("starts");
    let mut command = run();
    command.args(["-", "--report", "json"]).stdin(cat.stdout.take().expect("piped"));
    let ended = Program::start(&mut command).end();
    cat.wait().expect("ends");
    let report = ended.report();
    eprintln!("{} KiB private at most, {:?}", ended.private_kib, ended.took);
    check_ledger(&report);
    assert_eq!(report["run"]["lines_done"], 300);
    assert!(ended.private_kib < 96 * KIB, "{} KiB for 270 MiB", ended.private_kib);
}

/// What traces show of long lines, although neither their bytes are kept nor whole blocks read again.
#[test]
fn traces_of_long_lines_show_their_heads() {
    // A few to a block; and so that of the oldest block that is remembered, only some lines are.
    check_traces(60, 200 << 10);
    check_traces(1_490, 20_000);
}

fn check_traces(lines: u32, bytes: usize) {
    let folder = folder();
    let path = folder.path().join("wide.log");
    let line = |number: u32| format!("{number:05} INFO {}\r\n", "z".repeat(bytes));
    fs::write(&path, (0..lines).map(line).collect::<String>()).expect("a temporary file");
    for access in [None, Some(logweir::Access::Stream)] {
        let mut inputs = logweir::discover(std::slice::from_ref(&path), logweir::DiscoverOptions::default());
        access.into_iter().for_each(|access| inputs.inputs[0].access = access);
        let options = logweir::RunOptions { workers: 1, ..logweir::RunOptions::default() };
        let finished = logweir::Engine::new(logweir::Pipeline::default_pipeline(), inputs, options).run();
        let traces = &finished.snapshot.traces;
        let first = lines.saturating_sub(logweir::limits::TRACES as u32);
        assert_eq!(traces.len() as u32, lines - first);
        for (number, trace) in (first..).zip(traces.iter()) {
            assert_eq!(*trace.excerpt, line(number).as_bytes()[..logweir::limits::EXCERPT_BYTES], "{access:?}");
        }
    }
}
