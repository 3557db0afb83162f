//! What probes measured: a histogram per node, and the slowest probe.

use hdrhistogram::Histogram;

use crate::{
    limits,
    record::Origin,
    snapshot::{Exemplar, Latency},
};

/// The probes of one node.
#[derive(Debug, Clone, Default)]
pub(crate) struct Probes {
    /// Made for the first one: most processors of most workers have none for long, and empty ones are most of what would
    /// have to be cleared at the start.
    histogram: Option<Histogram<u64>>,
    slowest: Option<Exemplar>,
    saturated: u64,
    sum_ns: u64,
}

impl Probes {
    /// Those that were recorded: `None` where `histogram` tells other values apart than ours do.
    pub(crate) fn restore(
        histogram: Histogram<u64>,
        slowest: Option<Exemplar>,
        (saturated, sum_ns): (u64, u64),
    ) -> Option<Self> {
        let bounds = |of: &Histogram<u64>| (of.low(), of.high(), of.sigfig());
        let is_like_ours = bounds(&histogram) == bounds(&empty_histogram());
        is_like_ours.then_some(Self { histogram: Some(histogram), slowest, saturated, sum_ns })
    }

    /// All of them, by what they took, if there are any.
    pub(crate) fn histogram(&self) -> Option<&Histogram<u64>> {
        self.histogram.as_ref().filter(|histogram| !histogram.is_empty())
    }

    /// How many there are.
    pub(crate) fn samples(&self) -> u64 {
        self.histogram().map_or(0, Histogram::len)
    }

    /// The slowest one.
    pub(crate) fn slowest(&self) -> Option<Exemplar> {
        self.slowest
    }

    /// Those beyond the histogram's range.
    pub(crate) fn saturated(&self) -> u64 {
        self.saturated
    }

    /// What they took together.
    pub(crate) fn sum_ns(&self) -> u64 {
        self.sum_ns
    }

    /// Adds one. Values beyond the range are counted at its end, and as saturated.
    pub(crate) fn record(&mut self, origin: Origin, ns: u64) {
        self.saturated += u64::from(ns > limits::HISTOGRAM_MAX_NS);
        self.histogram.get_or_insert_with(empty_histogram).saturating_record(ns.max(1));
        self.sum_ns = self.sum_ns.saturating_add(ns);
        self.take_slower(Some(Exemplar { source: origin.source, offset: origin.offset, ns }));
    }

    /// Adds those of `other`.
    pub(crate) fn absorb(&mut self, other: &Self) {
        let Some(histogram) = other.histogram() else { return };
        let own = self.histogram.get_or_insert_with(empty_histogram);
        own.add(histogram).expect("both have the same bounds");
        self.saturated += other.saturated;
        self.sum_ns = self.sum_ns.saturating_add(other.sum_ns);
        self.take_slower(other.slowest);
    }

    /// True where nothing was measured.
    pub(crate) fn is_empty(&self) -> bool {
        self.histogram().is_none()
    }

    /// Forgets all, and keeps the memory.
    pub(crate) fn clear(&mut self) {
        if let Some(histogram) = self.histogram.as_mut().filter(|histogram| !histogram.is_empty()) {
            histogram.reset();
        }
        (self.slowest, self.saturated, self.sum_ns) = (None, 0, 0);
    }

    fn take_slower(&mut self, candidate: Option<Exemplar>) {
        // Ties go to the one that stands first in the input, so that the answer does not depend on who came first.
        let rank = |exemplar: &Exemplar| (exemplar.ns, std::cmp::Reverse((exemplar.source, exemplar.offset)));
        self.slowest = self.slowest.into_iter().chain(candidate).max_by_key(rank);
    }

    /// What is shown of them.
    pub(crate) fn latency(&self) -> Latency {
        Latency {
            sum_ns: self.sum_ns,
            max_ns: self.slowest.map(|slowest| slowest.ns),
            slowest: self.slowest,
            saturated: self.saturated,
            ..self.histogram().map(latency_of).unwrap_or_default()
        }
    }
}

/// A histogram that tells apart what all of ours do.
pub(super) fn empty_histogram() -> Histogram<u64> {
    let histogram = Histogram::new_with_bounds(1, limits::HISTOGRAM_MAX_NS, limits::HISTOGRAM_DIGITS);
    histogram.expect("the bounds are constants that hold")
}

/// What a histogram alone can say.
pub(super) fn latency_of(histogram: &Histogram<u64>) -> Latency {
    let samples = histogram.len();
    let at = |quantile: f64, samples_min: u64| (samples >= samples_min).then(|| histogram.value_at_quantile(quantile));
    Latency {
        samples,
        p50_ns: at(0.5, 2),
        p90_ns: at(0.9, 10),
        p99_ns: at(0.99, 100),
        p999_ns: at(0.999, 1_000),
        log2_counts: log2_counts(histogram),
        ..Latency::default()
    }
}

fn log2_counts(histogram: &Histogram<u64>) -> Vec<u64> {
    let mut counts = Vec::new();
    for step in histogram.iter_recorded() {
        let power = step.value_iterated_to().max(1).ilog2() as usize;
        counts.resize(counts.len().max(power + 1), 0);
        counts[power] += step.count_at_value();
    }
    counts
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ORIGIN: Origin = Origin { source: 3, offset: 7 };

    proptest! {
        /// Row 34 of the faults: no value panics, none is lost, those out of range are counted.
        #[test]
        fn any_value_is_counted(values in prop::collection::vec(any::<u64>(), 0..50)) {
            let mut probes = Probes::default();
            values.iter().for_each(|&ns| probes.record(ORIGIN, ns));
            let latency = probes.latency();
            prop_assert_eq!(latency.samples, values.len() as u64);
            prop_assert_eq!(latency.max_ns, values.iter().copied().max());
            prop_assert_eq!(latency.sum_ns, values.iter().fold(0, |sum: u64, &ns| sum.saturating_add(ns)));
            let beyond = values.iter().filter(|&&ns| ns > limits::HISTOGRAM_MAX_NS).count();
            prop_assert_eq!(latency.saturated, beyond as u64);
            prop_assert_eq!(latency.log2_counts.iter().sum::<u64>(), values.len() as u64);
        }

        #[test]
        fn merging_is_recording_all(left in prop::collection::vec(1u64..1 << 40, 0..40), right in prop::collection::vec(1u64..1 << 40, 0..40)) {
            let (mut a, mut b, mut both) = (Probes::default(), Probes::default(), Probes::default());
            left.iter().for_each(|&ns| a.record(ORIGIN, ns));
            right.iter().for_each(|&ns| b.record(ORIGIN, ns));
            left.iter().chain(&right).for_each(|&ns| both.record(ORIGIN, ns));
            a.absorb(&b);
            prop_assert_eq!(format!("{:?}", a.latency()), format!("{:?}", both.latency()));
        }
    }

    #[test]
    fn a_percentile_needs_its_samples() {
        let mut probes = Probes::default();
        probes.record(ORIGIN, 100);
        assert_eq!(probes.latency().p50_ns, None);
        (1..100).for_each(|_| probes.record(ORIGIN, 100));
        let latency = probes.latency();
        assert_eq!((latency.p50_ns, latency.p99_ns, latency.p999_ns), (Some(100), Some(100), None));
    }
}
