//! Splits a part into the rows within their fences and those set aside.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Float64Array, RecordBatch};
use arrow::compute::{filter_record_batch, not};
use arrow::datatypes::{Field, Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::common::DataFusionError;
use datafusion::execution::TaskContext;
use datafusion::execution::runtime_env::RuntimeEnv;
use futures::StreamExt;
use segmenta_algorithms::moments::{MomentSums, MomentUnits};
use segmenta_algorithms::quantiles::{QuantileSketch, SKETCH_BITS, SketchCounter};
use serde::{Deserialize, Serialize};

use super::impute::{with_flag_fields, with_flags};
use super::outlier_rules::Cut;
use super::{OutlierRules, PartTask, only};
use crate::artifact::{Part, PartWriter, ROW_COLUMN, append_rows, part_schema, read_part};
use crate::error::Result;

/// Streams a part into those of the rows within their fences and of the rows that are not. A table without rows has no
/// file. Holds a batch, and a sketch of each feature ([`SketchCounter`]).
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SplitOutliers {
    /// Who is an outlier; no feature may have a missing cell.
    pub rules: OutlierRules,
    /// What becomes of outliers.
    pub outliers: OutliersGo,
    /// URL to write the kept rows under.
    pub kept_prefix: String,
    /// The units of the features' moments.
    pub units: Vec<MomentUnits>,
}

/// What becomes of outliers.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum OutliersGo {
    /// They stay, with their values moved to the fences. A forest has none, so there must not be one.
    ToFences,
    /// They are written apart.
    Apart {
        /// URL to write them under as they are, for stages that follow; `None` where none needs them.
        aside_prefix: Option<String>,
        /// URL to write them under as they are published: without the row id, but with `rule`, `feature`, `value`,
        /// `fence_low` and `fence_high`.
        rejected_prefix: String,
    },
}

/// What the driver gets back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Split {
    /// The rows kept.
    pub kept: Option<Part>,
    /// The rows set aside, for stages that follow.
    pub aside: Option<Part>,
    /// The rows set aside, to be published.
    pub rejected: Option<Part>,
    /// One entry for each feature.
    pub features: Vec<KeptFeature>,
}

/// What became of a feature.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct KeptFeature {
    /// Outliers by it: it is the first feature that is outside its fence.
    pub cut: u64,
    /// Outliers within all fences by the isolation forest, counted at the feature that isolates them the most.
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
        let features = &self.rules.features;
        let d = features.len();
        let mut found = vec![KeptFeature::default(); d];
        let mut sketches = vec![SketchCounter::new(SKETCH_BITS); d];
        let table = |prefix: &str, schema: &SchemaRef| Table {
            prefix: prefix.to_owned(),
            index: part.index,
            schema: Arc::clone(schema),
            writer: None,
        };
        let mut kept = table(&self.kept_prefix, &schema);
        let (mut aside, mut rejected) = match &self.outliers {
            OutliersGo::ToFences => (None, None),
            OutliersGo::Apart { aside_prefix, rejected_prefix } => {
                let rejected_schema = rejected_schema(&with_flag_fields(&schema, features));
                let aside = aside_prefix.as_ref().map(|prefix| table(prefix, &schema));
                (aside, Some(table(rejected_prefix, &rejected_schema)))
            }
        };
        let mut batches = read_part(&runtime, part, None).await?;
        while let Some(batch) = batches.next().await {
            let batch = batch?;
            let mut values = Vec::new();
            append_rows(&batch, features, &mut values)?;
            let cut = self.rules.cut(&values);
            for cut in cut.iter().flatten() {
                let feature = &mut found[cut.feature];
                *if cut.by_forest { &mut feature.cut_by_forest } else { &mut feature.cut } += 1;
            }
            let stays: BooleanArray = match rejected {
                Some(_) => cut.iter().map(|cut| Some(cut.is_none())).collect(),
                None => {
                    self.rules.clip(&mut values);
                    std::iter::repeat_n(Some(true), cut.len()).collect()
                }
            };
            for (row, _) in values.chunks_exact(d).zip(stays.values()).filter(|(_, stays)| *stays) {
                for (j, value) in row.iter().enumerate() {
                    sketches[j].add(*value);
                    found[j].moments.add(*value, &self.units[j]);
                }
            }
            if let Some(rejected) = &mut rejected {
                kept.write(&runtime, &filtered(&batch, &stays)?).await?;
                let outliers = filtered(&batch, &not(&stays).map_err(DataFusionError::from)?)?;
                if let Some(aside) = &mut aside {
                    aside.write(&runtime, &outliers).await?;
                }
                let rows = self.rejected_rows(&outliers, &cut, &rejected.schema)?;
                rejected.write(&runtime, &rows).await?;
            } else {
                kept.write(&runtime, &with_values(&batch, features, &values)?).await?;
            }
        }
        for (feature, counter) in found.iter_mut().zip(&sketches) {
            feature.sketch = counter.finish();
        }
        let aside = match aside {
            Some(aside) => aside.finish().await?,
            None => None,
        };
        let rejected = match rejected {
            Some(rejected) => rejected.finish().await?,
            None => None,
        };
        Ok(Split { kept: kept.finish().await?, aside, rejected, features: found })
    }
}

