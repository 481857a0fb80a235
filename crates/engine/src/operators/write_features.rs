//! [`WriteFeatures`]: the end of the extraction. Writes the rows of a shuffle as the parts of the first artifact.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float64Array, RecordBatch, UInt32Array};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Float64Type, Schema, SchemaRef, UInt32Type, UInt64Type};
use arrow::util::display::array_value_to_string;
use datafusion::common::{DataFusionError, Result as DataFusionResult};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::metrics::BaselineMetrics;
use futures::{StreamExt, TryStreamExt};
use segmenta_algorithms::missing::MissingPatterns;
use segmenta_algorithms::quantiles::{QuantileSketch, SKETCH_BITS, SketchCounter};
use segmenta_algorithms::sums::Bounds;
use serde::{Deserialize, Serialize};

use super::operator::{Operator, Output};
use super::{encode, result_batch};
use crate::artifact::{Part, PartWriter, ROW_COLUMN};
use crate::error::{EngineError, Result};
use crate::progress::Progress;

/// The column that says which part a row belongs to.
pub const PART_COLUMN: &str = "__part";

/// Writes its input, sorted by ([`PART_COLUMN`], [`ROW_COLUMN`], id columns), as one file for each part: id columns,
/// row id, features and weight. NaN and infinite cells become null and are counted. An input partition may hold any
/// parts, as long as it holds each of them whole. Fails on a null or repeated id.
///
/// Memory: one row group being encoded (131,072 rows), whatever the size of the part, and a sketch of each feature
/// ([`SketchCounter`]).
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct WriteFeatures {
    /// URL to write under, ending in `/`.
    pub prefix: String,
    /// Id columns.
    pub ids: Vec<String>,
    /// Feature columns; `Float64` in the input.
    pub features: Vec<String>,
    /// Columns that go along as they are; `Float64` in the input.
    pub beside: Vec<String>,
    /// The column with the weight of a row; `Float64` in the input, `UInt32` in the output.
    pub weight: Option<String>,
}

/// What is learnt of one feature while it is written.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct FeatureStatistics {
    /// Cells without a finite value, including NaN and infinite ones.
    pub missing: u64,
    /// Cells that were NaN, now missing.
    pub nan: u64,
    /// Cells that were infinite, now missing.
    pub infinite: u64,
    /// How the finite values are distributed.
    pub sketch: QuantileSketch,
}

impl FeatureStatistics {
    /// Adds the cells of another part.
    pub fn merge(&mut self, other: &Self) {
        self.missing += other.missing;
        self.nan += other.nan;
        self.infinite += other.infinite;
        self.sketch.merge(&other.sketch);
    }

    /// Smallest and largest finite value.
    #[must_use]
    pub fn bounds(&self) -> Bounds {
        self.sketch.bounds()
    }
}

/// What the driver gets back for each part.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FeaturesWritten {
    /// The file.
    pub part: Part,
    /// One entry for each feature.
    pub features: Vec<FeatureStatistics>,
    /// Which features are missing together in a row.
    pub patterns: MissingPatterns,
}

impl Operator for WriteFeatures {
    const NAME: &'static str = "WriteFeaturesExec";

    fn describe(&self) -> String {
        format!("prefix={}, features=[{}]", self.prefix, self.features.join(", "))
    }

    fn run(
        self: Arc<Self>,
        input: SendableRecordBatchStream,
        context: Arc<TaskContext>,
        metrics: BaselineMetrics,
    ) -> Output {
        let written = async move {
            let written = write(&self, input, &context).await?;
            metrics.record_output(written.len());
            let batches: Vec<DataFusionResult<RecordBatch>> =
                written.iter().map(|w| result_batch(w.part.index, &encode(w)?)).collect();
            Ok::<_, DataFusionError>(futures::stream::iter(batches))
        };
        futures::stream::once(written).try_flatten().boxed()
    }
}

struct OpenPart {
    index: u32,
    writer: PartWriter,
    features: Vec<FeatureStatistics>,
    sketches: Vec<SketchCounter>,
    patterns: HashMap<u64, u64>,
}

