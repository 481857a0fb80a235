//! Splits a part into the rows within their fences and those cut off.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::array::{ArrayRef, BooleanArray, Float64Array, RecordBatch, StringArray};
use datafusion::arrow::compute::filter_record_batch;
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::common::DataFusionError;
use datafusion::execution::TaskContext;
use futures::StreamExt;
use segmenta_algorithms::outliers::{Fence, first_outside};
use segmenta_algorithms::sums::Bounds;
use serde::{Deserialize, Serialize};

use super::impute::{with_flag_fields, with_flags};
use super::{PartTask, only};
use crate::artifact::{Part, PartWriter, ROW_COLUMN, append_rows, part_schema, read_part};
use crate::error::Result;

/// Streams a part into two: the rows kept, as they are, and the rows rejected, without the row id but with `rule`,
/// `feature`, `value`, `fence_low` and `fence_high`. A side without rows has no file.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SplitOutliers {
    /// URL to write the kept rows under.
    pub kept_prefix: String,
    /// URL to write the rejected rows under.
    pub rejected_prefix: String,
    /// Features, in order; none may have a missing cell.
    pub features: Vec<String>,
    /// Their fences; without any, all rows are kept.
    pub fences: Vec<Fence>,
    /// The name of the rule, for the rejected rows.
    pub rule: String,
}

/// What the driver gets back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Split {
    /// The rows kept.
    pub kept: Option<Part>,
    /// The rows rejected.
    pub rejected: Option<Part>,
    /// Rows cut by each feature: the first that is outside its fence.
    pub cut_by: Vec<u64>,
    /// Bounds of the kept rows, a feature each.
    pub bounds: Vec<Bounds>,
}

#[async_trait]
impl PartTask for SplitOutliers {
    const NAME: &'static str = "split_outliers";
    type Output = Split;

    async fn run(&self, inputs: &[Part], context: &Arc<TaskContext>) -> Result<Split> {
        let part = only(inputs)?;
        let runtime = context.runtime_env();
        let schema = part_schema(&runtime, part).await?;
        let rejected_schema = rejected_schema(&with_flag_fields(&schema, &self.features));
        let d = self.features.len();
        let mut split = Split { kept: None, rejected: None, cut_by: vec![0; d], bounds: vec![Bounds::default(); d] };
        let (mut kept, mut rejected) = (None, None);
        let mut batches = read_part(&runtime, part, None).await?;
        while let Some(batch) = batches.next().await {
            let batch = batch?;
            let mut values = Vec::new();
            append_rows(&batch, &self.features, &mut values)?;
            let mut cut: Vec<Option<usize>> = Vec::with_capacity(batch.num_rows());
            for row in values.chunks_exact(d) {
                let outside = first_outside(row, &self.fences);
                match outside {
                    Some(feature) => split.cut_by[feature] += 1,
                    None => {
                        for (bounds, value) in split.bounds.iter_mut().zip(row) {
                            bounds.include(*value);
                        }
                    }
                }
                cut.push(outside);
            }
            let keep: BooleanArray = cut.iter().map(|c| Some(c.is_none())).collect();
            if keep.true_count() > 0 {
                let rows = filter_record_batch(&batch, &keep).map_err(DataFusionError::from)?;
                if kept.is_none() {
                    kept = Some(PartWriter::create(&runtime, &self.kept_prefix, part.index, Arc::clone(&schema))?);
                }
                if let Some(writer) = &mut kept {
                    writer.write(&rows).await?;
                }
            }
            if keep.false_count() > 0 {
                let rows = self.rejected_rows(&batch, &cut, &values, &rejected_schema)?;
                if rejected.is_none() {
                    let schema = Arc::clone(&rejected_schema);
                    rejected = Some(PartWriter::create(&runtime, &self.rejected_prefix, part.index, schema)?);
                }
                if let Some(writer) = &mut rejected {
                    writer.write(&rows).await?;
                }
            }
        }
        if let Some(writer) = kept {
            split.kept = Some(writer.finish().await?);
        }
        if let Some(writer) = rejected {
            split.rejected = Some(writer.finish().await?);
        }
        Ok(split)
    }
}

fn rejected_schema(input: &Schema) -> SchemaRef {
    let mut fields: Vec<Field> =
        input.fields().iter().filter(|f| f.name() != ROW_COLUMN).map(|f| f.as_ref().clone()).collect();
    fields.push(Field::new("rule", DataType::Utf8, false));
    fields.push(Field::new("feature", DataType::Utf8, false));
    fields.push(Field::new("value", DataType::Float64, false));
    fields.push(Field::new("fence_low", DataType::Float64, false));
    fields.push(Field::new("fence_high", DataType::Float64, false));
    Arc::new(Schema::new(fields))
}

impl SplitOutliers {
    fn rejected_rows(
        &self,
        batch: &RecordBatch,
        cut: &[Option<usize>],
        values: &[f64],
        schema: &SchemaRef,
    ) -> Result<RecordBatch> {
        let d = self.features.len();
        let reject: BooleanArray = cut.iter().map(|c| Some(c.is_some())).collect();
        let rows = filter_record_batch(batch, &reject).map_err(DataFusionError::from)?;
        let rows = with_flags(&rows, &self.features)?;
        let outside: Vec<(usize, f64)> =
            cut.iter().enumerate().filter_map(|(i, feature)| feature.map(|j| (j, values[i * d + j]))).collect();
        let mut columns: Vec<ArrayRef> = rows
            .schema()
            .fields()
            .iter()
            .zip(rows.columns())
            .filter(|(field, _)| field.name() != ROW_COLUMN)
            .map(|(_, column)| Arc::clone(column))
            .collect();
        columns.push(Arc::new(StringArray::from(vec![self.rule.as_str(); outside.len()])));
        columns.push(Arc::new(outside.iter().map(|(j, _)| Some(self.features[*j].as_str())).collect::<StringArray>()));
        columns.push(Arc::new(outside.iter().map(|(_, value)| *value).collect::<Float64Array>()));
        columns.push(Arc::new(outside.iter().map(|(j, _)| self.fences[*j].low).collect::<Float64Array>()));
        columns.push(Arc::new(outside.iter().map(|(j, _)| self.fences[*j].high).collect::<Float64Array>()));
        Ok(RecordBatch::try_new(Arc::clone(schema), columns).map_err(DataFusionError::from)?)
    }
}
