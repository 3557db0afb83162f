//! Faults 14, 15 and 16: things that are no plain files, that are reached twice, or that may not be read. None makes it
//! hang, and none hides the others.

use std::{
    fs,
    os::unix::{fs::PermissionsExt, net::UnixListener},
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use logweir::limits;

use crate::{
    program::{Ended, Program, check_ledger, file, folder, mode, run},
    support::skip,
};

/// A second is what is allowed, and starting the program is a part of it.
const AT_ONCE: Duration = Duration::from_secs(1);

fn at_once(command: &mut Command) -> Ended {
    Program::start(command).end_within(AT_ONCE)
}

fn fifo(folder: &Path) -> std::path::PathBuf {
    let path = folder.join("fifo");
    assert!(Command::new("mkfifo").arg(&path).status().expect("mkfifo runs").success());
    path
}

/// One line on standard error for each thing that cannot be read, and one if there was nothing else.
fn check_refused(ended: &Ended, words: &str) {
    assert_eq!(ended.code(), Some(2), "{ended:?}");
    assert!(ended.stdout.is_empty(), "{ended:?}");
    let said = ended.said();
    assert!(said[0].contains(words), "{said:?}");
    assert_eq!(said[1..], ["logweir: none of the inputs can be read"]);
}

#[test]
fn what_cannot_be_read_is_said_in_one_line() {
    let folder = folder();
    let socket = folder.path().join("socket");
    let _listener = UnixListener::bind(&socket).expect("a socket");
    check_refused(&at_once(run().arg(&socket)), "socket");
    check_refused(&at_once(run().arg("/no/such/file")), "/no/such/file: No such file");
    let link = folder.path().join("loop");
    std::os::unix::fs::symlink("loop", &link).expect("a link");
    check_refused(&at_once(run().arg(&link)), "symbolic links");
}

#[test]
fn a_fifo_that_nobody_writes_to_is_a_fault_of_its_own() {
    let folder = folder();
    let (path, log) = (fifo(folder.path()), file(folder.path(), "app.log", "one\ntwo\n"));
    let ended = at_once(run().args(["--report", "json"]).args([&path, &log]));
    let report = ended.report();
    assert_eq!(ended.code(), Some(1), "{ended:?}");
    assert_eq!((&report["run"]["lines_done"], &report["sources"]["faults"]["unreadable"]), (&2.into(), &1.into()));
    let fault = report["sources"]["listed"][0]["fault"].as_str().expect("a fault");
    assert!(fault.contains("nobody writes"), "{fault}");
    check_ledger(&report);
}

/// Where there is no report, each input with a fault is named all the same.
#[test]
fn what_goes_wrong_with_an_input_is_said_where_nothing_is_reported() {
    let folder = folder();
    let (path, log) = (fifo(folder.path()), file(folder.path(), "app.log", "one\ntwo\n"));
    for options in [&["--print", "start"][..], &["-q"], &["--report", "none"]] {
        let ended = at_once(run().args(options).args([&path, &log]));
        assert_eq!(ended.code(), Some(1), "{ended:?}");
        let said: Vec<&str> = ended.said();
        assert_eq!(said.len(), 1, "{ended:?}");
        assert!(said[0].contains("fifo: a named pipe that nobody writes to"), "{ended:?}");
    }
}

/// Options that name files hang as little as inputs do.
#[test]
fn a_fifo_that_nobody_writes_to_is_refused_wherever_a_file_is_named() {
    let folder = folder();
    let (path, log) = (fifo(folder.path()), file(folder.path(), "app.log", "one\ntwo\n"));
    let check = |command: &mut Command, words: &str| {
        let ended = at_once(command);
        assert_eq!((ended.code(), ended.said().len()), (Some(2), 1), "{ended:?}");
        assert!(ended.stderr.contains(words), "{ended:?}");
    };
    let nobody = "fifo: a named pipe that nobody writes to";
    check(run().arg("-c").args([&path, &log]), nobody);
    check(mode("check").arg(&path), nobody);
    check(run().args(["--listen", "0", "--token-file"]).args([&path, &log]), nobody);
    check(run().arg("--redrive").arg(&path), "fifo: dead letters are read twice");
    check(run().args(["--redrive", "/dev/stdin"]), "dead letters are read twice");
}

/// A server that was to ask for a token is not started without one.
#[test]
fn what_is_no_token_is_refused() {
    let folder = folder();
    let file = |name: &str, content: &[u8]| file(folder.path(), name, content);
    let log = file("app.log", b"one\n");
    let with_token = |path: &Path| at_once(run().args(["--listen", "0", "--exit", "--token-file"]).args([path, &log]));
    let largest = vec![b'x'; limits::TOKEN_BYTES];
    let refused = [
        (folder.path().join("missing"), "missing: No such file"),
        (folder.path().to_owned(), ": Is a directory"),
        (file("empty", b""), "empty holds no token"),
        (file("blank", b" \n\t\n"), "blank holds no token"),
        (file("large", &[&largest[..], b"\n"].concat()), "large holds no token"),
        (file("binary", b"\xff\xfetoken"), "binary holds no token"),
        ("/dev/zero".into(), "/dev/zero holds no token"),
    ];
    for (path, words) in refused {
        let ended = with_token(&path);
        assert_eq!((ended.code(), ended.said().len()), (Some(2), 1), "{ended:?}");
        assert!(ended.stderr.contains(words) && ended.stdout.is_empty(), "{words}: {ended:?}");
    }
    let ended = with_token(&file("largest", &largest));
    assert_eq!(ended.code(), Some(0), "{ended:?}");
}

/// What is refused is named once, as what is read is read once.
#[test]
fn a_file_that_is_refused_is_named_once_whatever_leads_there() {
    let folder = folder();
    let path = file(folder.path(), "a.gz", b"\x1f\x8b\x08\0");
    fs::hard_link(&path, folder.path().join("hard")).expect("a link");
    let log = file(folder.path(), "b.log", "one\n");
    let named = [Path::new("a.gz"), Path::new("./a.gz"), &path, Path::new("hard"), &log];
    let ended = at_once(run().current_dir(folder.path()).args(["--report", "json"]).args(named));
    let report = ended.report();
    assert_eq!((ended.code(), ended.said().len()), (Some(1), 1), "{ended:?}");
    assert_eq!(report["sources"]["faults"]["unreadable"], 1);
    assert_eq!(report["sources"]["skipped"]["same_file"], 3);
    check_ledger(&report);
}

/// Names are written by strangers: they control no terminal, forge no line, and are no command for who copies one.
#[test]
fn names_of_files_are_only_names_when_something_is_said_of_them() {
    let folder = folder();
    let name = "a\u{1b}]0;pwned\u{7}\nlogweir: all is well $(id).log";
    let path = file(folder.path(), name, b"\xff\xfeE\0");
    let ended = at_once(run().arg(&path));
    assert!(!ended.stderr.contains('\u{1b}') && !ended.stderr.contains('\u{7}'), "{ended:?}");
    assert!(ended.stderr.lines().all(|line| !line.starts_with("logweir: all is well")), "{ended:?}");
    assert!(ended.stderr.contains("-t UTF-8 '") && ended.stderr.contains("$(id).log' | logweir run -"), "{ended:?}");
}

#[test]
fn a_fifo_that_somebody_writes_to_is_read() {
    let folder = folder();
    let path = fifo(folder.path());
    let mut writer =
        Command::new("sh").args(["-c", "printf 'ERROR one\\nlast' > \"$0\""]).arg(&path).spawn().expect("sh");
    let ended = at_once(run().args(["--report", "json", "--print", "start"]).arg(&path));
    assert_eq!((ended.code(), ended.stdout.as_slice()), (Some(0), b"ERROR one\nlast\n".as_slice()), "{ended:?}");
    assert_eq!(ended.report()["sources"]["listed"][0]["access"], "stream");
    assert!(writer.wait().expect("ends").success());
}

#[test]
fn empty_things_are_no_fault() {
    let folder = folder();
    let empty = file(folder.path(), "empty.log", "");
    for path in [Path::new("/dev/null"), &empty, Path::new("-")] {
        let ended = at_once(run().args(["--report", "json"]).arg(path));
        assert_eq!((ended.code(), &ended.report()["run"]["lines_done"]), (Some(0), &0.into()), "{path:?}: {ended:?}");
        assert_eq!(ended.report()["sources"]["listed"][0]["access"], "read", "{path:?}");
        check_ledger(&ended.report());
    }
}

#[test]
fn files_of_the_kernel_are_read_although_they_say_that_they_are_empty() {
    let lines = fs::read_to_string("/proc/cpuinfo").expect("Linux").lines().count();
    for how in ["--mmap", "--no-mmap"] {
        let ended = at_once(run().args([how, "--report", "json", "/proc/cpuinfo"]));
        assert_eq!((ended.code(), &ended.report()["run"]["lines_done"]), (Some(0), &lines.into()));
    }
}

#[test]
fn process_substitution_is_a_pipe_like_any_other() {
    let script = r#""$0" run --report json --print start <(printf 'WARN one\ntwo\n') <(printf '') <(printf 'three')"#;
    let mut bash = Command::new("bash");
    bash.args(["-c", script, env!("CARGO_BIN_EXE_logweir")]).stdin(Stdio::null());
    let ended = at_once(bash.stdout(Stdio::piped()).stderr(Stdio::piped()));
    assert_eq!((ended.code(), ended.stdout.as_slice()), (Some(0), b"WARN one\ntwo\nthree\n".as_slice()), "{ended:?}");
    assert_eq!(ended.report()["run"]["sources_done"], 3);
}

#[test]
fn a_directory_is_read_once_whatever_leads_there() {
    let folder = folder();
    let logs = folder.path().join("logs");
    fs::create_dir_all(logs.join("deep")).expect("a directory");
    let first = file(&logs, "a.log", "one\ntwo\n");
    file(&logs.join("deep"), "b.log", "three\n");
    file(&logs, ".hidden", "four\n");
    file(&logs, "binary", b"five\0\n");
    fifo(&logs);
    let _listener = UnixListener::bind(logs.join("socket")).expect("a socket");
    std::os::unix::fs::symlink(".", logs.join("loop")).expect("a link");
    std::os::unix::fs::symlink("../a.log", logs.join("deep/link")).expect("a link");
    fs::hard_link(&first, logs.join("hard.log")).expect("a link");
    for more in [&["--mmap"][..], &["--follow-links"]] {
        let ended = at_once(run().args(more).args(["--report", "json"]).args([&logs, &logs, &first]));
        let report = ended.report();
        assert_eq!((ended.code(), &report["run"]["lines_done"]), (Some(0), &3.into()), "{report}");
        let skipped = &report["sources"]["skipped"];
        assert!(skipped["hidden"].as_u64() >= Some(1) && skipped["binary"].as_u64() >= Some(1), "{skipped}");
        // The second time, the path of the file, and what links lead to.
        assert!(skipped["same_file"].as_u64() >= Some(4) && skipped["symlink"].as_u64() >= Some(1), "{skipped}");
        assert!(skipped["special"].as_u64() >= Some(2), "{skipped}");
        check_ledger(&report);
    }
}

/// `logweir run` as somebody who is not root; `None` where that cannot be had.
fn as_nobody() -> Option<Command> {
    let program = env!("CARGO_BIN_EXE_logweir");
    if !rustix::process::geteuid().is_root() {
        return Some(run());
    }
    let nobody = || {
        let mut command = Command::new("setpriv");
        command.args(["--reuid", "65534", "--regid", "65534", "--clear-groups", program]);
        command
    };
    // The folder of the build may itself be closed to others.
    let works = nobody().arg("--version").output().is_ok_and(|output| output.status.success());
    if !works {
        skip("permissions: setpriv cannot start the program as somebody else here");
        return None;
    }
    let mut command = nobody();
    command.arg("run").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    Some(command)
}

fn allow(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("our own file");
}

#[test]
fn what_may_not_be_read_is_said_and_the_others_are_read() {
    let Some(mut command) = as_nobody() else { return };
    let folder = folder();
    allow(folder.path(), 0o755);
    let open = file(folder.path(), "open.log", "one\ntwo\n");
    let closed = file(folder.path(), "closed.log", "secret\n");
    let dir = folder.path().join("dir");
    fs::create_dir(&dir).expect("a directory");
    file(&dir, "inner.log", "secret\n");
    allow(&open, 0o644);
    allow(&closed, 0o000);
    allow(&dir, 0o000);
    let ended = at_once(command.args(["--report", "json"]).arg(folder.path()));
    allow(&dir, 0o755);
    let report = ended.report();
    assert_eq!((ended.code(), &report["run"]["lines_done"]), (Some(1), &2.into()), "{ended:?}");
    assert_eq!(report["sources"]["faults"]["unreadable"], 2);
    let said = ended.said();
    assert_eq!(said.len(), 2, "a line for each: {said:?}");
    assert!(said.iter().all(|line| line.starts_with("logweir: ") && line.ends_with(": Permission denied")), "{said:?}");
    check_ledger(&report);
    let mut command = as_nobody().expect("it worked a moment ago");
    check_refused(&at_once(command.arg(&closed)), "closed.log: Permission denied");
}

#[test]
fn permission_that_is_lost_on_the_way_is_a_fault_of_that_file() {
    let Some(mut command) = as_nobody() else { return };
    let folder = folder();
    allow(folder.path(), 0o755);
    let config = file(folder.path(), "slow.toml", "[[processor]]\nid = 'slow'\nkind = 'delay'\nms = 30\n");
    let first = file(folder.path(), "1.log", "one\n".repeat(15));
    let second = file(folder.path(), "2.log", "two\n");
    let third = file(folder.path(), "3.log", "three\n");
    [&config, &first, &second, &third].iter().for_each(|path| allow(path, 0o644));
    command
        .args(["--workers", "1", "--report", "json", "--print", "slow", "-c"])
        .args([&config, &first, &second, &third]);
    let program = Program::start(&mut command);
    std::thread::sleep(Duration::from_millis(200));
    allow(&second, 0o000);
    let ended = program.end();
    assert_eq!(ended.code(), Some(1), "{ended:?}");
    assert_eq!(String::from_utf8_lossy(&ended.stdout), "one\n".repeat(15) + "three\n");
    let report = ended.report();
    assert_eq!(report["sources"]["listed"][1]["fault"], "Permission denied");
    check_ledger(&report);
}
