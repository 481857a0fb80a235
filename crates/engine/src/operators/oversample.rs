//! A round of k-means||: draws points that are far from those drawn before.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::execution::TaskContext;
use segmenta_algorithms::hashing::combine;
use segmenta_algorithms::kmeans::oversample;
use segmenta_algorithms::rows::Rows;
use serde::{Deserialize, Serialize};

use super::{PartTask, Sampled, only};
use crate::artifact::{Part, load_points};
use crate::error::Result;

/// Draws points of a part. Each point is drawn independently, with a probability that grows with its squared distance
/// from the points of the rounds before (see [`oversample`]). Holds the part, `8 (d + 1)` bytes a row, which the
/// partition store keeps for the next round.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Oversample {
    /// Features, in order.
    pub columns: Vec<String>,
    /// The points drawn before, `m x d`.
    pub drawn: Vec<f64>,
    /// Probability for each unit of weight and squared distance.
    pub rate: f64,
    /// Seed of the round.
    pub seed: u64,
}

#[async_trait]
impl PartTask for Oversample {
    const NAME: &'static str = "oversample";
    type Output = Vec<Sampled>;

    async fn run(&self, inputs: &[Part], context: &Arc<TaskContext>) -> Result<Vec<Sampled>> {
        let points = load_points(context, only(inputs)?, &self.columns).await?;
        let weights = points.weights.as_deref();
        let chosen = oversample(&points.rows, &points.ids, weights, &self.drawn, self.rate, self.seed);
        let sampled = |i: usize| Sampled {
            hash: combine(self.seed, points.ids[i]),
            id: points.ids[i],
            weight: weights.map_or(1, |weights| weights[i]),
            point: points.rows.row_slice(i).to_vec(),
        };
        Ok(chosen.into_iter().map(sampled).collect())
    }
}
