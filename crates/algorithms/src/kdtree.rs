//! A kd-tree for exact k-nearest-neighbour queries with ties broken by row id.
//!
//! Points lie contiguously, leaf by leaf; nodes are in one array. A query allocates nothing (the caller brings the
//! neighbour list). Pruning is exact in floating point: the lower bound of a subtree is added up in the same column
//! order as a distance, from terms that are no larger, and rounding is monotone, so no point at the k-th distance is
//! ever cut off. Reference: Friedman, Bentley and Finkel, ACM TOMS 1977; incremental offsets after Arya and Mount 1993.

use crate::matrix::{Matrix, squared_distance};

const LEAF_SIZE: usize = 12;
const LEAF: u32 = u32::MAX;

#[derive(Debug, Clone, Copy)]
struct Node {
    /// Splitting column, or [`LEAF`].
    column: u32,
    /// Inner: index of the right child (the left one follows the node). Leaf: end of its points.
    right_or_end: u32,
    /// Leaf: start of its points.
    start: u32,
    /// Points of the left child are `<= split`, those of the right child `>= split`.
    split: f64,
}

/// A neighbour: squared distance, row id (the tie-break), and the position of the point in the matrix it came from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Neighbor {
    /// Squared Euclidean distance.
    pub squared_distance: f64,
    /// The row id given for the point.
    pub id: u64,
    /// Row of the matrix the tree was built from.
    pub position: u32,
}

impl Neighbor {
    #[inline]
    fn is_before(&self, other: &Self) -> bool {
        (self.squared_distance, self.id, self.position) < (other.squared_distance, other.id, other.position)
    }
}

/// The `k` nearest so far, ascending by (distance, id).
#[derive(Debug, Clone)]
pub struct NeighborList {
    k: usize,
    items: Vec<Neighbor>,
}

impl NeighborList {
    /// An empty list that will hold at most `k` neighbours.
    #[must_use]
    pub fn new(k: usize) -> Self {
        Self { k, items: Vec::with_capacity(k + 1) }
    }

    /// Forgets the neighbours, keeps the room.
    pub fn clear(&mut self) {
        self.items.clear();
    }

    /// Neighbours, nearest first.
    #[must_use]
    pub fn as_slice(&self) -> &[Neighbor] {
        &self.items
    }

    #[inline]
    fn worst(&self) -> f64 {
        if self.items.len() < self.k {
            f64::INFINITY
        } else {
            self.items.last().map_or(f64::INFINITY, |n| n.squared_distance)
        }
    }

    /// Offers a neighbour; it is kept if it is among the `k` first by (distance, id).
    #[inline]
    pub fn offer(&mut self, candidate: Neighbor) {
        if self.items.len() == self.k {
            match self.items.last() {
                Some(last) if candidate.is_before(last) => {
                    self.items.pop();
                }
                _ => return,
            }
        }
        let at = self.items.partition_point(|n| n.is_before(&candidate));
        self.items.insert(at, candidate);
    }
}

/// A kd-tree over the rows of a matrix. Holds a reordered copy of the points: `8 d + 12` bytes a point and about 4 for nodes.
#[derive(Debug)]
pub struct KdTree {
    points: Matrix,
    ids: Vec<u64>,
    positions: Vec<u32>,
    nodes: Vec<Node>,
}

impl KdTree {
    /// Builds the tree over `points` (`n x d`, finite, fewer than 2^32 rows) with one id a row. `O(n log n)`.
    #[must_use]
    pub fn new(points: &Matrix, ids: &[u64]) -> Self {
        let mut order: Vec<u32> = (0..points.rows() as u32).collect();
        let mut nodes = Vec::with_capacity(2 * points.rows() / LEAF_SIZE + 1);
        if !order.is_empty() {
            build(points, &mut order, 0, &mut nodes);
        }
        let mut reordered = Matrix::with_capacity(points.rows(), points.columns());
        for &position in &order {
            reordered.push(points.row(position as usize));
        }
        let ids = order.iter().map(|&position| ids[position as usize]).collect();
        Self { points: reordered, ids, positions: order, nodes }
    }

    /// Number of points.
    #[must_use]
    pub fn len(&self) -> usize {
        self.positions.len()
    }

