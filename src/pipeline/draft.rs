//! A configuration as it was read, before names have become numbers: each thing with its place in the text.

use std::{ops::Range, path::PathBuf, sync::Arc};

use super::{Definition, Delivery, SinkTarget};

/// A name in the text, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Named {
    pub(super) name: String,
    pub(super) span: Range<usize>,
}

/// Where the records of a processor go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum To {
    /// `to = "a"` or `to = ["a", "b"]`.
    Same(Vec<Named>),
    /// `to = { output = "a", … }`.
    PerOutput(Vec<(Named, Vec<Named>)>),
}

/// A `[[processor]]`, as far as it could be read.
pub(super) struct ProcessorDraft {
    pub(super) id: Option<Named>,
    pub(super) kind: String,
    /// `None` where kind or settings are wrong.
    pub(super) definition: Option<Arc<dyn Definition>>,
    pub(super) is_foreign: bool,
    pub(super) to: Option<To>,
    pub(super) on_error: Option<Named>,
    pub(super) place: Range<usize>,
    pub(super) line: usize,
    pub(super) config: String,
}

/// A `[[sink]]`, as far as it could be read.
pub(super) struct SinkDraft {
    pub(super) id: Option<Named>,
    pub(super) from: Option<Named>,
    /// The target, and where its path stands.
    pub(super) target: Option<(SinkTarget, Range<usize>)>,
    pub(super) existing_given: bool,
    pub(super) delivery: Delivery,
}

/// A configuration, as far as it could be read.
#[derive(Default)]
pub(super) struct Draft {
    pub(super) processors: Vec<ProcessorDraft>,
    pub(super) sinks: Vec<SinkDraft>,
    pub(super) dead_letters: Option<(PathBuf, Range<usize>)>,
}
