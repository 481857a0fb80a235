//! Writes the assignments: the kept rows with their clusters.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int32Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema};
use async_trait::async_trait;
use datafusion::common::DataFusionError;
use datafusion::execution::TaskContext;
use futures::StreamExt;
use segmenta_algorithms::kmeans::Centers;
use serde::{Deserialize, Serialize};

use super::impute::{with_flag_fields, with_flags};
use super::{PartTask, only};
use crate::artifact::{Batches, Part, PartWriter, ROW_COLUMN, append_rows, part_schema, read_part};
use crate::error::{EngineError, Result};

/// The column with the numbers of K-Means' clusters.
pub const KMEANS_COLUMN: &str = "kmeans_cluster";

/// Streams a part of the kept rows together with its part of prepared points and of the labels of other clusterings.
/// These have the same rows in the same order.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Assign {
    /// URL to write under.
    pub prefix: String,
    /// Features, in order.
    pub features: Vec<String>,
    /// What rows are assigned by, in scaled space.
    pub centers: Centers,
    /// The number of each of their clusters.
    pub numbers: Vec<i32>,
}

#[async_trait]
impl PartTask for Assign {
    const NAME: &'static str = "assign";
    type Output = Part;

    /// `inputs`: the kept rows, the prepared points, and the labels of other clusterings.
    async fn run(&self, inputs: &[Part], context: &Arc<TaskContext>) -> Result<Part> {
        let [kept, prepared, labels @ ..] = inputs else { return only(&[]).cloned() };
        let runtime = context.runtime_env();
        let mut fields: Vec<Field> = with_flag_fields(&*part_schema(&runtime, kept).await?, &self.features)
            .fields()
            .iter()
            .filter(|field| field.name() != ROW_COLUMN)
            .map(|field| field.as_ref().clone())
            .collect();
        fields.push(Field::new(KMEANS_COLUMN, DataType::Int32, false));
        fields.push(Field::new("kmeans_distance", DataType::Float64, false));
        for labels in labels {
            let schema = part_schema(&runtime, labels).await?;
            fields.extend(
                schema.fields().iter().filter(|field| field.name() != ROW_COLUMN).map(|field| field.as_ref().clone()),
            );
        }
        let schema = Arc::new(Schema::new(fields));
        let mut writer = PartWriter::create(&runtime, &self.prefix, kept.index, Arc::clone(&schema))?;
        let mut rows = read_part(&runtime, kept, None).await?;
        let mut points = read_part(&runtime, prepared, None).await?;
        let mut labelled = Vec::with_capacity(labels.len());
        for part in labels {
            labelled.push((part, read_part(&runtime, part, None).await?));
        }
        // All files are read in batches of the same size, so that they stay aligned.
        while let Some(batch) = rows.next().await {
            let batch = with_flags(&batch?, &self.features)?;
            let aligned = next_aligned(&mut points, &batch, kept, prepared).await?;
            let mut labels = Vec::with_capacity(labelled.len());
            for (part, batches) in &mut labelled {
                labels.push(next_aligned(batches, &batch, kept, part).await?);
            }
            let mut values = Vec::new();
            append_rows(&aligned, &self.features, &mut values)?;
            let (mut clusters, mut distances) = (Vec::new(), Vec::new());
            for point in values.chunks_exact(self.features.len()) {
                let (cluster, squared) = self.centers.nearest(point);
                clusters.push(self.numbers[cluster]);
                distances.push(squared.sqrt());
            }
            let mut columns = without_rows(&batch);
            columns.push(Arc::new(Int32Array::from(clusters)));
            columns.push(Arc::new(Float64Array::from(distances)));
            columns.extend(labels.iter().flat_map(without_rows));
            let assigned = RecordBatch::try_new(Arc::clone(&schema), columns).map_err(DataFusionError::from)?;
            writer.write(&assigned).await?;
        }
        writer.finish().await
    }
}

/// All columns except the row ids.
fn without_rows(batch: &RecordBatch) -> Vec<ArrayRef> {
    let schema = batch.schema();
    let columns = schema.fields().iter().zip(batch.columns());
    columns.filter(|(field, _)| field.name() != ROW_COLUMN).map(|(_, column)| Arc::clone(column)).collect()
}

/// The next batch of another file, with the same rows as a batch of kept rows.
async fn next_aligned(batches: &mut Batches, rows: &RecordBatch, kept: &Part, part: &Part) -> Result<RecordBatch> {
    match batches.next().await {
        Some(batch) => {
            let batch = batch?;
            let same = batch.num_rows() == rows.num_rows()
                && batch.column_by_name(ROW_COLUMN) == rows.column_by_name(ROW_COLUMN);
            if same { Ok(batch) } else { Err(misaligned(kept, part)) }
        }
        None => Err(misaligned(kept, part)),
    }
}

/// Two parts that should have the same rows, and do not.
pub(super) fn misaligned(kept: &Part, prepared: &Part) -> EngineError {
    EngineError::input(format!(
        "{} and {} do not hold the same rows; run again with --fresh to make them anew",
        kept.url, prepared.url
    ))
}
