//! Collects the distinct points of a part, as long as they are few.

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::execution::TaskContext;
use ndarray::Array2;
use segmenta_algorithms::quantiles::{key, value_of};
use segmenta_algorithms::rows::{Rows, matrix};
use serde::{Deserialize, Serialize};

use super::super::{PartTask, only};
use crate::artifact::{Part, load_points};
use crate::error::Result;

/// Collects the distinct points of a part with their weights, unless they are more than `most`. Holds the part, `8 (d + 1)` bytes a
/// row, and some `8 d + 80` for each distinct point.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CollectDistinct {
    /// Features, in order.
    pub columns: Vec<String>,
    /// The largest number of points that is still few.
    pub most: usize,
}

/// Distinct points, by keys that sort as their coordinates do; `None` once there are too many.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DistinctPoints {
    most: usize,
    weights: Option<HashMap<Vec<u64>, u64>>,
}

impl DistinctPoints {
    fn add(&mut self, point: Vec<u64>, weight: u64) {
        let Some(weights) = &mut self.weights else { return };
        *weights.entry(point).or_default() += weight;
        if weights.len() > self.most {
            self.weights = None;
        }
    }

    /// Adds the points of another part.
    pub fn merge(&mut self, other: Self) {
        match other.weights {
            Some(weights) => weights.into_iter().for_each(|(point, weight)| self.add(point, weight)),
            None => self.weights = None,
        }
    }

    /// The points (`n x d`) in the order of their coordinates, and their weights; `None` when they are too many.
    #[must_use]
    pub fn sorted(self, columns: usize) -> Option<(Array2<f64>, Vec<u64>)> {
        let mut sorted: Vec<(Vec<u64>, u64)> = self.weights?.into_iter().collect();
        sorted.sort_unstable();
        let values = sorted.iter().flat_map(|(point, _)| point.iter().map(|key| value_of(*key))).collect();
        Some((matrix(values, columns), sorted.into_iter().map(|(_, weight)| weight).collect()))
    }
}

#[async_trait]
impl PartTask for CollectDistinct {
    const NAME: &'static str = "collect_distinct";
    type Output = DistinctPoints;

    async fn run(&self, inputs: &[Part], context: &Arc<TaskContext>) -> Result<DistinctPoints> {
        let points = load_points(context, only(inputs)?, &self.columns).await?;
        let mut distinct = DistinctPoints { most: self.most, weights: Some(HashMap::new()) };
        for (i, row) in points.rows.row_slices().enumerate() {
            if distinct.weights.is_none() {
                break;
            }
            let weight = points.weights.as_ref().map_or(1, |weights| u64::from(weights[i]));
            distinct.add(row.iter().map(|value| key(*value)).collect(), weight);
        }
        Ok(distinct)
    }
}
