//! Every rule of discovery, provoked on a real file system.

use std::{
    ffi::OsStr,
    fs,
    io::Read,
    os::unix::{ffi::OsStrExt, fs::symlink, net::UnixListener},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

use rustix::fs::{CWD, Mode, mkfifoat};
use tempfile::TempDir;

use super::{DiscoverOptions, Discovered, Head, Unreadable, discover, open::is_stdin, open_stream};
use crate::input::{Access, Input};

mod many;
mod pipes;
mod standard;

#[path = "../../../tests/all/support.rs"]
mod support;

const NOTHING_SPECIAL: DiscoverOptions = DiscoverOptions { hidden: false, binary: false, follow_links: false };

/// Runs `action`, which must end within a second: nothing about a path may make us wait.
fn at_once<T: Send + 'static>(action: impl FnOnce() -> T + Send + 'static) -> T {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || sender.send(action()));
    receiver.recv_timeout(Duration::from_secs(1)).expect("it hangs")
}

fn find(paths: &[&Path], options: DiscoverOptions) -> Discovered {
    let paths: Vec<PathBuf> = paths.iter().map(|path| path.to_path_buf()).collect();
    at_once(move || discover(&paths, options))
}

fn find_in(dir: &TempDir) -> Discovered {
    find(&[dir.path()], NOTHING_SPECIAL)
}

fn put(dir: &TempDir, name: &str, bytes: &[u8]) -> PathBuf {
    let path = dir.path().join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, bytes).unwrap();
    path
}

fn fifo(dir: &TempDir, name: &str) -> PathBuf {
    let path = dir.path().join(name);
    mkfifoat(CWD, &path, Mode::RUSR | Mode::WUSR).unwrap();
    path
}

fn temp() -> TempDir {
    tempfile::tempdir().unwrap()
}

/// The names below `dir` that were found.
fn names(found: &Discovered, dir: &TempDir) -> Vec<String> {
    let below = |input: &Input| input.path.strip_prefix(dir.path()).unwrap().to_string_lossy().into_owned();
    found.inputs.iter().map(below).collect()
}

fn assert_refused(found: &Discovered, path: &Path, words: &str) {
    assert_eq!(found.inputs, []);
    let [refused] = &found.unreadable[..] else { panic!("one refusal expected: {found:?}") };
    assert_eq!(refused.path, path);
    assert!(refused.message.contains(words), "{:?} lacks {words:?}", refused.message);
    assert!(!refused.message.contains('\n'));
}

fn stream(path: &Path) -> Input {
    Input { path: path.to_owned(), access: Access::Stream }
}

#[test]
fn directories_are_walked_in_the_order_of_names() {
    let dir = temp();
    for name in ["b.log", "a/2.log", "a/10.log", "a.log", "c/d/e.log"] {
        put(&dir, name, b"x\n");
    }
    let found = find_in(&dir);
    assert_eq!(names(&found, &dir), ["a/10.log", "a/2.log", "a.log", "b.log", "c/d/e.log"]);
    assert!(found.inputs.iter().all(|input| matches!(input.access, Access::Random { size: 2, .. })));
    assert_eq!((found.skipped, found.unreadable), (vec![], vec![]));
}

#[test]
fn the_order_of_the_arguments_is_kept() {
    let dir = temp();
    let (a, b) = (put(&dir, "a", b"1"), put(&dir, "b", b"2"));
    assert_eq!(names(&find(&[&b, &a], NOTHING_SPECIAL), &dir), ["b", "a"]);
}

