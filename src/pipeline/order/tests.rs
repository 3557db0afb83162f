//! The order against a naive search for cycles.

use proptest::prelude::*;

use super::{reachable, topological};

/// True if some way from `node` comes back to a node of `path`.
fn comes_round(successors: &[Vec<usize>], node: usize, path: &mut Vec<usize>) -> bool {
    if path.contains(&node) {
        return true;
    }
    path.push(node);
    let found = successors[node].iter().any(|&next| comes_round(successors, next, path));
    path.pop();
    found
}

fn graph() -> impl Strategy<Value = Vec<Vec<usize>>> {
    (1_usize..9).prop_flat_map(|count| {
        let successors = prop::collection::btree_set(0..count, 0..3).prop_map(Vec::from_iter);
        prop::collection::vec(successors, count)
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2_000) })]

    #[test]
    fn orders_what_has_no_cycle_and_else_shows_the_cycle(graph in graph()) {
        let has_cycle = (0..graph.len()).any(|node| comes_round(&graph, node, &mut Vec::new()));
        match topological(&graph) {
            Ok(order) => {
                prop_assert!(!has_cycle);
                check_order(&graph, &order);
            }
            Err(cycle) => {
                prop_assert!(has_cycle);
                check_cycle(&graph, &cycle);
            }
        }
    }

    #[test]
    fn reaches_what_a_walk_reaches(graph in graph()) {
        let mut reached = vec![false; graph.len()];
        reached[0] = true;
        for _ in 0..graph.len() {
            for (node, next) in graph.iter().enumerate() {
                if reached[node] {
                    next.iter().for_each(|&next| reached[next] = true);
                }
            }
        }
        prop_assert_eq!(reachable(&graph), reached);
    }
}

fn check_order(graph: &[Vec<usize>], order: &[usize]) {
    let mut sorted = order.to_vec();
    sorted.sort_unstable();
    assert_eq!(sorted, Vec::from_iter(0..graph.len()));
    let place = |node: usize| order.iter().position(|&other| other == node);
    for (node, next) in graph.iter().enumerate() {
        assert!(next.iter().all(|&next| place(node) < place(next)), "{graph:?} {order:?}");
    }
}

fn check_cycle(graph: &[Vec<usize>], cycle: &[usize]) {
    assert!(!cycle.is_empty());
    for (index, node) in cycle.iter().enumerate() {
        assert!(graph[*node].contains(&cycle[(index + 1) % cycle.len()]), "{graph:?} {cycle:?}");
        assert!(!cycle[..index].contains(node), "{graph:?} {cycle:?}");
    }
    assert_eq!(cycle.iter().min(), cycle.first());
}

#[test]
fn keeps_to_the_given_order_where_it_may() {
    assert_eq!(topological(&[vec![3, 2, 1], vec![], vec![1], vec![2]]), Ok(vec![0, 3, 2, 1]));
    assert_eq!(topological(&[vec![], vec![], vec![]]), Ok(vec![0, 1, 2]));
    assert_eq!(topological(&[]), Ok(vec![]));
    assert_eq!(reachable(&[]), Vec::<bool>::new());
}
