//! Values with a notation of their own: sizes, percentages, addresses.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    time::Duration,
};

/// More threads than this are a slip of the finger, and each has buffers of its own.
pub(super) const WORKERS_MAX: u64 = 256;
/// Larger blocks or records would no longer fit the memory that a run may take.
pub(super) const BYTES_MAX: usize = 1 << 30;
/// Nobody waits longer for a measurement.
pub(super) const SPAN_MAX: Duration = Duration::from_secs(86_400);
/// Where `--serve` listens.
pub(super) const SERVE_ADDRESS: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8000);

/// A size of at least one byte: `4096`, `64KiB`, `64K` (the same), `64kB` (64,000), as GNU tools write it.
pub(super) fn bytes(text: &str) -> Result<usize, String> {
    match usize::try_from(size(text)?) {
        Ok(size) if size <= BYTES_MAX => Ok(size),
        _ => Err("more than 1GiB".to_owned()),
    }
}

/// The same without an upper bound: bytes that are not kept in memory.
pub(super) fn size(text: &str) -> Result<u64, String> {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().map_err(|_| "not a size; write it like 4096, 64KiB or 1MB".to_owned())?;
    let factor =
        unit_bytes(unit.trim_start()).ok_or_else(|| format!("unknown unit `{unit}`; try KiB, MiB, kB or MB"))?;
    match number.checked_mul(factor) {
        Some(0) => Err("at least one byte is needed".to_owned()),
        Some(size) => Ok(size),
        None => Err("more than there are".to_owned()),
    }
}

/// A number of things: `2500`, `10k`, `10M` (10,000,000), `1G`.
pub(super) fn count(text: &str) -> Result<u64, String> {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().map_err(|_| "not a number; write it like 2500, 10k or 10M".to_owned())?;
    let factor = match unit {
        "" => 1,
        "k" | "K" => 1_000,
        "M" => 1_000_000,
        "G" => 1_000_000_000,
        _ => return Err(format!("unknown unit `{unit}`; try k, M or G, which are thousands here")),
    };
    number.checked_mul(factor).ok_or_else(|| "more than there are".to_owned())
}

/// A span of time of more than nothing: `10`, `10s`, `500ms`, `2min`.
pub(super) fn span(text: &str) -> Result<Duration, String> {
    let end = text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let factor = match unit {
        "" | "s" => 1.0,
        "ms" => 1e-3,
        "min" => 60.0,
        _ => return Err(format!("unknown unit `{unit}`; try ms, s or min")),
    };
    let seconds = number.trim_end().parse::<f64>().map(|number| number * factor);
    match seconds.map(Duration::try_from_secs_f64) {
        Ok(Ok(span)) if !span.is_zero() && span <= SPAN_MAX => Ok(span),
        _ => Err("not a span between 0 and a day; write it like 10s, 500ms or 2min".to_owned()),
    }
}

fn unit_bytes(unit: &str) -> Option<u64> {
    Some(match unit.to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" | "kib" => 1 << 10,
        "m" | "mib" => 1 << 20,
        "g" | "gib" => 1 << 30,
        "kb" => 1_000,
        "mb" => 1_000_000,
        "gb" => 1_000_000_000,
        _ => return None,
    })
}

/// A percentage, with or without its sign, as a share of 1.
pub(super) fn share(text: &str) -> Result<f64, String> {
    let number = text.strip_suffix('%').unwrap_or(text).trim_end();
    match number.parse::<f64>() {
        Ok(percent) if (0.0..=100.0).contains(&percent) => Ok(percent / 100.0),
        _ => Err("not a percentage between 0 and 100".to_owned()),
    }
}

/// A span of time like `5s`, `250ms` or `1m30s`.
pub(super) fn time(text: &str) -> Result<Duration, String> {
    let span = text.parse::<jiff::SignedDuration>().ok().and_then(|span| Duration::try_from(span).ok());
    span.ok_or_else(|| "not a span of time; write it like 5s, 250ms or 1m".to_owned())
}

/// An address to listen on: `IP:PORT`, `localhost:PORT`, or a port alone, which is on loopback.
pub(super) fn listen_address(text: &str) -> Result<SocketAddr, String> {
    let port = text.strip_prefix("localhost:").unwrap_or(text);
    if let Ok(port) = port.parse() {
        return Ok(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port));
    }
    text.parse().map_err(|_| "not an address; write it like 127.0.0.1:8000, [::1]:8000 or 8000".to_owned())
}
