//! Places in files that are not open: what the state knows of them, by device and inode.

use std::collections::BTreeMap;

use crate::{
    input::discover::Identity,
    place::{FileId, KnownFile},
};

/// Files that are known, each found at once among thousands.
#[derive(Debug, Default)]
pub(super) struct Known(BTreeMap<Identity, Vec<KnownFile>>);

impl FromIterator<KnownFile> for Known {
    fn from_iter<I: IntoIterator<Item = KnownFile>>(files: I) -> Self {
        let mut known = Self::default();
        files.into_iter().for_each(|file| known.put(file));
        known
    }
}

impl Known {
    /// Adds a file; what was known of it is forgotten.
    pub(super) fn put(&mut self, file: KnownFile) {
        let files = self.0.entry(identity(file.mark.id)).or_default();
        files.retain(|known| known.mark.id != file.mark.id);
        files.push(file);
    }

    /// The file `id`.
    pub(super) fn get(&self, id: FileId) -> Option<&KnownFile> {
        self.0.get(&identity(id))?.iter().find(|known| known.mark.id == id)
    }

    /// A file that had the inode of `id`.
    pub(super) fn with_inode_of(&self, id: FileId) -> Option<&KnownFile> {
        self.0.get(&identity(id))?.first()
    }

    /// Forgets all files that ever had the inode of `id`, and returns them.
    pub(super) fn take_inode_of(&mut self, id: FileId) -> Vec<KnownFile> {
        self.0.remove(&identity(id)).unwrap_or_default()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &KnownFile> {
        self.0.values().flatten()
    }

    pub(super) fn identities(&self) -> impl Iterator<Item = Identity> {
        self.0.keys().copied()
    }
}

/// Device and inode.
pub(super) fn identity(id: FileId) -> Identity {
    (id.device, id.inode)
}
