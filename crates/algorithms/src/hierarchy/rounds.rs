//! Ward's linkage of many points in few columns: in each round, all pairs of clusters that are each other's nearest
//! merge.
//!
//! ```text
//!   round    kd-tree over the centroids ──▶ the nearest of those that lost theirs ──▶ merge what is mutual
//!   10 %, 1 %, … of the points are left ──▶ the nearest-neighbour chain
//! ```
//!
//! Ward's linkage is reducible. So mutual pairs may merge in any order, and a cluster whose nearest did not merge keeps
//! it, because no merged cluster can be nearer. A search skips nodes that are too far away even for their lightest
//! cluster. This is as exact as the chain. References: Murtagh, The Computer Journal 1983; Yu, Wang, Gu, Dhulipala and
//! Shun, "ParChain", PVLDB 2021.

use crate::rows::{Rows, matrix};
use ndarray::Array2;
use std::borrow::Cow;

use pulp::Arch;

use super::points::{Pair, WeightedPoints};
use crate::hashing::combine;
use crate::spatial_tree::{LANES, Node, SpatialTree};
use crate::with_dimensions;

/// Largest number of columns for which boxes tell what is near.
pub(super) const MOST_COLUMNS: usize = 6;
/// With this few clusters or fewer, the chain is faster.
const LEAST_CLUSTERS: usize = 2_000;
/// A round has to merge at least one cluster in this many, otherwise the chain takes over.
const LEAST_SHARE: usize = 40;
/// Prunes a little less than it could: rounding must not decide.
const CAUTION: f64 = 1.0 - 1e-12;

/// Clusters still to be linked.
pub(super) struct Remaining<'a> {
    /// Their centroids.
    pub(super) centroids: Cow<'a, Array2<f64>>,
    /// Their rows.
    pub(super) weights: Vec<f64>,
    /// A point of each.
    pub(super) points: Vec<u32>,
}

/// Merges mutual pairs as long as it is worth it. A pair's distance is half of its squared height.
pub(super) fn merge_mutual<'a>(from: &WeightedPoints<'a>, pairs: &mut Vec<Pair>) -> Remaining<'a> {
    let remaining = Remaining {
        centroids: Cow::Borrowed(from.points),
        weights: from.weights.iter().map(|weight| *weight as f64).collect(),
        points: (0..from.points.nrows() as u32).collect(),
    };
    let columns = from.points.ncols();
    if columns > MOST_COLUMNS || from.points.nrows() <= LEAST_CLUSTERS {
        return remaining;
    }
    with_dimensions!(columns, D => Rounds::<'_, D> { remaining, nearest: vec![None; from.points.nrows()] }.run(pairs))
}

struct Rounds<'a, const D: usize> {
    remaining: Remaining<'a>,
    /// For each cluster, if known: the distance to the nearest other, and which that is.
    nearest: Vec<Option<(f64, u32)>>,
}

impl<'a, const D: usize> Rounds<'a, D> {
    fn run(mut self, pairs: &mut Vec<Pair>) -> Remaining<'a> {
        while self.nearest.len() > LEAST_CLUSTERS {
            let before = self.nearest.len();
            Arch::new().dispatch(|| self.search());
            self.merge(pairs);
            if (before - self.nearest.len()) * LEAST_SHARE < before {
                break;
            }
        }
        self.remaining
    }

    fn search(&mut self) {
        let (tree, rows) = SpatialTree::<D>::build(&self.remaining.centroids, 1);
        let Some(root) = tree.root() else { return };
        let mut weights = vec![f64::NAN; rows.len().next_multiple_of(LANES)];
        for (weight, row) in weights.iter_mut().zip(&rows) {
            *weight = self.remaining.weights[*row as usize];
        }
        let mut lightest = vec![f64::INFINITY; tree.nodes()];
        weigh(&tree, root, &weights, &mut lightest);
        let points = &self.remaining.points;
        let search = Search { tree: &tree, rows: &rows, weights: &weights, lightest: &lightest, points };
        // In tree order, so that one search finds in the cache what the last one looked at.
        for (i, &row) in rows.iter().enumerate() {
            let nearest = &mut self.nearest[row as usize];
            if nearest.is_none() {
                let mut query =
                    Query { point: tree.point(i), own: i, weight: weights[i], best: (f64::INFINITY, u32::MAX) };
                search.visit(root, 0.0, &mut query);
                *nearest = Some(query.best);
            }
        }
    }

    /// Merges the mutual pairs, each into the place of its first cluster, and closes up.
    fn merge(&mut self, pairs: &mut Vec<Pair>) {
        let n = self.nearest.len();
        let mate: Vec<Option<(f64, usize)>> = (0..n)
            .map(|i| {
                let (distance, other) = self.nearest[i]?;
                let back = self.nearest.get(other as usize).copied().flatten()?;
                (back.1 as usize == i).then_some((distance, other as usize))
            })
            .collect();
        let old = &self.remaining;
        let columns = old.centroids.ncols();
        let mut centroids = Vec::with_capacity(n * columns);
        let (mut weights, mut points) = (Vec::with_capacity(n), Vec::with_capacity(n));
        let mut nearest = Vec::with_capacity(n);
        let mut place = vec![u32::MAX; n];
        for i in 0..n {
            place[i] = weights.len() as u32;
            let (mut weight, mut known) = (old.weights[i], self.nearest[i]);
            match mate[i] {
                // It went where the other one is.
                Some((_, other)) if other < i => continue,
                Some((distance, other)) => {
                    let whole = weight + old.weights[other];
                    let share = old.weights[other] / whole;
                    let halves = old.centroids.row_slice(i).iter().zip(old.centroids.row_slice(other));
                    let mut merged = [0.0; D];
                    merged.iter_mut().zip(halves).for_each(|(to, (a, b))| *to = a + (b - a) * share);
                    centroids.extend_from_slice(&merged[..columns]);
                    pairs.push((distance, old.points[i], old.points[other]));
                    (weight, known) = (whole, None);
                }
                None => {
                    centroids.extend_from_slice(old.centroids.row_slice(i));
                    // The nearest of the others is as it was, unless it merged.
                    known = known.filter(|(_, nearest)| mate[*nearest as usize].is_none());
                }
            }
            weights.push(weight);
            points.push(old.points[i]);
            nearest.push(known);
        }
        for (_, other) in nearest.iter_mut().flatten() {
            *other = place[*other as usize];
        }
        self.remaining = Remaining { centroids: Cow::Owned(matrix(centroids, columns)), weights, points };
        self.nearest = nearest;
    }
}

