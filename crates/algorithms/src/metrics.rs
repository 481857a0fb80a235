//! Measures of a clustering: silhouette, Calinski-Harabasz, Davies-Bouldin, with scikit-learn's conventions.

use crate::rows::{Rows, squared_distance};
use ndarray::Array2;
use std::collections::BTreeMap;
use std::ops::Range;

use pulp::Arch;

/// One way to cluster rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Labelling {
    /// Number of clusters.
    pub k: usize,
    /// The cluster of each row, below `k`.
    pub labels: Vec<u32>,
}

/// Replicates of a silhouette: the sample is dealt into this many groups, and each is left out in turn.
pub const REPLICATES: usize = 16;

/// The reference rows of the silhouettes of several clusterings. Rows that are together in all of them lie together, in blocks of
/// eight, so that a distance is computed once for all clusterings and several at a time. Holds `8 (d + 1)` bytes a row, more where
/// few rows are together.
///
/// Each row belongs to one of [`REPLICATES`] groups: its lane, in even and in odd blocks. So the sums of distances by group, from
/// which silhouettes without that group follow, cost nothing beside the sums themselves.
#[derive(Debug)]
pub struct SilhouetteReference {
    columns: usize,
    /// Blocks of eight rows, each `d + 1` words of eight lanes: the columns, then the weights, which are 0 where there is no row.
    blocks: Vec<[f64; LANES]>,
    together: Vec<Together>,
    clusterings: Vec<Totals>,
    /// The group of each row.
    groups: Vec<u8>,
    /// Whether every row there is was drawn.
    is_exact: bool,
}

/// Rows that have the same labels.
#[derive(Debug)]
struct Together {
    blocks: Range<usize>,
    /// Whether the first block is an odd one.
    is_odd: bool,
    replicas: Replicas,
}

#[derive(Debug)]
struct Totals {
    /// Cluster of each [`Together`].
    labels: Vec<u32>,
    /// Weight of each cluster.
    weights: Vec<f64>,
    /// The same in each replicate.
    replicates: Vec<[f64; REPLICATES]>,
}

const LANES: usize = 8;

/// How the rows of a stratum weigh in the replicates of a delete-a-group jackknife.
///
/// Leaving out a group entirely would add an error even for a stratum of which all rows were drawn, which has none. So
/// the weights change by the root of the share of rows that were not drawn: the rows of the group lose that share of
/// their weight, and the others gain what is lost.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Replicas {
    /// Times the weight, in every replicate ...
    all: f64,
    /// ... less this, in that of the row's own group.
    own: f64,
}

impl Replicas {
    /// For a stratum in which each drawn row stands for `factor` rows.
    #[must_use]
    pub fn new(factor: f64) -> Self {
        let moved = (1.0 - 1.0 / factor.max(1.0)).sqrt();
        let others = (REPLICATES - 1) as f64;
        Self { all: 1.0 + moved / others, own: moved + moved / others }
    }

    /// A sum over the rows of the stratum in the replicate that leaves out a group, from the sum over all of them and over those of
    /// the group.
    #[inline(always)]
    #[must_use]
    pub fn sum(self, all: f64, of_group: f64) -> f64 {
        self.all * all - self.own * of_group
    }
}

/// The silhouette of a row, and what it is in each replicate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Replicated {
    /// From all rows of the sample.
    pub value: f64,
    /// From the sample with each group left out in turn.
    pub replicates: [f64; REPLICATES],
}

/// The silhouette of a row from how far it is from its own cluster and from the nearest other one; 0 if both distances
/// are 0, or there is no other cluster.
#[inline(always)]
pub(crate) fn silhouette(within: f64, beyond: f64) -> f64 {
    let larger = within.max(beyond);
    if larger > 0.0 && larger.is_finite() { (beyond - within) / larger } else { 0.0 }
}

