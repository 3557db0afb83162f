//! The progress bar on standard error, fed from the published snapshots by a thread of its own.
//!
//! Workers know nothing of it: it looks ten times a second, as any other reader does. It shows numbers only, never a
//! byte of the input, and takes itself away at the end, so that the report stands alone. Where sources are followed there
//! is no end to draw a bar to: it is a line that says whether it keeps up.

use std::{
    io::{self, IsTerminal, Write},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle, TermLike};

use crate::{
    human, limits,
    metrics::{
        Published, Snapshot,
        snapshot::{Lag, Run, RunState},
    },
};

/// A run that is over before this needs no bar, and a flash of one would be a nuisance.
const FIRST_DRAW: Duration = Duration::from_millis(200);
/// More often than it is drawn, so that no drawing is left out.
const REFRESH_HZ: u8 = 50;
/// What is taken for the width of something that is no terminal.
const WIDTH_COLUMNS: u16 = 100;

/// What is drawn when it is known how much there is.
const BAR: &str = "{bar:24} {percent:>3} %  {wide_msg}";
/// What is drawn when it is not.
const SPINNER: &str = "{spinner}  {wide_msg}";
/// What is drawn where sources are followed: nothing moves unless a number does.
const LINE: &str = "{wide_msg}";

/// Whether a bar is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ProgressMode {
    /// If standard error is a terminal.
    #[default]
    Auto,
    /// Even if it is none.
    Always,
    /// Not even then.
    Never,
}

/// A bar that is drawn for as long as this lives, or until the run is over.
#[derive(Debug)]
pub struct Progress {
    stop: Arc<AtomicBool>,
    ticker: Option<JoinHandle<()>>,
}

impl Progress {
    /// Draws what is published, if `mode` says so.
    #[must_use = "dropping it ends it"]
    pub fn start(published: Arc<Published>, mode: ProgressMode) -> Self {
        Self::start_with_note(published, mode, String::new())
    }

    /// The same; where sources are followed, `note` stands at the end of the line (such as where it serves).
    #[must_use = "dropping it ends it"]
    pub fn start_with_note(published: Arc<Published>, mode: ProgressMode, note: String) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let terminal = io::stderr().is_terminal();
        let ticker = match mode {
            ProgressMode::Never => None,
            ProgressMode::Auto if !terminal => None,
            ProgressMode::Auto | ProgressMode::Always => {
                let stop = Arc::clone(&stop);
                let thread = thread::Builder::new().name("progress".to_owned());
                // A run that cannot show itself is still a run.
                thread.spawn(move || tick(&published, &stop, terminal, &note)).ok()
            }
        };
        Self { stop, ticker }
    }

    /// Takes the bar away. Returns at once, not at the next drawing; dropping it does the same.
    pub fn finish(self) {}
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(ticker) = self.ticker.take() {
            // Unparking happens before the wake-up it causes, so the ticker sees `stop`; and if it is not parked now,
            // its next park returns at once.
            ticker.thread().unpark();
            // If it panicked there is no bar left to take away.
            _ = ticker.join();
        }
    }
}

/// A line that has not changed is drawn again after so many looks: something may have been said where it stood.
const REDRAW_LOOKS: u32 = 10;

/// Draws until it is told to stop or the run is over.
fn tick(published: &Published, stop: &AtomicBool, terminal: bool, note: &str) {
    let mut bar = None;
    let mut wait = FIRST_DRAW;
    loop {
        thread::park_timeout(wait);
        wait = limits::PUBLISH_INTERVAL;
        let snapshot = published.latest();
        if stop.load(Ordering::Relaxed) || snapshot.run.state.is_over() {
            break;
        }
        draw(bar.get_or_insert_with(|| Bar::new(terminal)), &snapshot, note);
    }
    if let Some(Bar { bar, .. }) = bar {
        bar.finish_and_clear();
    }
}

/// What is drawn, and in which form.
struct Bar {
    bar: ProgressBar,
    template: &'static str,
    /// How often the line was looked at since it was drawn.
    looks: u32,
}

