//! The graph as mere numbers: what can be reached, in which order to run it, and the cycle that forbids one.

use std::{cmp::Reverse, collections::BinaryHeap};

/// Which nodes can be reached from node 0.
pub(super) fn reachable(successors: &[Vec<usize>]) -> Vec<bool> {
    let mut seen = vec![false; successors.len()];
    let mut open = Vec::from_iter((!successors.is_empty()).then_some(0));
    while let Some(node) = open.pop() {
        if !std::mem::replace(&mut seen[node], true) {
            open.extend(successors[node].iter().filter(|&&next| !seen[next]));
        }
    }
    seen
}

/// A topological order (Kahn's) that keeps to the given order wherever it may, or else a cycle.
pub(super) fn topological(successors: &[Vec<usize>]) -> Result<Vec<usize>, Vec<usize>> {
    let mut waiting = vec![0_usize; successors.len()];
    for &next in successors.iter().flatten() {
        waiting[next] += 1;
    }
    let mut ready: BinaryHeap<Reverse<usize>> =
        (0..successors.len()).filter(|&node| waiting[node] == 0).map(Reverse).collect();
    let mut order = Vec::with_capacity(successors.len());
    while let Some(Reverse(node)) = ready.pop() {
        order.push(node);
        for &next in &successors[node] {
            waiting[next] -= 1;
            if waiting[next] == 0 {
                ready.push(Reverse(next));
            }
        }
    }
    if order.len() == successors.len() { Ok(order) } else { Err(cycle(successors, &waiting)) }
}

/// A cycle among the nodes that are still waiting, starting at its first node in the given order.
fn cycle(successors: &[Vec<usize>], waiting: &[usize]) -> Vec<usize> {
    // What waits has a predecessor that waits, so that going backwards never ends and must come round.
    let mut before = vec![None; successors.len()];
    for (node, next) in successors.iter().enumerate().filter(|&(node, _)| waiting[node] > 0) {
        for &next in next.iter().filter(|&&next| waiting[next] > 0) {
            before[next].get_or_insert(node);
        }
    }
    let mut path: Vec<usize> = Vec::new();
    let mut node = waiting.iter().position(|&count| count > 0);
    while let Some(current) = node {
        if let Some(start) = path.iter().position(|&seen| seen == current) {
            path.drain(..start);
            break;
        }
        path.push(current);
        node = before[current];
    }
    path.reverse();
    if let Some(first) = (0..path.len()).min_by_key(|&index| path[index]) {
        path.rotate_left(first);
    }
    path
}

#[cfg(test)]
mod tests;
