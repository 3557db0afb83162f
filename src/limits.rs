//! Every bound and default of logweir in one place, with its reason. Units stand last in the name.

use std::{ops::Range, time::Duration};

/// Bytes of a block: large enough that per-block work vanishes, small enough to stay with its index in a core's L2 cache
/// of a mebibyte (against blocks of 1 MiB, routing takes 3 ms of a GiB instead of 7, and levels 8 % less).
pub const BLOCK_BYTES: usize = 512 << 10;
/// The smallest block that is worth its bookkeeping when a pipeline says that it is slow.
pub const BLOCK_BYTES_MIN: usize = 4 << 10;
/// A record's visible part. What is longer is cut, marked and counted, and reading resumes at its newline.
pub const RECORD_BYTES: usize = 1 << 20;
/// Blocks that may be finished ahead of the one that a sink writes next; bounds the memory that waits for order.
pub const WINDOW_BLOCKS: usize = 32;
/// Bytes that may wait for their order, whatever the number of blocks: what one line becomes (an escape, a letter) can
/// be a hundred times its size.
pub const WINDOW_BYTES: u64 = 16 << 20;
/// Bytes of one block's output after which it is handed over in parts.
pub const OUTPUT_PART_BYTES: usize = 2 << 20;
/// Records that are run at once where each may become a dead letter: a letter is some hundred bytes even for none.
pub const LETTER_RECORDS: u32 = 8 << 10;
/// Blocks and records larger than this are not cut, because positions in a block are 32-bit numbers.
pub const BLOCK_BYTES_MAX: usize = 1 << 30;
/// What one record of a processor that was never seen at work is thought to take: it is then tried on few at first.
pub const UNKNOWN_COST: Duration = Duration::from_millis(1);
/// Blocks that a stream's reader may be ahead of the workers.
pub const STREAM_BLOCKS: usize = 8;
/// How long one call of a processor may take before its records are handed over in smaller portions.
pub const CHUNK_TIME: Duration = Duration::from_millis(50);
/// Paths that are remembered.
pub const TRACES: usize = 1_000;
/// Fault samples that are remembered per processor, and for sources together.
pub const FAULT_SAMPLES: usize = 100;
/// Bytes of a stream that one worker remembers for traces as they came; beyond, it keeps only what traces show of them.
pub const HISTORY_BYTES: usize = 4 << 20;
/// Bytes of a record that are kept to be shown.
pub const EXCERPT_BYTES: usize = 256;
/// The largest value that a histogram tells apart (1 h); larger ones are counted at its end, and as saturated.
pub const HISTOGRAM_MAX_NS: u64 = 3_600_000_000_000;
/// Significant digits of a histogram: two, 30 kB each.
pub const HISTOGRAM_DIGITS: u8 = 2;
/// How often a snapshot is published.
pub const PUBLISH_INTERVAL: Duration = Duration::from_millis(100);
/// How long nobody may take what a run writes before a run that was asked to stop gives it up: longer than a reader on a
/// busy machine pauses, short enough to wait for.
pub const OUTPUT_TIME: Duration = Duration::from_secs(1);
/// Share of the workers' time that watching may take.
pub const OBSERVE_BUDGET: f64 = 0.01;
/// The most probes in one block, however cheap they are: enough for a tail, few enough to spread over the input.
pub const PROBES_PER_BLOCK: usize = 64;
/// Bytes that prove a place in a file: so many at its head, and so many before the place.
pub const PRINT_BYTES: usize = 1 << 10;
/// Blocks that are written but not yet in a checkpoint: more than sinks may have in flight, so that the writer does not
/// wait for the disk.
pub const DELIVERIES: usize = 4_096;
/// How long acknowledged blocks may wait for company before a checkpoint is saved; with what saving takes, it stays under
/// the 100 ms that a place may lag.
pub const SAVE_DELAY: Duration = Duration::from_millis(20);
/// Waits between attempts to save a checkpoint.
pub const SAVE_RETRY: Range<Duration> = Duration::from_millis(100)..Duration::from_secs(1);
/// Bytes of a checkpoint: some 100,000 files, each with a long path. What is larger is no checkpoint of ours.
pub const CHECKPOINT_BYTES: u64 = 64 << 20;
/// Checkpoints that were put aside and stay: enough to find out what went wrong, too few to fill a disk.
pub const CHECKPOINTS_ASIDE: usize = 16;
/// How long after a first signal another one is the same: `timeout` sends it to its child, and then to the group that the
/// child is in; and nobody presses a key twice that fast.
pub const SIGNAL_ECHO_TIME: Duration = Duration::from_millis(100);
/// How long a follower may take to deliver what it has read when it is asked to end.
pub const DRAIN_TIME: Duration = Duration::from_secs(5);
/// News of sources that wait for the publisher.
pub const NEWS: usize = 16 << 10;
/// How long a renamed or removed file is still read after it last grew: its writer may not have heard of it yet.
pub const GRACE_TIME: Duration = Duration::from_secs(2);
/// How often a followed file's size and name are looked at where nothing says that they changed, and directories.
pub const LOOK_INTERVAL: Duration = Duration::from_secs(1);
/// How often a file is looked at that grew lately, where inotify does not tell.
pub const BUSY_LOOK_INTERVAL: Duration = Duration::from_millis(50);
/// How long after it grew a file counts as growing: slower ones are not worth a look every 50 ms.
pub const BUSY_TIME: Duration = Duration::from_secs(10);
/// How long a file that keeps growing is left to grow between two blocks: short for those who watch, long enough to make
/// blocks of thousands of lines.
pub const BATCH_TIME: Duration = Duration::from_millis(5);
/// Bytes that are worth a block of their own before that time is over.
pub const BATCH_BYTES: u64 = 64 << 10;
/// The longest time between two attempts to open a file that cannot be read.
pub const REOPEN_TIME_MAX: Duration = Duration::from_secs(30);
/// Disk space of removed files that are held open to be read; beyond, the oldest one is given up before the disk is full.
pub const HELD_BYTES: u64 = 4 << 30;
/// Files that are followed at once: each takes a descriptor, of which a process is commonly given 1,024 to begin with.
pub const FOLLOWED_FILES: usize = 10_000;
/// Descriptors that are not given to files that are followed, unless that were more than half of all.
pub const OTHER_DESCRIPTORS: usize = 128;
/// How long a last line may wait for its newline where following ends at the end of what is there: writers that write a
/// line in parts do not pause for a second between them.
pub const PARTIAL_TIME: Duration = Duration::from_secs(1);
/// Files that are held open because some of what was read of them is not acknowledged yet: a tenth of those followed at
/// once would be many descriptors more, and one is needed only where a session fails and the file has lost its name.
pub const HELD_FILES: usize = 256;
/// Bytes of standard input that are kept until they are acknowledged, as they cannot be read again; beyond, whoever writes
/// them waits. With a checkpoint every 40 ms it is 400 MB a second.
pub const STREAM_KEPT_BYTES: usize = 16 << 20;
/// Files that were read to their end and closed, whose places are remembered in case they come back under another name.
pub const FINISHED_FILES: usize = 1_000;
/// Bytes at the end of a file that are searched for its last lines, so that starting does not take for ever.
pub const LAST_LINES_BYTES: u64 = 256 << 20;
/// How often a recorded run appends what happened since: a few kilobytes each time, and fine enough for a curve.
pub const RECORDING_INTERVAL: Duration = Duration::from_secs(10);
/// Bytes of one recording (its four files together) after which the next one is begun.
pub const RECORDING_BYTES: u64 = 8 << 20;
/// How long one recording is appended to before the next one is begun.
pub const RECORDING_AGE: Duration = Duration::from_secs(6 * 3_600);
/// Bytes that all recordings in a directory may take, weeks of a small pipeline: beyond, the oldest goes.
pub const RECORDINGS_BYTES: u64 = 256 << 20;
/// Recordings that a directory may hold: runs of a second leave one each, and all are read at the next start.
pub const RECORDINGS: usize = 1_000;
/// Traces that are recorded at the end of an interval; at the end of a run, all that are remembered are.
pub const RECORDED_TRACES: usize = 10;
/// New fault samples that are recorded for one interval; at the end of a run, all that are remembered are.
pub const RECORDED_FAULTS: usize = 20;
/// Spans of time that are told apart in memory: a day of intervals. Beyond, neighbours in the older half are added up.
pub const HISTORY_SPANS: usize = 8_640;
/// Bytes that they may take, as they are added up within some 30 ms: beyond, neighbours are added up as well.
pub const HISTORY_INDEX_BYTES: usize = 16 << 20;
/// Points of a curve in one answer: more than a screen has columns to tell apart.
pub const HISTORY_POINTS: usize = 1_000;
/// Points of all curves in one answer together; with many processors each gets fewer points.
pub const HISTORY_CELLS: usize = 16_000;
/// Answers about the past that are kept until there is more of it.
pub const HISTORY_ANSWERS: usize = 4;
/// Sources that are listed one by one; the rest is summed up.
pub const SOURCES_LISTED: usize = 10_000;
/// Sources that `/metrics` names one by one; the rest is summed up as `other`: each is up to eight series that somebody
/// keeps for weeks.
pub const METRIC_SOURCES: usize = 1_000;
/// Nodes of a pipeline.
pub const NODES: usize = 256;
/// Bytes of a configuration file.
pub const CONFIG_BYTES: usize = 1 << 20;
/// Bytes of one regular expression or literal in a configuration.
pub const PATTERN_BYTES: usize = 4 << 10;
/// Patterns that one record may be asked to contain all of; each is a search of its own.
pub const PATTERNS_ALL: usize = 64;
/// Bytes of made-up lines that are written at once: the system call vanishes, and the buffer stays in a core's L2 cache.
pub const GENERATED_BYTES: usize = 256 << 10;
/// Bytes that a compiled regular expression may take; those of an `all` share it.
pub const REGEX_BYTES: usize = 10 << 20;
/// Bytes at the head of a file in which a NUL makes it binary, where files are chosen by a directory walk.
pub const BINARY_PROBE_BYTES: usize = 8 << 10;

