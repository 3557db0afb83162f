//! Inputs for fuzz targets that are worth their time: bounded numbers, and bytes that look like logs.

pub mod drawn;

use arbitrary::{Arbitrary, Result, Unstructured};
use logweir::Selection;

/// A number from `MIN` to `MAX`. Sizes are bounded here, not in the targets, so that a finding is never a mere big number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounded<const MIN: usize, const MAX: usize>(pub usize);

impl<'a, const MIN: usize, const MAX: usize> Arbitrary<'a> for Bounded<MIN, MAX> {
    fn arbitrary(input: &mut Unstructured<'a>) -> Result<Self> {
        input.int_in_range(MIN..=MAX).map(Self)
    }
}

/// Bytes as logs have them: pieces that splitting and classifying look for, between pieces that are anything.
#[derive(Clone, PartialEq, Eq)]
pub struct LogBytes(pub Vec<u8>);

/// What line ends, heads of files and levels are made of, and what stands next to them.
const PIECES: [&[u8]; 48] = [
    b"\n",
    b"\n",
    b"\n",
    b"\r\n",
    b"\n\n",
    b"\r",
    b"\xef\xbb\xbf",
    b"\0",
    b" ",
    b"_",
    b"-",
    b"[",
    b"]",
    b":",
    b"\"",
    b"=",
    b"{",
    b"}",
    b",",
    b"ERROR",
    b"error",
    b"Error",
    b"WARN",
    b"WARNING",
    b"warn",
    b"INFO",
    b"info",
    b"DEBUG",
    b"NOTICE",
    b"TRACE",
    b"FATAL",
    b"CRITICAL",
    b"SEVERE",
    b"PANIC",
    b"EMERG",
    b"ALERT",
    b"errors",
    b"level",
    b"lvl",
    b"severity",
    b"\"level\":\"error\"",
    b"\"level\":50",
    b"level=warn",
    b"<11>",
    b"<191>",
    b"E0612 10:00:00.1 7 a.go:1]",
    b"12-01 10:00:00.000  7  8 W Tag: ",
    b"\xff\xc3",
];

impl<'a> Arbitrary<'a> for LogBytes {
    fn arbitrary(input: &mut Unstructured<'a>) -> Result<Self> {
        let mut bytes = Vec::new();
        while !input.is_empty() {
            let choice = usize::from(input.arbitrary::<u8>()?);
            match PIECES.get(choice) {
                Some(piece) => bytes.extend_from_slice(piece),
                None if choice < 128 => bytes.push(b'a' + (choice % 26) as u8),
                None if choice < 250 => bytes.push(input.arbitrary()?),
                // A long record, now and then.
                None => bytes.resize(bytes.len() + input.int_in_range(0..=300)?, b'x'),
            }
        }
        Ok(Self(bytes))
    }
}

impl std::fmt::Debug for LogBytes {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "LogBytes(b\"{}\")", self.0.escape_ascii())
    }
}

/// The records of `list`, of `records` there are, as a worker hands them to a processor: the first ones in a call of
/// their own, and the others in another one.
pub fn portions(list: &[u32], first: usize, records: u32) -> [Selection<'_>; 2] {
    let (first, rest) = list.split_at(first.min(list.len()));
    if list.len() as u32 == records {
        let middle = first.len() as u32;
        return [Selection::Range(0, middle), Selection::Range(middle, records)];
    }
    [Selection::List(first), Selection::List(rest)]
}

/// Text as configurations have it: keys, names and signs in any order, with some noise.
#[derive(Clone, PartialEq, Eq)]
pub struct TomlText(pub String);

/// What configurations are made of. Names of kinds, outputs and processors are among them.
const TOML_PIECES: [&str; 64] = [
    "[[processor]]\n",
    "[[processor]]\nid = 'a'\nkind = 'pass'\n",
    "[[processor]]\nid = 'b'\nkind = 'level'\n",
    "[[processor]]\nid = 'c'\nkind = 'match'\n",
    "[[processor]]\nid = 'd'\nkind = 'delay'\nms = 1\n",
    "[[sink]]\n",
    "[[sink]]\nid = 's'\nfrom = 'a'\nkind = 'stdout'\n",
    "[processor]\n",
    "[[",
    "]]",
    "[",
    "]",
    "{",
    "}",
    "=",
    " = ",
    ",",
    ".",
    "\n",
    "\r\n",
    "#",
    "'",
    "\"",
    "'''",
    "\"\"\"",
    "\\",
    "\\u0000",
    "\u{1b}[31m",
    "\u{202e}",
    "\u{feff}",
    "ä",
    "id",
    "kind",
    "to",
    "on_error",
    "from",
    "path",
    "existing",
    "dead_letters",
    "any",
    "all",
    "not",
    "regex",
    "literal",
    "ignore_case",
    "ms",
    "matching",
    "message",
    "'a'",
    "'b'",
    "'a.out'",
    "'error'",
    "'drop'",
    "'stop'",
    "'dead_letter'",
    "'match'",
    "'level'",
    "'file'",
    "['a', 'b']",
    "{ error = 'a' }",
    "'(a|b)*'",
    "'[a-'",
    "1e400",
    "true",
];

impl<'a> Arbitrary<'a> for TomlText {
    fn arbitrary(input: &mut Unstructured<'a>) -> Result<Self> {
        let mut text = String::new();
        while !input.is_empty() {
            match usize::from(input.arbitrary::<u8>()?) {
                choice @ ..128 => text.push_str(TOML_PIECES[choice % TOML_PIECES.len()]),
                choice @ ..192 => text.push(char::from(choice as u8 - 96)),
                choice @ ..224 => text.push(char::from(b'0' + choice as u8 % 10)),
                _ => text.push(input.arbitrary()?),
            }
        }
        Ok(Self(text))
    }
}

impl std::fmt::Debug for TomlText {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{:?}", self.0)
    }
}
