//! Every way of opening and of failing, on a real file system.

use std::{io::Read, os::unix::fs::symlink, sync::mpsc, thread, time::Duration};

use rustix::fs::{CWD, Mode, mkfifoat};

use super::*;

fn file(path: impl Into<PathBuf>, existing: Existing) -> SinkTarget {
    SinkTarget::File { path: path.into(), existing }
}

fn try_open(path: &Path, existing: Existing) -> Result<Output, OpenError> {
    open(&file(path, existing), &mut InUse::default())
}

fn random(path: &Path) -> Input {
    let metadata = fs::metadata(path).unwrap();
    Input {
        path: path.to_owned(),
        access: Access::Random { size: metadata.len(), identity: (metadata.dev(), metadata.ino()) },
    }
}

fn piped(writer: std::os::fd::OwnedFd) -> Output {
    let file = File::from(writer);
    let metadata = file.metadata().unwrap();
    Output::new(file, "pipe".into(), &metadata)
}

#[test]
fn a_new_file_is_made_whatever_existing_says() {
    let dir = tempfile::tempdir().unwrap();
    for (number, existing) in [Existing::Append, Existing::Replace, Existing::Refuse].into_iter().enumerate() {
        let path = dir.path().join(number.to_string());
        let mut output = try_open(&path, existing).unwrap();
        output.write_all(b"one\n").unwrap();
        output.write_all(b"two\n").unwrap();
        assert_eq!(output.written(), 8);
        assert_eq!(fs::read(path).unwrap(), b"one\ntwo\n");
    }
}

#[test]
fn an_existing_file_is_treated_as_told() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("out");
    fs::write(&path, "old\n").unwrap();
    let message = try_open(&path, Existing::Refuse).unwrap_err().to_string();
    assert!(message.starts_with(&path.display().to_string()) && message.contains("existing = \"append\""), "{message}");
    assert_eq!(fs::read(&path).unwrap(), b"old\n");

    try_open(&path, Existing::Append).unwrap().write_all(b"new\n").unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"old\nnew\n");
    try_open(&path, Existing::Replace).unwrap().write_all(b"x\n").unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"x\n");
}

#[test]
fn what_is_appended_begins_on_a_line_of_its_own() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("out");
    for (before, after) in [("", "new\n"), ("old", "old\nnew\n"), ("old\n", "old\nnew\n")] {
        fs::write(&path, before).unwrap();
        let mut output = try_open(&path, Existing::Append).unwrap();
        output.write_all(b"new\n").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), after);
    }
}

#[test]
fn a_missing_directory_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let parent = dir.path().join("missing");
    for existing in [Existing::Append, Existing::Replace, Existing::Refuse] {
        let message = try_open(&parent.join("out"), existing).unwrap_err().to_string();
        assert!(message.contains(&format!("the directory {} does not exist", parent.display())), "{message}");
    }
    let error = try_open(dir.path(), Existing::Append).unwrap_err();
    assert!(matches!(&error, OpenError::Io { .. }), "{error}");
    assert!(error.to_string().ends_with("Is a directory"), "{error}");
}

#[test]
fn an_input_is_never_written_to() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("in");
    fs::write(&path, "precious\n").unwrap();
    let link = dir.path().join("link");
    symlink(&path, &link).unwrap();
    for (path, existing) in [(&path, Existing::Append), (&link, Existing::Append), (&link, Existing::Replace)] {
        let mut in_use = InUse::new(&[random(path)]);
        let error = open(&file(path, existing), &mut in_use).unwrap_err();
        assert!(matches!(error, OpenError::IsInput(_)), "{error}");
    }
    assert_eq!(fs::read(&path).unwrap(), b"precious\n");
}