/// Bytes of records after which a batch is posted: large enough that a request's cost vanishes, smaller than what servers
/// and proxies refuse by default.
pub const HTTP_BATCH_BYTES: usize = 1 << 20;
/// The largest batch that one may ask for: some requests with it are under way at once, and each is in memory.
pub const HTTP_BATCH_BYTES_MAX: usize = 64 << 20;
/// How long the first record of a batch waits for more: short enough to watch.
pub const HTTP_BATCH_TIME: Duration = Duration::from_millis(200);
/// How long one request may take: longer than a busy server does.
pub const HTTP_TIME: Duration = Duration::from_secs(30);
/// The longest time that one may set for anything a sink of kind `http` waits for.
pub const HTTP_TIME_MAX: Duration = Duration::from_secs(3_600);
/// How long a connection may take to be made: a host that drops packets is not waited for as long as one that is slow.
pub const HTTP_CONNECT_TIME: Duration = Duration::from_secs(10);
/// Requests that are under way at once: enough to keep a server busy that is some milliseconds away.
pub const HTTP_REQUESTS: usize = 4;
/// The most requests under way that one may ask for: each is a connection and a batch in memory.
pub const HTTP_REQUESTS_MAX: usize = 64;
/// Bytes of records that wait for a server, at least; where batches are large, two more than are under way fit. What
/// comes then waits where it is: in its file.
pub const HTTP_BACKLOG_BYTES: usize = 16 << 20;
/// Blocks that wait for a server.
pub const HTTP_BACKLOG_BLOCKS: usize = 1 << 10;
/// The longest time that a server may ask to be left alone for (`Retry-After`).
pub const HTTP_RETRY_AFTER: Duration = Duration::from_secs(60);
/// Bytes of an answer that are read; some of them are shown.
pub const HTTP_ANSWER_BYTES: usize = 64 << 10;
/// Bytes of an answer that speaks of every record of a batch.
pub const HTTP_BULK_ANSWER_BYTES: usize = 16 << 20;
/// Requests by which the bad records of a batch are searched for, if the server only says that there are some.
pub const HTTP_SEARCH_REQUESTS: u32 = 64;
/// Bytes of a file with a token.
pub const TOKEN_BYTES: usize = 16 << 10;

/// Connections that the server holds at once (fewer where descriptors are few); further ones wait in the kernel's queue.
pub const CONNECTIONS: usize = 256;
/// Bytes of a request's head.
pub const REQUEST_HEAD_BYTES: usize = 16 << 10;
/// Headers of a request.
pub const REQUEST_HEADERS: usize = 32;
/// How long a client may take to send a request's head.
pub const REQUEST_HEAD_TIME: Duration = Duration::from_secs(5);
/// How long a client may leave what was written to it unread.
pub const WRITE_TIME: Duration = Duration::from_secs(10);
/// How long one connection may live; event streams reconnect.
pub const CONNECTION_TIME: Duration = Duration::from_secs(3_600);
/// Traces that `/trace` shows by default.
pub const TRACES_SHOWN: usize = 100;
