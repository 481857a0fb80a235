//! Reduces the rows of a part to the clustering features of seeds.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::execution::TaskContext;
use segmenta_algorithms::hierarchy::Reducer;
use segmenta_algorithms::kmeans::Partial;
use segmenta_algorithms::rows::matrix;
use segmenta_algorithms::sums::Bounds;
use segmenta_algorithms::with_dimensions;
use serde::{Deserialize, Serialize};

use super::super::{PartTask, only};
use crate::artifact::{Part, load_points};
use crate::error::Result;

/// Adds each row of a part to its nearest seed. Holds the part, `8 (d + 1)` bytes a row, and for each seed some `30 d + 40`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ReduceRows {
    /// Features, in order.
    pub columns: Vec<String>,
    /// Their bounds over all parts.
    pub bounds: Vec<Bounds>,
    /// The seeds, row-major.
    pub seeds: Vec<f64>,
}

#[async_trait]
impl PartTask for ReduceRows {
    const NAME: &'static str = "reduce_rows";
    /// One entry for each seed, in the order in which a [`Reducer`] numbers them.
    type Output = Partial;

    async fn run(&self, inputs: &[Part], context: &Arc<TaskContext>) -> Result<Partial> {
        let points = load_points(context, only(inputs)?, &self.columns).await?;
        let seeds = matrix(self.seeds.clone(), self.columns.len());
        Ok(with_dimensions!(self.columns.len(), D => {
            let reducer = Reducer::<D>::new(&seeds, &self.bounds);
            let mut partial = reducer.assigner().empty_partial();
            reducer.accumulate(&points.rows, points.weights.as_deref(), &mut partial);
            partial
        }))
    }
}
