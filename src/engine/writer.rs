//! Writes what blocks have for their outlets, in input order, on a thread of its own.

use std::{
    fs::File,
    os::unix::fs::FileExt,
    sync::atomic::Ordering,
    thread,
    time::{Duration, Instant},
};

use jiff::Timestamp;

use super::{
    RunError, Shared,
    delivery::{Deliveries, Delivery},
    gather::Piece,
    trouble::Noticed,
    window::{BlockOutput, Window},
};
use crate::{
    fault::FaultKind,
    letter::Letter,
    limits,
    metrics::{Delivery as Delivered, SinkTotals},
    pipeline::{OnRefusal, Retry},
    record::Origin,
    sink::{HttpPiece, Output, WriteError, WriteErrorKind},
};

/// How often it is looked whether a server has taken something.
const POST_WAIT: Duration = Duration::from_millis(2);
/// Bytes of a record over the limit that are copied at once.
const COPY_BYTES: usize = 256 << 10;

/// The writer of a run.
pub(super) struct Writer<'r> {
    /// One an outlet, then one for dead letters if there is a file for them.
    ///
    /// None where records are posted.
    outputs: Vec<Option<Output>>,
    shared: &'r Shared,
    /// Number of the block in work, and what each sink got of it.
    number: u64,
    written: Vec<SinkTotals>,
    /// How each sink gets on that is a file.
    delivered: Vec<Delivered>,
    /// What it has so far for those that are posted to.
    posts: Vec<HttpPiece>,
    /// A block could not be handed on to all. Nothing behind it may be: it would be acknowledged with the gap.
    is_short: bool,
}

/// What became of a piece.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Written,
    /// Its file did not take it, and the sink says to go on without it.
    GivenUp,
}

/// Where a block begins, and the file that it was cut out of, where that is open.
type Whence<'f> = (Option<Origin>, Option<&'f File>);

/// How writing ended.
#[derive(Debug)]
pub(super) enum Written {
    /// All of it is written.
    All,
    /// The reader of standard output has gone.
    Closed,
    /// A stop was asked for, and nobody took what was left.
    Abandoned(RunError),
    /// It could not go on.
    Failed(RunError),
}

impl<'r> Writer<'r> {
    /// Writes to `outputs`.
    pub(super) fn new(outputs: Vec<Option<Output>>, shared: &'r Shared) -> Self {
        let written = vec![SinkTotals::default(); shared.pipeline.sinks.len()];
        let posts = vec![HttpPiece::default(); outputs.len()];
        let delivered = vec![Delivered::default(); written.len()];
        Self { outputs, shared, number: 0, written, delivered, posts, is_short: false }
    }

    /// Writes until no more comes. After a failure it stops the run, and throws the rest away, so that nobody waits for
    /// it in vain.
    pub(super) fn run(mut self, window: &Window) -> Written {
        self.outputs.iter_mut().flatten().for_each(|output| output.heed(&self.shared.stop));
        let mut result = Written::All;
        while let Some(mut output) = window.next() {
            if matches!(result, Written::All) {
                match self.write(&mut output) {
                    Ok(()) => self.deliver(&mut output),
                    Err(error) => {
                        result = self.failure(error, &output);
                        self.shared.stop.store(true, Ordering::Relaxed);
                    }
                }
            }
            window.recycle(output);
        }
        if let Err(error) = self.wait_for_posts() {
            result = Written::Failed(error);
        }
        self.shared.deliveries.iter().for_each(Deliveries::finish);
        result
    }

    /// Tells the keeper of checkpoints, if there is one, that a block was written.
    fn deliver(&mut self, output: &mut BlockOutput) {
        if output.is_part || output.is_cut || self.is_short {
            return;
        }
        let number = self.number;
        self.number += 1;
        if !self.post(number) {
            self.is_short = true;
            return;
        }
        let written = self.written.clone();
        self.written.fill(SinkTotals::default());
        let Some(deliveries) = &self.shared.deliveries else { return };
        let lengths = self.outputs.iter().map(|output| output.as_ref().and_then(Output::length).unwrap_or(0)).collect();
        let counts = std::mem::take(&mut output.counts);
        let delivery = Delivery { number, places: output.places.take(), counts, written, lengths };
        self.is_short = !deliveries.put(delivery, || self.shared.is_stopping());
    }

    fn failure(&self, error: WriteError, output: &BlockOutput) -> Written {
        if error.kind == WriteErrorKind::Closed {
            return Written::Closed;
        }
        let followed = || output.places.as_ref().map(|places| places.path.to_path_buf());
        let path = |origin: Origin| self.shared.paths.get(origin.source as usize).cloned().or_else(followed);
        let (path, offset) = output.origin.map_or((None, 0), |origin| (path(origin), origin.offset));
        let is_abandoned = error.kind == WriteErrorKind::Abandoned;
        let error = RunError::Write { error, path: path.unwrap_or_default(), offset };
        if is_abandoned { Written::Abandoned(error) } else { Written::Failed(error) }
    }

