//! The README does what it says: commands run, configurations are valid, reports and answers look as they are shown.
//!
//! A block says by its first line what it is. `sh`: every line is a command, run in a folder of its own that holds the
//! sample; a comment `exit code 1` says what it ends with, else it is 0. `toml NAME`: a pipeline, which is also written
//! to the file NAME, posting to servers of the test's own. `text COMMAND`: what that command printed, compared row by row without its numbers. `json /PATH`:
//! an answer of the server that the README started last; `json NAME`: the first line of a file. `ini`: a unit whose
//! command is understood; `conf`: what logrotate understands. `rust`: a doc-test. What is none of these fails the test,
//! so that nothing is left out in silence.
//!
//! A command that serves or follows goes on while the rest is read, and is ended as its user would end it.

use std::{
    collections::{BTreeSet, HashMap},
    fs,
    io::{BufRead, BufReader},
    net::SocketAddr,
    os::unix::fs::{PermissionsExt, symlink},
    path::Path,
    process::{Child, Command, Output, Stdio},
    time::Duration,
};

use logweir::{Pipeline, Registry, limits};
use serde_json::Value;

use self::receiver::Servers;
use crate::http;

mod receiver;

const README: &str = include_str!("../../README.md");
const ROOT: &str = env!("CARGO_MANIFEST_DIR");
const PROGRAM: &str = env!("CARGO_BIN_EXE_logweir");

/// What stands for the program in the README, before it is installed.
const FROM_SOURCE: &str = "cargo run --release --";
/// Runs the test that this is part of, so it is not run, only looked for.
const TEST_COMMAND: &str = "tests/run";
/// The input of the report is large; the test makes do with less of the same.
const FEWER_COPIES: (&str, &str) = ("head -n 3000", "head -n 30");
/// Where the README posts to; one of the test's own stands for them.
const SERVERS: [&str; 2] = ["https://search.example:9200", "https://loki.example"];
/// The key that says that an answer was shortened.
const SHORTENED: &str = "…";

/// A fenced block.
struct Block {
    language: &'static str,
    /// What follows the language.
    subject: &'static str,
    content: String,
}

fn blocks() -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut is_open = false;
    for line in README.lines() {
        match line.strip_prefix("```") {
            Some(_) if is_open => is_open = false,
            Some(info) => {
                let (language, subject) = info.split_once(' ').unwrap_or((info, ""));
                blocks.push(Block { language, subject, content: String::new() });
                is_open = true;
            }
            None if is_open => {
                let block = blocks.last_mut().expect("one is open");
                block.content.push_str(line);
                block.content.push('\n');
            }
            None => {}
        }
    }
    assert!(!is_open, "a block has no end");
    blocks
}

/// Where the commands run, what they printed, and the server that one of them started.
struct Stage {
    folder: tempfile::TempDir,
    printed: HashMap<String, String>,
    /// Those that run, the last one last.
    servers: Vec<(Child, SocketAddr)>,
    /// What its pipelines post to.
    receivers: Servers,
}

