//! Cells: what is written for each and how it is loaded.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float64Array, Int32Array, RecordBatch, UInt32Array};
use arrow::compute::concat;
use arrow::datatypes::{Field, Float64Type, Schema, UInt32Type, UInt64Type};
use datafusion::common::DataFusionError;
use datafusion::execution::TaskContext;
use datafusion::execution::memory_pool::MemoryConsumer;
use datafusion::execution::runtime_env::RuntimeEnv;
use futures::StreamExt;
use segmenta_algorithms::hdbscan::membership::Membership;
use segmenta_algorithms::spatial_tree::{BoundingBox, SpatialTree};
use serde::{Deserialize, Serialize};

use super::columns::{
    CLUSTER_COLUMN, CORE_COLUMN, FRAGMENT_COLUMN, HEIGHT_COLUMN, NODE_COLUMN, PROBABILITY_COLUMN, SCORE_COLUMN,
};
use crate::artifact::{Part, PartWriter, ROW_COLUMN, WEIGHT_COLUMN, read_part};
use crate::error::{EngineError, Result};
use crate::store::{PartitionStore, StoreKey};

/// A cell's points, written in tree order: id (the least row id of its rows), weight, coordinates.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CellPoints {
    /// The points; its index is the cell's.
    pub points: Part,
    /// The rows of the cell: row id, and the point it was collapsed to.
    pub rows: Part,
    /// True when a point stands for several rows.
    pub is_weighted: bool,
    /// Sum of the weights.
    pub weight: u64,
    /// The box around the points.
    pub bounds: CellBounds,
    /// The largest squared distance of a row to its point.
    pub squared_shift: f64,
}

/// A box, a value for each feature.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CellBounds {
    /// Smallest coordinates.
    pub low: Vec<f64>,
    /// Largest coordinates.
    pub high: Vec<f64>,
}

impl CellBounds {
    pub(super) fn of<const D: usize>(bounds: &BoundingBox<D>, columns: usize) -> Self {
        Self { low: bounds.low[..columns].to_vec(), high: bounds.high[..columns].to_vec() }
    }

    pub(super) fn to_box<const D: usize>(&self) -> BoundingBox<D> {
        let mut bounds = BoundingBox { low: [0.0; D], high: [0.0; D] };
        bounds.low.iter_mut().zip(&self.low).for_each(|(low, value)| *low = *value);
        bounds.high.iter_mut().zip(&self.high).for_each(|(high, value)| *high = *value);
        bounds
    }
}

/// A cell in memory: `10 D + 12` bytes a point.
#[derive(Debug)]
pub(super) struct Cell<const D: usize> {
    pub(super) tree: SpatialTree<D>,
    /// In tree order.
    pub(super) ids: Vec<u64>,
    /// In tree order; `None` when all are 1.
    pub(super) weights: Option<Vec<u32>>,
}

/// Loads a cell through the process's partition store.
pub(super) async fn load_cell<const D: usize>(
    context: &TaskContext,
    part: &Part,
    features: &[String],
) -> Result<Arc<Cell<D>>> {
    let store = PartitionStore::of(context)?;
    let key = StoreKey::of(part, "cell");
    let cell = store
        .get_or_load(&key, async {
            let cell = decode_cell::<D>(context, part, features).await?;
            let weights = cell.weights.as_ref().map_or(0, Vec::capacity);
            let bytes = cell.tree.bytes() + cell.ids.capacity() * 8 + weights * 4;
            Ok((cell, bytes))
        })
        .await?;
    Ok(cell)
}

async fn decode_cell<const D: usize>(context: &TaskContext, part: &Part, features: &[String]) -> Result<Cell<D>> {
    let reservation = MemoryConsumer::new("segmenta cell").register(context.memory_pool());
    reservation.try_grow(part.rows as usize * (18 * D + 24))?;
    let mut names = vec![ROW_COLUMN, WEIGHT_COLUMN];
    names.extend(features.iter().map(String::as_str));
    let columns = read_columns(context, part, &names).await?;
    let ids = columns[0].as_primitive::<UInt64Type>().values().to_vec();
    let weights = columns[1].as_primitive::<UInt32Type>().values();
    let weights = weights.iter().any(|weight| *weight != 1).then(|| weights.to_vec());
    let coordinates: Vec<&[f64]> =
        columns[2..].iter().map(|column| column.as_primitive::<Float64Type>().values().as_ref()).collect();
    let points = (0..ids.len()).map(|i| {
        let mut point = [0.0; D];
        point.iter_mut().zip(&coordinates).for_each(|(value, column)| *value = column[i]);
        point
    });
    Ok(Cell { tree: SpatialTree::from_tree_order(ids.len(), points), ids, weights })
}

/// Core distances and fragments of a cell's points, in memory: 12 bytes a point.
#[derive(Debug)]
pub(super) struct Cores {
    pub(super) squared_core: Vec<f64>,
    pub(super) fragment: Vec<u32>,
}

