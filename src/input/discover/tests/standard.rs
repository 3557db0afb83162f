//! Standard input and output that are files or sockets: each in a child, since a process has only one of each.

use std::{
    fs::File,
    io::{Read, Write},
    os::{fd::OwnedFd, unix::net::UnixStream},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use super::{NOTHING_SPECIAL, Unreadable, at_once, find, open_stream, put, stream, temp};
use crate::{
    input::Access,
    pipeline::SinkTarget,
    sink::{InUse, OpenError, open},
};

const CHILD: &str = "LOGWEIR_TEST_STANDARD";

/// Runs the test `name` again, in a child that gets `dir`, and asserts that it succeeds.
fn run_child(name: &str, dir: &Path, stdin: impl Into<Stdio>, stdout: impl Into<Stdio>) {
    let status = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "--nocapture", &format!("input::discover::tests::standard::{name}")])
        .env(CHILD, dir)
        .stdin(stdin)
        .stdout(stdout)
        .status();
    assert!(status.unwrap().success());
}

fn child_dir() -> Option<PathBuf> {
    std::env::var_os(CHILD).map(PathBuf::from)
}

#[test]
fn what_we_write_to_is_left_out_of_directories_and_refused_by_the_sink_when_named() {
    if let Some(dir) = child_dir() {
        let output = dir.join("out.log");
        for path in [dir.clone(), dir.join("*.log")] {
            let found = find(&[&path], NOTHING_SPECIAL);
            assert_eq!(found.inputs.len(), 1);
            assert_eq!(found.skipped, [("output", 1)]);
        }
        let named = find(&[&output], NOTHING_SPECIAL);
        assert_eq!(named.inputs.len(), 1);
        let error = open(&SinkTarget::Stdout, &mut InUse::new(&named.inputs)).unwrap_err();
        assert!(matches!(error, OpenError::IsInput(_)), "{error}");
        return;
    }
    let dir = temp();
    put(&dir, "in.log", b"x\n");
    let output = File::create(dir.path().join("out.log")).unwrap();
    run_child(
        "what_we_write_to_is_left_out_of_directories_and_refused_by_the_sink_when_named",
        dir.path(),
        Stdio::null(),
        output,
    );
}

#[test]
fn a_file_on_standard_input_is_the_same_file() {
    if let Some(dir) = child_dir() {
        let found = find(&[Path::new("-"), &dir, Path::new("/dev/stdin")], NOTHING_SPECIAL);
        assert_eq!(found.inputs, [stream(Path::new("-"))]);
        assert_eq!(found.skipped, [("same_file", 2)]);
        // By its other name its size is known.
        let found = find(&[Path::new("/dev/stdin")], NOTHING_SPECIAL);
        assert!(matches!(found.inputs[0].access, Access::Random { size: 2, .. }));
        let mut text = String::new();
        open_stream(&stream(Path::new("-"))).unwrap().read_to_string(&mut text).unwrap();
        assert_eq!(text, "x\n");
        return;
    }
    let dir = temp();
    let input = File::open(put(&dir, "in.log", b"x\n")).unwrap();
    run_child("a_file_on_standard_input_is_the_same_file", dir.path(), input, Stdio::null());
}

#[test]
fn a_socket_on_standard_input_is_read_by_all_names() {
    if child_dir().is_some() {
        for name in ["-", "/dev/stdin", "/dev/fd/0"] {
            assert_eq!(find(&[Path::new(name)], NOTHING_SPECIAL).inputs, [stream(Path::new(name))]);
            let mut bytes = [0; 2];
            // It was non-blocking, and could not be read like that.
            at_once(move || open_stream(&stream(Path::new(name))).unwrap().read_exact(&mut bytes).unwrap());
        }
        return;
    }
    let (ours, theirs) = UnixStream::pair().unwrap();
    theirs.set_nonblocking(true).unwrap();
    (&ours).write_all(b"a\nb\nc\n").unwrap();
    let name = "a_socket_on_standard_input_is_read_by_all_names";
    run_child(name, Path::new("/"), OwnedFd::from(theirs), Stdio::null());
}

#[test]
fn a_directory_on_standard_input_is_refused() {
    if child_dir().is_some() {
        let message = "Standard input is a directory".to_owned();
        let expected = Unreadable { path: PathBuf::from("-"), message, is_absent: false };
        assert_eq!(find(&[Path::new("-")], NOTHING_SPECIAL).unreadable, [expected]);
        return;
    }
    let name = "a_directory_on_standard_input_is_refused";
    run_child(name, Path::new("/"), File::open("/").unwrap(), Stdio::null());
}
