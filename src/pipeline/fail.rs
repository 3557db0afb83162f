//! `fail`: fails records, all or those that contain `matching`, as a stand-in for failing work.

use memchr::memmem::Finder;

use super::{Context, Definition, Mistake, Options, Outputs, Processor, Reason};
use crate::{
    batch::{Batch, Selection},
    limits,
};

/// Reads its settings: `matching` and `message`.
pub(super) fn build(options: &mut Options<'_>) -> Result<Box<dyn Definition>, Mistake> {
    let matching = options.get("matching").map(|value| super::options::literal(&value)).transpose()?;
    let message = match options.get("message") {
        Some(value) => short(value.text()?, &value)?,
        None => Reason::Borrowed("failed as configured"),
    };
    Ok(Box::new(Fail { matching: matching.map(|text| Finder::new(text).into_owned()), message }))
}

fn short(text: &str, value: &super::Value<'_>) -> Result<Reason, Mistake> {
    if text.len() > limits::EXCERPT_BYTES {
        return Err(value.mistake(format!("a message has at most {} bytes", limits::EXCERPT_BYTES)));
    }
    Ok(Reason::Owned(text.to_owned()))
}

#[derive(Clone)]
struct Fail {
    /// `None`: every record fails.
    matching: Option<Finder<'static>>,
    message: Reason,
}

impl Definition for Fail {
    fn build(&self) -> Box<dyn Processor> {
        Box::new(self.clone())
    }
}

impl Processor for Fail {
    fn process(&mut self, batch: &Batch<'_>, input: Selection<'_>, out: &mut Outputs, _context: &Context<'_>) {
        for record in input.iter() {
            if self.matching.as_ref().is_none_or(|finder| finder.find(batch.record(record)).is_some()) {
                out.fail(record, self.message.clone());
            } else {
                out.push(0, record);
            }
        }
    }
}
