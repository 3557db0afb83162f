//! The mode `bench`: from arguments to a result that is shown, kept and compared.

use std::{
    error::Error,
    fs,
    io::{self, IsTerminal, Write},
    path::Path,
    process::{Command, ExitCode, Stdio},
    time::{Duration, Instant},
};

use logweir::{
    BenchPlan, BenchResult, BenchVerdict, Comparison, DiscoverOptions, Mapping, Pipeline, Repeat, RunOptions, Timing,
    bench_page, compare, discover, measure, write_bench_report, write_comparison,
};

use crate::{
    CLEAN, FAULTS, Outcome, bus,
    cli::{self, BenchArgs, Common, ReportPlan},
    load, say,
    signals::Signals,
};

/// Measures, shows, keeps, compares.
pub fn bench(args: &BenchArgs, common: &Common) -> Outcome {
    // A signal ends it at once: half a measurement is none.
    let _signals = Signals::install()?;
    // What is wrong with a baseline is said now, and not after minutes.
    let baseline = args.result.compare.as_deref().map(read_result).transpose()?;
    let result = measured(args, common)?;
    if let Some(path) = &args.result.export {
        write(path, &result.json())?;
    }
    if let Some(path) = &args.result.html {
        write(path, &bench_page(&result))?;
    }
    let comparison = baseline.map(|baseline| compare(&result, &baseline, args.result.tolerance)).transpose();
    show(&result, args.result.json)?;
    let Some(comparison) = comparison.map_err(|error| format!("cannot compare: {error}"))? else {
        return Ok(ExitCode::from(CLEAN));
    };
    show_comparison(&comparison, args.result.json)?;
    Ok(ExitCode::from(if comparison.verdict == BenchVerdict::Slower { FAULTS } else { CLEAN }))
}

fn measured(args: &BenchArgs, common: &Common) -> Result<BenchResult, Box<dyn Error>> {
    let (pipeline, pipeline_name) = match &args.config {
        Some(path) => (load::load(path)?, path.display().to_string()),
        None => (Pipeline::default_pipeline(), "the default pipeline".to_owned()),
    };
    let inputs = discover(&args.paths, DiscoverOptions::default());
    if let Some(unreadable) = inputs.unreadable.first() {
        return Err(format!("{}: {}", unreadable.path.display(), unreadable.message).into());
    }
    let writes = !pipeline.graph().sinks.is_empty();
    let program = || run_program(args);
    let plan = BenchPlan {
        pipeline,
        pipeline_name,
        inputs,
        options: options(args)?,
        repeat: match args.measuring.runs {
            Some(runs) => Repeat::Times(runs as usize),
            None => Repeat::For(args.measuring.time),
        },
        is_cold: args.measuring.cold,
        // What its sinks write could not be thrown away.
        program: (!writes).then_some(&program),
    };
    let is_told = !common.quiet && io::stderr().is_terminal();
    let result = measure(&plan, &mut |what| {
        if is_told {
            // One line, written over; where it cannot be, nothing is lost.
            let _ = write!(io::stderr(), "\r\x1b[Kmeasuring: {what} …");
        }
    });
    if is_told {
        let _ = write!(io::stderr(), "\r\x1b[K");
    }
    Ok(result?)
}

fn options(args: &BenchArgs) -> io::Result<RunOptions> {
    let (engine, default) = (&args.engine, RunOptions::default());
    Ok(RunOptions {
        workers: engine.workers.unwrap_or(default.workers),
        block_bytes: engine.block_size,
        record_bytes_max: engine.record_limit,
        mapping: match (args.measuring.no_mmap, args.measuring.mmap) {
            (true, _) => Mapping::Never,
            (_, true) => Mapping::Always(bus::install()?),
            _ => Mapping::Auto(bus::install()?),
        },
        timing: match engine.timing {
            cli::Timing::Sampled => Timing::Sampled,
            cli::Timing::Full => Timing::Full,
            cli::Timing::Off => Timing::Off,
        },
        trace: engine.trace == cli::Switch::On,
        observe_budget: engine.observe_budget,
        ..default
    })
}

/// Runs this program once on the same inputs, from start to exit; `None` if that does not work here.
fn run_program(args: &BenchArgs) -> Option<Duration> {
    let mut command = Command::new("/proc/self/exe");
    command.args(["run", "--quiet", "--report", "none", "--progress", "never"]);
    command.args(args.config.iter().flat_map(|path| ["--config".as_ref(), path.as_os_str()]));
    let engine = &args.engine;
    command.args(engine.workers.map(|workers| format!("--workers={workers}")));
    command.args(engine.block_size.map(|bytes| format!("--block-size={bytes}")));
    command.arg(format!("--record-limit={}", engine.record_limit));
    command.arg(format!("--observe-budget={}", engine.observe_budget * 100.0));
    command.arg(match engine.timing {
        cli::Timing::Sampled => "--timing=sampled",
        cli::Timing::Full => "--timing=full",
        cli::Timing::Off => "--timing=off",
    });
    command.arg(if engine.trace == cli::Switch::On { "--trace=on" } else { "--trace=off" });
    command.args(args.measuring.no_mmap.then_some("--no-mmap")).args(args.measuring.mmap.then_some("--mmap"));
    command.arg("--").args(&args.paths).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let begun = Instant::now();
    let status = command.status().ok()?;
    let took = begun.elapsed();
    // Faults in the data are no failure of the run.
    matches!(status.code(), Some(0 | 1)).then_some(took)
}

fn read_result(path: &Path) -> Result<BenchResult, String> {
    let text = fs::read(path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    BenchResult::from_json(&text).map_err(|error| format!("{}: {error}", path.display()))
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    fs::write(path, text).map_err(|error| format!("cannot write {}: {error}", path.display()))
}

fn show(result: &BenchResult, as_json: bool) -> io::Result<()> {
    if as_json {
        return io::stdout().lock().write_all(result.json().as_bytes());
    }
    write_bench_report(result, ReportPlan::TextToStdout.width_columns(), &mut anstream::stdout().lock())
}

/// Where the result is for programs, so is the exit code, and what is for people goes elsewhere.
fn show_comparison(comparison: &Comparison, as_json: bool) -> io::Result<()> {
    if !as_json {
        let width = ReportPlan::TextToStdout.width_columns();
        return write_comparison(comparison, width, &mut anstream::stdout().lock());
    }
    let width = ReportPlan::TextToStderr.width_columns();
    match write_comparison(comparison, width, &mut anstream::stderr().lock()) {
        Ok(()) => Ok(()),
        Err(error) => {
            say(error);
            Ok(())
        }
    }
}
