//! Runs inputs through a pipeline: workers over blocks, a writer behind them, a publisher beside them.

mod account;
mod backoff;
mod budget;
mod clock;
mod conduct;
mod delivery;
mod flow;
mod frame;
mod gather;
mod jobs;
mod keeper;
mod live;
mod names;
mod opened;
mod options;
mod outcome;
mod posts;
mod recording;
mod traced;
mod trouble;
mod window;
mod worker;
mod writer;

use std::{
    fs::File,
    io,
    ops::Range,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
};

use crossbeam_queue::ArrayQueue;

use conduct::{Beside, Conducted, conduct, each_worker, spawn};
use delivery::Deliveries;
pub use flow::is_in_processor;
use gather::Outlet;
use jobs::{FileJobs, Group, groups};
use live::Live;
pub use live::{Following, Orders, Say, SessionEnd};
pub use options::{Mapping, Row, RunOptions, Slowdown, Timing};
pub use outcome::{Finished, RunError};
use posts::Posts;
use recording::Recording;
use trouble::Troubles;
use window::Window;
use worker::Worker;
use writer::Written;

use crate::{
    input::{Access, Discovered, Input, Stream, letter_sources, open_again, open_stream, read_letters, read_stream},
    limits,
    metrics::{Board, EntryKind, Layout, Merger, MergerPlan, Published, SourceTable},
    pipeline::{Existing, Pipeline, SinkTarget},
    record::SourceId,
    sink::{InUse, OpenError, Output, open as open_sink},
    snapshot::RunState,
};

/// What all threads of a run share. Nothing in it is locked.
struct Shared {
    pipeline: Pipeline,
    options: RunOptions,
    board: Board,
    stop: Arc<AtomicBool>,
    /// The first thing that went wrong; there is room for one.
    error: ArrayQueue<RunError>,
    outlets: Vec<Outlet>,
    /// Paths of the sources, by their number.
    paths: Vec<PathBuf>,
    /// The sources that can be read again, by their numbers.
    rereadable: Vec<Option<Input>>,
    /// Numbers of the sources that dead letters name.
    letter_sources: Range<usize>,
    window: Option<Window>,
    /// What a follower has besides.
    live: Option<Live>,
    deliveries: Option<Deliveries>,
    posts: Posts,
    troubles: Troubles,
}

impl Shared {
    /// With no sources known, and nothing but the pipeline's outlets to write to.
    fn new(pipeline: Pipeline, options: RunOptions, board: Board) -> Self {
        Self {
            outlets: Outlet::all(&pipeline, options.escape_stdout),
            board,
            stop: Arc::default(),
            error: ArrayQueue::new(1),
            paths: Vec::new(),
            rereadable: Vec::new(),
            letter_sources: 0..0,
            window: None,
            live: None,
            deliveries: None,
            posts: Posts::default(),
            troubles: Troubles::default(),
            pipeline,
            options,
        }
    }

    /// Where dead letters go, if somewhere.
    fn letters_target(&self) -> Option<SinkTarget> {
        // Letters of earlier runs are somebody's last copy.
        let existing = Existing::Append;
        self.pipeline.dead_letters.clone().map(|path| SinkTarget::File { path, existing })
    }

