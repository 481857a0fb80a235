//! [`Dendrogram`]: what merges with what, and how high.

use crate::rows::{Rows, matrix, squared_distance};
use ndarray::Array2;
use serde::{Deserialize, Serialize};

use super::chain::{Centroids, Distances, average, complete, merge_all};
use super::points::{Pair, WeightedPoints};
use super::rounds::{MOST_COLUMNS, merge_mutual};
use crate::hdbscan::condensed_tree::Edge;
use crate::hdbscan::union_find::UnionFind;

/// How far two clusters are apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Linkage {
    /// `sqrt(2 a b / (a + b))` times the distance of their means, `a` and `b` being their rows: the root of twice what
    /// a merge adds to the sum of squares within clusters (Ward, JASA 1963).
    Ward,
    /// The mean distance of a row of the one and a row of the other.
    Average,
    /// The largest such distance.
    Complete,
    /// The smallest such distance.
    Single,
}

impl Linkage {
    /// Distinct points of `d` columns that are linked exactly by default, in seconds: 200,000 with Ward's linkage in up
    /// to 6 columns, where the nearest clusters are searched in a tree, and otherwise 20,000 (average and complete
    /// linkage hold 1.6 GB then and take ten seconds; see [`Linkage::bytes`]). Single linkage of more goes by
    /// [`Dendrogram::from_spanning_tree`].
    #[must_use]
    pub fn exact_points(self, d: usize) -> usize {
        if self == Self::Ward && d <= MOST_COLUMNS { 200_000 } else { 20_000 }
    }

    /// Micro-clusters that more rows are reduced to by default. With more of them less variance is lost, but the
    /// segments of a cut are hardly better; in many columns it is the search for the nearest seed that takes long.
    #[must_use]
    pub fn micro_clusters(self, d: usize) -> usize {
        if self == Self::Ward && d <= MOST_COLUMNS { 20_000 } else { 4_000 }
    }

    /// Bytes that [`Dendrogram::new`] holds at most for `n` points of `d` columns, the result included, the points not:
    /// quadratic in `n` for average and complete linkage, linear for the others.
    #[must_use]
    pub fn bytes(self, n: usize, d: usize) -> usize {
        // Pairs while they are sorted, merges, weights and union-find.
        let result = n * (2 * size_of::<Pair>() + size_of::<Merge>() + 24);
        let distances = match self {
            // A centroid, its weight, its point, its nearest, those of the next round, and a kd-tree with the rows it
            // is built from.
            Self::Ward => n * (50 * d + 160) + 512 * (d + 1),
            Self::Average | Self::Complete => 4 * n * n.saturating_sub(1) + 20 * n,
            Self::Single => 16 * n,
        };
        distances + result
    }
}

/// One merge: a row of scipy's linkage matrix.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Merge {
    /// The node with the lower number.
    pub left: u32,
    /// The node with the higher number.
    pub right: u32,
    /// How far the two were apart.
    pub height: f64,
    /// Rows of the merged cluster.
    pub count: u64,
}

/// The tree of merges over `n` weighted points.
///
/// Nodes below `n` are points; node `n + i` is what merge `i` made. Merges ascend by height.
///
/// ```text
///   height
///     5 ┤      ┌──4──┐        merges   left right height count
///     1 ┤   ┌──3──┐  │          0        0    1     1      2      node 3
///       │   0     1  2          1        2    3     5      3      node 4
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Dendrogram {
    weights: Vec<u64>,
    merges: Vec<Merge>,
}

impl Dendrogram {
    /// The exact linkage of at most 2^31 points; between equal distances the order of the points decides, not always as
    /// in scipy's `linkage`. A point of weight `w` is a cluster of `w` rows that merged at height 0: points with
    /// weights and repeated points give the same heights from there on. `O(n^2 d)` time at most, with Ward's linkage in
    /// up to 6 columns rather `O(n log n)`; for memory see [`Linkage::bytes`]. Deterministic.
    #[must_use]
    pub fn new(points: &WeightedPoints<'_>, linkage: Linkage) -> Self {
        let n = points.points.nrows();
        let mut pairs = Vec::with_capacity(n.saturating_sub(1));
        match linkage {
            Linkage::Ward => {
                let remaining = merge_mutual(points, &mut pairs);
                merge_all(&mut Centroids::new(remaining), n, &mut pairs);
                pairs.iter_mut().for_each(|(height, ..)| *height = (2.0 * *height).sqrt());
            }
            Linkage::Average => merge_all(&mut Distances::new(points, average), n, &mut pairs),
            Linkage::Complete => merge_all(&mut Distances::new(points, complete), n, &mut pairs),
            Linkage::Single => nearest_first(points.points, &mut pairs),
        }
        // Stable: a merge stays behind those below it where heights are equal.
        pairs.sort_by(|a, b| a.0.total_cmp(&b.0));
        Self::from_sorted(points.weights, &pairs)
    }

