//! The mode `run`: from arguments to exit code, a step each.

use std::{
    error::Error,
    fs,
    io::{self, Write},
    net::{SocketAddr, TcpListener},
    path::Path,
    process::ExitCode,
    sync::Arc,
};

use anstream::{AutoStream, stream::RawStream};
use logweir::{
    Access, Admission, DiscoverOptions, Discovered, Engine, Finished, Input, Mapping, Pipeline, Progress, ProgressMode,
    Published, RunOptions, Server, SinkTarget, Snapshot, Timing, Token, discover, json_report, limits,
    snapshot::{FaultKind, RunState},
    write_report,
};

use crate::{
    CLEAN, FAILED, FAULTS, Outcome, bus,
    cli::{self, Common, EngineArgs, ListenArgs, PipelineArgs, ReportPlan, RunArgs, Terminals, WalkArgs},
    load, say,
    signals::{INTERRUPTED, Signals},
};

/// How many inputs with faults are named where there is no report.
const FAULTS_SAID: usize = 10;

/// Runs files to their end, and reports.
pub fn run(args: &RunArgs, common: &Common) -> Outcome {
    let terminals = Terminals::detect();
    let signals = Signals::install()?;
    let pipeline = pipeline(&args.pipeline)?;
    let prints = pipeline.graph().sinks.iter().any(|sink| sink.kind == "stdout");
    let inputs = find(args)?;
    let options =
        RunOptions { mapping: mapping(args)?, ..options(&args.engine, &args.pipeline, prints && terminals.stdout) };
    tell(args, common, &pipeline, &inputs, &options);
    let said: Vec<String> = inputs.unreadable.iter().map(|it| it.path.to_string_lossy().into_owned()).collect();
    let mut engine = Engine::new(pipeline, inputs, options);
    if let Some(dir) = &args.state {
        engine.record(dir).map_err(|error| format!("cannot record in {}: {error}", dir.display()))?;
    }
    let published = engine.published();
    signals.set(&engine.stop())?;
    let server = args.serving.asked_for().map(|listen| serve(listen, engine.published())).transpose()?;
    let is_drawn = args.output.is_progress_drawn(common, prints, terminals);
    let mode = if is_drawn { ProgressMode::Always } else { ProgressMode::Never };
    let progress = Progress::start(engine.published(), mode);
    let finished = engine.run();
    progress.finish();
    if let Some(error) = finished.error.as_ref().filter(|error| error.is_before_start()) {
        return Err(error.to_string().into());
    }
    if let Some(error) = &finished.snapshot.run.error {
        say(error);
    }
    if let Some(trouble) = published.history().and_then(|history| history.trouble.clone()) {
        say(trouble);
    }
    let plan = args.output.report_plan(common, prints, finished.is_closed, terminals);
    if matches!(plan, ReportPlan::Nowhere) {
        say_faults(&finished.snapshot, &said);
    }
    let is_reported = report(&finished.snapshot, plan);
    if let Some(server) = server {
        if !args.serving.exit && finished.error.is_none() {
            signals.wait();
        }
        server.shutdown();
    }
    Ok(ExitCode::from(exit_code(&finished, is_reported)))
}

/// The pipeline that the arguments describe.
pub fn pipeline(args: &PipelineArgs) -> Result<Pipeline, Box<dyn Error>> {
    let mut pipeline = match &args.config {
        Some(path) => load::load(path)?,
        None => Pipeline::default_pipeline(),
    };
    for selector in &args.print {
        pipeline.print(selector, SinkTarget::Stdout)?;
    }
    if let Some(path) = &args.dead_letters {
        pipeline.set_dead_letters(path)?;
    }
    Ok(pipeline)
}

