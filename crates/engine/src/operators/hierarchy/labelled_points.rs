//! The points of a hierarchy, for labelling rows by the nearest of them.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Float64Array, Int32Array};
use arrow::datatypes::{DataType, Field, Int32Type};
use datafusion::execution::TaskContext;
use datafusion::execution::memory_pool::MemoryConsumer;
use datafusion::execution::runtime_env::RuntimeEnv;
use ndarray::Array2;
use segmenta_algorithms::hierarchy::LabelledPoints;
use segmenta_algorithms::rows::Rows;
use segmenta_algorithms::spatial_tree::MAX_DIMENSIONS;
use segmenta_algorithms::with_dimensions;
use serde::{Deserialize, Serialize};

use super::super::hdbscan::{read_columns, write_columns};
use crate::artifact::{Part, decode_points};
use crate::error::{EngineError, Result};
use crate::store::{PartitionStore, StoreKey};

/// The column of labels.
pub const HIERARCHY_COLUMN: &str = "hierarchy_cluster";

/// Points that were linked, or seeds of what was, in the order of a tree; and row for row their labels.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct LabelledCell {
    /// Coordinates.
    pub points: Part,
    /// Labels.
    pub labels: Part,
}

/// Writes points (`n x d`, in the order of a tree) with their labels as one cell.
///
/// # Errors
/// A place that cannot be written to.
pub async fn write_labelled_cell(
    runtime: &RuntimeEnv,
    prefix: &str,
    features: &[String],
    points: &Array2<f64>,
    labels: &[i32],
) -> Result<LabelledCell> {
    let column = |j: usize| -> ArrayRef { Arc::new(points.row_slices().map(|row| row[j]).collect::<Float64Array>()) };
    let columns = features.iter().enumerate().map(|(j, name)| (name.as_str(), column(j))).collect();
    let points = write_columns(runtime, &format!("{prefix}points/"), 0, columns).await?;
    let labels = write_hierarchy_labels(runtime, &format!("{prefix}labels/"), 0, labels).await?;
    Ok(LabelledCell { points, labels })
}

/// Writes the clusters of a hierarchy that the points of a cell are in, in tree order.
///
/// # Errors
/// A place that cannot be written to.
pub async fn write_hierarchy_labels(runtime: &RuntimeEnv, prefix: &str, index: u32, labels: &[i32]) -> Result<Part> {
    let labels: ArrayRef = Arc::new(Int32Array::from(labels.to_vec()));
    write_columns(runtime, prefix, index, vec![(HIERARCHY_COLUMN, labels)]).await
}

impl LabelledCell {
    /// The column that it gives.
    pub(in crate::operators) fn field() -> Field {
        Field::new(HIERARCHY_COLUMN, DataType::Int32, false)
    }

    /// The labels of rows of scaled features (`n x d`): that of the nearest point, the first one of equally near ones.
    /// Goes through the cells one after the other, and each is loaded through the process's partition store
    /// (`10 d + 4` bytes a point).
    pub(in crate::operators) async fn place(
        cells: &[Self],
        features: &[String],
        rows: &Array2<f64>,
        context: &TaskContext,
    ) -> Result<ArrayRef> {
        if features.len() > MAX_DIMENSIONS {
            return Err(EngineError::job(format!("a model of {} features", features.len())));
        }
        let mut nearest = vec![(0, f64::INFINITY); rows.nrows()];
        with_dimensions!(features.len(), D => {
            for cell in cells {
                cell.load::<D>(features, context).await?.label(rows, &mut nearest);
            }
        });
        Ok(Arc::new(nearest.iter().map(|(label, _)| *label).collect::<Int32Array>()))
    }

    async fn load<const D: usize>(&self, features: &[String], context: &TaskContext) -> Result<Arc<LabelledPoints<D>>> {
        let key = StoreKey::of_all(&[self.points.clone(), self.labels.clone()], "labelled");
        let load = async {
            let reservation = MemoryConsumer::new("segmenta labelled points").register(context.memory_pool());
            reservation.try_grow(self.points.rows as usize * (18 * D + 4))?;
            let points = decode_points(context, &self.points, features).await?;
            let labels = read_columns(context, &self.labels, &[HIERARCHY_COLUMN]).await?;
            let labels = labels[0].as_primitive::<Int32Type>().values().to_vec();
            if labels.len() != points.rows.nrows() {
                let what = format!("{}: is not of the same model as the rest", self.points.url);
                return Err(EngineError::input(what).into());
            }
            let labelled = LabelledPoints::<D>::new(&points.rows, labels);
            let bytes = labelled.bytes();
            Ok((labelled, bytes))
        };
        Ok(PartitionStore::of(context)?.get_or_load(&key, load).await?)
    }
}
