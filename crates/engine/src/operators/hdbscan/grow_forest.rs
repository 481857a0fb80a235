//! Core distances, and the part of the spanning tree that a cell can find by itself.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Float64Array, UInt64Array};
use arrow::datatypes::{Float64Type, UInt32Type, UInt64Type};
use async_trait::async_trait;
use datafusion::execution::TaskContext;
use datafusion::execution::memory_pool::MemoryConsumer;
use datafusion::execution::runtime_env::RuntimeEnv;
use segmenta_algorithms::hdbscan::core_distances::CoreSearch;
use segmenta_algorithms::hdbscan::forest::{certain_edges, distances_to_others};
use segmenta_algorithms::hdbscan::joining::{Link, Place};
use segmenta_algorithms::hdbscan::spanning_tree::spanning_tree;
use segmenta_algorithms::spatial_tree::BoundingBox;
use segmenta_algorithms::with_dimensions;
use serde::{Deserialize, Serialize};

use super::super::{PartTask, only};
use super::cell::{CellBounds, columns_of, load_cell, u32s, write_columns};
use super::columns::{CORE_COLUMN, FRAGMENT_COLUMN};
use crate::artifact::Part;
use crate::error::Result;

/// Finds the core distances of a cell's points, its own spanning tree, and which of its edges belong to the tree of all
/// points. Other cells are read where a ball reaches into them, one at a time.
///
/// Holds the cell and one other. For each point of its own it holds 60 bytes, 4 for each of at most 16 neighbours, and
/// `16 (min_samples + 1)` more for points near a wall.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct GrowForest {
    /// URL to write under, ending in `/`.
    pub prefix: String,
    /// Features, in order.
    pub features: Vec<String>,
    /// The weight within a core distance.
    pub min_samples: usize,
    /// All cells.
    pub cells: Vec<(Part, CellBounds)>,
}

/// What a cell found.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ForestGrown {
    /// Squared core distance and fragment of each point, in tree order.
    pub cores: Part,
    /// Number of fragments.
    pub fragments: u32,
    /// Edges that are certain; `None` for a cell whose fragments are all single points.
    pub certain: Option<Part>,
    /// Edges that are still open.
    pub open: Option<Part>,
}

#[async_trait]
impl PartTask for GrowForest {
    const NAME: &'static str = "grow_forest";
    type Output = ForestGrown;

    async fn run(&self, inputs: &[Part], context: &Arc<TaskContext>) -> Result<ForestGrown> {
        let part = only(inputs)?;
        with_dimensions!(self.features.len(), D => self.grow::<D>(part, context).await)
    }
}

