//! A file as memory. The only place where a file is mapped, and where its truncation is survived.
//!
//! Touching a page of a mapping that the file no longer reaches raises SIGBUS. The program (never the library by
//! itself) installs a handler that asks [`survive_bus_error`]: if the fault lies in the block that this thread is
//! reading, a page of zeros is put there and the block is marked. Whoever reads asks [`Mapped::is_intact`] before
//! anything that was made of the block is published, and throws it away if it is not.

use std::{
    cell::{Cell, RefCell},
    fs::File,
    io,
    ops::Range,
    ptr,
    sync::atomic::{AtomicBool, Ordering},
};

use memmap2::{Advice, Mmap, UncheckedAdvice};

use super::Window;

thread_local! {
    /// Where the block that this thread reads stands in memory. Constant initialisers and no destructors: reading them
    /// in a signal handler neither allocates nor registers anything.
    static READING: Cell<(usize, usize)> = const { Cell::new((0, 0)) };
    static HIT: AtomicBool = const { AtomicBool::new(false) };
}

/// How far apart the ends of what was looked at may be before all of it is let go of.
///
/// Letting go of each block by itself cost 15 ms of 108 for a file of 1 GiB: every time the other processors are told to
/// forget the addresses, and where the page cache holds huge pages each is taken apart. Never letting go costs nothing at
/// all, but shows the whole file as resident memory.
const SPENT_BYTES: usize = 8 << 20;

/// A mapped file.
pub(super) struct Mapped {
    file: File,
    map: Mmap,
    /// What was looked at and is still in place; everything outside of it is not.
    spent: RefCell<Range<usize>>,
}

impl Mapped {
    /// Maps the first `size` bytes of `file`.
    ///
    /// # Safety
    ///
    /// While it lives, either nobody truncates the file, or a handler for SIGBUS is installed that calls
    /// [`survive_bus_error`] and returns where that returns true, and [`Window::is_intact`] is asked before anything
    /// that was made of the bytes is believed. Bytes that others write meanwhile may be seen half written: they are
    /// never taken for more than bytes.
    pub(super) unsafe fn new(file: File, size: u64) -> io::Result<Self> {
        let length = usize::try_from(size).map_err(io::Error::other)?;
        // SAFETY: the caller's promise.
        let map = unsafe { memmap2::MmapOptions::new().len(length).map(&file)? };
        // Failing costs read-ahead only.
        let _ = map.advise(Advice::Sequential);
        HIT.with(|hit| hit.store(false, Ordering::Relaxed));
        Ok(Self { file, map, spent: RefCell::default() })
    }
}

impl Drop for Mapped {
    /// Something else may be mapped here next, and its faults are not ours.
    fn drop(&mut self) {
        READING.set((0, 0));
    }
}

impl Window for Mapped {
    fn fetch<'a>(&'a self, range: Range<u64>, buffer: &'a mut Vec<u8>) -> io::Result<&'a [u8]> {
        Ok(self.view(range, buffer))
    }

    fn view<'a>(&'a self, range: Range<u64>, _: &'a [u8]) -> &'a [u8] {
        let bytes = &self.map[range.start as usize..range.end as usize];
        READING.set((bytes.as_ptr() as usize, bytes.as_ptr() as usize + bytes.len()));
        bytes
    }

    /// The block stays the one that is being read: what was seen of it is asked about in the middle too.
    fn is_intact(&self, end: u64) -> bool {
        let is_hit = HIT.with(|hit| hit.load(Ordering::Acquire));
        !is_hit && self.file.metadata().is_ok_and(|metadata| metadata.len() >= end)
    }

    /// Gives pages back, many blocks at once: memory stays small, and the end of the process has nothing to undo.
    fn release(&self, bytes: &[u8]) {
        let start = bytes.as_ptr() as usize - self.map.as_ptr() as usize;
        let mut spent = self.spent.borrow_mut();
        *spent = if spent.is_empty() { start } else { spent.start.min(start) }..spent.end.max(start + bytes.len());
        if spent.len() < SPENT_BYTES {
            return;
        }
        let page = rustix::param::page_size();
        let Range { start, end } = std::mem::take(&mut *spent);
        let (first, end) = (start / page * page, end.next_multiple_of(page).min(self.map.len()));
        // SAFETY: the mapping is of a file, read-only and shared: pages that are dropped come back as they were.
        let dropped = unsafe { self.map.unchecked_advise_range(UncheckedAdvice::DontNeed, first, end - first) };
        // Failing costs memory only.
        let _ = dropped;
    }
}

/// For a SIGBUS handler: true if `address` lies in the block that this thread reads from a mapping; a page of zeros is
/// then there, and the block will be read again by other means. False if the fault is somebody else's.
///
/// Async-signal-safe: it touches two thread-local words and makes one system call.
#[must_use]
pub fn survive_bus_error(address: usize) -> bool {
    let (start, end) = READING.get();
    if !(start..end).contains(&address) {
        return false;
    }
    // Before the zeros are there, so that nobody who saw them can miss it.
    HIT.with(|hit| hit.store(true, Ordering::Release));
    let page = rustix::param::page_size();
    let place = ptr::without_provenance_mut(address & !(page - 1));
    let protection = rustix::mm::ProtFlags::READ;
    let flags = rustix::mm::MapFlags::PRIVATE | rustix::mm::MapFlags::FIXED;
    // SAFETY: the page belongs to a mapping of this thread's, which is alive while its block is being read, and whose
    // bytes there cannot be read any more anyway.
    unsafe { rustix::mm::mmap_anonymous(place, page, protection, flags).is_ok() }
}
