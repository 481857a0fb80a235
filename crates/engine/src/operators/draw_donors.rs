//! Draws the rows among which nearest-neighbour imputation searches.

use std::sync::Arc;

use arrow::array::BooleanArray;
use arrow::compute::filter_record_batch;
use async_trait::async_trait;
use datafusion::common::DataFusionError;
use datafusion::execution::TaskContext;
use futures::StreamExt;
use serde::{Deserialize, Serialize};

use super::{PartTask, RowSample, only};
use crate::artifact::{Part, PartWriter, ROW_COLUMN, read_part, row_ids};
use crate::error::Result;

/// Writes the features of the rows of a part that are in a sample. Streams the part.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct DrawDonors {
    /// URL to write under.
    pub prefix: String,
    /// Features, in order.
    pub features: Vec<String>,
    /// The rows.
    pub sample: RowSample,
}

#[async_trait]
impl PartTask for DrawDonors {
    const NAME: &'static str = "draw_donors";
    /// `None` where no row is drawn.
    type Output = Option<Part>;

    async fn run(&self, inputs: &[Part], context: &Arc<TaskContext>) -> Result<Option<Part>> {
        let part = only(inputs)?;
        let runtime = context.runtime_env();
        let mut columns = vec![ROW_COLUMN.to_owned()];
        columns.extend_from_slice(&self.features);
        let mut batches = read_part(&runtime, part, Some(&columns)).await?;
        let mut writer: Option<PartWriter> = None;
        while let Some(batch) = batches.next().await {
            let batch = batch?;
            let drawn: BooleanArray = row_ids(&batch)?.iter().map(|id| Some(self.sample.holds(*id))).collect();
            let rows = filter_record_batch(&batch, &drawn).map_err(DataFusionError::from)?;
            let kept: Vec<usize> =
                (0..rows.num_columns()).filter(|i| rows.schema().field(*i).name() != ROW_COLUMN).collect();
            let rows = rows.project(&kept).map_err(DataFusionError::from)?;
            if rows.num_rows() == 0 {
                continue;
            }
            let writer = match &mut writer {
                Some(writer) => writer,
                None => writer.insert(PartWriter::create(&runtime, &self.prefix, part.index, rows.schema())?),
            };
            writer.write(&rows).await?;
        }
        match writer {
            Some(writer) => Ok(Some(writer.finish().await?)),
            None => Ok(None),
        }
    }
}