impl GrowForest {
    async fn grow<const D: usize>(&self, part: &Part, context: &Arc<TaskContext>) -> Result<ForestGrown> {
        let runtime = context.runtime_env();
        let reservation = MemoryConsumer::new("segmenta spanning tree").register(context.memory_pool());
        reservation.try_grow(part.rows as usize * (60 + 4 * self.min_samples.min(16)))?;
        let cell = load_cell::<D>(context, part, &self.features).await?;
        let own = cell.tree.bounds();
        let mut others: Vec<(f64, &Part, BoundingBox<D>)> = self
            .cells
            .iter()
            .filter(|(other, _)| other.index != part.index)
            .map(|(other, bounds)| (bounds.to_box(), other))
            .map(|(bounds, other)| (own.squared_distance_to_box(&bounds), other, bounds))
            .collect();
        others.sort_by(|a, b| a.0.total_cmp(&b.0));
        let boxes: Vec<BoundingBox<D>> = others.iter().map(|(_, _, bounds)| *bounds).collect();
        let mut search = CoreSearch::new(&cell.tree, cell.weights.as_deref(), self.min_samples, Some(&boxes), 1);
        for (_, other, bounds) in &others {
            if search.reaches(bounds) {
                let other = load_cell::<D>(context, other, &self.features).await?;
                search.extend(&other.tree, other.weights.as_deref());
            }
        }
        let found = search.finish();
        let edges = spanning_tree(&cell.tree, &found, &cell.ids, 1);
        let to_others = distances_to_others(&cell.tree, &boxes);
        let forest = certain_edges(edges, &found.squared_core, &cell.ids, &to_others);

        let table = |name: &str| format!("{}{name}/", self.prefix);
        let cores: Vec<(&str, ArrayRef)> = vec![
            (CORE_COLUMN, Arc::new(Float64Array::from(found.squared_core))),
            (FRAGMENT_COLUMN, u32s(forest.fragment.clone())),
        ];
        let cores = write_columns(&runtime, &table("cores"), part.index, cores).await?;
        let ends = |edges: &[segmenta_algorithms::hdbscan::spanning_tree::TreeEdge]| -> Vec<(&str, ArrayRef)> {
            vec![
                ("a", u32s(edges.iter().map(|edge| edge.a).collect())),
                ("b", u32s(edges.iter().map(|edge| edge.b).collect())),
                ("squared_reach", Arc::new(edges.iter().map(|edge| edge.squared_reach).collect::<Float64Array>())),
            ]
        };
        let certain = match forest.certain.as_slice() {
            [] => None,
            edges => Some(write_columns(&runtime, &table("certain"), part.index, ends(edges)).await?),
        };
        let open = match forest.open.as_slice() {
            [] => None,
            edges => {
                let id = |point: u32| cell.ids[point as usize];
                let fragment = |point: u32| forest.fragment[point as usize];
                let mut columns = ends(edges);
                columns.extend::<Vec<(&str, ArrayRef)>>(vec![
                    (
                        "squared_distance",
                        Arc::new(edges.iter().map(|edge| edge.squared_distance).collect::<Float64Array>()),
                    ),
                    ("id_a", Arc::new(edges.iter().map(|edge| id(edge.a)).collect::<UInt64Array>())),
                    ("id_b", Arc::new(edges.iter().map(|edge| id(edge.b)).collect::<UInt64Array>())),
                    ("fragment_a", u32s(edges.iter().map(|edge| fragment(edge.a)).collect())),
                    ("fragment_b", u32s(edges.iter().map(|edge| fragment(edge.b)).collect())),
                ]);
                Some(write_columns(&runtime, &table("open"), part.index, columns).await?)
            }
        };
        Ok(ForestGrown { cores, fragments: forest.fragments, certain, open })
    }
}

/// Reads certain edges: `(a, b, squared reach)`, points numbered in their cell.
///
/// # Errors
/// A part that is gone or damaged.
pub async fn read_edges(runtime: &RuntimeEnv, part: &Part) -> Result<Vec<(u32, u32, f64)>> {
    let columns = columns_of(runtime, part, &["a", "b", "squared_reach"]).await?;
    let a = columns[0].as_primitive::<UInt32Type>().values();
    let b = columns[1].as_primitive::<UInt32Type>().values();
    let reach = columns[2].as_primitive::<Float64Type>().values();
    Ok(a.iter().zip(b).zip(reach).map(|((a, b), reach)| (*a, *b, *reach)).collect())
}

/// Reads open edges of a cell whose fragments are numbered from `first_fragment` over all cells.
///
/// # Errors
/// A part that is gone or damaged.
pub async fn read_links(runtime: &RuntimeEnv, part: &Part, first_fragment: u32) -> Result<Vec<Link>> {
    let names = ["a", "b", "squared_reach", "squared_distance", "id_a", "id_b", "fragment_a", "fragment_b"];
    let columns = columns_of(runtime, part, &names).await?;
    let u32s = |i: usize| columns[i].as_primitive::<UInt32Type>().values();
    let u64s = |i: usize| columns[i].as_primitive::<UInt64Type>().values();
    let f64s = |i: usize| columns[i].as_primitive::<Float64Type>().values();
    let place = |point: u32| Place { cell: part.index, point };
    let link = |i: usize| {
        let (a, b) = (u64s(4)[i], u64s(5)[i]);
        Link {
            squared_reach: f64s(2)[i],
            squared_distance: f64s(3)[i],
            ids: (a.min(b), a.max(b)),
            points: (place(u32s(0)[i]), place(u32s(1)[i])),
            fragments: (first_fragment + u32s(6)[i], first_fragment + u32s(7)[i]),
        }
    };
    Ok((0..columns[0].len()).map(link).collect())
}
