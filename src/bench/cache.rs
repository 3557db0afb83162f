//! The page cache: which share of a file is in it, and letting go of it.

use std::{fs::File, os::fd::AsRawFd, path::Path, ptr};

use rustix::fs::{Advice, fadvise};

/// Pages that are asked about at once: 64 GiB would need a table of 16 MiB.
const PAGES: usize = 1 << 16;

/// Asks the system to let go of what it keeps of the file. It may keep pages that are mapped, dirty or busy.
pub(super) fn drop_file(path: &Path) {
    if let Ok(file) = File::open(path) {
        // Pages that are not written yet stay.
        let _ = file.sync_data();
        let _ = fadvise(&file, 0, None, Advice::DontNeed);
    }
}

/// Lets go of the whole page cache; false where that is not allowed.
pub(super) fn drop_all() -> bool {
    rustix::fs::sync();
    std::fs::write("/proc/sys/vm/drop_caches", "1").is_ok()
}

/// Pages of the file that are in memory, and how many it has; `None` where the system does not say, as it does not say
/// about files of others.
pub(super) fn resident(path: &Path) -> Option<(u64, u64)> {
    // Linux answers "all" about files that one may not write.
    let file = File::options().read(true).write(true).open(path).ok()?;
    let bytes = usize::try_from(file.metadata().ok()?.len()).ok()?;
    let page = rustix::param::page_size();
    let (mut present, mut table) = (0, vec![0_u8; PAGES]);
    for start in (0..bytes).step_by(PAGES * page) {
        let length = (bytes - start).min(PAGES * page);
        let pages = length.div_ceil(page);
        if !resident_in(&file, start, length, &mut table[..pages]) {
            return None;
        }
        present += table[..pages].iter().filter(|&&state| state & 1 == 1).count() as u64;
    }
    Some((present, bytes.div_ceil(page) as u64))
}

/// Fills `table`, a byte a page, for a range of the file. False if the system does not want to.
fn resident_in(file: &File, start: usize, length: usize, table: &mut [u8]) -> bool {
    let Ok(offset) = libc::off_t::try_from(start) else { return false };
    // SAFETY: a new mapping at a place of the system's choice; it is never read, and so it does not matter what becomes
    // of the file.
    let address =
        unsafe { libc::mmap(ptr::null_mut(), length, libc::PROT_READ, libc::MAP_SHARED, file.as_raw_fd(), offset) };
    if address == libc::MAP_FAILED {
        return false;
    }
    // SAFETY: the mapping is as long as is said, and the table has a byte for each of its pages.
    let answer = unsafe { libc::mincore(address, length, table.as_mut_ptr()) };
    // SAFETY: it is the mapping that was made above, and nobody else knows of it.
    unsafe { libc::munmap(address, length) };
    answer == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_just_written_is_in_memory() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("file");
        std::fs::write(&path, vec![1; 100_000]).expect("it is ours");
        let pages = 100_000_u64.div_ceil(rustix::param::page_size() as u64);
        // Some systems do not tell; then it is not said.
        if let Some((present, all)) = resident(&path) {
            assert_eq!(all, pages);
            assert!(present <= all);
            drop_file(&path);
            let (left, _) = resident(&path).expect("it told before");
            assert!(left <= present);
        }
        assert_eq!(resident(Path::new("/no/such/file")), None);
    }
}
