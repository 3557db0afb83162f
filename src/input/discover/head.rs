//! What the first bytes of a file say about it: text in UTF-16, compressed, binary. Pure; reading is done elsewhere.

use std::path::Path;

/// Enough bytes to know every encoding and compression that is known here.
pub(crate) const MAGIC_BYTES: usize = 16;

/// What a head says, beyond "these are lines".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Head {
    /// Lines, as far as can be seen.
    Plain,
    /// Text whose lines do not end in a single byte.
    Wide(&'static str),
    /// Compressed: what with, and the program that prints it.
    Compressed(&'static str, &'static str),
    /// There is a NUL in it.
    Binary,
}

impl Head {
    /// Judges the first bytes of a source.
    pub(crate) fn of(bytes: &[u8]) -> Self {
        if let Some(encoding) = wide_encoding(bytes) {
            return Self::Wide(encoding);
        }
        if let Some((name, program)) = compression(bytes) {
            return Self::Compressed(name, program);
        }
        if memchr::memchr(0, bytes).is_some() { Self::Binary } else { Self::Plain }
    }

    /// Why a source at `path` that begins like this cannot be read as it is, and what to do instead.
    pub(crate) fn refusal(self, path: &Path) -> Option<String> {
        match self {
            Self::Plain | Self::Binary => None,
            Self::Wide(encoding) => Some(format!(
                "text in {encoding}, which is not read as it is; convert it: iconv -f {encoding} -t UTF-8 {} | logweir \
                 run -",
                quoted(path)
            )),
            Self::Compressed(name, program) => Some(format!(
                "compressed with {name}, which is not read as it is; unpack it: {program} {} | logweir run -",
                quoted(path)
            )),
        }
    }
}

/// A name as it is given to a shell: whoever copies the command must not run what stands in the name.
fn quoted(path: &Path) -> String {
    let name = path.to_string_lossy();
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-+,:@%".contains(&byte);
    if name.bytes().all(is_plain) { name.into_owned() } else { format!("'{}'", name.replace('\'', r"'\''")) }
}

/// Tells an encoding from its byte order mark. The longer marks come first: UTF-16LE's is a prefix of UTF-32LE's.
fn wide_encoding(bytes: &[u8]) -> Option<&'static str> {
    // With a mark, iconv's UTF-16 and UTF-32 find out the byte order and drop the mark.
    const MARKS: [(&[u8], &str); 4] =
        [(b"\xff\xfe\0\0", "UTF-32"), (b"\0\0\xfe\xff", "UTF-32"), (b"\xff\xfe", "UTF-16"), (b"\xfe\xff", "UTF-16")];
    MARKS.iter().find(|(mark, _)| bytes.starts_with(mark)).map(|&(_, name)| name)
}

fn compression(bytes: &[u8]) -> Option<(&'static str, &'static str)> {
    const MAGICS: [(&[u8], &str, &str); 4] = [
        (b"\x1f\x8b", "gzip", "zcat"),
        (b"\x28\xb5\x2f\xfd", "zstd", "zstdcat"),
        (b"\xfd7zXZ\0", "xz", "xzcat"),
        (b"\x04\x22\x4d\x18", "lz4", "lz4cat"),
    ];
    if is_bzip2(bytes) {
        return Some(("bzip2", "bzcat"));
    }
    MAGICS.iter().find(|(magic, ..)| bytes.starts_with(magic)).map(|&(_, name, program)| (name, program))
}

/// `BZh9` alone could begin a line of text, so the magic of the first block (or of an empty stream's end) is asked for.
fn is_bzip2(bytes: &[u8]) -> bool {
    bytes.len() >= 10
        && bytes.starts_with(b"BZh")
        && bytes[3].is_ascii_digit()
        && [b"\x31\x41\x59\x26\x53\x59", b"\x17\x72\x45\x38\x50\x90"].iter().any(|block| bytes[4..].starts_with(*block))
}
