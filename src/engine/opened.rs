//! Opens what a follower's session writes, each file where the last checkpoint says that it was.

use std::{collections::BTreeSet, path::Path};

use super::{Shared, keeper::Written, live::Say};
use crate::{
    pipeline::SinkTarget,
    sink::{InUse, OpenError, Output, resume},
    store::Checkpoint,
};

/// One an outlet, then one for dead letters: what is written, and what makes sure that it stays.
pub(super) type Opened = (Vec<Option<Output>>, Vec<Option<Written>>);

/// Opens what is written, each file where the checkpoint says that it was.
pub(super) fn open_outputs(
    shared: &Shared,
    known: &Checkpoint,
    read: BTreeSet<(u64, u64)>,
    say: &Say<'_>,
) -> Result<Opened, OpenError> {
    let mut in_use = InUse::reading(read);
    let (mut outputs, mut written) = (Vec::new(), Vec::new());
    for (target, is_exact) in targets(shared) {
        if matches!(target, SinkTarget::Http(_)) {
            outputs.push(None);
            written.push(None);
            continue;
        }
        // Letters of earlier runs, and of other writers, are somebody's last copy: they are never taken back.
        let marks = if is_exact { &known.sinks[..] } else { &[] };
        let (output, doubt) = resume(&target, marks, &mut in_use)?;
        if is_exact && path_of(&target).is_some() {
            output.lock()?;
        }
        doubt.iter().for_each(|doubt| say(doubt));
        let error = |error| OpenError::Io { name: output.name().to_owned(), error };
        let path = path_of(&target).map(std::path::absolute).transpose().map_err(error)?;
        let kept = output.keep(path.as_deref()).map_err(error)?;
        written.push(kept.map(|kept| Written::new(kept, path, is_exact, output.length().unwrap_or(0))));
        outputs.push(Some(output));
    }
    Ok((outputs, written))
}

/// What is written, and whether exactly once: outlets, then dead letters.
fn targets(shared: &Shared) -> Vec<(SinkTarget, bool)> {
    let outlets = shared.outlets.iter().map(|outlet| (outlet.target.clone(), true));
    outlets.chain(shared.letters_target().map(|target| (target, false))).collect()
}

fn path_of(target: &SinkTarget) -> Option<&Path> {
    match target {
        SinkTarget::File { path, .. } => Some(path),
        SinkTarget::Stdout | SinkTarget::Http(_) => None,
    }
}
