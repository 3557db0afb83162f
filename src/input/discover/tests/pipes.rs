//! Pipes: those with a writer, those without, and those whose writer has gone. None may make us wait.

use std::{
    fs::{self, OpenOptions},
    io::{Read, Write},
    os::{fd::AsRawFd, unix::fs::OpenOptionsExt},
    path::PathBuf,
    thread,
    time::Duration,
};

use super::{super::open::open_at_once, NOTHING_SPECIAL, at_once, fifo, find, open_stream, stream, temp};

#[test]
fn a_fifo_with_a_writer_is_read_to_its_end() {
    let dir = temp();
    let path = fifo(&dir, "fifo");
    assert_eq!(find(&[&path], NOTHING_SPECIAL).inputs, [stream(&path)]);
    // As a shell would: the writer waits in open until somebody reads, and here takes a while to get even there.
    let writer = thread::spawn({
        let path = path.clone();
        move || {
            thread::sleep(Duration::from_millis(50));
            let mut fifo = OpenOptions::new().write(true).open(path).unwrap();
            thread::sleep(Duration::from_millis(100));
            fifo.write_all(b"every byte\n").unwrap();
        }
    });
    let mut text = String::new();
    let mut file = at_once(move || open_stream(&stream(&path)).unwrap());
    // Blocking again: without that, this would say EAGAIN while the writer sleeps.
    file.read_to_string(&mut text).unwrap();
    assert_eq!(text, "every byte\n");
    writer.join().unwrap();
}

#[test]
fn a_fifo_whose_writer_had_nothing_to_say_is_empty() {
    let dir = temp();
    let path = fifo(&dir, "fifo");
    let writer = thread::spawn({
        let path = path.clone();
        move || drop(OpenOptions::new().write(true).open(path).unwrap())
    });
    let read = at_once(move || open_stream(&stream(&path)).unwrap().read(&mut [0; 8]).unwrap());
    assert_eq!(read, 0);
    writer.join().unwrap();
}

#[test]
fn a_fifo_without_a_writer_is_refused() {
    let dir = temp();
    let path = fifo(&dir, "fifo");
    let error = at_once(move || open_stream(&stream(&path)).unwrap_err());
    assert!(error.to_string().contains("nobody writes"), "{error}");
}

#[test]
fn looking_at_a_fifo_takes_nothing_and_does_not_break_its_writer() {
    let dir = temp();
    let path = fifo(&dir, "fifo");
    let mut both = OpenOptions::new().read(true).write(true).open(&path).unwrap();
    both.write_all(b"abc").unwrap();
    assert_eq!(find(&[&path], NOTHING_SPECIAL).inputs, [stream(&path)]);
    let mut bytes = [0; 3];
    at_once(move || {
        open_stream(&stream(&path)).unwrap().read_exact(&mut bytes).unwrap();
        assert_eq!(&bytes, b"abc");
    });
}

#[test]
fn pipes_of_the_shell_can_be_empty() {
    // The very thing that `<(true)` makes: a pipe under /proc/self/fd, whose writer has gone.
    let (reader, writer) = rustix::pipe::pipe().unwrap();
    let path = PathBuf::from(format!("/dev/fd/{}", reader.as_raw_fd()));
    let found = find(&[&path], NOTHING_SPECIAL);
    assert_eq!(found.inputs, [stream(&path)]);
    drop(writer);
    let read = at_once(move || open_stream(&stream(&path)).unwrap().read(&mut [0; 8]).unwrap());
    assert_eq!(read, 0);
}

#[test]
fn a_file_replaced_by_a_fifo_does_not_hang_us() {
    // What `regular` would meet if the swap happened between looking and opening.
    let dir = temp();
    let path = fifo(&dir, "fifo");
    at_once(move || assert!(!open_at_once(&path).unwrap().metadata().unwrap().is_file()));
}

#[test]
fn the_helper_notices_what_hangs() {
    let dir = temp();
    let path = fifo(&dir, "fifo");
    let hanging = path.clone();
    let outcome = std::panic::catch_unwind(|| at_once(move || fs::File::open(hanging).is_ok()));
    assert!(outcome.is_err());
    // Lets the thread go.
    OpenOptions::new().write(true).custom_flags(rustix::fs::OFlags::NONBLOCK.bits() as i32).open(path).unwrap();
}