    /// True without a point.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.positions.is_empty()
    }

    /// Offers the points nearest to `query` (`d` finite values) to `list`, which may hold others already.
    pub fn nearest(&self, query: &[f64], list: &mut NeighborList) {
        if self.nodes.is_empty() {
            return;
        }
        // Distance of the query to the subtree's half-spaces, a column each; small d stays off the heap.
        let mut small = [0.0f64; 16];
        let mut large;
        let offsets = if query.len() <= small.len() {
            &mut small[..query.len()]
        } else {
            large = vec![0.0; query.len()];
            &mut large[..]
        };
        self.visit(0, query, offsets, list);
    }

    fn visit(&self, index: usize, query: &[f64], offsets: &mut [f64], list: &mut NeighborList) {
        let node = self.nodes[index];
        if node.column == LEAF {
            for i in node.start as usize..node.right_or_end as usize {
                let squared_distance = squared_distance(query, self.points.row(i));
                if squared_distance <= list.worst() {
                    list.offer(Neighbor { squared_distance, id: self.ids[i], position: self.positions[i] });
                }
            }
            return;
        }
        let column = node.column as usize;
        let difference = query[column] - node.split;
        let (near, far) = if difference <= 0.0 {
            (index + 1, node.right_or_end as usize)
        } else {
            (node.right_or_end as usize, index + 1)
        };
        self.visit(near, query, offsets, list);
        let kept = offsets[column];
        offsets[column] = difference;
        let lower_bound: f64 = offsets.iter().fold(0.0, |sum, offset| sum + offset * offset);
        // `<=`: a point at the very distance of the worst may come before it by its id.
        if lower_bound <= list.worst() {
            self.visit(far, query, offsets, list);
        }
        offsets[column] = kept;
    }
}

fn build(points: &Matrix, order: &mut [u32], start: usize, nodes: &mut Vec<Node>) {
    let index = nodes.len();
    nodes.push(Node { column: LEAF, right_or_end: (start + order.len()) as u32, start: start as u32, split: 0.0 });
    if order.len() <= LEAF_SIZE {
        return;
    }
    let (mut column, mut widest) = (0, 0.0);
    for c in 0..points.columns() {
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        for &position in order.iter() {
            let value = points.row(position as usize)[c];
            low = low.min(value);
            high = high.max(value);
        }
        if high - low > widest {
            (column, widest) = (c, high - low);
        }
    }
    if widest == 0.0 {
        return; // all points equal: one leaf, however many
    }
    let middle = order.len() / 2;
    let value = |position: u32| points.row(position as usize)[column];
    let (_, &mut median, _) = order.select_nth_unstable_by(middle, |&a, &b| value(a).total_cmp(&value(b)));
    let split = value(median);
    let (left, right) = order.split_at_mut(middle);
    build(points, left, start, nodes);
    let right_child = nodes.len();
    build(points, right, start + middle, nodes);
    nodes[index] = Node { column: column as u32, right_or_end: right_child as u32, start: 0, split };
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hashing::mix;
    use proptest::prelude::*;

    fn brute_force(points: &Matrix, ids: &[u64], query: &[f64], k: usize) -> Vec<(f64, u64)> {
        let mut all: Vec<_> = points.iter().zip(ids).map(|(p, id)| (squared_distance(query, p), *id)).collect();
        all.sort_by(|a, b| a.partial_cmp(b).unwrap());
        all.truncate(k);
        all
    }

    proptest! {
        // Whole-number coordinates make ties the rule.
        #[test]
        fn equals_brute_force_ties_included(
            seed in any::<u64>(), n in 0usize..300, d in 1usize..5, k in 1usize..20, spread in 1u64..40,
        ) {
            let cell = |i: usize| (mix(seed ^ i as u64) % spread) as f64;
            let points = Matrix::new((0..n * d).map(cell).collect(), d);
            let ids: Vec<u64> = (0..n).map(|i| mix(i as u64)).collect();
            let tree = KdTree::new(&points, &ids);
            let query: Vec<f64> = (0..d).map(|i| cell(n * d + i) + 0.5 * (i % 2) as f64).collect();
            let mut list = NeighborList::new(k);
            tree.nearest(&query, &mut list);
            let found: Vec<_> = list.as_slice().iter().map(|n| (n.squared_distance, n.id)).collect();
            prop_assert_eq!(found, brute_force(&points, &ids, &query, k));
        }
    }
}
