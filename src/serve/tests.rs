//! Tests of what needs to publish, which nobody outside may, and of what would take too long from outside.

use std::{
    io::{Read, Write},
    net,
    sync::atomic::{AtomicBool, Ordering},
    time::Instant,
};

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{events::Events, route::Part, *};
use crate::snapshot::RunState;

use crate::sample;

fn published() -> Arc<Published> {
    Arc::new(Published::new(sample::snapshot(1, sample::RUNNING)))
}

fn serve_on_loopback(published: &Arc<Published>) -> Server {
    let listener = net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    Server::start(listener, Arc::clone(published), Admission::default()).expect("starts")
}

/// Publishes a hundred snapshots a second from `first` on, while `work` runs.
fn while_publishing<T>(published: &Published, first: u64, work: impl FnOnce() -> T) -> T {
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut sequence = first;
            while !done.load(Ordering::Relaxed) {
                published.publish(sample::snapshot(sequence, sample::RUNNING));
                sequence += 1;
                thread::sleep(Duration::from_millis(10));
            }
        });
        let result = work();
        done.store(true, Ordering::Relaxed);
        result
    })
}

fn ask(server: &Server, path: &str) -> net::TcpStream {
    let mut stream = net::TcpStream::connect(server.address()).expect("connects");
    stream.set_read_timeout(Some(Duration::from_secs(20))).expect("can");
    stream
        .write_all(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").as_bytes())
        .expect("sends");
    stream
}

/// What comes on `stream` within `time`.
fn heard(stream: &mut net::TcpStream, time: Duration) -> String {
    let (until, mut bytes, mut buffer) = (Instant::now() + time, Vec::new(), vec![0; 1 << 16]);
    stream.set_read_timeout(Some(Duration::from_millis(20))).expect("can");
    while Instant::now() < until {
        match stream.read(&mut buffer) {
            Ok(0) => break,
            Ok(length) => bytes.extend_from_slice(&buffer[..length]),
            Err(_) => {}
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The sequence numbers of the events in `text`.
fn sequences(text: &str) -> Vec<u64> {
    let number = |text: &str| text.chars().take_while(char::is_ascii_digit).collect::<String>().parse().ok();
    text.split("\"sequence\":").skip(1).filter_map(number).collect()
}

#[test]
fn events_come_at_once_and_at_most_ten_times_a_second() {
    let published = published();
    let server = serve_on_loopback(&published);
    let first = heard(&mut ask(&server, "/api/v1/events"), Duration::from_millis(300));
    assert_eq!(sequences(&first), [1], "the last snapshot is sent at once, and once");
    assert!(first.contains("content-type: text/event-stream"));
    let (fast, slow) = while_publishing(&published, 2, || {
        let fast = heard(&mut ask(&server, "/api/v1/events"), Duration::from_secs(2));
        (fast, heard(&mut ask(&server, "/api/v1/events?every_ms=500"), Duration::from_secs(2)))
    });
    let (fast, slow) = (sequences(&fast), sequences(&slow));
    assert!((10..=21).contains(&fast.len()), "{fast:?}");
    assert!((3..=5).contains(&slow.len()), "{slow:?}");
    assert!(fast.is_sorted_by(|a, b| a < b) && slow.is_sorted_by(|a, b| a < b), "{fast:?} {slow:?}");
    server.shutdown();
}

#[test]
fn a_slow_reader_gets_fewer_events_not_old_ones() {
    let published = published();
    let server = serve_on_loopback(&published);
    let mut stream = ask(&server, "/api/v1/events");
    while_publishing(&published, 2, || thread::sleep(Duration::from_secs(3)));
    // Nobody read meanwhile. Whatever the kernel kept comes first; then nothing but the newest.
    let last = 1_000_000;
    published.publish(sample::snapshot(last, sample::RUNNING));
    let seen = sequences(&heard(&mut stream, Duration::from_secs(1)));
    assert_eq!(seen.last(), Some(&last), "{seen:?}");
    assert!(seen.len() < 45, "no more than ten a second were kept for it: {seen:?}");
    server.shutdown();
}

#[test]
fn a_silent_stream_has_a_pulse() {
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let (_stop, stopped) = watch::channel(false);
        let answers = Answers::new(published());
        let shared = Rc::new(Shared { admission: Admission::default(), answers, stopped });
        let mut events = Events::new(shared, limits::PUBLISH_INTERVAL);
        let now = time::Instant::now();
        assert!(events.next(now).is_some_and(|bytes| bytes.starts_with(b"event: snapshot\ndata: {")));
        assert_eq!(events.next(now + Duration::from_secs(14)), None);
        assert_eq!(events.next(now + Duration::from_secs(15)).as_deref(), Some(&b":\n\n"[..]));
        assert_eq!(events.next(now + Duration::from_secs(16)), None);
    });
}

#[test]
fn numbers_never_go_back_and_always_fit() {
    let published = published();
    let server = serve_on_loopback(&published);
    while_publishing(&published, 2, || {
        let mut last = 0;
        for _ in 0..200 {
            let text = heard_answer(&mut ask(&server, "/api/v1/run"));
            let run: serde_json::Value = serde_json::from_str(&text).expect("JSON");
            let sequence = run["sequence"].as_u64().expect("a number");
            assert!(sequence >= last, "{sequence} after {last}");
            let expected = sample::snapshot(sequence, sample::RUNNING).checksum_expected();
            assert_eq!(run["checksum"], format!("{expected:016x}"));
            last = sequence;
        }
        assert!(last > 2, "something was published meanwhile");
    });
    server.shutdown();
}

/// The body of the one answer on `stream`.
fn heard_answer(stream: &mut net::TcpStream) -> String {
    let mut text = String::new();
    stream.read_to_string(&mut text).expect("an answer");
    text.split_once("\r\n\r\n").expect("a head and a body").1.to_owned()
}

#[test]
fn a_part_is_rendered_once_a_snapshot_and_few_are_kept() {
    let published = published();
    let answers = Answers::new(Arc::clone(&published));
    let first = answers.part(Part::Stats);
    assert_eq!(first.as_ptr(), answers.part(Part::Stats).as_ptr(), "the same bytes");
    published.publish(sample::snapshot(2, sample::FINISHED));
    let second = answers.part(Part::Stats);
    assert_ne!(first, second);
    for limit in 1..=1000 {
        answers.part(Part::Trace(limit));
    }
    assert_eq!(answers.part(Part::Stats), second, "rendered anew, and the same");
    assert!(answers.kept() <= 16);
}

#[test]
fn shutdown_ends_open_streams_properly() {
    let server = serve_on_loopback(&published());
    let mut stream = ask(&server, "/api/v1/events");
    let mut idle = net::TcpStream::connect(server.address()).expect("connects");
    assert!(heard(&mut stream, Duration::from_millis(300)).contains("event: snapshot"));
    let (address, started) = (server.address(), Instant::now());
    server.shutdown();
    assert!(started.elapsed() < SHUTDOWN_TIME + Duration::from_millis(500), "{:?}", started.elapsed());
    assert!(heard(&mut stream, Duration::from_millis(300)).ends_with("0\r\n\r\n"), "the stream has an end");
    assert_eq!(idle.read(&mut [0; 8]).unwrap_or(0), 0);
    assert!(net::TcpStream::connect(address).is_err(), "nobody listens any more");
}

#[test]
fn dropping_the_handle_stops_it_too() {
    let server = serve_on_loopback(&published());
    let address = server.address();
    drop(server);
    let until = Instant::now() + Duration::from_secs(3);
    while net::TcpStream::connect(address).is_ok() {
        assert!(Instant::now() < until, "it goes on");
        thread::sleep(Duration::from_millis(10));
    }
}

/// Writes 8 KiB to a client that takes `bytes` every 10 ms.
fn write_to_a_client_that_takes(bytes: usize) -> io::Result<()> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let (client, server) = tokio::io::duplex(1024);
        let mut socket = Socket::with_write_time(server, Duration::from_millis(300));
        let reading = async move {
            let mut client = client;
            let mut buffer = vec![0; bytes];
            while !buffer.is_empty() && client.read(&mut buffer).await.is_ok_and(|length| length > 0) {
                time::sleep(Duration::from_millis(10)).await;
            }
            std::future::pending::<()>().await;
        };
        tokio::select! {
            result = async { socket.write_all(&[0; 8 << 10]).await?; socket.flush().await } => result,
            () = reading => Ok(()),
        }
    })
}

