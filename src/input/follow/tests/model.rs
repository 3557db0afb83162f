//! Random lives of a log against what was written into it: each line once, in order; and where a file was truncated or
//! removed, nothing lost but what was in it then, and that said. All of it without the rights of root, so that the rights
//! of files and directories can be taken away and given back in between.
//!
//! `LOGWEIR_SEQUENCES` says how many lives, `LOGWEIR_SEED` which one.

mod log;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::File,
    path::Path,
    sync::atomic::{AtomicUsize, Ordering},
    time::{Duration, Instant},
};

use fastrand::Rng;

use super::{
    super::{FollowBlock, FollowOptions, Follower, From},
    rights::{self, Rights},
    support::{assert_tiled, fold},
};
use crate::{limits, metrics::SourceNews, place::KnownFile};

/// What is followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    File,
    Folder,
    Glob,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Action {
    Append,
    Partial,
    Rename,
    RenameLate,
    CopyTruncate,
    Truncate,
    Delete,
    Recreate,
    /// A rotated file is removed: while it is followed, or while nobody does.
    Remove,
    RemoveUnseen,
    Crash,
    Stop,
    Start,
    Rewind,
    Forbid,
    Allow,
    Look,
    Wait,
}

/// A log, its writer, and who follows it.
struct Life {
    rng: Rng,
    folder: tempfile::TempDir,
    shape: Shape,
    options: FollowOptions,
    now: Instant,
    writer: Option<File>,
    /// Number of the file that is written.
    file: u32,
    line: u32,
    /// The beginning of a line that was written.
    partial: String,
    /// Lines of each file, in order.
    written: BTreeMap<u32, Vec<u32>>,
    /// Lines that stood in a file when it was truncated or removed.
    endangered: BTreeSet<u32>,
    rotations: u32,
    follower: Option<Follower>,
    /// Blocks that are not acknowledged, and those that are.
    open: Vec<FollowBlock>,
    closed: Vec<FollowBlock>,
    known: Vec<KnownFile>,
    news: Vec<SourceNews>,
    /// Truncations, removals and losses that were said by followers before this one.
    said: usize,
    /// A loss was said.
    said_lost: bool,
    /// A file was truncated before a place that was acknowledged: that cannot go unsaid.
    must_say: bool,
    /// A rotated file was removed of which the state knows that not all was read.
    must_say_lost: bool,
    is_forbidden: bool,
    /// Inodes of files that were removed.
    removed: BTreeSet<u64>,
    /// A follower began while it could not open everything. Files behind one that is known and cannot be opened are read
    /// meanwhile, and again after another restart, if the state knows none that came later.
    was_blind: bool,
    /// All that one follower gave out and said.
    given: Vec<(u32, u64, u64)>,
    log: Vec<String>,
}

