//! Rows as matrices.

use ndarray::Array2;
use segmenta_algorithms::rows::matrix;
use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, UInt32Type, UInt64Type};
use datafusion::execution::TaskContext;
use datafusion::execution::memory_pool::MemoryConsumer;
use futures::StreamExt;

use super::{Part, ROW_COLUMN, WEIGHT_COLUMN, part_schema, read_part};
use crate::error::{EngineError, Result};
use crate::store::{PartitionStore, StoreKey};

/// The numeric columns of a part, decoded: `8 (d + 1)` bytes a row, and 4 for a weight.
#[derive(Debug)]
pub struct Points {
    /// Row ids, ascending; empty for a table without them.
    pub ids: Vec<u64>,
    /// `n x d`; a null cell is NaN.
    pub rows: Array2<f64>,
    /// From the column [`WEIGHT_COLUMN`]; `None` where there is none.
    pub weights: Option<Vec<u32>>,
}

impl Points {
    /// Bytes held.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.ids.capacity() * 8
            + self.rows.len() * 8
            + self.weights.as_ref().map_or(0, |weights| weights.capacity() * 4)
    }
}

/// Loads the named columns of a part through the process's partition store, for tasks that more of their kind follow. While
/// it decodes, the bytes are reserved with the task's memory pool.
///
/// # Errors
/// As [`read_part`], and when there is not memory enough.
pub async fn load_points(context: &TaskContext, part: &Part, columns: &[String]) -> Result<Arc<Points>> {
    let points = PartitionStore::of(context)?
        .get_or_load(&points_key(part, columns), async {
            let points = decode_points(context, part, columns).await?;
            let bytes = points.bytes();
            Ok((points, bytes))
        })
        .await?;
    Ok(points)
}

/// As [`load_points`], for a pass that comes once: what the store does not hold is not kept.
///
/// # Errors
/// As [`load_points`].
pub async fn points_once(context: &TaskContext, part: &Part, columns: &[String]) -> Result<Arc<Points>> {
    match PartitionStore::of(context)?.get(&points_key(part, columns)) {
        Some(points) => Ok(points),
        None => Ok(Arc::new(decode_points(context, part, columns).await?)),
    }
}

fn points_key(part: &Part, columns: &[String]) -> StoreKey {
    StoreKey::of(part, &format!("points#{}", columns.join("\u{1f}")))
}

/// Decodes the named columns of a part; see [`load_points`].
pub(crate) async fn decode_points(context: &TaskContext, part: &Part, columns: &[String]) -> Result<Points> {
    let bytes = part.rows as usize * 8 * (columns.len() + 1);
    let reservation = MemoryConsumer::new("segmenta points").register(context.memory_pool());
    reservation.try_grow(bytes)?;
    let runtime = context.runtime_env();
    let mut projection = columns.to_vec();
    // Published tables have no row ids, and few rows have weights.
    let schema = part_schema(&runtime, part).await?;
    let has = |column: &str| schema.index_of(column).is_ok();
    let (has_ids, has_weights) = (has(ROW_COLUMN), has(WEIGHT_COLUMN));
    projection.extend(has_ids.then(|| ROW_COLUMN.to_owned()));
    projection.extend(has_weights.then(|| WEIGHT_COLUMN.to_owned()));
    let mut batches = read_part(&runtime, part, Some(&projection)).await?;
    let mut ids = Vec::with_capacity(if has_ids { part.rows as usize } else { 0 });
    let mut weights = Vec::with_capacity(if has_weights { part.rows as usize } else { 0 });
    let mut values = Vec::with_capacity(part.rows as usize * columns.len());
    while let Some(batch) = batches.next().await {
        let batch = batch?;
        if has_ids {
            ids.extend_from_slice(row_ids(&batch)?);
        }
        if has_weights {
            weights.extend_from_slice(row_weights(&batch)?);
        }
        append_rows(&batch, columns, &mut values)?;
    }
    Ok(Points { ids, rows: matrix(values, columns.len()), weights: has_weights.then_some(weights) })
}

/// The weights of a batch of prepared points.
///
/// # Errors
/// A batch without them.
fn row_weights(batch: &RecordBatch) -> Result<&[u32]> {
    batch
        .column_by_name(WEIGHT_COLUMN)
        .and_then(|column| column.as_primitive_opt::<UInt32Type>())
        .map(|column| column.values().as_ref())
        .ok_or_else(|| EngineError::job(format!("a batch without the column {WEIGHT_COLUMN}")))
}

/// The row ids of a batch.
///
/// # Errors
/// A batch without them.
pub fn row_ids(batch: &RecordBatch) -> Result<&[u64]> {
    batch
        .column_by_name(ROW_COLUMN)
        .and_then(|column| column.as_primitive_opt::<UInt64Type>())
        .map(|column| column.values().as_ref())
        .ok_or_else(|| EngineError::job(format!("a batch without the column {ROW_COLUMN}")))
}

/// Appends the named columns of a batch, row-major, null as NaN.
///
/// # Errors
/// A column that is not there or not a number.
pub fn append_rows(batch: &RecordBatch, columns: &[String], values: &mut Vec<f64>) -> Result<()> {
    let start = values.len();
    let d = columns.len();
    values.resize(start + batch.num_rows() * d, 0.0);
    for (j, name) in columns.iter().enumerate() {
        let column =
            batch.column_by_name(name).ok_or_else(|| EngineError::job(format!("a batch without the column {name}")))?;
        let column = cast(column, &DataType::Float64).map_err(|error| EngineError::job(format!("{name}: {error}")))?;
        let column = column.as_primitive::<Float64Type>();
        let cells = values[start..].iter_mut().skip(j).step_by(d);
        if column.null_count() == 0 {
            cells.zip(column.values()).for_each(|(cell, value)| *cell = *value);
        } else {
            cells.zip(column.iter()).for_each(|(cell, value)| *cell = value.unwrap_or(f64::NAN));
        }
    }
    Ok(())
}
