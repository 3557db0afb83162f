//! `generate`: what it makes is what it says, and the default pipeline counts the same.

use std::{
    fs,
    io::Read,
    path::Path,
    process::{Command, Output, Stdio},
};

use logweir::{
    DiscoverOptions, Engine, Generator, LogFormat, Pipeline, Quota, Row, RunOptions, Slowdown, Timing, discover,
    snapshot::StageKind,
};

use crate::program::folder;

fn generate(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_logweir"));
    command.arg("generate").args(arguments).stdin(Stdio::null()).output().expect("it starts")
}

fn write(format: LogFormat, lines: u64, path: &Path) -> logweir::Tally {
    let mut generator = Generator::new(format, 11, Quota { lines, bytes: u64::MAX });
    let mut file = Vec::new();
    while generator.fill(&mut file, None) {}
    fs::write(path, file).expect("a temporary file");
    generator.tally()
}

fn counts(path: &Path, options: RunOptions) -> [u64; 3] {
    let inputs = discover(&[path.to_path_buf()], DiscoverOptions::default());
    let finished = Engine::new(Pipeline::default_pipeline(), inputs, options).run();
    assert!(finished.error.is_none() && finished.snapshot.ledger.balanced, "{:?}", finished.error);
    let outputs = &finished.snapshot.nodes[0].outputs;
    [outputs[0].records, outputs[1].records, outputs[2].records]
}

#[test]
fn the_default_pipeline_counts_what_was_put_in() {
    let folder = folder();
    for format in LogFormat::ALL {
        let path = folder.path().join(format.name());
        let tally = write(format, 60_000, &path);
        // The order of `level`'s outputs and that of `Level` are the same.
        assert_eq!(counts(&path, RunOptions::default()), tally.levels, "{format:?}");
    }
}

/// An experiment changes when things happen, and nothing else.
#[test]
fn a_slowed_run_counts_the_same() {
    let folder = folder();
    let path = folder.path().join("made.log");
    let tally = write(LogFormat::Log4j, 20_000, &path);
    for spared in [Row::Node(0), Row::Stage(StageKind::Read)] {
        for timing in [Timing::Off, Timing::Full] {
            let slowdown = Some(Slowdown { spared, share: 0.25 });
            let options = RunOptions { slowdown, timing, ..RunOptions::default() };
            assert_eq!(counts(&path, options), tally.levels, "{spared:?} {timing:?}");
        }
    }
}

#[test]
fn labels_name_the_level_of_each_line() {
    let folder = folder();
    let path = folder.path().join("labels");
    let labels = path.to_str().expect("our names are text");
    let made = generate(&["--lines", "5k", "--format", "json", "--seed", "3", "--labels", labels]);
    assert!(made.status.success() && made.stderr.is_empty(), "{made:?}");
    let labels = fs::read_to_string(&path).expect("it was written");
    let lines = made.stdout.split_inclusive(|&byte| byte == b'\n');
    assert_eq!(labels.lines().count(), 5_000);
    for (line, label) in lines.zip(labels.lines()) {
        let level = format!("{:?}", logweir::level_of(line.trim_ascii_end())).to_lowercase();
        assert_eq!(level, label, "{}", String::from_utf8_lossy(line));
    }
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    let [one, same, other] =
        ["1", "1", "2"].map(|seed| generate(&["--bytes", "300k", "--format", "log4j", "--seed", seed]).stdout);
    assert!(one == same && one != other);
    assert!(one.len() <= 300 << 10 && one.len() > 290 << 10 && one.ends_with(b"\n"), "{}", one.len());
}

#[test]
fn whoever_has_seen_enough_ends_it_quietly() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_logweir"));
    command.args(["generate", "--bytes", "1000G"]).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("it starts");
    let mut head = [0; 1_000];
    child.stdout.take().expect("it is piped").read_exact(&mut head).expect("it writes");
    let mut said = String::new();
    child.stderr.take().expect("it is piped").read_to_string(&mut said).expect("it ends");
    assert_eq!((child.wait().expect("it ends").code(), said.as_str()), (Some(0), ""));
}

#[test]
fn what_cannot_be_made_is_refused() {
    for arguments in [&[][..], &["--lines", "many"], &["--lines", "1", "--format", "xml"], &["--bytes", "0"]] {
        assert_eq!(generate(arguments).status.code(), Some(2), "{arguments:?}");
    }
    let made = generate(&["--lines", "1", "--labels", "/no/such/folder/labels"]);
    assert_eq!(made.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&made.stderr).contains("cannot write /no/such/folder/labels"), "{made:?}");
    #[cfg(target_os = "linux")]
    {
        let full = fs::File::options().write(true).open("/dev/full").expect("Linux has it");
        let mut command = Command::new(env!("CARGO_BIN_EXE_logweir"));
        let made = command.args(["generate", "--lines", "10"]).stdout(full).output().expect("it starts");
        assert_eq!(made.status.code(), Some(2), "{made:?}");
    }
}