impl OpenPart {
    async fn finish(mut self) -> Result<FeaturesWritten> {
        for (feature, counter) in self.features.iter_mut().zip(&self.sketches) {
            feature.sketch = counter.finish();
        }
        let patterns = MissingPatterns::of_part(self.patterns);
        Ok(FeaturesWritten { part: self.writer.finish().await?, features: self.features, patterns })
    }
}

async fn write(
    settings: &WriteFeatures,
    mut input: SendableRecordBatchStream,
    context: &TaskContext,
) -> Result<Vec<FeaturesWritten>> {
    let runtime = context.runtime_env();
    let mut done = Vec::new();
    let mut open: Option<OpenPart> = None;
    let mut unique = UniqueIds::new(&settings.ids);
    let mut schema: Option<SchemaRef> = None;
    while let Some(batch) = input.next().await {
        let batch = batch?;
        unique.check(&batch)?;
        Progress::add_rows(context, batch.num_rows() as u64);
        let parts = column(&batch, PART_COLUMN)?.as_primitive::<UInt32Type>().values().to_vec();
        let schema = schema.get_or_insert_with(|| output_schema(settings, &batch.schema()));
        let mut start = 0;
        while start < parts.len() {
            let index = parts[start];
            let end = start + parts[start..].iter().take_while(|part| **part == index).count();
            if open.as_ref().is_none_or(|open| open.index != index) {
                if let Some(open) = open.take() {
                    done.push(open.finish().await?);
                }
                let writer = PartWriter::create(&runtime, &settings.prefix, index, Arc::clone(schema))?;
                let features = vec![FeatureStatistics::default(); settings.features.len()];
                let sketches = vec![SketchCounter::new(SKETCH_BITS); settings.features.len()];
                open = Some(OpenPart { index, writer, features, sketches, patterns: HashMap::new() });
            }
            if let Some(open) = &mut open {
                let rows = clean(settings, &batch.slice(start, end - start), schema, open)?;
                open.writer.write(&rows).await?;
            }
            start = end;
        }
    }
    if let Some(open) = open {
        done.push(open.finish().await?);
    }
    Ok(done)
}

fn output_schema(settings: &WriteFeatures, input: &Schema) -> SchemaRef {
    let mut fields: Vec<Field> = Vec::new();
    for id in &settings.ids {
        if let Ok(field) = input.field_with_name(id) {
            fields.push(Field::new(id, plain_type(field.data_type()), false));
        }
    }
    fields.push(Field::new(ROW_COLUMN, DataType::UInt64, false));
    fields.extend(settings.features.iter().map(|name| Field::new(name, DataType::Float64, true)));
    fields.extend(settings.beside.iter().map(|name| Field::new(name, DataType::Float64, true)));
    fields.extend(settings.weight.iter().map(|name| Field::new(name, DataType::UInt32, false)));
    Arc::new(Schema::new(fields))
}

/// Views and dictionaries help computing, but files hold the plain type.
fn plain_type(data_type: &DataType) -> DataType {
    match data_type {
        DataType::Utf8View => DataType::Utf8,
        DataType::BinaryView => DataType::Binary,
        DataType::Dictionary(_, value) => plain_type(value),
        other => other.clone(),
    }
}

fn column<'a>(batch: &'a RecordBatch, name: &str) -> Result<&'a ArrayRef> {
    batch.column_by_name(name).ok_or_else(|| EngineError::job(format!("the plan lost the column {name}")))
}

