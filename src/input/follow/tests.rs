//! Cases: one for every way in which files were seen to behave, with a made-up time.

mod support;

mod cases;
mod devices;
mod finding;
mod many;
mod missing;
mod model;
mod restarts;
mod rewinds;
mod rights;
mod turns;
