//! Which segment of one run is which of another: the pairs of rows and columns with the largest total score.
//!
//! ```text
//!           now 0   now 1   now 2
//!  then 0     90      2       8        then 0 is now 0
//!  then 1      5      7      60   ──▶  then 1 is now 2
//!                                      now 1 is new
//! ```
//!
//! Rows join one after the other, each along a shortest augmenting path. The length of a pair is its cost minus the
//! prices of its row and column. This is our own code because the Kuhn-Munkres of the `pathfinding` crate needs exact
//! arithmetic (in `f64` its slacks may never become zero, and it does not end), no more rows than columns, and five
//! more crates.
//!
//! Reference: Jonker and Volgenant, Computing 1987; Crouse, On implementing 2D rectangular assignment algorithms, IEEE
//! Transactions on Aerospace and Electronic Systems 2016, which is scipy's `linear_sum_assignment` too.

use crate::input::{InputError, check_finite, check_length};

/// The column of each row in a matching with the largest total of `scores` (`rows x columns`, row-major, finite; they
/// may be negative). Every row has a column if there are enough columns, and every column a row if there are enough
/// rows. The caller has to drop pairs that are no real match, by their score.
///
/// A function of the scores alone. Of several matchings with the largest total it finds one; where all scores are equal, row `i` has column
/// `i`. Sums are rounded, so that a matching within some units in the last place of the largest total counts as one of them.
/// `O(min^2 max)` of rows and columns.
///
/// # Errors
/// When the number of scores is not rows times columns, or a score is not finite or beyond 1e300.
pub fn best_matching(scores: &[f64], rows: usize, columns: usize) -> Result<Vec<Option<usize>>, InputError> {
    check_length("scores", scores.len(), rows * columns)?;
    check_finite("scores", scores)?;
    if rows <= columns {
        let row_of = match_all_rows(rows, columns, |row, column| -scores[row * columns + column]);
        let mut column_of = vec![None; rows];
        for (column, row) in row_of.into_iter().enumerate() {
            if let Some(row) = row {
                column_of[row] = Some(column);
            }
        }
        return Ok(column_of);
    }
    Ok(match_all_rows(columns, rows, |row, column| -scores[column * columns + row]))
}

