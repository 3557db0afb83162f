//! The mode `follow`: sessions, one after the other, until somebody asks for the end.

use std::{error::Error, process::ExitCode, sync::atomic::Ordering, thread, time::Duration};

use logweir::{
    FollowOptions, Following, From, Pipeline, Progress, ProgressMode, RunError, Server, SessionEnd, Snapshot, Store,
    default_dir, limits, snapshot::FaultKind,
};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::{
    CLEAN, FAILED, FAULTS, IS_DRAWN, Outcome,
    cli::{Common, FollowArgs, FollowServingArgs, FromWhere, MemoryArgs, Terminals},
    run::{options, pipeline, report, serve, walk},
    say,
    signals::Signals,
};

/// How long to wait before a session is begun again that could not go on.
const PAUSE: Duration = Duration::from_secs(1);

/// Said where a new pipeline is no good.
const STAYS: &str = "the pipeline stays as it was";

/// Follows files until it is told to end, or until all is read, and reports.
pub fn follow(args: &FollowArgs, common: &Common) -> Outcome {
    let terminals = Terminals::detect();
    let signals = Signals::install_with_hangup()?;
    let first = pipeline(&args.pipeline)?;
    let prints = first.graph().sinks.iter().any(|sink| sink.kind == "stdout");
    let (store, checkpoint) = open_state(&args.state, args)?;
    let dir = store.as_ref().map(|store| store.dir().to_owned());
    let max_files = args.input.max_files.min(room_for_files());
    let mut following = Following::new(follow_options(args, max_files), &first, (store, checkpoint))?;
    if let Some(dir) = dir {
        // Another process may record a run there; that is no reason not to follow.
        following.record(&dir).unwrap_or_else(|error| say(format_args!("history is not recorded: {error}")));
    }
    let earlier_faults = faults(&following.published().latest());
    let orders = following.orders();
    orders.drain_time = args.input.drain;
    signals.set(&orders.drain)?;
    signals.reload(&orders.reload, &orders.drain)?;
    let FollowServingArgs { no_serve, at } = &args.serving;
    // What ends by itself serves nobody who did not say where.
    let is_silent = *no_serve || (args.input.until_eof && at.listen.is_none());
    let server = (!is_silent).then(|| serve(at, following.published())).transpose()?;
    let is_drawn = args.output.is_progress_drawn(common, prints, terminals);
    let mode = if is_drawn { ProgressMode::Always } else { ProgressMode::Never };
    let place = server.as_ref().map_or_else(String::new, Server::url);
    let progress = Progress::start_with_note(following.published(), mode, place);
    IS_DRAWN.store(is_drawn, Ordering::Relaxed);
    let mut sessions = Sessions { args, following, signals, is_terminal: prints && terminals.stdout };
    let ended = sessions.run(first);
    IS_DRAWN.store(false, Ordering::Relaxed);
    progress.finish();
    let ended = ended?;
    let plan = args.output.report_plan(common, prints, ended.finished.is_closed, terminals);
    let is_reported = report(&ended.finished.snapshot, plan);
    if let Some(server) = server {
        server.shutdown();
    }
    ended.left.iter().for_each(say);
    let ends_alone = args.input.until_eof || !sessions.signals.is_interrupted();
    let has_new_faults = ends_alone && faults(&ended.finished.snapshot) > earlier_faults;
    Ok(ExitCode::from(exit_code(&ended, is_reported, has_new_faults || ended.is_lost)))
}

fn open_state(
    state: &MemoryArgs,
    args: &FollowArgs,
) -> Result<(Option<Store>, Option<logweir::Checkpoint>), Box<dyn Error>> {
    if state.no_state {
        return Ok((None, None));
    }
    let dir = match &state.state {
        Some(dir) => dir.clone(),
        None => default_dir(&args.input.paths)?,
    };
    let (store, loaded) = Store::open(&dir, state.forget_state)?;
    loaded.said.iter().for_each(say);
    Ok((Some(store), loaded.checkpoint))
}

/// How many files may be followed. Each takes a descriptor, and a process commonly begins with room for a thousand, though
/// it may have more, and takes them here. State, sinks, and the server with those whom it answers come after the files,
/// and must find some left.
fn room_for_files() -> usize {
    let limit = getrlimit(Resource::Nofile);
    // Where that is not allowed, fewer files are followed, and it is said.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
    let all = getrlimit(Resource::Nofile).current.map_or(usize::MAX, |all| usize::try_from(all).unwrap_or(usize::MAX));
    all - (all / 2).min(limits::OTHER_DESCRIPTORS)
}