impl Bar {
    fn new(terminal: bool) -> Self {
        let target = if terminal {
            ProgressDrawTarget::stderr_with_hz(REFRESH_HZ)
        } else {
            ProgressDrawTarget::term_like_with_hz(Box::new(NoTerminal), REFRESH_HZ)
        };
        Self { bar: ProgressBar::with_draw_target(None, target), template: "", looks: 0 }
    }
}

fn draw(bar: &mut Bar, snapshot: &Snapshot, note: &str) {
    let run = &snapshot.run;
    let template = match (run.mode, run.bytes_total) {
        (FOLLOW, _) => LINE,
        (_, Some(_)) => BAR,
        (_, None) => SPINNER,
    };
    if bar.template != template {
        bar.template = template;
        bar.bar.set_style(style(template));
    }
    // Each of these may draw: the words come first, so that they are never missing.
    if template == LINE {
        let line = following(snapshot, note);
        bar.looks += 1;
        if bar.bar.message() != line || bar.looks >= REDRAW_LOOKS {
            bar.looks = 0;
            bar.bar.set_message(line);
            bar.bar.tick();
        }
        return;
    }
    bar.bar.set_message(message(snapshot));
    if let Some(total) = run.bytes_total {
        bar.bar.set_length(total);
    }
    bar.bar.set_position(run.bytes_done);
    bar.bar.tick();
}

fn style(template: &str) -> ProgressStyle {
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    style.progress_chars("━╸ ").tick_chars("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏ ")
}

/// The mode in which sources are followed.
const FOLLOW: &str = "follow";

/// The line that says whether it keeps up.
fn following(snapshot: &Snapshot, note: &str) -> String {
    let (run, lag) = (&snapshot.run, snapshot.run.lag.unwrap_or_default());
    let mut parts = vec![
        format!("following {}", human::plural(lag.sources, "file")),
        format!("{} lines/s", human::short(run.rates.now.records_per_s)),
        behind(&lag),
    ];
    for (count, word) in [(lag.rotations, "rotation"), (lag.truncations, "truncation"), (faults(snapshot), "fault")] {
        if count > 0 {
            parts.push(human::plural(count, word));
        }
    }
    match (&run.trouble, run.state) {
        // A cause may name a path: only what is printable of it.
        (Some(trouble), _) => parts.push(trouble.cause.chars().filter(|c| !c.is_control()).collect()),
        (None, RunState::Draining) => parts.push("stopping".to_owned()),
        _ if note.is_empty() => {}
        _ => parts.push(note.to_owned()),
    }
    parts.join(" · ")
}

fn behind(lag: &Lag) -> String {
    if lag.bytes_behind == 0 {
        return "all read".to_owned();
    }
    let bytes = human::bytes(lag.bytes_behind);
    // Less than a second is what a poll takes.
    if lag.seconds_behind < 1.0 {
        return format!("{bytes} behind");
    }
    format!(
        "{bytes} behind for {}",
        human::duration(Duration::try_from_secs_f64(lag.seconds_behind).unwrap_or_default())
    )
}

/// The numbers beside the bar.
fn message(snapshot: &Snapshot) -> String {
    let run = &snapshot.run;
    let mut parts = vec![
        size(run),
        human::bytes_per_s(run.rates.now.bytes_per_s),
        format!("{} lines", human::short(run.records_done as f64)),
    ];
    if let Some(remaining) = run.remaining {
        parts.push(format!("{} left", human::duration(remaining)));
    }
    let faults = faults(snapshot);
    if faults > 0 {
        parts.push(human::plural(faults, "fault"));
    }
    if run.state == RunState::Draining {
        parts.push("stopping".to_owned());
    }
    parts.join("  ")
}

fn size(run: &Run) -> String {
    let done = human::bytes(run.bytes_done);
    run.bytes_total.map_or(done.clone(), |total| format!("{done} of {}", human::bytes(total)))
}

fn faults(snapshot: &Snapshot) -> u64 {
    let of_nodes = snapshot.nodes.iter().map(|node| node.failed);
    of_nodes.chain(snapshot.source_faults.iter().map(|(_, count)| *count)).fold(0, u64::saturating_add)
}

/// Standard error where it is no terminal but a bar was asked for all the same (a pipe to one, a recording).
#[derive(Debug)]
struct NoTerminal;

