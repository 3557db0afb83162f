//! Dead letters: records that failed, one JSON object a line, so that any tool can look at them and [`OwnedLetter::decode`]
//! gives back the exact bytes.
//!
//! Writing is by hand, since a pipeline may fail every record and must then not allocate for each. Reading is left to
//! `serde_json`. Pure: files are opened and written elsewhere.

#[cfg(test)]
mod tests;

use std::{
    ffi::OsString,
    io::Write,
    os::unix::ffi::{OsStrExt, OsStringExt},
    path::{Path, PathBuf},
};

use base64::{Engine, prelude::BASE64_STANDARD};
use jiff::Timestamp;
use serde::Deserialize;

use crate::fault::FaultKind;

/// A record that failed, with all that is needed to find out why and to run it again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Letter<'a> {
    /// When it failed.
    pub time: Timestamp,
    /// The processor that it failed in.
    pub processor: &'a str,
    /// How it failed.
    pub kind: FaultKind,
    /// Why, in words.
    pub reason: &'a str,
    /// The path of its source, `-` for standard input.
    pub source: &'a Path,
    /// Where it begins in its source.
    pub offset: u64,
    /// Its whole length in its source, line end included.
    pub length: u64,
    /// `line` is only its head: it was over the limit, and its rest was never looked at.
    pub truncated: bool,
    /// Its exact bytes without the newline. A CR before that, and a BOM, are part of it.
    pub line: &'a [u8],
}

impl Letter<'_> {
    /// Appends it as one line of JSON.
    ///
    /// Bytes that are not UTF-8 are encoded as Base64, under a name of their own, so that there is no doubt.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"time\":\"");
        append(out, format_args!("{}", self.time));
        out.extend_from_slice(b"\",\"processor\":");
        string(out, self.processor);
        out.extend_from_slice(b",\"kind\":");
        string(out, self.kind.name());
        out.extend_from_slice(b",\"reason\":");
        string(out, self.reason);
        text_or_base64(out, "source", self.source.as_os_str().as_bytes());
        append(out, format_args!(",\"offset\":{},\"length\":{}", self.offset, self.length));
        append(out, format_args!(",\"truncated\":{}", self.truncated));
        text_or_base64(out, "line", self.line);
        out.extend_from_slice(b"}\n");
    }
}

fn append(out: &mut Vec<u8>, arguments: std::fmt::Arguments<'_>) {
    out.write_fmt(arguments).expect("writing to memory does not fail");
}

/// `,"name":"…"`, or `,"name_base64":"…"` where `bytes` are not UTF-8.
pub(crate) fn text_or_base64(out: &mut Vec<u8>, name: &str, bytes: &[u8]) {
    out.extend_from_slice(b",\"");
    out.extend_from_slice(name.as_bytes());
    match std::str::from_utf8(bytes) {
        Ok(text) => {
            out.extend_from_slice(b"\":");
            string(out, text);
        }
        Err(_) => {
            out.extend_from_slice(b"_base64\":\"");
            base64(out, bytes);
            out.push(b'"');
        }
    }
}

fn base64(out: &mut Vec<u8>, bytes: &[u8]) {
    let start = out.len();
    out.resize(start + bytes.len().div_ceil(3) * 4, 0);
    BASE64_STANDARD.encode_slice(bytes, &mut out[start..]).expect("four bytes for every three fit");
}

/// A JSON string: spans that need no escape are copied whole.
pub(crate) fn string(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    let mut rest = text.as_bytes();
    while let Some(position) = first_escape(rest) {
        out.extend_from_slice(&rest[..position]);
        escape(out, rest[position]);
        rest = &rest[position + 1..];
    }
    out.extend_from_slice(rest);
    out.push(b'"');
}

/// Where the first byte stands that needs an escape. Few do: bytes are asked many at once, without a branch for each, which
/// the compiler makes vectors of. (Byte by byte it was 56 % of the thread that posts records.)
fn first_escape(bytes: &[u8]) -> Option<usize> {
    let (chunks, _) = bytes.as_chunks::<32>();
    let is_plain = |chunk: &[u8; 32]| !chunk.iter().fold(false, |found, &byte| found | needs_escape(byte));
    let plain = chunks.iter().take_while(|chunk| is_plain(chunk)).count() * 32;
    bytes[plain..].iter().position(|&byte| needs_escape(byte)).map(|position| plain + position)
}

