//! What outlives the process: checkpoints and history, in a directory of their own.

mod checkpoint;
mod disk;
mod error;
mod examine;
mod generation;
mod history;
mod home;
mod lock;
mod shown;
mod slots;
mod sound;
#[cfg(test)]
mod tests;

pub use checkpoint::Checkpoint;
pub use disk::{Loaded, Store};
pub use error::StoreError;
pub use examine::{AsideReport, CheckpointReport, GenerationReport, PlaceReport, StateReport, Verdict, examine};
pub use generation::{Generation, Unbelievable};
pub(crate) use generation::{decode, encode, wrapped};
pub(crate) use history::Archive;
pub use history::{HistoryReport, ReplayError, examine as examine_history, replay};
pub use home::default_dir;
pub use lock::Holder;
pub use shown::{write_history, write_state};
