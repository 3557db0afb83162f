//! Following: sessions of an engine over files that grow.
//!
//! A session is a run with one pipeline. It ends when somebody asks for it, after all that was read has been delivered;
//! the next one goes on where it was, with another pipeline perhaps. What a session could not deliver is read again.

use std::{
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use crossbeam_queue::ArrayQueue;
use jiff::Timestamp;

use super::{
    Finished, RunError, RunOptions, Shared,
    conduct::{Beside, Conducted, conduct, each_worker, spawn},
    delivery::Deliveries,
    end,
    keeper::Keeper,
    names::{as_named, whole_paths},
    opened::open_outputs,
    recording::{self, Recording},
    window::Window,
    worker::Worker,
    writer::Written as Ended,
};
use crate::{
    human::plural,
    input::{FollowBlock, FollowError, FollowOptions, Follower, Stream, StreamBlock},
    limits,
    metrics::{
        BaseTotals, Board, EarlierPart, Layout, Merger, MergerPlan, Published, Restored, SourceNews, SourceTable,
        Totals,
    },
    pipeline::Pipeline,
    place::Places,
    record::SourceId,
    snapshot::RunState,
    store::{Archive, Checkpoint, Store},
};

/// What a follower's session has besides what every run has.
pub(super) struct Live {
    pub(super) orders: Orders,
    pub(super) news: ArrayQueue<SourceNews>,
    /// What is to be said of files that are written: once of each.
    pub(super) notices: ArrayQueue<String>,
    /// Where it cannot begin, another pipeline goes on.
    pub(super) is_trial: bool,
    /// How many blocks of this session are delivered for good: the way from the keeper back to the follower.
    pub(super) sure: AtomicU64,
}

/// What can be asked of a follower while it runs.
#[derive(Debug, Clone, Default)]
pub struct Orders {
    /// Set: stop reading, deliver what was read, save a checkpoint, and end the session.
    pub drain: Arc<AtomicBool>,
    /// Set together with `drain`: another session will follow.
    pub reload: Arc<AtomicBool>,
    /// How long delivering may take then; what is not delivered by that time is read again at the next start.
    pub drain_time: Duration,
}

/// Where a follower says what a person should know; paths in it are not to be trusted by a terminal.
pub type Say<'s> = dyn Fn(&str) + Sync + 's;

/// A follower, and all of it that outlives a session.
///
/// ```
/// # use std::{sync::atomic::Ordering, thread, time::Duration};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = std::env::temp_dir().join(format!("logweir-follow-doc-{}", std::process::id()));
/// # std::fs::create_dir_all(&folder)?;
/// let path = folder.join("app.log");
/// std::fs::write(&path, "INFO started\nERROR disk is full\n")?;
///
/// let options = logweir::FollowOptions { paths: vec![path], from: logweir::From::Start, until_eof: true, ..Default::default() };
/// let pipeline = logweir::Pipeline::default_pipeline();
/// let mut following = logweir::Following::new(options, &pipeline, (None, None))?;
/// let published = following.published(); // may be read from any thread, at any time
/// let ended = following.session(pipeline, logweir::RunOptions::default(), &|_| {});
///
/// assert!(ended.finished.error.is_none());
/// assert_eq!(published.latest().run.records_done, 2);
/// # std::fs::remove_dir_all(&folder)?;
/// # Ok(())
/// # }
/// ```
pub struct Following {
    follower: Follower,
    /// What is followed, as the user says it.
    paths: Vec<PathBuf>,
    store: Option<Store>,
    archive: Option<Archive>,
    checkpoint: Checkpoint,
    orders: Orders,
    published: Arc<Published>,
    /// What sources are called, by their numbers.
    names: Vec<String>,
    earlier: Earlier,
    /// Blocks of the last session were not delivered: they are to be given out again.
    is_behind: bool,
    /// The next session is a trial: what is to be said once it has begun.
    trial: Option<String>,
}

/// What the next session goes on with, besides the checkpoint.
type Earlier = Option<(SourceTable, EarlierPart)>;

/// How a session ended.
#[derive(Debug)]
pub struct SessionEnd {
    /// As of any run.
    pub finished: Finished,
    /// All that was read is delivered.
    pub is_delivered: bool,
    /// What is to be said of what was read and is not delivered, where this is the end.
    pub left: Option<String>,
    /// Some of it is not, and nobody can read it again.
    pub is_lost: bool,
    /// Records that were counted and are not delivered: where it goes on, totals go back to those of the last checkpoint.
    pub taken_back: u64,
    /// The last checkpoint is on disk, if there is a place for it.
    pub is_saved: bool,
}

impl Following {
    /// Prepares to follow what `options` name through `pipeline`, and to go on from `checkpoint`. New checkpoints go to
    /// `store`.
    ///
    /// # Errors
    ///
    /// If the options make no sense.
    pub fn new(
        mut options: FollowOptions,
        pipeline: &Pipeline,
        (store, checkpoint): (Option<Store>, Option<Checkpoint>),
    ) -> Result<Self, FollowError> {
        let paths = options.paths.clone();
        options.ours.extend(pipeline.files_written().map(Path::to_owned));
        options.ours.extend(store.iter().map(|store| store.dir().to_owned()));
        let checkpoint = checkpoint.map_or_else(nothing_yet, whole_paths);
        let follower = Follower::new(options, &as_named(&paths, &checkpoint.files), Instant::now())?;
        let mut merger = Merger::new(plan(pipeline, &RunOptions::default(), &checkpoint, None));
        let published = Arc::new(Published::new(merger.snapshot(RunState::Starting, None, None)));
        let orders = Orders { drain_time: limits::DRAIN_TIME, ..Orders::default() };
        let earlier = Some(merger.into_next_part(None));
        let names = Vec::new();
        Ok(Self {
            follower,
            paths,
            store,
            archive: None,
            checkpoint,
            orders,
            published,
            names,
            earlier,
            is_behind: false,
            trial: None,
        })
    }

    /// The next session is to try another pipeline: `begun` is said once it has begun. Where its outputs cannot be opened,
    /// what is published does not say that the run failed: the pipeline before is expected to go on.
    pub fn try_next(&mut self, begun: &str) {
        self.trial = Some(begun.to_owned());
    }

    /// Where snapshots are published, in all sessions.
    #[must_use]
    pub fn published(&self) -> Arc<Published> {
        Arc::clone(&self.published)
    }

    /// Records history in the state directory `state`; from then on [`Published::history`] has it, and what was recorded
    /// there before.
    ///
    /// # Errors
    ///
    /// Where the directory cannot be made or read, or another process records there.
    pub fn record(&mut self, state: &Path) -> io::Result<()> {
        self.archive = Some(recording::open(state)?);
        Ok(())
    }

    /// What can be asked of it while it runs.
    pub fn orders(&mut self) -> &mut Orders {
        &mut self.orders
    }

    /// The same, to be given from any thread.
    #[must_use]
    pub fn orders_now(&self) -> Orders {
        self.orders.clone()
    }

    /// Runs until the orders say otherwise, or, if it is to end at the end of what is there, until then. What must be
    /// said of files goes to `say`, once whenever it changes.
    pub fn session(&mut self, pipeline: Pipeline, options: RunOptions, say: &Say<'_>) -> SessionEnd {
        let earlier = self.earlier.clone();
        let (mut shared, mut merger) = self.prepare(pipeline, options);
        let trial = self.trial.take();
        let opened = shared
            .start_posts()
            .and_then(|()| open_outputs(&shared, &self.checkpoint, self.follower.identities(), say));
        let (outputs, written) = match opened {
            Ok(opened) => opened,
            Err(error) => return self.not_begun(&shared, (merger, earlier), error.into()),
        };
        self.follower.leave_out(written.iter().flatten().map(|written| written.file.identity()));
        let mut keeper = Keeper::new(&shared, self.store.as_mut(), written, self.checkpoint.clone());
        if let Err(error) = keeper.begin(self.follower.take_changes()) {
            // What was taken from the follower is told again.
            self.is_behind = true;
            self.trial = trial;
            return self.not_begun(&shared, (merger, earlier), error);
        }
        trial.iter().for_each(|begun| say(begun));
        let mut recording = Self::start_recording(&mut self.archive, &self.published, &mut merger, say);
        let beside = Beside { keeper: Some(keeper), recording: recording.as_mut() };
        let (follower, names) = (&mut self.follower, &mut self.names);
        let mut given = 0;
        let Conducted { mut merger, written, kept } = conduct(&shared, merger, outputs, beside, |pool, workers| {
            given = run_live(pool, workers, &shared, (follower, names), say);
        });
        shared.notices().for_each(|notice| say(&notice));
        let is_saved = kept.as_ref().is_some_and(|kept| kept.is_saved);
        let folded = kept.as_ref().map_or(0, |kept| kept.folded);
        self.follower.acknowledge(self.follower.blocks_given() - given + folded);
        shared.posts.end();
        shared.posts.show(&shared.board);
        if let Some(kept) = kept {
            kept.suspect.iter().for_each(|suspect| say(&suspect.put_aside()));
            self.go_on_from(kept.checkpoint, &shared);
        }
        self.is_behind = folded < given;
        let recent = merger.take_recent();
        let taken_back = merger.records_done().saturating_sub(self.checkpoint.totals.records);
        let left = (self.is_behind && !shared.is_to_go_on()).then(|| self.what_is_left(taken_back));
        let finished = end(&shared, &mut merger, written, left.as_deref());
        self.archive = recording.and_then(|recording| recording.finish(recent));
        self.earlier = Some(merger.into_next_part(self.is_behind.then_some(folded)));
        let is_lost = left.is_some() && (self.store.is_none() || self.follower.owes_stream());
        SessionEnd { finished, is_delivered: !self.is_behind, left, is_lost, taken_back, is_saved }
    }

    /// Remembers how far a session has come. What servers have taken stays counted, whether its blocks are behind the
    /// checkpoint or before it.
    fn go_on_from(&mut self, checkpoint: Checkpoint, shared: &Shared) {
        let before = std::mem::replace(&mut self.checkpoint, checkpoint).totals.sinks;
        for (number, more) in shared.posts.totals() {
            let id = &shared.pipeline.graph.sinks[number].id;
            let totals = self.checkpoint.totals.sinks.entry(id.clone()).or_default();
            *totals = before.get(id).copied().unwrap_or_default();
            totals.add(more);
        }
    }

    /// What becomes of what was read and is not delivered, when this is the end. Lines that no processor has seen yet are
    /// not counted.
    fn what_is_left(&self, counted: u64) -> String {
        let what = match counted {
            0 => "not all that was read could be delivered in time".to_owned(),
            counted => format!("{} or more could not be delivered in time", plural(counted, "line")),
        };
        let then = if self.store.is_some() { "read again at the next start" } else { "lost, as there is no state" };
        let stream = if self.store.is_some() && self.follower.owes_stream() {
            ", but what came by standard input is lost"
        } else {
            ""
        };
        format!("{what}: {then}{stream}")
    }

    /// Ends a session in which nothing was read.
    fn not_begun(&mut self, shared: &Shared, (mut merger, earlier): (Merger, Earlier), error: RunError) -> SessionEnd {
        let finished = end(shared, &mut merger, Ended::Failed(error), None);
        // What its pipeline does not know may be known to the next one.
        self.earlier = earlier.map(|(sources, earlier)| (sources, earlier.behind(&merger)));
        SessionEnd { finished, is_delivered: true, left: None, is_lost: false, taken_back: 0, is_saved: true }
    }

    fn start_recording(
        archive: &mut Option<Archive>,
        published: &Arc<Published>,
        merger: &mut Merger,
        say: &Say<'_>,
    ) -> Option<Recording> {
        let recording = Recording::start(archive.take()?, Arc::clone(published), merger);
        recording.inspect_err(|error| say(&format!("history is not recorded: {error}"))).ok()
    }

    fn prepare(&mut self, mut pipeline: Pipeline, options: RunOptions) -> (Shared, Merger) {
        if std::mem::take(&mut self.is_behind) {
            self.follower.rewind(&as_named(&self.paths, &self.checkpoint.files));
        }
        pipeline.append_unless_said();
        let options = options.within_limits();
        let mut merger = Merger::new(plan(&pipeline, &options, &self.checkpoint, self.earlier.take()));
        let first = merger.snapshot(RunState::Running, None, None);
        let layout = Layout::new(pipeline.graph());
        let board = Board::next(Arc::clone(&self.published), options.workers, layout, first);
        let live = Live {
            orders: self.orders.clone(),
            news: ArrayQueue::new(limits::NEWS),
            notices: ArrayQueue::new(pipeline.graph().sinks.len().max(1)),
            is_trial: self.trial.is_some(),
            sure: AtomicU64::new(0),
        };
        let mut shared = Shared::new(pipeline, options, board);
        shared.window = Some(Window::new(shared.options.workers));
        (shared.live, shared.deliveries) = (Some(live), Some(Deliveries::new()));
        (shared, merger)
    }
}

fn nothing_yet() -> Checkpoint {
    let now = Timestamp::now();
    Checkpoint { saved: now, since: now, files: Vec::new(), sinks: Vec::new(), totals: Totals::default() }
}

fn plan(pipeline: &Pipeline, options: &RunOptions, checkpoint: &Checkpoint, earlier: Earlier) -> MergerPlan {
    let (sources, earlier) = earlier.map_or((None, None), |(sources, earlier)| (Some(sources), Some(earlier)));
    MergerPlan {
        graph: Arc::clone(pipeline.graph()),
        mode: "follow",
        workers: options.workers,
        budget: options.observe_budget,
        sources: sources.unwrap_or_default(),
        base: Some(BaseTotals { since: checkpoint.since, totals: checkpoint.totals.clone() }),
        earlier,
    }
}

/// Lets the workers run what the follower gives out. Returns how many blocks that was.
fn run_live(
    pool: &rayon::ThreadPool,
    workers: &mut [Worker<'_>],
    shared: &Shared,
    (follower, names): (&mut Follower, &mut Vec<String>),
    say: &Say<'_>,
) -> u64 {
    let stream = Stream::new(workers.len());
    let given = AtomicU64::new(0);
    thread::scope(|scope| {
        spawn(scope, "logweir-follow", || {
            let first = follower.blocks_given();
            let mut feeder = Feeder { follower, names, stream: &stream, shared, first, given: &given, say };
            if catch_unwind(AssertUnwindSafe(|| feeder.run())).is_err() {
                shared.give_up();
            }
            // Whatever happened: workers must not wait for more.
            stream.finish();
        });
        each_worker(pool, shared, workers, |worker| {
            worker.run_stream(&stream, 0, 0);
        });
    });
    given.into_inner()
}

/// Hands what a follower gives out to the workers.
struct Feeder<'s> {
    follower: &'s mut Follower,
    names: &'s mut Vec<String>,
    stream: &'s Stream,
    shared: &'s Shared,
    /// The follower's number of the first block of this session.
    first: u64,
    given: &'s AtomicU64,
    say: &'s Say<'s>,
}

impl Feeder<'_> {
    fn run(&mut self) {
        while !self.shared.is_draining() {
            self.look();
            match self.follower.next(Instant::now(), self.stream.buffer()) {
                Some(block) => self.give(block),
                None if self.follower.is_over() => break,
                None => self.follower.wait(limits::PUBLISH_INTERVAL / 2),
            }
        }
        // What was taken from whoever writes it has been read.
        let ends = !self.shared.is_to_go_on();
        while !self.shared.is_stopping()
            && let Some(block) = self.follower.rest_of_standard(self.stream.buffer(), ends)
        {
            self.give(block);
        }
        self.follower.end_segments();
        self.tell();
    }

    fn look(&mut self) {
        let sure = self.live().sure.load(Ordering::Acquire);
        self.follower.acknowledge(self.first + sure);
        self.follower.look(Instant::now());
        self.tell();
    }

    /// Passes on what is new about sources; waits where the publisher is behind.
    fn tell(&mut self) {
        self.shared.notices().for_each(|notice| (self.say)(&notice));
        for mut news in self.follower.news() {
            self.say(&news);
            while let Err(refused) = self.live().news.push(news) {
                if self.shared.is_stopping() {
                    return;
                }
                news = refused;
                thread::sleep(Duration::from_millis(1));
            }
        }
    }

    /// Says aloud what somebody should know who reads a log of ours.
    fn say(&mut self, news: &SourceNews) {
        let name = |source: SourceId| self.names.get(source as usize).map_or("?", String::as_str);
        match news {
            SourceNews::Added { path, .. } => self.names.push(path.clone()),
            SourceNews::Limited { message } => (self.say)(message),
            SourceNews::Failed { source, message, .. } => (self.say)(&format!("{}: {message}", name(*source))),
            SourceNews::Absent { source, message } => {
                let hope = if self.follower.is_waiting() { "; it is waited for" } else { "" };
                (self.say)(&format!("{}: {message}{hope}", name(*source)));
            }
            SourceNews::Lost { source, bytes } => {
                let bytes = bytes.map_or_else(|| "an unknown part".to_owned(), |bytes| plural(bytes, "byte"));
                (self.say)(&format!("{}: lost: {bytes} of a file that is gone", name(*source)));
            }
            SourceNews::Restored { source, how } => match how {
                Restored::Readable => (self.say)(&format!("{}: can be read again", name(*source))),
                Restored::There => (self.say)(&format!("{}: is there now", name(*source))),
                Restored::Away => {}
            },
            _ => {}
        }
    }

    fn live(&self) -> &Live {
        self.shared.live.as_ref().expect("a follower's session")
    }

    /// Gives a block to the workers. While there is no room, sizes are still looked at, so that it is seen how far
    /// behind it is.
    fn give(&mut self, block: FollowBlock) {
        let number = self.given.load(Ordering::Relaxed);
        self.given.store(number + 1, Ordering::Relaxed);
        let mut block = stream_block(number, block);
        while let Err(refused) = self.stream.offer(block) {
            if self.shared.is_stopping() {
                return;
            }
            block = refused;
            self.look();
            self.stream.wait_for_room();
        }
    }
}

fn stream_block(number: u64, block: FollowBlock) -> StreamBlock {
    StreamBlock {
        number,
        offset: block.offset,
        bytes: block.bytes,
        cut_bytes: block.cut_bytes,
        rest: block.rest,
        is_open: block.is_open,
        source: Some(block.source),
        places: Some(Box::new(Places { path: block.path, mark: block.mark, changes: block.changes })),
        ..StreamBlock::default()
    }
}
