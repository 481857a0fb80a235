//! Lists of k nearest neighbours: exact, from a kd-tree, or approximate, by NN-descent, where trees no longer prune.
//!
//! NN-descent (Dong, Charikar and Li, WWW 2011): a neighbour of a neighbour is likely to be a neighbour. It starts from a
//! forest of random projection trees (Dasgupta and Freund, STOC 2008), whose leaves are searched in full, as the
//! pynndescent package does.

use super::core_distances::Weights;
use crate::hashing::{combine, mix};
use crate::spatial_tree::{Node, SpatialTree, squared_distance};

/// No neighbour.
pub const NO_NEIGHBOR: u32 = u32::MAX;

/// Beyond this many columns a kd-tree looks into so many leaves that NN-descent is faster.
pub const MAX_EXACT_DIMENSIONS: usize = 12;

/// For each point its nearest neighbours, nearest first, itself not among them.
#[derive(Debug, Clone, PartialEq)]
pub struct NeighborLists {
    k: usize,
    neighbors: Vec<u32>,
    squared_distances: Vec<f64>,
}

impl NeighborLists {
    /// `n` lists without a neighbour, for `k` of them each.
    pub(super) fn new(n: usize, k: usize) -> Self {
        Self { k, neighbors: vec![NO_NEIGHBOR; n * k], squared_distances: vec![f64::INFINITY; n * k] }
    }

    /// The neighbours of a point: index and squared distance. Fewer than asked for where there are no more points.
    pub fn of(&self, i: usize) -> impl Iterator<Item = (u32, f64)> {
        let range = i * self.k..(i + 1) * self.k;
        let pairs = self.neighbors[range.clone()].iter().copied().zip(self.squared_distances[range].iter().copied());
        pairs.take_while(|(neighbor, _)| *neighbor != NO_NEIGHBOR)
    }

    /// Looks for nearer neighbours of a point in another tree. `name` gives the index that a point of that tree is listed
    /// by; none for one that was looked at before.
    pub fn extend<const D: usize>(
        &mut self,
        i: usize,
        query: &[f64; D],
        tree: &SpatialTree<D>,
        name: &mut impl FnMut(usize) -> Option<u32>,
    ) {
        if let (Some(root), true) = (tree.root(), self.k > 0) {
            search(tree, root, usize::MAX, (i, query), self, name);
        }
    }

    /// Squared distance of the last neighbour; infinite while there are fewer than asked for.
    #[inline]
    #[must_use]
    pub fn worst(&self, i: usize) -> f64 {
        self.squared_distances[(i + 1) * self.k - 1]
    }

    /// Puts a neighbour in its place, unless it is there already. Returns where.
    #[inline]
    fn insert(&mut self, i: usize, neighbor: u32, squared_distance: f64) -> Option<usize> {
        let start = i * self.k;
        let distances = &mut self.squared_distances[start..start + self.k];
        let neighbors = &mut self.neighbors[start..start + self.k];
        let at = distances.partition_point(|distance| *distance <= squared_distance);
        if at == self.k {
            return None;
        }
        // The same neighbour would be among those at the same distance.
        let mut same = at;
        while same > 0 && distances[same - 1] == squared_distance {
            same -= 1;
            if neighbors[same] == neighbor {
                return None;
            }
        }
        distances.copy_within(at..self.k - 1, at + 1);
        neighbors.copy_within(at..self.k - 1, at + 1);
        (distances[at], neighbors[at]) = (squared_distance, neighbor);
        Some(start + at)
    }

    /// Squared core distance of a point: where its weight and its neighbours' weights reach `min_samples`; infinite if
    /// they do not.
    #[must_use]
    pub fn squared_core(&self, i: usize, weights: Weights<'_>, min_samples: u64) -> f64 {
        let weight = |i: usize| weights.map_or(1, |weights| u64::from(weights[i]));
        let mut total = weight(i);
        if total >= min_samples {
            return 0.0;
        }
        for (neighbor, squared_distance) in self.of(i) {
            total += weight(neighbor as usize);
            if total >= min_samples {
                return squared_distance;
            }
        }
        f64::INFINITY
    }
}

/// The `k` nearest points of each point of a tree, in tree order, exact. `12 k` bytes a point.
#[must_use]
pub fn exact_neighbors<const D: usize>(tree: &SpatialTree<D>, k: usize) -> NeighborLists {
    let mut lists = NeighborLists::new(tree.len(), k);
    if let (Some(root), true) = (tree.root(), k > 0) {
        for i in 0..tree.len() {
            search(tree, root, i, (i, &tree.point(i)), &mut lists, &mut |j| (j != i).then_some(j as u32));
        }
    }
    lists
}

