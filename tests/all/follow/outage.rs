//! A receiver that is gone, silent, busy or slow costs time, and no record and no memory.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use rustix::process::Signal;
use serde_json::Value;

use super::{
    append, finish, json,
    receiver::{DIGITS, MARKER, Mood, Received, Receiver, numbers_in},
    wait_until,
};
use crate::http;
use crate::program::{Memory, Program, ended, file, folder, follow, follow_serving, is_long, run};

/// Bytes of a line.
const LINE: usize = 200;
/// Private memory that a follower may take while nobody takes what it reads.
const MEMORY_KIB: u64 = 128 << 10;
/// How long after an outage it may be behind.
const CATCH_UP: Duration = Duration::from_secs(20);

/// What comes, and for how long nothing is taken.
#[derive(Clone, Copy)]
struct Load {
    bytes_per_s: usize,
    outages: [Duration; 4],
}

impl Load {
    /// What a debug build does beside other tests.
    fn short() -> Self {
        Self { bytes_per_s: 4 << 20, outages: [5_000, 1_500, 2_500, 1_500].map(Duration::from_millis) }
    }

    fn long() -> Self {
        let seconds = [120, 120, 120, 120];
        Self { bytes_per_s: 20_000_000, outages: seconds.map(Duration::from_secs) }
    }

    fn lines_per_s(self) -> u64 {
        (self.bytes_per_s / LINE) as u64
    }
}

/// A pipeline that posts every record to `receiver`, with further settings of the sink.
pub fn posting(folder: &Path, receiver: &Receiver, more: &str) -> PathBuf {
    let address = receiver.address;
    let text = format!(
        "dead_letters = '{}'\n\n[[processor]]\nid = 'all'\nkind = 'pass'\n\n[[sink]]\nid = 'post'\nfrom = \
         'all'\nkind = 'http'\nurl = 'http://{address}/in'\n{more}\n",
        folder.join("dead.ndjson").display()
    );
    file(folder, "posting.toml", text)
}

/// Lines with the numbers in `range`, all of one length.
pub fn lines(range: std::ops::Range<u64>, into: &mut Vec<u8>) {
    into.clear();
    for number in range {
        let start = into.len();
        write!(into, "{MARKER}{number:0width$} ", width = DIGITS).expect("memory takes it");
        while into.len() < start + LINE - 1 {
            // Something that compresses as logs do.
            write!(into, "user={:x} path=/api/v1/items ", number.wrapping_mul(0x9E37_79B9) & 0xFFFF).expect("memory");
        }
        into.truncate(start + LINE - 1);
        into.push(b'\n');
    }
}

/// Appends numbered lines at an even speed until `stop`; how many there are stands in `written`.
fn write_evenly(log: &Path, load: Load, written: &AtomicU64, stop: &AtomicBool) {
    let mut file = fs::OpenOptions::new().create(true).append(true).open(log).expect("a file of ours");
    let (begun, mut bytes) = (Instant::now(), Vec::new());
    while !stop.load(Ordering::SeqCst) {
        let from = written.load(Ordering::SeqCst);
        let due = (begun.elapsed().as_secs_f64() * load.lines_per_s() as f64) as u64;
        // A machine that has paused does not have to make up for all of it at once.
        lines(from..due.min(from + load.lines_per_s() / 4), &mut bytes);
        file.write_all(&bytes).expect("there is room");
        written.store(from + (bytes.len() / LINE) as u64, Ordering::SeqCst);
        thread::sleep(Duration::from_millis(10));
    }
}

/// What is looked at while it runs.
struct Watched<'w> {
    received: &'w Received,
    written: &'w AtomicU64,
    load: Load,
    memory: Memory,
}

