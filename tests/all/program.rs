//! The real program, as tests drive it: started, watched, and ended in time whatever happens.

use std::{
    fs,
    io::{BufRead, BufReader, Read},
    net::SocketAddr,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::mpsc::{Receiver, channel},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::support::skip;

/// What nothing here takes, even in a debug build on a busy machine: reaching it is a hang.
pub const HANG: Duration = Duration::from_secs(60);

/// True when the long versions of tests were asked for; else says loudly that `what` is left out.
pub fn is_long(what: &str) -> bool {
    let is_long = std::env::var_os("LOGWEIR_LONG").is_some_and(|value| value == "1");
    if !is_long {
        skip(&format!("{what} (set LOGWEIR_LONG=1 for it)"));
    }
    is_long
}

/// A folder of a test's own.
pub fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

/// Writes `content` to `name` in `folder`.
pub fn file(folder: &Path, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
    let path = folder.join(name);
    fs::write(&path, content).expect("a temporary file");
    path
}

/// Sets the rights of a file of ours.
pub fn allow(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("our own file");
}

/// `logweir run`, with nothing to read on standard input, and both outputs to be looked at.
pub fn run() -> Command {
    mode("run")
}

/// `logweir follow`, likewise, and serving nothing.
pub fn follow() -> Command {
    let mut command = mode("follow");
    command.arg("--no-serve");
    command
}

/// `logweir follow` that serves on a free port, see [`Program::address`].
pub fn follow_serving() -> Command {
    let mut command = mode("follow");
    command.args(["--listen", "0"]);
    command
}

/// `logweir MODE`, whatever it is.
pub fn mode(mode: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_logweir"));
    command.arg(mode).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// The program under way.
pub struct Program {
    pub child: Child,
    started: Instant,
    stdout: Option<JoinHandle<Vec<u8>>>,
    errors: Receiver<String>,
    stderr: String,
}

/// The program when it is over.
#[derive(Debug)]
pub struct Ended {
    pub status: ExitStatus,
    pub stdout: Vec<u8>,
    pub stderr: String,
    pub took: Duration,
    /// The most private memory that was seen, in KiB.
    pub private_kib: u64,
}

impl Program {
    /// Starts `command`; its standard output is read in the background if it is piped.
    pub fn start(command: &mut Command) -> Self {
        let mut program = Self::start_unread(command);
        program.stdout = program.child.stdout.take().map(|mut pipe| {
            thread::spawn(move || {
                let mut bytes = Vec::new();
                pipe.read_to_end(&mut bytes).expect("a pipe can be read");
                bytes
            })
        });
        program
    }

    /// Starts `command`, and leaves its standard output to the test.
    pub fn start_unread(command: &mut Command) -> Self {
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{error}: {command:?}"));
        let (sender, errors) = channel();
        if let Some(pipe) = child.stderr.take() {
            thread::spawn(move || {
                let mut lines = BufReader::new(pipe);
                let mut line = Vec::new();
                while lines.read_until(b'\n', &mut line).is_ok_and(|length| length > 0) {
                    // Nobody listens any more when the test has failed.
                    let _ = sender.send(String::from_utf8_lossy(&line).into_owned());
                    line.clear();
                }
            });
        }
        Self { child, started: Instant::now(), stdout: None, errors, stderr: String::new() }
    }

    /// The address that it says it serves on.
    pub fn address(&mut self) -> SocketAddr {
        loop {
            let line = self.errors.recv_timeout(HANG).unwrap_or_else(|_| panic!("no address: {}", self.stderr));
            self.stderr.push_str(&line);
            if let Some(url) = line.strip_prefix("logweir: serving on http://") {
                return url.trim_end().trim_end_matches('/').parse().expect("an address");
            }
        }
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("it lives");
    }

    /// Waits until it catches what asks it to end: before, a signal ends it as any other program.
    #[track_caller]
    pub fn wait_for_its_handlers(&self) {
        let begun = Instant::now();
        while !catches(self.child.id(), Signal::TERM) {
            assert!(begun.elapsed() < HANG, "it catches no signals");
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Ends it as a loss of power would.
    pub fn kill(mut self) {
        self.child.kill().expect("it is our child");
        self.child.wait().expect("it is our child");
    }

    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("it is our child").is_none()
    }

    /// True once it has said something with `words` on standard error.
    pub fn has_said(&mut self, words: &str) -> bool {
        self.stderr.extend(self.errors.try_iter());
        self.stderr.contains(words)
    }

    /// Private memory now, in KiB; 0 when it is over.
    pub fn private_kib(&self) -> u64 {
        private_kib(self.child.id())
    }

    /// Waits for its end, and fails where that takes longer than `limit` from now.
    pub fn end_within(mut self, limit: Duration) -> Ended {
        let (begun, mut memory) = (Instant::now(), Memory::of(self.child.id()));
        let status = loop {
            memory.look();
            if let Some(status) = self.child.try_wait().expect("it is our child") {
                break status;
            }
            assert!(begun.elapsed() < limit, "it still runs after {limit:?}: {}", self.stderr);
            thread::sleep(Duration::from_millis(2));
        };
        let took = self.started.elapsed();
        let stdout = self.stdout.take().map_or_else(Vec::new, |thread| thread.join().expect("the reader ends"));
        let rest: String = self.errors.iter().collect();
        Ended { status, stdout, stderr: self.stderr.clone() + &rest, took, private_kib: memory.most_kib }
    }

    pub fn end(self) -> Ended {
        self.end_within(HANG)
    }
}

impl Drop for Program {
    /// A test that fails leaves nothing behind.
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Ended {
    pub fn code(&self) -> Option<i32> {
        self.status.code()
    }

    /// The JSON report, wherever it was printed.
    pub fn report(&self) -> Value {
        let stdout = String::from_utf8_lossy(&self.stdout);
        let mut lines = stdout.lines().chain(self.stderr.lines());
        let line = lines.find(|line| line.starts_with("{\"run\":")).unwrap_or_else(|| panic!("no report: {self:?}"));
        serde_json::from_str(line).expect("JSON")
    }

    /// What it said on standard error, but for the report.
    pub fn said(&self) -> Vec<&str> {
        self.stderr.lines().filter(|line| !line.starts_with("{\"run\":")).collect()
    }
}

/// Runs to the end.
pub fn ended(command: &mut Command) -> Ended {
    Program::start(command).end()
}

/// What must hold of any report, however the run ended.
#[track_caller]
pub fn check_ledger(report: &Value) {
    let audit = &report["audit"];
    assert_eq!(audit["balanced"], true, "{audit}");
    assert_eq!(audit["lines"]["split"], report["run"]["lines_done"], "{audit}");
    for node in audit["nodes"].as_array().expect("nodes") {
        let number = |name: &str| node[name].as_u64().expect("a number");
        assert_eq!(number("lines_in"), number("out") + number("dropped") + number("failed"), "{node}");
    }
}

/// True if the process has a handler for `signal` (the mask `SigCgt` of proc_pid_status(5)).
fn catches(pid: u32, signal: Signal) -> bool {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
    mask >> (signal.as_raw() - 1) & 1 == 1
}

/// The most private memory that a process was seen to have.
pub struct Memory {
    pid: u32,
    next: Instant,
    pub most_kib: u64,
}

impl Memory {
    pub fn of(pid: u32) -> Self {
        Self { pid, next: Instant::now(), most_kib: 0 }
    }

    /// Looks, unless it looked a moment ago: the kernel goes through all pages, and holds the process up meanwhile. That may
    /// take a tenth of its time.
    pub fn look(&mut self) {
        let begun = Instant::now();
        if begun >= self.next {
            self.most_kib = self.most_kib.max(private_kib(self.pid));
            self.next = Instant::now() + 10 * begun.elapsed();
        }
    }
}

/// Private memory of a process: what is resident and mapped by nobody else, pages of files and the program's own among it.
pub fn private_kib(pid: u32) -> u64 {
    let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
    let of = |name: &str| {
        let line = rollup.lines().find(|line| line.starts_with(name));
        line.and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok()).unwrap_or(0)
    };
    of("Private_Clean:") + of("Private_Dirty:")
}
