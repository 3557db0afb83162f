//! The arguments, as the user types them: syntax and help, and nothing about what they do.
//!
//! Whether a pipeline has the node that `--print` names, or an address needs a token, is decided by those who plan the
//! run. Completions and the man page come from these same definitions (see `render`).

use std::path::PathBuf;

use clap::{ArgAction, ArgGroup, Args, Parser, Subcommand, ValueEnum, ValueHint, builder::RangedU64ValueParser};
use clap_complete::Shell;

mod bench;
mod follow;
mod output;
mod render;
mod serving;
#[cfg(test)]
mod tests;
mod values;

pub use bench::{BenchArgs, GenerateArgs, LineFormat};
pub use follow::{FollowArgs, FromWhere, MemoryArgs};
pub use output::{ReportPlan, Terminals};
pub use render::{completions, man};
pub use serving::{FollowServingArgs, ListenArgs, ServingArgs};

/// How the program is used, a line each.
pub(crate) const EXAMPLES: &str = "\
Examples:
  logweir run /var/log/nginx              all logs below a directory, then a report
  logweir run --serve 'logs/*.log'        and look at it on http://127.0.0.1:8000
  logweir run --print error app.log       the records that leave 'error', like grep
  logweir follow --print error app.log    the same for a live file, through rotation
  zcat old.gz | logweir run -             standard input
  logweir run -c pipeline.toml app.log    a pipeline of your own
  logweir check pipeline.toml             is it valid, and what does it look like?
  logweir bench app.log                   how fast is it, and which processor is the slow one?
  logweir generate --lines 10M > made.log a log to try things on
";

/// What a script may rely on.
pub(crate) const EXIT_CODES: &str = "\
Exit codes:
  0    clean
  1    finished, with faults (bad data; the report shows it; a line over the limit is no fault of this kind)
  2    could not go on, or the arguments are wrong
  130  interrupted, after the report
";

/// Runs log files through a pipeline of processors at memory speed, and shows what each one did.
#[derive(Debug, Parser)]
#[command(name = "logweir", version, max_term_width = 100)]
#[command(after_help = format!("{EXAMPLES}\n{EXIT_CODES}"))]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub mode: Mode,
    /// What every mode understands.
    #[command(flatten)]
    pub common: Common,
}

