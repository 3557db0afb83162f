//! What followed files are called: in checkpoints from the root, so that it does not matter where the next process is
//! started; else as the user names them.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
};

use crate::{place::KnownFile, store::Checkpoint};

/// What makes a part of a path one that several names match.
const WILD: [char; 4] = ['*', '?', '[', '{'];

/// `checkpoint` with all paths from the root. Older ones may have others, which count from where this process was started.
pub(super) fn whole_paths(mut checkpoint: Checkpoint) -> Checkpoint {
    let whole = |path: &mut PathBuf| *path = std::path::absolute(&*path).unwrap_or_else(|_| path.clone());
    checkpoint.files.iter_mut().for_each(|file| whole(&mut file.path));
    checkpoint.sinks.iter_mut().for_each(|sink| whole(&mut sink.path));
    // One file cannot have two lengths: that of the last session stands first.
    let mut seen = std::collections::HashSet::new();
    checkpoint.sinks.retain(|sink| seen.insert(sink.path.clone()));
    checkpoint
}

/// `known`, each by the name under which it is found when `paths` are followed.
pub(super) fn as_named(paths: &[PathBuf], known: &[KnownFile]) -> Vec<KnownFile> {
    let mut folders = HashMap::<PathBuf, (usize, &Path)>::new();
    for (order, (whole, typed)) in paths.iter().flat_map(|path| self::folders(path)).enumerate() {
        folders.entry(whole).or_insert((order, typed));
    }
    let named = |path: &Path| {
        // What was named first counts.
        let above =
            path.ancestors().filter_map(|above| folders.get(above).map(|&(order, typed)| (order, typed, above)));
        let (_, typed, above) = above.min_by_key(|&(order, ..)| order)?;
        Some(typed.join(path.strip_prefix(above).ok()?))
    };
    known
        .iter()
        .map(|file| KnownFile { path: named(&file.path).unwrap_or_else(|| file.path.clone()), mark: file.mark })
        .collect()
}

/// The folders in which files stand that `path` names, from the root and as they were typed: itself, if it is one, and the
/// one that it stands in.
fn folders(path: &Path) -> Vec<(PathBuf, &Path)> {
    let is_wild = |path: &Path| path.to_string_lossy().contains(WILD);
    let typed = path.ancestors().find(|ancestor| !is_wild(ancestor)).unwrap_or(Path::new(""));
    let parent = if typed == path { typed.parent() } else { None };
    let whole = |typed: &Path| {
        let named = if typed.as_os_str().is_empty() { Path::new(".") } else { typed };
        std::path::absolute(named)
    };
    let is_folder = |typed: &&Path| typed.is_dir() || typed.as_os_str().is_empty();
    let folders = [Some(typed).filter(is_folder), parent].into_iter().flatten();
    folders.filter_map(|typed| Some((whole(typed).ok()?, typed))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::place::{FileId, Mark, Print};

    fn known(path: impl Into<PathBuf>) -> KnownFile {
        let id = FileId { device: 1, inode: 2, generation: None };
        KnownFile {
            path: path.into(),
            mark: Mark {
                id,
                head: Print::default(),
                offset: 0,
                tail: Print::default(),
                age: None,
                is_over: false,
                epoch: 0,
            },
        }
    }

    #[test]
    fn files_are_called_as_the_user_calls_them() {
        let here = std::env::current_dir().unwrap();
        for (typed, stands, called) in [
            ("app.log", "app.log.1", "app.log.1"),
            ("src", "src/deep/app.log", "src/deep/app.log"),
            ("src/app.log", "src/app.log", "src/app.log"),
            ("src/*.log", "src/app.log", "src/app.log"),
            ("*.log", "app.log", "app.log"),
        ] {
            let paths = [PathBuf::from("-"), PathBuf::from("/elsewhere/x.log"), PathBuf::from(typed)];
            assert_eq!(as_named(&paths[1..], &[known(here.join(stands))])[0].path, Path::new(called), "{typed}");
            let whole = here.join(typed);
            assert_eq!(as_named(&[whole], &[known(here.join(stands))])[0].path, here.join(stands), "{typed}");
        }
        assert_eq!(as_named(&[], &[known("/a/b")])[0].path, Path::new("/a/b"));
    }
}
