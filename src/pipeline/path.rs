//! Paths in a configuration.

use std::{ops::Range, path::PathBuf};

use super::{Mistake, Value};

/// `value` as the path of a file, and where it stands.
pub(super) fn path(value: &Value<'_>) -> Result<(PathBuf, Range<usize>), Mistake> {
    match value.text()? {
        "" => Err(value.mistake("a path cannot be empty")),
        text if text.contains('\0') => Err(value.mistake("a path cannot contain a NUL")),
        text => Ok((PathBuf::from(text), value.span())),
    }
}
