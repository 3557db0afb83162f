//! Files that are written exactly once: what was written behind the last checkpoint is taken back before it is written
//! again.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Seek, SeekFrom},
    os::unix::fs::{FileExt, MetadataExt},
    path::{self, Path, PathBuf},
    sync::Arc,
};

use rustix::{
    fs::{FlockOperation, flock},
    io::Errno,
};

use super::{InUse, OpenError, Output, WriteError, durable::sync_parent, extent::Extent, open};
use crate::{
    input::file_id,
    limits,
    pipeline::{Existing, SinkTarget},
    place::{Behind, Print, SinkMark},
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
    // Before it is cut, or emptied to be replaced.
    refuse_if_locked(path)?;
    let Some(mark) = known.iter().find(|mark| mark.path == absolute) else { return Ok((open(target, in_use)?, None)) };
    let doubt = cut_to(mark).map_err(|error| match error.kind() {
        io::ErrorKind::WouldBlock => OpenError::Locked(path.clone()),
        _ => OpenError::Io { name: path.display().to_string(), error },
    })?;
    let said =
        doubt.map(|doubt| format!("{}: {doubt}; records are appended, and some may stand in it twice", path.display()));
    let target = SinkTarget::File { path: path.clone(), existing: Existing::Append };
    Ok((open(&target, in_use)?, said))
}

/// Refuses a regular file that another process of ours writes to.
fn refuse_if_locked(path: &Path) -> Result<(), OpenError> {
    if !fs::metadata(path).is_ok_and(|metadata| metadata.is_file()) {
        return Ok(());
    }
    // Whoever may not open it hears that later.
    let locked = File::open(path).map_or(Ok(()), |file| lock(&file));
    locked.map_err(|_| OpenError::Locked(path.to_owned()))
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

/// Cuts `file`, which has the identity of `mark`, if what is behind the mark is ours.
fn cut(file: &File, mark: &SinkMark) -> io::Result<Option<&'static str>> {
    lock(file)?;
    let metadata = file.metadata()?;
    if metadata.len() < mark.length {
        return Ok(Some("shorter than at the last checkpoint"));
    }
    if tail_print(file, mark.length)? != mark.tail {
        return Ok(Some("changed since the last checkpoint"));
    }
    if metadata.len() == mark.length {
        return Ok(None);
    }
    match mark.behind {
        Behind::Theirs => Ok(None),
        Behind::Shared => Ok(Some("somebody else writes to it too")),
        // Without any bytes before the mark, only this tells it from another file that was given its inode.
        Behind::Ours if mark.length == 0 && (mark.generation.is_none() || generation(file) != mark.generation) => {
            Ok(Some("perhaps another file than at the last checkpoint"))
        }
        Behind::Ours => file.set_len(mark.length).map(|()| None),
    }
}

/// Makes sure that no other process of ours writes to `file`. File systems that know no locks have to be believed.
fn lock(file: &File) -> io::Result<()> {
    match flock(file, FlockOperation::NonBlockingLockExclusive) {
        Err(Errno::WOULDBLOCK) => Err(io::ErrorKind::WouldBlock.into()),
        _ => Ok(()),
    }
}

fn generation(file: &File) -> Option<u32> {
    file_id(file).ok().and_then(|id| id.generation)
}

/// The print of the last bytes before `length`.
fn tail_print(file: &File, length: u64) -> io::Result<Print> {
    let mut bytes = vec![0; limits::PRINT_BYTES.min(usize::try_from(length).unwrap_or(usize::MAX))];
    let start = length - bytes.len() as u64;
    file.read_exact_at(&mut bytes, start)?;
    Ok(Print::of(&bytes))
}

impl Output {
    /// How far it reaches, as far as it is ours, if it is a regular file.
    pub(crate) fn length(&self) -> Option<u64> {
        self.extent.as_ref().map(|extent| extent.end())
    }

    /// Refuses a regular file that another process of ours writes to, and keeps such from it.
    pub(crate) fn lock(&self) -> Result<(), OpenError> {
        let locked = if self.extent.is_some() { lock(&self.file) } else { Ok(()) };
        locked.map_err(|_| OpenError::Locked(PathBuf::from(&self.name)))
    }

    /// Makes a regular file as short as `length`.
    pub(super) fn cut(&mut self, length: u64) -> io::Result<()> {
        self.file.set_len(length)?;
        // Standard output is not always open for appending, and would leave a hole.
        self.file.seek(SeekFrom::Start(length))?;
        if let Some(extent) = &self.extent {
            self.written = self.written.saturating_sub(extent.end().saturating_sub(length));
            extent.cut(length);
        }
        self.is_open = false;
        Ok(())
    }

    /// Takes back what was written since the file reached to `length` and `written` bytes were taken. Where somebody else
    /// wrote to it meanwhile, all of it stays.
    pub(crate) fn take_back(&mut self, length: u64, written: u64) -> io::Result<()> {
        let Some(extent) = &self.extent else { return Ok(()) };
        let is_ours = extent.end() == length + (self.written - written);
        if !is_ours || self.file.metadata()?.len() != extent.end() {
            extent.share();
            return Ok(());
        }
        self.cut(length)
    }

