//! A dense row-major matrix of `f64`: `n` rows (customers) by `d` columns (features), contiguous.

/// `n x d` values, row-major. A missing cell, where a function allows one, is NaN.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Matrix {
    values: Vec<f64>,
    columns: usize,
}

impl Matrix {
    /// Wraps `values` of length `n * columns`. A trailing partial row is dropped; `columns` of 0 gives an empty matrix.
    #[must_use]
    pub fn new(mut values: Vec<f64>, columns: usize) -> Self {
        let rows = values.len().checked_div(columns).unwrap_or(0);
        values.truncate(rows * columns);
        Self { values, columns }
    }

    /// An empty matrix with room for `rows` rows.
    #[must_use]
    pub fn with_capacity(rows: usize, columns: usize) -> Self {
        Self { values: Vec::with_capacity(rows * columns), columns }
    }

    /// Number of rows, `n`.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.values.len().checked_div(self.columns).unwrap_or(0)
    }

    /// Number of columns, `d`.
    #[must_use]
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// True without a row.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// Row `index`, `d` values.
    ///
    /// # Panics
    /// When `index` is not below [`Matrix::rows`].
    #[must_use]
    pub fn row(&self, index: usize) -> &[f64] {
        &self.values[index * self.columns..(index + 1) * self.columns]
    }

    /// Row `index`, writable; see [`Matrix::row`].
    pub fn row_mut(&mut self, index: usize) -> &mut [f64] {
        &mut self.values[index * self.columns..(index + 1) * self.columns]
    }

    /// The rows in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &[f64]> {
        self.values.chunks_exact(self.columns.max(1))
    }

    /// Appends one row; `row` must have `d` values.
    pub fn push(&mut self, row: &[f64]) {
        debug_assert_eq!(row.len(), self.columns);
        self.values.extend_from_slice(row);
    }

    /// All values, row-major.
    #[must_use]
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// Bytes held.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.values.capacity() * size_of::<f64>()
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
