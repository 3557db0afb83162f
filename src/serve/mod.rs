//! The server: one thread, one runtime, answers from the last snapshot.
//!
//! # Layout
//!
//! - `accept`: which format a client likes best; pure
//! - `admission`: who is answered at all (names, token)
//! - `route`: a request's path and query -> what is asked for; pure; `moment`: the times in it
//! - `answer`: what is asked for -> bytes, rendered once per snapshot
//! - `events`: the stream of snapshots
//! - `reply`: bytes -> a response with its headers
//! - `socket`: a connection that does not wait for ever
//! - `assets`: the page
//!
//! Everything a connection touches lives on the server's thread, so nothing here is shared, and nothing waits for
//! anything but its own client. The engine is never waited for and never waits: all that is read is
//! [`Published::latest`] and [`Published::history`].

mod accept;
mod admission;
mod answer;
mod assets;
mod events;
mod moment;
mod reply;
mod route;
mod socket;
#[cfg(test)]
mod tests;

use std::{
    io,
    net::SocketAddr,
    rc::Rc,
    sync::Arc,
    thread::{self, JoinHandle},
    time::Duration,
};

use hyper::{server::conn::http1, service::service_fn};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::{GracefulShutdown, Watcher},
};
use rustix::process::{Resource, getrlimit};
use tokio::{
    net::{TcpListener, TcpStream},
    runtime::{Builder, Runtime},
    sync::{Semaphore, watch},
    task::LocalSet,
    time,
};

use crate::{Published, limits};

pub use admission::{Admission, Token};
use answer::Answers;
use socket::Socket;

/// How long to wait before accepting again after the system refused, most likely for want of file descriptors: they
/// come back only when other connections end.
const ACCEPT_BACK_OFF: Duration = Duration::from_millis(100);
/// How long open answers may take once the server is told to stop.
const SHUTDOWN_TIME: Duration = Duration::from_secs(1);

/// Why a server did not start.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The address can be reached from other machines, and there is no token to tell friend from stranger.
    #[error("{address} can be reached from other machines: it needs a token (--token-file FILE)")]
    TokenNeeded {
        /// The address.
        address: SocketAddr,
    },
    /// The system would not have it.
    #[error("cannot serve: {0}")]
    Io(#[from] io::Error),
}

/// A running server. Dropping it tells it to stop; [`Server::shutdown`] also waits until it has.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    stop: watch::Sender<bool>,
    thread: JoinHandle<()>,
}

impl Server {
    /// Serves `published` on `listener`, to those whom `admission` admits, on a thread of its own.
    ///
    /// # Errors
    ///
    /// Where the listener can be reached from other machines and `admission` has no token, or where the system refuses
    /// a thread or a socket.
    ///
    /// ```no_run
    /// # fn published() -> std::sync::Arc<logweir::Published> { unimplemented!() }
    /// use logweir::{Admission, Server};
    ///
    /// let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    /// let server = Server::start(listener, published(), Admission::default())?;
    /// eprintln!("listening on {}", server.url());
    /// server.shutdown();
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn start(
        listener: std::net::TcpListener,
        published: Arc<Published>,
        admission: Admission,
    ) -> Result<Self, ServeError> {
        let address = listener.local_addr()?;
        if !address.ip().is_loopback() && !admission.has_token() {
            return Err(ServeError::TokenNeeded { address });
        }
        listener.set_nonblocking(true)?;
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let (stop, stopped) = watch::channel(false);
        let thread = thread::Builder::new().name("logweir-serve".to_owned()).spawn(move || {
            let shared = Shared { admission, answers: Answers::new(published), stopped };
            serve(&runtime, listener, shared);
        })?;
        Ok(Self { address, stop, thread })
    }

    /// The address that it listens on.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where a browser finds it.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// Takes no more connections, lets open answers end (within a second), and returns when the thread is gone.
    pub fn shutdown(self) {
        // Without a receiver it has already ended.
        let _ = self.stop.send(true);
        if let Err(panic) = self.thread.join() {
            std::panic::resume_unwind(panic);
        }
    }
}

/// What every connection needs. It never leaves the server's thread.
struct Shared {
    admission: Admission,
    answers: Answers,
    /// Turns true when the server is to stop; event streams end then.
    stopped: watch::Receiver<bool>,
}

/// What a request comes to, for those who attack the router: the route, or the refusal's status and what it offers.
pub(crate) fn route_in_words(path: &str, query: Option<&str>) -> Result<String, (u16, Vec<String>)> {
    let found = route::route(path, query).map(|route| format!("{route:?}"));
    found.map_err(|refusal| (refusal.status.as_u16(), refusal.allowed))
}

/// Runs until told to stop, or until the [`Server`] is dropped.
fn serve(runtime: &Runtime, listener: std::net::TcpListener, shared: Shared) {
    let tasks = LocalSet::new();
    tasks.block_on(runtime, async {
        let mut stopped = shared.stopped.clone();
        let graceful = GracefulShutdown::new();
        let Ok(listener) = TcpListener::from_std(listener) else {
            // Only an exhausted epoll could do this; there is nobody to serve then.
            return;
        };
        let shared = Rc::new(shared);
        tokio::select! {
            () = accept(&listener, &shared, &graceful) => {}
            // An error means that the handle was dropped: stop just the same.
            _ = stopped.changed() => {}
        }
        drop(listener);
        let _ = time::timeout(SHUTDOWN_TIME, graceful.shutdown()).await;
    });
}

/// How many connections there may be at once: never more than half of the descriptors that the process may have. The
/// others are for the run, which would otherwise lose files because somebody looks at it.
fn connections_max() -> usize {
    let limit = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    limits::CONNECTIONS.min(usize::try_from(limit / 2).unwrap_or(usize::MAX)).max(1)
}

/// Accepts for ever, as many connections at once as the limit allows; further ones wait in the kernel's queue.
async fn accept(listener: &TcpListener, shared: &Rc<Shared>, graceful: &GracefulShutdown) {
    let places = Arc::new(Semaphore::new(connections_max()));
    // The semaphore is never closed.
    while let Ok(place) = Arc::clone(&places).acquire_owned().await {
        match listener.accept().await {
            Ok((stream, _)) => {
                let (shared, watcher) = (Rc::clone(shared), graceful.watcher());
                tokio::task::spawn_local(async move {
                    connection(stream, shared, watcher).await;
                    drop(place);
                });
            }
            Err(_) => time::sleep(ACCEPT_BACK_OFF).await,
        }
    }
}

/// Serves one connection to its end. What goes wrong on it is its client's business alone.
async fn connection(stream: TcpStream, shared: Rc<Shared>, watcher: Watcher) {
    let Ok(local) = stream.local_addr() else { return };
    // Small answers must not wait for the acknowledgement of earlier ones; without it, it is only slower.
    let _ = stream.set_nodelay(true);
    let service = service_fn(|request| {
        let response = reply::respond(&request, local, &shared);
        async move { Ok::<_, std::convert::Infallible>(response) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits::REQUEST_HEAD_TIME)
        .max_headers(limits::REQUEST_HEADERS)
        .max_header_size(limits::REQUEST_HEAD_BYTES)
        .max_buf_size(limits::REQUEST_HEAD_BYTES)
        .serve_connection(TokioIo::new(Socket::new(stream)), service);
    let _ = time::timeout(limits::CONNECTION_TIME, watcher.watch(connection)).await;
}
