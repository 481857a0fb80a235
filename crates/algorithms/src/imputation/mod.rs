//! K-nearest-neighbour imputation under the nan-Euclidean distance, exact, without the quadratic cost.
//!
//! The definition is scikit-learn's `KNNImputer` (Troyanskaya et al., Bioinformatics 2001): the distance of two rows
//! is `sqrt(d / |S| * sum over S of (x - y)^2)` over the features S that both have; the donors for a feature are the
//! rows that have it; a missing cell becomes the mean (uniform or weighted by 1 / distance) of the values of its k
//! nearest donors, or a fallback when no donor shares a feature with the row.
//!
//! Rows are grouped by *pattern*, the set of features they have, as a bit mask. For a receiver of pattern R and the
//! donors of pattern D the distance only sees the columns of `R & D`, so each such pair gets one kd-tree over those
//! columns, built when enough rows ask for it:
//!
//! ```text
//!   receiver 1 0 1  ──▶ donors 1 1 1 on columns {0, 2} ──┐
//!                   ──▶ donors 1 1 0 on column  {0}    ──┼──▶ (distance, donors there, sum of their values) ...
//!                   ──▶ donors 0 1 1 on column  {2}    ──┘
//! ```
//!
//! **Ties.** Days and orders are whole numbers, so many donors are equally far away. All donors at the k-th distance share
//! the places that are left: of m donors for r places each counts `r / m`. (scikit-learn takes whichever its partial sort
//! leaves first. Where no two donors tie at the k-th distance, the results are equal.) Distances are equal when their
//! scaled squares, added up in column order, have the same bits.
//!
//! **Reproducible.** Values of donors are added up as integers (see [`sums`](crate::sums)), so a result depends on the set of
//! donors and on nothing else: not on their order, on how they are split among searches that are merged, or on threads.
//!
//! **Cost.** With n donors and receivers, `n log n` for each pair of patterns that occurs, and memory of 8 bytes for
//! each cell of a donor plus the trees that are kept ([`KnnImputer::most_bytes`]). If nearly all rows have different
//! patterns, as with dozens of features that are missing independently, there are nearly as many pairs of patterns as
//! pairs of rows.

mod cache;
mod donors;
mod errors;
mod nearest;
mod probes;
mod tree;

#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

pub use self::donors::Donors;
pub use self::errors::{ImputationErrors, masked_copies};
pub use self::nearest::Nearest;
pub use self::probes::ProbeSearch;

use self::cache::{Cache, Lease};
use self::donors::Group;
use self::nearest::{Entry, Hits, List, quanta};
use self::tree::Tree;
use crate::parallel::for_each_chunk;
use crate::sums::{Bounds, Quantum};

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

/// The set of the first `features` features.
fn mask_of(features: usize) -> u64 {
    if features >= MAX_FEATURES { u64::MAX } else { (1 << features) - 1 }
}

/// The features of a set, ascending.
fn bits(mut mask: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let feature = mask.trailing_zeros() as usize;
        mask &= mask.wrapping_sub(1);
        (feature < MAX_FEATURES).then_some(feature)
    })
}

/// Trees are kept up to this many times what one tree over all donors may take.
const TREES_KEPT: usize = 4;
/// If all trees together fit in this many bytes, as many are kept as there are features that are missing alone, and as
/// many again.
const SMALL_TREES: usize = 512 << 20;
/// Groups of up to this many donors are searched row by row, without a tree.
const SMALL_GROUP: usize = 32;
/// Distinct receivers that are searched for together.
const PIECE: usize = 1024;

/// An imputer over a set of donor rows. Shared by threads: trees are built on demand, once each, and kept within a budget.
#[derive(Debug)]
pub struct KnnImputer {
    features: usize,
    rows: usize,
    neighbors: u64,
    weights: NeighborWeights,
    quanta: Vec<Quantum>,
    threads: usize,
    groups: Vec<Group>,
    trees: Cache,
}

