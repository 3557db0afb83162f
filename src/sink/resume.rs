//! Files that are written exactly once: what was written behind the last checkpoint is taken back before it is written
//! again.

use std::{
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::{FileExt, MetadataExt},
    path::{self, Path},
};

use super::{InUse, OpenError, Output, durable::sync_parent, open};
use crate::{
    limits,
    pipeline::{Existing, SinkTarget},
    place::{Print, SinkMark},
};

/// Opens `target` to go on where `known` says that it was. Returns what must be said where that cannot be: then it is only
/// appended to, and some records may stand in it twice.
///
/// # Errors
///
/// See [`OpenError`].
pub(crate) fn resume(
    target: &SinkTarget,
    known: &[SinkMark],
    in_use: &mut InUse,
) -> Result<(Output, Option<String>), OpenError> {
    let SinkTarget::File { path, .. } = target else { return Ok((open(target, in_use)?, None)) };
    let absolute = path::absolute(path).map_err(|error| OpenError::Io { name: path.display().to_string(), error })?;
    let Some(mark) = known.iter().find(|mark| mark.path == absolute) else { return Ok((open(target, in_use)?, None)) };
    let doubt = cut_to(mark).map_err(|error| OpenError::Io { name: path.display().to_string(), error })?;
    let said =
        doubt.map(|doubt| format!("{}: {doubt}; records are appended, and some may stand in it twice", path.display()));
    let target = SinkTarget::File { path: path.clone(), existing: Existing::Append };
    Ok((open(&target, in_use)?, said))
}

/// Cuts the file of `mark` to its length, if it is that file, and says what speaks against it.
fn cut_to(mark: &SinkMark) -> io::Result<Option<&'static str>> {
    let file = match OpenOptions::new().read(true).write(true).open(&mark.path) {
        Ok(file) => file,
        // Somebody moved it away, to be kept elsewhere; what is written from now on stands in a new one.
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            cut_moved(mark);
            return Ok(None);
        }
        Err(error) => return Err(error),
    };
    let metadata = file.metadata()?;
    // A system may give a device another number when it starts: then the bytes say whether it is that file.
    let is_renumbered = metadata.ino() == mark.identity.1 && metadata.dev() != mark.identity.0 && mark.length > 0;
    if is_renumbered && cut(&file, mark)?.is_none() {
        return Ok(None);
    }
    if (metadata.dev(), metadata.ino()) != mark.identity {
        // The same, and the new one is there already.
        let is_known = cut_moved(mark) || metadata.len() == 0;
        return Ok((!is_known).then_some("another file than at the last checkpoint"));
    }
    cut(&file, mark)
}

/// Cuts the file of `mark` where it stands in its directory under another name. True if it does.
fn cut_moved(mark: &SinkMark) -> bool {
    let folder = mark.path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let Ok(entries) = fs::read_dir(folder) else { return false };
    let is_it = |metadata: &fs::Metadata| metadata.is_file() && (metadata.dev(), metadata.ino()) == mark.identity;
    let found = entries.flatten().find(|entry| entry.metadata().is_ok_and(|metadata| is_it(&metadata)));
    let file = found.and_then(|entry| OpenOptions::new().read(true).write(true).open(entry.path()).ok());
    let file = file.filter(|file| file.metadata().is_ok_and(|metadata| is_it(&metadata)));
    file.is_some_and(|file| matches!(cut(&file, mark), Ok(None)))
}

/// Cuts `file`, which has the identity of `mark`.
fn cut(file: &File, mark: &SinkMark) -> io::Result<Option<&'static str>> {
    let metadata = file.metadata()?;
    if metadata.len() < mark.length {
        return Ok(Some("shorter than at the last checkpoint"));
    }
    if tail_print(file, mark.length)? != mark.tail {
        return Ok(Some("changed since the last checkpoint"));
    }
    if metadata.len() > mark.length {
        file.set_len(mark.length)?;
    }
    Ok(None)
}

/// The print of the last bytes before `length`.
fn tail_print(file: &File, length: u64) -> io::Result<Print> {
    let mut bytes = vec![0; limits::PRINT_BYTES.min(usize::try_from(length).unwrap_or(usize::MAX))];
    let start = length - bytes.len() as u64;
    file.read_exact_at(&mut bytes, start)?;
    Ok(Print::of(&bytes))
}

impl Output {
    /// How long the file is, if it is a regular one.
    pub(crate) fn length(&self) -> Option<u64> {
        self.length
    }

    /// Makes a regular file as short as `length`.
    pub(crate) fn cut(&mut self, length: u64) -> io::Result<()> {
        self.file.set_len(length)?;
        let taken_back = self.length.map_or(0, |before| before.saturating_sub(length));
        self.written = self.written.saturating_sub(taken_back);
        self.length = self.length.map(|_| length);
        Ok(())
    }

