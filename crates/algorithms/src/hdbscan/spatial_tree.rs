//! [`SpatialTree`]: the kd-tree that HDBSCAN searches.
//!
//! The tree is implicit: every leaf but the last holds [`LEAF`] points, a node over `m` leaves has its children at fixed
//! places, and nothing but bounding boxes is stored for it. Points lie in tree order, column by column within blocks of
//! eight, so that the distances of a query to a block are a few vector instructions. A tree can be restored from its
//! points alone when they are in tree order. References: Friedman, Bentley and Finkel, ACM TOMS 1977; the layout
//! follows what Gagolewski's quitefastmst and ArborX found to be fast: tight boxes, contiguous points, large leaves.

use crate::matrix::Matrix;

/// Points whose distances are computed together.
pub(super) const LANES: usize = 8;
/// Points of a leaf.
pub const LEAF: usize = 16;
const BLOCKS: usize = LEAF / LANES;

/// The largest number of columns a tree takes.
pub const MAX_DIMENSIONS: usize = 64;

/// Runs `$body` with the constant `$D` set to the least number of columns, of those that kernels are compiled for, that
/// holds `$columns` (at most [`MAX_DIMENSIONS`]): 1, 2, 3, 4, 6, 8, 12, 16, 32 or 64. Missing columns are 0, which changes
/// no distance.
#[macro_export]
macro_rules! with_dimensions {
    ($columns:expr, $D:ident => $body:expr) => {
        match $columns {
            0..=1 => $crate::with_dimensions!(@ 1, $D => $body),
            2 => $crate::with_dimensions!(@ 2, $D => $body),
            3 => $crate::with_dimensions!(@ 3, $D => $body),
            4 => $crate::with_dimensions!(@ 4, $D => $body),
            5..=6 => $crate::with_dimensions!(@ 6, $D => $body),
            7..=8 => $crate::with_dimensions!(@ 8, $D => $body),
            9..=12 => $crate::with_dimensions!(@ 12, $D => $body),
            13..=16 => $crate::with_dimensions!(@ 16, $D => $body),
            17..=32 => $crate::with_dimensions!(@ 32, $D => $body),
            _ => $crate::with_dimensions!(@ 64, $D => $body),
        }
    };
    (@ $dimensions:literal, $D:ident => $body:expr) => {{
        const $D: usize = $dimensions;
        $body
    }};
}

/// An axis-aligned box, `D` columns.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BoundingBox<const D: usize> {
    /// Smallest coordinates.
    pub low: [f64; D],
    /// Largest coordinates.
    pub high: [f64; D],
}

impl<const D: usize> BoundingBox<D> {
    /// A box without a point.
    pub const EMPTY: Self = Self { low: [f64::INFINITY; D], high: [f64::NEG_INFINITY; D] };

    /// Grows to hold `other`.
    pub fn merge(&mut self, other: &Self) {
        for j in 0..D {
            self.low[j] = self.low[j].min(other.low[j]);
            self.high[j] = self.high[j].max(other.high[j]);
        }
    }

    /// Grows to hold `point`.
    pub fn include(&mut self, point: &[f64; D]) {
        self.merge(&Self { low: *point, high: *point });
    }

    /// Squared distance of a point to the box; 0 inside. Never more than the squared distance to a point of the box, as
    /// it is added up in the same order from terms that are no larger.
    #[inline(always)]
    #[must_use]
    pub fn squared_distance(&self, point: &[f64; D]) -> f64 {
        let mut sum = 0.0;
        for (value, (low, high)) in point.iter().zip(self.low.iter().zip(&self.high)) {
            let offset = (low - value).max(value - high).max(0.0);
            sum += offset * offset;
        }
        sum
    }

    /// Squared distance between two boxes; 0 when they touch.
    #[inline(always)]
    #[must_use]
    pub fn squared_distance_to_box(&self, other: &Self) -> f64 {
        let mut sum = 0.0;
        for j in 0..D {
            let offset = (self.low[j] - other.high[j]).max(other.low[j] - self.high[j]).max(0.0);
            sum += offset * offset;
        }
        sum
    }
}

