//! What each format looks like, and what its servers answer.

use std::collections::HashSet;

use base64::{Engine, prelude::BASE64_STANDARD};
use crossbeam_queue::SegQueue;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::*;

const ELASTIC: &str = "format = 'elasticsearch'\nindex = 'logs'\n";

/// A server that creates documents once, and answers for each what `fate` says for its message and how often it came.
fn elastic(fate: impl Fn(&str) -> u16 + Send + Sync + 'static, ids: Arc<SegQueue<String>>) -> Receiver {
    Receiver::start(move |request| {
        assert!(request.head.starts_with("POST /_bulk?filter_path=errors,"), "{}", request.head);
        let lines: Vec<Value> = request
            .body
            .trim_ascii()
            .split(|&byte| byte == b'\n')
            .map(|line| serde_json::from_slice(line).unwrap())
            .collect();
        let items: Vec<Value> = lines
            .chunks(2)
            .map(|pair| {
                assert_eq!(pair[0]["create"]["_index"], "logs");
                ids.push(pair[0]["create"]["_id"].as_str().unwrap().to_owned());
                let status = fate(pair[1]["message"].as_str().unwrap());
                json!({"create": {"status": status, "error": {"reason": "so"}}})
            })
            .collect();
        let errors = items.iter().any(|item| item["create"]["status"] != 201);
        Reply::Answer(200, String::new(), json!({"errors": errors, "items": items}).to_string())
    })
}

#[test]
fn lines_of_json_have_all_that_is_known() {
    let receiver = Receiver::start(|_| Reply::ok());
    for keys in ["", "gzip = false"] {
        let sink = start(&receiver.url(), keys, None);
        let mut piece = piece(100, &[b"a \"quoted\" \\ \x1b tab\t", b"\xff\xfe", b"cr\r", b"", "日本".as_bytes()]);
        piece.records[4].length += 5;
        let before = Timestamp::now();
        put(&sink, 0, piece);
        acknowledged(&sink, 1);
        let request = receiver.taken().pop().unwrap();
        assert_eq!(request.header("content-encoding").is_some(), keys.is_empty());
        assert_eq!(request.header("content-type"), Some("application/x-ndjson"));
        let records = request.records();
        let messages: Vec<&Value> = records.iter().map(|record| &record["message"]).collect();
        assert_eq!(
            messages,
            [&json!("a \"quoted\" \\ \x1b tab\t"), &Value::Null, &json!("cr\r"), &json!(""), &json!("日本")]
        );
        assert_eq!(BASE64_STANDARD.decode(records[1]["message_base64"].as_str().unwrap()).unwrap(), b"\xff\xfe");
        assert!(records.iter().all(|record| record["source"] == "app.log"));
        assert_eq!((&records[0]["offset"], &records[1]["offset"]), (&json!(100), &json!(120)));
        assert_eq!((&records[3]["truncated"], &records[4]["truncated"]), (&Value::Null, &json!(true)));
        let time: Timestamp = records[0]["time"].as_str().unwrap().parse().unwrap();
        assert!(time.duration_since(before).abs() < jiff::SignedDuration::from_secs(60), "{time}");
    }
}

#[test]
fn a_bulk_is_looked_at_record_by_record() {
    let (_folder, path) = folder();
    let (ids, tries) = (Arc::new(SegQueue::new()), SegQueue::new());
    let fate = move |message: &str| match message {
        "bad" => 400,
        "twice" => 409,
        "busy" => {
            tries.push(());
            if tries.len() < 3 { 429 } else { 201 }
        }
        _ => 201,
    };
    let receiver = elastic(fate, Arc::clone(&ids));
    let sink = start(&receiver.url(), ELASTIC, Some(&path));
    put_all(&sink, &[&["a", "bad", "busy", "twice", "b"]]);
    acknowledged(&sink, 1);
    assert_eq!(receiver.batches(), [5, 1, 1], "only what may pass is sent again");
    let ids: Vec<String> = std::iter::from_fn(|| ids.pop()).collect();
    assert_eq!((ids.len(), ids.iter().collect::<HashSet<_>>().len()), (7, 5), "under the same id");
    assert!(ids[5] == ids[2] && ids[6] == ids[2]);
    let letters = letters(&path);
    assert_eq!((lines_of(&letters), &*letters[0].reason), (vec!["bad".to_owned()], "400: {\"reason\":\"so\"}"));
    assert_eq!((sink.numbers().sent, sink.numbers().refused), (4, 1));
}

