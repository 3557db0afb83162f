//! Moments as a query names them: `2026-11-24T10:23:43Z`, seconds since 1970, or `-1h`: that long before the end.

use jiff::{SignedDuration, Timestamp};

/// How moments are written, for those who wrote something else.
pub(super) const FORMS: [&str; 3] = ["2026-11-24T10:23:43Z", "1795515823", "-1h (s, m, h, d: before the end)"];

/// A moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Moment {
    At(Timestamp),
    /// So long before the end of what was recorded.
    Before(SignedDuration),
}

impl Moment {
    /// The moment that `text` names.
    pub(super) fn parse(text: &str) -> Option<Self> {
        if let Some(span) = text.strip_prefix('-') {
            return parse_span(span).map(Self::Before);
        }
        if text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
            return parse_seconds(text).map(Self::At);
        }
        // A query has no other way to write the offset of a zone, and some write the colon so too.
        text.replace("%2B", "+").replace("%2b", "+").replace("%3A", ":").replace("%3a", ":").parse().ok().map(Self::At)
    }

    /// Which moment that is where `end` is the end.
    pub(super) fn resolve(self, end: Timestamp) -> Timestamp {
        match self {
            Self::At(time) => time,
            Self::Before(span) => end.saturating_sub(span).unwrap_or(Timestamp::MIN),
        }
    }
}

/// `90s`, `5m`, `1h`, `2d`.
fn parse_span(text: &str) -> Option<SignedDuration> {
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return None,
    };
    Some(SignedDuration::from_secs(whole(digits)?.checked_mul(seconds)?))
}

/// Seconds since 1970, to the millisecond where that is said.
fn parse_seconds(text: &str) -> Option<Timestamp> {
    let (seconds, fraction) = text.split_once('.').unwrap_or((text, "000"));
    if !(1..=9).contains(&fraction.len()) || fraction.contains('.') {
        return None;
    }
    let nanos = format!("{fraction:0<9}").parse().ok()?;
    Timestamp::new(whole(seconds)?, nanos).ok()
}

fn whole(digits: &str) -> Option<i64> {
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| digits.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolved(text: &str) -> Option<String> {
        let end = "2026-11-24T12:00:00Z".parse().expect("a time");
        Moment::parse(text).map(|moment| moment.resolve(end).to_string())
    }

    #[test]
    fn moments_are_understood() {
        let cases = [
            ("2026-11-24T10:23:43Z", "2026-11-24T10:23:43Z"),
            ("2026-11-24T10:23:43.5+01:00", "2026-11-24T09:23:43.5Z"),
            ("2026-11-24T10%3A23%3a43%2B01:00", "2026-11-24T09:23:43Z"),
            ("0", "1970-01-01T00:00:00Z"),
            ("1795515823.25", "2026-11-24T10:23:43.25Z"),
            ("-90s", "2026-11-24T11:58:30Z"),
            ("-5m", "2026-11-24T11:55:00Z"),
            ("-1h", "2026-11-24T11:00:00Z"),
            ("-2d", "2026-11-22T12:00:00Z"),
            ("-0s", "2026-11-24T12:00:00Z"),
        ];
        for (text, expected) in cases {
            assert_eq!(resolved(text).as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn nonsense_is_not() {
        for text in [
            "",
            "-",
            "-h",
            "-1",
            "-1w",
            "--1h",
            "-1.5h",
            "1h",
            ".",
            "1.",
            ".5",
            "1.2.3",
            "noon",
            "2026-11-24",
            "-é",
            "99999999999999999999",
            "-9223372036854775807d",
            "2026-11-24T10:23:43",
            "%",
            "1795515823.0000000001",
        ] {
            assert_eq!(resolved(text), None, "{text}");
        }
    }
}
