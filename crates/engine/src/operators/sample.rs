//! A seeded sample of points for the start of K-Means.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::execution::TaskContext;
use segmenta_algorithms::hashing::combine;
use segmenta_algorithms::rows::Rows;
use serde::{Deserialize, Serialize};

use super::{PartTask, only};
use crate::artifact::{Part, load_points, points_once};
use crate::error::Result;

/// Draws the `rows` points of a part whose hash of (seed, row id) is smallest. The union over parts then holds the
/// `rows` smallest of all, if the threshold lets that many through. Holds the part: `8 (d + 1)` bytes a row.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Sample {
    /// Features, in order.
    pub columns: Vec<String>,
    /// Seed.
    pub seed: u64,
    /// How many points.
    pub rows: usize,
    /// No point with a larger hash is drawn. This keeps what all parts send together close to the number that is
    /// wanted.
    pub threshold: u64,
    /// Whether passes over the same points follow, so that the partition store should keep them.
    pub keep: bool,
}

/// A point and the hash that drew it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sampled {
    /// Hash of (seed, row id).
    pub hash: u64,
    /// The row id.
    pub id: u64,
    /// Its weight.
    pub weight: u32,
    /// Its features.
    pub point: Vec<f64>,
}

#[async_trait]
impl PartTask for Sample {
    const NAME: &'static str = "sample";
    type Output = Vec<Sampled>;

    async fn run(&self, inputs: &[Part], context: &Arc<TaskContext>) -> Result<Vec<Sampled>> {
        let part = only(inputs)?;
        let points = match self.keep {
            true => load_points(context, part, &self.columns).await?,
            false => points_once(context, part, &self.columns).await?,
        };
        let mut drawn: Vec<(u64, u64, usize)> =
            points.ids.iter().enumerate().map(|(i, id)| (combine(self.seed, *id), *id, i)).collect();
        drawn.retain(|(hash, _, _)| *hash <= self.threshold);
        if drawn.len() > self.rows {
            drawn.select_nth_unstable(self.rows);
            drawn.truncate(self.rows);
        }
        drawn.sort_unstable();
        let weight = |i: usize| points.weights.as_ref().map_or(1, |weights| weights[i]);
        let sampled = |(hash, id, i): (u64, u64, usize)| Sampled {
            hash,
            id,
            weight: weight(i),
            point: points.rows.row_slice(i).to_vec(),
        };
        Ok(drawn.into_iter().map(sampled).collect())
    }
}
