//! Principal components: the directions in which weighted rows differ most, to draw many features on a plane.
//!
//! These are the eigenvectors of the covariance, found by Jacobi's rotations: each makes one cell off the diagonal
//! zero, and a few sweeps over all cells leave a diagonal of eigenvalues. This is our own code because a linear algebra
//! crate would add a dozen crates to compile.
//!
//! Reference: Pearson, Philosophical Magazine 1901; Golub and Van Loan, Matrix Computations, 4th edition, section 8.5.
//! scikit-learn's `PCA` has the same components, up to signs where two entries are equally large.

use crate::rows::Rows;
use ndarray::Array2;
use serde::{Deserialize, Serialize};

use crate::input::{InputError, check_weighted_rows};

/// Jacobi's method takes fewer than ten sweeps; this limit is for cases that nobody has thought of.
const MOST_SWEEPS: usize = 60;
/// Entries this close to the largest, relatively, count as equally large, so that rounding does not choose the sign.
const EQUAL_ENTRIES: f64 = 1e-9;

/// The directions in which rows differ most.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PrincipalComponents {
    /// Weighted mean of each feature (`d`).
    pub means: Vec<f64>,
    /// Unit vectors, one orthogonal to the other, by descending variance (`count x d`, row-major).
    pub components: Vec<f64>,
    /// Share of the total variance in the direction of each component (`count`); 0 where rows do not differ.
    pub explained: Vec<f64>,
}

impl PrincipalComponents {
    /// Where a row (`d` values) lies: its distance from the means along each component (`count`).
    #[must_use]
    pub fn coordinates(&self, row: &[f64]) -> Vec<f64> {
        let along = |component: &[f64]| {
            component.iter().zip(row.iter().zip(&self.means)).map(|(c, (value, mean))| c * (value - mean)).sum()
        };
        self.components.chunks_exact(self.means.len().max(1)).map(along).collect()
    }
}

/// The first `count` principal components, or all `d` where that is fewer, of `points` (`n x d`, finite) with these `weights`
/// (`n`, positive). The entry of a component that has the largest magnitude, the first of several, is positive.
///
/// Sums are taken in the order of the rows: pass them in one canonical order, and the result has the same bits everywhere. Features
/// count by their variance; scale them first where their units are not the same. `O(n d^2 + d^3)`.
///
/// # Errors
/// When there are no rows, the numbers of rows and weights differ, numbers are not finite, or weights are not positive.
pub fn principal_components(
    points: &Array2<f64>,
    weights: &[f64],
    count: usize,
) -> Result<PrincipalComponents, InputError> {
    check_weighted_rows(points, weights)?;
    let d = points.ncols();
    let total: f64 = weights.iter().sum();
    let mut means = vec![0.0; d];
    for (row, weight) in points.row_slices().zip(weights) {
        let share = weight / total;
        means.iter_mut().zip(row).for_each(|(mean, value)| *mean += share * value);
    }
    let offsets = |row: &[f64]| row.iter().zip(&means).map(|(value, mean)| value - mean).collect::<Vec<f64>>();
    // In units of the farthest, so that squares are in the range of numbers.
    let farthest = points.row_slices().flat_map(offsets).map(f64::abs).fold(0.0, f64::max);
    let mut covariance = vec![0.0; d * d];
    if farthest > 0.0 {
        for (row, weight) in points.row_slices().zip(weights) {
            let offsets: Vec<f64> = offsets(row).iter().map(|offset| offset / farthest).collect();
            for (i, cells) in covariance.chunks_exact_mut(d).enumerate() {
                let factor = weight / total * offsets[i];
                cells[i..].iter_mut().zip(&offsets[i..]).for_each(|(cell, offset)| *cell += factor * offset);
            }
        }
    }
    for i in 0..d {
        for j in 0..i {
            covariance[i * d + j] = covariance[j * d + i];
        }
    }
    let (values, vectors) = eigen(covariance, d);
    let variance: f64 = values.iter().sum();
    let mut order: Vec<usize> = (0..d).collect();
    // Stable: equal ones stay in order.
    order.sort_by(|a, b| values[*b].total_cmp(&values[*a]));
    order.truncate(count);
    let explained = order.iter().map(|i| if variance > 0.0 { values[*i] / variance } else { 0.0 }).collect();
    let components = order.iter().flat_map(|i| with_sign(&vectors[i * d..(i + 1) * d])).collect();
    Ok(PrincipalComponents { means, components, explained })
}