/// The rows of a batch that have the same pattern. Rows that are equal are searched for once.
struct Receivers {
    has: u64,
    missing: u64,
    /// Rows of the batch, in the order of their values: one search leaves in the cache what the next one needs.
    rows: Vec<u32>,
    /// For each distinct row, the first of `rows` that is equal to it.
    firsts: Vec<u32>,
}

impl KnnImputer {
    /// Takes the donors, the number of neighbours (at least 1), and the bounds of each feature over all donors there are
    /// (for searches that are to be merged: of all of them). Batches are worked on by up to `threads` threads.
    ///
    /// # Panics
    /// When there are not as many bounds as features.
    #[must_use]
    pub fn new(donors: Donors, neighbors: usize, weights: NeighborWeights, bounds: &[Bounds], threads: usize) -> Self {
        let (features, rows) = (donors.features(), donors.rows());
        assert_eq!(bounds.len(), features, "bounds of the features");
        Self {
            features,
            rows,
            neighbors: neighbors.max(1) as u64,
            weights,
            quanta: quanta(bounds),
            threads,
            groups: donors.into_groups(),
            trees: Cache::new(tree_budget(rows, features)),
        }
    }

    /// Keeps trees of up to `bytes`; one is always kept.
    #[cfg(test)]
    fn with_tree_bytes(mut self, bytes: usize) -> Self {
        self.trees = Cache::new(bytes);
        self
    }

    /// Bytes that an imputer over so many donors takes at most: for them, and for trees, those that are being built
    /// included. What a batch takes is not: 32 bytes for each of its rows, and a few for each of its missing cells.
    #[must_use]
    pub fn most_bytes(donor_rows: usize, features: usize) -> usize {
        // Donors grow by an eighth.
        donor_rows * 9 * features + tree_budget(donor_rows, features) + 4096
    }