    fn is_stopping(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// The file behind a source, if any part of it can be read again. Opening a pipe once more could wait for ever, or
    /// take bytes away from the run.
    fn reopen(&self, source: SourceId) -> Option<File> {
        let input = self.rereadable.get(source as usize)?.as_ref()?;
        open_again(input).ok().map(|(file, _)| file)
    }

    /// True for a follower.
    fn is_live(&self) -> bool {
        self.live.is_some()
    }

    /// What is to be said of files that are written.
    fn notices(&self) -> impl Iterator<Item = String> {
        let written = std::iter::from_fn(|| self.live.as_ref().and_then(|live| live.notices.pop()));
        written.chain(self.posts.notices())
    }

    /// True when no more is to be read, but what was read is to be brought to its end.
    fn is_draining(&self) -> bool {
        self.is_stopping() || self.live.as_ref().is_some_and(|live| live.orders.drain.load(Ordering::Relaxed))
    }

    /// True when another session will follow this one.
    fn is_to_go_on(&self) -> bool {
        self.live.as_ref().is_some_and(|live| live.orders.reload.load(Ordering::Relaxed))
    }

    /// True when it is tried whether this session can begin, and it could not.
    fn is_refused(&self, error: &RunError) -> bool {
        self.live.as_ref().is_some_and(|live| live.is_trial) && error.is_before_start()
    }

    /// Every sink has the blocks with smaller numbers, as far as they were given to it.
    fn acknowledged(&self) -> u64 {
        self.posts.acknowledged()
    }

    /// Starts the sinks that post records. Before anything else uses this.
    fn start_posts(&mut self) -> Result<(), OpenError> {
        let ids: Vec<&str> = self.pipeline.graph.sinks.iter().map(|sink| sink.id.as_str()).collect();
        self.posts = Posts::start(&self.outlets, &ids, self.pipeline.dead_letters.as_deref())?;
        Ok(())
    }

    /// Ends the run with `error`, unless it ends with another already.
    fn fail(&self, error: RunError) {
        // Full means that something went wrong before: that is what is reported.
        let _ = self.error.push(error);
        self.stop.store(true, Ordering::Relaxed);
    }

    /// Ends the run after a panic: whoever waits for the one that panicked is let go.
    fn give_up(&self) {
        self.fail(RunError::Panicked);
        self.window.iter().for_each(Window::abandon);
    }

    /// How many pieces the output of a block has.
    fn pieces(&self) -> usize {
        self.outlets.len() + usize::from(self.pipeline.dead_letters.is_some())
    }
}

/// A run that is ready to go.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = std::env::temp_dir().join(format!("logweir-doc-{}", std::process::id()));
/// # std::fs::create_dir_all(&folder)?;
/// let path = folder.join("app.log");
/// std::fs::write(&path, "INFO started\nERROR disk is full\n")?;
///
/// let inputs = logweir::discover(&[path], logweir::DiscoverOptions::default());
/// let pipeline = logweir::Pipeline::default_pipeline();
/// let run = logweir::Engine::new(pipeline, inputs, logweir::RunOptions::default());
/// let published = run.published(); // may be read from any thread, at any time
/// let finished = run.run();
///
/// assert!(finished.snapshot.ledger.balanced);
/// assert_eq!(published.latest().run.records_done, 2);
/// assert_eq!(finished.snapshot.nodes[0].outputs[0].records, 1); // `error` of `start`
/// # std::fs::remove_dir_all(&folder)?;
/// # Ok(())
/// # }
/// ```
pub struct Engine {
    inputs: Vec<Input>,
    shared: Shared,
    merger: Merger,
    recording: Option<Recording>,
}

impl Engine {
    /// Prepares a run of `inputs` through `pipeline`; nothing is opened yet.
    #[must_use]
    pub fn new(pipeline: Pipeline, inputs: Discovered, options: RunOptions) -> Self {
        let options = options.within_limits();
        // A file that cannot be read now cannot be read later either, and that is when it is said.
        let letters = inputs.inputs.iter().filter(|input| input.access == Access::Letters);
        let letter_sources: Vec<PathBuf> =
            letters.flat_map(|input| letter_sources(&input.path).unwrap_or_default()).collect();
        let mut merger = Merger::new(MergerPlan {
            graph: Arc::clone(pipeline.graph()),
            mode: "run",
            workers: options.workers,
            budget: options.observe_budget,
            sources: source_table(&inputs, &letter_sources),
            base: None,
            earlier: None,
        });
        let first = merger.snapshot(RunState::Starting, None, None);
        let board = Board::new(options.workers, Layout::new(pipeline.graph()), first);
        let mut shared = Shared::new(pipeline, options, board);
        let is_writing = shared.pieces() > 0;
        shared.window = is_writing.then(|| Window::new(shared.options.workers));
        shared.rereadable = inputs.inputs.iter().map(rereadable).collect();
        shared.letter_sources = inputs.inputs.len()..inputs.inputs.len() + letter_sources.len();
        shared.paths = inputs.inputs.iter().map(|input| input.path.clone()).chain(letter_sources).collect();
        Self { inputs: inputs.inputs, shared, merger, recording: None }
    }

