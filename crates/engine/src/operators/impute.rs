//! Fills missing cells from nearest neighbours or with a value for each feature.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Float64Array, RecordBatch};
use arrow::compute::concat_batches;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::common::DataFusionError;
use datafusion::execution::TaskContext;
use futures::StreamExt;
use segmenta_algorithms::imputation::{KnnImputer, pattern};
use segmenta_algorithms::quantiles::{QuantileSketch, SKETCH_BITS, SketchCounter};
use serde::{Deserialize, Serialize};

use super::search_donors::{NearestReader, ROWS_AT_ONCE};
use super::{DonorSearch, DonorSet, PartTask};
use crate::artifact::{Part, PartWriter, append_rows, part_schema, read_part};
use crate::error::{EngineError, Result};

/// How missing cells are filled.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Filling {
    /// Nearest neighbours, which fill some of the features.
    pub donors: Option<DonorSet>,
    /// Those features, as a bit mask.
    pub by_neighbors: u64,
    /// A value for each feature, used where there is no donor, or for all missing cells.
    pub values: Vec<f64>,
}

impl Filling {
    /// With the donors loaded.
    pub(super) async fn filler(&self, features: &[String], context: &TaskContext) -> Result<Filler<'_>> {
        let imputer = match &self.donors {
            Some(donors) => Some(donors.imputer(features, context).await?),
            None => None,
        };
        Ok(Filler { filling: self, imputer })
    }
}

/// Fills rows.
pub(super) struct Filler<'a> {
    filling: &'a Filling,
    imputer: Option<Arc<KnnImputer>>,
}

impl Filler<'_> {
    /// Fills the missing cells of row-major rows, and returns their mask for each row.
    pub(super) fn fill(&self, rows: &mut [f64]) -> Vec<u64> {
        match &self.imputer {
            Some(imputer) if self.filling.by_neighbors == u64::MAX => imputer.impute(rows, &self.filling.values),
            Some(imputer) => {
                let masks = imputer.impute(rows, &self.filling.values);
                self.filling.overwrite(rows, &masks);
                masks
            }
            None => {
                let d = self.filling.values.len();
                let all = u64::MAX >> (64 - d);
                let masks: Vec<u64> = rows.chunks_exact(d).map(|row| !pattern(row) & all).collect();
                self.filling.put_values(rows, &masks, all);
                masks
            }
        }
    }
}

impl Filling {
    /// Features that are not filled by neighbours get their value, even where neighbours gave one.
    fn overwrite(&self, rows: &mut [f64], masks: &[u64]) {
        self.put_values(rows, masks, !self.by_neighbors);
    }

    fn put_values(&self, rows: &mut [f64], masks: &[u64], features: u64) {
        for (row, mask) in rows.chunks_exact_mut(self.values.len()).zip(masks) {
            let mut left = mask & features;
            while left != 0 {
                let j = left.trailing_zeros() as usize;
                row[j] = self.values[j];
                left &= left - 1;
            }
        }
    }
}

/// Writes a part with its missing cells filled and a flag `<feature>_imputed` for each feature. Holds 131,072 rows, and
/// a sketch of each feature ([`SketchCounter`]). With donors, a worker holds these once for all its tasks, in the
/// partition store (see [`KnnImputer::most_bytes`]). If the part comes with objects that [`super::SearchDonors`] wrote,
/// these hold its neighbours.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Impute {
    /// URL to write under.
    pub prefix: String,
    /// Features, in order.
    pub features: Vec<String>,
    /// How cells are filled.
    pub filling: Filling,
}

/// What the driver gets back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Imputed {
    /// The file.
    pub part: Part,
    /// One entry for each feature.
    pub features: Vec<ImputedFeature>,
}

/// What became of a feature.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ImputedFeature {
    /// Cells filled.
    pub filled: u64,
    /// How all its cells are distributed now.
    pub sketch: QuantileSketch,
}

impl ImputedFeature {
    /// Adds the cells of another part.
    pub fn merge(&mut self, other: &Self) {
        self.filled += other.filled;
        self.sketch.merge(&other.sketch);
    }
}