#[test]
fn hidden_ones_are_left_out_of_directories_unless_asked_for_or_named() {
    let dir = temp();
    put(&dir, "seen", b"x");
    let hidden = put(&dir, ".hidden", b"x");
    put(&dir, ".git/a", b"x");
    put(&dir, ".git/b", b"x");
    let found = find_in(&dir);
    assert_eq!(names(&found, &dir), ["seen"]);
    assert_eq!(found.skipped, [("hidden", 2)]);

    let all = find(&[dir.path()], DiscoverOptions { hidden: true, ..NOTHING_SPECIAL });
    assert_eq!(names(&all, &dir), [".git/a", ".git/b", ".hidden", "seen"]);
    assert_eq!(names(&find(&[&hidden], NOTHING_SPECIAL), &dir), [".hidden"]);
    assert_eq!(find(&[&dir.path().join(".git")], NOTHING_SPECIAL).inputs.len(), 2);
}

#[test]
fn binary_ones_are_left_out_of_directories_unless_asked_for_or_named() {
    let dir = temp();
    let mut late = vec![b'x'; 8 << 10];
    late.push(0);
    put(&dir, "a.log", &late);
    late.remove(0);
    let binary = put(&dir, "b.bin", &late);
    let found = find_in(&dir);
    assert_eq!(names(&found, &dir), ["a.log"]);
    assert_eq!(found.skipped, [("binary", 1)]);

    let all = find(&[dir.path()], DiscoverOptions { binary: true, ..NOTHING_SPECIAL });
    assert_eq!(names(&all, &dir), ["a.log", "b.bin"]);
    assert_eq!(names(&find(&[dir.path(), &binary], NOTHING_SPECIAL), &dir), ["a.log", "b.bin"]);
}

#[test]
fn a_file_is_taken_once_by_whatever_name() {
    let dir = temp();
    let file = put(&dir, "file", b"x");
    fs::hard_link(&file, dir.path().join("hard")).unwrap();
    symlink(&file, dir.path().join("soft")).unwrap();
    let found = find(&[&file, dir.path(), &file, &dir.path().join("soft")], NOTHING_SPECIAL);
    assert_eq!(names(&found, &dir), ["file"]);
    assert_eq!(found.skipped, [("same_file", 5)]);
    assert_eq!(found.unreadable, []);
}

#[test]
fn links_to_files_are_read_and_links_to_directories_only_when_asked() {
    let dir = temp();
    put(&dir, "real/file", b"x");
    let other = temp();
    let target = put(&other, "target", b"y");
    symlink(&target, dir.path().join("to_file")).unwrap();
    symlink(other.path(), dir.path().join("to_dir")).unwrap();
    symlink("nowhere", dir.path().join("dangling")).unwrap();
    symlink("itself", dir.path().join("itself")).unwrap();
    put(&other, "more", b"z");

    let found = find_in(&dir);
    assert_eq!(names(&found, &dir), ["real/file", "to_file"]);
    assert_eq!(found.skipped, [("symlink", 3)]);
    assert_eq!(found.unreadable, []);

    let all = find(&[dir.path()], DiscoverOptions { follow_links: true, ..NOTHING_SPECIAL });
    assert_eq!(names(&all, &dir), ["real/file", "to_dir/more", "to_dir/target"]);
    assert_eq!(all.skipped, [("same_file", 1), ("symlink", 2)]);
    assert_eq!(all.unreadable, []);
    // A link that is named is followed.
    assert_eq!(find(&[&dir.path().join("to_dir")], NOTHING_SPECIAL).inputs.len(), 2);
}

#[test]
fn loops_of_links_end() {
    let dir = temp();
    put(&dir, "file", b"x");
    for number in 0..8 {
        symlink(".", dir.path().join(format!("loop{number}"))).unwrap();
        // Eight directories, each with links to all: a great many ways, and no loop of two on most of them.
        fs::create_dir(dir.path().join(format!("d{number}"))).unwrap();
        for other in 0..8 {
            symlink(format!("../d{other}"), dir.path().join(format!("d{number}/to{other}"))).unwrap();
        }
    }
    for follow_links in [false, true] {
        let found = find(&[dir.path()], DiscoverOptions { follow_links, ..NOTHING_SPECIAL });
        assert_eq!(names(&found, &dir), ["file"]);
        assert!(matches!(found.skipped[..], [("symlink", 72..)]), "{:?}", found.skipped);
        assert_eq!(found.unreadable, []);
    }
}

