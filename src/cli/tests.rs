//! The arguments, case by case.

use clap::{CommandFactory, Parser, error::ErrorKind};
use clap_complete::Shell;

use super::*;

fn parse(line: &str) -> Result<Cli, clap::Error> {
    Cli::try_parse_from(line.split_whitespace())
}

fn run(line: &str) -> (RunArgs, Common) {
    let cli = parse(line).unwrap_or_else(|error| panic!("{line}: {error}"));
    match cli.mode {
        Mode::Run(args) => (*args, cli.common),
        other => panic!("{line}: {other:?}"),
    }
}

fn refused(line: &str) -> ErrorKind {
    let error = parse(line).map(|_| ()).expect_err(line);
    assert_eq!(error.exit_code(), 2, "{line}");
    error.kind()
}

#[test]
fn the_definitions_hold_together() {
    Cli::command().debug_assert();
}

#[test]
fn a_plain_run_has_the_documented_defaults() {
    let (args, common) = run("logweir run app.log -");
    assert_eq!(args.input.paths, ["app.log", "-"].map(PathBuf::from));
    assert_eq!(args.engine.block_size, None);
    assert_eq!(args.engine.record_limit, logweir::limits::RECORD_BYTES);
    assert_eq!(args.engine.observe_budget, logweir::limits::OBSERVE_BUDGET);
    assert_eq!((args.engine.workers, args.engine.timing, args.engine.trace), (None, Timing::Sampled, Switch::On));
    assert!(args.serving.asked_for().is_none());
    assert_eq!(args.output.report, None);
    assert_eq!((common.color, common.quiet, common.verbose), (When::Auto, false, 0));
}

#[test]
fn options_are_understood() {
    let (args, common) = run(
        "logweir run -vv --print error --print start.warn --raw --workers 256 --block-size 1 --record-limit 64KiB \
         --timing full --trace off --observe-budget 2.5% --dead-letters d.ndjson --no-mmap --hidden --binary \
         --follow-links --report json --progress never --color never -c p.toml dir",
    );
    assert_eq!(args.pipeline.print, ["error", "start.warn"]);
    assert_eq!((args.engine.workers, args.engine.block_size, args.engine.record_limit), (Some(256), Some(1), 65_536));
    assert_eq!((args.engine.timing, args.engine.trace, args.engine.observe_budget), (Timing::Full, Switch::Off, 0.025));
    let walk = args.input.walk;
    assert!(args.pipeline.raw && args.input.no_mmap && walk.hidden && walk.binary && walk.follow_links);
    assert_eq!((args.output.report, args.output.progress), (Some(ReportFormat::Json), When::Never));
    assert_eq!((common.color, common.verbose), (When::Never, 2));
}

#[test]
fn serving_has_an_address() {
    let address = |line: &str| run(line).0.serving.asked_for().map(|listen| listen.address().to_string());
    assert_eq!(address("logweir run --serve x").as_deref(), Some("127.0.0.1:8000"));
    assert_eq!(address("logweir run --listen 9000 x").as_deref(), Some("127.0.0.1:9000"));
    assert_eq!(address("logweir run --listen localhost:0 x").as_deref(), Some("127.0.0.1:0"));
    assert_eq!(address("logweir run --serve --listen [::1]:1 --exit x").as_deref(), Some("[::1]:1"));
    let (args, _) = run("logweir run --listen 0.0.0.0:80 --token-file t --host a --host b x");
    assert_eq!(args.serving.at.host, ["a", "b"]);
    // What always serves needs not be asked to.
    let cli = parse("logweir replay --token-file t --host a d");
    let Ok(Cli { mode: Mode::Replay(args), .. }) = cli else { panic!("{cli:?}") };
    assert_eq!(args.listen.address().to_string(), "127.0.0.1:8000");
    assert_eq!(args.listen.host, ["a"]);
}

