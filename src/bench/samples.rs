//! A result as tests use it.

use super::{
    result::{
        BenchResult, CacheState, Cost, CostKind, Machine, RESULT_VERSION, Saved, Scaling, Selectivity, Setup, Volume,
        WhatIf,
    },
    statistics::Estimate,
};

/// A result with something of everything, and names that are not meant well.
pub(super) fn result() -> BenchResult {
    let cost = |name: &str, kind, busy_ns, records| Cost { name: name.to_owned(), kind, busy_ns, records };
    let way = |output: &str, records| Selectivity {
        processor: "start".to_owned(),
        output: output.to_owned(),
        records,
        of: 1_000_000,
    };
    let what_if = |processor: &str, predicted, measured| WhatIf {
        processor: processor.to_owned(),
        faster: 0.2,
        predicted,
        measured,
    };
    BenchResult {
        version: RESULT_VERSION,
        program: "logweir 0.1.0".to_owned(),
        taken: "2026-11-24T10:23:43Z".to_owned(),
        machine: Machine { cpu: "A <b>fast</b> one".to_owned(), cores: 4, system: "Linux 6.1 x86_64".to_owned() },
        setup: Setup {
            pipeline: "pipe<line>.toml".to_owned(),
            processors: vec!["start level ".to_owned(), "<script> match any".to_owned()],
            workers: 4,
            timing: "sampled".to_owned(),
            trace: true,
            mapping: "auto".to_owned(),
            cache: CacheState { cold: false, resident: Some(1.0) },
            repeat: "for 20 s in all".to_owned(),
        },
        input: Volume { sources: 1, bytes: 150_000_000, records: 1_000_000 },
        engine_ns: (0..40).map(|run| 50e6 + f64::from(run * 7 % 11) * 1e5).collect(),
        process_ns: (0..10).map(|run| 54e6 + f64::from(run % 3) * 2e5).collect(),
        scaling: [(1, 180e6), (2, 93e6), (3, 66e6), (4, 50.5e6)]
            .map(|(workers, ns)| Scaling {
                workers,
                runs_ns: [1.0, 1.02, 1.01, 0.99, 1.005].map(|noise| f64::round(ns * noise)).to_vec(),
            })
            .to_vec(),
        costs: vec![
            cost("start", CostKind::Processor, 120e6, 1_000_000),
            cost("\u{1b}[31m<script>", CostKind::Processor, 30e6, 250_000),
            cost("read", CostKind::Stage, 25e6, 1_000_000),
            cost("split", CostKind::Stage, 15e6, 1_000_000),
            cost("route", CostKind::Stage, 4e6, 1_000_000),
            cost("gather", CostKind::Stage, 0.0, 1_000_000),
            cost("observe", CostKind::Stage, 1e6, 1_000_000),
            cost("sink wait", CostKind::Waiting, 0.0, 1_000_000),
            cost("idle", CostKind::Waiting, 5e6, 1_000_000),
        ],
        outputs: vec![way("error", 30_000), way("warn", 220_000), way("other", 750_000)],
        searches: vec![Saved { processor: "<script>".to_owned(), asked: 250_000, alone: 4_000 }],
        watching: (0..20).map(|pair| [50.4e6 + f64::from(pair % 3) * 1e5, 50e6 + f64::from(pair % 4) * 1e5]).collect(),
        what_if: vec![
            what_if("start", 0.12, Some(Estimate { value: 0.115, low: 0.104, high: 0.127 })),
            what_if("<script>", 0.03, None),
        ],
    }
}
