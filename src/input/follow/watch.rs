//! inotify: says earlier what polling finds anyway. Directories are watched, not files, so that there are few watches.

use std::{
    collections::{BTreeSet, HashMap},
    ffi::{CStr, OsStr},
    mem::MaybeUninit,
    os::{
        fd::{AsFd, OwnedFd},
        unix::ffi::OsStrExt,
    },
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags},
    io::Errno,
};

use super::{Follower, Key, catalog::Found, rotation::folder_of, standard::Standard, tracked::later};
use crate::metrics::SourceNews;

/// Two scans that events ask for are at least so far apart.
const SCAN_INTERVAL: Duration = Duration::from_millis(20);
/// And for each file that a scan has to look at, so much more: ten times what it takes.
const SCAN_INTERVAL_PER_FILE: Duration = Duration::from_micros(50);
/// How often events are listened to in a flood of them.
const HEAR_INTERVAL: Duration = Duration::from_millis(5);
/// Events that are heard at once; the rest waits, so that a flood of them does not keep anybody from reading.
const EVENTS: usize = 4_096;

/// Directories that are watched.
#[derive(Debug)]
pub(super) struct Watch {
    inotify: OwnedFd,
    folders: HashMap<i32, PathBuf>,
    watched: HashMap<PathBuf, i32>,
}

/// What was heard.
#[derive(Debug, Default)]
struct Heard {
    /// Files that were written.
    written: BTreeSet<PathBuf>,
    /// Names that came, went or changed.
    names: BTreeSet<PathBuf>,
    /// So did whole directories.
    has_folders: bool,
    /// More happened than there was room for.
    has_overflow: bool,
}

impl Watch {
    fn new() -> Result<Self, Errno> {
        let inotify = inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC)?;
        Ok(Self { inotify, folders: HashMap::new(), watched: HashMap::new() })
    }

    /// Watches `folders` and no others.
    fn update(&mut self, folders: &BTreeSet<PathBuf>) -> Result<(), Errno> {
        let over: Vec<PathBuf> = self.watched.keys().filter(|folder| !folders.contains(*folder)).cloned().collect();
        for folder in over {
            if let Some(number) = self.watched.remove(&folder) {
                self.folders.remove(&number);
                // Fails where the directory is gone, and its watch with it.
                let _ = inotify::remove_watch(&self.inotify, number);
            }
        }
        for folder in folders {
            self.add(folder)?;
        }
        Ok(())
    }

    fn add(&mut self, folder: &Path) -> Result<(), Errno> {
        if self.watched.contains_key(folder) {
            return Ok(());
        }
        let flags = WatchFlags::MODIFY
            | WatchFlags::CREATE
            | WatchFlags::DELETE
            | WatchFlags::MOVED_FROM
            | WatchFlags::MOVED_TO
            | WatchFlags::DELETE_SELF
            | WatchFlags::MOVE_SELF
            | WatchFlags::ONLYDIR;
        match inotify::add_watch(&self.inotify, folder, flags) {
            Ok(number) => {
                // One directory by two names is watched by the name that came last.
                if let Some(other) = self.folders.insert(number, folder.to_owned()) {
                    self.watched.remove(&other);
                }
                self.watched.insert(folder.to_owned(), number);
                Ok(())
            }
            Err(error @ (Errno::NOSPC | Errno::NOMEM)) => Err(error),
            // Not there now, or not ours to watch: polling sees what there is to see.
            Err(_) => Ok(()),
        }
    }

    fn hear(&mut self) -> Heard {
        let mut heard = Heard::default();
        let mut space = [MaybeUninit::uninit(); 16 << 10];
        let mut reader = inotify::Reader::new(&self.inotify, &mut space);
        for _ in 0..EVENTS {
            let Ok(event) = reader.next() else { break };
            let flags = event.events();
            if flags.contains(ReadFlags::QUEUE_OVERFLOW) {
                heard.has_overflow = true;
            }
            if flags.intersects(ReadFlags::IGNORED | ReadFlags::DELETE_SELF | ReadFlags::MOVE_SELF | ReadFlags::UNMOUNT)
            {
                heard.has_folders = true;
                if let Some(folder) = self.folders.remove(&event.wd()) {
                    self.watched.remove(&folder);
                }
                continue;
            }
            match self.folders.get(&event.wd()) {
                Some(folder) if flags.contains(ReadFlags::MODIFY) => {
                    heard.written.extend(event.file_name().map(|name| joined(folder, name)));
                }
                Some(folder) => heard.names.extend(event.file_name().map(|name| joined(folder, name))),
                None => {}
            }
        }
        heard
    }
}

