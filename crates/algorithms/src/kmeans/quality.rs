//! How good a clustering is, from one pass: for each row, its distances to the means of all clusters.
//!
//! | measure | a row's own term | the nearest other cluster's |
//! |---|---|---|
//! | silhouette of squared distances, exact | mean squared distance to the other rows of its cluster | least mean squared distance to the rows of another |
//! | simplified silhouette | distance to its cluster's mean | least distance to another mean |
//!
//! The mean squared distance of a row to the `n` rows of a cluster of mean `m` and within-cluster sum of squares `w` is
//! `|x - m|^2 + w / n`, so that no pair is looked at. The first is what Spark's `ClusteringEvaluator` computes by default, the second is
//! due to Hruschka, de Castro and Campello (IEEE ICDM 2004). Both are `(b - a) / max(a, b)`, and 0 for a row alone in its cluster, as in
//! Rousseeuw's. A row of weight `w` stands for `w` equal rows.

use crate::rows::Rows;
use ndarray::Array2;
use pulp::Arch;
use serde::{Deserialize, Serialize};

use super::assign::weight_of;
use super::lanes::CentroidLanes;
use super::{Centers, Clustering, squared_reach};
use crate::metrics::silhouette;
use crate::sums::{Bounds, FineQuantum, Quantum};

/// What one pass learns of the clusters of a candidate; sums are in quanta and merge exactly.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quality {
    /// Distances of the rows of a cluster to its mean, in [`Judge::distance_quantum`]; `k`.
    pub distances: Vec<i128>,
    /// Silhouettes of squared distances of its rows, in [`Judge::silhouette_quantum`]; `k`.
    pub squared_silhouettes: Vec<i128>,
    /// Simplified silhouettes of its rows, in the same unit; `k`.
    pub simplified_silhouettes: Vec<i128>,
}

impl Quality {
    /// Adds the rows of `other`.
    pub fn merge(&mut self, other: &Self) {
        let add = |a: &mut [i128], b: &[i128]| a.iter_mut().zip(b).for_each(|(a, b)| *a += b);
        add(&mut self.distances, &other.distances);
        add(&mut self.squared_silhouettes, &other.squared_silhouettes);
        add(&mut self.simplified_silhouettes, &other.simplified_silhouettes);
    }
}

/// Judges one candidate.
pub struct Judge {
    k: usize,
    /// What rows are assigned by.
    centers: Centers,
    /// The same where they are flat.
    centroids: CentroidLanes,
    /// What distances are measured from.
    means: CentroidLanes,
    counts: Vec<u64>,
    /// Mean squared distance of a cluster's rows to its mean.
    variances: Vec<f64>,
    distance_quantum: FineQuantum,
}

impl Judge {
    /// Judges a clustering of rows that lie within `bounds`.
    #[must_use]
    pub fn new(clustering: &Clustering, bounds: &[Bounds]) -> Self {
        let Clustering { centers, means, counts, within, .. } = clustering;
        let d = bounds.len();
        Self {
            k: counts.len(),
            centers: centers.clone(),
            centroids: CentroidLanes::new(centers.centroids(), d, |_| true),
            means: CentroidLanes::new(means, d, |c| counts[c] > 0),
            variances: within.iter().zip(counts).map(|(sum, count)| sum / (*count).max(1) as f64).collect(),
            counts: counts.to_vec(),
            distance_quantum: Self::distance_quantum(means, bounds),
        }
    }

    /// The unit of [`Quality::distances`].
    #[must_use]
    pub fn distance_quantum(means: &[f64], bounds: &[Bounds]) -> FineQuantum {
        FineQuantum::for_bound(squared_reach(bounds, means).sqrt())
    }

    /// The unit of the silhouettes, which lie in `[-1, 1]`.
    #[must_use]
    pub fn silhouette_quantum() -> Quantum {
        Quantum::for_bound(1.0)
    }

    /// Judges `points` (`n x d`, of `weights`, `n`). `O(n k d)`.
    #[must_use]
    pub fn judge(&self, points: &Array2<f64>, weights: Option<&[u32]>) -> Quality {
        let zeros = || vec![0; self.k];
        let mut quality = Quality { distances: zeros(), squared_silhouettes: zeros(), simplified_silhouettes: zeros() };
        let clusters = self.counts.iter().filter(|count| **count > 0).count();
        Arch::new().dispatch(|| self.add(points, weights, clusters, &mut quality));
        quality
    }

