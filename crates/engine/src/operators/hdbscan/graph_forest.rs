//! The spanning forest of a cell's part of the neighbour graph.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Float64Array};
use arrow::datatypes::{Float64Type, UInt32Type};
use async_trait::async_trait;
use datafusion::execution::TaskContext;
use datafusion::execution::memory_pool::MemoryConsumer;
use datafusion::execution::runtime_env::RuntimeEnv;
use segmenta_algorithms::hdbscan::joining::Place;
use segmenta_algorithms::hdbscan::neighbor_graph::{GraphEdge, components, spanning_forest};
use serde::{Deserialize, Serialize};

use super::super::PartTask;
use super::cell::{columns_of, read_columns, u32s, write_columns};
use super::columns::{CORE_COLUMN, FRAGMENT_COLUMN};
use crate::artifact::Part;
use crate::error::{EngineError, Result};
use crate::store::{PartitionStore, StoreKey};

/// Computes the mutual reachability distance of the pairs that [`FindNeighbors`](super::FindNeighbors) found, and keeps
/// those that a spanning forest may need.
///
/// Holds 36 bytes for each pair, of which there are at most `k` a point, and the core distances of the cells they lead to.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct GraphForest {
    /// URL to write under, ending in `/`.
    pub prefix: String,
    /// Squared core distances of every cell's points.
    pub cores: Vec<Part>,
}

/// What was kept of a cell's part of the graph.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct GraphForestGrown {
    /// Squared core distance and fragment of each point, in tree order.
    pub cores: Part,
    /// Number of fragments.
    pub fragments: u32,
    /// The edges; `None` if there are none.
    pub edges: Option<Part>,
}

#[async_trait]
impl PartTask for GraphForest {
    const NAME: &'static str = "graph_forest";
    type Output = GraphForestGrown;

    /// `inputs`: the cell's core distances, and its pairs if it has any.
    async fn run(&self, inputs: &[Part], context: &Arc<TaskContext>) -> Result<GraphForestGrown> {
        let (own, pairs) = match inputs {
            [own] => (own, None),
            [own, pairs] => (own, Some(pairs)),
            _ => return Err(EngineError::job(format!("a graph forest was given {} parts", inputs.len()))),
        };
        let reservation = MemoryConsumer::new("segmenta neighbour graph").register(context.memory_pool());
        reservation.try_grow(pairs.map_or(0, |pairs| pairs.rows as usize * 36) + own.rows as usize * 32)?;
        let own_cores = load_squared_cores(context, own).await?;
        let n = own_cores.len();
        let (mut edges, mut halo) = (Vec::new(), Vec::new());
        if let Some(pairs) = pairs {
            let columns = read_columns(context, pairs, &["a", "cell", "b", "squared_distance"]).await?;
            let u32s = |i: usize| columns[i].as_primitive::<UInt32Type>().values();
            let (from, cells, to) = (u32s(0), u32s(1), u32s(2));
            let distances = columns[3].as_primitive::<Float64Type>().values();
            halo = cells.iter().zip(to).filter(|(cell, _)| **cell != own.index).map(|(c, b)| (*c, *b)).collect();
            halo.sort_unstable();
            halo.dedup();
            let mut others = BTreeMap::new();
            for (cell, _) in halo.chunk_by(|a, b| a.0 == b.0).map(|run| run[0]) {
                let part = self.cores.iter().find(|part| part.index == cell);
                let part = part.ok_or_else(|| EngineError::job(format!("cell {cell} is not one of the job's")))?;
                others.insert(cell, load_squared_cores(context, part).await?);
            }
            edges.reserve(from.len());
            for (i, &a) in from.iter().enumerate() {
                let (b, core) = if cells[i] == own.index {
                    (to[i], own_cores[to[i] as usize])
                } else {
                    let place = halo.partition_point(|point| *point < (cells[i], to[i]));
                    ((n + place) as u32, others[&cells[i]][to[i] as usize])
                };
                let squared_reach = distances[i].max(own_cores[a as usize]).max(core);
                edges.push(GraphEdge { squared_reach, a, b });
            }
        }
        let forest = spanning_forest(n + halo.len(), edges);
        let within = forest.iter().filter(|edge| (edge.b as usize) < n).map(|edge| (edge.a, edge.b));
        let fragments = components(n, within);

        let runtime = context.runtime_env();
        let table = |name: &str| format!("{}{name}/", self.prefix);
        let columns: Vec<(&str, ArrayRef)> = vec![
            (CORE_COLUMN, Arc::new(Float64Array::from(own_cores.to_vec()))),
            (FRAGMENT_COLUMN, u32s(fragments.of)),
        ];
        let cores = write_columns(&runtime, &table("cores"), own.index, columns).await?;
        let edges = if forest.is_empty() {
            None
        } else {
            let end = |edge: &GraphEdge| match (edge.b as usize).checked_sub(n) {
                None => (own.index, edge.b),
                Some(h) => halo[h],
            };
            let columns: Vec<(&str, ArrayRef)> = vec![
                ("a", u32s(forest.iter().map(|edge| edge.a).collect())),
                ("cell", u32s(forest.iter().map(|edge| end(edge).0).collect())),
                ("b", u32s(forest.iter().map(|edge| end(edge).1).collect())),
                ("squared_reach", Arc::new(forest.iter().map(|edge| edge.squared_reach).collect::<Float64Array>())),
            ];
            Some(write_columns(&runtime, &table("graph_edges"), own.index, columns).await?)
        };
        Ok(GraphForestGrown { cores, fragments: fragments.count, edges })
    }
}

async fn load_squared_cores(context: &TaskContext, part: &Part) -> Result<Arc<Vec<f64>>> {
    let store = PartitionStore::of(context)?;
    let key = StoreKey::of(part, "squared_core");
    let cores = store
        .get_or_load(&key, async {
            let columns = read_columns(context, part, &[CORE_COLUMN]).await?;
            let cores = columns[0].as_primitive::<Float64Type>().values().to_vec();
            let bytes = cores.capacity() * 8;
            Ok((cores, bytes))
        })
        .await?;
    Ok(cores)
}

/// Reads the edges of a cell: point, the place of the other end, squared reach.
///
/// # Errors
/// A part that is gone or damaged.
pub async fn read_graph_edges(runtime: &RuntimeEnv, part: &Part) -> Result<Vec<(u32, Place, f64)>> {
    let columns = columns_of(runtime, part, &["a", "cell", "b", "squared_reach"]).await?;
    let u32s = |i: usize| columns[i].as_primitive::<UInt32Type>().values();
    let reach = columns[3].as_primitive::<Float64Type>().values();
    let place = |i: usize| Place { cell: u32s(1)[i], point: u32s(2)[i] };
    Ok((0..reach.len()).map(|i| (u32s(0)[i], place(i), reach[i])).collect())
}

/// Reads the fragment of each point of a cell.
///
/// # Errors
/// A part that is gone or damaged.
pub async fn read_fragments(runtime: &RuntimeEnv, cores: &Part) -> Result<Vec<u32>> {
    let columns = columns_of(runtime, cores, &[FRAGMENT_COLUMN]).await?;
    Ok(columns[0].as_primitive::<UInt32Type>().values().to_vec())
}
