//! Medians and how well they are known. Pure; chance comes from a fixed seed, so that the same numbers give the same
//! interval.

use serde::{Deserialize, Serialize};

use crate::generate::Random;

/// Resamples of a bootstrap: enough for the ends of a 95 % interval to stand still to a tenth of its width.
const RESAMPLES: usize = 2_000;
/// Any number does; this one is kept.
const SEED: u64 = 0x10c0_0e14;

/// A value, and between which bounds the true one lies with a confidence of 95 %.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// The value.
    pub value: f64,
    /// The lower end of its interval.
    pub low: f64,
    /// The upper end.
    pub high: f64,
}

impl Estimate {
    /// How far the ends of the interval are from the value, as a share of it: the farther one.
    #[must_use]
    pub fn spread(&self) -> f64 {
        (self.high - self.value).max(self.value - self.low) / self.value.abs()
    }

    /// `change` of all three; where it turns their order round, so does it the ends.
    #[must_use]
    pub fn map(&self, change: impl Fn(f64) -> f64) -> Self {
        let (one, other) = (change(self.low), change(self.high));
        Self { value: change(self.value), low: one.min(other), high: one.max(other) }
    }
}

/// The median of `values`, which are not empty.
#[must_use]
pub fn median(values: &[f64]) -> f64 {
    median_in(&mut values.to_vec())
}

fn median_in(values: &mut [f64]) -> f64 {
    let half = values.len() / 2;
    let (below, &mut upper, _) = values.select_nth_unstable_by(half, f64::total_cmp);
    if values_are_odd(below.len(), values.len()) {
        return upper;
    }
    let lower = values[..half].iter().copied().fold(f64::NEG_INFINITY, f64::max);
    f64::midpoint(lower, upper)
}

fn values_are_odd(below: usize, all: usize) -> bool {
    all == 2 * below + 1
}

/// The median of `values` with its interval: percentiles of the medians of resamples (Efron's bootstrap), which asks
/// nothing of how the values are spread. Of few values it says less than it seems: with two it is the two.
#[must_use]
pub fn estimate(values: &[f64]) -> Estimate {
    interval(median(values), |random, scratch| resampled_median(values, random, scratch))
}

/// The ratio of the medians of `new` and `old`, which were measured one after the other, each resampled alone.
#[must_use]
pub fn ratio(new: &[f64], old: &[f64]) -> Estimate {
    interval(median(new) / median(old), |random, scratch| {
        resampled_median(new, random, scratch) / resampled_median(old, random, scratch)
    })
}

/// The median of the ratios of pairs that were measured in turns: what drifts meanwhile stands on both sides.
#[must_use]
pub fn paired_ratio(pairs: &[[f64; 2]]) -> Estimate {
    estimate(&pairs.iter().map(|[new, old]| new / old).collect::<Vec<_>>())
}

fn interval(value: f64, mut resample: impl FnMut(&mut Random, &mut Vec<f64>) -> f64) -> Estimate {
    let (mut random, mut scratch) = (Random::new(SEED), Vec::new());
    let mut medians: Vec<f64> = (0..RESAMPLES).map(|_| resample(&mut random, &mut scratch)).collect();
    medians.sort_by(f64::total_cmp);
    let low = medians[RESAMPLES / 40];
    let high = medians[RESAMPLES - 1 - RESAMPLES / 40];
    Estimate { value, low: low.min(value), high: high.max(value) }
}

fn resampled_median(values: &[f64], random: &mut Random, scratch: &mut Vec<f64>) -> f64 {
    scratch.clear();
    scratch.extend((0..values.len()).map(|_| values[random.below(values.len() as u32) as usize]));
    median_in(scratch)
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    /// Numbers around `centre`, spread by a tenth.
    fn noisy(centre: f64, count: usize, seed: u64) -> Vec<f64> {
        let mut random = Random::new(seed);
        let mut uniform = || f64::from(random.below(1_000)) / 1_000.0;
        (0..count).map(|_| centre * (0.95 + (uniform() + uniform()) / 20.0)).collect()
    }

    #[test]
    fn medians_are_in_the_middle() {
        for (values, expected) in
            [(&[3.0][..], 3.0), (&[4.0, 1.0], 2.5), (&[9.0, 1.0, 2.0], 2.0), (&[4.0, 1.0, 3.0, 2.0], 2.5)]
        {
            assert_eq!(median(values), expected, "{values:?}");
        }
    }

    #[test]
    fn an_interval_of_95_percent_holds_the_truth_about_so_often() {
        let held = (0..400).filter(|&seed| {
            let estimate = estimate(&noisy(10.0, 25, seed));
            estimate.low <= 10.0 && 10.0 <= estimate.high
        });
        let held = held.count();
        assert!((360..=396).contains(&held), "{held} of 400");
    }

    #[test]
    fn a_real_difference_is_told_from_noise() {
        let same = ratio(&noisy(10.0, 30, 1), &noisy(10.0, 30, 2));
        assert!(same.low < 1.0 && same.high > 1.0, "{same:?}");
        let slower = ratio(&noisy(11.0, 30, 3), &noisy(10.0, 30, 4));
        assert!(slower.low > 1.05, "{slower:?}");
    }

    #[test]
    fn drift_does_not_disturb_pairs() {
        let pairs: Vec<[f64; 2]> = (0..20).map(|step| [1.01 * f64::from(10 + step), f64::from(10 + step)]).collect();
        let estimate = paired_ratio(&pairs);
        assert!((estimate.value - 1.01).abs() < 1e-9 && estimate.spread() < 1e-9, "{estimate:?}");
    }

    #[test]
    fn the_same_numbers_give_the_same_interval() {
        let values = noisy(1.0, 9, 5);
        assert_eq!(estimate(&values), estimate(&values));
        assert_eq!(estimate(&[2.0]), Estimate { value: 2.0, low: 2.0, high: 2.0 });
    }

    #[test]
    fn turning_round_keeps_the_ends_in_order() {
        let turned = Estimate { value: 2.0, low: 1.0, high: 4.0 }.map(|value| 1.0 / value);
        assert_eq!(turned, Estimate { value: 0.5, low: 0.25, high: 1.0 });
    }

    proptest! {
        #[test]
        fn medians_are_those_of_the_naive_twin(values in vec(-1e9..1e9_f64, 1..60)) {
            let mut sorted = values.clone();
            sorted.sort_by(f64::total_cmp);
            let half = sorted.len() / 2;
            let naive = if sorted.len() % 2 == 1 { sorted[half] } else { f64::midpoint(sorted[half - 1], sorted[half]) };
            prop_assert_eq!(median(&values), naive);
            let estimate = estimate(&values);
            prop_assert!(estimate.low <= estimate.value && estimate.value <= estimate.high);
            prop_assert!(sorted[0] <= estimate.low && estimate.high <= sorted[sorted.len() - 1]);
        }
    }
}
