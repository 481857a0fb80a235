//! The map side of K-Means: one pass serves all candidates.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::execution::TaskContext;
use segmenta_algorithms::kmeans::{Assigner, Partial};
use segmenta_algorithms::sums::Bounds;
use serde::{Deserialize, Serialize};

use super::{PartTask, only};
use crate::artifact::{Part, load_points};
use crate::error::Result;

/// One candidate of a pass.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PassCandidate {
    /// `k x d`, row-major.
    pub centroids: Vec<f64>,
    /// How many of the farthest points to return, to re-seed empty clusters with.
    pub farthest: usize,
}

/// Assigns the points of a part to the nearest centroid of each candidate and returns counts, sums and inertia.
/// Holds the part, `8 (d + 1)` bytes a row (kept by the partition store for the next pass), and `16 k (d + 1)` bytes a candidate.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct KMeansPass {
    /// Features, in order.
    pub columns: Vec<String>,
    /// Bounds of the scaled features over all parts.
    pub bounds: Vec<Bounds>,
    /// The candidates that still move.
    pub candidates: Vec<PassCandidate>,
}

#[async_trait]
impl PartTask for KMeansPass {
    const NAME: &'static str = "kmeans_pass";
    /// As `candidates`.
    type Output = Vec<Partial>;

    async fn run(&self, inputs: &[Part], context: &Arc<TaskContext>) -> Result<Vec<Partial>> {
        let points = load_points(context, only(inputs)?, &self.columns).await?;
        let partials = self.candidates.iter().map(|candidate| {
            let assigner = Assigner::new(candidate.centroids.clone(), &self.bounds, candidate.farthest);
            let mut partial = assigner.empty_partial();
            assigner.accumulate(&points.rows, &points.ids, &mut partial);
            partial
        });
        Ok(partials.collect())
    }
}
