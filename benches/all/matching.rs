//! `match`: one literal, a set of literals, a regular expression, each against asking record by record.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput};
use logweir::{Outputs, Pipeline, Registry, internals};
use memchr::memmem::Finder;
use regex::bytes::Regex;

use crate::{
    level::{each_record, process},
    sample::Sample,
};

/// A case: its name, the setting, and the same as a regular expression.
const CASES: [(&str, &str, &str); 4] = [
    ("rare literal", "any = ['disk quota exceeded']", "disk quota exceeded"),
    ("frequent literal", "any = ['teahouse']", "teahouse"),
    (
        "set of literals",
        "any = ['paper low', 'not ready', 'cache miss', 'oolong']",
        "paper low|not ready|cache miss|oolong",
    ),
    ("regex", r"any = { regex = 'took_ms.:[0-9]{3,}' }", "took_ms.:[0-9]{3,}"),
];

/// Runs them.
pub fn bench(criterion: &mut Criterion) {
    let sample = Sample::new(8 << 20);
    let blocks = sample.blocks();
    let mut group = criterion.benchmark_group("match");
    group.throughput(Throughput::Bytes(sample.bytes.len() as u64));
    for (name, setting, pattern) in CASES {
        let config = format!("[[processor]]\nid = 'm'\nkind = 'match'\n{setting}\n");
        let pipeline =
            Pipeline::from_toml(&config, name, &Registry::standard()).unwrap_or_else(|error| panic!("{error}"));
        let mut processor = internals::processors(&pipeline).remove(0);
        let mut out = Outputs::new(pipeline.graph().nodes[0].outputs.len());
        group.bench_function(BenchmarkId::new(format!("{name}, processor"), &sample.name), |bencher| {
            bencher.iter(|| process(&mut *processor, black_box(&blocks), &mut out));
        });
        let regex = Regex::new(&format!("(?-u){pattern}")).expect("a plain pattern");
        group.bench_function(BenchmarkId::new(format!("{name}, record by record"), &sample.name), |bencher| {
            bencher.iter(|| each_record(black_box(&blocks), |record| usize::from(regex.is_match(record))));
        });
    }
    let finder = Finder::new("disk quota exceeded");
    group.bench_function(BenchmarkId::new("limit: memmem over the block", &sample.name), |bencher| {
        bencher.iter(|| finder.find_iter(black_box(&sample.bytes)).count());
    });
    group.finish();
}
