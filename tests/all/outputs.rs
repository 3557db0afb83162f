//! Faults 17 and 31, and back-pressure: output that is full, gone, or slow.

use std::{
    fs::{self, File, OpenOptions},
    io::{Read, Write},
    path::Path,
    process::{Command, Stdio},
    thread,
    time::Duration,
};

use serde_json::Value;

use crate::{
    http::get,
    program::{Ended, HANG, Program, check_ledger, ended, file, folder, run},
    support::skip,
};

fn numbered(lines: usize) -> String {
    (0..lines)
        .map(|number| format!("{number:09} ERROR a line that is long enough to fill pipes sooner or later\n"))
        .collect()
}

fn config(folder: &Path, sink: &str) -> std::path::PathBuf {
    let text = format!("[[processor]]\nid = 'start'\nkind = 'level'\n\n[[sink]]\nid = 'all'\nfrom = 'start'\n{sink}\n");
    file(folder, "sink.toml", text)
}

/// Ended with 2, one clear line that names the output, the input, and how far it came.
fn check_full(ended: &Ended, output: &str, input: &Path) {
    assert_eq!(ended.code(), Some(2), "{ended:?}");
    let said = ended.said();
    let line = said.last().expect("something was said");
    let words = ["logweir: ", output, "No space left on device", "offset 0 of ", input.to_str().expect("UTF-8")];
    words.iter().for_each(|word| assert!(line.contains(word), "{word} in {line}"));
    let report = ended.report();
    assert_eq!(report["run"]["state"], "failed");
    assert!(report["run"]["error"].as_str().is_some_and(|error| line.ends_with(error)), "{report}");
    check_ledger(&report);
}

#[test]
fn a_full_device_ends_the_run_and_is_named() {
    let folder = folder();
    let path = file(folder.path(), "app.log", numbered(50_000));
    let config = config(folder.path(), "kind = 'file'\npath = '/dev/full'");
    check_full(&ended(run().args(["--report", "json", "-c"]).args([&config, &path])), "/dev/full", &path);

    let full = || OpenOptions::new().write(true).open("/dev/full").expect("Linux has it");
    let mut command = run();
    command.args(["--report", "json", "--print", "start"]).arg(&path).stdout(full());
    check_full(&ended(&mut command), "standard output", &path);

    let ended = ended(run().args(["--report", "json"]).arg(&path).stdout(full()));
    assert_eq!(ended.code(), Some(2), "{ended:?}");
    assert!(ended.stderr.contains("standard output: No space left on device"), "the report itself: {ended:?}");
}

/// A file system of `mib` MiB below `folder`, taken away when this is dropped.
struct Tmpfs(std::path::PathBuf);

impl Tmpfs {
    fn mount(folder: &Path, mib: u32) -> Option<Self> {
        let path = folder.join("small");
        fs::create_dir(&path).expect("a directory");
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &format!("size={mib}m,nr_inodes=20"), "tmpfs"]).arg(&path);
        let is_mounted = mount.stderr(Stdio::null()).status().is_ok_and(|status| status.success());
        is_mounted.then_some(Self(path))
    }
}

