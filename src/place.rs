//! Places in files that can be proven before they are believed: which file it is, and what stands around the place.
//!
//! Inodes are reused at once on some file systems, files are truncated and grow again, and two logs may begin with the
//! same bytes. So a place is device, inode and generation, a print of the file's head, the offset, and a print of what
//! stands just before it; all of them have to agree. Pure.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

/// What follows the name of a file of ours that is not trusted any more, before the time when that was seen: see
/// `is_put_aside`.
pub(crate) const SUSPECT: &str = ".suspect-";

/// True for a name that ends as those do that we give: in `.suspect-20261127T184501Z`, or `.suspect-20261127T184501Z-2`
/// where that was taken.
pub(crate) fn is_put_aside(name: &[u8]) -> bool {
    let Some(at) = memchr::memmem::rfind(name, SUSPECT.as_bytes()).filter(|&at| at > 0) else { return false };
    let (time, number) = name[at + SUSPECT.len()..].split_at_checked(16).unwrap_or_default();
    let is_time = time.iter().zip(b"00000000T000000Z").all(|(byte, form)| match form {
        b'0' => byte.is_ascii_digit(),
        _ => byte == form,
    });
    let is_number = |digits: &[u8]| !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    !time.is_empty() && is_time && (number.is_empty() || number.strip_prefix(b"-").is_some_and(is_number))
}

/// Which file something is, however it is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct FileId {
    /// Device.
    pub device: u64,
    /// Inode.
    pub inode: u64,
    /// The inode's generation, where the file system tells it.
    pub generation: Option<u32>,
}

impl FileId {
    /// A number that stands for it.
    pub(crate) fn number(&self) -> u64 {
        let generation = self.generation.map_or(u64::MAX, u64::from);
        let parts = [self.device, self.inode, generation].map(u64::to_le_bytes);
        xxh3_64(parts.as_flattened())
    }
}

/// A hash of some bytes (XXH3, 64 bits), and how many they were.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Print {
    /// How many bytes.
    pub bytes: u32,
    /// Their hash.
    pub hash: u64,
}

impl Print {
    /// The print of `bytes`, of which there are less than 4 GiB.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self { bytes: bytes.len() as u32, hash: xxh3_64(bytes) }
    }
}

/// When a file was made, when it was last written, and how long it was, as it was seen. Times are in nanoseconds since
/// 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
pub struct Age {
    /// When it was made, where the file system tells it: it stays, whatever the file is called and whoever writes it.
    pub created: Option<i64>,
    /// When it was last written.
    pub modified: i64,
    /// How long it was.
    pub size: u64,
}

impl Age {
    /// True for what came after `before` at the same path, where `before` says how that was seen while it stood there: it
    /// may be written long after. Copies of it that were made until then are younger too, but were not written after it.
    pub(crate) fn is_after(&self, before: &Self) -> bool {
        match self.created.zip(before.created) {
            // Files are stamped by a clock that ticks every few milliseconds.
            Some((created, before_created)) => created >= before_created && self.modified >= before.modified,
            None => self.modified > before.modified,
        }
    }

    /// True where this is the age of another file, though its inode is the same.
    pub(crate) fn is_of_another(&self, file: &Self) -> bool {
        self.created.zip(file.created).is_some_and(|(one, other)| one != other)
    }
}

/// A place in a file, with all that proves it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// The file.
    pub id: FileId,
    /// Its first bytes: at most `limits::PRINT_BYTES`, and none behind `offset`.
    pub head: Print,
    /// All before this was delivered.
    pub offset: u64,
    /// The bytes just before `offset`: at most `limits::PRINT_BYTES`.
    pub tail: Print,
    /// How old and how long the file was when it was there; as it was last seen at its path, if it was renamed since.
    /// Checkpoints of former versions do not know.
    #[serde(default)]
    pub age: Option<Age>,
    /// It was renamed or removed, was read to its end, and had not grown for a while: nothing of it is missing.
    #[serde(default)]
    pub is_over: bool,
    /// How often the file was begun anew, because it was truncated or had become another one.
    #[serde(default)]
    pub epoch: u32,
}

impl Mark {
    /// A number for what stands in the file now: another one than for what stood there before it was begun anew.
    pub(crate) fn content(&self) -> u64 {
        xxh3_64([self.id.number(), u64::from(self.epoch)].map(u64::to_le_bytes).as_flattened())
    }

    /// True where the file that is now called `id`, of this `age`, is not the one that this is a place in, though it may
    /// have its inode.
    pub(crate) fn is_of_another(&self, id: FileId, age: &Age) -> bool {
        let generations = id.generation.zip(self.id.generation);
        (id.device, id.inode) != (self.id.device, self.id.inode)
            || generations.is_some_and(|(one, other)| one != other)
            || self.age.is_some_and(|before| age.is_of_another(&before))
    }
}

/// A file that is followed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownFile {
    /// Where it was last seen (bytes that are not UTF-8 are kept).
    #[serde(with = "paths")]
    pub path: PathBuf,
    /// The place in it.
    pub mark: Mark,
}

/// A file that a sink writes, at a mark.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SinkMark {
    /// Its path.
    #[serde(with = "paths")]
    pub path: PathBuf,
    /// Device and inode.
    pub identity: (u64, u64),
    /// Its inode's generation, where the file system has one.
    #[serde(default)]
    pub generation: Option<u32>,
    /// Its length: what is behind that was written after the mark.
    pub length: u64,
    /// The last bytes before `length`, at most `limits::PRINT_BYTES`.
    pub tail: Print,
    /// What may be behind the mark.
    #[serde(default)]
    pub behind: Behind,
}

/// What may stand behind the mark in a file that a sink writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Behind {
    /// What we wrote and did not make sure of, and nothing else as far as is known.
    #[default]
    Ours,
    /// Lines of somebody else, who was seen to write to it too, and perhaps ours.
    Shared,
    /// Nothing of ours: writing ended here.
    Theirs,
}

/// Something that changes which files are known. It holds from the block on that it comes with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PlaceChange {
    /// A file is known from now on, or is at another place than the blocks before said.
    Placed(KnownFile),
    /// It has another name.
    Moved {
        /// Which file.
        id: FileId,
        /// Its name.
        path: PathBuf,
    },
    /// It is finished for good.
    Forgotten(FileId),
}

/// What one block says about places: where its file is when it is delivered, and what changed before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Places {
    /// The name of its source.
    pub(crate) path: Arc<Path>,
    /// The place behind it; none for what cannot be read again.
    pub(crate) mark: Option<Mark>,
    /// What changed, in order, before `mark` holds.
    pub(crate) changes: Vec<PlaceChange>,
}

/// Paths in JSON: as text where they are UTF-8, else as a list of bytes.
pub(crate) mod paths {
    use std::{
        ffi::OsString,
        os::unix::ffi::{OsStrExt, OsStringExt},
        path::{Path, PathBuf},
    };

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Serialize, Deserialize)]
    #[serde(untagged)]
    enum Form<'a> {
        Text(std::borrow::Cow<'a, str>),
        Bytes(Vec<u8>),
    }

    pub(crate) fn serialize<S: Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
        match path.to_str() {
            Some(text) => Form::Text(text.into()),
            None => Form::Bytes(path.as_os_str().as_bytes().to_vec()),
        }
        .serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<PathBuf, D::Error> {
        Ok(match Form::deserialize(deserializer)? {
            Form::Text(text) => PathBuf::from(text.into_owned()),
            Form::Bytes(bytes) => OsString::from_vec(bytes).into(),
        })
    }
}
