//! Mapping or reading: which one is faster depends on the machine, and so it is measured, on the first blocks.
//!
//! A mapping saves a copy and costs page faults and their undoing; a read costs a copy into memory that then stays in
//! the cache. On one machine the first wins, on the next one the second, by a factor of up to two.

/// How files are to be got at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum How {
    /// Mapped into memory.
    Map,
    /// Read into a buffer.
    Read,
}

/// Files smaller than this are read: setting a mapping up and taking it down costs more than copying them.
const MAPPED_BYTES_MIN: u64 = 4 << 20;
/// Blocks that each way is tried on.
const TRIALS: usize = 7;
/// Blocks smaller than this say more about their fixed cost than about the way.
const TRIAL_BYTES_MIN: u64 = 64 << 10;

/// What one worker has measured.
#[derive(Debug, Clone, Default)]
pub(crate) struct Choice {
    map: Trial,
    read: Trial,
}

#[derive(Debug, Clone, Default)]
struct Trial {
    /// Nanoseconds per byte of each block, ascending.
    ns_per_byte: Vec<f64>,
}

impl Trial {
    fn is_over(&self) -> bool {
        self.ns_per_byte.len() >= TRIALS
    }

    fn note(&mut self, ns_per_byte: f64) {
        if !self.is_over() {
            self.ns_per_byte.push(ns_per_byte);
            self.ns_per_byte.sort_by(f64::total_cmp);
        }
    }

    /// The median: the first blocks pay for buffers and page tables, and whatever else runs disturbs some.
    fn cost(&self) -> f64 {
        self.ns_per_byte[self.ns_per_byte.len() / 2]
    }
}

impl Choice {
    /// How the next block of a file of `size` bytes should be got at.
    pub(crate) fn next(&self, size: u64) -> How {
        let tried = |trial: &Trial| trial.ns_per_byte.len();
        let maps = self.may_map(size) && (self.is_tried() || tried(&self.map) <= tried(&self.read));
        if maps { How::Map } else { How::Read }
    }

    /// False if no block of a file of `size` bytes will be mapped from now on.
    pub(crate) fn may_map(&self, size: u64) -> bool {
        size >= MAPPED_BYTES_MIN && (!self.is_tried() || self.map.cost() < self.read.cost())
    }

    fn is_tried(&self) -> bool {
        self.map.is_over() && self.read.is_over()
    }

    /// Notes that getting at `bytes` bytes, touching each and letting go of them took `ns`.
    pub(crate) fn note(&mut self, how: How, bytes: u64, ns: u64) {
        if bytes < TRIAL_BYTES_MIN {
            return;
        }
        let ns_per_byte = ns as f64 / bytes as f64;
        match how {
            How::Map => self.map.note(ns_per_byte),
            How::Read => self.read.note(ns_per_byte),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BIG: u64 = 1 << 30;

    /// What is chosen in the end, and whether a file is still to be mapped for it.
    fn settle(map_ns: u64, read_ns: u64) -> (How, bool) {
        let mut choice = Choice::default();
        for _ in 0..2 * TRIALS {
            let how = choice.next(BIG);
            assert!(choice.may_map(BIG), "both are tried");
            choice.note(how, 1 << 20, if how == How::Map { map_ns } else { read_ns });
        }
        (choice.next(BIG), choice.may_map(BIG))
    }

    #[test]
    fn the_faster_way_wins() {
        assert_eq!(settle(100, 200), (How::Map, true));
        assert_eq!(settle(200, 100), (How::Read, false));
    }

    #[test]
    fn small_files_are_read_and_small_blocks_say_nothing() {
        let mut choice = Choice::default();
        assert_eq!((choice.next(1_000), choice.may_map(1_000)), (How::Read, false));
        choice.note(How::Map, 10, 1);
        assert_eq!(choice.next(BIG), How::Map);
    }
}