    /// Ends a line of which only a part could be written.
    pub(crate) fn end_line(&mut self) -> Result<(), WriteError> {
        if self.is_open { self.write_all(b"\n") } else { Ok(()) }
    }

    /// The file for those who make sure that what was written stays, if it is a regular one. Its name, if it has one,
    /// stays from now on.
    pub(crate) fn keep(&self, path: Option<&Path>) -> io::Result<Option<Kept>> {
        let Some(extent) = &self.extent else { return Ok(None) };
        let file = self.file.try_clone()?;
        let metadata = file.metadata()?;
        path.map_or(Ok(()), sync_parent)?;
        let (identity, generation) = ((metadata.dev(), metadata.ino()), generation(&file));
        Ok(Some(Kept { file, identity, generation, extent: Arc::clone(extent) }))
    }
}

/// A file that is being written by another thread.
#[derive(Debug)]
pub(crate) struct Kept {
    file: File,
    identity: (u64, u64),
    generation: Option<u32>,
    extent: Arc<Extent>,
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

    /// Somebody else has written to it, or made it shorter, since it was opened.
    pub(crate) fn is_shared(&self) -> bool {
        self.extent.is_shared()
    }

    /// The mark for when it was `length` bytes long. `is_over` says that nothing more is written to it.
    pub(crate) fn mark(&self, path: &Path, length: u64, is_over: bool) -> io::Result<SinkMark> {
        let (length, tail) = loop {
            let there = self.file.metadata()?.len();
            // Where nobody writes any more, all that is behind our end is somebody else's, too.
            if there < length || (is_over && there != self.extent.end()) {
                self.extent.share();
            }
            match tail_print(&self.file, length.min(there)) {
                // It was made shorter just now.
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {}
                tail => break (length.min(there), tail?),
            }
        };
        let behind = if is_over && self.extent.end() == length {
            Behind::Theirs
        } else if self.extent.is_shared() {
            Behind::Shared
        } else {
            Behind::Ours
        };
        let (path, identity, generation) = (path.to_owned(), self.identity, self.generation);
        Ok(SinkMark { path, identity, generation, length, tail, behind })
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn setup(content: &[u8]) -> (tempfile::TempDir, SinkMark) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out.log");
        std::fs::write(&path, content).unwrap();
        let file = File::open(&path).unwrap();
        let metadata = file.metadata().unwrap();
        let length = content.len() as u64;
        let tail = tail_print(&file, length).unwrap();
        let (identity, generation) = ((metadata.dev(), metadata.ino()), generation(&file));
        (folder, SinkMark { path, identity, generation, length, tail, behind: Behind::Ours })
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

    fn opened(path: &Path) -> (Output, Kept) {
        let target = SinkTarget::File { path: path.to_owned(), existing: Existing::Append };
        let output = open(&target, &mut InUse::default()).unwrap();
        let kept = output.keep(Some(path)).unwrap().unwrap();
        (output, kept)
    }

    fn append(path: &Path, bytes: &[u8]) {
        OpenOptions::new().append(true).open(path).unwrap().write_all(bytes).unwrap();
    }

    /// What is counted is not where the file ends: the mark has to be.
    #[test]
    fn lines_of_somebody_else_stay_and_so_do_ours_behind_them() {
        let (_folder, SinkMark { path, .. }) = setup(b"");
        let (mut output, kept) = opened(&path);
        output.write_all(b"one\n").unwrap();
        append(&path, b"theirs\n");
        output.write_all(b"two\n").unwrap();
        let mark = kept.mark(&path, output.length().unwrap(), false).unwrap();
        assert_eq!((mark.length, mark.behind), (15, Behind::Shared));
        append(&path, b"theirs\n");
        drop((output, kept));
        let (content, said) = resumed(&mark);
        assert_eq!(content, b"one\ntheirs\ntwo\ntheirs\nnext\n");
        assert!(said.unwrap().contains("somebody else writes to it too"));
    }

    #[test]
    fn what_is_behind_a_clean_end_is_not_ours() {
        let (_folder, SinkMark { path, .. }) = setup(b"");
        let (mut output, kept) = opened(&path);
        output.write_all(b"one\n").unwrap();
        let unfinished = kept.mark(&path, 0, true).unwrap();
        let mark = kept.mark(&path, 4, true).unwrap();
        assert_eq!((unfinished.behind, mark.behind), (Behind::Ours, Behind::Theirs));
        drop((output, kept));
        append(&path, b"theirs\n");
        assert_eq!(resumed(&mark), (b"one\ntheirs\nnext\n".to_vec(), None));
    }

    /// Any file agrees with a mark that has no bytes before it.
    #[test]
    fn another_file_that_was_given_the_inode_is_not_emptied() {
        let (_folder, mark) = setup(b"");
        std::fs::write(&mark.path, b"theirs\n").unwrap();
        let other = mark.generation.map(|number| number ^ 1);
        let (content, said) = resumed(&SinkMark { generation: other, ..mark.clone() });
        assert_eq!(content, b"theirs\nnext\n");
        assert!(said.unwrap().contains("perhaps another file"));
        if mark.generation.is_some() {
            assert_eq!(resumed(&mark), (b"next\n".to_vec(), None), "the same file, and what is in it is ours");
        }
    }

    #[test]
    fn a_file_that_was_cut_while_it_was_written_is_only_appended_to() {
        let (_folder, SinkMark { path, .. }) = setup(b"");
        let (mut output, kept) = opened(&path);
        output.write_all(b"one\ntwo\n").unwrap();
        OpenOptions::new().write(true).open(&path).unwrap().set_len(4).unwrap();
        let mark = kept.mark(&path, output.length().unwrap(), false).unwrap();
        assert_eq!((mark.length, mark.behind, kept.is_shared()), (4, Behind::Shared, true));
        output.write_all(b"three\n").unwrap();
        assert_eq!(output.length(), Some(10), "where the file ends, not what was counted");
    }

    #[test]
    fn a_file_is_written_by_one_at_a_time() {
        let (_folder, mark) = setup(b"one\n");
        let (output, _kept) = opened(&mark.path);
        output.lock().unwrap();
        append(&mark.path, b"two\n");
        let target = SinkTarget::File { path: mark.path.clone(), existing: Existing::Append };
        let refused = resume(&target, std::slice::from_ref(&mark), &mut InUse::default()).unwrap_err();
        assert!(matches!(refused, OpenError::Locked(_)), "{refused}");
        assert!(matches!(opened(&mark.path).0.lock(), Err(OpenError::Locked(_))));
        assert_eq!(std::fs::read(&mark.path).unwrap(), b"one\ntwo\n", "nothing was taken back");
    }

    /// Nobody may find out that it is locked by emptying it.
    #[test]
    fn a_file_that_another_writes_is_not_emptied_to_be_replaced() {
        let (_folder, SinkMark { path, .. }) = setup(b"one\n");
        let (output, _kept) = opened(&path);
        output.lock().unwrap();
        let target = SinkTarget::File { path: path.clone(), existing: Existing::Replace };
        let refused = resume(&target, &[], &mut InUse::default()).unwrap_err();
        assert!(matches!(refused, OpenError::Locked(_)), "{refused}");
        assert_eq!(std::fs::read(&path).unwrap(), b"one\n");
    }

    /// Where the session ends with something undelivered, the file is longer than we made it.
    #[test]
    fn what_somebody_else_wrote_last_is_seen_at_the_end() {
        let (_folder, SinkMark { path, .. }) = setup(b"");
        let (mut output, kept) = opened(&path);
        output.write_all(b"one\ntwo\n").unwrap();
        assert_eq!(kept.mark(&path, 4, true).unwrap().behind, Behind::Ours);
        append(&path, b"theirs\n");
        assert_eq!(kept.mark(&path, 4, false).unwrap().behind, Behind::Ours, "it may be ours, of just now");
        assert_eq!(kept.mark(&path, 4, true).unwrap().behind, Behind::Shared);
    }

    /// As standard output is opened by a shell.
    #[test]
    fn what_is_written_after_something_was_taken_back_leaves_no_hole() {
        let (_folder, SinkMark { path, .. }) = setup(b"");
        let (mut output, _kept) = opened(&path);
        output.file = OpenOptions::new().write(true).open(&path).unwrap();
        output.write_all(b"one\n").unwrap();
        output.write_all(b"tw").unwrap();
        output.take_back(4, 4).unwrap();
        output.write_all(b"two\n").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"one\ntwo\n");
    }

