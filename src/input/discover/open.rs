//! Opens sources so that opening never hangs, whatever stands at the path: FIFOs, terminals, devices, `/proc`.

use std::{
    fs::File,
    io,
    os::fd::AsFd,
    path::Path,
    time::{Duration, Instant},
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    fs::{FileType, FsWord, Mode, OFlags, fcntl_getfl, fcntl_setfl, fstat, fstatfs},
    io::Errno,
    pipe::{SpliceFlags, pipe, tee},
};

use crate::input::Input;

/// How long a FIFO may be without a writer: a shell that runs `produce > fifo &` right before us may not have got there.
const WRITER_TIME: Duration = Duration::from_millis(200);
/// How often to look for that writer.
const WRITER_POLL_INTERVAL: Duration = Duration::from_millis(5);

/// Opens a source that is read from front to back, for blocking reads.
///
/// Opening itself never blocks for longer than a moment. Only here is it found out whether a named pipe has a writer,
/// not when it is discovered: to look, it must be opened, and closing it again would break the writer.
///
/// # Errors
///
/// What the system says; and for a named pipe that nobody writes to, that.
pub fn open_stream(input: &Input) -> io::Result<File> {
    if is_stdin(&input.path) {
        let file = File::from(io::stdin().as_fd().try_clone_to_owned()?);
        set_blocking(&file)?;
        return Ok(file);
    }
    let file = open_at_once(&input.path)?;
    if is_named_pipe(&file)? {
        await_writer(&file)?;
    }
    set_blocking(&file)?;
    Ok(file)
}

/// The names of standard input. Where it is a pipe or a socket it is duplicated, since not all of those can be opened anew.
pub(super) fn is_stdin(path: &Path) -> bool {
    ["-", "/dev/stdin", "/dev/fd/0", "/proc/self/fd/0"].iter().any(|name| path.as_os_str() == *name)
}

/// Opens without waiting for anybody, and without making a terminal ours.
pub(in crate::input) fn open_at_once(path: &Path) -> io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    Ok(File::from(rustix::fs::open(path, flags, Mode::empty())?))
}

/// Takes `O_NONBLOCK` away where it is set.
pub(crate) fn set_blocking(file: &File) -> io::Result<()> {
    let flags = fcntl_getfl(file)?;
    if flags.contains(OFlags::NONBLOCK) {
        fcntl_setfl(file, flags - OFlags::NONBLOCK)?;
    }
    Ok(())
}

/// A FIFO with a name; not the pipe behind `<(…)`, which ends when its writer has ended, and may well be empty.
fn is_named_pipe(file: &File) -> io::Result<bool> {
    const PIPEFS: FsWord = 0x5049_5045;
    let is_fifo = FileType::from_raw_mode(fstat(file)?.st_mode) == FileType::Fifo;
    Ok(is_fifo && fstatfs(file)?.f_type != PIPEFS)
}

fn await_writer(fifo: &File) -> io::Result<()> {
    // Both ends are kept until the end: without a reader the scratch pipe would be broken.
    let (_reader, scratch) = pipe()?;
    let begin = Instant::now();
    while !has_writer(fifo, &scratch)? {
        if begin.elapsed() >= WRITER_TIME {
            return Err(io::Error::other("a named pipe that nobody writes to; start its writer first"));
        }
        std::thread::sleep(WRITER_POLL_INTERVAL);
    }
    Ok(())
}

/// Looks without taking a byte: `tee` duplicates what is there, says `EAGAIN` where a writer might still write, and 0
/// where there is none. Only a writer that has come *and gone* leaves a hang-up behind; then the pipe is just empty.
fn has_writer(fifo: &File, scratch: impl AsFd) -> io::Result<bool> {
    match tee(fifo, scratch, 1, SpliceFlags::NONBLOCK) {
        Ok(0) => {
            let mut fds = [PollFd::new(fifo, PollFlags::IN)];
            poll(&mut fds, Some(&Timespec { tv_sec: 0, tv_nsec: 0 }))?;
            Ok(fds[0].revents().contains(PollFlags::HUP))
        }
        Ok(_) | Err(Errno::AGAIN) => Ok(true),
        Err(error) => Err(error.into()),
    }
}
