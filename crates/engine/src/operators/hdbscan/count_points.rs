//! Counts how many points there would be at each resolution.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::execution::TaskContext;
use futures::StreamExt;
use segmenta_algorithms::hdbscan::resolution::{DistinctCounter, cell_hash};
use serde::{Deserialize, Serialize};

use super::super::{PartTask, only};
use crate::artifact::{Part, append_rows, read_part};
use crate::error::Result;

/// Counts the grid cells that hold a row, for each of several resolutions. Holds a batch, and 16 KiB for each resolution.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CountPoints {
    /// Features, in order.
    pub features: Vec<String>,
    /// Sides of the grids; 0 counts distinct rows.
    pub resolutions: Vec<f64>,
}

#[async_trait]
impl PartTask for CountPoints {
    const NAME: &'static str = "count_points";
    type Output = Vec<DistinctCounter>;

    async fn run(&self, inputs: &[Part], context: &Arc<TaskContext>) -> Result<Vec<DistinctCounter>> {
        let mut counters = vec![DistinctCounter::default(); self.resolutions.len()];
        let mut batches = read_part(&context.runtime_env(), only(inputs)?, Some(&self.features)).await?;
        let mut values = Vec::new();
        while let Some(batch) = batches.next().await {
            values.clear();
            append_rows(&batch?, &self.features, &mut values)?;
            for (counter, resolution) in counters.iter_mut().zip(&self.resolutions) {
                values.chunks_exact(self.features.len()).for_each(|row| counter.add(cell_hash(row, *resolution)));
            }
        }
        Ok(counters)
    }
}