impl SilhouetteReference {
    /// From the reference rows (`n x d`), their weights (`n`), and their clusters in each clustering. The last
    /// clustering has the strata of the sample: `factors` says for each stratum how many rows a drawn row stands for,
    /// which the weights already include; it is empty where the rows are no sample. The order of equally labelled rows
    /// is kept: pass the rows in one canonical order and the sums have the same bits everywhere.
    #[must_use]
    pub fn new(points: &Array2<f64>, weights: &[f64], clusterings: &[Labelling], factors: &[f64]) -> Self {
        let mut members: BTreeMap<Vec<u32>, Vec<usize>> = BTreeMap::new();
        for i in 0..points.nrows() {
            members.entry(clusterings.iter().map(|clustering| clustering.labels[i]).collect()).or_default().push(i);
        }
        let d = points.ncols();
        let empty = |clustering: &Labelling| Totals {
            labels: vec![],
            weights: vec![0.0; clustering.k],
            replicates: vec![[0.0; REPLICATES]; clustering.k],
        };
        let mut totals: Vec<Totals> = clusterings.iter().map(empty).collect();
        let (mut blocks, mut together) = (vec![], vec![]);
        let mut groups = vec![0; points.nrows()];
        // Dealing continues from one set of rows to the next, so that small sets do not all fall to the first groups.
        let mut next = 0;
        for (labels, rows) in members {
            let factor = labels.last().and_then(|stratum| factors.get(*stratum as usize)).copied().unwrap_or(1.0);
            let replicas = Replicas::new(factor);
            let first = blocks.len() / (d + 1);
            let is_odd = next >= LANES;
            let mut by_group = [0.0; REPLICATES];
            for (i, row) in rows.iter().enumerate() {
                let lane = next % LANES;
                if i == 0 || lane == 0 {
                    blocks.resize(blocks.len() + d + 1, [0.0; LANES]);
                }
                let at = blocks.len() - (d + 1);
                for (j, value) in points.row_slice(*row).iter().enumerate() {
                    blocks[at + j][lane] = *value;
                }
                blocks[at + d][lane] = weights[*row];
                groups[*row] = next as u8;
                by_group[next] += weights[*row];
                next = (next + 1) % REPLICATES;
            }
            together.push(Together { blocks: first..blocks.len() / (d + 1), is_odd, replicas });
            let weight: f64 = rows.iter().map(|row| weights[*row]).sum();
            for (totals, label) in totals.iter_mut().zip(labels) {
                totals.labels.push(label);
                totals.weights[label as usize] += weight;
                let replicates = &mut totals.replicates[label as usize];
                replicates.iter_mut().zip(by_group).for_each(|(total, group)| *total += replicas.sum(weight, group));
            }
        }
        let is_exact = factors.iter().all(|factor| *factor <= 1.0);
        Self { columns: d, blocks, together, clusterings: totals, groups, is_exact }
    }