#[test]
fn a_file_has_one_writer() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("out");
    let mut in_use = InUse::default();
    let _first = open(&file(&path, Existing::Replace), &mut in_use).unwrap();
    let error = open(&file(&path, Existing::Replace), &mut in_use).unwrap_err();
    assert!(matches!(error, OpenError::IsOutput(_)), "{error}");
    // Devices do not mind.
    let _null = open(&file("/dev/null", Existing::Refuse), &mut in_use).unwrap();
    let _null = open(&file("/dev/null", Existing::Refuse), &mut in_use).unwrap();
}

#[test]
fn a_full_device_is_told_apart() {
    let mut output = try_open(Path::new("/dev/full"), Existing::Refuse).unwrap();
    let error = output.write_all(b"x\n").unwrap_err();
    assert_eq!((error.kind, error.taken, error.written), (WriteErrorKind::Full, 0, 0));
    assert_eq!(error.to_string(), "/dev/full: No space left on device (after 0 bytes)");
}

#[test]
fn a_pipe_that_closes_is_told_apart_and_says_how_far_it_came() {
    let (reader, writer) = rustix::pipe::pipe().unwrap();
    let mut output = piped(writer);
    let reading = thread::spawn(move || {
        let mut reader = File::from(reader);
        reader.read_exact(&mut [0; 10]).unwrap();
        thread::sleep(Duration::from_millis(100));
    });
    // More than a pipe holds: the write is short, and goes on until the reader has gone.
    let error = output.write_all(&vec![b'x'; 1 << 20]).unwrap_err();
    reading.join().unwrap();
    assert_eq!(error.kind, WriteErrorKind::Closed);
    assert!((10..1 << 20).contains(&error.taken), "{}", error.taken);
    assert_eq!(error.written, error.taken as u64);
    assert_eq!(output.written(), error.written);
}

#[test]
fn a_pipe_that_somebody_made_nonblocking_is_waited_for() {
    let (reader, writer) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::NONBLOCK).unwrap();
    let mut reader = File::from(reader);
    set_blocking(&reader).unwrap();
    let mut output = piped(writer);
    let reading = thread::spawn(move || {
        thread::sleep(Duration::from_millis(50));
        let mut bytes = Vec::new();
        reader.read_to_end(&mut bytes).unwrap();
        bytes.len()
    });
    output.write_all(&vec![b'x'; 1 << 20]).unwrap();
    drop(output);
    assert_eq!(reading.join().unwrap(), 1 << 20);
}

/// Opens within a second, or fails the test.
fn open_at_once(path: PathBuf) -> Result<Output, OpenError> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || sender.send(try_open(&path, Existing::Refuse)));
    receiver.recv_timeout(Duration::from_secs(1)).expect("it hangs")
}

#[test]
fn a_named_pipe_needs_a_reader() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("fifo");
    mkfifoat(CWD, &path, Mode::RUSR | Mode::WUSR).unwrap();
    let error = open_at_once(path.clone()).unwrap_err();
    assert!(matches!(error, OpenError::NoReader(_)), "{error}");

    let mut reader = OpenOptions::new().read(true).write(true).open(&path).unwrap();
    open_at_once(path.clone()).unwrap().write_all(b"abc").unwrap();
    let mut bytes = [0; 3];
    reader.read_exact(&mut bytes).unwrap();
    assert_eq!(&bytes, b"abc");

    // Reading and writing the same pipe would go round for ever.
    let input = Input { path: path.clone(), access: Access::Stream };
    let error = open(&file(&path, Existing::Append), &mut InUse::new(&[input])).unwrap_err();
    assert!(matches!(error, OpenError::IsInput(_)), "{error}");
}

#[test]
fn kinds_of_errors() {
    let cases = [
        (Errno::PIPE, WriteErrorKind::Closed),
        (Errno::NOSPC, WriteErrorKind::Full),
        (Errno::DQUOT, WriteErrorKind::Full),
        (Errno::IO, WriteErrorKind::Other),
        (Errno::FBIG, WriteErrorKind::Other),
    ];
    for (errno, kind) in cases {
        assert_eq!(kind_of(&errno.into()), kind);
    }
}