    /// Bytes held now by donors and trees.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.groups.iter().map(|group| 8 * group.values.capacity()).sum::<usize>() + self.trees.bytes()
    }

    /// Number of donors.
    #[must_use]
    pub fn donors(&self) -> usize {
        self.rows
    }

    /// Fills the missing cells of `rows` (`n x d`, row-major, NaN where missing) and returns of each row the bit mask of the
    /// cells filled. A cell without a donor becomes `fallback` (`d` values). A row is a donor to itself only for what it
    /// does not miss, so it may well be among the donors. The larger the batch, the better.
    pub fn impute(&self, rows: &mut [f64], fallback: &[f64]) -> Vec<u64> {
        let (masks, groups) = self.receivers(rows);
        let value = |feature: usize, list: &List| {
            list.average(self.neighbors, self.weights, self.quanta[feature]).unwrap_or(fallback[feature])
        };
        let values = self.search(rows, &groups, value);
        for (group, values) in groups.iter().zip(&values) {
            let missing = group.missing.count_ones() as usize;
            for (distinct, values) in values.chunks_exact(missing).enumerate() {
                for row in group.equal(distinct) {
                    let row = &mut rows[*row as usize * self.features..][..self.features];
                    bits(group.missing).zip(values).for_each(|(feature, value)| row[feature] = *value);
                }
            }
        }
        masks
    }

    /// The nearest donors of all missing cells of `rows`, to be merged with those of other imputers.
    #[must_use]
    pub fn nearest(&self, rows: &[f64]) -> Nearest {
        let (masks, groups) = self.receivers(rows);
        let lists = self.search(rows, &groups, |_, list| list.entries.clone());
        let mut places = vec![(0u32, 0u32); masks.len()];
        for (at, group) in groups.iter().enumerate() {
            for distinct in 0..group.firsts.len() {
                group.equal(distinct).iter().for_each(|row| places[*row as usize] = (at as u32, distinct as u32));
            }
        }
        let mut nearest = Nearest::new(self.neighbors);
        for (mask, (group, distinct)) in masks.iter().zip(places) {
            let missing = mask.count_ones() as usize;
            if missing > 0 {
                let lists = &lists[group as usize][distinct as usize * missing..][..missing];
                lists.iter().for_each(|list| nearest.push(list));
            }
        }
        nearest
    }

    /// The masks of missing cells, and the rows that have any, by pattern.
    fn receivers(&self, rows: &[f64]) -> (Vec<u64>, Vec<Receivers>) {
        let all = mask_of(self.features);
        let mut groups: std::collections::BTreeMap<u64, Vec<u32>> = std::collections::BTreeMap::new();
        let masks: Vec<u64> = rows.chunks_exact(self.features).map(|row| !pattern(row) & all).collect();
        for (mask, row) in masks.iter().zip(0..) {
            if *mask != 0 {
                groups.entry(*mask).or_default().push(row);
            }
        }
        let groups = for_each_chunk(groups.into_iter().collect(), self.threads, |(missing, order)| {
            Receivers::new(rows, self.features, !missing & all, missing, &order)
        });
        (masks, groups)
    }

    /// For each group, each distinct row and each feature that the row misses: the result of `finish` for the list of
    /// donors.
    fn search<R: Send>(
        &self,
        rows: &[f64],
        groups: &[Receivers],
        finish: impl Fn(usize, &List) -> R + Sync,
    ) -> Vec<Vec<R>> {
        let pieces: Vec<(usize, &Receivers, &[u32])> = groups
            .iter()
            .enumerate()
            .flat_map(|(at, group)| group.firsts.chunks(PIECE).map(move |firsts| (at, group, firsts)))
            .collect();
        let small = groups.iter().map(|group| group.firsts.len()).sum::<usize>() < PIECE;
        let threads = if small { 1 } else { self.threads };
        let found = for_each_chunk(pieces, threads, |(at, group, firsts)| {
            let row = |first: &u32| &rows[group.rows[*first as usize] as usize * self.features..][..self.features];
            let lists = self.search_piece(group, &firsts.iter().map(row).collect::<Vec<&[f64]>>());
            let missing: Vec<usize> = bits(group.missing).collect();
            let features = missing.iter().cycle();
            (at, lists.iter().zip(features).map(|(list, feature)| finish(*feature, list)).collect::<Vec<R>>())
        });
        let mut results: Vec<Vec<R>> = groups.iter().map(|_| vec![]).collect();
        found.into_iter().for_each(|(at, piece)| results[at].extend(piece));
        results
    }

    /// The nearest donors of distinct receivers of one pattern: a list for each of them and each feature that it misses.
    fn search_piece(&self, receivers: &Receivers, rows: &[&[f64]]) -> Vec<List> {
        let missing: Vec<usize> = bits(receivers.missing).collect();
        let mut lists = vec![List::default(); rows.len() * missing.len()];
        let mut hits = Hits::new(self.neighbors);
        for group in &self.groups {
            let (shared, given) = (group.pattern & receivers.has, group.pattern & receivers.missing);
            if shared == 0 || given == 0 {
                continue;
            }
            let donors = GroupSearch::new(self, group, shared, rows.len());
            // Which of the receiver's lists the donors add to.
            let given: Vec<usize> = (0..missing.len()).filter(|at| given >> missing[*at] & 1 == 1).collect();
            let mut query = Vec::with_capacity(self.features);
            for (row, lists) in rows.iter().zip(lists.chunks_exact_mut(missing.len())) {
                query.clear();
                query.extend(bits(shared).map(|feature| row[feature] + 0.0));
                hits.clear(given.iter().map(|at| lists[*at].worst(self.neighbors)).fold(0.0, f64::max));
                donors.search(&query, &mut hits);
                for (i, at) in given.iter().enumerate() {
                    for hit in hits.items() {
                        let sum = donors.sum(hit.reference, i);
                        let entry = Entry { distance: hit.distance, count: u64::from(hit.count), sum };
                        lists[*at].add(entry, self.neighbors);
                    }
                }
            }
        }
        lists
    }
}

/// The donors of one pattern as receivers of one pattern see them.
struct GroupSearch<'a> {
    group: &'a Group,
    /// Where in a donor's row the shared features are.
    shared: Vec<usize>,
    /// Where in a donor's row the features are that it gives, and their quanta.
    given: Vec<(usize, Quantum)>,
    /// What makes a squared distance over the shared features one over all.
    scale: f64,
    tree: Option<Lease<'a>>,
}

