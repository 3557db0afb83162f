//! Bytes of logs as JSON strings, without hiding what a string cannot hold, and without a control character that a
//! terminal would obey.

use std::io;

use base64::{Engine, prelude::BASE64_STANDARD};
use serde::Serialize;
use serde_json::{Serializer, ser::Formatter};

use crate::limits::EXCERPT_BYTES;

/// `value` as JSON on one line, with a newline at its end so that a terminal is not left in the middle of one.
pub(crate) fn to_json(value: &impl Serialize) -> Vec<u8> {
    let mut text = Vec::new();
    // Only maps with keys that are not strings, and failing writers, make this fail; neither can be here.
    value.serialize(&mut Serializer::with_formatter(&mut text, Tame)).expect("our own types serialize");
    text.push(b'\n');
    text
}

/// Compact JSON in which DEL and the C1 controls are escaped too: JSON does not ask for it, but some terminals obey them.
struct Tame;

impl Formatter for Tame {
    fn write_string_fragment<W: ?Sized + io::Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        let mut rest = fragment;
        while let Some(at) = rest.find(|character: char| matches!(character, '\u{7f}'..='\u{9f}')) {
            writer.write_all(&rest.as_bytes()[..at])?;
            let mut characters = rest[at..].chars();
            let code = characters.next().map_or(0, u32::from);
            write!(writer, "\\u{code:04x}")?;
            rest = characters.as_str();
        }
        writer.write_all(rest.as_bytes())
    }
}

/// The head of a record. `line` has U+FFFD where the bytes were not UTF-8, and then `line_base64` has the bytes.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct LineView {
    line: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    line_base64: Option<String>,
    /// Present where the record is longer than what is shown.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    line_cut: bool,
}

impl LineView {
    /// Shows `excerpt`, the head of a record of `length` bytes, line end included.
    pub(super) fn of(excerpt: &[u8], length: u64) -> Self {
        let line_cut = excerpt.len() >= EXCERPT_BYTES && length > excerpt.len() as u64 + 1;
        let bytes = if line_cut { whole_characters(excerpt) } else { excerpt };
        match std::str::from_utf8(bytes) {
            Ok(text) => Self { line: text.to_owned(), line_base64: None, line_cut },
            Err(_) => Self {
                line: String::from_utf8_lossy(bytes).into_owned(),
                line_base64: Some(BASE64_STANDARD.encode(excerpt)),
                line_cut,
            },
        }
    }
}

/// Leaves out a character at the end that our own cut went through: that is no fault of the record.
fn whole_characters(excerpt: &[u8]) -> &[u8] {
    match std::str::from_utf8(excerpt) {
        Err(error) if error.error_len().is_none() => &excerpt[..error.valid_up_to()],
        _ => excerpt,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(bytes: &[u8], length: u64) -> serde_json::Value {
        serde_json::to_value(LineView::of(bytes, length)).expect("serializes")
    }

    #[test]
    fn says_where_it_was_lossy_or_cut() {
        assert_eq!(line(b"plain", 6), serde_json::json!({"line": "plain"}));
        assert_eq!(line(b"a\xffb", 4), serde_json::json!({"line": "a\u{fffd}b", "line_base64": "Yf9i"}));
        assert_eq!(line(b"\xc3", 2), serde_json::json!({"line": "\u{fffd}", "line_base64": "ww=="}));
        assert_eq!(line(b"", 0), serde_json::json!({"line": ""}));
    }

    #[test]
    fn no_control_character_reaches_a_terminal() {
        let hostile = "a\u{1b}[2J\u{7f}\u{9b}31m\u{85}\u{9f}\u{a0}é\"\\";
        let json = to_json(&hostile);
        let text = str::from_utf8(&json).expect("UTF-8").trim_end_matches('\n');
        assert_eq!(text, r#""a\u001b[2J\u007f\u009b31m\u0085\u009f é\"\\""#.replace(' ', "\u{a0}"));
        assert_eq!(serde_json::from_str::<String>(text).expect("JSON"), hostile);
    }

    #[test]
    fn a_cut_through_a_character_is_not_lossy() {
        let mut bytes = vec![b'x'; EXCERPT_BYTES - 1];
        bytes.push(0xc3);
        let shown = "x".repeat(EXCERPT_BYTES - 1);
        assert_eq!(line(&bytes, 10_000), serde_json::json!({"line": shown, "line_cut": true}));
        let exact = vec![b'x'; EXCERPT_BYTES];
        let shown = "x".repeat(EXCERPT_BYTES);
        assert_eq!(line(&exact, EXCERPT_BYTES as u64 + 1), serde_json::json!({"line": shown}));
    }
}
