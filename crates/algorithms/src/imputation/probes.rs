//! The nearest donors of a few receivers among very many donors, without a tree over the donors.
//!
//! A few hundred probes show how good imputation is, and for them alone it is too much to sort every donor into a tree.
//! Here the receivers are indexed instead. For each, a distance is known within which its k-th neighbour lies. So a
//! donor matters only to the receivers whose interval, in one column, holds the donor's value:
//!
//! ```text
//!   receivers   ├──a──┤        ├────c────┤        each: value +- reach
//!                   ├────b────┤
//!   gaps       |  |a |ab |b  |bc  |c    |   |     who is concerned by a value in the gap
//!   donor                 ^ b
//! ```

use std::collections::HashMap;

use super::nearest::{Entry, List, Nearest, quanta};
use super::{bits, mask_of, pattern};
use crate::sums::{Bounds, Quantum};

/// Collects the nearest of the offered donors for every cell that is asked for. Lists of different donors merge: see
/// [`Nearest::merge`].
#[derive(Debug)]
pub struct ProbeSearch {
    features: usize,
    neighbors: u64,
    quanta: Vec<Quantum>,
    rows: Vec<f64>,
    cells: Vec<Cell>,
    /// The cells of receivers of one pattern that miss the same feature.
    groups: Vec<Group>,
    /// Room for the features that a donor shares with receivers.
    shared: Vec<usize>,
}

#[derive(Debug)]
struct Cell {
    row: usize,
    /// No donor farther away, by scaled squared distance, is one of the nearest.
    within: f64,
    list: List,
}

#[derive(Debug)]
struct Group {
    has: u64,
    feature: usize,
    cells: Vec<usize>,
    /// By column.
    gaps: HashMap<usize, Gaps>,
}

/// Who is concerned by a value: `concerned[i]` by one in `(edges[i - 1], edges[i]]`.
#[derive(Debug)]
struct Gaps {
    edges: Vec<f64>,
    concerned: Vec<Vec<u32>>,
}

impl ProbeSearch {
    /// Takes receivers (`n x d`, row-major, NaN where missing) and, for all their missing cells in the order of (row,
    /// feature), a scaled squared distance within which the k-th neighbour lies; below 0 for a cell to ignore. Bounds
    /// as in [`super::KnnImputer::new`].
    #[must_use]
    pub fn new(rows: Vec<f64>, within: &[f64], neighbors: usize, bounds: &[Bounds]) -> Self {
        let features = bounds.len();
        let (mut cells, mut groups) = (vec![], HashMap::<(u64, usize), Vec<usize>>::new());
        for (row, values) in rows.chunks_exact(features.max(1)).enumerate() {
            let has = pattern(values);
            for feature in bits(!has & mask_of(features)) {
                let within = within.get(cells.len()).copied().unwrap_or(f64::INFINITY);
                if within >= 0.0 {
                    groups.entry((has, feature)).or_default().push(cells.len());
                }
                cells.push(Cell { row, within, list: List::default() });
            }
        }
        let group = |((has, feature), cells)| Group { has, feature, cells, gaps: HashMap::new() };
        let groups = groups.into_iter().map(group).collect();
        Self {
            features,
            neighbors: neighbors.max(1) as u64,
            quanta: quanta(bounds),
            rows,
            cells,
            groups,
            shared: vec![],
        }
    }

