//! The text formats that Prometheus reads: 0.0.4, and OpenMetrics 1.0.

use std::fmt::Write;

/// Which of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exposition {
    /// Prometheus' own, version 0.0.4.
    Prometheus,
    /// OpenMetrics, version 1.0.0.
    OpenMetrics,
}

impl Exposition {
    /// How it is called in a `Content-Type`.
    pub(crate) fn content_type(self) -> &'static str {
        match self {
            Self::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// What a family's numbers are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// They only grow. The name ends in `_total`.
    Counter,
    /// They go up and down.
    Gauge,
    /// Counts of values up to some bounds.
    Histogram,
    /// Always 1; its labels are what it says. The name ends in `_info`.
    Info,
}

impl Kind {
    fn name(self, exposition: Exposition) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Histogram => "histogram",
            Self::Info if exposition == Exposition::OpenMetrics => "info",
            Self::Gauge | Self::Info => "gauge",
        }
    }

    /// What OpenMetrics takes for a part of the sample's name, and not of the family's.
    fn suffix(self) -> &'static str {
        match self {
            Self::Counter => "_total",
            Self::Info => "_info",
            Self::Gauge | Self::Histogram => "",
        }
    }
}

/// Labels of one sample.
pub(super) type Labels<'a> = [(&'a str, &'a str)];

/// A text that grows, family by family.
pub(super) struct Text {
    exposition: Exposition,
    text: String,
    name: &'static str,
}

impl Text {
    pub(super) fn new(exposition: Exposition) -> Self {
        Self { exposition, text: String::with_capacity(16 << 10), name: "" }
    }

    /// Begins a family: its samples follow, and nothing else comes between them.
    pub(super) fn family(&mut self, kind: Kind, name: &'static str, help: &str) -> &mut Self {
        self.name = name;
        let base = name.strip_suffix(kind.suffix()).unwrap_or(name);
        let family = if self.exposition == Exposition::OpenMetrics { base } else { name };
        self.line(format_args!("# HELP {family} {help}"));
        self.line(format_args!("# TYPE {family} {}", kind.name(self.exposition)));
        let unit = UNITS.into_iter().find(|unit| base.ends_with(&format!("_{unit}")));
        if let Some(unit) = unit.filter(|_| self.exposition == Exposition::OpenMetrics) {
            self.line(format_args!("# UNIT {family} {unit}"));
        }
        self
    }

    /// One whole number.
    pub(super) fn count(&mut self, labels: &Labels<'_>, count: u64) -> &mut Self {
        self.sample("", labels, format_args!("{count}"))
    }

    /// One number of any kind.
    pub(super) fn number(&mut self, labels: &Labels<'_>, number: f64) -> &mut Self {
        self.sample("", labels, format_args!("{}", Float(number)))
    }

    /// Nanoseconds, in seconds.
    pub(super) fn nanos(&mut self, labels: &Labels<'_>, ns: u64) -> &mut Self {
        self.number(labels, seconds(ns))
    }

    /// One histogram: `below` is how many values there are up to each bound, in seconds.
    pub(super) fn histogram(&mut self, label: (&str, &str), below: &[(f64, u64)], count: u64, sum_ns: u64) {
        for &(bound, below) in below {
            self.sample("_bucket", &[label, ("le", &Float(bound).to_string())], format_args!("{below}"));
        }
        self.sample("_bucket", &[label, ("le", "+Inf")], format_args!("{count}"));
        self.sample("_sum", &[label], format_args!("{}", Float(seconds(sum_ns))));
        self.sample("_count", &[label], format_args!("{count}"));
    }

    /// The whole text.
    pub(super) fn finish(mut self) -> String {
        if self.exposition == Exposition::OpenMetrics {
            self.line(format_args!("# EOF"));
        }
        self.text
    }

    fn sample(&mut self, suffix: &str, labels: &Labels<'_>, value: std::fmt::Arguments<'_>) -> &mut Self {
        self.text.push_str(self.name);
        self.text.push_str(suffix);
        for (number, (name, value)) in labels.iter().enumerate() {
            self.text.push(if number == 0 { '{' } else { ',' });
            self.text.push_str(name);
            self.text.push_str("=\"");
            push_label(&mut self.text, value);
            self.text.push('"');
        }
        if !labels.is_empty() {
            self.text.push('}');
        }
        self.line(format_args!(" {value}"));
        self
    }