impl Stage {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let sample = folder.path().join("tests/sample");
        fs::create_dir_all(&sample).expect("it is ours");
        for entry in fs::read_dir(Path::new(ROOT).join("tests/sample")).expect("the sample") {
            let entry = entry.expect("a name");
            fs::copy(entry.path(), sample.join(entry.file_name())).expect("it is ours");
        }
        fs::create_dir(folder.path().join("bin")).expect("it is ours");
        symlink(PROGRAM, folder.path().join("bin/logweir")).expect("it is ours");
        Self { folder, printed: HashMap::new(), servers: Vec::new(), receivers: Servers::start() }
    }

    fn show(&mut self, block: &Block) {
        match block.language {
            "sh" => block.content.lines().for_each(|line| self.command(line)),
            "toml" => self.pipeline(block),
            "text" if block.subject.is_empty() => {} // a drawing
            "text" => self.printed(block),
            "json" => self.answer(block),
            "ini" => self.unit(block),
            "conf" => self.rotation(block),
            "rust" => {} // a doc-test, see lib.rs
            other => panic!("nobody tests blocks of {other:?}"),
        }
    }

    fn command(&mut self, line: &str) {
        let (command, comment) = line.split_once(" # ").unwrap_or((line, ""));
        let command = command.trim().replace(FROM_SOURCE, "logweir");
        let code = comment.trim().strip_prefix("exit code ").map_or(0, |code| code[..1].parse().expect("a digit"));
        if command == TEST_COMMAND {
            let mode = fs::metadata(Path::new(ROOT).join(TEST_COMMAND)).expect("it is there").permissions().mode();
            assert_ne!(mode & 0o111, 0, "{TEST_COMMAND} can be run");
        } else if let Some(command) = command.strip_suffix(" --serve") {
            self.serve(command, "finished");
        } else if command.starts_with("logweir replay ") {
            self.serve(&command, "finished");
        } else if command.starts_with("logweir follow ") && !command.contains("--until-eof") {
            self.serve(&command, "running");
        } else if !command.is_empty() {
            let output = self.run(&command.replace(FEWER_COPIES.0, FEWER_COPIES.1));
            let said = String::from_utf8_lossy(&output.stderr);
            // A machine that others use too may be slower the second time.
            let is_slower = command.contains(" --compare ") && output.status.code() == Some(1);
            assert!(output.status.code() == Some(code) || is_slower, "{command}: {:?} {said}", output.status);
            self.printed.insert(command, String::from_utf8_lossy(&output.stdout).into_owned());
        }
    }

    fn run(&self, command: &str) -> Output {
        self.shell(command).output().expect("a shell")
    }

    fn shell(&self, command: &str) -> Command {
        let path =
            format!("{}:{}", self.folder.path().join("bin").display(), std::env::var("PATH").unwrap_or_default());
        let mut shell = Command::new("sh");
        shell.args(["-c", command]).env("PATH", path).env("XDG_STATE_HOME", self.folder.path().join("home"));
        shell.current_dir(self.folder.path()).stdin(Stdio::null());
        shell
    }

    /// Runs `logweir …`, on a port that is free here, until it is in `state`.
    fn serve(&mut self, command: &str, state: &str) {
        let mut program = self.shell(&format!("exec {command} --listen 0"));
        let mut child = program.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("it starts");
        let mut line = String::new();
        BufReader::new(child.stderr.take().expect("it is piped")).read_line(&mut line).expect("it says where it is");
        let address = line.trim().rsplit_once("http://").map(|(_, url)| url.trim_end_matches('/'));
        let address = address.and_then(|address| address.parse().ok()).unwrap_or_else(|| panic!("no URL in {line:?}"));
        self.servers.push((child, address));
        wait_for(address, state);
    }

    fn address(&self) -> SocketAddr {
        self.servers.last().expect("a command before this one serves").1
    }

    /// The program understands what a unit starts it with.
    fn unit(&self, block: &Block) {
        let start =
            block.content.lines().find_map(|line| line.strip_prefix("ExecStart=")).expect("it starts something");
        let (program, arguments) = start.split_once(' ').expect("a program and its arguments");
        assert!(program.starts_with('/') && program.ends_with("/logweir"), "{start}");
        let asked = self.run(&format!("logweir {arguments} --help"));
        assert!(asked.status.success(), "{start}: {}", String::from_utf8_lossy(&asked.stderr));
    }

    /// Logrotate understands its rules, where there is one.
    fn rotation(&self, block: &Block) {
        assert!(block.content.contains("postrotate\n") && block.content.contains("reload logweir\n"));
        let folder = self.folder.path().to_str().expect("its name is text");
        let rules = block.content.replace("/srv/logweir", folder);
        assert!(rules.starts_with(&format!("{folder}/errors.log {{")), "a command has written it");
        fs::write(self.folder.path().join("rotation"), rules).expect("it is ours");
        let understood = self.run("! command -v logrotate || logrotate --debug rotation");
        let said = String::from_utf8_lossy(&understood.stderr);
        assert!(understood.status.success() && !said.contains("error: rotation:"), "{said}");
    }

    fn pipeline(&self, block: &Block) {
        let compiled = Pipeline::from_toml(&block.content, block.subject, &Registry::standard());
        assert!(compiled.is_ok(), "{}", compiled.err().map_or_else(String::new, |error| error.render(false)));
        let name = if block.subject.is_empty() { "unnamed.toml" } else { block.subject };
        let posting_here = |text: String, server: &&str| text.replace(*server, &self.receivers.url());
        let content = SERVERS.iter().fold(block.content.clone(), posting_here);
        fs::write(self.folder.path().join(name), content).expect("it is ours");
        let checked = self.run(&format!("logweir check {name}"));
        assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
    }

    /// Every row that is shown was printed too, whatever its numbers were.
    fn printed(&self, block: &Block) {
        let printed = self.printed.get(block.subject).unwrap_or_else(|| panic!("nobody ran {:?}", block.subject));
        for line in block.content.lines() {
            let row = label(line);
            let mut rests = printed.lines().filter_map(|line| line.trim().strip_prefix(row));
            let is_there = rests.any(|rest| !rest.starts_with(char::is_alphabetic));
            assert!(is_there, "no row {row:?} in what {:?} prints:\n{printed}", block.subject);
        }
    }

    fn answer(&self, block: &Block) {
        let shown: Value = serde_json::from_str(&block.content).expect("an answer that is shown is JSON");
        let real = if block.subject.starts_with('/') {
            http::get(self.address(), block.subject).json()
        } else {
            let text = fs::read_to_string(self.folder.path().join(block.subject)).expect("a command has written it");
            serde_json::from_str(text.lines().next().expect("it has a line")).expect("it is JSON")
        };
        same_shape(&shown, &real, block.subject);
    }

    /// Ends the servers as their user would.
    fn end(mut self) {
        for (child, address) in &mut self.servers {
            let pid = rustix::process::Pid::from_child(child);
            rustix::process::kill_process(pid, rustix::process::Signal::INT).expect("it is ours");
            let status = child.wait().expect("it ends");
            assert_eq!(status.code(), Some(0), "what is finished or follows was interrupted: {address}");
        }
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        // Where a test failed, some are left.
        self.servers.iter_mut().for_each(|(child, _)| _ = child.kill());
    }
}

