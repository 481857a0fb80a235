//! The minimum spanning tree of the mutual-reachability graph of the points of one tree.
//!
//! Boruvka's rounds: every component looks for the nearest point outside of it, and all of these edges join the tree. A
//! search skips nodes that lie wholly in the component and nodes that are further away than the best edge its component
//! has so far. Each point remembers for later rounds what it has found, or that there is nothing to find (March, Ram
//! and Gray, KDD 2010; Gagolewski 2025). Edges are compared by (distance, Euclidean distance, ids), a strict order, so
//! there is one tree for any order of the points and any number of threads. That matters because mutual reachability
//! distances are often equal: every edge that is no longer than the core distance of its end has exactly that length.

use std::sync::atomic::{AtomicU64, Ordering};

use super::core_distances::{Neighborhoods, chunks_of_leaves};
use super::outside::{LabelledTree, MIXED, NONE, Nearest, Queries, label_nodes, ordered};
use super::union_find::UnionFind;
use crate::parallel::{for_each_chunk, split_mut};
use crate::spatial_tree::{LEAF, SpatialTree};

/// An edge between two points of a tree, given in tree order.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TreeEdge {
    /// Squared mutual reachability distance.
    pub squared_reach: f64,
    /// Squared Euclidean distance.
    pub squared_distance: f64,
    /// One end.
    pub a: u32,
    /// The other.
    pub b: u32,
}

/// The `n - 1` edges of the minimum spanning tree under `max(core a, core b, d(a, b))`, in no particular order.
///
/// `ids` are distinct and decide between edges that are equal otherwise. `threads` work on it; the result does not depend
/// on their number. Memory: 40 bytes a point.
#[must_use]
pub fn spanning_tree<const D: usize>(
    tree: &SpatialTree<D>,
    neighborhoods: &Neighborhoods,
    ids: &[u64],
    threads: usize,
) -> Vec<TreeEdge> {
    let mut boruvka = Boruvka::new(tree, neighborhoods, ids, threads);
    while boruvka.edges.len() + 1 < tree.len() {
        boruvka.round();
    }
    boruvka.edges
}

/// What a point knows of the world outside its component.
#[derive(Debug, Clone, Copy)]
struct Outlook {
    /// With a `target`: the squared reach of the edge to it, the least of all edges out of the component. Without: no
    /// edge out of the component has a squared reach of this or less.
    squared_reach: f64,
    target: u32,
}

struct Boruvka<'a, const D: usize> {
    tree: &'a SpatialTree<D>,
    core: &'a [f64],
    neighborhoods: &'a Neighborhoods,
    ids: &'a [u64],
    threads: usize,
    components: UnionFind,
    /// Component of each point.
    component: Vec<u32>,
    /// Component of each node, or [`MIXED`].
    node_component: Vec<u32>,
    outlook: Vec<Outlook>,
    /// For each component, the bits of the least squared reach of an edge out of it. Bits of floats of at least 0 sort
    /// as the floats do.
    bound: Vec<AtomicU64>,
    edges: Vec<TreeEdge>,
}

impl<'a, const D: usize> Boruvka<'a, D> {
    fn new(tree: &'a SpatialTree<D>, neighborhoods: &'a Neighborhoods, ids: &'a [u64], threads: usize) -> Self {
        let n = tree.len();
        Self {
            tree,
            core: &neighborhoods.squared_core,
            neighborhoods,
            ids,
            threads,
            components: UnionFind::new(n),
            component: (0..n as u32).collect(),
            node_component: vec![MIXED; tree.nodes()],
            outlook: vec![Outlook { squared_reach: -1.0, target: NONE }; n],
            bound: (0..n).map(|_| AtomicU64::new(f64::INFINITY.to_bits())).collect(),
            edges: Vec::with_capacity(n.saturating_sub(1)),
        }
    }

    fn round(&mut self) {
        self.look_around();
        self.search();
        self.join();
    }

