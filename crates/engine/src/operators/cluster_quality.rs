//! How good the clusterings of all candidates are, in one pass, which also draws the rows whose silhouettes are computed.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, RecordBatch, UInt32Array, UInt64Array};
use arrow::datatypes::{DataType, Field, Schema};
use async_trait::async_trait;
use datafusion::common::DataFusionError;
use datafusion::execution::TaskContext;
use segmenta_algorithms::hashing::combine;
use segmenta_algorithms::kmeans::{Centers, Clustering, Judge, Quality};
use segmenta_algorithms::rows::Rows;
use segmenta_algorithms::sums::Bounds;
use serde::{Deserialize, Serialize};

use super::{PartTask, only};
use crate::artifact::{Part, PartWriter, Points, ROW_COLUMN, WEIGHT_COLUMN, points_once};
use crate::error::Result;

/// A seeded sample whose rate differs between clusters.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StratifiedSample {
    /// URL to write the drawn points under.
    pub prefix: String,
    /// Seed.
    pub seed: u64,
    /// The strata are its clusters.
    pub strata: Centers,
    /// For each stratum, the largest hash that is drawn.
    pub thresholds: Vec<u64>,
}

/// Measures the points of a part by the means of all clusters, and draws a sample. Holds the part: `8 (d + 1)` bytes a row.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ClusterQuality {
    /// Features, in order.
    pub columns: Vec<String>,
    /// Bounds of the scaled features over all parts.
    pub bounds: Vec<Bounds>,
    /// The candidates.
    pub candidates: Vec<Clustering>,
    /// The sample, where one is wanted.
    pub sample: Option<StratifiedSample>,
}

/// What the driver gets back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Judged {
    /// In the order of `candidates`.
    pub qualities: Vec<Quality>,
    /// The points that were drawn.
    pub drawn: Vec<Part>,
    /// For each stratum, the sum of the weights of the drawn points.
    pub drawn_weights: Vec<u64>,
}

impl Judged {
    /// Adds the points of another part.
    pub fn merge(&mut self, other: Self) {
        self.qualities.iter_mut().zip(&other.qualities).for_each(|(total, quality)| total.merge(quality));
        self.drawn.extend(other.drawn);
        self.drawn_weights.iter_mut().zip(other.drawn_weights).for_each(|(total, weight)| *total += weight);
    }
}

#[async_trait]
impl PartTask for ClusterQuality {
    const NAME: &'static str = "cluster_quality";
    type Output = Judged;

    async fn run(&self, inputs: &[Part], context: &Arc<TaskContext>) -> Result<Judged> {
        let part = only(inputs)?;
        let points = points_once(context, part, &self.columns).await?;
        let judge = |candidate| Judge::new(candidate, &self.bounds).judge(&points.rows, points.weights.as_deref());
        let qualities = self.candidates.iter().map(judge).collect();
        let (drawn, drawn_weights) = match &self.sample {
            Some(sample) => self.draw(sample, part.index, &points, context).await?,
            None => (None, vec![]),
        };
        Ok(Judged { qualities, drawn: drawn.into_iter().collect(), drawn_weights })
    }
}

impl ClusterQuality {
    async fn draw(
        &self,
        sample: &StratifiedSample,
        index: u32,
        points: &Points,
        context: &TaskContext,
    ) -> Result<(Option<Part>, Vec<u64>)> {
        let rate = sample.thresholds.iter().max().copied().unwrap_or(0);
        let mut weights = vec![0; sample.thresholds.len()];
        let mut chosen = vec![];
        for (i, (id, row)) in points.ids.iter().zip(points.rows.row_slices()).enumerate() {
            let hash = combine(sample.seed, *id);
            if hash > rate {
                continue;
            }
            let (stratum, _) = sample.strata.nearest(row);
            if hash <= sample.thresholds[stratum] {
                weights[stratum] += points.weights.as_ref().map_or(1, |weights| u64::from(weights[i]));
                chosen.push(i);
            }
        }
        if chosen.is_empty() {
            return Ok((None, weights));
        }
        let mut fields = vec![Field::new(ROW_COLUMN, DataType::UInt64, false)];
        fields.extend(self.columns.iter().map(|name| Field::new(name, DataType::Float64, false)));
        let mut columns: Vec<ArrayRef> = vec![Arc::new(chosen.iter().map(|i| points.ids[*i]).collect::<UInt64Array>())];
        for j in 0..self.columns.len() {
            columns.push(Arc::new(chosen.iter().map(|i| points.rows.row_slice(*i)[j]).collect::<Float64Array>()));
        }
        if let Some(weights) = &points.weights {
            fields.push(Field::new(WEIGHT_COLUMN, DataType::UInt32, false));
            columns.push(Arc::new(chosen.iter().map(|i| weights[*i]).collect::<UInt32Array>()));
        }
        let schema = Arc::new(Schema::new(fields));
        let mut writer = PartWriter::create(&context.runtime_env(), &sample.prefix, index, Arc::clone(&schema))?;
        writer.write(&RecordBatch::try_new(schema, columns).map_err(DataFusionError::from)?).await?;
        Ok((Some(writer.finish().await?), weights))
    }
}
