//! What is known about a run: counted by workers, merged by the publisher, read by everyone else.

mod board;
mod delta;
pub mod history;
mod latency;
mod layout;
mod ledger;
mod mailbox;
mod merger;
mod news;
mod published;
mod rates;
mod shard;
pub mod snapshot;
mod source_table;
mod sync;
mod totals;

pub(crate) use board::{Board, Delivery};
pub(crate) use delta::{Delta, SourceTally, keep_last_faults};
pub use history::History;
pub(crate) use history::{HistoryIndex, NodeCounts, Span};
pub(crate) use latency::Probes;
pub(crate) use layout::{Layout, NodeCell, WorkerCell};
pub(crate) use ledger::tile;
pub(crate) use mailbox::Mailbox;
pub(crate) use merger::{BaseTotals, EarlierPart, Merger, MergerPlan};
pub(crate) use news::{Restored, SourceNews};
pub use published::Published;
pub use snapshot::Snapshot;
pub(crate) use source_table::{EntryKind, SourceTable};
pub use totals::{NodeTotals, OutputTotals, SinkTotals, Totals};