    #[inline(always)]
    fn add(&self, points: &Array2<f64>, weights: Option<&[u32]>, clusters: usize, quality: &mut Quality) {
        let unit = Self::silhouette_quantum();
        let mut from_means = vec![0.0; self.k.next_multiple_of(super::lanes::LANES)];
        let is_flat = self.centers.splits().is_empty();
        for (i, row) in points.row_slices().enumerate() {
            let (cluster, _) = if is_flat { self.centroids.nearest(row) } else { self.centers.nearest(row) };
            let weight = i128::from(weight_of(weights, i));
            self.means.squared_distances(row, |first, distances| {
                from_means[first..first + distances.len()].copy_from_slice(distances);
            });
            let own = from_means[cluster];
            quality.distances[cluster] += weight * self.distance_quantum.quanta(own.sqrt());
            if clusters < 2 || self.counts[cluster] < 2 {
                continue;
            }
            let (mut nearest, mut nearest_mean) = (f64::INFINITY, f64::INFINITY);
            for (c, distance) in from_means[..self.k].iter().enumerate() {
                if c != cluster {
                    nearest = nearest.min(distance + self.variances[c]);
                    nearest_mean = nearest_mean.min(*distance);
                }
            }
            let count = self.counts[cluster] as f64;
            let within = (own + self.variances[cluster]) * (count / (count - 1.0));
            quality.squared_silhouettes[cluster] += weight * i128::from(unit.quanta(silhouette(within, nearest)));
            let simplified = silhouette(own.sqrt(), nearest_mean.sqrt());
            quality.simplified_silhouettes[cluster] += weight * i128::from(unit.quanta(simplified));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Assigner;
    use super::*;
    use crate::hashing::{mix, unit_interval};
    use crate::rows::{matrix, squared_distance};
    use proptest::prelude::*;

    /// Over all pairs, by definition.
    fn squared_silhouettes(points: &Array2<f64>, labels: &[usize], k: usize) -> Vec<f64> {
        let mean_to = |i: usize, c: usize| {
            let others: Vec<usize> = (0..labels.len()).filter(|j| labels[*j] == c && *j != i).collect();
            let sum: f64 = others.iter().map(|j| squared_distance(points.row_slice(i), points.row_slice(*j))).sum();
            (!others.is_empty()).then(|| sum / others.len() as f64)
        };
        let mut sums = vec![0.0; k];
        for (i, label) in labels.iter().enumerate() {
            let others = (0..k).filter(|c| c != label).filter_map(|c| mean_to(i, c));
            if let (Some(within), Some(beyond)) = (mean_to(i, *label), others.reduce(f64::min)) {
                sums[*label] += silhouette(within, beyond);
            }
        }
        sums
    }

    proptest! {
        #[test]
        fn the_same_as_over_all_pairs(seed in any::<u64>(), n in 2usize..60, d in 1usize..12, k in 1usize..12) {
            let points = matrix((0..n * d).map(|i| unit_interval(mix(seed ^ i as u64))).collect(), d);
            let mut bounds = vec![Bounds::default(); d];
            points.row_slices().for_each(|r| r.iter().zip(&mut bounds).for_each(|(v, b)| b.include(*v)));
            let centroids: Vec<f64> = (0..k * d).map(|i| unit_interval(mix(!seed ^ i as u64))).collect();
            let centers = Centers::flat(centroids, d);
            let assigner = Assigner::new(centers.clone(), &bounds, 0);
            let mut partial = assigner.empty_partial();
            assigner.accumulate(&points, &[], None, &mut partial);
            let clustering = Clustering::new(&assigner, &partial);
            let judge = Judge::new(&clustering, &bounds);
            let Clustering { means, within, .. } = clustering;
            let quality = judge.judge(&points, None);

            let labels: Vec<usize> = points.row_slices().map(|row| centers.nearest(row).0).collect();
            let expected = squared_silhouettes(&points, &labels, k);
            let unit = Judge::silhouette_quantum();
            for (found, expected) in quality.squared_silhouettes.iter().zip(expected) {
                prop_assert!((unit.value(*found) - expected).abs() < 1e-9);
            }
            for c in 0..k {
                let own = |i: &usize| labels[*i] == c;
                let to_mean = |i: usize| squared_distance(points.row_slice(i), &means[c * d..(c + 1) * d]);
                let rows: Vec<usize> = (0..n).filter(own).collect();
                prop_assert!((within[c] - rows.iter().map(|i| to_mean(*i)).sum::<f64>()).abs() < 1e-9);
                let distances: f64 = rows.iter().map(|i| to_mean(*i).sqrt()).sum();
                prop_assert!((judge.distance_quantum.value(quality.distances[c]) - distances).abs() < 1e-9);
            }
            // Any split gives the same.
            let half = n / 2;
            let split = |from: usize, to: usize| matrix(points.values()[from * d..to * d].to_vec(), d);
            let mut merged = judge.judge(&split(0, half), None);
            merged.merge(&judge.judge(&split(half, n), None));
            prop_assert_eq!(merged, quality);
        }
    }
}