    fn write(&mut self, output: &mut BlockOutput) -> Result<(), WriteError> {
        let (origin, rest) = (output.origin, output.rest.take());
        for (number, piece) in output.pieces.iter_mut().enumerate() {
            if self.shared.posts.has(number) {
                self.keep_for_post(number, piece, origin);
                continue;
            }
            let before = self.written_by(number);
            let result = self.write_patiently(number, piece, (origin, rest.as_deref()));
            let bytes = self.written_by(number) - before;
            let most = if matches!(result, Ok(Fate::Written)) { u64::MAX } else { whole_records(piece, bytes) };
            let sinks = self.shared.outlets.get(number).map_or(&[][..], |outlet| &outlet.sinks);
            for (&(sink, ..), records) in sinks.iter().zip(&piece.records) {
                let records = records.count.min(most);
                self.shared.board.add_written(sink, records, bytes);
                self.written[sink].records += records;
                self.written[sink].bytes += bytes;
            }
            result?;
        }
        Ok(())
    }

    fn written_by(&self, number: usize) -> u64 {
        self.outputs[number].as_ref().map_or(0, Output::written)
    }

    /// Takes a piece, to be posted with the rest of its block.
    fn keep_for_post(&mut self, number: usize, piece: &mut Piece, origin: Option<Origin>) {
        let post = &mut self.posts[number];
        post.source = origin.map_or(0, |origin| origin.source);
        let start = post.bytes.len() as u32;
        let records = piece.posts.drain(..).map(|mut record| {
            record.range = record.range.start + start..record.range.end + start;
            record
        });
        post.records.extend(records);
        post.bytes.append(&mut piece.bytes);
    }

    /// Hands over what block `number` has for those that are posted to; waits while they have no room. False if it ends
    /// before they have.
    fn post(&mut self, number: u64) -> bool {
        for outlet in 0..self.posts.len() {
            let mut piece = std::mem::take(&mut self.posts[outlet]);
            while let Err(refused) = self.shared.posts.put(outlet, number, piece) {
                if self.shared.is_stopping() || self.shared.posts.failure().is_some() {
                    return false;
                }
                piece = refused;
                thread::sleep(POST_WAIT);
            }
        }
        true
    }

    /// Waits until all that was posted has been acknowledged; of a run that is to stop, only for some time.
    fn wait_for_posts(&self) -> Result<(), RunError> {
        let mut stopping = None;
        while self.shared.acknowledged() < self.number {
            if let Some(message) = self.shared.posts.failure() {
                return Err(RunError::Post { message: message.to_string() });
            }
            let patience = if self.shared.is_live() { Duration::ZERO } else { limits::DRAIN_TIME };
            let is_over = |since: &mut Instant| since.elapsed() >= patience;
            if self.shared.is_stopping() && is_over(stopping.get_or_insert_with(Instant::now)) {
                let message = self.shared.posts.trouble().map_or_else(String::new, |why| format!(": {why}"));
                let message = format!("not all records were delivered{message}");
                // A follower reads them again.
                return if self.shared.is_live() { Ok(()) } else { Err(RunError::Post { message }) };
            }
            thread::sleep(POST_WAIT);
        }
        Ok(())
    }

    /// Writes a piece. While a file does not take it, what it took of the piece is taken back, and it is tried again, as
    /// often as its sink says: reading waits meanwhile. A run only does so where that was asked for.
    fn write_patiently(&mut self, number: usize, piece: &Piece, origin: Whence<'_>) -> Result<Fate, WriteError> {
        let retry =
            self.sink_of(number).map_or(Retry::default(), |sink| self.shared.pipeline.sinks[sink].delivery.retry);
        let is_patient = self.shared.is_live() || retry.attempts.is_some();
        let length = self.outputs[number].as_ref().and_then(Output::length).filter(|_| is_patient);
        let written = self.written_by(number);
        let mut attempt = 0;
        loop {
            attempt += 1;
            let result = if attempt == 1 { Ok(()) } else { self.end_line(number) };
            let error = match (result.and_then(|()| self.write_piece(number, piece, origin)), length) {
                (Ok(()), _) => {
                    self.shared.troubles.end(Noticed::Writing);
                    return Ok(Fate::Written);
                }
                (Err(error), None) => return Err(error),
                (Err(error), Some(_)) => error,
            };
            let action = "make room, or mend the disk; it is tried again";
            self.shared.troubles.begin(Noticed::Writing, error.to_string(), action);
            // What somebody else's lines keep in the file stands there twice, and its half line is ended by the next attempt.
            let output = self.outputs[number].as_mut().zip(length);
            if output.is_some_and(|(output, length)| output.take_back(length, written).is_err()) {
                return Err(error);
            }
            self.count(number, 0, 1);
            if retry.is_over(attempt) {
                return self.give_up(number, piece, error);
            }
            if !self.wait_out(retry.backoff(attempt)) {
                return Err(error);
            }
        }
    }

