//! Core distances: an exact k-nearest-neighbour search for every point, over one tree or over several.
//!
//! The core distance of a point is the smallest radius around it within which the weights, its own included, add up to
//! `min_samples` (Campello, Moulavi and Sander 2013; with unit weights the distance to the `min_samples`-th neighbour,
//! counting the point itself, as scikit-learn has it). The points of a leaf are searched together: one walk down the
//! tree serves all of them, and a leaf is looked into only for the queries that it can improve.

use std::ops::Range;

use super::outside::NONE;
use crate::parallel::{for_each_chunk, split_mut};
use crate::spatial_tree::{BoundingBox, LEAF, Node, SpatialTree};

/// Neighbours kept for each point: what the spanning tree looks at before it searches.
pub const KEPT_NEIGHBORS: usize = 16;

/// Core distances of the points of a tree, and each point's nearest neighbours in it.
#[derive(Debug, Clone)]
pub struct Neighborhoods {
    /// Squared core distance of each point in tree order; infinite when the weights do not reach `min_samples`.
    pub squared_core: Vec<f64>,
    /// The nearest points of the same tree, nearest first, `kept` for each point; `u32::MAX` where there are fewer.
    pub neighbors: Vec<u32>,
    /// Neighbours kept for each point.
    pub kept: usize,
}

/// Whole-number weights of the points of a tree, in tree order; `None` when all are 1.
pub type Weights<'a> = Option<&'a [u32]>;

fn weight(weights: Weights<'_>, i: usize) -> u64 {
    weights.map_or(1, |weights| u64::from(weights[i]))
}

/// Core distances within one tree.
///
/// `threads` work on it; the result does not depend on their number. Memory: 8 bytes a point and 4 for each neighbour
/// kept, of which there are at most [`KEPT_NEIGHBORS`] and fewer than `min_samples`.
#[must_use]
pub fn core_distances<const D: usize>(
    tree: &SpatialTree<D>,
    weights: Weights<'_>,
    min_samples: usize,
    threads: usize,
) -> Neighborhoods {
    CoreSearch::new(tree, weights, min_samples, None, threads).finish()
}

/// The search over several trees: first the points' own, then every other that a ball reaches into.
#[derive(Debug)]
pub struct CoreSearch<const D: usize> {
    found: Neighborhoods,
    open: Vec<Batch<D>>,
}

impl<const D: usize> CoreSearch<D> {
    /// Searches the points' own tree. `others` lists the boxes of the other trees: points whose ball reaches one of them
    /// stay open for [`CoreSearch::extend`], about `300 + 16 (min_samples - 1)` bytes each.
    #[must_use]
    pub fn new(
        tree: &SpatialTree<D>,
        weights: Weights<'_>,
        min_samples: usize,
        others: Option<&[BoundingBox<D>]>,
        threads: usize,
    ) -> Self {
        let n = tree.len();
        let kept = min_samples.saturating_sub(1).min(KEPT_NEIGHBORS);
        let mut found = Neighborhoods { squared_core: vec![0.0; n], neighbors: vec![NONE; n * kept], kept };
        let chunks = chunks_of_leaves(tree.leaves());
        let lengths = |width: usize| chunks.iter().map(move |leaves| tree.points_of(leaves).len() * width);
        let cores = split_mut(&mut found.squared_core, lengths(1));
        let lists = split_mut(&mut found.neighbors, lengths(kept));
        let work: Vec<_> = chunks.iter().cloned().zip(cores.into_iter().zip(lists)).collect();
        let open = for_each_chunk(work, threads, |(leaves, (core, list))| {
            let mut open = Vec::new();
            let mut batch = Batch::new(min_samples);
            let start = tree.points_of(&leaves).start;
            for leaf in leaves {
                batch.start(tree, weights, leaf, min_samples);
                batch.search(tree, weights, Some(leaf));
                let points = tree.points_of(&(leaf..leaf + 1));
                for (q, i) in points.enumerate() {
                    core[i - start] = batch.worst[q];
                    for (slot, neighbor) in
                        list[(i - start) * kept..(i - start + 1) * kept].iter_mut().zip(batch.neighbors(q))
                    {
                        *slot = neighbor;
                    }
                }
                if others.is_some_and(|others| others.iter().any(|other| batch.reaches(other))) {
                    open.push(batch.clone());
                }
            }
            open
        });
        Self { found, open: open.into_iter().flatten().collect() }
    }

    /// Whether a point's ball reaches a box.
    #[must_use]
    pub fn reaches(&self, bounds: &BoundingBox<D>) -> bool {
        self.open.iter().any(|batch| batch.reaches(bounds))
    }

    /// Looks for neighbours in another tree.
    pub fn extend(&mut self, other: &SpatialTree<D>, weights: Weights<'_>) {
        let bounds = other.bounds();
        for batch in &mut self.open {
            if batch.reaches(&bounds) {
                batch.search(other, weights, None);
            }
        }
    }

    /// The core distances.
    #[must_use]
    pub fn finish(mut self) -> Neighborhoods {
        for batch in &self.open {
            let core = &mut self.found.squared_core[batch.first..batch.first + batch.count];
            core.copy_from_slice(&batch.worst[..batch.count]);
        }
        self.found
    }
}

/// Leaves for each piece of parallel work.
const CHUNK_LEAVES: usize = 256;

pub(super) fn chunks_of_leaves(leaves: usize) -> Vec<Range<usize>> {
    (0..leaves).step_by(CHUNK_LEAVES).map(|start| start..(start + CHUNK_LEAVES).min(leaves)).collect()
}

