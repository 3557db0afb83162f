//! The sink's thread: takes blocks from the queue, starts batches when they are full or due, and acknowledges in order.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use jiff::Timestamp;
use tokio::{task::JoinSet, time};

use super::{
    batch::{Filling, Item, Order},
    courier::Courier,
    shared::{Held, Shared, nanoseconds},
};
use crate::pipeline::HttpPlan;

/// Batches for each one under way that may wait for one before them to be dealt with.
const AHEAD: usize = 4;

/// A block that was not taken to its end yet.
struct Block {
    number: u64,
    held: Arc<Held>,
    /// Records that were taken.
    taken: usize,
    /// When it came.
    time: i64,
}

/// See the module.
pub(super) struct Worker {
    shared: Arc<Shared>,
    courier: Arc<Courier>,
    plan: Arc<HttpPlan>,
    block: Option<Block>,
    filling: Filling,
    /// When the batch that is being filled is sent at the latest.
    due: Instant,
    /// All blocks with a smaller number were taken to their end.
    taken: u64,
    order: Order,
    /// The largest time that was given to a record.
    clock: i64,
    tasks: JoinSet<Option<u64>>,
}

impl Worker {
    pub(super) fn new(shared: Arc<Shared>, courier: Arc<Courier>) -> Self {
        let plan = Arc::clone(courier.plan());
        let filling = Filling::new(plan.format, plan.batch_bytes);
        Self {
            shared,
            courier,
            plan,
            block: None,
            filling,
            due: Instant::now(),
            taken: 0,
            order: Order::default(),
            clock: 0,
            tasks: JoinSet::new(),
        }
    }

    /// Works until the end is asked for and reached, or its deadline, or there is no going on.
    pub(super) async fn work(mut self) {
        loop {
            self.take();
            if self.is_due() && self.can_start() {
                self.start();
            }
            let deadline = self.shared.deadline();
            if self.shared.failure().is_some() || (deadline.is_some() && self.is_idle()) {
                return;
            }
            if deadline.is_some_and(|deadline| deadline <= Instant::now()) {
                return;
            }
            self.wait(deadline).await;
        }
    }

    /// Until something happened, or it is time for something.
    async fn wait(&mut self, deadline: Option<Instant>) {
        let is_waiting = !self.filling.is_empty() && self.can_start();
        let far = Instant::now() + Duration::from_secs(3_600);
        let due = if is_waiting { self.due } else { far }.min(deadline.unwrap_or(far));
        tokio::select! {
            () = self.shared.arrived.notified() => {}
            () = time::sleep_until(due.into()) => {}
            Some(ended) = self.tasks.join_next(), if !self.tasks.is_empty() => match ended {
                Ok(Some(sequence)) => self.end(sequence),
                // It has said why.
                Ok(None) => {}
                Err(error) => self.shared.fail(format!("a batch was lost: {error}")),
            }
        }
    }

    /// Takes what is in the queue, as long as batches can be started.
    fn take(&mut self) {
        loop {
            if self.filling.is_full() {
                if !self.can_start() {
                    return;
                }
                self.start();
            }
            if self.block.is_none() {
                let Some((number, held)) = self.shared.take() else { return };
                let time = nanoseconds(Timestamp::now());
                self.block = Some(Block { number, held, taken: 0, time });
            }
            self.fill();
        }
    }

    /// Takes records of the block at hand until it ends or the batch is full.
    fn fill(&mut self) {
        let Some(block) = &mut self.block else { return };
        while block.taken < block.held.piece.records.len() {
            let was_empty = self.filling.is_empty();
            let time = block.time.max(self.clock + 1);
            if !self.filling.add(Item::new(Arc::clone(&block.held), block.taken as u32, time)) {
                return;
            }
            if was_empty {
                self.due = Instant::now() + self.plan.batch_time;
            }
            self.clock = time;
            block.taken += 1;
            if self.filling.is_full() {
                break;
            }
        }
        if block.taken == block.held.piece.records.len() {
            self.taken = block.number + 1;
            self.block = None;
            self.taken_whole();
        }
    }

    /// Where no record of the last block waits for a batch, the block is dealt with when those before it are.
    fn taken_whole(&mut self) {
        if self.filling.is_empty()
            && let Some(number) = self.order.extend(self.taken)
        {
            self.shared.acknowledge(number);
        }
    }

    fn is_due(&self) -> bool {
        let is_closing = self.shared.deadline().is_some();
        !self.filling.is_empty() && (is_closing || self.due <= Instant::now())
    }

    fn can_start(&self) -> bool {
        self.tasks.len() < self.plan.concurrency && self.order.len() < AHEAD * self.plan.concurrency
    }

    fn start(&mut self) {
        let (items, sequence) = (self.filling.take(), self.order.start(self.taken));
        let courier = Arc::clone(&self.courier);
        self.tasks.spawn(async move { courier.deliver(items).await.then_some(sequence) });
    }

    fn end(&mut self, sequence: u64) {
        if let Some(number) = self.order.end(sequence) {
            self.shared.acknowledge(number);
        }
    }

    fn is_idle(&self) -> bool {
        self.shared.is_empty() && self.block.is_none() && self.filling.is_empty() && self.order.len() == 0
    }
}
