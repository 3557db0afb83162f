//! Fault 25: pages of strangers that reach us through a browser, and people without the token.

use std::{net::TcpListener, sync::Arc};

use logweir::{Admission, Published, ServeError, Server, Token};

use crate::{
    http::{Answer, ask, get, parse},
    sample,
    server::{every_path, finished, serve},
};

const TOKEN: &str = "correct horse";

#[test]
fn a_name_that_is_not_ours_gets_nothing_anywhere() {
    let (server, address) = finished();
    let port = address.port();
    let foreign = [
        "evil.example".to_owned(),
        format!("evil.example:{port}"),
        format!("localhost.evil.example:{port}"),
        format!("127.0.0.1.evil.example:{port}"),
        "localhost.".to_owned(),
        "192.0.2.7".to_owned(),
        format!("0.0.0.0:{port}"),
    ];
    for path in every_path() {
        for host in &foreign {
            let answer = ask(address, "GET", path, &[("Host", host)]);
            assert_eq!(answer.status, 403, "{path} for {host}");
            assert!(!answer.body.contains("start"), "{path} for {host}: {answer:?}");
        }
    }
    server.shutdown();
}

#[test]
fn our_own_names_get_an_answer() {
    let admission = Admission::default().with_host("Logs.Example");
    let server = serve(sample::snapshot(1, sample::FINISHED), admission);
    let address = server.address();
    let port = address.port();
    let ours = ["localhost", "LOCALHOST", "127.0.0.1", "127.8.9.1", "[::1]", "logs.example", "localhost:9999"];
    for host in ours.map(str::to_owned).into_iter().chain([format!("127.0.0.1:{port}"), format!("[::1]:{port}")]) {
        assert_eq!(ask(address, "GET", "/stats", &[("Host", &host)]).status, 200, "{host}");
    }
    for host in ["127.0.0.1:80.evil.example", "localhost:x", "[::1]:99999", "[::1]x", "me@localhost"] {
        assert_eq!(ask(address, "GET", "/stats", &[("Host", host)]).status, 400, "{host}");
    }
    server.shutdown();
}

#[test]
fn a_request_says_once_whom_it_is_for() {
    let (server, address) = finished();
    let raw = |text: String| -> Answer {
        let bytes = crate::http::exchange(address, text.as_bytes()).expect("answers");
        parse(&bytes).expect("an answer")
    };
    let end = "Connection: close\r\n\r\n";
    assert_eq!(raw(format!("GET /stats HTTP/1.1\r\n{end}")).status, 400);
    assert_eq!(raw(format!("GET /stats HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n{end}")).status, 400);
    assert_eq!(raw(format!("GET /stats HTTP/1.1\r\nHost:\r\n{end}")).status, 400);
    assert_eq!(raw(format!("GET http://evil.example/stats HTTP/1.1\r\nHost: localhost\r\n{end}")).status, 403);
    assert_eq!(raw(format!("GET http://localhost/stats HTTP/1.1\r\nHost: localhost\r\n{end}")).status, 200);
    server.shutdown();
}

#[test]
fn nothing_but_reading_and_no_leave_for_other_origins() {
    let (server, address) = finished();
    for path in every_path() {
        for method in ["POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE"] {
            let answer = ask(address, method, path, &[("Origin", "http://evil.example")]);
            assert_eq!((answer.status, answer.header("allow")), (405, Some("GET, HEAD")), "{method} {path}");
        }
        if path == "/api/v1/events" {
            continue;
        }
        let answer = ask(address, "GET", path, &[("Origin", "http://evil.example")]);
        assert!(answer.headers.iter().all(|(name, _)| !name.starts_with("access-control-")), "{path}: {answer:?}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{path}");
        assert_eq!(answer.header("referrer-policy"), Some("no-referrer"), "{path}");
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{path}");
        let policy = answer.header("content-security-policy").expect("a policy");
        assert!(policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'"));
        assert!(policy.ends_with("base-uri 'none'; form-action 'none'; frame-ancestors 'none'"));
    }
    server.shutdown();
}

#[test]
fn the_token_opens_and_nothing_else_does() {
    let token = Token::new(&format!("  {TOKEN}\n")).expect("not empty");
    let server = serve(sample::snapshot(1, sample::FINISHED), Admission::default().with_token(token));
    let address = server.address();
    let open = |path: &str| path == "/" || path.starts_with("/assets/") || path == "/healthz";
    for path in every_path() {
        let status = if open(path) { 200 } else { 401 };
        let without = get(address, path);
        assert_eq!(without.status, status, "{path}");
        assert_eq!(without.header("www-authenticate"), (status == 401).then_some("Bearer"), "{path}");
    }
    let with = |value: &str| ask(address, "GET", "/stats", &[("Authorization", value)]).status;
    assert_eq!(with(&format!("Bearer {TOKEN}")), 200);
    assert_eq!(with(&format!("bearer {TOKEN}")), 200);
    let wrong =
        ["Bearer", "Bearer ", "Bearer correct hors", "Bearer correct horse2", "Bearer Correct horse", "Basic x"];
    for value in wrong {
        assert_eq!(with(value), 401, "{value}");
    }
    assert_eq!(with(TOKEN), 401);
    server.shutdown();
}

#[test]
fn an_address_for_others_needs_a_token() {
    let start = |admission| {
        let listener = TcpListener::bind("0.0.0.0:0").expect("a free port");
        Server::start(listener, Arc::new(Published::new(sample::snapshot(1, sample::FINISHED))), admission)
    };
    assert!(matches!(start(Admission::default()), Err(ServeError::TokenNeeded { .. })));
    assert!(Token::new(" \n").is_none());
    let server = start(Admission::default().with_token(Token::new(TOKEN).expect("not empty"))).expect("starts");
    server.shutdown();
}
