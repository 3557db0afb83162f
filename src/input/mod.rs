//! Where bytes come from: finding sources, and fetching their bytes.

mod blocks;
mod choice;
mod discover;
mod follow;
mod letters;
mod map;
mod read;
mod stream;

use std::{fs::File, io, ops::Range, os::unix::fs::MetadataExt, path::PathBuf};

pub(crate) use blocks::{BlockFile, FileBlock, open_again};
pub(crate) use choice::{Choice, How};
#[allow(unused_imports)] // for the driver of live runs
pub(crate) use follow::{FollowBlock, PlaceChange, file_id};
pub use follow::{FollowError, FollowOptions, Follower, From};
pub(crate) use letters::{letter_sources, read_letters};
pub use map::survive_bus_error;
pub(crate) use stream::{BadPart, Stream, StreamBlock, read_stream};

use discover::open_at_once;
pub use discover::{DiscoverOptions, Discovered, Unreadable, discover, open_stream};
pub(crate) use discover::{describe, set_blocking};

/// One source, as it was found before the run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Input {
    /// How to open it; `-` is standard input.
    pub path: PathBuf,
    /// How to get at its bytes.
    pub access: Access,
}

/// How to get at the bytes of a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Any part at any time: a regular file of known size.
    Random {
        /// Its size when it was found.
        size: u64,
        /// Device and inode.
        identity: (u64, u64),
    },
    /// A dead-letter file, whose records are run again with the origins that they had.
    Letters,
    /// From front to back, once: pipes, terminals, standard input, files that do not know their size.
    Stream,
}

/// Leave to map files, which is only safe under conditions that the whole program has to keep.
#[derive(Debug, Clone, Copy)]
pub struct MapPermit(());

impl MapPermit {
    /// Grants it.
    ///
    /// # Safety
    ///
    /// Either nobody truncates the files while they are read, or a handler for SIGBUS is installed that calls
    /// [`survive_bus_error`] with the address of the fault, returns where that says true, and passes on what is not
    /// ours. (Bytes that others write meanwhile may be seen half written: they are never taken for more than bytes.)
    #[must_use]
    pub unsafe fn new() -> Self {
        Self(())
    }
}

/// The bytes of a file, any part at any time. Mapping and reading stand behind it.
trait Window: Send {
    /// The bytes of `range`, which must lie in the file; in `buffer` if they have to be copied.
    fn fetch<'a>(&'a self, range: Range<u64>, buffer: &'a mut Vec<u8>) -> io::Result<&'a [u8]>;

    /// The same bytes once more, where `range` begins as it did in the last fetch into `buffer`, and ends no later.
    fn view<'a>(&'a self, range: Range<u64>, buffer: &'a [u8]) -> &'a [u8];

    /// True unless the file became shorter than `end` while fetched bytes were looked at.
    fn is_intact(&self, end: u64) -> bool;

    /// Lets go of bytes that were fetched.
    fn release(&self, bytes: &[u8]);
}

fn identity_and_size(file: &File) -> io::Result<((u64, u64), u64)> {
    let metadata = file.metadata()?;
    Ok(((metadata.dev(), metadata.ino()), metadata.len()))
}