/// The name of the column that says whether a feature was imputed.
#[must_use]
pub(crate) fn flag_column(feature: &str) -> String {
    format!("{feature}_imputed")
}

/// A batch of feature rows as it is published: no feature is null, and each has its flag. Rows without missing cells
/// may have skipped [`Impute`], and then their features are nullable and have no flags.
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
        let [part, found @ ..] = inputs else {
            return Err(EngineError::job("a task of one part was given none"));
        };
        let runtime = context.runtime_env();
        let mut cells = if found.is_empty() {
            Cells::Fill(self.filling.filler(&self.features, context).await?)
        } else {
            let donors = self.filling.donors.as_ref();
            let donors =
                donors.ok_or_else(|| EngineError::job("neighbours are given, but not how they were searched"))?;
            Cells::Take(NearestReader::open(&runtime, found).await?, &donors.search)
        };
        let input = part_schema(&runtime, part).await?;
        let schema = with_flag_fields(&input, &self.features);
        let mut writer = PartWriter::create(&runtime, &self.prefix, part.index, Arc::clone(&schema))?;
        let mut filled_counts = vec![0; self.features.len()];
        let mut sketches = vec![SketchCounter::new(SKETCH_BITS); self.features.len()];
        let mut batches = read_part(&runtime, part, None).await?;
        let mut waiting: Vec<RecordBatch> = vec![];
        loop {
            let next = batches.next().await.transpose()?;
            let is_last = next.is_none();
            waiting.extend(next);
            let rows: usize = waiting.iter().map(RecordBatch::num_rows).sum();
            if rows >= ROWS_AT_ONCE || (is_last && rows > 0) {
                let batch = concat_batches(&input, &waiting).map_err(DataFusionError::from)?;
                waiting.clear();
                let mut values = Vec::new();
                append_rows(&batch, &self.features, &mut values)?;
                let masks = match &mut cells {
                    Cells::Fill(filler) => filler.fill(&mut values),
                    Cells::Take(nearest, search) => {
                        let nearest = nearest.next()?;
                        let masks = nearest.fill(&mut values, &self.filling.values, search.weights, &search.bounds);
                        self.filling.overwrite(&mut values, &masks);
                        masks
                    }
                };
                let filled = self.filled_batch(&batch, &values, &masks, &schema)?;
                for (j, sketch) in sketches.iter_mut().enumerate() {
                    filled_counts[j] += masks.iter().filter(|mask| **mask >> j & 1 == 1).count() as u64;
                    sketch.add_column(&values, self.features.len(), j);
                }
                writer.write(&filled).await?;
            }
            if is_last {
                break;
            }
        }
        let of_feature = |(filled, sketch): (u64, &SketchCounter)| ImputedFeature { filled, sketch: sketch.finish() };
        let features = filled_counts.into_iter().zip(&sketches).map(of_feature).collect();
        Ok(Imputed { part: writer.finish().await?, features })
    }
}

/// Where the values of missing cells come from.
enum Cells<'a> {
    /// A filler.
    Fill(Filler<'a>),
    /// Neighbours that [`super::SearchDonors`] has found.
    Take(NearestReader, &'a DonorSearch),
}

impl Impute {
    /// A batch with the features in their filled form, and their flags.
    fn filled_batch(
        &self,
        batch: &RecordBatch,
        values: &[f64],
        masks: &[u64],
        schema: &SchemaRef,
    ) -> Result<RecordBatch> {
        let d = self.features.len();
        let mut columns: Vec<ArrayRef> = Vec::with_capacity(schema.fields().len());
        for (field, column) in batch.schema().fields().iter().zip(batch.columns()) {
            columns.push(match self.features.iter().position(|name| name == field.name()) {
                Some(j) => Arc::new(values.iter().skip(j).step_by(d).copied().collect::<Float64Array>()) as ArrayRef,
                None => Arc::clone(column),
            });
        }
        for j in 0..d {
            let flags: BooleanArray = masks.iter().map(|mask| Some(mask >> j & 1 == 1)).collect();
            columns.push(Arc::new(flags));
        }
        Ok(RecordBatch::try_new(Arc::clone(schema), columns).map_err(DataFusionError::from)?)
    }
}
