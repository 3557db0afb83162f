//! The floor: maps a file, counts its newlines with `memchr` on all cores, and exits.
//!
//! Whoever looks at every byte of a file once takes at least so long, start and exit included. `benches/peers` measures
//! against it. Run by `cargo bench --bench floor -- --count FILE [THREADS]`; without `--count`, as where all benches run, it
//! does nothing.

use std::{
    fs::File,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

use memmap2::Mmap;

/// What a thread takes at once: logweir's own block, so that the difference is the work and not the cut.
const PART_BYTES: usize = logweir::limits::BLOCK_BYTES;

fn main() {
    let mut arguments = std::env::args().skip_while(|argument| argument != "--count").skip(1);
    let Some(path) = arguments.next() else { return };
    let threads = arguments
        .next()
        .filter(|argument| argument != "--bench")
        .map(|number| number.parse().expect("a number of threads"));
    let threads = threads.unwrap_or_else(|| thread::available_parallelism().map_or(1, usize::from));
    let file = File::open(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    // SAFETY: what becomes of a count when somebody writes to the file meanwhile does not matter, and nobody truncates it.
    let map = unsafe { Mmap::map(&file) }.unwrap_or_else(|error| panic!("{path}: {error}"));
    println!("{}", count(&map, threads));
}

fn count(bytes: &[u8], threads: usize) -> usize {
    let next = AtomicUsize::new(0);
    let work = || {
        let mut lines = 0;
        while let Some(rest) = bytes.get(next.fetch_add(PART_BYTES, Ordering::Relaxed)..) {
            if rest.is_empty() {
                break;
            }
            lines += memchr::memchr_iter(b'\n', &rest[..rest.len().min(PART_BYTES)]).count();
        }
        lines
    };
    thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
        let own = work();
        own + others.into_iter().map(|other| other.join().expect("counting does not panic")).sum::<usize>()
    })
}
