//! Kinds of processors that break the rules, and workers that break: the run ends, says why, and waits for nobody.

use std::{
    fs,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    time::Duration,
};

use logweir::{
    Access, Batch, Context, Definition, Discovered, Engine, Existing, Finished, Input, Outputs, Pipeline, Processor,
    Registry, RunError, RunOptions, Selection, SinkTarget, Timing,
};

/// What a broken kind does with the records that it is given.
#[derive(Clone, Copy)]
enum Breach {
    /// The third record is lost, the second one doubled: the count is right.
    Swap,
    /// A number that no record has.
    Unknown,
    /// All of them, backwards.
    Backwards,
}

#[derive(Clone, Copy)]
struct Broken(Breach);

impl Definition for Broken {
    fn build(&self) -> Box<dyn Processor> {
        Box::new(*self)
    }
}

impl Processor for Broken {
    fn process(&mut self, _: &Batch<'_>, input: Selection<'_>, out: &mut Outputs, _: &Context<'_>) {
        let mut records: Vec<u32> = input.iter().collect();
        match self.0 {
            Breach::Swap if records.len() > 2 => records[2] = records[1],
            Breach::Unknown => records[0] = 4_000_000_000,
            Breach::Backwards if records.len() > 1 => records.reverse(),
            _ => {}
        }
        records.into_iter().for_each(|record| out.push(0, record));
    }
}

/// Panics on its first record, and cannot be built again: that panic is the worker's own.
struct Unrepeatable {
    builds: Arc<AtomicUsize>,
    builds_max: usize,
}

impl Definition for Unrepeatable {
    fn build(&self) -> Box<dyn Processor> {
        let builds = self.builds.fetch_add(1, Ordering::Relaxed);
        assert!(builds < self.builds_max, "this is meant: a worker breaks");
        Box::new(Panics)
    }
}

struct Panics;

impl Processor for Panics {
    fn process(&mut self, _: &Batch<'_>, _: Selection<'_>, _: &mut Outputs, _: &Context<'_>) {
        panic!("this is meant: a processor panics");
    }
}

const WORKERS: usize = 2;

fn pipeline(registry: &Registry, printed: Option<&Path>) -> Pipeline {
    let config = "[[processor]]\nid = \"bad\"\nkind = \"bad\"\n";
    let mut pipeline = Pipeline::from_toml(config, "bad.toml", registry).expect("it is valid");
    if let Some(path) = printed {
        let target = SinkTarget::File { path: path.to_owned(), existing: Existing::Replace };
        pipeline.print("bad", target).expect("there is such a processor");
    }
    pipeline
}

/// Runs on a thread of its own, and fails if that takes long: nothing may hang.
fn run(pipeline: Pipeline, inputs: Discovered, timing: Timing) -> Finished {
    let options = RunOptions { workers: WORKERS, block_bytes: Some(100), timing, ..RunOptions::default() };
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || sender.send(Engine::new(pipeline, inputs, options).run()));
    receiver.recv_timeout(Duration::from_secs(20)).expect("the run hangs")
}

fn inputs(path: &Path, is_stream: bool) -> Discovered {
    if is_stream {
        let input = Input { path: path.to_owned(), access: Access::Stream };
        return Discovered { inputs: vec![input], ..Discovered::default() };
    }
    logweir::discover(&[path.to_owned()], logweir::DiscoverOptions::default())
}

fn lines(folder: &Path) -> std::path::PathBuf {
    let path = folder.join("lines.log");
    fs::write(&path, "a line of some length\n".repeat(20_000)).expect("a temporary file");
    path
}

#[test]
fn a_kind_that_loses_doubles_or_invents_records_is_caught() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = lines(folder.path());
    let registries = [
        Registry::standard().with("bad", |_| Ok(Box::new(Broken(Breach::Swap)))),
        Registry::standard().with("bad", |_| Ok(Box::new(Broken(Breach::Unknown)))),
        Registry::standard().with("bad", |_| Ok(Box::new(Broken(Breach::Backwards)))),
    ];
    for (breach, registry) in registries.iter().enumerate() {
        for timing in [Timing::Sampled, Timing::Off] {
            let finished = run(pipeline(registry, None), inputs(&path, false), timing);
            assert!(matches!(finished.error, Some(RunError::Unbalanced { .. })), "{breach}: {:?}", finished.error);
            let entered = finished.snapshot.nodes[0].records_in;
            assert_eq!(entered, finished.snapshot.run.records_done);
            assert!(finished.snapshot.ledger.nodes[0].is_balanced(), "what was broken must not be counted");
        }
    }
}

#[test]
fn a_worker_that_panics_ends_the_run_and_nobody_waits_for_it() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = lines(folder.path());
    let printed = folder.path().join("printed");
    for is_stream in [false, true] {
        for sink in [None, Some(&*printed)] {
            let registry = Registry::standard().with("bad", |_| {
                let builds = Arc::new(AtomicUsize::new(0));
                Ok(Box::new(Unrepeatable { builds, builds_max: WORKERS }))
            });
            let finished = run(pipeline(&registry, sink), inputs(&path, is_stream), Timing::Sampled);
            let is_sink = sink.is_some();
            assert!(matches!(finished.error, Some(RunError::Panicked)), "{is_stream} {is_sink}: {:?}", finished.error);
        }
    }
}

/// `on_error = "stop"` while several workers are at work: what is written is a beginning of the whole, without a hole.
#[test]
fn what_is_written_before_a_stop_has_no_holes() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("numbers.log");
    let text: Vec<String> =
        (0..3_000).map(|number| format!("{number:06} {}\n", if number == 1_000 { "BAD" } else { "ok" })).collect();
    fs::write(&path, text.concat()).expect("a temporary file");
    let printed = folder.path().join("printed");
    let config = "
        [[processor]]
        id = 'slow'
        kind = 'delay'
        ms = 0.2
        [[processor]]
        id = 'judge'
        kind = 'fail'
        matching = 'BAD'
        on_error = 'stop'
    ";
    for _ in 0..3 {
        let mut pipeline = Pipeline::from_toml(config, "stop.toml", &Registry::standard()).expect("it is valid");
        let target = SinkTarget::File { path: printed.clone(), existing: Existing::Replace };
        pipeline.print("judge", target).expect("there is such a processor");
        let options = RunOptions { workers: 3, block_bytes: Some(1_000), ..RunOptions::default() };
        let finished = Engine::new(pipeline, inputs(&path, false), options).run();
        let Some(RunError::Stopped { offset, .. }) = finished.error else { panic!("{:?}", finished.error) };
        assert_eq!(offset, 10_000);
        let written = fs::read(&printed).expect("the sink was opened");
        assert!(!written.is_empty() && written.len().is_multiple_of(10));
        let whole: String = text.iter().filter(|line| !line.contains("BAD")).map(String::as_str).collect();
        assert_eq!(written, &whole.as_bytes()[..written.len()], "there is a hole");
    }
}
