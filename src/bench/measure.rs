//! Runs the engine again and again, and keeps the times.

use std::{
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use super::{
    cache, costs, machine,
    result::{BenchResult, CacheState, RESULT_VERSION, Saved, Scaling, Setup, Volume, WhatIf},
    statistics,
};
use crate::{
    engine::{Engine, Mapping, Row, RunError, RunOptions, Slowdown, Timing},
    input::{Access, Discovered},
    metrics::Snapshot,
    pipeline::{Existing, Pipeline, SearchEffort, SinkTarget},
};

/// Where output goes.
const NOWHERE: &str = "/dev/null";
/// By which share a processor is thought to be faster.
const FASTER: f64 = 0.2;
/// Each measurement is done so often in any case: with fewer values there is no interval to speak of.
const RUNS_MIN: usize = 5;
/// And not more often, however little they tell.
const RUNS_MAX: usize = 2_000;

/// Shares of the time.
const WARM_UP_TIME: f64 = 0.05;
const ENGINE_TIME: f64 = 0.30;
const PROCESS_TIME: f64 = 0.10;
const SCALING_TIME: f64 = 0.20;
const WATCHING_TIME: f64 = 0.20;
const WHAT_IF_TIME: f64 = 0.15;

/// How often each measurement is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repeat {
    /// So many times.
    Times(usize),
    /// Until it is known to 1 %, or the time for all measurements together is over.
    For(Duration),
}

/// Runs the whole program once, from start to exit; `None` where it cannot.
pub type RunProgram<'a> = &'a dyn Fn() -> Option<Duration>;

/// What is to be measured.
pub struct BenchPlan<'a> {
    /// What is run. What its sinks write is thrown away.
    pub pipeline: Pipeline,
    /// Where the pipeline came from.
    pub pipeline_name: String,
    /// What is read.
    pub inputs: Discovered,
    /// How.
    pub options: RunOptions,
    /// How often.
    pub repeat: Repeat,
    /// Whether the page cache is dropped before each run.
    pub is_cold: bool,
    /// The whole program on the same inputs, if it is to be measured too.
    pub program: Option<RunProgram<'a>>,
}

/// What makes a measurement impossible.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// There is nothing to read.
    #[error("there is nothing to measure: the inputs have no lines")]
    Nothing,
    /// An input gives its bytes only once.
    #[error("{} can be read only once, and is to be read again and again; put it into a file", .0.display())]
    Once(PathBuf),
    /// A run went wrong.
    #[error("a run failed: {0}")]
    Run(#[from] RunError),
    /// The ledger of a run does not balance.
    #[error("the ledger of a run does not balance, and so its time says nothing: {0}")]
    Unbalanced(String),
    /// Runs read different amounts.
    #[error("the inputs changed between two runs: {0} lines, then {1}")]
    Changed(u64, u64),
}

/// A run that is over.
struct Done {
    ns: f64,
    snapshot: Arc<Snapshot>,
}

/// Measures. What is done at the moment is told to `say`.
///
/// # Errors
///
/// If there is nothing that can be measured, or a run does not end as it should.
pub fn measure(plan: &BenchPlan<'_>, say: &mut dyn FnMut(&str)) -> Result<BenchResult, BenchError> {
    let mut bench = Bench::new(plan)?;
    say("warming up");
    bench.warm_up()?;
    say("runs");
    let searched = bench.searched();
    let runs = bench.repeat(ENGINE_TIME, |bench| bench.run(&bench.options.clone()))?;
    let engine_ns: Vec<f64> = runs.iter().map(|run| run.ns).collect();
    let snapshots: Vec<Arc<Snapshot>> = runs.into_iter().map(|run| run.snapshot).collect();
    let costs = costs::costs(&snapshots);
    let outputs = costs::outputs(&snapshots[0]);
    let searches = bench.saved(&searched, engine_ns.len() as u64);
    say("the whole program");
    let process_ns = bench.processes();
    say("1 to N workers");
    let scaling = bench.scaling(&engine_ns)?;
    say("with and without watching");
    let watching = bench.watching()?;
    say("what if");
    let what_if = bench.what_if(costs::what_if(&costs, FASTER))?;
    Ok(BenchResult {
        version: RESULT_VERSION,
        program: format!("logweir {}", env!("CARGO_PKG_VERSION")),
        taken: jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        machine: machine::this(),
        setup: bench.setup(),
        input: bench.volume.clone(),
        engine_ns,
        process_ns,
        scaling,
        costs,
        outputs,
        searches,
        watching,
        what_if,
    })
}

