//! Numbers as people read them: at most three digits and a unit where size matters, every digit where exactness does.
//!
//! Units are decimal (1 GB is 1,000,000,000 bytes), so that sizes, times and rates fit each other. Nothing here panics,
//! whatever the number; what is no number is shown as [`NONE`].

use std::time::Duration;

/// What stands where there is no number.
pub(crate) const NONE: &str = "-";

const NS_PER_MIN: f64 = 60e9;
const NS_PER_H: f64 = 3_600e9;

/// Every digit, in groups of three: `12,345,678`.
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `count` of `noun`s, with an `s` where there are several.
pub(crate) fn plural(number: u64, noun: &str) -> String {
    format!("{} {noun}{}", count(number), if number == 1 { "" } else { "s" })
}

/// A number that need not be exact, in at most six columns: `950`, `12.3 k`, `59.5 M`.
pub(crate) fn short(number: f64) -> String {
    scaled(number, &["", "k", "M", "G", "T", "P", "E"])
}

/// A size: `512 B`, `1.07 GB`.
pub(crate) fn bytes(size: u64) -> String {
    scaled(size as f64, &["B", "kB", "MB", "GB", "TB", "PB", "EB"])
}

/// A speed: `6.47 GB/s`.
pub(crate) fn bytes_per_s(rate: f64) -> String {
    scaled(rate, &["B/s", "kB/s", "MB/s", "GB/s", "TB/s", "PB/s", "EB/s"])
}

/// Three significant digits and the unit that makes them fit; units are a factor of 1,000 apart.
fn scaled(number: f64, units: &[&str]) -> String {
    if !number.is_finite() || number < 0.0 {
        return NONE.to_owned();
    }
    let mut value = number;
    for (step, unit) in units.iter().enumerate() {
        // What would be rounded to 1000 belongs to the next unit.
        if value < 999.5 {
            return with_unit(&three_digits(value, step == 0 && number.fract() == 0.0), unit);
        }
        value /= 1_000.0;
    }
    with_unit(">999", units.last().copied().unwrap_or_default())
}

fn three_digits(value: f64, whole: bool) -> String {
    let decimals = match value {
        _ if whole => 0,
        v if v < 9.995 => 2,
        v if v < 99.95 => 1,
        _ => 0,
    };
    format!("{value:.decimals$}")
}

fn with_unit(number: &str, unit: &str) -> String {
    if unit.is_empty() { number.to_owned() } else { format!("{number} {unit}") }
}

/// A short span in at most six columns: `12 ns`, `1.2 µs`, `100 ms`, `17 min`.
pub(crate) fn nanos(ns: f64) -> String {
    if !ns.is_finite() || ns < 0.0 {
        return NONE.to_owned();
    }
    let units = [(1.0, "ns"), (1e3, "µs"), (1e6, "ms"), (1e9, "s"), (NS_PER_MIN, "min"), (NS_PER_H, "h")];
    for (at, (size, unit)) in units.iter().enumerate() {
        let value = ns / size;
        let end = units.get(at + 1).map_or(999.5, |(next, _)| next / size - 0.5);
        if value < end {
            let decimals = usize::from(value < 9.95 && value != 0.0 && *unit != "min");
            return format!("{value:.decimals$} {unit}");
        }
    }
    ">999 h".to_owned()
}

/// A short span in three digits, where small differences matter: `50.4 ms`, `1.21 s`.
pub(crate) fn nanos_precise(ns: f64) -> String {
    let units = [(1.0, "ns"), (1e3, "µs"), (1e6, "ms")];
    let unit = units.into_iter().find(|(size, _)| ns / size < 999.5).unwrap_or((1e9, "s"));
    if !ns.is_finite() || ns < 0.0 { NONE.to_owned() } else { with_unit(&three_digits(ns / unit.0, false), unit.1) }
}

/// A long span: `166 ms`, `12.3 s`, `4 min 05 s`, `2 h 03 min`.
pub(crate) fn duration(span: Duration) -> String {
    let seconds = span.as_secs_f64();
    if seconds < 0.9995 {
        return nanos(span.as_nanos() as f64);
    }
    if seconds < 59.95 {
        return format!("{} s", three_digits(seconds, false));
    }
    let whole = seconds.round() as u64;
    match whole {
        0..3_600 => format!("{} min {:02} s", whole / 60, whole % 60),
        _ => format!("{} h {:02} min", count(whole / 3_600), whole % 3_600 / 60),
    }
}

