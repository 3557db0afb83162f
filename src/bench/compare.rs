//! Two results side by side: is the new one slower, beyond noise?

use super::{
    result::{BenchResult, CostKind},
    statistics::{self, Estimate},
};

/// How a result stands to an earlier one.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    /// The time of a run, new over old.
    pub time: Estimate,
    /// Per processor and stage that both have: nanoseconds for one record, old and new.
    pub rows: Vec<(String, f64, f64)>,
    /// The verdict.
    pub verdict: Verdict,
    /// What makes the comparison weaker than it looks.
    pub doubts: Vec<String>,
}

/// The verdict of a comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The interval lies beyond what is tolerated.
    Slower,
    /// The same in the other direction.
    Faster,
    /// Neither.
    Same,
}

/// Compares `new` with `old`; differences below `tolerance`, a share of 1, are none.
///
/// # Errors
///
/// Why the two cannot be compared: what was run was not the same.
pub fn compare(new: &BenchResult, old: &BenchResult, tolerance: f64) -> Result<Comparison, String> {
    if new.input != old.input {
        return Err(format!(
            "the inputs differ: {} bytes in {} lines now, {} in {} then",
            new.input.bytes, new.input.records, old.input.bytes, old.input.records
        ));
    }
    let (setup, before) = (&new.setup, &old.setup);
    let same = [
        ("the pipelines differ", setup.processors == before.processors),
        ("the numbers of workers differ", setup.workers == before.workers),
        ("timing or tracing differ", (&setup.timing, setup.trace) == (&before.timing, before.trace)),
        ("one is of files that are mapped or read by choice, and the other is not", setup.mapping == before.mapping),
        ("one is of a cold page cache, and the other is not", setup.cache.cold == before.cache.cold),
    ];
    if let Some((difference, _)) = same.iter().find(|(_, same)| !same) {
        return Err((*difference).to_owned());
    }
    let time = statistics::ratio(&new.engine_ns, &old.engine_ns);
    let verdict = match time {
        _ if time.low > 1.0 + tolerance => Verdict::Slower,
        _ if time.high < 1.0 / (1.0 + tolerance) => Verdict::Faster,
        _ => Verdict::Same,
    };
    Ok(Comparison { time, rows: rows(new, old), verdict, doubts: doubts(new, old) })
}

fn rows(new: &BenchResult, old: &BenchResult) -> Vec<(String, f64, f64)> {
    let working = new.costs.iter().filter(|cost| cost.kind != CostKind::Waiting);
    let row = |cost: &super::result::Cost| {
        let before = old.costs.iter().find(|before| (&before.name, before.kind) == (&cost.name, cost.kind))?;
        Some((cost.name.clone(), before.each_ns()?, cost.each_ns()?))
    };
    working.filter_map(row).collect()
}

fn doubts(new: &BenchResult, old: &BenchResult) -> Vec<String> {
    let mut doubts = Vec::new();
    if new.machine != old.machine {
        doubts.push(format!("the baseline is of another machine: {} ({})", old.machine.cpu, old.machine.system));
    }
    for (result, which) in [(new, "this result"), (old, "the baseline")] {
        if result.engine_ns.len() < 5 {
            doubts.push(format!("{which} stands on {} runs", result.engine_ns.len()));
        }
        let spread = result.engine().spread();
        if spread > 0.05 {
            doubts.push(format!("{which} is known to {:.0} % only", spread * 100.0));
        }
    }
    doubts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::samples::result;

    fn scaled(factor: f64) -> BenchResult {
        let mut scaled = result();
        scaled.engine_ns.iter_mut().for_each(|ns| *ns *= factor);
        scaled
    }

    #[test]
    fn slower_is_what_lies_beyond_noise_and_tolerance() {
        for (factor, verdict) in
            [(1.0, Verdict::Same), (1.01, Verdict::Same), (1.1, Verdict::Slower), (0.9, Verdict::Faster)]
        {
            let comparison = compare(&scaled(factor), &result(), 0.02).expect("they can be compared");
            assert_eq!(comparison.verdict, verdict, "{factor}: {comparison:?}");
            assert!(comparison.doubts.is_empty(), "{:?}", comparison.doubts);
        }
        let noisy = BenchResult { engine_ns: vec![3e7, 9e7, 5e7, 4e7, 8e7], ..result() };
        let comparison = compare(&noisy, &result(), 0.02).expect("they can be compared");
        assert_eq!((comparison.verdict, comparison.doubts.len()), (Verdict::Same, 1), "{comparison:?}");
    }

    #[test]
    fn what_is_not_the_same_is_not_compared() {
        let mut other = result();
        other.input.bytes += 1;
        assert!(compare(&other, &result(), 0.02).expect_err("it differs").starts_with("the inputs differ"));
        let mut other = result();
        other.setup.workers += 1;
        assert_eq!(compare(&other, &result(), 0.02), Err("the numbers of workers differ".to_owned()));
        let mut other = result();
        other.machine.cores += 1;
        assert_eq!(compare(&other, &result(), 0.02).expect("with a doubt").doubts.len(), 1);
    }

    #[test]
    fn results_are_read_as_they_were_written() {
        let result = result();
        assert_eq!(BenchResult::from_json(result.json().as_bytes()), Ok(result.clone()));
        let other = BenchResult { version: 0, ..result.clone() };
        assert!(BenchResult::from_json(other.json().as_bytes()).expect_err("it is old").contains("another version"));
        let empty = BenchResult { engine_ns: Vec::new(), ..result };
        let text = serde_json::json!({ "result": empty }).to_string();
        assert!(BenchResult::from_json(text.as_bytes()).is_err());
        assert!(BenchResult::from_json(b"{}").is_err());
    }
}
