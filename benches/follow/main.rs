//! How long a line takes from its `write()` to `/stats` and to standard output, what a thousand quiet files cost, and
//! whether a flood is kept up with: `cargo bench --bench follow`. The real program, from outside.

use std::{
    fs::{self, File, OpenOptions},
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

const LINES: usize = 1_000;
const QUIET_FILES: usize = 1_000;
const FLOOD_BYTES_PER_S: usize = 500_000_000;
const FLOOD_TIME: Duration = Duration::from_secs(4);
/// The time that the program is given to settle.
const SETTLED: Duration = Duration::from_secs(2);

fn main() {
    // `cargo bench` passes options of its own, and `cargo test --benches` too.
    if std::env::args().any(|argument| argument == "--test") {
        return;
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    to_standard_output(folder.path());
    to_stats(folder.path());
    quiet_files(folder.path());
    flood(folder.path());
}

/// A follower, ended with the value.
struct Follower(Child);

impl Follower {
    fn start(arguments: &[&str], path: &Path) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_logweir"));
        command.args(["follow", "--no-state", "--report", "none"]).args(arguments).arg(path);
        Self(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program starts"))
    }

    /// The address that it says it serves on.
    fn address(&mut self) -> SocketAddr {
        let lines = BufReader::new(self.0.stderr.take().expect("piped")).lines().map_while(Result::ok);
        let mut urls = lines.filter_map(|line| line.strip_prefix("logweir: serving on http://").map(str::to_owned));
        urls.next().expect("an address").trim_end_matches('/').parse().expect("an address")
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Pauses of 3 to 30 ms, never in step with anything.
fn pause(number: usize) {
    thread::sleep(Duration::from_micros(3_000 + (number as u64 * 7_919) % 27_000));
}

fn append(path: &Path) -> File {
    OpenOptions::new().create(true).append(true).open(path).expect("a file of ours")
}

fn say(what: &str, mut times: Vec<Duration>) {
    times.sort();
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize].as_secs_f64() * 1e3;
    let [p50, p99, max] = [0.5, 0.99, 1.0].map(at);
    println!("{what}: p50 {p50:.2} ms, p99 {p99:.2} ms, max {max:.2} ms ({} lines)", times.len());
}

fn to_standard_output(folder: &Path) {
    let path = folder.join("printed.log");
    let mut log = append(&path);
    let mut follower = Follower::start(&["--no-serve", "--print", "start"], &path);
    let mut printed = BufReader::new(follower.0.stdout.take().expect("piped"));
    thread::sleep(SETTLED);
    let times = (0..LINES).map(|number| {
        pause(number);
        let begun = Instant::now();
        log.write_all(format!("INFO line {number}\n").as_bytes()).expect("there is room");
        let mut line = String::new();
        printed.read_line(&mut line).expect("a pipe");
        assert_eq!(line, format!("INFO line {number}\n"));
        begun.elapsed()
    });
    say("from write() to a line on standard output", times.collect());
}

fn to_stats(folder: &Path) {
    let path = folder.join("counted.log");
    let mut log = append(&path);
    let mut follower = Follower::start(&["--listen", "0"], &path);
    let address = follower.address();
    thread::sleep(SETTLED);
    let mut client = Client::connect(address);
    let times = (0..LINES / 2).map(|number| {
        pause(number);
        let begun = Instant::now();
        log.write_all(format!("INFO line {number}\n").as_bytes()).expect("there is room");
        let wanted = format!("\"processed\":{}", number + 1);
        while !client.get("/stats").contains(&wanted) {
            thread::sleep(Duration::from_micros(500));
        }
        begun.elapsed()
    });
    say("from write() to /stats", times.collect());
}

/// A connection that is kept.
struct Client {
    stream: TcpStream,
    address: SocketAddr,
}

impl Client {
    fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).expect("it serves");
        stream.set_nodelay(true).expect("a socket");
        Self { stream, address }
    }

    /// The answer, head and body.
    fn get(&mut self, path: &str) -> String {
        let request = format!("GET {path} HTTP/1.1\r\nHost: {}\r\n\r\n", self.address);
        self.stream.write_all(request.as_bytes()).expect("it reads");
        let (mut answer, mut chunk) = (Vec::new(), [0; 16 << 10]);
        while !is_whole(&answer) {
            let read = self.stream.read(&mut chunk).expect("it answers");
            assert!(read > 0, "it closed");
            answer.extend_from_slice(&chunk[..read]);
        }
        String::from_utf8(answer).expect("text")
    }
}

fn is_whole(answer: &[u8]) -> bool {
    let text = String::from_utf8_lossy(answer).to_lowercase();
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    length.and_then(|length| length.parse().ok()).is_some_and(|length: usize| body.len() >= length)
}

fn quiet_files(folder: &Path) {
    let quiet = folder.join("quiet");
    fs::create_dir(&quiet).expect("a folder of ours");
    for number in 0..QUIET_FILES {
        append(&quiet.join(format!("{number}.log"))).write_all(b"INFO there\n").expect("there is room");
    }
    let follower = Follower::start(&["--no-serve"], &quiet);
    thread::sleep(SETTLED);
    let (before, begun) = (cpu_seconds(follower.0.id()), Instant::now());
    thread::sleep(5 * SETTLED);
    let share = (cpu_seconds(follower.0.id()) - before) / begun.elapsed().as_secs_f64();
    let memory = private_kib(follower.0.id()) / 1_024;
    println!("{QUIET_FILES} quiet files: {:.1} % of a core, {memory} MiB private memory", 100.0 * share);
}

/// Seconds of processor time that a process has used.
fn cpu_seconds(pid: u32) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).expect("it lives");
    let fields: Vec<&str> = stat.rsplit(')').next().expect("a name").split_whitespace().collect();
    let ticks: f64 = [11, 12].iter().map(|&field| fields[field].parse::<f64>().expect("a number")).sum();
    ticks / rustix::param::clock_ticks_per_second() as f64
}

/// Memory that is resident and neither of a file nor shared.
fn private_kib(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("RssAnon:")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|number| number.parse().ok()).unwrap_or(0)
}

/// Writes as fast as is said for a while; then, how long it takes until all of it is counted.
fn flood(folder: &Path) {
    let path = folder.join("flood.log");
    let mut log = append(&path);
    let mut follower = Follower::start(&["--listen", "0"], &path);
    let address = follower.address();
    thread::sleep(SETTLED);
    let chunk: String = (0..5_000)
        .map(|number| format!("2026-11-25T01:02:03Z INFO line {number:>9} of a flood of lines, all of one kind\n"))
        .collect();
    let (mut written, begun) = (0, Instant::now());
    while begun.elapsed() < FLOOD_TIME {
        log.write_all(chunk.as_bytes()).expect("there is room");
        written += chunk.len();
        let due = Duration::from_secs_f64(written as f64 / FLOOD_BYTES_PER_S as f64);
        thread::sleep(due.saturating_sub(begun.elapsed()));
    }
    let (took, ended) = (begun.elapsed(), Instant::now());
    let mut client = Client::connect(address);
    let wanted = format!("\"processed\":{}", written / (chunk.len() / 5_000));
    while !client.get("/stats").contains(&wanted) {
        thread::sleep(Duration::from_millis(1));
    }
    let rate = written as f64 / took.as_secs_f64() / 1e6;
    println!(
        "a flood of {rate:.0} MB/s for {:.1} s: all counted {} ms after its end",
        took.as_secs_f64(),
        ended.elapsed().as_millis()
    );
}