impl<'a> GroupSearch<'a> {
    fn new(imputer: &'a KnnImputer, group: &'a Group, shared: u64, receivers: usize) -> Self {
        let places = group.places(shared);
        let gives = group.pattern & !shared;
        let given: Vec<(usize, Quantum)> =
            group.places(gives).into_iter().zip(bits(gives).map(|feature| imputer.quanta[feature])).collect();
        let tree = if group.rows() > SMALL_GROUP {
            let most_bytes = Tree::most_bytes(group.rows(), places.len(), given.len());
            let build = || Tree::new(group, &places, &given, imputer.threads);
            imputer.trees.get((group.pattern, shared), receivers, most_bytes, build)
        } else {
            None
        };
        let scale = imputer.features as f64 / places.len() as f64;
        Self { group, shared: places, given, scale, tree }
    }

    fn search(&self, query: &[f64], hits: &mut Hits) {
        if let Some(tree) = &self.tree {
            return tree.search(query, self.scale, hits);
        }
        for (row, reference) in self.group.values.chunks_exact(self.group.width).zip(0..) {
            let mut sum = 0.0;
            for (place, value) in self.shared.iter().zip(query) {
                sum += (row[*place] - value) * (row[*place] - value);
            }
            let distance = sum * self.scale;
            if distance <= hits.worst() {
                hits.offer(distance, 1, reference);
            }
        }
    }

    /// The sum of given feature `feature` over the donors that a hit stands for.
    fn sum(&self, reference: u32, feature: usize) -> i128 {
        let total = self.tree.as_ref().and_then(|tree| tree.total(reference, feature));
        total.unwrap_or_else(|| {
            let (place, quantum) = self.given[feature];
            i128::from(quantum.quanta(self.group.values[reference as usize * self.group.width + place]))
        })
    }
}

impl Receivers {
    fn new(rows: &[f64], features: usize, has: u64, missing: u64, order: &[u32]) -> Self {
        let known: Vec<usize> = bits(has).collect();
        let cell = |row: u32, feature: usize| rows[row as usize * features + feature] + 0.0;
        // The first two values lie beside the row, as far as there are any.
        let key = |row: u32, at: usize| known.get(at).map_or(0, |feature| ordered(cell(row, *feature)));
        let mut keyed: Vec<(u64, u64, u32)> = order.iter().map(|row| (key(*row, 0), key(*row, 1), *row)).collect();
        let compare = |a: &(u64, u64, u32), b: &(u64, u64, u32)| {
            let rest = known.iter().skip(2).map(|feature| cell(a.2, *feature).total_cmp(&cell(b.2, *feature)));
            (a.0, a.1).cmp(&(b.0, b.1)).then_with(|| rest.fold(std::cmp::Ordering::Equal, std::cmp::Ordering::then))
        };
        keyed.sort_unstable_by(compare);
        let mut firsts = vec![];
        for (at, row) in keyed.iter().enumerate() {
            if at == 0 || compare(&keyed[at - 1], row).is_ne() {
                firsts.push(at as u32);
            }
        }
        Self { has, missing, rows: keyed.into_iter().map(|(_, _, row)| row).collect(), firsts }
    }

    /// The rows that are equal to a distinct one.
    fn equal(&self, distinct: usize) -> &[u32] {
        let end = self.firsts.get(distinct + 1).map_or(self.rows.len(), |end| *end as usize);
        &self.rows[self.firsts[distinct] as usize..end]
    }
}

/// Bits that compare as the values do.
fn ordered(value: f64) -> u64 {
    let bits = value.to_bits();
    if bits >> 63 == 1 { !bits } else { bits | 1 << 63 }
}

fn tree_budget(donors: usize, features: usize) -> usize {
    // The other features are given: a tree is largest when either are all but one.
    let most = |columns: usize| Tree::most_bytes(donors, columns, features - columns);
    let one = most(1).max(most(features - 1));
    (TREES_KEPT * one).max((2 * features * one).min(SMALL_TREES))
}
