//! The points of a density clustering, for labelling rows that were no part of it.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Float64Array, Int32Array};
use arrow::datatypes::{DataType, Field, Float64Type, UInt32Type};
use datafusion::execution::TaskContext;
use datafusion::execution::memory_pool::MemoryConsumer;
use ndarray::{Array2, Axis};
use segmenta_algorithms::hdbscan::membership::Membership;
use segmenta_algorithms::hdbscan::prediction::{CellPlaces, Clustering, Queries};
use segmenta_algorithms::spatial_tree::MAX_DIMENSIONS;
use segmenta_algorithms::with_dimensions;
use serde::{Deserialize, Serialize};

use super::cell::{load_cell, read_columns};
use super::columns::{CLUSTER_COLUMN, CORE_COLUMN, HEIGHT_COLUMN, NODE_COLUMN, PROBABILITY_COLUMN, SCORE_COLUMN};
use crate::artifact::Part;
use crate::error::{EngineError, Result};
use crate::store::{PartitionStore, StoreKey};

/// Rows and what is known of their neighbours may take this much at once.
const QUERY_BYTES: usize = 32 << 20;

/// The points of a cell in three tables, row for row.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct DensityModelCell {
    /// Weights and coordinates.
    pub points: Part,
    /// Core distances.
    pub cores: Part,
    /// Where they fall out of the condensed tree.
    pub tree: Part,
}

/// A clustering that new rows can be labelled by.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct DensityModel {
    /// The points.
    pub cells: Vec<DensityModelCell>,
    /// The condensed tree, and what its clusters mean.
    pub clustering: Clustering,
}

/// Where the points of a cell fall out of the tree, in memory: 20 bytes a point.
#[derive(Debug)]
struct Places {
    squared_core: Vec<f64>,
    cluster: Vec<u32>,
    height: Vec<f64>,
}

impl DensityModel {
    /// Its columns.
    pub(in crate::operators) fn fields() -> Vec<Field> {
        vec![
            Field::new(CLUSTER_COLUMN, DataType::Int32, false),
            Field::new(PROBABILITY_COLUMN, DataType::Float64, false),
            Field::new(SCORE_COLUMN, DataType::Float64, false),
        ]
    }

    /// The columns of rows of scaled features (`n x d`). Goes through the cells one after the other, and each is loaded
    /// through the process's partition store (`10 d + 32` bytes a point). Holds up to 32 MiB for rows besides.
    pub(in crate::operators) async fn place(
        &self,
        features: &[String],
        rows: &Array2<f64>,
        context: &TaskContext,
    ) -> Result<Vec<ArrayRef>> {
        if features.len() > MAX_DIMENSIONS {
            return Err(EngineError::job(format!("a model of {} features", features.len())));
        }
        let a_row = 8 * features.len() + 72 * self.clustering.min_samples as usize;
        let at_once = (QUERY_BYTES / a_row).max(1);
        let mut members = Vec::with_capacity(rows.nrows());
        for chunk in rows.axis_chunks_iter(Axis(0), at_once) {
            let chunk = chunk.to_owned();
            members.extend(with_dimensions!(features.len(), D => self.members::<D>(features, &chunk, context).await?));
        }
        Ok(vec![
            Arc::new(members.iter().map(|member| member.label).collect::<Int32Array>()),
            Arc::new(members.iter().map(|member| member.probability).collect::<Float64Array>()),
            Arc::new(members.iter().map(|member| member.outlier_score).collect::<Float64Array>()),
        ])
    }

    async fn members<const D: usize>(
        &self,
        features: &[String],
        rows: &Array2<f64>,
        context: &TaskContext,
    ) -> Result<Vec<Membership>> {
        let min_samples = self.clustering.min_samples;
        let reservation = MemoryConsumer::new("segmenta density queries").register(context.memory_pool());
        reservation.try_grow(rows.nrows() * (8 * D + 72 * min_samples as usize))?;
        let mut queries = Queries::<D>::new(rows, min_samples);
        let mut first = 0_u32;
        for cell in &self.cells {
            let loaded = load_cell::<D>(context, &cell.points, features).await?;
            queries.search(first, &loaded.tree);
            first += cell.points.rows as u32;
        }
        first = 0;
        for cell in &self.cells {
            let loaded = load_cell::<D>(context, &cell.points, features).await?;
            let places = self.places(context, cell).await?;
            let places = CellPlaces {
                weights: loaded.weights.as_deref(),
                squared_core: &places.squared_core,
                cluster: &places.cluster,
                height: &places.height,
            };
            queries.look_up(first, &places);
            first += cell.points.rows as u32;
        }
        Ok(queries.memberships(&self.clustering))
    }

    async fn places(&self, context: &TaskContext, cell: &DensityModelCell) -> Result<Arc<Places>> {
        let key = StoreKey::of_all(&[cell.tree.clone(), cell.cores.clone()], "places");
        let load = async {
            let cores = read_columns(context, &cell.cores, &[CORE_COLUMN]).await?;
            let tree = read_columns(context, &cell.tree, &[NODE_COLUMN, HEIGHT_COLUMN]).await?;
            let squared_core = cores[0].as_primitive::<Float64Type>().values().to_vec();
            let cluster = tree[0].as_primitive::<UInt32Type>().values().to_vec();
            let height = tree[1].as_primitive::<Float64Type>().values().to_vec();
            let rows = cell.points.rows as usize;
            let fits = [squared_core.len(), cluster.len(), height.len()] == [rows; 3]
                && cluster.iter().all(|node| (*node as usize) < self.clustering.clusters.len());
            if !fits {
                return Err(
                    EngineError::input(format!("{}: is not of the same model as the rest", cell.points.url)).into()
                );
            }
            Ok((Places { squared_core, cluster, height }, rows * 20))
        };
        Ok(PartitionStore::of(context)?.get_or_load(&key, load).await?)
    }
}