fn find(args: &RunArgs) -> Result<Discovered, Box<dyn Error>> {
    let input = &args.input;
    if let Some(path) = &input.redrive {
        check_letters(path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
        let letters = Input { path: path.clone(), access: Access::Letters };
        return Ok(Discovered { inputs: vec![letters], ..Discovered::default() });
    }
    let found = discover(&input.paths, walk(input.walk));
    for unreadable in &found.unreadable {
        say(format_args!("{}: {}", unreadable.path.display(), unreadable.message));
    }
    if found.inputs.is_empty() && !found.unreadable.is_empty() {
        return Err("none of the inputs can be read".into());
    }
    Ok(found)
}

/// Dead letters are read twice: first for the sources that they name.
fn check_letters(path: &Path) -> io::Result<()> {
    if fs::metadata(path)?.is_file() {
        return fs::File::open(path).map(|_| ());
    }
    Err(io::Error::other("dead letters are read twice, and so only from a file: save them into one first"))
}

/// Says what went wrong with sources, where no report does; but not again what was `said` of some.
fn say_faults(snapshot: &Snapshot, said: &[String]) {
    let faults: Vec<_> =
        snapshot.sources.listed.iter().filter(|it| it.fault.is_some() && !said.contains(&it.path)).collect();
    for source in faults.iter().take(FAULTS_SAID) {
        say(format_args!("{}: {}", source.path, source.fault.as_deref().unwrap_or_default()));
    }
    if faults.len() > FAULTS_SAID {
        say(format_args!("and {} more inputs with faults; --report text lists them", faults.len() - FAULTS_SAID));
    }
}

/// What is taken in directories.
pub fn walk(args: WalkArgs) -> DiscoverOptions {
    DiscoverOptions { hidden: args.hidden, binary: args.binary, follow_links: args.follow_links }
}

/// Says what is about to run, if asked to; each input too, if asked twice. Where it serves is said anyway.
fn tell(args: &RunArgs, common: &Common, pipeline: &Pipeline, found: &Discovered, options: &RunOptions) {
    if common.verbose == 0 {
        return;
    }
    let path = args.pipeline.config.as_ref().map_or("the default pipeline".into(), |path| path.display().to_string());
    let nodes = pipeline.graph().nodes.len();
    say(format_args!("version {}, {path} ({nodes} processors)", env!("CARGO_PKG_VERSION")));
    let skipped =
        found.skipped.iter().map(|(reason, count)| format!(", {count} skipped: {reason}")).collect::<String>();
    say(format_args!("{} inputs, {} cannot be read{skipped}", found.inputs.len(), found.unreadable.len()));
    let mapping = match options.mapping {
        Mapping::Never => "never",
        Mapping::Always(_) => "always",
        Mapping::Auto(_) => "where it is faster",
    };
    say(format_args!("{} workers, files are mapped {mapping}", options.workers));
    for input in found.inputs.iter().filter(|_| common.verbose > 1) {
        // A name cannot control the terminal.
        let name = input.path.to_string_lossy();
        match input.access {
            Access::Random { size, .. } => say(format_args!("{}: {size} bytes", name.escape_debug())),
            Access::Stream | Access::Letters => say(format_args!("{}: a stream", name.escape_debug())),
        }
    }
}

/// How it is run and measured, where records are printed to a terminal or not.
pub fn options(engine: &EngineArgs, pipeline: &PipelineArgs, is_terminal: bool) -> RunOptions {
    let default = RunOptions::default();
    RunOptions {
        workers: engine.workers.unwrap_or(default.workers),
        block_bytes: engine.block_size,
        record_bytes_max: engine.record_limit,
        timing: match engine.timing {
            cli::Timing::Sampled => Timing::Sampled,
            cli::Timing::Full => Timing::Full,
            cli::Timing::Off => Timing::Off,
        },
        trace: engine.trace == cli::Switch::On,
        observe_budget: engine.observe_budget,
        escape_stdout: is_terminal && !pipeline.raw,
        ..default
    }
}

fn mapping(args: &RunArgs) -> io::Result<Mapping> {
    Ok(match (args.input.no_mmap, args.input.mmap) {
        (true, _) => Mapping::Never,
        (_, true) => Mapping::Always(bus::install()?),
        _ => Mapping::Auto(bus::install()?),
    })
}

/// Serves what is published.
pub fn serve(args: &ListenArgs, published: Arc<Published>) -> Result<Server, Box<dyn Error>> {
    let address = args.address();
    let mut admission = Admission::default();
    if let Some(path) = &args.token_file {
        let content = load::head(path, limits::TOKEN_BYTES as u64);
        let content = content.map_err(|error| format!("cannot read {}: {error}", path.display()))?;
        let content = String::from_utf8(content).ok().filter(|content| content.len() <= limits::TOKEN_BYTES);
        let token = content.as_deref().and_then(Token::new);
        let token = token.ok_or_else(|| format!("{} holds no token", path.display()))?;
        admission = admission.with_token(token);
    }
    for host in &args.host {
        admission = admission.with_host(host.clone());
    }
    let listener = TcpListener::bind(address).map_err(|error| cannot_listen(address, &error))?;
    let server = Server::start(listener, published, admission)?;
    say(format_args!("serving on {}", server.url()));
    Ok(server)
}

fn cannot_listen(address: SocketAddr, error: &io::Error) -> String {
    let action = match error.kind() {
        io::ErrorKind::AddrInUse => {
            "; something serves there already: choose another port with --listen (0: any free one)"
        }
        io::ErrorKind::AddrNotAvailable => "; that is no address of this machine",
        io::ErrorKind::PermissionDenied => "; ports below 1024 need a privilege: choose another one with --listen",
        _ => "",
    };
    format!("cannot listen on {address}: {error}{action}")
}

/// Writes the report; false if it could not be, which is said. Nobody there to read it is no failure, and does not make
/// good what went wrong before.
pub fn report(snapshot: &Snapshot, plan: ReportPlan) -> bool {
    let Err(error) = print_report(snapshot, plan) else { return true };
    if error.kind() == io::ErrorKind::BrokenPipe {
        return true;
    }
    let place = match plan {
        ReportPlan::TextToStderr | ReportPlan::JsonToStderr => "standard error",
        _ => "standard output",
    };
    say(format_args!("cannot write the report to {place}: {error}"));
    false
}

fn print_report(snapshot: &Snapshot, plan: ReportPlan) -> io::Result<()> {
    match plan {
        ReportPlan::Nowhere => Ok(()),
        ReportPlan::TextToStdout => print_at_once(snapshot, plan, io::stdout().lock()),
        ReportPlan::TextToStderr => print_at_once(snapshot, plan, io::stderr().lock()),
        ReportPlan::JsonToStdout => io::stdout().lock().write_all(json_report(snapshot).as_bytes()),
        ReportPlan::JsonToStderr => io::stderr().lock().write_all(json_report(snapshot).as_bytes()),
    }
}

/// Prints the text with one call of the system, not one a line; without colours where `out` takes none.
fn print_at_once(snapshot: &Snapshot, plan: ReportPlan, mut out: impl RawStream) -> io::Result<()> {
    let mut text = AutoStream::new(Vec::new(), AutoStream::choice(&out));
    write_report(snapshot, plan.width_columns(), &mut text)?;
    out.write_all(&text.into_inner())?;
    out.flush()
}

fn exit_code(finished: &Finished, is_reported: bool) -> u8 {
    if finished.error.is_some() || !is_reported {
        return FAILED;
    }
    if finished.is_closed {
        return CLEAN;
    }
    if finished.snapshot.run.state == RunState::Interrupted {
        return INTERRUPTED;
    }
    if is_nothing_readable(&finished.snapshot) {
        return FAILED;
    }
    if finished.has_faults() { FAULTS } else { CLEAN }
}

/// True when there were sources, and none could be opened: as if they had all been found unreadable before the run.
fn is_nothing_readable(snapshot: &Snapshot) -> bool {
    let is_unreadable = |&&(kind, _): &&(FaultKind, u64)| kind == FaultKind::Unreadable;
    let unreadable = snapshot.source_faults.iter().find(is_unreadable).map_or(0, |&(_, count)| count);
    unreadable > 0 && unreadable >= snapshot.run.sources_total && snapshot.run.bytes_done == 0
}
