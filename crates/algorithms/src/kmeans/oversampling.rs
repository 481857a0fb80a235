//! k-means||: Bahmani, Moseley, Vattani, Kumar and Vassilvitskii, "Scalable K-Means++" (VLDB 2012).
//!
//! k-means++ draws one row a pass. k-means|| draws about `l` at once, for a few rounds. Each row is drawn
//! independently, with the probability `l w d^2 / (sum of w d^2)`, where `d` is its distance from the rows drawn
//! before. The drawn rows, each weighted by the rows that are nearest to it, are then clustered in memory
//! ([`super::best_of`]). A row is drawn by a hash of its id, so the start does not depend on how the rows are split.

use crate::rows::Rows;
use ndarray::Array2;
use pulp::Arch;

use super::assign::weight_of;
use super::lanes::CentroidLanes;
use crate::hashing::{combine, unit_interval};

/// Rounds, as the paper found them to be enough.
pub const ROUNDS: u64 = 5;

/// The rows of `points` (`n x d`, of `ids` and `weights`, `n` each) that are drawn in a round: each with the probability `rate` times its
/// weight times its squared distance from the nearest of `drawn` (`m x d`). `seed` is that of the round. `O(n m d)`.
#[must_use]
pub fn oversample(
    points: &Array2<f64>,
    ids: &[u64],
    weights: Option<&[u32]>,
    drawn: &[f64],
    rate: f64,
    seed: u64,
) -> Vec<usize> {
    let lanes = CentroidLanes::new(drawn, points.ncols(), |_| true);
    Arch::new().dispatch(|| {
        let mut chosen = vec![];
        for (i, (row, id)) in points.row_slices().zip(ids).enumerate() {
            let probability = rate * f64::from(weight_of(weights, i)) * lanes.nearest(row).1;
            if unit_interval(combine(seed, *id)) < probability {
                chosen.push(i);
            }
        }
        chosen
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rows::matrix;

    #[test]
    fn draws_what_is_far_and_heavy() {
        let n = 10_000u64;
        // Half of the rows lie on what was drawn, half at distance 2.
        let points = matrix((0..n).map(|i| (i % 2 * 2) as f64).collect(), 1);
        let ids: Vec<u64> = (0..n).collect();
        let chosen = oversample(&points, &ids, None, &[0.0], 0.025, 3);
        assert!(chosen.iter().all(|i| i % 2 == 1));
        assert!((400..600).contains(&chosen.len()), "{}", chosen.len());
        let heavy: Vec<u32> = (0..n).map(|i| if i < n / 2 { 1 } else { 9 }).collect();
        let chosen = oversample(&points, &ids, Some(&heavy), &[0.0], 0.025, 3);
        let late = chosen.iter().filter(|i| **i >= 5_000).count();
        assert!(
            (2_100..2_400).contains(&late) && (200..300).contains(&(chosen.len() - late)),
            "{late} {}",
            chosen.len()
        );
    }
}
