//! The settings of a sink of kind `http`, which posts records to a server in batches.
//!
//! ```toml
//! [[sink]]
//! id   = "search"
//! from = "errors"
//! kind = "http"
//! url  = "https://search.example:9200"
//! format = "elasticsearch"
//! index  = "logs"
//! token_file = "/etc/logweir/token"
//! ```
//!
//! | key | what it says |
//! |---|---|
//! | `url` | where to post to, `http://` or `https://`; where it has no path, `elasticsearch` and `loki` add their own (`/_bulk`, `/loki/api/v1/push`). Names and passwords do not belong in it: see `token_file` |
//! | `format` | `"ndjson"` (the default): a JSON object a line, `time`, `message`, `source`, `offset`; `"elasticsearch"`: the bulk format, each record under an `_id` made of its place, so that it is there once however often it is sent; `"loki"`: streams by source |
//! | `gzip` | bodies are compressed; default `true` |
//! | `batch_bytes` | a batch is sent when it has so many bytes; default 1 MiB |
//! | `batch_time` | a batch is sent when its first record has waited so long; default `"200ms"` |
//! | `timeout` | how long one request may take, from the connection to the last byte of the answer; default `"30s"` |
//! | `concurrency` | requests that are under way at once; default 4, for `loki`, which wants each stream in order, 1 |
//! | `token_file` | a file with a bearer token; read at the start, and again when the server says 401, so that it can be renewed |
//! | `ca_file` | certificates (PEM) to trust instead of those that the system trusts |
//! | `labels` | for `loki`: labels of all streams, `{ host = "a" }`; `source` is added |
//! | `index` | for `elasticsearch`, which needs it: the index or data stream |
//!
//! `on_error` and `retry` are those of all sinks.

use std::{path::PathBuf, time::Duration};

use hyper::Uri;

use super::{Delivery, Mistake, Options, Value, duration::duration, path::path};
use crate::limits;

/// What a URL looks like, as the help for a bad one says it.
const URL_HELP: &str = "such as `https://logs.example/ingest`";

/// What bodies look like, and what answers mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HttpFormat {
    /// A JSON object a line.
    Ndjson,
    /// `_bulk` with `create` actions.
    Elasticsearch,
    /// Streams of a push.
    Loki,
}

/// Where a sink of kind `http` posts to, and how. See the table at the head of its module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpPlan {
    /// Where to post to, with the path that the format adds.
    pub(crate) url: Uri,
    pub(crate) format: HttpFormat,
    pub(crate) gzip: bool,
    pub(crate) batch_bytes: usize,
    pub(crate) batch_time: Duration,
    pub(crate) timeout: Duration,
    pub(crate) concurrency: usize,
    pub(crate) token_file: Option<PathBuf>,
    pub(crate) ca_file: Option<PathBuf>,
    /// Of Loki's streams, in the order of the text.
    pub(crate) labels: Vec<(String, String)>,
    /// Of Elasticsearch; empty elsewhere.
    pub(crate) index: String,
    pub(crate) delivery: Delivery,
}

impl HttpPlan {
    /// The URL for people: without its query, which may have a secret.
    #[must_use]
    pub fn shown(&self) -> String {
        let text = self.url.to_string();
        match text.split_once('?') {
            Some((start, _)) => format!("{start}?…"),
            None => text,
        }
    }
}

/// Reads the settings of a sink of kind `http`.
pub(super) fn plan(options: &mut Options<'_>, delivery: Delivery) -> Result<HttpPlan, Mistake> {
    let url_value = options.require("url")?;
    let word = options.get("format").map(|value| value.word(&["ndjson", "elasticsearch", "loki"])).transpose()?;
    let format = match word {
        Some("elasticsearch") => HttpFormat::Elasticsearch,
        Some("loki") => HttpFormat::Loki,
        _ => HttpFormat::Ndjson,
    };
    let files = (file(options, "token_file")?, file(options, "ca_file")?);
    Ok(HttpPlan {
        url: url(&url_value, format)?,
        format,
        gzip: options.get("gzip").map_or(Ok(true), |value| value.flag())?,
        batch_bytes: number(options, "batch_bytes", 1, limits::HTTP_BATCH_BYTES_MAX, limits::HTTP_BATCH_BYTES)?,
        batch_time: time(options, "batch_time", Duration::ZERO, limits::HTTP_BATCH_TIME)?,
        timeout: time(options, "timeout", Duration::from_millis(1), limits::HTTP_TIME)?,
        concurrency: number(options, "concurrency", 1, limits::HTTP_REQUESTS_MAX, requests(format))?,
        token_file: files.0,
        ca_file: files.1,
        labels: labels(options, format)?,
        index: index(options, format)?,
        delivery,
    })
}

fn requests(format: HttpFormat) -> usize {
    if format == HttpFormat::Loki { 1 } else { limits::HTTP_REQUESTS }
}

fn number(
    options: &mut Options<'_>,
    key: &'static str,
    least: usize,
    most: usize,
    default: usize,
) -> Result<usize, Mistake> {
    let Some(value) = options.get(key) else { return Ok(default) };
    Ok(value.integer(least as i64..=most as i64)? as usize)
}