    /// Single linkage from the `n - 1` edges of a minimum spanning tree in any order, such as HDBSCAN's with a
    /// `min_samples` of 1: for as many points as that can take. `weights` (`n`) are the rows of each point. `O(n log n)`;
    /// 48 bytes a point while it works.
    #[must_use]
    pub fn from_spanning_tree(weights: &[u64], edges: &[Edge]) -> Self {
        let pair = |edge: &Edge| (edge.distance, edge.a.min(edge.b), edge.a.max(edge.b));
        let mut pairs: Vec<Pair> = edges.iter().map(pair).collect();
        pairs.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then((a.1, a.2).cmp(&(b.1, b.2))));
        Self::from_sorted(weights, &pairs)
    }

    /// Names the clusters that pairs of points stand for.
    fn from_sorted(weights: &[u64], pairs: &[Pair]) -> Self {
        let n = weights.len();
        let mut sets = UnionFind::new(n);
        // By the point that names a set.
        let mut node: Vec<u32> = (0..n as u32).collect();
        let mut merges: Vec<Merge> = Vec::with_capacity(pairs.len());
        for &(height, a, b) in pairs {
            let nodes = [a, b].map(|point| node[sets.find(point) as usize]);
            if !sets.unite(a, b) {
                continue;
            }
            let count = nodes.map(|node| match (node as usize).checked_sub(n) {
                None => weights[node as usize],
                Some(merge) => merges[merge].count,
            });
            node[sets.find(a) as usize] = (n + merges.len()) as u32;
            let (left, right) = (nodes[0].min(nodes[1]), nodes[0].max(nodes[1]));
            merges.push(Merge { left, right, height, count: count[0] + count[1] });
        }
        Self { weights: weights.to_vec(), merges }
    }

    /// Number of points, `n`.
    #[must_use]
    pub fn points(&self) -> usize {
        self.weights.len()
    }

    /// Rows of each point; `n`.
    #[must_use]
    pub fn weights(&self) -> &[u64] {
        &self.weights
    }

    /// The `n - 1` merges, ascending by height.
    #[must_use]
    pub fn merges(&self) -> &[Merge] {
        &self.merges
    }

    /// Rows of a node.
    ///
    /// # Panics
    /// When there is no such node.
    #[must_use]
    pub fn count(&self, node: u32) -> u64 {
        match (node as usize).checked_sub(self.points()) {
            None => self.weights[node as usize],
            Some(merge) => self.merges[merge].count,
        }
    }

    /// What a node is made of; none for a point.
    #[must_use]
    pub fn merge(&self, node: u32) -> Option<&Merge> {
        self.merges.get((node as usize).checked_sub(self.points())?)
    }

    /// scipy's linkage matrix, `(n - 1) x 4`: left, right, height, count. The count is of rows, so for points that
    /// weigh more than 1 scipy would find it too high.
    #[must_use]
    pub fn linkage_matrix(&self) -> Array2<f64> {
        let row = |merge: &Merge| [f64::from(merge.left), f64::from(merge.right), merge.height, merge.count as f64];
        matrix(self.merges.iter().flat_map(row).collect(), 4)
    }

    pub(super) fn from_parts(weights: Vec<u64>, merges: Vec<Merge>) -> Self {
        Self { weights, merges }
    }
}