    fn line(&mut self, arguments: std::fmt::Arguments<'_>) {
        // Writing to a string cannot fail.
        let _ = writeln!(self.text, "{arguments}");
    }
}

/// Units that names end in, and that OpenMetrics wants to be told.
const UNITS: [&str; 3] = ["seconds", "bytes", "ratio"];

/// Nanoseconds in seconds.
pub(super) fn seconds(ns: u64) -> f64 {
    ns as f64 / 1e9
}

/// A number as both formats spell it.
struct Float(f64);

impl std::fmt::Display for Float {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            number if number.is_nan() => formatter.write_str("NaN"),
            number if number.is_infinite() => formatter.write_str(if number > 0.0 { "+Inf" } else { "-Inf" }),
            number if number == number.trunc() => write!(formatter, "{number:.1}"),
            number => write!(formatter, "{number}"),
        }
    }
}

/// A label's value. The formats know three escapes and no others: what else would move a terminal's cursor is spelt out.
fn push_label(text: &mut String, value: &str) {
    for character in value.chars() {
        match character {
            '\\' => text.push_str("\\\\"),
            '"' => text.push_str("\\\""),
            '\n' => text.push_str("\\n"),
            // Writing to a string cannot fail.
            control if control.is_control() => _ = write!(text, "\\\\x{:02x}", u32::from(control)),
            other => text.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(exposition: Exposition) -> String {
        let mut text = Text::new(exposition);
        text.family(Kind::Counter, "a_seconds_total", "Time.").nanos(&[("x", "1")], 1_500_000_000);
        text.family(Kind::Gauge, "b_bytes", "Size.").count(&[], 7);
        text.family(Kind::Info, "c_info", "What.").count(&[("v", "1")], 1);
        text.family(Kind::Histogram, "d_seconds", "Spread.").histogram(("p", "q"), &[(0.5, 1), (1.0, 3)], 4, 9);
        text.finish()
    }

    #[test]
    fn the_format_of_prometheus() {
        let expected = "# HELP a_seconds_total Time.\n# TYPE a_seconds_total counter\na_seconds_total{x=\"1\"} 1.5\n\
                        # HELP b_bytes Size.\n# TYPE b_bytes gauge\nb_bytes 7\n\
                        # HELP c_info What.\n# TYPE c_info gauge\nc_info{v=\"1\"} 1\n\
                        # HELP d_seconds Spread.\n# TYPE d_seconds histogram\n\
                        d_seconds_bucket{p=\"q\",le=\"0.5\"} 1\nd_seconds_bucket{p=\"q\",le=\"1.0\"} 3\n\
                        d_seconds_bucket{p=\"q\",le=\"+Inf\"} 4\nd_seconds_sum{p=\"q\"} 0.000000009\n\
                        d_seconds_count{p=\"q\"} 4\n";
        assert_eq!(text(Exposition::Prometheus), expected);
    }

    #[test]
    fn openmetrics_names_families_without_suffixes_and_has_an_end() {
        let text = text(Exposition::OpenMetrics);
        assert!(text.starts_with(
            "# HELP a_seconds Time.\n# TYPE a_seconds counter\n# UNIT a_seconds seconds\na_seconds_total{x=\"1\"} 1.5\n"
        ));
        assert!(text.contains("# HELP c What.\n# TYPE c info\nc_info{v=\"1\"} 1\n"), "{text}");
        assert!(text.ends_with("d_seconds_count{p=\"q\"} 4\n# EOF\n"));
    }

    #[test]
    fn a_label_cannot_break_out_nor_control_a_terminal() {
        let mut text = String::new();
        push_label(&mut text, "a\"b\\c\nd\re\u{1b}[31m\u{9b}é");
        assert_eq!(text, r#"a\"b\\c\nd\\x0de\\x1b[31m\\x9bé"#);
    }

    #[test]
    fn numbers_are_spelt_as_both_formats_do() {
        let spelt = [0.0, 1.0, 0.1, 3.2e-8, 1e21, f64::NAN, f64::INFINITY, f64::NEG_INFINITY].map(Float);
        let expected = ["0.0", "1.0", "0.1", "0.000000032", "1000000000000000000000.0", "NaN", "+Inf", "-Inf"];
        assert_eq!(spelt.map(|number| number.to_string()), expected);
    }
}