    #[test]
    fn only_what_is_ours_is_taken_back() {
        let (_folder, SinkMark { path, .. }) = setup(b"");
        let (mut output, kept) = opened(&path);
        output.write_all(b"one\n").unwrap();
        let before = (output.length().unwrap(), output.written());
        output.write_all(b"tw").unwrap();
        output.take_back(before.0, before.1).unwrap();
        assert_eq!((std::fs::read(&path).unwrap(), output.written()), (b"one\n".to_vec(), 4));
        for theirs in [true, false] {
            let before = (output.length().unwrap(), output.written());
            output.write_all(b"tw").unwrap();
            append(&path, b"o-theirs\n");
            if theirs {
                output.write_all(b"o\nthr").unwrap();
            }
            output.take_back(before.0, before.1).unwrap();
            output.end_line().unwrap();
        }
        assert!(kept.is_shared());
        assert_eq!(std::fs::read(&path).unwrap(), b"one\ntwo-theirs\no\nthr\ntwo-theirs\n\n");
    }

    #[test]
    fn without_a_mark_it_is_opened_as_ever() {
        let (_folder, mark) = setup(b"one\n");
        let target = SinkTarget::File { path: mark.path.clone(), existing: Existing::Refuse };
        assert!(matches!(resume(&target, &[], &mut InUse::default()), Err(OpenError::Exists(_))));
    }
}
