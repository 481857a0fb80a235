//! The k-means++ start: Arthur and Vassilvitskii (SODA 2007), greedy as in scikit-learn.

use crate::hashing::{combine, unit_interval};
use crate::matrix::{Matrix, squared_distance};

/// Chooses `k` rows of `sample` (`n x d`) as a start, `k x d` row-major: the first uniformly, each next one with a
/// probability proportional to its squared distance from the rows chosen so far; of `2 + ln k` such trials the one that
/// lowers the inertia most is taken (ties: the first trial). `O(n k d log k)`.
///
/// A pure function of its arguments; the order of the rows matters, so pass them in the order of their ids. When there
/// are fewer than `k` distinct rows, rows repeat.
#[must_use]
pub fn plus_plus(sample: &Matrix, k: usize, seed: u64) -> Vec<f64> {
    let n = sample.rows();
    let mut centroids = Vec::with_capacity(k * sample.columns());
    if n == 0 {
        return centroids;
    }
    let mut draws = 0u64;
    let mut draw = || {
        draws += 1;
        unit_interval(combine(seed, draws))
    };
    let trials = 2 + (k as f64).ln() as usize;
    let first = ((draw() * n as f64) as usize).min(n - 1);
    centroids.extend_from_slice(sample.row(first));
    let mut nearest: Vec<f64> = sample.iter().map(|row| squared_distance(row, sample.row(first))).collect();
    for _ in 1..k {
        let total: f64 = nearest.iter().sum();
        let mut best: Option<(f64, usize, Vec<f64>)> = None;
        for _ in 0..trials {
            let target = draw() * total;
            let mut cumulative = 0.0;
            let chosen = nearest
                .iter()
                .position(|distance| {
                    cumulative += distance;
                    cumulative > target
                })
                .unwrap_or(n - 1);
            let updated: Vec<f64> = sample
                .iter()
                .zip(&nearest)
                .map(|(row, distance)| distance.min(squared_distance(row, sample.row(chosen))))
                .collect();
            let inertia: f64 = updated.iter().sum();
            if best.as_ref().is_none_or(|(least, _, _)| inertia < *least) {
                best = Some((inertia, chosen, updated));
            }
        }
        if let Some((_, chosen, updated)) = best {
            centroids.extend_from_slice(sample.row(chosen));
            nearest = updated;
        }
    }
    centroids
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_separated_blobs() {
        let points = Matrix::new((0..300).map(|i| f64::from(i % 3) * 100.0 + f64::from(i) * 1e-3).collect(), 1);
        for seed in 0..20 {
            let mut start = plus_plus(&points, 3, seed);
            start.sort_by(f64::total_cmp);
            assert!(start[0] < 1.0 && (start[1] - 100.0).abs() < 1.0 && (start[2] - 200.0).abs() < 1.0);
        }
    }

    #[test]
    fn fewer_distinct_rows_than_clusters() {
        let points = Matrix::new(vec![1.0; 10], 1);
        assert_eq!(plus_plus(&points, 3, 1), vec![1.0; 3]);
        assert!(plus_plus(&Matrix::new(vec![], 1), 3, 1).is_empty());
    }
}