    /// Finds what needs no search: the edges found before, and the neighbours within the core distance.
    fn look_around(&mut self) {
        let chunks = chunks_of_leaves(self.tree.leaves());
        let outlooks = split_mut(&mut self.outlook, chunks.iter().map(|leaves| self.tree.points_of(leaves).len()));
        let work: Vec<_> = chunks.iter().cloned().zip(outlooks).collect();
        let (component, bound, core) = (&self.component, &self.bound, self.core);
        let (neighborhoods, ids, tree) = (self.neighborhoods, self.ids, self.tree);
        for_each_chunk(work, self.threads, |(leaves, outlooks)| {
            for (i, outlook) in tree.points_of(&leaves).zip(outlooks) {
                let own = component[i];
                if outlook.target != NONE && component[outlook.target as usize] == own {
                    outlook.target = NONE;
                    // Nothing is nearer than the point that has just been swallowed, but something may be equally near.
                    outlook.squared_reach = outlook.squared_reach.next_down();
                }
                if outlook.target == NONE
                    && outlook.squared_reach < core[i]
                    && let Some(target) = near_neighbor(tree, neighborhoods, ids, component, i)
                {
                    *outlook = Outlook { squared_reach: core[i], target };
                }
                if outlook.target != NONE {
                    bound[own as usize].fetch_min(outlook.squared_reach.to_bits(), Ordering::Relaxed);
                }
            }
        });
    }

    fn search(&mut self) {
        let chunks = chunks_of_leaves(self.tree.leaves());
        let outlooks = split_mut(&mut self.outlook, chunks.iter().map(|leaves| self.tree.points_of(leaves).len()));
        let work: Vec<_> = chunks.iter().cloned().zip(outlooks).collect();
        let labelled = LabelledTree {
            tree: self.tree,
            squared_core: self.core,
            ids: self.ids,
            component: &self.component,
            node_component: &self.node_component,
        };
        let bounds = &self.bound;
        for_each_chunk(work, self.threads, |(leaves, outlooks)| {
            let mut queries = Queries::new(labelled);
            let start = self.tree.points_of(&leaves).start;
            for leaf in leaves {
                let mut waiting = self.tree.points_of(&(leaf..leaf + 1));
                let first = waiting.start;
                // A leaf may hold several components: each takes its turn, starting from its first point.
                let mut done = [false; LEAF];
                while let Some(i) = waiting.next() {
                    if done[i - first] {
                        continue;
                    }
                    let own = labelled.component[i];
                    let bound = &bounds[own as usize];
                    let limit = f64::from_bits(bound.load(Ordering::Relaxed));
                    queries.start(own, Nearest::within(limit));
                    for j in i..waiting.end {
                        if labelled.component[j] != own {
                            continue;
                        }
                        done[j - first] = true;
                        let outlook = outlooks[j - start];
                        if outlook.target == NONE && outlook.squared_reach < limit && labelled.squared_core[j] <= limit
                        {
                            queries.push(labelled, j);
                        }
                    }
                    if queries.places().is_empty() {
                        continue;
                    }
                    queries.run();
                    let Nearest { squared_reach, target, .. } = queries.best;
                    // Other points have no shorter edge, but may have an equally short one.
                    let others = if target == NONE { squared_reach } else { squared_reach.next_down() };
                    for place in queries.places() {
                        outlooks[*place as usize - start] = Outlook { squared_reach: others, target: NONE };
                    }
                    if target != NONE {
                        outlooks[queries.from as usize - start] = Outlook { squared_reach, target };
                        bound.fetch_min(squared_reach.to_bits(), Ordering::Relaxed);
                    }
                }
            }
        });
    }

