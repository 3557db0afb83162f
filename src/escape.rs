//! Bytes from strangers, made safe to show on a terminal.
//!
//! A log line may hold anything: sequences that move the cursor or retitle the window, characters that reverse the order
//! of what is read, bytes that are no text at all. What is shown here is always valid UTF-8 without a control character,
//! and everything that would be invisible is visible. It is for reading: a line that holds the four characters `\x1b`
//! looks the same as one that holds the byte. Exact bytes are what dead letters and pipes are for.

use std::fmt::{self, Display, Write as _};

use unicode_width::UnicodeWidthChar;

/// What stands for the part that did not fit.
const ELLIPSIS: char = '…';

/// All of `bytes`, with everything unsafe or invisible as an escape. Tabs and line ends are escaped too.
#[must_use]
pub fn escape(bytes: &[u8]) -> String {
    pieces(bytes).fold(String::with_capacity(bytes.len()), |mut text, piece| {
        piece.append_to(&mut text);
        text
    })
}

/// As much of [`escape`] as fits `columns` columns of a terminal, with an ellipsis at the end if that is not all.
///
/// Reads no more of `bytes` than it shows, however long they are.
#[must_use]
pub fn escape_within(bytes: &[u8], columns: usize) -> String {
    let mut text = String::new();
    // The end and width of what can stay if an ellipsis must follow.
    let (mut width, mut kept) = (0, 0);
    for piece in pieces(bytes) {
        width += piece.columns();
        if width > columns || text.len() > bytes_shown_max(columns) {
            text.truncate(kept);
            if columns > 0 {
                text.push(ELLIPSIS);
            }
            return text;
        }
        piece.append_to(&mut text);
        if width < columns {
            kept = text.len();
        }
    }
    text
}

/// The end of `text`, which is printable, in at most `columns_max` columns: of a path, the end tells more.
pub(crate) fn end_within(text: &str, columns_max: usize) -> String {
    let mut left = columns_max;
    if columns(text) <= left {
        return text.to_owned();
    }
    left = left.saturating_sub(1);
    let fitting = text.char_indices().rev().take_while(|(_, c)| {
        let width = c.width().unwrap_or(0);
        let fits = width <= left;
        left = left.saturating_sub(width);
        fits
    });
    let start = fitting.last().map_or(text.len(), |(at, _)| at);
    format!("{ELLIPSIS}{}", &text[start..])
}

/// Marks that take no column of their own could make a text of no width endless.
fn bytes_shown_max(columns: usize) -> usize {
    columns.saturating_mul(16)
}

/// The columns that `text` takes on a terminal, where nothing in it is a control character.
#[must_use]
pub(crate) fn columns(text: &str) -> usize {
    text.chars().map(|c| c.width().unwrap_or(0)).sum()
}

/// Appends one record to what goes to a terminal: control characters and invalid bytes as escapes, other text and tabs
/// as they are, and the line end, if it has one, kept.
pub fn escape_line_into(line: &[u8], out: &mut Vec<u8>) {
    let content = line.strip_suffix(b"\n").unwrap_or(line);
    let content = if content.len() < line.len() { content.strip_suffix(b"\r").unwrap_or(content) } else { content };
    if content.iter().all(|&byte| byte == b'\t' || matches!(byte, b' '..=b'~')) {
        out.extend_from_slice(line);
        return;
    }
    let mut text = String::with_capacity(content.len());
    for piece in pieces(content) {
        match piece {
            // Whoever prints records wants their text; only what can act on the terminal is kept from it.
            Piece::Char(c) | Piece::Invisible(c) if c == '\t' || !c.is_control() => text.push(c),
            _ => piece.append_to(&mut text),
        }
    }
    out.extend_from_slice(text.as_bytes());
    out.extend_from_slice(&line[content.len()..]);
}

/// One step of what is shown.
#[derive(Debug, Clone, Copy)]
enum Piece {
    /// Shown as it is.
    Char(char),
    /// A character that acts on a terminal, misleads a reader, or cannot be seen.
    Invisible(char),
    /// A byte that is not text.
    Byte(u8),
}

fn pieces(bytes: &[u8]) -> impl Iterator<Item = Piece> {
    bytes.utf8_chunks().flat_map(|chunk| {
        let text = chunk.valid().chars().map(|c| if is_invisible(c) { Piece::Invisible(c) } else { Piece::Char(c) });
        text.chain(chunk.invalid().iter().map(|&byte| Piece::Byte(byte)))
    })
}

impl Piece {
    fn append_to(self, text: &mut String) {
        match self {
            Self::Char(c) => text.push(c),
            // Writing to a string cannot fail.
            escaped => _ = write!(text, "{escaped}"),
        }
    }

    fn columns(self) -> usize {
        match self {
            Self::Char(c) => c.width().unwrap_or(0),
            Self::Invisible('\t' | '\n' | '\r') => 2,
            Self::Invisible(c) if c.is_ascii() => 4,
            Self::Invisible(c) => "\\u{}".len() + (c as u32).ilog(16) as usize + 1,
            Self::Byte(_) => 4,
        }
    }
}

impl Display for Piece {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Char(c) => f.write_char(c),
            Self::Invisible('\t') => f.write_str("\\t"),
            Self::Invisible('\n') => f.write_str("\\n"),
            Self::Invisible('\r') => f.write_str("\\r"),
            Self::Invisible(c) if c.is_ascii() => write!(f, "\\x{:02x}", c as u32),
            Self::Invisible(c) => write!(f, "\\u{{{:x}}}", c as u32),
            Self::Byte(byte) => write!(f, "\\x{byte:02x}"),
        }
    }
}