#[test]
fn special_files_are_left_out_of_directories_and_globs() {
    let dir = temp();
    put(&dir, "file", b"x");
    fifo(&dir, "fifo");
    let _socket = UnixListener::bind(dir.path().join("socket")).unwrap();
    symlink("/dev/zero", dir.path().join("zero")).unwrap();
    for path in [dir.path().to_owned(), dir.path().join("*")] {
        let found = find(&[&path], NOTHING_SPECIAL);
        assert_eq!(names(&found, &dir), ["file"]);
        assert_eq!(found.skipped, [("special", 3)]);
        assert_eq!(found.unreadable, []);
    }
}

#[test]
fn a_path_that_does_not_exist_is_said_and_the_others_go_on() {
    let dir = temp();
    let file = put(&dir, "file", b"x");
    let missing = dir.path().join("missing");
    let found = find(&[&missing, &file, &file.join("below")], NOTHING_SPECIAL);
    assert_eq!(names(&found, &dir), ["file"]);
    let messages: Vec<_> = found.unreadable.iter().map(|refused| refused.message.as_str()).collect();
    assert_eq!(messages, ["No such file or directory", "Not a directory"]);
    symlink("nowhere", &missing).unwrap();
    assert_refused(&find(&[&missing], NOTHING_SPECIAL), &missing, "symbolic link to something that does not exist");
}

#[test]
fn globs_are_expanded_where_no_shell_did() {
    let dir = temp();
    for name in ["a.log", "b.log", ".c.log", "sub/d.log", "sub/deep/e.log", "sub/f.txt", "[x].log"] {
        put(&dir, name, b"x");
    }
    let other = temp();
    put(&other, "g.log", b"y");
    symlink(other.path(), dir.path().join("link")).unwrap();
    let cases: [(&str, &[&str]); 9] = [
        ("*.log", &["[x].log", "a.log", "b.log"]),
        ("[ab].log", &["a.log", "b.log"]),
        ("?.log", &["a.log", "b.log"]),
        (".*.log", &[".c.log"]),
        ("*/*.log", &["link/g.log", "sub/d.log"]),
        ("**/*.log", &["[x].log", "a.log", "b.log", "sub/d.log", "sub/deep/e.log"]),
        ("sub/**/{d,f}.*", &["sub/d.log", "sub/f.txt"]),
        // A directory that matches is walked.
        ("s?b/", &["sub/d.log", "sub/deep/e.log", "sub/f.txt"]),
        // What exists is not a pattern.
        ("[x].log", &["[x].log"]),
    ];
    for (pattern, expected) in cases {
        let found = find(&[&dir.path().join(pattern)], NOTHING_SPECIAL);
        assert_eq!(names(&found, &dir), expected, "{pattern}");
        assert_eq!(found.unreadable, [], "{pattern}");
    }
    assert_eq!(find(&[&dir.path().join("*.log")], NOTHING_SPECIAL).skipped, [("hidden", 1)]);
}

#[test]
fn a_glob_is_relative_to_the_working_directory() {
    let found = find(&[Path::new("Cargo.t?ml")], NOTHING_SPECIAL);
    assert_eq!(found.inputs.len(), 1);
    assert_eq!(found.inputs[0].path, Path::new("Cargo.toml"));
}

#[test]
fn a_glob_that_matches_nothing_or_is_none_is_refused_with_a_hint() {
    let dir = temp();
    put(&dir, "sub/a.log", b"x");
    for (pattern, words) in [("*.log", "**/"), ("nowhere/*.log", "No file matches"), ("[a", "not a glob either")] {
        let path = dir.path().join(pattern);
        assert_refused(&find(&[&path], NOTHING_SPECIAL), &path, words);
    }
    let path = dir.path().join(OsStr::from_bytes(b"\xff*"));
    assert_refused(&find(&[&path], NOTHING_SPECIAL), &path, "UTF-8");
}