    /// Where snapshots are published while it runs, and the last one after its end.
    #[must_use]
    pub fn published(&self) -> Arc<Published> {
        Arc::clone(&self.shared.board.published)
    }

    /// Setting this ends the run soon: what is in flight is finished, and the totals are exact.
    #[must_use]
    pub fn stop(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.shared.stop)
    }

    /// Records what happens, every [`limits::RECORDING_INTERVAL`] and at the end, in the `history` of the state directory
    /// `state`; from then on [`Published::history`] has it, and what was recorded there before.
    ///
    /// # Errors
    ///
    /// Where the directory cannot be made or read, or another process records there.
    pub fn record(&mut self, state: &Path) -> io::Result<()> {
        let archive = recording::open(state)?;
        self.recording = Some(Recording::start(archive, self.published(), &mut self.merger)?);
        Ok(())
    }

    /// Runs to the end of all inputs.
    #[must_use]
    pub fn run(self) -> Finished {
        let Self { inputs, mut shared, mut merger, mut recording } = self;
        let outputs = match shared.start_posts().and_then(|()| open_outputs(&shared, &inputs)) {
            Ok(outputs) => outputs,
            Err(error) => return end(&shared, &mut merger, Written::Failed(error.into()), None),
        };
        let work = |pool: &rayon::ThreadPool, workers: &mut [Worker<'_>]| run_groups(pool, &inputs, &shared, workers);
        let beside = Beside { keeper: None, recording: recording.as_mut() };
        let Conducted { mut merger, written, .. } = conduct(&shared, merger, outputs, beside, work);
        let recent = merger.take_recent();
        let finished = end(&shared, &mut merger, written, None);
        if let Some(recording) = recording {
            recording.finish(recent);
        }
        finished
    }
}

fn rereadable(input: &Input) -> Option<Input> {
    matches!(input.access, Access::Random { .. }).then(|| input.clone())
}

/// Publishes the last snapshot, which says what is `left` undelivered, if something is.
fn end(shared: &Shared, merger: &mut Merger, written: Written, left: Option<&str>) -> Finished {
    let is_closed = matches!(written, Written::Closed);
    let (failed, abandoned) = match written {
        Written::All | Written::Closed => (None, None),
        Written::Abandoned(error) => (None, Some(error)),
        Written::Failed(error) => (Some(error), None),
    };
    let error = failed.or_else(|| shared.error.pop());
    let state = match &error {
        Some(error) if shared.is_refused(error) => RunState::Running,
        Some(_) => RunState::Failed,
        None if is_closed => RunState::Closed,
        None if shared.is_to_go_on() => RunState::Running,
        None if shared.is_draining() => RunState::Interrupted,
        None => RunState::Finished,
    };
    let of_this_run = error.iter().filter(|error| !shared.is_refused(error));
    let said: Vec<String> =
        of_this_run.chain(&abandoned).map(ToString::to_string).chain(left.map(str::to_owned)).collect();
    let said = (!said.is_empty()).then(|| said.join("; "));
    let snapshot = merger.snapshot(state, said, Some(&shared.board));
    shared.board.published.publish(snapshot);
    Finished { snapshot: shared.board.published.latest(), error, is_closed }
}

/// Runs one group of sources after the other.
fn run_groups(pool: &rayon::ThreadPool, inputs: &[Input], shared: &Shared, workers: &mut [Worker<'_>]) {
    let block_bytes = block_bytes(shared);
    // Counts blocks over all groups, so that what is written keeps the order of the inputs.
    let mut first = 0;
    for group in groups(inputs) {
        if shared.is_stopping() {
            return;
        }
        match group {
            Group::Files(files) => {
                let jobs = FileJobs::new(inputs, files, first, block_bytes);
                each_worker(pool, shared, workers, |worker| worker.run_files(&jobs));
                first += jobs.len();
            }
            Group::Stream(number) => {
                first += run_stream(pool, &inputs[number], number as SourceId, first, shared, workers)
            }
        }
    }
}

/// Runs a stream; returns how many blocks it had.
fn run_stream(
    pool: &rayon::ThreadPool,
    input: &Input,
    source: SourceId,
    first: u64,
    shared: &Shared,
    workers: &mut [Worker<'_>],
) -> u64 {
    let stream = Stream::new(workers.len());
    let (result, blocks) = thread::scope(|scope| {
        let reader = spawn(scope, "logweir-read", || {
            let result = read(input, source, shared, &stream);
            // Whatever happened: workers must not wait for more.
            stream.finish();
            result
        });
        let blocks = AtomicU64::new(0);
        each_worker(pool, shared, workers, |worker| {
            blocks.fetch_add(worker.run_stream(&stream, source, first), Ordering::Relaxed);
        });
        (reader.join(), blocks.into_inner())
    });
    match result {
        Ok(Ok(())) if shared.is_stopping() => {}
        Ok(Ok(())) => workers[0].stream_ended(source, None),
        Ok(Err(error)) => workers[0].stream_ended(source, Some(&error)),
        Err(_) => shared.fail(RunError::Panicked),
    }
    blocks
}

/// Cuts a stream into blocks; the work of its reader.
fn read(input: &Input, source: SourceId, shared: &Shared, stream: &Stream) -> io::Result<()> {
    let (block_bytes, stop) = (block_bytes(shared), &*shared.stop);
    if input.access == Access::Letters {
        let first = shared.letter_sources.start;
        let sources = &shared.paths[shared.letter_sources.clone()];
        return read_letters(&input.path, sources, (source, first as SourceId), block_bytes, stream, stop);
    }
    read_stream(open_stream(input)?, stream, block_bytes, shared.options.record_bytes_max, stop)
}

/// Bytes of a block. A pipeline that says it is slow gets small ones, so that what it does can be seen and stopped.
fn block_bytes(shared: &Shared) -> usize {
    if let Some(bytes) = shared.options.block_bytes {
        return bytes.max(1);
    }
    let is_slow = shared.pipeline.nodes.iter().any(|node| !node.definition.cost_hint().is_zero());
    if is_slow { limits::BLOCK_BYTES_MIN } else { limits::BLOCK_BYTES }
}

fn open_outputs(shared: &Shared, inputs: &[Input]) -> Result<Vec<Option<Output>>, OpenError> {
    let mut in_use = InUse::new(inputs);
    let targets = shared.outlets.iter().map(|outlet| outlet.target.clone()).chain(shared.letters_target());
    targets.map(|target| open_unless_posted(&target, |target| open_sink(target, &mut in_use))).collect()
}

/// What is posted to is no file.
fn open_unless_posted<T>(
    target: &SinkTarget,
    open: impl FnOnce(&SinkTarget) -> Result<T, OpenError>,
) -> Result<Option<T>, OpenError> {
    if matches!(target, SinkTarget::Http(_)) { Ok(None) } else { open(target).map(Some) }
}

fn source_table(found: &Discovered, letter_sources: &[PathBuf]) -> SourceTable {
    let mut table = SourceTable::default();
    for input in &found.inputs {
        let (size, identity) = match input.access {
            Access::Random { size, identity } => (Some(size), Some(identity)),
            Access::Stream | Access::Letters => (None, None),
        };
        table.add(shown(&input.path), size, identity, EntryKind::Read);
    }
    for path in letter_sources {
        table.add(shown(path), None, None, EntryKind::Named);
    }
    for unreadable in &found.unreadable {
        table.add_unreadable(shown(&unreadable.path), unreadable.message.clone());
    }
    table.set_skipped(found.skipped.clone());
    table
}

fn shown(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}
