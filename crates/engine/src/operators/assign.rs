//! Writes the assignments: all rows with their clusters.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Float64Array, Int32Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Int32Type, Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::common::DataFusionError;
use datafusion::execution::TaskContext;
use futures::StreamExt;
use segmenta_algorithms::kmeans::Centers;
use serde::{Deserialize, Serialize};

use super::impute::{with_flag_fields, with_flags};
use super::{OutlierRules, PartTask};
use crate::artifact::{Batches, Part, PartWriter, ROW_COLUMN, append_rows, part_schema, read_part};
use crate::error::{EngineError, Result};

/// The column with the numbers of K-Means' clusters.
pub const KMEANS_COLUMN: &str = "kmeans_cluster";

/// Streams parts of rows together with their parts of prepared points and of the labels of other clusterings, into one part:
/// first the rows that were fitted, then those that were set aside. The parts of each have the same rows in the same order.
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
    /// How many other clusterings there are.
    pub labels: usize,
    /// Who is an outlier; no forest where the fitted rows are to be judged too.
    pub outliers: OutlierRules,
    /// Whether any of the fitted rows may be an outlier.
    pub fits_outliers: bool,
    /// Whether the first group of parts has the rows that were fitted; otherwise there are none of these.
    pub has_fitted: bool,
}

/// What the driver gets back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Assigned {
    /// The file.
    pub part: Part,
    /// Rows that were set aside, by cluster of each clustering in the order of the columns, K-Means first.
    pub aside: Vec<BTreeMap<i32, u64>>,
}

#[async_trait]
impl PartTask for Assign {
    const NAME: &'static str = "assign";
    type Output = Assigned;

    /// `inputs`: rows, their prepared points, and their labels by other clusterings; of the rows that were fitted, of those
    /// that were set aside, or of both.
    async fn run(&self, inputs: &[Part], context: &Arc<TaskContext>) -> Result<Assigned> {
        let [first, _, labels @ ..] = inputs else {
            return Err(EngineError::job("a task of two parts or more was given fewer"));
        };
        let runtime = context.runtime_env();
        let mut fields: Vec<Field> = with_flag_fields(&*part_schema(&runtime, first).await?, &self.features)
            .fields()
            .iter()
            .filter(|field| field.name() != ROW_COLUMN)
            .map(|field| field.as_ref().clone())
            .collect();
        fields.extend(OutlierRules::fields());
        fields.push(Field::new(KMEANS_COLUMN, DataType::Int32, false));
        fields.push(Field::new("kmeans_distance", DataType::Float64, false));
        for labels in labels.iter().take(self.labels) {
            let schema = part_schema(&runtime, labels).await?;
            fields.extend(
                schema.fields().iter().filter(|field| field.name() != ROW_COLUMN).map(|field| field.as_ref().clone()),
            );
        }
        let schema = Arc::new(Schema::new(fields));
        let mut writer = PartWriter::create(&runtime, &self.prefix, first.index, Arc::clone(&schema))?;
        let mut aside = vec![BTreeMap::new(); 1 + self.labels];
        for (i, group) in inputs.chunks(2 + self.labels).enumerate() {
            let is_aside = i > 0 || !self.has_fitted;
            let counted = if is_aside { Some(&mut aside) } else { None };
            self.write(group, context, &schema, &mut writer, counted).await?;
        }
        Ok(Assigned { part: writer.finish().await?, aside })
    }
}

impl Assign {
    /// Writes the rows of one group of parts. Those of a group that was set aside are counted by cluster.
    async fn write(
        &self,
        inputs: &[Part],
        context: &Arc<TaskContext>,
        schema: &SchemaRef,
        writer: &mut PartWriter,
        mut counted: Option<&mut Vec<BTreeMap<i32, u64>>>,
    ) -> Result<()> {
        let [kept, prepared, labels @ ..] = inputs else {
            return Err(EngineError::job("a task of groups of parts was given a part of a group"));
        };
        let runtime = context.runtime_env();
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
            let cut = if counted.is_some() || self.fits_outliers {
                values.clear();
                append_rows(&batch, &self.features, &mut values)?;
                self.outliers.cut(&values)
            } else {
                vec![None; batch.num_rows()]
            };
            if let Some(counted) = &mut counted {
                clusters.iter().for_each(|cluster| *counted[0].entry(*cluster).or_default() += 1);
                for (counted, labels) in counted[1..].iter_mut().zip(&labels) {
                    // The clusters come first.
                    let clusters =
                        without_rows(labels).first().and_then(|column| column.as_primitive_opt::<Int32Type>().cloned());
                    let clusters = clusters.ok_or_else(|| EngineError::job("labels without clusters"))?;
                    clusters.values().iter().for_each(|cluster| *counted.entry(*cluster).or_default() += 1);
                }
            }
            let mut columns = without_rows(&batch);
            columns.extend(self.outliers.columns(&cut));
            columns.push(Arc::new(Int32Array::from(clusters)));
            columns.push(Arc::new(Float64Array::from(distances)));
            columns.extend(labels.iter().flat_map(without_rows));
            let assigned = RecordBatch::try_new(Arc::clone(schema), columns).map_err(DataFusionError::from)?;
            writer.write(&assigned).await?;
        }
        Ok(())
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
