//! Fault 22: requests that two readers could understand in two ways, and requests that nobody can.
//!
//! Each ends in one refusal, or in no answer at all; never in a second answer (a request that came in through the body
//! of another), and never in a connection that stays open.

use std::{net::SocketAddr, thread};

use crate::{
    http::{exchange, get},
    server::finished,
};

const SMUGGLED: &str = "GET /stats HTTP/1.1\r\nHost: localhost\r\n\r\n";

/// Requests with a body, or with something that others take for the sign of one.
fn bodies() -> Vec<String> {
    let length = SMUGGLED.len();
    let framing = [
        format!("Content-Length: {length}"),
        format!("Content-Length: {length}\r\nTransfer-Encoding: chunked"),
        format!("Transfer-Encoding: chunked\r\nContent-Length: {length}"),
        format!("Content-Length: 0\r\nContent-Length: {length}"),
        format!("Content-Length: {length}\r\nContent-Length: 0"),
        format!("Content-Length: {length}, {length}"),
        format!("Content-Length: +{length}"),
        format!("Content-Length: -{length}"),
        format!("Content-Length: 0x{length:x}"),
        format!("Content-Length : {length}"),
        format!("Content-Length: {length}\r\nExpect: 100-continue"),
        "Content-Length: 99999999999999999999".to_owned(),
        "Content-Length: ".to_owned(),
        "Transfer-Encoding: chunked".to_owned(),
        "Transfer-Encoding: identity".to_owned(),
        "Transfer-Encoding: gzip, chunked".to_owned(),
        "Transfer-Encoding: chunked, identity".to_owned(),
        "Transfer-Encoding: xchunked".to_owned(),
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity".to_owned(),
        "Transfer-Encoding:\x0bchunked".to_owned(),
        "Transfer-Encoding\t: chunked".to_owned(),
        "X: y\r\n Transfer-Encoding: chunked".to_owned(),
        "Transfer-Encoding:\r\n chunked".to_owned(),
    ];
    let requests = framing.iter().flat_map(|framing| {
        ["GET", "HEAD", "POST"]
            .map(|method| format!("{method} /stats HTTP/1.1\r\nHost: localhost\r\n{framing}\r\n\r\n"))
    });
    requests.flat_map(|head| [format!("{head}{SMUGGLED}"), format!("{head}0\r\n\r\n{SMUGGLED}")]).collect()
}

fn oddities() -> Vec<Vec<u8>> {
    let headers = |count: usize| "X: y\r\n".repeat(count);
    let request = |middle: &str| format!("GET /stats HTTP/1.1\r\nHost: localhost\r\n{middle}\r\n");
    let text = [
        request(&headers(40)),
        request(&format!("X: {}\r\n", "y".repeat(20 << 10))),
        request(&format!("{}: y\r\n", "x".repeat(20 << 10))),
        request("X: y\r\n z\r\n"),
        request("X y\r\n"),
        request("X: \0\r\n"),
        request(": y\r\n"),
        format!("GET /{} HTTP/1.1\r\nHost: localhost\r\n\r\n", "a".repeat(20 << 10)),
        "GET /stats\r\n\r\n".to_owned(),
        "GET /stats HTTP/0.9\r\n\r\n".to_owned(),
        "GET /stats HTTP/3.0\r\nHost: localhost\r\n\r\n".to_owned(),
        "GET /stats HTTP/1.0\r\n\r\n".to_owned(),
        "GET  /stats HTTP/1.1\r\nHost: localhost\r\n\r\n".to_owned(),
        "GET /sta ts HTTP/1.1\r\nHost: localhost\r\n\r\n".to_owned(),
        "G\u{e9}T /stats HTTP/1.1\r\nHost: localhost\r\n\r\n".to_owned(),
        "CONNECT localhost:80 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".to_owned(),
        "OPTIONS * HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".to_owned(),
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned(),
        "\r\n\r\n\r\n\r\n".to_owned(),
        "{\"not\": \"http\"}\n".to_owned(),
        String::new(),
    ];
    let binary = [b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec(), vec![0; 4096], vec![0xff; 40 << 10]];
    text.into_iter().map(String::into_bytes).chain(binary).collect()
}

/// Sends one, and checks that it was refused once, or not answered, and that the connection ended.
fn refused(address: SocketAddr, request: &[u8]) {
    let shown = String::from_utf8_lossy(&request[..request.len().min(200)]);
    let answer = exchange(address, request).unwrap_or_else(|error| panic!("hangs ({error}): {shown:?}"));
    let answer = String::from_utf8_lossy(&answer);
    let answers = answer.matches("HTTP/1.").count();
    assert!(answers <= 1, "{answers} answers to {shown:?}: {answer}");
    let refusal = answer.is_empty() || answer.starts_with("HTTP/1.1 4") || answer.starts_with("HTTP/1.0 4");
    assert!(refusal, "not refused: {shown:?}: {answer}");
}

#[test]
fn every_malformed_request_is_refused_once() {
    let (server, address) = finished();
    let requests: Vec<_> = bodies().into_iter().map(String::into_bytes).chain(oddities()).collect();
    // Some are cut only after the five seconds that a head may take: so many at once as the server takes beside others.
    for some in requests.chunks(100) {
        thread::scope(|scope| {
            some.iter().for_each(|request| {
                scope.spawn(move || refused(address, request));
            });
        });
    }
    assert_eq!(get(address, "/stats").status, 200, "and it still serves");
    server.shutdown();
}

#[test]
fn the_old_protocol_gets_one_answer() {
    let (server, address) = finished();
    let answer = exchange(address, b"GET /healthz HTTP/1.0\r\nHost: localhost\r\n\r\n").expect("answers");
    assert_eq!(String::from_utf8_lossy(&answer).matches("HTTP/1.").count(), 1);
    assert!(answer.ends_with(b"{\"alive\":true}\n"));
    server.shutdown();
}

#[test]
fn requests_in_a_row_get_answers_in_a_row() {
    let (server, address) = finished();
    let last = SMUGGLED.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n");
    let answer = exchange(address, format!("{SMUGGLED}{SMUGGLED}{last}").as_bytes()).expect("answers");
    assert_eq!(String::from_utf8_lossy(&answer).matches("HTTP/1.1 200").count(), 3);
    server.shutdown();
}
