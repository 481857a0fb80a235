//! Splits a part into the rows within their fences and those set aside.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Float64Array, RecordBatch, StringArray};
use arrow::compute::filter_record_batch;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::common::DataFusionError;
use datafusion::execution::TaskContext;
use datafusion::execution::runtime_env::RuntimeEnv;
use futures::StreamExt;
use segmenta_algorithms::moments::{MomentSums, MomentUnits};
use segmenta_algorithms::outliers::{Fence, first_outside};
use segmenta_algorithms::quantiles::{QuantileSketch, SKETCH_BITS, SketchCounter};
use serde::{Deserialize, Serialize};

use super::impute::{with_flag_fields, with_flags};
use super::{ForestCut, PartTask, only};
use crate::artifact::{Part, PartWriter, ROW_COLUMN, append_rows, part_schema, read_part};
use crate::error::Result;

/// Streams a part into two: the kept rows as they are, and the rows set aside, without the row id but with `rule`,
/// `feature`, `value`, `fence_low` and `fence_high`. A side without rows has no file. Holds a batch, and a sketch of
/// each feature ([`SketchCounter`]).
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SplitOutliers {
    /// URL to write the kept rows under.
    pub kept_prefix: String,
    /// URL to write the rows that are set aside under.
    pub rejected_prefix: String,
    /// Features, in order; none may have a missing cell.
    pub features: Vec<String>,
    /// Their fences.
    pub fences: Vec<Fence>,
    /// The names of their rules, for the rows that are set aside.
    pub rules: Vec<String>,
    /// Applied to the rows within all fences.
    pub forest: Option<ForestCut>,
    /// The units of the features' moments.
    pub units: Vec<MomentUnits>,
}

/// What the driver gets back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Split {
    /// The rows kept.
    pub kept: Option<Part>,
    /// The rows set aside.
    pub rejected: Option<Part>,
    /// One entry for each feature.
    pub features: Vec<KeptFeature>,
}

/// What became of a feature.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct KeptFeature {
    /// Rows set aside by it: it is the first feature that is outside its fence.
    pub cut: u64,
    /// Rows within all fences that the isolation forest set aside, counted at the feature that isolates them the most.
    pub cut_by_forest: u64,
    /// How the cells of the kept rows are distributed.
    pub sketch: QuantileSketch,
    /// Their mean and variance, as sums.
    pub moments: MomentSums,
}

impl KeptFeature {
    /// Adds the rows of another part.
    pub fn merge(&mut self, other: &Self) {
        self.cut += other.cut;
        self.cut_by_forest += other.cut_by_forest;
        self.sketch.merge(&other.sketch);
        self.moments.merge(&other.moments);
    }
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
        let mut split = Split { kept: None, rejected: None, features: vec![KeptFeature::default(); d] };
        let mut sketches = vec![SketchCounter::new(SKETCH_BITS); d];
        let (mut kept, mut rejected) = (None, None);
        let mut batches = read_part(&runtime, part, None).await?;
        while let Some(batch) = batches.next().await {
            let batch = batch?;
            let mut values = Vec::new();
            append_rows(&batch, &self.features, &mut values)?;
            let cut = self.cut(&values);
            for (row, cut) in values.chunks_exact(d).zip(&cut) {
                match cut {
                    Some(Cut { by_forest: true, feature, .. }) => split.features[*feature].cut_by_forest += 1,
                    Some(Cut { feature, .. }) => split.features[*feature].cut += 1,
                    None => {
                        for (j, value) in row.iter().enumerate() {
                            sketches[j].add(*value);
                            split.features[j].moments.add(*value, &self.units[j]);
                        }
                    }
                }
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
                let rows = self.rejected_rows(&batch, &cut, &rejected_schema)?;
                if rejected.is_none() {
                    let schema = Arc::clone(&rejected_schema);
                    rejected = Some(PartWriter::create(&runtime, &self.rejected_prefix, part.index, schema)?);
                }
                if let Some(writer) = &mut rejected {
                    writer.write(&rows).await?;
                }
            }
        }
        for (feature, counter) in split.features.iter_mut().zip(&sketches) {
            feature.sketch = counter.finish();
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

/// Writes a part without rows where [`SplitOutliers`] would put the rows set aside, for readers of the table when no
/// row was. `part` is one of the parts that were split.
///
/// # Errors
/// When the part is gone or the place cannot be written to.
pub async fn write_none_rejected(runtime: &RuntimeEnv, prefix: &str, part: &Part, features: &[String]) -> Result<Part> {
    let schema = rejected_schema(&with_flag_fields(&*part_schema(runtime, part).await?, features));
    PartWriter::create(runtime, prefix, 0, schema)?.finish().await
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

/// Why a row is set aside.
#[derive(Debug, Clone, Copy)]
struct Cut {
    by_forest: bool,
    feature: usize,
    value: f64,
    fence: Fence,
}

/// The rule of rows that the forest set aside.
const FOREST_RULE: &str = "isolation_forest";

impl SplitOutliers {
    /// For each row, why it is set aside, if it is.
    fn cut(&self, values: &[f64]) -> Vec<Option<Cut>> {
        let d = self.features.len();
        let by_fence = |row: &[f64]| {
            let feature = first_outside(row, &self.fences)?;
            Some(Cut { by_forest: false, feature, value: row[feature], fence: self.fences[feature] })
        };
        let mut cuts: Vec<Option<Cut>> = values.chunks_exact(d).map(by_fence).collect();
        if let Some(forest) = &self.forest {
            let is_cut: Vec<bool> = cuts.iter().map(Option::is_some).collect();
            for (cut, by_forest) in cuts.iter_mut().zip(forest.cut(values, d, &is_cut)) {
                if let Some((value, feature)) = by_forest {
                    let fence = Fence { low: 0.0, high: forest.threshold };
                    *cut = Some(Cut { by_forest: true, feature, value, fence });
                }
            }
        }
        cuts
    }

    fn rejected_rows(&self, batch: &RecordBatch, cut: &[Option<Cut>], schema: &SchemaRef) -> Result<RecordBatch> {
        let reject: BooleanArray = cut.iter().map(|c| Some(c.is_some())).collect();
        let rows = filter_record_batch(batch, &reject).map_err(DataFusionError::from)?;
        let rows = with_flags(&rows, &self.features)?;
        let mut columns: Vec<ArrayRef> = rows
            .schema()
            .fields()
            .iter()
            .zip(rows.columns())
            .filter(|(field, _)| field.name() != ROW_COLUMN)
            .map(|(_, column)| Arc::clone(column))
            .collect();
        let cuts = || cut.iter().flatten();
        let rule = |cut: &Cut| Some(if cut.by_forest { FOREST_RULE } else { self.rules[cut.feature].as_str() });
        columns.push(Arc::new(cuts().map(rule).collect::<StringArray>()));
        columns.push(Arc::new(cuts().map(|cut| Some(self.features[cut.feature].as_str())).collect::<StringArray>()));
        columns.push(Arc::new(cuts().map(|cut| cut.value).collect::<Float64Array>()));
        columns.push(Arc::new(cuts().map(|cut| cut.fence.low).collect::<Float64Array>()));
        columns.push(Arc::new(cuts().map(|cut| cut.fence.high).collect::<Float64Array>()));
        Ok(RecordBatch::try_new(Arc::clone(schema), columns).map_err(DataFusionError::from)?)
    }
}
