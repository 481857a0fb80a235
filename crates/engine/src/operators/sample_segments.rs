//! A seeded sample of the assigned rows in which every segment appears.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::execution::TaskContext;
use segmenta_algorithms::hashing::combine;
use segmenta_algorithms::rows::Rows;
use serde::{Deserialize, Serialize};

use super::PartTask;
use super::assign::misaligned;
use crate::artifact::{Part, points_once};
use crate::error::{EngineError, Result};

/// Draws rows by a hash of (seed, row id), at a separate rate for each segment. A row is drawn when its hash is within
/// the largest of the thresholds of the segments that it is in. Holds the columns of a part, 8 bytes a row each.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SampleSegments {
    /// Columns of the prepared points.
    pub features: Vec<String>,
    /// Columns of the assignments.
    pub columns: Vec<String>,
    /// The clusterings.
    pub clusterings: Vec<SegmentRates>,
    /// Seed.
    pub seed: u64,
}

/// The rates at which rows of each segment of a clustering are drawn.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SegmentRates {
    /// Which of the columns of the assignments holds its labels.
    pub column: usize,
    /// The label of the first segment.
    pub first: i32,
    /// For each segment, by label, the largest hash that is drawn.
    pub thresholds: Vec<u64>,
}

impl SegmentRates {
    /// The largest hash at which rows with this label are drawn; 0 for labels without a rate.
    fn threshold(&self, label: f64) -> u64 {
        let segment = usize::try_from(label as i64 - i64::from(self.first)).ok();
        segment.and_then(|segment| self.thresholds.get(segment)).copied().unwrap_or(0)
    }
}

/// A row that was drawn.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SampledRow {
    /// Hash of (seed, row id).
    pub hash: u64,
    /// The row id.
    pub id: u64,
    /// The largest hash with which it would have been drawn: it stands for `2^64 / (threshold + 1)` rows.
    pub threshold: u64,
    /// Its prepared point.
    pub point: Vec<f64>,
    /// Its columns of the assignments.
    pub values: Vec<f64>,
}

#[async_trait]
impl PartTask for SampleSegments {
    const NAME: &'static str = "sample_segments";
    /// Ordered by hash.
    type Output = Vec<SampledRow>;

    /// `inputs`: the assignments, and parts of prepared points that together have the same rows in the same order.
    async fn run(&self, inputs: &[Part], context: &Arc<TaskContext>) -> Result<Vec<SampledRow>> {
        let [assigned, prepared @ ..] = inputs else {
            return Err(EngineError::job("a task of two parts or more was given none"));
        };
        let assignments = points_once(context, assigned, &self.columns).await?;
        let mut drawn = vec![];
        let mut first = 0;
        for part in prepared {
            let points = points_once(context, part, &self.features).await?;
            if first + points.rows.nrows() > assignments.rows.nrows() {
                return Err(misaligned(assigned, part));
            }
            for (i, id) in points.ids.iter().enumerate() {
                let (hash, values) = (combine(self.seed, *id), assignments.rows.row_slice(first + i));
                let rates = self.clusterings.iter().map(|rates| rates.threshold(values[rates.column]));
                let threshold = rates.max().unwrap_or(0);
                if hash <= threshold && threshold > 0 {
                    drawn.push(SampledRow {
                        hash,
                        id: *id,
                        threshold,
                        point: points.rows.row_slice(i).to_vec(),
                        values: values.to_vec(),
                    });
                }
            }
            first += points.rows.nrows();
        }
        if first != assignments.rows.nrows() {
            return Err(misaligned(assigned, prepared.last().unwrap_or(assigned)));
        }
        drawn.sort_unstable_by_key(|row| (row.hash, row.id));
        Ok(drawn)
    }
}
