//! One line of each format.

use jiff::civil::DateTime;

use super::{
    random::Zipf,
    scene::{Mood, Scene, Severity, WriteSecond},
    text::{Message, address, decimal, hex, identifiers, padded},
    vocabulary::{AGENTS, EXCEPTIONS, FRAMES, HOSTS, MESSAGES, PAGES, REFERRERS, SERVICES, TEAS},
};
use crate::pipeline::Level;

/// One line in so many is long.
const LONG_LINES: u32 = 4_000;

/// Writes lines of one format.
#[derive(Debug, Clone)]
pub(super) enum Writer {
    Combined(Combined),
    Json(Service),
    Syslog(Service),
    Log4j(Service, Trace),
}

impl Writer {
    /// Appends a line without its end, and says its level.
    #[inline]
    pub(super) fn line(&mut self, out: &mut Vec<u8>, scene: &mut Scene) -> Level {
        match self {
            Self::Combined(combined) => combined.line(out, scene),
            Self::Json(service) => json(service, out, scene),
            Self::Syslog(service) => syslog(service, out, scene),
            Self::Log4j(service, trace) => log4j(service, trace, out, scene),
        }
    }
}

/// What a grave line is to the default pipeline.
fn level(severity: Severity) -> Level {
    match severity {
        Severity::Debug | Severity::Info => Level::Other,
        Severity::Warn => Level::Warn,
        Severity::Error | Severity::Fatal => Level::Error,
    }
}

fn date(time: &DateTime, out: &mut Vec<u8>, joint: u8) {
    padded::<4>(out, time.year().unsigned_abs().into());
    for part in [time.month(), time.day()] {
        out.push(b'-');
        padded::<2>(out, part.unsigned_abs().into());
    }
    out.push(joint);
    clock(time, out);
}

fn clock(time: &DateTime, out: &mut Vec<u8>) {
    padded::<2>(out, time.hour().unsigned_abs().into());
    for part in [time.minute(), time.second()] {
        out.push(b':');
        padded::<2>(out, part.unsigned_abs().into());
    }
}

pub(super) const ISO_SECOND: WriteSecond = |time, out| date(time, out, b'T');
pub(super) const LOG4J_SECOND: WriteSecond = |time, out| date(time, out, b' ');
pub(super) const COMBINED_SECOND: WriteSecond = |time, out| {
    const MONTHS: &[u8; 36] = b"JanFebMarAprMayJunJulAugSepOctNovDec";
    let month = 3 * (usize::from(time.month().unsigned_abs()) - 1);
    padded::<2>(out, time.day().unsigned_abs().into());
    out.push(b'/');
    out.extend_from_slice(&MONTHS[month..month + 3]);
    out.push(b'/');
    padded::<4>(out, time.year().unsigned_abs().into());
    out.push(b':');
    clock(time, out);
};

/// What writes the access log of a web server.
#[derive(Debug, Clone)]
pub(super) struct Combined {
    pages: Vec<String>,
    page_keys: Zipf,
    agent_keys: Zipf,
    referrer_keys: Zipf,
}

/// Versions and numbers that pages end with.
const PAGES_EACH: usize = 3;

impl Combined {
    pub(super) fn new() -> Self {
        let each = TEAS.len() * PAGES_EACH;
        let pages: Vec<String> = (0..PAGES.len() * each)
            .map(|number| {
                // Neighbours in rank are of different kinds.
                let (page, rest) = (PAGES[number % PAGES.len()], number / PAGES.len());
                match (page, rest / TEAS.len()) {
                    ("/", 0) if rest == 0 => page.to_owned(),
                    (_, 0) => format!("{page}{}", TEAS[rest % TEAS.len()]),
                    (_, version) => format!("{page}{}-{version}", TEAS[rest % TEAS.len()]),
                }
            })
            .collect();
        Self {
            page_keys: Zipf::new(pages.len()),
            pages,
            agent_keys: Zipf::new(AGENTS.len()),
            referrer_keys: Zipf::new(REFERRERS.len()),
        }
    }