/// The vector or its opposite: the one whose largest entry is positive.
fn with_sign(vector: &[f64]) -> Vec<f64> {
    let largest = vector.iter().fold(0.0_f64, |largest, entry| largest.max(entry.abs()));
    let first = vector.iter().find(|entry| entry.abs() >= (1.0 - EQUAL_ENTRIES) * largest);
    let sign = if first.is_some_and(|entry| *entry < 0.0) { -1.0 } else { 1.0 };
    // Zero has one sign.
    vector.iter().map(|entry| sign * entry + 0.0).collect()
}

/// Eigenvalues, none below 0, and eigenvectors (rows) of a positive semidefinite symmetric matrix (`d x d`).
fn eigen(mut a: Vec<f64>, d: usize) -> (Vec<f64>, Vec<f64>) {
    let mut vectors = vec![0.0; d * d];
    (0..d).for_each(|i| vectors[i * d + i] = 1.0);
    for _ in 0..MOST_SWEEPS {
        let mut is_diagonal = true;
        for p in 0..d {
            for q in p + 1..d {
                let (pp, qq, pq) = (a[p * d + p], a[q * d + q], a[p * d + q]);
                // What is less than the rounding of both variances is zero.
                if pq.abs() <= f64::EPSILON * (pp.max(0.0).sqrt() * qq.max(0.0).sqrt()).max(f64::MIN_POSITIVE) {
                    continue;
                }
                is_diagonal = false;
                let theta = (qq - pp) / (2.0 * pq);
                // The smaller of the two angles.
                let tangent = theta.signum() / (theta.abs() + libm::hypot(theta, 1.0));
                let cosine = 1.0 / libm::hypot(tangent, 1.0);
                let sine = tangent * cosine;
                rotate(&mut a, d, (p, q), (cosine, sine));
                rotate(&mut vectors, d, (p, q), (cosine, sine));
                // The rows are turned; the columns are their mirror, but for the four cells where they meet.
                for k in (0..d).filter(|k| *k != p && *k != q) {
                    a[k * d + p] = a[p * d + k];
                    a[k * d + q] = a[q * d + k];
                }
                (a[p * d + p], a[q * d + q]) = (pp - tangent * pq, qq + tangent * pq);
                (a[p * d + q], a[q * d + p]) = (0.0, 0.0);
            }
        }
        if is_diagonal {
            break;
        }
    }
    ((0..d).map(|i| a[i * d + i].max(0.0)).collect(), vectors)
}

