//! Faults 20 and 21: clients that are slow on purpose, and too many of them.

use std::{
    io::{BufRead, BufReader, ErrorKind, Read, Write},
    net::{SocketAddr, TcpStream},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use logweir::limits;

use crate::{
    http::{connect, drain, exchange, get},
    server::finished,
};

/// Clients that send a head byte by byte and never end it.
struct Drips {
    streams: Vec<Option<TcpStream>>,
    started: Instant,
    /// When each was cut.
    cut: Vec<Duration>,
}

impl Drips {
    fn start(address: SocketAddr, count: usize) -> Self {
        let open = |_| {
            let mut stream = connect(address).expect("connects");
            stream.write_all(b"GET /stats HTTP/1.1\r\nHost: localhost\r\nX: ").expect("sends");
            stream.set_nonblocking(true).expect("can");
            Some(stream)
        };
        Self { started: Instant::now(), streams: (0..count).map(open).collect(), cut: Vec::new() }
    }

    /// Sends a byte on every one that is left, and notes those that are gone.
    fn drip(&mut self) {
        for place in &mut self.streams {
            let Some(stream) = place else { continue };
            let gone = match stream.read(&mut [0; 512]) {
                Ok(0) => true,
                Err(error) if error.kind() == ErrorKind::WouldBlock => stream.write_all(b"y").is_err(),
                Ok(_) => false,
                Err(_) => true,
            };
            if gone {
                self.cut.push(self.started.elapsed());
                *place = None;
            }
        }
    }
}

#[test]
fn heads_that_never_end_are_cut_while_others_are_served() {
    let (server, address) = finished();
    let mut drips = Drips::start(address, 200);
    let mut slowest = Duration::ZERO;
    while drips.cut.len() < 200 && drips.started.elapsed() < Duration::from_secs(15) {
        drips.drip();
        let asked = Instant::now();
        assert_eq!(get(address, "/stats").status, 200);
        slowest = slowest.max(asked.elapsed());
        thread::sleep(Duration::from_millis(200));
    }
    assert_eq!(drips.cut.len(), 200, "all of them are cut");
    let first = drips.cut.iter().min().expect("some");
    let last = drips.cut.iter().max().expect("some");
    eprintln!("cut after {first:?} to {last:?}; the slowest answer meanwhile took {slowest:?}");
    assert!(*first >= limits::REQUEST_HEAD_TIME - Duration::from_millis(500), "{first:?}");
    assert!(*last <= limits::REQUEST_HEAD_TIME + Duration::from_secs(3), "{last:?}");
    assert!(slowest < Duration::from_secs(1), "{slowest:?}");
    server.shutdown();
}

#[test]
fn a_reader_that_never_reads_is_dropped() {
    let (server, address) = finished();
    let mut stream = connect(address).expect("connects");
    let request = "GET /api/v1/traces?limit=1000 HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let size = get(address, "/api/v1/traces?limit=1000").body.len();
    let count = (64 << 20) / size; // more than the kernel takes for one connection
    // The server stops reading too, so this must not insist.
    stream.set_nonblocking(true).expect("can");
    let _ = stream.write(request.repeat(count).as_bytes());
    stream.set_nonblocking(false).expect("can");
    thread::sleep(limits::WRITE_TIME + Duration::from_secs(2));
    assert_eq!(get(address, "/stats").status, 200);
    let got = drain(&mut stream).expect("what was under way, then the end");
    let answers = String::from_utf8_lossy(&got).matches("HTTP/1.1 200").count();
    eprintln!("{answers} of {count} answers were sent before the connection was dropped");
    assert!(answers < count, "it was not dropped");
    server.shutdown();
}

/// Connections that do nothing.
fn idle(address: SocketAddr, count: usize) -> Vec<TcpStream> {
    (0..count).map(|_| connect(address).expect("the kernel takes it")).collect()
}

fn answered_within(address: SocketAddr, time: Duration) -> bool {
    let mut stream = connect(address).expect("connects");
    stream.set_read_timeout(Some(time)).expect("can");
    stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").expect("sends");
    stream.read(&mut [0; 512]).is_ok_and(|length| length > 0)
}

#[test]
fn connections_beyond_the_limit_wait_for_a_place() {
    let (server, address) = finished();
    let crowd = idle(address, limits::CONNECTIONS + 20);
    thread::sleep(Duration::from_millis(200));
    assert!(!answered_within(address, Duration::from_millis(500)), "the limit was not reached");
    drop(crowd);
    assert!(answered_within(address, Duration::from_secs(2)), "it serves again");
    let _crowd = idle(address, limits::CONNECTIONS + 20);
    thread::sleep(Duration::from_millis(100));
    // Even if they stay: those that say nothing are cut like those that say it slowly.
    assert!(answered_within(address, limits::REQUEST_HEAD_TIME + Duration::from_secs(3)), "the idle are not cut");
    server.shutdown();
}

/// Not a test: a server with few file descriptors, for [`running_out_of_descriptors_is_survived`].
#[test]
#[ignore = "a child of another test"]
fn child_with_few_descriptors() {
    let few = rustix::process::Rlimit { current: Some(64), maximum: Some(64) };
    rustix::process::setrlimit(rustix::process::Resource::Nofile, few).expect("lowers its own limit");
    // The server leaves half of them to the run; here the run has taken more than that.
    let _taken: Vec<_> = (0..40).map(|_| std::fs::File::open("/dev/null").expect("there are enough")).collect();
    let (_server, address) = finished();
    println!("\nserving on {address}");
    // Until the parent ends it, or ends.
    let _ = std::io::stdin().read(&mut [0; 1]);
}

fn start_child() -> (Child, SocketAddr) {
    let name = "server::crowd::child_with_few_descriptors";
    let mut child = Command::new(std::env::current_exe().expect("this program"))
        .args([name, "--exact", "--ignored", "--nocapture"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("starts");
    let lines = BufReader::new(child.stdout.take().expect("piped")).lines();
    let address = lines
        .map_while(Result::ok)
        .find_map(|line| line.strip_prefix("serving on ").and_then(|address| address.parse().ok()))
        .expect("says where");
    (child, address)
}

/// Processor time of `child`, in ticks of 10 ms.
fn ticks(child: &Child) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", child.id())).expect("it lives");
    let fields: Vec<_> = stat.rsplit(") ").next().unwrap_or_default().split(' ').collect();
    [fields[11], fields[12]].iter().map(|ticks| ticks.parse::<u64>().expect("a number")).sum()
}

#[test]
fn running_out_of_descriptors_is_survived() {
    let (mut child, address) = start_child();
    let crowd = idle(address, 200);
    thread::sleep(Duration::from_millis(300));
    let open = std::fs::read_dir(format!("/proc/{}/fd", child.id())).expect("it lives").count();
    assert!(open >= 64, "it has not run out: {open}");
    let before = ticks(&child);
    assert!(!answered_within(address, Duration::from_secs(1)), "it has not run out");
    let spent = ticks(&child) - before;
    assert!(spent < 30, "it spins while it has none: {spent} of 100 ticks");
    drop(crowd);
    assert!(answered_within(address, Duration::from_secs(3)), "it serves again");
    assert!(exchange(address, b"GET /stats HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").is_ok());
    child.kill().expect("it lives");
    child.wait().expect("ends");
}
