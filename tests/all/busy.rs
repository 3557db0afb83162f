//! Fault 21 and what must never block: many who ask while all cores are at work, and few descriptors to go round.

use std::{
    net::TcpStream,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Resource, Rlimit, Signal, getrlimit, setrlimit};

use crate::{
    http::get,
    load,
    program::{HANG, Program, check_ledger, file, folder, is_long, run},
    support::skip,
};

/// What 99 of 100 answers may take, in a release build on two cores; a debug build gets more. Other tests, and others on
/// the machine, only ever add to it: the best of some attempts counts.
const WAIT_MAX: Duration = if cfg!(debug_assertions) { Duration::from_millis(150) } else { Duration::from_millis(20) };

const ATTEMPTS: usize = 4;

/// The first attempt that was as good as it must be, or the best one.
fn best_of(attempts: usize, mut attempt: impl FnMut() -> load::Waited) -> load::Waited {
    let mut best: Option<load::Waited> = None;
    for _ in 0..attempts {
        let waited = attempt();
        eprintln!("64 clients, 10 a second each, beside a run: {waited:?}");
        if best.as_ref().is_none_or(|best| waited.p99 < best.p99) {
            best = Some(waited);
        }
        if best.as_ref().is_some_and(|best| best.p99 < WAIT_MAX) {
            break;
        }
    }
    best.expect("at least one attempt")
}

#[test]
fn a_crowd_that_polls_does_not_wait_while_all_cores_are_at_work() {
    let mut yes = Command::new("yes").arg("WARN some line").stdout(Stdio::piped()).spawn().expect("starts");
    let mut command = run();
    command.args(["--listen", "0", "--exit", "--report", "json", "-"]).stdin(yes.stdout.take().expect("piped"));
    let mut program = Program::start(&mut command);
    drop(command);
    let address = program.address();
    let time = Duration::from_secs(if is_long("64 clients for 10 s instead of 2") { 10 } else { 2 });
    let waited = best_of(ATTEMPTS, || load::poll(address, "/stats", 64, 10, time));
    let run = get(address, "/api/v1/run").json();
    program.signal(Signal::INT);
    let ended = program.end_within(Duration::from_secs(5));
    yes.wait().expect("its pipe is gone");
    assert_eq!(run["state"], "running", "{run}");
    assert!(run["lines_done"].as_u64() > Some(100_000), "it did no work: {run}");
    check_ledger(&ended.report());
    assert_eq!(waited.failures, 0, "{waited:?}");
    assert!(waited.answers as u64 >= 64 * 10 * time.as_secs() * 8 / 10, "{waited:?}");
    assert!(waited.p99 < WAIT_MAX, "{waited:?}");
}

/// Lets this process have as many descriptors as it may.
fn raise_own_limit(wanted: u64) -> bool {
    let limit = getrlimit(Resource::Nofile);
    let most = limit.maximum.unwrap_or(u64::MAX);
    let raised = Rlimit { current: Some(most.min(1 << 16)), maximum: limit.maximum };
    most >= wanted && setrlimit(Resource::Nofile, raised).is_ok()
}

/// Connects `count` times, from many sides; gives those that were taken, by the server or its queue. They say nothing.
fn idle(address: std::net::SocketAddr, count: usize) -> Vec<TcpStream> {
    let one = || TcpStream::connect_timeout(&address, Duration::from_millis(150)).ok();
    thread::scope(|scope| {
        let some = |_| scope.spawn(move || (0..10).filter_map(|_| one()).collect::<Vec<_>>());
        let sides: Vec<_> = (0..count / 10).map(some).collect();
        sides.into_iter().flat_map(|side| side.join().expect("connects")).collect()
    })
}