impl Watched<'_> {
    fn look(&mut self) {
        self.memory.look();
        thread::sleep(Duration::from_millis(20));
    }

    fn look_for(&mut self, time: Duration) {
        let begun = Instant::now();
        while begun.elapsed() < time {
            self.look();
        }
    }

    fn behind(&self) -> u64 {
        self.written.load(Ordering::SeqCst).saturating_sub(self.received.numbers())
    }

    /// Waits until half a second's lines are missing at most; returns how long that took.
    #[track_caller]
    fn catch_up(&mut self, what: &str) -> Duration {
        let begun = Instant::now();
        let behind = self.behind();
        while self.behind() > self.load.lines_per_s() / 2 {
            assert!(begun.elapsed() < CATCH_UP, "{what}: {} lines behind, {behind} at first", self.behind());
            self.look();
        }
        let took = begun.elapsed();
        println!("{what}: {behind} lines behind, caught up in {took:.1?}, {} KiB", self.memory.most_kib);
        took
    }
}

/// Goes through all kinds of outage while lines come in.
fn survives_outages(load: Load) {
    let folder = folder();
    let log = file(folder.path(), "app.log", "");
    let outages: Duration = load.outages.iter().sum();
    let received = Received::up_to((outages.as_secs() + 200) as usize * load.lines_per_s() as usize);
    let receiver = Receiver::start(&received);
    let config = posting(folder.path(), &receiver, "timeout = '2s'");
    let mut command = follow_serving();
    command.args(["--from", "start", "--state"]).arg(folder.path().join("state")).arg("-c").arg(config).arg(&log);
    let mut program = Program::start(&mut command);
    let serving = program.address();
    let (written, stop) = (AtomicU64::new(0), AtomicBool::new(false));
    let receiver = thread::scope(|scope| {
        scope.spawn(|| write_evenly(&log, load, &written, &stop));
        // A test that fails ends its writer.
        let _stop = Stop(&stop);
        let memory = Memory::of(program.child.id());
        let mut watched = Watched { received: &received, written: &written, load, memory };
        wait_until(|| received.numbers() > 0, || "nothing came".to_owned());
        watched.catch_up("at first");
        let address = receiver.address;
        drop(receiver);
        let before = received.numbers();
        watched.look_for(load.outages[0]);
        assert_eq!(received.numbers(), before, "nobody was there");
        let receiver = Receiver::at(address, &received);
        watched.catch_up("killed");
        for (mood, time) in [Mood::Unavailable, Mood::Silent, Mood::Slow].into_iter().zip(&load.outages[1..]) {
            let disturbed = received.disturbed.load(Ordering::SeqCst);
            received.set(mood);
            watched.look_for(*time);
            let behind = watched.behind();
            assert!(behind > load.lines_per_s() / 2, "{mood:?} did not hold it up: {behind} lines");
            assert!(mood != Mood::Unavailable || received.disturbed.load(Ordering::SeqCst) > disturbed);
            received.set(Mood::Takes);
            watched.catch_up(&format!("{mood:?}"));
        }
        let most_kib = watched.memory.most_kib;
        assert!((1..MEMORY_KIB).contains(&most_kib), "{most_kib} KiB");
        receiver
    });
    let written = written.into_inner();
    let missing = || {
        let ready = json(serving, "/readyz");
        format!("{} of {written}, first {:?}: {ready}", received.numbers(), received.missing(written))
    };
    wait_until(|| received.numbers() == written, missing);
    finish(program);
    drop(receiver);
    assert_eq!(received.missing(written), None);
    assert!(!folder.path().join("dead.ndjson").metadata().is_ok_and(|letters| letters.len() > 0), "nothing is dead");
    println!("{written} lines, {} twice", received.lines.load(Ordering::SeqCst) - written);
}

/// Sets what it holds when it goes.
struct Stop<'s>(&'s AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

#[test]
fn an_outage_of_the_receiver_costs_time_and_nothing_else() {
    survives_outages(Load::short());
    if is_long("outages of two minutes at 20 MB/s") {
        survives_outages(Load::long());
    }
}

/// The numbers of the letters in `path`.
fn letters(path: &Path) -> Vec<usize> {
    numbers_in(&fs::read(path).expect("there are letters")).collect()
}