#[test]
fn names_need_not_be_utf8() {
    let dir = temp();
    let name = OsStr::from_bytes(b"caf\xe9.log");
    fs::write(dir.path().join(name), b"x").unwrap();
    for path in [dir.path().to_owned(), dir.path().join(name), dir.path().join("*.log")] {
        let found = find(&[&path], NOTHING_SPECIAL);
        assert_eq!(found.inputs.len(), 1);
        assert_eq!(found.inputs[0].path, dir.path().join(name));
    }
}

#[test]
fn files_of_the_kernel_are_streams_when_named_and_left_alone_otherwise() {
    let path = Path::new("/proc/cpuinfo");
    let found = find(&[path], NOTHING_SPECIAL);
    assert_eq!(found.inputs, [stream(path)]);
    let mut text = String::new();
    at_once(move || {
        open_stream(&stream(Path::new("/proc/cpuinfo"))).unwrap().read_to_string(&mut text).unwrap();
        assert!(text.contains("processor"));
    });
    for path in ["/proc/self/net", "/proc/self/statu?"] {
        let found = find(&[Path::new(path)], NOTHING_SPECIAL);
        assert_eq!(found.inputs, [], "{path}");
        assert!(found.skipped.iter().any(|&(reason, count)| reason == "special" && count > 0), "{:?}", found.skipped);
    }
}

#[test]
fn an_empty_file_has_a_size() {
    let dir = temp();
    put(&dir, "empty", b"");
    assert!(matches!(find_in(&dir).inputs[..], [Input { access: Access::Random { size: 0, .. }, .. }]));
}

#[test]
fn devices_are_read_when_named() {
    let found = find(&[Path::new("/dev/null"), Path::new("/dev/zero"), Path::new("/dev/null")], NOTHING_SPECIAL);
    assert_eq!(found.inputs, [stream(Path::new("/dev/null")), stream(Path::new("/dev/zero"))]);
    assert_eq!(found.skipped, [("same_file", 1)]);
    at_once(|| assert_eq!(open_stream(&stream(Path::new("/dev/null"))).unwrap().read(&mut [0; 8]).unwrap(), 0));
    at_once(|| open_stream(&stream(Path::new("/dev/zero"))).unwrap().read_exact(&mut [1; 8]).unwrap());
}

#[test]
fn a_socket_is_refused() {
    let dir = temp();
    let path = dir.path().join("socket");
    let _socket = UnixListener::bind(&path).unwrap();
    assert_refused(&find(&[&path], NOTHING_SPECIAL), &path, "socket");
}

#[test]
fn standard_input_has_several_names() {
    for name in ["-", "/dev/stdin", "/dev/fd/0", "/proc/self/fd/0"] {
        assert!(is_stdin(Path::new(name)));
    }
    assert!(!is_stdin(Path::new("./-")));
    let found = find(&[Path::new("-"), Path::new("-")], NOTHING_SPECIAL);
    assert_eq!(found.inputs, [stream(Path::new("-"))]);
    assert_eq!(found.skipped, [("same_file", 1)]);
}

#[test]
fn text_in_wide_characters_is_refused_with_a_way_out() {
    let dir = temp();
    for bytes in [&b"\xff\xfea\0\n\0"[..], b"\xfe\xff\0a\0\n", b"\xff\xfe"] {
        let path = put(&dir, "wide.log", bytes);
        let way_out = format!("iconv -f UTF-16 -t UTF-8 {}", path.display());
        assert_refused(&find(&[&path], NOTHING_SPECIAL), &path, &way_out);
        assert_refused(&find_in(&dir), &path, &way_out);
    }
    let path = put(&dir, "wide.log", b"\xff\xfe\0\0a\0\0\0");
    assert_refused(&find(&[&path], NOTHING_SPECIAL), &path, "UTF-32");
}

