//! The arguments of `bench`, and of `generate`, which makes something to measure on.

use std::{path::PathBuf, time::Duration};

use clap::{ArgGroup, Args, ValueEnum, ValueHint};

use super::{EngineArgs, values};

const EXIT_CODES: &str = "\
Exit codes:
  0    measured; with --compare: not slower
  1    slower than the baseline beyond noise
  2    could not be measured, or the arguments are wrong
  130  interrupted
";

const BENCH_HELP: &str = "\
Examples:
  logweir bench app.log                       the pipeline that runs by default
  logweir bench -c pipeline.toml app.log      one of your own
  logweir bench --export main.json app.log    keep the result
  logweir bench --compare main.json app.log   and compare with it: exit code 1 when slower
";

const GENERATE_HELP: &str = "\
Examples:
  logweir generate --lines 10M --format json > made.json
  logweir generate --bytes 1G --format log4j --seed 7 > made.log
  logweir generate --lines 1k --labels levels.txt > made.log

Exit codes:
  0    made, or nobody reads any more
  2    could not be written, or the arguments are wrong
";

/// The arguments of `bench`.
#[derive(Debug, Args)]
#[command(after_help = format!("{BENCH_HELP}\n{EXIT_CODES}"))]
pub struct BenchArgs {
    /// Files, directories, globs. What can be read only once, such as a pipe, cannot be measured on.
    #[arg(value_name = "PATH", required = true, value_hint = ValueHint::AnyPath, help_heading = "Arguments")]
    pub paths: Vec<PathBuf>,
    /// The pipeline, as TOML; without it, records are told apart by their level.
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = "Pipeline")]
    pub config: Option<PathBuf>,
    /// How it is measured.
    #[command(flatten)]
    pub measuring: MeasuringArgs,
    /// What is done with the result.
    #[command(flatten)]
    pub result: ResultArgs,
    /// How runs are carried out.
    #[command(flatten)]
    pub engine: EngineArgs,
}

/// How it is measured.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Measuring")]
pub struct MeasuringArgs {
    /// Do each measurement so many times, instead of until its result is known to 1 %.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(2..=10_000))]
    pub runs: Option<u32>,
    /// The time for all measurements together, like 30s or 2min; each is done a few times in any case.
    #[arg(long, value_name = "SPAN", default_value = "20s", value_parser = values::span, conflicts_with = "runs")]
    pub time: Duration,
    /// Before each run, drop the inputs from the page cache, and look whether that worked.
    #[arg(long)]
    pub cold: bool,
    /// Read files, and never map them into memory.
    #[arg(long)]
    pub no_mmap: bool,
    /// Map files into memory, even where reading them would be faster.
    #[arg(long, conflicts_with = "no_mmap")]
    pub mmap: bool,
}

/// What is done with the result.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Output")]
pub struct ResultArgs {
    /// Print the result for programs, instead of for people: one object.
    #[arg(long)]
    pub json: bool,
    /// Write the result to this file, for --compare.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub export: Option<PathBuf>,
    /// Compare with a result that --export wrote; exit code 1 if this one is slower beyond noise.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub compare: Option<PathBuf>,
    /// How much slower is still no difference: two starts of the same program differ too.
    #[arg(long, value_name = "PERCENT", default_value = "2", value_parser = values::share)]
    pub tolerance: f64,
    /// Write a page with the result drawn to this file.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub html: Option<PathBuf>,
}

/// The arguments of `generate`.
#[derive(Debug, Clone, Args)]
#[command(after_help = GENERATE_HELP)]
#[command(group = ArgGroup::new("amount").args(["lines", "bytes"]).required(true).multiple(true))]
pub struct GenerateArgs {
    /// So many lines, like 2500 or 10M; with --bytes, at most.
    #[arg(long, value_name = "N", value_parser = values::count)]
    pub lines: Option<u64>,
    /// So many bytes at most, in whole lines, like 64MiB or 1G.
    #[arg(long, value_name = "BYTES", value_parser = values::size)]
    pub bytes: Option<u64>,
    /// What lines look like: combined, json, syslog or log4j.
    #[arg(long, value_name = "FORMAT", default_value = "combined", hide_possible_values = true)]
    pub format: LineFormat,
    /// Which log of all that could be: the same number gives the same bytes, on every machine.
    #[arg(long, value_name = "N", default_value = "1")]
    pub seed: u64,
    /// Write the level of each line to this file, a word a line: error, warn or other.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub labels: Option<PathBuf>,
}

/// What made-up lines look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LineFormat {
    /// The access log of a web server.
    Combined,
    /// An object a line.
    Json,
    /// RFC 5424.
    Syslog,
    /// Events with stack traces.
    Log4j,
}
