//! The approximation by neighbours: the minimum spanning forest of the graph that joins every point to its nearest ones.
//!
//! Cells sort their own edges first: an edge that is the longest of a cycle in a cell's part of the graph is the longest
//! of that cycle in the whole graph, so no spanning forest needs it. What is left goes to the driver, which unites it, and
//! the components that remain are joined by their shortest edges ([`joining`](super::joining)).

use super::condensed_tree::{Edge, sort_edges};
use super::union_find::UnionFind;

/// An edge of a cell's part of the graph, points numbered by the caller.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GraphEdge {
    /// Squared mutual reachability distance.
    pub squared_reach: f64,
    /// The ends.
    pub a: u32,
    /// See above.
    pub b: u32,
}

/// The edges of a minimum spanning forest of `edges` over `n` points, ascending. 4 bytes a point.
#[must_use]
pub fn spanning_forest(n: usize, mut edges: Vec<GraphEdge>) -> Vec<GraphEdge> {
    edges.sort_unstable_by(|x, y| x.squared_reach.total_cmp(&y.squared_reach).then((x.a, x.b).cmp(&(y.a, y.b))));
    let mut sets = UnionFind::new(n);
    edges.retain(|edge| sets.unite(edge.a, edge.b));
    edges
}

/// The components that edges make of points.
#[derive(Debug, Clone, PartialEq)]
pub struct Components {
    /// Component of each point, numbered from 0 in the order of their first points.
    pub of: Vec<u32>,
    /// Number of components.
    pub count: u32,
}

/// The components of `n` points under pairs of them. 8 bytes a point.
#[must_use]
pub fn components(n: usize, pairs: impl Iterator<Item = (u32, u32)>) -> Components {
    let mut sets = UnionFind::new(n);
    pairs.for_each(|(a, b)| {
        sets.unite(a, b);
    });
    numbered(n, &mut sets)
}

fn numbered(n: usize, sets: &mut UnionFind) -> Components {
    let mut of = vec![u32::MAX; n];
    let mut count = 0;
    for i in 0..n as u32 {
        // A set is named by its first point.
        let name = sets.find(i);
        of[i as usize] = if name == i {
            count += 1;
            count - 1
        } else {
            of[name as usize]
        };
    }
    Components { of, count }
}

/// Unites what the cells left: the spanning forest of the whole graph over `n` points, and its components. The edges
/// come back sorted. 8 bytes a point beside them.
#[must_use]
pub fn unite(n: usize, mut edges: Vec<Edge>) -> (Vec<Edge>, Components) {
    sort_edges(&mut edges);
    let mut sets = UnionFind::new(n);
    edges.retain(|edge| sets.unite(edge.a, edge.b));
    edges.shrink_to_fit();
    let components = numbered(n, &mut sets);
    (edges, components)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hashing::mix;
    use proptest::prelude::*;

    proptest! {
        /// The forest over cells is the forest of the whole.
        #[test]
        fn cells_lose_nothing(seed in any::<u64>(), n in 2u32..60, m in 0u64..300, cells in 1u32..5) {
            let edge = |i: u64| {
                let (a, b) = (mix(seed ^ i) % u64::from(n), mix(seed ^ i ^ (1 << 40)) % u64::from(n));
                GraphEdge { squared_reach: (mix(i ^ seed) % 50) as f64, a: a as u32, b: b as u32 }
            };
            let edges: Vec<GraphEdge> = (0..m).map(edge).filter(|edge| edge.a != edge.b).collect();
            let whole = spanning_forest(n as usize, edges.clone());
            let left: Vec<Edge> = (0..cells)
                .flat_map(|cell| {
                    spanning_forest(n as usize, edges.iter().filter(|edge| edge.a % cells == cell).copied().collect())
                })
                .map(|edge| Edge { distance: edge.squared_reach.sqrt(), a: edge.a, b: edge.b })
                .collect();
            let (united, found) = unite(n as usize, left);
            let weight: f64 = whole.iter().map(|edge| edge.squared_reach.sqrt()).sum();
            prop_assert!((united.iter().map(|edge| edge.distance).sum::<f64>() - weight).abs() < 1e-9);
            prop_assert_eq!(found.count as usize, n as usize - whole.len());
            prop_assert_eq!(found, components(n as usize, whole.iter().map(|edge| (edge.a, edge.b))));
        }
    }
}
