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
    /// Sum of squared distances to the nearest centroid, in [`Assigner::inertia_quantum`].
    pub inertia: i128,
    /// The farthest points, farthest first, as many as were asked for.
    pub farthest: Vec<FarPoint>,
}

impl Partial {
    /// Adds the rows of `other`, keeping at most `farthest` far points.
    pub fn merge(&mut self, other: &Self, farthest: usize) {
        self.counts.iter_mut().zip(&other.counts).for_each(|(a, b)| *a += b);
        self.sums.iter_mut().zip(&other.sums).for_each(|(a, b)| *a += b);
        self.inertia += other.inertia;
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

/// Per cluster, how far its rows lie from an anchor (the mean of the cluster).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    /// Sum of squared distances; `k`.
    pub squared: Vec<i128>,
    /// Sum of distances; `k`.
    pub distances: Vec<i128>,
}

impl Spread {
    /// Adds the rows of `other`.
    pub fn merge(&mut self, other: &Self) {
        self.squared.iter_mut().zip(&other.squared).for_each(|(a, b)| *a += b);
        self.distances.iter_mut().zip(&other.distances).for_each(|(a, b)| *a += b);
    }
}

/// Assigns rows to the nearest of `k` centroids; ties go to the lower index.
#[derive(Debug, Clone)]
pub struct Assigner {
    centroids: Vec<f64>,
    features: usize,
    quanta: Vec<Quantum>,
    inertia_quantum: FineQuantum,
    farthest: usize,
}

impl Assigner {
    /// For `centroids` (`k x d`, row-major) over rows within `bounds` (`d`); keeps the `farthest` farthest points.
    #[must_use]
    pub fn new(centroids: Vec<f64>, bounds: &[Bounds], farthest: usize) -> Self {
        let inertia_quantum = FineQuantum::for_bound(squared_reach(bounds, &centroids));
        Self { features: bounds.len(), quanta: coordinate_quanta(bounds), inertia_quantum, centroids, farthest }
    }

    /// Number of clusters.
    #[must_use]
    pub fn k(&self) -> usize {
        self.centroids.len() / self.features
    }

    /// The unit of [`Partial::inertia`].
    #[must_use]
    pub fn inertia_quantum(&self) -> FineQuantum {
        self.inertia_quantum
    }

    /// The inertia of a partial: sum of squared distances, in squared units of scaled space.
    #[must_use]
    pub fn inertia(&self, partial: &Partial) -> f64 {
        self.inertia_quantum.value(partial.inertia)
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
        Partial { counts: vec![0; self.k()], sums: vec![0; self.k() * self.features], inertia: 0, farthest: vec![] }
    }

    /// The nearest centroid of `row` and the squared distance to it.
    #[must_use]
    pub fn nearest(&self, row: &[f64]) -> (usize, f64) {
        nearest_general(row, &self.centroids)
    }

    /// Adds the rows of `points` (`n x d`), with one id each, to `partial`. `O(n k d)`.
    pub fn accumulate(&self, points: &Matrix, ids: &[u64], partial: &mut Partial) {
        match self.features {
            1 => self.accumulate_fixed::<1>(points, ids, partial),
            2 => self.accumulate_fixed::<2>(points, ids, partial),
            3 => self.accumulate_fixed::<3>(points, ids, partial),
            4 => self.accumulate_fixed::<4>(points, ids, partial),
            5 => self.accumulate_fixed::<5>(points, ids, partial),
            6 => self.accumulate_fixed::<6>(points, ids, partial),
            _ => self.accumulate_with(points, ids, partial, |row| nearest_general(row, &self.centroids)),
        }
    }

    /// [`Assigner::accumulate`] with the number of columns known to the compiler, which unrolls the distance.
    fn accumulate_fixed<const D: usize>(&self, points: &Matrix, ids: &[u64], partial: &mut Partial) {
        let centroids: Vec<[f64; D]> = self
            .centroids
            .chunks_exact(D)
            .map(|c| {
                let mut fixed = [0.0; D];
                fixed.copy_from_slice(c);
                fixed
            })
            .collect();
        self.accumulate_with(points, ids, partial, |row| {
            let mut fixed = [0.0; D];
            fixed.copy_from_slice(row);
            let (mut best, mut least) = (0, f64::INFINITY);
            for (c, centroid) in centroids.iter().enumerate() {
                let distance = squared_distance(&fixed, centroid);
                if distance < least {
                    (best, least) = (c, distance);
                }
            }
            (best, least)
        });
    }

    #[inline]
    fn accumulate_with(
        &self,
        points: &Matrix,
        ids: &[u64],
        partial: &mut Partial,
        nearest: impl Fn(&[f64]) -> (usize, f64),
    ) {
        let d = self.features;
        let scales: Vec<f64> = self.quanta.iter().map(|q| q.scale()).collect();
        let inertia_scale = self.inertia_quantum.scale();
        for (i, row) in points.iter().enumerate() {
            let (cluster, distance) = nearest(row);
            partial.counts[cluster] += 1;
            partial.inertia += fine_quanta(distance * inertia_scale);
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

    /// The unit of [`Spread::squared`] and of [`Spread::distances`] around `anchors` (`k x d`).
    #[must_use]
    pub fn spread_quanta(bounds: &[Bounds], anchors: &[f64]) -> (FineQuantum, FineQuantum) {
        let reach = squared_reach(bounds, anchors);
        (FineQuantum::for_bound(reach), FineQuantum::for_bound(reach.sqrt()))
    }

    /// How far the rows of each cluster lie from that cluster's anchor (`k x d`), within `bounds`.
    #[must_use]
    pub fn spread(&self, points: &Matrix, anchors: &[f64], bounds: &[Bounds]) -> Spread {
        let (squared, distances) = Self::spread_quanta(bounds, anchors);
        let mut spread = Spread { squared: vec![0; self.k()], distances: vec![0; self.k()] };
        for row in points.iter() {
            let (cluster, _) = self.nearest(row);
            let distance = squared_distance(row, &anchors[cluster * self.features..(cluster + 1) * self.features]);
            spread.squared[cluster] += squared.quanta(distance);
            spread.distances[cluster] += distances.quanta(distance.sqrt());
        }
        spread
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