    fn line(&self, out: &mut Vec<u8>, scene: &mut Scene) -> Level {
        scene.advance();
        address(out, scene.client());
        out.extend_from_slice(b" - ");
        let user = if scene.random.once_in(16) { scene.user() } else { "-" };
        out.extend_from_slice(user.as_bytes());
        out.extend_from_slice(b" [");
        out.extend_from_slice(scene.clock.second());
        out.extend_from_slice(b" +0000] \"");
        self.request(out, scene);
        let (status, bytes) = answer(scene);
        out.extend_from_slice(status);
        out.push(b' ');
        decimal(out, bytes);
        out.extend_from_slice(b" \"");
        out.extend_from_slice(REFERRERS[self.referrer_keys.draw(&mut scene.random)].as_bytes());
        out.extend_from_slice(b"\" \"");
        out.extend_from_slice(AGENTS[self.agent_keys.draw(&mut scene.random)].as_bytes());
        out.push(b'"');
        // An access log has no levels, whatever the status.
        Level::Other
    }

    fn request(&self, out: &mut Vec<u8>, scene: &mut Scene) {
        let method: &[u8] = if scene.random.below(8) == 0 { b"POST " } else { b"GET " };
        out.extend_from_slice(method);
        out.extend_from_slice(self.pages[self.page_keys.draw(&mut scene.random)].as_bytes());
        if scene.random.once_in(LONG_LINES) {
            out.extend_from_slice(b"&ids=");
            identifiers(out, &mut scene.random);
        }
        out.extend_from_slice(b" HTTP/1.1\" ");
    }
}

/// A status, and how many bytes are sent with it.
fn answer(scene: &mut Scene) -> (&'static [u8], u32) {
    let bad = if scene.mood == Mood::Incident { 300 } else { 6 };
    let bytes = scene.random.skewed(120, 90_000);
    match scene.random.below(1_024) {
        draw if draw < bad => (if draw.is_multiple_of(2) { b"500" } else { b"503" }, 196),
        draw if draw < bad + 40 => (b"404", 153),
        draw if draw < bad + 90 => (b"302", 0),
        draw if draw < bad + 220 => (b"304", 0),
        _ => (b"200", bytes),
    }
}

/// What programs of the shop say.
#[derive(Debug, Clone)]
pub(super) struct Service {
    /// By severity.
    messages: Vec<(Vec<Message>, Zipf)>,
    services: Zipf,
}

impl Service {
    pub(super) fn new() -> Self {
        let compiled = |templates: &&[&'static str]| {
            (templates.iter().map(|template| Message::new(template)).collect(), Zipf::new(templates.len()))
        };
        Self { messages: MESSAGES.iter().map(compiled).collect(), services: Zipf::new(SERVICES.len()) }
    }

    fn say(&self, severity: Severity, out: &mut Vec<u8>, scene: &mut Scene) {
        let (messages, keys) = &self.messages[severity as usize];
        messages[keys.draw(&mut scene.random)].write(out, scene);
        if scene.random.once_in(LONG_LINES) {
            out.extend_from_slice(b" ids ");
            identifiers(out, &mut scene.random);
        }
    }
}

/// A line of JSON. Each service has a way of its own to write its level.
fn json(service: &Service, out: &mut Vec<u8>, scene: &mut Scene) -> Level {
    scene.advance();
    let severity = scene.severity();
    let number = service.services.draw(&mut scene.random);
    out.extend_from_slice(b"{\"time\":\"");
    out.extend_from_slice(scene.clock.second());
    out.push(b'.');
    padded::<6>(out, scene.clock.micros());
    out.extend_from_slice(b"Z\",");
    let ways: [[&[u8]; 5]; 3] = [
        [
            b"\"level\":\"debug\"",
            b"\"level\":\"info\"",
            b"\"level\":\"warn\"",
            b"\"level\":\"error\"",
            b"\"level\":\"fatal\"",
        ],
        [
            b"\"severity\":\"DEBUG\"",
            b"\"severity\":\"INFO\"",
            b"\"severity\":\"WARNING\"",
            b"\"severity\":\"ERROR\"",
            b"\"severity\":\"CRITICAL\"",
        ],
        [b"\"level\":20", b"\"level\":30", b"\"level\":40", b"\"level\":50", b"\"level\":60"],
    ];
    let (name, _) = SERVICES[number];
    // What stands before the level, and must not be taken for it.
    if number == 3 {
        out.extend_from_slice(b"\"tags\":{\"level\":\"gold\",\"on\":[\"error\"]},");
    }
    out.extend_from_slice(ways[number % ways.len()][severity as usize]);
    out.extend_from_slice(b",\"service\":\"");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\",\"host\":\"");
    out.extend_from_slice(HOSTS[scene.random.below(HOSTS.len() as u32) as usize].as_bytes());
    out.extend_from_slice(b"\",\"trace_id\":\"");
    hex::<16>(out, scene.random.next());
    out.extend_from_slice(b"\",\"user\":\"");
    out.extend_from_slice(scene.user().as_bytes());
    out.extend_from_slice(b"\",\"duration_ms\":");
    decimal(out, scene.random.skewed(1, 9_000));
    out.extend_from_slice(b",\"msg\":\"");
    service.say(severity, out, scene);
    out.extend_from_slice(b"\"}");
    level(severity)
}

