//! `/api/v1/openapi.json` says what the server answers: every path, and every field.

use std::collections::BTreeSet;

use logweir::{Admission, Snapshot, snapshot::RunState};
use serde_json::{Map, Value};

use crate::{
    http::{connect, get},
    sample,
    server::serve,
};

/// What is wrong with `value` by `schema`, with the places. Properties that are not described are wrong too.
fn problems(root: &Value, schema: &Value, value: &Value, place: &str) -> Vec<String> {
    if let Some(name) = schema["$ref"].as_str() {
        return problems(root, referred(root, name), value, place);
    }
    if let Some(choices) = schema["anyOf"].as_array() {
        let each: Vec<_> = choices.iter().map(|choice| problems(root, choice, value, place)).collect();
        return each.into_iter().min_by_key(Vec::len).unwrap_or_default();
    }
    let mut found = Vec::new();
    let kinds = schema["type"].as_array().cloned().unwrap_or_else(|| vec![schema["type"].clone()]);
    if !kinds.iter().any(|kind| is_of_kind(value, kind.as_str().expect("a type is a word"))) {
        return vec![format!("{place}: {value} is not {}", schema["type"])];
    }
    if schema.get("enum").and_then(Value::as_array).is_some_and(|allowed| !allowed.contains(value)) {
        found.push(format!("{place}: {value} is none of {}", schema["enum"]));
    }
    if schema.get("const").is_some_and(|only| only != value) {
        found.push(format!("{place}: {value} is not {}", schema["const"]));
    }
    if schema["minimum"].as_f64().is_some_and(|least| value.as_f64().is_some_and(|value| value < least)) {
        found.push(format!("{place}: {value} is too small"));
    }
    if schema["format"] == "date-time" && value.as_str().is_some_and(|text| text.parse::<jiff::Timestamp>().is_err()) {
        found.push(format!("{place}: {value} is no time"));
    }
    for (at, item) in value.as_array().into_iter().flatten().enumerate() {
        found.extend(problems(root, &schema["items"], item, &format!("{place}[{at}]")));
    }
    if let Some(object) = value.as_object() {
        found.extend(problems_of_object(root, schema, object, place));
    }
    found
}

fn problems_of_object(root: &Value, schema: &Value, object: &Map<String, Value>, place: &str) -> Vec<String> {
    let Some(described) = schema["properties"].as_object() else {
        // A map, or an object of which nothing is said.
        let Some(values) = schema.get("additionalProperties") else { return Vec::new() };
        return object
            .iter()
            .flat_map(|(key, value)| problems(root, values, value, &format!("{place}.{key}")))
            .collect();
    };
    let required = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let missing = required.filter(|key| !object.contains_key(*key)).map(|key| format!("{place}.{key} is missing"));
    let mut found: Vec<String> = missing.collect();
    for (key, value) in object {
        match described.get(key) {
            Some(schema) => found.extend(problems(root, schema, value, &format!("{place}.{key}"))),
            None => found.push(format!("{place}.{key} is not described")),
        }
    }
    found
}

fn referred<'a>(root: &'a Value, name: &str) -> &'a Value {
    let path = name.strip_prefix('#').expect("it is in the same document");
    root.pointer(path).unwrap_or_else(|| panic!("{name} is not there"))
}

fn is_of_kind(value: &Value, kind: &str) -> bool {
    match kind {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_u64() || value.is_i64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("there is no type {other}"),
    }
}

fn scenes() -> Vec<Snapshot> {
    let starting = sample::Scene { done_permille: 0, state: RunState::Starting, faults: false, sized: false };
    let failed = sample::Scene { state: RunState::Failed, ..sample::RUNNING };
    vec![
        sample::snapshot(1, starting),
        sample::snapshot(2, sample::RUNNING),
        sample::snapshot(3, failed),
        sample::snapshot(4, sample::FINISHED),
        sample::following(5),
        sample::hostile(6),
    ]
}

/// The first event of the stream.
fn first_event(address: std::net::SocketAddr) -> Value {
    use std::io::{BufRead, BufReader, Write};
    let mut stream = connect(address).expect("connects");
    stream.write_all(b"GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n").expect("sends");
    let data = BufReader::new(stream)
        .lines()
        .map_while(Result::ok)
        .find_map(|line| line.strip_prefix("data: ").map(str::to_owned));
    serde_json::from_str(&data.expect("an event")).expect("JSON")
}

