//! Parse, run one mode, exit code.

mod bench_mode;
mod bus;
mod check;
mod cli;
mod follow;
mod generate_mode;
mod load;
mod replay;
mod run;
mod signals;
mod state;

use std::{
    fmt::Display,
    io::{self, Write},
    process::ExitCode,
    sync::atomic::{AtomicBool, Ordering},
};

use clap::Parser;
use cli::Mode;
use logweir::{ConfigError, escape};

/// Exit code of what went well.
const CLEAN: u8 = 0;
/// Exit code of a run that finished, with faults in the data.
const FAULTS: u8 = 1;
/// Exit code of what could not go on.
const FAILED: u8 = 2;

fn main() -> ExitCode {
    let cli = cli::Cli::parse();
    cli.common.color_choice().write_global();
    silence_processors();
    let result = match &cli.mode {
        Mode::Run(args) => run::run(args, &cli.common),
        Mode::Follow(args) => follow::follow(args, &cli.common),
        Mode::Replay(args) => replay::replay(args),
        Mode::Check(args) => check::check(args),
        Mode::State(args) => state::state(args),
        Mode::Bench(args) => bench_mode::bench(args, &cli.common),
        Mode::Generate(args) => generate_mode::generate(args),
        Mode::Completions { shell } => done(cli::completions(*shell, &mut io::stdout())),
        Mode::Man => done(cli::man(&mut io::stdout())),
    };
    match result {
        Ok(code) => code,
        Err(error) if is_closed_pipe(&*error) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&*error);
            ExitCode::from(FAILED)
        }
    }
}

/// Says what is wrong: a mistake in a configuration with the lines around it, all else in one line.
fn complain(error: &(dyn std::error::Error + 'static)) {
    match error.downcast_ref::<ConfigError>() {
        // Where standard error takes no colour, anstream takes it out.
        Some(error) => anstream::eprintln!("{}", error.render(true)),
        None => say(error),
    }
}

/// True while a line that says whether it keeps up stands where `say` writes.
static IS_DRAWN: AtomicBool = AtomicBool::new(false);

/// Says a line on standard error. Where that cannot be written, there is nobody to tell, and the exit code still counts.
///
/// Names of files are written by strangers: none of them controls the terminal, or makes a second line.
fn say(line: impl Display) {
    // What is drawn there is drawn again below.
    let clear = if IS_DRAWN.load(Ordering::Relaxed) { "\r\x1b[2K" } else { "" };
    let _ = writeln!(anstream::stderr(), "{clear}logweir: {}", escape(line.to_string().as_bytes()));
}

/// What a mode gives: an exit code, or what to say before code 2.
type Outcome = Result<ExitCode, Box<dyn std::error::Error>>;

fn done(result: io::Result<()>) -> Outcome {
    Ok(result.map(|()| ExitCode::SUCCESS)?)
}

/// A reader that has seen enough is no failure.
fn is_closed_pipe(error: &(dyn std::error::Error + 'static)) -> bool {
    let of_json = || error.downcast_ref::<serde_json::Error>().and_then(serde_json::Error::io_error_kind);
    let kind = error.downcast_ref::<io::Error>().map(io::Error::kind).or_else(of_json);
    kind == Some(io::ErrorKind::BrokenPipe)
}

/// A processor that panics on a record is a fault of that record, and is reported as one: the usual words about a panic
/// would be said once for every such record.
fn silence_processors() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if !logweir::is_in_processor() {
            usual(info);
        }
    }));
}
