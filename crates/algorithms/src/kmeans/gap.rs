//! The gap statistic: Tibshirani, Walther and Hastie, "Estimating the number of clusters in a data set via the gap statistic",
//! Journal of the Royal Statistical Society B 2001.
//!
//! ```text
//!   Gap(k) = mean over references of log W*(k)  -  log W(k)        W: inertia of the best clustering found
//! ```
//!
//! References are rows spread evenly over the box of the data. Rows and references are clustered in the same way, so
//! that a start has the same weaknesses on both sides.

use crate::rows::{Rows, matrix};
use ndarray::Array2;
use serde::{Deserialize, Serialize};

use super::local::best_of;
use crate::hashing::{combine, unit_interval};
use crate::parallel::for_each_chunk;
use crate::sums::Bounds;

/// References.
const REFERENCES: u64 = 20;
/// Starts of each clustering.
const STARTS: usize = 3;

/// The gap of one k.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Gap {
    /// Number of clusters.
    pub k: usize,
    /// How much tighter the rows are than rows without clusters: a difference of logarithms of inertias.
    pub gap: f64,
    /// Its standard error: the standard deviation over the references, times `sqrt(1 + 1 / references)`.
    pub error: f64,
}

/// The gap for each of `ks` for `points` (`n x d`, with `weights`, `n`), on up to `threads` threads. A k for which the
/// inertia of the rows or of a reference is 0 has no gap, because there are no more distinct rows. A pure function
/// apart from its running time; `O(n d sum(k))` for each of 60 starts and their steps.
#[must_use]
pub fn gaps(points: &Array2<f64>, weights: &[f64], ks: &[usize], seed: u64, threads: usize) -> Vec<Gap> {
    let d = points.ncols();
    let mut bounds = vec![Bounds::default(); d];
    points.row_slices().for_each(|row| row.iter().zip(&mut bounds).for_each(|(value, bounds)| bounds.include(*value)));
    let logs = |points: &Array2<f64>, seed: u64| -> Vec<f64> {
        ks.iter().map(|k| libm::log(best_of(points, weights, *k, combine(seed, *k as u64), STARTS).inertia)).collect()
    };
    let sets: Vec<u64> = (0..=REFERENCES).collect();
    let mut logs = for_each_chunk(sets, threads, |set| {
        let seed = combine(seed, set);
        if set == 0 {
            return logs(points, seed);
        }
        let uniform = |i: usize| {
            bounds[i % d].min + (bounds[i % d].max - bounds[i % d].min) * unit_interval(combine(seed, i as u64))
        };
        logs(&matrix((0..points.values().len()).map(uniform).collect(), d), seed)
    });
    let references = logs.split_off(1);
    let b = REFERENCES as f64;
    let of = |(i, k): (usize, &usize)| {
        let mean = references.iter().map(|logs| logs[i]).sum::<f64>() / b;
        let variance = references.iter().map(|logs| (logs[i] - mean) * (logs[i] - mean)).sum::<f64>() / b;
        let gap = Gap { k: *k, gap: mean - logs[0][i], error: (variance * (1.0 + 1.0 / b)).sqrt() };
        (gap.gap.is_finite() && gap.error.is_finite()).then_some(gap)
    };
    ks.iter().enumerate().filter_map(of).collect()
}

/// The least k whose gap is at least that of the next k less its error; if there is no such k, the k of the largest
/// gap. Ties go to the smaller k; `None` without a gap.
#[must_use]
pub fn by_gap(gaps: &[Gap]) -> Option<Gap> {
    let enough = gaps.windows(2).find(|pair| pair[0].gap >= pair[1].gap - pair[1].error).map(|pair| pair[0]);
    enough.or_else(|| gaps.iter().copied().reduce(|best, next| if next.gap > best.gap { next } else { best }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hashing::mix;

    fn three_blobs(spread: f64) -> Array2<f64> {
        let value = |i: u64| {
            ((i / 2 % 3) as f64) * if i.is_multiple_of(2) { 8.0 } else { -5.0 } + spread * unit_interval(mix(i))
        };
        matrix((0..600).map(value).collect(), 2)
    }

    #[test]
    fn finds_three_blobs() {
        let points = three_blobs(1.0);
        let found = gaps(&points, &[1.0; 300], &[1, 2, 3, 4, 5], 7, 2);
        assert_eq!(by_gap(&found).map(|gap| gap.k), Some(3), "{found:?}");
        assert_eq!(found, gaps(&points, &[1.0; 300], &[1, 2, 3, 4, 5], 7, 1));
    }

    #[test]
    fn one_blob_is_one_cluster() {
        let points = matrix((0..600).map(|i| unit_interval(mix(i))).collect(), 2);
        let found = gaps(&points, &[1.0; 300], &[1, 2, 3, 4], 7, 2);
        assert_eq!(by_gap(&found).map(|gap| gap.k), Some(1), "{found:?}");
    }

    #[test]
    fn no_gap_where_every_row_has_a_cluster() {
        let points = matrix(vec![0.0, 1.0, 2.0, 5.0], 1);
        let found = gaps(&points, &[1.0; 4], &[2, 4], 7, 1);
        assert_eq!(found.iter().map(|gap| gap.k).collect::<Vec<_>>(), [2]);
        assert_eq!(by_gap(&[]), None);
    }
}
