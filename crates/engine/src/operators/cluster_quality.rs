//! How good the clusterings of all candidates are, in one pass.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::execution::TaskContext;
use segmenta_algorithms::kmeans::{Judge, Quality};
use segmenta_algorithms::sums::Bounds;
use serde::{Deserialize, Serialize};

use super::{PartTask, only};
use crate::artifact::{Part, load_points};
use crate::error::Result;

/// One candidate, of `k` clusters.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JudgedCandidate {
    /// `k x d`: what points are assigned by.
    pub centroids: Vec<f64>,
    /// `k x d`: the means of what was assigned to them.
    pub means: Vec<f64>,
    /// Points of each cluster.
    pub counts: Vec<u64>,
    /// Sums of squared distances of each cluster's points to its mean.
    pub within: Vec<f64>,
}

/// Measures the points of a part by the means of all clusters. Holds the part: `8 (d + 1)` bytes a row.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ClusterQuality {
    /// Features, in order.
    pub columns: Vec<String>,
    /// Bounds of the scaled features over all parts.
    pub bounds: Vec<Bounds>,
    /// The candidates.
    pub candidates: Vec<JudgedCandidate>,
}

#[async_trait]
impl PartTask for ClusterQuality {
    const NAME: &'static str = "cluster_quality";
    /// As `candidates`.
    type Output = Vec<Quality>;

    async fn run(&self, inputs: &[Part], context: &Arc<TaskContext>) -> Result<Vec<Quality>> {
        let points = load_points(context, only(inputs)?, &self.columns).await?;
        let qualities = self.candidates.iter().map(|candidate| {
            let JudgedCandidate { centroids, means, counts, within } = candidate;
            Judge::new(centroids, means, counts, within, &self.bounds).judge(&points.rows)
        });
        Ok(qualities.collect())
    }
}
