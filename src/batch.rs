//! A block with its record index, and the selections that processors hand on.

use std::ops::Range;

use crate::record::{Origin, Record, SourceId};

const BOM: &[u8] = b"\xef\xbb\xbf";

/// A block of one source with the bounds of its records.
///
/// A batch borrows everything: making one costs nothing, and a worker reuses the buffers behind it.
#[derive(Debug, Clone, Copy)]
pub struct Batch<'a> {
    bytes: &'a [u8],
    /// Record `i` reaches from `bounds[i]` to the newline at `bounds[i + 1] - 1`. Where the last newline is missing, it
    /// is thought of as standing right behind the block.
    bounds: &'a [u32],
    source: SourceId,
    offset: u64,
    record_bytes_max: usize,
    /// Bytes of the last record that were left out of the block because it is over the limit.
    cut_bytes: u64,
    /// Where each record stands in its source, if they do not stand there as they do here.
    offsets: Option<&'a [u64]>,
}

impl<'a> Batch<'a> {
    /// Puts a batch together.
    ///
    /// `offset` is where `bytes` begins in its source; `cut_bytes` says how much of the last record is not in `bytes`.
    ///
    /// # Panics
    ///
    /// If `bounds` is empty.
    #[must_use]
    pub fn new(bytes: &'a [u8], bounds: &'a [u32], origin: Origin, record_bytes_max: usize, cut_bytes: u64) -> Self {
        assert!(!bounds.is_empty(), "bounds of a batch start with the first record's start");
        Self { bytes, bounds, source: origin.source, offset: origin.offset, record_bytes_max, cut_bytes, offsets: None }
    }

    /// The same batch, of records that each come from an offset of their own.
    #[must_use]
    pub(crate) fn with_offsets(self, offsets: Option<&'a [u64]>) -> Self {
        Self { offsets, ..self }
    }

    /// How many records there are.
    #[must_use]
    pub fn len(&self) -> u32 {
        // `bounds` holds 32-bit positions of distinct records, so there are fewer than 2^32 of them.
        (self.bounds.len() - 1) as u32
    }

    /// True when there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bounds.len() == 1
    }

    /// The whole block: all records with their line ends.
    #[must_use]
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Start of each record in [`Batch::bytes`], and behind the last one its end, as if every record had a newline.
    #[must_use]
    pub fn bounds(&self) -> &'a [u32] {
        self.bounds
    }

    /// True when [`Batch::record`] hides nothing but the newline of any record: a hit anywhere in
    /// [`Batch::bytes`] is then a hit in the record that it stands in. Looks through all bytes: ask once a batch.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        self.cut_bytes == 0
            && self.bytes.len() <= self.record_bytes_max
            && !self.has_hidden_bom()
            && memchr::memchr(b'\r', self.bytes).is_none()
    }

    /// Number of the source.
    #[must_use]
    pub fn source(&self) -> SourceId {
        self.source
    }

    /// The bytes of record `number` that processors see.
    #[inline]
    #[must_use]
    pub fn record(&self, number: u32) -> &'a [u8] {
        let range = self.visible(number);
        &self.bytes[range]
    }

    /// Where in [`Batch::bytes`] the part of record `number` stands that processors see.
    // Left to itself the compiler calls it, once a record.
    #[inline(always)]
    #[must_use]
    pub fn visible(&self, number: u32) -> Range<usize> {
        let mut start = self.bounds[number as usize] as usize;
        let mut end = (self.bounds[number as usize + 1] as usize - 1).min(start + self.record_bytes_max);
        if end > start && self.bytes[end - 1] == b'\r' {
            end -= 1;
        }
        if self.is_head(number) && self.bytes[start..end].starts_with(BOM) {
            start += BOM.len();
        }
        start..end
    }

    /// Where record `number` stands up to its newline; `None` where processors see less of it, a CR or BOM aside.
    #[inline]
    pub(crate) fn line(&self, number: u32) -> Option<Range<usize>> {
        let line = self.bounds[number as usize] as usize..self.bounds[number as usize + 1] as usize - 1;
        (line.len() <= self.record_bytes_max).then_some(line)
    }

    /// True when record `number` stands at the head of its source.
    #[inline]
    fn is_head(&self, number: u32) -> bool {
        match self.offsets {
            None => number == 0 && self.offset == 0,
            Some(offsets) => offsets[number as usize] == 0,
        }
    }

    fn has_hidden_bom(&self) -> bool {
        // Only records that come from elsewhere can be several heads, or one in the middle of a block.
        let candidates = if self.offsets.is_some() { self.len() } else { self.len().min(1) };
        (0..candidates).any(|number| self.is_head(number) && self.bytes[self.raw(number)].starts_with(BOM))
    }

    /// Where record `number` stands in [`Batch::bytes`], line end included as far as there is one.
    #[inline]
    #[must_use]
    pub fn raw(&self, number: u32) -> Range<usize> {
        let start = self.bounds[number as usize] as usize;
        let end = self.bounds[number as usize + 1] as usize;
        start..end.min(self.bytes.len())
    }

    /// Where record `number` stands in its source.
    #[must_use]
    pub fn origin(&self, number: u32) -> Origin {
        let here = self.offset + u64::from(self.bounds[number as usize]);
        Origin { source: self.source, offset: self.offsets.map_or(here, |offsets| offsets[number as usize]) }
    }

    /// The whole length of record `number` in its source, line end included.
    #[must_use]
    pub fn length(&self, number: u32) -> u64 {
        let cut = if number + 1 == self.len() { self.cut_bytes } else { 0 };
        self.raw(number).len() as u64 + cut
    }

    /// False when no record can be longer than processors may see.
    pub(crate) fn may_be_oversized(&self) -> bool {
        self.cut_bytes > 0 || self.bytes.len() > self.record_bytes_max
    }

    /// True when record `number` is longer than processors may see.
    #[must_use]
    pub fn is_oversized(&self, number: u32) -> bool {
        let range = self.bounds[number as usize] as usize..self.bounds[number as usize + 1] as usize - 1;
        range.len() > self.record_bytes_max || (number + 1 == self.len() && self.cut_bytes > 0)
    }

    /// Record `number` with its origin.
    #[must_use]
    pub fn get(&self, number: u32) -> Record<'a> {
        Record { bytes: self.record(number), origin: self.origin(number), length: self.length(number) }
    }

    /// Sum of the lengths of the records in `selection`, line ends included.
    #[must_use]
    pub fn bytes_of(&self, selection: Selection<'_>) -> u64 {
        let whole = match selection {
            Selection::Range(start, end) if start == end => 0,
            Selection::Range(start, end) => (self.raw(end - 1).end - self.raw(start).start) as u64,
            Selection::List(list) => list.iter().map(|&number| self.raw(number).len() as u64).sum(),
        };
        let last = self.len().wrapping_sub(1);
        whole + if self.cut_bytes > 0 && selection.last() == Some(last) { self.cut_bytes } else { 0 }
    }
}

