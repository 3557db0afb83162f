//! Measures: how fast a pipeline runs, what its time goes into, what watching costs, what a faster processor would gain.
//!
//! Runs are repeated, and every number that depends on them has an interval. What is compared is measured in turns.
//! `statistics`, `costs` and `compare` are pure; `measure` runs the engine; `text` and `page` show a result, and know
//! nothing behind it.

mod cache;
mod compare;
mod costs;
mod draw;
mod machine;
mod measure;
mod page;
mod result;
#[cfg(test)]
mod samples;
mod statistics;
mod text;

pub use compare::{Comparison, Verdict, compare};
pub use measure::{BenchError, BenchPlan, Repeat, measure};
pub use page::bench_page;
pub use result::BenchResult;
pub use statistics::Estimate;
pub use text::{write_bench_report, write_comparison};

/// How numbers were made, for those who want to know.
pub(crate) const METHOD: &str = "medians; intervals are 95 % percentile bootstraps of the median (2,000 resamples, \
    fixed seed); watching and what if are medians of ratios of paired runs, who goes first alternating";
