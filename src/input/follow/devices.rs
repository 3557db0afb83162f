//! Device numbers: a system may give a file system another one whenever it starts, or mounts it. A file that is known under
//! the old number is known under the new one, where its path, or its directory, its inode and its bytes say that it is the
//! same.

use std::{
    collections::HashMap,
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use super::{PlaceChange, identity::file_id, known::identity, listing::Listings, rotation::folder_of, tail::Tail};
use crate::{
    input::discover::{Identity, open_at_once},
    place::{FileId, KnownFile, Mark},
};

/// `known` with the device numbers of now, and what of that the state does not know yet.
pub(super) fn as_of_now(known: &[KnownFile], listings: &mut Listings) -> (Vec<KnownFile>, Vec<PlaceChange>) {
    let mut devices = HashMap::new();
    let mut now: Vec<KnownFile> = known.to_vec();
    let mut moved: Vec<usize> = Vec::new();
    for (number, file) in known.iter().enumerate() {
        if let Some(id) = id_of_now(file, listings, &mut devices) {
            now[number].mark.id = id;
            moved.push(number);
        }
    }
    // Two places in one file cannot both be right: what was known of it under its present number is younger.
    let mut count = HashMap::<Identity, usize>::new();
    now.iter().for_each(|file| *count.entry(identity(file.mark.id)).or_default() += 1);
    moved.retain(|&number| {
        let is_alone = count[&identity(now[number].mark.id)] == 1;
        if !is_alone {
            now[number].mark.id = known[number].mark.id;
        }
        is_alone
    });
    let forgotten = moved.iter().map(|&number| PlaceChange::Forgotten(known[number].mark.id));
    // In this order: two file systems may have changed their numbers for each other's.
    let changes = forgotten.chain(moved.iter().map(|&number| PlaceChange::Placed(now[number].clone()))).collect();
    (now, changes)
}

/// What a known file is called now, if its device has another number.
fn id_of_now(
    known: &KnownFile,
    listings: &mut Listings,
    devices: &mut HashMap<PathBuf, Option<u64>>,
) -> Option<FileId> {
    let id = known.mark.id;
    if let Ok(metadata) = fs::metadata(&known.path) {
        match (metadata.dev() == id.device, metadata.ino() == id.inode) {
            (true, true) => return None,
            (false, true) => {
                if let Some(id) = proven(&known.path, &known.mark, true) {
                    return Some(id);
                }
            }
            _ => {}
        }
    }
    let folder = folder_of(&known.path);
    let device = devices.entry(folder.to_owned()).or_insert_with(|| Some(fs::metadata(folder).ok()?.dev()));
    // On the same device it is found in its directory without our help.
    if device.is_none_or(|device| device == id.device) {
        return None;
    }
    let others = listings.with_inode(folder, id.inode).ok()?;
    others.iter().find_map(|(_, name)| proven(&known.path.with_file_name(name), &known.mark, false))
}

/// The identity of the file at `path`, if it is what it was at `mark` but for its device.
fn proven(path: &Path, mark: &Mark, is_in_place: bool) -> Option<FileId> {
    let metadata = fs::metadata(path).ok()?;
    if !metadata.is_file() || metadata.ino() != mark.id.inode || metadata.dev() == mark.id.device {
        return None;
    }
    let file = open_at_once(path).ok()?;
    let id = file_id(&file).ok()?;
    let generations = id.generation.zip(mark.id.generation);
    // Where there were no bytes yet there is nothing that proves it but its path, or the number of its inode's generation.
    let is_known = mark.offset > 0 || is_in_place || generations.is_some();
    let is_same = is_known && generations.is_none_or(|(one, other)| one == other);
    is_same.then(|| Tail::proven(&file, id, &Mark { id, ..*mark }).ok().flatten())?.map(|_| id)
}
