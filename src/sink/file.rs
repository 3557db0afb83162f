//! Opens what records are written to, and writes, telling apart the ways in which writing ends.
//!
//! Opening decides about files that exist, and refuses what is being read. Writing is unbuffered: callers hand over
//! whole blocks. What to do about an error is left to them.

#[cfg(test)]
mod tests;

use std::{
    collections::HashSet,
    fs::{self, File, Metadata, OpenOptions},
    io::{self, Write},
    os::{
        fd::AsFd,
        unix::fs::{FileExt, FileTypeExt, MetadataExt, OpenOptionsExt},
    },
    path::{Path, PathBuf},
    sync::{Arc, atomic::AtomicBool},
};

use rustix::{fs::OFlags, io::Errno};

use super::{
    extent::Extent,
    patience::{Patience, own_terminal},
};
use crate::{
    input::{Access, Input, describe, set_blocking},
    pipeline::{Existing, SinkTarget},
};

/// Something that is open for writing.
#[derive(Debug)]
pub struct Output {
    pub(super) file: File,
    pub(super) name: String,
    pub(super) written: u64,
    /// For regular files: how far it reaches.
    pub(super) extent: Option<Arc<Extent>>,
    /// What was written last does not end a line.
    pub(super) is_open: bool,
    /// Where writing may block for ever.
    patience: Option<Patience>,
}

/// Why something cannot be opened for writing. The message names it.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// It exists, and nobody said what to do about it.
    #[error("{} exists; set `existing = \"append\"` or `existing = \"replace\"` for its sink", .0.display())]
    Exists(PathBuf),
    /// The directory that it should stand in does not exist.
    #[error("{}: the directory {} does not exist", path.display(), parent.display())]
    NoParent {
        /// The file.
        path: PathBuf,
        /// The directory.
        parent: PathBuf,
    },
    /// It is also read: a run that reads what it writes does not end.
    #[error("{0} is also an input; write somewhere else (dead letters: --dead-letters FILE)")]
    IsInput(String),
    /// Another sink writes to it, and each would overwrite the other's records.
    #[error("{0} is written by another sink already; give each its own file")]
    IsOutput(String),
    /// Another process writes to it, and what it does could not be told from what we do.
    #[error("{} is written by another logweir; end it, or write somewhere else", .0.display())]
    Locked(PathBuf),
    /// A named pipe that nobody reads; waiting for somebody could take for ever.
    #[error("{}: a named pipe that nobody reads; start its reader first", .0.display())]
    NoReader(PathBuf),
    /// It is a server: records are posted to it by an engine, not written.
    #[error("{0}: a server is no file to be opened")]
    NoFile(String),
    /// What the system says.
    #[error("{name}: {}", describe(error))]
    Io {
        /// What was to be opened.
        name: String,
        /// Why it could not be.
        #[source]
        error: io::Error,
    },
    /// The newline that ends what stood in the file before could not be written.
    #[error(transparent)]
    Write(#[from] WriteError),
}

/// The ways in which writing ends early.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WriteErrorKind {
    /// The reader has gone (`… | head`): the end, quietly.
    Closed,
    /// Nobody took it for a while after a stop was asked for (see [`Output::heed`]).
    Abandoned,
    /// There is no room: disk or quota.
    Full,
    /// Anything else.
    Other,
}

/// Writing ended early.
#[derive(Debug, thiserror::Error)]
#[error("{name}: {} (after {written} bytes)", describe(error))]
pub struct WriteError {
    /// How.
    pub kind: WriteErrorKind,
    /// What was written to.
    pub name: String,
    /// How many bytes of the buffer at hand the system took before.
    pub taken: usize,
    /// How many bytes it took in all, these included.
    pub written: u64,
    /// What the system says.
    #[source]
    pub error: io::Error,
}

type Identity = (u64, u64);

/// The files that a run reads and writes already, by device and inode.
#[derive(Debug, Clone, Default)]
pub struct InUse {
    inputs: HashSet<Identity>,
    outputs: HashSet<Identity>,
}

