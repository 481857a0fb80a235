//! The nearest-neighbour chain, and the two ways to keep the distances between clusters that it asks for.
//!
//! ```text
//!   a ──▶ its nearest b ──▶ its nearest c ◀──▶ d     c and d are each other's nearest: merge, go on from b
//! ```
//!
//! For a linkage that is *reducible* (a merged cluster is no nearer to a third one than the nearer of its halves was),
//! which Ward's, average and complete linkage are, clusters that are each other's nearest may be merged at once,
//! whatever is nearer elsewhere: the merges, sorted by height, are those of the greedy algorithm. `O(n^2)` distances
//! are looked at. References: Murtagh, "A survey of recent advances in hierarchical clustering algorithms", The
//! Computer Journal 1983; Müllner, "Modern hierarchical, agglomerative clustering algorithms", arXiv:1109.2378, 2011.

use crate::rows::{Rows, squared_distance};
use pulp::Arch;

use super::points::{Pair, WeightedPoints};
use super::rounds::Remaining;

/// Clusters whose distances are computed together.
const LANES: usize = 8;
/// Fewer slots than this are not worth closing up.
const LEAST_COMPACTED: usize = 64;

/// Clusters in slots, of which a merge frees one.
pub(super) trait Clusters {
    /// The first slot in use.
    fn first(&self) -> usize;
    /// The nearest other cluster (the first of equal ones), and how far it is.
    fn nearest(&mut self, slot: usize) -> (usize, f64);
    /// Merges the cluster in `from` into that in `into`.
    fn merge(&mut self, from: usize, into: usize);
    /// Any point of a cluster.
    fn point(&self, slot: usize) -> u32;
    /// Closes the gaps when half of the slots are free; gives the new slot for each old one.
    fn compact(&mut self) -> Option<Vec<usize>>;
}

/// Merges until one cluster is left and there are `n - 1` pairs. They come in the order in which they were found, each
/// after those within it.
pub(super) fn merge_all(clusters: &mut impl Clusters, n: usize, pairs: &mut Vec<Pair>) {
    // Slots, each with its distance from the one before.
    let mut chain: Vec<(usize, f64)> = vec![];
    while pairs.len() + 1 < n {
        if let Some(new) = clusters.compact() {
            chain.iter_mut().for_each(|(slot, _)| *slot = new[*slot]);
        }
        if chain.is_empty() {
            chain.push((clusters.first(), f64::INFINITY));
        }
        loop {
            let (last, distance) = chain[chain.len() - 1];
            let (nearest, least) = clusters.nearest(last);
            // At least as far as the way back: no cluster is nearer than the one before. This also ends the chain.
            if chain.len() < 2 || least < distance {
                chain.push((nearest, least));
                continue;
            }
            let before = chain[chain.len() - 2].0;
            // As in scipy, the higher slot holds the merged cluster.
            let (from, into) = (last.min(before), last.max(before));
            pairs.push((distance, clusters.point(from), clusters.point(into)));
            clusters.merge(from, into);
            chain.truncate(chain.len() - 2);
            // Only rounding can bring a cluster into the chain twice.
            if let Some(at) = chain.iter().position(|(slot, _)| *slot == from || *slot == into) {
                chain.truncate(at);
            }
            break;
        }
    }
}

/// Ward's clusters: centroids and weights, `8 d + 12` bytes each.
///
/// Eight clusters lie side by side, a column after the other. The distance is half of the squared height: how much a
/// merge adds to the sum of squares within clusters. A free slot weighs NaN, and so does every distance to it: less
/// than nothing.
pub(super) struct Centroids {
    columns: usize,
    slots: usize,
    live: usize,
    blocks: Vec<[f64; LANES]>,
    weights: Vec<[f64; LANES]>,
    points: Vec<u32>,
    query: Vec<f64>,
}

impl Centroids {
    pub(super) fn new(from: Remaining<'_>) -> Self {
        let (n, columns) = (from.centroids.nrows(), from.centroids.ncols());
        let groups = n.div_ceil(LANES);
        let mut blocks = vec![[0.0; LANES]; groups * columns];
        let mut weights = vec![[f64::NAN; LANES]; groups];
        for (i, row) in from.centroids.row_slices().enumerate() {
            for (j, value) in row.iter().enumerate() {
                blocks[i / LANES * columns + j][i % LANES] = *value;
            }
            weights[i / LANES][i % LANES] = from.weights[i];
        }
        Self { columns, slots: n, live: n, blocks, weights, points: from.points, query: vec![0.0; columns] }
    }