/// A kd-tree over `n` points of `D` columns, at most 2^32 - 2 of them.
///
/// Memory: `8 D` bytes a point and `2 D` for the boxes.
#[derive(Debug, Clone)]
pub struct SpatialTree<const D: usize> {
    len: usize,
    /// Block `b`: points `8 b ..`, a column each; lanes beyond the last point are NaN, which no comparison holds for.
    blocks: Vec<[[f64; LANES]; D]>,
    /// In preorder.
    boxes: Vec<BoundingBox<D>>,
}

impl<const D: usize> SpatialTree<D> {
    /// Builds the tree over finite `points` of at most `D` columns; those that are missing are 0, which changes no
    /// distance. Also returns the row of `points` that each point of the tree was. `O(n log n)` on up to `threads`
    /// threads; holds a copy of the points (`8 D + 8` bytes each) while it works.
    #[must_use]
    pub fn build(points: &Matrix, threads: usize) -> (Self, Vec<u32>) {
        let columns = points.columns().min(D);
        let mut rows: Vec<([f64; D], u32)> = points
            .iter()
            .zip(0..)
            .map(|(row, index)| {
                let mut point = [0.0; D];
                point[..columns].copy_from_slice(&row[..columns]);
                (point, index)
            })
            .collect();
        arrange(&mut rows, threads);
        let tree = Self::from_tree_order(rows.len(), rows.iter().map(|(point, _)| *point));
        (tree, rows.into_iter().map(|(_, index)| index).collect())
    }

    /// Restores a tree from its points in tree order.
    #[must_use]
    pub fn from_tree_order(len: usize, points: impl Iterator<Item = [f64; D]>) -> Self {
        let mut blocks = vec![[[f64::NAN; LANES]; D]; len.div_ceil(LANES)];
        for (i, point) in points.take(len).enumerate() {
            for j in 0..D {
                blocks[i / LANES][j][i % LANES] = point[j];
            }
        }
        let leaves = len.div_ceil(LEAF);
        let mut tree = Self { len, blocks, boxes: Vec::new() };
        if leaves > 0 {
            tree.boxes = vec![BoundingBox::EMPTY; 2 * leaves - 1];
            tree.bound(Node { index: 0, first_leaf: 0, leaves });
        }
        tree
    }

    fn bound(&mut self, node: Node) -> BoundingBox<D> {
        let mut bounds = BoundingBox::EMPTY;
        match node.children() {
            None => node.points(self.len).for_each(|i| bounds.include(&self.point(i))),
            Some((left, right)) => {
                bounds = self.bound(left);
                bounds.merge(&self.bound(right));
            }
        }
        self.boxes[node.index] = bounds;
        bounds
    }

    /// Number of points.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// True without a point.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Number of leaves.
    #[must_use]
    pub fn leaves(&self) -> usize {
        self.len.div_ceil(LEAF)
    }

    /// Number of nodes, leaves included.
    #[must_use]
    pub fn nodes(&self) -> usize {
        self.boxes.len()
    }

    /// The root; none without a point.
    #[must_use]
    pub fn root(&self) -> Option<Node> {
        (self.len > 0).then(|| Node { index: 0, first_leaf: 0, leaves: self.leaves() })
    }

    /// The box around all points.
    #[must_use]
    pub fn bounds(&self) -> BoundingBox<D> {
        self.boxes.first().copied().unwrap_or(BoundingBox::EMPTY)
    }

    /// The box of a node.
    #[inline(always)]
    #[must_use]
    pub fn node_bounds(&self, node: Node) -> &BoundingBox<D> {
        &self.boxes[node.index]
    }

    /// Point `i` in tree order.
    ///
    /// # Panics
    /// When there is no such point.
    #[inline(always)]
    #[must_use]
    pub fn point(&self, i: usize) -> [f64; D] {
        let block = &self.blocks[i / LANES];
        std::array::from_fn(|j| block[j][i % LANES])
    }

    /// Squared distance of two points.
    #[inline]
    #[must_use]
    pub fn squared_distance(&self, a: usize, b: usize) -> f64 {
        squared_distance(&self.point(a), &self.point(b))
    }

