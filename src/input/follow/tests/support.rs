//! A directory with files, a follower, and a clock that is moved by hand.

use std::{
    fs::{self, File, OpenOptions},
    io::Write,
    path::PathBuf,
    time::{Duration, Instant},
};

use super::super::{FollowBlock, FollowOptions, Follower, From, PlaceChange};
use crate::{
    metrics::SourceNews,
    place::{KnownFile, Mark},
};

pub(super) struct Bench {
    pub(super) folder: tempfile::TempDir,
    pub(super) options: FollowOptions,
    pub(super) now: Instant,
    pub(super) follower: Option<Follower>,
    pub(super) blocks: Vec<FollowBlock>,
    pub(super) news: Vec<SourceNews>,
    /// What a checkpoint would hold if everything given out was acknowledged.
    pub(super) known: Vec<KnownFile>,
    folded: usize,
    /// All that is given out is acknowledged at once.
    pub(super) acknowledges: bool,
}

impl Bench {
    /// Follows `app.log`, from its start.
    pub(super) fn new() -> Self {
        Self::of(&["app.log"])
    }

    pub(super) fn of(paths: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let paths = paths.iter().map(|path| folder.path().join(path)).collect();
        let options = FollowOptions { paths, from: From::Start, poll_only: true, ..FollowOptions::default() };
        let now = Instant::now();
        Self {
            folder,
            options,
            now,
            follower: None,
            blocks: Vec::new(),
            news: Vec::new(),
            known: Vec::new(),
            folded: 0,
            acknowledges: true,
        }
    }

