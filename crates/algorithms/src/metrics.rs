//! Measures of a clustering: silhouette, Calinski-Harabasz, Davies-Bouldin, with scikit-learn's conventions.

use std::collections::BTreeMap;
use std::ops::Range;

use pulp::Arch;

use crate::matrix::{Matrix, squared_distance};

/// One way to cluster rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Labelling {
    /// Number of clusters.
    pub k: usize,
    /// The cluster of each row, below `k`.
    pub labels: Vec<u32>,
}

/// The reference rows of the silhouettes of several clusterings. Rows that are together in all of them lie together, in blocks of
/// eight, so that a distance is computed once for all clusterings and several at a time. Holds `8 (d + 1)` bytes a row, more where
/// few rows are together.
#[derive(Debug)]
pub struct SilhouetteReference {
    columns: usize,
    /// Blocks of eight rows, each `d + 1` words of eight lanes: the columns, then the weights, which are 0 where there is no row.
    blocks: Vec<[f64; LANES]>,
    /// Blocks of the rows that have the same labels.
    groups: Vec<Range<usize>>,
    clusterings: Vec<Totals>,
}

#[derive(Debug)]
struct Totals {
    /// Cluster of each group.
    labels: Vec<u32>,
    /// Weight of each cluster.
    weights: Vec<f64>,
}

const LANES: usize = 8;

/// The silhouette of a row from how far it is from its own cluster, and from the nearest other one; 0 where all are one place, or
/// there is no other.
#[inline(always)]
pub(crate) fn silhouette(within: f64, beyond: f64) -> f64 {
    let larger = within.max(beyond);
    if larger > 0.0 && larger.is_finite() { (beyond - within) / larger } else { 0.0 }
}

impl SilhouetteReference {
    /// From the reference rows (`n x d`), the number of rows that each of them stands for (`weights`, `n`), and their clusters. The order
    /// of equally labelled rows is kept: pass the rows in one canonical order and the sums have the same bits everywhere.
    #[must_use]
    pub fn new(points: &Matrix, weights: &[f64], clusterings: &[Labelling]) -> Self {
        let mut members: BTreeMap<Vec<u32>, Vec<usize>> = BTreeMap::new();
        for i in 0..points.rows() {
            members.entry(clusterings.iter().map(|clustering| clustering.labels[i]).collect()).or_default().push(i);
        }
        let d = points.columns();
        let mut totals: Vec<Totals> =
            clusterings.iter().map(|clustering| Totals { labels: vec![], weights: vec![0.0; clustering.k] }).collect();
        let (mut blocks, mut groups) = (vec![], vec![]);
        for (labels, rows) in members {
            let first = blocks.len() / (d + 1);
            for rows in rows.chunks(LANES) {
                let at = blocks.len();
                blocks.resize(at + d + 1, [0.0; LANES]);
                for (lane, row) in rows.iter().enumerate() {
                    for (j, value) in points.row(*row).iter().enumerate() {
                        blocks[at + j][lane] = *value;
                    }
                    blocks[at + d][lane] = weights[*row];
                }
            }
            groups.push(first..blocks.len() / (d + 1));
            let weight: f64 = rows.iter().map(|row| weights[*row]).sum();
            for (totals, label) in totals.iter_mut().zip(labels) {
                totals.labels.push(label);
                totals.weights[label as usize] += weight;
            }
        }
        Self { columns: d, blocks, groups, clusterings: totals }
    }

