//! Why state cannot be used, and what to do about it.

use std::{
    fmt::Write,
    io,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

use super::generation::Unbelievable;
use crate::{escape::escape, input::describe};

/// Why a directory of state cannot be used. The message names it, and says what to do.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another process uses it.
    #[error("{}: in use by another logweir{}; end that one, or give this one a directory of its own with --state DIR", shown(dir), numbered(*process))]
    InUse {
        /// The directory.
        dir: PathBuf,
        /// The process, where it can be told.
        process: Option<u32>,
    },
    /// There was state, and none of it can be believed. The files were left where they are.
    #[error(
        "{}: no checkpoint here can be believed:{}; {} (the files will be put aside, not deleted)",
        shown(dir),
        listed(bad),
        advice(bad)
    )]
    NoneGood {
        /// The directory.
        dir: PathBuf,
        /// The files in it, and what is wrong with each.
        bad: Vec<(String, Unbelievable)>,
    },
    /// It is not known where state belongs.
    #[error("there is no home directory to keep state in: say where with --state DIR")]
    NoHome,
    /// There is nothing to be shown.
    #[error("{}: there is no state of logweir here; `follow` keeps it where its --state says, else below ~/.local/state/logweir", shown(.0))]
    NoState(PathBuf),
    /// What the system says.
    #[error("{}: cannot {doing}: {}{}", shown(path), describe(error), remedy(doing))]
    Io {
        /// What was done.
        doing: &'static str,
        /// To what.
        path: PathBuf,
        /// Why it failed.
        #[source]
        error: io::Error,
    },
}

impl StoreError {
    pub(super) fn io(doing: &'static str, path: &Path, error: io::Error) -> Self {
        Self::Io { doing, path: path.to_owned(), error }
    }
}

/// What to do about it, where that is not plain.
fn remedy(doing: &str) -> &'static str {
    if doing.starts_with("make") { "; name a directory that can be made and written to with --state DIR" } else { "" }
}

/// A path as it may be shown anywhere.
pub(super) fn shown(path: &Path) -> String {
    escape(path.as_os_str().as_bytes())
}

fn numbered(process: Option<u32>) -> String {
    process.map_or_else(String::new, |process| format!(" (process {process})"))
}

fn listed(bad: &[(String, Unbelievable)]) -> String {
    bad.iter().enumerate().fold(String::new(), |mut text, (at, (name, why))| {
        let _ = write!(text, "{} {name} ({why})", if at > 0 { "," } else { "" });
        text
    })
}

fn advice(bad: &[(String, Unbelievable)]) -> &'static str {
    if bad.iter().all(|(_, why)| matches!(why, Unbelievable::Newer(_))) {
        "use the newer logweir, or start anew with --forget-state"
    } else {
        "start anew with --forget-state"
    }
}
