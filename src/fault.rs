//! Kinds of bad data, the words for them, and nothing else: everyone from processors to the page speaks of them.

/// Kinds of bad data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FaultKind {
    /// A processor refused a record.
    Failed,
    /// A processor panicked on a record.
    Panicked,
    /// A source could not be opened or read.
    Unreadable,
    /// A source became shorter while it was read.
    Truncated,
    /// A record was longer than the limit.
    Oversized,
    /// A dead letter could not be decoded.
    BadLetter,
    /// A sink's receiver refused a record for good.
    Refused,
}

impl FaultKind {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Failed,
        Self::Panicked,
        Self::Unreadable,
        Self::Truncated,
        Self::Oversized,
        Self::BadLetter,
        Self::Refused,
    ];

    /// The word for it, as the endpoints spell it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Panicked => "panicked",
            Self::Unreadable => "unreadable",
            Self::Truncated => "truncated_while_reading",
            Self::Oversized => "oversized",
            Self::BadLetter => "bad_letter",
            Self::Refused => "refused",
        }
    }
}
