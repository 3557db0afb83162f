//! Fault 8: a file that becomes shorter while it is read, mapped or not.
//!
//! Twice: with a processor that truncates the file in the middle of a block, so that it is known what must come out; and
//! with the real program, at random moments.

use std::{
    fs::{self, OpenOptions},
    mem::MaybeUninit,
    path::{Path, PathBuf},
    ptr,
    sync::{
        OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use logweir::{
    Batch, Context, Definition, DiscoverOptions, Engine, Finished, MapPermit, Mapping, Outputs, Pipeline, Processor,
    Registry, RunOptions, Selection, discover, snapshot::FaultKind, survive_bus_error,
};
use rustix::process::Signal;

use crate::program::{Ended, Program, check_ledger, ended, file, folder, is_long, run};

/// How often a SIGBUS was survived in this process.
static SURVIVED: AtomicU64 = AtomicU64::new(0);

extern "C" fn on_bus_error(_: libc::c_int, info: *mut libc::siginfo_t, _: *mut libc::c_void) {
    // SAFETY: with SA_SIGINFO `info` is valid, and a SIGBUS has an address.
    if survive_bus_error(unsafe { (*info).si_addr() } as usize) {
        SURVIVED.fetch_add(1, Ordering::Relaxed);
    } else {
        // SAFETY: the test has failed, and this says so at once.
        unsafe { libc::abort() };
    }
}

/// What the program does in `bus.rs`, for this process.
fn permit() -> MapPermit {
    static PERMIT: OnceLock<MapPermit> = OnceLock::new();
    *PERMIT.get_or_init(|| {
        // SAFETY: all zeros is a valid action, whose fields are then set; the handler does what a handler may.
        unsafe {
            let mut action: libc::sigaction = MaybeUninit::zeroed().assume_init();
            action.sa_sigaction = on_bus_error as *const () as usize;
            action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
            assert_eq!(libc::sigaction(libc::SIGBUS, &raw const action, ptr::null_mut()), 0);
            MapPermit::new()
        }
    })
}

/// Truncates `path` to `keep` bytes when it sees `marker`; naps before, if it sees `nap`.
#[derive(Clone)]
struct Truncate {
    path: PathBuf,
    keep: u64,
}

impl Definition for Truncate {
    fn build(&self) -> Box<dyn Processor> {
        Box::new(self.clone())
    }
}

impl Processor for Truncate {
    fn process(&mut self, batch: &Batch<'_>, input: Selection<'_>, out: &mut Outputs, _: &Context<'_>) {
        for record in input.iter() {
            match batch.record(record) {
                line if line.ends_with(b"CUT") => shorten(&self.path, self.keep),
                // Longer than a chunk may take: what was done so far is published in the middle of the block.
                line if line.ends_with(b"NAP") => thread::sleep(Duration::from_millis(60)),
                _ => {}
            }
        }
        out.forward(0, input);
    }
}

fn shorten(path: &Path, keep: u64) {
    OpenOptions::new().write(true).open(path).and_then(|file| file.set_len(keep)).expect("can be truncated");
}

const LINE_BYTES: usize = 100;
const LINES: usize = 5_000;
/// A line near the end of the third block, and what is left of the file then: the middle of the block, and of a line.
const CUT: usize = 1_900;
const KEEP: usize = 1_500 * LINE_BYTES + 30;
const BLOCK_BYTES: usize = 1 << 16;

/// A file of equal lines, each with its number; line `CUT` has the file truncated, and line `nap` takes a nap before.
fn content(nap: Option<usize>) -> Vec<u8> {
    let line = |number: usize| {
        let end = if number == CUT {
            "CUT"
        } else if Some(number) == nap {
            "NAP"
        } else {
            "..."
        };
        format!("{number:08} ERROR {:.<width$}{end}\n", "", width = LINE_BYTES - 19)
    };
    (0..LINES).map(line).collect::<String>().into_bytes()
}

/// Runs it; returns what was printed too.
fn truncated(content: &[u8], mapping: Mapping, workers: usize) -> (Finished, Vec<u8>) {
    let folder = folder();
    let path = file(folder.path(), "app.log", content);
    let registry = Registry::standard().with("truncate", |options| {
        let path = PathBuf::from(options.require("path")?.text()?);
        Ok(Box::new(Truncate { path, keep: KEEP as u64 }))
    });
    let printed = folder.path().join("printed");
    let config = format!(
        "[[processor]]\nid = 'cut'\nkind = 'truncate'\npath = {path:?}\n\n[[processor]]\nid = 'level'\nkind = 'level'\n\n\
         [[sink]]\nid = 'all'\nfrom = 'level'\nkind = 'file'\npath = {printed:?}\n"
    );
    let pipeline = Pipeline::from_toml(config, "test.toml", &registry).unwrap_or_else(|error| panic!("{error}"));
    let inputs = discover(&[path], DiscoverOptions::default());
    let options = RunOptions { workers, block_bytes: Some(BLOCK_BYTES), mapping, ..RunOptions::default() };
    let finished = Engine::new(pipeline, inputs, options).run();
    (finished, fs::read(printed).expect("the sink was opened"))
}

fn check(finished: &Finished, printed: &[u8], content: &[u8]) {
    let snapshot = &finished.snapshot;
    assert!(finished.error.is_none(), "{:?}", finished.error);
    assert!(snapshot.source_faults.contains(&(FaultKind::Truncated, 1)), "{:?}", snapshot.source_faults);
    assert!(finished.has_faults());
    assert!(snapshot.ledger.balanced, "{:?}", snapshot.ledger.problems);
    assert_eq!(snapshot.ledger.sources_incomplete, 1);
    // Nothing but what was there is counted or written, and all of that is.
    assert_eq!(snapshot.run.bytes_done, KEEP as u64);
    assert_eq!(snapshot.run.records_done, (KEEP / LINE_BYTES) as u64 + 1);
    assert_eq!(snapshot.nodes[1].outputs[0].records, snapshot.run.records_done - 1, "the cut line has no level");
    let expected = [&content[..KEEP], b"\n"].concat();
    assert!(printed == expected, "{} bytes were written", printed.len());
}

#[test]
fn a_mapped_file_cut_in_the_middle_of_a_block_counts_only_what_was_there() {
    // Lines at KEEP are cut before their level word, so that a level can only come from bytes that are gone.
    let before = SURVIVED.load(Ordering::Relaxed);
    let content = content(None);
    let content: Vec<u8> = content.chunks(LINE_BYTES).flat_map(late_level).collect();
    let (finished, printed) = truncated(&content, Mapping::Always(permit()), 1);
    assert!(SURVIVED.load(Ordering::Relaxed) > before, "no SIGBUS was raised");
    check(&finished, &printed, &content);
}

/// The same line with its level word behind byte 30.
fn late_level(line: &[u8]) -> Vec<u8> {
    let mut line = line.to_vec();
    line[8..16].fill(b'.');
    line[40..47].copy_from_slice(b" ERROR ");
    line
}

#[test]
fn a_file_cut_after_a_part_of_the_block_was_published_is_survived() {
    let before = SURVIVED.load(Ordering::Relaxed);
    // The third block has lines from 1,310 on; its first records are probes, so that the nap ends a chunk.
    let content: Vec<u8> = content(Some(1_312)).chunks(LINE_BYTES).flat_map(late_level).collect();
    let (finished, printed) = truncated(&content, Mapping::Always(permit()), 1);
    assert!(SURVIVED.load(Ordering::Relaxed) > before, "no SIGBUS was raised");
    check(&finished, &printed, &content);
}

#[test]
fn a_file_that_is_read_and_becomes_shorter_is_reported() {
    let content: Vec<u8> = content(None).chunks(LINE_BYTES).flat_map(late_level).collect();
    // What the buffer holds was there when it was read: the third block counts whole, and all behind it is gone.
    let (finished, printed) = truncated(&content, Mapping::Never, 1);
    let snapshot = &finished.snapshot;
    assert!(finished.error.is_none() && snapshot.ledger.balanced);
    assert!(snapshot.source_faults.contains(&(FaultKind::Truncated, 1)), "{:?}", snapshot.source_faults);
    assert_eq!(printed.len() as u64, snapshot.run.bytes_done);
    assert!(content.starts_with(&printed));
    assert!((KEEP..KEEP + BLOCK_BYTES).contains(&printed.len()), "{}", printed.len());
}

// ---- the real program, at random moments

/// A small generator, so that a failure can be had again.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

const PIPELINE: &str = "[[processor]]\nid = 'slow'\nkind = 'delay'\nms = 0.02\n\n\
                        [[processor]]\nid = 'start'\nkind = 'level'\n";
const WIDE_BYTES: usize = 1_024;
const WIDE_LINES: usize = 1_500;

fn wide_line(number: usize) -> String {
    format!("{number:08} {:x<width$} WARN end\n", "", width = WIDE_BYTES - 19)
}

/// Checks what was printed against the file of which at least `keep` bytes were there all the time.
fn check_printed(ended: &Ended, content: &[u8], keep: usize) {
    let report = ended.report();
    check_ledger(&report);
    let mut numbers = vec![false; WIDE_LINES];
    for line in ended.stdout.split_inclusive(|&byte| byte == b'\n') {
        assert!(memchr::memchr(0, line).is_none(), "NUL bytes were taken for data");
        // A line that was cut within its number can only be the last one that is left.
        let number = std::str::from_utf8(&line[..8.min(line.len())]).ok().and_then(|text| text.parse().ok());
        let number: usize = number.unwrap_or(keep / WIDE_BYTES);
        let real = &content[number * WIDE_BYTES..][..WIDE_BYTES];
        assert!(real.starts_with(&line[..line.len() - 1]), "line {number} was never there");
        assert!(!std::mem::replace(&mut numbers[number], true), "line {number} was printed twice");
    }
    let missing = (0..keep / WIDE_BYTES).find(|&number| !numbers[number]);
    assert_eq!(missing, None, "was there all the time, and is missing; {keep} bytes were left");
    let printed = numbers.iter().filter(|&&is_printed| is_printed).count();
    assert_eq!(report["run"]["lines_done"], printed, "what is counted is what is written");
}

/// One run; true if the program noticed.
fn one_run(folder: &Path, content: &[u8], random: &mut Random) -> bool {
    let (config, path) = (file(folder, "slow.toml", PIPELINE), file(folder, "wide.log", content));
    let keep = random.below(content.len() as u64);
    let moment = Duration::from_micros(5_000 + random.below(60_000));
    let how = ["--mmap", "--mmap", "--mmap", "--no-mmap"][random.below(4) as usize];
    let mut command = run();
    command.args([how, "--block-size", "128KiB", "--report", "json", "--print", "start", "-c"]).args([&config, &path]);
    let program = Program::start(&mut command);
    thread::sleep(moment);
    shorten(&path, keep);
    let ended = program.end();
    let report = ended.report();
    let is_noticed = report["sources"]["faults"]["truncated_while_reading"] == 1;
    assert_eq!(ended.code(), Some(i32::from(is_noticed)), "{ended:?}");
    check_printed(&ended, content, keep as usize);
    is_noticed
}

fn many_runs(runs: u64, seed: u64) {
    let folder = folder();
    let content: Vec<u8> = (0..WIDE_LINES).map(wide_line).collect::<String>().into_bytes();
    let mut random = Random(seed);
    let noticed = (0..runs).filter(|_| one_run(folder.path(), &content, &mut random)).count() as u64;
    eprintln!("{noticed} of {runs} runs were hit (seed {seed})");
    assert!(noticed > runs / 4, "the moments are badly chosen: {noticed} of {runs}");
}

#[test]
fn files_truncated_at_random_moments_never_kill_it_and_never_count_what_is_gone() {
    let is_long = is_long("1,000 truncations instead of 100");
    many_runs(if is_long { 1_000 } else { 100 }, 0x9e37_79b9_7f4a_7c15);
}

#[test]
fn a_bus_error_that_is_not_ours_still_kills() {
    let folder = folder();
    let config = file(folder.path(), "slow.toml", "[[processor]]\nid = 'slow'\nkind = 'delay'\nms = 100\n");
    let path = file(folder.path(), "app.log", "line\n".repeat(1_000));
    let program = Program::start(run().args(["--mmap", "-c"]).args([&config, &path]));
    thread::sleep(Duration::from_millis(300));
    program.signal(Signal::BUS);
    let ended = program.end_within(Duration::from_secs(2));
    assert_eq!(std::os::unix::process::ExitStatusExt::signal(&ended.status), Some(libc::SIGBUS), "{ended:?}");
}

#[test]
fn a_file_that_is_gone_before_its_turn_is_one_fault_and_the_others_are_read() {
    let folder = folder();
    let config = file(folder.path(), "slow.toml", "[[processor]]\nid = 'slow'\nkind = 'delay'\nms = 30\n");
    let first = file(folder.path(), "1.log", "one\n".repeat(20));
    let second = file(folder.path(), "2.log", "two\n".repeat(20));
    let third = file(folder.path(), "3.log", "three\n".repeat(20));
    let mut command = run();
    command
        .args(["--workers", "1", "--report", "json", "--print", "slow", "-c"])
        .args([&config, &first, &second, &third]);
    let program = Program::start(&mut command);
    thread::sleep(Duration::from_millis(250));
    shorten(&second, 10);
    fs::remove_file(&third).expect("is there");
    let ended = program.end();
    assert_eq!(ended.code(), Some(1));
    let report = ended.report();
    check_ledger(&report);
    let faults = &report["sources"]["faults"];
    assert_eq!((&faults["truncated_while_reading"], &faults["unreadable"]), (&1.into(), &1.into()), "{ended:?}");
    // 20 lines, then two and a half.
    assert_eq!(String::from_utf8_lossy(&ended.stdout), "one\n".repeat(20) + "two\ntwo\ntw\n");
    assert_eq!(report["run"]["lines_done"], 23);
}

#[test]
fn files_that_nobody_touches_have_no_fault() {
    let folder = folder();
    let path = file(folder.path(), "app.log", "line\n".repeat(300_000));
    for how in ["--mmap", "--no-mmap"] {
        let ended = ended(run().args([how, "--report", "json"]).arg(&path));
        assert_eq!((ended.code(), &ended.report()["run"]["lines_done"]), (Some(0), &300_000.into()));
        check_ledger(&ended.report());
    }
}
