//! What holds a follower up while it goes on: said by whoever notices, shown by the publisher, gone when it is over.

use std::sync::Arc;

use arc_swap::ArcSwapOption;

/// Who notices. Each has a place of its own, so that one getting on does not hide that another does not.
#[derive(Debug, Clone, Copy)]
pub(super) enum Noticed {
    /// The writer: a sink does not take what it is given.
    Writing,
    /// The keeper: a checkpoint cannot be saved.
    Keeping,
}

/// What is wrong, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Said {
    pub(super) cause: String,
    pub(super) action: &'static str,
}

/// The present troubles.
#[derive(Debug, Default)]
pub(super) struct Troubles {
    places: [ArcSwapOption<Said>; 2],
}

impl Troubles {
    /// Says what is wrong and what to do about it. The same again costs nothing.
    pub(super) fn begin(&self, by: Noticed, cause: String, action: &'static str) {
        let place = &self.places[by as usize];
        let said = Said { cause, action };
        if place.load().as_deref() != Some(&said) {
            place.store(Some(Arc::new(said)));
        }
    }

    /// Says that it is over.
    pub(super) fn end(&self, by: Noticed) {
        let place = &self.places[by as usize];
        if place.load().is_some() {
            place.store(None);
        }
    }

    /// The one that is to be shown.
    pub(super) fn present(&self) -> Option<Arc<Said>> {
        self.places.iter().find_map(|place| place.load_full())
    }
}
