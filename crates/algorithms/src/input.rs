//! What is wrong with the arrays that an algorithm was given.

use crate::rows::Rows;
use ndarray::Array2;

/// Numbers are within plus and minus this: the sums and differences of any two, and of as many as fit into memory, are finite.
pub const MOST: f64 = 1e300;

/// Arrays that an algorithm cannot work on. Indices count from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InputError {
    /// There is no row, or rows have no column.
    #[error("there are no {0}")]
    Empty(&'static str),
    /// Two arrays do not fit together.
    #[error("{found} {what} where there must be {expected}")]
    Length {
        /// The array.
        what: &'static str,
        /// Values that it must have.
        expected: usize,
        /// Values that it has.
        found: usize,
    },
    /// NaN, infinite, or beyond [`MOST`].
    #[error("number {index} of the {what} is not a finite number within 1e300")]
    NotFinite {
        /// The array.
        what: &'static str,
        /// Where in it, row-major.
        index: usize,
    },
    /// Weights are above 0.
    #[error("the weight of row {0} is not above 0")]
    NotPositive(usize),
    /// Classes are below their number.
    #[error("row {row} is of class {class}, which is not below the number of classes, {classes}")]
    Class {
        /// The row.
        row: usize,
        /// Its class.
        class: u32,
        /// Number of classes.
        classes: usize,
    },
}

/// Checks that values are finite numbers.
///
/// # Errors
/// The first that is NaN or beyond [`MOST`].
pub(crate) fn check_finite(what: &'static str, values: &[f64]) -> Result<(), InputError> {
    // This way NaN is refused too.
    match values.iter().position(|value| !(-MOST..=MOST).contains(value)) {
        Some(index) => Err(InputError::NotFinite { what, index }),
        None => Ok(()),
    }
}

/// Checks that an array has the expected number of values.
///
/// # Errors
/// It has more or fewer.
pub(crate) fn check_length(what: &'static str, found: usize, expected: usize) -> Result<(), InputError> {
    if found == expected { Ok(()) } else { Err(InputError::Length { what, expected, found }) }
}

/// Checks that there are rows of finite numbers, and a positive weight for each.
///
/// # Errors
/// When a check fails.
pub(crate) fn check_weighted_rows(points: &Array2<f64>, weights: &[f64]) -> Result<(), InputError> {
    if points.is_empty() {
        return Err(InputError::Empty("rows"));
    }
    check_length("weights", weights.len(), points.nrows())?;
    check_finite("values", points.values())?;
    check_finite("weights", weights)?;
    match weights.iter().position(|weight| *weight <= 0.0) {
        Some(row) => Err(InputError::NotPositive(row)),
        None => Ok(()),
    }
}
