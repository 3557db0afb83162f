//! Where records go: standard output and files, a dead-letter file among them, and servers.

mod durable;
mod extent;
pub(crate) mod file;
pub(crate) mod http;
mod patience;
mod resume;

pub(crate) use durable::put_aside;
pub use file::{InUse, OpenError, Output, WriteError, WriteErrorKind, open};
pub(crate) use http::{HttpPiece, HttpRecord, HttpSink};
pub(crate) use resume::{Kept, resume};
