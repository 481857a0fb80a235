//! The filtering algorithm: a pass that looks at boxes of points instead of points.
//!
//! ```text
//!   node ── box, count, sum of its points
//!     candidates: the centroids that may be nearest to a point of the box
//!       z is filtered out when some z* is nearer than z to every point of the box
//!       one is left ──▶ count and sum of the node go to it, and nothing below is visited
//! ```
//!
//! Kanungo, Mount, Netanyahu, Piatko, Silverman and Wu, "An Efficient k-Means Clustering Algorithm: Analysis and
//! Implementation", IEEE TPAMI 2002. The result is Lloyd's to the bit. Sums are integers, so a node's sum is exactly
//! that of its points. A centroid is filtered out only when it is farther by more than any rounding error, so the
//! points that are still compared are decided as always.
//!
//! Boxes filter well where points are dense compared with the distance of centroids, which is why this pays in few columns
//! (see [`MAX_FILTERED`]).

use super::Assigner;
use super::assign::{Partial, weight_of};
use crate::spatial_tree::{BoundingBox, LANES, LEAF, Node, SpatialTree, squared_distance};
use crate::sums::{Bounds, fine_quanta};
use ndarray::Array2;

/// Largest number of columns for which passes filter. Beyond, boxes that hold few points are as wide as the clusters are
/// apart, and nearly every point is looked at.
pub const MAX_FILTERED: usize = 6;

/// Nodes of fewer points have no sum of their own: their points are added up when they are needed.
const LEAST_SUMMED: usize = 64;

/// The points of a partition in a tree whose nodes know the sums of their points.
///
/// Memory: that of the [`SpatialTree`], about `13 D + 2` bytes a point, `0.5 D` for the sums, and 4 for a weight where rows have one.
#[derive(Debug, Clone)]
pub struct FilterTree<const D: usize> {
    tree: SpatialTree<D>,
    columns: usize,
    /// Factors that turn coordinates into quanta; 0 for missing columns.
    scales: [f64; D],
    /// By node: where its sum is, or [`NO_SUM`].
    place: Vec<u32>,
    sums: Vec<[i128; D]>,
    /// As `sums`: weights of the points.
    counts: Vec<u64>,
    /// Weight of each point in tree order; `None` if all are 1.
    weights: Option<Vec<u32>>,
}

const NO_SUM: u32 = u32::MAX;

impl<const D: usize> FilterTree<D> {
    /// Over `points` (`n x d`, `d` at most `D`) that lie within `bounds` (`d`), those of all partitions; `weights` are `n`. `O(n log n)`.
    #[must_use]
    pub fn build(points: Array2<f64>, weights: Option<&[u32]>, bounds: &[Bounds]) -> Self {
        let (tree, rows) = SpatialTree::build_from(points, 1);
        let quanta = super::coordinate_quanta(bounds);
        let mut built = Self {
            place: vec![NO_SUM; tree.nodes()],
            tree,
            columns: bounds.len(),
            scales: std::array::from_fn(|j| quanta.get(j).map_or(0.0, |quantum| quantum.scale())),
            sums: vec![],
            counts: vec![],
            weights: weights.map(|weights| rows.into_iter().map(|row| weights[row as usize]).collect()),
        };
        if let Some(root) = built.tree.root() {
            built.sum(root);
        }
        built.sums.shrink_to_fit();
        built.counts.shrink_to_fit();
        built
    }

    /// Bytes held.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let words = self.place.capacity() + self.weights.as_ref().map_or(0, Vec::capacity);
        self.tree.bytes()
            + words * size_of::<u32>()
            + self.sums.capacity() * size_of::<[i128; D]>()
            + self.counts.capacity() * size_of::<u64>()
    }

    /// Weight and sum of a node. The node stores them if that is worth it, and so do the nodes below it.
    fn sum(&mut self, node: Node) -> (u64, [i128; D]) {
        let points = self.tree.points(node);
        let (count, sum) = match self.tree.children(node) {
            Some((left, right)) if points.len() >= LEAST_SUMMED => {
                let (left, right) = (self.sum(left), self.sum(right));
                (left.0 + right.0, std::array::from_fn(|j| left.1[j] + right.1[j]))
            }
            _ => return self.add_up(points),
        };
        self.place[node.index] = self.sums.len() as u32;
        self.sums.push(sum);
        self.counts.push(count);
        (count, sum)
    }

    #[inline(always)]
    fn weight(&self, i: usize) -> u32 {
        weight_of(self.weights.as_deref(), i)
    }

    fn add_up(&self, points: std::ops::Range<usize>) -> (u64, [i128; D]) {
        let (mut count, mut sum) = (0, [0; D]);
        for i in points {
            let (point, weight) = (self.tree.point(i), self.weight(i));
            count += u64::from(weight);
            for j in 0..D {
                sum[j] += i128::from(weight) * i128::from((point[j] * self.scales[j]) as i64);
            }
        }
        (count, sum)
    }

    /// Adds the counts and sums of all points to `partial` of a flat clustering, and where it is `measured` their inertia, as
    /// [`Assigner::accumulate`] does; far points are not touched. To measure, each point is looked at once.
    pub fn accumulate(&self, assigner: &Assigner, measured: bool, partial: &mut Partial) {
        let Some(root) = self.tree.root() else { return };
        let centroids: Vec<[f64; D]> = assigner
            .centers()
            .centroids()
            .chunks_exact(self.columns)
            .map(|centroid| std::array::from_fn(|j| centroid.get(j).copied().unwrap_or(0.0)))
            .collect();
        let mut pass = Pass {
            of: self,
            // A squared distance loses at most (D + 2) roundings of the largest one; four of them are compared.
            margin: 4.0 * (D + 4) as f64 * f64::EPSILON * assigner.squared_reach(),
            inertia_scale: measured.then(|| assigner.inertia_quantum().scale()),
            centroids,
            active: (0..assigner.k() as u32).collect(),
            partial,
        };
        pass.visit(root, 0);
    }
}