impl InUse {
    /// A run that reads `inputs`, and writes nothing yet.
    #[must_use]
    pub fn new(inputs: &[Input]) -> Self {
        Self { inputs: inputs.iter().filter_map(identity_of_input).collect(), outputs: HashSet::new() }
    }

    /// A follower that reads these files, by device and inode.
    pub(crate) fn reading(inputs: impl IntoIterator<Item = (u64, u64)>) -> Self {
        Self { inputs: inputs.into_iter().collect(), outputs: HashSet::new() }
    }

    /// Enters an output, unless it is an input, or an output already. Devices and terminals may be everything at once.
    fn claim(&mut self, name: &str, metadata: &Metadata) -> Result<(), OpenError> {
        if !has_contents(metadata) {
            return Ok(());
        }
        let identity = (metadata.dev(), metadata.ino());
        if self.inputs.contains(&identity) {
            return Err(OpenError::IsInput(name.to_owned()));
        }
        if !self.outputs.insert(identity) {
            return Err(OpenError::IsOutput(name.to_owned()));
        }
        Ok(())
    }
}

fn identity_of_input(input: &Input) -> Option<Identity> {
    if let Access::Random { identity, .. } = input.access {
        return Some(identity);
    }
    let metadata =
        if input.path.as_os_str() == "-" { metadata_of(io::stdin()).ok()? } else { fs::metadata(&input.path).ok()? };
    has_contents(&metadata).then(|| (metadata.dev(), metadata.ino()))
}

/// What is written there can be read there.
fn has_contents(metadata: &Metadata) -> bool {
    metadata.is_file() || metadata.file_type().is_fifo()
}

fn metadata_of(descriptor: impl AsFd) -> io::Result<Metadata> {
    File::from(descriptor.as_fd().try_clone_to_owned()?).metadata()
}

/// Opens `target` for writing, and enters it in `in_use`.
///
/// A file that is to be replaced is emptied only after it has been made sure that it is not an input. A file that is
/// appended to, and whose last line has no newline, gets one first. What is not a regular file (a device, a pipe) is
/// written to as it is, whatever `existing` says.
///
/// # Errors
///
/// See [`OpenError`].
pub fn open(target: &SinkTarget, in_use: &mut InUse) -> Result<Output, OpenError> {
    match target {
        SinkTarget::Stdout => open_stdout(in_use),
        SinkTarget::File { path, existing } => open_file(path, *existing, in_use),
        // It is no file: whoever runs a pipeline starts an `HttpSink` for it.
        SinkTarget::Http(plan) => Err(OpenError::NoFile(plan.shown())),
    }
}

fn open_stdout(in_use: &mut InUse) -> Result<Output, OpenError> {
    let name = "standard output".to_owned();
    let opened = io::stdout().as_fd().try_clone_to_owned().map(File::from).and_then(|file| {
        set_blocking(&file)?;
        let file = own_terminal(file);
        Ok((file.metadata()?, file))
    });
    let (metadata, file) = opened.map_err(|error| OpenError::Io { name: name.clone(), error })?;
    in_use.claim(&name, &metadata)?;
    Ok(Output::new(file, name, &metadata))
}

pub(super) fn open_file(path: &Path, existing: Existing, in_use: &mut InUse) -> Result<Output, OpenError> {
    let name = path.display().to_string();
    let file = match fs::metadata(path) {
        Ok(metadata) if !metadata.is_file() && !metadata.is_dir() => open_special(path),
        _ => open_regular(path, existing),
    };
    let file = file.map_err(|error| open_error(path, error))?;
    let metadata = file.metadata().map_err(|error| open_error(path, error))?;
    in_use.claim(&name, &metadata)?;
    let mut output = Output::new(file, name, &metadata);
    if metadata.is_file() {
        output.prepare(existing, metadata.len())?;
    }
    Ok(output)
}

/// Devices and pipes. Non-blocking, since opening a pipe without a reader would make us wait.
fn open_special(path: &Path) -> io::Result<File> {
    let flags = (OFlags::NONBLOCK | OFlags::NOCTTY).bits();
    OpenOptions::new().write(true).custom_flags(flags.cast_signed()).open(path)
}

