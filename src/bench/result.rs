//! What a measurement found, as it is kept: plain data, written and read as JSON.

use serde::{Deserialize, Serialize};

use super::statistics::{self, Estimate};

/// Counts up when the meaning of a field changes: results of different versions are not compared.
pub const RESULT_VERSION: u32 = 1;

/// What a measurement found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BenchResult {
    /// The version of this format.
    pub version: u32,
    /// The program that was measured.
    pub program: String,
    /// When, by the wall clock.
    pub taken: String,
    /// What it ran on.
    pub machine: Machine,
    /// What was run, and how.
    pub setup: Setup,
    /// What was read.
    pub input: Volume,
    /// Nanoseconds of each run of the engine, in this process: finding inputs, starting the program and its report are
    /// not part of them.
    pub engine_ns: Vec<f64>,
    /// Nanoseconds of each run of the whole program, from start to exit; empty where that was not measured.
    pub process_ns: Vec<f64>,
    /// The same on 1 to N workers.
    pub scaling: Vec<Scaling>,
    /// What the workers' time went into, over all runs of `engine_ns`: the rows add up to it.
    pub costs: Vec<Cost>,
    /// What left each processor.
    pub outputs: Vec<Selectivity>,
    /// What searches through whole blocks saved.
    pub searches: Vec<Saved>,
    /// Runs with and without watching, in turns; empty where that was not measured.
    pub watching: Vec<[f64; 2]>,
    /// What a processor that was faster would gain, the largest gain first.
    pub what_if: Vec<WhatIf>,
}

/// A machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// The model of its processor.
    pub cpu: String,
    /// Processors that may be used.
    pub cores: usize,
    /// Kernel and architecture.
    pub system: String,
}

/// What was run, and how.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Setup {
    /// Where the pipeline came from.
    pub pipeline: String,
    /// Its processors, with their kinds and settings: results of different pipelines are not compared.
    pub processors: Vec<String>,
    /// Worker threads.
    pub workers: usize,
    /// `sampled`, `full` or `off`.
    pub timing: String,
    /// Whether paths were remembered.
    pub trace: bool,
    /// `auto`, `always` or `never`.
    pub mapping: String,
    /// What is known about the page cache.
    pub cache: CacheState,
    /// How often or how long each measurement was repeated.
    pub repeat: String,
}

/// What is known about the page cache at the beginning of runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CacheState {
    /// It was dropped before each run.
    pub cold: bool,
    /// The largest share of the inputs that was in memory before a cold run, or the smallest before a warm one; `None`
    /// where the system does not tell.
    pub resident: Option<f64>,
}

impl CacheState {
    /// It in words.
    #[must_use]
    pub fn words(&self) -> String {
        let wanted = if self.cold { "dropped before each run" } else { "warm" };
        match self.resident {
            None => format!("page cache {wanted}, unverified"),
            Some(share) if self.cold && share > 0.01 => {
                format!("page cache NOT cold: up to {:.0} % of the input stayed in it", share * 100.0)
            }
            Some(share) => format!("page cache {wanted}: {:.0} % of the input in it (mincore)", share * 100.0),
        }
    }
}

/// What was read in each run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Volume {
    /// Files.
    pub sources: u64,
    /// Bytes.
    pub bytes: u64,
    /// Lines.
    pub records: u64,
}

/// Runs on so many workers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Scaling {
    /// So many.
    pub workers: usize,
    /// Nanoseconds of each run.
    pub runs_ns: Vec<f64>,
}

/// A row of what the workers' time went into.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Cost {
    /// The processor or stage.
    pub name: String,
    /// What it is.
    pub kind: CostKind,
    /// Nanoseconds of all workers in one run, on average.
    pub busy_ns: f64,
    /// Records it was given in one run; for stages, those of the run.
    pub records: u64,
}

impl Cost {
    /// Nanoseconds for one record among many.
    #[must_use]
    pub fn each_ns(&self) -> Option<f64> {
        (self.records > 0).then(|| self.busy_ns / self.records as f64)
    }
}

/// What time went into.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CostKind {
    /// Work of a processor.
    Processor,
    /// Work around processors.
    Stage,
    /// No work.
    Waiting,
}

/// What left a processor on one output.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Selectivity {
    /// The processor.
    pub processor: String,
    /// Its output, or `dropped` or `failed`.
    pub output: String,
    /// Records.
    pub records: u64,
    /// Records that the processor was given.
    pub of: u64,
}

