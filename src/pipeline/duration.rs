//! Times and spans of times as a configuration has them: `"200ms"`, `"1.5s"`, `"100ms..10s"`.

use std::{ops::RangeInclusive, time::Duration};

use super::{Mistake, Value};

/// What a time looks like, as the help for a bad one says it.
const TIME_HELP: &str = "a time is a number and a unit: `200ms`, `1.5s`, `2m` or `1h`";

/// Units and how many milliseconds they are; the longer name first where one begins like another.
const UNITS: [(&str, f64); 4] = [("ms", 1.0), ("s", 1e3), ("m", 60e3), ("h", 3_600e3)];

/// `value` as a time within `range`.
pub(super) fn duration(value: &Value<'_>, range: &RangeInclusive<Duration>) -> Result<Duration, Mistake> {
    let text = value.text().map_err(|_| value.wrong_type("a time in quotes").with_help(TIME_HELP))?;
    in_range(value, parsed(value, text)?, range)
}

/// `value` as two times with two dots between them, the shorter one first, both within `range`.
pub(super) fn span(value: &Value<'_>, range: &RangeInclusive<Duration>) -> Result<(Duration, Duration), Mistake> {
    let help = "write the shortest and the longest time, such as `100ms..10s`";
    let text = value.text().map_err(|_| value.wrong_type("two times in quotes").with_help(help))?;
    let Some((least, most)) = text.split_once("..") else {
        return Err(value.mistake(format!("`{text}` is not two times")).label("no `..` here").with_help(help));
    };
    let least = in_range(value, parsed(value, least)?, range)?;
    let most = in_range(value, parsed(value, most)?, range)?;
    if least > most {
        return Err(value.mistake(format!("`{text}` begins with the longer time")).with_help(help));
    }
    Ok((least, most))
}

fn parsed(value: &Value<'_>, text: &str) -> Result<Duration, Mistake> {
    let text = text.trim();
    parse(text).ok_or_else(|| value.mistake(format!("`{text}` is not a time")).with_help(TIME_HELP))
}

fn in_range(value: &Value<'_>, time: Duration, range: &RangeInclusive<Duration>) -> Result<Duration, Mistake> {
    if range.contains(&time) {
        return Ok(time);
    }
    Err(value.out_of_range(&shown(*range.start()), &shown(*range.end())))
}

/// A number, and right behind it (or after spaces) a unit.
fn parse(text: &str) -> Option<Duration> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.')?;
    let (number, unit) = (&text[..end], text[end..].trim_start());
    let (_, milliseconds) = UNITS.into_iter().find(|(name, _)| *name == unit)?;
    let number: f64 = number.parse().ok()?;
    Duration::try_from_secs_f64(number * milliseconds / 1e3).ok()
}

/// The time in the largest unit in which it is a whole number.
pub(super) fn shown(time: Duration) -> String {
    let milliseconds = time.as_millis();
    let fits = |(_, unit): &(&str, f64)| milliseconds > 0 && milliseconds.is_multiple_of(*unit as u128);
    let (name, unit) = UNITS.into_iter().rev().find(fits).unwrap_or(UNITS[0]);
    format!("{}{name}", milliseconds / unit as u128)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_numbers_with_units() {
        let cases = [("200ms", 200), ("0ms", 0), ("1.5s", 1_500), ("2 m", 120_000), ("1h", 3_600_000)];
        for (text, milliseconds) in cases {
            assert_eq!(parse(text), Some(Duration::from_millis(milliseconds)), "{text}");
        }
        let huge = format!("{}s", "9".repeat(400));
        for text in ["", "5", "s", "ms", "-1s", "1.2.3s", "5 parsecs", "5S", "1e3s", ".s", "5s5", &huge] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn times_are_shown_in_their_largest_unit() {
        let cases = [(0, "0ms"), (999, "999ms"), (1_500, "1500ms"), (2_000, "2s"), (120_000, "2m"), (7_200_000, "2h")];
        for (milliseconds, expected) in cases {
            assert_eq!(shown(Duration::from_millis(milliseconds)), expected);
        }
    }
}