/// `own` is the query's place in the tree, for where to begin; `name` as in [`NeighborLists::extend`].
fn search<const D: usize>(
    tree: &SpatialTree<D>,
    node: Node,
    own: usize,
    (i, query): (usize, &[f64; D]),
    lists: &mut NeighborLists,
    name: &mut impl FnMut(usize) -> Option<u32>,
) {
    let Some((left, right)) = tree.children(node) else {
        tree.leaf_distances(node.first_leaf, query, |first, distances| {
            for (j, distance) in (first..).zip(distances) {
                if *distance < lists.worst(i)
                    && let Some(neighbor) = name(j)
                {
                    lists.insert(i, neighbor, *distance);
                }
            }
        });
        return;
    };
    let distance = |node: Node| tree.node_bounds(node).squared_distance(query);
    let (mut near, mut far) = ((distance(left), left), (distance(right), right));
    let is_right = || tree.points(right).contains(&own);
    if far.0 < near.0 || (far.0 == near.0 && is_right()) {
        std::mem::swap(&mut near, &mut far);
    }
    for (distance, node) in [near, far] {
        if distance < lists.worst(i) {
            search(tree, node, own, (i, query), lists, name);
        }
    }
}

/// Trees of the forest that NN-descent starts from.
const TREES: u64 = 6;
/// Points of their leaves, at most.
const FOREST_LEAF: usize = 32;
/// Neighbours of a point that a round looks at.
const CANDIDATES: usize = 24;
const MAX_ROUNDS: u64 = 12;
/// It ends when a round changes no more than this share of the lists.
const CONVERGED: f64 = 0.001;

/// The `k` nearest of `points` for each of them, approximately; a function of the points in their order and of `seed`.
///
/// `13 k + 384` bytes a point.
#[must_use]
pub fn nn_descent<const D: usize>(points: &[[f64; D]], k: usize, seed: u64) -> NeighborLists {
    let n = points.len();
    let mut descent = Descent { points, lists: NeighborLists::new(n, k), is_new: vec![false; n * k], changes: 0 };
    if k == 0 {
        return descent.lists;
    }
    for tree in 0..TREES {
        let mut members: Vec<u32> = (0..n as u32).collect();
        descent.project(&mut members, combine(seed, tree));
    }
    for round in 0..MAX_ROUNDS {
        descent.changes = 0;
        descent.round(combine(seed, TREES + round));
        if descent.changes as f64 <= CONVERGED * (n * k) as f64 {
            break;
        }
    }
    descent.lists
}

struct Descent<'a, const D: usize> {
    points: &'a [[f64; D]],
    lists: NeighborLists,
    /// For each entry of the lists, whether no round has looked at it yet.
    is_new: Vec<bool>,
    changes: usize,
}

/// For each point, the neighbours that a round looks at: those with the smallest random keys.
struct Candidates {
    keys: Vec<u32>,
    points: Vec<u32>,
}

impl Candidates {
    fn new(n: usize) -> Self {
        Self { keys: vec![u32::MAX; n * CANDIDATES], points: vec![NO_NEIGHBOR; n * CANDIDATES] }
    }

    fn offer(&mut self, i: usize, candidate: u32, key: u32) {
        let range = i * CANDIDATES..(i + 1) * CANDIDATES;
        let (keys, points) = (&mut self.keys[range.clone()], &mut self.points[range]);
        if key >= keys[CANDIDATES - 1] {
            return;
        }
        let at = keys.partition_point(|other| *other < key);
        // A pair has one key, whichever side it comes from.
        if keys[at] == key && points[at] == candidate {
            return;
        }
        keys.copy_within(at..CANDIDATES - 1, at + 1);
        points.copy_within(at..CANDIDATES - 1, at + 1);
        (keys[at], points[at]) = (key, candidate);
    }

    fn of(&self, i: usize) -> &[u32] {
        let all = &self.points[i * CANDIDATES..(i + 1) * CANDIDATES];
        &all[..all.iter().position(|point| *point == NO_NEIGHBOR).unwrap_or(CANDIDATES)]
    }
}