/// What every mode understands.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Everywhere")]
pub struct Common {
    /// Colour: when standard output or error is a terminal, always, or never.
    ///
    /// `auto` obeys NO_COLOR, CLICOLOR and CLICOLOR_FORCE.
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto", hide_possible_values = true)]
    pub color: When,
    /// Only errors: no progress, and no report that was not asked for.
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Say on standard error what is run, and how; twice: with each input.
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub verbose: u8,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Mode {
    /// Run files through the pipeline to their end, then report.
    ///
    /// Records are printed only where that is asked for, with --print or a `stdout` sink in the configuration. With
    /// --serve, everything that is known about the run can be watched while it goes on.
    Run(Box<RunArgs>),
    /// Follow files that grow, through rotation and restarts, and serve what is known about them.
    ///
    /// How far every file was delivered is kept in a state directory, so that nothing is lost when it is stopped, killed
    /// or out of power.
    Follow(Box<FollowArgs>),
    /// Serve a recorded run: the page and all endpoints, as they were at its end, and its history.
    Replay(ReplayArgs),
    /// Validate a pipeline, point at its mistakes, draw its graph.
    Check(CheckArgs),
    /// Show a state directory: how far files are delivered, whether that can still be proved, and what is recorded.
    ///
    /// Nothing is locked or changed: it may be looked at while it is in use, and when it is broken.
    State(StateArgs),
    /// Measure how fast a pipeline runs, what each processor costs, and what watching costs.
    ///
    /// What is measured is the engine, in this process: starting the program is not part of it, and is measured apart.
    /// Runs are repeated until the median is known to 1 %, or the time is over. What sinks write goes to /dev/null.
    Bench(Box<BenchArgs>),
    /// Make up a log, the same bytes for the same seed, on standard output.
    ///
    /// Keys are skewed, lines come in bursts, some are long, errors drag stack traces behind them.
    Generate(GenerateArgs),
    /// Print the completions for a shell.
    ///
    /// For bash: logweir completions bash > ~/.local/share/bash-completion/completions/logweir
    Completions {
        /// Which shell.
        shell: Shell,
    },
    /// Print the man page, to be read with `man -l` or put into a man path.
    Man,
}

/// The arguments of `run`.
#[derive(Debug, Args)]
#[command(override_usage = "logweir run [OPTIONS] PATH...\n       logweir run [OPTIONS] --redrive FILE")]
#[command(after_help = format!("{EXAMPLES}\n{EXIT_CODES}"))]
#[command(group = ArgGroup::new("serving").args(["serve", "listen"]).multiple(true))]
pub struct RunArgs {
    /// Where the records come from.
    #[command(flatten)]
    pub input: InputArgs,
    /// What is done with them.
    #[command(flatten)]
    pub pipeline: PipelineArgs,
    /// How it is shown.
    #[command(flatten)]
    pub output: OutputArgs,
    /// Who may look at it.
    #[command(flatten)]
    pub serving: ServingArgs,
    /// How it is measured and run.
    #[command(flatten)]
    pub engine: EngineArgs,
    /// Record what happens, every 10 s and at the end, below this directory.
    ///
    /// In `history` below it stand the counts and latencies of each interval, as NDJSON and as HdrHistogram interval
    /// logs, with traces and faults. They take at most 256 MiB; then the oldest go. /api/v1/history and `logweir replay`
    /// show them.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath, help_heading = "Recording")]
    pub state: Option<PathBuf>,
}

/// The arguments of `replay`.
#[derive(Debug, Args)]
#[command(after_help = REPLAY_HELP)]
pub struct ReplayArgs {
    /// The state directory of the run, as `--state` named it, or the `history` in it.
    #[arg(value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub dir: PathBuf,
    /// Where it is served, and who may look at it.
    #[command(flatten)]
    pub listen: ListenArgs,
}

const REPLAY_HELP: &str = "\
Examples:
  logweir run --state state app.log       record a run
  logweir replay state                    look at it on http://127.0.0.1:8000

Exit codes:
  0    ended by Ctrl-C
  2    nothing is recorded there, or the arguments are wrong
";

/// Where the records come from.
#[derive(Debug, Args)]
#[command(next_help_heading = "Input")]
pub struct InputArgs {
    /// Files, directories, globs; `-` is standard input.
    ///
    /// Directories are searched to the bottom; there, hidden and binary files are skipped and counted. A file that is
    /// reached twice is read once. A file that is named is always read, pipes like <(…) too. Quote a glob to have it
    /// expanded here.
    #[arg(value_name = "PATH", required_unless_present = "redrive", value_hint = ValueHint::AnyPath)]
    #[arg(help_heading = "Arguments")]
    pub paths: Vec<PathBuf>,
    /// Run the records of a dead-letter file again, instead of PATHs.
    #[arg(long, value_name = "FILE", conflicts_with = "paths", value_hint = ValueHint::FilePath)]
    pub redrive: Option<PathBuf>,
    /// What is taken in directories.
    #[command(flatten)]
    pub walk: WalkArgs,
    /// Read files, and never map them into memory.
    ///
    /// Without this option, both are tried on the first blocks of a large file, and again later, and the faster one is
    /// used. What cannot be mapped is read in any case.
    #[arg(long)]
    pub no_mmap: bool,
    /// Map files into memory, even where reading them would be faster.
    #[arg(long, conflicts_with = "no_mmap")]
    pub mmap: bool,
}

/// What is taken in directories.
#[derive(Debug, Clone, Copy, Args)]
pub struct WalkArgs {
    /// In directories, take hidden files and directories too.
    #[arg(long)]
    pub hidden: bool,
    /// In directories, take binary files too (those with a NUL byte in their first 8 KiB).
    #[arg(long)]
    pub binary: bool,
    /// In directories, follow symbolic links.
    #[arg(long)]
    pub follow_links: bool,
}

/// What is done with records.
#[derive(Debug, Args)]
#[command(next_help_heading = "Pipeline")]
pub struct PipelineArgs {
    /// The pipeline, as TOML; without it, records are told apart by their level.
    ///
    /// `logweir check --print-default` prints the pipeline that runs without a file.
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub config: Option<PathBuf>,
    /// Print the records that leave this processor, or one of its outputs (repeatable).
    ///
    /// They go to standard output, bytes unchanged, in the order of the input; a record that several --print name is
    /// printed once. On a terminal, bytes that could control it are shown as escapes, unless --raw is given.
    #[arg(long, value_name = "NODE[.OUTPUT]")]
    pub print: Vec<String>,
    /// Print records to a terminal as they are, control characters included.
    #[arg(long)]
    pub raw: bool,
    /// Write records that fail to this file, as NDJSON, exact bytes recoverable.
    ///
    /// Without it, and where the configuration says nothing else, they are counted, sampled and dropped.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub dead_letters: Option<PathBuf>,
}

/// How a run is shown.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Output")]
pub struct OutputArgs {
    /// The report at the end: text, json or none [default: text].
    ///
    /// The report is the result of a run and goes to standard output. Where records are printed there (--print, or a
    /// `stdout` sink), it goes to standard error; the text then only to a terminal, or when it was asked for with this
    /// option.
    #[arg(long, value_name = "FORMAT", hide_possible_values = true)]
    pub report: Option<ReportFormat>,
    /// The bar or line on standard error while it runs: when that is a terminal, always, or never.
    ///
    /// `auto` also leaves it out where records are printed to a terminal.
    #[arg(long, value_name = "WHEN", default_value = "auto", hide_possible_values = true)]
    pub progress: When,
}

/// How a run is measured, and how it is carried out.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Engine")]
pub struct EngineArgs {
    /// Worker threads, 1 to 256 [default: one for each available core].
    #[arg(long, value_name = "N", value_parser = RangedU64ValueParser::<usize>::new().range(1..=values::WORKERS_MAX))]
    pub workers: Option<usize>,
    /// Which records are timed alone, for the percentiles: some, all, or none.
    ///
    /// sampled: as many as the budget for watching allows. full: every record, which is slow. off: none, and no
    /// percentiles. Counts and busy times are exact whatever is chosen.
    #[arg(long, value_name = "HOW", default_value = "sampled", hide_possible_values = true)]
    pub timing: Timing,
    /// Remember the paths of the last 1,000 records: on or off.
    #[arg(long, value_name = "SWITCH", default_value = "on", hide_possible_values = true)]
    pub trace: Switch,
    /// The share of the run, in percent, that probes, traces and publishing may take.
    #[arg(long, value_name = "PERCENT", default_value = "1", value_parser = values::share)]
    pub observe_budget: f64,
    /// Bytes of a record that processors see, like 64KiB; the rest is only counted and written.
    #[arg(long, value_name = "BYTES", default_value = "1MiB", value_parser = values::bytes)]
    pub record_limit: usize,
    /// Bytes that a worker takes at once.
    ///
    /// For tests and experiments: any size gives the same records and counts. Small blocks cost speed.
    #[arg(long, value_name = "BYTES", value_parser = values::bytes, hide_short_help = true)]
    pub block_size: Option<usize>,
}

/// The arguments of `check`.
#[derive(Debug, Args)]
#[command(after_help = CHECK_HELP)]
pub struct CheckArgs {
    /// The pipeline, as TOML; without it, the one that runs by default.
    #[arg(value_name = "CONFIG", value_hint = ValueHint::FilePath)]
    pub config: Option<PathBuf>,
    /// Print the pipeline that runs by default, as a start for one's own.
    #[arg(long, conflicts_with_all = ["config", "format"])]
    pub print_default: bool,
    /// How to draw the graph: text, mermaid or dot.
    #[arg(long, value_name = "FORMAT", default_value = "text", hide_possible_values = true)]
    pub format: GraphFormat,
}

/// The arguments of `state`.
#[derive(Debug, Args)]
#[command(after_help = STATE_HELP)]
pub struct StateArgs {
    /// The directory, as it was given with --state, or one below ~/.local/state/logweir.
    #[arg(value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub dir: PathBuf,
    /// As one JSON object, for programs.
    #[arg(long)]
    pub json: bool,
}

const STATE_HELP: &str = "\
Exit codes:
  0    there is state, and nothing is wrong with its checkpoints
  1    a checkpoint cannot be believed
  2    there is no state, or it cannot be read
";

const CHECK_HELP: &str = "\
Examples:
  logweir check --print-default > pipeline.toml
  logweir check pipeline.toml
  logweir check --format dot pipeline.toml | dot -Tsvg > pipeline.svg

Exit codes:
  0    valid
  2    not valid, or the arguments are wrong
";

/// When to do something that belongs on a terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum When {
    /// If it is a terminal.
    #[default]
    Auto,
    /// Even if it is none.
    Always,
    /// Not even then.
    Never,
}

/// A switch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Switch {
    /// Done.
    On,
    /// Not done.
    Off,
}

/// Which records are timed alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Timing {
    /// As many as the budget allows.
    Sampled,
    /// Every one.
    Full,
    /// None.
    Off,
}

/// What the report at the end looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ReportFormat {
    /// For people.
    Text,
    /// For programs: one object.
    Json,
    /// No report.
    None,
}

/// How a graph is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum GraphFormat {
    /// For a terminal.
    Text,
    /// For Markdown.
    Mermaid,
    /// For Graphviz.
    Dot,
}