fn follow_options(args: &FollowArgs, max_files: usize) -> FollowOptions {
    let input = &args.input;
    let from = match (input.lines, input.from) {
        (Some(lines), _) => From::LastLines(lines),
        (None, FromWhere::Start) => From::Start,
        (None, FromWhere::End) => From::End,
    };
    FollowOptions {
        paths: input.paths.clone(),
        exclude: input.exclude.clone(),
        max_files,
        from,
        partial_after: input.partial_after,
        poll_only: input.poll,
        discover: walk(input.walk),
        block_bytes: args.engine.block_size.unwrap_or(limits::BLOCK_BYTES),
        record_bytes_max: args.engine.record_limit,
        until_eof: input.until_eof,
        ours: Vec::new(),
    }
}

/// What all sessions share.
struct Sessions<'a> {
    args: &'a FollowArgs,
    following: Following,
    signals: Signals,
    is_terminal: bool,
}

impl Sessions<'_> {
    /// Runs sessions until one ends for good.
    fn run(&mut self, mut good: Pipeline) -> Result<SessionEnd, Box<dyn Error>> {
        let mut next = good.clone();
        let (mut is_first, mut is_trial, mut said) = (true, false, None);
        loop {
            let options = options(&self.args.engine, &self.args.pipeline, self.is_terminal);
            let ended = self.following.session(next.clone(), options, &|words| say(logweir::escape(words.as_bytes())));
            let error = ended.finished.error.as_ref();
            if is_first && error.is_some_and(RunError::is_before_start) {
                return Err(error.map(ToString::to_string).unwrap_or_default().into());
            }
            let words = error.map(ToString::to_string);
            // It is tried again every second, and said when it changes.
            words.iter().filter(|words| said.as_ref() != Some(*words)).for_each(say);
            said = words;
            let is_refused = is_trial && error.is_some_and(RunError::is_before_start);
            if is_refused {
                say(STAYS);
            }
            let Some(is_reload) = self.is_to_go_on(error, is_refused) else { return Ok(ended) };
            if ended.taken_back > 0 {
                let lines = ended.taken_back;
                say(format_args!("counts go back by {lines} to the last checkpoint: what came after it is read again"));
            }
            if error.is_none_or(|error| !error.is_before_start()) {
                good = next;
            }
            // The one before is known to run.
            if error.is_some() && !is_refused {
                self.pause();
            }
            let reloaded = if is_reload { self.reload() } else { None };
            is_trial = reloaded.is_some();
            if is_trial {
                self.following.try_next("loaded the pipeline anew");
            }
            next = reloaded.unwrap_or_else(|| good.clone());
            is_first = false;
        }
    }

    /// Takes back the order that ended the last session, if it was not to end for good: then, whether the pipeline is to
    /// be loaded anew. Where a new pipeline `is_refused`, the one before goes on.
    fn is_to_go_on(&self, error: Option<&RunError>, is_refused: bool) -> Option<bool> {
        let orders = self.following.orders_now();
        // One signal sets one after the other, and may be between the two.
        let is_reload = orders.reload.swap(false, Ordering::SeqCst) | orders.drain.load(Ordering::SeqCst);
        let is_again = match error {
            None => is_reload,
            Some(_) if is_refused => true,
            // What was not taken in time is written by the next session.
            Some(RunError::Write { .. }) => is_reload,
            Some(RunError::Keep { .. }) => is_reload || !self.args.input.until_eof,
            Some(error) => error.is_before_start() && (is_reload || !self.args.input.until_eof),
        };
        if !is_again || self.signals.is_interrupted() {
            return None;
        }
        orders.drain.store(false, Ordering::SeqCst);
        // A signal may have come in between.
        if self.signals.is_interrupted() || orders.reload.load(Ordering::SeqCst) {
            orders.drain.store(true, Ordering::SeqCst);
        }
        Some(is_reload)
    }

    /// The pipeline as it is now in its file. A bad one is said, and the one before stays.
    fn reload(&self) -> Option<Pipeline> {
        let loaded = pipeline(&self.args.pipeline);
        match loaded {
            Ok(pipeline) => Some(pipeline),
            Err(error) => {
                crate::complain(&*error);
                say(STAYS);
                None
            }
        }
    }

    fn pause(&self) {
        let step = PAUSE / 20;
        (0..20).take_while(|_| !self.signals.is_interrupted()).for_each(|_| thread::sleep(step));
    }
}

/// Faults in the data. Like all counts they go on over restarts.
fn faults(snapshot: &Snapshot) -> u64 {
    let of_nodes = snapshot.nodes.iter().map(|node| node.failed);
    let of_sources = snapshot.source_faults.iter().filter(|(kind, _)| *kind != FaultKind::Oversized);
    of_nodes.chain(of_sources.map(|(_, count)| *count)).fold(0, u64::saturating_add)
}

fn exit_code(ended: &SessionEnd, is_reported: bool, has_new_faults: bool) -> u8 {
    let finished = &ended.finished;
    if finished.error.is_some() || !is_reported {
        return FAILED;
    }
    if has_new_faults { FAULTS } else { CLEAN }
}
