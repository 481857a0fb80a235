//! Matrices of numbers: `n` rows (customers) by `d` columns (features), as ndarray's [`Array2`] in row-major order.
//!
//! Functions take and give matrices; inside of them a row is a slice, which compilers make vectors of.

use ndarray::{Array2, ArrayBase, Data, Ix2};

/// An `n x d` matrix of row-major `values`. A trailing partial row is dropped; 0 columns give an empty matrix.
#[must_use]
pub fn matrix(mut values: Vec<f64>, columns: usize) -> Array2<f64> {
    let rows = values.len().checked_div(columns).unwrap_or(0);
    values.truncate(rows * columns);
    // The shape fits by now.
    Array2::from_shape_vec((rows, columns), values).unwrap_or_default()
}

/// The rows of a matrix as slices.
///
/// # Panics
/// Every method, of a matrix that is not in row-major order, such as a transposed one.
pub trait Rows {
    /// All values, row-major.
    fn values(&self) -> &[f64];

    /// Row `index`, `d` values; panics when there is none.
    fn row_slice(&self, index: usize) -> &[f64];

    /// The rows in order.
    fn row_slices(&self) -> std::slice::ChunksExact<'_, f64>;
}

impl<S: Data<Elem = f64>> Rows for ArrayBase<S, Ix2> {
    #[inline(always)]
    fn values(&self) -> &[f64] {
        match self.as_slice() {
            Some(values) => values,
            None => panic!("the matrix is not in row-major order"),
        }
    }

    #[inline(always)]
    fn row_slice(&self, index: usize) -> &[f64] {
        let columns = self.ncols();
        &self.values()[index * columns..(index + 1) * columns]
    }

    #[inline(always)]
    fn row_slices(&self) -> std::slice::ChunksExact<'_, f64> {
        self.values().chunks_exact(self.ncols().max(1))
    }
}

/// Squared Euclidean distance, summed in column order.
#[inline]
#[must_use]
pub fn squared_distance(a: &[f64], b: &[f64]) -> f64 {
    let mut sum = 0.0;
    for (x, y) in a.iter().zip(b) {
        let difference = x - y;
        sum += difference * difference;
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes() {
        assert_eq!(matrix(vec![1.0; 7], 3).dim(), (2, 3));
        assert_eq!((matrix(vec![], 2).dim(), matrix(vec![1.0], 0).dim()), ((0, 2), (0, 0)));
        assert_eq!(matrix(vec![1.0, 2.0, 3.0, 4.0], 2).row_slice(1), [3.0, 4.0]);
        assert_eq!(matrix(vec![], 0).row_slices().len(), 0);
    }
}
