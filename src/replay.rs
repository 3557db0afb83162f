//! The mode `replay`: serves what was recorded of a run.

use std::{process::ExitCode, sync::Arc};

use crate::{Outcome, cli::ReplayArgs, run::serve, say, signals::Signals};

/// Serves a recorded run until interrupted.
pub fn replay(args: &ReplayArgs) -> Outcome {
    let signals = Signals::install()?;
    let published = logweir::replay(&args.dir)?;
    // From here on there is something to end in order.
    signals.set(&Arc::default())?;
    let passed_over = published.history().map_or(0, |history| history.passed_over);
    if passed_over > 0 {
        say(format_args!("{passed_over} recorded lines cannot be read, and are not in what is shown"));
    }
    let server = serve(&args.listen, published)?;
    signals.wait();
    server.shutdown();
    Ok(ExitCode::SUCCESS)
}