#[test]
fn ids_are_the_same_after_a_restart_and_others_after_a_rotation() {
    let ids = Arc::new(SegQueue::new());
    let receiver = elastic(|_| 201, Arc::clone(&ids));
    let mut rotated = piece(0, &[b"same"]);
    rotated.records[0].identity = 2;
    for piece in [piece(0, &[b"same"]), piece(0, &[b"same"]), rotated, piece(0, &[b"else"]), piece(5, &[b"same"])] {
        let sink = start(&receiver.url(), ELASTIC, None);
        put(&sink, 0, piece);
        acknowledged(&sink, 1);
    }
    let ids: Vec<String> = std::iter::from_fn(|| ids.pop()).collect();
    assert_eq!(ids[0], ids[1]);
    assert_eq!(ids.iter().collect::<HashSet<_>>().len(), 4);
}

#[test]
fn a_bulk_that_is_bad_as_a_whole_is_searched() {
    let (_folder, path) = folder();
    let receiver = Receiver::start(|request| match request.messages().contains(&"bad".to_owned()) {
        true => Reply::status(400),
        false => Reply::Answer(200, String::new(), "{\"errors\":false}".to_owned()),
    });
    let sink = start(&receiver.url(), ELASTIC, Some(&path));
    let mut lines = numbered(100);
    lines[57] = "bad".to_owned();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    put_all(&sink, &[&lines]);
    acknowledged(&sink, 1);
    assert_eq!((receiver.messages().len(), lines_of(&letters(&path))), (99, vec!["bad".to_owned()]));
}

/// Label and lines of all streams, in order.
fn streams(request: &Request) -> Vec<(Value, Vec<(i64, String)>)> {
    let body: Value = serde_json::from_slice(&request.body).unwrap();
    let value = |pair: &Value| (pair[0].as_str().unwrap().parse().unwrap(), pair[1].as_str().unwrap().to_owned());
    let streams = body["streams"].as_array().unwrap().iter();
    streams
        .map(|stream| (stream["stream"].clone(), stream["values"].as_array().unwrap().iter().map(value).collect()))
        .collect()
}

#[test]
fn streams_are_by_source_with_ascending_times() {
    let requests = Arc::new(SegQueue::new());
    let seen = Arc::clone(&requests);
    let receiver = Receiver::start(move |request| {
        assert!(request.head.starts_with("POST /loki/api/v1/push HTTP"), "{}", request.head);
        assert_eq!(request.header("content-type"), Some("application/json"));
        seen.push(streams(request));
        // Each fails once.
        Reply::Answer(if request.number % 2 == 0 { 503 } else { 204 }, String::new(), String::new())
    });
    let sink = start(&receiver.url(), "format = 'loki'\nlabels = { host = 'a\"b' }", None);
    let mut mixed = piece(0, &[b"one", b"two", b"\xff", b"three"]);
    mixed.records[1].source = Arc::from(Path::new("other.log"));
    put(&sink, 0, mixed);
    acknowledged(&sink, 1);
    put(&sink, 1, piece(9, &[b"four"]));
    acknowledged(&sink, 2);
    let requests: Vec<_> = std::iter::from_fn(|| requests.pop()).collect();
    assert_eq!((&requests[0], &requests[2]), (&requests[1], &requests[3]), "the same again, times too");
    let labels = |source: &str| json!({"host": "a\"b", "source": source});
    assert_eq!((&requests[0][0].0, &requests[0][1].0), (&labels("app.log"), &labels("other.log")));
    let lines: Vec<&str> = requests[0][0].1.iter().map(|(_, line)| line.as_str()).collect();
    assert_eq!(lines, ["one", "{\"message_base64\":\"/w==\"}", "three"]);
    let times: Vec<i64> = requests[0][0].1.iter().chain(&requests[2][0].1).map(|(time, _)| *time).collect();
    assert!(times.is_sorted_by(|left, right| left < right), "{times:?}");
}

#[test]
fn a_bad_line_of_a_push_is_searched_and_the_rest_flows() {
    let (_folder, path) = folder();
    let taken = Arc::new(SegQueue::new());
    let seen = Arc::clone(&taken);
    let receiver = Receiver::start(move |request| {
        let lines: Vec<String> =
            streams(request).into_iter().flat_map(|(_, values)| values).map(|(_, line)| line).collect();
        if lines.iter().any(|line| line == "bad") {
            return Reply::status(400);
        }
        lines.into_iter().for_each(|line| seen.push(line));
        Reply::status(204)
    });
    let sink = start(&receiver.url(), "format = 'loki'", Some(&path));
    put_all(&sink, &[&["a", "b", "bad", "c"], &["d"]]);
    acknowledged(&sink, 2);
    assert_eq!(std::iter::from_fn(|| taken.pop()).collect::<String>(), "abcd");
    assert_eq!(lines_of(&letters(&path)), ["bad"]);
}
