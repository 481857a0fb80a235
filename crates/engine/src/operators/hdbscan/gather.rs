//! [`Gather`]: writes the rows that a shuffle brought together.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Float64Array, RecordBatch, UInt64Array};
use arrow::datatypes::{Field, Schema, UInt32Type};
use datafusion::common::{DataFusionError, Result as DataFusionResult};
use datafusion::execution::memory_pool::MemoryConsumer;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::metrics::BaselineMetrics;
use futures::{StreamExt, TryStreamExt};
use segmenta_algorithms::hdbscan::collapse::{TooHeavy, collapse};
use segmenta_algorithms::rows::{Rows, matrix};
use segmenta_algorithms::spatial_tree::SpatialTree;
use segmenta_algorithms::with_dimensions;
use serde::{Deserialize, Serialize};

use super::super::operator::{Operator, Output};
use super::super::{PART_COLUMN, encode, result_batch};
use super::cell::{CellBounds, CellPoints, u32s, write_columns};
use super::columns::POINT_COLUMN;
use crate::artifact::{Part, PartWriter, ROW_COLUMN, WEIGHT_COLUMN, append_rows, row_ids};
use crate::error::{EngineError, Result};
use crate::progress::Progress;

/// Writes its input, sorted by ([`PART_COLUMN`], row id), one target after the other. An input partition may hold any
/// targets, as long as it holds each of them whole.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Gather {
    /// A cell's rows, collapsed to weighted points, in tree order. Holds a cell: about `24 d + 64` bytes a row.
    Cells {
        /// URL to write under, ending in `/`.
        prefix: String,
        /// Features, in order.
        features: Vec<String>,
        /// Side of the grid whose cells become points; 0 to collapse equal rows only.
        resolution: f64,
    },
    /// A part's rows as they are. Holds a row group.
    Rows {
        /// URL to write under, ending in `/`.
        prefix: String,
    },
}

/// What was written of a cell or part.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Gathered {
    /// Of a cell.
    Cell(CellPoints),
    /// Of a part.
    Rows(Part),
}

impl Operator for Gather {
    const NAME: &'static str = "GatherExec";

    fn describe(&self) -> String {
        match self {
            Self::Cells { prefix, .. } => format!("cells, prefix={prefix}"),
            Self::Rows { prefix } => format!("rows, prefix={prefix}"),
        }
    }

    fn run(
        self: Arc<Self>,
        input: SendableRecordBatchStream,
        context: Arc<TaskContext>,
        metrics: BaselineMetrics,
    ) -> Output {
        let written = async move {
            let written = gather(&self, input, &context).await?;
            metrics.record_output(written.len());
            let batches: Vec<DataFusionResult<RecordBatch>> =
                written.iter().map(|(index, gathered)| result_batch(*index, &encode(gathered)?)).collect();
            Ok::<_, DataFusionError>(futures::stream::iter(batches))
        };
        futures::stream::once(written).try_flatten().boxed()
    }
}

#[derive(Default)]
struct CellRows {
    index: u32,
    ids: Vec<u64>,
    values: Vec<f64>,
    /// Empty when the rows have no weights.
    weights: Vec<u32>,
}

/// The target that is being gathered.
enum Open {
    Cell(CellRows),
    Rows(Box<PartWriter>),
}

async fn gather(
    settings: &Gather,
    mut input: SendableRecordBatchStream,
    context: &Arc<TaskContext>,
) -> Result<Vec<(u32, Gathered)>> {
    let mut done = Vec::new();
    let mut open: Option<(u32, Open)> = None;
    while let Some(batch) = input.next().await {
        let batch = batch?;
        Progress::add_rows(context, batch.num_rows() as u64);
        let targets = batch
            .column_by_name(PART_COLUMN)
            .ok_or_else(|| EngineError::job(format!("the plan lost the column {PART_COLUMN}")))?
            .as_primitive::<UInt32Type>()
            .values()
            .to_vec();
        let mut start = 0;
        for run in targets.chunk_by(|a, b| a == b) {
            let rows = batch.slice(start, run.len());
            start += run.len();
            if open.as_ref().is_none_or(|(index, _)| *index != run[0]) {
                if let Some((index, open)) = open.take() {
                    done.push((index, finish(settings, open, context).await?));
                }
                open = Some((run[0], begin(settings, run[0], &rows, context)?));
            }
            match (&mut open, settings) {
                (Some((_, Open::Cell(cell))), Gather::Cells { features, .. }) => {
                    cell.ids.extend_from_slice(row_ids(&rows)?);
                    append_rows(&rows, features, &mut cell.values)?;
                    if let Some(weights) = rows.column_by_name(WEIGHT_COLUMN) {
                        cell.weights.extend_from_slice(weights.as_primitive::<UInt32Type>().values());
                    }
                }
                (Some((_, Open::Rows(writer))), _) => writer.write(&without_target(&rows)?).await?,
                _ => return Err(EngineError::job("rows were gathered for nothing")),
            }
        }
    }
    if let Some((index, open)) = open {
        done.push((index, finish(settings, open, context).await?));
    }
    Ok(done)
}