impl TermLike for NoTerminal {
    fn width(&self) -> u16 {
        WIDTH_COLUMNS
    }

    fn move_cursor_up(&self, n: usize) -> io::Result<()> {
        move_cursor(n, 'A')
    }

    fn move_cursor_down(&self, n: usize) -> io::Result<()> {
        move_cursor(n, 'B')
    }

    fn move_cursor_right(&self, n: usize) -> io::Result<()> {
        move_cursor(n, 'C')
    }

    fn move_cursor_left(&self, n: usize) -> io::Result<()> {
        move_cursor(n, 'D')
    }

    fn write_line(&self, s: &str) -> io::Result<()> {
        writeln!(io::stderr(), "{s}")
    }

    fn write_str(&self, s: &str) -> io::Result<()> {
        write!(io::stderr(), "{s}")
    }

    fn clear_line(&self) -> io::Result<()> {
        write!(io::stderr(), "\r\x1b[2K")
    }

    fn flush(&self) -> io::Result<()> {
        io::stderr().flush()
    }
}

fn move_cursor(n: usize, direction: char) -> io::Result<()> {
    if n > 0 { write!(io::stderr(), "\x1b[{n}{direction}") } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::{
        metrics::snapshot::{FaultKind, Rate, Rates},
        report::samples,
    };

    fn running() -> Snapshot {
        let mut snapshot = samples::clean();
        snapshot.run.state = RunState::Running;
        snapshot.run.bytes_done = 400_000_000;
        snapshot.run.remaining = Some(Duration::from_secs(75));
        snapshot.run.rates = Rates { now: Rate { bytes_per_s: 6.1e9, records_per_s: 5e7 }, ..Rates::default() };
        snapshot
    }

    #[test]
    fn the_numbers_beside_the_bar() {
        let mut snapshot = running();
        assert_eq!(message(&snapshot), "400 MB of 1.07 GB  6.10 GB/s  9.88 M lines  1 min 15 s left");
        snapshot.run.bytes_total = None;
        snapshot.run.remaining = None;
        snapshot.run.state = RunState::Draining;
        snapshot.nodes[0].failed = 3;
        snapshot.source_faults = vec![(FaultKind::Unreadable, 1)];
        assert_eq!(message(&snapshot), "400 MB  6.10 GB/s  9.88 M lines  4 faults  stopping");
    }

    #[test]
    fn numbers_that_are_none_do_no_harm() {
        let mut snapshot = samples::failed();
        snapshot.run.rates.now = Rate { bytes_per_s: f64::NAN, records_per_s: f64::INFINITY };
        snapshot.run.remaining = Some(Duration::MAX);
        assert!(message(&snapshot).contains("18.4 E lines"));
    }

    #[test]
    fn it_ends_at_once() {
        for mode in [ProgressMode::Always, ProgressMode::Auto, ProgressMode::Never] {
            let progress = Progress::start(Arc::new(Published::new(running())), mode);
            let end = Instant::now();
            progress.finish();
            assert!(end.elapsed() < FIRST_DRAW / 2, "{mode:?}: {:?}", end.elapsed());
        }
    }

    #[test]
    fn the_line_of_a_run_that_follows() {
        let mut snapshot = samples::following();
        snapshot.run.rates.now.records_per_s = 1_234.0;
        snapshot.run.state = RunState::Running;
        let line = following(&snapshot, "serving on http://127.0.0.1:8000/");
        let trouble = "following 3 files · 1.23 k lines/s · 1.20 MB behind for 3.25 s · 3 rotations · 1 truncation · disk full: out.log";
        assert_eq!(line, trouble);
        snapshot.run.trouble = None;
        snapshot.run.lag = Some(Lag { sources: 1, ..Lag::default() });
        let line = following(&snapshot, "serving on http://127.0.0.1:8000/");
        assert_eq!(line, "following 1 file · 1.23 k lines/s · all read · serving on http://127.0.0.1:8000/");
        snapshot.run.state = RunState::Draining;
        assert!(following(&snapshot, "serving").ends_with(" · stopping"));
    }

    #[test]
    fn all_templates_are_valid() {
        for template in [BAR, SPINNER, LINE] {
            assert!(ProgressStyle::with_template(template).is_ok());
        }
    }
}
