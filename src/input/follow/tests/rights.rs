//! Rights of files, as everybody has them but root.

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt,
    path::Path,
};

use fastrand::Rng;
use rustix::{
    process::{Uid, geteuid},
    thread::set_thread_res_uid,
};

/// Nobody.
const NOBODY: u32 = 65_534;

/// While it lives, this thread has no more rights than anybody.
pub(super) struct Rights {
    before: Option<Uid>,
}

impl Rights {
    /// The rights of nobody, if they are those of root; only for this thread, as Linux has it.
    pub(super) fn without_root() -> Self {
        let before = geteuid();
        if !before.is_root() {
            return Self { before: None };
        }
        set_thread_res_uid(None, Uid::from_raw(NOBODY), None).unwrap();
        Self { before: Some(before) }
    }
}

impl Drop for Rights {
    fn drop(&mut self) {
        if let Some(before) = self.before {
            set_thread_res_uid(None, before, None).unwrap();
        }
    }
}

/// Takes all rights of a file, or of the directory: an open file can still be read, and nothing is gone. Returns its name.
pub(super) fn take_one(folder: &Path, rng: &mut Rng) -> String {
    let mut paths = vec![folder.to_owned()];
    paths.extend(fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()));
    paths.sort();
    let path = &paths[rng.usize(0..paths.len())];
    set(path, 0);
    path.file_name().unwrap().display().to_string()
}

/// Gives back all rights of all files.
pub(super) fn give_back(folder: &Path) {
    open_folder(folder);
    fs::read_dir(folder).unwrap().for_each(|entry| set(&entry.unwrap().path(), 0o644));
}

/// Gives back the rights of the directory.
pub(super) fn open_folder(folder: &Path) {
    set(folder, 0o755);
}

fn set(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}
