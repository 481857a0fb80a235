//! Sketches by how much fences would have to be widened to hold each row.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::execution::TaskContext;
use segmenta_algorithms::outliers::{Fence, Reach, first_outside};
use segmenta_algorithms::quantiles::{QuantileSketch, SketchCounter};
use segmenta_algorithms::rows::Rows;
use segmenta_algorithms::scalers::Transform;
use serde::{Deserialize, Serialize};

use super::{PartTask, only};
use crate::artifact::{Part, load_points};
use crate::error::Result;

/// Bits of the sketch. It distinguishes factors that differ by a relative 2^-16.
const EXCESS_BITS: u32 = 16;

/// Sketches, over the rows of a part that are within the fences that stay, the factor by which the others would have to be
/// widened. Holds the part: `8 (d + 1)` bytes a row.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SketchExcess {
    /// Features, in order.
    pub features: Vec<String>,
    /// The fences that stay as they are, one for each feature.
    pub fixed: Vec<Fence>,
    /// What each feature is transformed by before its reach is looked at.
    pub transforms: Vec<Transform>,
    /// The reach of each fence that may be widened.
    pub reaches: Vec<Option<Reach>>,
}

#[async_trait]
impl PartTask for SketchExcess {
    const NAME: &'static str = "sketch_excess";
    type Output = QuantileSketch;

    async fn run(&self, inputs: &[Part], context: &Arc<TaskContext>) -> Result<QuantileSketch> {
        let points = load_points(context, only(inputs)?, &self.features).await?;
        let mut counter = SketchCounter::new(EXCESS_BITS);
        for row in points.rows.row_slices().filter(|row| first_outside(row, &self.fixed).is_none()) {
            let reaches = self.transforms.iter().zip(&self.reaches);
            let times = row
                .iter()
                .zip(reaches)
                .filter_map(|(value, (transform, reach))| Some(reach.as_ref()?.times(transform.apply(*value))));
            counter.add(times.fold(0.0, f64::max));
        }
        Ok(counter.finish())
    }
}
