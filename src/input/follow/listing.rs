//! What stands in directories: each is read once for thousands of questions, as long as nothing in it changes.

use std::{
    collections::HashMap,
    ffi::{OsStr, OsString},
    fs, io,
    os::unix::{ffi::OsStrExt, fs::MetadataExt},
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use crate::input::discover::Identity;

/// A directory that was changed so short a time before it was read may have changed once more within the same tick of the
/// clock that files are stamped by, and is read again.
const TICK: Duration = Duration::from_millis(20);

/// Directories that were read.
#[derive(Debug, Default)]
pub(super) struct Listings(HashMap<PathBuf, Listing>);

#[derive(Debug)]
struct Listing {
    modified: SystemTime,
    is_settled: bool,
    /// In order.
    names: Vec<OsString>,
    by_inode: Option<HashMap<u64, Vec<(Identity, OsString)>>>,
}

impl Listing {
    fn read(folder: &Path, modified: SystemTime) -> io::Result<Self> {
        let is_settled = SystemTime::now().duration_since(modified).is_ok_and(|age| age > TICK);
        let mut names: Vec<OsString> = fs::read_dir(folder)?.flatten().map(|entry| entry.file_name()).collect();
        names.sort_unstable();
        Ok(Self { modified, is_settled, names, by_inode: None })
    }

    fn by_inode(&mut self, folder: &Path) -> &HashMap<u64, Vec<(Identity, OsString)>> {
        let names = &self.names;
        self.by_inode.get_or_insert_with(|| {
            let mut all = HashMap::<u64, Vec<_>>::new();
            for name in names {
                if let Ok(metadata) = fs::metadata(folder.join(name)) {
                    all.entry(metadata.ino()).or_default().push(((metadata.dev(), metadata.ino()), name.clone()));
                }
            }
            all
        })
    }
}

impl Listings {
    fn of(&mut self, folder: &Path) -> io::Result<&mut Listing> {
        let modified = fs::metadata(folder)?.modified()?;
        let is_fresh = self.0.get(folder).is_some_and(|listing| listing.is_settled && listing.modified == modified);
        if !is_fresh {
            self.0.insert(folder.to_owned(), Listing::read(folder, modified)?);
        }
        self.0.get_mut(folder).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    /// Names in `folder` that begin with `prefix`, in order.
    pub(super) fn names(&mut self, folder: &Path, prefix: &[u8]) -> io::Result<Vec<OsString>> {
        let names = &self.of(folder)?.names;
        let first = names.partition_point(|name| name.as_bytes() < prefix);
        let rest = names[first..].iter();
        Ok(rest.take_while(|name| name.as_bytes().starts_with(prefix)).cloned().collect())
    }

    /// What had the inode `inode` in `folder`, on whichever device.
    pub(super) fn with_inode(&mut self, folder: &Path, inode: u64) -> io::Result<Vec<(Identity, OsString)>> {
        Ok(self.of(folder)?.by_inode(folder).get(&inode).cloned().unwrap_or_default())
    }

    /// Forgets them: they are worth their memory only while many questions are asked.
    pub(super) fn clear(&mut self) {
        self.0 = HashMap::new();
    }
}

/// What all names begin with that a rotation may make of `base`.
pub(super) fn stem(base: &OsStr) -> &[u8] {
    let base = base.as_bytes();
    let dot = base.iter().rposition(|&byte| byte == b'.').filter(|&dot| dot > 0);
    &base[..dot.unwrap_or(base.len())]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_is_read_again_when_it_has_changed() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        ["app.log", "app.log.1", "apple", "b"].iter().for_each(|name| fs::write(path(name), "x").unwrap());
        let mut listings = Listings::default();
        for is_settled in [false, true] {
            if is_settled {
                std::thread::sleep(TICK * 2);
            }
            assert_eq!(listings.names(folder.path(), b"app.log").unwrap(), ["app.log", "app.log.1"]);
            let inode = fs::metadata(path("b")).unwrap().ino();
            assert_eq!(listings.with_inode(folder.path(), inode).unwrap()[0].1, "b");
            fs::rename(path("b"), path("app.log.2")).unwrap();
            assert_eq!(listings.with_inode(folder.path(), inode).unwrap()[0].1, "app.log.2", "{is_settled}");
            assert_eq!(listings.names(folder.path(), stem(OsStr::new("app.log"))).unwrap().len(), 4);
            fs::rename(path("app.log.2"), path("b")).unwrap();
        }
        assert!(listings.names(&path("no"), b"").is_err());
    }
}
