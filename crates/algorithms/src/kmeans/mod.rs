//! K-Means as map-reduce: Lloyd's algorithm (IEEE Transactions on Information Theory 1982) for many candidates at once.
//!
//! A *candidate* is one k with one start. A pass over the data computes the [`Partial`] of every candidate that still
//! moves; partials merge exactly; the driver feeds the merged one to [`Lloyd::step`]:
//!
//! ```text
//!   driver  centroids of all candidates ───────▶ workers
//!   worker  partition ──▶ Partial { counts, sums, inertia } a candidate
//!   driver  merge ──▶ Lloyd::step ──▶ new centroids, or converged
//! ```
//!
//! Convergence and the treatment of empty clusters follow scikit-learn's `KMeans(algorithm="lloyd")`, so that from the same start
//! both take the same steps. Beside Lloyd's, [`MiniBatch`] and [`Bisection`] are driven by the same pass; starts come from
//! [`best_of`] on a sample or on what [`oversample`] drew.

mod assign;
mod bisecting;
mod centers;
mod clustering;
mod elbow;
mod filter;
mod gap;
mod lanes;
mod local;
mod mini_batch;
mod oversampling;
mod plus_plus;
mod quality;
mod sweep;

pub use assign::{Assigner, FarPoint, Partial};
pub use bisecting::{Bisected, Bisection};
pub use centers::{Branch, Centers, Split};
pub use clustering::Clustering;
pub use elbow::{Elbow, elbow, prominences};
pub use filter::{FilterTree, MAX_FILTERED};
pub use gap::{Gap, by_gap, gaps};
pub use local::{LocalClustering, best_of};
pub use mini_batch::MiniBatch;
pub use oversampling::{ROUNDS, oversample};
pub use plus_plus::plus_plus;
pub use quality::{Judge, Quality};
pub use sweep::accumulate_all;

use crate::rows::squared_distance;
use serde::{Deserialize, Serialize};

use crate::sums::{Bounds, Quantum};

/// Where a candidate stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Progress {
    /// Its centroids still move.
    Running,
    /// The centroids moved by no more than the tolerance.
    Converged,
    /// Stopped at the limit of iterations.
    IterationLimit,
}

/// The driver's side of Lloyd's algorithm for one candidate.
///
/// **Convergence** is scikit-learn's: stop when the sum over clusters of the squared distance that the centroid moved
/// is at most `tolerance` times the mean variance of the features (which also holds when no label changed, since the
/// sums are exact and the centroids then stay bit for bit).
///
/// **Empty clusters** are re-seeded as scikit-learn does: the emptied clusters, in the order of their index, take the
/// points that lie farthest from their centroids (ties by row id), and each such point leaves its old cluster's mean.
/// When all points lie on their centroids, or there are too few, an empty cluster keeps its centroid.
#[derive(Debug, Clone)]
pub struct Lloyd {
    features: usize,
    centroids: Vec<f64>,
    tolerance: f64,
    max_iterations: usize,
    iterations: usize,
    relocated: usize,
    progress: Progress,
}

impl Lloyd {
    /// Starts from `centroids` (`k x d`, row-major). `tolerance` is absolute: `tol * mean(variances)`.
    #[must_use]
    pub fn new(centroids: Vec<f64>, features: usize, tolerance: f64, max_iterations: usize) -> Self {
        Self {
            features,
            centroids,
            tolerance,
            max_iterations,
            iterations: 0,
            relocated: 0,
            progress: if max_iterations == 0 { Progress::IterationLimit } else { Progress::Running },
        }
    }

    /// Number of clusters.
    #[must_use]
    pub fn k(&self) -> usize {
        self.centroids.len() / self.features
    }

    /// `k x d`, row-major.
    #[must_use]
    pub fn centroids(&self) -> &[f64] {
        &self.centroids
    }

    /// Steps taken, as scikit-learn's `n_iter_` counts them.
    #[must_use]
    pub fn iterations(&self) -> usize {
        self.iterations
    }

    /// How many times an empty cluster was re-seeded.
    #[must_use]
    pub fn relocated(&self) -> usize {
        self.relocated
    }

    /// Whether another pass is needed.
    #[must_use]
    pub fn progress(&self) -> Progress {
        self.progress
    }

