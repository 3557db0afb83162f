//! The sink kind `http`: posts records to a server in batches, each at least once, and says up to where they are safe.
//!
//! ```text
//!  put ──> Shared (bounded queue) ──> Worker: cuts batches, keeps their order ──> Courier, one task a batch: posts,
//!                                                                                 tries again, halves, gives up
//!  acknowledged <── in the order of blocks <── delivered, or in the dead-letter file and synced <──┘
//! ```
//!
//! All of it but `put` runs on one thread, "logweir-http". Whoever feeds it is never blocked: without room, a piece is
//! handed back, and reading waits. So memory stays what it is in an outage, however long that lasts.
//!
//! What is tried again, for ever by default: connections that are refused or break, silence, 408, 425, 429 and 5xx, and
//! 401, for which the token is read again. What is refused for good: other 4xx, and redirects, which are not followed.
//! A 413 halves the batch until single records are refused. What a 400 means depends on the format: `ndjson` loses the
//! batch to the dead letters; `loki` and `elasticsearch` know a record that comes twice, so its bad records are searched.

mod batch;
mod client;
mod courier;
mod encode;
mod judge;
mod letters;
mod shared;
mod worker;

use std::{
    io,
    path::Path,
    sync::Arc,
    thread::{self, JoinHandle},
    time::Instant,
};

use tokio::runtime;

use self::{client::Client, courier::Courier, letters::Letters, shared::Shared, worker::Worker};
use super::OpenError;
use crate::{limits, pipeline::HttpPlan, snapshot::Fault};

use shared::HttpNumbers;
pub(crate) use shared::{HttpPiece, HttpRecord};

/// A sink that posts records.
///
/// Dropping it ends it at once; what was not acknowledged by then may or may not have been delivered.
pub(crate) struct HttpSink {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
    /// What waited when it was ended.
    left: Option<u64>,
}

impl HttpSink {
    /// Starts the sink `id`. Nothing is sent yet, so a server that is down is no error.
    ///
    /// What is refused for good is appended to `dead_letters`, which others may append whole lines to as well. `wake` is
    /// called, on the sink's thread, when room got free, blocks were acknowledged, or trouble came or went.
    ///
    /// # Errors
    ///
    /// If the token or the certificates cannot be read, or there can be no thread.
    pub(crate) fn start(
        plan: &Arc<HttpPlan>,
        id: &str,
        dead_letters: Option<&Path>,
        wake: impl Fn() + Send + Sync + 'static,
    ) -> Result<Self, OpenError> {
        let failed = |error| OpenError::Io { name: format!("sink {id}"), error };
        let room = limits::HTTP_BACKLOG_BYTES.max((plan.concurrency + 2) * plan.batch_bytes);
        let shared = Arc::new(Shared::new(room, Box::new(wake)));
        let client = Client::new(plan)?;
        let letters = dead_letters.map(|path| Letters::new(path, id));
        let courier = Courier::new(id, Arc::clone(plan), (client, letters), Arc::clone(&shared));
        let worker = Worker::new(Arc::clone(&shared), Arc::new(courier));
        let runtime = runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
        let builder = thread::Builder::new().name("logweir-http".to_owned());
        let thread = builder.spawn(move || run(runtime, worker)).map_err(failed)?;
        Ok(Self { shared, thread: Some(thread), left: None })
    }

    /// Hands over what block `number` has for the sink. Numbers ascend, and every block's number must come, with an
    /// empty piece where there is nothing.
    ///
    /// # Errors
    ///
    /// If there is no room now, with the piece.
    pub(crate) fn put(&self, number: u64, piece: HttpPiece) -> Result<(), HttpPiece> {
        self.shared.put(number, piece)
    }

    /// All blocks with a smaller number are delivered, or those of their records that were refused are in the
    /// dead-letter file and synced, or counted where there is none.
    pub(crate) fn acknowledged(&self) -> u64 {
        self.shared.acknowledged()
    }

    /// Since when and why it does not get on, on one line.
    pub(crate) fn trouble(&self) -> Option<Arc<str>> {
        self.shared.trouble()
    }

    /// Why it is over for good: a record was refused where `on_error = "stop"`, or its thread panicked.
    /// Nothing is acknowledged any more.
    pub(crate) fn failure(&self) -> Option<Arc<str>> {
        self.shared.failure()
    }

    /// The next one of the records that were refused lately, to be shown.
    pub(crate) fn take_refused(&self) -> Option<Fault> {
        self.shared.take_refused()
    }

    /// The next thing that is to be said of its files.
    pub(crate) fn take_notice(&self) -> Option<String> {
        self.shared.take_notice()
    }

    /// What it has done.
    pub(crate) fn numbers(&self) -> HttpNumbers {
        let now = self.shared.numbers();
        // What it had in hand at its end was given back, and still waits.
        HttpNumbers { waiting: self.left.filter(|_| now.waiting_records > 0).unwrap_or(now.waiting), ..now }
    }

    /// Ends it, whatever is under way: from then on, its numbers stay as they are.
    pub(crate) fn end_now(&mut self) {
        self.left = Some(self.shared.numbers().waiting);
        self.end(Instant::now());
    }

    /// Sends what it has, as far as it comes until `deadline`; returns what is acknowledged then.
    #[cfg(test)]
    fn finish(mut self, deadline: Instant) -> u64 {
        self.end(deadline);
        self.acknowledged()
    }

    fn end(&mut self, deadline: Instant) {
        self.shared.close(deadline);
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            self.shared.fail("the sink's thread panicked".to_owned());
        }
    }
}

impl Drop for HttpSink {
    fn drop(&mut self) {
        self.end(Instant::now());
    }
}

fn run(runtime: runtime::Runtime, worker: Worker) {
    runtime.block_on(worker.work());
    // A name that is being looked up is not waited for.
    runtime.shutdown_background();
}

/// What cannot be read as what it should be.
fn invalid(name: &Path, message: impl Into<String>) -> OpenError {
    let error = io::Error::new(io::ErrorKind::InvalidData, message.into());
    OpenError::Io { name: name.display().to_string(), error }
}

#[cfg(test)]
mod tests;
