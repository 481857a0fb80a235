//! The spanning tree of all points, by cells and then by rounds over them.

use std::collections::HashMap;

use segmenta_algorithms::hdbscan::condensed_tree::{Edge, WeightedPoints, sort_edges};
use segmenta_algorithms::hdbscan::joining::{Joining, Place};
use segmenta_algorithms::hdbscan::neighbor_graph::unite;
use segmenta_algorithms::hdbscan::ties::Rounding;
use segmenta_engine::artifact::Part;
use segmenta_engine::operators::RowSample;
use segmenta_engine::operators::hdbscan::{
    CellPoints, FindLinks, FindNeighbors, ForestGrown, GraphForest, GraphForestGrown, GrowForest, NearestPoints,
    NeighborsFound, SampledPoint, SearchedCell, read_edges, read_fragments, read_graph_edges, read_links, read_weights,
    write_components,
};
use segmenta_engine::{EngineError, Result};
use segmenta_results::clusterings::NeighborGraph;

use super::super::{rows_of, singly};
use crate::stage::StageContext;
use crate::stages::scale::Scaled;
use segmenta_spec::{Graph, Hdbscan};

/// Approximate number of points on which the recall of the neighbour graph is measured.
const RECALL_SAMPLE: u64 = 500;
const RECALL_SEED: u64 = 0x7265_6361;
const DESCENT_SEED: u64 = 0x6465_7363;

/// Everything about the points that the driver holds.
pub(in crate::stages) struct Points {
    /// Place of each cell's first point.
    pub(in crate::stages) first: Vec<u32>,
    pub(in crate::stages) count: usize,
    pub(in crate::stages) edges: Vec<Edge>,
    /// Weights and core distances, where a point stands for several rows.
    weights: Option<(Vec<u32>, Vec<f64>)>,
}

impl Points {
    pub(super) fn weighted(&self) -> Option<WeightedPoints<'_>> {
        self.weights.as_ref().map(|(weights, cores)| WeightedPoints { weights, core_distances: cores })
    }

    pub(super) fn spanning_weight(&self) -> f64 {
        let mut lengths: Vec<(f64, f64)> = self.edges.iter().map(|edge| (edge.distance, 1.0)).collect();
        if let Some((weights, cores)) = &self.weights {
            let heavy = weights.iter().zip(cores).filter(|(weight, _)| **weight > 1);
            lengths.extend(heavy.map(|(weight, core)| (*core, f64::from(*weight - 1))));
        }
        // Sorted so that the order does not depend on that of the points.
        lengths.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
        lengths.iter().map(|(length, count)| length * count).sum()
    }

    pub(in crate::stages) fn weight(&self, point: usize) -> u64 {
        self.weights.as_ref().map_or(1, |(weights, _)| u64::from(weights[point]))
    }
}

/// The spanning tree and how it was found.
pub(in crate::stages) struct Spanned {
    pub(in crate::stages) points: Points,
    /// Core distances of each cell's points.
    pub(super) cores: Vec<Part>,
    /// Rounds that joined the cells' trees.
    pub(super) rounds: usize,
    /// The neighbour graph, with `graph: knn`.
    pub(super) graph: Option<NeighborGraph>,
}

