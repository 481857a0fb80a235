//! Measures of a clustering: silhouette, Calinski-Harabasz, Davies-Bouldin, with scikit-learn's conventions.

use crate::matrix::{Matrix, squared_distance};

/// The reference rows of a silhouette, sorted by cluster, column by column, so that the sum of the distances from a row
/// to a cluster runs over contiguous memory. Holds `8 d` bytes a reference row.
#[derive(Debug)]
pub struct SilhouetteReference {
    /// Column-major: `columns[j][i]` is feature `j` of the i-th row in cluster order.
    columns: Vec<Vec<f64>>,
    /// Start of each cluster in the columns; `k + 1`.
    starts: Vec<usize>,
}

const LANES: usize = 8;

impl SilhouetteReference {
    /// From the reference rows (`n x d`) and their labels below `k`. The order of rows within a cluster is kept: pass
    /// the rows in one canonical order and the sums have the same bits everywhere.
    #[must_use]
    pub fn new(points: &Matrix, labels: &[u32], k: usize) -> Self {
        let mut starts = vec![0; k + 1];
        for label in labels {
            starts[*label as usize + 1] += 1;
        }
        for c in 0..k {
            starts[c + 1] += starts[c];
        }
        let mut next = starts.clone();
        let mut columns = vec![vec![0.0; points.rows()]; points.columns()];
        for (row, label) in points.iter().zip(labels) {
            let at = &mut next[*label as usize];
            for (column, value) in columns.iter_mut().zip(row) {
                column[*at] = *value;
            }
            *at += 1;
        }
        Self { columns, starts }
    }

    /// The silhouette of a row that is itself among the reference rows with `label`: `(b - a) / max(a, b)` with `a` the
    /// mean distance to the other rows of its cluster and `b` the least mean distance to another cluster (Rousseeuw,
    /// Journal of Computational and Applied Mathematics 1987); 0 for a row alone in its cluster. `O(n d)`.
    #[must_use]
    pub fn silhouette(&self, row: &[f64], label: u32) -> f64 {
        let (mut within, mut beyond) = (0.0, f64::INFINITY);
        for c in 0..self.starts.len() - 1 {
            let (start, end) = (self.starts[c], self.starts[c + 1]);
            if start == end {
                continue;
            }
            let sum = self.distance_sum(row, start, end);
            if c == label as usize {
                if end - start == 1 {
                    return 0.0;
                }
                within = sum / (end - start - 1) as f64;
            } else {
                beyond = f64::min(beyond, sum / (end - start) as f64);
            }
        }
        let larger = f64::max(within, beyond);
        if larger > 0.0 && larger.is_finite() { (beyond - within) / larger } else { 0.0 }
    }

    fn distance_sum(&self, row: &[f64], start: usize, end: usize) -> f64 {
        match (row, self.columns.as_slice()) {
            ([x], [cx]) => lanes(start, end, |i| square(cx[i] - x)),
            ([x, y], [cx, cy]) => {
                let (cx, cy) = (&cx[..end], &cy[..end]);
                lanes(start, end, |i| square(cx[i] - x) + square(cy[i] - y))
            }
            ([x, y, z], [cx, cy, cz]) => {
                let (cx, cy, cz) = (&cx[..end], &cy[..end], &cz[..end]);
                lanes(start, end, |i| square(cx[i] - x) + square(cy[i] - y) + square(cz[i] - z))
            }
            _ => lanes(start, end, |i| self.columns.iter().zip(row).map(|(c, x)| square(c[i] - x)).sum()),
        }
    }
}

#[inline(always)]
fn square(x: f64) -> f64 {
    x * x
}

/// Sum of the square roots of `squared(i)` in a fixed order: eight running sums, so that they need not wait for one another.
#[inline(always)]
fn lanes(start: usize, end: usize, squared: impl Fn(usize) -> f64) -> f64 {
    let mut sums = [0.0; LANES];
    let blocks = (end - start) / LANES;
    for block in 0..blocks {
        let at = start + block * LANES;
        for (lane, sum) in sums.iter_mut().enumerate() {
            *sum += squared(at + lane).sqrt();
        }
    }
    for (lane, i) in (start + blocks * LANES..end).enumerate() {
        sums[lane] += squared(i).sqrt();
    }
    sums.iter().sum()
}

/// Calinski-Harabasz (Communications in Statistics 1974): `(between / (k - 1)) / (within / (n - k))`, where `within` is
/// the sum of squared distances to the cluster means; larger is better. `None` for fewer than 2 clusters or no more
/// rows than clusters; 1 when `within` is 0, as in scikit-learn.
#[must_use]
pub fn calinski_harabasz(means: &Matrix, counts: &[u64], within: f64) -> Option<f64> {
    let n: u64 = counts.iter().sum();
    let k = counts.iter().filter(|count| **count > 0).count();
    if k < 2 || n <= k as u64 {
        return None;
    }
    let mut center = vec![0.0; means.columns()];
    for (mean, count) in means.iter().zip(counts) {
        center.iter_mut().zip(mean).for_each(|(c, m)| *c += m * (*count as f64 / n as f64));
    }
    let between: f64 =
        means.iter().zip(counts).map(|(mean, count)| *count as f64 * squared_distance(mean, &center)).sum();
    Some(if within == 0.0 { 1.0 } else { between * (n - k as u64) as f64 / (within * (k - 1) as f64) })
}

/// Davies-Bouldin (IEEE PAMI 1979): the mean over clusters of the worst ratio of summed spreads to the distance of the
/// means; smaller is better. `spreads` is the mean distance of a cluster's rows to its mean; clusters without a row are
/// left out. `None` for fewer than 2 clusters; 0 when all spreads or all distances are 0, as in scikit-learn.
#[must_use]
pub fn davies_bouldin(means: &Matrix, counts: &[u64], spreads: &[f64]) -> Option<f64> {
    let used: Vec<usize> = (0..counts.len()).filter(|c| counts[*c] > 0).collect();
    if used.len() < 2 {
        return None;
    }
    let mut sum = 0.0;
    for &a in &used {
        let worst = used.iter().filter(|b| **b != a).map(|&b| {
            let distance = squared_distance(means.row(a), means.row(b)).sqrt();
            if distance == 0.0 { 0.0 } else { (spreads[a] + spreads[b]) / distance }
        });
        sum += worst.fold(0.0, f64::max);
    }
    Some(sum / used.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hand_made_silhouette() {
        let points = Matrix::new(vec![0.0, 1.0, 10.0, 12.0, 50.0], 1);
        let labels = [0, 0, 1, 1, 2];
        let reference = SilhouetteReference::new(&points, &labels, 3);
        assert_eq!(reference.silhouette(&[0.0], 0), (11.0 - 1.0) / 11.0);
        assert_eq!(reference.silhouette(&[50.0], 2), 0.0);
        // An empty cluster is not a neighbour.
        let reference = SilhouetteReference::new(&points, &[0, 0, 2, 2, 2], 3);
        assert!(reference.silhouette(&[1.0], 0) > 0.9);
    }

    #[test]
    fn indices_need_two_clusters() {
        let means = Matrix::new(vec![0.0, 5.0], 1);
        assert_eq!(calinski_harabasz(&means, &[3, 0], 1.0), None);
        assert_eq!(davies_bouldin(&means, &[3, 0], &[1.0, 0.0]), None);
        assert_eq!(davies_bouldin(&means, &[3, 2], &[1.0, 1.5]), Some(0.5));
    }
}
