//! Where lines end: the line index that a block gets, against counting newlines and against a loop over bytes.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput};
use logweir::internals;

use crate::sample::{BLOCK_BYTES, Sample};

/// Runs them, a block that stays in the cache at a time, as a worker does.
pub fn bench(criterion: &mut Criterion) {
    let sample = Sample::new(BLOCK_BYTES);
    let bytes = &sample.bytes[..];
    let mut group = criterion.benchmark_group("split");
    group.throughput(Throughput::Bytes(bytes.len() as u64));
    let mut index = |name: &str, find: fn(&[u8], &mut Vec<u32>)| {
        let mut ends = Vec::new();
        group.bench_function(BenchmarkId::new(name, &sample.name), |bencher| {
            bencher.iter(|| {
                ends.clear();
                find(black_box(bytes), &mut ends);
                ends.len()
            });
        });
    };
    index("index", internals::line_ends);
    index("index, portable", internals::line_ends_portable);
    index("index, naive twin", naive);
    group.bench_function(BenchmarkId::new("limit: memchr counts", &sample.name), |bencher| {
        bencher.iter(|| memchr::memchr_iter(b'\n', black_box(bytes)).count());
    });
    group.finish();
}

fn naive(bytes: &[u8], ends: &mut Vec<u32>) {
    for (position, &byte) in bytes.iter().enumerate() {
        if byte == b'\n' {
            ends.push(position as u32 + 1);
        }
    }
}
