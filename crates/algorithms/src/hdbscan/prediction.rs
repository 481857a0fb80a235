//! Labels for new rows, as the hdbscan package's `approximate_predict` gives them.
//!
//! Under mutual reachability, a new row has a nearest point among its `2 (min_samples - 1)` nearest points. It takes
//! that point's place in the condensed tree, at the distance to the point. If at that distance the point's cluster is
//! not yet born, the row belongs to the first ancestor that is born further out. The clustering itself does not change.

use super::condensed_tree::CondensedCluster;
use super::membership::{Membership, Memberships};
use super::neighbors::NeighborLists;
use crate::rows::Rows as _;
use crate::spatial_tree::SpatialTree;
use ndarray::Array2;
use serde::{Deserialize, Serialize};

/// What the points of a cell are, in the order of its tree; `n` each.
#[derive(Debug, Clone, Copy)]
pub struct CellPlaces<'a> {
    /// Rows that each stands for; 1 where `None`.
    pub weights: Option<&'a [u32]>,
    /// Squared core distances.
    pub squared_core: &'a [f64],
    /// The clusters of the condensed tree that they fall out of.
    pub cluster: &'a [u32],
    /// The distances at which they fall out.
    pub height: &'a [f64],
}

/// The condensed tree, and what its clusters mean.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Clustering {
    /// Clusters, parents first.
    pub clusters: Vec<CondensedCluster>,
    /// The membership that each cluster gives to a point.
    pub memberships: Memberships,
    /// The weight within a core distance.
    pub min_samples: u64,
}

/// A point next to a row.
#[derive(Debug, Clone, Copy)]
struct Neighbor {
    weight: u32,
    squared_core: f64,
    cluster: u32,
    height: f64,
}

/// Rows to label, a cell at a time: first all cells are searched, then they tell what their points are. Holds
/// `8 D + 36 k` bytes a row, `k` being `2 (min_samples - 1)`, at least 1.
///
/// Cells are numbered on: the points of the first are `0..n`, those of the next follow.
#[derive(Debug)]
pub struct Queries<const D: usize> {
    rows: Vec<[f64; D]>,
    nearest: NeighborLists,
    k: usize,
    /// By row and rank.
    found: Vec<Neighbor>,
}

impl<const D: usize> Queries<D> {
    /// For rows of scaled features (`n x d`).
    #[must_use]
    pub fn new(rows: &Array2<f64>, min_samples: u64) -> Self {
        let rows = rows.row_slices().map(|row| {
            let mut query = [0.0; D];
            query[..row.len()].copy_from_slice(row);
            query
        });
        let rows: Vec<[f64; D]> = rows.collect();
        // The package counts `min_samples` without the row itself.
        let min_samples = (min_samples as usize).max(1);
        let k = (2 * (min_samples - 1)).max(min_samples);
        let none = Neighbor { weight: 0, squared_core: f64::INFINITY, cluster: 0, height: 0.0 };
        Self { nearest: NeighborLists::new(rows.len(), k), k, found: vec![none; rows.len() * k], rows }
    }

    /// Looks for neighbours among the points of a cell, the first of which has the number `first`.
    pub fn search(&mut self, first: u32, tree: &SpatialTree<D>) {
        for (i, query) in self.rows.iter().enumerate() {
            self.nearest.extend(i, query, tree, &mut |j| Some(first + j as u32));
        }
    }

    /// Takes down what the neighbours in a cell are. Comes after all cells were searched.
    pub fn look_up(&mut self, first: u32, places: &CellPlaces<'_>) {
        for i in 0..self.rows.len() {
            for (rank, (neighbor, _)) in self.nearest.of(i).enumerate() {
                let place = neighbor.checked_sub(first).map(|place| place as usize);
                let Some(place) = place.filter(|place| *place < places.cluster.len()) else { continue };
                self.found[i * self.k + rank] = Neighbor {
                    weight: places.weights.map_or(1, |weights| weights[place]),
                    squared_core: places.squared_core[place],
                    cluster: places.cluster[place],
                    height: places.height[place],
                };
            }
        }
    }

    /// The membership of each row.
    #[must_use]
    pub fn memberships(&self, clustering: &Clustering) -> Vec<Membership> {
        (0..self.rows.len()).map(|i| self.membership(i, clustering)).collect()
    }

    fn membership(&self, i: usize, clustering: &Clustering) -> Membership {
        let found = &self.found[i * self.k..(i + 1) * self.k];
        let nearest = || self.nearest.of(i).zip(found).map(|((_, squared_distance), point)| (squared_distance, point));
        // The row itself is not one of the points: its own weight does not count.
        let mut total = 0;
        let core = nearest().find(|(_, point)| {
            total += u64::from(point.weight);
            total >= clustering.min_samples
        });
        let core = core.map_or(f64::INFINITY, |(squared_distance, _)| squared_distance);
        let reach =
            |(squared_distance, point): (f64, &Neighbor)| (*point, squared_distance.max(core).max(point.squared_core));
        // Among equals, the nearest.
        let best = nearest().map(reach).reduce(|best, other| if other.1 < best.1 { other } else { best });
        let Some((point, squared_reach)) = best else {
            return Membership { label: -1, probability: 0.0, outlier_score: 1.0 };
        };
        let height = squared_reach.sqrt();
        let mut cluster = point.cluster;
        if point.height < height {
            while let CondensedCluster { parent: Some(parent), birth, .. } = clustering.clusters[cluster as usize]
                && birth <= height
            {
                cluster = parent;
            }
        }
        clustering.memberships.of(cluster, height)
    }
}
