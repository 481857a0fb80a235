//! [`SpatialTree`]: the kd-tree that HDBSCAN searches, and that K-Means filters centroids by.
//!
//! Nodes are cut in the middle of their widest side (Maneewongvatana and Mount 1999), not at the median: customers' features
//! have steps, such as a number of orders, and a cut between two steps leaves boxes that are apart. Points lie in tree
//! order, column by column within blocks of eight, so that the distances of a query to a block are a few vector
//! instructions. A tree can be restored from its points alone when they are in tree order. References: Friedman, Bentley
//! and Finkel, ACM TOMS 1977; the layout follows what Gagolewski's quitefastmst and ArborX found to be fast: tight boxes,
//! contiguous points, large leaves.

use crate::rows::Rows;
use ndarray::Array2;
use std::ops::Range;

/// Points whose distances are computed together.
pub(crate) const LANES: usize = 8;
/// Points of a leaf, at most.
pub const LEAF: usize = 16;
/// Parts with fewer points than this do not get a thread when a tree is built.
const LEAST_PIECE: usize = 32_768;
/// Nodes below this depth are cut at the median, which bounds the depth whatever the points.
const DEEPEST_MIDDLE: u32 = 64;

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
/// Memory: `8 D` bytes a point, and for each leaf, of about 10 points, `32 D + 12` for boxes and shape.
#[derive(Debug, Clone)]
pub struct SpatialTree<const D: usize> {
    len: usize,
    /// Block `b`: points `8 b ..`, a column each; lanes beyond the last point are NaN, which no comparison holds for.
    blocks: Vec<[[f64; LANES]; D]>,
    shape: Shape<D>,
}

impl<const D: usize> SpatialTree<D> {
    /// Builds the tree over finite `points` of at most `D` columns; those that are missing are 0, which changes no
    /// distance. Also returns the row of `points` that each point of the tree was. `O(n log n)` on up to `threads`
    /// threads; holds a copy of the points (`8 D + 8` bytes each) while it works.
    #[must_use]
    pub fn build(points: &Array2<f64>, threads: usize) -> (Self, Vec<u32>) {
        Self::build_over(Self::rows(points), threads)
    }

    /// As [`SpatialTree::build`], without holding the points beside their copy.
    #[must_use]
    pub fn build_from(points: Array2<f64>, threads: usize) -> (Self, Vec<u32>) {
        let rows = Self::rows(&points);
        drop(points);
        Self::build_over(rows, threads)
    }

    fn rows(points: &Array2<f64>) -> Vec<Row<D>> {
        let columns = points.ncols().min(D);
        let row = |(row, index): (&[f64], u32)| {
            let mut point = [0.0; D];
            point[..columns].copy_from_slice(&row[..columns]);
            (point, index)
        };
        points.row_slices().zip(0..).map(row).collect()
    }

    fn build_over(mut rows: Vec<Row<D>>, threads: usize) -> (Self, Vec<u32>) {
        let tree = Self::over(&mut rows, threads, partition);
        (tree, rows.into_iter().map(|(_, index)| index).collect())
    }

    /// Restores a tree from its points in tree order.
    #[must_use]
    pub fn from_tree_order(len: usize, points: impl Iterator<Item = [f64; D]>) -> Self {
        let mut rows: Vec<Row<D>> = points.take(len).map(|point| (point, 0)).collect();
        Self::over(&mut rows, 1, |rows, cut| match cut {
            Cut::Middle { column, value } => rows.partition_point(|(point, _)| point[column] <= value),
            Cut::Median { .. } => rows.len() / 2,
        })
    }

    fn over(rows: &mut [Row<D>], threads: usize, partition: Partition<D>) -> Self {
        let mut shape = Shape { boxes: vec![], left: vec![], starts: vec![0] };
        // The halves are rarely of one size, so more pieces than threads keep all threads busy.
        let alone = if threads > 1 { (rows.len() / (8 * threads)).max(LEAST_PIECE) } else { rows.len() };
        if !rows.is_empty() {
            shape.grow(rows, alone, 0, partition);
        }
        let mut blocks = vec![[[f64::NAN; LANES]; D]; rows.len().div_ceil(LANES)];
        for (i, (point, _)) in rows.iter().enumerate() {
            for j in 0..D {
                blocks[i / LANES][j][i % LANES] = point[j];
            }
        }
        Self { len: rows.len(), blocks, shape }
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
        self.shape.starts.len() - 1
    }

