//! `pass`: hands every record on. A place to count, to branch from and to print at.

use super::{Context, Definition, Mistake, Options, Outputs, Processor};
use crate::batch::{Batch, Selection};

/// Reads its settings: it has none.
pub(super) fn build(_options: &mut Options<'_>) -> Result<Box<dyn Definition>, Mistake> {
    Ok(Box::new(Pass))
}

struct Pass;

impl Definition for Pass {
    fn build(&self) -> Box<dyn Processor> {
        Box::new(Self)
    }
}

impl Processor for Pass {
    fn process(&mut self, _batch: &Batch<'_>, input: Selection<'_>, out: &mut Outputs, _context: &Context<'_>) {
        out.forward(0, input);
    }
}