/// The points of one leaf and their nearest neighbours so far.
#[derive(Debug, Clone)]
struct Batch<const D: usize> {
    first: usize,
    count: usize,
    queries: [[f64; D]; LEAF],
    bounds: BoundingBox<D>,
    /// Weight that the neighbours have to reach; 0 when the point's own is enough.
    needed: [u64; LEAF],
    total: [u64; LEAF],
    /// Squared distance at which the weight is reached; infinite until it is. Below zero in places without a query.
    worst: [f64; LEAF],
    length: [usize; LEAF],
    room: usize,
    /// `room` for each query, nearest first.
    list: Vec<Found>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Found {
    squared_distance: f64,
    index: u32,
    weight: u32,
}

impl<const D: usize> Batch<D> {
    fn new(min_samples: usize) -> Self {
        // Without the last one, the neighbours stay below the needed weight, and each weighs at least 1. One more place
        // is for a new one before the last is dropped.
        let room = min_samples + 1;
        Self {
            first: 0,
            count: 0,
            queries: [[0.0; D]; LEAF],
            bounds: BoundingBox::EMPTY,
            needed: [0; LEAF],
            total: [0; LEAF],
            worst: [-1.0; LEAF],
            length: [0; LEAF],
            room,
            list: vec![Found::default(); LEAF * room],
        }
    }

    fn start(&mut self, tree: &SpatialTree<D>, weights: Weights<'_>, leaf: usize, min_samples: usize) {
        let points = tree.points_of(&(leaf..leaf + 1));
        (self.first, self.count) = (points.start, points.len());
        self.bounds = BoundingBox::EMPTY;
        self.worst = [-1.0; LEAF];
        self.total = [0; LEAF];
        self.length = [0; LEAF];
        for (q, i) in points.enumerate() {
            self.queries[q] = tree.point(i);
            self.bounds.include(&self.queries[q]);
            self.needed[q] = (min_samples as u64).saturating_sub(weight(weights, i));
            self.worst[q] = if self.needed[q] == 0 { 0.0 } else { f64::INFINITY };
        }
    }

    fn neighbors(&self, q: usize) -> impl Iterator<Item = u32> {
        self.list[q * self.room..q * self.room + self.length[q]].iter().map(|found| found.index)
    }

    /// A query with a core distance of 0 reaches nothing.
    fn reaches(&self, bounds: &BoundingBox<D>) -> bool {
        self.bounds.squared_distance_to_box(bounds) < self.widest()
            && (0..self.count).any(|q| bounds.squared_distance(&self.queries[q]) < self.worst[q])
    }

    fn widest(&self) -> f64 {
        self.worst.iter().fold(0.0, |widest, worst| f64::max(widest, *worst))
    }

    /// `own`: the leaf of the queries themselves, when `tree` is theirs.
    fn search(&mut self, tree: &SpatialTree<D>, weights: Weights<'_>, own: Option<usize>) {
        let Some(root) = tree.root() else { return };
        let mut widest = self.widest();
        if let Some(own) = own {
            widest = self.look_into::<true>(tree, weights, own, &BoundingBox::EMPTY);
        }
        self.visit(tree, weights, root, own.unwrap_or(usize::MAX), &mut widest);
    }

    fn visit(&mut self, tree: &SpatialTree<D>, weights: Weights<'_>, node: Node, own: usize, widest: &mut f64) {
        let Some((left, right)) = tree.children(node) else {
            if node.first_leaf != own {
                *widest = self.look_into::<false>(tree, weights, node.first_leaf, tree.node_bounds(node));
            }
            return;
        };
        let (to_left, to_right) = (
            tree.node_bounds(left).squared_distance_to_box(&self.bounds),
            tree.node_bounds(right).squared_distance_to_box(&self.bounds),
        );
        // If two are equally near, the one on the queries' own side goes first.
        let left_first = to_left < to_right || (to_left == to_right && own < right.first_leaf);
        let (near, to_near, far, to_far) =
            if left_first { (left, to_left, right, to_right) } else { (right, to_right, left, to_left) };
        if to_near < *widest {
            self.visit(tree, weights, near, own, widest);
        }
        if to_far < *widest {
            self.visit(tree, weights, far, own, widest);
        }
    }

    /// Returns the widest ball that is left.
    #[inline]
    fn look_into<const OWN: bool>(
        &mut self,
        tree: &SpatialTree<D>,
        weights: Weights<'_>,
        leaf: usize,
        bounds: &BoundingBox<D>,
    ) -> f64 {
        for q in 0..self.count {
            let query = self.queries[q];
            if !OWN && bounds.squared_distance(&query) >= self.worst[q] {
                continue;
            }
            tree.leaf_distances(leaf, &query, |first, distances| {
                for (i, distance) in (first..).zip(distances) {
                    if *distance < self.worst[q] && !(OWN && i == self.first + q) {
                        self.offer(q, *distance, i, weights);
                    }
                }
            });
        }
        self.widest()
    }

    #[inline]
    fn offer(&mut self, q: usize, squared_distance: f64, i: usize, weights: Weights<'_>) {
        let list = &mut self.list[q * self.room..(q + 1) * self.room];
        let length = &mut self.length[q];
        let mut at = *length;
        while at > 0 && list[at - 1].squared_distance > squared_distance {
            list[at] = list[at - 1];
            at -= 1;
        }
        let weight = weight(weights, i);
        list[at] = Found { squared_distance, index: i as u32, weight: weight as u32 };
        *length += 1;
        self.total[q] += weight;
        let needed = self.needed[q];
        while self.total[q] - u64::from(list[*length - 1].weight) >= needed {
            *length -= 1;
            self.total[q] -= u64::from(list[*length].weight);
        }
        if self.total[q] >= needed {
            self.worst[q] = list[*length - 1].squared_distance;
        }
    }
}
