//! The arguments of `follow`.

use std::{path::PathBuf, time::Duration};

use clap::{Args, ValueEnum, ValueHint};

use super::{EngineArgs, FollowServingArgs, OutputArgs, PipelineArgs, WalkArgs, values};

/// How `follow` is used, a line each.
const EXAMPLES: &str = "\
Examples:
  logweir follow /var/log/nginx                a directory; http://127.0.0.1:8000 shows it
  logweir follow --print error -n 20 app.log   the last 20 lines, then what comes: tail -F | grep
  logweir follow -c pipeline.toml --state /var/lib/logweir '/srv/*/log/*.log'
  logweir follow --until-eof /var/log/app      what is new since the last time, for cron

Signals:
  SIGTERM, SIGINT  stop reading, deliver what was read, save a checkpoint, report;
                   the second one ends at once
  SIGHUP           load the pipeline anew, and reopen the files that are written

Exit codes:
  0    ended by a signal; with --until-eof, or where standard input alone was
       followed and has ended: all is read and delivered
  1    so it is, and there were faults (bad data, files that cannot be read); or
       lines were not delivered and are lost (--no-state, standard input)
  2    could not go on, or the arguments are wrong
  130  ended at once, by the second signal
";

/// The arguments of `follow`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct FollowArgs {
    /// Which files are followed.
    #[command(flatten)]
    pub input: FollowInputArgs,
    /// What is remembered.
    #[command(flatten)]
    pub state: MemoryArgs,
    /// What is done with records.
    #[command(flatten)]
    pub pipeline: PipelineArgs,
    /// How it is shown.
    #[command(flatten)]
    pub output: OutputArgs,
    /// Who may look at it.
    #[command(flatten)]
    pub serving: FollowServingArgs,
    /// How it is measured and carried out.
    #[command(flatten)]
    pub engine: EngineArgs,
}

/// Which files are followed, and from where on.
#[derive(Debug, Args)]
#[command(next_help_heading = "Input")]
pub struct FollowInputArgs {
    /// Files, directories, globs; `-` is standard input.
    ///
    /// Where nothing but standard input is followed, it ends with it.
    /// They are followed through rotation, truncation and replacement. What does not exist yet is waited for. Quote a
    /// glob, so that files which appear later are found too.
    #[arg(value_name = "PATH", required = true, value_hint = ValueHint::AnyPath, help_heading = "Arguments")]
    pub paths: Vec<PathBuf>,
    /// Leave out files that this glob matches (repeatable).
    ///
    /// A glob without a slash is held against names, one with a slash against whole paths.
    #[arg(long, value_name = "GLOB")]
    pub exclude: Vec<String>,
    /// Follow at most so many files; further ones are left out, which is said.
    ///
    /// Beside them, at most so many are read to their end that the state knows and that are not followed any more; the
    /// others stay known until there is room.
    #[arg(long, value_name = "N", default_value_t = logweir::limits::FOLLOWED_FILES)]
    pub max_files: usize,
    /// Where to begin in files that are there at the start and that the state does not know: end or start.
    #[arg(long, value_name = "WHERE", default_value = "end", hide_possible_values = true)]
    pub from: FromWhere,
    /// Begin so many lines before the end of files that the state does not know, as `tail` does.
    #[arg(short = 'n', long, value_name = "N", conflicts_with = "from")]
    pub lines: Option<u64>,
    /// Take a last line without a newline for whole when nothing came for so long, like 10s.
    ///
    /// Without this option it waits for its newline, or for its file to be rotated; with --until-eof it waits for 1s.
    #[arg(long, value_name = "TIME", value_parser = values::time)]
    pub partial_after: Option<Duration>,
    /// What is taken in directories.
    #[command(flatten)]
    pub walk: WalkArgs,
    /// Do not ask the system to tell about changes, only look: every second, and more often where something happens.
    #[arg(long)]
    pub poll: bool,
    /// End when all that is there has been read and delivered, instead of waiting for more.
    ///
    /// The next start goes on from there, so that this can be run by cron. Nothing is served unless --listen says where.
    #[arg(long)]
    pub until_eof: bool,
    /// How long delivering what was read may take after a signal, like 5s.
    ///
    /// What is not delivered by then is read again at the next start; with --no-state it is lost, and that is said.
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = values::time)]
    pub drain: Duration,
}

/// What is remembered from one start to the next.
#[derive(Debug, Args)]
#[command(next_help_heading = "State")]
pub struct MemoryArgs {
    /// Keep checkpoints and history in this directory.
    ///
    /// By default it is a directory below $XDG_STATE_HOME/logweir (~/.local/state/logweir), one for each set of PATHs:
    /// two followers of the same PATHs need one each. `logweir state DIR` shows what is in it.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub state: Option<PathBuf>,
    /// Remember nothing, like `tail`.
    #[arg(long, conflicts_with_all = ["state", "forget_state"])]
    pub no_state: bool,
    /// Begin anew where the state is damaged, or in any case; what was there is put aside.
    #[arg(long)]
    pub forget_state: bool,
}

/// Where to begin in a file that is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum FromWhere {
    /// Behind what is there.
    End,
    /// At its beginning.
    Start,
}