#[test]
fn every_path_is_described_and_nothing_else() {
    let server = serve(sample::following(1), Admission::default());
    let description = get(server.address(), "/api/v1/openapi.json");
    assert_eq!(description.header("content-type"), Some("application/json"));
    let description = description.json();
    assert_eq!(description["openapi"], "3.1.0");
    let described: BTreeSet<&str> =
        description["paths"].as_object().expect("paths").keys().map(String::as_str).collect();
    let lost = get(server.address(), "/no/such/path").json();
    let known: BTreeSet<&str> = lost["allowed"].as_array().expect("a list").iter().filter_map(Value::as_str).collect();
    assert_eq!(described, known);
    server.shutdown();
}

#[test]
fn answers_are_as_described() {
    for snapshot in scenes() {
        let server = serve(snapshot, Admission::default());
        let address = server.address();
        let root = get(address, "/api/v1/openapi.json").json();
        for (path, item) in root["paths"].as_object().expect("paths") {
            if path == "/api/v1/events" {
                let schema = &item["get"]["responses"]["200"]["content"]["text/event-stream"]["schema"];
                assert_eq!(problems(&root, schema, &first_event(address), "event"), [""; 0]);
                continue;
            }
            let answer = get(address, path);
            let content = &item["get"]["responses"][answer.status.to_string()]["content"];
            let kind = answer.header("content-type").expect("a content type");
            assert!(content[kind].is_object(), "{path}: {} {kind} is not described", answer.status);
            if kind == "application/json" {
                assert_eq!(problems(&root, &content[kind]["schema"], &answer.json(), path), [""; 0]);
            }
        }
        let schema = referred(&root, "#/components/schemas/Refusal");
        for wrong in ["/no/such/path", "/trace?limit=0"] {
            assert_eq!(problems(&root, schema, &get(address, wrong).json(), wrong), [""; 0]);
        }
        server.shutdown();
    }
}

#[test]
fn every_query_and_format_is_as_described() {
    let server = serve(sample::following(1), Admission::default());
    let root = get(server.address(), "/api/v1/openapi.json").json();
    // Nothing is recorded here; `history` asks for what is.
    let paths = root["paths"].as_object().expect("paths").iter().filter(|(path, _)| *path != "/api/v1/history");
    for (path, item) in paths {
        for parameter in item["get"]["parameters"].as_array().into_iter().flatten() {
            let (name, schema) = (parameter["name"].as_str().expect("a name"), &parameter["schema"]);
            let ends = [&schema["minimum"], &schema["maximum"]].into_iter().filter_map(Value::as_u64);
            let words = schema["enum"].as_array().into_iter().flatten().filter_map(Value::as_str);
            let values: Vec<String> = ends.map(|end| end.to_string()).chain(words.map(str::to_owned)).collect();
            assert!(values.len() >= 2, "{path}?{name}");
            for value in values {
                // A stream would not end; asking for its head is enough.
                let answer = crate::http::ask(server.address(), "HEAD", &format!("{path}?{name}={value}"), &[]);
                assert_eq!(answer.status, 200, "{path}?{name}={value}");
                let kind = answer.header("content-type").expect("a content type");
                assert!(item["get"]["responses"]["200"]["content"][kind].is_object(), "{path}: {kind}");
            }
            let beyond = schema["maximum"].as_u64().map_or("nonsense".to_owned(), |most| (most + 1).to_string());
            assert_eq!(get(server.address(), &format!("{path}?{name}={beyond}")).status, 400);
        }
    }
    server.shutdown();
}

#[test]
fn a_wrong_answer_would_be_noticed() {
    let server = serve(sample::following(1), Admission::default());
    let root = get(server.address(), "/api/v1/openapi.json").json();
    let schema = referred(&root, "#/components/schemas/Run");
    let run = get(server.address(), "/api/v1/run").json();
    let with = |pointer: &str, value: Value| {
        let mut run = run.clone();
        *run.pointer_mut(pointer).expect("it is there") = value;
        problems(&root, schema, &run, "run").len()
    };
    assert_eq!(problems(&root, schema, &run, "run"), [""; 0]);
    assert_eq!(with("/state", "sleeping".into()), 1);
    assert_eq!(with("/lines_done", (-1).into()), 1);
    assert_eq!(with("/lag/rotations", "none".into()), 1);
    assert_eq!(with("/taken", "yesterday".into()), 1);
    assert_eq!(with("/sinks/0", Value::Object(Map::new())), 12);
    server.shutdown();
}
