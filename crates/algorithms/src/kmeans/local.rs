//! K-Means over a few weighted rows in memory: what good starts, bisections and the gap statistic are made of.
//!
//! A start that is refined on a sample before it meets all rows (Bradley and Fayyad, ICML 1998) is near a good optimum:
//! the sample tells good starts from bad ones at no cost, and the passes over the rows become few.

use crate::rows::{Rows, squared_distance};
use ndarray::Array2;
use pulp::Arch;

use super::lanes::CentroidLanes;
use super::plus_plus;
use crate::hashing::combine;

/// Most steps that a start is refined by.
const STEPS: usize = 50;
/// Refined when the squared moves of the centroids add up to no more than this times the mean variance.
const TOLERANCE: f64 = 1e-4;

/// A clustering of rows in memory.
#[derive(Debug, Clone, PartialEq)]
pub struct LocalClustering {
    /// `k x d`, row-major.
    pub centroids: Vec<f64>,
    /// Weighted sum of squared distances to the nearest centroid.
    pub inertia: f64,
}

/// The best by inertia (ties: the first) of `starts` clusterings of `points` (`n x d`, of `weights`, `n`) into `k` clusters, each by
/// Lloyd's algorithm from a [`plus_plus`] start of its own. A cluster that loses all its rows keeps its centroid. `O(starts n k d)` a
/// step, of which there are at most 50. A pure function of its arguments, the order of the rows included.
#[must_use]
pub fn best_of(points: &Array2<f64>, weights: &[f64], k: usize, seed: u64, starts: usize) -> LocalClustering {
    let mut best = LocalClustering { centroids: vec![], inertia: f64::INFINITY };
    let tolerance = TOLERANCE * mean_variance(points, weights);
    for start in 0..starts.max(1) {
        let centroids = plus_plus(points, weights, k, combine(seed, start as u64));
        let found = Arch::new().dispatch(|| refine(points, weights, centroids, tolerance));
        if found.inertia < best.inertia || best.centroids.is_empty() {
            best = found;
        }
    }
    best
}

/// Compiled for each width of vectors, by being part of what is dispatched.
#[inline(always)]
fn refine(points: &Array2<f64>, weights: &[f64], mut centroids: Vec<f64>, tolerance: f64) -> LocalClustering {
    let d = points.ncols();
    let k = centroids.len().checked_div(d).unwrap_or(0);
    for step in 0.. {
        let lanes = CentroidLanes::new(&centroids, d, |_| true);
        let (mut inertia, mut counts, mut sums) = (0.0, vec![0.0; k], vec![0.0; k * d]);
        for (row, weight) in points.row_slices().zip(weights) {
            let (cluster, distance) = lanes.nearest(row);
            inertia += weight * distance;
            counts[cluster] += weight;
            for (sum, value) in sums[cluster * d..(cluster + 1) * d].iter_mut().zip(row) {
                *sum += weight * value;
            }
        }
        let mut moved = 0.0;
        let mut means = centroids.clone();
        for c in (0..k).filter(|c| counts[*c] > 0.0) {
            let at = c * d..(c + 1) * d;
            means[at.clone()].iter_mut().zip(&sums[at.clone()]).for_each(|(mean, sum)| *mean = sum / counts[c]);
            moved += squared_distance(&means[at.clone()], &centroids[at]);
        }
        if moved <= tolerance || step == STEPS {
            return LocalClustering { centroids, inertia };
        }
        centroids = means;
    }
    LocalClustering { centroids, inertia: f64::INFINITY }
}

/// Mean over the columns of their weighted population variance.
fn mean_variance(points: &Array2<f64>, weights: &[f64]) -> f64 {
    let (d, total) = (points.ncols(), weights.iter().sum::<f64>());
    if d == 0 || total <= 0.0 {
        return 0.0;
    }
    let sum_of = |term: &dyn Fn(&[f64]) -> f64| {
        points.row_slices().zip(weights).map(|(row, weight)| weight * term(row)).sum::<f64>()
    };
    let variance = |j: usize| {
        let mean = sum_of(&|row| row[j]) / total;
        sum_of(&|row| (row[j] - mean) * (row[j] - mean)) / total
    };
    (0..d).map(variance).sum::<f64>() / d as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hashing::{mix, unit_interval};
    use crate::rows::matrix;

    /// Nine blobs, of which a single start finds all but rarely.
    fn blobs() -> Array2<f64> {
        let value = |i: u64| {
            let (row, column) = (i / 2, i % 2);
            let blob = row % 9;
            10.0 * (if column == 0 { blob % 3 } else { blob / 3 }) as f64 + unit_interval(mix(i))
        };
        matrix((0..1800).map(value).collect(), 2)
    }

    #[test]
    fn the_best_of_several_finds_every_blob() {
        let points = blobs();
        let weights = vec![1.0; points.nrows()];
        for seed in 0..10 {
            let best = best_of(&points, &weights, 9, seed, 10);
            // The variance of a unit square is 1/6.
            assert!((best.inertia / points.nrows() as f64 - 1.0 / 6.0).abs() < 0.02, "{}", best.inertia);
        }
    }

    #[test]
    fn a_weight_is_so_many_rows() {
        let rows = [[0.0, 0.0], [1.0, 0.0], [9.0, 1.0], [10.0, 3.0]];
        let weights = [1.0, 3.0, 2.0, 1.0];
        let weighted = matrix(rows.concat(), 2);
        let repeated = rows.iter().zip(weights).flat_map(|(row, weight)| row.repeat(weight as usize)).collect();
        let one = best_of(&weighted, &weights, 2, 1, 5);
        let other = best_of(&matrix(repeated, 2), &[1.0; 7], 2, 1, 5);
        assert!((one.inertia - other.inertia).abs() < 1e-12, "{} {}", one.inertia, other.inertia);
    }

    #[test]
    fn nothing_to_cluster() {
        assert!(best_of(&matrix(vec![], 2), &[], 3, 1, 2).centroids.is_empty());
    }
}
