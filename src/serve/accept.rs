//! Which of the formats of `/metrics` a client likes best, by its `Accept` header.

use hyper::http::{HeaderMap, header};

use crate::wire::Exposition;

/// The format for a client that sends `headers`. OpenMetrics only where it is asked for by name, and nothing of the
/// other format is liked better.
pub(super) fn exposition(headers: &HeaderMap) -> Exposition {
    let values = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let (mut open, mut plain) = (0.0_f32, 0.0_f32);
    for range in values.flat_map(|value| value.split(',')) {
        let (kind, quality) = quality(range);
        match kind.as_str() {
            "application/openmetrics-text" => open = open.max(quality),
            "text/plain" => plain = plain.max(quality),
            _ => {}
        }
    }
    if open > 0.0 && open >= plain { Exposition::OpenMetrics } else { Exposition::Prometheus }
}

/// A media type in lower case, and how much it is liked, from 0 to 1: not at all in a version that is not spoken here.
fn quality(range: &str) -> (String, f32) {
    let mut parts = range.split(';').map(str::trim);
    let kind = parts.next().unwrap_or_default().to_ascii_lowercase();
    let mut quality = 1.0;
    for (name, value) in parts.filter_map(|part| part.split_once('=')) {
        match (name.trim(), value.trim().trim_matches('"')) {
            ("q" | "Q", value) => quality *= value.parse().unwrap_or(0.0_f32).clamp(0.0, 1.0),
            ("version", "1.0.0") => {}
            ("version", "0.0.4") if kind == "text/plain" => {}
            ("version", _) => quality = 0.0,
            _ => {}
        }
    }
    (kind, quality)
}

#[cfg(test)]
mod tests {
    use hyper::http::HeaderValue;

    use super::*;

    fn liked(accept: &'static str) -> Exposition {
        exposition(&HeaderMap::from_iter([(header::ACCEPT, HeaderValue::from_static(accept))]))
    }

    #[test]
    fn openmetrics_has_to_be_asked_for() {
        assert_eq!(exposition(&HeaderMap::new()), Exposition::Prometheus);
        for accept in ["*/*", "text/html, */*;q=0.1", "text/plain;version=0.0.4", "nonsense;;=,", ""] {
            assert_eq!(liked(accept), Exposition::Prometheus, "{accept}");
        }
        assert_eq!(liked("application/openmetrics-text"), Exposition::OpenMetrics);
        assert_eq!(liked("Application/OpenMetrics-Text; version=\"1.0.0\"; charset=utf-8"), Exposition::OpenMetrics);
    }

    #[test]
    fn the_better_liked_one_is_sent() {
        // What Prometheus 2 and 3 send.
        let second = "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,\
                      text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
        let third = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,\
                     application/openmetrics-text;version=0.0.1;q=0.5,\
                     text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2";
        assert_eq!((liked(second), liked(third)), (Exposition::OpenMetrics, Exposition::OpenMetrics));
        assert_eq!(liked("application/openmetrics-text;q=0.4, text/plain;q=0.5"), Exposition::Prometheus);
        assert_eq!(liked("application/openmetrics-text;q=0"), Exposition::Prometheus);
        assert_eq!(liked("application/openmetrics-text;version=0.0.1"), Exposition::Prometheus);
        assert_eq!(liked("application/openmetrics-text;q=nan"), Exposition::Prometheus);
    }
}
