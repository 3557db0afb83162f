//! Speeds over several spans, from totals that are noted at every publication.

use std::{collections::VecDeque, time::Duration};

use crate::snapshot::{Rate, Rates};

/// The totals at one moment.
#[derive(Debug, Clone, Copy, Default)]
struct Mark {
    at: Duration,
    bytes: u64,
    records: u64,
}

impl Mark {
    fn rate_since(&self, earlier: &Self) -> Rate {
        let seconds = self.at.saturating_sub(earlier.at).as_secs_f64();
        if seconds <= 0.0 {
            return Rate::default();
        }
        Rate {
            bytes_per_s: self.bytes.saturating_sub(earlier.bytes) as f64 / seconds,
            records_per_s: self.records.saturating_sub(earlier.records) as f64 / seconds,
        }
    }
}

const NOW: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const FIVE_MINUTES: Duration = Duration::from_secs(300);

/// Remembers totals: every one of the last second, and one a second of the last five minutes.
#[derive(Debug)]
pub(crate) struct RateMeter {
    recent: VecDeque<(Mark, Vec<u64>)>,
    seconds: VecDeque<Mark>,
}

impl RateMeter {
    /// Starts at zero, for a pipeline of `nodes` nodes.
    pub(crate) fn new(nodes: usize) -> Self {
        let start = Mark::default();
        Self { recent: VecDeque::from([(start, vec![0; nodes])]), seconds: VecDeque::from([start]) }
    }

    /// Notes the totals at `at` since the start; returns the speeds, and the records per second of each node.
    pub(crate) fn note(&mut self, at: Duration, bytes: u64, records: u64, nodes: Vec<u64>) -> (Rates, Vec<f64>) {
        let mark = Mark { at, bytes, records };
        drop_before(&mut self.recent, at.saturating_sub(NOW), |(mark, _)| mark.at);
        drop_before(&mut self.seconds, at.saturating_sub(FIVE_MINUTES), |mark| mark.at);
        let oldest = self.recent.front().map_or(Mark::default(), |(mark, _)| *mark);
        let seconds = at.saturating_sub(oldest.at).as_secs_f64();
        let per_node =
            |(&now, then): (&u64, &u64)| if seconds > 0.0 { now.saturating_sub(*then) as f64 / seconds } else { 0.0 };
        let node_rates =
            self.recent.front().map_or_else(Vec::new, |(_, then)| nodes.iter().zip(then).map(per_node).collect());
        let minute_ago = self.seconds.iter().find(|mark| mark.at + MINUTE >= at).copied().unwrap_or_default();
        let rates = Rates {
            now: mark.rate_since(&oldest),
            minute: mark.rate_since(&minute_ago),
            five_minutes: mark.rate_since(self.seconds.front().unwrap_or(&Mark::default())),
            life: mark.rate_since(&Mark::default()),
        };
        self.recent.push_back((mark, nodes));
        if self.seconds.back().is_none_or(|last| last.at + NOW <= at) {
            self.seconds.push_back(mark);
        }
        (rates, node_rates)
    }
}

/// Drops what is older than `start`, but for the last entry that is: spans then begin at or before it.
fn drop_before<T>(entries: &mut VecDeque<T>, start: Duration, at: impl Fn(&T) -> Duration) {
    while entries.get(1).is_some_and(|second| at(second) <= start) {
        entries.pop_front();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_see_their_own_past() {
        let mut meter = RateMeter::new(1);
        let mut rates = (Rates::default(), Vec::new());
        // 100 bytes a second for ten minutes, then 1,000 for ten seconds.
        let mut bytes = 0;
        for tenth in 1..=6_100u64 {
            bytes += if tenth <= 6_000 { 10 } else { 100 };
            rates = meter.note(Duration::from_millis(tenth * 100), bytes, bytes / 10, vec![bytes]);
        }
        let (rates, nodes) = rates;
        assert!((rates.now.bytes_per_s - 1_000.0).abs() < 1.0, "{rates:?}");
        assert!((rates.minute.bytes_per_s - 250.0).abs() < 5.0, "{rates:?}");
        assert!((rates.five_minutes.bytes_per_s - 130.0).abs() < 5.0, "{rates:?}");
        assert!((rates.life.records_per_s - 70_000.0 / 6_100.0).abs() < 1.0, "{rates:?}");
        assert!((nodes[0] - 1_000.0).abs() < 1.0);
        assert!(meter.recent.len() < 15 && meter.seconds.len() < 310);
    }

    #[test]
    fn nothing_yet_is_zero() {
        let (rates, nodes) = RateMeter::new(2).note(Duration::ZERO, 0, 0, vec![0, 0]);
        assert_eq!((rates.now.bytes_per_s, rates.life.bytes_per_s, nodes), (0.0, 0.0, vec![0.0, 0.0]));
    }
}