#[test]
fn a_batch_that_is_refused_is_dead_and_can_be_redriven() {
    const LINES: u64 = 20_000;
    let folder = folder();
    let log = file(folder.path(), "app.log", "");
    let received = Received::up_to(LINES as usize);
    let receiver = Receiver::start(&received);
    let config = posting(folder.path(), &receiver, "batch_bytes = 100000");
    let mut command = follow_serving();
    command.args(["--from", "start", "--state"]).arg(folder.path().join("state")).arg("-c").arg(&config).arg(&log);
    let mut program = Program::start(&mut command);
    let address = program.address();
    let mut bytes = Vec::new();
    for quarter in 0..4 {
        let from = quarter * LINES / 4;
        lines(from..from + LINES / 4, &mut bytes);
        if quarter == 2 {
            received.set(Mood::BadOnce);
        }
        append(&log, &bytes);
        let refused = || received.refused.load(Ordering::SeqCst);
        wait_until(|| received.numbers() + refused() == from + LINES / 4, || received.numbers().to_string());
    }
    let refused = received.refused.load(Ordering::SeqCst);
    assert!(refused > 0, "no batch was refused");
    let samples = || json(address, "/api/v1/errors").to_string();
    wait_until(|| samples().contains("sink post: 400"), samples);
    assert!(samples().contains(MARKER), "with its line: {}", samples());
    finish(program);
    let dead = folder.path().join("dead.ndjson");
    let found = letters(&dead);
    assert_eq!(found.len() as u64, refused, "each once");
    // Two may have been refused at the same moment, and lie there in any order.
    assert_eq!(received.missing(LINES), found.iter().min().copied(), "the rest has come");
    // And now they are welcome. What is read cannot be written, so that those who are refused again go elsewhere.
    let text = fs::read_to_string(&config).expect("our own file").replace("dead.ndjson", "again.ndjson");
    let config = file(folder.path(), "again.toml", text);
    let again = ended(run().arg("-c").arg(&config).arg("--redrive").arg(&dead));
    assert_eq!(again.code(), Some(0), "{again:?}");
    assert_eq!((received.missing(LINES), received.lines.load(Ordering::SeqCst)), (None, LINES));
}

#[test]
fn killed_in_an_outage_it_loses_nothing() {
    const LINES: u64 = 30_000;
    let folder = folder();
    let log = file(folder.path(), "app.log", "");
    let received = Received::up_to(LINES as usize);
    let mut receiver = Receiver::start(&received);
    let address = receiver.address;
    let config = posting(folder.path(), &receiver, "batch_bytes = 100000\nretry = { backoff = '10ms..100ms' }");
    let command = || {
        let mut command = follow();
        command.args(["--from", "start", "--state"]).arg(folder.path().join("state")).arg("-c").arg(&config).arg(&log);
        command
    };
    let mut bytes = Vec::new();
    for round in 0..10 {
        let program = Program::start(&mut command());
        let (from, to) = (round * LINES / 10, (round + 1) * LINES / 10);
        lines(from..(from + to) / 2, &mut bytes);
        append(&log, &bytes);
        wait_until(|| received.numbers() >= (from + to) / 2, || received.numbers().to_string());
        drop(receiver);
        lines((from + to) / 2..to, &mut bytes);
        append(&log, &bytes);
        thread::sleep(Duration::from_millis(20 * round));
        program.kill();
        receiver = Receiver::at(address, &received);
    }
    let last = ended(command().arg("--until-eof"));
    assert_eq!(last.code(), Some(0), "{last:?}");
    assert_eq!(received.missing(LINES), None);
    println!("{} of {LINES} lines came twice", received.lines.load(Ordering::SeqCst) - LINES);
}

/// What the one sink of a report has done: lines, bytes, refused, tried again, waiting.
fn sink_of(run: &Value) -> [u64; 5] {
    ["lines", "bytes_written", "refused", "retries", "waiting_lines"]
        .map(|name| run["sinks"][0][name].as_u64().unwrap_or_else(|| panic!("{name} in {run}")))
}