#[test]
fn mistakes_are_refused() {
    use ErrorKind::{ArgumentConflict, InvalidValue, MissingRequiredArgument, UnknownArgument, ValueValidation};
    let cases = [
        ("logweir run", MissingRequiredArgument),
        ("logweir run --redrive d.ndjson app.log", ArgumentConflict),
        ("logweir run --exit app.log", MissingRequiredArgument),
        ("logweir run --host h app.log", MissingRequiredArgument),
        ("logweir run --workers 0 app.log", ValueValidation),
        ("logweir run --workers 257 app.log", ValueValidation),
        ("logweir run --block-size 0 app.log", ValueValidation),
        ("logweir run --block-size 3XB app.log", ValueValidation),
        ("logweir run --block-size 2GiB app.log", ValueValidation),
        ("logweir run --record-limit 99999999999999999999KiB app.log", ValueValidation),
        ("logweir run --observe-budget 101 app.log", ValueValidation),
        ("logweir run --observe-budget nan app.log", ValueValidation),
        ("logweir run --listen nowhere app.log", ValueValidation),
        ("logweir run --timing some app.log", InvalidValue),
        ("logweir run -q -v app.log", ArgumentConflict),
        ("logweir run --nonsense app.log", UnknownArgument),
        ("logweir check --print-default p.toml", ArgumentConflict),
        ("logweir replay --serve d", UnknownArgument),
        ("logweir replay --exit d", UnknownArgument),
        ("logweir follow --no-serve --host h app.log", ArgumentConflict),
    ];
    for (line, kind) in cases {
        assert_eq!(refused(line), kind, "{line}");
    }
}

#[test]
fn sizes_are_written_as_gnu_tools_write_them() {
    for (text, size) in
        [("1", 1), ("64K", 65_536), ("64KiB", 65_536), ("64 kB", 64_000), ("1MiB", 1 << 20), ("1GiB", 1 << 30)]
    {
        assert_eq!(values::bytes(text), Ok(size), "{text}");
    }
}

#[test]
fn numbers_and_spans_are_written_as_people_write_them() {
    for (text, number) in [("0", 0), ("2500", 2_500), ("10k", 10_000), ("10M", 10_000_000), ("2G", 2_000_000_000)] {
        assert_eq!(values::count(text), Ok(number), "{text}");
    }
    for (text, ms) in [("10", 10_000), ("1.5s", 1_500), ("500ms", 500), ("2 min", 120_000)] {
        assert_eq!(values::span(text), Ok(std::time::Duration::from_millis(ms)), "{text}");
    }
    for text in ["", "k", "1x", "-1", "99999999999999999999"] {
        assert!(values::count(text).is_err(), "{text}");
    }
    for text in ["", "s", "0s", "-1s", "nan", "inf", "1e9min", "3h"] {
        assert!(values::span(text).is_err(), "{text}");
    }
    assert_eq!(values::size("3GiB"), Ok(3 << 30));
    assert!(values::size("0").is_err());
}

#[test]
fn what_is_measured_and_made_is_understood() {
    let cli = parse("logweir bench --runs 5 --workers 2 --timing off --cold --compare a.json --tolerance 3% app.log");
    let Ok(Cli { mode: Mode::Bench(args), .. }) = cli else { panic!("{cli:?}") };
    assert_eq!((args.measuring.runs, args.engine.workers, args.result.tolerance), (Some(5), Some(2), 0.03));
    assert_eq!((args.measuring.cold, args.engine.timing), (true, Timing::Off));
    let cli = parse("logweir generate --lines 10M --bytes 1G --format json --seed 7");
    let Ok(Cli { mode: Mode::Generate(args), .. }) = cli else { panic!("{cli:?}") };
    assert_eq!((args.lines, args.bytes, args.seed), (Some(10_000_000), Some(1 << 30), 7));
    assert_eq!(args.format, LineFormat::Json);
    assert_eq!(refused("logweir generate"), ErrorKind::MissingRequiredArgument);
    assert_eq!(refused("logweir bench"), ErrorKind::MissingRequiredArgument);
    assert_eq!(refused("logweir bench --runs 1 app.log"), ErrorKind::ValueValidation);
    assert_eq!(refused("logweir bench --runs 5 --time 3s app.log"), ErrorKind::ArgumentConflict);
}

#[test]
fn dead_letters_need_no_path() {
    assert!(run("logweir run --redrive d.ndjson").0.input.redrive.is_some());
}