/// The edges of a minimum spanning tree (Prim, Bell System Technical Journal 1957), the points' nearest to the tree
/// first.
fn nearest_first(points: &Array2<f64>, pairs: &mut Vec<Pair>) {
    /// A point outside of the tree and the nearest point within.
    struct Outside {
        point: u32,
        squared_distance: f64,
        nearest: u32,
    }
    let n = points.nrows() as u32;
    let mut outside: Vec<Outside> =
        (1..n).map(|point| Outside { point, squared_distance: f64::INFINITY, nearest: 0 }).collect();
    let mut joined = 0;
    while !outside.is_empty() {
        let mut best = (0, f64::INFINITY, u32::MAX);
        for (i, other) in outside.iter_mut().enumerate() {
            let distance = squared_distance(points.row_slice(joined as usize), points.row_slice(other.point as usize));
            if distance < other.squared_distance {
                (other.squared_distance, other.nearest) = (distance, joined);
            }
            if other.squared_distance < best.1 || (other.squared_distance == best.1 && other.point < best.2) {
                best = (i, other.squared_distance, other.point);
            }
        }
        let found = outside.swap_remove(best.0);
        pairs.push((found.squared_distance.sqrt(), found.nearest.min(found.point), found.nearest.max(found.point)));
        joined = found.point;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hashing::{mix, unit_interval};
    use crate::hierarchy::Contingency;
    use proptest::prelude::*;

    fn random(seed: u64, n: usize, d: usize, steps: u64) -> (Array2<f64>, Vec<u64>) {
        let value = |i: u64| match steps {
            0 => unit_interval(mix(seed ^ mix(i))) + (mix(i / d as u64) % 3) as f64,
            _ => (mix(seed ^ mix(i)) % steps) as f64,
        };
        let weights = (0..n as u64).map(|i| mix(seed ^ i << 32) % 9 + 1).collect();
        (matrix((0..(n * d) as u64).map(value).collect(), d), weights)
    }

    fn by_chain(points: &WeightedPoints<'_>) -> Dendrogram {
        let n = points.points.nrows();
        let mut pairs = vec![];
        let all = super::super::rounds::Remaining {
            centroids: std::borrow::Cow::Borrowed(points.points),
            weights: points.weights.iter().map(|weight| *weight as f64).collect(),
            points: (0..n as u32).collect(),
        };
        merge_all(&mut Centroids::new(all), n, &mut pairs);
        pairs.iter_mut().for_each(|(height, ..)| *height = (2.0 * *height).sqrt());
        pairs.sort_by(|a, b| a.0.total_cmp(&b.0));
        Dendrogram::from_sorted(points.weights, &pairs)
    }

    fn same_partition(a: &[u32], b: &[u32]) -> bool {
        let mut table = Contingency::default();
        a.iter().zip(b).for_each(|(a, b)| table.add(*a as i32, *b as i32, 1));
        table.adjusted_rand_index() == 1.0
    }

    /// Sum of squares around the mean.
    fn squares(points: &Array2<f64>, weights: &[u64]) -> f64 {
        let total: u64 = weights.iter().sum();
        let rows = || points.row_slices().zip(weights);
        let sum = |j: usize| rows().map(|(row, weight)| row[j] * *weight as f64).sum::<f64>();
        let mean: Vec<f64> = (0..points.ncols()).map(|j| sum(j) / total as f64).collect();
        rows().map(|(row, weight)| *weight as f64 * squared_distance(row, &mean)).sum()
    }

    #[test]
    fn rounds_and_chain_are_one() {
        for (seed, n, d) in [(1, 9_000, 1), (2, 9_000, 2), (3, 8_000, 3), (4, 4_000, 6)] {
            let (points, weights) = random(seed, n, d, 0);
            let points = WeightedPoints { points: &points, weights: &weights };
            let (rounds, chain) = (Dendrogram::new(&points, Linkage::Ward), by_chain(&points));
            for (a, b) in rounds.merges().iter().zip(chain.merges()) {
                assert!((a.height - b.height).abs() <= 1e-9 * b.height, "{} is not {}", a.height, b.height);
            }
            for k in [2, 3, 5, 10, 50, 500, 3_000] {
                assert!(same_partition(&rounds.cut_into(k).labels, &chain.cut_into(k).labels), "{d} columns, {k}");
            }
        }
    }

    #[test]
    fn rounds_end_where_all_distances_are_equal() {
        for (n, d, steps) in [(5_000, 1, 7), (5_000, 3, 16), (4_000, 2, 50), (3_000, 2, 1)] {
            let (points, weights) = random(5, n, d, steps);
            let points = WeightedPoints { points: &points, weights: &weights };
            let dendrogram = Dendrogram::new(&points, Linkage::Ward);
            assert_eq!(dendrogram.merges().len(), n - 1);
            assert_eq!(dendrogram.merges()[n - 2].count, weights.iter().sum::<u64>());
            let sum: f64 = dendrogram.merges().iter().map(|merge| merge.height * merge.height / 2.0).sum();
            let total = squares(points.points, points.weights);
            assert!((sum - total).abs() <= 1e-9 * total, "{sum} is not {total}");
        }
        // Far apart in a row, each nearest to the one before: hardly a mutual pair in a round.
        let line = matrix((0..3_000).map(|i| 1.005f64.powi(i)).collect(), 1);
        let dendrogram = Dendrogram::new(&WeightedPoints { points: &line, weights: &[1; 3_000] }, Linkage::Ward);
        assert_eq!(dendrogram.merges().len(), 2_999);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn weights_are_repeated_points(seed in any::<u64>(), n in 2usize..40, d in 1usize..5) {
            let (points, weights) = random(seed, n, d, 0);
            let rows = points.row_slices().zip(&weights);
            let repeated = matrix(rows.flat_map(|(row, weight)| row.repeat(*weight as usize)).collect(), d);
            let ones = vec![1; repeated.nrows()];
            for linkage in [Linkage::Ward, Linkage::Average, Linkage::Complete, Linkage::Single] {
                let weighted = Dendrogram::new(&WeightedPoints { points: &points, weights: &weights }, linkage);
                let other = Dendrogram::new(&WeightedPoints { points: &repeated, weights: &ones }, linkage);
                let above = &other.merges()[repeated.nrows() - n..];
                for (a, b) in weighted.merges().iter().zip(above) {
                    prop_assert!((a.height - b.height).abs() <= 1e-9 * b.height);
                    prop_assert_eq!(a.count, b.count);
                }
                let cut = other.cut_into(3).labels;
                let first = weights.iter().scan(0, |at, weight| Some(std::mem::replace(at, *at + *weight as usize)));
                prop_assert!(same_partition(&weighted.cut_into(3).labels, &first.map(|i| cut[i]).collect::<Vec<_>>()));
            }
        }

        /// The same points in another order: the same segments, by the same numbers where sizes differ.
        #[test]
        fn order_does_not_matter(seed in any::<u64>(), n in 2usize..80, d in 1usize..4) {
            let (points, weights) = random(seed, n, d, 0);
            let mut order: Vec<usize> = (0..n).collect();
            order.sort_by_key(|i| mix(seed ^ *i as u64));
            let shuffled = matrix(order.iter().flat_map(|i| points.row_slice(*i).to_vec()).collect(), d);
            let shuffled_weights: Vec<u64> = order.iter().map(|i| weights[*i]).collect();
            for linkage in [Linkage::Ward, Linkage::Average, Linkage::Complete, Linkage::Single] {
                let one = Dendrogram::new(&WeightedPoints { points: &points, weights: &weights }, linkage);
                let other = Dendrogram::new(&WeightedPoints { points: &shuffled, weights: &shuffled_weights }, linkage);
                for k in 1..6 {
                    let (cut, again) = (one.cut_into(k), other.cut_into(k));
                    let back: Vec<u32> = order.iter().map(|i| cut.labels[*i]).collect();
                    prop_assert!(same_partition(&back, &again.labels));
                    let counts = |cut: &crate::hierarchy::Cut| cut.segments.iter().map(|s| s.count).collect::<Vec<_>>();
                    prop_assert_eq!(counts(&cut), counts(&again));
                }
            }
        }

        #[test]
        fn cuts_and_tops_hold_together(seed in any::<u64>(), n in 1usize..60, steps in 0u64..5, k in 1usize..8) {
            let (points, weights) = random(seed, n, 2, steps);
            let dendrogram = Dendrogram::new(&WeightedPoints { points: &points, weights: &weights }, Linkage::Average);
            let cut = dendrogram.cut_into(k);
            prop_assert!(cut.segments.len() <= k);
            prop_assert!(cut.segments.is_sorted_by(|a, b| a.count >= b.count));
            for (i, segment) in (0..).zip(&cut.segments) {
                let rows = weights.iter().zip(&cut.labels).filter(|(_, label)| **label == i).map(|(weight, _)| weight);
                prop_assert_eq!(rows.sum::<u64>(), segment.count);
                let path = dendrogram.path(segment.node);
                prop_assert_eq!(path[path.len() - 1], segment.node);
                prop_assert_eq!(dendrogram.count(path[0]), weights.iter().sum::<u64>());
                for step in path.windows(2) {
                    let merge = dendrogram.merge(step[0]).unwrap();
                    prop_assert!(merge.left == step[1] || merge.right == step[1]);
                }
            }
            prop_assert_eq!(&dendrogram.cut_at(cut.height).labels.len(), &n);
            let top = dendrogram.top(k);
            prop_assert_eq!(top.nodes.len(), top.dendrogram.merges().len() + 1);
            let above = &dendrogram.merges()[dendrogram.merges().len() - top.dendrogram.merges().len()..];
            for (a, b) in top.dendrogram.merges().iter().zip(above) {
                prop_assert_eq!((a.height, a.count), (b.height, b.count));
                prop_assert_eq!(top.dendrogram.count(a.left) + top.dendrogram.count(a.right), a.count);
            }
        }
    }
}