/// Loads them through the process's partition store.
pub(super) async fn load_cores(context: &TaskContext, part: &Part) -> Result<Arc<Cores>> {
    let store = PartitionStore::of(context)?;
    let key = StoreKey::of(part, "cores");
    let cores = store
        .get_or_load(&key, async {
            let columns = read_columns(context, part, &[CORE_COLUMN, FRAGMENT_COLUMN]).await?;
            let squared_core = columns[0].as_primitive::<Float64Type>().values().to_vec();
            let fragment = columns[1].as_primitive::<UInt32Type>().values().to_vec();
            let bytes = squared_core.capacity() * 8 + fragment.capacity() * 4;
            Ok((Cores { squared_core, fragment }, bytes))
        })
        .await?;
    Ok(cores)
}

/// Writes a table of whole columns as one part.
pub(in crate::operators) async fn write_columns(
    runtime: &RuntimeEnv,
    prefix: &str,
    index: u32,
    columns: Vec<(&str, ArrayRef)>,
) -> Result<Part> {
    let fields: Vec<Field> =
        columns.iter().map(|(name, column)| Field::new(*name, column.data_type().clone(), false)).collect();
    let schema = Arc::new(Schema::new(fields));
    let columns = columns.into_iter().map(|(_, column)| column).collect();
    let batch = RecordBatch::try_new(Arc::clone(&schema), columns).map_err(DataFusionError::from)?;
    let mut writer = PartWriter::create(runtime, prefix, index, schema)?;
    writer.write(&batch).await?;
    writer.finish().await
}

/// Reads whole columns of a part, in the order of `names`.
pub(in crate::operators) async fn read_columns(
    context: &TaskContext,
    part: &Part,
    names: &[&str],
) -> Result<Vec<ArrayRef>> {
    columns_of(&context.runtime_env(), part, names).await
}

/// As [`read_columns`], on the driver.
pub(super) async fn columns_of(runtime: &RuntimeEnv, part: &Part, names: &[&str]) -> Result<Vec<ArrayRef>> {
    let wanted: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut batches = read_part(runtime, part, Some(&wanted)).await?;
    let mut pieces: Vec<Vec<ArrayRef>> = vec![Vec::new(); names.len()];
    while let Some(batch) = batches.next().await {
        let batch = batch?;
        for (pieces, name) in pieces.iter_mut().zip(names) {
            let column = batch.column_by_name(name);
            pieces.push(Arc::clone(
                column.ok_or_else(|| EngineError::job(format!("a batch without the column {name}")))?,
            ));
        }
    }
    let mut columns = Vec::with_capacity(names.len());
    for (pieces, name) in pieces.iter().zip(names) {
        let pieces: Vec<&dyn Array> = pieces.iter().map(AsRef::as_ref).collect();
        if pieces.is_empty() {
            return Err(EngineError::job(format!("{}: column {name} has no rows", part.url)));
        }
        columns.push(concat(&pieces).map_err(DataFusionError::from)?);
    }
    Ok(columns)
}

pub(super) fn u32s(values: Vec<u32>) -> ArrayRef {
    Arc::new(UInt32Array::from(values))
}

/// Weights and core distances of a cell's points, in tree order, read by the driver.
///
/// # Errors
/// A part that is gone or damaged.
pub async fn read_weights(runtime: &RuntimeEnv, points: &Part, cores: &Part) -> Result<(Vec<u32>, Vec<f64>)> {
    let weights = columns_of(runtime, points, &[WEIGHT_COLUMN]).await?;
    let cores = columns_of(runtime, cores, &[CORE_COLUMN]).await?;
    let cores = cores[0].as_primitive::<Float64Type>().values().iter().map(|squared| squared.sqrt()).collect();
    Ok((weights[0].as_primitive::<UInt32Type>().values().to_vec(), cores))
}

/// Ids of a cell's points, in tree order, read by the driver.
///
/// # Errors
/// A part that is gone or damaged.
pub async fn read_ids(runtime: &RuntimeEnv, points: &Part) -> Result<Vec<u64>> {
    let ids = columns_of(runtime, points, &[ROW_COLUMN]).await?;
    Ok(ids[0].as_primitive::<UInt64Type>().values().to_vec())
}

/// Writes the label, probability and outlier score of each point of a cell, in tree order, and where the point falls
/// out of the condensed tree.
///
/// # Errors
/// A place that cannot be written to.
pub async fn write_labels(
    runtime: &RuntimeEnv,
    prefix: &str,
    index: u32,
    members: &[Membership],
    (nodes, heights): (&[u32], &[f64]),
) -> Result<Part> {
    let columns: Vec<(&str, ArrayRef)> = vec![
        (CLUSTER_COLUMN, Arc::new(members.iter().map(|member| member.label).collect::<Int32Array>())),
        (PROBABILITY_COLUMN, Arc::new(members.iter().map(|member| member.probability).collect::<Float64Array>())),
        (SCORE_COLUMN, Arc::new(members.iter().map(|member| member.outlier_score).collect::<Float64Array>())),
        (NODE_COLUMN, u32s(nodes.to_vec())),
        (HEIGHT_COLUMN, Arc::new(Float64Array::from(heights.to_vec()))),
    ];
    write_columns(runtime, prefix, index, columns).await
}
