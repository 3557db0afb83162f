//! The mode `state`: shows what a directory of state holds.

use std::{
    env,
    io::{self, Write},
    path::PathBuf,
    process::ExitCode,
};

use jiff::Timestamp;
use logweir::{HistoryReport, StateReport, examine_history, examine_state, write_history, write_state};
use serde::Serialize;

use crate::{CLEAN, FAULTS, Outcome, cli::StateArgs};

/// All of it, for programs.
#[derive(Serialize)]
struct Everything<'a> {
    #[serde(flatten)]
    state: &'a StateReport,
    history: Option<&'a HistoryReport>,
}

/// Shows a directory of state, for people or for programs.
pub fn state(args: &StateArgs) -> Outcome {
    let state = examine_state(&args.dir)?;
    let history = examine_history(&args.dir).map_err(|error| format!("cannot read what is recorded: {error}"))?;
    let mut out = io::stdout().lock();
    if args.json {
        serde_json::to_writer(&mut out, &Everything { state: &state, history: history.as_ref() })?;
        writeln!(out)?;
    } else {
        let (now, nowhere) = (Timestamp::now(), PathBuf::new());
        // Nothing is near a directory that is no more.
        write_state(&state, now, &env::current_dir().unwrap_or(nowhere), &mut out)?;
        history.iter().try_for_each(|history| write_history(history, now, &mut out))?;
    }
    Ok(ExitCode::from(if state.is_sound() { CLEAN } else { FAULTS }))
}
