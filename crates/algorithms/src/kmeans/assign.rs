//! The worker's side of a pass: assign rows to their nearest centroid and add them up.

use crate::rows::Rows;
use ndarray::Array2;
use serde::{Deserialize, Serialize};

use super::centers::Centers;
use super::{coordinate_quanta, squared_reach};
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
    /// Its weight.
    pub weight: u32,
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
    /// Weights of the rows of each cluster, added up; `k`.
    pub counts: Vec<u64>,
    /// Weighted sums of coordinates; `k x d`, in the quanta of the features.
    pub sums: Vec<i128>,
    /// Weighted sums of squared distances of a cluster's rows to its centroid, in [`Assigner::inertia_quantum`]; `k`.
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

/// The weight of row `i`: 1 where rows have none.
#[inline(always)]
pub(super) fn weight_of(weights: Option<&[u32]>, i: usize) -> u32 {
    weights.map_or(1, |weights| weights[i])
}

/// Assigns rows to clusters and adds them up.
#[derive(Debug, Clone)]
pub struct Assigner {
    centers: Centers,
    features: usize,
    quanta: Vec<Quantum>,
    squared_reach: f64,
    inertia_quantum: FineQuantum,
    farthest: usize,
}

impl Assigner {
    /// For `centers` over rows within `bounds` (`d`); keeps the `farthest` farthest points.
    #[must_use]
    pub fn new(centers: Centers, bounds: &[Bounds], farthest: usize) -> Self {
        let squared_reach = squared_reach(bounds, centers.centroids());
        let inertia_quantum = FineQuantum::for_bound(squared_reach);
        let quanta = coordinate_quanta(bounds);
        Self { features: bounds.len(), quanta, squared_reach, inertia_quantum, centers, farthest }
    }

    /// Number of clusters.
    #[must_use]
    pub fn k(&self) -> usize {
        self.centers.k()
    }

    /// What rows are assigned by.
    #[must_use]
    pub fn centers(&self) -> &Centers {
        &self.centers
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
        let mut means = self.centers.centroids().to_vec();
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

    /// Adds the rows of `points` (`n x d`) to `partial`: counts, sums, inertia, and where there are `ids` (`n`) far points. `weights`
    /// are `n`, each from 1, of no more than [`MOST_TERMS`](crate::sums::MOST_TERMS) together. `O(n k d)`, down a tree
    /// `O(n d log k)`; a pass over a flat clustering that needs no far points goes by [`super::FilterTree`] or [`super::accumulate_all`], which are faster.
    pub fn accumulate(&self, points: &Array2<f64>, ids: &[u64], weights: Option<&[u32]>, partial: &mut Partial) {
        let d = self.features;
        let scales: Vec<f64> = self.quanta.iter().map(|q| q.scale()).collect();
        let inertia_scale = self.inertia_quantum.scale();
        for (i, row) in points.row_slices().enumerate() {
            let (cluster, distance) = self.centers.nearest(row);
            let weight = weight_of(weights, i);
            partial.counts[cluster] += u64::from(weight);
            partial.inertia[cluster] += i128::from(weight) * fine_quanta(distance * inertia_scale);
            let sums = &mut partial.sums[cluster * d..(cluster + 1) * d];
            for ((sum, value), scale) in sums.iter_mut().zip(row).zip(&scales) {
                *sum += i128::from(weight) * i128::from((value * scale) as i64);
            }
            if self.farthest > 0
                && let Some(id) = ids.get(i)
            {
                let cluster = cluster as u32;
                self.keep_if_far(
                    partial,
                    row,
                    FarPoint { squared_distance: distance, id: *id, cluster, weight, point: vec![] },
                );
            }
        }
    }

    /// `point` comes without its coordinates, which are those of `row`.
    fn keep_if_far(&self, partial: &mut Partial, row: &[f64], mut point: FarPoint) {
        let far = &mut partial.farthest;
        if far.len() == self.farthest {
            match far.last() {
                Some(last) if !last.is_before(point.squared_distance, point.id) => {
                    far.pop();
                }
                _ => return,
            }
        }
        let at = far.partition_point(|p| p.is_before(point.squared_distance, point.id));
        point.point = row.to_vec();
        far.insert(at, point);
    }
}
