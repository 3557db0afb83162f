//! Chance that is the same on every machine: integers only, and nothing of the standard library's hashing.

/// SplitMix64: Steele, Lea and Flood, "Fast splittable pseudorandom number generators" (OOPSLA 2014), with the constants
/// of Sebastiano Vigna's public-domain `splitmix64.c`. Passes BigCrush, and costs a nanosecond.
#[derive(Debug, Clone)]
pub(crate) struct Random {
    state: u64,
}

impl Random {
    /// Begins the sequence of `seed`.
    pub(crate) fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// 64 bits.
    #[inline]
    pub(crate) fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.state)
    }

    /// A number below `end`; the bias of at most `end` in 2^32 is of no matter here.
    #[inline]
    pub(crate) fn below(&mut self, end: u32) -> u32 {
        (((self.next() >> 32) * u64::from(end)) >> 32) as u32
    }

    /// A number of `range`, small ones more often: the lesser of two.
    #[inline]
    pub(crate) fn skewed(&mut self, start: u32, end: u32) -> u32 {
        let bits = self.next();
        let lesser = (bits as u32).min((bits >> 32) as u32);
        start + ((u64::from(lesser) * u64::from(end - start)) >> 32) as u32
    }

    /// True once in `times`.
    #[inline]
    pub(crate) fn once_in(&mut self, times: u32) -> bool {
        self.below(times) == 0
    }
}

/// Scatters the bits of `number`.
#[inline]
pub(super) fn mix(number: u64) -> u64 {
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

/// Keys as the world has them: the k-th is drawn in proportion to 1/k.
///
/// A table of quantiles, so that a draw is one look-up.
#[derive(Debug, Clone)]
pub(super) struct Zipf {
    slots: Vec<u16>,
}

/// Quantiles of a table: the rarest keys of a thousand are still drawn, and it stays in a core's first cache.
const SLOTS: usize = 1 << 13;

impl Zipf {
    /// Over the keys below `keys`, of which there is at least one.
    pub(super) fn new(keys: usize) -> Self {
        let weight = |key: usize| (1_u64 << 32) / (key as u64 + 1);
        let whole: u64 = (0..keys).map(weight).sum();
        let (mut key, mut covered) = (0, weight(0));
        let mut slots = Vec::with_capacity(SLOTS);
        for slot in 0..SLOTS as u64 {
            let middle = (2 * slot + 1) * (whole / 64) / (2 * SLOTS as u64 / 64);
            while covered < middle && key + 1 < keys {
                key += 1;
                covered += weight(key);
            }
            slots.push(key as u16);
        }
        Self { slots }
    }

    #[inline]
    pub(super) fn draw(&self, random: &mut Random) -> usize {
        usize::from(self.slots[(random.next() >> 51) as usize])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sequence_is_that_of_the_reference() {
        // The first numbers of `splitmix64.c` for the seed 1234567, as other implementations give them too.
        let mut random = Random::new(1_234_567);
        let expected = [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423];
        assert_eq!([random.next(), random.next(), random.next()], expected);
    }

    #[test]
    fn numbers_keep_to_their_range() {
        let mut random = Random::new(7);
        for _ in 0..10_000 {
            assert!(random.below(3) < 3);
            assert!((5..9).contains(&random.skewed(5, 9)));
        }
    }

    #[test]
    fn the_first_key_is_twice_as_frequent_as_the_second() {
        let (zipf, mut random) = (Zipf::new(1_000), Random::new(1));
        let mut counts = vec![0_u32; 1_000];
        for _ in 0..1_000_000 {
            counts[zipf.draw(&mut random)] += 1;
        }
        let ratio = f64::from(counts[0]) / f64::from(counts[1]);
        assert!((1.9..2.1).contains(&ratio), "{ratio}");
        assert!(counts[0] > 100_000 && counts[0] < 150_000, "{}", counts[0]);
        assert!(counts.iter().filter(|&&count| count > 0).count() > 900);
    }
}