fn without_target(rows: &RecordBatch) -> Result<RecordBatch> {
    let kept: Vec<usize> = (0..rows.num_columns()).filter(|i| rows.schema().field(*i).name() != PART_COLUMN).collect();
    Ok(rows.project(&kept).map_err(DataFusionError::from)?)
}

fn begin(settings: &Gather, index: u32, rows: &RecordBatch, context: &TaskContext) -> Result<Open> {
    Ok(match settings {
        Gather::Cells { .. } => Open::Cell(CellRows { index, ..CellRows::default() }),
        Gather::Rows { prefix } => {
            let fields: Vec<Field> = rows
                .schema()
                .fields()
                .iter()
                .filter(|field| field.name() != PART_COLUMN)
                .map(|field| field.as_ref().clone())
                .collect();
            let schema = Arc::new(Schema::new(fields));
            Open::Rows(Box::new(PartWriter::create(&context.runtime_env(), prefix, index, schema)?))
        }
    })
}

async fn finish(settings: &Gather, open: Open, context: &TaskContext) -> Result<Gathered> {
    match (open, settings) {
        (Open::Rows(writer), _) => Ok(Gathered::Rows(writer.finish().await?)),
        (Open::Cell(cell), Gather::Cells { prefix, features, resolution }) => {
            let reservation = MemoryConsumer::new("segmenta gathered cell").register(context.memory_pool());
            reservation.try_grow(cell.ids.len() * (24 * features.len() + 64))?;
            let settings = CellSettings { prefix, features, resolution: *resolution };
            let cell = with_dimensions!(features.len(), D => write_cell::<D>(&settings, cell, context).await)?;
            Ok(Gathered::Cell(cell))
        }
        (Open::Cell(_), Gather::Rows { .. }) => Err(EngineError::job("a cell was gathered for nothing")),
    }
}

struct CellSettings<'a> {
    prefix: &'a str,
    features: &'a [String],
    resolution: f64,
}

async fn write_cell<const D: usize>(
    settings: &CellSettings<'_>,
    cell: CellRows,
    context: &TaskContext,
) -> Result<CellPoints> {
    let runtime = context.runtime_env();
    let CellRows { index, ids, values, weights } = cell;
    let rows = matrix(values, settings.features.len());
    let weights = (!weights.is_empty()).then_some(weights.as_slice());
    let collapsed = collapse::<D>(&rows, &ids, weights, settings.resolution).map_err(|TooHeavy { weight }| {
        EngineError::input(format!(
            "hdbscan.resolution: a point would stand for {weight} customers, and {} is the most that one can; set a \
             finer resolution, or lower the weights",
            u32::MAX
        ))
    })?;
    let (tree, order) = SpatialTree::<D>::build(&collapsed.points, 1);
    let mut place = vec![0; order.len()];
    order.iter().zip(0..).for_each(|(point, i)| place[*point as usize] = i);
    let in_order = |i: &u32| *i as usize;
    let mut columns: Vec<(&str, ArrayRef)> = vec![
        (ROW_COLUMN, Arc::new(order.iter().map(|i| collapsed.ids[in_order(i)]).collect::<UInt64Array>())),
        (WEIGHT_COLUMN, u32s(order.iter().map(|i| collapsed.weights[in_order(i)]).collect())),
    ];
    for (j, name) in settings.features.iter().enumerate() {
        let column: Float64Array = order.iter().map(|i| collapsed.points.row_slice(in_order(i))[j]).collect();
        columns.push((name, Arc::new(column)));
    }
    let points = write_columns(&runtime, &format!("{}points/", settings.prefix), index, columns).await?;
    let point_of_row = collapsed.point_of_row.iter().map(|point| place[in_order(point)]).collect();
    let columns: Vec<(&str, ArrayRef)> =
        vec![(ROW_COLUMN, Arc::new(UInt64Array::from(ids))), (POINT_COLUMN, u32s(point_of_row))];
    let rows = write_columns(&runtime, &format!("{}rows/", settings.prefix), index, columns).await?;
    Ok(CellPoints {
        points,
        rows,
        is_weighted: collapsed.weights.iter().any(|weight| *weight != 1),
        weight: collapsed.weights.iter().map(|weight| u64::from(*weight)).sum(),
        bounds: CellBounds::of(&tree.bounds(), settings.features.len()),
        squared_shift: collapsed.squared_shift,
    })
}
