//! A file of known size, block by block: the bytes come through a window, and are cut by `split`.

use std::{cell::OnceCell, fs::File, io, ops::Range};

use super::{Access, Input, Window, choice::How, map::Mapped, read::Read};
use crate::split::{self, End};

/// Bytes behind a range that are read along, so that most blocks find their last newline at once.
const TAIL_BYTES: u64 = 4 << 10;
/// Bytes that are looked through at once for the end of a record over the limit.
const SCAN_BYTES: u64 = 1 << 20;

/// An open file of known size. Each worker has its own, and opens it when it comes to it: nothing is shared, and no more
/// files are open than there are workers.
pub(crate) struct BlockFile {
    read: Read,
    /// Mapped when a block is first asked for so; `None` where it must not or cannot be.
    mapped: OnceCell<Option<Mapped>>,
    size: u64,
    record_bytes_max: u64,
}

/// A block of a file.
pub(crate) struct FileBlock<'a> {
    window: &'a dyn Window,
    /// All that was looked at to find it.
    touched: &'a [u8],
    /// How it was got at.
    pub(crate) how: How,
    /// What can be seen of it: all but the rest of a last record that is over the limit.
    pub(crate) bytes: &'a [u8],
    /// Where it stands in the file: from its first record to the first of the next block.
    pub(crate) span: Range<u64>,
    /// Bytes of the last record that cannot be seen.
    pub(crate) cut_bytes: u64,
}

impl BlockFile {
    /// Opens `input`. The file must be the one that was found, and as long.
    ///
    /// Where it became shorter the error is of kind `UnexpectedEof`.
    pub(crate) fn open(input: &Input, record_bytes_max: usize) -> io::Result<Self> {
        let Access::Random { size, .. } = input.access else {
            return Err(io::Error::other("not a file of known size"));
        };
        let (file, found) = open_again(input)?;
        if found < size {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(Self { read: Read::new(file), mapped: OnceCell::new(), size, record_bytes_max: record_bytes_max as u64 })
    }

    /// Opens what is left of `input` after it became shorter; it is only read.
    pub(crate) fn open_rest(input: &Input, record_bytes_max: usize) -> io::Result<Self> {
        let (file, size) = open_again(input)?;
        Ok(Self {
            read: Read::new(file),
            mapped: OnceCell::from(None),
            size,
            record_bytes_max: record_bytes_max as u64,
        })
    }

    /// Its size, as far as it will be read.
    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// The window for `how`, or the one that there is, and which that is.
    fn window(&self, how: How) -> (&dyn Window, How) {
        let mapped = || self.mapped.get_or_init(|| map(self.read.file(), self.size).ok());
        match how {
            How::Map => mapped().as_ref().map_or((&self.read, How::Read), |mapped| (mapped, How::Map)),
            How::Read => (&self.read, How::Read),
        }
    }

    /// The block of the records that start in `range`.
    pub(crate) fn block<'a>(
        &'a self,
        how: How,
        range: Range<u64>,
        buffer: &'a mut Vec<u8>,
    ) -> io::Result<FileBlock<'a>> {
        let (source, how) = self.window(how);
        let range = range.start.min(self.size)..range.end.min(self.size);
        let start = range.start.saturating_sub(1);
        let mut end = self.reach(range.end, TAIL_BYTES);
        if how == How::Map {
            end = self.reach(range.end, self.record_bytes_max);
        }
        let window = source.fetch(start..end, buffer)?;
        let mut block = split::cut(window, start, &range, end == self.size);
        if let End::Open(record) = block.end {
            // The last record is a long one: look as far as processors may.
            let record_start = start + record as u64;
            end = self.reach(end, self.record_bytes_max);
            let window = source.fetch(start..end, buffer)?;
            block = split::cut(window, start, &range, end == self.size);
            if matches!(block.end, End::Open(_)) {
                block.bytes.end = block.bytes.end.min((record_start - start + self.record_bytes_max) as usize);
            }
        }
        let span_start = start + block.bytes.start as u64;
        let seen_end = start + block.bytes.end as u64;
        let span_end = if block.end == End::Whole { seen_end } else { self.end_of_record(source, seen_end)? };
        let touched = source.view(start..seen_end.max(range.end), buffer);
        let bytes = &touched[block.bytes];
        Ok(FileBlock {
            touched,
            window: source,
            how,
            bytes,
            span: span_start..span_end,
            cut_bytes: span_end - seen_end,
        })
    }

    fn reach(&self, from: u64, more: u64) -> u64 {
        from.saturating_add(more).min(self.size)
    }

    /// Where the record that goes on at `from` ends.
    fn end_of_record(&self, source: &dyn Window, from: u64) -> io::Result<u64> {
        let mut scratch = Vec::new();
        let mut at = from;
        while at < self.size {
            let end = self.reach(at, SCAN_BYTES);
            let bytes = source.fetch(at..end, &mut scratch)?;
            let newline = memchr::memchr(b'\n', bytes);
            source.release(bytes);
            if let Some(newline) = newline {
                return Ok(at + newline as u64 + 1);
            }
            at = end;
        }
        Ok(self.size)
    }
}

impl FileBlock<'_> {
    /// True unless the file became shorter than `end` while the block was looked at: what was made of it is then
    /// worthless.
    pub(crate) fn is_intact(&self, end: u64) -> bool {
        self.window.is_intact(end)
    }

    /// How many bytes were looked at to find it.
    pub(crate) fn touched_bytes(&self) -> u64 {
        self.touched.len() as u64
    }

    /// Lets go of the bytes; nobody looks at them any more.
    pub(crate) fn release(self) {
        self.window.release(self.touched);
    }
}

/// Opens the very file that was found, and says how long it is now.
pub(crate) fn open_again(input: &Input) -> io::Result<(File, u64)> {
    let file = super::open_at_once(&input.path)?;
    let (identity, size) = super::identity_and_size(&file)?;
    match input.access {
        Access::Random { identity: found, .. } if found != identity => {
            Err(io::Error::other("another file has taken its place since the run began"))
        }
        _ => Ok((file, size)),
    }
}

/// Some file systems cannot map, and all can read.
fn map(file: &File, size: u64) -> io::Result<Mapped> {
    let file = file.try_clone()?;
    // SAFETY: only `Mapping::how` asks for a mapping, and only with a `MapPermit`, whose maker has promised what is asked
    // for; and blocks are published only after `is_intact`.
    unsafe { Mapped::new(file, size) }
}