    /// One step from the merged partial of a pass with [`Lloyd::centroids`]. `quanta` are those of the pass, a feature
    /// each. `farthest` holds at least as many of the farthest points, farthest first, as the partial has empty
    /// clusters (or all the points there are).
    pub fn step(&mut self, partial: &Partial, farthest: &[FarPoint], quanta: &[Quantum]) {
        let d = self.features;
        let mut counts = partial.counts.clone();
        let mut sums = partial.sums.clone();
        let empty: Vec<usize> = (0..counts.len()).filter(|c| counts[*c] == 0).collect();
        for (&cluster, far) in empty.iter().zip(farthest) {
            if far.squared_distance <= 0.0 {
                break;
            }
            let old = far.cluster as usize;
            for (j, quantum) in quanta.iter().enumerate() {
                let value = i128::from(far.weight) * i128::from(quantum.quanta(far.point[j]));
                sums[old * d + j] -= value;
                sums[cluster * d + j] = value;
            }
            counts[old] -= u64::from(far.weight);
            counts[cluster] = u64::from(far.weight);
            self.relocated += 1;
        }
        let mut moved = 0.0;
        for (c, count) in counts.iter().enumerate() {
            if *count == 0 {
                continue;
            }
            let old = self.centroids[c * d..(c + 1) * d].to_vec();
            for (j, quantum) in quanta.iter().enumerate() {
                self.centroids[c * d + j] = quantum.mean(sums[c * d + j], *count);
            }
            moved += squared_distance(&old, &self.centroids[c * d..(c + 1) * d]);
        }
        self.iterations += 1;
        if moved <= self.tolerance {
            self.progress = Progress::Converged;
        } else if self.iterations >= self.max_iterations {
            self.progress = Progress::IterationLimit;
        }
    }
}

/// The quanta in which coordinates are added up, from the bounds of the features.
#[must_use]
pub fn coordinate_quanta(bounds: &[Bounds]) -> Vec<Quantum> {
    bounds.iter().map(|b| Quantum::for_bound(b.max_abs())).collect()
}

