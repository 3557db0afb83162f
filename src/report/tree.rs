//! The graph as a tree, for tables: each node once, below the node that all ways to it pass through.
//!
//! That node is its immediate dominator. A node with one parent stands below it; one where ways meet stands below the
//! node where they parted, beside them.

use crate::graph::{Edge, Graph, Port};

/// One row of the tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    /// Number of the node.
    pub(super) node: usize,
    /// The lines that lead to it.
    pub(super) prefix: String,
    /// On which outputs it is reached, where its place in the tree does not say so.
    pub(super) via: Vec<String>,
}

/// All nodes of `graph`, in the order in which they are shown.
pub(super) fn rows(graph: &Graph) -> Vec<Row> {
    let parents = dominators(graph);
    let mut children = vec![Vec::new(); graph.nodes.len()];
    for (node, parent) in parents.iter().enumerate() {
        if let Some(parent) = parent {
            children[*parent].push(node);
        }
    }
    let mut rows = Vec::with_capacity(graph.nodes.len());
    for root in (0..graph.nodes.len()).filter(|&node| parents[node].is_none()) {
        descend(graph, &children, root, [String::new(), String::new()], &mut rows);
    }
    rows
}

/// The node that all ways to a node pass through last; `None` for the entry. Nodes are in topological order, so one
/// pass is enough.
fn dominators(graph: &Graph) -> Vec<Option<usize>> {
    let mut dominators: Vec<Option<usize>> = vec![None; graph.nodes.len()];
    for node in 0..graph.nodes.len() {
        let mut sources = edges_to(graph, node).map(|edge| edge.from).filter(|&from| from < node);
        dominators[node] =
            sources.next().and_then(|first| sources.try_fold(first, |common, from| meet(&dominators, common, from)));
    }
    dominators
}

fn meet(dominators: &[Option<usize>], mut left: usize, mut right: usize) -> Option<usize> {
    while left != right {
        if left > right {
            left = dominators[left]?;
        } else {
            right = dominators[right]?;
        }
    }
    Some(left)
}

fn edges_to(graph: &Graph, node: usize) -> impl Iterator<Item = &Edge> {
    graph.edges.iter().filter(move |edge| edge.to == node)
}

/// `lead` is what stands before the node itself, and before what is below it.
fn descend(graph: &Graph, children: &[Vec<usize>], node: usize, lead: [String; 2], rows: &mut Vec<Row>) {
    let [prefix, below] = lead;
    rows.push(Row { node, prefix, via: via(graph, node) });
    let Some((&last, others)) = children[node].split_last() else { return };
    if others.is_empty() {
        // A plain sequence goes straight down.
        return descend(graph, children, last, [below.clone(), below], rows);
    }
    for &child in others {
        descend(graph, children, child, [format!("{below}├─ "), format!("{below}│  ")], rows);
    }
    descend(graph, children, last, [format!("{below}└─ "), format!("{below}   ")], rows);
}

/// The outputs that lead to `node`, as they are written in a configuration; none if there is nothing to say.
fn via(graph: &Graph, node: usize) -> Vec<String> {
    let edges: Vec<_> = edges_to(graph, node).collect();
    match edges[..] {
        [edge] => {
            port_name(graph, edge).filter(|name| *name != graph.nodes[node].id).map(str::to_owned).into_iter().collect()
        }
        _ => edges
            .iter()
            .map(|edge| {
                let from = &graph.nodes[edge.from].id;
                port_name(graph, edge).map_or(from.clone(), |name| format!("{from}.{name}"))
            })
            .collect(),
    }
}

/// The name of the output that an edge leaves on; `None` where there is only one.
fn port_name<'a>(graph: &'a Graph, edge: &Edge) -> Option<&'a str> {
    let outputs = &graph.nodes[edge.from].outputs;
    match edge.output {
        Port::Failed => Some("failed"),
        Port::Output(_) if outputs.len() < 2 => None,
        Port::Output(number) => outputs.get(number).map(String::as_str),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::GraphNode;

    fn graph(nodes: &[(&str, &[&str])], edges: &[(usize, usize, usize)]) -> Graph {
        let node = |&(id, outputs): &(&str, &[&str])| GraphNode {
            id: id.to_owned(),
            outputs: outputs.iter().map(ToString::to_string).collect(),
            ..GraphNode::default()
        };
        let edge = |&(from, output, to): &(usize, usize, usize)| Edge { from, output: Port::Output(output), to };
        Graph { nodes: nodes.iter().map(node).collect(), edges: edges.iter().map(edge).collect(), sinks: Vec::new() }
    }

    fn drawn(graph: &Graph) -> Vec<String> {
        let draw = |row: Row| format!("{}{} {}", row.prefix, graph.nodes[row.node].id, row.via.join(", "));
        rows(graph).into_iter().map(draw).map(|line| line.trim_end().to_owned()).collect()
    }

    #[test]
    fn branches_show_their_outputs() {
        let outputs = ["error", "warn", "other"];
        let graph = graph(
            &[("start", &outputs), ("error", &["out"]), ("warn", &["out"]), ("general", &["out"])],
            &[(0, 0, 1), (0, 1, 2), (0, 2, 3)],
        );
        assert_eq!(drawn(&graph), ["start", "├─ error", "├─ warn", "└─ general other"]);
    }

    #[test]
    fn sequences_go_straight_down() {
        let one = ["out"];
        let graph = graph(&[("a", &one), ("b", &one), ("c", &one)], &[(0, 0, 1), (1, 0, 2)]);
        assert_eq!(drawn(&graph), ["a", "b", "c"]);
    }

    #[test]
    fn where_ways_meet_stands_beside_them() {
        let (one, two) = (["out"], ["match", "rest"]);
        let graph = graph(
            &[("split", &two), ("left", &one), ("right", &two), ("deep", &one), ("join", &one), ("end", &one)],
            &[(0, 0, 1), (0, 1, 2), (2, 0, 3), (1, 0, 4), (3, 0, 4), (2, 1, 4), (4, 0, 5)],
        );
        assert_eq!(
            drawn(&graph),
            ["split", "├─ left match", "├─ right rest", "│  deep match", "└─ join left, deep, right.rest", "   end",]
        );
    }

    #[test]
    fn an_empty_graph_has_no_rows() {
        assert_eq!(rows(&Graph::default()), []);
    }
}
