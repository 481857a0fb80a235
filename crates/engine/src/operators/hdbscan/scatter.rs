//! [`Scatter`]: reads parts and says where each row belongs.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Float64Array, RecordBatch, UInt32Array, UInt64Array};
use arrow::compute::take;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, UInt32Type};
use datafusion::common::DataFusionError;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::metrics::BaselineMetrics;
use futures::{StreamExt, TryStreamExt};
use segmenta_algorithms::hdbscan::collapse::grid_key;
use segmenta_algorithms::hdbscan::space_partition::SpacePartition;
use serde::{Deserialize, Serialize};

use super::super::PART_COLUMN;
use super::super::hierarchy::HIERARCHY_COLUMN;
use super::super::map_parts::read_lists;
use super::super::operator::{Operator, Output};
use super::cell::read_columns;
use super::columns::{CLUSTER_COLUMN, POINT_COLUMN, PROBABILITY_COLUMN, SCORE_COLUMN};
use crate::artifact::{Batches, Part, ROW_COLUMN, WEIGHT_COLUMN, append_rows, part_of, read_part, row_ids};
use crate::error::{EngineError, Result};
use crate::progress::Progress;

/// Reads the parts that its input lists (see [`parts_table`](super::super::parts_table)) and emits their rows with the
/// target of each in [`PART_COLUMN`].
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Scatter {
    /// Prepared points, which go to the cells of space.
    ToCells {
        /// Features, in order.
        features: Vec<String>,
        /// The cells.
        partition: SpacePartition,
        /// Side of the grid whose cells must not be torn apart; 0 for none.
        resolution: f64,
        /// Whether the rows have a [`WEIGHT_COLUMN`].
        is_weighted: bool,
    },
    /// Labels, which go to the parts of rows. Reads a cell's rows and the labels of its points: 20 bytes a point.
    ToParts {
        /// Number of slices of the row ids.
        parts: u32,
        /// What points are labelled with.
        labels: PointLabels,
    },
}

/// What the points of cells are labelled with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum PointLabels {
    /// HDBSCAN's clusters, probabilities and outlier scores.
    Density,
    /// The clusters of a hierarchy.
    Hierarchy,
}

impl PointLabels {
    fn fields(self) -> Vec<Field> {
        match self {
            Self::Density => vec![
                Field::new(CLUSTER_COLUMN, DataType::Int32, false),
                Field::new(PROBABILITY_COLUMN, DataType::Float64, false),
                Field::new(SCORE_COLUMN, DataType::Float64, false),
            ],
            Self::Hierarchy => vec![Field::new(HIERARCHY_COLUMN, DataType::Int32, false)],
        }
    }
}

impl Scatter {
    fn columns(&self) -> SchemaRef {
        let mut fields =
            vec![Field::new(PART_COLUMN, DataType::UInt32, false), Field::new(ROW_COLUMN, DataType::UInt64, false)];
        match self {
            Self::ToCells { features, is_weighted, .. } => {
                fields.extend(features.iter().map(|name| Field::new(name, DataType::Float64, false)));
                fields.extend(is_weighted.then(|| Field::new(WEIGHT_COLUMN, DataType::UInt32, false)));
            }
            Self::ToParts { labels, .. } => fields.extend(labels.fields()),
        }
        Arc::new(Schema::new(fields))
    }

    async fn read(self, inputs: Vec<Part>, context: Arc<TaskContext>) -> Result<Batches> {
        let runtime = context.runtime_env();
        let schema = self.columns();
        match self {
            Self::ToCells { features, partition, resolution, is_weighted } => {
                let [part] = inputs.as_slice() else { return Err(misused(&inputs)) };
                let mut columns = features.clone();
                columns.push(ROW_COLUMN.to_owned());
                columns.extend(is_weighted.then(|| WEIGHT_COLUMN.to_owned()));
                let batches = read_part(&runtime, part, Some(&columns)).await?;
                Ok(batches
                    .map(move |batch| {
                        let batch = batch?;
                        Progress::add_rows(&context, batch.num_rows() as u64);
                        to_cells(&batch, &features, &partition, resolution, &schema)
                    })
                    .boxed())
            }
            Self::ToParts { parts, labels: kind } => {
                let [rows, labels] = inputs.as_slice() else { return Err(misused(&inputs)) };
                let fields = kind.fields();
                let names: Vec<&str> = fields.iter().map(|field| field.name().as_str()).collect();
                let labels = read_columns(&context, labels, &names).await?;
                let batches = read_part(&runtime, rows, None).await?;
                Ok(batches
                    .map(move |batch| {
                        let batch = batch?;
                        Progress::add_rows(&context, batch.num_rows() as u64);
                        to_parts(&batch, &labels, parts, &schema)
                    })
                    .boxed())
            }
        }
    }
}

