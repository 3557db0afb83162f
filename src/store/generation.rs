//! One generation of a checkpoint as bytes: a line that says what follows and proves it, then JSON. Pure.
//!
//! ```text
//! logweir-checkpoint version=1 generation=42 bytes=1234 xxh3=00d1f2…
//! {"saved":"2026-…",…}
//! ```
//!
//! The hash is of the JSON, seeded with the generation's number, so that it proves this too. A line that says the same
//! in other words is not believed: nobody but logweir writes these files.

use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::checkpoint::Checkpoint;

/// What a file of ours begins with.
const MAGIC: &str = "logweir-checkpoint";
/// The only format so far.
const VERSION: u64 = 1;
/// The longest header: its words, and four numbers of twenty digits.
const HEADER_BYTES_MAX: usize = 160;
/// Nobody saves so often: a larger number is no number of ours, and counting on from it would come to an end.
const NUMBER_MAX: u64 = 1 << 60;

/// A checkpoint, and how many were begun before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Generation {
    /// Counts up from 1, failed attempts included.
    pub number: u64,
    /// What was saved.
    pub checkpoint: Checkpoint,
}

/// Why a file is not believed to hold a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unbelievable {
    /// It has no bytes.
    #[error("it is empty")]
    Empty,
    /// What a power cut leaves on some file systems.
    #[error("it is nothing but NUL bytes")]
    Nul,
    /// It begins with something else.
    #[error("it is no checkpoint of logweir")]
    Foreign,
    /// A later version's format.
    #[error("it was made by a newer logweir (its format is {0}, this one knows {VERSION})")]
    Newer(u64),
    /// A format that there never was, or a first line that logweir does not write.
    #[error("its first line is damaged")]
    Header,
    /// Bytes are missing, or there are more.
    #[error("it is {found} bytes long where it should be {said}")]
    Length {
        /// What it says.
        said: u64,
        /// What there is.
        found: u64,
    },
    /// Some bytes are others.
    #[error("its checksum is wrong")]
    Hash,
    /// What it holds is no checkpoint.
    #[error("its contents cannot be read: {0}")]
    Contents(String),
    /// It is a checkpoint, but none that can be true.
    #[error("{0}")]
    Absurd(String),
    /// A link, a directory, a device…
    #[error("it is no regular file")]
    Kind,
    /// More than a checkpoint may have.
    #[error("it is larger than any checkpoint ({0} bytes)")]
    Size(u64),
    /// The disk gives an error.
    #[error("it cannot be read: {0}")]
    Disk(String),
}

/// The file of one generation.
pub(crate) fn encode(number: u64, checkpoint: &Checkpoint) -> serde_json::Result<Vec<u8>> {
    let mut body = serde_json::to_vec(checkpoint)?;
    body.push(b'\n');
    Ok(wrapped(number, body))
}

/// `body` behind a first line that is right about it.
pub(crate) fn wrapped(number: u64, mut body: Vec<u8>) -> Vec<u8> {
    let header = Header { version: VERSION, number, bytes: body.len() as u64, hash: xxh3_64_with_seed(&body, number) };
    let mut bytes = header.line().into_bytes();
    bytes.append(&mut body);
    bytes
}

/// The generation in `bytes`, if all about it can be believed.
pub(crate) fn decode(bytes: &[u8]) -> Result<Generation, Unbelievable> {
    let (header, body) = Header::parse(bytes)?;
    let found = body.len() as u64;
    if found != header.bytes {
        return Err(Unbelievable::Length { said: header.bytes, found });
    }
    if xxh3_64_with_seed(body, header.number) != header.hash {
        return Err(Unbelievable::Hash);
    }
    let checkpoint: Checkpoint =
        serde_json::from_slice(body).map_err(|error| Unbelievable::Contents(error.to_string()))?;
    checkpoint.check().map_err(Unbelievable::Absurd)?;
    Ok(Generation { number: header.number, checkpoint })
}

/// What the first line says.
struct Header {
    version: u64,
    number: u64,
    bytes: u64,
    hash: u64,
}

impl Header {
    fn line(&self) -> String {
        let Self { version, number, bytes, hash } = self;
        format!("{MAGIC} version={version} generation={number} bytes={bytes} xxh3={hash:016x}\n")
    }

    /// The header that `bytes` begin with, and what follows it.
    fn parse(bytes: &[u8]) -> Result<(Self, &[u8]), Unbelievable> {
        let line = first_line(bytes)?;
        let text = str::from_utf8(line).map_err(|_| Unbelievable::Header)?;
        let (version, rest) = version_of(text).ok_or(Unbelievable::Header)?;
        // Of a newer format nothing else is known.
        if version > VERSION {
            return Err(Unbelievable::Newer(version));
        }
        let header = Self::fields(version, rest).ok_or(Unbelievable::Header)?;
        let is_ours =
            header.version == VERSION && (1..=NUMBER_MAX).contains(&header.number) && header.line().as_bytes() == line;
        if is_ours { Ok((header, &bytes[line.len()..])) } else { Err(Unbelievable::Header) }
    }

    fn fields(version: u64, rest: &str) -> Option<Self> {
        let mut fields = rest.trim_end_matches('\n').split(' ');
        let number = fields.next()?.strip_prefix("generation=")?.parse().ok()?;
        let bytes = fields.next()?.strip_prefix("bytes=")?.parse().ok()?;
        let hash = u64::from_str_radix(fields.next()?.strip_prefix("xxh3=")?, 16).ok()?;
        Some(Self { version, number, bytes, hash })
    }
}

/// The version, and what follows it.
fn version_of(line: &str) -> Option<(u64, &str)> {
    let (version, rest) = line.strip_prefix(MAGIC)?.strip_prefix(" version=")?.split_once(' ')?;
    Some((version.parse().ok()?, rest))
}

/// The line that `bytes` begin with, its end included.
fn first_line(bytes: &[u8]) -> Result<&[u8], Unbelievable> {
    if bytes.is_empty() {
        return Err(Unbelievable::Empty);
    }
    if bytes.iter().all(|&byte| byte == 0) {
        return Err(Unbelievable::Nul);
    }
    if !bytes.starts_with(MAGIC.as_bytes()) {
        return Err(Unbelievable::Foreign);
    }
    let end = bytes.iter().take(HEADER_BYTES_MAX).position(|&byte| byte == b'\n').ok_or(Unbelievable::Header)?;
    Ok(&bytes[..=end])
}