/// The largest squared distance of any point within `bounds` from any of `centroids` (`k x d`).
#[must_use]
pub fn squared_reach(bounds: &[Bounds], centroids: &[f64]) -> f64 {
    centroids
        .chunks_exact(bounds.len().max(1))
        .map(|centroid| bounds.iter().zip(centroid).map(|(b, c)| b.reach(*c) * b.reach(*c)).sum::<f64>())
        .fold(0.0, f64::max)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hashing::{mix, unit_interval};
    use crate::rows::{Rows, matrix};
    use ndarray::Array2;
    use proptest::prelude::*;

    fn blobs(seed: u64, n: usize, d: usize) -> (Array2<f64>, Vec<u64>) {
        let value = |i: usize| {
            let h = mix(seed ^ mix(i as u64));
            unit_interval(h) + 4.0 * ((mix((i / d) as u64 ^ seed) % 3) as f64)
        };
        (matrix((0..n * d).map(value).collect(), d), (0..n as u64).map(mix).collect())
    }

    /// Runs to the end over the given parts, as the engine does over partitions.
    fn run(parts: &[(Array2<f64>, Vec<u64>)], start: Vec<f64>, d: usize) -> (Lloyd, Partial) {
        let mut bounds = vec![Bounds::default(); d];
        for (part, _) in parts {
            for row in part.row_slices() {
                row.iter().zip(&mut bounds).for_each(|(v, b)| b.include(*v));
            }
        }
        let quanta = coordinate_quanta(&bounds);
        let mut lloyd = Lloyd::new(start, d, 1e-4, 300);
        loop {
            let pass = |farthest: usize, centroids: &[f64]| {
                let assigner = Assigner::new(Centers::flat(centroids.to_vec(), d), &bounds, farthest);
                let mut merged = assigner.empty_partial();
                for (part, ids) in parts {
                    let mut partial = assigner.empty_partial();
                    assigner.accumulate(part, ids, None, &mut partial);
                    merged.merge(&partial, farthest);
                }
                merged
            };
            let mut partial = pass(0, lloyd.centroids());
            if lloyd.progress() != Progress::Running {
                return (lloyd, partial);
            }
            let empty = partial.empty_clusters();
            if empty > 0 {
                partial = pass(empty, lloyd.centroids());
            }
            let farthest = partial.farthest.clone();
            lloyd.step(&partial, &farthest, &quanta);
        }
    }

    proptest! {
        #[test]
        fn any_partitioning_gives_the_same_bits(seed in any::<u64>(), n in 20usize..200, d in 1usize..10, k in 2usize..6) {
            let (points, ids) = blobs(seed, n, d);
            // A start that may leave clusters empty: all centroids but one far away.
            let mut start: Vec<f64> = points.values()[..k * d].to_vec();
            if seed % 3 == 0 {
                start[d..].iter_mut().for_each(|v| *v += 1e3);
            }
            let (whole, partial) = run(&[(points.clone(), ids.clone())], start.clone(), d);
            let mut reversed: Vec<(Vec<f64>, Vec<u64>)> = Vec::new();
            for i in (0..n).rev() {
                if i % 7 == 0 || reversed.is_empty() {
                    reversed.push((vec![], vec![]));
                }
                let last = reversed.last_mut().unwrap();
                last.0.extend_from_slice(points.row_slice(i));
                last.1.push(ids[i]);
            }
            let reversed: Vec<(Array2<f64>, Vec<u64>)> =
                reversed.into_iter().map(|(values, ids)| (matrix(values, d), ids)).collect();
            let (parts, partial_of_parts) = run(&reversed, start, d);
            prop_assert_eq!(whole.centroids(), parts.centroids());
            prop_assert_eq!(whole.iterations(), parts.iterations());
            prop_assert_eq!(partial, partial_of_parts);
            prop_assert_eq!(whole.progress(), Progress::Converged);
        }

        /// Points on a coarse grid, so that many are equally far from two centroids, and one far away.
        #[test]
        fn every_way_of_a_pass_gives_the_same_bits(
            seed in any::<u64>(), n in 1usize..600, d in 1usize..20, k in 1usize..20, steps in 1u64..12, far in any::<bool>(),
            is_weighted in any::<bool>(),
        ) {
            let value = |i: u64| (mix(seed ^ i) % steps) as f64 * 0.1;
            let mut values: Vec<f64> = (0..(n * d) as u64).map(value).collect();
            values[0] = if far { 1e9 } else { values[0] };
            let points = matrix(values, d);
            let weights: Vec<u32> = (0..n as u64).map(|i| (mix(i ^ seed) >> 39) as u32).collect();
            let weights = is_weighted.then_some(weights.as_slice());
            let mut bounds = vec![Bounds::default(); d];
            points.row_slices().for_each(|r| r.iter().zip(&mut bounds).for_each(|(v, b)| b.include(*v)));
            let centroids = (0..(k * d) as u64).map(|i| value(i + 7) + 0.05 * (mix(i ^ seed) % 2) as f64).collect();
            let assigner = Assigner::new(Centers::flat(centroids, d), &bounds, 0);
            let mut expected = assigner.empty_partial();
            assigner.accumulate(&points, &[], weights, &mut expected);
            for measured in [true, false] {
                if !measured {
                    expected.inertia.fill(0);
                }
                let mut found = [assigner.empty_partial(), assigner.empty_partial()];
                accumulate_all(&points, weights, found.iter_mut().map(|partial| (&assigner, measured, partial)));
                prop_assert_eq!(&found[0], &expected);
                prop_assert_eq!(&found[1], &expected);
                let mut found = assigner.empty_partial();
                crate::with_dimensions!(d, D => {
                    FilterTree::<D>::build(points.clone(), weights, &bounds).accumulate(&assigner, measured, &mut found);
                });
                prop_assert_eq!(&found, &expected);
            }
        }

        #[test]
        fn a_weight_is_so_many_equal_rows(seed in any::<u64>(), n in 5usize..60, d in 1usize..9) {
            let (points, ids) = blobs(seed, n, d);
            let weights: Vec<u32> = ids.iter().map(|id| (id % 4) as u32 + 1).collect();
            let rows = points.row_slices().zip(&weights);
            let repeated = matrix(rows.flat_map(|(row, weight)| row.repeat(*weight as usize)).collect(), d);
            let mut bounds = vec![Bounds::default(); d];
            points.row_slices().for_each(|r| r.iter().zip(&mut bounds).for_each(|(v, b)| b.include(*v)));
            let centers = Centers::flat(points.values()[..3 * d].to_vec(), d);
            let assigner = Assigner::new(centers, &bounds, 0);
            let (mut one, mut other) = (assigner.empty_partial(), assigner.empty_partial());
            assigner.accumulate(&points, &[], Some(&weights), &mut one);
            assigner.accumulate(&repeated, &[], None, &mut other);
            prop_assert_eq!(&one, &other);
            let judge = Judge::new(&Clustering::new(&assigner, &one), &bounds);
            prop_assert_eq!(judge.judge(&points, Some(&weights)), judge.judge(&repeated, None));
        }

        #[test]
        fn inertia_never_grows(seed in any::<u64>(), n in 30usize..150) {
            let (points, ids) = blobs(seed, n, 2);
            let mut bounds = vec![Bounds::default(); 2];
            points.row_slices().for_each(|r| r.iter().zip(&mut bounds).for_each(|(v, b)| b.include(*v)));
            let mut lloyd = Lloyd::new(plus_plus(&points, &vec![1.0; n], 4, seed), 2, 0.0, 50);
            let mut last = f64::INFINITY;
            while lloyd.progress() == Progress::Running {
                let assigner = Assigner::new(Centers::flat(lloyd.centroids().to_vec(), 2), &bounds, 4);
                let mut partial = assigner.empty_partial();
                assigner.accumulate(&points, &ids, None, &mut partial);
                let inertia = assigner.inertia(&partial);
                prop_assert!(inertia <= last * (1.0 + 1e-12));
                last = inertia;
                let farthest = partial.farthest.clone();
                lloyd.step(&partial, &farthest, &coordinate_quanta(&bounds));
            }
        }
    }
}