struct Bench<'a> {
    plan: &'a BenchPlan<'a>,
    pipeline: Pipeline,
    options: RunOptions,
    files: Vec<PathBuf>,
    volume: Volume,
    resident: Option<f64>,
}

impl<'a> Bench<'a> {
    fn new(plan: &'a BenchPlan<'a>) -> Result<Self, BenchError> {
        let is_once = |access: &Access| !matches!(access, Access::Random { .. });
        if let Some(input) = plan.inputs.inputs.iter().find(|input| is_once(&input.access)) {
            return Err(BenchError::Once(input.path.clone()));
        }
        let files = plan.inputs.inputs.iter().map(|input| input.path.clone()).collect();
        Ok(Self {
            plan,
            pipeline: without_output(&plan.pipeline),
            options: plan.options.clone(),
            files,
            volume: Volume { sources: plan.inputs.inputs.len() as u64, bytes: 0, records: 0 },
            resident: None,
        })
    }

    /// Runs until what happens only at first is over, and learns how much there is.
    fn warm_up(&mut self) -> Result<(), BenchError> {
        let begun = Instant::now();
        loop {
            let run = &self.run(&self.options.clone())?.snapshot.run;
            if run.records_done == 0 {
                return Err(BenchError::Nothing);
            }
            (self.volume.bytes, self.volume.records) = (run.bytes_done, run.records_done);
            let is_enough = match self.plan.repeat {
                Repeat::Times(_) => true,
                Repeat::For(time) => begun.elapsed() >= time.mul_f64(WARM_UP_TIME),
            };
            if is_enough {
                return Ok(());
            }
        }
    }

    fn run(&mut self, options: &RunOptions) -> Result<Done, BenchError> {
        self.prepare_cache();
        let engine = Engine::new(self.pipeline.clone(), self.plan.inputs.clone(), options.clone());
        let begun = Instant::now();
        let finished = engine.run();
        let ns = begun.elapsed().as_nanos() as f64;
        if let Some(error) = finished.error {
            return Err(error.into());
        }
        let snapshot = finished.snapshot;
        if !snapshot.ledger.balanced {
            return Err(BenchError::Unbalanced(snapshot.ledger.problems.join("; ")));
        }
        let (before, now) = (self.volume.records, snapshot.run.records_done);
        if before != 0 && before != now {
            return Err(BenchError::Changed(before, now));
        }
        Ok(Done { ns, snapshot })
    }

    /// Makes the page cache what it should be, and notes what it is.
    fn prepare_cache(&mut self) {
        if self.plan.is_cold {
            self.files.iter().for_each(|path| cache::drop_file(path));
            if self.resident().is_some_and(|share| share > 0.0) {
                cache::drop_all();
            }
            self.note(f64::max);
        } else if self.volume.records != 0 && self.resident.is_none() {
            // Warm runs are looked at once: looking takes time, and what was warm stays so.
            self.note(f64::min);
        }
    }

    fn note(&mut self, worse: fn(f64, f64) -> f64) {
        if let Some(share) = self.resident() {
            self.resident = Some(self.resident.map_or(share, |known| worse(known, share)));
        }
    }

    /// The share of the inputs that is in the page cache.
    fn resident(&self) -> Option<f64> {
        let counts: Option<Vec<(u64, u64)>> = self.files.iter().map(|path| cache::resident(path)).collect();
        let counts = counts?;
        let present: u64 = counts.iter().map(|(present, _)| present).sum();
        let all: u64 = counts.iter().map(|(_, all)| all).sum();
        (all > 0).then(|| present as f64 / all as f64)
    }

