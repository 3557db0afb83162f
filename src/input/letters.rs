//! A dead-letter file as a stream: its records run again, each with the origin that it had.

use std::{
    collections::HashMap,
    fs::File,
    io::{self, BufRead, BufReader},
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
};

use super::stream::{BadPart, Stream, StreamBlock};
use crate::{letter::OwnedLetter, limits, record::SourceId};

/// A letter may hold a record of the largest size, every byte of it escaped, and what is said about it.
const LETTER_BYTES_MAX: usize = 8 * limits::RECORD_BYTES;
/// Where a record over the limit may end in its source: further than any file reaches, and so near that the lengths of
/// many such records can be summed up, whatever a letter that somebody has edited says.
const END_MAX: u64 = 1 << 48;

/// The sources that the letters of `path` name, in order of their first letters, as many as are told apart.
///
/// # Errors
///
/// If the file cannot be read.
pub(crate) fn letter_sources(path: &Path) -> io::Result<Vec<PathBuf>> {
    let mut sources: Vec<PathBuf> = Vec::new();
    let mut known: HashMap<PathBuf, ()> = HashMap::new();
    each_letter(path, &AtomicBool::new(false), |_, letter| {
        if let Ok(letter) = letter
            && sources.len() < limits::SOURCES_LISTED
            && known.insert(letter.source.clone(), ()).is_none()
        {
            sources.push(letter.source);
        }
    })?;
    Ok(sources)
}

/// Hands the records of the letters in `path` to `stream`, as blocks of one source each. `sources` are those that
/// [`letter_sources`] found, numbered from `first`; what they do not name is taken for the letter file's own, `file`.
///
/// # Errors
///
/// If the file cannot be read; all that came before is handed over.
pub(crate) fn read_letters(
    path: &Path,
    sources: &[PathBuf],
    (file, first): (SourceId, SourceId),
    block_bytes: usize,
    stream: &Stream,
    stop: &AtomicBool,
) -> io::Result<()> {
    let numbers: HashMap<&Path, SourceId> =
        sources.iter().enumerate().map(|(number, path)| (path.as_path(), first + number as SourceId)).collect();
    let mut packer = Packer { block: StreamBlock::default(), block_bytes, stream, stop };
    let result = each_letter(path, stop, |offset, letter| match letter {
        Ok(letter) => {
            let source = numbers.get(letter.source.as_path()).copied().unwrap_or(file);
            packer.add(source, &letter);
        }
        Err((message, excerpt)) => packer.block.faults.push(BadPart { offset, message, excerpt }),
    });
    packer.hand_over();
    stream.finish();
    result
}

/// Gathers records into blocks.
struct Packer<'s> {
    block: StreamBlock,
    block_bytes: usize,
    stream: &'s Stream,
    stop: &'s AtomicBool,
}

impl Packer<'_> {
    fn add(&mut self, source: SourceId, letter: &OwnedLetter) {
        let is_full = self.block.bytes.len() + letter.line.len() >= self.block_bytes;
        if is_full || self.block.source.is_some_and(|other| other != source) {
            self.hand_over();
        }
        self.block.source = Some(source);
        self.block.bytes.extend_from_slice(&letter.line);
        self.block.offsets.get_or_insert_default().push(letter.offset);
        self.block.cut_bytes = cut_bytes(letter);
        if self.block.cut_bytes > 0 || is_open(letter) {
            // Only the last record of a block can be without its newline.
            self.hand_over();
        } else {
            self.block.bytes.push(b'\n');
        }
    }

    fn hand_over(&mut self) {
        if self.block.bytes.is_empty() && self.block.faults.is_empty() {
            return;
        }
        let next = StreamBlock {
            number: self.block.number + 1,
            offset: self.block.offset + self.block.bytes.len() as u64 + self.block.cut_bytes,
            ..StreamBlock::default()
        };
        let block = std::mem::replace(&mut self.block, next);
        self.stream.put(block, self.stop);
    }
}

/// What a letter does not hold of its record. The head is all that is run again, even where the source is still there: it
/// may have changed. But the record stays as long as it was.
fn cut_bytes(letter: &OwnedLetter) -> u64 {
    if letter.truncated { letter.length.saturating_sub(letter.line.len() as u64) } else { 0 }
}

/// True when its source ended in the record, without a newline.
fn is_open(letter: &OwnedLetter) -> bool {
    letter.length == letter.line.len() as u64 && !letter.line.is_empty()
}

/// A line that is no letter: what is wrong with it, and the line.
type BadLetter = (String, Vec<u8>);

/// Calls `visit` for every line of `path` that is not empty, with its offset.
fn each_letter(
    path: &Path,
    stop: &AtomicBool,
    mut visit: impl FnMut(u64, Result<OwnedLetter, BadLetter>),
) -> io::Result<()> {
    let mut reader = BufReader::with_capacity(limits::BLOCK_BYTES, File::open(path)?);
    let (mut line, mut offset, mut number) = (Vec::new(), 0, 0_u64);
    while !stop.load(Ordering::Relaxed) {
        line.clear();
        let read = read_line(&mut reader, &mut line)?;
        if read == 0 {
            break;
        }
        number += 1;
        let text = line.trim_ascii_end();
        if !text.is_empty() {
            // An editor goes to lines, not to bytes.
            let named = |(message, excerpt)| (format!("line {number}: {message}"), excerpt);
            visit(offset, decode(text, read > line.len() as u64).map_err(named));
        }
        offset += read;
    }
    Ok(())
}

fn decode(line: &[u8], is_cut: bool) -> Result<OwnedLetter, BadLetter> {
    let bad = |message: String| (message, line[..line.len().min(limits::EXCERPT_BYTES)].to_vec());
    if is_cut {
        return Err(bad(format!("longer than a letter can be ({LETTER_BYTES_MAX} bytes)")));
    }
    // The place that the error names is one in this line, and looks like one in the file.
    let place_left_out = |text: String| text.split(" at line ").next().unwrap_or_default().to_owned();
    let letter = OwnedLetter::decode(line).map_err(|error| bad(place_left_out(error.to_string())))?;
    if letter.line.contains(&b'\n') {
        return Err(bad("its record holds a newline, and would be several".to_owned()));
    }
    if letter.truncated && letter.offset.saturating_add(letter.length) > END_MAX {
        return Err(bad("its record ends where no file does".to_owned()));
    }
    Ok(letter)
}

/// Reads a line into `line`, as much of it as may be; returns how long it was.
fn read_line(reader: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<u64> {
    let mut length = 0;
    loop {
        let available = reader.fill_buf()?;
        let newline = memchr::memchr(b'\n', available);
        let used = newline.map_or(available.len(), |position| position + 1);
        let room = LETTER_BYTES_MAX.saturating_sub(line.len());
        line.extend_from_slice(&available[..used.min(room)]);
        length += used as u64;
        let is_end = newline.is_some() || used == 0;
        reader.consume(used);
        if is_end {
            return Ok(length);
        }
    }
}

#[cfg(test)]
mod tests;