/// Applies a plane rotation to rows `p < q` of a matrix of `d` columns.
fn rotate(matrix: &mut [f64], d: usize, (p, q): (usize, usize), (cosine, sine): (f64, f64)) {
    let (before, from_q) = matrix.split_at_mut(q * d);
    for (x, y) in before[p * d..(p + 1) * d].iter_mut().zip(&mut from_q[..d]) {
        (*x, *y) = (cosine * *x - sine * *y, sine * *x + cosine * *y);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hashing::{combine, unit_interval};
    use crate::rows::matrix;
    use proptest::prelude::*;

    fn of(values: &[f64], d: usize, count: usize) -> PrincipalComponents {
        let points = matrix(values.to_vec(), d);
        principal_components(&points, &vec![1.0; points.nrows()], count).unwrap()
    }

    #[test]
    fn by_hand() {
        let found = of(&[1.0, 3.0, 2.0, 1.0, 3.0, -1.0], 2, 2);
        assert_eq!(found.means, [2.0, 1.0]);
        let expected = [-1.0, 2.0, 2.0, 1.0].map(|entry| entry / 5.0_f64.sqrt());
        assert!(found.components.iter().zip(expected).all(|(ours, theirs)| (ours - theirs).abs() < 1e-15));
        assert!((found.explained[0] - 1.0).abs() < 1e-15 && found.explained[1].abs() < 1e-15);
        assert!((found.coordinates(&[1.0, 3.0])[0] - 5.0_f64.sqrt()).abs() < 1e-15);
        // Where features differ as much as each other, the first entry is the positive one.
        let found = of(&[-1.0, 1.0, 1.0, -1.0], 2, 1);
        assert!(found.components[0] > 0.7 && found.components[1] < -0.7);
    }

    #[test]
    fn rows_that_do_not_differ() {
        let found = of(&[4.0, 5.0, 4.0, 5.0], 2, 7);
        assert_eq!(found.explained, [0.0, 0.0]);
        assert_eq!(found.components, [1.0, 0.0, 0.0, 1.0]);
        assert_eq!(found.coordinates(&[5.0, 5.0]), [1.0, 0.0]);
        assert!(of(&[4.0, 5.0], 2, 0).components.is_empty());
    }

    #[test]
    fn what_has_no_components() {
        let found = |values: Vec<f64>, weights: &[f64]| principal_components(&matrix(values, 1), weights, 1);
        assert_eq!(found(vec![], &[]), Err(InputError::Empty("rows")));
        assert_eq!(found(vec![1.0], &[-1.0]), Err(InputError::NotPositive(0)));
        assert_eq!(found(vec![f64::NAN], &[1.0]), Err(InputError::NotFinite { what: "values", index: 0 }));
    }

    proptest! {
        #[test]
        fn an_orthonormal_basis_that_diagonalises(
            seed in any::<u64>(), n in 1usize..40, d in 1usize..12, scale in prop_oneof![Just(1.0), Just(1e-200), Just(1e150)],
        ) {
            let draw = |i: usize| unit_interval(combine(seed, i as u64)) - 0.5;
            // Features of very different spread, the last one the sum of the others.
            let row = |i: usize| {
                let mut row: Vec<f64> = (0..d).map(|j| draw(i * d + j) * 10.0_f64.powi(j as i32 % 4)).collect();
                row[d - 1] = row[..d - 1].iter().sum::<f64>() + if d == 1 { draw(i) } else { 0.0 };
                row.iter().map(|value| value * scale).collect::<Vec<f64>>()
            };
            let points = matrix((0..n).flat_map(row).collect(), d);
            let weights: Vec<f64> = (0..n).map(|i| 0.1 + (draw(i + 1_000) + 0.5)).collect();
            let found = principal_components(&points, &weights, d).unwrap();
            let component = |i: usize| &found.components[i * d..(i + 1) * d];
            let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(x, y)| x * y).sum::<f64>();
            let coordinates: Vec<Vec<f64>> = points.row_slices().map(|row| found.coordinates(row)).collect();
            let covariance = |i: usize, j: usize| {
                coordinates.iter().zip(&weights).map(|(c, w)| w * (c[i] / scale) * (c[j] / scale)).sum::<f64>()
            };
            let total: f64 = (0..d).map(|i| covariance(i, i)).sum();
            for i in 0..d {
                for j in 0..=i {
                    let expected = f64::from(u8::from(i == j));
                    prop_assert!((dot(component(i), component(j)) - expected).abs() < 1e-12);
                    let expected = if i == j { found.explained[i] * total } else { 0.0 };
                    prop_assert!((covariance(i, j) - expected).abs() <= 1e-12 * total);
                }
            }
            prop_assert!(found.explained.windows(2).all(|pair| pair[0] >= pair[1]));
        }
    }
}