    fn weight(&self, slot: usize) -> f64 {
        self.weights[slot / LANES][slot % LANES]
    }

    fn coordinate(&mut self, slot: usize, column: usize) -> &mut f64 {
        &mut self.blocks[slot / LANES * self.columns + column][slot % LANES]
    }

    fn is_live(&self, slot: usize) -> bool {
        !self.weight(slot).is_nan()
    }

    /// Compiled for each width of vectors, by being part of what is dispatched.
    #[inline(always)]
    fn scan(&self, own: f64) -> (usize, f64) {
        let mut least = [f64::INFINITY; LANES];
        let mut nearest = [0_u64; LANES];
        let groups = self.blocks.chunks_exact(self.columns).zip(&self.weights);
        for (group, (columns, weights)) in groups.enumerate() {
            let mut distances = [0.0; LANES];
            for (value, column) in self.query.iter().zip(columns) {
                for lane in 0..LANES {
                    let difference = value - column[lane];
                    distances[lane] += difference * difference;
                }
            }
            for lane in 0..LANES {
                let distance = distances[lane] * (own * weights[lane] / (own + weights[lane]));
                let is_nearer = distance < least[lane];
                least[lane] = if is_nearer { distance } else { least[lane] };
                nearest[lane] = if is_nearer { group as u64 } else { nearest[lane] };
            }
        }
        let mut best = (usize::MAX, f64::INFINITY);
        for lane in 0..LANES {
            let slot = nearest[lane] as usize * LANES + lane;
            if least[lane] < best.1 || (least[lane] == best.1 && slot < best.0) {
                best = (slot, least[lane]);
            }
        }
        best
    }
}

impl Clusters for Centroids {
    fn first(&self) -> usize {
        (0..self.slots).find(|slot| self.is_live(*slot)).unwrap_or(0)
    }

    fn nearest(&mut self, slot: usize) -> (usize, f64) {
        for j in 0..self.columns {
            self.query[j] = *self.coordinate(slot, j);
        }
        // A cluster is not its own neighbour.
        let own = std::mem::replace(&mut self.weights[slot / LANES][slot % LANES], f64::NAN);
        let found = Arch::new().dispatch(|| self.scan(own));
        self.weights[slot / LANES][slot % LANES] = own;
        found
    }

    fn merge(&mut self, from: usize, into: usize) {
        let (light, heavy) = (self.weight(from), self.weight(into));
        let share = light / (light + heavy);
        for j in 0..self.columns {
            let value = *self.coordinate(from, j);
            let into = self.coordinate(into, j);
            *into += (value - *into) * share;
        }
        self.weights[into / LANES][into % LANES] = light + heavy;
        self.weights[from / LANES][from % LANES] = f64::NAN;
        self.live -= 1;
    }

    fn point(&self, slot: usize) -> u32 {
        self.points[slot]
    }

    fn compact(&mut self) -> Option<Vec<usize>> {
        if self.live > self.slots / 2 || self.slots < LEAST_COMPACTED {
            return None;
        }
        let live: Vec<usize> = (0..self.slots).filter(|slot| self.is_live(*slot)).collect();
        let mut new = vec![usize::MAX; self.slots];
        for (to, &slot) in live.iter().enumerate() {
            for j in 0..self.columns {
                *self.coordinate(to, j) = *self.coordinate(slot, j);
            }
            let weight = std::mem::replace(&mut self.weights[slot / LANES][slot % LANES], f64::NAN);
            self.weights[to / LANES][to % LANES] = weight;
            self.points[to] = self.points[slot];
            new[slot] = to;
        }
        let to = live.len();
        self.slots = to;
        self.weights.truncate(to.div_ceil(LANES));
        self.blocks.truncate(to.div_ceil(LANES) * self.columns);
        self.points.truncate(to);
        Some(new)
    }
}

