//! The threads of a run around its work: workers, a writer behind them, a keeper behind that, a publisher beside them.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Instant,
};

use super::{
    RunError, Shared,
    delivery::Deliveries,
    keeper::{Keeper, KeptUp},
    recording::Recording,
    window::Window,
    worker::Worker,
    writer::{Writer, Written},
};
use crate::{limits, metrics::Merger, sink::Output, snapshot::RunState};

/// What some runs have besides.
pub(super) struct Beside<'r, 'p> {
    pub(super) keeper: Option<Keeper<'r>>,
    pub(super) recording: Option<&'p mut Recording>,
}

/// What is left when all threads have ended.
pub(super) struct Conducted {
    pub(super) merger: Merger,
    pub(super) written: Written,
    pub(super) kept: Option<KeptUp>,
}

/// Starts the threads, lets the workers do `work`, and ends the threads in order, each when nothing more can come.
pub(super) fn conduct<'r>(
    shared: &'r Shared,
    merger: Merger,
    outputs: Vec<Option<Output>>,
    Beside { keeper, recording }: Beside<'r, '_>,
    work: impl FnOnce(&rayon::ThreadPool, &mut [Worker<'r>]),
) -> Conducted {
    let pool = match pool(shared.options.workers) {
        Ok(pool) => pool,
        Err(error) => return Conducted { merger, written: Written::Failed(error), kept: None },
    };
    let mut workers: Vec<Worker<'_>> = (0..shared.options.workers).map(|number| Worker::new(number, shared)).collect();
    let is_over = AtomicBool::new(false);
    let mut conducted = thread::scope(|scope| {
        let publisher = spawn(scope, "logweir-publish", || publish(merger, shared, &is_over, recording));
        let writer = shared.window.as_ref().map(|window| {
            let writer = Writer::new(outputs, shared);
            spawn(scope, "logweir-write", move || write(writer, window, shared))
        });
        let keeper = keeper.zip(shared.deliveries.as_ref());
        let keeper =
            keeper.map(|(keeper, deliveries)| spawn(scope, "logweir-keep", move || keep(keeper, deliveries, shared)));
        if catch_unwind(AssertUnwindSafe(|| work(&pool, &mut workers))).is_err() {
            shared.give_up();
        }
        shared.window.iter().for_each(Window::finish);
        let written =
            writer.map_or(Written::All, |writer| writer.join().unwrap_or(Written::Failed(RunError::Panicked)));
        let kept = keeper.and_then(|keeper| keeper.join().ok().flatten());
        is_over.store(true, Ordering::Release);
        publisher.thread().unpark();
        Conducted { merger: publisher.join().expect("the publisher does not panic"), written, kept }
    });
    // Of what several workers say, that counts which stands first in the input.
    let stopped = workers.iter_mut().filter_map(Worker::take_stopped).min_by_key(|(block, _)| *block);
    if let Some((_, reason)) = stopped {
        shared.fail(reason);
    }
    shared.tell(&mut conducted.merger);
    conducted.merger.collect(&shared.board);
    for (number, worker) in workers.into_iter().enumerate() {
        conducted.merger.absorb(number, &mut worker.into_delta());
    }
    conducted
}

impl Shared {
    /// Tells the merger what a follower says.
    fn tell(&self, merger: &mut Merger) {
        while let Some(news) = self.live.as_ref().and_then(|live| live.news.pop()) {
            merger.hear(&news);
        }
        merger.add_faults(self.posts.refused());
        if let Some(message) = self.posts.failure() {
            self.fail(RunError::Post { message: message.to_string() });
        }
        let (trouble, posts) = (self.troubles.present(), self.posts.trouble());
        let said = trouble.as_deref().map(|said| (said.cause.as_str(), said.action));
        let action = "see to the server; what it does not take is tried again";
        merger.set_trouble(said.or(posts.as_deref().map(|cause| (cause, action))));
    }

    /// Ends a session that takes too long to deliver what it has read.
    fn end_drain(&self, begun: &mut Option<Instant>) {
        let Some(live) = self.live.as_ref().filter(|_| self.is_draining()) else { return };
        if begun.get_or_insert_with(Instant::now).elapsed() >= live.orders.drain_time {
            self.stop.store(true, Ordering::Relaxed);
        }
    }
}

fn pool(workers: usize) -> Result<rayon::ThreadPool, RunError> {
    let builder = rayon::ThreadPoolBuilder::new().num_threads(workers);
    let pool = builder.thread_name(|number| format!("logweir-{number}")).build();
    pool.map_err(|error| RunError::Workers { workers, message: error.to_string() })
}

fn write(writer: Writer<'_>, window: &Window, shared: &Shared) -> Written {
    catch_unwind(AssertUnwindSafe(move || writer.run(window))).unwrap_or_else(|_| {
        shared.give_up();
        shared.deliveries.iter().for_each(Deliveries::finish);
        Written::Failed(RunError::Panicked)
    })
}

fn keep(keeper: Keeper<'_>, deliveries: &Deliveries, shared: &Shared) -> Option<KeptUp> {
    catch_unwind(AssertUnwindSafe(move || keeper.run(deliveries)))
        .inspect_err(|_| {
            deliveries.abandon();
            shared.give_up();
        })
        .ok()
}

pub(super) fn spawn<'scope, T: Send + 'scope>(
    scope: &'scope thread::Scope<'scope, '_>,
    name: &str,
    work: impl FnOnce() -> T + Send + 'scope,
) -> thread::ScopedJoinHandle<'scope, T> {
    let builder = thread::Builder::new().name(name.to_owned());
    builder.spawn_scoped(scope, work).expect("a system that cannot start a thread cannot run logweir")
}

/// Publishes at every interval until `is_over`, then gives the merger back: the end is published by who knows it.
fn publish(mut merger: Merger, shared: &Shared, is_over: &AtomicBool, mut recording: Option<&mut Recording>) -> Merger {
    let mut last = Instant::now();
    let mut draining = None;
    while !is_over.load(Ordering::Acquire) {
        let passed = last.elapsed();
        if passed < limits::PUBLISH_INTERVAL {
            thread::park_timeout(limits::PUBLISH_INTERVAL - passed);
            continue;
        }
        last = Instant::now();
        shared.tell(&mut merger);
        merger.collect(&shared.board);
        shared.posts.show(&shared.board);
        shared.end_drain(&mut draining);
        let state = if shared.is_draining() { RunState::Draining } else { RunState::Running };
        let snapshot = merger.snapshot(state, None, Some(&shared.board));
        shared.board.published.publish(snapshot);
        // Relaxed: workers only look whether it moved.
        shared.board.epoch.fetch_add(1, Ordering::Relaxed);
        if let Some(recording) = &mut recording {
            recording.note(&mut merger);
        }
        merger.add_own_time(last.elapsed());
    }
    shared.posts.show(&shared.board);
    merger
}

/// Lets every worker do `work`. One that panics ends the run, and nobody waits for what it had in hand.
pub(super) fn each_worker<'r>(
    pool: &rayon::ThreadPool,
    shared: &Shared,
    workers: &mut [Worker<'r>],
    work: impl Fn(&mut Worker<'r>) + Sync,
) {
    let work = &work;
    pool.scope(|scope| {
        for worker in workers {
            scope.spawn(move |_| {
                // What the worker leaves half done stays with it, and the run is reported as failed.
                if catch_unwind(AssertUnwindSafe(|| work(worker))).is_err() {
                    shared.give_up();
                }
            });
        }
    });
}
