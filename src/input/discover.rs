//! From the paths that a user names to an ordered list of sources, before anything runs.
//!
//! What a directory or a glob turns up by chance may be left out, and is counted by reason; what the user named and
//! cannot be read is said, and the rest goes on, as with grep and ripgrep. Nothing here waits: paths are looked at
//! before they are opened, and opened without blocking. Reading is left to others.

mod glob;
mod head;
mod open;
mod probe;
mod walk;

#[cfg(test)]
mod tests;

use std::{
    collections::{HashMap, HashSet},
    fs::{self, File, Metadata},
    io,
    os::{
        fd::AsFd,
        unix::fs::{FileTypeExt, MetadataExt},
    },
    path::{Path, PathBuf},
};

use rustix::fs::{FsWord, fstatfs};

use super::{Access, Input};
use crate::limits;
pub(in crate::input) use glob::is_glob;
pub(in crate::input) use head::Head;
use head::MAGIC_BYTES;
use open::is_stdin;
use probe::{Devices, Probe};

pub(in crate::input) use open::open_at_once;
pub use open::open_stream;
pub(crate) use open::set_blocking;

/// What a directory walk takes that it would leave out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DiscoverOptions {
    /// Files and directories whose name begins with a dot.
    pub hidden: bool,
    /// Files with a NUL near their beginning.
    pub binary: bool,
    /// Directories behind symbolic links.
    pub follow_links: bool,
}

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Discovered {
    /// The sources, in the order of the paths, and below a directory by name.
    pub inputs: Vec<Input>,
    /// What was left out, by reason; only reasons that happened.
    pub skipped: Vec<(&'static str, u64)>,
    /// What cannot be read: each is a fault ([`crate::snapshot::FaultKind::Unreadable`]), and the others go on.
    pub unreadable: Vec<Unreadable>,
}

/// A path that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreadable {
    /// As the user named it, or as it was found below what the user named.
    pub path: PathBuf,
    /// Why, and where there is a way out, which. Does not name the path at its beginning.
    pub message: String,
    /// Nothing is there: who waits for it may find it later.
    pub is_absent: bool,
}

/// Finds the sources that `paths` name: files, directories, globs that no shell has expanded, `-` for standard input.
#[must_use]
pub fn discover(paths: &[PathBuf], options: DiscoverOptions) -> Discovered {
    let mut search = Search::new(options);
    for path in paths {
        search.named(path);
    }
    search.finish()
}

/// The same, but `familiar` files are taken without being opened again, whatever their heads say by now. What was seen of
/// those comes beside.
pub(in crate::input) fn discover_beside(
    paths: &[PathBuf],
    options: DiscoverOptions,
    familiar: HashSet<Identity>,
) -> (Discovered, HashMap<Identity, Metadata>) {
    let mut search = Search { familiar, ..Search::new(options) };
    for path in paths {
        search.named(path);
    }
    let seen = std::mem::take(&mut search.familiar_seen);
    (search.finish(), seen)
}

/// Device and inode.
pub(in crate::input) type Identity = (u64, u64);

/// How a path came to be looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Choice {
    /// The user typed it.
    Named,
    /// The user typed a glob that matches it: as if the shell had expanded it, but for special files.
    Glob,
    /// It stands somewhere below a directory.
    Walk,
}

/// Why something was left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Skip {
    Hidden,
    Binary,
    Compressed,
    SameFile,
    Symlink,
    Special,
    Output,
}

impl Skip {
    const NAMES: [&str; 7] = ["hidden", "binary", "compressed", "same_file", "symlink", "special", "output"];
}

/// A discovery under way.
struct Search {
    options: DiscoverOptions,
    found: Discovered,
    skipped: [u64; Skip::NAMES.len()],
    /// Everything that is in `found.inputs`, and what was refused and is known by more than its name.
    seen: HashSet<Identity>,
    /// Files that somebody reads already.
    familiar: HashSet<Identity>,
    /// How those of them looked that were found.
    familiar_seen: HashMap<Identity, Metadata>,
    devices: Devices,
    /// Files below a directory that are to be looked at, many at once.
    waiting: Vec<PathBuf>,
    /// The file that standard output goes to, if it is one.
    output: Option<Identity>,
    head: Vec<u8>,
}