#[test]
fn the_report_is_the_result_unless_records_are() {
    use ReportPlan::*;
    let (pipe, terminal) = (Terminals { stdout: false, stderr: false }, Terminals { stdout: true, stderr: true });
    let cases = [
        ("", false, terminal, TextToStdout),
        ("", false, pipe, TextToStdout),
        ("-q", false, terminal, Nowhere),
        ("-q --report text", false, pipe, TextToStdout),
        ("--report json", false, pipe, JsonToStdout),
        ("--report none", false, terminal, Nowhere),
        ("", true, terminal, TextToStderr),
        ("", true, pipe, Nowhere),
        ("--report text", true, pipe, TextToStderr),
        ("--report json", true, pipe, JsonToStderr),
    ];
    for (options, printed, terminals, plan) in cases {
        let (args, common) = run(&format!("logweir run {options} x"));
        let planned = args.output.report_plan(&common, printed, false, terminals);
        assert_eq!(planned, plan, "{options} {printed} {terminals:?}");
    }
    for (options, plan) in [("", Nowhere), ("--report text", TextToStderr), ("--report json", JsonToStderr)] {
        let (args, common) = run(&format!("logweir run {options} x"));
        assert_eq!(args.output.report_plan(&common, true, true, terminal), plan, "{options} and its reader has gone");
    }
}

#[test]
fn the_bar_stays_out_of_the_way() {
    let cases = [
        ("", false, (true, true), true),
        ("", false, (false, true), true),
        ("", true, (false, true), true),
        ("", true, (true, true), false),
        ("", false, (true, false), false),
        ("-q", false, (true, true), false),
        ("--progress always", true, (true, false), true),
        ("--progress never", false, (true, true), false),
    ];
    for (options, printed, (stdout, stderr), drawn) in cases {
        let (args, common) = run(&format!("logweir run {options} x"));
        let terminals = Terminals { stdout, stderr };
        assert_eq!(args.output.is_progress_drawn(&common, printed, terminals), drawn, "{options} {terminals:?}");
    }
}

#[test]
fn every_shell_gets_completions() {
    for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
        let mut script = Vec::new();
        completions(shell, &mut script).expect("memory can be written to");
        let script = String::from_utf8(script).expect("completions are text");
        assert!(script.contains("observe-budget"), "{shell}");
        assert!(script.contains("print-default"), "{shell}");
        if shell == Shell::Bash {
            succeeds("bash", &["-n"], script.as_bytes());
        }
    }
}

#[test]
fn the_man_page_holds_every_option() {
    let mut page = Vec::new();
    man(&mut page).expect("memory can be written to");
    let page = String::from_utf8(page).expect("the page is text");
    for word in [r"\-\-observe\-budget", r"\-\-print\-default", "LOGWEIR RUN", "EXIT CODES", "EXAMPLES", "interrupted"]
    {
        assert!(page.contains(word), "{word}");
    }
    if std::path::Path::new("/usr/bin/man").exists() {
        let shown = succeeds("man", &["--warnings", "-l", "-"], page.as_bytes());
        assert!(shown.contains("NODE[.OUTPUT]"), "{shown}");
    }
}

#[test]
fn both_helps_fit_and_end_with_the_exit_codes() {
    let mut command = Cli::command();
    command.build();
    for name in ["run", "check", "bench", "generate"] {
        let mode = command.find_subcommand_mut(name).expect("the mode exists");
        for help in [mode.render_help().to_string(), mode.render_long_help().to_string()] {
            assert!(help.contains("Exit codes:"), "{name}");
            let widest = help.lines().map(|line| line.chars().count()).max();
            assert!(widest <= Some(100), "{name}: {widest:?}");
        }
    }
}

/// Runs a program on `input` and returns what it printed; anything on standard error fails the test.
fn succeeds(program: &str, args: &[&str], input: &[u8]) -> String {
    use std::{io::Write, process::Stdio};
    let mut child = std::process::Command::new(program)
        .args(args)
        .env("MANWIDTH", "100")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{program}: {error}"));
    child.stdin.take().expect("it is piped").write_all(input).expect("the program reads");
    let output = child.wait_with_output().expect("the program ends");
    assert!(
        output.status.success() && output.stderr.is_empty(),
        "{program}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}
