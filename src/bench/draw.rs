//! Pictures as SVG: the few shapes that the page needs. Numbers are rounded to a tenth of a pixel; text is escaped.

use std::fmt::Write;

use crate::escape::escape;

/// Text that a page shows as it is: it can neither be markup nor control anything.
pub(super) fn html(text: &str) -> String {
    let mut safe = String::new();
    for c in escape(text.as_bytes()).chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            c => safe.push(c),
        }
    }
    safe
}

/// Which point of a text stands at its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

/// A picture. Colours and lines are classes of the page's style sheet.
#[derive(Debug)]
pub(super) struct Picture {
    body: String,
    width: f64,
    height: f64,
}

impl Picture {
    pub(super) fn new(width: f64, height: f64) -> Self {
        Self { body: String::new(), width, height }
    }

    pub(super) fn rect(&mut self, class: &str, [x, y]: [f64; 2], [width, height]: [f64; 2]) {
        let (width, height) = (width.max(0.0), height.max(0.0));
        self.push(format_args!(
            r#"<rect class="{class}" x="{x:.1}" y="{y:.1}" width="{width:.1}" height="{height:.1}"/>"#
        ));
    }

    pub(super) fn line(&mut self, class: &str, [x1, y1]: [f64; 2], [x2, y2]: [f64; 2]) {
        self.push(format_args!(r#"<line class="{class}" x1="{x1:.1}" y1="{y1:.1}" x2="{x2:.1}" y2="{y2:.1}"/>"#));
    }

    pub(super) fn dot(&mut self, class: &str, [x, y]: [f64; 2], radius: f64) {
        self.push(format_args!(r#"<circle class="{class}" cx="{x:.1}" cy="{y:.1}" r="{radius:.1}"/>"#));
    }

    pub(super) fn way(&mut self, class: &str, points: &[[f64; 2]]) {
        let points: Vec<String> = points.iter().map(|[x, y]| format!("{x:.1},{y:.1}")).collect();
        self.push(format_args!(r#"<polyline class="{class}" points="{}"/>"#, points.join(" ")));
    }

    pub(super) fn text(&mut self, class: &str, [x, y]: [f64; 2], anchor: Anchor, text: &str) {
        let anchor = match anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        let text = html(text);
        self.push(format_args!(r#"<text class="{class}" x="{x:.1}" y="{y:.1}" text-anchor="{anchor}">{text}</text>"#));
    }

    fn push(&mut self, shape: std::fmt::Arguments<'_>) {
        writeln!(self.body, "{shape}").expect("memory can be written to");
    }

    /// It as SVG, with what it shows in words.
    pub(super) fn svg(self, words: &str) -> String {
        let Self { body, width, height } = self;
        let words = html(words);
        format!("<svg viewBox=\"0 0 {width:.0} {height:.0}\" role=\"img\" aria-label=\"{words}\">\n{body}</svg>\n")
    }
}

/// Maps numbers to pixels.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scale {
    low: f64,
    high: f64,
    pixels: [f64; 2],
}

impl Scale {
    /// From `low`, at the first pixel, to `high`, at the last one.
    pub(super) fn new(low: f64, high: f64, pixels: [f64; 2]) -> Self {
        Self { low, high: if high > low { high } else { low + 1.0 }, pixels }
    }

    /// Around all of `values`, with some room beside them.
    pub(super) fn around(values: impl Iterator<Item = f64> + Clone, pixels: [f64; 2]) -> Self {
        let low = values.clone().fold(f64::INFINITY, f64::min);
        let high = values.fold(f64::NEG_INFINITY, f64::max);
        let room = ((high - low) * 0.08).max(high.abs() * 1e-4);
        Self::new(low - room, high + room, pixels)
    }

    pub(super) fn at(&self, value: f64) -> f64 {
        let [first, last] = self.pixels;
        first + (value - self.low) / (self.high - self.low) * (last - first)
    }

    /// About `wanted` round numbers, and how many decimals they need.
    pub(super) fn ticks(&self, wanted: usize) -> (Vec<f64>, usize) {
        let rough = (self.high - self.low) / wanted as f64;
        let power = 10_f64.powf(rough.log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0].map(|factor| factor * power).into_iter().find(|step| *step >= rough);
        let step = step.unwrap_or(power * 10.0);
        let first = (self.low / step).ceil() as i64;
        let last = (self.high / step).floor() as i64;
        let decimals = (-step.log10().floor()).clamp(0.0, 9.0) as usize;
        ((first..=last).take(100).map(|number| number as f64 * step).collect(), decimals)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_inside() {
        for (low, high, expected, decimals) in [
            (0.0, 10.0, vec![0.0, 2.0, 4.0, 6.0, 8.0, 10.0], 0),
            (2.93, 3.01, vec![2.94, 2.96, 2.98, 3.0], 2),
            (-0.4, 1.3, vec![0.0, 0.5, 1.0], 1),
        ] {
            let (ticks, found) = Scale::new(low, high, [0.0, 100.0]).ticks(5);
            assert_eq!(ticks.len(), expected.len(), "{ticks:?}");
            assert!(ticks.iter().zip(&expected).all(|(one, other)| (one - other).abs() < 1e-9), "{ticks:?}");
            assert_eq!(found, decimals);
        }
        assert!(Scale::around([5.0, 5.0].into_iter(), [0.0, 1.0]).at(5.0).is_finite());
    }

    #[test]
    fn text_is_no_markup() {
        assert_eq!(html("<a href='x'>&\"\u{1b}"), "&lt;a href=&#39;x&#39;&gt;&amp;&quot;\\x1b");
    }
}
