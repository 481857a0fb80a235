//! K-nearest-neighbour imputation under the nan-Euclidean distance, exact, without the quadratic cost.
//!
//! The definition is scikit-learn's `KNNImputer` (Troyanskaya et al., Bioinformatics 2001): the distance of two rows
//! is `sqrt(d / |S| * sum over S of (x - y)^2)` over the features S that both have; the donors for a feature are the
//! rows that have it; a missing cell becomes the mean (uniform or weighted by 1 / distance) of the values of its k
//! nearest donors, or the column's mean when no donor shares a feature with the row.
//!
//! Rows are grouped by *pattern*, the set of features they have, as a bit mask. For a receiver of pattern R and the
//! donors of pattern D the distance only sees the columns of `R & D`, so each such pair gets one kd-tree over those
//! columns, built when it is first asked for:
//!
//! ```text
//!   receiver 1 0 1  ──▶ donors 1 1 1 on columns {0, 2} ──┐
//!                   ──▶ donors 1 1 0 on column  {0}    ──┼──▶ k nearest by (distance, row id)
//!                   ──▶ donors 0 1 1 on column  {2}    ──┘
//! ```
//!
//! **Ties.** Donors at the same distance are taken in the order of their row ids; scikit-learn takes whichever its
//! partial sort leaves first. Where no two donors tie at the k-th distance, the results are equal.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use crate::kdtree::{KdTree, Neighbor, NeighborList};
use crate::matrix::Matrix;

/// Most features a pattern can hold.
pub const MAX_FEATURES: usize = 64;

/// How the values of the neighbours are averaged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NeighborWeights {
    /// Every neighbour counts the same.
    Uniform,
    /// A neighbour counts by the inverse of its distance; where some are at distance 0, only these count.
    Distance,
}

/// The set of features that a row has, as a bit mask: bit `j` is set when feature `j` is not NaN.
#[must_use]
pub fn pattern(row: &[f64]) -> u64 {
    row.iter().enumerate().fold(0, |mask, (j, value)| mask | (u64::from(!value.is_nan()) << j))
}

/// Donors of one pattern: all their rows (absent cells NaN), and their ids.
#[derive(Debug)]
struct DonorGroup {
    rows: Matrix,
    ids: Vec<u64>,
}

impl DonorGroup {
    /// Offers every donor by its distance to `query` over the `shared` columns.
    fn scan(&self, shared: u64, query: &[f64], list: &mut NeighborList) {
        let columns: Vec<usize> = (0..self.rows.columns()).filter(|j| shared >> j & 1 == 1).collect();
        for (position, (row, id)) in self.rows.iter().zip(&self.ids).enumerate() {
            let squared_distance = columns.iter().zip(query).map(|(j, q)| (row[*j] - q) * (row[*j] - q)).sum();
            list.offer(Neighbor { squared_distance, id: *id, position: position as u32 });
        }
    }
}

/// A neighbour by its scaled distance: `(distance, id, row in its group)`.
type Candidate = (f64, u64, usize);

/// Groups of up to this many donors are searched row by row, without a tree.
const SMALL_GROUP: usize = 64;

/// Trees are kept up to this many bytes for each byte that one tree over all donors takes, and no less than
/// [`LEAST_TREE_BYTES`].
const TREES_KEPT: usize = 4;
const LEAST_TREE_BYTES: usize = 64 << 20;

/// The trees that were used last, within a budget. What is dropped is built again: it costs time and nothing else.
#[derive(Debug, Default)]
struct TreeCache {
    trees: HashMap<(u64, u64), (Arc<KdTree>, u64)>,
    bytes: usize,
    clock: u64,
}

impl TreeCache {
    fn get(&mut self, key: (u64, u64)) -> Option<Arc<KdTree>> {
        self.clock += 1;
        let (tree, used) = self.trees.get_mut(&key)?;
        *used = self.clock;
        Some(Arc::clone(tree))
    }