#[test]
fn compressed_files_are_refused_when_named_and_counted_in_directories() {
    let heads: [(&[u8], &str); 6] = [
        (b"\x1f\x8b\x08\0", "zcat"),
        (b"\x28\xb5\x2f\xfd\0", "zstdcat"),
        (b"\xfd7zXZ\0", "xzcat"),
        (b"\x04\x22\x4d\x18", "lz4cat"),
        (b"BZh91AY&SY", "bzcat"),
        (b"BZh9\x17\x72\x45\x38\x50\x90", "bzcat"),
    ];
    let dir = temp();
    for (head, program) in heads {
        let path = put(&dir, "old.log.z", head);
        let way_out = format!("{program} {} | logweir run -", path.display());
        assert_refused(&find(&[&path], NOTHING_SPECIAL), &path, &way_out);
        assert_refused(&find(&[&dir.path().join("*.z")], NOTHING_SPECIAL), &path, &way_out);
        let found = find_in(&dir);
        assert_eq!(found.inputs, []);
        assert_eq!(found.skipped, [("compressed", 1)]);
        assert_eq!(found.unreadable, []);
    }
}

#[test]
fn heads_of_ordinary_text_are_plain() {
    for head in [&b""[..], b"BZh9 is a word here", b"\xef\xbb\xbftext", b"\xff\n", b"\x1f", b"BZh"] {
        assert_eq!(Head::of(head), Head::Plain, "{head:?}");
    }
    assert_eq!(Head::of(b"a\0"), Head::Binary);
}

const CHILD: &str = "LOGWEIR_TEST_UNREADABLE";

/// Root reads everything, so that this needs a child that is nobody.
#[test]
fn what_may_not_be_read_is_said_and_the_others_go_on() {
    if !rustix::process::geteuid().is_root() {
        return support::skip("unreadable files: switching to another user needs root");
    }
    let dir = temp();
    put(&dir, "a.log", b"x");
    let closed = put(&dir, "closed/b.log", b"x");
    let secret = put(&dir, "secret.log", b"x");
    put(&dir, "z.log", b"x");
    let mode = |path: &Path, mode| fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(mode));
    mode(dir.path(), 0o755).unwrap();
    mode(closed.parent().unwrap(), 0o700).unwrap();
    mode(&secret, 0o600).unwrap();
    // The test program may stand where nobody may go; a copy in a place of its own does not.
    let home = temp();
    let program = home.path().join("test");
    fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    mode(home.path(), 0o755).unwrap();
    mode(&program, 0o755).unwrap();
    let child = Command::new("setpriv")
        .args(["--reuid=65534", "--regid=65534", "--clear-groups", "--"])
        .arg(&program)
        .args(["--exact", "--nocapture", "input::discover::tests::child_without_rights"])
        .env(CHILD, dir.path())
        .stdin(Stdio::null())
        .output();
    let output = match child {
        Err(error) => return support::skip(&format!("unreadable files: setpriv: {error}")),
        Ok(output) => output,
    };
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("looked as nobody"), "{text}");
}

/// The child of the test above; without it, there is nothing to do.
#[test]
fn child_without_rights() {
    let Some(dir) = std::env::var_os(CHILD).map(PathBuf::from) else { return };
    let found = find(&[&dir, &dir.join("closed"), &dir.join("secret.log")], NOTHING_SPECIAL);
    let inputs: Vec<_> = found.inputs.iter().map(|input| input.path.strip_prefix(&dir).unwrap()).collect();
    assert_eq!(inputs, [Path::new("a.log"), Path::new("z.log")]);
    let refused: Vec<_> = found.unreadable.iter().map(|refused| refused.path.strip_prefix(&dir).unwrap()).collect();
    assert_eq!(refused, ["closed", "secret.log"].map(Path::new));
    assert_eq!(found.skipped, [("same_file", 2)]);
    assert!(found.unreadable.iter().all(|refused| refused.message == "Permission denied"), "{found:?}");
    println!("looked as nobody");
}