    /// Does `once` as often as was asked for, in a share of the time.
    fn repeat<T: Measured>(
        &mut self,
        share: f64,
        mut once: impl FnMut(&mut Self) -> Result<T, BenchError>,
    ) -> Result<Vec<T>, BenchError> {
        let begun = Instant::now();
        let (mut all, mut values) = (Vec::new(), Vec::new());
        loop {
            let one = once(self)?;
            values.push(one.value());
            all.push(one);
            let is_enough = match self.plan.repeat {
                Repeat::Times(times) => all.len() >= times,
                Repeat::For(time) => {
                    let is_over = begun.elapsed() >= time.mul_f64(share) || all.len() >= RUNS_MAX;
                    all.len() >= RUNS_MIN && (is_over || is_known(&values, T::SPREAD))
                }
            };
            if is_enough {
                return Ok(all);
            }
        }
    }

    /// What searches were asked so far, by processor.
    fn searched(&self) -> Vec<Option<SearchEffort>> {
        self.pipeline.nodes.iter().map(|node| node.definition.search_effort()).collect()
    }

    /// What searches through whole blocks have saved since `before`, in each of `runs` runs.
    fn saved(&self, before: &[Option<SearchEffort>], runs: u64) -> Vec<Saved> {
        let now = self.searched();
        let nodes = self.pipeline.graph().nodes.iter().zip(before.iter().zip(&now));
        let saved = nodes.filter_map(|(node, (before, now))| {
            let (before, now) = (before.as_ref()?, now.as_ref()?);
            let each = |now: u64, before: u64| (now - before) / runs.max(1);
            let (asked, alone) = (each(now.asked, before.asked), each(now.alone, before.alone));
            Some(Saved { processor: node.id.clone(), asked, alone })
        });
        saved.filter(|saved| saved.asked > 0).collect()
    }

    /// Times of the whole program. One that does not run here is not measured.
    fn processes(&mut self) -> Vec<f64> {
        let Some(program) = self.plan.program else { return Vec::new() };
        let once = |bench: &mut Self| {
            bench.prepare_cache();
            let ns = program().map(|span| span.as_nanos() as f64);
            ns.ok_or(BenchError::Nothing)
        };
        self.repeat(PROCESS_TIME, once).unwrap_or_default()
    }

    fn scaling(&mut self, engine_ns: &[f64]) -> Result<Vec<Scaling>, BenchError> {
        let all = self.options.workers;
        let steps: Vec<usize> = (0..).map(|power| 1 << power).take_while(|&workers| workers < all).collect();
        // All numbers up to four, and powers of two beyond.
        let steps: Vec<usize> = if all <= 4 { (1..all).collect() } else { steps };
        let share = SCALING_TIME / steps.len().max(1) as f64;
        let mut scaling = Vec::new();
        for workers in steps {
            let options = RunOptions { workers, ..self.options.clone() };
            let runs = self.repeat(share, |bench| bench.run(&options))?;
            scaling.push(Scaling { workers, runs_ns: runs.iter().map(|run| run.ns).collect() });
        }
        scaling.push(Scaling { workers: all, runs_ns: engine_ns.to_vec() });
        Ok(scaling)
    }

    /// Pairs of runs with and without watching. Who goes first changes from pair to pair.
    fn watching(&mut self) -> Result<Vec<[f64; 2]>, BenchError> {
        let on = self.options.clone();
        if on.timing == Timing::Off && !on.trace {
            return Ok(Vec::new());
        }
        let off = RunOptions { timing: Timing::Off, trace: false, ..on.clone() };
        self.pairs(WATCHING_TIME, &on, &off, |done, _| done.ns)
    }

    /// Measures the first gain by an experiment.
    fn what_if(&mut self, mut predictions: Vec<(usize, WhatIf)>) -> Result<Vec<WhatIf>, BenchError> {
        if let Some((node, first)) = predictions.first_mut() {
            let plain = self.options.clone();
            // With everything else slower by this share, time runs slower by it, and the spared one is faster instead.
            let share = first.faster / (1.0 - first.faster);
            let slowdown = Some(Slowdown { spared: Row::Node(*node), share });
            let slowed = RunOptions { slowdown, ..plain.clone() };
            let value = |done: &Done, is_slowed: bool| if is_slowed { virtual_ns(done, share) } else { done.ns };
            let pairs = self.pairs(WHAT_IF_TIME, &slowed, &plain, value)?;
            first.measured = Some(statistics::paired_ratio(&pairs).map(|ratio| 1.0 - ratio));
        }
        Ok(predictions.into_iter().map(|(_, prediction)| prediction).collect())
    }

