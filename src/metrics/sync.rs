//! The atomics that shards and mailboxes are made of, and the orderings that they rest on.
//!
//! Everything that decides whether a reader can see half of something stands here. The models in `tests/loom` compile
//! `shard.rs` and `mailbox.rs` against a `sync` of their own: with loom's atomics and these orderings they must hold,
//! and with an ordering weakened they must fail.

pub(super) use std::sync::atomic::{AtomicPtr, AtomicU64, Ordering, fence};

/// Behind the mark that says "being written": no store of the contents may move before it.
pub(super) const SHARD_BEGIN: Ordering = Ordering::Release;
/// The mark that says "whole": no store of the contents may move behind it.
pub(super) const SHARD_END: Ordering = Ordering::Release;
/// Between the contents and the second look at the mark: no load of the contents may move behind it.
pub(super) const SHARD_CHECK: Ordering = Ordering::Acquire;
/// Handing a box over: what is in it must be visible to the one who takes it.
pub(super) const MAILBOX_PUT: Ordering = Ordering::Release;
/// Taking a box: what was put into it must be visible from here on.
pub(super) const MAILBOX_TAKE: Ordering = Ordering::Acquire;
