//! What tests share.

use std::{fs::OpenOptions, io::Write};

/// Says loudly that a test could not do its work here, and why. The test then returns, and counts as passed.
///
/// `tests/run` names a file in `LOGWEIR_SKIPS` and shows at its end what tests wrote there: `cargo test` hides what
/// passing tests print.
pub fn skip(reason: &str) {
    println!("SKIPPED: {reason}");
    if let Some(path) = std::env::var_os("LOGWEIR_SKIPS") {
        let file = OpenOptions::new().create(true).append(true).open(path);
        // One write, so that lines of tests that run side by side do not mix.
        file.and_then(|mut file| file.write_all(format!("SKIPPED: {reason}\n").as_bytes())).expect("LOGWEIR_SKIPS");
    }
}
