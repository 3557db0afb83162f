//! Places in files that are not open: what the state knows of them, by device and inode.

use std::collections::BTreeMap;

use crate::{
    input::discover::Identity,
    place::{Age, FileId, KnownFile},
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

    /// The file that is `id` now, and of this `age`; one that is known by exactly that before one that may be it.
    pub(super) fn same(&self, id: FileId, age: &Age) -> Option<&KnownFile> {
        let all = self.0.get(&identity(id))?.iter().filter(|known| !known.mark.is_of_another(id, age));
        all.max_by_key(|known| known.mark.id == id)
    }

    /// What is missing of the file `id` if it is gone is said elsewhere, or is not.
    pub(super) fn set_over(&mut self, id: FileId, is_over: bool) {
        let files = self.0.get_mut(&identity(id)).into_iter().flatten();
        files.filter(|known| known.mark.id == id).for_each(|known| known.mark.is_over = is_over);
    }

    /// Forgets the file `id`.
    pub(super) fn take(&mut self, id: FileId) {
        if let Some(files) = self.0.get_mut(&identity(id)) {
            files.retain(|known| known.mark.id != id);
            if files.is_empty() {
                self.0.remove(&identity(id));
            }
        }
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
