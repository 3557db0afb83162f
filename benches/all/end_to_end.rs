//! The engine from file to report: mapped and read, on one worker and on two, watched and not.

use std::{fs, path::Path};

use criterion::{BenchmarkId, Criterion, Throughput};
use logweir::{DiscoverOptions, Engine, MapPermit, Mapping, Pipeline, RunOptions, Timing, discover};

use crate::sample::Sample;

/// Long enough that starting threads does not matter, short enough to be repeated.
const INPUT_BYTES: usize = 64 << 20;

/// Runs them, with the file in the page cache.
pub fn bench(criterion: &mut Criterion) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("sample.log");
    let sample = Sample::new(INPUT_BYTES);
    fs::write(&path, &sample.bytes).expect("a temporary file");
    // SAFETY: the file is ours, in a folder of its own, and nobody truncates it.
    let permit = unsafe { MapPermit::new() };
    let mut group = criterion.benchmark_group("end to end");
    group.throughput(Throughput::Bytes(sample.bytes.len() as u64)).sample_size(15);
    for (how, mapping) in [("mapped", Mapping::Always(permit)), ("read", Mapping::Never)] {
        for workers in [1, 2] {
            for (watching, timing) in [("watched", Timing::Sampled), ("unwatched", Timing::Off)] {
                let options =
                    RunOptions { workers, mapping, timing, trace: timing != Timing::Off, ..RunOptions::default() };
                let name = format!("{how}, {workers} workers, {watching}");
                group.bench_function(BenchmarkId::new(name, &sample.name), |bencher| {
                    bencher.iter(|| run(&path, &options));
                });
            }
        }
    }
    group.bench_function(BenchmarkId::new("limit: read and count newlines, 1 thread", &sample.name), |bencher| {
        bencher.iter(|| count_newlines(&path));
    });
    group.bench_function(BenchmarkId::new("naive twin: a line at a time, 1 thread", &sample.name), |bencher| {
        bencher.iter(|| count_levels(&path));
    });
    group.finish();
}

fn run(path: &Path, options: &RunOptions) -> u64 {
    let inputs = discover(&[path.to_path_buf()], DiscoverOptions::default());
    let finished = Engine::new(Pipeline::default_pipeline(), inputs, options.clone()).run();
    assert!(finished.snapshot.ledger.balanced && finished.error.is_none(), "{:?}", finished.error);
    finished.snapshot.run.records_done
}

fn count_newlines(path: &Path) -> usize {
    use std::io::Read;
    let mut file = fs::File::open(path).expect("it is there");
    let (mut buffer, mut lines) = (vec![0; 256 << 10], 0);
    loop {
        match file.read(&mut buffer).expect("it can be read") {
            0 => return lines,
            length => lines += memchr::memchr_iter(b'\n', &buffer[..length]).count(),
        }
    }
}

fn count_levels(path: &Path) -> [u64; 3] {
    use std::io::BufRead;
    let mut counts = [0; 3];
    for line in std::io::BufReader::new(fs::File::open(path).expect("it is there")).split(b'\n') {
        counts[logweir::level_of(&line.expect("it can be read")) as usize] += 1;
    }
    counts
}
