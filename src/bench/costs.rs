//! What snapshots of runs say about where time went. Pure.

use std::sync::Arc;

use super::result::{Cost, CostKind, Selectivity, WhatIf};
use crate::metrics::{
    Snapshot,
    snapshot::{Node, Worker},
};

/// What the workers' time went into, on average over `runs`, which are runs of the same pipeline. The rows add up to it.
pub(super) fn costs(runs: &[Arc<Snapshot>]) -> Vec<Cost> {
    let first = &runs[0];
    let mean = |ns: &dyn Fn(&Snapshot) -> u64| runs.iter().map(|run| ns(run) as f64).sum::<f64>() / runs.len() as f64;
    let records = first.run.records_done;
    let mut costs = Vec::new();
    for (number, (shape, node)) in first.graph.nodes.iter().zip(&first.nodes).enumerate() {
        let busy_ns = mean(&|run| run.nodes[number].busy_ns);
        costs.push(Cost { name: shape.id.clone(), kind: CostKind::Processor, busy_ns, records: node.records_in });
    }
    for (number, stage) in first.stages.iter().enumerate() {
        let busy_ns = mean(&|run| run.stages[number].busy_ns);
        costs.push(Cost { name: stage.kind.name().to_owned(), kind: CostKind::Stage, busy_ns, records });
    }
    let mut wait = |name: &str, ns: &dyn Fn(&Worker) -> u64| {
        let busy_ns = mean(&|run| run.run.workers.iter().map(ns).sum());
        costs.push(Cost { name: name.to_owned(), kind: CostKind::Waiting, busy_ns, records });
    };
    wait("sink wait", &|worker| worker.sink_wait_ns);
    wait("idle", &|worker| worker.idle_ns);
    costs
}

/// What left each processor on each way out that was taken, or could have been.
pub(super) fn outputs(run: &Snapshot) -> Vec<Selectivity> {
    let mut outputs = Vec::new();
    for (shape, node) in run.graph.nodes.iter().zip(&run.nodes) {
        // A single output, and nothing beside it, selects nothing.
        if shape.outputs.len() < 2 && node.dropped == 0 && node.failed == 0 {
            continue;
        }
        for (output, records) in ways_out(&shape.outputs, node) {
            outputs.push(Selectivity { processor: shape.id.clone(), output, records, of: node.records_in });
        }
    }
    outputs
}

fn ways_out(names: &[String], node: &Node) -> Vec<(String, u64)> {
    let named = names.iter().cloned().zip(node.outputs.iter().map(|output| output.records));
    // What was dropped for want of a taker stands on an output already.
    let on_outputs: u64 = node.outputs.iter().map(|output| output.records).sum();
    let dropped = node.records_in.saturating_sub(on_outputs + node.failed);
    let others = [("dropped", dropped), ("failed", node.failed)];
    let others =
        others.into_iter().filter(|(_, records)| *records > 0).map(|(name, records)| (name.to_owned(), records));
    named.chain(others).collect()
}

/// What each processor would gain, were it faster by a share of `faster`: with its number, the largest gain first.
pub(super) fn what_if(costs: &[Cost], faster: f64) -> Vec<(usize, WhatIf)> {
    let whole: f64 = costs.iter().map(|cost| cost.busy_ns).sum();
    let processors = costs.iter().take_while(|cost| cost.kind == CostKind::Processor).enumerate();
    let mut gains: Vec<(usize, WhatIf)> = processors
        .filter(|(_, cost)| cost.records > 0)
        .map(|(number, cost)| {
            let predicted = faster * cost.busy_ns / whole.max(1.0);
            (number, WhatIf { processor: cost.name.clone(), faster, predicted, measured: None })
        })
        .collect();
    gains.sort_by(|(_, one), (_, other)| other.predicted.total_cmp(&one.predicted));
    gains
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples;

    #[test]
    fn rows_add_up_to_the_workers_time() {
        let snapshot = Arc::new(samples::clean());
        let costs = costs(&[Arc::clone(&snapshot), Arc::clone(&snapshot)]);
        let nodes: u64 = snapshot.nodes.iter().map(|node| node.busy_ns).sum();
        let stages: u64 = snapshot.stages.iter().map(|stage| stage.busy_ns).sum();
        let waits: u64 = snapshot.run.workers.iter().map(|worker| worker.sink_wait_ns + worker.idle_ns).sum();
        assert_eq!(costs.iter().map(|cost| cost.busy_ns).sum::<f64>(), (nodes + stages + waits) as f64);
        let gains = what_if(&costs, 0.2);
        assert!(gains.windows(2).all(|pair| pair[0].1.predicted >= pair[1].1.predicted));
    }

    #[test]
    fn ways_out_add_up_to_what_went_in() {
        let snapshot = samples::clean();
        for (shape, node) in snapshot.graph.nodes.iter().zip(&snapshot.nodes) {
            let sum: u64 =
                outputs(&snapshot).iter().filter(|way| way.processor == shape.id).map(|way| way.records).sum();
            assert!(sum == 0 || sum == node.records_in, "{}", shape.id);
        }
    }
}