fn time(options: &mut Options<'_>, key: &'static str, least: Duration, default: Duration) -> Result<Duration, Mistake> {
    options.get(key).map_or(Ok(default), |value| duration(&value, &(least..=limits::HTTP_TIME_MAX)))
}

fn file(options: &mut Options<'_>, key: &'static str) -> Result<Option<PathBuf>, Mistake> {
    options.get(key).map(|value| path(&value).map(|(path, _)| path)).transpose()
}

/// The URL in `value`, with a path.
fn url(value: &Value<'_>, format: HttpFormat) -> Result<Uri, Mistake> {
    let text = value.text()?;
    if !text.starts_with("http://") && !text.starts_with("https://") {
        let mistake = value.mistake(format!("`{}` is not a URL of the web", without_login(text)));
        return Err(mistake.label("must begin with `http://` or `https://`").with_help(URL_HELP));
    }
    check_host(value, text.split(['/', '?', '#']).nth(2).unwrap_or_default())?;
    if text.contains('#') {
        return Err(value.mistake("what stands behind a `#` is never sent").label("remove it"));
    }
    let uri = text.parse().map_err(|error| value.mistake(format!("not a URL: {error}")).with_help(URL_HELP))?;
    Ok(with_path(uri, format))
}

/// Name and port of the host, and nobody's password.
fn check_host(value: &Value<'_>, authority: &str) -> Result<(), Mistake> {
    if authority.contains('@') {
        let mistake = value.mistake("a name or password does not belong in a URL, where everybody sees it");
        return Err(mistake.label("remove what stands before the `@`").with_help("put a token into `token_file`"));
    }
    // Addresses in brackets have colons of their own.
    let behind = authority.rsplit_once(']').map_or(authority, |(_, behind)| behind);
    if authority.is_empty() || authority.starts_with(':') {
        return Err(value.mistake("the URL names no host").with_help(URL_HELP));
    }
    match behind.rsplit_once(':') {
        Some((_, port)) if port.parse::<u16>().is_err() => {
            Err(value.mistake("the port of the URL is none").label("must be a number up to 65535"))
        }
        _ => Ok(()),
    }
}

fn without_login(text: &str) -> &str {
    text.rsplit_once('@').map_or(text, |(_, rest)| rest)
}

/// `uri` with the path that the format's servers listen on, if it has none of its own.
fn with_path(uri: Uri, format: HttpFormat) -> Uri {
    let path = match format {
        HttpFormat::Elasticsearch => "/_bulk",
        HttpFormat::Loki => "/loki/api/v1/push",
        HttpFormat::Ndjson => "/",
    };
    if !matches!(uri.path(), "" | "/") {
        return uri;
    }
    let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = format!("{path}{query}").parse().ok();
    Uri::from_parts(parts).unwrap_or(uri)
}

/// Labels for Loki, which has rules for their names.
fn labels(options: &mut Options<'_>, format: HttpFormat) -> Result<Vec<(String, String)>, Mistake> {
    let Some(value) = only_for(options, "labels", format, HttpFormat::Loki)? else { return Ok(Vec::new()) };
    let help = "write `labels = { host = \"a\" }`";
    let table = value.table().ok_or_else(|| value.wrong_type("a table").with_help(help))?;
    let label = |(name, span, value): (&str, std::ops::Range<usize>, Value<'_>)| {
        let mistake = Mistake::new(format!("`{name}` cannot be a label")).at(span);
        if name.starts_with("source") {
            return Err(mistake.label("every stream has its source already"));
        }
        if !is_label(name) {
            return Err(mistake.label("not a label").with_help("a label is letters, digits and `_`, no digit first"));
        }
        Ok((name.to_owned(), value.text()?.to_owned()))
    };
    table.entries().into_iter().map(label).collect()
}

fn is_label(name: &str) -> bool {
    let is_word = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    is_word && !name.starts_with("__") && name.bytes().next().is_some_and(|first| !first.is_ascii_digit())
}

fn index(options: &mut Options<'_>, format: HttpFormat) -> Result<String, Mistake> {
    let Some(value) = only_for(options, "index", format, HttpFormat::Elasticsearch)? else {
        if format == HttpFormat::Elasticsearch {
            options.require("index")?;
        }
        return Ok(String::new());
    };
    let text = value.text()?;
    let is_bad = |c: char| c.is_whitespace() || c.is_control() || c.is_uppercase() || "\\/*?\"<>|,#:".contains(c);
    if text.is_empty() || text.contains(is_bad) || text.starts_with(['-', '_', '+', '.']) {
        let help = "an index is lower case, without spaces and any of \\ / * ? \" < > | , # :";
        return Err(value.mistake(format!("`{text}` cannot be an index")).label("not an index").with_help(help));
    }
    Ok(text.to_owned())
}

/// The value of `key`, which only the format `wanted` has.
fn only_for<'a>(
    options: &mut Options<'a>,
    key: &'static str,
    format: HttpFormat,
    wanted: HttpFormat,
) -> Result<Option<Value<'a>>, Mistake> {
    let value = options.get(key);
    match value {
        Some(value) if format != wanted => {
            let word = if wanted == HttpFormat::Loki { "loki" } else { "elasticsearch" };
            Err(value.mistake(format!("`{key}` is for `format = \"{word}\"` only")).label("means nothing here"))
        }
        value => Ok(value),
    }
}

#[cfg(test)]
mod tests;
