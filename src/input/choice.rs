//! Mapping or reading: which one is faster depends on the machine, and so it is measured, on the first blocks and now and
//! then later.
//!
//! A mapping saves a copy and costs page faults and their undoing; a read costs a copy into memory that then stays in
//! the cache. On one machine the first wins, on the next one the second, by a factor of up to two; and where the page cache
//! holds huge pages, the first wins but at the head of a file, which is read ahead in small ones.

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
/// Blocks that each way is tried on, one after the other: the first one that touches a huge page pays for its neighbours,
/// and so many are let go of at once that the trial sees that too.
const TRIALS: usize = 16;
/// The most expensive ones do not count: the first block pays for the buffer, and whatever else runs disturbs some.
const OUTLIERS: usize = 2;
/// Blocks smaller than this say more about their fixed cost than about the way.
const TRIAL_BYTES_MIN: u64 = 64 << 10;
/// Blocks after which both are tried again, the first time; and by how much more it is each time after that.
const SETTLED_BLOCKS: u64 = 64;
const SETTLED_GROWTH: u64 = 8;

/// What one worker has measured.
#[derive(Debug, Clone)]
pub(crate) struct Choice {
    map: Trial,
    read: Trial,
    /// Blocks until both are tried again, and how many those were at first.
    left: u64,
    settled: u64,
}

impl Default for Choice {
    fn default() -> Self {
        let (map, read) = (Trial::default(), Trial::default());
        Self { map, read, left: SETTLED_BLOCKS, settled: SETTLED_BLOCKS }
    }
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

    /// The mean of those that count.
    fn cost(&self) -> f64 {
        let counted = &self.ns_per_byte[..TRIALS - OUTLIERS];
        counted.iter().sum::<f64>() / counted.len() as f64
    }
}

impl Choice {
    /// How the next block of a file of `size` bytes should be got at.
    pub(crate) fn next(&self, size: u64) -> How {
        let maps = if self.is_tried() { self.map.cost() < self.read.cost() } else { !self.map.is_over() };
        if maps && size >= MAPPED_BYTES_MIN { How::Map } else { How::Read }
    }

    fn is_tried(&self) -> bool {
        self.map.is_over() && self.read.is_over()
    }

    /// Notes that getting at `bytes` bytes, touching each and letting go of them took `ns`.
    pub(crate) fn note(&mut self, how: How, bytes: u64, ns: u64) {
        if bytes < TRIAL_BYTES_MIN {
            return;
        }
        if self.is_tried() {
            return self.settle();
        }
        let ns_per_byte = ns as f64 / bytes as f64;
        match how {
            How::Map => self.map.note(ns_per_byte),
            How::Read => self.read.note(ns_per_byte),
        }
    }

    /// One block more was got at since the trial.
    fn settle(&mut self) {
        self.left -= 1;
        if self.left == 0 {
            self.settled *= SETTLED_GROWTH;
            self.left = self.settled;
            self.map.ns_per_byte.clear();
            self.read.ns_per_byte.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BIG: u64 = 1 << 30;

    /// How each of the next `blocks` blocks is got at, where that takes so many ns.
    fn run(choice: &mut Choice, blocks: u64, map_ns: u64, read_ns: u64) -> Vec<How> {
        let mut block = |_| {
            let how = choice.next(BIG);
            choice.note(how, 1 << 20, if how == How::Map { map_ns } else { read_ns });
            how
        };
        (0..blocks).map(&mut block).collect()
    }

    #[test]
    fn the_faster_way_wins_and_both_are_tried_again() {
        for (first, then) in [(How::Map, How::Read), (How::Read, How::Map)] {
            let ns = |winner| if winner == How::Map { (100, 200) } else { (200, 100) };
            let trial = [[How::Map; TRIALS], [How::Read; TRIALS]].concat();
            let mut choice = Choice::default();
            let (map, read) = ns(first);
            assert_eq!(run(&mut choice, trial.len() as u64, map, read), trial);
            assert_eq!(run(&mut choice, SETTLED_BLOCKS, map, read), vec![first; SETTLED_BLOCKS as usize]);
            let (map, read) = ns(then);
            assert_eq!(run(&mut choice, trial.len() as u64, map, read), trial);
            let longer = SETTLED_BLOCKS * SETTLED_GROWTH;
            assert_eq!(run(&mut choice, longer, map, read), vec![then; longer as usize]);
            assert_eq!(choice.next(BIG), How::Map, "a trial begins with the mapping");
        }
    }

    #[test]
    fn small_files_are_read_and_small_blocks_say_nothing() {
        let mut choice = Choice::default();
        assert_eq!(choice.next(1_000), How::Read);
        (0..TRIALS).for_each(|_| choice.note(How::Map, 10, 1));
        assert_eq!(choice.next(BIG), How::Map);
    }
}