/// What a sink has done means the same while it runs, after a reload and after a restart: what its server has taken, once,
/// however often it was tried.
#[test]
fn what_a_sink_has_delivered_goes_on_over_reloads_and_restarts() {
    let folder = folder();
    let log = file(folder.path(), "app.log", "");
    let received = Received::up_to(1_000);
    let receiver = Receiver::start(&received);
    // Not compressed, so that each body of as many lines has as many bytes.
    let more = "gzip = false\nbatch_time = '20ms'\nretry = { backoff = '5ms..10ms' }";
    let config = posting(folder.path(), &receiver, more);
    let command = |mut command: Command| {
        command.args(["--from", "start", "--report", "json", "--state"]).arg(folder.path().join("state"));
        command.arg("-c").arg(&config).arg(&log);
        command
    };
    let mut bytes = Vec::new();
    let mut append_ten = |from: u64| {
        lines(from..from + 10, &mut bytes);
        append(&log, &bytes);
    };
    let mut program = Program::start(&mut command(follow_serving()));
    let address = program.address();
    let shown = || sink_of(&json(address, "/api/v1/run"));
    append_ten(0);
    wait_until(|| shown()[0] == 10, || format!("{:?}", shown()));
    let one = shown()[1];
    assert!(one > 10 * LINE as u64, "{one} bytes");
    // Tried again, and again: it is delivered once.
    received.set(Mood::Unavailable);
    append_ten(10);
    wait_until(|| shown()[3] >= 3 && shown()[4] == 10, || format!("{:?}", shown()));
    received.set(Mood::Takes);
    wait_until(|| shown()[0] == 20, || format!("{:?}", shown()));
    received.set(Mood::BadOnce);
    append_ten(20);
    wait_until(|| shown()[2] == 10, || format!("{:?}", shown()));
    let before = shown();
    assert!(before[1].abs_diff(2 * one) < one / 10, "{before:?}, and {one} bytes at first");
    assert_eq!((before[0], before[4]), (20, 0), "{before:?}");

    program.signal(Signal::HUP);
    append_ten(30);
    wait_until(|| shown()[0] == 30, || format!("{:?}", shown()));
    let after = shown();
    assert!(after[1].abs_diff(3 * one) < one / 10, "{after:?}, and {one} bytes at first");
    assert_eq!(after[2..], before[2..], "{after:?}");
    let report = finish(program).report();
    assert_eq!(sink_of(&report["run"]), after);

    append_ten(40);
    let last = ended(command(follow()).arg("--until-eof"));
    let last = sink_of(&last.report()["run"]);
    assert_eq!((last[0], &last[2..]), (40, &before[2..]), "{last:?}");
    assert!(last[1].abs_diff(4 * one) < one / 10, "{last:?}, and {one} bytes at first");
}

/// A follower of a log of 1,000 lines whose receiver says nothing, with further options.
fn stuck(options: &[&str], folder: &Path) -> (Program, Arc<Received>, Receiver, Command) {
    let mut bytes = Vec::new();
    lines(0..1_000, &mut bytes);
    let log = file(folder, "app.log", bytes);
    let received = Received::up_to(1_000);
    received.set(Mood::Silent);
    let receiver = Receiver::start(&received);
    let config = posting(folder, &receiver, "");
    let command = || {
        let mut command = follow();
        command.args(["--from", "start", "--report", "text"]).args(options).arg("-c").arg(&config).arg(&log);
        command
    };
    let program = Program::start(&mut command());
    thread::sleep(Duration::from_millis(500));
    (program, received, receiver, command())
}

#[test]
fn what_is_not_delivered_at_the_end_is_said_and_lost_only_without_a_state() {
    for (options, code, words) in [
        (&["--drain", "200ms", "--state"][..], 0, "read again at the next start"),
        (&["--drain", "200ms", "--no-state"][..], 1, "lost, as there is no state"),
    ] {
        let folder = folder();
        let state = folder.path().join("state");
        let mut options = options.to_vec();
        if code == 0 {
            options.push(state.to_str().unwrap());
        }
        let (program, received, _receiver, mut again) = stuck(&options, folder.path());
        program.signal(Signal::TERM);
        let ended = program.end_within(Duration::from_secs(5));
        assert_eq!(ended.code(), Some(code), "{ended:?}");
        let said = format!("1,000 lines or more could not be delivered in time: {words}");
        let report = String::from_utf8_lossy(&ended.stdout).into_owned();
        assert!(ended.said().iter().any(|line| line.contains(&said)), "{ended:?}");
        assert!(report.split_whitespace().collect::<Vec<_>>().join(" ").contains(&said), "{report}");
        assert!(report.contains("1,000 waiting"), "{report}");
        if code == 0 {
            received.set(Mood::Takes);
            let ended = crate::program::ended(again.arg("--until-eof"));
            assert_eq!((ended.code(), received.missing(1_000)), (Some(0), None), "{ended:?}");
        }
    }
}

