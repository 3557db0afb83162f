//! Which file an open file is: device, inode, and the inode's generation, which a file system changes when it gives an
//! inode to another file; and how old it is.

use std::{
    ffi::c_long,
    fs::{File, Metadata},
    io,
    os::unix::fs::MetadataExt,
    time::UNIX_EPOCH,
};

use rustix::ioctl::{Getter, ioctl, opcode};

use crate::place::{Age, FileId};

/// `FS_IOC_GETVERSION`.
const GET_VERSION: rustix::ioctl::Opcode = opcode::read::<c_long>(b'v', 1);

/// The identity of `file`.
pub(crate) fn file_id(file: &File) -> io::Result<FileId> {
    let metadata = file.metadata()?;
    Ok(FileId { device: metadata.dev(), inode: metadata.ino(), generation: generation(file) })
}

impl Age {
    /// How old the file of `metadata` is.
    pub(super) fn of(metadata: &Metadata) -> Self {
        let created = metadata.created().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        let created = created.and_then(|time| i64::try_from(time.as_nanos()).ok());
        let modified = metadata.mtime().saturating_mul(1_000_000_000).saturating_add(metadata.mtime_nsec());
        Self { created, modified, size: metadata.size() }
    }
}

fn generation(file: &File) -> Option<u32> {
    // SAFETY: the request reads a number, and whether the kernel takes it for an int or for a long, a long has room.
    let version = unsafe { ioctl(file, Getter::<GET_VERSION, c_long>::new()) };
    version.ok().map(|version| version as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_itself_by_any_name_and_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        std::fs::write(&path, "x").unwrap();
        let first = file_id(&File::open(&path).unwrap()).unwrap();
        std::fs::rename(&path, folder.path().join("b")).unwrap();
        assert_eq!(file_id(&File::open(folder.path().join("b")).unwrap()).unwrap(), first);
        std::fs::write(&path, "x").unwrap();
        assert_ne!(file_id(&File::open(&path).unwrap()).unwrap(), first);
    }
}
