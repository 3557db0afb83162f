//! What is refused for good goes to the dead letters, and the rest flows.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::fault::FaultKind;

fn has(request: &Request, word: &str) -> bool {
    request.messages().iter().any(|message| message.contains(word))
}

#[test]
fn a_batch_that_is_refused_becomes_dead_letters_and_the_rest_flows() {
    let (_folder, path) = folder();
    let receiver = Receiver::start(|request| if has(request, "bad") { Reply::status(400) } else { Reply::ok() });
    let sink = start(&receiver.url(), "batch_bytes = 300\nconcurrency = 1", Some(&path));
    put_all(&sink, &[&["a", "b", "c"], &["d", "bad", "e"], &["f", "g", "h"]]);
    acknowledged(&sink, 3);
    assert_eq!(receiver.messages().concat(), "abcfgh");
    let letters = letters(&path);
    assert_eq!(lines_of(&letters), ["d", "bad", "e"]);
    let bad = &letters[1];
    assert_eq!((&*bad.processor, bad.kind, bad.offset, bad.length), ("s", FaultKind::Refused, 8, 4));
    assert_eq!((&*bad.reason, bad.truncated), ("400 Bad Request: said so", false));
    assert_eq!(bad.source, Path::new("app.log"));
    assert_eq!((sink.numbers().sent, sink.numbers().refused, sink.numbers().letters), (6, 3, 3));
    assert_eq!(sink.trouble(), None);
}

#[test]
fn letters_are_there_before_they_are_acknowledged_and_others_append_too() {
    let (_folder, path) = folder();
    fs::write(&path, "no newline").unwrap();
    let receiver = Receiver::start(|_| Reply::status(404));
    let sink = start(&receiver.url(), "batch_bytes = 1", Some(&path));
    for number in 0..50 {
        put(&sink, number, piece(number, &[b"x"]));
        until("acknowledged", || {
            let acknowledged = sink.acknowledged();
            let lines = fs::read_to_string(&path).unwrap().lines().count() as u64;
            assert!(lines > acknowledged, "the first line was there before");
            acknowledged > number
        });
    }
    assert!(fs::read_to_string(&path).unwrap().starts_with("no newline\n{"));
}

#[test]
fn without_a_file_for_them_they_are_counted() {
    let receiver = Receiver::start(|_| Reply::status(403));
    for keys in ["", "on_error = 'dead_letter'"] {
        let sink = start(&receiver.url(), keys, None);
        put_all(&sink, &[&["a", "b"]]);
        acknowledged(&sink, 1);
        assert_eq!((sink.numbers().refused, sink.numbers().letters), (2, 0));
    }
    let (_folder, path) = folder();
    let sink = start(&receiver.url(), "on_error = 'drop'", Some(&path));
    put_all(&sink, &[&["a", "b"]]);
    acknowledged(&sink, 1);
    assert_eq!((sink.numbers().refused, path.exists()), (2, false));
}

#[test]
fn where_a_refusal_stops_the_run_nothing_is_acknowledged_any_more() {
    let receiver = Receiver::start(|request| if has(request, "bad") { Reply::status(400) } else { Reply::ok() });
    let sink = start(&receiver.url(), "on_error = 'stop'\nbatch_bytes = 1\nconcurrency = 1", None);
    put_all(&sink, &[&["a"], &["bad"], &["b"]]);
    until("it is over", || sink.failure().is_some());
    assert!(sink.failure().unwrap().contains("refused: 400 Bad Request: said so"));
    assert_eq!(sink.trouble(), sink.failure());
    assert_eq!(sink.finish(Instant::now() + LONG), 1);
    assert_eq!(receiver.messages(), ["a"]);
}

#[test]
fn what_is_too_large_is_halved_until_single_records_are_refused() {
    let (_folder, path) = folder();
    let receiver = Receiver::start(|request| match request.body.len() > 500 {
        true => Reply::status(413),
        false => Reply::ok(),
    });
    let sink = start(&receiver.url(), "concurrency = 1", Some(&path));
    let (long, mut lines) = ("x".repeat(600), numbered(100));
    lines.insert(33, long.clone());
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    put_all(&sink, &[&lines]);
    acknowledged(&sink, 1);
    assert_eq!(receiver.messages(), numbered(100), "in order, each once");
    let letters = letters(&path);
    assert_eq!(lines_of(&letters), [long]);
    assert!(letters[0].reason.starts_with("413 Payload Too Large"), "{}", letters[0].reason);
}

#[test]
fn attempts_can_be_limited() {
    let (_folder, path) = folder();
    let tries = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&tries);
    let receiver = Receiver::start(move |request| {
        if !has(request, "bad") {
            return Reply::ok();
        }
        count.fetch_add(1, Ordering::SeqCst);
        Reply::status(503)
    });
    let keys = "batch_bytes = 1\nretry = { attempts = 3, backoff = '1ms..2ms' }";
    let sink = start(&receiver.url(), keys, Some(&path));
    put_all(&sink, &[&["a"], &["bad"], &["b"]]);
    acknowledged(&sink, 3);
    let letters = letters(&path);
    assert_eq!((lines_of(&letters), tries.load(Ordering::SeqCst)), (vec!["bad".to_owned()], 3));
    assert_eq!(letters[0].reason, "given up after 3 attempts: 503 Service Unavailable: said so");
}

#[test]
fn redirects_are_refused() {
    let (_folder, path) = folder();
    let elsewhere = "Location: http://127.0.0.1:1/\r\n";
    let receiver = Receiver::start(move |_| Reply::Answer(302, elsewhere.to_owned(), String::new()));
    let sink = start(&receiver.url(), "", Some(&path));
    put_all(&sink, &[&["a"]]);
    acknowledged(&sink, 1);
    assert!(letters(&path)[0].reason.contains("redirects are not followed"));
}

#[test]
fn letters_that_cannot_be_written_are_trouble_until_they_can() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("later/dead.ndjson");
    let receiver = Receiver::start(|_| Reply::status(400));
    let sink = start(&receiver.url(), "", Some(&path));
    put_all(&sink, &[&["a"]]);
    until("it is in trouble", || sink.trouble().is_some_and(|why| why.contains("dead.ndjson")));
    assert_eq!(sink.acknowledged(), 0);
    fs::create_dir(folder.path().join("later")).unwrap();
    acknowledged(&sink, 1);
    assert_eq!((lines_of(&letters(&path)), sink.trouble()), (vec!["a".to_owned()], None));
}

#[test]
fn an_answer_without_end_is_not_read_to_its_end() {
    let (_folder, path) = folder();
    let receiver = Receiver::start(|_| Reply::Answer(400, String::new(), "x".repeat(10 << 20)));
    let sink = start(&receiver.url(), "", Some(&path));
    put_all(&sink, &[&["a"]]);
    acknowledged(&sink, 1);
    assert!(letters(&path)[0].reason.len() < 300);
}
