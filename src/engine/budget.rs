//! How many records of a block are run as probes: as many as the budget for watching has room for.

use crate::limits;

/// What a worker has spent on watching, and what it may.
#[derive(Debug)]
pub(super) struct Budget {
    /// Share of the worker's time that watching may take.
    share: f64,
    /// Nanoseconds of probing that may still be spent; falls below zero when a probe took longer than was thought.
    credit_ns: f64,
    /// What a probe takes, of late.
    probe_ns: f64,
}

/// What a worker may spend before it has earned anything: inputs of a few lines are then all probes.
const CREDIT_NS: f64 = 200_000.0;
/// Credit that is kept at most, so that a long quiet stretch does not pay for a burst.
const CREDIT_NS_MAX: f64 = 1_000_000.0;

impl Budget {
    /// A budget of `share` (0 to 1) of the worker's time.
    pub(super) fn new(share: f64) -> Self {
        Self { share, credit_ns: if share > 0.0 { CREDIT_NS } else { 0.0 }, probe_ns: 1_000.0 }
    }

    /// How many of the next `records` records to probe.
    pub(super) fn probes(&self, records: u32) -> u32 {
        let affordable = (self.credit_ns / self.probe_ns).clamp(0.0, limits::PROBES_PER_BLOCK as f64);
        records.min(affordable as u32)
    }

    /// Notes that the worker was busy for `ns`, and earns from it.
    pub(super) fn earn(&mut self, ns: u64) {
        self.credit_ns = (self.credit_ns + ns as f64 * self.share).min(CREDIT_NS_MAX);
    }

    /// Notes that `probes` probes took `ns`, beyond what the same records cost in a batch (`batch_ns`).
    pub(super) fn spend_on_probes(&mut self, ns: u64, probes: u32, batch_ns: f64) {
        if probes > 0 {
            let extra = (ns as f64 - batch_ns).max(0.0);
            self.credit_ns -= extra;
            self.probe_ns = (self.probe_ns * 0.75 + extra / f64::from(probes) * 0.25).max(1.0);
        }
    }

    /// Notes that other watching took `ns`.
    pub(super) fn spend(&mut self, ns: u64) {
        self.credit_ns -= ns as f64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probes_stay_within_their_share() {
        let mut budget = Budget::new(0.01);
        let (mut watching, mut busy, mut probed) = (0, 0, 0);
        for _ in 0..10_000 {
            let probes = budget.probes(8_000);
            let ns = u64::from(probes) * 700;
            budget.spend_on_probes(ns, probes, 0.0);
            budget.earn(200_000);
            (watching, busy, probed) = (watching + ns, busy + 200_000 + ns, probed + probes);
        }
        let share = watching as f64 / busy as f64;
        assert!((0.008..=0.0101).contains(&share), "{share}");
        assert!(probed > 20_000, "{probed}");
    }

    #[test]
    fn small_inputs_are_all_probes_and_none_without_a_budget() {
        assert_eq!(Budget::new(0.01).probes(3), 3);
        assert_eq!(Budget::new(0.0).probes(3), 0);
    }
}