/// The weight of the lightest cluster below each node.
fn weigh<const D: usize>(tree: &SpatialTree<D>, node: Node, weights: &[f64], lightest: &mut [f64]) -> f64 {
    let least = match tree.children(node) {
        Some((left, right)) => weigh(tree, left, weights, lightest).min(weigh(tree, right, weights, lightest)),
        None => weights[tree.points(node)].iter().copied().fold(f64::INFINITY, f64::min),
    };
    lightest[node.index] = least;
    least
}

struct Search<'a, const D: usize> {
    tree: &'a SpatialTree<D>,
    /// The cluster at each place of the tree.
    rows: &'a [u32],
    /// By place.
    weights: &'a [f64],
    lightest: &'a [f64],
    /// A point of each cluster, which is its name for as long as it does not merge.
    points: &'a [u32],
}

struct Query<const D: usize> {
    point: [f64; D],
    own: usize,
    weight: f64,
    best: (f64, u32),
}

impl<const D: usize> Search<'_, D> {
    /// Orders pairs of equal distance, the same from both ends. On a grid, where all neighbours are equally far,
    /// choosing the lower number would make every cluster look in one direction, and hardly a pair would be mutual; a
    /// hash makes many mutual.
    #[inline(never)]
    fn rank(&self, query: &Query<D>, other: u32) -> u64 {
        let [a, b] = [self.rows[query.own], other].map(|row| u64::from(self.points[row as usize]));
        combine(a.min(b), a.max(b))
    }

    /// No cluster below a node is nearer than this.
    #[inline(always)]
    fn bound(&self, node: Node, query: &Query<D>) -> f64 {
        let (own, other) = (query.weight, self.lightest[node.index]);
        self.tree.node_bounds(node).squared_distance(&query.point) * (own * other / (own + other)) * CAUTION
    }

    #[inline]
    fn visit(&self, node: Node, bound: f64, query: &mut Query<D>) {
        if bound > query.best.0 {
            return;
        }
        if let Some((left, right)) = self.tree.children(node) {
            let (a, b) = (self.bound(left, query), self.bound(right, query));
            // If both are equally near, take the one that the cluster itself is in.
            let is_right_first = b < a || (a == b && query.own >= self.tree.points(right).start);
            if is_right_first {
                self.visit(right, b, query);
                self.visit(left, a, query);
            } else {
                self.visit(left, a, query);
                self.visit(right, b, query);
            }
            return;
        }
        let point = query.point;
        self.tree.leaf_distances(node.first_leaf, &point, |first, distances| {
            for (other, &distance) in (first..).zip(distances) {
                let weight = self.weights[other];
                let distance = distance * (query.weight * weight / (query.weight + weight));
                if distance <= query.best.0 && other != query.own {
                    let row = self.rows[other];
                    if distance < query.best.0 || self.rank(query, row) < self.rank(query, query.best.1) {
                        query.best = (distance, row);
                    }
                }
            }
        });
    }
}