    /// Adds the best edge of every component.
    fn join(&mut self) {
        let n = self.tree.len();
        let mut best = vec![NONE; n];
        for i in 0..n {
            let outlook = self.outlook[i];
            if outlook.target == NONE {
                continue;
            }
            let own = self.component[i] as usize;
            if outlook.squared_reach.to_bits() != self.bound[own].load(Ordering::Relaxed) {
                continue;
            }
            if best[own] == NONE || self.is_before(i as u32, best[own]) {
                best[own] = i as u32;
            }
        }
        for i in best.into_iter().filter(|i| *i != NONE) {
            let Outlook { squared_reach, target } = self.outlook[i as usize];
            if self.components.unite(i, target) {
                let squared_distance = self.tree.squared_distance(i as usize, target as usize);
                self.edges.push(TreeEdge { squared_reach, squared_distance, a: i, b: target });
            }
        }
        for (i, component) in self.component.iter_mut().enumerate() {
            *component = self.components.find(i as u32);
        }
        for bound in &mut self.bound {
            *bound.get_mut() = f64::INFINITY.to_bits();
        }
        self.node_component = label_nodes(self.tree, &self.component);
    }

    /// Whether the edge of point `a` comes before that of point `b`; both have the same reach.
    fn is_before(&self, a: u32, b: u32) -> bool {
        let key = |i: u32| {
            let target = self.outlook[i as usize].target;
            let (low, high) = ordered(self.ids[i as usize], self.ids[target as usize]);
            (self.tree.squared_distance(i as usize, target as usize), low, high)
        };
        key(a) < key(b)
    }
}

/// The nearest neighbour outside the component within the core distance, where no neighbour at just that distance could
/// come before it: the edge to it weighs the core distance, the least there is.
fn near_neighbor<const D: usize>(
    tree: &SpatialTree<D>,
    neighborhoods: &Neighborhoods,
    ids: &[u64],
    component: &[u32],
    i: usize,
) -> Option<u32> {
    let core = neighborhoods.squared_core[i];
    let list = &neighborhoods.neighbors[i * neighborhoods.kept..(i + 1) * neighborhoods.kept];
    // Beyond the last one that was kept there may be others at the same distance.
    let limit = match list.last() {
        Some(&last) if last != NONE => core.min(tree.squared_distance(i, last as usize)),
        _ => core,
    };
    let mut best: Option<(f64, u64, u64, u32)> = None;
    for &j in list {
        if j == NONE {
            break;
        }
        if component[j as usize] == component[i] || neighborhoods.squared_core[j as usize] > core {
            continue;
        }
        let distance = tree.squared_distance(i, j as usize);
        if distance >= limit || best.is_some_and(|best| distance > best.0) {
            break;
        }
        let (low, high) = ordered(ids[i], ids[j as usize]);
        if best.is_none_or(|best| (low, high) < (best.1, best.2)) {
            best = Some((distance, low, high, j));
        }
    }
    best.map(|best| best.3)
}

#[cfg(test)]
mod tests {
    use super::super::core_distances::{CoreSearch, core_distances};
    use super::*;
    use crate::hashing::mix;
    use crate::rows::{Rows, matrix};
    use ndarray::Array2;
    use proptest::prelude::*;

    /// An edge as (reach, distance, ids).
    type Key = (f64, f64, u64, u64);

    /// Core distances and tree by looking at every pair: the tree as (reach, distance, ids) in order.
    fn by_brute_force(points: &Array2<f64>, weights: &[u32], ids: &[u64], min_samples: u64) -> (Vec<f64>, Vec<Key>) {
        let n = points.nrows();
        let distance = |a: usize, b: usize| crate::rows::squared_distance(points.row_slice(a), points.row_slice(b));
        let core: Vec<f64> = (0..n)
            .map(|i| {
                let mut others: Vec<(f64, u32)> = (0..n).map(|j| (distance(i, j), weights[j])).collect();
                others.sort_by(|a, b| a.0.total_cmp(&b.0));
                let mut sum = 0;
                let reached = others.iter().find(|(_, weight)| {
                    sum += u64::from(*weight);
                    sum >= min_samples
                });
                reached.map_or(f64::INFINITY, |(distance, _)| *distance)
            })
            .collect();
        let mut edges = Vec::new();
        for a in 0..n {
            for b in 0..a {
                let (low, high) = ordered(ids[a], ids[b]);
                edges.push((distance(a, b).max(core[a]).max(core[b]), distance(a, b), low, high, a as u32, b as u32));
            }
        }
        edges.sort_by(|x, y| x.partial_cmp(y).unwrap());
        let mut components = UnionFind::new(n);
        edges.retain(|edge| components.unite(edge.4, edge.5));
        (core, edges.into_iter().map(|e| (e.0, e.1, e.2, e.3)).collect())
    }