#[test]
fn a_crowd_of_connections_takes_no_descriptor_from_the_run() {
    if !raise_own_limit(2_000) {
        return skip("1,000 connections: this process may not open so many");
    }
    let folder = folder();
    let config = file(folder.path(), "slow.toml", "[[processor]]\nid = 'slow'\nkind = 'delay'\nms = 10\n");
    let logs = folder.path().join("logs");
    std::fs::create_dir(&logs).expect("a directory");
    (0..300).for_each(|number| _ = file(&logs, &format!("{number:03}.log"), "one\ntwo\n"));
    let mut command = Command::new("prlimit");
    command.args(["--nofile=64", env!("CARGO_BIN_EXE_logweir"), "run", "--workers", "2"]);
    command.args(["--listen", "0", "--report", "json", "-c"]).args([&config, &logs]);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut program = Program::start(&mut command);
    let address = program.address();
    let crowd = idle(address, 1_000);
    eprintln!("{} connections", crowd.len());
    assert!(crowd.len() > 100, "the crowd is too small: {}", crowd.len());
    // The run goes on beside them.
    thread::sleep(Duration::from_secs(1));
    assert!(program.is_running());
    drop(crowd);
    let asked = Instant::now();
    let run = loop {
        let run = get(address, "/api/v1/run").json();
        if run["state"] == "finished" {
            break run;
        }
        assert!(asked.elapsed() < HANG, "{run}");
        thread::sleep(Duration::from_millis(50));
    };
    assert_eq!(run["lines_done"], 600);
    program.signal(Signal::INT);
    let ended = program.end_within(Duration::from_secs(2));
    let report = ended.report();
    assert_eq!(report["sources"]["faults"]["unreadable"], 0, "files were lost for want of descriptors");
    assert_eq!(ended.code(), Some(0), "{ended:?}");
    check_ledger(&report);
}

#[test]
fn what_is_watched_is_whole_at_every_moment() {
    let mut yes = Command::new("yes").arg("ERROR some line").stdout(Stdio::piped()).spawn().expect("starts");
    let mut command = run();
    command.args(["--listen", "0", "--exit", "--report", "json", "-"]).stdin(yes.stdout.take().expect("piped"));
    let mut program = Program::start(&mut command);
    drop(command);
    let address = program.address();
    let (mut last, until) = (0, Instant::now() + Duration::from_secs(1));
    let mut looks = 0;
    while Instant::now() < until {
        let audit = get(address, "/api/v1/audit").json();
        assert_eq!(audit["balanced"], true, "{audit}");
        let lines = audit["lines"]["entered"].as_u64().expect("a number");
        assert!(lines >= last, "the count goes back: {last}, {lines}");
        (last, looks) = (lines, looks + 1);
    }
    program.signal(Signal::INT);
    let ended = program.end_within(Duration::from_secs(5));
    yes.wait().expect("its pipe is gone");
    assert!(looks > 20 && last > 0, "{looks} looks, {last} lines");
    assert!(ended.report()["run"]["lines_done"].as_u64() >= Some(last));
}

/// A line that came through a pipe can be seen although no other line follows it.
#[test]
fn the_last_line_of_a_quiet_pipe_is_shown() {
    let (reader, mut writer) = std::io::pipe().expect("a pipe");
    let mut command = run();
    command.args(["--listen", "0", "--exit", "--report", "json", "-"]).stdin(reader);
    let mut program = Program::start(&mut command);
    drop(command);
    let address = program.address();
    let begun = Instant::now();
    for number in 1..=3 {
        std::io::Write::write_all(&mut writer, b"ERROR a line\n").expect("somebody reads");
        // The publisher comes by ten times a second, and a worker that waits looks fifty times.
        let written = Instant::now();
        while get(address, "/trace").json().as_array().map(Vec::len) != Some(number) {
            assert!(written.elapsed() < Duration::from_secs(2), "line {number} is not shown");
            thread::sleep(Duration::from_millis(10));
        }
        assert_eq!(get(address, "/stats").json()["error"]["processed"], number);
        thread::sleep(Duration::from_millis(150));
    }
    // Waiting is booked while it lasts.
    let run = get(address, "/api/v1/run").json();
    let workers = run["workers"].as_array().expect("workers");
    let idle: f64 = workers.iter().map(|worker| worker["idle_ms"].as_f64().expect("a number")).sum();
    let passed = begun.elapsed().as_secs_f64() * 1e3 * workers.len() as f64;
    assert!(idle > passed * 0.5, "{idle} ms idle of {passed}");
    drop(writer);
    let ended = program.end_within(Duration::from_secs(2));
    assert_eq!((ended.code(), &ended.report()["run"]["lines_done"]), (Some(0), &3.into()));
}
