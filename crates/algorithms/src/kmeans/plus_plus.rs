//! The k-means++ start: Arthur and Vassilvitskii (SODA 2007), greedy as in scikit-learn.

use crate::rows::Rows;
use ndarray::Array2;
use pulp::Arch;

use super::lanes::{CentroidLanes, LANES};
use crate::hashing::{combine, unit_interval};

/// Chooses `k` rows of `points` (`n x d`) as a start, `k x d` row-major: the first with a probability proportional to its
/// weight, each next one to its weight times its squared distance from the rows chosen so far; of `2 + ln k` such trials the
/// one that lowers the inertia most is taken (ties: the first trial). `weights` are `n` numbers above 0. `O(n k d)`.
///
/// A pure function of its arguments; the order of the rows matters, so pass them in the order of their ids. When there
/// are fewer than `k` distinct rows, rows repeat.
#[must_use]
pub fn plus_plus(points: &Array2<f64>, weights: &[f64], k: usize, seed: u64) -> Vec<f64> {
    if points.nrows() == 0 {
        return vec![];
    }
    Arch::new().dispatch(|| choose(points, weights, k, seed))
}

/// Compiled for each width of vectors, by being part of what is dispatched.
#[inline(always)]
fn choose(points: &Array2<f64>, weights: &[f64], k: usize, seed: u64) -> Vec<f64> {
    let (n, d) = (points.nrows(), points.ncols());
    let mut draws = 0u64;
    let mut draw = || {
        draws += 1;
        unit_interval(combine(seed, draws))
    };
    // Their distances are computed side by side.
    let trials = (2 + libm::log(k as f64) as usize).min(LANES);
    let first = pick(weights.iter().copied(), draw() * weights.iter().sum::<f64>());
    let mut centroids = Vec::with_capacity(k * d);
    centroids.extend_from_slice(points.row_slice(first));
    let mut nearest: Vec<f64> = Vec::with_capacity(n);
    let lanes = CentroidLanes::new(points.row_slice(first), d, |_| true);
    for row in points.row_slices() {
        nearest.push(lanes.nearest(row).1);
    }
    let mut updated = vec![[0.0; LANES]; n];
    for _ in 1..k {
        let potential = || nearest.iter().zip(weights).map(|(distance, weight)| distance * weight);
        let total: f64 = potential().sum();
        let chosen: Vec<usize> = (0..trials).map(|_| pick(potential(), draw() * total)).collect();
        let tried: Vec<f64> = chosen.iter().flat_map(|row| points.row_slice(*row).iter().copied()).collect();
        let lanes = CentroidLanes::new(&tried, d, |_| true);
        let mut inertia = [0.0; LANES];
        for (i, row) in points.row_slices().enumerate() {
            lanes.squared_distances(row, |_, distances| {
                for lane in 0..LANES {
                    updated[i][lane] = distances[lane].min(nearest[i]);
                    inertia[lane] += updated[i][lane] * weights[i];
                }
            });
        }
        let best = (0..trials).reduce(|best, t| if inertia[t] < inertia[best] { t } else { best }).unwrap_or(0);
        centroids.extend_from_slice(points.row_slice(chosen[best]));
        nearest.iter_mut().zip(&updated).for_each(|(nearest, updated)| *nearest = updated[best]);
    }
    centroids
}

/// The first place at which the running sum of `shares` exceeds `target`; the last one when none does.
#[inline(always)]
fn pick(shares: impl ExactSizeIterator<Item = f64>, target: f64) -> usize {
    let last = shares.len().saturating_sub(1);
    let mut sum = 0.0;
    for (i, share) in shares.enumerate() {
        sum += share;
        if sum > target {
            return i;
        }
    }
    last
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rows::matrix;

    #[test]
    fn finds_separated_blobs() {
        let points = matrix((0..300).map(|i| f64::from(i % 3) * 100.0 + f64::from(i) * 1e-3).collect(), 1);
        for seed in 0..20 {
            let mut start = plus_plus(&points, &[1.0; 300], 3, seed);
            start.sort_by(f64::total_cmp);
            assert!(start[0] < 1.0 && (start[1] - 100.0).abs() < 1.0 && (start[2] - 200.0).abs() < 1.0);
        }
    }

    #[test]
    fn fewer_distinct_rows_than_clusters() {
        let points = matrix(vec![1.0; 10], 1);
        assert_eq!(plus_plus(&points, &[1.0; 10], 3, 1), vec![1.0; 3]);
        assert!(plus_plus(&matrix(vec![], 1), &[], 3, 1).is_empty());
    }

    #[test]
    fn heavy_rows_are_chosen_more_often() {
        let points = matrix(vec![0.0, 1.0], 1);
        let heavy = (0..200).filter(|seed| plus_plus(&points, &[1.0, 9.0], 1, *seed) == [1.0]).count();
        assert!((150..200).contains(&heavy), "{heavy}");
    }
}