struct Pass<'a, const D: usize> {
    of: &'a FilterTree<D>,
    margin: f64,
    inertia_scale: Option<f64>,
    centroids: Vec<[f64; D]>,
    /// A stack of candidates: those of a node follow those of its parent, each in ascending order.
    active: Vec<u32>,
    partial: &'a mut Partial,
}

impl<const D: usize> Pass<'_, D> {
    /// `first`: where the candidates of the node's parent begin, which go on to the end of the stack.
    fn visit(&mut self, node: Node, first: usize) {
        let of = self.of;
        let bounds = of.tree.node_bounds(node);
        let end = self.active.len();
        let middle: [f64; D] = std::array::from_fn(|j| 0.5 * bounds.low[j] + 0.5 * bounds.high[j]);
        let (mut nearest, mut least) = (0, f64::INFINITY);
        for &candidate in &self.active[first..end] {
            let distance = squared_distance(&middle, &self.centroids[candidate as usize]);
            if distance < least {
                (nearest, least) = (candidate, distance);
            }
        }
        let best = self.centroids[nearest as usize];
        for i in first..end {
            let candidate = self.active[i];
            if candidate == nearest || !is_farther(&self.centroids[candidate as usize], &best, bounds, self.margin) {
                self.active.push(candidate);
            }
        }
        if self.active.len() - end == 1 {
            self.take(node, nearest as usize);
        } else if let Some((left, right)) = of.tree.children(node) {
            self.visit(left, end);
            self.visit(right, end);
        } else {
            self.decide(node, end);
        }
        self.active.truncate(end);
    }

    /// All points of a node are nearest to one centroid.
    fn take(&mut self, node: Node, cluster: usize) {
        let (count, sum) = match self.of.place[node.index] {
            NO_SUM => self.of.add_up(self.of.tree.points(node)),
            place => (self.of.counts[place as usize], self.of.sums[place as usize]),
        };
        self.partial.counts[cluster] += count;
        let columns = self.of.columns;
        let sums = &mut self.partial.sums[cluster * columns..(cluster + 1) * columns];
        sums.iter_mut().zip(sum).for_each(|(total, sum)| *total += sum);
        if let Some(scale) = self.inertia_scale {
            let centroid = self.centroids[cluster];
            for leaf in node.first_leaf..node.first_leaf + node.leaves {
                self.of.tree.leaf_distances(leaf, &centroid, |at, distances| {
                    // NaN stands for no point.
                    let there = (at..).zip(distances).filter(|(_, distance)| !distance.is_nan());
                    let terms =
                        there.map(|(i, distance)| i128::from(self.of.weight(i)) * fine_quanta(distance * scale));
                    self.partial.inertia[cluster] += terms.sum::<i128>();
                });
            }
        }
    }

    /// Looks at the points of a leaf: the nearest of its candidates, of equal ones the first.
    fn decide(&mut self, leaf: Node, first: usize) {
        let columns = self.of.columns;
        let points = self.of.tree.points(leaf);
        let mut least = [f64::INFINITY; LEAF_LANES];
        let mut nearest = [0_u32; LEAF_LANES];
        let block = points.start / LANES * LANES;
        for &candidate in &self.active[first..] {
            let centroid = &self.centroids[candidate as usize];
            self.of.tree.leaf_distances(leaf.first_leaf, centroid, |at, distances| {
                let at = at - block;
                for lane in 0..LANES {
                    // NaN, where there is no point of this leaf, never compares as less.
                    let is_nearer = distances[lane] < least[at + lane];
                    least[at + lane] = if is_nearer { distances[lane] } else { least[at + lane] };
                    nearest[at + lane] = if is_nearer { candidate } else { nearest[at + lane] };
                }
            });
        }
        for i in points {
            let (cluster, point) = (nearest[i - block] as usize, self.of.tree.point(i));
            let weight = self.of.weight(i);
            self.partial.counts[cluster] += u64::from(weight);
            if let Some(scale) = self.inertia_scale {
                self.partial.inertia[cluster] += i128::from(weight) * fine_quanta(least[i - block] * scale);
            }
            let sums = &mut self.partial.sums[cluster * columns..(cluster + 1) * columns];
            for ((sum, value), scale) in sums.iter_mut().zip(point).zip(self.of.scales) {
                *sum += i128::from(weight) * i128::from((value * scale) as i64);
            }
        }
    }
}

/// Lanes of the blocks that a leaf lies in: it may begin and end within one.
const LEAF_LANES: usize = LEAF + 2 * LANES;

/// Whether every point of a box is nearer to `best` than to `candidate`, by more than `margin` of their squared distances. The
/// difference of the squared distances is linear, hence least at the corner that lies farthest towards the candidate.
#[inline(always)]
fn is_farther<const D: usize>(candidate: &[f64; D], best: &[f64; D], bounds: &BoundingBox<D>, margin: f64) -> bool {
    let corner: [f64; D] = std::array::from_fn(|j| if candidate[j] > best[j] { bounds.high[j] } else { bounds.low[j] });
    squared_distance(&corner, candidate) - squared_distance(&corner, best) > margin
}
