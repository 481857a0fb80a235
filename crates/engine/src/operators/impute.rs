//! Fills missing cells, by nearest neighbours or with a value for each feature.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::array::{ArrayRef, BooleanArray, Float64Array, RecordBatch};
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::common::DataFusionError;
use datafusion::execution::TaskContext;
use datafusion::execution::memory_pool::MemoryConsumer;
use futures::StreamExt;
use segmenta_algorithms::imputation::{KnnImputer, NeighborWeights, pattern};
use segmenta_algorithms::matrix::Matrix;
use segmenta_algorithms::sums::Bounds;
use serde::{Deserialize, Serialize};

use super::{PartTask, only};
use crate::artifact::{Part, PartWriter, append_rows, part_schema, read_part, row_ids};
use crate::error::Result;
use crate::store::{PartitionStore, StoreKey};

/// The donors of a nearest-neighbour imputation, and how it goes about it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct DonorSet {
    /// Parts with their row ids and features (see [`super::DrawDonors`]).
    pub parts: Vec<Part>,
    /// Number of neighbours.
    pub neighbors: usize,
    /// Their weights.
    pub weights: NeighborWeights,
}

impl DonorSet {
    /// Number of donors.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.parts.iter().map(|part| part.rows).sum()
    }

    /// The imputer of this worker: made by the first task, shared by the others. `fill` has a value for each of `features`, where there is
    /// no donor.
    pub(super) async fn imputer(
        &self,
        features: &[String],
        fill: &[f64],
        context: &TaskContext,
    ) -> Result<Arc<KnnImputer>> {
        let store = PartitionStore::of(context)?;
        let fill_bits: Vec<u64> = fill.iter().map(|value| value.to_bits()).collect();
        let settings = (self.neighbors, self.weights, fill_bits);
        let made = format!("imputer#{settings:x?}#{}", features.join("\u{1f}"));
        let imputer = store
            .get_or_load(&StoreKey::of_all(&self.parts, &made), async {
                let d = features.len();
                let bytes = KnnImputer::bytes(self.rows() as usize, d);
                let reservation = MemoryConsumer::new("segmenta donors").register(context.memory_pool());
                reservation.try_grow(bytes)?;
                let (mut values, mut ids) = (Vec::new(), Vec::new());
                for part in &self.parts {
                    let mut batches = read_part(&context.runtime_env(), part, None).await?;
                    while let Some(batch) = batches.next().await {
                        let batch = batch?;
                        append_rows(&batch, features, &mut values)?;
                        ids.extend_from_slice(row_ids(&batch)?);
                    }
                }
                let rows = Matrix::new(values, d);
                let imputer = KnnImputer::new(&rows, &ids, self.neighbors, self.weights, fill.to_vec());
                Ok((imputer, bytes))
            })
            .await?;
        Ok(imputer)
    }
}

/// Writes a part with its missing cells filled and a flag `<feature>_imputed` a feature. Streams the part; with donors,
/// a worker holds them once for all its tasks (see [`KnnImputer::bytes`]), in the partition store.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Impute {
    /// URL to write under.
    pub prefix: String,
    /// Features, in order.
    pub features: Vec<String>,
    /// Nearest neighbours; without it, cells are filled from `fill`.
    pub donors: Option<DonorSet>,
    /// A value for each feature: where there is no donor, or for all missing cells.
    pub fill: Vec<f64>,
}

/// What the driver gets back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Imputed {
    /// The file.
    pub part: Part,
    /// A feature each.
    pub features: Vec<ImputedFeature>,
}

/// What became of a feature.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct ImputedFeature {
    /// Cells filled.
    pub filled: u64,
    /// Bounds of all its cells now.
    pub bounds: Bounds,
}

impl ImputedFeature {
    /// Adds the cells of another part.
    pub fn merge(&mut self, other: &Self) {
        self.filled += other.filled;
        self.bounds.merge(&other.bounds);
    }
}

/// Fills the missing cells of a row, by nearest neighbours where there is an imputer, and returns their mask.
pub(super) fn fill_row(row: &mut [f64], imputer: Option<&KnnImputer>, fill: &[f64]) -> u64 {
    if let Some(imputer) = imputer {
        return imputer.impute(row);
    }
    let has = pattern(row);
    let mut mask = 0;
    for (j, cell) in row.iter_mut().enumerate().filter(|(j, _)| has >> j & 1 == 0) {
        *cell = fill[j];
        mask |= 1 << j;
    }
    mask
}

