//! Collapses rows to weighted points: equal rows to one, or all rows of a cell of a grid to one.
//!
//! With a resolution eps, a row at `x` belongs to the grid cell `floor(x / eps)`, column by column, and every grid cell
//! becomes one point, in the middle of the box around its rows. A row then lies within half of that box's diagonal of its
//! point, which is at most `eps sqrt(d) / 2`, so a distance between two rows changes by at most `eps sqrt(d)`. (Their mean
//! would not do: it may lie a whole diagonal away from a row, and the bound would double.) What follows for core
//! distances and dendrogram heights is in the module documentation of [`crate::hdbscan`].

use crate::rows::{Rows, matrix};
use ndarray::Array2;

/// What rows were collapsed to.
#[derive(Debug, Clone)]
pub struct Collapsed {
    /// `m x d`, ascending by grid cell, or by coordinates.
    pub points: Array2<f64>,
    /// Weight of each point.
    pub weights: Vec<u32>,
    /// Least row id of each point.
    pub ids: Vec<u64>,
    /// The point of each row.
    pub point_of_row: Vec<u32>,
    /// The largest squared distance of a row to its point.
    pub squared_shift: f64,
}

/// A point would stand for more rows than fit in a weight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooHeavy {
    /// What its weight would be.
    pub weight: u64,
}

/// The grid cell of a coordinate; the coordinate itself at a resolution of 0.
#[inline]
#[must_use]
pub fn grid_key(value: f64, resolution: f64) -> f64 {
    // Adding 0 turns -0 into 0.
    if resolution > 0.0 { (value / resolution).floor() + 0.0 } else { value + 0.0 }
}

/// Collapses rows (`n x D'`, `D' <= D`, finite) with their ids and whole-number weights (1 where `None`). The result
/// depends on the set of rows, not on their order. `O(n log n)`; `8 D + 16` bytes a row while it works.
///
/// # Errors
/// When a point would weigh more than `u32::MAX`.
pub fn collapse<const D: usize>(
    rows: &Array2<f64>,
    ids: &[u64],
    weights: Option<&[u32]>,
    resolution: f64,
) -> Result<Collapsed, TooHeavy> {
    let d = rows.ncols().min(D);
    let mut sorted: Vec<([f64; D], u64, u32)> = rows
        .row_slices()
        .zip(ids)
        .zip(0..)
        .map(|((row, id), index)| {
            let mut key = [0.0; D];
            key.iter_mut().zip(row).for_each(|(key, value)| *key = grid_key(*value, resolution));
            (key, *id, index)
        })
        .collect();
    // The keys contain neither NaN nor -0, so this is a total order.
    sorted.sort_unstable_by(|a, b| a.partial_cmp(b).unwrap_or(std::cmp::Ordering::Equal));
    let mut points = Vec::new();
    let mut collapsed = Collapsed {
        points: Array2::default((0, d)),
        weights: Vec::new(),
        ids: Vec::new(),
        point_of_row: vec![0; rows.nrows()],
        squared_shift: 0.0,
    };
    for group in sorted.chunk_by(|a, b| a.0 == b.0) {
        let (mut low, mut high) = ([f64::INFINITY; D], [f64::NEG_INFINITY; D]);
        let mut weight = 0u64;
        for (_, _, index) in group {
            collapsed.point_of_row[*index as usize] = collapsed.ids.len() as u32;
            weight += weights.map_or(1, |weights| u64::from(weights[*index as usize]));
            for (j, value) in rows.row_slice(*index as usize).iter().enumerate() {
                low[j] = low[j].min(value + 0.0);
                high[j] = high[j].max(value + 0.0);
            }
        }
        let middle: [f64; D] = std::array::from_fn(|j| if j < d { low[j] + (high[j] - low[j]) / 2.0 } else { 0.0 });
        for (_, _, index) in group {
            let shift = rows.row_slice(*index as usize).iter().zip(&middle).map(|(a, b)| (a - b) * (a - b)).sum();
            collapsed.squared_shift = collapsed.squared_shift.max(shift);
        }
        points.extend_from_slice(&middle[..d]);
        collapsed.weights.push(u32::try_from(weight).map_err(|_| TooHeavy { weight })?);
        collapsed.ids.push(group[0].1);
    }
    collapsed.points = matrix(points, d);
    Ok(collapsed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hashing::mix;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn keeps_every_row_near_its_point(
            seed in any::<u64>(), n in 1usize..200, resolution in prop::sample::select(vec![0.0, 0.5, 3.0]),
        ) {
            let rows = matrix((0..3 * n as u64).map(|i| (mix(seed ^ i) % 40) as f64 * 0.25 - 5.0).collect(), 3);
            let ids: Vec<u64> = (0..n as u64).map(mix).collect();
            let found = collapse::<4>(&rows, &ids, None, resolution).unwrap();
            prop_assert_eq!(found.weights.iter().map(|w| u64::from(*w)).sum::<u64>(), n as u64);
            let half_diagonal = resolution * 3f64.sqrt() / 2.0;
            for (row, point) in rows.row_slices().zip(&found.point_of_row) {
                let shift = crate::rows::squared_distance(row, found.points.row_slice(*point as usize));
                prop_assert!(shift.sqrt() <= half_diagonal + 1e-12 && shift <= found.squared_shift);
            }
            // In any order.
            let reversed: Vec<usize> = (0..n).rev().collect();
            let again = matrix(reversed.iter().flat_map(|i| rows.row_slice(*i).to_vec()).collect(), 3);
            let again_ids: Vec<u64> = reversed.iter().map(|i| ids[*i]).collect();
            let again = collapse::<4>(&again, &again_ids, None, resolution).unwrap();
            prop_assert_eq!((&again.points, &again.weights, &again.ids), (&found.points, &found.weights, &found.ids));
        }
    }
}