impl Search {
    fn new(options: DiscoverOptions) -> Self {
        Self {
            options,
            found: Discovered::default(),
            skipped: [0; Skip::NAMES.len()],
            seen: HashSet::new(),
            familiar: HashSet::new(),
            familiar_seen: HashMap::new(),
            devices: HashMap::new(),
            waiting: Vec::new(),
            output: regular_identity(io::stdout()),
            head: vec![0; limits::BINARY_PROBE_BYTES],
        }
    }

    fn finish(mut self) -> Discovered {
        self.found.skipped = Skip::NAMES.into_iter().zip(self.skipped).filter(|&(_, count)| count > 0).collect();
        self.found
    }

    fn named(&mut self, path: &Path) {
        if path.as_os_str() == "-" {
            return self.stdin(path);
        }
        match fs::metadata(path) {
            Ok(metadata) if metadata.is_dir() => self.walk(path),
            Ok(metadata) => self.file(path, &metadata, Choice::Named),
            Err(error) if error.kind() == io::ErrorKind::NotFound => self.missing(path, &error),
            Err(error) => self.refuse(path, describe(&error)),
        }
    }

    fn missing(&mut self, path: &Path, error: &io::Error) {
        if fs::symlink_metadata(path).is_ok() {
            self.absent(path, "A symbolic link to something that does not exist");
        } else if glob::is_glob(path) {
            self.glob(path);
        } else {
            self.absent(path, describe(error));
        }
    }

    fn stdin(&mut self, path: &Path) {
        match identify(io::stdin()) {
            Ok(metadata) if metadata.is_dir() => self.refuse(path, "Standard input is a directory"),
            Ok(metadata) => self.add(path, identity(&metadata), Access::Stream),
            Err(error) => self.refuse(path, describe(&error)),
        }
    }

    /// Takes anything but a directory.
    fn file(&mut self, path: &Path, metadata: &Metadata, choice: Choice) {
        if metadata.is_file() && self.familiar.contains(&identity(metadata)) {
            self.add(path, identity(metadata), Access::Random { size: metadata.size(), identity: identity(metadata) });
            self.familiar_seen.insert(identity(metadata), metadata.clone());
        } else if metadata.is_file() {
            self.regular(path, choice);
        } else if choice != Choice::Named {
            self.skip(Skip::Special);
        } else if metadata.file_type().is_socket() && !is_stdin(path) {
            let message = "A socket cannot be read by its name; pipe it in: socat … - | logweir run -";
            self.refuse_once(path, identity(metadata), message);
        } else {
            self.add(path, identity(metadata), Access::Stream);
        }
    }

    fn regular(&mut self, path: &Path, choice: Choice) {
        let wanted = if choice == Choice::Walk { limits::BINARY_PROBE_BYTES } else { MAGIC_BYTES };
        let probe = Probe::of(path, &mut self.head[..wanted], &self.devices);
        self.judge(path, probe, choice);
    }

    /// Takes a regular file by what was seen of it.
    fn judge(&mut self, path: &Path, probe: io::Result<Probe>, choice: Choice) {
        let Probe { metadata, is_kernel_made, head } = match probe {
            Ok(probe) => probe,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return self.absent(path, describe(&error)),
            Err(error) => return self.refuse_seen(path, describe(&error)),
        };
        if !metadata.is_file() {
            return self.refuse(path, "Was replaced while it was looked at");
        }
        self.devices.insert(metadata.dev(), is_kernel_made);
        if self.seen.contains(&identity(&metadata)) {
            self.skip(Skip::SameFile);
        } else if self.is_own_output(&metadata, choice) {
            self.skip(Skip::Output);
        } else if is_kernel_made {
            match choice {
                Choice::Named => self.add(path, identity(&metadata), Access::Stream),
                Choice::Glob | Choice::Walk => self.skip(Skip::Special),
            }
        } else {
            self.plain(path, &metadata, head, choice);
        }
    }

