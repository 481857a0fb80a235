//! Labels rows by their nearest seeds.

use std::sync::Arc;

use arrow::array::{Int32Array, RecordBatch, UInt64Array};
use arrow::datatypes::{DataType, Field, Schema};
use async_trait::async_trait;
use datafusion::common::DataFusionError;
use datafusion::execution::TaskContext;
use segmenta_algorithms::hierarchy::Reducer;
use segmenta_algorithms::rows::matrix;
use segmenta_algorithms::sums::Bounds;
use segmenta_algorithms::with_dimensions;
use serde::{Deserialize, Serialize};

use super::super::{PartTask, only};
use crate::artifact::{Part, PartWriter, ROW_COLUMN, load_points};
use crate::error::Result;

/// The column of labels.
pub const HIERARCHY_COLUMN: &str = "hierarchy_cluster";

/// Writes, for each row of a part of prepared points, its row id and the label of its nearest seed. Holds the part, `8 (d + 1)` bytes
/// a row, 12 more for a row, and for each seed some `20 d + 40`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct LabelBySeeds {
    /// URL to write under.
    pub prefix: String,
    /// Features, in order.
    pub columns: Vec<String>,
    /// Their bounds over all parts.
    pub bounds: Vec<Bounds>,
    /// The seeds, row-major.
    pub seeds: Vec<f64>,
    /// Their labels, in the order in which a [`Reducer`] numbers them.
    pub labels: Vec<u32>,
}

#[async_trait]
impl PartTask for LabelBySeeds {
    const NAME: &'static str = "label_by_seeds";
    type Output = Part;

    async fn run(&self, inputs: &[Part], context: &Arc<TaskContext>) -> Result<Part> {
        let part = only(inputs)?;
        let points = load_points(context, part, &self.columns).await?;
        let seeds = matrix(self.seeds.clone(), self.columns.len());
        let nearest = with_dimensions!(self.columns.len(), D => {
            Reducer::<D>::new(&seeds, &self.bounds).assign(&points.rows)
        });
        let labels: Int32Array = nearest.iter().map(|seed| Some(self.labels[*seed as usize] as i32)).collect();
        let schema = Arc::new(Schema::new(vec![
            Field::new(ROW_COLUMN, DataType::UInt64, false),
            Field::new(HIERARCHY_COLUMN, DataType::Int32, false),
        ]));
        let mut writer = PartWriter::create(&context.runtime_env(), &self.prefix, part.index, Arc::clone(&schema))?;
        let columns: Vec<arrow::array::ArrayRef> =
            vec![Arc::new(UInt64Array::from(points.ids.clone())), Arc::new(labels)];
        let batch = RecordBatch::try_new(schema, columns).map_err(DataFusionError::from)?;
        writer.write(&batch).await?;
        writer.finish().await
    }
}
