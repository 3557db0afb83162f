//! What sinks of every kind have: what becomes of records that are refused, and how often something is tried again.
//!
//! | key | what it says |
//! |---|---|
//! | `on_error` | what becomes of a record that is refused for good: `"dead_letter"` (the default where there is a dead-letter file), `"drop"` (the default elsewhere: it is counted) or `"stop"` (the run ends) |
//! | `retry` | how often what may pass is tried: `{ attempts = 5, backoff = "100ms..10s" }`; without `attempts`, which is the default, for ever; the time between two attempts doubles from the shorter to the longer one, and a random part of it is waited, so that many do not come back at once |

use std::time::Duration;

use super::{Mistake, Options, duration::span};

/// The longest time between two attempts.
const BACKOFF_MAX: Duration = Duration::from_secs(3_600);

/// What becomes of records that a sink is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnRefusal {
    /// They are written to the dead-letter file.
    DeadLetter,
    /// They are counted and forgotten.
    Drop,
    /// The run ends.
    Stop,
}

/// How often something that may pass is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retry {
    /// Attempts in all; for ever where it is `None`.
    pub attempts: Option<u32>,
    /// What is waited at most after the first attempt.
    pub least: Duration,
    /// What is waited at most after many.
    pub most: Duration,
}

impl Default for Retry {
    fn default() -> Self {
        Self { attempts: None, least: Duration::from_millis(100), most: Duration::from_secs(10) }
    }
}

impl Retry {
    /// The longest time to wait after attempt `attempt` (from 1) has failed.
    #[must_use]
    pub fn backoff(&self, attempt: u32) -> Duration {
        let factor = 1_u32.checked_shl(attempt.saturating_sub(1)).unwrap_or(u32::MAX);
        self.least.saturating_mul(factor).min(self.most)
    }

    /// True if nothing is tried again after attempt `attempt` (from 1).
    #[must_use]
    pub fn is_over(&self, attempt: u32) -> bool {
        self.attempts.is_some_and(|attempts| attempt >= attempts)
    }
}

/// What a sink does where its receiver does not take a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Delivery {
    /// `None` where the user did not say: dead letters where there is a file for them, else drop.
    pub on_error: Option<OnRefusal>,
    /// How often what may pass is tried.
    pub retry: Retry,
}

impl Delivery {
    /// What becomes of a record that is refused for good, where there is a dead-letter file or is none.
    #[must_use]
    pub fn fate(&self, has_letters: bool) -> OnRefusal {
        self.on_error.unwrap_or(if has_letters { OnRefusal::DeadLetter } else { OnRefusal::Drop })
    }
}

/// Reads `on_error` and `retry` of a sink.
pub(super) fn delivery(options: &mut Options<'_>) -> Result<Delivery, Mistake> {
    let word = options.get("on_error").map(|value| value.word(&["dead_letter", "drop", "stop"])).transpose();
    let retry = retry(options);
    let on_error = word?.map(|word| match word {
        "dead_letter" => OnRefusal::DeadLetter,
        "drop" => OnRefusal::Drop,
        _ => OnRefusal::Stop,
    });
    Ok(Delivery { on_error, retry: retry? })
}

fn retry(options: &mut Options<'_>) -> Result<Retry, Mistake> {
    let mut retry = Retry::default();
    let Some(value) = options.get("retry") else { return Ok(retry) };
    let mut table = value.table().ok_or_else(|| {
        value.wrong_type("a table").with_help("write `retry = { attempts = 5, backoff = \"100ms..10s\" }`")
    })?;
    if let Some(attempts) = table.get("attempts") {
        retry.attempts = Some(u32::try_from(attempts.integer(1..=1_000_000)?).unwrap_or(u32::MAX));
    }
    if let Some(backoff) = table.get("backoff") {
        (retry.least, retry.most) = span(&backoff, &(Duration::from_millis(1)..=BACKOFF_MAX))?;
    }
    match table.unknown().into_iter().next() {
        Some(mistake) => Err(mistake),
        None => Ok(retry),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waiting_doubles_up_to_its_end() {
        let retry = Retry { attempts: Some(3), ..Retry::default() };
        let waits = [1, 2, 3, 7, 8, 100, u32::MAX].map(|attempt| retry.backoff(attempt).as_millis());
        assert_eq!(waits, [100, 200, 400, 6_400, 10_000, 10_000, 10_000]);
        assert_eq!([1, 2, 3, 4].map(|attempt| retry.is_over(attempt)), [false, false, true, true]);
        assert!(!Retry::default().is_over(u32::MAX));
    }
}
