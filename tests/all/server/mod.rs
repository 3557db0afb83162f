//! The server, from outside, over a made-up run.

mod answers;
mod browser;
mod crowd;
mod description;
mod malformed;
mod metrics;
mod strangers;

use std::{
    net::{SocketAddr, TcpListener},
    sync::Arc,
    time::Duration,
};

use logweir::{Admission, Published, Server, Snapshot};

use crate::{load, sample};

/// Everything that answers with data. `/api/v1/events` does not end, and is tested where publishing is possible.
const DATA: [&str; 11] = [
    "/stats",
    "/trace",
    "/errors",
    "/readyz",
    "/api/v1/run",
    "/api/v1/processors",
    "/api/v1/traces",
    "/api/v1/errors",
    "/api/v1/sources",
    "/api/v1/audit",
    "/api/v1/openapi.json",
];

/// Everything else.
const OTHERS: [&str; 12] = [
    "/",
    "/assets/page.css",
    "/assets/page.js",
    "/assets/processors.js",
    "/assets/history.js",
    "/assets/tools.js",
    "/assets/icon.svg",
    "/healthz",
    "/metrics",
    "/api/v1/graph",
    "/api/v1/events",
    "/no/such/path",
];

fn every_path() -> impl Iterator<Item = &'static str> {
    DATA.into_iter().chain(OTHERS)
}

/// A server over `snapshot` on a free port of loopback.
fn serve(snapshot: Snapshot, admission: Admission) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
    Server::start(listener, Arc::new(Published::new(snapshot)), admission).expect("starts")
}

/// A server over a run that is over.
fn finished() -> (Server, SocketAddr) {
    let server = serve(sample::snapshot(7, sample::FINISHED), Admission::default());
    let address = server.address();
    (server, address)
}

#[test]
fn a_crowd_that_polls_does_not_wait() {
    let (server, address) = finished();
    let waited = load::poll(address, "/stats", 64, 10, Duration::from_secs(2));
    eprintln!("64 clients, 10 a second each: {waited:?}");
    assert_eq!(waited.failures, 0, "{waited:?}");
    assert!(waited.answers >= 64 * 15, "{waited:?}");
    assert!(waited.p50 <= waited.p99 && waited.p99 <= waited.max, "{waited:?}");
    // The bound that holds while an engine uses all cores is tested where there is an engine; this one is generous
    // because other tests run beside it.
    assert!(waited.p99 < Duration::from_millis(250), "{waited:?}");
    server.shutdown();
}
