//! How far the points of each cluster lie from its mean: what Davies-Bouldin and Calinski-Harabasz need.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::execution::TaskContext;
use segmenta_algorithms::kmeans::{Assigner, Spread};
use segmenta_algorithms::sums::Bounds;
use serde::{Deserialize, Serialize};

use super::{PartTask, only};
use crate::artifact::{Part, load_points};
use crate::error::Result;

/// One candidate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SpreadCandidate {
    /// `k x d`: what points are assigned by.
    pub centroids: Vec<f64>,
    /// `k x d`: what distances are measured from.
    pub means: Vec<f64>,
}

/// Sums the distances of the points of a part to the means of their clusters. Holds the part: `8 (d + 1)` bytes a row.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ClusterSpread {
    /// Features, in order.
    pub columns: Vec<String>,
    /// Bounds of the scaled features over all parts.
    pub bounds: Vec<Bounds>,
    /// The candidates.
    pub candidates: Vec<SpreadCandidate>,
}

#[async_trait]
impl PartTask for ClusterSpread {
    const NAME: &'static str = "cluster_spread";
    /// As `candidates`.
    type Output = Vec<Spread>;

    async fn run(&self, inputs: &[Part], context: &Arc<TaskContext>) -> Result<Vec<Spread>> {
        let points = load_points(context, only(inputs)?, &self.columns).await?;
        let spreads = self.candidates.iter().map(|candidate| {
            Assigner::new(candidate.centroids.clone(), &self.bounds, 0).spread(
                &points.rows,
                &candidate.means,
                &self.bounds,
            )
        });
        Ok(spreads.collect())
    }
}