/// The row of each column in a matching of the least cost that has every row; `rows <= columns`.
fn match_all_rows(rows: usize, columns: usize, cost: impl Fn(usize, usize) -> f64) -> Vec<Option<usize>> {
    let mut row_of: Vec<Option<usize>> = vec![None; columns];
    // Prices such that no pair costs less than their sum, and matched pairs cost exactly that.
    let (mut of_row, mut of_column) = (vec![0.0; rows], vec![0.0; columns]);
    for first in 0..rows {
        // How far each column is from the row, and the column before it on the way.
        let (mut distance, mut before) = (vec![f64::INFINITY; columns], vec![None; columns]);
        let mut is_done = vec![false; columns];
        let (mut row, mut through, mut length) = (first, None, 0.0);
        let last = loop {
            let mut nearest: Option<usize> = None;
            for column in (0..columns).filter(|column| !is_done[*column]) {
                let here = length + (cost(row, column) - of_row[row] - of_column[column]);
                if here < distance[column] {
                    (distance[column], before[column]) = (here, through);
                }
                // Among equally near columns a free one ends the path, otherwise the lowest is taken.
                let is_nearer = nearest.is_none_or(|nearest| {
                    distance[column] < distance[nearest]
                        || distance[column] == distance[nearest]
                            && row_of[column].is_none()
                            && row_of[nearest].is_some()
                });
                if is_nearer {
                    nearest = Some(column);
                }
            }
            // There are more columns than matched rows.
            let Some(column) = nearest else { return row_of };
            is_done[column] = true;
            length = distance[column];
            match row_of[column] {
                Some(next) => (row, through) = (next, Some(column)),
                None => break column,
            }
        };
        of_row[first] += length;
        for column in (0..columns).filter(|column| is_done[*column] && *column != last) {
            of_column[column] -= length - distance[column];
            if let Some(row) = row_of[column] {
                of_row[row] += length - distance[column];
            }
        }
        // Each row on the path moves on to the next column.
        let mut column = last;
        while let Some(previous) = before[column] {
            row_of[column] = row_of[previous];
            column = previous;
        }
        row_of[column] = Some(first);
    }
    row_of
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn total(scores: &[f64], columns: usize, matching: &[Option<usize>]) -> f64 {
        let pairs = matching.iter().enumerate().filter_map(|(row, column)| Some((row, (*column)?)));
        pairs.map(|(row, column)| scores[row * columns + column]).sum()
    }

    #[test]
    fn by_hand() {
        let found = best_matching(&[90.0, 2.0, 8.0, 5.0, 7.0, 60.0], 2, 3);
        assert_eq!(found, Ok(vec![Some(0), Some(2)]));
        assert_eq!(best_matching(&[90.0, 5.0, 2.0, 7.0, 8.0, 60.0], 3, 2), Ok(vec![Some(0), None, Some(1)]));
        // The best pair is in no best matching.
        assert_eq!(best_matching(&[10.0, 9.0, 9.0, 1.0], 2, 2), Ok(vec![Some(1), Some(0)]));
        assert_eq!(best_matching(&[-5.0, -1.0], 1, 2), Ok(vec![Some(1)]));
        assert_eq!(best_matching(&[], 0, 3), Ok(vec![]));
        assert_eq!(best_matching(&[], 2, 0), Ok(vec![None, None]));
    }

    #[test]
    fn equal_scores_match_in_order() {
        assert_eq!(best_matching(&[0.5; 12], 3, 4), Ok(vec![Some(0), Some(1), Some(2)]));
        assert_eq!(best_matching(&[0.5; 12], 4, 3), Ok(vec![Some(0), Some(1), Some(2), None]));
    }

    #[test]
    fn what_cannot_be_matched() {
        let lengths = InputError::Length { what: "scores", expected: 4, found: 3 };
        assert_eq!(best_matching(&[1.0; 3], 2, 2), Err(lengths));
        for score in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -2e300] {
            let error = InputError::NotFinite { what: "scores", index: 1 };
            assert_eq!(best_matching(&[1.0, score], 1, 2), Err(error));
        }
        assert_eq!(best_matching(&[1e300, -1e300, -1e300, 1e300], 2, 2), Ok(vec![Some(0), Some(1)]));
    }

    /// The largest total over all ways to give the rows from `row` on an unused column, or `None` if there are too few
    /// columns.
    fn largest(scores: &[f64], (rows, columns): (usize, usize), row: usize, used: u32) -> f64 {
        if row == rows {
            return 0.0;
        }
        let free = columns - used.count_ones() as usize;
        let skip = if rows - row > free { largest(scores, (rows, columns), row + 1, used) } else { f64::NEG_INFINITY };
        let take = (0..columns).filter(|column| used & 1 << column == 0);
        take.map(|column| {
            scores[row * columns + column] + largest(scores, (rows, columns), row + 1, used | 1 << column)
        })
        .fold(skip, f64::max)
    }

    proptest! {
        #[test]
        fn no_other_matching_scores_more(
            rows in 0usize..7, columns in 0usize..7, whole in any::<bool>(), values in proptest::collection::vec(-10.0f64..10.0, 36),
        ) {
            let scores: Vec<f64> = values[..rows * columns].iter().map(|x| if whole { x.round() } else { *x }).collect();
            let matching = best_matching(&scores, rows, columns).unwrap();
            let mut used: Vec<usize> = matching.iter().flatten().copied().collect();
            prop_assert_eq!(used.len(), rows.min(columns));
            used.sort_unstable();
            used.dedup();
            prop_assert_eq!(used.len(), rows.min(columns));
            let expected = largest(&scores, (rows, columns), 0, 0);
            prop_assert!((total(&scores, columns, &matching) - expected).abs() < 1e-9);
        }
    }
}