#[test]
fn a_second_signal_ends_it_at_once_while_nobody_takes_what_is_posted() {
    let folder = folder();
    let state = folder.path().join("state");
    let options = ["--drain", "60s", "--state", state.to_str().unwrap()];
    let (program, received, _receiver, mut again) = stuck(&options, folder.path());
    program.signal(Signal::TERM);
    thread::sleep(Duration::from_millis(300));
    program.signal(Signal::TERM);
    assert_eq!(program.end_within(Duration::from_secs(2)).code(), Some(130));
    received.set(Mood::Takes);
    let ended = ended(again.arg("--until-eof"));
    assert_eq!((ended.code(), received.missing(1_000)), (Some(0), None), "{ended:?}");
}

/// A reload that cannot deliver all in time goes back to the last checkpoint: counts do too, which is said and counted, and
/// when it has caught up they are what they would have been.
#[test]
fn counts_that_go_back_say_so_and_come_right() {
    let folder = folder();
    let mut bytes = Vec::new();
    lines(0..1_000, &mut bytes);
    let log = file(folder.path(), "app.log", bytes);
    let received = Received::up_to(1_000);
    received.set(Mood::Silent);
    let receiver = Receiver::start(&received);
    let config = posting(folder.path(), &receiver, "");
    let mut command = follow_serving();
    command.args(["--from", "start", "--drain", "200ms", "--report", "json", "--state"]);
    command.arg(folder.path().join("state")).arg("-c").arg(config).arg(&log);
    let mut program = Program::start(&mut command);
    let address = program.address();
    let done = || json(address, "/api/v1/run")["lines_done"].as_u64();
    wait_until(|| done() == Some(1_000), || format!("{:?}", done()));
    program.signal(Signal::HUP);
    let metrics = || http::get(address, "/metrics").body;
    wait_until(|| metrics().contains("logweir_rewinds_total 1"), metrics);
    received.set(Mood::Takes);
    let sent = || sink_of(&json(address, "/api/v1/run"))[0];
    wait_until(|| sent() == 1_000, || format!("{}", sent()));
    let ended = finish(program);
    assert!(ended.stderr.contains("counts go back by 1000 to the last checkpoint"), "{ended:?}");
    let report = ended.report();
    assert_eq!(report["run"]["lines_done"], 1_000, "{}", report["run"]);
    crate::program::check_ledger(&report);
}

/// How fast records go out: a file that is there, from its start to its end.
#[test]
fn posting_is_fast_enough_to_catch_up() {
    if !is_long("the speed of posting") {
        return;
    }
    const LINES: u64 = 2_000_000;
    for gzip in [false, true] {
        let folder = folder();
        let received = Received::up_to(LINES as usize);
        let receiver = Receiver::start(&received);
        let mut bytes = Vec::new();
        lines(0..LINES, &mut bytes);
        let log = file(folder.path(), "app.log", bytes);
        let config = posting(folder.path(), &receiver, &format!("gzip = {gzip}"));
        let begun = Instant::now();
        let mut command = follow();
        command.args(["--no-state", "--from", "start", "--until-eof", "-c"]).arg(&config).arg(&log);
        let ended = ended(&mut command);
        let speed = (LINES as usize * LINE) as f64 / begun.elapsed().as_secs_f64() / 1e6;
        assert_eq!((ended.code(), received.missing(LINES)), (Some(0), None), "{ended:?}");
        assert_eq!(received.compressed.load(Ordering::SeqCst) > 0, gzip);
        println!("gzip = {gzip}: {speed:.0} MB/s, {} KiB", ended.private_kib);
    }
}