/// The rows as they are written: NaN and infinities become null, and everything is counted.
fn clean(
    settings: &WriteFeatures,
    batch: &RecordBatch,
    schema: &SchemaRef,
    open: &mut OpenPart,
) -> Result<RecordBatch> {
    let mut columns: Vec<ArrayRef> = Vec::with_capacity(schema.fields().len());
    for id in &settings.ids {
        let id_column = column(batch, id)?;
        columns.push(cast(id_column, &plain_type(id_column.data_type())).map_err(DataFusionError::from)?);
    }
    columns.push(Arc::clone(column(batch, ROW_COLUMN)?));
    let mut masks = vec![0_u64; batch.num_rows()];
    for (j, (name, (statistics, sketch))) in
        settings.features.iter().zip(open.features.iter_mut().zip(&mut open.sketches)).enumerate()
    {
        let values = column(batch, name)?.as_primitive::<Float64Type>();
        let cleaned: Float64Array = values
            .iter()
            .map(|value| {
                let value = value?;
                if value.is_nan() {
                    statistics.nan += 1;
                    None
                } else if value.is_infinite() {
                    statistics.infinite += 1;
                    None
                } else {
                    sketch.add(value);
                    Some(value)
                }
            })
            .collect();
        statistics.missing += cleaned.null_count() as u64;
        if cleaned.null_count() > 0 {
            masks.iter_mut().enumerate().for_each(|(i, mask)| *mask |= u64::from(cleaned.is_null(i)) << j);
        }
        columns.push(Arc::new(cleaned));
    }
    // Neighbours in a batch mostly have the same pattern, which is that nothing is missing.
    for same in masks.chunk_by(|a, b| a == b) {
        *open.patterns.entry(same[0]).or_default() += same.len() as u64;
    }
    for name in &settings.beside {
        let values = column(batch, name)?.as_primitive::<Float64Type>().iter();
        let finite = values.map(|value| value.filter(|value| value.is_finite()));
        columns.push(Arc::new(finite.collect::<Float64Array>()));
    }
    if let Some(name) = &settings.weight {
        columns.push(Arc::new(weights(settings, batch, name)?));
    }
    Ok(RecordBatch::try_new(Arc::clone(schema), columns).map_err(DataFusionError::from)?)
}

/// The weights of the rows.
fn weights(settings: &WriteFeatures, batch: &RecordBatch, name: &str) -> Result<UInt32Array> {
    let values = column(batch, name)?.as_primitive::<Float64Type>();
    let is_weight = |value: f64| value >= 1.0 && value <= f64::from(u32::MAX) && value.fract() == 0.0;
    let mut weights = Vec::with_capacity(values.len());
    for (i, value) in values.iter().enumerate() {
        match value {
            Some(value) if is_weight(value) => weights.push(value as u32),
            _ => {
                let id = UniqueIds::new(&settings.ids).describe(batch, i)?.join(", ");
                let value = value.map_or_else(|| "no value".to_owned(), |value| value.to_string());
                return Err(EngineError::input(format!(
                    "weight column `{name}`: {value} where {} = {id}; a weight is a whole number from 1 to {}",
                    settings.ids.join(", "),
                    u32::MAX
                )));
            }
        }
    }
    Ok(weights.into())
}

/// Finds a repeated id: equal ids have equal row ids, so they stand next to each other.
struct UniqueIds<'a> {
    ids: &'a [String],
    last: Option<(u64, Vec<String>)>,
}

impl<'a> UniqueIds<'a> {
    fn new(ids: &'a [String]) -> Self {
        Self { ids, last: None }
    }

    fn describe(&self, batch: &RecordBatch, row: usize) -> Result<Vec<String>> {
        let mut values = Vec::with_capacity(self.ids.len());
        for id in self.ids {
            values.push(array_value_to_string(column(batch, id)?, row).map_err(DataFusionError::from)?);
        }
        Ok(values)
    }

    fn check(&mut self, batch: &RecordBatch) -> Result<()> {
        for id in self.ids {
            let nulls = column(batch, id)?.null_count();
            if nulls > 0 {
                return Err(EngineError::input(format!(
                    "id column `{id}`: {nulls} or more rows have no id; filter them out in source.sql, for example \
                     WHERE {id} IS NOT NULL"
                )));
            }
        }
        let rows = column(batch, ROW_COLUMN)?.as_primitive::<UInt64Type>().values();
        for (i, row) in rows.iter().enumerate() {
            let repeats = if i > 0 {
                rows[i - 1] == *row && self.describe(batch, i - 1)? == self.describe(batch, i)?
            } else {
                match &self.last {
                    Some((last, ids)) => last == row && *ids == self.describe(batch, i)?,
                    None => false,
                }
            };
            if repeats {
                return Err(EngineError::input(format!(
                    "duplicate id: {} = {} occurs more than once; source.sql must give one row for each id (GROUP BY {})",
                    self.ids.join(", "),
                    self.describe(batch, i)?.join(", "),
                    self.ids.join(", "),
                )));
            }
        }
        if let Some(row) = rows.last() {
            self.last = Some((*row, self.describe(batch, rows.len() - 1)?));
        }
        Ok(())
    }
}
