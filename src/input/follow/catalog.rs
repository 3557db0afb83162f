//! Which files are followed: what the paths name now, without what is excluded.

use std::{
    collections::{BTreeSet, HashSet},
    ffi::OsStr,
    fs::Metadata,
    os::unix::{ffi::OsStrExt, fs::MetadataExt},
    path::{Path, PathBuf},
};

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

use super::{FollowError, FollowOptions, tracked::Seen};
use crate::{
    input::{
        Access, DiscoverOptions, Unreadable,
        discover::{Identity, discover_beside, is_glob},
    },
    place::is_put_aside,
};

/// What was found at one moment.
pub(super) struct Found {
    pub(super) files: Vec<FoundFile>,
    pub(super) unreadable: Vec<Unreadable>,
}

/// A file that is to be followed.
#[derive(Debug, Clone)]
pub(super) struct FoundFile {
    pub(super) path: PathBuf,
    pub(super) identity: Identity,
    /// How it looked, if it was familiar.
    pub(super) seen: Option<Seen>,
}

/// Finds files.
pub(super) struct Catalog {
    paths: Vec<PathBuf>,
    /// The same, to be found among thousands.
    named: HashSet<PathBuf>,
    has_globs: bool,
    options: DiscoverOptions,
    whole: GlobSet,
    names: GlobSet,
    ours: Ours,
}

impl Catalog {
    pub(super) fn new(options: &FollowOptions) -> Result<Self, FollowError> {
        let (whole, names): (Vec<_>, Vec<_>) = options.exclude.iter().partition(|pattern| pattern.contains('/'));
        let paths: Vec<PathBuf> = options.paths.iter().filter(|path| path.as_os_str() != "-").cloned().collect();
        let ours = Ours::new(&options.ours, &paths)?;
        let (named, has_globs) = (paths.iter().cloned().collect(), paths.iter().any(|path| is_glob(path)));
        Ok(Self {
            paths,
            named,
            has_globs,
            options: options.discover,
            whole: globs(&whole)?,
            names: globs(&names)?,
            ours,
        })
    }

    /// Files that are written by this process, and never followed from now on.
    pub(super) fn leave_out(&mut self, identities: impl IntoIterator<Item = Identity>) {
        self.ours.files.extend(identities);
    }

    /// Looks what there is. The heads of `familiar` files are not looked at.
    pub(super) fn find(&self, familiar: &BTreeSet<Identity>) -> Found {
        let (found, seen) = discover_beside(&self.paths, self.options, familiar.iter().copied().collect());
        let mut files = Vec::with_capacity(found.inputs.len());
        let mut unreadable = found.unreadable;
        for input in found.inputs.into_iter().filter(|input| !self.is_excluded(&input.path)) {
            match input.access {
                Access::Random { identity, .. } if self.ours.files.contains(&identity) => {}
                Access::Random { identity, .. } => {
                    let seen = seen.get(&identity).map(Seen::of);
                    files.push(FoundFile { path: input.path, identity, seen });
                }
                Access::Stream | Access::Letters => unreadable.extend(self.stream(input.path)),
            }
        }
        // What a directory or a glob turned up, and was removed before it was opened, nobody asked for by its name.
        unreadable.retain(|entry| !self.is_excluded(&entry.path) && (!entry.is_absent || self.is_named(&entry.path)));
        Found { files, unreadable }
    }

    /// Nothing that is read only once and from front to back can be gone on with. A file whose size was 0 a moment ago,
    /// and which had bytes then, has just begun to grow, and is found again in a moment.
    fn stream(&self, path: PathBuf) -> Option<Unreadable> {
        if std::fs::metadata(&path).is_ok_and(|metadata| metadata.is_file() && metadata.len() > 0) {
            return None;
        }
        let message = "not a regular file: it is not opened; pipe it in: cat … | logweir follow -".to_owned();
        Some(Unreadable { path, message, is_absent: false })
    }

    fn is_excluded(&self, path: &Path) -> bool {
        let name = path.file_name().unwrap_or_default();
        self.whole.is_match(path) || self.names.is_match(name) || self.ours.has(path) || self.is_put_aside(path, name)
    }

    /// True for what a sink of ours, in this process or in one before, wrote and put aside: its lines came from here. Who
    /// names such a file wants it.
    fn is_put_aside(&self, path: &Path, name: &OsStr) -> bool {
        is_put_aside(name.as_bytes()) && !self.is_named(path)
    }

    /// False for a path that is none of those that are followed, nor below a directory or matched by a glob.
    pub(super) fn may_have(&self, path: &Path) -> bool {
        let is_below = || path.ancestors().skip(1).any(|above| self.named.contains(above) && above.is_dir());
        (self.is_named(path) || self.has_globs || is_below()) && !self.is_excluded(path)
    }

    /// True for a path that the user named, as it is.
    pub(super) fn is_named(&self, path: &Path) -> bool {
        self.named.contains(path)
    }

    /// What the user named.
    pub(super) fn paths(&self) -> &[PathBuf] {
        &self.paths
    }
}

/// What this process writes.
struct Ours {
    files: BTreeSet<Identity>,
    folders: Vec<PathBuf>,
}

impl Ours {
    fn new(ours: &[PathBuf], followed: &[PathBuf]) -> Result<Self, FollowError> {
        let (folders, files): (Vec<&PathBuf>, Vec<_>) = ours.iter().partition(|path| path.is_dir());
        let files_there = files.iter().filter_map(|path| identity_of(path)).collect();
        let is_file = |path: &&PathBuf| {
            files.contains(path)
                || identity_of(path).is_some_and(|identity| BTreeSet::contains(&files_there, &identity))
        };
        if let Some(path) = followed.iter().find(is_file) {
            return Err(FollowError::IsOutput(path.clone()));
        }
        let folders = folders.into_iter().flat_map(|folder| spellings(folder, followed)).collect();
        Ok(Self { files: files_there, folders })
    }

    fn has(&self, path: &Path) -> bool {
        self.folders.iter().any(|folder| path.starts_with(folder))
    }
}

/// What `folder` may be called by whoever walks down from one of `followed`.
fn spellings(folder: &Path, followed: &[PathBuf]) -> Vec<PathBuf> {
    let Ok(whole) = folder.canonicalize() else { return vec![folder.to_owned()] };
    let below = followed.iter().filter_map(|path| Some(path.join(whole.strip_prefix(path.canonicalize().ok()?).ok()?)));
    let mut spellings: Vec<PathBuf> = below.collect();
    spellings.extend([folder.to_owned(), whole]);
    spellings
}

fn identity_of(path: &Path) -> Option<Identity> {
    let metadata = std::fs::metadata(path).ok().filter(Metadata::is_file)?;
    Some((metadata.dev(), metadata.ino()))
}

fn globs(patterns: &[&String]) -> Result<GlobSet, FollowError> {
    let mut set = GlobSetBuilder::new();
    for pattern in patterns {
        let refused = |error: &globset::Error| FollowError::Exclude {
            pattern: (*pattern).clone(),
            reason: error.kind().to_string(),
        };
        let glob = GlobBuilder::new(pattern).literal_separator(pattern.contains('/')).build();
        set.add(glob.map_err(|error| refused(&error))?);
    }
    set.build().map_err(|error| FollowError::Exclude { pattern: patterns.len().to_string(), reason: error.to_string() })
}
