//! The sink against a receiver of our own that fails in every way a server can.

mod formats;
mod outages;
mod property;
mod receiver;
mod refusals;
mod tls;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use self::receiver::{Receiver, Reply, Request};
use super::*;
use crate::{
    letter::OwnedLetter,
    pipeline::{Pipeline, Registry, SinkTarget},
};

/// Longer than anything here takes on a busy machine.
const LONG: Duration = Duration::from_secs(60);

/// The plan for `url` with `keys`; batches of `batch_bytes` or 10 ms, and short times between attempts.
fn plan(url: &str, keys: &str) -> Arc<HttpPlan> {
    let mut keys = keys.to_owned();
    for (key, default) in [("retry", "{ backoff = '1ms..20ms' }"), ("batch_time", "'10ms'"), ("timeout", "'20s'")] {
        if !keys.contains(key) {
            keys += &format!("\n{key} = {default}");
        }
    }
    let text = format!(
        "[[processor]]\nid = 'a'\nkind = 'pass'\n[[sink]]\nid = 's'\nfrom = 'a'\nkind = 'http'\nurl = '{url}'\n{keys}\n"
    );
    let pipeline = Pipeline::from_toml(&text, "test", &Registry::standard());
    let pipeline = pipeline.unwrap_or_else(|error| panic!("{}", error.render(false)));
    match &pipeline.sinks[0].target {
        SinkTarget::Http(plan) => Arc::clone(plan),
        other => panic!("{other:?}"),
    }
}

fn start(url: &str, keys: &str, letters: Option<&Path>) -> HttpSink {
    HttpSink::start(&plan(url, keys), "s", letters, || {}).unwrap()
}

/// A piece of `lines`, which stand in `app.log` from `offset` on.
fn piece(offset: u64, lines: &[&[u8]]) -> HttpPiece {
    let source: Arc<Path> = Arc::from(Path::new("app.log"));
    let mut piece = HttpPiece::default();
    for line in lines {
        let start = piece.bytes.len() as u32;
        piece.bytes.extend_from_slice(line);
        piece.bytes.push(b'\n');
        let range = start..piece.bytes.len() as u32;
        let (offset, length) = (offset + u64::from(start), line.len() as u64 + 1);
        piece.records.push(HttpRecord { range, source: Arc::clone(&source), identity: 1, offset, length });
    }
    piece
}

/// Puts `piece`, however long there is no room for it.
fn put(sink: &HttpSink, number: u64, mut piece: HttpPiece) {
    let start = Instant::now();
    while let Err(back) = sink.put(number, piece) {
        assert!(start.elapsed() < LONG, "no room: {:?} {:?}", sink.trouble(), sink.numbers());
        piece = back;
        thread::sleep(Duration::from_millis(1));
    }
}

/// Puts a block of each list of lines, from number 0 on.
fn put_all(sink: &HttpSink, blocks: &[&[&str]]) {
    let mut offset = 0;
    for (number, lines) in (0..).zip(blocks) {
        let lines: Vec<&[u8]> = lines.iter().map(|line| line.as_bytes()).collect();
        let piece = piece(offset, &lines);
        offset += piece.bytes.len() as u64;
        put(sink, number, piece);
    }
}

fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < LONG, "it never was so: {what}");
        thread::sleep(Duration::from_millis(1));
    }
}

fn acknowledged(sink: &HttpSink, number: u64) {
    until("acknowledged", || sink.acknowledged() >= number);
    assert_eq!(sink.acknowledged(), number);
}

/// Lines that are one record each, as blocks of one.
fn numbered(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("record {number:05}")).collect()
}

fn letters(path: &Path) -> Vec<OwnedLetter> {
    let bytes = fs::read(path).unwrap_or_default();
    bytes.split_inclusive(|&byte| byte == b'\n').map(|line| OwnedLetter::decode(line).unwrap()).collect()
}

fn lines_of(letters: &[OwnedLetter]) -> Vec<String> {
    letters.iter().map(|letter| String::from_utf8_lossy(&letter.line).into_owned()).collect()
}

/// A folder, and where its dead letters are.
fn folder() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("dead.ndjson");
    (folder, path)
}

#[test]
fn records_are_delivered_and_acknowledged() {
    let receiver = Receiver::start(|_| Reply::ok());
    let sink = start(&receiver.url(), "", None);
    put_all(&sink, &[&["one", "two"], &[], &["three"]]);
    acknowledged(&sink, 3);
    assert_eq!(receiver.messages(), ["one", "two", "three"]);
    let numbers = sink.numbers();
    assert_eq!((numbers.sent, numbers.refused, numbers.retries, numbers.waiting), (3, 0, 0, 0));
    assert_eq!((sink.trouble(), sink.failure()), (None, None));
    assert_eq!(sink.finish(Instant::now() + LONG), 3);
}

#[test]
fn blocks_without_records_are_acknowledged_at_once() {
    let sink = start("http://127.0.0.1:1", "", None);
    put_all(&sink, &[&[], &[], &[]]);
    acknowledged(&sink, 3);
}

#[test]
fn a_batch_spans_blocks_and_a_block_spans_batches() {
    let receiver = Receiver::start(|_| Reply::ok());
    // A record costs about 100 bytes, so that three make a batch.
    let sink = start(&receiver.url(), "batch_bytes = 300\nbatch_time = '10s'\nconcurrency = 1", None);
    put_all(&sink, &[&["a"], &["b"], &["c", "d", "e", "f", "g"]]);
    until("two batches", || receiver.messages().len() == 6);
    acknowledged(&sink, 2);
    assert_eq!(sink.finish(Instant::now() + LONG), 3, "what waits for company is sent at the end");
    assert_eq!(receiver.messages().concat(), "abcdefg");
    assert_eq!(receiver.batches(), [3, 3, 1]);
}

#[test]
fn the_wake_is_called_when_there_is_news() {
    let receiver = Receiver::start(|_| Reply::ok());
    let (sender, news) = std::sync::mpsc::channel();
    let plan = plan(&receiver.url(), "");
    let sink = HttpSink::start(&plan, "s", None, move || _ = sender.send(())).unwrap();
    put_all(&sink, &[&["one"]]);
    while sink.acknowledged() < 1 {
        news.recv_timeout(LONG).expect("news when it is acknowledged");
    }
}

/// How often each message was delivered.
fn counted(messages: &[String]) -> BTreeMap<&str, usize> {
    let mut counts = BTreeMap::new();
    messages.iter().for_each(|message| *counts.entry(message.as_str()).or_default() += 1);
    counts
}