    /// Number of nodes, leaves included.
    #[must_use]
    pub fn nodes(&self) -> usize {
        self.shape.boxes.len()
    }

    /// The root; none without a point.
    #[must_use]
    pub fn root(&self) -> Option<Node> {
        (self.len > 0).then(|| Node { index: 0, first_leaf: 0, leaves: self.leaves() })
    }

    /// The children of a node; none for a leaf.
    #[inline(always)]
    #[must_use]
    pub fn children(&self, node: Node) -> Option<(Node, Node)> {
        let left = self.shape.left[node.index] as usize;
        if left == 0 {
            return None;
        }
        Some((
            Node { index: node.index + 1, first_leaf: node.first_leaf, leaves: left },
            Node { index: node.index + 2 * left, first_leaf: node.first_leaf + left, leaves: node.leaves - left },
        ))
    }

    /// The points below a node.
    #[inline(always)]
    #[must_use]
    pub fn points(&self, node: Node) -> Range<usize> {
        self.points_of(&(node.first_leaf..node.first_leaf + node.leaves))
    }

    /// The points of leaves that follow one another.
    #[inline(always)]
    #[must_use]
    pub fn points_of(&self, leaves: &Range<usize>) -> Range<usize> {
        self.shape.starts[leaves.start] as usize..self.shape.starts[leaves.end] as usize
    }

    /// The box around all points.
    #[must_use]
    pub fn bounds(&self) -> BoundingBox<D> {
        self.shape.boxes.first().copied().unwrap_or(BoundingBox::EMPTY)
    }

    /// The box of a node.
    #[inline(always)]
    #[must_use]
    pub fn node_bounds(&self, node: Node) -> &BoundingBox<D> {
        &self.shape.boxes[node.index]
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
        self.blocks.capacity() * size_of::<[[f64; LANES]; D]>()
            + self.shape.boxes.capacity() * size_of::<BoundingBox<D>>()
            + (self.shape.left.capacity() + self.shape.starts.capacity()) * size_of::<u32>()
    }

