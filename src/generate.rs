//! Makes log files up: realistic enough to measure on, and the same bytes for the same seed on every machine.
//!
//! Keys are skewed as Zipf has it, lines come in bursts, things go wrong for a while and then complain more, some lines
//! are long, some names are no ASCII, errors drag stack traces behind them. What each line is, is known, and so the
//! generator is also the other side of a test: the counts of a run must equal its tally. Pure: it writes into a buffer,
//! without floating point and without anything of the machine's. Levels are those of the default pipeline, a line each.

mod formats;
mod random;
mod scene;
mod text;
mod vocabulary;

#[cfg(test)]
mod tests;

pub(crate) use self::random::Random;
use self::{
    formats::{COMBINED_SECOND, Combined, ISO_SECOND, LOG4J_SECOND, Service, Trace, Writer},
    scene::Scene,
};
use crate::{limits, pipeline::Level};

/// What lines look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// The access log of a web server, as Apache's `combined`. It has no levels.
    Combined,
    /// An object a line, as several services write them, each naming its level in its own way.
    Json,
    /// RFC 5424, with the priority at the head.
    Syslog,
    /// Log4j's usual pattern, with stack traces of many lines.
    Log4j,
}

impl LogFormat {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Combined, Self::Json, Self::Syslog, Self::Log4j];

    /// The word for it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Combined => "combined",
            Self::Json => "json",
            Self::Syslog => "syslog",
            Self::Log4j => "log4j",
        }
    }
}

/// How much is made: whole lines, as many as fit both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    /// So many lines, if there are bytes for them.
    pub lines: u64,
    /// So many bytes at most.
    pub bytes: u64,
}

/// What was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// Lines.
    pub lines: u64,
    /// Bytes, line ends included.
    pub bytes: u64,
    /// Lines by level, in the order of [`Level`].
    pub levels: [u64; 3],
}

/// Makes lines of one format.
///
/// ```
/// use logweir::{Generator, LogFormat, Quota};
///
/// let mut generator = Generator::new(LogFormat::Log4j, 1, Quota { lines: 1_000, bytes: u64::MAX });
/// let mut file = Vec::new();
/// while generator.fill(&mut file, None) {} // a part at a time, each about a mebibyte
/// assert_eq!(file.iter().filter(|&&byte| byte == b'\n').count(), 1_000);
/// assert_eq!(generator.tally().levels.iter().sum::<u64>(), 1_000);
/// ```
#[derive(Debug, Clone)]
pub struct Generator {
    writer: Writer,
    scene: Scene,
    quota: Quota,
    tally: Tally,
}

impl Generator {
    /// Begins the file of `seed`.
    #[must_use]
    pub fn new(format: LogFormat, seed: u64, quota: Quota) -> Self {
        let (writer, write_second) = match format {
            LogFormat::Combined => (Writer::Combined(Combined::new()), COMBINED_SECOND),
            LogFormat::Json => (Writer::Json(Service::new()), ISO_SECOND),
            LogFormat::Syslog => (Writer::Syslog(Service::new()), ISO_SECOND),
            LogFormat::Log4j => (Writer::Log4j(Service::new(), Trace::default()), LOG4J_SECOND),
        };
        Self { writer, scene: Scene::new(seed, write_second), quota, tally: Tally::default() }
    }

    /// Appends about [`limits::GENERATED_BYTES`] of whole lines to `out`, and the level of each, a word a line, to
    /// `labels`. False when there is no more to come.
    pub fn fill(&mut self, out: &mut Vec<u8>, mut labels: Option<&mut Vec<u8>>) -> bool {
        let end = out.len() + limits::GENERATED_BYTES;
        while out.len() < end {
            let start = out.len();
            if self.tally.lines == self.quota.lines {
                return false;
            }
            let level = self.writer.line(out, &mut self.scene);
            out.push(b'\n');
            let bytes = (out.len() - start) as u64;
            if bytes > self.quota.bytes - self.tally.bytes {
                out.truncate(start);
                self.quota.lines = self.tally.lines;
                return false;
            }
            self.tally.lines += 1;
            self.tally.bytes += bytes;
            self.tally.levels[level as usize] += 1;
            if let Some(labels) = labels.as_deref_mut() {
                labels.extend_from_slice(label(level));
            }
        }
        true
    }

    /// What was made so far.
    #[must_use]
    pub fn tally(&self) -> Tally {
        self.tally
    }
}

fn label(level: Level) -> &'static [u8] {
    match level {
        Level::Error => b"error\n",
        Level::Warn => b"warn\n",
        Level::Other => b"other\n",
    }
}