    /// The file for those who make sure that what was written stays, if it is a regular one. Its name, if it has one,
    /// stays from now on.
    pub(crate) fn keep(&self, path: Option<&Path>) -> io::Result<Option<Kept>> {
        if self.length.is_none() {
            return Ok(None);
        }
        let file = self.file.try_clone()?;
        let metadata = file.metadata()?;
        path.map_or(Ok(()), sync_parent)?;
        Ok(Some(Kept { file, identity: (metadata.dev(), metadata.ino()) }))
    }
}

/// A file that is being written by another thread.
#[derive(Debug)]
pub(crate) struct Kept {
    file: File,
    identity: (u64, u64),
}

impl Kept {
    /// Device and inode.
    pub(crate) fn identity(&self) -> (u64, u64) {
        self.identity
    }

    /// Waits until what was written is on disk. An error is final: the system may have thrown away what it could not
    /// write, and would say nothing about it the next time.
    pub(crate) fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    /// The mark for when it was `length` bytes long.
    pub(crate) fn mark(&self, path: &Path, length: u64) -> io::Result<SinkMark> {
        // What is open for appending alone cannot be read.
        let file = File::open(path).or_else(|_| self.file.try_clone())?;
        let metadata = file.metadata()?;
        let file = if (metadata.dev(), metadata.ino()) == self.identity { file } else { self.file.try_clone()? };
        Ok(SinkMark { path: path.to_owned(), identity: self.identity, length, tail: tail_print(&file, length)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn setup(content: &[u8]) -> (tempfile::TempDir, SinkMark) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out.log");
        std::fs::write(&path, content).unwrap();
        let file = File::open(&path).unwrap();
        let metadata = file.metadata().unwrap();
        let length = content.len() as u64;
        let tail = tail_print(&file, length).unwrap();
        (folder, SinkMark { path, identity: (metadata.dev(), metadata.ino()), length, tail })
    }

    fn resumed(mark: &SinkMark) -> (Vec<u8>, Option<String>) {
        let target = SinkTarget::File { path: mark.path.clone(), existing: Existing::Refuse };
        let (mut output, said) = resume(&target, std::slice::from_ref(mark), &mut InUse::default()).unwrap();
        output.write_all(b"next\n").unwrap();
        (std::fs::read(&mark.path).unwrap(), said)
    }

    #[test]
    fn what_is_behind_the_mark_is_taken_back() {
        let (_folder, mark) = setup(b"one\n");
        std::fs::write(&mark.path, b"one\ntwo\nthr").unwrap();
        assert_eq!(resumed(&mark), (b"one\nnext\n".to_vec(), None));
    }

    #[test]
    fn a_file_that_is_not_what_it_was_is_only_appended_to() {
        for other in [&b"ONE\ntwo\n"[..], b"o"] {
            let (_folder, mark) = setup(b"one\n");
            std::fs::write(&mark.path, other).unwrap();
            let (content, said) = resumed(&mark);
            assert!(content.starts_with(other) && content.ends_with(b"\nnext\n"), "{content:?}");
            assert!(said.unwrap().contains("may stand in it twice"));
        }
    }

    #[test]
    fn a_file_that_was_moved_away_is_begun_anew() {
        let (folder, mark) = setup(b"one\n");
        std::fs::rename(&mark.path, folder.path().join("out.log.1")).unwrap();
        assert_eq!(resumed(&mark), (b"next\n".to_vec(), None));
        std::fs::remove_file(&mark.path).unwrap();
        std::fs::write(&mark.path, b"").unwrap();
        assert_eq!(resumed(&mark), (b"next\n".to_vec(), None));
    }

    /// Only its name says that a new one was begun: what is behind the mark is written again, and so it is taken back.
    #[test]
    fn what_is_behind_the_mark_is_taken_back_of_a_file_that_was_moved() {
        let (folder, mark) = setup(b"one\n");
        let moved = folder.path().join("out.log.1");
        std::fs::write(&mark.path, b"one\ntwo\n").unwrap();
        std::fs::rename(&mark.path, &moved).unwrap();
        for content in [&b"next\n"[..], b"next\nnext\n"] {
            assert_eq!(resumed(&mark), (content.to_vec(), None));
            assert_eq!(std::fs::read(&moved).unwrap(), b"one\n");
            std::fs::write(&moved, b"one\ntwo\n").unwrap();
        }
    }

    #[test]
    fn without_a_mark_it_is_opened_as_ever() {
        let (_folder, mark) = setup(b"one\n");
        let target = SinkTarget::File { path: mark.path.clone(), existing: Existing::Refuse };
        assert!(matches!(resume(&target, &[], &mut InUse::default()), Err(OpenError::Exists(_))));
    }
}