    /// Bytes held.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.blocks.capacity() * size_of::<[[f64; LANES]; D]>() + self.boxes.capacity() * size_of::<BoundingBox<D>>()
    }

    /// Calls `found(i, squared distance)` for the points of a leaf, nearest to no order; lanes without a point give NaN
    /// and must be told apart by a comparison that NaN fails.
    #[inline(always)]
    pub(super) fn leaf_distances(&self, leaf: usize, query: &[f64; D], mut found: impl FnMut(usize, &[f64; LANES])) {
        let first = leaf * BLOCKS;
        let last = (first + BLOCKS).min(self.blocks.len());
        for (b, block) in self.blocks[first..last].iter().enumerate() {
            let mut distances = [0.0; LANES];
            for j in 0..D {
                for lane in 0..LANES {
                    let difference = block[j][lane] - query[j];
                    distances[lane] += difference * difference;
                }
            }
            found((first + b) * LANES, &distances);
        }
    }
}

/// Squared Euclidean distance, added up in column order; the same both ways.
#[inline(always)]
#[must_use]
pub fn squared_distance<const D: usize>(a: &[f64; D], b: &[f64; D]) -> f64 {
    let mut sum = 0.0;
    for j in 0..D {
        let difference = a[j] - b[j];
        sum += difference * difference;
    }
    sum
}

/// A node: its place in preorder and the leaves it covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Node {
    /// Place in preorder.
    pub index: usize,
    /// First leaf it covers.
    pub first_leaf: usize,
    /// Number of leaves it covers, at least 1.
    pub leaves: usize,
}

impl Node {
    /// Its children; none for a leaf.
    #[inline(always)]
    #[must_use]
    pub fn children(self) -> Option<(Self, Self)> {
        if self.leaves == 1 {
            return None;
        }
        let left = left_leaves(self.leaves);
        Some((
            Self { index: self.index + 1, first_leaf: self.first_leaf, leaves: left },
            Self { index: self.index + 2 * left, first_leaf: self.first_leaf + left, leaves: self.leaves - left },
        ))
    }

    /// The points below it, of `len` in all.
    #[inline(always)]
    #[must_use]
    pub fn points(self, len: usize) -> std::ops::Range<usize> {
        self.first_leaf * LEAF..((self.first_leaf + self.leaves) * LEAF).min(len)
    }
}

#[inline(always)]
fn left_leaves(leaves: usize) -> usize {
    leaves.div_ceil(2)
}

/// Brings rows into tree order: halves along the widest column, the left half a whole number of leaves.
fn arrange<const D: usize>(rows: &mut [([f64; D], u32)], threads: usize) {
    if rows.len() <= LEAF {
        return;
    }
    let mut bounds = BoundingBox::<D>::EMPTY;
    for (point, _) in rows.iter() {
        bounds.include(point);
    }
    let width = |j: usize| bounds.high[j] - bounds.low[j];
    let column = (0..D).reduce(|widest, j| if width(j) > width(widest) { j } else { widest }).unwrap_or_default();
    let left = left_leaves(rows.len().div_ceil(LEAF)) * LEAF;
    // Points that are equal here may go to either side: boxes then touch, and no search misses a point.
    rows.select_nth_unstable_by(left, |(a, _), (b, _)| a[column].total_cmp(&b[column]));
    let (left, right) = rows.split_at_mut(left);
    if threads > 1 {
        let half = threads / 2;
        std::thread::scope(|scope| {
            scope.spawn(move || arrange(left, half));
            arrange(right, threads - half);
        });
    } else {
        arrange(left, 1);
        arrange(right, 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hashing::mix;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_point_is_in_its_boxes_and_in_one_leaf(seed in any::<u64>(), n in 0usize..500, spread in 1u64..100) {
            let values = (0..n * 3).map(|i| (mix(seed ^ i as u64) % spread) as f64).collect();
            let points = Matrix::new(values, 3);
            let (tree, order) = SpatialTree::<4>::build(&points, 2);
            let mut seen = vec![false; n];
            let mut nodes: Vec<Node> = tree.root().into_iter().collect();
            let mut count = 0;
            while let Some(node) = nodes.pop() {
                count += 1;
                for i in node.points(tree.len()) {
                    let point = tree.point(i);
                    prop_assert_eq!(&point[..3], points.row(order[i] as usize));
                    prop_assert_eq!(tree.node_bounds(node).squared_distance(&point), 0.0);
                }
                match node.children() {
                    Some((left, right)) => nodes.extend([left, right]),
                    None => node.points(tree.len()).for_each(|i| seen[order[i] as usize] = true),
                }
            }
            prop_assert_eq!(count, tree.nodes());
            prop_assert!(seen.iter().all(|seen| *seen));
        }
    }
}