    /// Bytes held.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let totals = self.clusterings.iter().map(|totals| totals.labels.len() * 4 + totals.weights.len() * 8);
        self.blocks.capacity() * size_of::<[f64; LANES]>()
            + self.groups.capacity() * size_of::<Range<usize>>()
            + totals.sum::<usize>()
    }

    /// The silhouettes of a row in each clustering, of which it has these `labels`: `(b - a) / max(a, b)` with `a` the mean distance to the
    /// other rows of its cluster and `b` the least mean distance to another cluster (Rousseeuw, Journal of Computational and
    /// Applied Mathematics 1987); 0 for a row alone in its cluster. The row is itself among the reference rows, where it stands for
    /// `own` rows like it. `O(n d)`.
    #[must_use]
    pub fn silhouettes(&self, row: &[f64], own: f64, labels: &[u32]) -> Vec<f64> {
        let distances = Arch::new().dispatch(|| self.distances(row));
        let of = |(totals, label): (&Totals, &u32)| {
            let label = *label;
            let mut sums = vec![0.0; totals.weights.len()];
            for (distance, cluster) in distances.iter().zip(&totals.labels) {
                sums[*cluster as usize] += distance;
            }
            let others = totals.weights[label as usize] - own;
            if others <= 0.0 {
                return 0.0;
            }
            let within = sums[label as usize] / others;
            let beyond = sums.iter().zip(&totals.weights).enumerate();
            let beyond = beyond.filter(|(c, (_, weight))| *c != label as usize && **weight > 0.0);
            let beyond = beyond.map(|(_, (sum, weight))| sum / weight).fold(f64::INFINITY, f64::min);
            silhouette(within, beyond)
        };
        self.clusterings.iter().zip(labels).map(of).collect()
    }

    /// Weighted sums of the distances of a row to each group. Compiled for each width of vectors, by being part of what is dispatched.
    #[inline(always)]
    fn distances(&self, row: &[f64]) -> Vec<f64> {
        let stride = self.columns + 1;
        let of = |group: &Range<usize>| {
            let mut sums = [0.0; LANES];
            for block in self.blocks[group.start * stride..group.end * stride].chunks_exact(stride) {
                let mut squared = [0.0; LANES];
                for (value, column) in row.iter().zip(block) {
                    for lane in 0..LANES {
                        let difference = column[lane] - value;
                        squared[lane] += difference * difference;
                    }
                }
                for lane in 0..LANES {
                    sums[lane] += squared[lane].sqrt() * block[stride - 1][lane];
                }
            }
            sums.iter().sum()
        };
        self.groups.iter().map(of).collect()
    }
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
    fn hand_made_silhouettes() {
        let points = Matrix::new(vec![0.0, 1.0, 10.0, 12.0, 50.0], 1);
        let clusterings =
            [Labelling { k: 3, labels: vec![0, 0, 1, 1, 2] }, Labelling { k: 3, labels: vec![0, 0, 2, 2, 2] }];
        let reference = SilhouetteReference::new(&points, &[1.0; 5], &clusterings);
        let of = |row: f64, labels: [u32; 2]| reference.silhouettes(&[row], 1.0, &labels);
        assert_eq!(of(0.0, [0, 0])[0], (11.0 - 1.0) / 11.0);
        assert_eq!(of(50.0, [2, 2])[0], 0.0);
        // An empty cluster is not a neighbour.
        assert!(of(1.0, [0, 0])[1] > 0.9);
    }

    #[test]
    fn a_weight_is_so_many_rows() {
        let points = Matrix::new(vec![0.0, 1.0, 1.0, 10.0, 10.0, 13.0], 1);
        let every = SilhouetteReference::new(&points, &[1.0; 6], &[Labelling { k: 2, labels: vec![0, 0, 0, 1, 1, 1] }]);
        let distinct = Matrix::new(vec![0.0, 1.0, 10.0, 13.0], 1);
        let clustering = Labelling { k: 2, labels: vec![0, 0, 1, 1] };
        let weighted = SilhouetteReference::new(&distinct, &[1.0, 2.0, 2.0, 1.0], &[clustering]);
        for (row, label) in [(0.0, 0), (1.0, 0), (10.0, 1), (13.0, 1)] {
            let of = |reference: &SilhouetteReference| reference.silhouettes(&[row], 1.0, &[label])[0];
            assert!((of(&every) - of(&weighted)).abs() < 1e-15);
        }
    }

    #[test]
    fn indices_need_two_clusters() {
        let means = Matrix::new(vec![0.0, 5.0], 1);
        assert_eq!(calinski_harabasz(&means, &[3, 0], 1.0), None);
        assert_eq!(davies_bouldin(&means, &[3, 0], &[1.0, 0.0]), None);
        assert_eq!(davies_bouldin(&means, &[3, 2], &[1.0, 1.5]), Some(0.5));
    }
}
