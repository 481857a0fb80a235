//! Counts the cells of columns by bins of their values.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::execution::TaskContext;
use segmenta_algorithms::drift::bin;
use segmenta_algorithms::rows::Rows;
use serde::{Deserialize, Serialize};

use super::{PartTask, only};
use crate::artifact::{Part, points_once};
use crate::error::Result;

/// Counts the cells of a part in bins between given edges, and missing cells separately. Holds the part: `8 (d + 1)`
/// bytes a row.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CountBins {
    /// Columns.
    pub columns: Vec<String>,
    /// Inner edges of the bins of each column, ascending.
    pub edges: Vec<Vec<f64>>,
}

#[async_trait]
impl PartTask for CountBins {
    const NAME: &'static str = "count_bins";
    /// For each column, the number of cells in each bin; missing cells come last.
    type Output = Vec<Vec<u64>>;

    async fn run(&self, inputs: &[Part], context: &Arc<TaskContext>) -> Result<Self::Output> {
        let points = points_once(context, only(inputs)?, &self.columns).await?;
        let mut counts: Vec<Vec<u64>> = self.edges.iter().map(|edges| vec![0; edges.len() + 2]).collect();
        for row in points.rows.row_slices() {
            for ((counts, edges), value) in counts.iter_mut().zip(&self.edges).zip(row) {
                counts[bin(edges, *value)] += 1;
            }
        }
        Ok(counts)
    }
}