/// What a search through whole blocks saved a processor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Saved {
    /// The processor.
    pub processor: String,
    /// Records that its searches were asked about; one that several searches are asked about counts for each.
    pub asked: u64,
    /// Those of them that were looked at one by one: as candidates, or since a search through the block would not pay.
    pub alone: u64,
}

/// What a processor that was faster would gain.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WhatIf {
    /// The processor.
    pub processor: String,
    /// By which share it would be faster.
    pub faster: f64,
    /// The share of the run's time that this should save, by its share of the workers' time.
    pub predicted: f64,
    /// The share that it does save, by an experiment: everything else was slowed down in proportion, in turns with
    /// unchanged runs.
    pub measured: Option<Estimate>,
}

impl BenchResult {
    /// Nanoseconds of a run of the engine: the median.
    #[must_use]
    pub fn engine(&self) -> Estimate {
        statistics::estimate(&self.engine_ns)
    }

    /// Bytes per second.
    #[must_use]
    pub fn bytes_per_s(&self) -> Estimate {
        let bytes = self.input.bytes as f64;
        self.engine().map(|ns| bytes * 1e9 / ns)
    }

    /// Records per second.
    #[must_use]
    pub fn records_per_s(&self) -> Estimate {
        let records = self.input.records as f64;
        self.engine().map(|ns| records * 1e9 / ns)
    }

    /// By which share of the time without it watching makes a run longer.
    #[must_use]
    pub fn price_of_watching(&self) -> Option<Estimate> {
        let is_measured = !self.watching.is_empty();
        is_measured.then(|| statistics::paired_ratio(&self.watching).map(|ratio| ratio - 1.0))
    }

    /// How many times as fast each number of workers is as one, with the number.
    #[must_use]
    pub fn speedups(&self) -> Vec<(usize, Estimate)> {
        let Some(one) = self.scaling.iter().find(|scaling| scaling.workers == 1) else { return Vec::new() };
        let speedup = |scaling: &Scaling| (scaling.workers, statistics::ratio(&one.runs_ns, &scaling.runs_ns));
        self.scaling.iter().map(speedup).collect()
    }

    /// Nanoseconds of all rows of `costs` together: the workers' time in one run.
    #[must_use]
    pub fn workers_ns(&self) -> f64 {
        self.costs.iter().map(|cost| cost.busy_ns).sum()
    }

    /// It as JSON, one object, with its derived numbers first.
    #[must_use]
    pub fn json(&self) -> String {
        let summary = serde_json::json!({
            "engine_ns": self.engine(),
            "bytes_per_s": self.bytes_per_s(),
            "records_per_s": self.records_per_s(),
            "process_ns": (!self.process_ns.is_empty()).then(|| statistics::estimate(&self.process_ns)),
            "speedups": self.speedups().iter().map(|(workers, speedup)| serde_json::json!({"workers": workers, "speedup": speedup})).collect::<Vec<_>>(),
            "workers_ns": self.workers_ns(),
            "watching": self.price_of_watching(),
            "method": super::METHOD,
        });
        let whole = serde_json::json!({ "summary": summary, "result": self });
        let mut text = serde_json::to_string_pretty(&whole).expect("numbers and text can be written as JSON");
        text.push('\n');
        text
    }

    /// A result that [`BenchResult::json`] has written.
    ///
    /// # Errors
    ///
    /// What is wrong with it, in words.
    pub fn from_json(text: &[u8]) -> Result<Self, String> {
        #[derive(Deserialize)]
        struct Whole {
            result: BenchResult,
        }
        let whole: Whole = serde_json::from_slice(text).map_err(|error| format!("not a result of `bench`: {error}"))?;
        let result = whole.result;
        if result.version != RESULT_VERSION {
            return Err(format!("written by another version (format {}, not {RESULT_VERSION})", result.version));
        }
        let lists =
            result.scaling.iter().map(|scaling| &scaling.runs_ns).chain([&result.engine_ns, &result.process_ns]);
        let is_time = |ns: &f64| ns.is_finite() && *ns > 0.0;
        if result.engine_ns.is_empty() || !lists.flatten().chain(result.watching.iter().flatten()).all(is_time) {
            return Err("not a result of `bench`: there are runs without a time".to_owned());
        }
        if result.scaling.iter().any(|scaling| scaling.runs_ns.is_empty()) {
            return Err("not a result of `bench`: workers without a run".to_owned());
        }
        Ok(result)
    }
}