fn misused(inputs: &[Part]) -> EngineError {
    EngineError::job(format!("a scatter was given {} parts", inputs.len()))
}

fn to_cells(
    batch: &RecordBatch,
    features: &[String],
    partition: &SpacePartition,
    resolution: f64,
    schema: &SchemaRef,
) -> Result<RecordBatch> {
    let mut values = Vec::new();
    append_rows(batch, features, &mut values)?;
    let side = if resolution > 0.0 { resolution } else { 1.0 };
    // A row goes where the corner of its grid cell goes, so that a grid cell is never split.
    let mut corner = vec![0.0; features.len()];
    let cells = values.chunks_exact(features.len()).map(|row| {
        corner.iter_mut().zip(row).for_each(|(corner, value)| *corner = grid_key(*value, resolution) * side);
        partition.cell_of(&corner)
    });
    let mut columns: Vec<ArrayRef> = vec![
        Arc::new(cells.collect::<UInt32Array>()),
        Arc::new(row_ids(batch)?.iter().copied().collect::<UInt64Array>()),
    ];
    for j in 0..features.len() {
        let column = values.iter().skip(j).step_by(features.len());
        columns.push(Arc::new(column.copied().collect::<Float64Array>()));
    }
    columns.extend(batch.column_by_name(WEIGHT_COLUMN).cloned());
    Ok(RecordBatch::try_new(Arc::clone(schema), columns).map_err(DataFusionError::from)?)
}

fn to_parts(batch: &RecordBatch, labels: &[ArrayRef], parts: u32, schema: &SchemaRef) -> Result<RecordBatch> {
    let rows = row_ids(batch)?;
    let points = batch
        .column_by_name(POINT_COLUMN)
        .ok_or_else(|| EngineError::job(format!("a batch without the column {POINT_COLUMN}")))?
        .as_primitive::<UInt32Type>()
        .values();
    let points = UInt32Array::from(points.to_vec());
    let mut columns: Vec<ArrayRef> = vec![
        Arc::new(rows.iter().map(|row| part_of(*row, parts)).collect::<UInt32Array>()),
        Arc::new(rows.iter().copied().collect::<UInt64Array>()),
    ];
    for labels in labels {
        columns.push(take(labels, &points, None).map_err(DataFusionError::from)?);
    }
    Ok(RecordBatch::try_new(Arc::clone(schema), columns).map_err(DataFusionError::from)?)
}

impl Operator for Scatter {
    const NAME: &'static str = "ScatterExec";

    fn describe(&self) -> String {
        match self {
            Self::ToCells { partition, .. } => format!("to {} cells", partition.cells()),
            Self::ToParts { parts, .. } => format!("to {parts} parts"),
        }
    }

    fn schema(&self) -> SchemaRef {
        self.columns()
    }

    fn run(
        self: Arc<Self>,
        input: SendableRecordBatchStream,
        context: Arc<TaskContext>,
        metrics: BaselineMetrics,
    ) -> Output {
        read_lists(input)
            .then(move |parts| {
                let (settings, context) = (self.as_ref().clone(), Arc::clone(&context));
                async move {
                    let rows = settings.read(parts?, context).await?;
                    Ok::<_, DataFusionError>(rows.map_err(DataFusionError::from))
                }
            })
            .try_flatten()
            .inspect_ok(move |batch| metrics.record_output(batch.num_rows()))
            .boxed()
    }
}
