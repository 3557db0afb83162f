//! Models of what threads hand to each other, over all interleavings that loom finds.
//!
//! The product's own `shard.rs` and `mailbox.rs` are compiled here against loom's atomics. Each model is run with the
//! orderings of `src/metrics/sync.rs`, where it must hold, and with them weakened in turn, where it must fail: a model
//! that cannot fail says nothing. One is left out: loom takes stores right behind a release fence as released by it, and
//! so cannot see `SHARD_END` missing where `SHARD_BEGIN` is there.

#![allow(clippy::duplicate_mod)] // the point of it: each copy has other orderings

use std::panic::{AssertUnwindSafe, catch_unwind};

/// Declares a copy of the two modules whose orderings are those given.
macro_rules! with_orderings {
    ($name:ident, $begin:ident, $end:ident, $check:ident, $put:ident, $take:ident) => {
        #[allow(dead_code)]
        #[path = "."]
        mod $name {
            pub(crate) mod sync {
                pub(super) use loom::sync::atomic::{AtomicPtr, AtomicU64, Ordering};

                pub(super) const SHARD_BEGIN: Ordering = Ordering::$begin;
                pub(super) const SHARD_END: Ordering = Ordering::$end;
                pub(super) const SHARD_CHECK: Ordering = Ordering::$check;
                pub(super) const MAILBOX_PUT: Ordering = Ordering::$put;
                pub(super) const MAILBOX_TAKE: Ordering = Ordering::$take;

                /// loom, like the language, knows no relaxed fence: leaving it out is what that would be.
                pub(super) fn fence(ordering: Ordering) {
                    if ordering != Ordering::Relaxed {
                        loom::sync::atomic::fence(ordering);
                    }
                }
            }
            #[path = "../../src/metrics/mailbox.rs"]
            pub(crate) mod mailbox;
            #[path = "../../src/metrics/shard.rs"]
            pub(crate) mod shard;

            pub(crate) mod models {
                use super::{mailbox::Mailbox, shard::Shard};
                include!("models.rs");
            }
        }
    };
}

with_orderings!(product, Release, Release, Acquire, Release, Acquire);
with_orderings!(begin_weak, Relaxed, Release, Acquire, Release, Acquire);
with_orderings!(check_weak, Release, Release, Relaxed, Release, Acquire);
with_orderings!(put_weak, Release, Release, Acquire, Relaxed, Acquire);
with_orderings!(take_weak, Release, Release, Acquire, Release, Relaxed);

fn must_fail(model: fn()) {
    // loom says what it found on standard error; that it found something is what counts.
    let result = catch_unwind(AssertUnwindSafe(|| loom::model(model)));
    assert!(result.is_err(), "the weakened model holds: it does not show what it should");
}

#[test]
fn the_orderings_are_those_of_the_product() {
    let source = include_str!("../../src/metrics/sync.rs");
    for expected in [
        "SHARD_BEGIN: Ordering = Ordering::Release",
        "SHARD_END: Ordering = Ordering::Release",
        "SHARD_CHECK: Ordering = Ordering::Acquire",
        "MAILBOX_PUT: Ordering = Ordering::Release",
        "MAILBOX_TAKE: Ordering = Ordering::Acquire",
    ] {
        assert!(source.contains(expected), "{expected}");
    }
}

#[test]
fn a_shard_is_read_whole_or_not_at_all() {
    loom::model(product::models::shard);
}

#[test]
fn a_shard_without_its_first_fence_is_torn() {
    must_fail(begin_weak::models::shard);
}

#[test]
fn a_shard_without_its_check_is_torn() {
    must_fail(check_weak::models::shard);
}

#[test]
fn what_is_handed_over_is_seen_whole() {
    loom::model(product::models::hand_over);
}

#[test]
fn a_hand_over_without_release_is_a_race() {
    must_fail(put_weak::models::hand_over);
}

#[test]
fn a_hand_over_without_acquire_is_a_race() {
    must_fail(take_weak::models::hand_over);
}

#[test]
fn at_the_end_of_a_run_nothing_is_lost_and_nothing_counted_twice() {
    loom::model(|| product::models::end_of_run(true));
}

#[test]
fn an_end_that_forgets_what_was_handed_over_loses_it() {
    must_fail(|| product::models::end_of_run(false));
}

#[test]
fn a_reader_never_sees_an_older_snapshot_after_a_newer_one() {
    loom::model(product::models::publish_and_read);
}

#[test]
fn a_snapshot_published_without_release_is_a_race() {
    must_fail(put_weak::models::publish_and_read);
}
