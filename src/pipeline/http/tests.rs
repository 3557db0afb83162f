//! What may stand in a sink of kind `http`, and what is said about the rest.

use std::time::Duration;

use super::*;
use crate::pipeline::{OnRefusal, Pipeline, SinkTarget, golden::compile};

fn text(keys: &str) -> String {
    format!("[[processor]]\nid = 'a'\nkind = 'pass'\n[[sink]]\nid = 's'\nfrom = 'a'\nkind = 'http'\n{keys}\n")
}

fn pipeline(keys: &str) -> Pipeline {
    compile(&text(keys)).unwrap_or_else(|error| panic!("{}", error.render(false)))
}

fn plan(keys: &str) -> HttpPlan {
    match &pipeline(keys).sinks[0].target {
        SinkTarget::Http(plan) => HttpPlan::clone(plan),
        other => panic!("{other:?}"),
    }
}

/// Line, message and help.
fn mistake(keys: &str) -> (usize, String, String) {
    let error = compile(&text(keys)).unwrap_err();
    (error.line().unwrap(), error.message().to_owned(), error.help().unwrap_or_default().to_owned())
}

#[test]
fn a_url_is_enough() {
    let plan = plan("url = 'http://logs.example'");
    assert_eq!(plan.url, "http://logs.example/");
    assert_eq!((plan.format, plan.gzip, plan.concurrency), (HttpFormat::Ndjson, true, 4));
    assert_eq!((plan.batch_bytes, plan.batch_time), (1 << 20, Duration::from_millis(200)));
    assert_eq!((plan.timeout, plan.delivery), (Duration::from_secs(30), Delivery::default()));
    assert_eq!(plan.delivery.retry.attempts, None, "for ever");
}

#[test]
fn all_can_be_said() {
    let keys = "url = 'https://loki.example:3100?x=secret'\nformat = 'loki'\ngzip = false\nbatch_bytes = 1000\n\
                batch_time = '1.5s'\ntimeout = '2m'\nconcurrency = 2\ntoken_file = 't'\nca_file = 'c'\n\
                labels = { host = 'a', job = 'b' }\non_error = 'stop'\n\
                retry = { attempts = 5, backoff = '50ms..2s' }";
    let plan = plan(keys);
    assert_eq!(plan.url, "https://loki.example:3100/loki/api/v1/push?x=secret");
    assert_eq!(plan.labels, [("host", "a"), ("job", "b")].map(|(name, value)| (name.into(), value.into())));
    assert_eq!((plan.batch_time, plan.timeout), (Duration::from_millis(1_500), Duration::from_secs(120)));
    assert_eq!((plan.gzip, plan.batch_bytes, plan.concurrency), (false, 1_000, 2));
    let retry = plan.delivery.retry;
    assert_eq!((retry.attempts, retry.least, retry.most), (Some(5), Duration::from_millis(50), Duration::from_secs(2)));
    assert_eq!(plan.delivery.on_error, Some(OnRefusal::Stop));
    let pipeline = pipeline(keys);
    let sink = &pipeline.graph().sinks[0];
    assert_eq!((&*sink.kind, &*sink.path), ("http", "https://loki.example:3100/loki/api/v1/push?…"));
    assert!(pipeline.graph().text().contains("s (http https://loki.example:3100/loki/api/v1/push?…)"));
}

#[test]
fn formats_add_their_path_to_a_url_without_one() {
    let url = |url: &str, keys: &str| plan(&format!("url = '{url}'\n{keys}")).url.to_string();
    let elastic = "format = 'elasticsearch'\nindex = 'logs'";
    assert_eq!(url("http://a:9200/", elastic), "http://a:9200/_bulk");
    assert_eq!(url("http://a/prefix/_bulk?pipeline=p", elastic), "http://a/prefix/_bulk?pipeline=p");
    assert_eq!(url("http://a", "format = 'loki'"), "http://a/loki/api/v1/push");
    assert_eq!(url("http://[::1]:80/in", ""), "http://[::1]:80/in");
}