    /// What becomes of a piece that its file does not take.
    fn give_up(&mut self, number: usize, piece: &Piece, error: WriteError) -> Result<Fate, WriteError> {
        let Some(sink) = self.sink_of(number) else { return Err(error) };
        let letters = self.shared.outlets.len();
        match self.shared.pipeline.sinks[sink].delivery.fate(self.outputs.len() > letters) {
            OnRefusal::Stop => return Err(error),
            OnRefusal::DeadLetter if self.outputs.len() > letters => {
                let bytes = self.letters(sink, piece, &error.to_string());
                self.write_patiently(letters, &Piece::of(bytes), (None, None))?;
            }
            OnRefusal::DeadLetter | OnRefusal::Drop => {}
        }
        let records: u64 = piece.records.iter().map(|records| records.count).sum();
        self.count(number, records, 0);
        self.shared.troubles.end(Noticed::Writing);
        Ok(Fate::GivenUp)
    }

    /// The records of `piece` as letters.
    fn letters(&self, sink: usize, piece: &Piece, reason: &str) -> Vec<u8> {
        let (time, mut lines) = (Timestamp::now(), Vec::new());
        for record in &piece.posts {
            let bytes = &piece.bytes[record.range.start as usize..record.range.end as usize];
            let letter = Letter {
                time,
                processor: &self.shared.pipeline.graph.sinks[sink].id,
                kind: FaultKind::Refused,
                reason,
                source: &record.source,
                offset: record.offset,
                length: record.length,
                truncated: record.length > bytes.len() as u64,
                line: bytes.strip_suffix(b"\n").unwrap_or(bytes),
            };
            letter.encode(&mut lines);
        }
        lines
    }

    /// The sink that alone writes to an outlet's file; none for dead letters.
    fn sink_of(&self, number: usize) -> Option<usize> {
        self.shared.outlets.get(number).map(|outlet| outlet.sinks[0].0)
    }

    /// Counts what an outlet did not take, and what was tried again.
    fn count(&mut self, number: usize, refused: u64, retries: u64) {
        let Some(sink) = self.sink_of(number) else { return };
        self.written[sink].add(SinkTotals { refused, retries, ..SinkTotals::default() });
        self.delivered[sink].refused += refused;
        self.delivered[sink].retries += retries;
        self.shared.board.set_delivery(sink, self.delivered[sink]);
    }

    /// Ends the half line of an attempt that could not be taken back.
    fn end_line(&mut self, number: usize) -> Result<(), WriteError> {
        self.outputs[number].as_mut().map_or(Ok(()), Output::end_line)
    }

    /// Waits until it may be tried again; false if the session ends meanwhile.
    fn wait_out(&self, time: Duration) -> bool {
        let begun = Instant::now();
        while begun.elapsed() < time {
            if self.shared.is_stopping() {
                return false;
            }
            thread::sleep(limits::PUBLISH_INTERVAL / 10);
        }
        true
    }

    fn write_piece(&mut self, number: usize, piece: &Piece, (origin, rest): Whence<'_>) -> Result<(), WriteError> {
        let Some(output) = &mut self.outputs[number] else { return Ok(()) };
        if !piece.bytes.is_empty() {
            output.write_all(&piece.bytes)?;
        }
        let Some((offset, length)) = piece.tail else { return Ok(()) };
        let reopened = if rest.is_none() { origin.and_then(|origin| self.shared.reopen(origin.source)) } else { None };
        // Where the source cannot be read again, what was seen is all there is.
        let last = rest.or(reopened.as_ref()).map_or(Ok(0), |file| copy_range(file, offset, length, output))?;
        if last != b'\n' { output.write_all(b"\n") } else { Ok(()) }
    }
}

/// How many records of `piece` end in its first `bytes` bytes.
fn whole_records(piece: &Piece, bytes: u64) -> u64 {
    let end = piece.bytes.len().min(usize::try_from(bytes).unwrap_or(usize::MAX));
    memchr::memchr_iter(b'\n', &piece.bytes[..end]).count() as u64
}

/// Copies a part of `file`; returns the last byte. Stops where the file ends or cannot be read.
fn copy_range(file: &File, mut offset: u64, mut length: u64, output: &mut Output) -> Result<u8, WriteError> {
    let mut buffer = vec![0; COPY_BYTES];
    let mut last = 0;
    while length > 0 {
        let wanted = length.min(COPY_BYTES as u64) as usize;
        let Ok(read @ 1..) = file.read_at(&mut buffer[..wanted], offset) else { break };
        output.write_all(&buffer[..read])?;
        last = buffer[read - 1];
        offset += read as u64;
        length -= read as u64;
    }
    Ok(last)
}