fn joined(folder: &Path, name: &CStr) -> PathBuf {
    let name = OsStr::from_bytes(name.to_bytes());
    // What lies in the working directory was named without it.
    if folder == Path::new(".") { PathBuf::from(name) } else { folder.join(name) }
}

impl Follower {
    pub(super) fn start_watch(&mut self) {
        if self.options.poll_only {
            return;
        }
        match Watch::new() {
            Ok(watch) => self.watch = Some(watch),
            Err(error) => self.say_polling(error),
        }
    }

    /// Watches the directories that something of interest is in.
    pub(super) fn update_watch(&mut self, found: &Found) {
        let Some(watch) = &mut self.watch else { return };
        let files = self.files.values().map(|tracked| &*tracked.path).chain(found.files.iter().map(|file| &*file.path));
        let mut folders: BTreeSet<PathBuf> = files.map(|path| folder_of(path).to_owned()).collect();
        for path in self.catalog.paths() {
            folders.insert(if path.is_dir() { path.clone() } else { folder_of(path).to_owned() });
        }
        if let Err(error) = watch.update(&folders) {
            self.watch = None;
            self.say_polling(error);
        }
    }

    fn say_polling(&mut self, error: Errno) {
        let why = match error {
            Errno::NOSPC | Errno::MFILE => "inotify has no more watches (see /proc/sys/fs/inotify)".to_owned(),
            error => format!("inotify is not to be had: {}", crate::input::describe(&error.into())),
        };
        let message = format!("{why}; files are looked at once a second, and those that grow 20 times a second");
        self.sources.news.push(SourceNews::Limited { message });
    }

    /// The files that stand at `paths`.
    fn written(&self, paths: &BTreeSet<PathBuf>) -> Vec<Key> {
        let mut keys = Vec::new();
        let stands_at = |key: &Key, path: &PathBuf| self.files.get(key).is_some_and(|tracked| tracked.path == *path);
        let find = |path: &PathBuf| {
            let source = self.sources.get(path)?;
            self.sources.files(source).iter().find(|key| stands_at(key, path)).copied()
        };
        let others: BTreeSet<&PathBuf> =
            paths.iter().filter(|path| find(path).inspect(|key| keys.push(*key)).is_none()).collect();
        if !others.is_empty() {
            // Files that were renamed stand at another path than their source.
            keys.extend(self.files.iter().filter(|(_, tracked)| others.contains(&tracked.path)).map(|(&key, _)| key));
        }
        keys
    }

    /// Hears what happened, and notes what has to be looked at.
    pub(super) fn hear_events(&mut self, now: Instant) {
        let Some(watch) = &mut self.watch else { return };
        // While there is something to give out, events can wait for each other.
        let soon = self.last_heard.map_or(now, |last| later(last, HEAR_INTERVAL));
        if now < soon && self.queue.is_ready(now) {
            return;
        }
        self.last_heard = Some(now);
        let heard = watch.hear();
        if !heard.written.is_empty() {
            for key in self.written(&heard.written) {
                if let Some(tracked) = self.files.get_mut(&key) {
                    tracked.has_events = true;
                    tracked.is_drained = false;
                }
                self.queue.push(key);
            }
        }
        if heard.has_overflow {
            for tracked in self.files.values_mut() {
                tracked.next_look = now;
            }
            self.next_look = now;
        }
        let concerns = heard.names.iter().any(|path| self.sources.get(path).is_some() || self.catalog.may_have(path));
        if concerns || heard.has_folders || heard.has_overflow {
            let files = u32::try_from(self.files.len()).unwrap_or(u32::MAX);
            let interval = SCAN_INTERVAL.saturating_add(SCAN_INTERVAL_PER_FILE.saturating_mul(files));
            let soon = self.last_scan.map_or(now, |last| later(last, interval));
            self.next_scan = self.next_scan.min(soon.max(now));
        }
    }
}

/// Waits for an event, or for standard input.
pub(super) fn wait(watch: Option<&Watch>, standard: Option<&Standard>, most: Duration) {
    let inotify = watch.map(|watch| watch.inotify.as_fd());
    let stream = standard.and_then(Standard::waits_for);
    let mut fds: Vec<PollFd<'_>> = inotify
        .into_iter()
        .chain(stream)
        .map(|descriptor| PollFd::from_borrowed_fd(descriptor, PollFlags::IN))
        .collect();
    let timeout = Timespec { tv_sec: most.as_secs().min(3_600) as i64, tv_nsec: i64::from(most.subsec_nanos()) };
    // Interrupted or not: whoever drives looks what there is.
    let _ = poll(&mut fds, Some(&timeout));
}
