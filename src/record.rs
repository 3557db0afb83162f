//! Records and where they come from. Bytes are borrowed, and never assumed to be UTF-8.

/// Number of a source in the order of the input.
pub type SourceId = u32;

/// Where a record stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Origin {
    /// Number of the source.
    pub source: SourceId,
    /// Offset of its first byte in the source.
    pub offset: u64,
}

/// One record of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record<'a> {
    /// What processors see: line end, a CR before it and a BOM at the head of the source are hidden, and what is over
    /// the limit is cut.
    pub bytes: &'a [u8],
    /// Where it stands.
    pub origin: Origin,
    /// Its whole length in the source, line end included.
    pub length: u64,
}