/// A line of syslog as RFC 5424 has it, with its priority.
fn syslog(service: &Service, out: &mut Vec<u8>, scene: &mut Scene) -> Level {
    scene.advance();
    let severity = scene.severity();
    let number = service.services.draw(&mut scene.random);
    // Severities of RFC 5424, 6.2.1; facilities daemon, security and local0.
    let priority = [7, 6 - u32::from(number == 2), 4, 3, 2][severity as usize] + 8 * [3, 4, 16][number % 3];
    out.push(b'<');
    decimal(out, priority);
    out.extend_from_slice(b">1 ");
    out.extend_from_slice(scene.clock.second());
    out.push(b'.');
    padded::<6>(out, scene.clock.micros());
    out.extend_from_slice(b"Z ");
    let bits = scene.random.next();
    out.extend_from_slice(HOSTS[(bits as u32 % HOSTS.len() as u32) as usize].as_bytes());
    out.push(b' ');
    out.extend_from_slice(SERVICES[number].0.as_bytes());
    out.push(b' ');
    decimal(out, 800 + 37 * number as u32 + ((bits >> 32) as u32 & 3));
    out.extend_from_slice(b" - [ctx trace=\"");
    hex::<16>(out, scene.random.next());
    out.extend_from_slice(b"\"] ");
    service.say(severity, out, scene);
    level(severity)
}

/// What is left to write of a stack trace.
#[derive(Debug, Clone, Default)]
pub(super) struct Trace {
    frames_left: u32,
    causes_left: u32,
    /// The exception itself comes next.
    is_new: bool,
}

/// A line of log4j: an event, or one of the lines of its stack trace, which have no level of their own.
fn log4j(service: &Service, trace: &mut Trace, out: &mut Vec<u8>, scene: &mut Scene) -> Level {
    if trace.is_new || trace.frames_left > 0 || trace.causes_left > 0 {
        trace.line(out, scene);
        return Level::Other;
    }
    scene.advance();
    let severity = scene.severity();
    let words: [&[u8]; 5] = [b" DEBUG [", b" INFO  [", b" WARN  [", b" ERROR [", b" FATAL ["];
    out.extend_from_slice(scene.clock.second());
    out.push(b',');
    padded::<3>(out, scene.clock.micros() / 1_000);
    out.extend_from_slice(words[severity as usize]);
    out.extend_from_slice(b"worker-");
    decimal(out, 1 + scene.random.below(16));
    out.extend_from_slice(b"] ");
    out.extend_from_slice(SERVICES[service.services.draw(&mut scene.random)].1.as_bytes());
    out.extend_from_slice(b" - ");
    service.say(severity, out, scene);
    let level = level(severity);
    if level == Level::Error && scene.random.below(4) > 0 {
        *trace = Trace { is_new: true, frames_left: 0, causes_left: scene.random.below(3) };
    }
    level
}

impl Trace {
    fn line(&mut self, out: &mut Vec<u8>, scene: &mut Scene) {
        if self.frames_left > 0 {
            self.frames_left -= 1;
            let bits = scene.random.next();
            out.extend_from_slice(b"\tat ");
            out.extend_from_slice(FRAMES[(bits as u32 % FRAMES.len() as u32) as usize].as_bytes());
            decimal(out, 20 + (bits >> 40) as u32 % 900);
            out.push(b')');
            return;
        }
        if !self.is_new {
            self.causes_left -= 1;
            out.extend_from_slice(b"Caused by: ");
        }
        self.is_new = false;
        out.extend_from_slice(EXCEPTIONS[scene.random.skewed(0, EXCEPTIONS.len() as u32) as usize].as_bytes());
        self.frames_left = scene.random.skewed(3, 40);
    }
}
