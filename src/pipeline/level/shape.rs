//! Shapes that prove themselves at a record's head, and the level that they name.

use super::Level::{self, Error, Other, Warn};
use super::word;

/// The names of a level field.
const FIELDS: [&[u8]; 5] = [b"level", b"severity", b"lvl", b"levelname", b"log.level"];

/// The level that the shape of `record` names, if it has one of the shapes and names one.
#[inline]
pub(super) fn level(record: &[u8]) -> Option<Level> {
    match *record.first()? {
        b'0'..=b'9' => logcat(record),
        b'<' => syslog(record),
        b'{' | b' ' | b'\t' => json(record.trim_ascii_start()),
        b'I' | b'W' | b'E' | b'F' if record.get(1).is_some_and(u8::is_ascii_digit) => glog(record),
        b'A'..=b'Z' | b'a'..=b'z' | b'_' | b'@' if begins_with_pair(record) => logfmt(record),
        _ => None,
    }
}

/// True when `text` has `pattern`'s shape: `0` stands for a digit, all else for itself.
#[inline]
fn has_shape(text: &[u8], pattern: &[u8]) -> bool {
    text.len() >= pattern.len()
        && pattern.iter().zip(text).all(|(&expected, &byte)| match expected {
            b'0' => byte.is_ascii_digit(),
            _ => byte == expected,
        })
}

/// Android's logcat, format `threadtime`: `03-17 16:13:38.811  1702  2395 D WindowManager: …`.
#[inline]
fn logcat(record: &[u8]) -> Option<Level> {
    // The dash tells nearly all other logs apart.
    if record.get(2) != Some(&b'-') || !has_shape(record, b"00-00 00:00:00.000 ") {
        return None;
    }
    let rest = skip_number(skip_number(&record[18..])?)?.trim_ascii_start();
    match (rest.first()?, rest.get(1)?) {
        (b'E' | b'F' | b'A', b' ') => Some(Error),
        (b'W', b' ') => Some(Warn),
        (b'V' | b'D' | b'I' | b'S', b' ') => Some(Other),
        _ => None,
    }
}

/// What follows spaces and a number; `None` if there is no number, or no space behind it.
fn skip_number(text: &[u8]) -> Option<&[u8]> {
    let text = text.trim_ascii_start();
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    (digits > 0 && text.get(digits) == Some(&b' ')).then(|| &text[digits..])
}

/// glog and klog: `E0612 10:00:00.000000    1 file.go:12] …`.
fn glog(record: &[u8]) -> Option<Level> {
    if !has_shape(&record[1..], b"0000 00:00:00") {
        return None;
    }
    Some(match record[0] {
        b'E' | b'F' => Error,
        b'W' => Warn,
        _ => Other,
    })
}

/// Syslog (RFC 3164 and RFC 5424): `<PRI>` is eight times the facility plus the severity.
fn syslog(record: &[u8]) -> Option<Level> {
    let digits = record[1..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    if !(1..=3).contains(&digits) || record.get(1 + digits) != Some(&b'>') {
        return None;
    }
    let priority = record[1..=digits].iter().fold(0, |number, digit| number * 10 + u32::from(digit - b'0'));
    match (priority, priority % 8) {
        (192.., _) => None,
        (_, 0..=3) => Some(Error),
        (_, 4) => Some(Warn),
        _ => Some(Other),
    }
}

/// True when the record begins with `key=`: then it is taken for logfmt.
#[inline]
fn begins_with_pair(record: &[u8]) -> bool {
    let is_key = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-' | b'@');
    let length = record.iter().take(64).take_while(|byte| is_key(byte)).count();
    record.get(length) == Some(&b'=')
}

/// logfmt: `time=… level=error msg="…"`. A level field inside a quoted value is none.
fn logfmt(record: &[u8]) -> Option<Level> {
    let mut rest = record;
    loop {
        rest = rest.trim_ascii_start();
        let key_end = rest.iter().position(|&byte| matches!(byte, b'=' | b' '))?;
        let (key, tail) = rest.split_at(key_end);
        if tail[0] == b' ' {
            rest = tail;
            continue;
        }
        let (value, tail) = logfmt_value(&tail[1..]);
        if FIELDS.contains(&key) {
            return field_level(value);
        }
        rest = tail;
    }
}

/// A value, without its quotes, and what follows it.
fn logfmt_value(text: &[u8]) -> (&[u8], &[u8]) {
    if text.first() == Some(&b'"') {
        let end = string_end(&text[1..]).unwrap_or(text.len() - 1);
        return (&text[1..=end], text.get(end + 2..).unwrap_or(&[]));
    }
    let end = memchr::memchr(b' ', text).unwrap_or(text.len());
    text.split_at(end)
}

/// Where the quote stands that ends a string whose inside `text` begins with; a backslash hides the byte behind it.
fn string_end(text: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        at += memchr::memchr2(b'"', b'\\', text.get(at..)?)?;
        if text[at] == b'"' {
            return Some(at);
        }
        at += 2;
    }
}

/// A JSON object: the first of its own members that is a level field. Members of inner objects are not looked at.
fn json(record: &[u8]) -> Option<Level> {
    let mut rest = record.strip_prefix(b"{")?;
    loop {
        rest = rest.trim_ascii_start().strip_prefix(b"\"")?;
        let end = string_end(rest)?;
        let key = &rest[..end];
        rest = rest[end + 1..].trim_ascii_start().strip_prefix(b":")?.trim_ascii_start();
        if FIELDS.contains(&key) {
            return field_level(json_scalar(rest)?);
        }
        rest = skip_json_value(rest)?.trim_ascii_start().strip_prefix(b",")?;
    }
}

/// The inside of a string, or the bytes of a number or word.
fn json_scalar(text: &[u8]) -> Option<&[u8]> {
    if let Some(inside) = text.strip_prefix(b"\"") {
        return Some(&inside[..string_end(inside)?]);
    }
    let end = text.iter().position(|byte| matches!(byte, b',' | b'}' | b' ' | b'\t' | b'\r' | b'[' | b'{'));
    Some(&text[..end.unwrap_or(text.len())])
}

/// What follows the value that `text` begins with.
fn skip_json_value(text: &[u8]) -> Option<&[u8]> {
    let mut depth = 0u32;
    let mut at = 0;
    loop {
        match *text.get(at)? {
            b'"' => at += 1 + string_end(&text[at + 1..])?,
            b'{' | b'[' => depth += 1,
            b'}' | b']' if depth == 0 => return Some(&text[at..]),
            b'}' | b']' => depth -= 1,
            b',' if depth == 0 => return Some(&text[at..]),
            _ => {}
        }
        at += 1;
    }
}

/// The level that a field's value names: a word, or a number as bunyan and pino write it (40 warn, 50 error, 60 fatal).
fn field_level(value: &[u8]) -> Option<Level> {
    if value.is_empty() || value.len() > 9 || !value.iter().all(u8::is_ascii_digit) {
        return word::of_value(value);
    }
    match value.iter().fold(0u32, |number, digit| number * 10 + u32::from(digit - b'0')) {
        50.. => Some(Error),
        40..=49 => Some(Warn),
        _ => Some(Other),
    }
}
