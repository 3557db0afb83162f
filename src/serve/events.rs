//! The stream of snapshots, as server-sent events.
//!
//! A body that is pulled: hyper asks for the next piece only when the client has taken the last one, so a slow reader
//! gets fewer snapshots, never a queue of them.

use std::{
    convert::Infallible,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, ready},
    time::Duration,
};

use hyper::body::{Body, Bytes, Frame};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval};

use crate::limits;

use super::{Shared, route::Part};

/// How long a stream may be silent: shorter than what proxies allow, and it shows when a client is gone.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// A body of events without an end, but for the server's own.
pub(super) struct Events {
    shared: Rc<Shared>,
    /// Looks for a new snapshot as often as there can be one.
    tick: Interval,
    /// The least time between two events.
    every: Duration,
    /// When the last piece was sent, and of which snapshot; `None` before the first.
    sent: Option<(Instant, u64)>,
}

impl Events {
    pub(super) fn new(shared: Rc<Shared>, every: Duration) -> Self {
        let mut tick = interval(limits::PUBLISH_INTERVAL);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self { shared, tick, every, sent: None }
    }

    /// What there is to send at `now`, if anything.
    pub(super) fn next(&mut self, now: Instant) -> Option<Bytes> {
        let snapshot = self.shared.answers.latest();
        let (silent, is_new) = match self.sent {
            Some((at, sequence)) => (now - at, snapshot.sequence != sequence),
            None => (self.every, true),
        };
        // Ticks wander by a millisecond or two; half of one is near enough.
        if is_new && silent + limits::PUBLISH_INTERVAL / 2 >= self.every {
            self.sent = Some((now, snapshot.sequence));
            return Some(self.shared.answers.part_of(&snapshot, Part::Event));
        }
        if silent < HEARTBEAT {
            return None;
        }
        self.sent = self.sent.map(|(_, sequence)| (now, sequence));
        Some(Bytes::from_static(b":\n\n"))
    }
}

impl Body for Events {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        loop {
            let now = ready!(self.tick.poll_tick(context));
            if *self.shared.stopped.borrow() {
                return Poll::Ready(None);
            }
            if let Some(bytes) = self.next(now) {
                return Poll::Ready(Some(Ok(Frame::data(bytes))));
            }
        }
    }
}

/// One event. JSON on one line needs no more than this around it.
pub(super) fn frame(json: &[u8]) -> Bytes {
    [b"event: snapshot\ndata: ", json.trim_ascii_end(), b"\n\n"].concat().into()
}