    /// Bytes held.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let of = |totals: &Totals| totals.labels.len() * 4 + totals.weights.len() * 8 * (1 + REPLICATES);
        self.blocks.capacity() * size_of::<[f64; LANES]>()
            + self.together.capacity() * size_of::<Together>()
            + self.groups.len()
            + self.clusterings.iter().map(of).sum::<usize>()
    }

    /// The group of a reference row, below [`REPLICATES`].
    #[must_use]
    pub fn group(&self, row: usize) -> usize {
        usize::from(self.groups[row])
    }

    /// The silhouettes of a row in each clustering, of which it has these `labels`: `(b - a) / max(a, b)` with `a` the mean distance to the
    /// other rows of its cluster and `b` the least mean distance to another cluster (Rousseeuw, Journal of Computational and
    /// Applied Mathematics 1987); 0 for a row alone in its cluster. The row is itself among the reference rows, in `group`, where
    /// it stands for `own` rows like it. `O(n d)`.
    #[must_use]
    pub fn silhouettes(&self, row: &[f64], own: f64, group: usize, labels: &[u32]) -> Vec<Replicated> {
        Arch::new().dispatch(|| {
            let distances = self.distances(row);
            let replicas = Replicas::new(own);
            let mut owns = [replicas.sum(own, 0.0); REPLICATES];
            owns[group] = replicas.sum(own, own);
            let of =
                |(totals, label): (&Totals, &u32)| self.replicated(&distances, totals, *label as usize, own, &owns);
            self.clusterings.iter().zip(labels).map(of).collect()
        })
    }

    #[inline(always)]
    fn replicated(
        &self,
        distances: &[[f64; REPLICATES]],
        totals: &Totals,
        label: usize,
        own: f64,
        owns: &[f64; REPLICATES],
    ) -> Replicated {
        let mut sums = vec![0.0; totals.weights.len()];
        let mut replicates = vec![[0.0; REPLICATES]; totals.weights.len()];
        for ((by_group, together), cluster) in distances.iter().zip(&self.together).zip(&totals.labels) {
            let all: f64 = by_group.iter().sum();
            sums[*cluster as usize] += all;
            if !self.is_exact {
                let replicates = &mut replicates[*cluster as usize];
                for g in 0..REPLICATES {
                    replicates[g] += together.replicas.sum(all, by_group[g]);
                }
            }
        }
        let others = totals.weights[label] - own;
        let beyond = sums.iter().zip(&totals.weights).enumerate();
        let beyond = beyond.filter(|(c, (_, weight))| *c != label && **weight > 0.0);
        let beyond = beyond.map(|(_, (sum, weight))| sum / weight).fold(f64::INFINITY, f64::min);
        let value = if others > 0.0 { silhouette(sums[label] / others, beyond) } else { 0.0 };
        if self.is_exact {
            return Replicated { value, replicates: [value; REPLICATES] };
        }
        let mut beyond = [f64::INFINITY; REPLICATES];
        for (c, (sums, weights)) in replicates.iter().zip(&totals.replicates).enumerate() {
            if c != label {
                for g in 0..REPLICATES {
                    let mean = if weights[g] > 0.0 { sums[g] / weights[g] } else { f64::INFINITY };
                    beyond[g] = beyond[g].min(mean);
                }
            }
        }
        let (sums, weights) = (&replicates[label], &totals.replicates[label]);
        let mut of_replicates = [0.0; REPLICATES];
        for g in 0..REPLICATES {
            let others = weights[g] - owns[g];
            of_replicates[g] = if others > 0.0 { silhouette(sums[g] / others, beyond[g]) } else { 0.0 };
        }
        Replicated { value, replicates: of_replicates }
    }

    /// Weighted sums of the distances of a row to each set of rows, by group. Compiled for each width of vectors, by being part of
    /// what is dispatched.
    #[inline(always)]
    fn distances(&self, row: &[f64]) -> Vec<[f64; REPLICATES]> {
        let stride = self.columns + 1;
        let of = |together: &Together| {
            let (mut here, mut there) = ([0.0; LANES], [0.0; LANES]);
            let Range { start, end } = together.blocks;
            for block in self.blocks[start * stride..end * stride].chunks_exact(stride) {
                let mut squared = [0.0; LANES];
                for (value, column) in row.iter().zip(block) {
                    for lane in 0..LANES {
                        let difference = column[lane] - value;
                        squared[lane] += difference * difference;
                    }
                }
                for lane in 0..LANES {
                    here[lane] += squared[lane].sqrt() * block[stride - 1][lane];
                }
                std::mem::swap(&mut here, &mut there);
            }
            // Decides which of two buffers holds the next block's sums: the first one after an even number of blocks.
            let is_even_next = ((end - start) % 2 == 0) != together.is_odd;
            let (even, odd) = if is_even_next { (here, there) } else { (there, here) };
            let mut sums = [0.0; REPLICATES];
            sums[..LANES].copy_from_slice(&even);
            sums[LANES..].copy_from_slice(&odd);
            sums
        };
        self.together.iter().map(of).collect()
    }
}

/// Calinski-Harabasz (Communications in Statistics 1974): `(between / (k - 1)) / (within / (n - k))`, where `within` is
/// the sum of squared distances to the cluster means; larger is better. `None` for fewer than 2 clusters or no more
/// rows than clusters; 1 when `within` is 0, as in scikit-learn.
#[must_use]
pub fn calinski_harabasz(means: &Array2<f64>, counts: &[u64], within: f64) -> Option<f64> {
    let n: u64 = counts.iter().sum();
    let k = counts.iter().filter(|count| **count > 0).count();
    if k < 2 || n <= k as u64 {
        return None;
    }
    let mut center = vec![0.0; means.ncols()];
    for (mean, count) in means.row_slices().zip(counts) {
        center.iter_mut().zip(mean).for_each(|(c, m)| *c += m * (*count as f64 / n as f64));
    }
    let between: f64 =
        means.row_slices().zip(counts).map(|(mean, count)| *count as f64 * squared_distance(mean, &center)).sum();
    Some(if within == 0.0 { 1.0 } else { between * (n - k as u64) as f64 / (within * (k - 1) as f64) })
}