/// Controls, bidirectional controls, and everything else that takes part in a text without being seen: Unicode's
/// `Default_Ignorable_Code_Point`, the line and paragraph separators, and interlinear annotation.
fn is_invisible(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}' | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    fn line(bytes: &[u8]) -> String {
        let mut out = Vec::new();
        escape_line_into(bytes, &mut out);
        String::from_utf8(out).expect("the output is text")
    }

    #[test]
    fn nothing_that_acts_gets_through() {
        let cases: [(&[u8], &str); 10] = [
            (b"plain \xc3\xa9\xe2\x82\xac", "plain é€"),
            (b"\x1b]0;owned\x07\x1b[2J", r"\x1b]0;owned\x07\x1b[2J"),
            (b"a\tb\r\n\0\x7f", r"a\tb\r\n\x00\x7f"),
            (b"\x9b31m raw", r"\x9b31m raw"),
            ("\u{9b}31m coded".as_bytes(), r"\u{9b}31m coded"),
            ("\u{202e}txt.exe\u{2066}".as_bytes(), r"\u{202e}txt.exe\u{2066}"),
            ("a\u{200b}b\u{feff}".as_bytes(), r"a\u{200b}b\u{feff}"),
            ("\u{e0041}".as_bytes(), r"\u{e0041}"),
            (b"\xff\xc3", r"\xff\xc3"),
            (b"", ""),
        ];
        for (bytes, shown) in cases {
            assert_eq!(escape(bytes), shown);
        }
    }

    #[test]
    fn what_is_cut_says_so() {
        let cases: [(&[u8], usize, &str); 9] = [
            (b"abcdef", 6, "abcdef"),
            (b"abcdef", 5, "abcd…"),
            (b"abcdef", 1, "…"),
            (b"abcdef", 0, ""),
            (b"ab\x1bcd", 6, r"ab…"),
            (b"ab\x1bcd", 7, r"ab\x1b…"),
            ("日本語".as_bytes(), 6, "日本語"),
            ("日本語".as_bytes(), 5, "日本…"),
            ("日本語".as_bytes(), 4, "日…"),
        ];
        for (bytes, columns, shown) in cases {
            assert_eq!(escape_within(bytes, columns), shown, "{columns}");
        }
    }

    #[test]
    fn the_end_of_a_path_is_kept() {
        let cases = [("/var/log/a.log", 14, "/var/log/a.log"), ("/var/log/a.log", 7, "…/a.log"), ("日本語", 4, "…語")];
        for (path, width, shown) in cases {
            assert_eq!(end_within(path, width), shown);
        }
    }

    #[test]
    fn marks_without_width_are_bounded() {
        let zalgo = "\u{301}".repeat(1_000_000);
        assert!(escape_within(zalgo.as_bytes(), 10).len() < 200);
    }

    #[test]
    fn lines_keep_their_text_and_their_end() {
        let cases: [(&[u8], &str); 8] = [
            (b"plain\ttext\n", "plain\ttext\n"),
            (b"dos\r\n", "dos\r\n"),
            (b"over\rwritten\n", "over\\rwritten\n"),
            (b"bare\r", "bare\\r"),
            (b"\x1b[31mred\x1b[0m", "\\x1b[31mred\\x1b[0m"),
            ("é\u{9b}é\u{200d}\t\n".as_bytes(), "é\\u{9b}é\u{200d}\t\n"),
            (b"two\nlines\n", "two\\nlines\n"),
            (b"\n", "\n"),
        ];
        for (bytes, shown) in cases {
            assert_eq!(line(bytes), shown);
        }
    }

    /// Bytes that are often, but not always, text, and often nasty.
    fn nasty() -> impl Strategy<Value = Vec<u8>> {
        let piece = prop_oneof![
            vec(any::<u8>(), 0..8),
            any::<char>().prop_map(|c| c.to_string().into_bytes()),
            "[ -~]{0,12}".prop_map(String::into_bytes),
            Just("\u{202e}".into()),
            Just(b"\x1b[".to_vec()),
        ];
        vec(piece, 0..12).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn output_is_printable(bytes in nasty()) {
            prop_assert!(!escape(&bytes).contains(is_invisible));
        }

        #[test]
        fn output_fits(bytes in nasty(), width in 0_usize..40) {
            let (whole, shown) = (escape(&bytes), escape_within(&bytes, width));
            prop_assert!(columns(&shown) <= width, "{shown:?}");
            prop_assert!(!shown.contains(is_invisible));
            if columns(&whole) <= width && whole.len() <= bytes_shown_max(width) {
                prop_assert_eq!(whole, shown);
            }
        }

        #[test]
        fn widths_are_what_is_written(bytes in nasty()) {
            let told: usize = pieces(&bytes).map(Piece::columns).sum();
            prop_assert_eq!(told, columns(&escape(&bytes)));
        }

        #[test]
        fn lines_hold_no_control_but_tab_and_end(bytes in nasty()) {
            let shown = line(&bytes);
            let content = shown.strip_suffix("\r\n").or(shown.strip_suffix('\n')).unwrap_or(&shown);
            prop_assert!(!content.contains(|c: char| c.is_control() && c != '\t'), "{content:?}");
            prop_assert_eq!(shown.ends_with('\n'), bytes.ends_with(b"\n"));
        }
    }
}
