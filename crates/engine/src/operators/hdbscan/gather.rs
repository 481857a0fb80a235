//! [`GatherExec`]: writes the rows that a shuffle brought together.

use std::fmt;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Float64Array, RecordBatch, UInt64Array};
use arrow::datatypes::{Field, Schema, UInt32Type};
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{DataFusionError, Result as DataFusionResult};
use datafusion::execution::memory_pool::MemoryConsumer;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};
use futures::{StreamExt, TryStreamExt};
use segmenta_algorithms::hdbscan::collapse::{TooHeavy, collapse};
use segmenta_algorithms::matrix::Matrix;
use segmenta_algorithms::spatial_tree::SpatialTree;
use segmenta_algorithms::with_dimensions;
use serde::{Deserialize, Serialize};

use super::super::map_parts::result_properties;
use super::super::{PART_COLUMN, encode, only_child, result_batch, result_schema};
use super::cell::{CellBounds, CellPoints, u32s, write_columns};
use super::columns::POINT_COLUMN;
use crate::artifact::{Part, PartWriter, ROW_COLUMN, WEIGHT_COLUMN, append_rows, row_ids};
use crate::error::{EngineError, Result};
use crate::progress::{Progress, observed};

/// What is written.
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

/// Writes its input, sorted by ([`PART_COLUMN`], row id), target by target. Which targets an input partition holds does not
/// matter as long as it holds them whole.
#[derive(Debug)]
pub struct GatherExec {
    settings: Gather,
    input: Arc<dyn ExecutionPlan>,
    properties: Arc<PlanProperties>,
}

impl GatherExec {
    /// Gathers `input`.
    #[must_use]
    pub fn new(settings: Gather, input: Arc<dyn ExecutionPlan>) -> Self {
        let properties = result_properties(&input);
        Self { settings, input, properties }
    }

    /// Its settings.
    #[must_use]
    pub fn settings(&self) -> &Gather {
        &self.settings
    }
}

impl DisplayAs for GatherExec {
    fn fmt_as(&self, _t: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.settings {
            Gather::Cells { prefix, .. } => write!(f, "GatherExec: cells, prefix={prefix}"),
            Gather::Rows { prefix } => write!(f, "GatherExec: rows, prefix={prefix}"),
        }
    }
}

impl ExecutionPlan for GatherExec {
    fn name(&self) -> &'static str {
        "GatherExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn apply_expressions(
        &self,
        _f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> DataFusionResult<TreeNodeRecursion>,
    ) -> DataFusionResult<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> DataFusionResult<Arc<dyn ExecutionPlan>> {
        let input = only_child(self.name(), children)?;
        Ok(Arc::new(Self::new(self.settings.clone(), input)))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> DataFusionResult<SendableRecordBatchStream> {
        let input = self.input.execute(partition, Arc::clone(&context))?;
        let (settings, of_task) = (self.settings.clone(), Arc::clone(&context));
        let written = async move {
            let written = gather(&settings, input, &context).await?;
            let batches: Vec<DataFusionResult<RecordBatch>> =
                written.iter().map(|(index, gathered)| result_batch(*index, &encode(gathered)?)).collect();
            Ok::<_, DataFusionError>(futures::stream::iter(batches))
        };
        let stream = futures::stream::once(written).try_flatten();
        let stream = Box::pin(RecordBatchStreamAdapter::new(result_schema(), stream));
        Ok(observed(self.name(), partition, &of_task, stream))
    }
}

#[derive(Default)]
struct CellRows {
    index: u32,
    ids: Vec<u64>,
    values: Vec<f64>,
    /// Empty where the rows have none.
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
    let rows = Matrix::new(values, settings.features.len());
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
        let column: Float64Array = order.iter().map(|i| collapsed.points.row(in_order(i))[j]).collect();
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