/// Davies-Bouldin (IEEE PAMI 1979): the mean over clusters of the worst ratio of summed spreads to the distance of the
/// means; smaller is better. `spreads` is the mean distance of a cluster's rows to its mean; clusters without a row are
/// left out. `None` for fewer than 2 clusters; 0 when all spreads or all distances are 0, as in scikit-learn.
#[must_use]
pub fn davies_bouldin(means: &Array2<f64>, counts: &[u64], spreads: &[f64]) -> Option<f64> {
    let used: Vec<usize> = (0..counts.len()).filter(|c| counts[*c] > 0).collect();
    if used.len() < 2 {
        return None;
    }
    let mut sum = 0.0;
    for &a in &used {
        let worst = used.iter().filter(|b| **b != a).map(|&b| {
            let distance = squared_distance(means.row_slice(a), means.row_slice(b)).sqrt();
            if distance == 0.0 { 0.0 } else { (spreads[a] + spreads[b]) / distance }
        });
        sum += worst.fold(0.0, f64::max);
    }
    Some(sum / used.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rows::matrix;

    #[test]
    fn hand_made_silhouettes() {
        let points = matrix(vec![0.0, 1.0, 10.0, 12.0, 50.0], 1);
        let clusterings =
            [Labelling { k: 3, labels: vec![0, 0, 1, 1, 2] }, Labelling { k: 3, labels: vec![0, 0, 2, 2, 2] }];
        let reference = SilhouetteReference::new(&points, &[1.0; 5], &clusterings, &[1.0; 3]);
        let of = |row: f64, labels: [u32; 2]| {
            reference.silhouettes(&[row], 1.0, 0, &labels).iter().map(|found| found.value).collect::<Vec<_>>()
        };
        assert_eq!(of(0.0, [0, 0])[0], (11.0 - 1.0) / 11.0);
        assert_eq!(of(50.0, [2, 2])[0], 0.0);
        // An empty cluster is not a neighbour.
        assert!(of(1.0, [0, 0])[1] > 0.9);
    }

    #[test]
    fn a_weight_is_so_many_rows() {
        let points = matrix(vec![0.0, 1.0, 1.0, 10.0, 10.0, 13.0], 1);
        let every = SilhouetteReference::new(
            &points,
            &[1.0; 6],
            &[Labelling { k: 2, labels: vec![0, 0, 0, 1, 1, 1] }],
            &[1.0; 2],
        );
        let distinct = matrix(vec![0.0, 1.0, 10.0, 13.0], 1);
        let clustering = Labelling { k: 2, labels: vec![0, 0, 1, 1] };
        let weighted = SilhouetteReference::new(&distinct, &[1.0, 2.0, 2.0, 1.0], &[clustering], &[1.0; 2]);
        for (row, label) in [(0.0, 0), (1.0, 0), (10.0, 1), (13.0, 1)] {
            let of = |reference: &SilhouetteReference| reference.silhouettes(&[row], 1.0, 0, &[label])[0].value;
            assert!((of(&every) - of(&weighted)).abs() < 1e-15);
        }
    }

    #[test]
    fn a_replicate_is_the_sample_without_a_group() {
        let rows = 50;
        let values = (0..rows).map(|i| ((i * 37 % 101) as f64).sqrt() + if i % 3 == 0 { 20.0 } else { 0.0 });
        let points = matrix(values.collect(), 1);
        let labels: Vec<u32> = (0..rows as u32).map(|i| u32::from(i % 3 == 0)).collect();
        // So few of the rows were drawn that a group is left out almost entirely.
        let factor = 1e18;
        let all = SilhouetteReference::new(
            &points,
            &vec![factor; rows],
            &[Labelling { k: 2, labels: labels.clone() }],
            &[factor; 2],
        );
        let left_out = 13;
        let kept: Vec<usize> = (0..rows).filter(|row| all.group(*row) != left_out).collect();
        assert!((46..=47).contains(&kept.len()), "{}", kept.len());
        let fewer = SilhouetteReference::new(
            &matrix(kept.iter().map(|row| points.row_slice(*row)[0]).collect(), 1),
            &vec![factor; kept.len()],
            &[Labelling { k: 2, labels: kept.iter().map(|row| labels[*row]).collect() }],
            &[factor; 2],
        );
        for &row in &kept {
            let of = |reference: &SilhouetteReference| {
                reference.silhouettes(points.row_slice(row), factor, all.group(row), &[labels[row]])[0]
            };
            let (found, expected) = (of(&all).replicates[left_out], of(&fewer).value);
            assert!((found - expected).abs() < 1e-9, "{found} {expected}");
        }
    }

    #[test]
    fn indices_need_two_clusters() {
        let means = matrix(vec![0.0, 5.0], 1);
        assert_eq!(calinski_harabasz(&means, &[3, 0], 1.0), None);
        assert_eq!(davies_bouldin(&means, &[3, 0], &[1.0, 0.0]), None);
        assert_eq!(davies_bouldin(&means, &[3, 2], &[1.0, 1.5]), Some(0.5));
    }
}