/// An ordered set of record numbers of a batch: what one processor hands to the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Selection<'a> {
    /// All records from the first number up to, not including, the second.
    Range(u32, u32),
    /// These records, strictly ascending.
    List(&'a [u32]),
}

impl Selection<'_> {
    /// How many records are selected.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Range(start, end) => (end - start) as usize,
            Self::List(list) => list.len(),
        }
    }

    /// True when none is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The first one.
    #[must_use]
    pub fn first(&self) -> Option<u32> {
        match *self {
            Self::Range(start, end) => (start < end).then_some(start),
            Self::List(list) => list.first().copied(),
        }
    }

    /// The last one.
    #[must_use]
    pub fn last(&self) -> Option<u32> {
        match *self {
            Self::Range(start, end) => (start < end).then(|| end - 1),
            Self::List(list) => list.last().copied(),
        }
    }

    /// The selected numbers, ascending.
    pub fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        let (range, list) = match *self {
            Self::Range(start, end) => (start..end, &[][..]),
            Self::List(list) => (0..0, list),
        };
        range.chain(list.iter().copied())
    }

    /// Appends the selected numbers to `target`.
    pub fn append_to(&self, target: &mut Vec<u32>) {
        match *self {
            Self::Range(start, end) => target.extend(start..end),
            Self::List(list) => target.extend_from_slice(list),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is hidden is a BOM at the head of a source, wherever the record stands in its block.
    #[test]
    fn a_bom_is_hidden_where_the_record_was_the_first_of_its_source() {
        let bytes = b"\xef\xbb\xbfa\n\xef\xbb\xbfb\n";
        let seen = |offset, offsets: Option<&[u64]>| {
            let batch = Batch::new(bytes, &[0, 5, 10], Origin { source: 0, offset }, 100, 0).with_offsets(offsets);
            (batch.record(0).len(), batch.record(1).len(), batch.is_plain())
        };
        assert_eq!(seen(0, None), (1, 4, false));
        assert_eq!(seen(5, None), (4, 4, true));
        assert_eq!(seen(0, Some(&[7, 9])), (4, 4, true));
        assert_eq!(seen(5, Some(&[7, 0])), (4, 1, false));
        assert_eq!(seen(5, Some(&[0, 0])), (1, 1, false));
    }
}