/// Clusters with all distances between them stored: `4 n (n - 1)` bytes.
pub(super) struct Distances {
    /// The distance of slots `a < b` is at `start(a) + b`, row by row.
    condensed: Vec<f64>,
    slots: usize,
    live: usize,
    /// 0 for a free slot.
    weights: Vec<f64>,
    points: Vec<u32>,
    /// The distance to the merged cluster, given the distances to the two and their weights.
    update: fn((f64, f64), (f64, f64)) -> f64,
}

/// Average linkage: the mean over all pairs of rows.
pub(super) fn average((a, weight_a): (f64, f64), (b, weight_b): (f64, f64)) -> f64 {
    (weight_a * a + weight_b * b) / (weight_a + weight_b)
}

/// Complete linkage: the farthest pair of rows.
pub(super) fn complete((a, _): (f64, f64), (b, _): (f64, f64)) -> f64 {
    a.max(b)
}

impl Distances {
    pub(super) fn new(from: &WeightedPoints<'_>, update: fn((f64, f64), (f64, f64)) -> f64) -> Self {
        let n = from.points.nrows();
        let mut condensed = Vec::with_capacity(n * n.saturating_sub(1) / 2);
        for a in 0..n {
            let own = from.points.row_slice(a);
            condensed.extend((a + 1..n).map(|b| squared_distance(own, from.points.row_slice(b)).sqrt()));
        }
        let weights = from.weights.iter().map(|weight| *weight as f64).collect();
        Self { condensed, slots: n, live: n, weights, points: (0..n as u32).collect(), update }
    }

    /// The place for two slots in any order.
    fn place(&self, a: usize, b: usize) -> usize {
        place(self.slots, a.min(b), a.max(b))
    }
}

/// Where the distance of slots `a < b` of `n` is.
fn place(n: usize, a: usize, b: usize) -> usize {
    a * (2 * n - a - 1) / 2 + b - a - 1
}

impl Clusters for Distances {
    fn first(&self) -> usize {
        self.weights.iter().position(|weight| *weight > 0.0).unwrap_or(0)
    }

    fn nearest(&mut self, slot: usize) -> (usize, f64) {
        let mut best = (usize::MAX, f64::INFINITY);
        let mut look = |other: usize, distance: f64| {
            if self.weights[other] > 0.0 && distance < best.1 {
                best = (other, distance);
            }
        };
        // Down the column, each step shorter by one, then along the row.
        let mut at = slot.wrapping_sub(1);
        for other in 0..slot {
            look(other, self.condensed[at]);
            at += self.slots - other - 2;
        }
        let row = place(self.slots, slot, slot + 1);
        for (other, distance) in (slot + 1..self.slots).zip(&self.condensed[row.min(self.condensed.len())..]) {
            look(other, *distance);
        }
        best
    }

    fn merge(&mut self, from: usize, into: usize) {
        let (light, heavy) = (self.weights[from], self.weights[into]);
        self.weights[from] = 0.0;
        for other in (0..self.slots).filter(|other| *other != into) {
            if self.weights[other] > 0.0 {
                let (a, b) = (self.place(from, other), self.place(into, other));
                self.condensed[b] = (self.update)((self.condensed[a], light), (self.condensed[b], heavy));
            }
        }
        self.weights[into] = light + heavy;
        self.live -= 1;
    }

    fn point(&self, slot: usize) -> u32 {
        self.points[slot]
    }

    fn compact(&mut self) -> Option<Vec<usize>> {
        if self.live > self.slots / 2 || self.slots < LEAST_COMPACTED {
            return None;
        }
        let old: Vec<usize> = (0..self.slots).filter(|slot| self.weights[*slot] > 0.0).collect();
        let mut new = vec![usize::MAX; self.slots];
        let mut to = 0;
        for (a, &slot) in old.iter().enumerate() {
            new[slot] = a;
            // Nothing is overwritten before it is read, because both run in the same order.
            for &other in &old[a + 1..] {
                self.condensed[to] = self.condensed[place(self.slots, slot, other)];
                to += 1;
            }
            self.weights[a] = self.weights[slot];
            self.points[a] = self.points[slot];
        }
        self.slots = old.len();
        self.condensed.truncate(to);
        self.weights.truncate(self.slots);
        self.points.truncate(self.slots);
        Some(new)
    }
}
