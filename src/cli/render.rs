//! Completions and the man page, from the same definitions as the help.
//!
//! Both are made in memory and written at once, so that a closed pipe is an error to be handled and not a panic.

use std::io::{self, Write};

use clap::{Command, CommandFactory};
use clap_complete::Shell;
use clap_mangen::Man;

use super::{Cli, EXAMPLES, EXIT_CODES};

/// Writes the completions for `shell`.
///
/// # Errors
///
/// If `out` cannot be written to.
pub fn completions(shell: Shell, out: &mut dyn Write) -> io::Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "logweir", &mut script);
    out.write_all(&script)
}

/// Writes the man page: one page, with the options of every mode, so that there is one place to look.
///
/// # Errors
///
/// If `out` cannot be written to.
pub fn man(out: &mut dyn Write) -> io::Result<()> {
    let mut command = Cli::command().disable_help_subcommand(true);
    command.build();
    let mut page = Vec::new();
    let whole = Man::new(command.clone());
    whole.render_title(&mut page)?;
    whole.render_name_section(&mut page)?;
    synopsis(&command, &mut page)?;
    whole.render_description_section(&mut page)?;
    for mode in command.get_subcommands() {
        mode_section(mode, &mut page)?;
    }
    whole.render_options_section(&mut page)?;
    for text in [EXAMPLES, EXIT_CODES] {
        verbatim(".SH", text, &mut page)?;
    }
    out.write_all(&page)
}

/// A line for each mode.
fn synopsis(command: &Command, page: &mut Vec<u8>) -> io::Result<()> {
    writeln!(page, ".SH SYNOPSIS")?;
    for mode in command.get_subcommands() {
        let usage = mode.clone().render_usage().to_string();
        let usage = usage.trim_start_matches("Usage: ").replace("\n       ", "\n.br\n");
        writeln!(page, ".B {}\n.br", roff(&usage))?;
    }
    Ok(())
}

/// What a mode does, and its options; those that every mode has are left to the end of the page.
fn mode_section(mode: &Command, page: &mut Vec<u8>) -> io::Result<()> {
    let own =
        mode.clone().mut_args(|arg| if arg.is_global_set() || arg.get_id() == "help" { arg.hide(true) } else { arg });
    writeln!(page, ".SH LOGWEIR {}", mode.get_name().to_uppercase())?;
    let about = mode.get_long_about().or(mode.get_about()).map(ToString::to_string).unwrap_or_default();
    writeln!(page, "{}", roff(&about))?;
    let mut options = Vec::new();
    Man::new(own).render_options_section(&mut options)?;
    // The headings of the options become headings below that of the mode.
    for line in options.split_inclusive(|&byte| byte == b'\n') {
        match line.strip_prefix(b".SH ") {
            Some(heading) => page.extend_from_slice(&[b".SS ", heading].concat()),
            None => page.extend_from_slice(line),
        }
    }
    let notes = mode.get_after_help().map(ToString::to_string).unwrap_or_default();
    // Those of the program stand at the end of the page.
    if !notes.starts_with(EXAMPLES) {
        notes.split("\n\n").try_for_each(|note| verbatim(".SS", note, page))?;
    }
    Ok(())
}

/// A section from a text whose first line is its heading and whose lines are kept as they are.
fn verbatim(kind: &str, text: &str, page: &mut Vec<u8>) -> io::Result<()> {
    let (heading, lines) = text.trim().split_once('\n').unwrap_or((text, ""));
    let heading = heading.trim_end_matches(':');
    let heading = if kind == ".SH" { heading.to_uppercase() } else { heading.to_owned() };
    writeln!(page, "{kind} {heading}\n.nf\n{}\n.fi", roff(lines.trim_end()))
}

/// `text` as roff shows it literally.
fn roff(text: &str) -> String {
    let escaped = text.replace('\\', r"\e").replace('-', r"\-");
    // A period or a quote at the head of a line would be a command; those of ours (`.br`) stand alone.
    let lines = escaped.lines().map(|line| {
        if line != ".br" && line.starts_with(['.', '\'']) { format!(r"\&{line}") } else { line.to_owned() }
    });
    lines.collect::<Vec<_>>().join("\n")
}
