//! [`Clustering`]: rows in clusters, whichever variant of K-Means made them.

use crate::rows::squared_distance;
use serde::{Deserialize, Serialize};

use super::assign::{Assigner, Partial};
use super::centers::Centers;

/// What rows are assigned by, and what a pass over all rows found of the `k` clusters.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Clustering {
    /// What rows are assigned by.
    pub centers: Centers,
    /// `k x d`: means of the rows of each cluster; an empty cluster has its centroid instead.
    pub means: Vec<f64>,
    /// Weight of the rows of each cluster; `k`.
    pub counts: Vec<u64>,
    /// Sums of squared distances of each cluster's rows to its mean; `k`.
    pub within: Vec<f64>,
    /// Sum of squared distances to the centroid.
    pub inertia: f64,
}

impl Clustering {
    /// From the merged partial, inertia included, of a pass by `assigner`.
    #[must_use]
    pub fn new(assigner: &Assigner, partial: &Partial) -> Self {
        let means = assigner.means(partial);
        let d = assigner.centers().columns().max(1);
        // `|x - c|^2` adds up to `|x - m|^2` and `n |m - c|^2`.
        let moved = assigner.centers().centroids().chunks_exact(d).zip(means.chunks_exact(d));
        let moved = moved.map(|(centroid, mean)| squared_distance(centroid, mean));
        let terms = assigner.inertias(partial).into_iter().zip(moved.zip(&partial.counts));
        let within = terms.map(|(sum, (moved, count))| (sum - *count as f64 * moved).max(0.0)).collect();
        Self {
            centers: assigner.centers().clone(),
            within,
            means,
            counts: partial.counts.clone(),
            inertia: assigner.inertia(partial),
        }
    }
}
