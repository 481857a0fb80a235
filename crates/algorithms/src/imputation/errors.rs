//! How far off imputed values are: known cells are masked, imputed and compared.

use super::{bits, pattern};
use crate::sums::{Bounds, FineQuantum};

/// A copy of its row for every known cell of the `probes` (`n x d`, row-major), in the order of (row, feature), with that
/// cell missing.
#[must_use]
pub fn masked_copies(probes: &[f64], features: usize) -> Vec<f64> {
    let mut copies = Vec::with_capacity(probes.len() * features);
    for row in probes.chunks_exact(features) {
        for feature in bits(pattern(row)) {
            copies.extend_from_slice(row);
            let cell = copies.len() - features + feature;
            copies[cell] = f64::NAN;
        }
    }
    copies
}

/// Squared errors of imputed cells, by feature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImputationErrors {
    counts: Vec<u64>,
    squares: Vec<i128>,
    quanta: Vec<FineQuantum>,
}

impl ImputationErrors {
    /// No errors yet. `bounds` are those of each feature's values.
    #[must_use]
    pub fn new(bounds: &[Bounds]) -> Self {
        // No imputed value is outside the bounds, except a fallback of the caller's.
        let quantum = |bounds: &Bounds| FineQuantum::for_bound((2.0 * bounds.max_abs()).powi(2));
        Self {
            counts: vec![0; bounds.len()],
            squares: vec![0; bounds.len()],
            quanta: bounds.iter().map(quantum).collect(),
        }
    }

    /// Compares the known cells of `probes` with `filled`, their [`masked_copies`] after imputation.
    ///
    /// # Panics
    /// When `filled` has not a row for every known cell.
    pub fn compare(&mut self, probes: &[f64], filled: &[f64]) {
        let features = self.counts.len();
        let mut copies = filled.chunks_exact(features);
        for row in probes.chunks_exact(features) {
            for feature in bits(pattern(row)) {
                let copy = copies.next();
                assert!(copy.is_some(), "fewer copies than known cells");
                let error = copy.map_or(0.0, |copy| copy[feature] - row[feature]);
                self.counts[feature] += 1;
                self.squares[feature] += self.quanta[feature].quanta(error * error);
            }
        }
        assert!(copies.next().is_none(), "more copies than known cells");
    }

    /// For each feature, how many cells were compared, and the sum of their squared errors.
    #[must_use]
    pub fn sums(&self) -> Vec<(u64, f64)> {
        let sum = |((count, square), quantum): ((&u64, &i128), &FineQuantum)| (*count, quantum.value(*square));
        self.counts.iter().zip(&self.squares).zip(&self.quanta).map(sum).collect()
    }
}