impl<const D: usize> Descent<'_, D> {
    fn consider(&mut self, a: u32, b: u32) {
        if a == b {
            return;
        }
        let distance = squared_distance(&self.points[a as usize], &self.points[b as usize]);
        for (from, to) in [(a, b), (b, a)] {
            let i = from as usize;
            if distance < self.lists.worst(i)
                && let Some(at) = self.lists.insert(i, to, distance)
            {
                let end = (i + 1) * self.lists.k;
                self.is_new.copy_within(at..end - 1, at + 1);
                self.is_new[at] = true;
                self.changes += 1;
            }
        }
    }

    /// Divides the members by hyperplanes between two of them, down to leaves, in which every pair is compared.
    fn project(&mut self, members: &mut [u32], seed: u64) {
        if members.len() <= FOREST_LEAF {
            for i in 0..members.len() {
                (0..i).for_each(|j| self.consider(members[i], members[j]));
            }
            return;
        }
        let n = members.len() as u64;
        let a = mix(seed) % n;
        let b = (a + 1 + mix(seed ^ 1) % (n - 1)) % n;
        let (a, b) = (self.points[members[a as usize] as usize], self.points[members[b as usize] as usize]);
        let normal: [f64; D] = std::array::from_fn(|j| b[j] - a[j]);
        let offset: f64 = (0..D).map(|j| normal[j] * (a[j] + b[j]) / 2.0).sum();
        let side = |point: &[f64; D]| (0..D).map(|j| normal[j] * point[j]).sum::<f64>() > offset;
        let mut split = 0;
        for i in 0..members.len() {
            if !side(&self.points[members[i] as usize]) {
                members.swap(split, i);
                split += 1;
            }
        }
        // The points are equal, or one is far away from all others: halve them by position.
        let least = members.len() / 64;
        if split <= least || split >= members.len() - least {
            split = members.len() / 2;
        }
        let (left, right) = members.split_at_mut(split);
        self.project(left, combine(seed, 2));
        self.project(right, combine(seed, 3));
    }

    /// Looks at all pairs of neighbours of a point of which one is new.
    fn round(&mut self, seed: u64) {
        let (n, k) = (self.points.len(), self.lists.k);
        let (mut new, mut old) = (Candidates::new(n), Candidates::new(n));
        let key = |i: usize, neighbor: u32| {
            let (low, high) = (neighbor.min(i as u32), neighbor.max(i as u32));
            (mix(seed ^ (u64::from(high) << 32 | u64::from(low))) >> 33) as u32
        };
        for i in 0..n {
            for at in i * k..(i + 1) * k {
                let neighbor = self.lists.neighbors[at];
                if neighbor == NO_NEIGHBOR {
                    break;
                }
                let to = if self.is_new[at] { &mut new } else { &mut old };
                let key = key(i, neighbor);
                to.offer(i, neighbor, key);
                to.offer(neighbor as usize, i as u32, key);
            }
        }
        for i in 0..n {
            let chosen = new.of(i);
            for at in i * k..(i + 1) * k {
                self.is_new[at] &= !chosen.contains(&self.lists.neighbors[at]);
            }
        }
        for i in 0..n {
            for (at, &a) in new.of(i).iter().enumerate() {
                new.of(i)[..at].iter().for_each(|&b| self.consider(a, b));
                old.of(i).iter().for_each(|&b| self.consider(a, b));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rows::matrix;
    use proptest::prelude::*;

    fn points<const D: usize>(n: usize, seed: u64) -> Vec<[f64; D]> {
        let unit = |key: u64| mix(seed ^ key) as f64 / u64::MAX as f64;
        (0..n as u64)
            .map(|i| {
                std::array::from_fn(|j| (i % 5) as f64 * 2.0 + unit(i * 64 + j as u64) + unit(i * 64 + j as u64 + 32))
            })
            .collect()
    }

    fn by_looking_at_all<const D: usize>(points: &[[f64; D]], i: usize, k: usize) -> Vec<f64> {
        let others = points.iter().enumerate().filter(|(j, _)| *j != i);
        let mut distances: Vec<f64> = others.map(|(_, point)| squared_distance(point, &points[i])).collect();
        distances.sort_by(f64::total_cmp);
        distances.truncate(k);
        distances
    }

    proptest! {
        #[test]
        fn a_tree_finds_the_nearest(n in 1usize..200, k in 0usize..20, seed in any::<u64>()) {
            let points = points::<3>(n, seed);
            let (tree, _) = SpatialTree::<3>::build(&matrix(points.concat(), 3), 1);
            let found = exact_neighbors(&tree, k);
            let in_order: Vec<[f64; 3]> = (0..n).map(|i| tree.point(i)).collect();
            for i in 0..n {
                let distances: Vec<f64> = found.of(i).map(|(_, distance)| distance).collect();
                prop_assert_eq!(distances, by_looking_at_all(&in_order, i, k));
            }
        }

        #[test]
        fn small_data_lacks_no_neighbor(n in 1usize..FOREST_LEAF, k in 1usize..20, seed in any::<u64>()) {
            let points = points::<16>(n, seed);
            let found = nn_descent(&points, k, seed);
            for i in 0..n {
                let distances: Vec<f64> = found.of(i).map(|(_, distance)| distance).collect();
                prop_assert_eq!(distances, by_looking_at_all(&points, i, k));
            }
        }
    }

    #[test]
    fn descent_recalls_nearly_all_neighbors() {
        let points = points::<16>(20_000, 7);
        let found = nn_descent(&points, 15, 7);
        let (mut right, mut total) = (0, 0);
        for i in (0..points.len()).step_by(97) {
            let exact = by_looking_at_all(&points, i, 15);
            right += found.of(i).filter(|(_, distance)| *distance <= exact[14]).count();
            total += 15;
            let mut seen: Vec<u32> = found.of(i).map(|(neighbor, _)| neighbor).collect();
            seen.sort_unstable();
            seen.dedup();
            assert_eq!(seen.len(), 15, "a neighbour is listed twice");
        }
        assert!(right as f64 / total as f64 > 0.95, "{right} of {total}");
        assert_eq!(found, nn_descent(&points, 15, 7));
    }
}