    fn pairs(
        &mut self,
        share: f64,
        one: &RunOptions,
        other: &RunOptions,
        value: impl Fn(&Done, bool) -> f64,
    ) -> Result<Vec<[f64; 2]>, BenchError> {
        let mut is_turned = false;
        self.repeat(share, |bench| {
            is_turned = !is_turned;
            let pair = if is_turned {
                let first = bench.run(one)?;
                [value(&first, true), value(&bench.run(other)?, false)]
            } else {
                let first = bench.run(other)?;
                [value(&bench.run(one)?, true), value(&first, false)]
            };
            Ok(pair)
        })
    }

    fn setup(&self) -> Setup {
        let nodes = &self.pipeline.graph().nodes;
        Setup {
            pipeline: self.plan.pipeline_name.clone(),
            processors: nodes.iter().map(|node| format!("{} {} {}", node.id, node.kind, node.config)).collect(),
            workers: self.options.workers,
            timing: match self.options.timing {
                Timing::Sampled => "sampled",
                Timing::Full => "full",
                Timing::Off => "off",
            }
            .to_owned(),
            trace: self.options.trace,
            mapping: match self.options.mapping {
                Mapping::Never => "never",
                Mapping::Auto(_) => "auto",
                Mapping::Always(_) => "always",
            }
            .to_owned(),
            cache: CacheState { cold: self.plan.is_cold, resident: self.resident },
            repeat: match self.plan.repeat {
                Repeat::Times(times) => format!("{times} times"),
                Repeat::For(time) => format!("for {} s in all", time.as_secs_f64()),
            },
        }
    }
}

/// What a run that was slowed down by `share` took, in the time of one whose spared row is faster. What passed outside
/// of workers was not slowed down, and is added as if it had been.
fn virtual_ns(done: &Done, share: f64) -> f64 {
    let workers = &done.snapshot.run.workers;
    let all: u64 = workers.iter().map(|worker| worker.busy_ns + worker.sink_wait_ns + worker.idle_ns).sum();
    let outside = (done.ns - all as f64 / workers.len().max(1) as f64).max(0.0);
    (done.ns + outside * share) / (1.0 + share)
}

/// True when the median of `values` is known to `spread`; asked ever more seldom, since asking takes time.
fn is_known(values: &[f64], spread: f64) -> bool {
    let is_asked = values.len() < 20 || values.len().is_multiple_of(values.len() / 10);
    values.len() > RUNS_MIN && is_asked && statistics::estimate(values).spread() <= spread
}

/// What is measured has a number.
trait Measured {
    /// A median that is known so well is known well enough.
    const SPREAD: f64 = 0.01;

    fn value(&self) -> f64;
}

impl Measured for Done {
    fn value(&self) -> f64 {
        self.ns
    }
}

impl Measured for f64 {
    fn value(&self) -> f64 {
        *self
    }
}

impl Measured for [f64; 2] {
    // What is asked for is how far the ratio is from 1, which is little.
    const SPREAD: f64 = 0.002;

    fn value(&self) -> f64 {
        self[0] / self[1]
    }
}

/// The pipeline, with everything that it writes thrown away: a bench that fills a disk, or finds its file there in the
/// second run, helps nobody.
fn without_output(pipeline: &Pipeline) -> Pipeline {
    let mut pipeline = pipeline.clone();
    for sink in &mut pipeline.sinks {
        sink.target = SinkTarget::File { path: NOWHERE.into(), existing: Existing::Append };
    }
    if pipeline.dead_letters.is_some() {
        pipeline.dead_letters = Some(NOWHERE.into());
    }
    pipeline
}
