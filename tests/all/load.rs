//! A crowd of clients that poll, and how long they wait.

use std::{
    io::{self, Read, Write},
    net::{SocketAddr, TcpStream},
    thread,
    time::{Duration, Instant},
};

use crate::http;

/// How long a crowd waited for its answers.
#[derive(Debug)]
pub struct Waited {
    pub answers: usize,
    pub failures: usize,
    pub p50: Duration,
    pub p99: Duration,
    pub max: Duration,
}

/// Lets `clients` poll `path` on connections that they keep, `per_second` times each, for `time`.
///
/// A client that is late does not skip: what it would have waited for counts from when it should have asked, so that a
/// server that stalls cannot hide it.
pub fn poll(address: SocketAddr, path: &str, clients: u32, per_second: u32, time: Duration) -> Waited {
    let pause = Duration::from_secs(1) / per_second;
    let until = Instant::now() + time;
    let results: Vec<_> = thread::scope(|scope| {
        let client = |number| scope.spawn(move || one(address, path, pause * number / clients, pause, until));
        let handles: Vec<_> = (0..clients).map(client).collect();
        handles.into_iter().map(|handle| handle.join().expect("client ends")).collect()
    });
    let failures = results.iter().map(|(_, failures)| failures).sum();
    let mut waits: Vec<_> = results.into_iter().flat_map(|(waits, _)| waits).collect();
    waits.sort_unstable();
    let at = |permille: usize| waits.get(waits.len() * permille / 1000).copied().unwrap_or(Duration::MAX);
    let max = waits.last().copied().unwrap_or(Duration::MAX);
    Waited { answers: waits.len(), failures, p50: at(500), p99: at(990), max }
}

fn one(address: SocketAddr, path: &str, start: Duration, pause: Duration, until: Instant) -> (Vec<Duration>, usize) {
    let (mut waits, mut failures, mut stream) = (Vec::new(), 0, None);
    let mut due = Instant::now() + start;
    while due < until {
        thread::sleep(due.saturating_duration_since(Instant::now()));
        match once(address, path, &mut stream) {
            Ok(()) => waits.push(due.elapsed()),
            Err(_) => (failures, stream) = (failures + 1, None),
        }
        due += pause;
    }
    (waits, failures)
}

/// Asks once, on the connection that is there if there is one.
fn once(address: SocketAddr, path: &str, kept: &mut Option<TcpStream>) -> io::Result<()> {
    let mut stream = match kept.take() {
        Some(stream) => stream,
        None => http::connect(address)?,
    };
    stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n").as_bytes())?;
    let (mut bytes, mut buffer) = (Vec::new(), [0; 16 << 10]);
    loop {
        match stream.read(&mut buffer)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            length => bytes.extend_from_slice(&buffer[..length]),
        }
        let Some(answer) = http::parse(&bytes) else { continue };
        let length = answer.header("content-length").and_then(|length| length.parse().ok());
        if length == Some(answer.body.len()) {
            let ok = answer.status == 200;
            *kept = Some(stream);
            return if ok { Ok(()) } else { Err(io::ErrorKind::Other.into()) };
        }
    }
}
