//! Deals with one batch to its end: every record of it is delivered, a dead letter, or counted as refused.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use jiff::Timestamp;
use tokio::time;

use super::{
    batch::Item,
    client::Client,
    encode::body,
    judge::{Answer, Fate, Verdict, judge},
    letters::Letters,
    shared::{Shared, add},
};
use crate::{
    limits,
    pipeline::{HttpPlan, OnRefusal},
    snapshot::{Fault, FaultKind},
};

/// The sink is over; why was said.
struct Over;

/// See the module.
pub(super) struct Courier {
    /// The sink.
    id: String,
    plan: Arc<HttpPlan>,
    client: Client,
    letters: Option<Letters>,
    shared: Arc<Shared>,
    start: Instant,
    /// When the server wants to be asked again, in nanoseconds since the start: all batches heed it.
    quiet_until: AtomicU64,
}

/// The parts of a batch that are still to be dealt with, the first of them last.
struct Parts {
    waiting: Vec<Vec<Item>>,
    /// Halvings that searching for bad records may still take.
    searches: u32,
}

impl Courier {
    pub(super) fn new(
        id: &str,
        plan: Arc<HttpPlan>,
        (client, letters): (Client, Option<Letters>),
        shared: Arc<Shared>,
    ) -> Self {
        let quiet_until = AtomicU64::new(0);
        Self { id: id.to_owned(), plan, client, letters, shared, start: Instant::now(), quiet_until }
    }

    pub(super) fn plan(&self) -> &Arc<HttpPlan> {
        &self.plan
    }

    /// Returns true when every record of `batch` is dealt with, and false if the sink is over.
    pub(super) async fn deliver(&self, batch: Vec<Item>) -> bool {
        let mut parts = Parts { waiting: vec![batch], searches: limits::HTTP_SEARCH_REQUESTS };
        while let Some(part) = parts.waiting.pop() {
            if let Err(Over) = self.part(part, &mut parts).await {
                return false;
            }
        }
        true
    }

    /// Sends a part until it is dealt with, or halves it.
    async fn part(&self, mut part: Vec<Item>, parts: &mut Parts) -> Result<(), Over> {
        let mut attempt = 0;
        loop {
            attempt += 1;
            let (verdict, bytes) = self.attempt(&part).await;
            let (why, wait) = match verdict {
                Verdict::Delivered => {
                    self.delivered(part.len(), bytes);
                    return Ok(());
                }
                Verdict::Refused(why) => return self.refused(&part, &why).await,
                Verdict::TooMany(_) if part.len() > 1 => {
                    parts.halve(part);
                    return Ok(());
                }
                Verdict::SomeBad(_) if part.len() > 1 && parts.searches > 0 => {
                    parts.searches -= 1;
                    parts.halve(part);
                    return Ok(());
                }
                Verdict::TooMany(why) | Verdict::SomeBad(why) => return self.refused(&part, &why).await,
                Verdict::Each(fates) => {
                    let why = self.sort(&mut part, fates, bytes).await?;
                    if part.is_empty() {
                        return Ok(());
                    }
                    (why, None)
                }
                Verdict::Later { why, wait } => (why, wait),
            };
            add(&self.shared.counts.retries, 1);
            if self.plan.delivery.retry.is_over(attempt) {
                return self.give_up(&part, &format!("given up after {attempt} attempts: {why}")).await;
            }
            self.pause(attempt, &why, wait).await;
        }
    }

    /// Posts a part; returns what the server says, and how long the body was.
    async fn attempt(&self, part: &[Item]) -> (Verdict, usize) {
        let body = body(&self.plan, part);
        let bytes = body.len();
        add(&self.shared.counts.requests, 1);
        let verdict = match self.client.post(body).await {
            Ok(answer) => self.judge(part, &answer),
            Err(why) => Verdict::Later { why, wait: None },
        };
        (verdict, bytes)
    }

    fn judge(&self, part: &[Item], answer: &Answer) -> Verdict {
        let verdict = judge(self.plan.format, part.len(), answer);
        if answer.status.as_u16() == 401
            && let Err(error) = self.client.renew_token()
        {
            return Verdict::Later { why: format!("{}: {error}", answer.status), wait: None };
        }
        verdict
    }

    fn delivered(&self, records: usize, bytes: usize) {
        add(&self.shared.counts.sent, records);
        add(&self.shared.counts.bytes, bytes);
        self.shared.untroubled();
    }

