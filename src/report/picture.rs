//! A picture of how latencies are spread, one character for each power of two, on one scale for all processors.
//!
//! Heights are logarithmic: what a tail has is a few among millions, and it is what one looks for.

use crate::{human, metrics::snapshot::Latency};

const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
/// The widest picture, in characters; a wider range is drawn with several powers of two to a character.
const PICTURE_COLUMNS_MAX: usize = 8;

/// The scale.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Picture {
    /// The first power of two.
    start: usize,
    /// One past the last.
    end: usize,
    /// Powers of two to a character.
    step: usize,
}

impl Picture {
    /// A scale on which all of `latencies` can be drawn.
    pub(super) fn over<'a>(latencies: impl Iterator<Item = &'a Latency> + Clone) -> Self {
        let filled =
            latencies.flat_map(|latency| latency.log2_counts.iter().enumerate().filter(|(_, count)| **count > 0));
        let (start, end) =
            filled.fold((usize::MAX, 0), |(start, end), (power, _)| (start.min(power), end.max(power + 1)));
        let step = end.saturating_sub(start).div_ceil(PICTURE_COLUMNS_MAX).max(1);
        Self { start, end, step }
    }

    /// What it spans; `None` if there is nothing to draw.
    pub(super) fn span(&self) -> Option<[String; 2]> {
        let edge = |power: usize| human::nanos((power as f64).exp2());
        (self.end > 0).then(|| [edge(self.start), edge(self.end)])
    }

    /// Draws one.
    pub(super) fn draw(&self, latency: &Latency) -> String {
        let counts = latency.log2_counts.get(self.start.min(latency.log2_counts.len())..).unwrap_or_default();
        let sums: Vec<u64> =
            counts.chunks(self.step).map(|chunk| chunk.iter().fold(0, |sum: u64, n| sum.saturating_add(*n))).collect();
        let highest = sums.iter().copied().max().unwrap_or(0);
        let picture: String = sums.iter().map(|&count| bar(count, highest)).collect();
        picture.trim_end().to_owned()
    }
}

fn bar(count: u64, highest: u64) -> char {
    if count == 0 {
        return ' ';
    }
    let height = (count as f64).ln_1p() / (highest as f64).ln_1p();
    let last = BARS.len() - 1;
    BARS[((height * last as f64).round() as usize).min(last)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn latency(counts: &[u64]) -> Latency {
        Latency { log2_counts: counts.to_vec(), ..Latency::default() }
    }

    #[test]
    fn all_pictures_share_a_scale() {
        let (fast, slow) = (latency(&[0, 0, 1, 1_000, 30, 0, 1]), latency(&[0, 0, 0, 0, 0, 9]));
        let picture = Picture::over([&fast, &slow].into_iter());
        assert_eq!(picture.span(), Some(["4.0 ns", "128 ns"].map(str::to_owned)));
        assert_eq!(picture.draw(&fast), "▂█▄ ▂");
        assert_eq!(picture.draw(&slow), "   █");
    }

    #[test]
    fn nothing_is_drawn_as_nothing() {
        let picture = Picture::over([&latency(&[]), &latency(&[0, 0])].into_iter());
        assert_eq!((picture.span(), picture.draw(&latency(&[])).as_str()), (None, ""));
    }

    #[test]
    fn wide_ranges_are_folded() {
        let wide = latency(&[u64::MAX; 64]);
        assert_eq!(Picture::over([&wide].into_iter()).draw(&wide), "█".repeat(8));
    }
}
