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

use super::{PartTask, RowSample, only};
use crate::artifact::{Part, PartWriter, append_rows, part_schema, read_part, row_ids};
use crate::error::Result;
use crate::store::PartitionStore;

/// Where the donors of the nearest-neighbour imputation come from.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct DonorSet {
    /// The parts of the whole feature table.
    pub parts: Vec<Part>,
    /// The rows of them that are donors.
    pub sample: RowSample,
    /// How many donors that is, about.
    pub rows: u64,
    /// Number of neighbours.
    pub neighbors: usize,
    /// Their weights.
    pub weights: NeighborWeights,
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

/// The name of the column that says whether a feature was imputed.
#[must_use]
pub(crate) fn flag_column(feature: &str) -> String {
    format!("{feature}_imputed")
}

#[async_trait]
impl PartTask for Impute {
    const NAME: &'static str = "impute";
    type Output = Imputed;

    async fn run(&self, inputs: &[Part], context: &Arc<TaskContext>) -> Result<Imputed> {
        let part = only(inputs)?;
        let runtime = context.runtime_env();
        let imputer = match &self.donors {
            Some(donors) => Some(self.imputer(donors, context).await?),
            None => None,
        };
        let input = part_schema(&runtime, part).await?;
        let schema = self.output_schema(&input);
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
    /// The imputer of this worker: made by the first task, shared by the others.
    async fn imputer(&self, donors: &DonorSet, context: &Arc<TaskContext>) -> Result<Arc<KnnImputer>> {
        let store = PartitionStore::of(context)?;
        let checksums: Vec<&str> = donors.parts.iter().map(|part| part.sha256.as_str()).collect();
        let key = format!(
            "imputer#{}#{:?}#{}#{:?}#{}",
            checksums.join(","),
            donors.sample,
            donors.neighbors,
            donors.weights,
            self.features.join("\u{1f}")
        );
        let imputer = store
            .get_or_load(&key, async {
                let d = self.features.len();
                let bytes = KnnImputer::bytes(donors.rows as usize, d);
                let reservation = MemoryConsumer::new("segmenta donors").register(context.memory_pool());
                reservation.try_grow(bytes)?;
                let (mut values, mut ids) = (Vec::new(), Vec::new());
                for part in &donors.parts {
                    let mut batches = read_part(&context.runtime_env(), part, None).await?;
                    while let Some(batch) = batches.next().await {
                        let batch = batch?;
                        let mut rows = Vec::new();
                        append_rows(&batch, &self.features, &mut rows)?;
                        for (row, id) in rows.chunks_exact(d).zip(row_ids(&batch)?) {
                            if donors.sample.holds(*id) {
                                values.extend_from_slice(row);
                                ids.push(*id);
                            }
                        }
                    }
                }
                let rows = Matrix::new(values, d);
                let imputer = KnnImputer::new(&rows, &ids, donors.neighbors, donors.weights, self.fill.clone());
                Ok((imputer, bytes))
            })
            .await?;
        Ok(imputer)
    }

    fn output_schema(&self, input: &Schema) -> SchemaRef {
        let mut fields: Vec<Field> = input
            .fields()
            .iter()
            .map(|field| {
                let nullable = field.is_nullable() && !self.features.contains(field.name());
                field.as_ref().clone().with_nullable(nullable)
            })
            .collect();
        fields.extend(self.features.iter().map(|name| Field::new(flag_column(name), DataType::Boolean, false)));
        Arc::new(Schema::new(fields))
    }

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
            missing.push(match imputer {
                Some(imputer) => imputer.impute(row),
                None => {
                    let has = pattern(row);
                    let mut mask = 0;
                    for (j, cell) in row.iter_mut().enumerate().filter(|(j, _)| has >> j & 1 == 0) {
                        *cell = self.fill[j];
                        mask |= 1 << j;
                    }
                    mask
                }
            });
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
