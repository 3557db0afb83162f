//! What may pass: every record arrives in the end, and none is acknowledged before.

use std::{
    net::TcpListener,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
};

use super::*;

/// Sends 200 records of which every request before `failures` fails as `fail` says, and expects all to arrive.
fn survives(keys: &str, failures: usize, fail: impl Fn() -> Reply + Send + Sync + 'static) -> Vec<String> {
    let receiver = Receiver::start(move |request| if request.number < failures { fail() } else { Reply::ok() });
    let sink = start(&receiver.url(), &format!("batch_bytes = 1000\n{keys}"), None);
    let lines = numbered(200);
    for (number, line) in (0..).zip(&lines) {
        put(&sink, number, piece(number * 13, &[line.as_bytes()]));
    }
    acknowledged(&sink, 200);
    let messages = receiver.messages();
    assert!(lines.iter().all(|line| messages.contains(line)), "all arrived");
    assert!(sink.numbers().retries >= failures as u64, "{:?}", sink.numbers());
    assert_eq!((sink.trouble(), sink.numbers().sent, sink.numbers().waiting), (None, 200, 0));
    messages
}

#[test]
fn statuses_that_may_pass_are_retried() {
    for status in [503, 500, 429, 408, 401] {
        let messages = survives("", 8, move || Reply::status(status));
        assert!(counted(&messages).values().all(|&count| count == 1), "none came twice");
    }
}

#[test]
fn connections_that_end_are_retried() {
    survives("", 8, || Reply::Drop);
    let messages = survives("", 4, || Reply::Half);
    assert!(messages.len() > 200, "what may have been taken is sent again");
}

#[test]
fn silence_is_a_timeout() {
    survives("timeout = '50ms'", 4, || Reply::Silence);
    survives("timeout = '50ms'", 2, || Reply::After(Duration::from_millis(200), Box::new(Reply::status(503))));
}

#[test]
fn connections_that_end_within_a_body_are_retried() {
    let receiver = Receiver::start(|_| Reply::ok());
    receiver.cut_next(3);
    let sink = start(&receiver.url(), "gzip = false", None);
    put_all(&sink, &[&[&"x".repeat(500_000)], &["y"]]);
    acknowledged(&sink, 2);
    assert_eq!(receiver.messages().len(), 2);
}

#[test]
fn with_one_request_at_a_time_the_order_is_kept_through_failures() {
    let messages = survives("concurrency = 1", 5, || Reply::status(503));
    assert_eq!(messages, numbered(200));
}

#[test]
fn a_receiver_that_comes_back_gets_everything() {
    let first = Receiver::start(|request| if request.number < 2 { Reply::ok() } else { Reply::Drop });
    let (address, url) = (first.address(), first.url());
    let sink = start(&url, "batch_bytes = 1000", None);
    let lines = numbered(100);
    for (number, line) in (0..).zip(&lines) {
        put(&sink, number, piece(number * 13, &[line.as_bytes()]));
    }
    until("it is in trouble", || sink.trouble().is_some());
    let mut taken: Vec<String> = first.kill().iter().flat_map(|request| request.messages()).collect();
    until("nobody listens", || sink.trouble().is_some_and(|why| why.contains("Connection refused")));
    let why = sink.trouble().unwrap();
    assert!(why.starts_with("since 2") && why.contains(&url) && !why.contains('\n'), "{why}");
    assert!(sink.acknowledged() < 100);
    let second = Receiver::at(address, None, |_| Reply::ok());
    acknowledged(&sink, 100);
    taken.extend(second.messages());
    assert_eq!(counted(&taken).len(), 100);
    assert_eq!(sink.trouble(), None);
}

#[test]
fn a_host_that_takes_no_connection_is_waited_for_only_so_long() {
    // Nobody accepts: the kernel takes the connection, and what is sent stays unread.
    let hole = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", hole.local_addr().unwrap());
    let sink = start(&url, "timeout = '50ms'", None);
    put_all(&sink, &[&["one"]]);
    until("it has tried again", || sink.numbers().retries > 1);
    assert!(sink.trouble().unwrap().contains("no answer within 50ms"), "{:?}", sink.trouble());
    let start = Instant::now();
    assert_eq!(sink.finish(start + Duration::from_millis(100)), 0);
    assert!(start.elapsed() < Duration::from_secs(10));
}

#[test]
fn an_outage_lets_no_more_in_than_the_bound() {
    let is_up = Arc::new(AtomicBool::new(false));
    let script = Arc::clone(&is_up);
    let is_ok = move || script.load(Ordering::SeqCst);
    let receiver = Receiver::start(move |_| if is_ok() { Reply::ok() } else { Reply::status(503) });
    let sink = start(&receiver.url(), "", None);
    let line = vec![b'x'; 100_000];
    let block = || piece(0, &[&line[..]; 10]);
    let mut number = 0;
    let full = loop {
        match sink.put(number, block()) {
            Ok(()) => number += 1,
            Err(back) => break back,
        }
    };
    assert_eq!(full, block(), "what finds no room comes back whole");
    until("all is taken up that can be", || sink.numbers().retries > 20);
    assert!(sink.put(number, full).is_err(), "time makes no room");
    let waiting = sink.numbers().waiting;
    assert!((15 << 20..=limits::HTTP_BACKLOG_BYTES as u64).contains(&waiting), "{waiting}");
    assert_eq!(sink.acknowledged(), 0);
    is_up.store(true, Ordering::SeqCst);
    acknowledged(&sink, number);
    assert_eq!(sink.numbers().waiting, 0);
    assert_eq!(sink.numbers().sent, number * 10);
}

#[test]
fn a_piece_larger_than_all_the_room_gets_in_alone() {
    let receiver = Receiver::start(|_| Reply::ok());
    let sink = start(&receiver.url(), "", None);
    put(&sink, 0, piece(0, &[&vec![b'x'; limits::HTTP_BACKLOG_BYTES]]));
    put(&sink, 1, piece(0, &[b"y"]));
    acknowledged(&sink, 2);
}

#[test]
fn a_server_is_left_alone_for_as_long_as_it_asks() {
    let first = Arc::new(std::sync::OnceLock::new());
    let (asked, early) = (Arc::clone(&first), Arc::new(AtomicUsize::new(0)));
    let count = Arc::clone(&early);
    let receiver = Receiver::start(move |_| {
        let start: &Instant = asked.get_or_init(Instant::now);
        if start.elapsed() >= Duration::from_millis(990) {
            return Reply::ok();
        }
        count.fetch_add(1, Ordering::SeqCst);
        Reply::Answer(429, "Retry-After: 1\r\n".to_owned(), String::new())
    });
    let sink = start(&receiver.url(), "", None);
    put_all(&sink, &[&["one"]]);
    acknowledged(&sink, 1);
    assert_eq!(early.load(Ordering::SeqCst), 1, "no attempt before its time");
}

#[test]
fn what_is_not_acknowledged_at_the_end_is_said() {
    let receiver = Receiver::start(|request| match request.messages().contains(&"bad".to_owned()) {
        true => Reply::status(503),
        false => Reply::ok(),
    });
    let sink = start(&receiver.url(), "batch_bytes = 1", None);
    put_all(&sink, &[&["a"], &["b"], &["bad"], &["c"], &["d"]]);
    until("the others flow", || receiver.messages().len() == 4);
    assert_eq!(sink.finish(Instant::now() + Duration::from_millis(50)), 2, "not past what was not delivered");
}
