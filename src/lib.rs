//! Logweir runs log files through a pipeline of processors at the speed of memory, and shows what each one did.
#![deny(missing_docs)]

#[cfg(test)]
extern crate self as logweir; // test support is shared with the integration tests
#[cfg(test)]
#[path = "../tests/all/sample.rs"]
mod sample;

mod batch;
mod bench;
mod engine;
mod escape;
mod fault;
mod generate;
mod graph;
mod human;
mod input;
#[doc(hidden)]
pub mod internals;
mod letter;
pub mod limits;
mod metrics;
mod pipeline;
mod place;
mod progress;
mod record;
mod report;
mod serve;
mod simd;
mod sink;
mod split;
mod store;
mod waiters;
mod wire;

pub use batch::{Batch, Selection};
pub use bench::{
    BenchError, BenchPlan, BenchResult, Comparison, Estimate, Repeat, Verdict as BenchVerdict, bench_page, compare,
    measure, write_bench_report, write_comparison,
};
pub use engine::{
    Engine, Finished, Following, Mapping, Orders, Row, RunError, RunOptions, Say, SessionEnd, Slowdown, Timing,
    is_in_processor,
};
pub use escape::{escape, escape_line_into, escape_within};
pub use generate::{Generator, LogFormat, Quota, Tally};
pub use graph::{Edge, Graph, GraphNode, GraphSink, Port};
pub use input::{
    Access, DiscoverOptions, Discovered, FollowError, FollowOptions, Follower, From, Input, MapPermit, Unreadable,
    discover, open_stream, survive_bus_error,
};
pub use letter::{Letter, LetterError, OwnedLetter};
pub use metrics::{History, NodeTotals, OutputTotals, Published, SinkTotals, Snapshot, Totals, history, snapshot};
pub use pipeline::{
    Builder, ConfigError, Context, Definition, Delivery, Existing, HttpFormat, HttpPlan, Level, Mistake, OnError,
    OnRefusal, Options, Outputs, Pipeline, Processor, Reason, Registry, Retry, SearchEffort, SinkTarget, Value,
    level_of,
};
pub use place::{Age, Behind, FileId, KnownFile, Mark, PlaceChange, Print, SinkMark};
pub use progress::{Progress, ProgressMode};
pub use record::{Origin, Record, SourceId};
pub use report::write_report;
pub use serve::{Admission, ServeError, Server, Token};
pub use sink::{InUse, OpenError, Output, WriteError, WriteErrorKind, open as open_sink};
pub use store::{
    AsideReport, Checkpoint, CheckpointReport, Generation, GenerationReport, HistoryReport, Holder, Loaded,
    PlaceReport, ReplayError, StateReport, Store, StoreError, Unbelievable, Verdict, default_dir,
    examine as examine_state, examine_history, replay, write_history, write_state,
};
pub use wire::json_report;

/// The example in the README is a test of its own.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct Readme;
