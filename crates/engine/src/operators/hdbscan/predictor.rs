//! The published points of HDBSCAN, for labelling new rows.

use std::sync::Arc;

use arrow::array::AsArray;
use arrow::datatypes::{Float64Type, UInt32Type};
use datafusion::execution::TaskContext;
use datafusion::execution::memory_pool::MemoryConsumer;
use segmenta_algorithms::hdbscan::condensed_tree::CondensedCluster;
use segmenta_algorithms::hdbscan::membership::{Membership, Memberships};
use segmenta_algorithms::hdbscan::prediction::{Clustering, ModelPoint, Predictor};
use segmenta_algorithms::rows::matrix;
use segmenta_algorithms::spatial_tree::MAX_DIMENSIONS;
use segmenta_algorithms::with_dimensions;
use serde::{Deserialize, Serialize};

use super::cell::read_columns;
use super::columns::{CORE_COLUMN, HEIGHT_COLUMN, NODE_COLUMN};
use crate::artifact::{Part, WEIGHT_COLUMN};
use crate::error::{EngineError, Result};
use crate::store::{PartitionStore, StoreKey};

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
    /// The condensed tree, parents first.
    pub clusters: Vec<CondensedCluster>,
    /// What its clusters mean.
    pub memberships: Memberships,
    /// The weight within a core distance.
    pub min_samples: u64,
}

type Predict = dyn Fn(&[f64]) -> Membership + Send + Sync;

/// A predictor for any number of features.
pub(crate) struct AnyPredictor {
    predict: Box<Predict>,
}

impl std::fmt::Debug for AnyPredictor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AnyPredictor")
    }
}

impl AnyPredictor {
    pub(crate) fn predict(&self, row: &[f64]) -> Membership {
        (self.predict)(row)
    }
}

impl DensityModel {
    /// Loads the predictor through the process's partition store: once for all tasks of a worker.
    pub(crate) async fn load(&self, features: &[String], context: &TaskContext) -> Result<Arc<AnyPredictor>> {
        if features.len() > MAX_DIMENSIONS {
            return Err(EngineError::job(format!("a model of {} features", features.len())));
        }
        let store = PartitionStore::of(context)?;
        let trees: Vec<Part> = self.cells.iter().map(|cell| cell.tree.clone()).collect();
        let key = StoreKey::of_all(&trees, &format!("predictor#{}", self.min_samples));
        let load = async {
            with_dimensions!(features.len(), D => {
                let predictor = self.predictor::<D>(features, context).await?;
                let bytes = predictor.bytes();
                Ok((AnyPredictor { predict: Box::new(move |row| predictor.predict(row)) }, bytes))
            })
        };
        Ok(store.get_or_load(&key, load).await?)
    }

    async fn predictor<const D: usize>(&self, features: &[String], context: &TaskContext) -> Result<Predictor<D>> {
        let rows: u64 = self.cells.iter().map(|cell| cell.points.rows).sum();
        let reservation = MemoryConsumer::new("segmenta density model").register(context.memory_pool());
        reservation.try_grow(rows as usize * (34 * D + 64))?;
        let (mut coordinates, mut points) = (Vec::new(), Vec::new());
        let mut names = vec![WEIGHT_COLUMN];
        names.extend(features.iter().map(String::as_str));
        for cell in &self.cells {
            let columns = read_columns(context, &cell.points, &names).await?;
            let cores = read_columns(context, &cell.cores, &[CORE_COLUMN]).await?;
            let tree = read_columns(context, &cell.tree, &[NODE_COLUMN, HEIGHT_COLUMN]).await?;
            let values: Vec<&[f64]> =
                columns[1..].iter().map(|column| column.as_primitive::<Float64Type>().values().as_ref()).collect();
            let weights = columns[0].as_primitive::<UInt32Type>().values();
            let cores = cores[0].as_primitive::<Float64Type>().values();
            let nodes = tree[0].as_primitive::<UInt32Type>().values();
            let heights = tree[1].as_primitive::<Float64Type>().values();
            let fits = cores.len() == weights.len()
                && nodes.len() == weights.len()
                && nodes.iter().all(|node| (*node as usize) < self.clusters.len());
            if !fits {
                return Err(EngineError::input(format!("{}: is not of the same model as the rest", cell.points.url)));
            }
            for i in 0..weights.len() {
                coordinates.extend(values.iter().map(|column| column[i]));
                let (weight, squared_core) = (weights[i], cores[i]);
                points.push(ModelPoint { weight, squared_core, cluster: nodes[i], height: heights[i] });
            }
        }
        let clustering = Clustering {
            clusters: self.clusters.clone(),
            memberships: self.memberships.clone(),
            min_samples: self.min_samples,
        };
        Ok(Predictor::new(&matrix(coordinates, features.len()), &points, clustering))
    }
}