/// The spanning tree of all points, from the complete graph or from the graph of neighbours.
pub(in crate::stages) async fn spanning_tree(
    context: &StageContext<'_>,
    settings: &Hdbscan,
    features: &[String],
    scaled: &Scaled,
    cells: &[CellPoints],
) -> Result<Spanned> {
    let total: u64 = cells.iter().map(|cell| cell.points.rows).sum();
    if total >= u64::from(u32::MAX) {
        return Err(EngineError::spec(format!(
            "hdbscan.resolution: {total} points are more than the {} that the tree can hold; set a coarser resolution",
            u32::MAX - 1
        )));
    }
    let layout = Layout::of(cells);
    let (forest, graph) = match settings.graph {
        Graph::Exact => (exact_forest(context, settings, features, cells, &layout).await?, None),
        Graph::Knn { neighbors } => {
            let (forest, graph) = neighbor_forest(context, settings, features, cells, &layout, neighbors).await?;
            (forest, Some(graph))
        }
    };
    let Forest { mut edges, mut joining, searched } = forest;
    context.begin_step("join the cells");
    let parts: Vec<Part> = cells.iter().map(|cell| cell.points.clone()).collect();
    let mut rounds = 0;
    while joining.components() > 1 {
        let components = format!("{}rounds/components-{rounds:03}", context.prefix);
        write_components(&context.cluster.runtime(), &components, &joining.limits()).await?;
        let task = FindLinks {
            features: features.to_vec(),
            cells: searched.clone(),
            components,
            // The graph of neighbours has no open edges, so nothing is known about edges between its components.
            within_cells: graph.is_some(),
        };
        let links = context.map_parts(task, &singly(&parts)).await?;
        let links: Vec<_> = links.into_iter().flatten().collect();
        if joining.join(&links) == 0 {
            return Err(EngineError::job(format!(
                "hdbscan: {} parts of the spanning tree find no edge to each other",
                joining.components()
            )));
        }
        rounds += 1;
    }
    edges.extend(joining.into_edges().iter().map(|link| Edge {
        distance: link.squared_reach.sqrt(),
        a: layout.point(link.points.0),
        b: layout.point(link.points.1),
    }));
    sort_edges(&mut edges);
    let rounding = Rounding::new(&scaled.scalers, &scaled.bounds);
    rounding.settle(&mut edges);
    let mut weights = weights_and_cores(context, cells, &searched).await?;
    if let Some((_, cores)) = &mut weights {
        rounding.settle_core_distances(cores, &edges);
    }
    let points = Points { first: layout.first, count: total as usize, edges, weights };
    let cores = searched.into_iter().map(|cell| cell.cores).collect();
    Ok(Spanned { points, cores, rounds, graph })
}

/// Where the points of each cell are among all.
struct Layout {
    /// Place of each cell's first point, in the order of the cells.
    first: Vec<u32>,
    /// Place by cell index. It is a map because cells without rows have no part.
    by_index: HashMap<u32, u32>,
}

impl Layout {
    fn of(cells: &[CellPoints]) -> Self {
        let first: Vec<u32> = cells
            .iter()
            .scan(0, |before, cell| {
                let first = *before;
                *before += cell.points.rows as u32;
                Some(first)
            })
            .collect();
        let by_index = cells.iter().zip(&first).map(|(cell, first)| (cell.points.index, *first)).collect();
        Self { first, by_index }
    }

    fn point(&self, place: Place) -> u32 {
        self.by_index.get(&place.cell).map_or(u32::MAX, |first| first + place.point)
    }
}

/// What the cells' own work leaves for the rounds to do.
struct Forest {
    /// Edges that belong to the tree.
    edges: Vec<Edge>,
    /// The fragments that they leave.
    joining: Joining,
    searched: Vec<SearchedCell>,
}

async fn exact_forest(
    context: &StageContext<'_>,
    settings: &Hdbscan,
    features: &[String],
    cells: &[CellPoints],
    layout: &Layout,
) -> Result<Forest> {
    context.begin_step("grow the cells' trees");
    let runtime = context.cluster.runtime();
    let parts: Vec<Part> = cells.iter().map(|cell| cell.points.clone()).collect();
    let task = GrowForest {
        prefix: context.prefix.clone(),
        features: features.to_vec(),
        min_samples: settings.min_samples as usize,
        cells: cells.iter().map(|cell| (cell.points.clone(), cell.bounds.clone())).collect(),
    };
    let grown: Vec<ForestGrown> = context.map_parts(task, &singly(&parts)).await?;
    let mut fragments = 0;
    let (mut edges, mut open, mut searched) = (Vec::with_capacity(rows_of(&parts) as usize), Vec::new(), Vec::new());
    for ((cell, grown), before) in cells.iter().zip(grown).zip(&layout.first) {
        if let Some(certain) = &grown.certain {
            let certain = read_edges(&runtime, certain).await?;
            edges.extend(certain.into_iter().map(|(a, b, squared)| Edge {
                distance: squared.sqrt(),
                a: before + a,
                b: before + b,
            }));
        }
        if let Some(part) = &grown.open {
            open.extend(read_links(&runtime, part, fragments).await?);
        }
        searched.push(searched_cell(cell, grown.cores, fragments, grown.fragments));
        fragments += grown.fragments;
    }
    Ok(Forest { edges, joining: Joining::new(fragments, open), searched })
}

fn searched_cell(cell: &CellPoints, cores: Part, first_fragment: u32, fragments: u32) -> SearchedCell {
    SearchedCell { points: cell.points.clone(), cores, bounds: cell.bounds.clone(), first_fragment, fragments }
}

