//! A histogram in few bytes: of those that are recorded in ten seconds nearly all counts are zero.
//!
//! Each value that was seen is two numbers, the distance from the one before it and how often it was seen, seven bits a
//! byte, the lowest first. Two of these merge without a histogram between them.

use hdrhistogram::Histogram;

use super::Probes;

/// The probes of one processor in a stretch of time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Packed {
    /// The slowest, exact.
    pub(super) max_ns: Option<u64>,
    /// Those beyond the histogram's range.
    pub(super) saturated: u64,
    /// What they took together.
    pub(super) sum_ns: u64,
    bytes: Box<[u8]>,
}

impl Packed {
    pub(super) fn of(probes: &Probes) -> Self {
        let steps = probes.histogram().into_iter().flat_map(|histogram| histogram.iter_recorded());
        let counts = steps.map(|step| (step.value_iterated_to(), step.count_at_value()));
        let max_ns = probes.slowest().map(|slowest| slowest.ns);
        Self { max_ns, saturated: probes.saturated(), sum_ns: probes.sum_ns(), bytes: pack(counts) }
    }

    /// Both together.
    pub(super) fn merged(&self, other: &Self) -> Self {
        let (mut left, mut right) = (self.counts().peekable(), other.counts().peekable());
        let merged = std::iter::from_fn(|| match (left.peek().copied(), right.peek().copied()) {
            (Some((a, here)), Some((b, there))) if a == b => {
                left.next();
                right.next();
                Some((a, here.saturating_add(there)))
            }
            (Some((a, _)), Some((b, _))) if b < a => right.next(),
            (Some(_), _) => left.next(),
            (None, _) => right.next(),
        });
        Self {
            bytes: pack(merged),
            max_ns: self.max_ns.max(other.max_ns),
            saturated: self.saturated.saturating_add(other.saturated),
            sum_ns: self.sum_ns.saturating_add(other.sum_ns),
        }
    }

    /// Adds all of it to `histogram`, which tells the same values apart.
    pub(super) fn add_to(&self, histogram: &mut Histogram<u64>) {
        for (value, count) in self.counts() {
            histogram.saturating_record_n(value, count);
        }
    }

    pub(super) fn size_bytes(&self) -> usize {
        self.bytes.len()
    }

    /// Values in ascending order, with how often they were seen.
    fn counts(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        let (mut rest, mut value) = (&*self.bytes, 0);
        std::iter::from_fn(move || {
            value += take(&mut rest)?;
            Some((value, take(&mut rest)?))
        })
    }
}

fn pack(counts: impl Iterator<Item = (u64, u64)>) -> Box<[u8]> {
    let (mut bytes, mut last) = (Vec::new(), 0);
    for (value, count) in counts {
        put(&mut bytes, value - last);
        put(&mut bytes, count);
        last = value;
    }
    bytes.into()
}

fn put(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

fn take(rest: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let (&byte, behind) = rest.split_first()?;
        *rest = behind;
        number |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{record::Origin, snapshot::Latency};

    fn probes(values: &[u64]) -> Probes {
        let mut probes = Probes::default();
        values.iter().for_each(|&ns| probes.record(Origin { source: 0, offset: 0 }, ns));
        probes
    }

    fn unpacked(packed: &Packed) -> Latency {
        let mut histogram = super::super::empty_histogram();
        packed.add_to(&mut histogram);
        super::super::latency_of(&histogram)
    }

    proptest! {
        #[test]
        fn packing_loses_nothing_and_merging_is_recording_all(left in prop::collection::vec(any::<u64>(), 0..60), right in prop::collection::vec(0u64..100_000, 0..60)) {
            let (a, b) = (Packed::of(&probes(&left)), Packed::of(&probes(&right)));
            let both = probes(&[left, right].concat());
            let merged = a.merged(&b);
            prop_assert_eq!(&merged, &Packed::of(&both));
            let expected = Latency { max_ns: None, slowest: None, saturated: 0, sum_ns: 0, ..both.latency() };
            prop_assert_eq!(format!("{:?}", unpacked(&merged)), format!("{expected:?}"));
        }
    }
}