#[test]
fn what_is_written_must_be_taken_in_time() {
    assert!(write_to_a_client_that_takes(8 << 10).is_ok());
    let timed_out = |bytes| write_to_a_client_that_takes(bytes).map_err(|error| error.kind());
    assert_eq!(timed_out(0), Err(io::ErrorKind::TimedOut), "a client that reads nothing");
    assert_eq!(timed_out(1), Err(io::ErrorKind::TimedOut), "a client that takes a byte now and then");
}

/// Not a test: serves a made-up run for somebody who works on the page, for an hour.
/// `LOGWEIR_PREVIEW=127.0.0.1:8100 cargo test --lib preview -- --ignored`
#[test]
#[ignore = "serves until killed"]
fn preview() {
    let listener = net::TcpListener::bind(std::env::var("LOGWEIR_PREVIEW").as_deref().unwrap_or("127.0.0.1:8100"));
    let scene = match std::env::var("LOGWEIR_SCENE").as_deref() {
        Ok("running") => sample::RUNNING,
        Ok("clean") => sample::Scene { faults: false, ..sample::FINISHED },
        Ok("stream") => sample::Scene { sized: false, ..sample::RUNNING },
        Ok("failed") => sample::Scene { state: RunState::Failed, ..sample::RUNNING },
        Ok("starting") => sample::Scene { state: RunState::Starting, done_permille: 0, ..sample::RUNNING },
        _ => sample::FINISHED,
    };
    let hostile = std::env::var_os("LOGWEIR_SCENE").is_some_and(|scene| scene == "hostile");
    let following = std::env::var_os("LOGWEIR_SCENE").is_some_and(|scene| scene == "following");
    let first = match (hostile, following) {
        (true, _) => sample::hostile(1),
        (_, true) => sample::following(1),
        _ => sample::snapshot(1, scene),
    };
    let published = Arc::new(Published::new(first));
    let _server = Server::start(listener.expect("binds"), Arc::clone(&published), Admission::default());
    let until = Instant::now() + Duration::from_secs(3600);
    let mut sequence = 1;
    while Instant::now() < until {
        thread::sleep(Duration::from_millis(100));
        if scene.state == RunState::Running {
            sequence += 1;
            let done_permille = (scene.done_permille + sequence / 10) % 1000;
            published.publish(sample::snapshot(sequence, sample::Scene { done_permille, ..scene }));
        }
    }
}