    fn insert(&mut self, key: (u64, u64), tree: &Arc<KdTree>, budget: usize) {
        self.clock += 1;
        if self.trees.insert(key, (Arc::clone(tree), self.clock)).is_none() {
            self.bytes += tree_bytes(tree.len(), key.1.count_ones() as usize);
        }
        while self.bytes > budget && self.trees.len() > 1 {
            let Some(oldest) = self.trees.iter().min_by_key(|(_, (_, used))| *used).map(|(key, _)| *key) else { break };
            if let Some((tree, _)) = self.trees.remove(&oldest) {
                self.bytes -= tree_bytes(tree.len(), oldest.1.count_ones() as usize);
            }
        }
    }
}

fn tree_budget(donors: usize, features: usize) -> usize {
    (TREES_KEPT * tree_bytes(donors, features)).max(LEAST_TREE_BYTES)
}

/// Bytes of a tree over `points` points in `columns` dimensions.
fn tree_bytes(points: usize, columns: usize) -> usize {
    points * (8 * columns + 24)
}

/// An imputer over a set of donor rows. Shared by threads; trees are built on demand, and kept within a budget.
///
/// Memory: see [`KnnImputer::bytes`].
#[derive(Debug)]
pub struct KnnImputer {
    features: usize,
    neighbors: usize,
    weights: NeighborWeights,
    column_means: Vec<f64>,
    groups: BTreeMap<u64, DonorGroup>,
    trees: Mutex<TreeCache>,
    tree_budget: usize,
}

impl KnnImputer {
    /// Takes the donors (`n x d`, NaN for a missing cell, at most [`MAX_FEATURES`] columns) with one id a row, the
    /// number of neighbours (at least 1), and the mean of each column over the rows that have it (the fallback).
    #[must_use]
    pub fn new(
        donors: &Matrix,
        ids: &[u64],
        neighbors: usize,
        weights: NeighborWeights,
        column_means: Vec<f64>,
    ) -> Self {
        let mut groups: BTreeMap<u64, DonorGroup> = BTreeMap::new();
        for (row, id) in donors.iter().zip(ids) {
            let mask = pattern(row);
            if mask == 0 {
                continue;
            }
            let group = groups
                .entry(mask)
                .or_insert_with(|| DonorGroup { rows: Matrix::with_capacity(0, donors.columns()), ids: vec![] });
            group.rows.push(row);
            group.ids.push(*id);
        }
        Self {
            features: donors.columns(),
            neighbors: neighbors.max(1),
            weights,
            column_means,
            groups,
            trees: Mutex::default(),
            tree_budget: tree_budget(donors.rows(), donors.columns()),
        }
    }

    /// Bytes held by the donors and, at most, by the trees over them.
    #[must_use]
    pub fn bytes(donors: usize, features: usize) -> usize {
        donors * (8 * features + 8) + tree_budget(donors, features)
    }

    fn tree(&self, donor_pattern: u64, group: &DonorGroup, shared: u64) -> Arc<KdTree> {
        let key = (donor_pattern, shared);
        let trees = || self.trees.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(tree) = trees().get(key) {
            return tree;
        }
        // Built outside the lock: two threads may build the same tree at once, which costs time and nothing else.
        let columns: Vec<usize> = (0..self.features).filter(|j| shared >> j & 1 == 1).collect();
        let mut points = Matrix::with_capacity(group.ids.len(), columns.len());
        let mut point = vec![0.0; columns.len()];
        for row in group.rows.iter() {
            for (to, from) in point.iter_mut().zip(&columns) {
                *to = row[*from];
            }
            points.push(&point);
        }
        let tree = Arc::new(KdTree::new(&points, &group.ids));
        trees().insert(key, &tree, self.tree_budget);
        tree
    }

