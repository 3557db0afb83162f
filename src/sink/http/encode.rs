//! Makes bodies of records. By hand, like dead letters, since every record passes here.
//!
//! Text that is not UTF-8 goes as Base64, under a name of its own (`message_base64`, `source_base64`), as in a dead
//! letter; Loki, whose lines have no names, gets the line `{"message_base64":"…"}` then.

use std::{
    collections::HashMap,
    io::{self, Write},
    os::unix::ffi::OsStrExt,
    path::Path,
};

use flate2::{Compression, write::GzEncoder};
use jiff::Timestamp;
use xxhash_rust::xxh3::Xxh3;

use super::batch::Item;
use crate::{
    letter::{string, text_or_base64},
    pipeline::{HttpFormat, HttpPlan},
};

const NS_PER_MS: i64 = 1_000_000;

/// The body for `items`, compressed if that is wanted.
pub(super) fn body(plan: &HttpPlan, items: &[Item]) -> Vec<u8> {
    let plain = plain(plan, items);
    if plan.gzip { compressed(&plain).expect("writing to memory does not fail") } else { plain }
}

/// What the body is, as its header says it.
pub(super) fn content_type(format: HttpFormat) -> &'static str {
    match format {
        HttpFormat::Ndjson | HttpFormat::Elasticsearch => "application/x-ndjson",
        HttpFormat::Loki => "application/json",
    }
}

fn compressed(plain: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(plain.len() / 4), Compression::fast());
    encoder.write_all(plain)?;
    encoder.finish()
}

fn plain(plan: &HttpPlan, items: &[Item]) -> Vec<u8> {
    let mut out = Vec::with_capacity(items.iter().map(|item| item.cost(plan.format)).sum());
    match plan.format {
        HttpFormat::Ndjson => lines(items, &mut out, "time", |_, _| {}),
        HttpFormat::Elasticsearch => lines(items, &mut out, "@timestamp", |item, out| action(&plan.index, item, out)),
        HttpFormat::Loki => push(&plan.labels, items, &mut out),
    }
    out
}

/// A line for each of `items`, and before it what `before` appends.
fn lines(items: &[Item], out: &mut Vec<u8>, time_name: &str, mut before: impl FnMut(&Item, &mut Vec<u8>)) {
    let mut clock = Clock::default();
    for item in items {
        before(item, out);
        out.extend_from_slice(b"{\"");
        out.extend_from_slice(time_name.as_bytes());
        out.extend_from_slice(b"\":\"");
        out.extend_from_slice(clock.text(item.time));
        out.push(b'"');
        text_or_base64(out, "message", item.line());
        text_or_base64(out, "source", item.source().as_os_str().as_bytes());
        append(out, format_args!(",\"offset\":{}", item.record().offset));
        if item.is_cut() {
            append(out, format_args!(",\"truncated\":true,\"length\":{}", item.record().length));
        }
        out.extend_from_slice(b"}\n");
    }
}

fn append(out: &mut Vec<u8>, arguments: std::fmt::Arguments<'_>) {
    out.write_fmt(arguments).expect("writing to memory does not fail");
}

/// Times as text, to the millisecond; most records have that of the one before.
#[derive(Default)]
struct Clock {
    milliseconds: Option<i64>,
    text: Vec<u8>,
}

impl Clock {
    fn text(&mut self, nanoseconds: i64) -> &[u8] {
        let milliseconds = nanoseconds.div_euclid(NS_PER_MS);
        if self.milliseconds != Some(milliseconds) {
            self.milliseconds = Some(milliseconds);
            let time = Timestamp::from_millisecond(milliseconds).unwrap_or_default();
            self.text = format!("{time:.3}").into_bytes();
        }
        &self.text
    }
}

/// That the next line is to be created unless it is there already.
fn action(index: &str, item: &Item, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"create\":{\"_index\":");
    string(out, index);
    append(out, format_args!(",\"_id\":\"{:032x}\"}}}}\n", id(item)));
}

/// The same for the same record in the same place, whenever it is sent. The bytes of the record are part of it: a file
/// that was rotated has others in the same place.
fn id(item: &Item) -> u128 {
    let record = item.record();
    let source = item.source().as_os_str().as_bytes();
    let mut hash = Xxh3::new();
    for number in [source.len() as u64, record.identity, record.offset, record.length] {
        hash.update(&number.to_le_bytes());
    }
    hash.update(source);
    hash.update(item.line());
    hash.digest128()
}

/// Streams, one a source, in the order in which the sources come.
fn push(labels: &[(String, String)], items: &[Item], out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"streams\":[");
    for (number, (source, items)) in by_source(items).into_iter().enumerate() {
        if number > 0 {
            out.push(b',');
        }
        out.extend_from_slice(b"{\"stream\":{");
        for (name, value) in labels {
            string(out, name);
            out.push(b':');
            string(out, value);
            out.push(b',');
        }
        // It begins with a comma, which is there already or must not be.
        let start = out.len();
        text_or_base64(out, "source", source.as_os_str().as_bytes());
        out.remove(start);
        out.extend_from_slice(b"},\"values\":[");
        values(&items, out);
        out.extend_from_slice(b"]}");
    }
    out.extend_from_slice(b"]}");
}

fn values(items: &[&Item], out: &mut Vec<u8>) {
    for (number, item) in items.iter().enumerate() {
        if number > 0 {
            out.push(b',');
        }
        append(out, format_args!("[\"{}\",", item.time));
        match std::str::from_utf8(item.line()) {
            Ok(text) => string(out, text),
            Err(_) => {
                let mut line = Vec::new();
                text_or_base64(&mut line, "message", item.line());
                line[0] = b'{';
                line.push(b'}');
                string(out, std::str::from_utf8(&line).expect("Base64 is text"));
            }
        }
        out.push(b']');
    }
}

fn by_source(items: &[Item]) -> Vec<(&Path, Vec<&Item>)> {
    let mut streams: Vec<(&Path, Vec<&Item>)> = Vec::new();
    let mut places: HashMap<&Path, usize> = HashMap::new();
    let mut last = None;
    for item in items {
        let place = match last {
            Some((path, place)) if std::ptr::eq(path, item.source()) => place,
            _ => *places.entry(item.source()).or_insert_with(|| {
                streams.push((item.source(), Vec::new()));
                streams.len() - 1
            }),
        };
        last = Some((item.source(), place));
        streams[place].1.push(item);
    }
    streams
}
