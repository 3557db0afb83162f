//! Which file an open file is: device, inode, and the inode's generation, which a file system changes when it gives an
//! inode to another file.

use std::{ffi::c_long, fs::File, io, os::unix::fs::MetadataExt};

use rustix::ioctl::{Getter, ioctl, opcode};

use crate::place::FileId;

/// `FS_IOC_GETVERSION`.
const GET_VERSION: rustix::ioctl::Opcode = opcode::read::<c_long>(b'v', 1);

/// The identity of `file`.
pub(crate) fn file_id(file: &File) -> io::Result<FileId> {
    let metadata = file.metadata()?;
    Ok(FileId { device: metadata.dev(), inode: metadata.ino(), generation: generation(file) })
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