/// `part` of `whole` in percent, in at most six columns: never `0 %` for something, nor `100 %` for less than all.
pub(crate) fn share(part: f64, whole: f64) -> String {
    let percent = part / whole * 100.0;
    match percent {
        p if !p.is_finite() || p < 0.0 => NONE.to_owned(),
        0.0 => "0 %".to_owned(),
        p if p < 0.1 => "<0.1 %".to_owned(),
        100.0 => "100 %".to_owned(),
        p if p > 99.9 && p < 100.0 => ">99.9%".to_owned(),
        p if p < 99.95 => format!("{p:.1} %"),
        p if p < 999.5 => format!("{p:.0} %"),
        _ => ">999 %".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::escape::columns;

    #[test]
    fn numbers_read_well() {
        let cases = [
            (count(0), "0"),
            (count(999), "999"),
            (count(1_000), "1,000"),
            (count(u64::MAX), "18,446,744,073,709,551,615"),
            (plural(1, "line"), "1 line"),
            (plural(0, "line"), "0 lines"),
            (short(0.0), "0"),
            (short(999.0), "999"),
            (short(999.6), "1.00 k"),
            (short(59_520_000.0), "59.5 M"),
            (bytes(0), "0 B"),
            (bytes(1_073_741_824), "1.07 GB"),
            (bytes(u64::MAX), "18.4 EB"),
            (bytes_per_s(6.47e9), "6.47 GB/s"),
            (bytes_per_s(0.25), "0.25 B/s"),
            (bytes_per_s(f64::INFINITY), NONE),
            (bytes_per_s(f64::NAN), NONE),
            (bytes_per_s(f64::MAX), ">999 EB/s"),
        ];
        for (shown, expected) in cases {
            assert_eq!(shown, expected);
        }
    }

    #[test]
    fn spans_read_well() {
        let cases = [
            (nanos(0.0), "0 ns"),
            (nanos(0.43), "0.4 ns"),
            (nanos(999.0), "999 ns"),
            (nanos(999.7), "1.0 µs"),
            (nanos(1_234.0), "1.2 µs"),
            (nanos(100_100_000.0), "100 ms"),
            (nanos(59e9), "59 s"),
            (nanos(60e9), "1 min"),
            (nanos(3_600e9), "1.0 h"),
            (nanos(u64::MAX as f64), ">999 h"),
            (nanos_precise(50_440_000.0), "50.4 ms"),
            (nanos_precise(999_600.0), "1.00 ms"),
            (nanos_precise(75e9), "75.0 s"),
            (nanos_precise(f64::NAN), NONE),
            (duration(Duration::ZERO), "0 ns"),
            (duration(Duration::from_millis(166)), "166 ms"),
            (duration(Duration::from_millis(1_660)), "1.66 s"),
            (duration(Duration::from_millis(59_990)), "1 min 00 s"),
            (duration(Duration::from_secs(245)), "4 min 05 s"),
            (duration(Duration::from_secs(7_380)), "2 h 03 min"),
        ];
        for (shown, expected) in cases {
            assert_eq!(shown, expected);
        }
    }

    #[test]
    fn shares_do_not_round_to_all_or_nothing() {
        let cases = [
            (share(0.0, 5.0), "0 %"),
            (share(1.0, 1e6), "<0.1 %"),
            (share(0.999_99, 1.0), ">99.9%"),
            (share(7.0, 7.0), "100 %"),
            (share(1.0, 3.0), "33.3 %"),
            (share(3.0, 1.0), "300 %"),
            (share(1.0, 0.0), NONE),
            (share(0.0, 0.0), NONE),
        ];
        for (shown, expected) in cases {
            assert_eq!(shown, expected);
        }
    }

    proptest! {
        #[test]
        fn widths_are_bounded(number in any::<f64>(), whole in any::<f64>(), size in any::<u64>()) {
            prop_assert!(columns(&short(number)) <= 6);
            prop_assert!(columns(&bytes(size)) <= 7);
            prop_assert!(columns(&bytes_per_s(number)) <= 9);
            for ns in [number, size as f64] {
                prop_assert!(columns(&nanos(ns)) <= 6, "{}", nanos(ns));
            }
            prop_assert!(columns(&share(number, whole)) <= 6);
            prop_assert!(columns(&duration(Duration::from_nanos(size))) <= 18);
        }

        #[test]
        fn spans_between_a_nanosecond_and_an_hour_fit(exponent in 0.0..42.0_f64) {
            prop_assert!(columns(&nanos(exponent.exp2())) <= 6, "{}", nanos(exponent.exp2()));
        }

        #[test]
        fn counts_keep_their_digits(number in any::<u64>(), other in any::<u64>()) {
            prop_assert_eq!(count(number).replace(',', ""), number.to_string());
            prop_assert!((number <= other) == (count(number).len(), count(number)) .le(&(count(other).len(), count(other))));
        }
    }
}