impl Life {
    fn new(seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed);
        let folder = tempfile::tempdir().unwrap();
        let shape = [Shape::File, Shape::Folder, Shape::Glob][rng.usize(0..3)];
        let path = match shape {
            Shape::File => folder.path().join("app.log"),
            Shape::Folder => folder.path().to_owned(),
            Shape::Glob => folder.path().join("*.log"),
        };
        let options = FollowOptions {
            paths: vec![path],
            from: if rng.bool() { From::Start } else { From::End },
            poll_only: rng.u8(0..4) > 0,
            block_bytes: rng.usize(1..200),
            ..FollowOptions::default()
        };
        let now = Instant::now();
        let mut life = Self {
            rng,
            folder,
            shape,
            options,
            now,
            writer: None,
            file: 0,
            line: 0,
            partial: String::new(),
            written: BTreeMap::new(),
            endangered: BTreeSet::new(),
            rotations: 0,
            follower: None,
            open: Vec::new(),
            closed: Vec::new(),
            known: Vec::new(),
            news: Vec::new(),
            said: 0,
            said_lost: false,
            must_say: false,
            must_say_lost: false,
            is_forbidden: false,
            removed: BTreeSet::new(),
            was_blind: false,
            given: Vec::new(),
            log: Vec::new(),
        };
        life.reopen();
        life.start();
        life.acknowledge(usize::MAX);
        life
    }

    fn start(&mut self) {
        if self.follower.is_none() {
            self.was_blind |= self.is_forbidden;
            self.follower = Some(Follower::new(self.options.clone(), &self.known, self.now).unwrap());
            self.take(Duration::ZERO);
        }
    }

    /// Ends the follower; what was given out and not acknowledged was for nothing.
    fn stop(&mut self) {
        let open = self.open.len();
        let acknowledged = if open == 0 { 0 } else { self.rng.usize(0..=open) };
        self.acknowledge(acknowledged);
        self.open.clear();
        self.check_tiles();
        self.follower = None;
    }

    fn check_tiles(&mut self) {
        let Some(follower) = &mut self.follower else { return };
        follower.end_segments();
        self.news.extend(follower.news());
        let block = |&(source, start, end): &(u32, u64, u64)| FollowBlock {
            number: 0,
            source,
            path: Path::new("").into(),
            offset: start,
            bytes: Vec::new(),
            cut_bytes: end - start,
            rest: None,
            is_open: false,
            mark: None,
            changes: Vec::new(),
        };
        let blocks: Vec<FollowBlock> = self.given.iter().map(block).collect();
        assert_tiled(&blocks, &self.news);
        self.said += self.news.iter().filter(|news| says_loss(news)).count();
        self.said_lost |= self.news.iter().any(|news| matches!(news, SourceNews::Lost { .. }));
        self.given.clear();
        self.news.clear();
    }

    fn rewind(&mut self) {
        if self.follower.is_none() {
            return;
        }
        let acknowledged = self.rng.usize(0..=self.open.len());
        self.acknowledge(acknowledged);
        self.open.clear();
        let known = self.known.clone();
        self.follower.as_mut().unwrap().rewind(&known);
    }

    fn acknowledge(&mut self, blocks: usize) {
        let blocks: Vec<FollowBlock> = self.open.drain(..blocks.min(self.open.len())).collect();
        self.known = fold(&self.known, &blocks);
        if let (Some(follower), Some(last)) = (&mut self.follower, blocks.last()) {
            follower.acknowledge(last.number + 1);
        }
        self.closed.extend(blocks);
    }

    fn take_within(&mut self, ms: std::ops::Range<u64>) {
        let ms = self.rng.u64(ms);
        self.take(Duration::from_millis(ms));
    }

    fn take(&mut self, time: Duration) {
        self.now += time;
        let Some(follower) = &mut self.follower else { return };
        follower.look(self.now);
        for _ in 0..10_000 {
            self.now += Duration::from_millis(6);
            let block = follower.next(self.now, Vec::new());
            if let Some(block) = block {
                let end = block.offset + block.bytes.len() as u64 + block.cut_bytes;
                self.given.push((block.source, block.offset, end));
                self.open.push(block);
            } else if follower.queue.is_empty() {
                break;
            }
        }
        self.news.extend(follower.news());
        if self.rng.u8(0..3) == 0 {
            let some = self.rng.usize(0..=self.open.len());
            self.acknowledge(some);
        }
    }

    /// Lets it be known that a file is gone: who is not there when it goes, and when the next one is rotated, cannot know
    /// that they belong together.
    fn settle(&mut self) {
        self.take(Duration::from_millis(1_100));
        self.acknowledge(usize::MAX);
    }

    fn forbid(&mut self) {
        self.log.push(rights::take_one(self.folder.path(), &mut self.rng));
        self.is_forbidden = true;
    }

    fn allow(&mut self) {
        rights::give_back(self.folder.path());
        self.is_forbidden = false;
    }

    fn act(&mut self, action: Action) {
        self.log.push(format!("{action:?}"));
        if action.changes_names() {
            rights::open_folder(self.folder.path());
        }
        match action {
            Action::Append => self.append(),
            Action::Partial => self.write_partial(),
            Action::Rename => self.rename(false),
            Action::RenameLate => self.rename(true),
            Action::CopyTruncate => self.truncate(true),
            Action::Truncate => self.truncate(false),
            Action::Delete => {
                self.start();
                self.delete();
                self.settle();
            }
            Action::Recreate => {
                self.stop();
                // Of a file that is gone when it comes back a follower cannot tell what became of it.
                self.must_say = false;
                self.delete();
                self.append();
                self.start();
                self.settle();
            }
            Action::Remove => {
                self.allow();
                self.start();
                self.take(limits::REOPEN_TIME_MAX);
                self.settle();
                self.remove_rotated(true);
            }
            Action::RemoveUnseen => {
                self.allow();
                self.stop();
                self.remove_rotated(false);
            }
            Action::Crash => {
                self.stop();
                self.start();
            }
            Action::Stop => self.stop(),
            Action::Start => self.start(),
            Action::Rewind => self.rewind(),
            Action::Forbid => self.forbid(),
            Action::Allow => self.allow(),
            Action::Look => self.take_within(0..900),
            Action::Wait => self.take_within(1_000..4_000),
        }
    }

    /// Ends everything and looks what came.
    fn end(&mut self) {
        self.allow();
        self.end_partial();
        self.start();
        self.take(limits::REOPEN_TIME_MAX);
        for _ in 0..4 {
            self.take(Duration::from_millis(1_500));
        }
        self.acknowledge(usize::MAX);
        self.check_tiles();
        self.check_lines();
    }

    fn check_lines(&self) {
        // What could not be opened when it was truncated may be gone before it can.
        assert!(
            !self.must_say || self.was_blind || self.said > 0,
            "nothing was said of a truncation: {}",
            self.log.join(" ")
        );
        assert!(!self.must_say_lost || self.said_lost, "nothing was said of a loss: {}", self.log.join(" "));
        let mut come = BTreeMap::<u32, Vec<u32>>::new();
        for (file, line) in self.closed.iter().flat_map(|block| lines(&block.bytes)) {
            come.entry(file).or_default().push(line);
        }
        for (file, written) in &self.written {
            let mut come = come.get(file).cloned().unwrap_or_default();
            if self.was_blind {
                let mut before = BTreeSet::new();
                come.retain(|&line| before.insert(line));
            }
            let may_miss = |line: &u32| self.endangered.contains(line) && !come.contains(line);
            let expected: Vec<u32> = written.iter().copied().filter(|line| !may_miss(line)).collect();
            assert_eq!(come, expected, "of file {file}: {:?} {}", self.shape, self.log.join(" "));
        }
    }
}