/// Waits for a state: what is answered before is right too, but not what the README shows.
fn wait_for(address: SocketAddr, state: &str) {
    for _ in 0..500 {
        if http::get(address, "/readyz").json()["state"] == state {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("{address} does not come to be {state}");
}

/// What a row begins with, up to its first number, gap or parenthesis.
fn label(line: &str) -> &str {
    let line = line.trim();
    let end = line.find(|c: char| c.is_ascii_digit()).unwrap_or(line.len());
    let ends = ["  ", " ("].into_iter().filter_map(|gap| line.find(gap));
    &line[..ends.fold(end, usize::min)]
}

/// `shown` has the keys and types of `real`. Lists are compared by their first members, and `null` is any type.
fn same_shape(shown: &Value, real: &Value, place: &str) {
    match (shown, real) {
        (Value::Object(shown), Value::Object(real)) => {
            for (key, value) in shown.iter().filter(|(key, _)| *key != SHORTENED) {
                let real = real.get(key).unwrap_or_else(|| panic!("{place} has no key {key:?}"));
                same_shape(value, real, &format!("{place}: {key}"));
            }
            if !shown.contains_key(SHORTENED) {
                let keys = |object: &serde_json::Map<String, Value>| object.keys().cloned().collect::<BTreeSet<_>>();
                assert_eq!(keys(shown), keys(real), "{place} is not said to be shortened");
            }
        }
        (Value::Array(shown), Value::Array(real)) => {
            for shown in shown {
                same_shape(shown, real.first().unwrap_or_else(|| panic!("{place} is empty")), place);
            }
        }
        (Value::Null, _) | (_, Value::Null) => {}
        _ => assert_eq!(std::mem::discriminant(shown), std::mem::discriminant(real), "{place}"),
    }
}

#[test]
fn it_does_what_it_says() {
    assert!(README.contains(FEWER_COPIES.0), "the input of the report is made otherwise now");
    let mut stage = Stage::new();
    for block in blocks() {
        stage.show(&block);
    }
    check_paths(stage.address());
    check_redriven(&stage);
    stage.end();
}

/// The dead letter that the README shows was posted to both servers when it was run again.
fn check_redriven(stage: &Stage) {
    let requests = stage.receivers.requests();
    for path in ["/_bulk", "/loki/api/v1/push"] {
        let is_there = |body: &[u8]| String::from_utf8_lossy(body).contains("order b7a2c8: payment not confirmed");
        let is_posted = requests.iter().any(|(known, body)| known.starts_with(path) && is_there(body));
        assert!(
            is_posted,
            "nothing was run again for {path}: {:?}",
            requests.iter().map(|it| &it.0).collect::<Vec<_>>()
        );
    }
}

/// Every path that the README names answers, and every path that the server offers is named.
fn check_paths(address: SocketAddr) {
    let rows = README.lines().filter(|line| line.starts_with("| `/"));
    let cells = rows.filter_map(|line| line.split('|').nth(1));
    let named: Vec<&str> = cells.flat_map(|cell| cell.split('`')).filter(|text| text.starts_with('/')).collect();
    for path in &named {
        assert_eq!(http::ask(address, "HEAD", path, &[]).status, 200, "{path}");
    }
    let lost = http::get(address, "/no/such/path").json();
    for path in lost["allowed"].as_array().expect("a list of paths") {
        let path = path.as_str().expect("a path");
        assert!(path == "/" || named.contains(&path), "the README does not name {path}");
    }
}

#[test]
fn its_options_exist() {
    let page = Command::new(PROGRAM).arg("man").output().expect("it starts").stdout;
    let page = String::from_utf8(page).expect("text").replace('\\', "");
    let is_option = |c: char| c.is_ascii_lowercase() || c == '-';
    // Options of other programs stand in lines of their own.
    let lines = README.lines().filter(|line| !line.contains("cargo") && !line.contains("benches/"));
    let words = lines.flat_map(|line| line.split(|c: char| !is_option(c)));
    let options: BTreeSet<&str> = words.filter(|word| word.starts_with("--") && word.len() > 3).collect();
    assert!(options.len() > 10, "{options:?}");
    for option in options {
        assert!(page.contains(option), "the manual knows nothing of {option}");
    }
}

#[test]
fn its_limits_are_those_of_the_code() {
    let bytes = |bytes: usize| match bytes {
        _ if bytes >= 1 << 30 => format!("{} GiB", bytes >> 30),
        _ if bytes >= 1 << 20 => format!("{} MiB", bytes >> 20),
        _ if bytes >= 1 << 10 => format!("{} KiB", bytes >> 10),
        _ => bytes.to_string(),
    };
    let time = |time: Duration| match time.as_millis() {
        ms if ms >= 1_000 => format!("{} s", time.as_secs()),
        ms => format!("{ms} ms"),
    };
    let known = [
        ("BLOCK_BYTES", bytes(limits::BLOCK_BYTES)),
        ("RECORD_BYTES", bytes(limits::RECORD_BYTES)),
        ("WINDOW_BLOCKS", limits::WINDOW_BLOCKS.to_string()),
        ("TRACES", grouped(limits::TRACES)),
        ("FAULT_SAMPLES", grouped(limits::FAULT_SAMPLES)),
        ("EXCERPT_BYTES", bytes(limits::EXCERPT_BYTES)),
        ("HISTOGRAM_MAX_NS", format!("{} h", limits::HISTOGRAM_MAX_NS / 3_600_000_000_000)),
        ("PUBLISH_INTERVAL", time(limits::PUBLISH_INTERVAL)),
        ("OUTPUT_TIME", time(limits::OUTPUT_TIME)),
        ("SIGNAL_ECHO_TIME", time(limits::SIGNAL_ECHO_TIME)),
        ("DRAIN_TIME", time(limits::DRAIN_TIME)),
        ("FOLLOWED_FILES", grouped(limits::FOLLOWED_FILES)),
        ("OTHER_DESCRIPTORS", grouped(limits::OTHER_DESCRIPTORS)),
        ("LOOK_INTERVAL", time(limits::LOOK_INTERVAL)),
        ("BATCH_TIME", time(limits::BATCH_TIME)),
        ("PARTIAL_TIME", time(limits::PARTIAL_TIME)),
        ("GRACE_TIME", time(limits::GRACE_TIME)),
        ("HELD_BYTES", bytes(limits::HELD_BYTES as usize)),
        ("HELD_FILES", limits::HELD_FILES.to_string()),
        ("STREAM_KEPT_BYTES", bytes(limits::STREAM_KEPT_BYTES)),
        ("FINISHED_FILES", grouped(limits::FINISHED_FILES)),
        ("LAST_LINES_BYTES", bytes(limits::LAST_LINES_BYTES as usize)),
        ("REOPEN_TIME_MAX", time(limits::REOPEN_TIME_MAX)),
        ("PRINT_BYTES", bytes(limits::PRINT_BYTES)),
        ("SOURCES_LISTED", grouped(limits::SOURCES_LISTED)),
        ("CHECKPOINT_BYTES", bytes(limits::CHECKPOINT_BYTES as usize)),
        ("CHECKPOINTS_ASIDE", limits::CHECKPOINTS_ASIDE.to_string()),
        ("RECORDING_INTERVAL", time(limits::RECORDING_INTERVAL)),
        ("RECORDINGS_BYTES", bytes(limits::RECORDINGS_BYTES as usize)),
        ("RECORDINGS", grouped(limits::RECORDINGS)),
        ("HISTORY_SPANS", grouped(limits::HISTORY_SPANS)),
        ("HISTORY_POINTS", grouped(limits::HISTORY_POINTS)),
        ("METRIC_SOURCES", grouped(limits::METRIC_SOURCES)),
        ("HTTP_BATCH_BYTES", bytes(limits::HTTP_BATCH_BYTES)),
        ("HTTP_BATCH_BYTES_MAX", bytes(limits::HTTP_BATCH_BYTES_MAX)),
        ("HTTP_BATCH_TIME", time(limits::HTTP_BATCH_TIME)),
        ("HTTP_TIME", time(limits::HTTP_TIME)),
        ("HTTP_CONNECT_TIME", time(limits::HTTP_CONNECT_TIME)),
        ("HTTP_REQUESTS", limits::HTTP_REQUESTS.to_string()),
        ("HTTP_BACKLOG_BYTES", bytes(limits::HTTP_BACKLOG_BYTES)),
        ("HTTP_RETRY_AFTER", time(limits::HTTP_RETRY_AFTER)),
        ("HTTP_SEARCH_REQUESTS", limits::HTTP_SEARCH_REQUESTS.to_string()),
        ("TOKEN_BYTES", bytes(limits::TOKEN_BYTES)),
        ("NODES", limits::NODES.to_string()),
        ("CONFIG_BYTES", bytes(limits::CONFIG_BYTES)),
        ("PATTERN_BYTES", bytes(limits::PATTERN_BYTES)),
        ("REGEX_BYTES", bytes(limits::REGEX_BYTES)),
        ("CONNECTIONS", limits::CONNECTIONS.to_string()),
        ("REQUEST_HEAD_BYTES", bytes(limits::REQUEST_HEAD_BYTES)),
        ("REQUEST_HEAD_TIME", time(limits::REQUEST_HEAD_TIME)),
    ];
    for line in README.lines().filter(|line| line.contains("(`") && line.ends_with('|')) {
        let Some((_, name, value)) = line.split_once("(`").and_then(|(what, rest)| {
            let (name, value) = rest.split_once("`) |")?;
            Some((what, name, value.trim().trim_end_matches('|').trim()))
        }) else {
            continue;
        };
        if let Some(name) = name.chars().all(|c| c.is_ascii_uppercase() || c == '_').then_some(name) {
            let (_, real) = known.iter().find(|(known, _)| *known == name).unwrap_or_else(|| panic!("no limit {name}"));
            assert!(value.starts_with(real.as_str()), "{name} is {real}, not {value}");
        }
    }
    for (name, _) in known {
        assert!(README.contains(&format!("(`{name}`) |")), "the README does not name {name}");
    }
}

#[test]
fn its_table_of_modules_is_complete() {
    let rows = README.lines().skip_while(|line| !line.starts_with("| module |")).take_while(|line| !line.is_empty());
    let named: BTreeSet<&str> = rows.filter_map(|row| row.split('|').nth(1)).flat_map(|cell| cell.split('`')).collect();
    for entry in fs::read_dir(Path::new(ROOT).join("src")).expect("the source") {
        let name = entry.expect("a name").file_name().into_string().expect("our names are text");
        let module = name.trim_end_matches(".rs");
        assert!(module == "lib" || named.contains(module), "the README does not say what {module} is for");
    }
}

/// A number as the README writes it.
fn grouped(number: usize) -> String {
    if number < 1_000 { number.to_string() } else { format!("{},{:03}", number / 1_000, number % 1_000) }
}
