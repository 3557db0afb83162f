//! Writes to what may block for ever (pipes, terminals, sockets), so that whoever asks a run to stop is heard meanwhile.
//!
//! A thread inside `write(2)` hears nothing, so nothing is written before there is room. `O_NONBLOCK` is no way where
//! the pipe was opened by others: it belongs to all processes that share it.

use std::{
    fs::{File, FileType, OpenOptions},
    io::{self, IoSlice, IsTerminal},
    os::{
        fd::AsRawFd,
        unix::fs::{FileTypeExt, OpenOptionsExt},
    },
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    fs::OFlags,
    io::{Errno, ReadWriteFlags, pwritev2, write},
};

use crate::limits;

/// How often it is looked whether a stop was asked for.
const LOOK_NS: i64 = 50_000_000;
/// What a pipe takes without blocking when it says that it has room: a page.
const PAGE_BYTES: usize = 4 << 10;
/// As [`pwritev2`] wants it for what has no offsets.
const NO_OFFSET: u64 = u64::MAX;

/// The same terminal, opened for us alone and non-blocking, since one that has room for some bytes still blocks on more;
/// what is no terminal, or cannot be opened, stays as it is.
pub(super) fn own_terminal(file: File) -> File {
    if !file.is_terminal() {
        return file;
    }
    let flags = (OFlags::NONBLOCK | OFlags::NOCTTY).bits().cast_signed();
    let path = format!("/proc/self/fd/{}", file.as_raw_fd());
    OpenOptions::new().write(true).custom_flags(flags).open(path).unwrap_or(file)
}

/// Waits for room, and gives up some time after `stop` is set.
#[derive(Debug)]
pub(super) struct Patience {
    stop: Arc<AtomicBool>,
    /// Since when nothing has moved although a stop was asked for.
    stuck: Option<Instant>,
    /// The system takes the part of the bytes that there is room for. Else (terminals, old kernels) it may block
    /// until it has taken all it was given.
    takes_parts: bool,
}

impl Patience {
    /// What is needed for a file of this type; none for those that take everything in time.
    pub(super) fn for_type(kind: FileType) -> Option<Self> {
        let may_block = kind.is_fifo() || kind.is_socket() || kind.is_char_device();
        may_block.then(|| Self { stop: Arc::default(), stuck: None, takes_parts: true })
    }

    /// From now on, `stop` ends the waiting.
    pub(super) fn heed(&mut self, stop: Arc<AtomicBool>) {
        self.stop = stop;
    }

    /// Writes some of `bytes`; returns how many. Nobody reading it after a stop is [`io::ErrorKind::TimedOut`].
    pub(super) fn write(&mut self, file: &File, bytes: &[u8]) -> io::Result<usize> {
        loop {
            if has_room(file)? {
                match self.try_write(file, bytes) {
                    Ok(count) => {
                        self.stuck = None;
                        return Ok(count);
                    }
                    // Somebody else who writes there was faster.
                    Err(Errno::AGAIN | Errno::INTR) => {}
                    Err(Errno::OPNOTSUPP | Errno::NOSYS) if self.takes_parts => self.takes_parts = false,
                    Err(error) => return Err(error.into()),
                }
            }
            if self.is_over() {
                return Err(io::Error::new(io::ErrorKind::TimedOut, "nobody takes it, and a stop was asked for"));
            }
        }
    }

    fn try_write(&self, file: &File, bytes: &[u8]) -> Result<usize, Errno> {
        if self.takes_parts {
            return pwritev2(file, &[IoSlice::new(bytes)], NO_OFFSET, ReadWriteFlags::NOWAIT);
        }
        write(file, &bytes[..bytes.len().min(PAGE_BYTES)])
    }

    fn is_over(&mut self) -> bool {
        let is_stopping = self.stop.load(Ordering::Relaxed);
        is_stopping && self.stuck.get_or_insert_with(Instant::now).elapsed() >= limits::OUTPUT_TIME
    }
}

/// Waits a moment for room; an error of the file counts as room, since writing tells it.
fn has_room(file: &File) -> io::Result<bool> {
    let moment = Timespec { tv_sec: 0, tv_nsec: LOOK_NS };
    match poll(&mut [PollFd::new(file, PollFlags::OUT)], Some(&moment)) {
        Ok(ready) => Ok(ready > 0),
        Err(Errno::INTR) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use std::{io::Read, thread};

    use super::*;

    fn patience(takes_parts: bool) -> Patience {
        Patience { stop: Arc::default(), stuck: None, takes_parts }
    }

    #[test]
    fn where_nothing_can_be_taken_in_parts_it_comes_in_pages() {
        for takes_parts in [true, false] {
            let (mut reader, writer) = io::pipe().unwrap();
            let writer = File::from(std::os::fd::OwnedFd::from(writer));
            let mut patience = patience(takes_parts);
            let bytes: Vec<u8> = (0..1 << 20).map(|number: u32| (number % 251) as u8).collect();
            let writing = thread::spawn(move || {
                let mut taken = 0;
                while taken < bytes.len() {
                    taken += patience.write(&writer, &bytes[taken..]).unwrap();
                }
                (bytes, patience, writer)
            });
            let mut read = vec![0; 1 << 20];
            reader.read_exact(&mut read).unwrap();
            let (bytes, mut patience, writer) = writing.join().unwrap();
            assert!(read == bytes, "takes_parts: {takes_parts}");
            // And now nobody reads: it fills up, and is given up.
            patience.stop.store(true, Ordering::Relaxed);
            let error = (0..).find_map(|_| patience.write(&writer, &bytes).err()).unwrap();
            assert_eq!(error.kind(), io::ErrorKind::TimedOut, "takes_parts: {takes_parts}");
        }
    }
}
