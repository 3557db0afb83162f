//! The few styles of the report. Whether they reach a terminal is decided by whoever opened it.

use anstyle::{AnsiColor, Style};

/// What the eye should find first.
pub(crate) const STRONG: Style = Style::new().bold();
/// What explains the rest.
pub(crate) const DIM: Style = Style::new().dimmed();
/// What is as it should be.
pub(crate) const GOOD: Style = AnsiColor::Green.on_default();
/// What deserves a look.
pub(crate) const WARN: Style = AnsiColor::Yellow.on_default();
/// What is wrong.
pub(crate) const BAD: Style = AnsiColor::Red.on_default().bold();
/// What came from the input.
pub(crate) const ACCENT: Style = AnsiColor::Cyan.on_default();
/// Nothing at all.
pub(crate) const PLAIN: Style = Style::new();