    fn points(seed: u64, n: usize, spread: u64) -> (Array2<f64>, Vec<u64>) {
        // A lattice with few places makes ties the rule; a wide one makes them rare. No two points are equal.
        let mut rows: Vec<[u64; 3]> =
            (0..n as u64).map(|i| [0, 1, 2].map(|j| mix(seed ^ (3 * i + j)) % spread)).collect();
        rows.sort_unstable();
        rows.dedup();
        let ids = (0..rows.len() as u64).map(|i| mix(i ^ seed)).collect();
        (matrix(rows.iter().flatten().map(|v| *v as f64 * 0.37).collect(), 3), ids)
    }

    proptest! {
        #[test]
        fn equals_brute_force(
            seed in any::<u64>(), n in 2usize..150, spread in prop::sample::select(vec![6u64, 40, 1 << 40]),
            min_samples in 1usize..25, weighted in any::<bool>(), threads in 1usize..3,
        ) {
            let (points, ids) = points(seed, n, spread);
            let weights: Vec<u32> = (0..points.nrows() as u64).map(|i| if weighted { 1 + (mix(i) % 4) as u32 } else { 1 }).collect();
            let (core, edges) = by_brute_force(&points, &weights, &ids, min_samples as u64);
            let (tree, order) = SpatialTree::<3>::build(&points, threads);
            let in_order = |i: &u32| *i as usize;
            let tree_weights: Vec<u32> = order.iter().map(|i| weights[in_order(i)]).collect();
            let tree_ids: Vec<u64> = order.iter().map(|i| ids[in_order(i)]).collect();
            let found = core_distances(&tree, weighted.then_some(&tree_weights[..]), min_samples, threads);
            for (i, core_distance) in order.iter().zip(&found.squared_core) {
                prop_assert_eq!(*core_distance, core[in_order(i)]);
            }
            let mut spanning: Vec<Key> = spanning_tree(&tree, &found, &tree_ids, threads)
                .iter()
                .map(|edge| {
                    let (low, high) = ordered(tree_ids[edge.a as usize], tree_ids[edge.b as usize]);
                    (edge.squared_reach, edge.squared_distance, low, high)
                })
                .collect();
            spanning.sort_by(|a, b| a.partial_cmp(b).unwrap());
            prop_assert_eq!(spanning, edges);
        }

        #[test]
        fn core_distances_over_several_trees(
            seed in any::<u64>(), n in 2usize..300, cells in 1usize..6, min_samples in 1usize..12,
        ) {
            let (points, ids) = points(seed, n, 30);
            let n = points.nrows();
            let (core, _) = by_brute_force(&points, &vec![1; n], &ids, min_samples as u64);
            let mut members: Vec<Vec<usize>> = vec![vec![]; cells];
            (0..n).for_each(|i| members[i * cells / n].push(i));
            let trees: Vec<_> = members
                .iter()
                .map(|rows| {
                    let rows: Vec<f64> = rows.iter().flat_map(|i| points.row_slice(*i).to_vec()).collect();
                    SpatialTree::<3>::build(&matrix(rows, 3), 1)
                })
                .collect();
            for c in 0..cells {
                let others: Vec<_> = (0..cells).filter(|o| *o != c).map(|o| trees[o].0.bounds()).collect();
                let mut search = CoreSearch::new(&trees[c].0, None, min_samples, Some(&others), 1);
                for o in (0..cells).filter(|o| *o != c) {
                    if search.reaches(&trees[o].0.bounds()) {
                        search.extend(&trees[o].0, None);
                    }
                }
                let found = search.finish();
                for (row, core_distance) in trees[c].1.iter().zip(&found.squared_core) {
                    prop_assert_eq!(*core_distance, core[members[c][*row as usize]]);
                }
            }
        }
    }
}
