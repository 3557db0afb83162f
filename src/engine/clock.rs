//! The chain of clock readings: every nanosecond between two of them is charged to exactly one account.

use std::time::{Duration, Instant};

use super::options::{Row, Slowdown};

/// Reads the clock once between every two steps.
#[derive(Debug)]
pub(super) struct Clock {
    last: Instant,
    /// For an experiment: everything but one row is slowed down.
    slowdown: Option<Slowdown>,
    /// By how much, for what has passed and was not waited for yet.
    owed_ns: f64,
}

/// Shorter delays are put together: reading the clock takes a share of this that does not matter.
const DELAY_NS_MIN: f64 = 2_000.0;

impl Clock {
    /// Starts now, and slows down what `slowdown` says, if anything.
    pub(super) fn start(slowdown: Option<Slowdown>) -> Self {
        Self { last: Instant::now(), slowdown, owed_ns: 0.0 }
    }

    /// Starts anew: what has passed until now is charged to nothing.
    pub(super) fn restart(&mut self) {
        *self = Self::start(self.slowdown);
    }

    /// Nanoseconds since the last reading.
    pub(super) fn lap(&mut self) -> u64 {
        let now = Instant::now();
        let passed = now.duration_since(self.last);
        self.last = now;
        u64::try_from(passed.as_nanos()).unwrap_or(u64::MAX)
    }

    /// Nanoseconds since the last reading, in which the work of `row` was done: with the delay, in an experiment.
    #[inline]
    pub(super) fn lap_in(&mut self, row: Row) -> u64 {
        let ns = self.lap();
        match self.slowdown {
            Some(slowdown) if slowdown.spared != row => ns + self.delay(ns as f64 * slowdown.share),
            _ => ns,
        }
    }

    /// Waits for `ns`, busily: a thread that sleeps leaves its processor to others, and wakes when it may.
    #[cold]
    fn delay(&mut self, ns: f64) -> u64 {
        self.owed_ns += ns;
        if self.owed_ns < DELAY_NS_MIN {
            return 0;
        }
        while (self.last.elapsed().as_nanos() as f64) < self.owed_ns {
            std::hint::spin_loop();
        }
        let passed = self.lap();
        self.owed_ns -= passed as f64;
        passed
    }

    /// Nanoseconds from the last reading up to `earlier`'s, without a reading.
    pub(super) fn since(&self, earlier: Instant) -> Duration {
        self.last.saturating_duration_since(earlier)
    }

    /// The last reading.
    pub(super) fn last(&self) -> Instant {
        self.last
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::StageKind;

    #[test]
    fn all_but_the_spared_row_is_slowed_down() {
        let mut clock = Clock::start(Some(Slowdown { spared: Row::Node(1), share: 1.0 }));
        for (row, least_ns) in
            [(Row::Node(0), 4_000_000), (Row::Stage(StageKind::Read), 4_000_000), (Row::Node(1), 2_000_000)]
        {
            let begun = clock.last();
            std::thread::sleep(Duration::from_millis(2));
            let ns = clock.lap_in(row);
            assert!(ns >= least_ns, "{row:?}: {ns}");
            // What is told is what has passed.
            assert!(u128::from(ns) <= begun.elapsed().as_nanos(), "{row:?}");
        }
    }

    #[test]
    fn short_delays_are_put_together() {
        let mut clock = Clock::start(Some(Slowdown { spared: Row::Node(0), share: 0.25 }));
        assert_eq!(clock.delay(DELAY_NS_MIN / 2.0), 0);
        assert!(clock.delay(DELAY_NS_MIN) as f64 >= DELAY_NS_MIN * 1.4);
    }
}
