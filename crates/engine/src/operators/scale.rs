//! Writes the prepared points: row id, scaled features, and the weight if there is one.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Float64Array, RecordBatch, UInt64Array};
use arrow::datatypes::{DataType, Field, Schema, UInt32Type};
use async_trait::async_trait;
use datafusion::common::DataFusionError;
use datafusion::execution::TaskContext;
use futures::StreamExt;
use segmenta_algorithms::scalers::Scaler;
use segmenta_algorithms::sums::Bounds;
use serde::{Deserialize, Serialize};

use super::{PartTask, only};
use crate::artifact::{Part, PartWriter, ROW_COLUMN, WEIGHT_COLUMN, append_rows, read_part, row_ids};
use crate::error::{EngineError, Result};

/// Streams a part of the kept rows into a part of prepared points, row for row in the same order.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Scale {
    /// URL to write under.
    pub prefix: String,
    /// Features, in order.
    pub features: Vec<String>,
    /// Their scalers.
    pub scalers: Vec<Scaler>,
    /// The column with the weight of a row, which becomes [`WEIGHT_COLUMN`].
    pub weight: Option<String>,
}

/// What the driver gets back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Scaled {
    /// The file.
    pub part: Part,
    /// Bounds of the scaled features.
    pub bounds: Vec<Bounds>,
    /// Sum of the weights of its rows, or their number if they have no weights.
    pub weight: u64,
}

#[async_trait]
impl PartTask for Scale {
    const NAME: &'static str = "scale";
    type Output = Scaled;

    async fn run(&self, inputs: &[Part], context: &Arc<TaskContext>) -> Result<Scaled> {
        let part = only(inputs)?;
        let runtime = context.runtime_env();
        let d = self.features.len();
        let mut fields = vec![Field::new(ROW_COLUMN, DataType::UInt64, false)];
        fields.extend(self.features.iter().map(|name| Field::new(name, DataType::Float64, false)));
        fields.extend(self.weight.iter().map(|_| Field::new(WEIGHT_COLUMN, DataType::UInt32, false)));
        let schema = Arc::new(Schema::new(fields));
        let mut writer = PartWriter::create(&runtime, &self.prefix, part.index, Arc::clone(&schema))?;
        let (mut bounds, mut weight) = (vec![Bounds::default(); d], 0_u64);
        let mut batches = read_part(&runtime, part, None).await?;
        while let Some(batch) = batches.next().await {
            let batch = batch?;
            let mut values = Vec::new();
            append_rows(&batch, &self.features, &mut values)?;
            for row in values.chunks_exact_mut(d) {
                for ((value, scaler), bounds) in row.iter_mut().zip(&self.scalers).zip(&mut bounds) {
                    *value = scaler.apply(*value);
                    bounds.include(*value);
                }
            }
            let mut columns: Vec<ArrayRef> = vec![Arc::new(UInt64Array::from(row_ids(&batch)?.to_vec()))];
            for j in 0..d {
                columns.push(Arc::new(values.iter().skip(j).step_by(d).copied().collect::<Float64Array>()));
            }
            if let Some(name) = &self.weight {
                let missing = || EngineError::job(format!("a batch without the column {name}"));
                let weights = batch.column_by_name(name).ok_or_else(missing)?;
                let values = weights.as_primitive_opt::<UInt32Type>().ok_or_else(missing)?.values();
                weight += values.iter().map(|weight| u64::from(*weight)).sum::<u64>();
                columns.push(Arc::clone(weights));
            } else {
                weight += batch.num_rows() as u64;
            }
            let rows = RecordBatch::try_new(Arc::clone(&schema), columns).map_err(DataFusionError::from)?;
            writer.write(&rows).await?;
        }
        Ok(Scaled { part: writer.finish().await?, bounds, weight })
    }
}