/// A table that has no file until it has a row.
struct Table {
    prefix: String,
    index: u32,
    schema: SchemaRef,
    writer: Option<PartWriter>,
}

impl Table {
    async fn write(&mut self, runtime: &RuntimeEnv, rows: &RecordBatch) -> Result<()> {
        if rows.num_rows() == 0 {
            return Ok(());
        }
        let writer = match &mut self.writer {
            Some(writer) => writer,
            None => {
                let writer = PartWriter::create(runtime, &self.prefix, self.index, Arc::clone(&self.schema))?;
                self.writer.insert(writer)
            }
        };
        writer.write(rows).await
    }

    async fn finish(self) -> Result<Option<Part>> {
        match self.writer {
            Some(writer) => writer.finish().await.map(Some),
            None => Ok(None),
        }
    }
}

fn filtered(batch: &RecordBatch, rows: &BooleanArray) -> Result<RecordBatch> {
    Ok(filter_record_batch(batch, rows).map_err(DataFusionError::from)?)
}

/// A batch with other values of its features (row-major).
fn with_values(batch: &RecordBatch, features: &[String], values: &[f64]) -> Result<RecordBatch> {
    let column = |(field, column): (&Arc<Field>, &ArrayRef)| -> ArrayRef {
        match features.iter().position(|name| name == field.name()) {
            Some(j) => Arc::new(values.iter().skip(j).step_by(features.len()).copied().collect::<Float64Array>()),
            None => Arc::clone(column),
        }
    };
    let columns = batch.schema().fields().iter().zip(batch.columns()).map(column).collect();
    Ok(RecordBatch::try_new(batch.schema(), columns).map_err(DataFusionError::from)?)
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
    fields.extend(OutlierRules::reason_fields("", false));
    Arc::new(Schema::new(fields))
}

impl SplitOutliers {
    /// Outliers as they are published. `cut` has one entry for each row of the batch that they were in.
    fn rejected_rows(&self, outliers: &RecordBatch, cut: &[Option<Cut>], schema: &SchemaRef) -> Result<RecordBatch> {
        let rows = with_flags(outliers, &self.rules.features)?;
        let mut columns: Vec<ArrayRef> = rows
            .schema()
            .fields()
            .iter()
            .zip(rows.columns())
            .filter(|(field, _)| field.name() != ROW_COLUMN)
            .map(|(_, column)| Arc::clone(column))
            .collect();
        let cut: Vec<Option<Cut>> = cut.iter().filter(|cut| cut.is_some()).copied().collect();
        columns.extend(self.rules.reasons(&cut));
        Ok(RecordBatch::try_new(Arc::clone(schema), columns).map_err(DataFusionError::from)?)
    }
}