    /// A regular file of a real file system: its head decides.
    fn plain(&mut self, path: &Path, metadata: &Metadata, head: io::Result<(Head, usize)>, choice: Choice) {
        match (head, choice) {
            (Err(error), _) => self.refuse_once(path, identity(metadata), describe(&error)),
            (Ok((Head::Compressed(..), _)), Choice::Walk) => self.skip(Skip::Compressed),
            (Ok((Head::Binary, _)), Choice::Walk) if !self.options.binary => self.skip(Skip::Binary),
            (Ok((head, read)), _) => match head.refusal(path) {
                Some(message) => self.refuse_once(path, identity(metadata), message),
                None => self.add(path, identity(metadata), access(metadata, read)),
            },
        }
    }

    fn add(&mut self, path: &Path, identity: Identity, access: Access) {
        if self.seen.insert(identity) {
            self.found.inputs.push(Input { path: path.to_owned(), access });
        } else {
            self.skip(Skip::SameFile);
        }
    }

    fn skip(&mut self, reason: Skip) {
        self.skipped[reason as usize] += 1;
    }

    /// Refuses what is known by more than its name: under another one it is the same, as with what can be read.
    fn refuse_once(&mut self, path: &Path, identity: Identity, message: impl Into<String>) {
        if self.seen.insert(identity) {
            self.refuse(path, message);
        } else {
            self.skip(Skip::SameFile);
        }
    }

    /// The same for what can be looked at, if not into.
    fn refuse_seen(&mut self, path: &Path, message: impl Into<String>) {
        match fs::metadata(path) {
            Ok(metadata) => self.refuse_once(path, identity(&metadata), message),
            Err(_) => self.refuse(path, message),
        }
    }

    fn refuse(&mut self, path: &Path, message: impl Into<String>) {
        self.found.unreadable.push(Unreadable { path: path.to_owned(), message: message.into(), is_absent: false });
    }

    /// Refuses what is not there, or not any more.
    fn absent(&mut self, path: &Path, message: impl Into<String>) {
        self.found.unreadable.push(Unreadable { path: path.to_owned(), message: message.into(), is_absent: true });
    }

    /// `logweir run --print … logs > logs/out`: reading what we write would never end well. Where the user named it,
    /// it is the sink that refuses.
    fn is_own_output(&self, metadata: &Metadata, choice: Choice) -> bool {
        choice != Choice::Named && self.output == Some(identity(metadata))
    }
}

/// A file that says it is empty and is not does not know its size (seen with FUSE).
fn access(metadata: &Metadata, head_bytes: usize) -> Access {
    match metadata.size() {
        0 if head_bytes > 0 => Access::Stream,
        size => Access::Random { size, identity: identity(metadata) },
    }
}

fn identity(metadata: &Metadata) -> Identity {
    (metadata.dev(), metadata.ino())
}

fn identify(descriptor: impl AsFd) -> io::Result<Metadata> {
    File::from(descriptor.as_fd().try_clone_to_owned()?).metadata()
}

fn regular_identity(descriptor: impl AsFd) -> Option<Identity> {
    identify(descriptor).ok().filter(Metadata::is_file).map(|metadata| identity(&metadata))
}

/// Sizes are 0 or invented there, nothing can be mapped, and reads may block.
pub(in crate::input) fn is_on_kernel_file_system(file: &File) -> bool {
    // proc, sysfs, debugfs, tracefs, securityfs, cgroup, cgroup2, configfs, pstore, bpf: linux/magic.h.
    const MAGICS: [u32; 10] = [
        0x9fa0,
        0x6265_6572,
        0x6462_6720,
        0x7472_6163,
        0x7363_6673,
        0x0027_e0eb,
        0x6367_7270,
        0x6265_6570,
        0x6165_676c,
        0xcafe_4a11,
    ];
    fstatfs(file).is_ok_and(|found| MAGICS.iter().any(|&magic| found.f_type == magic as FsWord))
}

/// What others write there is seen late, and what is open may go away.
pub(in crate::input) fn is_on_nfs(file: &File) -> bool {
    // linux/magic.h.
    const NFS: u32 = 0x6969;
    fstatfs(file).is_ok_and(|found| found.f_type == NFS as FsWord)
}

/// What the system said, without the number that Rust puts behind it.
pub(crate) fn describe(error: &io::Error) -> String {
    let text = error.to_string();
    match text.split_once(" (os error ") {
        Some((words, _)) => words.to_owned(),
        None => text,
    }
}