/// What JSON demands; and DEL, which a terminal would obey.
fn needs_escape(byte: u8) -> bool {
    (byte < b' ') | (byte == b'"') | (byte == b'\\') | (byte == 0x7f)
}

fn escape(out: &mut Vec<u8>, byte: u8) {
    match byte {
        b'"' => out.extend_from_slice(b"\\\""),
        b'\\' => out.extend_from_slice(b"\\\\"),
        b'\t' => out.extend_from_slice(b"\\t"),
        b'\r' => out.extend_from_slice(b"\\r"),
        b'\n' => out.extend_from_slice(b"\\n"),
        _ => append(out, format_args!("\\u{byte:04x}")),
    }
}

/// A dead letter that was read back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnedLetter {
    /// See [`Letter::time`].
    pub time: Timestamp,
    /// See [`Letter::processor`].
    pub processor: String,
    /// See [`Letter::kind`].
    pub kind: FaultKind,
    /// See [`Letter::reason`].
    pub reason: String,
    /// See [`Letter::source`].
    pub source: PathBuf,
    /// See [`Letter::offset`].
    pub offset: u64,
    /// See [`Letter::length`].
    pub length: u64,
    /// See [`Letter::truncated`].
    pub truncated: bool,
    /// See [`Letter::line`].
    pub line: Vec<u8>,
}

/// Why a line is not a dead letter.
#[derive(Debug, thiserror::Error)]
pub enum LetterError {
    /// It is not JSON, or a field is missing or of another type.
    #[error("not a dead letter: {0}")]
    Json(#[from] serde_json::Error),
    /// What should be a time is none.
    #[error("not a time: {0}")]
    Time(#[from] jiff::Error),
    /// A kind of fault that is not known here.
    #[error("unknown kind of fault {0:?}")]
    Kind(String),
    /// What should be Base64 is none.
    #[error("{field}_base64 is not Base64: {error}")]
    Base64 {
        /// The field.
        field: &'static str,
        /// What is wrong with it.
        error: base64::DecodeError,
    },
    /// Neither of two names of a field is there, or both are.
    #[error("there must be either {0} or {0}_base64")]
    EitherOr(&'static str),
}

/// A dead letter as it stands in the file. Fields that are not known are passed over: tools add some.
#[derive(Deserialize)]
struct Wire {
    time: String,
    processor: String,
    kind: String,
    reason: String,
    source: Option<String>,
    source_base64: Option<String>,
    offset: u64,
    length: u64,
    #[serde(default)]
    truncated: bool,
    line: Option<String>,
    line_base64: Option<String>,
}

impl OwnedLetter {
    /// Reads one line; white space around it, a newline too, does not matter.
    ///
    /// # Errors
    ///
    /// If it is not a dead letter.
    pub fn decode(line: &[u8]) -> Result<Self, LetterError> {
        let wire: Wire = serde_json::from_slice(line)?;
        let source = bytes_of("source", wire.source, wire.source_base64)?;
        Ok(Self {
            time: wire.time.parse()?,
            processor: wire.processor,
            kind: kind_of(wire.kind)?,
            reason: wire.reason,
            source: OsString::from_vec(source).into(),
            offset: wire.offset,
            length: wire.length,
            truncated: wire.truncated,
            line: bytes_of("line", wire.line, wire.line_base64)?,
        })
    }

    /// The same, borrowed.
    #[must_use]
    pub fn as_letter(&self) -> Letter<'_> {
        Letter {
            time: self.time,
            processor: &self.processor,
            kind: self.kind,
            reason: &self.reason,
            source: &self.source,
            offset: self.offset,
            length: self.length,
            truncated: self.truncated,
            line: &self.line,
        }
    }
}

fn kind_of(name: String) -> Result<FaultKind, LetterError> {
    FaultKind::ALL.into_iter().find(|kind| kind.name() == name).ok_or(LetterError::Kind(name))
}

fn bytes_of(field: &'static str, text: Option<String>, base64: Option<String>) -> Result<Vec<u8>, LetterError> {
    match (text, base64) {
        (Some(text), None) => Ok(text.into_bytes()),
        (None, Some(base64)) => BASE64_STANDARD.decode(base64).map_err(|error| LetterError::Base64 { field, error }),
        _ => Err(LetterError::EitherOr(field)),
    }
}
