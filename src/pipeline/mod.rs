//! What is done with records: kinds of processors, the configuration, the compiled graph. No input or output here.

mod compiled;
mod config;
mod delay;
mod delivery;
mod diagnostic;
mod draft;
mod draw;
mod drop;
mod duration;
mod edit;
mod fail;
#[cfg(test)]
mod golden;
mod http;
#[cfg(test)]
mod kinds;
mod level;
mod matching;
mod names;
mod options;
mod order;
mod pass;
mod path;
mod processor;
mod registry;
mod resolve;
mod sinks;

pub(crate) use compiled::Node;
pub use compiled::{Existing, OnError, Pipeline, SinkTarget};
pub use delivery::{Delivery, OnRefusal, Retry};
pub use diagnostic::{ConfigError, Mistake};
pub use http::{HttpFormat, HttpPlan};
pub use level::{Level, level_of};
pub use options::{Options, Value};
pub use processor::{Context, Definition, Outputs, Processor, Reason, SearchEffort};
pub use registry::{Builder, Registry};
