//! `drop`: drops every record, on purpose and counted. Nothing leaves it.

use super::{Context, Definition, Mistake, Options, Outputs, Processor};
use crate::batch::{Batch, Selection};

/// Reads its settings: it has none.
pub(super) fn build(_options: &mut Options<'_>) -> Result<Box<dyn Definition>, Mistake> {
    Ok(Box::new(Drop))
}

struct Drop;

impl Definition for Drop {
    fn outputs(&self) -> &[&'static str] {
        &[]
    }

    fn build(&self) -> Box<dyn Processor> {
        Box::new(Self)
    }
}

impl Processor for Drop {
    fn process(&mut self, _batch: &Batch<'_>, input: Selection<'_>, out: &mut Outputs, _context: &Context<'_>) {
        out.drop_all(input);
    }
}
