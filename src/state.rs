//! The mode `state`: shows what a directory of state holds.

use std::{
    io::{self, Write},
    process::ExitCode,
};

use jiff::Timestamp;
use logweir::{examine_state, write_state};

use crate::{CLEAN, FAULTS, Outcome, cli::StateArgs};

/// Shows a directory of state, for people or for programs.
pub fn state(args: &StateArgs) -> Outcome {
    let state = examine_state(&args.dir)?;
    let mut out = io::stdout().lock();
    if args.json {
        serde_json::to_writer(&mut out, &state)?;
        writeln!(out)?;
    } else {
        write_state(&state, Timestamp::now(), &mut out)?;
    }
    Ok(ExitCode::from(if state.is_sound() { CLEAN } else { FAULTS }))
}
