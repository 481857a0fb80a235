//! Compares clusterings of the same rows.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::execution::TaskContext;
use segmenta_algorithms::hierarchy::Contingency;
use segmenta_algorithms::rows::Rows;
use serde::{Deserialize, Serialize};

use super::{PartTask, only};
use crate::artifact::{Part, load_points};
use crate::error::Result;

/// Counts the rows of a part by each pair of columns of labels. Holds the columns, 8 bytes a row each.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CrossTabulate {
    /// Columns of labels.
    pub columns: Vec<String>,
}

impl CrossTabulate {
    /// The pairs of columns, in the order of the results.
    pub fn pairs(&self) -> impl Iterator<Item = (usize, usize)> + use<> {
        let count = self.columns.len();
        (0..count).flat_map(move |first| (first + 1..count).map(move |second| (first, second)))
    }
}

#[async_trait]
impl PartTask for CrossTabulate {
    const NAME: &'static str = "cross_tabulate";
    /// In the order of [`CrossTabulate::pairs`].
    type Output = Vec<Contingency>;

    async fn run(&self, inputs: &[Part], context: &Arc<TaskContext>) -> Result<Vec<Contingency>> {
        let points = load_points(context, only(inputs)?, &self.columns).await?;
        let label = |column: usize| -> Vec<i32> { points.rows.row_slices().map(|row| row[column] as i32).collect() };
        let labels: Vec<Vec<i32>> = (0..self.columns.len()).map(label).collect();
        let count = |(first, second): (usize, usize)| {
            let mut contingency = Contingency::default();
            contingency.add_rows(&labels[first], &labels[second]);
            contingency
        };
        Ok(self.pairs().map(count).collect())
    }
}