#[test]
fn urls_that_are_none_are_refused() {
    let cases = [
        ("ftp://a", "`ftp://a` is not a URL of the web"),
        ("a.example", "`a.example` is not a URL of the web"),
        ("http://me:secret@a/", "a name or password does not belong in a URL, where everybody sees it"),
        ("http://a/#b", "what stands behind a `#` is never sent"),
        ("http://", "the URL names no host"),
        ("http://a b/", "not a URL: invalid uri character"),
        ("http://a:99999/", "the port of the URL is none"),
        ("http://a:/", "the port of the URL is none"),
        ("http://:80/", "the URL names no host"),
    ];
    for (url, message) in cases {
        let (line, said, help) = mistake(&format!("url = '{url}'"));
        assert_eq!((line, &*said), (8, message), "{url}");
        assert!(!said.contains("secret") && !help.contains("secret"));
    }
    assert!(mistake("url = 'http://me:secret@a/'").2.contains("token_file"));
    assert!(!mistake("url = 'ftp://me:secret@a/'").1.contains("secret"));
}

#[test]
fn mistakes_say_where_and_what() {
    let cases = [
        ("", 4, "a sink of kind `http` needs the key `url`", ""),
        ("urll = 'x'", 8, "unknown key `urll` of a sink of kind `http`", "did you mean `url`?"),
        ("URL\ntimeoutt = '1s'", 9, "unknown key `timeoutt` of a sink of kind `http`", "did you mean `timeout`?"),
        ("URL\nformat = 'lokki'", 9, "`format` cannot be `lokki`", "did you mean `loki`?"),
        ("URL\ntimeout = 30", 9, "`timeout` must be a time in quotes", "a time is a number and a unit"),
        ("URL\ntimeout = '30'", 9, "`30` is not a time", "a time is a number and a unit"),
        ("URL\ntimeout = '0s'", 9, "`timeout` is out of range", ""),
        ("URL\nbatch_bytes = 0", 9, "`batch_bytes` is out of range", ""),
        ("URL\nconcurrency = 65", 9, "`concurrency` is out of range", ""),
        ("URL\ngzip = 'no'", 9, "`gzip` must be `true` or `false`", ""),
        ("URL\nlabels = { a = 'b' }", 9, "`labels` is for `format = \"loki\"` only", ""),
        ("URL\nindex = 'b'", 9, "`index` is for `format = \"elasticsearch\"` only", ""),
        ("URL\nformat = 'elasticsearch'", 4, "a sink of kind `http` needs the key `index`", ""),
        ("URL\nformat = 'elasticsearch'\nindex = 'A b'", 10, "`A b` cannot be an index", "an index is lower case"),
        ("URL\nformat = 'loki'\nlabels = { 'a-b' = 'c' }", 10, "`a-b` cannot be a label", "a label is letters"),
        ("URL\nformat = 'loki'\nlabels = { source = 'c' }", 10, "`source` cannot be a label", ""),
        ("URL\nformat = 'loki'\nlabels = { a = 1 }", 10, "`a` must be text in quotes", ""),
        ("URL\non_error = 'dead_leter'", 9, "`on_error` cannot be `dead_leter`", "did you mean `dead_letter`?"),
        ("URL\nretry = 5", 9, "`retry` must be a table", "write `retry = { attempts"),
        ("URL\nretry = { attempts = 0 }", 9, "`attempts` is out of range", ""),
        ("URL\nretry = { atempts = 1 }", 9, "unknown key `atempts` of `retry`", "did you mean `attempts`?"),
        ("URL\nretry = { backoff = '1s' }", 9, "`1s` is not two times", "write the shortest"),
        ("URL\nretry = { backoff = '2s..1s' }", 9, "`2s..1s` begins with the longer time", "write the shortest"),
        ("URL\nretry = { backoff = '1s..2' }", 9, "`2` is not a time", "a time is a number and a unit"),
        ("URL\ntoken_file = ''", 9, "a path cannot be empty", ""),
    ];
    for (keys, line, message, help) in cases {
        let said = mistake(&keys.replace("URL", "url = 'http://a'"));
        assert_eq!((said.0, &*said.1), (line, message), "{keys}");
        assert!(said.2.starts_with(help) && (help.is_empty() == said.2.is_empty()), "{keys}: {}", said.2);
    }
}

#[test]
fn sinks_of_every_kind_say_what_becomes_of_what_is_refused() {
    let text = "[[processor]]\nid = 'a'\nkind = 'pass'\n[[sink]]\nid = 's'\nfrom = 'a'\nkind = 'file'\npath = 'x'\n\
                on_error = 'drop'\nretry = { attempts = 1 }\n";
    let delivery = compile(text).unwrap().sinks[0].delivery;
    assert_eq!((delivery.on_error, delivery.retry.attempts), (Some(OnRefusal::Drop), Some(1)));
}
