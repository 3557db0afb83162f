//! The proof that nothing was lost and nothing counted twice.

use crate::{
    graph::{Graph, GraphNode},
    snapshot::{Ledger, LedgerNode, Node, RunState},
};

/// What a block from `start` to `end` adds to the sum over its source's blocks.
///
/// If blocks tile a source, every inner boundary is the end of one and the start of another, and the sum comes to
/// `tile(0, size)` in whatever order they are added; a gap or an overlap leaves two hashes that nothing cancels. So one
/// number a source proves it, where a list of blocks would grow with the input.
pub(crate) fn tile(start: u64, end: u64) -> u64 {
    hash(start).wrapping_sub(hash(end))
}

/// The finaliser of SplitMix64 (Steele, Lea, Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014).
fn hash(position: u64) -> u64 {
    let mixed = position.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ mixed >> 31
}

/// What the sources come to, summed up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct SourceTotals {
    /// Bytes of finished sources that were read.
    pub(crate) bytes_covered: u64,
    /// Bytes that finished sources had.
    pub(crate) bytes_expected: u64,
    /// Sources read to the end.
    pub(crate) complete: u64,
    /// Sources that were not.
    pub(crate) incomplete: u64,
    /// Finished sources whose blocks do not tile them.
    pub(crate) untiled: u64,
    /// Records of all sources.
    pub(crate) records: u64,
}

/// Draws up the ledger.
pub(crate) fn draw_up(
    graph: &Graph,
    nodes: &[Node],
    sources: &SourceTotals,
    records_split: u64,
    state: RunState,
) -> Ledger {
    let lines: Vec<LedgerNode> = graph.nodes.iter().zip(nodes).map(|(shape, node)| line(shape, node)).collect();
    let records_entered = nodes.first().map_or(0, |node| node.records_in);
    let mut problems = Vec::new();
    for (node, line) in graph.nodes.iter().zip(&lines).filter(|(_, line)| !line.is_balanced()) {
        problems.push(format!(
            "{}: {} in, but {} out, {} dropped and {} failed",
            node.id, line.records_in, line.out, line.dropped, line.failed
        ));
    }
    if sources.untiled > 0 {
        problems.push(format!("the blocks of {} sources do not tile them", sources.untiled));
    }
    if records_split != records_entered {
        problems.push(format!("{records_split} records were split off, but {records_entered} entered the pipeline"));
    }
    // While a run goes on, sources are known to the last hand-over only, the counters up to now.
    if state.is_over() && sources.records != records_split {
        problems.push(format!("the sources had {} records, but {records_split} were split off", sources.records));
    }
    problems.extend(edge_problems(graph, nodes));
    Ledger {
        balanced: problems.is_empty(),
        nodes: lines,
        sources_tiled: sources.untiled == 0,
        bytes_covered: sources.bytes_covered,
        bytes_expected: sources.bytes_expected,
        sources_complete: sources.complete,
        sources_incomplete: sources.incomplete,
        records_split,
        records_entered,
        problems,
    }
}

fn line(shape: &GraphNode, node: &Node) -> LedgerNode {
    // What stands on an output that is dropped is among the dropped.
    let outputs = shape.dropped_as.iter().zip(&node.outputs).filter(|(dropped_as, _)| dropped_as.is_none());
    let out = outputs.map(|(_, output)| output.records).sum();
    LedgerNode { records_in: node.records_in, out, dropped: node.dropped, failed: node.failed }
}

/// Every arrival on an edge is a record that entered, or one that met another.
fn edge_problems<'a>(graph: &'a Graph, nodes: &'a [Node]) -> impl Iterator<Item = String> + 'a {
    let mut arrivals = vec![0; nodes.len()];
    for edge in &graph.edges {
        arrivals[edge.to] += edge.records(nodes);
    }
    arrivals.into_iter().enumerate().skip(1).filter_map(|(number, arrived)| {
        let node = &nodes[number];
        let entered = node.records_in + node.merged;
        (arrived != entered)
            .then(|| format!("{}: {arrived} records were sent, but {entered} arrived", graph.nodes[number].id))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn tiles_add_up_in_any_order_and_gaps_do_not(mut cuts in prop::collection::btree_set(1u64..1_000_000, 1..40), lost in any::<prop::sample::Index>()) {
            cuts.insert(0);
            let cuts: Vec<u64> = cuts.into_iter().collect();
            let tiles: Vec<u64> = cuts.windows(2).map(|pair| tile(pair[0], pair[1])).collect();
            let whole = tile(0, cuts[cuts.len() - 1]);
            let sum = |tiles: &[u64]| tiles.iter().rev().fold(0u64, |sum, &tile| sum.wrapping_add(tile));
            prop_assert_eq!(sum(&tiles), whole);
            let mut gap = tiles.clone();
            gap.remove(lost.index(tiles.len()));
            prop_assert_ne!(sum(&gap), whole);
            let mut twice = tiles.clone();
            twice.push(tiles[lost.index(tiles.len())]);
            prop_assert_ne!(sum(&twice), whole);
        }
    }
}
