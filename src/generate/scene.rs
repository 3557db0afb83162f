//! What all formats tell of: a small shop for tea, its clock, its calm and its bad hours.

use jiff::{Timestamp, civil::DateTime, tz::TimeZone};

use super::{
    random::{Random, Zipf},
    vocabulary::{TEAS, USERS},
};

/// How grave a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Severity {
    Debug,
    Info,
    Warn,
    Error,
    Fatal,
}

impl Severity {
    pub(super) const ALL: [Self; 5] = [Self::Debug, Self::Info, Self::Warn, Self::Error, Self::Fatal];
}

/// How things go for a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mood {
    /// A line now and then.
    Calm,
    /// Many lines at once, and nothing wrong.
    Burst,
    /// Many lines at once, many of which complain.
    Incident,
}

impl Mood {
    /// Lines that it lasts, and microseconds from one to the next, as ranges of skewed draws.
    fn shape(self) -> ([u32; 2], [u32; 2]) {
        match self {
            Self::Calm => ([200, 6_000], [0, 90_000]),
            Self::Burst => ([50, 3_000], [0, 1_500]),
            Self::Incident => ([20, 700], [0, 4_000]),
        }
    }

    /// Of 1,024 lines, those below each number are debug, info, warn, error; the rest is fatal.
    fn severities(self) -> [u32; 4] {
        match self {
            Self::Calm => [110, 968, 1_006, 1_023],
            Self::Burst => [60, 990, 1_015, 1_024],
            Self::Incident => [40, 560, 790, 1_018],
        }
    }
}

/// The state of the world between two lines.
#[derive(Debug, Clone)]
pub(super) struct Scene {
    pub(super) random: Random,
    pub(super) clock: Clock,
    pub(super) mood: Mood,
    /// Lines until the mood changes.
    lines_left: u32,
    users: Zipf,
    clients: Zipf,
    teas: Zipf,
}

/// Addresses that ask.
const CLIENTS: usize = 2_000;

impl Scene {
    pub(super) fn new(seed: u64, write_second: WriteSecond) -> Self {
        Self {
            random: Random::new(seed),
            clock: Clock::new(write_second),
            mood: Mood::Calm,
            lines_left: 500,
            users: Zipf::new(USERS.len()),
            clients: Zipf::new(CLIENTS),
            teas: Zipf::new(TEAS.len()),
        }
    }

    /// Goes on to the next event.
    #[inline]
    pub(super) fn advance(&mut self) {
        if self.lines_left == 0 {
            self.change_mood();
        }
        self.lines_left -= 1;
        let (_, [start, end]) = self.mood.shape();
        let passed = self.random.skewed(start, end);
        self.clock.advance(passed);
    }

    fn change_mood(&mut self) {
        self.mood = match (self.mood, self.random.below(8)) {
            (Mood::Calm, 0..=1) => Mood::Incident,
            (Mood::Calm, _) => Mood::Burst,
            (Mood::Burst, 0) => Mood::Incident,
            _ => Mood::Calm,
        };
        let ([start, end], _) = self.mood.shape();
        self.lines_left = self.random.skewed(start, end);
    }

    #[inline]
    pub(super) fn severity(&mut self) -> Severity {
        let draw = self.random.below(1_024);
        let bounds = self.mood.severities();
        let at = bounds.iter().position(|&bound| draw < bound).unwrap_or(bounds.len());
        Severity::ALL[at]
    }

    #[inline]
    pub(super) fn user(&mut self) -> &'static str {
        USERS[self.users.draw(&mut self.random)]
    }

    #[inline]
    pub(super) fn tea(&mut self) -> &'static str {
        TEAS[self.teas.draw(&mut self.random)]
    }

    /// The number of a client, see [`super::text::address`].
    #[inline]
    pub(super) fn client(&mut self) -> u64 {
        self.clients.draw(&mut self.random) as u64
    }
}

/// Writes a second as a format does.
pub(super) type WriteSecond = fn(&DateTime, &mut Vec<u8>);

/// Time, which only ever goes on; the text of the current second is kept.
#[derive(Debug, Clone)]
pub(super) struct Clock {
    second: i64,
    micros: u32,
    write_second: WriteSecond,
    text: Vec<u8>,
}

/// 2026-03-02 06:00:00 UTC, a Monday morning.
const START_SECOND: i64 = 1_772_431_200;
const MICROS_PER_SECOND: u32 = 1_000_000;

impl Clock {
    fn new(write_second: WriteSecond) -> Self {
        let mut clock = Self { second: START_SECOND, micros: 0, write_second, text: Vec::new() };
        clock.render();
        clock
    }

    #[inline]
    fn advance(&mut self, micros: u32) {
        self.micros += micros;
        if self.micros >= MICROS_PER_SECOND {
            self.second += i64::from(self.micros / MICROS_PER_SECOND);
            self.micros %= MICROS_PER_SECOND;
            self.render();
        }
    }

    /// The current second.
    #[inline]
    pub(super) fn second(&self) -> &[u8] {
        &self.text
    }

    /// Microseconds into it.
    #[inline]
    pub(super) fn micros(&self) -> u32 {
        self.micros
    }

    fn render(&mut self) {
        // Centuries of lines end at the last second that the calendar has.
        let time = Timestamp::from_second(self.second).unwrap_or(Timestamp::MAX);
        self.text.clear();
        (self.write_second)(&TimeZone::UTC.to_datetime(time), &mut self.text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_begins_on_a_monday_morning_and_time_goes_on() {
        let mut clock = Clock::new(|time, out| out.extend_from_slice(time.to_string().as_bytes()));
        assert_eq!(clock.second(), b"2026-03-02T06:00:00");
        clock.advance(999_999);
        assert_eq!((clock.second(), clock.micros()), (&b"2026-03-02T06:00:00"[..], 999_999));
        clock.advance(2_000_001);
        assert_eq!((clock.second(), clock.micros()), (&b"2026-03-02T06:00:03"[..], 0));
    }

    #[test]
    fn moods_change_and_incidents_complain_more() {
        let mut scene = Scene::new(1, |_, _| {});
        let mut counts = [[0_u32; 2]; 3];
        for _ in 0..200_000 {
            scene.advance();
            let is_bad = matches!(scene.severity(), Severity::Error | Severity::Fatal);
            counts[scene.mood as usize][usize::from(is_bad)] += 1;
        }
        let share = |[good, bad]: [u32; 2]| f64::from(bad) / f64::from(good + bad);
        assert!(counts.iter().all(|[good, _]| *good > 3_000), "{counts:?}");
        assert!(share(counts[0]) < 0.03 && share(counts[2]) > 0.15, "{counts:?}");
    }
}