    /// Deals with those whose fate is known, and leaves the others, with the reason of one of them.
    async fn sort(&self, part: &mut Vec<Item>, fates: Vec<Fate>, bytes: usize) -> Result<String, Over> {
        let records = part.len();
        let (mut later, mut refused, mut delivered, mut why_later) = (Vec::new(), Vec::new(), 0, String::new());
        for (item, fate) in part.drain(..).zip(fates) {
            match fate {
                Fate::Delivered => delivered += 1,
                Fate::Later(why) => {
                    why_later = why;
                    later.push(item);
                }
                Fate::Refused(why) => refused.push((item, why)),
            }
        }
        if delivered > 0 {
            self.delivered(delivered, bytes * delivered / records);
        }
        // Each with its own reason, which neighbours tend to share.
        for same in refused.chunk_by(|(_, left), (_, right)| left == right) {
            let items: Vec<Item> = same.iter().map(|(item, _)| item.clone()).collect();
            self.refused(&items, &same[0].1).await?;
        }
        *part = later;
        Ok(why_later)
    }

    /// The server has refused `items` for good: it is there, and answers.
    async fn refused(&self, items: &[Item], why: &str) -> Result<(), Over> {
        self.give_up(items, why).await?;
        self.shared.untroubled();
        Ok(())
    }

    /// Nobody takes `items`.
    async fn give_up(&self, items: &[Item], why: &str) -> Result<(), Over> {
        self.show(items, why);
        match (self.plan.delivery.fate(self.letters.is_some()), &self.letters) {
            (OnRefusal::Stop, _) => {
                self.shared.fail(format!("{}: refused: {why}", self.plan.shown()));
                return Err(Over);
            }
            (OnRefusal::DeadLetter, Some(letters)) => {
                self.bury(letters, &letters.encode(items, why)).await;
                add(&self.shared.counts.letters, items.len());
            }
            (OnRefusal::DeadLetter | OnRefusal::Drop, _) => {}
        }
        add(&self.shared.counts.refused, items.len());
        Ok(())
    }

    /// Shows the last of `items` as faults.
    fn show(&self, items: &[Item], why: &str) {
        let time = Timestamp::now();
        for item in &items[items.len().saturating_sub(limits::FAULT_SAMPLES)..] {
            let line = item.line();
            self.shared.show_refused(Fault {
                order: 0,
                node: None,
                kind: FaultKind::Refused,
                message: format!("sink {}: {why}", self.id),
                time,
                source: item.source_number(),
                offset: item.record().offset,
                length: item.record().length,
                excerpt: Bytes::copy_from_slice(&line[..line.len().min(limits::EXCERPT_BYTES)]),
            });
        }
    }

    /// Appends `lines` to the dead letters, however long that takes.
    async fn bury(&self, letters: &Letters, lines: &[u8]) {
        let mut attempt = 0;
        while let Err(error) = letters.append(lines) {
            attempt += 1;
            self.shared.troubled(&format!("{}: {error}", letters.path().display()));
            letters.take_left().iter().for_each(|left| self.shared.notice(left));
            time::sleep(self.plan.delivery.retry.backoff(attempt)).await;
        }
    }

    /// Waits before the next attempt: a random part of what the number of attempts asks for, and all of what the server
    /// asks for. A server that takes other batches again is not waited for any longer.
    async fn pause(&self, attempt: u32, why: &str, wait: Option<Duration>) {
        self.shared.troubled(&format!("{}: {why}", self.plan.shown()));
        if let Some(wait) = wait {
            let until = (self.start.elapsed() + wait).as_nanos() as u64;
            self.quiet_until.fetch_max(until, Ordering::Relaxed);
        }
        let most = self.plan.delivery.retry.backoff(attempt);
        let jittered = most.mul_f64(fastrand::f64());
        tokio::select! {
            () = time::sleep(jittered) => {}
            () = self.shared.recovered.notified() => {}
        }
        let quiet = Duration::from_nanos(self.quiet_until.load(Ordering::Relaxed));
        time::sleep_until((self.start + quiet).into()).await;
    }
}

impl Parts {
    fn halve(&mut self, mut part: Vec<Item>) {
        let second = part.split_off(part.len() / 2);
        self.waiting.push(second);
        self.waiting.push(part);
    }
}
