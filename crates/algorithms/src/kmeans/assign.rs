//! The worker's side of a pass: assign rows to their nearest centroid and add them up.

use serde::{Deserialize, Serialize};

use super::{coordinate_quanta, squared_reach};
use crate::matrix::{Matrix, squared_distance};
use crate::sums::{Bounds, FineQuantum, Quantum, fine_quanta};

/// A point far from its centroid: a candidate to re-seed an empty cluster with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FarPoint {
    /// Squared distance to the nearest centroid.
    pub squared_distance: f64,
    /// Row id, the tie-break.
    pub id: u64,
    /// Cluster the point is assigned to.
    pub cluster: u32,
    /// `d` coordinates.
    pub point: Vec<f64>,
}

impl FarPoint {
    fn is_before(&self, squared_distance: f64, id: u64) -> bool {
        self.squared_distance > squared_distance || (self.squared_distance == squared_distance && self.id < id)
    }
}

/// What a pass learns of one candidate from some rows. Sums are in quanta and merge exactly.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Partial {
    /// Rows a cluster; `k`.
    pub counts: Vec<u64>,
    /// Sums of coordinates; `k x d`, in the quanta of the features.
    pub sums: Vec<i128>,
    /// Sums of squared distances of a cluster's rows to its centroid, in [`Assigner::inertia_quantum`]; `k`.
    pub inertia: Vec<i128>,
    /// The farthest points, farthest first, as many as were asked for.
    pub farthest: Vec<FarPoint>,
}

impl Partial {
    /// Adds the rows of `other`, keeping at most `farthest` far points.
    pub fn merge(&mut self, other: &Self, farthest: usize) {
        self.counts.iter_mut().zip(&other.counts).for_each(|(a, b)| *a += b);
        self.sums.iter_mut().zip(&other.sums).for_each(|(a, b)| *a += b);
        self.inertia.iter_mut().zip(&other.inertia).for_each(|(a, b)| *a += b);
        self.farthest.extend_from_slice(&other.farthest);
        self.farthest.sort_by(|a, b| b.squared_distance.total_cmp(&a.squared_distance).then(a.id.cmp(&b.id)));
        self.farthest.truncate(farthest);
    }

    /// Number of clusters without a row.
    #[must_use]
    pub fn empty_clusters(&self) -> usize {
        self.counts.iter().filter(|count| **count == 0).count()
    }
}

/// Assigns rows to the nearest of `k` centroids; ties go to the lower index.
#[derive(Debug, Clone)]
pub struct Assigner {
    centroids: Vec<f64>,
    features: usize,
    quanta: Vec<Quantum>,
    squared_reach: f64,
    inertia_quantum: FineQuantum,
    farthest: usize,
}

impl Assigner {
    /// For `centroids` (`k x d`, row-major) over rows within `bounds` (`d`); keeps the `farthest` farthest points.
    #[must_use]
    pub fn new(centroids: Vec<f64>, bounds: &[Bounds], farthest: usize) -> Self {
        let squared_reach = squared_reach(bounds, &centroids);
        let inertia_quantum = FineQuantum::for_bound(squared_reach);
        let quanta = coordinate_quanta(bounds);
        Self { features: bounds.len(), quanta, squared_reach, inertia_quantum, centroids, farthest }
    }

    /// Number of clusters.
    #[must_use]
    pub fn k(&self) -> usize {
        self.centroids.len() / self.features
    }

    /// `k x d`, row-major.
    #[must_use]
    pub fn centroids(&self) -> &[f64] {
        &self.centroids
    }

    /// The units in which coordinates are added up, a feature each.
    #[must_use]
    pub fn quanta(&self) -> &[Quantum] {
        &self.quanta
    }

    /// The largest squared distance of any row within the bounds from any centroid.
    #[must_use]
    pub fn squared_reach(&self) -> f64 {
        self.squared_reach
    }

    /// The unit of [`Partial::inertia`].
    #[must_use]
    pub fn inertia_quantum(&self) -> FineQuantum {
        self.inertia_quantum
    }

    /// The inertia of a partial: sum of squared distances, in squared units of scaled space.
    #[must_use]
    pub fn inertia(&self, partial: &Partial) -> f64 {
        self.inertia_quantum.value(partial.inertia.iter().sum())
    }

    /// The inertia of each cluster of a partial; `k`.
    #[must_use]
    pub fn inertias(&self, partial: &Partial) -> Vec<f64> {
        partial.inertia.iter().map(|sum| self.inertia_quantum.value(*sum)).collect()
    }

    /// The means of the clusters of a merged partial, `k x d`; an empty cluster keeps its centroid.
    #[must_use]
    pub fn means(&self, partial: &Partial) -> Vec<f64> {
        let mut means = self.centroids.clone();
        for (c, count) in partial.counts.iter().enumerate().filter(|(_, count)| **count > 0) {
            for (j, quantum) in self.quanta.iter().enumerate() {
                means[c * self.features + j] = quantum.mean(partial.sums[c * self.features + j], *count);
            }
        }
        means
    }

    /// A partial of no rows.
    #[must_use]
    pub fn empty_partial(&self) -> Partial {
        let (k, d) = (self.k(), self.features);
        Partial { counts: vec![0; k], sums: vec![0; k * d], inertia: vec![0; k], farthest: vec![] }
    }

    /// The nearest centroid of `row` and the squared distance to it.
    #[must_use]
    pub fn nearest(&self, row: &[f64]) -> (usize, f64) {
        nearest_general(row, &self.centroids)
    }

    /// Adds the rows of `points` (`n x d`), with one id each, to `partial`: counts, sums, inertia and far points. `O(n k d)`; a
    /// pass that needs no far points goes by [`super::FilterTree`] or [`super::accumulate_all`], which are faster.
    pub fn accumulate(&self, points: &Matrix, ids: &[u64], partial: &mut Partial) {
        let d = self.features;
        let scales: Vec<f64> = self.quanta.iter().map(|q| q.scale()).collect();
        let inertia_scale = self.inertia_quantum.scale();
        for (i, row) in points.iter().enumerate() {
            let (cluster, distance) = self.nearest(row);
            partial.counts[cluster] += 1;
            partial.inertia[cluster] += fine_quanta(distance * inertia_scale);
            let sums = &mut partial.sums[cluster * d..(cluster + 1) * d];
            for ((sum, value), scale) in sums.iter_mut().zip(row).zip(&scales) {
                *sum += i128::from((value * scale) as i64);
            }
            if self.farthest > 0 {
                self.keep_if_far(partial, row, ids[i], cluster, distance);
            }
        }
    }

    fn keep_if_far(&self, partial: &mut Partial, row: &[f64], id: u64, cluster: usize, squared_distance: f64) {
        let far = &mut partial.farthest;
        if far.len() == self.farthest {
            match far.last() {
                Some(last) if !last.is_before(squared_distance, id) => {
                    far.pop();
                }
                _ => return,
            }
        }
        let at = far.partition_point(|p| p.is_before(squared_distance, id));
        far.insert(at, FarPoint { squared_distance, id, cluster: cluster as u32, point: row.to_vec() });
    }
}

fn nearest_general(row: &[f64], centroids: &[f64]) -> (usize, f64) {
    let (mut best, mut least) = (0, f64::INFINITY);
    for (c, centroid) in centroids.chunks_exact(row.len().max(1)).enumerate() {
        let distance = squared_distance(row, centroid);
        if distance < least {
            (best, least) = (c, distance);
        }
    }
    (best, least)
}
