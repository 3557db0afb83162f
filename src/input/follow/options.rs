//! What is to be followed, and how.

use std::{path::PathBuf, time::Duration};

use super::super::DiscoverOptions;
use crate::limits;

/// What a [`super::Follower`] follows, and how.
#[derive(Debug, Clone)]
pub struct FollowOptions {
    /// Files, directories, globs; `-` is standard input. They need not exist yet.
    pub paths: Vec<PathBuf>,
    /// Globs of files that are left out: of whole paths, or, without a slash, of names.
    pub exclude: Vec<String>,
    /// How many files are followed at once; of more, those that changed last are.
    pub max_files: usize,
    /// Where to begin in files that are there at the start and that the state does not know.
    pub from: From,
    /// How long a last line may wait for its newline before it is taken as it is; `None`: until the file is rotated.
    pub partial_after: Option<Duration>,
    /// Do not use inotify.
    pub poll_only: bool,
    /// What a directory walk takes that it would leave out.
    pub discover: DiscoverOptions,
    /// Bytes of a block.
    pub block_bytes: usize,
    /// Bytes of a record that are given out; what is longer is cut.
    pub record_bytes_max: usize,
    /// It ends when all that is there was read. A last line may wait for its newline for `partial_after`, or, without that,
    /// for a second.
    pub until_eof: bool,
    /// Files and directories that this process writes: following them would never end, and so they are left out.
    pub ours: Vec<PathBuf>,
}

impl Default for FollowOptions {
    fn default() -> Self {
        Self {
            paths: Vec::new(),
            exclude: Vec::new(),
            max_files: limits::FOLLOWED_FILES,
            from: From::End,
            partial_after: None,
            poll_only: false,
            discover: DiscoverOptions::default(),
            block_bytes: limits::BLOCK_BYTES,
            record_bytes_max: limits::RECORD_BYTES,
            until_eof: false,
            ours: Vec::new(),
        }
    }
}

/// Where to begin in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum From {
    /// Behind its last whole line.
    End,
    /// At its first byte.
    Start,
    /// So many lines before its end.
    LastLines(u64),
}

/// Options that make no sense.
#[derive(Debug, thiserror::Error)]
pub enum FollowError {
    /// A pattern that cannot be read.
    #[error("{pattern:?} is no glob to exclude by: {reason}")]
    Exclude {
        /// As it was given.
        pattern: String,
        /// What is wrong with it.
        reason: String,
    },
    /// What is read would be written too, and reading would never end.
    #[error("{} is also written by this pipeline; write somewhere else", .0.display())]
    IsOutput(PathBuf),
}
