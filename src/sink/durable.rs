//! What a loss of power must not take: the names of files that were made, and what files hold that the system could not
//! write.

use std::{
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use jiff::Timestamp;

use crate::place::SUSPECT;

/// Makes sure of the name `path`: a file that was just made is there after a power loss only if its directory was synced.
pub(super) fn sync_parent(path: &Path) -> io::Result<()> {
    let path = fs::canonicalize(path)?;
    let Some(parent) = path.parent().filter(|_| !path.starts_with("/dev") && !path.starts_with("/proc")) else {
        return Ok(());
    };
    match File::open(parent) {
        // Files may be made in it, but it may not be looked into: then its owner has to make sure of it.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(()),
        opened => opened?.sync_all(),
    }
}

/// Puts a file aside that could not be synced: what the system did not write of it may be gone, and it says so only once.
/// It is cut to `length`, up to where it was synced before. Returns its new path; none where `path` is another file by
/// now.
///
/// # Errors
///
/// If the system refuses.
pub(crate) fn put_aside(path: &Path, identity: (u64, u64), length: Option<u64>) -> io::Result<Option<PathBuf>> {
    // A link stays, and leads to the new file.
    let Ok(path) = fs::canonicalize(path) else { return Ok(None) };
    let file = OpenOptions::new().write(true).open(&path)?;
    let metadata = file.metadata()?;
    if (metadata.dev(), metadata.ino()) != identity {
        return Ok(None);
    }
    // Before it has another name: whoever is interrupted here finds it as it is after any crash.
    if let Some(length) = length.filter(|length| metadata.len() > *length) {
        file.set_len(length)?;
        // For the length alone. Its contents are those that were synced before, whatever is said now.
        let _ = file.sync_all();
    }
    let aside = free_name(&path);
    fs::rename(&path, &aside)?;
    sync_parent(&aside)?;
    Ok(Some(aside))
}

/// `path` and the time, and a number where that is taken.
fn free_name(path: &Path) -> PathBuf {
    let time = Timestamp::now().strftime("%Y%m%dT%H%M%SZ");
    let named = |number: u32| {
        let again = if number > 1 { format!("-{number}") } else { String::new() };
        let mut name = path.as_os_str().to_owned();
        name.push(format!("{SUSPECT}{time}{again}"));
        PathBuf::from(name)
    };
    let free = (1..).map(named).find(|aside| aside.symlink_metadata().is_err());
    free.expect("numbers do not run out")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::place::is_put_aside;

    #[test]
    fn what_is_put_aside_keeps_what_was_synced_and_overwrites_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out");
        let mut seen = Vec::new();
        for _ in 0..3 {
            fs::write(&path, "sure\nnot sure\n").unwrap();
            let metadata = fs::metadata(&path).unwrap();
            let identity = (metadata.dev(), metadata.ino());
            assert_eq!(put_aside(&path, (identity.0, identity.1 + 1), Some(5)).unwrap(), None, "another file");
            let aside = put_aside(&path, identity, Some(5)).unwrap().expect("it was there");
            assert_eq!(fs::read_to_string(&aside).unwrap(), "sure\n");
            assert!(aside.to_string_lossy().contains("out.suspect-2") && !path.exists(), "{aside:?}");
            assert!(!seen.contains(&aside), "{aside:?}");
            assert!(is_put_aside(aside.as_os_str().as_encoded_bytes()), "who follows has to know it: {aside:?}");
            seen.push(aside);
        }
    }

    #[test]
    fn what_is_written_at_least_once_is_put_aside_whole() {
        let folder = tempfile::tempdir().unwrap();
        let (path, link) = (folder.path().join("out"), folder.path().join("link"));
        fs::write(&path, "letter\n").unwrap();
        std::os::unix::fs::symlink("out", &link).unwrap();
        let metadata = fs::metadata(&path).unwrap();
        let aside = put_aside(&link, (metadata.dev(), metadata.ino()), None).unwrap().expect("it was there");
        assert_eq!(fs::read_to_string(aside).unwrap(), "letter\n");
        assert!(!path.exists() && link.symlink_metadata().is_ok());
    }
}
