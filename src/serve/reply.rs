//! A request's answer, from admission to headers.

use std::{net::SocketAddr, rc::Rc};

use http_body_util::{Either, Full};
use hyper::{
    Method, Request, Response, StatusCode,
    body::{Body, Bytes},
    http::{HeaderValue, header},
};
use serde::Serialize;

use crate::{
    snapshot::{Run, RunState},
    wire::Exposition,
};

use super::{
    Shared, accept,
    admission::Stranger,
    answer::json,
    assets::DESCRIPTION,
    events::Events,
    route::{GraphFormat, Part, Refusal, Route, route},
};

/// What is sent: bytes that are there, or a stream.
pub(super) type Reply = Response<Either<Full<Bytes>, Events>>;

/// What a page from here may do: run our own module, and talk to us. Nothing inline, nothing from elsewhere, in no frame.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const JSON: &str = "application/json";

/// Answers `request`, which came in on `local`.
pub(super) fn respond<B: Body>(request: &Request<B>, local: SocketAddr, shared: &Rc<Shared>) -> Reply {
    let has_body = !request.body().is_end_stream();
    let mut reply = match admit(request, local, shared, has_body) {
        Ok(route) => answer(route, request, shared),
        Err(refusal) => refuse(&refusal),
    };
    finish(&mut reply, has_body);
    reply
}

/// Everything that can be wrong with a request, the most suspicious first.
fn admit<B>(request: &Request<B>, local: SocketAddr, shared: &Rc<Shared>, has_body: bool) -> Result<Route, Refusal> {
    let stranger = |stranger| match stranger {
        Stranger::NoHost => refusal(StatusCode::BAD_REQUEST, "a request says in one Host header whom it is for"),
        Stranger::OtherHost => refusal(StatusCode::FORBIDDEN, "this server does not answer to that name"),
    };
    shared.admission.host(request.uri(), request.headers(), local).map_err(stranger)?;
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return Err(Refusal {
            allowed: vec!["GET".to_owned(), "HEAD".to_owned()],
            ..refusal(StatusCode::METHOD_NOT_ALLOWED, "nothing can be changed here, only read")
        });
    }
    if has_body {
        return Err(refusal(StatusCode::BAD_REQUEST, "a request has no body here"));
    }
    let route = route(request.uri().path(), request.uri().query());
    // Without the token not even the list of paths is shown, only what is the same for everyone.
    let open = matches!(route, Ok(Route::Asset(_) | Route::Health));
    if !open && !shared.admission.token(request.headers()) {
        return Err(refusal(StatusCode::UNAUTHORIZED, "this needs the header `Authorization: Bearer TOKEN`"));
    }
    route
}

fn answer<B>(route: Route, request: &Request<B>, shared: &Rc<Shared>) -> Reply {
    match route {
        Route::Asset(asset) => {
            let (kind, content) = asset.content();
            with_type(Bytes::from_static(content.as_bytes()), kind)
        }
        Route::Health => with_type(json(&Health { alive: true }), JSON),
        Route::Ready => ready(&shared.answers.latest().run),
        Route::Events(every) => {
            // A stream that nobody reads would never end.
            let body = match *request.method() {
                Method::HEAD => Either::Left(Full::default()),
                _ => Either::Right(Events::new(Rc::clone(shared), every)),
            };
            let mut reply = Response::new(body);
            set(&mut reply, header::CONTENT_TYPE, "text/event-stream");
            reply
        }
        Route::History(range) => match shared.answers.history(range) {
            Some(history) => with_type(history, JSON),
            None => refuse(&refusal(StatusCode::NOT_FOUND, "nothing is recorded: that needs `--state DIR`")),
        },
        Route::Part(part) => with_type(shared.answers.part(part), content_type(part)),
        Route::Metrics => {
            let part = Part::Metrics(accept::exposition(request.headers()));
            let mut reply = with_type(shared.answers.part(part), content_type(part));
            set(&mut reply, header::VARY, "Accept");
            reply
        }
        Route::Description => with_type(Bytes::from_static(DESCRIPTION.as_bytes()), JSON),
    }
}

fn content_type(part: Part) -> &'static str {
    match part {
        Part::Graph(GraphFormat::Mermaid) => "text/vnd.mermaid; charset=utf-8",
        Part::Graph(GraphFormat::Dot) => "text/vnd.graphviz; charset=utf-8",
        Part::Metrics(exposition) => Exposition::content_type(exposition),
        _ => JSON,
    }
}

#[derive(Serialize)]
struct Health {
    alive: bool,
}

#[derive(Serialize)]
struct Readiness<'a> {
    ready: bool,
    state: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    action: Option<&'a str>,
}

/// Ready unless nothing has been read yet, nothing more can be, or something holds it up: then the cause, and what to
/// do.
fn ready(run: &Run) -> Reply {
    let (cause, action) = match (run.state, &run.trouble) {
        (RunState::Starting, _) => (Some("the inputs are being opened"), Some("wait; ask again in a second")),
        (RunState::Failed, _) => (
            Some(run.error.as_deref().unwrap_or("the run could not go on")),
            Some("mend the cause and run it again; what was counted until then can still be read here"),
        ),
        (RunState::Running | RunState::Draining, Some(trouble)) => (Some(&*trouble.cause), Some(&*trouble.action)),
        _ => (None, None),
    };
    let mut reply =
        with_type(json(&Readiness { ready: cause.is_none(), state: run.state.name(), cause, action }), JSON);
    if cause.is_some() {
        *reply.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    }
    reply
}

fn refusal(status: StatusCode, error: &str) -> Refusal {
    Refusal { status, error: error.to_owned(), allowed: Vec::new() }
}

#[derive(Serialize)]
struct RefusalView<'a> {
    error: &'a str,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    allowed: &'a [String],
}

fn refuse(refusal: &Refusal) -> Reply {
    let mut reply = with_type(json(&RefusalView { error: &refusal.error, allowed: &refusal.allowed }), JSON);
    *reply.status_mut() = refusal.status;
    match refusal.status {
        StatusCode::METHOD_NOT_ALLOWED => set(&mut reply, header::ALLOW, "GET, HEAD"),
        StatusCode::UNAUTHORIZED => set(&mut reply, header::WWW_AUTHENTICATE, "Bearer"),
        _ => {}
    }
    reply
}

fn with_type(content: Bytes, kind: &'static str) -> Reply {
    let mut reply = Response::new(Either::Left(Full::new(content)));
    set(&mut reply, header::CONTENT_TYPE, kind);
    reply
}

/// What every answer carries. A body that came in is never read: the connection ends instead, so that what it says is
/// not taken for the next request.
fn finish(reply: &mut Reply, has_body: bool) {
    set(reply, header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    set(reply, header::REFERRER_POLICY, "no-referrer");
    set(reply, header::CONTENT_SECURITY_POLICY, POLICY);
    set(reply, header::CACHE_CONTROL, "no-store");
    if has_body {
        set(reply, header::CONNECTION, "close");
    }
}

fn set(reply: &mut Reply, name: header::HeaderName, value: &'static str) {
    reply.headers_mut().insert(name, HeaderValue::from_static(value));
}
