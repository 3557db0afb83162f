//! A look at a regular file: what it is once it is open, and what its head says. At many at once, where a directory holds
//! many.

use std::{
    collections::HashMap,
    fs::{self, File, Metadata},
    io,
    os::unix::fs::{FileExt, MetadataExt},
    path::{Path, PathBuf},
    thread,
};

use super::{head::Head, is_on_kernel_file_system, open_at_once};
use crate::limits;

/// Fewer files are looked at by one thread: another costs more than it saves.
const MANY: usize = 64;
/// Threads that look at files at once, at most.
const THREADS_MAX: usize = 8;

/// Per device: its files are made up by the kernel while they are read.
pub(super) type Devices = HashMap<u64, bool>;

/// What was seen of a file.
pub(super) struct Probe {
    /// What was a file a moment ago may be a FIFO by now: this is of what was really opened.
    pub(super) metadata: Metadata,
    /// It is no file of a real file system. Then it was not even looked into: reading some of them consumes what is read,
    /// and others block.
    pub(super) is_kernel_made: bool,
    /// What its head says, and how long that is.
    pub(super) head: io::Result<(Head, usize)>,
}

impl Probe {
    /// Opens the file at `path`, and looks at as much of its head as `room` has room for. Devices that are not among
    /// `known` are asked about.
    pub(super) fn of(path: &Path, room: &mut [u8], known: &Devices) -> io::Result<Self> {
        let file = open_at_once(path)?;
        let metadata = file.metadata()?;
        let ask = || is_on_kernel_file_system(&file);
        let is_kernel_made = metadata.is_file() && known.get(&metadata.dev()).copied().unwrap_or_else(ask);
        let head = if metadata.is_file() && !is_kernel_made {
            read_head(&file, room).map(|read| (Head::of(&room[..read]), read))
        } else {
            Ok((Head::Plain, 0))
        };
        Ok(Self { metadata, is_kernel_made, head })
    }

    /// The same for all of `paths`, in their order; `None` where no file stands by now.
    pub(super) fn all(paths: &[PathBuf], known: &Devices) -> Vec<Option<io::Result<Self>>> {
        let look = |paths: &[PathBuf]| {
            let mut room = vec![0; limits::BINARY_PROBE_BYTES];
            let is_file = |path: &PathBuf| fs::metadata(path).is_ok_and(|metadata| metadata.is_file());
            let mut one = |path| is_file(path).then(|| Self::of(path, &mut room, known));
            paths.iter().map(&mut one).collect::<Vec<_>>()
        };
        let threads =
            thread::available_parallelism().map_or(1, usize::from).min(THREADS_MAX).min(paths.len() / MANY + 1);
        let parts = paths.chunks(paths.len().div_ceil(threads).max(1));
        thread::scope(|scope| {
            let begin = |part| {
                let thread = thread::Builder::new().name("logweir-look".to_owned());
                // Where there can be no more threads, this one does it.
                thread.spawn_scoped(scope, move || look(part)).map_err(|_| part)
            };
            let mut parts = parts.rev();
            let last = parts.next().unwrap_or_default();
            let begun: Vec<_> = parts.rev().map(begin).collect();
            let last = look(last);
            let end = |begun| match begun {
                Ok(thread) => join(thread),
                Err(part) => look(part),
            };
            begun.into_iter().flat_map(end).chain(last).collect()
        })
    }
}

fn join<T>(thread: thread::ScopedJoinHandle<'_, T>) -> T {
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// Fills `head` as far as the file reaches.
fn read_head(file: &File, head: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < head.len() {
        match file.read_at(&mut head[filled..], filled as u64) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}