    /// Offers a donor (`d` values, NaN where missing) to all.
    pub fn offer(&mut self, donor: &[f64]) {
        let gives = pattern(donor);
        for group in &mut self.groups {
            let shared = gives & group.has;
            if gives >> group.feature & 1 == 0 || shared == 0 {
                continue;
            }
            let column = shared.trailing_zeros() as usize;
            let (rows, cells) = (&self.rows, &mut self.cells);
            let row = |cell: &Cell| &rows[cell.row * self.features..][..self.features];
            let gaps = group.gaps.entry(column).or_insert_with(|| {
                // The squared distance over all features known to both is no larger than over all that the receiver has.
                let share = f64::from(group.has.count_ones()) / self.features as f64;
                let interval = |cell: &usize| {
                    let cell = &cells[*cell];
                    // A little wider, for rounding.
                    let reach = (cell.within * share).sqrt() * (1.0 + 1e-9);
                    let value = row(cell)[column];
                    let slack = value.abs() * 1e-12;
                    (value - reach - slack, value + reach + slack)
                };
                Gaps::new(&group.cells.iter().map(interval).collect::<Vec<_>>())
            });
            let scale = self.features as f64 / f64::from(shared.count_ones());
            self.shared.clear();
            self.shared.extend(bits(shared));
            for concerned in gaps.of(donor[column]) {
                let cell = &mut cells[group.cells[*concerned as usize]];
                let receiver = row(cell);
                let limit = cell.within.min(cell.list.worst(self.neighbors));
                let mut sum = 0.0;
                for features in self.shared.chunks(4) {
                    for feature in features {
                        sum += (donor[*feature] - receiver[*feature]) * (donor[*feature] - receiver[*feature]);
                    }
                    // The sum only grows.
                    if sum * scale > limit {
                        break;
                    }
                }
                let distance = sum * scale;
                if distance <= limit {
                    let sum = i128::from(self.quanta[group.feature].quanta(donor[group.feature]));
                    cell.list.add(Entry { distance, count: 1, sum }, self.neighbors);
                }
            }
        }
    }

    /// What was found.
    #[must_use]
    pub fn finish(self) -> Nearest {
        let mut nearest = Nearest::new(self.neighbors);
        self.cells.iter().for_each(|cell| nearest.push(&cell.list.entries));
        nearest
    }
}

impl Gaps {
    fn new(intervals: &[(f64, f64)]) -> Self {
        let mut edges: Vec<f64> = intervals.iter().flat_map(|(low, high)| [*low, *high]).collect();
        edges.sort_by(f64::total_cmp);
        edges.dedup();
        let mut concerned = vec![vec![]; edges.len() + 1];
        for ((low, high), i) in intervals.iter().zip(0..) {
            let (first, last) = (edges.partition_point(|edge| edge < low), edges.partition_point(|edge| edge < high));
            concerned[first..=last].iter_mut().for_each(|gap| gap.push(i));
        }
        Self { edges, concerned }
    }

    fn of(&self, value: f64) -> &[u32] {
        &self.concerned[self.edges.partition_point(|edge| *edge < value)]
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Donors, KnnImputer, NeighborWeights};
    use super::*;
    use crate::hashing::{mix, unit_interval};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn finds_what_an_imputer_finds(
            seed in any::<u64>(), n in 1usize..200, m in 1usize..12, d in 2usize..5, k in 1usize..7, grid in any::<bool>(),
        ) {
            let cell = |i: usize| {
                let h = mix(seed ^ mix(i as u64));
                if h.is_multiple_of(6) { f64::NAN } else if grid { (h >> 8 & 7) as f64 } else { unit_interval(h) - 0.3 }
            };
            let donors: Vec<f64> = (0..n * d).map(cell).collect();
            let probes: Vec<f64> = (0..m * d).map(|i| cell(n * d + i)).collect();
            let bounds = vec![Bounds { min: -1.0, max: 8.0 }; d];
            let imputer = |rows: &[f64]| {
                let mut donors = Donors::new(d);
                donors.extend(rows);
                KnnImputer::new(donors, k, NeighborWeights::Uniform, &bounds, 1)
            };
            let all = imputer(&donors).nearest(&probes);
            // Half of the donors tell how far the k-th neighbour may be at most.
            let within = imputer(&donors[..n / 2 * d]).nearest(&probes).reach();
            let mut search = ProbeSearch::new(probes, &within, k, &bounds);
            donors.chunks_exact(d).for_each(|donor| search.offer(donor));
            prop_assert_eq!(search.finish(), all);
        }
    }
}
