//! A file read with `pread` into a buffer.

use std::{fs::File, io, ops::Range, os::unix::fs::FileExt};

use super::Window;

/// Bytes of a page.
const PAGE: usize = 4 << 10;

/// A file that is read.
///
/// What is fetched stands in the buffer as far into a page as in the file. Where the copy stood 1, 16 or 17 bytes further
/// into its page, the kernel copied at a quarter of its speed (an AMD EPYC; from 64 bytes on it did not matter): probably
/// because loads are taken for ones of what was just stored. As blocks are fetched from the byte before them into memory
/// of an allocator, that was the usual case.
pub(super) struct Read {
    file: File,
}

impl Read {
    /// Reads from `file`.
    pub(super) fn new(file: File) -> Self {
        Self { file }
    }

    /// The file.
    pub(super) fn file(&self) -> &File {
        &self.file
    }
}

impl Window for Read {
    fn fetch<'a>(&'a self, range: Range<u64>, buffer: &'a mut Vec<u8>) -> io::Result<&'a [u8]> {
        let length = (range.end - range.start) as usize;
        if buffer.len() < length + PAGE {
            buffer.resize(length + PAGE, 0);
        }
        let start = place(buffer, range.start);
        let bytes = &mut buffer[start..start + length];
        self.file.read_exact_at(bytes, range.start)?;
        Ok(bytes)
    }

    fn view<'a>(&'a self, range: Range<u64>, buffer: &'a [u8]) -> &'a [u8] {
        &buffer[place(buffer, range.start)..][..(range.end - range.start) as usize]
    }

    fn is_intact(&self, _: u64) -> bool {
        true
    }

    fn release(&self, _: &[u8]) {}
}

/// Where in `buffer` the byte at `offset` of a file is put: as far into a page as it is there.
fn place(buffer: &[u8], offset: u64) -> usize {
    (offset as usize).wrapping_sub(buffer.as_ptr().addr()) % PAGE
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_stand_as_far_into_a_page_as_in_the_file() {
        let made: Vec<u8> = (0..40_000u32).map(|number| (number % 251) as u8).collect();
        let file = tempfile::NamedTempFile::new().expect("a file of ours");
        std::fs::write(file.path(), &made).expect("there is room");
        let read = Read::new(file.reopen().expect("it is there"));
        let mut buffer = Vec::new();
        for range in [0..10, 4_095..9_000, 1..40_000, 39_999..40_000, 7..7, 8_191..20_000] {
            let bytes = read.fetch(range.clone(), &mut buffer).expect("it is long enough");
            assert_eq!(bytes, &made[range.start as usize..range.end as usize]);
            assert_eq!(bytes.as_ptr().addr() % PAGE, range.start as usize % PAGE);
            let shorter = range.start..range.start + (range.end - range.start) / 2;
            assert_eq!(read.view(shorter.clone(), &buffer), &made[shorter.start as usize..shorter.end as usize]);
        }
    }
}
