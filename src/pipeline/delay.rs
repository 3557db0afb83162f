//! `delay`: takes its time over every record (`ms`), as a stand-in for slow work. It can be interrupted.

use std::time::Duration;

use super::{Context, Definition, Mistake, Options, Outputs, Processor};
use crate::batch::{Batch, Selection};

/// The longest delay of one record: what a histogram can still tell apart.
const DELAY_MAX: Duration = Duration::from_secs(3_600);

/// Reads its settings: `ms`.
pub(super) fn build(options: &mut Options<'_>) -> Result<Box<dyn Definition>, Mistake> {
    let time = options.require("ms")?.milliseconds(DELAY_MAX)?;
    Ok(Box::new(Delay { time }))
}

#[derive(Clone)]
struct Delay {
    time: Duration,
}

impl Definition for Delay {
    fn build(&self) -> Box<dyn Processor> {
        Box::new(self.clone())
    }

    fn cost_hint(&self) -> Duration {
        self.time
    }
}

impl Processor for Delay {
    fn process(&mut self, _batch: &Batch<'_>, input: Selection<'_>, out: &mut Outputs, context: &Context<'_>) {
        if !self.time.is_zero() {
            for _ in input.iter() {
                context.sleep(self.time);
            }
        }
        out.forward(0, input);
    }
}