/// The name of the column that says whether a feature was imputed.
#[must_use]
pub(crate) fn flag_column(feature: &str) -> String {
    format!("{feature}_imputed")
}

/// A batch of feature rows as it is published: no feature is null, and each has its flag. Rows that had no missing cell may not
/// have been through [`Impute`] and have neither.
pub(crate) fn with_flags(batch: &RecordBatch, features: &[String]) -> Result<RecordBatch> {
    let schema = with_flag_fields(&batch.schema(), features);
    let flags = schema.fields().len() - batch.num_columns();
    let mut columns = batch.columns().to_vec();
    let no: ArrayRef = Arc::new(BooleanArray::from(vec![false; batch.num_rows()]));
    columns.extend(std::iter::repeat_n(no, flags));
    Ok(RecordBatch::try_new(schema, columns).map_err(DataFusionError::from)?)
}

/// The schema of [`with_flags`].
pub(crate) fn with_flag_fields(schema: &Schema, features: &[String]) -> SchemaRef {
    let filled = |field: &Arc<Field>| {
        let nullable = field.is_nullable() && !features.contains(field.name());
        field.as_ref().clone().with_nullable(nullable)
    };
    let mut fields: Vec<Field> = schema.fields().iter().map(filled).collect();
    let flags = features.iter().map(|name| flag_column(name)).filter(|flag| schema.index_of(flag).is_err());
    fields.extend(flags.map(|flag| Field::new(flag, DataType::Boolean, false)));
    Arc::new(Schema::new(fields))
}

#[async_trait]
impl PartTask for Impute {
    const NAME: &'static str = "impute";
    type Output = Imputed;

    async fn run(&self, inputs: &[Part], context: &Arc<TaskContext>) -> Result<Imputed> {
        let part = only(inputs)?;
        let runtime = context.runtime_env();
        let imputer = match &self.donors {
            Some(donors) => Some(donors.imputer(&self.features, &self.fill, context).await?),
            None => None,
        };
        let input = part_schema(&runtime, part).await?;
        let schema = with_flag_fields(&input, &self.features);
        let mut writer = PartWriter::create(&runtime, &self.prefix, part.index, Arc::clone(&schema))?;
        let mut features = vec![ImputedFeature::default(); self.features.len()];
        let mut batches = read_part(&runtime, part, None).await?;
        while let Some(batch) = batches.next().await {
            let filled = self.fill_batch(&batch?, imputer.as_deref(), &schema, &mut features)?;
            writer.write(&filled).await?;
        }
        Ok(Imputed { part: writer.finish().await?, features })
    }
}

impl Impute {
    fn fill_batch(
        &self,
        batch: &RecordBatch,
        imputer: Option<&KnnImputer>,
        schema: &SchemaRef,
        features: &mut [ImputedFeature],
    ) -> Result<RecordBatch> {
        let d = self.features.len();
        let mut values = Vec::new();
        append_rows(batch, &self.features, &mut values)?;
        let mut missing = Vec::with_capacity(batch.num_rows());
        for row in values.chunks_exact_mut(d) {
            missing.push(fill_row(row, imputer, &self.fill));
        }
        let mut columns: Vec<ArrayRef> = Vec::with_capacity(schema.fields().len());
        for (field, column) in batch.schema().fields().iter().zip(batch.columns()) {
            columns.push(match self.features.iter().position(|name| name == field.name()) {
                Some(j) => Arc::new(values.iter().skip(j).step_by(d).copied().collect::<Float64Array>()) as ArrayRef,
                None => Arc::clone(column),
            });
        }
        for (j, feature) in features.iter_mut().enumerate() {
            let flags: BooleanArray = missing.iter().map(|mask| Some(mask >> j & 1 == 1)).collect();
            feature.filled += flags.true_count() as u64;
            values.iter().skip(j).step_by(d).for_each(|value| feature.bounds.include(*value));
            columns.push(Arc::new(flags));
        }
        Ok(RecordBatch::try_new(Arc::clone(schema), columns).map_err(DataFusionError::from)?)
    }
}
