//! What every route answers, field by field and in order, and what it says to those who ask for something else.

use logweir::{Admission, snapshot::RunState};

use crate::{
    http::{ask, get},
    sample,
    server::{DATA, every_path, finished, serve},
};

/// JSON with line breaks and nothing else changed: keys stay in the order in which they came.
fn laid_out(json: &str) -> String {
    let (mut text, mut depth, mut quoted, mut escaped) = (String::new(), 0_usize, false, false);
    let new_line = |text: &mut String, depth: usize| text.extend(["\n", &"  ".repeat(depth)]);
    for character in json.trim_end().chars() {
        if quoted {
            text.push(character);
            quoted = escaped || character != '"';
            escaped = !escaped && character == '\\';
            continue;
        }
        match character {
            '{' | '[' => {
                depth += 1;
                text.push(character);
                new_line(&mut text, depth);
            }
            '}' | ']' => {
                depth -= 1;
                new_line(&mut text, depth);
                text.push(character);
            }
            ',' => {
                text.push(',');
                new_line(&mut text, depth);
            }
            ':' => text.push_str(": "),
            _ => {
                quoted = character == '"';
                text.push(character);
            }
        }
    }
    text
}

#[test]
fn every_route_answers_as_written_down() {
    let (server, address) = finished();
    let short = ["/trace?limit=3", "/api/v1/traces?limit=4", "/api/v1/errors?limit=5"];
    let whole = DATA.into_iter().filter(|path| !short.iter().any(|short| short.starts_with(&format!("{path}?"))));
    for path in whole.chain(["/healthz", "/api/v1/graph", "/no/such/path"]).chain(short) {
        let answer = get(address, path);
        assert_eq!(answer.header("content-type"), Some("application/json"), "{path}");
        answer.json();
        if path == "/api/v1/openapi.json" {
            continue; // a file of our own, tested as such
        }
        let name = path.split('?').next().unwrap_or_default().replace('/', "_");
        insta::assert_snapshot!(format!("answer{name}"), laid_out(&answer.body));
    }
    for format in ["mermaid", "dot"] {
        let answer = get(address, &format!("/api/v1/graph?format={format}"));
        insta::assert_snapshot!(format!("graph_{format}"), answer.body);
    }
    server.shutdown();
}

#[test]
fn the_report_is_the_endpoints_in_one() {
    let snapshot = sample::snapshot(7, sample::FINISHED);
    let report = logweir::json_report(&snapshot);
    let (server, address) = finished();
    let part = |path| get(address, path).body.trim_end().to_owned();
    let expected = format!(
        r#"{{"run":{},"stats":{},"errors":{},"processors":{},"sources":{},"audit":{}}}"#,
        part("/api/v1/run"),
        part("/stats"),
        part("/errors"),
        part("/api/v1/processors"),
        part("/api/v1/sources"),
        part("/api/v1/audit"),
    );
    assert_eq!(report.trim_end(), expected);
    server.shutdown();
}

#[test]
fn numbers_are_those_of_the_snapshot() {
    let snapshot = sample::snapshot(7, sample::FINISHED);
    let (server, address) = finished();
    let (stats, errors) = (get(address, "/stats").json(), get(address, "/errors").json());
    for (shown, node) in snapshot.graph.nodes.iter().zip(&snapshot.nodes) {
        assert_eq!(stats[&shown.id]["processed"], node.records_in);
        assert_eq!(stats[&shown.id]["errors"], node.failed);
        assert_eq!(errors[&shown.id], node.failed);
        let average = node.busy_ns as f64 / node.records_in as f64 / 1e6;
        let said = stats[&shown.id]["avg_time_ms"].as_f64().expect("there were records");
        assert!((said - average).abs() < 1e-9, "{said} {average}");
    }
    let run = get(address, "/api/v1/run").json();
    assert_eq!(run["checksum"], format!("{:016x}", snapshot.checksum_expected()));
    assert_eq!(run["sequence"], 7);
    let shares = |list: &serde_json::Value| -> f64 {
        list.as_array().expect("a list").iter().map(|entry| entry["busy_share"].as_f64().expect("a share")).sum()
    };
    let sum = shares(&run["stages"]) + shares(&get(address, "/api/v1/processors").json());
    assert!((sum - 1.0).abs() < 1e-9, "the shares of busy time add up to {sum}");
    server.shutdown();
}

#[test]
fn nothing_counted_is_null_not_zero_time() {
    let scene = sample::Scene { done_permille: 0, state: RunState::Starting, faults: false, sized: false };
    let server = serve(sample::snapshot(1, scene), Admission::default());
    let start = &get(server.address(), "/stats").json()["start"];
    assert_eq!(start["processed"], 0);
    for name in ["avg_time_ms", "p50_ms", "p90_ms", "p99_ms", "p999_ms", "max_ms"] {
        assert!(start[name].is_null(), "{name}");
    }
    server.shutdown();
}

