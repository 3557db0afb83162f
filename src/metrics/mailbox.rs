//! A place for one box, in which one thread leaves it and another finds it. No lock, no wait.

use std::ptr;

use super::sync::{AtomicPtr, MAILBOX_PUT, MAILBOX_TAKE, Ordering};

/// Holds at most one `T`.
pub(crate) struct Mailbox<T> {
    /// Null, or a pointer from `Box::into_raw` that whoever swaps it out owns.
    slot: AtomicPtr<T>,
}

impl<T> Mailbox<T> {
    /// An empty one.
    pub(crate) fn new() -> Self {
        Self { slot: AtomicPtr::new(ptr::null_mut()) }
    }

    /// True when it was empty just now. Where only one thread puts, it stays so until that thread puts.
    pub(crate) fn is_empty(&self) -> bool {
        // Relaxed: whoever acts on it goes on with `put` or `take`, which order themselves.
        self.slot.load(Ordering::Relaxed).is_null()
    }

    /// Leaves `letter`.
    ///
    /// # Panics
    ///
    /// If there is a letter already: only one thread may put, and only after it has seen the box empty.
    pub(crate) fn put(&self, letter: Box<T>) {
        let before = self.slot.swap(Box::into_raw(letter), MAILBOX_PUT);
        assert!(before.is_null(), "a mailbox holds one letter");
    }

    /// Takes the letter that is there, if one is.
    pub(crate) fn take(&self) -> Option<Box<T>> {
        let letter = self.slot.swap(ptr::null_mut(), MAILBOX_TAKE);
        // SAFETY: a pointer in the slot came from `Box::into_raw`, and the swap took it out for this caller alone.
        (!letter.is_null()).then(|| unsafe { Box::from_raw(letter) })
    }
}

impl<T> Drop for Mailbox<T> {
    fn drop(&mut self) {
        drop(self.take());
    }
}
