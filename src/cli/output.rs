//! Where things go that have a choice: the report, the progress bar, colour. Decided from arguments and from what
//! standard output and error are, without looking at them, so that every case can be tested.

use std::io::IsTerminal;

use super::{Common, OutputArgs, ReportFormat, When};

/// What standard output and standard error are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terminals {
    /// Standard output is a terminal.
    pub stdout: bool,
    /// Standard error is a terminal.
    pub stderr: bool,
}

impl Terminals {
    /// Asks the system.
    #[must_use]
    pub fn detect() -> Self {
        Self { stdout: std::io::stdout().is_terminal(), stderr: std::io::stderr().is_terminal() }
    }
}

/// Which report is written where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReportPlan {
    /// None.
    Nowhere,
    /// The text, to standard output.
    TextToStdout,
    /// The text, to standard error.
    TextToStderr,
    /// The object, to standard output.
    JsonToStdout,
    /// The object, to standard error.
    JsonToStderr,
}

/// What a text is written for where there is no terminal that says how wide it is.
const WIDTH_COLUMNS: usize = 100;

impl ReportPlan {
    /// How wide the text may be: as wide as the terminal it goes to.
    #[must_use]
    pub fn width_columns(self) -> usize {
        let size = match self {
            Self::TextToStdout => rustix::termios::tcgetwinsize(std::io::stdout()),
            _ => rustix::termios::tcgetwinsize(std::io::stderr()),
        };
        size.ok().map(|size| size.ws_col.into()).filter(|&columns| columns > 0).unwrap_or(WIDTH_COLUMNS)
    }
}

impl OutputArgs {
    /// Where the report goes, when `records_printed` says whether records go to standard output.
    ///
    /// The report is the result of a run, so it goes to standard output, piped or not. Records that were asked for are
    /// a better result: then it steps aside to standard error, and what was not asked for does not go into a file. Nor
    /// does it follow the few lines that somebody wanted to see who `has_seen_enough`.
    #[must_use]
    pub fn report_plan(
        &self,
        common: &Common,
        records_printed: bool,
        has_seen_enough: bool,
        terminals: Terminals,
    ) -> ReportPlan {
        let unasked = !common.quiet && !has_seen_enough && (!records_printed || terminals.stderr);
        let format = self.report.unwrap_or(if unasked { ReportFormat::Text } else { ReportFormat::None });
        match (format, records_printed) {
            (ReportFormat::None, _) => ReportPlan::Nowhere,
            (ReportFormat::Text, false) => ReportPlan::TextToStdout,
            (ReportFormat::Text, true) => ReportPlan::TextToStderr,
            (ReportFormat::Json, false) => ReportPlan::JsonToStdout,
            (ReportFormat::Json, true) => ReportPlan::JsonToStderr,
        }
    }

    /// Whether a progress bar is drawn, when `records_printed` says whether records go to standard output: a bar and
    /// records on the same terminal would tear each other apart.
    #[must_use]
    pub fn is_progress_drawn(&self, common: &Common, records_printed: bool, terminals: Terminals) -> bool {
        match self.progress {
            When::Always => true,
            When::Never => false,
            When::Auto => terminals.stderr && !common.quiet && !(records_printed && terminals.stdout),
        }
    }
}

impl Common {
    /// The choice for `anstream`, which knows NO_COLOR and its relatives.
    #[must_use]
    pub fn color_choice(&self) -> anstream::ColorChoice {
        match self.color {
            When::Auto => anstream::ColorChoice::Auto,
            When::Always => anstream::ColorChoice::Always,
            When::Never => anstream::ColorChoice::Never,
        }
    }
}
