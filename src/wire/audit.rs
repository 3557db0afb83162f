//! `/api/v1/audit`: the ledger, line by line, so that a reader can add it up himself.

use serde::Serialize;

use crate::Snapshot;

/// The ledger.
pub(crate) fn audit(snapshot: &Snapshot) -> impl Serialize + '_ {
    let ledger = &snapshot.ledger;
    AuditView {
        balanced: ledger.balanced,
        problems: &ledger.problems,
        nodes: nodes(snapshot),
        sources: SourcesView {
            tiled: ledger.sources_tiled,
            bytes_covered: ledger.bytes_covered,
            bytes_expected: ledger.bytes_expected,
            complete: ledger.sources_complete,
            incomplete: ledger.sources_incomplete,
        },
        lines: LinesView { split: ledger.records_split, entered: ledger.records_entered },
    }
}

fn nodes(snapshot: &Snapshot) -> Vec<NodeView<'_>> {
    let pairs = snapshot.graph.nodes.iter().zip(&snapshot.ledger.nodes);
    pairs
        .map(|(shown, line)| NodeView {
            id: &shown.id,
            lines_in: line.records_in,
            out: line.out,
            dropped: line.dropped,
            failed: line.failed,
            balanced: line.is_balanced(),
        })
        .collect()
}

#[derive(Serialize)]
struct AuditView<'a> {
    balanced: bool,
    /// What does not balance, in words.
    problems: &'a [String],
    nodes: Vec<NodeView<'a>>,
    sources: SourcesView,
    lines: LinesView,
}

/// In = out + dropped + failed.
#[derive(Serialize)]
struct NodeView<'a> {
    id: &'a str,
    lines_in: u64,
    out: u64,
    dropped: u64,
    failed: u64,
    balanced: bool,
}

/// The blocks of every finished source tile it without gap or overlap.
#[derive(Serialize)]
struct SourcesView {
    tiled: bool,
    bytes_covered: u64,
    bytes_expected: u64,
    complete: u64,
    incomplete: u64,
}

/// Every line that was found entered the pipeline.
#[derive(Serialize)]
struct LinesView {
    split: u64,
    entered: u64,
}