async fn neighbor_forest(
    context: &StageContext<'_>,
    settings: &Hdbscan,
    features: &[String],
    cells: &[CellPoints],
    layout: &Layout,
    neighbors: usize,
) -> Result<(Forest, NeighborGraph)> {
    context.begin_step("find neighbours");
    let runtime = context.cluster.runtime();
    let parts: Vec<Part> = cells.iter().map(|cell| cell.points.clone()).collect();
    let total = rows_of(&parts);
    let neighbors = neighbors.min(total.saturating_sub(1) as usize);
    let task = FindNeighbors {
        prefix: context.prefix.clone(),
        features: features.to_vec(),
        min_samples: settings.min_samples,
        neighbors,
        seed: DESCENT_SEED,
        cells: cells.iter().map(|cell| (cell.points.clone(), cell.bounds.clone())).collect(),
        sample: RowSample::of(RECALL_SEED, RECALL_SAMPLE, total),
    };
    let found: Vec<NeighborsFound> = context.map_parts(task, &singly(&parts)).await?;
    let sampled: Vec<SampledPoint> = found.iter().flat_map(|found| found.sampled.clone()).collect();
    let recall = recall(context, features, &parts, neighbors, &sampled).await?;

    context.begin_step("unite the neighbour graph");
    let cores: Vec<Part> = found.iter().map(|found| found.cores.clone()).collect();
    let inputs: Vec<Vec<Part>> =
        found.into_iter().map(|found| std::iter::once(found.cores).chain(found.pairs).collect()).collect();
    let task = GraphForest { prefix: context.prefix.clone(), cores };
    let grown: Vec<GraphForestGrown> = context.map_parts(task, &inputs).await?;
    let mut fragments = 0;
    let (mut edges, mut searched) = (Vec::new(), Vec::new());
    for ((cell, grown), before) in cells.iter().zip(grown).zip(&layout.first) {
        if let Some(part) = &grown.edges {
            edges.extend(read_graph_edges(&runtime, part).await?.into_iter().map(|(a, b, squared)| Edge {
                distance: squared.sqrt(),
                a: before + a,
                b: layout.point(b),
            }));
        }
        searched.push(searched_cell(cell, grown.cores, fragments, grown.fragments));
        fragments += grown.fragments;
    }
    let (edges, components) = unite(total as usize, edges);
    let mut component_of = vec![0; fragments as usize];
    for (cell, first) in searched.iter().zip(&layout.first) {
        for (i, fragment) in (*first..).zip(read_fragments(&runtime, &cell.cores).await?) {
            component_of[(cell.first_fragment + fragment) as usize] = components.of[i as usize];
        }
    }
    let joining = Joining::of_components(&component_of, components.count);
    let graph = NeighborGraph { neighbors, recall, recall_points: sampled.len(), components: components.count };
    Ok((Forest { edges, joining, searched }, graph))
}

/// The share of the nearest neighbours that were found; all neighbours that tie with the last one count.
async fn recall(
    context: &StageContext<'_>,
    features: &[String],
    parts: &[Part],
    neighbors: usize,
    sampled: &[SampledPoint],
) -> Result<f64> {
    if sampled.is_empty() || neighbors == 0 {
        return Ok(1.0);
    }
    let queries = sampled.iter().map(|sampled| (sampled.id, sampled.point.clone())).collect();
    let task = NearestPoints { features: features.to_vec(), queries, neighbors };
    let nearest = context
        .merge_parts(task, &singly(parts), |total, part| {
            for (total, part) in total.iter_mut().zip(part) {
                total.extend(part);
                total.sort_unstable_by(f64::total_cmp);
                total.truncate(neighbors);
            }
        })
        .await?;
    let found = sampled.iter().zip(&nearest).map(|(sampled, nearest)| {
        let furthest = nearest.last().copied().unwrap_or(f64::INFINITY);
        sampled.squared_distances.iter().filter(|distance| **distance <= furthest).count().min(nearest.len())
    });
    let wanted: usize = nearest.iter().map(Vec::len).sum();
    Ok(found.sum::<usize>() as f64 / wanted as f64)
}

/// Weights and core distances of all points, where one stands for several rows.
async fn weights_and_cores(
    context: &StageContext<'_>,
    cells: &[CellPoints],
    searched: &[SearchedCell],
) -> Result<Option<(Vec<u32>, Vec<f64>)>> {
    if !cells.iter().any(|cell| cell.is_weighted) {
        return Ok(None);
    }
    let (mut weights, mut cores) = (Vec::new(), Vec::new());
    for cell in searched {
        let (weight, core) = read_weights(&context.cluster.runtime(), &cell.points, &cell.cores).await?;
        weights.extend(weight);
        cores.extend(core);
    }
    Ok(Some((weights, cores)))
}