    /// Calls `found(i, squared distances of points i ..)` for blocks that hold the points of a leaf; lanes without a point of
    /// the leaf give NaN and must be told apart by a comparison that NaN fails.
    #[inline(always)]
    pub(crate) fn leaf_distances(&self, leaf: usize, query: &[f64; D], mut found: impl FnMut(usize, &[f64; LANES])) {
        let (start, end) = (self.shape.starts[leaf] as usize, self.shape.starts[leaf + 1] as usize);
        let blocks = start / LANES..end.div_ceil(LANES);
        for (b, block) in blocks.clone().zip(&self.blocks[blocks]) {
            let mut distances = [0.0; LANES];
            for j in 0..D {
                for lane in 0..LANES {
                    let difference = block[j][lane] - query[j];
                    distances[lane] += difference * difference;
                }
            }
            let first = b * LANES;
            if first < start || first + LANES > end {
                for (i, distance) in (first..).zip(&mut distances) {
                    if i < start || i >= end {
                        *distance = f64::NAN;
                    }
                }
            }
            found(first, &distances);
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

/// A point and the row it was.
type Row<const D: usize> = ([f64; D], u32);

/// Where a node is cut.
#[derive(Debug, Clone, Copy)]
enum Cut {
    /// Points of at most this value go to the left.
    Middle { column: usize, value: f64 },
    /// The lower half goes to the left.
    Median { column: usize },
}

/// Brings the points to the left of a cut to the front and returns how many they are.
type Partition<const D: usize> = fn(&mut [Row<D>], Cut) -> usize;

fn partition<const D: usize>(rows: &mut [Row<D>], cut: Cut) -> usize {
    match cut {
        Cut::Middle { column, value } => {
            let (mut low, mut high) = (0, rows.len());
            loop {
                while low < high && rows[low].0[column] <= value {
                    low += 1;
                }
                while low < high && rows[high - 1].0[column] > value {
                    high -= 1;
                }
                if low >= high {
                    return low;
                }
                rows.swap(low, high - 1);
            }
        }
        Cut::Median { column } => {
            let half = rows.len() / 2;
            rows.select_nth_unstable_by(half, |(a, _), (b, _)| a[column].total_cmp(&b[column]));
            half
        }
    }
}

/// The nodes of a tree, in preorder.
#[derive(Debug, Clone)]
struct Shape<const D: usize> {
    boxes: Vec<BoundingBox<D>>,
    /// Leaves below the left child; 0 for a leaf.
    left: Vec<u32>,
    /// First point of each leaf, and the number of points.
    starts: Vec<u32>,
}

impl<const D: usize> Shape<D> {
    /// Adds the subtree over `rows`, which it brings into tree order. Parts of more than `alone` rows get a thread.
    fn grow(&mut self, rows: &mut [Row<D>], alone: usize, depth: u32, partition: Partition<D>) {
        let mut bounds = BoundingBox::EMPTY;
        for (point, _) in rows.iter() {
            bounds.include(point);
        }
        let (index, first_leaf) = (self.boxes.len(), self.starts.len());
        self.boxes.push(bounds);
        self.left.push(0);
        if rows.len() <= LEAF {
            let start = self.starts.last().copied().unwrap_or_default();
            self.starts.push(start + rows.len() as u32);
            return;
        }
        let left = partition(rows, cut(&bounds, depth));
        let (left, right) = rows.split_at_mut(left);
        if right.len() > alone {
            let mut other = Self { boxes: vec![], left: vec![], starts: vec![0] };
            std::thread::scope(|scope| {
                scope.spawn(|| other.grow(right, alone, depth + 1, partition));
                self.grow(left, alone, depth + 1, partition);
            });
            self.left[index] = (self.starts.len() - first_leaf) as u32;
            let start = self.starts.last().copied().unwrap_or_default();
            self.boxes.append(&mut other.boxes);
            self.left.append(&mut other.left);
            self.starts.extend(other.starts[1..].iter().map(|end| start + end));
        } else {
            self.grow(left, alone, depth + 1, partition);
            self.left[index] = (self.starts.len() - first_leaf) as u32;
            self.grow(right, alone, depth + 1, partition);
        }
    }
}

/// In the middle of the widest side. Points that are equal have no middle.
fn cut<const D: usize>(bounds: &BoundingBox<D>, depth: u32) -> Cut {
    let width = |j: usize| bounds.high[j] - bounds.low[j];
    let column = (0..D).reduce(|widest, j| if width(j) > width(widest) { j } else { widest }).unwrap_or_default();
    let (low, high) = (bounds.low[column], bounds.high[column]);
    if depth >= DEEPEST_MIDDLE || low >= high {
        return Cut::Median { column };
    }
    let middle = 0.5 * low + 0.5 * high;
    // Between neighbouring floats there is none.
    Cut::Middle { column, value: if middle >= low && middle < high { middle } else { low } }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hashing::mix;
    use crate::rows::matrix;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_point_is_in_its_boxes_and_in_one_leaf(seed in any::<u64>(), n in 0usize..500, spread in 1u64..100) {
            let values = (0..n * 3).map(|i| (mix(seed ^ i as u64) % spread) as f64).collect();
            let points = matrix(values, 3);
            let (tree, order) = SpatialTree::<4>::build(&points, 2);
            let mut seen = vec![false; n];
            let mut nodes: Vec<Node> = tree.root().into_iter().collect();
            let mut count = 0;
            while let Some(node) = nodes.pop() {
                count += 1;
                for i in tree.points(node) {
                    let point = tree.point(i);
                    prop_assert_eq!(&point[..3], points.row_slice(order[i] as usize));
                    prop_assert_eq!(tree.node_bounds(node).squared_distance(&point), 0.0);
                }
                match tree.children(node) {
                    Some((left, right)) => nodes.extend([left, right]),
                    None => tree.points(node).for_each(|i| seen[order[i] as usize] = true),
                }
            }
            prop_assert_eq!(count, tree.nodes());
            prop_assert!(seen.iter().all(|seen| *seen));
        }
    }
}