fn open_regular(path: &Path, existing: Existing) -> io::Result<File> {
    // Always at its end, wherever that is by then: what others write to it meanwhile stays. Read too, for its last bytes.
    let mut options = OpenOptions::new();
    options.read(true).append(true);
    match existing {
        Existing::Refuse => options.create_new(true),
        // Emptied later.
        Existing::Replace | Existing::Append => options.create(true),
    };
    options.open(path)
}

fn open_error(path: &Path, error: io::Error) -> OpenError {
    match error.kind() {
        io::ErrorKind::AlreadyExists => return OpenError::Exists(path.to_owned()),
        io::ErrorKind::NotFound => {
            let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty() && !parent.exists());
            if let Some(parent) = parent {
                return OpenError::NoParent { path: path.to_owned(), parent: parent.to_owned() };
            }
        }
        _ if error.raw_os_error() == Some(Errno::NXIO.raw_os_error()) => {
            return OpenError::NoReader(path.to_owned());
        }
        _ => {}
    }
    OpenError::Io { name: path.display().to_string(), error }
}

impl Output {
    fn new(file: File, name: String, metadata: &Metadata) -> Self {
        let extent = metadata.is_file().then(|| Arc::new(Extent::new(metadata.len())));
        let patience = Patience::for_type(metadata.file_type());
        Self { file, name, written: 0, extent, is_open: false, patience }
    }

    /// From now on, writing where nobody reads ends soon after `stop` is set; without this, it waits for ever.
    pub fn heed(&mut self, stop: &Arc<AtomicBool>) {
        self.patience.iter_mut().for_each(|patience| patience.heed(Arc::clone(stop)));
    }

    /// Makes a regular file of `length` bytes ready for what comes.
    fn prepare(&mut self, existing: Existing, length: u64) -> Result<(), OpenError> {
        let failed = |name: &str, error| OpenError::Io { name: name.to_owned(), error };
        match existing {
            Existing::Replace => self.cut(0).map_err(|error| failed(&self.name, error))?,
            Existing::Append if length > 0 => {
                let mut last = [0];
                self.file.read_exact_at(&mut last, length - 1).map_err(|error| failed(&self.name, error))?;
                if last != *b"\n" {
                    self.write_all(b"\n")?;
                }
            }
            Existing::Append | Existing::Refuse => {}
        }
        Ok(())
    }

    /// What it is called in messages: its path, or `standard output`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How many bytes the system has taken.
    #[must_use]
    pub fn written(&self) -> u64 {
        self.written
    }

    /// Writes all of `bytes`; returns when the system has taken them.
    ///
    /// # Errors
    ///
    /// If writing ends early. The error says how many of `bytes` the system took.
    pub fn write_all(&mut self, bytes: &[u8]) -> Result<(), WriteError> {
        let mut taken = 0;
        let outcome = self.write_counted(bytes, &mut taken);
        self.written += taken as u64;
        self.is_open = bytes[..taken].last().map_or(self.is_open, |&last| last != b'\n');
        outcome.map_err(|error| WriteError {
            kind: kind_of(&error),
            name: self.name.clone(),
            taken,
            written: self.written,
            error,
        })
    }

    /// Unlike [`Write::write_all`], says in `taken` how far it came.
    fn write_counted(&mut self, bytes: &[u8], taken: &mut usize) -> io::Result<()> {
        while *taken < bytes.len() {
            let left = &bytes[*taken..];
            let count = match &mut self.patience {
                Some(patience) => patience.write(&self.file, left),
                None => self.file.write(left),
            };
            match count {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => {
                    *taken += count;
                    self.extent.iter().for_each(|extent| extent.note(&self.file, count as u64));
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

fn kind_of(error: &io::Error) -> WriteErrorKind {
    match error.kind() {
        io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset => WriteErrorKind::Closed,
        io::ErrorKind::TimedOut => WriteErrorKind::Abandoned,
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => WriteErrorKind::Full,
        _ => WriteErrorKind::Other,
    }
}
