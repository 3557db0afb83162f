//! Dead letters: what is written by hand is what serde_json reads; what was written is read back; nothing panics.
#![no_main]

use std::{ffi::OsStr, os::unix::ffi::OsStrExt, path::Path, str};

use arbitrary::Arbitrary;
use base64::{Engine, prelude::BASE64_STANDARD};
use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;
use logweir::{Letter, OwnedLetter, snapshot::FaultKind};
use serde_json::{Map, Value, json};

#[derive(Debug, Arbitrary)]
enum Input<'a> {
    Written(Fields<'a>),
    /// A file that somebody else wrote.
    Read(&'a [u8]),
    /// A file that was damaged.
    Damaged(Fields<'a>, u16, u8),
}

#[derive(Debug, Arbitrary)]
struct Fields<'a> {
    second: i64,
    nanosecond: i32,
    processor: &'a str,
    kind: u8,
    reason: &'a str,
    source: &'a [u8],
    offset: u64,
    length: u64,
    truncated: bool,
    line: &'a [u8],
}

impl Fields<'_> {
    fn letter(&self) -> Letter<'_> {
        Letter {
            time: Timestamp::new(self.second, self.nanosecond).unwrap_or(Timestamp::UNIX_EPOCH),
            processor: self.processor,
            kind: FaultKind::ALL[usize::from(self.kind) % FaultKind::ALL.len()],
            reason: self.reason,
            source: Path::new(OsStr::from_bytes(self.source)),
            offset: self.offset,
            length: self.length,
            truncated: self.truncated,
            line: self.line,
        }
    }
}

fuzz_target!(|input: Input<'_>| match input {
    Input::Written(fields) => check_written(&fields.letter()),
    Input::Read(bytes) => check_read(bytes),
    Input::Damaged(fields, position, byte) => {
        let mut line = encoded(&fields.letter());
        let position = usize::from(position) % line.len();
        line[position] = byte;
        check_read(&line);
    }
});

fn encoded(letter: &Letter<'_>) -> Vec<u8> {
    let mut line = Vec::new();
    letter.encode(&mut line);
    line
}

fn check_written(letter: &Letter<'_>) {
    let line = encoded(letter);
    assert_eq!(line.iter().position(|&byte| byte == b'\n'), Some(line.len() - 1), "one line");
    assert_eq!(serde_json::from_slice::<Value>(&line).expect("JSON"), twin(letter));
    assert_eq!(OwnedLetter::decode(&line).expect("a letter").as_letter(), *letter);
}

/// Whatever is accepted survives being written again.
fn check_read(bytes: &[u8]) {
    if let Ok(letter) = OwnedLetter::decode(bytes) {
        check_written(&letter.as_letter());
    }
}

/// The same letter, put together by serde_json.
fn twin(letter: &Letter<'_>) -> Value {
    let mut fields = Map::new();
    fields.insert("time".into(), json!(letter.time.to_string()));
    fields.insert("processor".into(), json!(letter.processor));
    fields.insert("kind".into(), json!(letter.kind.name()));
    fields.insert("reason".into(), json!(letter.reason));
    fields.insert("offset".into(), json!(letter.offset));
    fields.insert("length".into(), json!(letter.length));
    fields.insert("truncated".into(), json!(letter.truncated));
    for (name, bytes) in [("source", letter.source.as_os_str().as_bytes()), ("line", letter.line)] {
        match str::from_utf8(bytes) {
            Ok(text) => fields.insert(name.into(), json!(text)),
            Err(_) => fields.insert(format!("{name}_base64"), json!(BASE64_STANDARD.encode(bytes))),
        };
    }
    Value::Object(fields)
}
