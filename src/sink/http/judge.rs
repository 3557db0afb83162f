//! What an answer means for the records that were sent. Pure.

use std::{collections::HashMap, time::Duration};

use hyper::StatusCode;
use jiff::{Timestamp, fmt::rfc2822};
use serde::Deserialize;
use serde_json::Value;

use crate::{escape::escape_within, limits, pipeline::HttpFormat};

/// Columns of an answer's body that are shown.
const SHOWN_COLUMNS: usize = 200;

/// What a server answered, as far as it was read.
#[derive(Debug, Clone, Default)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) retry_after: Option<String>,
    pub(super) location: Option<String>,
    pub(super) body: Vec<u8>,
    /// There was more of it than is read.
    pub(super) is_cut: bool,
}

/// What becomes of the records of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// All are delivered.
    Delivered,
    /// It may pass: they are sent again, after this time at the earliest.
    Later { why: String, wait: Option<Duration> },
    /// Fewer at once may be taken; one alone is refused.
    TooMany(String),
    /// Some of them are bad, and the server does not say which; one alone is the one.
    SomeBad(String),
    /// All are refused for good.
    Refused(String),
    /// Each has its own fate, in their order.
    Each(Vec<Fate>),
}

/// What becomes of one record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fate {
    /// It is there.
    Delivered,
    /// It is sent again.
    Later(String),
    /// It is refused for good.
    Refused(String),
}

/// What `answer` means for `records` records that were sent as `format`.
pub(super) fn judge(format: HttpFormat, records: usize, answer: &Answer) -> Verdict {
    let why = || reason(answer);
    match answer.status.as_u16() {
        200..=299 if format == HttpFormat::Elasticsearch => bulk(records, answer),
        200..=299 => Verdict::Delivered,
        300..=399 => Verdict::Refused(redirect(answer)),
        // The token is read again before it is sent again.
        401 | 408 | 425 | 429 | 500..=599 => Verdict::Later { why: why(), wait: retry_after(answer, Timestamp::now()) },
        413 => Verdict::TooMany(why()),
        // These know a record that comes twice, so that it can be tried in parts.
        400 | 422 if format != HttpFormat::Ndjson => Verdict::SomeBad(why()),
        _ => Verdict::Refused(why()),
    }
}

/// The status, and how the body begins.
fn reason(answer: &Answer) -> String {
    let body = escape_within(answer.body.trim_ascii(), SHOWN_COLUMNS);
    if body.is_empty() { answer.status.to_string() } else { format!("{}: {body}", answer.status) }
}

fn redirect(answer: &Answer) -> String {
    let said = format!("{}: redirects are not followed", answer.status);
    let Some(target) = answer.location.as_deref().filter(|target| !target.is_empty()) else { return said };
    let target = escape_within(target.as_bytes(), SHOWN_COLUMNS);
    format!("{said}; set `url` to {target:?} if that is right")
}

/// How long the server asks to be left alone for, within bounds.
fn retry_after(answer: &Answer, now: Timestamp) -> Option<Duration> {
    let text = answer.retry_after.as_deref()?.trim();
    let wait = match text.parse::<u64>() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => {
            let then = rfc2822::parse(text).ok()?.timestamp();
            Duration::try_from(then.duration_since(now)).unwrap_or_default()
        }
    };
    Some(wait.min(limits::HTTP_RETRY_AFTER))
}

/// The answer to a bulk request, as far as it matters.
#[derive(Deserialize)]
struct Bulk {
    errors: bool,
    #[serde(default)]
    items: Vec<HashMap<String, BulkItem>>,
}

#[derive(Deserialize)]
struct BulkItem {
    status: u16,
    #[serde(default)]
    error: Value,
}

/// An answer of 200 says only that each record has an answer of its own.
fn bulk(records: usize, answer: &Answer) -> Verdict {
    let unreadable = |why: String| match records {
        // Records that come twice are there once.
        2.. if answer.is_cut => Verdict::TooMany(why),
        _ => Verdict::Later { why, wait: None },
    };
    let bulk: Bulk = match serde_json::from_slice(&answer.body) {
        Ok(bulk) => bulk,
        Err(error) => return unreadable(format!("{}: not the answer to a bulk request: {error}", reason(answer))),
    };
    if !bulk.errors {
        return Verdict::Delivered;
    }
    if bulk.items.len() != records {
        return unreadable(format!("the answer speaks of {} records, and {records} were sent", bulk.items.len()));
    }
    Verdict::Each(
        bulk.items.into_iter().map(|item| item.into_values().next().map_or_else(nothing_said, fate)).collect(),
    )
}

fn nothing_said() -> Fate {
    Fate::Later("the answer says nothing about it".to_owned())
}

fn fate(item: BulkItem) -> Fate {
    let why = || {
        let error = escape_within(item.error.to_string().as_bytes(), SHOWN_COLUMNS);
        format!("{}: {error}", item.status)
    };
    match item.status {
        // It came twice, and is there.
        200..=299 | 409 => Fate::Delivered,
        401 | 408 | 429 | 500..=599 => Fate::Later(why()),
        _ => Fate::Refused(why()),
    }
}

#[cfg(test)]
mod tests;