    /// Fills the NaN cells of `row` (`d` values) in place and returns their bit mask (0 when nothing was missing).
    pub fn impute(&self, row: &mut [f64]) -> u64 {
        let has = pattern(row);
        let missing = !has & mask_of(self.features);
        if missing == 0 {
            return 0;
        }
        // The k nearest donors of each pattern, by scaled distance, whatever feature they will donate.
        let mut candidates: Vec<(u64, Vec<Candidate>)> = Vec::new();
        for (&donor_pattern, group) in &self.groups {
            let shared = donor_pattern & has;
            if shared == 0 || donor_pattern & missing == 0 {
                continue;
            }
            let query: Vec<f64> = (0..self.features).filter(|j| shared >> j & 1 == 1).map(|j| row[j]).collect();
            let mut list = NeighborList::new(self.neighbors);
            if group.ids.len() <= SMALL_GROUP {
                group.scan(shared, &query, &mut list);
            } else {
                self.tree(donor_pattern, group, shared).nearest(&query, &mut list);
            }
            let scale = self.features as f64 / f64::from(shared.count_ones());
            let scaled = |n: &Neighbor| ((n.squared_distance * scale).sqrt(), n.id, n.position as usize);
            candidates.push((donor_pattern, list.as_slice().iter().map(scaled).collect()));
        }
        let mut filled = row.to_vec();
        let mut nearest: Vec<(f64, u64, f64)> = Vec::new();
        for feature in (0..self.features).filter(|j| missing >> j & 1 == 1) {
            nearest.clear();
            for (donor_pattern, neighbors) in &candidates {
                if donor_pattern >> feature & 1 == 1 {
                    let group = &self.groups[donor_pattern];
                    nearest.extend(
                        neighbors.iter().map(|(distance, id, at)| (*distance, *id, group.rows.row(*at)[feature])),
                    );
                }
            }
            nearest.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
            nearest.truncate(self.neighbors);
            filled[feature] = self.average(&nearest).unwrap_or(self.column_means[feature]);
        }
        row.copy_from_slice(&filled);
        missing
    }

    fn average(&self, nearest: &[(f64, u64, f64)]) -> Option<f64> {
        let closest = nearest.first()?.0;
        let weight = |distance: f64| match self.weights {
            NeighborWeights::Uniform => 1.0,
            NeighborWeights::Distance if closest == 0.0 => f64::from(u8::from(distance == 0.0)),
            NeighborWeights::Distance => 1.0 / distance,
        };
        let (mut sum, mut total) = (0.0, 0.0);
        for (distance, _, value) in nearest {
            let w = weight(*distance);
            sum += w * value;
            total += w;
        }
        Some(sum / total)
    }
}

fn mask_of(features: usize) -> u64 {
    if features >= MAX_FEATURES { u64::MAX } else { (1 << features) - 1 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hashing::{mix, unit_interval};
    use proptest::prelude::*;

    /// The definition, written down the slow way.
    fn brute_force(donors: &Matrix, ids: &[u64], row: &[f64], feature: usize, k: usize) -> Option<f64> {
        let mut all: Vec<(f64, u64, f64)> = Vec::new();
        for (donor, id) in donors.iter().zip(ids) {
            let pairs: Vec<_> = row.iter().zip(donor).filter(|(a, b)| !a.is_nan() && !b.is_nan()).collect();
            if donor[feature].is_nan() || pairs.is_empty() {
                continue;
            }
            let sum: f64 = pairs.iter().map(|(a, b)| (*a - *b) * (*a - *b)).sum();
            all.push(((sum * (row.len() as f64 / pairs.len() as f64)).sqrt(), *id, donor[feature]));
        }
        all.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        all.truncate(k);
        (!all.is_empty()).then(|| all.iter().map(|x| x.2).sum::<f64>() / all.len() as f64)
    }

    proptest! {
        #[test]
        fn equals_the_definition(seed in any::<u64>(), n in 1usize..120, d in 1usize..5, k in 1usize..8, grid in any::<bool>()) {
            let cell = |i: usize| {
                let h = mix(seed ^ (i as u64) << 8);
                if h.is_multiple_of(5) { f64::NAN } else if grid { (h >> 8 & 7) as f64 } else { unit_interval(h) }
            };
            let donors = Matrix::new((0..n * d).map(cell).collect(), d);
            let ids: Vec<u64> = (0..n as u64).map(mix).collect();
            let means = vec![-1.0; d];
            let imputer = KnnImputer::new(&donors, &ids, k, NeighborWeights::Uniform, means);
            for row in donors.iter() {
                let mut filled = row.to_vec();
                imputer.impute(&mut filled);
                for j in 0..d {
                    let expected = if row[j].is_nan() {
                        brute_force(&donors, &ids, row, j, k).unwrap_or(-1.0)
                    } else {
                        row[j]
                    };
                    prop_assert!((filled[j] - expected).abs() <= 1e-12, "{} {}", filled[j], expected);
                }
            }
        }
    }
}