#[test]
fn a_run_that_follows_says_how_far_behind_it_is() {
    let server = serve(sample::following(7), Admission::default());
    for path in ["/api/v1/run", "/api/v1/sources", "/readyz"] {
        let answer = get(server.address(), path);
        let name = path.replace('/', "_");
        insta::assert_snapshot!(format!("following{name}"), laid_out(&answer.body));
    }
    server.shutdown();
}

#[test]
fn trace_has_the_last_ones_oldest_first() {
    let snapshot = sample::snapshot(7, sample::FINISHED);
    let (server, address) = finished();
    let path = |number: usize| -> Vec<&str> {
        let hops = &snapshot.traces[number].hops;
        hops.iter().map(|hop| snapshot.graph.nodes[hop.node as usize].id.as_str()).collect()
    };
    for (query, expected) in [("", 100), ("?limit=1", 1), ("?limit=7", 7), ("?limit=1000", 1000)] {
        let answer = get(address, &format!("/trace{query}")).json();
        let paths = answer.as_array().expect("a list");
        assert_eq!(paths.len(), expected);
        let wanted = snapshot.traces.len() - expected..snapshot.traces.len();
        assert!(paths.iter().zip(wanted).all(|(said, number)| *said == serde_json::json!(path(number))), "{query}");
    }
    server.shutdown();
}

#[test]
fn a_wrong_query_is_told_what_is_right() {
    let (server, address) = finished();
    for query in ["limit=0", "limit=1001", "limit=-1", "limit=+5", "limit=", "limit", "limit=1e2", "limit=%31"] {
        let answer = get(address, &format!("/trace?{query}"));
        assert_eq!((answer.status, &answer.json()["allowed"][0]), (400, &"limit=1 to limit=1000".into()), "{query}");
    }
    for path in [
        "/trace?limit=1&limit=2",
        "/trace?limits=5",
        "/stats?limit=5",
        "/api/v1/graph?format=svg",
        "/api/v1/events?every_ms=1",
        "/api/v1/events?every_ms=99999999999999999999",
    ] {
        let answer = get(address, path);
        assert_eq!(answer.status, 400, "{path}");
        assert!(answer.json()["error"].is_string(), "{path}");
    }
    let lost = get(address, "/stat");
    assert_eq!(lost.status, 404);
    assert!(lost.json()["allowed"].as_array().expect("a list").contains(&"/stats".into()));
    server.shutdown();
}

#[test]
fn head_is_get_without_a_body() {
    let (server, address) = finished();
    for path in every_path().filter(|path| *path != "/api/v1/events") {
        let (full, head) = (get(address, path), ask(address, "HEAD", path, &[]));
        assert_eq!(head.body, "", "{path}");
        assert_eq!(head.status, full.status, "{path}");
        assert_eq!(head.header("content-length"), full.header("content-length"), "{path}");
        assert_eq!(full.header("content-length"), Some(full.body.len().to_string().as_str()), "{path}");
    }
    assert_eq!(ask(address, "HEAD", "/api/v1/events", &[]).status, 200);
    server.shutdown();
}

#[test]
fn readiness_has_a_cause_and_an_action() {
    let cases = [
        (RunState::Starting, 503, Some("the inputs are being opened")),
        (RunState::Running, 200, None),
        (RunState::Draining, 200, None),
        (RunState::Finished, 200, None),
        (RunState::Interrupted, 200, None),
        (RunState::Closed, 200, None),
        (RunState::Failed, 503, Some("out/memory.log at 1048576: no space left")),
    ];
    for (state, status, cause) in cases {
        let scene = sample::Scene { state, ..sample::RUNNING };
        let server = serve(sample::snapshot(1, scene), Admission::default());
        let answer = get(server.address(), "/readyz");
        assert_eq!(answer.status, status, "{state:?}");
        assert_eq!(answer.json()["ready"], cause.is_none());
        assert_eq!(answer.json()["cause"].as_str(), cause);
        assert_eq!(answer.json()["action"].is_string(), cause.is_some());
        assert_eq!(get(server.address(), "/healthz").status, 200);
        server.shutdown();
    }
}

#[test]
fn trouble_makes_it_unready_until_it_is_over() {
    let mut snapshot = sample::following(1);
    let server = serve(snapshot.clone(), Admission::default());
    let answer = get(server.address(), "/readyz");
    assert_eq!((answer.status, answer.json()["state"].as_str()), (503, Some("running")));
    let cause = "disk full: sink memory.log cannot write out/memory.log";
    assert_eq!(answer.json()["cause"], cause);
    assert_eq!(answer.json()["action"], "make room; it goes on by itself");
    assert_eq!(get(server.address(), "/healthz").status, 200, "it is alive all the same");
    server.shutdown();
    snapshot.run.trouble = None;
    let server = serve(snapshot, Admission::default());
    assert_eq!(get(server.address(), "/readyz").status, 200);
    server.shutdown();
}
