//! Levels: the processor on whole batches, against its portable form and against a regular expression, record by record.

use std::{hint::black_box, sync::atomic::AtomicBool};

use criterion::{BenchmarkId, Criterion, Throughput};
use logweir::{Context, Outputs, Pipeline, Processor, Selection, internals, level_of};
use regex::bytes::Regex;

use crate::sample::{Block, Sample};

/// Runs them.
pub fn bench(criterion: &mut Criterion) {
    let sample = Sample::new(8 << 20);
    let blocks = sample.blocks();
    let mut processor = internals::processors(&Pipeline::default_pipeline()).remove(0);
    let words = Regex::new(WORDS).expect("a plain pattern");
    let mut group = criterion.benchmark_group("level");
    group.throughput(Throughput::Bytes(sample.bytes.len() as u64));
    group.bench_function(BenchmarkId::new("processor", &sample.name), |bencher| {
        let mut out = Outputs::new(3);
        bencher.iter(|| process(&mut *processor, black_box(&blocks), &mut out));
    });
    group.bench_function(BenchmarkId::new("portable twin", &sample.name), |bencher| {
        bencher.iter(|| each_record(black_box(&blocks), |record| level_of(record) as usize));
    });
    group.bench_function(BenchmarkId::new("words by regex", &sample.name), |bencher| {
        bencher.iter(|| each_record(black_box(&blocks), |record| words.find(record).map_or(0, |found| found.len())));
    });
    group.finish();
}

/// What the words alone would be as a regular expression; it knows nothing of shapes such as JSON fields.
const WORDS: &str = "(?-u)\\b(?:TRACE|DEBUG|INFO|NOTICE|WARN|WARNING|ERROR|SEVERE|FATAL|CRITICAL|CRIT|ALERT|EMERG|PANIC\
                     |trace|debug|info|notice|warn|warning|error|severe|fatal|critical|crit|alert|emerg|panic\
                     |Trace|Debug|Info|Notice|Warn|Warning|Error|Severe|Fatal|Critical|Crit|Alert|Emerg|Panic)\\b";

/// Runs whole blocks through `processor`, as a worker does. Returns how many records came out.
pub fn process(processor: &mut dyn Processor, blocks: &[Block<'_>], out: &mut Outputs) -> usize {
    let stop = AtomicBool::new(false);
    let mut records = 0;
    for block in blocks {
        let batch = block.batch();
        out.ports().iter_mut().for_each(Vec::clear);
        processor.process(&batch, Selection::Range(0, batch.len()), out, &Context::new(&stop));
        records += out.ports().iter().map(Vec::len).sum::<usize>();
    }
    records
}

/// The naive way: one record after the other.
pub fn each_record(blocks: &[Block<'_>], mut work: impl FnMut(&[u8]) -> usize) -> usize {
    let mut sum = 0;
    for block in blocks {
        let batch = block.batch();
        sum += (0..batch.len()).map(|record| work(batch.record(record))).sum::<usize>();
    }
    sum
}