impl Action {
    fn changes_names(self) -> bool {
        use Action::{CopyTruncate, Delete, Recreate, Remove, RemoveUnseen, Rename, RenameLate, Truncate};
        matches!(self, Rename | RenameLate | CopyTruncate | Truncate | Delete | Recreate | Remove | RemoveUnseen)
    }
}

/// File and number of each line.
fn lines(bytes: &[u8]) -> impl Iterator<Item = (u32, u32)> {
    let text = str::from_utf8(bytes).unwrap();
    text.lines().map(|line| {
        let mut parts = line.split(':').map(|part| part.parse::<u32>().unwrap_or(0));
        (parts.next().unwrap(), parts.next().unwrap_or(0))
    })
}

fn says_loss(news: &SourceNews) -> bool {
    matches!(news, SourceNews::Truncated { .. } | SourceNews::Lost { .. } | SourceNews::Gone { .. })
}

fn live(seed: u64) {
    use Action::{
        Allow, Append, CopyTruncate, Crash, Delete, Forbid, Look, Partial, Recreate, Remove, RemoveUnseen, Rename,
        RenameLate, Rewind, Start, Stop, Truncate, Wait,
    };
    let _rights = Rights::without_root();
    let mut life = Life::new(seed);
    let is_harmless = life.rng.bool();
    let gentle = [
        Append, Append, Append, Partial, Rename, RenameLate, Crash, Stop, Start, Rewind, Forbid, Allow, Look, Look,
        Wait, Remove,
    ];
    let harsh = [CopyTruncate, Truncate, Delete, Recreate, RemoveUnseen, RemoveUnseen];
    for _ in 0..life.rng.usize(3..20) {
        let number = life.rng.usize(0..gentle.len() + if is_harmless { 0 } else { harsh.len() });
        let action = *gentle.iter().chain(&harsh).nth(number).unwrap();
        life.act(action);
    }
    life.end();
}

/// How often a file was given the inode of one that had been removed.
static REUSED: AtomicUsize = AtomicUsize::new(0);

/// Lives at once: most of the time goes into waiting for the file system.
const THREADS: usize = 4;

#[test]
fn whatever_happens_to_a_log_each_line_comes_once() {
    let number = |name: &str| std::env::var(name).ok().and_then(|value| value.parse::<u64>().ok());
    if let Some(seed) = number("LOGWEIR_SEED") {
        return live(seed);
    }
    let sequences = number("LOGWEIR_SEQUENCES").unwrap_or(2_000);
    let begin = Instant::now();
    std::thread::scope(|scope| {
        let lives = move |first: u64| {
            for seed in (first..sequences).step_by(THREADS) {
                let is_good = std::panic::catch_unwind(|| live(seed)).is_ok();
                assert!(is_good, "it fails with LOGWEIR_SEED={seed}");
            }
        };
        (0..THREADS as u64).for_each(|first| drop(scope.spawn(move || lives(first))));
    });
    let reused = REUSED.load(Ordering::Relaxed);
    println!("{sequences} lives in {:?}, {reused} inodes given away again", begin.elapsed());
    assert!(reused > 0 || sequences < 100, "no inode was given to another file: nothing was shown of that");
}
