//! The least resolution that fits a budget of points, found in one pass: a ladder of grids, and for each an estimate of how
//! many of its cells hold a row.

use serde::{Deserialize, Serialize};

use super::collapse::grid_key;
use crate::hashing::{combine, mix};
use crate::sums::Bounds;

/// Steps of the ladder for each doubling.
const STEPS: i32 = 4;
/// Doublings of the ladder.
const DOUBLINGS: i32 = 16;

/// Bits of a hash that choose a register.
const INDEX_BITS: u32 = 14;

/// Standard error of [`DistinctCounter::estimate`], as a share of the count: 0.8 %.
pub const STANDARD_ERROR: f64 = 1.04 / 128.0;

/// The resolutions to count for, ascending: first 0, then a ladder down to 1 / 65,536 of the resolution at which a grid
/// over the bounds has at most `budget` cells.
#[must_use]
pub fn ladder(bounds: &[Bounds], budget: u64) -> Vec<f64> {
    let cells =
        |side: f64| -> f64 { bounds.iter().map(|b| grid_key(b.max, side) - grid_key(b.min, side) + 1.0).product() };
    let widest = bounds.iter().fold(0.0, |widest, b| f64::max(widest, b.max - b.min));
    if widest <= 0.0 {
        return vec![0.0];
    }
    // At the width itself a column has at most two cells.
    let mut fits = widest * 2.0;
    while fits > widest / 1e9 && cells(fits / 2.0) <= budget as f64 {
        fits /= 2.0;
    }
    let below = (0..=STEPS * DOUBLINGS).rev().map(|step| fits * f64::powf(2.0, -f64::from(step) / f64::from(STEPS)));
    std::iter::once(0.0).chain(below).collect()
}

/// The hash of the grid cell of a row.
#[inline]
#[must_use]
pub fn cell_hash(row: &[f64], resolution: f64) -> u64 {
    row.iter().fold(0, |hash, value| combine(hash, mix(grid_key(*value, resolution).to_bits())))
}

/// Counts distinct hashes in 16 KiB: HyperLogLog (Flajolet, Fusy, Gandouet and Meunier 2007). Merging is exact: the estimate
/// depends on the set of hashes alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DistinctCounter {
    registers: Vec<u8>,
}

impl Default for DistinctCounter {
    fn default() -> Self {
        Self { registers: vec![0; 1 << INDEX_BITS] }
    }
}

impl DistinctCounter {
    /// Counts a hash.
    #[inline]
    pub fn add(&mut self, hash: u64) {
        let register = &mut self.registers[(hash >> (64 - INDEX_BITS)) as usize];
        let rank = ((hash << INDEX_BITS) | (1 << (INDEX_BITS - 1))).leading_zeros() as u8 + 1;
        *register = (*register).max(rank);
    }

    /// Adds what another has counted.
    pub fn merge(&mut self, other: &Self) {
        self.registers.iter_mut().zip(&other.registers).for_each(|(a, b)| *a = (*a).max(*b));
    }

    /// How many distinct hashes there were, within [`STANDARD_ERROR`].
    #[must_use]
    pub fn estimate(&self) -> f64 {
        let m = self.registers.len() as f64;
        let sum: f64 = self.registers.iter().map(|register| f64::powi(2.0, -i32::from(*register))).sum();
        let raw = 0.7213 / (1.0 + 1.079 / m) * m * m / sum;
        let empty = self.registers.iter().filter(|register| **register == 0).count();
        if raw <= 2.5 * m && empty > 0 { m * libm::log(m / empty as f64) } else { raw }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_within_its_error() {
        for n in [0u64, 100, 20_000, 1_000_000] {
            let (mut all, mut half) = (DistinctCounter::default(), DistinctCounter::default());
            for i in 0..n {
                let counter = if i % 2 == 0 { &mut all } else { &mut half };
                counter.add(mix(i));
                counter.add(mix(i));
            }
            all.merge(&half);
            assert!(
                (all.estimate() - n as f64).abs() <= 4.0 * STANDARD_ERROR * n as f64 + 1.0,
                "{n}: {}",
                all.estimate()
            );
        }
    }

    #[test]
    fn the_top_of_the_ladder_fits_whatever_the_data() {
        let bounds = [Bounds { min: -1.0, max: 5.0 }, Bounds { min: 0.0, max: 3.0 }];
        let ladder = ladder(&bounds, 1_000);
        assert!(ladder.is_sorted() && ladder[0] == 0.0 && ladder.len() == 66);
        let top = ladder[65];
        assert!((6.0 / top + 2.0) * (3.0 / top + 2.0) <= 1_500.0 && top < 1.0, "{top}");
    }
}