    pub(super) fn with(mut self, change: impl FnOnce(&mut FollowOptions)) -> Self {
        change(&mut self.options);
        self
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(super) fn append(&self, name: &str, bytes: impl AsRef<[u8]>) -> File {
        let mut file = OpenOptions::new().append(true).create(true).open(self.path(name)).unwrap();
        file.write_all(bytes.as_ref()).unwrap();
        file
    }

    pub(super) fn rename(&self, from: &str, to: &str) {
        fs::rename(self.path(from), self.path(to)).unwrap();
    }

    pub(super) fn remove(&self, name: &str) {
        fs::remove_file(self.path(name)).unwrap();
    }

    /// A crash, if it runs: begins at what is known.
    pub(super) fn start(&mut self) {
        self.end();
        self.follower = Some(Follower::new(self.options.clone(), &self.known, self.now).unwrap());
        self.take();
    }

    /// Ends the follower as a crash does.
    pub(super) fn end(&mut self) {
        if let Some(mut follower) = self.follower.take() {
            follower.end_segments();
            self.news.extend(follower.news());
        }
    }

    pub(super) fn follower(&mut self) -> &mut Follower {
        self.follower.as_mut().unwrap()
    }

    pub(super) fn pass(&mut self, time: Duration) {
        self.now += time;
        self.take();
    }

    /// A session failed, of which `known` is what is left: what was given out before is no more.
    pub(super) fn rewind(&mut self, known: Vec<KnownFile>) {
        let follower = self.follower.as_mut().unwrap();
        follower.rewind(&known);
        self.news = follower.news().filter(|news| !matches!(news, SourceNews::Segment { .. })).collect();
        self.blocks.clear();
        (self.known, self.folded) = (known, 0);
    }

    /// Passes more than a second: polling has seen everything.
    pub(super) fn poll(&mut self) {
        self.pass(Duration::from_millis(1_100));
        self.pass(Duration::from_millis(10));
    }

    pub(super) fn poll_times(&mut self, times: usize) {
        (0..times).for_each(|_| self.poll());
    }

    /// Takes all that is due now.
    pub(super) fn take(&mut self) {
        let now = self.now;
        let Some(follower) = &mut self.follower else { return };
        follower.look(now);
        let mut idle = 0;
        while idle < 3 {
            match follower.next(now, Vec::new()) {
                Some(block) => self.blocks.push(block),
                None if follower.queue.is_ready(now) => {}
                None => idle += 1,
            }
        }
        self.news.extend(follower.news());
        self.known = fold(&self.known, &self.blocks[self.folded..]);
        self.folded = self.blocks.len();
        if self.acknowledges {
            let given = follower.blocks_given();
            follower.acknowledge(given);
        }
    }

    /// What tells the contents of the only known file from others.
    pub(super) fn content(&self) -> u64 {
        assert_eq!(self.known.len(), 1, "{:?}", self.known);
        self.known[0].mark.content()
    }

    /// All bytes that were given out.
    pub(super) fn text(&self) -> String {
        let bytes: Vec<u8> = self.blocks.iter().flat_map(|block| block.bytes.clone()).collect();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// The news that `wanted` picks.
    pub(super) fn count(&self, wanted: impl Fn(&SourceNews) -> bool) -> usize {
        self.news.iter().filter(|news| wanted(news)).count()
    }

    pub(super) fn failures(&self) -> Vec<String> {
        let message = |news: &SourceNews| match news {
            SourceNews::Failed { message, .. } | SourceNews::Absent { message, .. } => Some(message.clone()),
            _ => None,
        };
        self.news.iter().filter_map(message).collect()
    }

    /// How much was lost at least by each.
    pub(super) fn truncations(&self) -> Vec<u64> {
        let lost = |news: &SourceNews| match news {
            SourceNews::Truncated { lost_at_least, .. } => Some(*lost_at_least),
            _ => None,
        };
        self.news.iter().filter_map(lost).collect()
    }

    pub(super) fn skipped(&self) -> u64 {
        let bytes = |news: &SourceNews| match news {
            SourceNews::Skipped { bytes, .. } => *bytes,
            _ => 0,
        };
        self.news.iter().map(bytes).sum()
    }

    /// What is held open of this directory, and removed.
    pub(super) fn removed_but_open(&self) -> usize {
        let links = fs::read_dir("/proc/self/fd").unwrap().flatten();
        let targets = links.filter_map(|entry| fs::read_link(entry.path()).ok());
        let ours = targets.map(|path| path.to_string_lossy().into_owned());
        let folder = self.folder.path().to_str().unwrap();
        ours.filter(|path| path.starts_with(folder) && path.ends_with("(deleted)")).count()
    }

    /// What was given out is what the segments say, to the byte.
    pub(super) fn assert_tiled(&mut self) {
        let follower = self.follower.as_mut().unwrap();
        follower.end_segments();
        self.news.extend(follower.news());
        assert_tiled(&self.blocks, &self.news);
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        if !std::thread::panicking() && self.follower.is_some() {
            self.assert_tiled();
        }
    }
}

pub(super) fn assert_tiled(blocks: &[FollowBlock], news: &[SourceNews]) {
    use crate::metrics::tile;
    let mut sums = std::collections::BTreeMap::<u32, u64>::new();
    for block in blocks {
        let end = block.offset + block.bytes.len() as u64 + block.cut_bytes;
        let sum = sums.entry(block.source).or_default();
        *sum = sum.wrapping_add(tile(block.offset, end));
    }
    for news in news {
        if let SourceNews::Segment { source, start, end } = news {
            let sum = sums.entry(*source).or_default();
            *sum = sum.wrapping_sub(tile(*start, *end));
        }
    }
    assert!(sums.values().all(|&sum| sum == 0), "blocks and segments differ: {blocks:?} {news:?}");
}

/// What a keeper makes of blocks that were acknowledged.
pub(super) fn fold(known: &[KnownFile], blocks: &[FollowBlock]) -> Vec<KnownFile> {
    let mut known = known.to_vec();
    for block in blocks {
        for change in &block.changes {
            change_places(&mut known, change);
        }
        if let Some(mark) = block.mark {
            put_mark(&mut known, mark);
        }
    }
    known
}

fn change_places(known: &mut Vec<KnownFile>, change: &PlaceChange) {
    match change {
        PlaceChange::Placed(placed) => {
            known.retain(|known| known.mark.id != placed.mark.id);
            known.push(placed.clone());
        }
        PlaceChange::Moved { id, path } => {
            for known in known.iter_mut().filter(|known| known.mark.id == *id) {
                known.path.clone_from(path);
            }
        }
        PlaceChange::Forgotten(id) => known.retain(|known| known.mark.id != *id),
    }
}

fn put_mark(known: &mut [KnownFile], mark: Mark) {
    let ids: Vec<_> = known.iter().map(|known| known.mark.id).collect();
    let file = known.iter_mut().find(|known| known.mark.id == mark.id);
    file.unwrap_or_else(|| panic!("a file is placed before it is marked: {:?}, {ids:?}", mark.id)).mark = mark;
}

/// What this thread has had of the processor.
pub(super) fn processor_time() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    Duration::from_nanos(text.split(' ').next().unwrap().parse().unwrap())
}
