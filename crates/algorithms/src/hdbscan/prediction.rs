//! Labels for new rows, as the hdbscan package's `approximate_predict` gives them.
//!
//! Under mutual reachability, a new row has a nearest point among its `2 (min_samples - 1)` nearest points. It takes
//! that point's place in the condensed tree, at the distance to the point. If at that distance the point's cluster is
//! not yet born, the row belongs to the first ancestor that is born further out. The clustering itself does not change.

use super::condensed_tree::CondensedCluster;
use super::membership::{Membership, Memberships};
use super::neighbors::NeighborLists;
use crate::spatial_tree::SpatialTree;
use ndarray::Array2;

/// A point that rows were collapsed to, and where it falls out of the condensed tree.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ModelPoint {
    /// Rows it stands for.
    pub weight: u32,
    /// Squared core distance.
    pub squared_core: f64,
    /// The cluster of the condensed tree that it falls out of.
    pub cluster: u32,
    /// The distance at which it falls out.
    pub height: f64,
}

/// The condensed tree, and what its clusters mean.
#[derive(Debug, Clone)]
pub struct Clustering {
    /// Clusters, parents first.
    pub clusters: Vec<CondensedCluster>,
    /// The membership that each cluster gives to a point.
    pub memberships: Memberships,
    /// The weight within a core distance.
    pub min_samples: u64,
}

/// Labels rows: `10 D + 24` bytes a point.
#[derive(Debug)]
pub struct Predictor<const D: usize> {
    tree: SpatialTree<D>,
    points: Vec<ModelPoint>,
    weights: Option<Vec<u32>>,
    clustering: Clustering,
}

impl<const D: usize> Predictor<D> {
    /// A predictor over the points of a clustering, a row of `coordinates` each.
    #[must_use]
    pub fn new(coordinates: &Array2<f64>, points: &[ModelPoint], clustering: Clustering) -> Self {
        let (tree, order) = SpatialTree::build(coordinates, 1);
        let points: Vec<ModelPoint> = order.iter().map(|i| points[*i as usize]).collect();
        let is_weighted = points.iter().any(|point| point.weight != 1);
        let weights = is_weighted.then(|| points.iter().map(|point| point.weight).collect());
        Self { tree, points, weights, clustering }
    }

    /// Bytes held.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.tree.bytes()
            + self.points.capacity() * size_of::<ModelPoint>()
            + self.weights.as_ref().map_or(0, Vec::len) * 4
    }

    /// The membership of a row of scaled features.
    #[must_use]
    pub fn predict(&self, row: &[f64]) -> Membership {
        let mut query = [0.0; D];
        query.iter_mut().zip(row).for_each(|(value, cell)| *value = *cell);
        // The package counts `min_samples` without the row itself.
        let min_samples = self.clustering.min_samples as usize;
        let mut nearest = NeighborLists::new(1, (2 * (min_samples - 1)).max(min_samples));
        nearest.extend(0, &query, &self.tree, &mut |j| Some(j as u32));
        // The row itself is not one of the points: its own weight does not count.
        let mut total = 0;
        let core = nearest.of(0).find(|(neighbor, _)| {
            total += self.weights.as_ref().map_or(1, |weights| u64::from(weights[*neighbor as usize]));
            total >= self.clustering.min_samples
        });
        let core = core.map_or(f64::INFINITY, |(_, squared_distance)| squared_distance);
        let reach = |(neighbor, squared_distance): (u32, f64)| {
            (neighbor, squared_distance.max(core).max(self.points[neighbor as usize].squared_core))
        };
        // Among equals, the nearest.
        let best = nearest.of(0).map(reach).reduce(|best, other| if other.1 < best.1 { other } else { best });
        let Some((neighbor, squared_reach)) = best else {
            return Membership { label: -1, probability: 0.0, outlier_score: 1.0 };
        };
        let (point, height) = (self.points[neighbor as usize], squared_reach.sqrt());
        let mut cluster = point.cluster;
        if point.height < height {
            while let CondensedCluster { parent: Some(parent), birth, .. } = self.clustering.clusters[cluster as usize]
                && birth <= height
            {
                cluster = parent;
            }
        }
        self.clustering.memberships.of(cluster, height)
    }
}