impl Drop for Tmpfs {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
fn a_disk_that_fills_up_ends_the_run_and_says_how_far_it_came() {
    let folder = folder();
    let Some(disk) = Tmpfs::mount(folder.path(), 1) else {
        return skip("a full disk: no tmpfs can be mounted here (/dev/full is tested)");
    };
    let content = numbered(100_000);
    let path = file(folder.path(), "app.log", &content);
    let output = disk.0.join("out.log");
    let config = config(folder.path(), &format!("kind = 'file'\npath = {output:?}"));
    let mut command = run();
    command.args(["--block-size", "64KiB", "--report", "json", "-c"]).args([&config, &path]);
    let ended = ended(&mut command);
    assert_eq!(ended.code(), Some(2), "{ended:?}");
    let written = fs::read(&output).expect("was begun");
    assert!(written.len() >= 512 << 10, "{} bytes were written", written.len());
    assert!(content.as_bytes().starts_with(&written), "what is there is the beginning of what should be");
    let said = ended.said().join("\n");
    assert!(said.contains("out.log") && said.contains("No space left on device"), "{said}");
    // Up to the offset everything is written, and not a block more is claimed.
    let offset: usize = said
        .split_once("offset ")
        .and_then(|(_, rest)| rest.split(' ').next()?.parse().ok())
        .unwrap_or_else(|| panic!("no offset: {said}"));
    assert!(offset <= written.len() && written.len() < offset + (66 << 10), "{offset} of {}", written.len());
}

#[test]
fn a_reader_that_has_seen_enough_ends_it_quietly_and_soon() {
    let script = "yes 'ERROR again and again' | \"$0\" run --print error - | head -1; echo \"${PIPESTATUS[1]}\"";
    let mut bash = Command::new("bash");
    bash.args(["-c", script, env!("CARGO_BIN_EXE_logweir")]).stdout(Stdio::piped()).stderr(Stdio::piped());
    let endless = Program::start(&mut bash).end_within(Duration::from_secs(5));
    assert_eq!(String::from_utf8_lossy(&endless.stdout), "ERROR again and again\n0\n", "{endless:?}");
    assert!(endless.stderr.is_empty(), "{endless:?}");

    let folder = folder();
    let path = file(folder.path(), "app.log", numbered(500_000));
    let script = "\"$0\" run --print error \"$1\" | head -1; echo \"${PIPESTATUS[0]}\"";
    let mut bash = Command::new("bash");
    bash.args(["-c", script, env!("CARGO_BIN_EXE_logweir")]).arg(&path).stdout(Stdio::piped()).stderr(Stdio::piped());
    let large = Program::start(&mut bash).end_within(Duration::from_secs(5));
    assert!(String::from_utf8_lossy(&large.stdout).ends_with("sooner or later\n0\n"), "{large:?}");
    assert!(large.stderr.is_empty(), "{large:?}");

    let seen = into_nothing(run().args(["--print", "error", "--report", "json"]).arg(&path));
    assert_eq!((seen.code(), &seen.report()["run"]["state"]), (Some(0), &"closed".into()));
    check_ledger(&seen.report());

    // And the report, which is printed where nobody reads any more.
    let mut gone = Program::start_unread(run().arg(&path));
    drop(gone.child.stdout.take());
    let gone = gone.end();
    assert_eq!((gone.code(), gone.stderr.as_str()), (Some(0), ""));
}

/// Runs `command` with a standard output that nobody reads.
fn into_nothing(command: &mut Command) -> Ended {
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let program = Program::start(command.stdout(writer));
    program.end()
}

#[test]
fn a_report_that_nobody_reads_hides_nothing() {
    let folder = folder();
    let path = file(folder.path(), "app.log", numbered(1_000));
    let config = config(folder.path(), "kind = 'file'\npath = '/dev/full'");
    let failed = into_nothing(run().arg("-c").args([&config, &path]));
    assert_eq!(failed.code(), Some(2), "{failed:?}");
    assert!(failed.stderr.contains("/dev/full: No space left on device"), "{failed:?}");

    let faulty = into_nothing(run().arg(folder.path().join("nope")).arg(&path));
    assert_eq!(faulty.code(), Some(1), "{faulty:?}");

    // Both at once, and standard error takes nothing either.
    let full = || OpenOptions::new().write(true).open("/dev/full").expect("Linux has it");
    let unsaid = ended(run().arg(folder.path().join("nope")).arg(&path).stdout(full()).stderr(full()));
    assert_eq!(unsaid.code(), Some(2), "{unsaid:?}");
}

#[test]
fn a_report_that_nobody_reads_does_not_end_the_server() {
    let folder = folder();
    let path = file(folder.path(), "app.log", "one\n");
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let mut program = Program::start(run().args(["--listen", "0"]).arg(&path).stdout(writer));
    let address = program.address();
    thread::sleep(Duration::from_millis(300));
    assert_eq!(run_view(&mut program, address)["state"], "finished");
    program.signal(rustix::process::Signal::TERM);
    assert_eq!(program.end().code(), Some(0));
}

fn run_view(program: &mut Program, address: std::net::SocketAddr) -> Value {
    assert!(program.is_running());
    get(address, "/api/v1/run").json()
}

fn sink_wait_ms(run: &Value) -> f64 {
    let workers = run["workers"].as_array().expect("workers");
    workers.iter().map(|worker| worker["sink_wait_ms"].as_f64().expect("a number")).sum()
}

#[test]
fn a_reader_that_pauses_holds_the_run_back_and_gets_every_byte() {
    let folder = folder();
    let content = numbered(1_500_000);
    let path = file(folder.path(), "app.log", &content);
    let mut command = run();
    command.args(["--print", "start", "--report", "json", "--listen", "0", "--exit"]).arg(&path);
    let mut program = Program::start_unread(&mut command);
    let address = program.address();
    let mut output = program.child.stdout.take().expect("piped");
    let mut first = vec![0; 100_000];
    output.read_exact(&mut first).expect("begins");
    // Nobody reads: soon nothing moves any more.
    thread::sleep(Duration::from_millis(700));
    let before = run_view(&mut program, address);
    thread::sleep(Duration::from_millis(500));
    let stalled = run_view(&mut program, address);
    assert_eq!(before["lines_done"], stalled["lines_done"], "it goes on although nobody reads");
    assert!(stalled["lines_done"].as_u64() < Some(1_000_000), "the file is too small: {stalled}");
    let private_kib = program.private_kib();
    eprintln!("{private_kib} KiB private while nobody reads");
    assert!(private_kib < 96 << 10, "{private_kib} KiB");
    // Now somebody reads again, and all is there, in order.
    let reader = thread::spawn(move || {
        let mut rest = Vec::new();
        output.read_to_end(&mut rest).expect("ends");
        rest
    });
    let ended = program.end_within(HANG);
    let rest = reader.join().expect("reads");
    assert!([first, rest].concat() == content.as_bytes(), "bytes were lost or moved");
    let report = ended.report();
    assert_eq!(ended.code(), Some(0));
    check_ledger(&report);
    let waited = sink_wait_ms(&report["run"]);
    eprintln!("{waited} ms of waiting for the sink");
    assert!(waited > 1_000.0, "two workers waited for more than half a second each: {waited} ms");
    assert_eq!(report["run"]["sinks"][0]["bytes_written"], content.len());
}

#[test]
fn a_sink_waits_for_its_turn_in_the_books_while_it_waits() {
    let folder = folder();
    let path = file(folder.path(), "app.log", numbered(1_500_000));
    let mut command = run();
    command.args(["--print", "start", "--workers", "2", "--report", "json", "--listen", "0", "--exit"]).arg(&path);
    let mut program = Program::start_unread(&mut command);
    let address = program.address();
    thread::sleep(Duration::from_millis(800));
    let early = sink_wait_ms(&run_view(&mut program, address));
    thread::sleep(Duration::from_millis(600));
    let late = sink_wait_ms(&run_view(&mut program, address));
    assert!(late - early > 500.0, "two workers waited 600 ms each, and {} ms are shown", late - early);
}

#[test]
fn an_output_that_is_also_an_input_is_refused_before_anything_is_written() {
    let folder = folder();
    let path = file(folder.path(), "app.log", "ERROR one\n");
    let config = config(folder.path(), &format!("kind = 'file'\npath = {path:?}\nexisting = 'append'"));
    let ended = ended(run().arg("-c").args([&config, &path]));
    assert_eq!(ended.code(), Some(2));
    assert!(ended.stderr.contains("is also an input"), "{ended:?}");
    assert_eq!(fs::read(&path).expect("is there"), b"ERROR one\n");
}

/// Standard output may be made non-blocking by whoever shares it.
#[test]
fn a_pipe_that_does_not_block_is_written_whole() {
    let folder = folder();
    let content = numbered(200_000);
    let path = file(folder.path(), "app.log", &content);
    let (mut reader, writer) = std::io::pipe().expect("a pipe");
    let flags = rustix::fs::fcntl_getfl(&writer).expect("a descriptor");
    rustix::fs::fcntl_setfl(&writer, flags | rustix::fs::OFlags::NONBLOCK).expect("can be set");
    let mut command = run();
    command.args(["--print", "start"]).arg(&path).stdout(writer);
    let program = Program::start(&mut command);
    drop(command);
    let mut bytes = Vec::new();
    thread::sleep(Duration::from_millis(200));
    reader.read_to_end(&mut bytes).expect("ends");
    assert_eq!(program.end().code(), Some(0));
    assert!(bytes == content.as_bytes());
}

#[test]
fn lines_written_are_lines_that_were_written() {
    let folder = folder();
    let path = file(folder.path(), "app.log", numbered(100_000));
    let script = "\"$0\" run --print start --report json \"$1\" | head -1";
    let mut bash = Command::new("bash");
    bash.args(["-c", script, env!("CARGO_BIN_EXE_logweir")]).arg(&path).stdout(Stdio::piped()).stderr(Stdio::piped());
    let report = ended(&mut bash).report();
    let sink = &report["run"]["sinks"][0];
    let length = numbered(1).len() as u64;
    assert_eq!(sink["lines"].as_u64(), sink["bytes_written"].as_u64().map(|bytes| bytes / length), "{sink}");
}

#[test]
fn verbose_says_what_is_run() {
    let folder = folder();
    let path = file(folder.path(), "app.log", "one\n");
    file(folder.path(), ".hidden", "two\n");
    for (option, inputs) in [("-v", 0), ("-vv", 1)] {
        let ended = ended(run().args([option, "--workers", "2", "--no-mmap"]).arg(folder.path()));
        let words =
            ["the default pipeline (4 processors)", "1 inputs, 0 cannot be read, 1 skipped: hidden", "2 workers"];
        words.iter().for_each(|word| assert!(ended.stderr.contains(word), "{word} in {ended:?}"));
        let shown = format!("{}: 4 bytes", path.display());
        assert_eq!(ended.stderr.matches(&shown).count(), inputs, "{ended:?}");
    }
}

#[test]
fn a_run_that_can_read_nothing_could_not_go_on() {
    let folder = folder();
    let path = folder.path().join("nobody-writes");
    rustix::fs::mkfifoat(rustix::fs::CWD, &path, rustix::fs::Mode::RWXU).expect("a named pipe");
    let nope = folder.path().join("nope");
    let good = file(folder.path(), "app.log", "one\n");
    for (paths, code) in [(vec![&path], 2), (vec![&nope], 2), (vec![&nope, &path], 2), (vec![&nope, &path, &good], 1)] {
        let ended = ended(run().args(&paths));
        assert_eq!(ended.code(), Some(code), "{paths:?}: {ended:?}");
    }
}

#[test]
fn watching_costs_a_share_of_the_time_that_passed() {
    // Nothing comes, and the publisher goes on publishing.
    let (reader, writer) = std::io::pipe().expect("a pipe");
    let mut command = run();
    let program = Program::start(command.args(["--report", "json", "-"]).stdin(reader));
    drop(command);
    thread::sleep(Duration::from_millis(1_000));
    drop(writer);
    let share = program.end().report()["run"]["watching"]["share"].as_f64().expect("a number");
    assert!((0.0..0.5).contains(&share), "{share}");
    let folder = folder();
    let empty = ended(run().arg(file(folder.path(), "empty.log", "")));
    assert!(String::from_utf8_lossy(&empty.stdout).contains("watching took - of the workers' time"), "{empty:?}");
}

#[test]
fn a_record_that_two_options_name_is_printed_once() {
    let folder = folder();
    let path = file(folder.path(), "app.log", "ERROR one\nINFO two\n");
    let ended = ended(run().args(["--print", "start", "--print", "error"]).arg(&path));
    assert_eq!(String::from_utf8_lossy(&ended.stdout), "ERROR one\nINFO two\n");
    let help = Command::new(env!("CARGO_BIN_EXE_logweir")).args(["run", "--help"]).output().expect("starts");
    assert!(
        String::from_utf8_lossy(&help.stdout)
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ")
            .contains("a record that several --print name is printed once.")
    );
}

#[test]
fn dev_null_takes_all() {
    let folder = folder();
    let path = file(folder.path(), "app.log", numbered(1_000));
    let mut null = File::create("/dev/null").expect("Linux has it");
    null.flush().expect("takes all");
    let ended = ended(run().args(["--print", "start", "--report", "json"]).arg(&path).stdout(null));
    assert_eq!((ended.code(), &ended.report()["run"]["sinks"][0]["lines"]), (Some(0), &1_000.into()));
}
