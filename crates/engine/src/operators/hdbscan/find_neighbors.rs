//! The nearest neighbours of a cell's points, and how many of them were missed.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array};
use async_trait::async_trait;
use datafusion::execution::TaskContext;
use datafusion::execution::memory_pool::MemoryConsumer;
use segmenta_algorithms::hdbscan::neighbors::{MAX_EXACT_DIMENSIONS, NeighborLists, exact_neighbors, nn_descent};
use segmenta_algorithms::rows::matrix;
use segmenta_algorithms::spatial_tree::{BoundingBox, SpatialTree, squared_distance};
use segmenta_algorithms::with_dimensions;
use serde::{Deserialize, Serialize};

use super::super::{PartTask, RowSample, only};
use super::cell::{Cell, CellBounds, load_cell, u32s, write_columns};
use super::columns::CORE_COLUMN;
use crate::artifact::Part;
use crate::error::Result;
use crate::progress::Progress;

/// Points of a cell that its margin is estimated from.
const MARGIN_SAMPLE: usize = 256;
/// Share of the points whose neighbours all lie within the margin of the cell, in this cell or in others.
const WITHIN_MARGIN: f64 = 0.95;
/// A cell takes in at most as many points of others as it has itself, or this many if that is more.
const LEAST_HALO: usize = 4_096;

/// Finds the nearest neighbours of a cell's points among its own and those of other cells within a margin of its box: cells
/// overlap. Up to [`MAX_EXACT_DIMENSIONS`] features a kd-tree finds them, beyond that NN-descent.
///
/// Holds the cell, one other cell, at most as many points of other cells as the cell has (or 4,096 if that is more),
/// and `16 D + 33 k + 400` bytes for each point of both.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct FindNeighbors {
    /// URL to write under, ending in `/`.
    pub prefix: String,
    /// Features, in order.
    pub features: Vec<String>,
    /// The weight within a core distance.
    pub min_samples: u64,
    /// Neighbours of each point, at least `min_samples - 1`.
    pub neighbors: usize,
    /// Seed of NN-descent.
    pub seed: u64,
    /// All cells.
    pub cells: Vec<(Part, CellBounds)>,
    /// The points to measure the recall by.
    pub sample: RowSample,
}

/// What a cell found.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct NeighborsFound {
    /// Squared core distance of each point, in tree order.
    pub cores: Part,
    /// Point, its neighbour's cell and place there, squared distance; a pair that are each other's neighbours in one
    /// cell is listed once. None for a lone point.
    pub pairs: Option<Part>,
    /// The points of the sample.
    pub sampled: Vec<SampledPoint>,
}

/// A point of the sample and how far its neighbours are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SampledPoint {
    /// Its id.
    pub id: u64,
    /// Its coordinates.
    pub point: Vec<f64>,
    /// Squared distances of the neighbours found, ascending.
    pub squared_distances: Vec<f64>,
}

/// A point of another cell.
struct HaloPoint<const D: usize> {
    /// Squared distance to the cell's box.
    distance: f64,
    cell: u32,
    place: u32,
    weight: u32,
    point: [f64; D],
}

#[async_trait]
impl PartTask for FindNeighbors {
    const NAME: &'static str = "find_neighbors";
    type Output = NeighborsFound;

    async fn run(&self, inputs: &[Part], context: &Arc<TaskContext>) -> Result<NeighborsFound> {
        let part = only(inputs)?;
        with_dimensions!(self.features.len(), D => self.find::<D>(part, context).await)
    }
}

impl FindNeighbors {
    async fn find<const D: usize>(&self, part: &Part, context: &Arc<TaskContext>) -> Result<NeighborsFound> {
        let reservation = MemoryConsumer::new("segmenta neighbours").register(context.memory_pool());
        let (n, k) = (part.rows as usize, self.neighbors);
        reservation.try_grow(2 * n.max(LEAST_HALO) * (16 * D + 33 * k + 400))?;
        let cell = load_cell::<D>(context, part, &self.features).await?;
        let (margin, mut halo) = self.halo(part, &cell, context).await?;

        // The cell's own points come first, in tree order.
        let mut points: Vec<[f64; D]> = (0..n).map(|i| cell.tree.point(i)).collect();
        points.extend(halo.iter().map(|other| other.point));
        let mut found = Neighbors::find(&points, self.features.len(), k, self.seed);
        // Every point that was left out is further away than the margin.
        let open: Vec<usize> = (0..n).filter(|i| found.lists.worst(found.place[*i] as usize) > margin).collect();
        self.look_further(part, &points, &open, &mut found, &mut halo, context).await?;
        let is_weighted = cell.weights.is_some() || halo.iter().any(|other| other.weight != 1);
        let weight = |i: usize| match i.checked_sub(n) {
            None => cell.weights.as_ref().map_or(1, |weights| weights[i]),
            Some(h) => halo[h].weight,
        };
        // In the order of the lists, because the neighbours are named by it.
        let weights: Option<Vec<u32>> =
            is_weighted.then(|| (0..n + halo.len()).map(|i| weight(found.point(i as u32) as usize)).collect());

        let (mut cores, mut sampled) = (Vec::with_capacity(n), Vec::new());
        let (mut from, mut cells, mut to, mut distances) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for (i, point) in points[..n].iter().enumerate() {
            cores.push(found.lists.squared_core(found.place[i] as usize, weights.as_deref(), self.min_samples));
            for (neighbor, distance) in found.of_point(i) {
                let j = neighbor as usize;
                let is_listed = || found.of_point(j).any(|(other, _)| other as usize == i);
                if j < i && is_listed() {
                    continue;
                }
                let (other, place) = match j.checked_sub(n) {
                    None => (part.index, neighbor),
                    Some(h) => (halo[h].cell, halo[h].place),
                };
                from.push(i as u32);
                cells.push(other);
                to.push(place);
                distances.push(distance);
            }
            if self.sample.holds(cell.ids[i]) {
                sampled.push(SampledPoint {
                    id: cell.ids[i],
                    point: point[..self.features.len()].to_vec(),
                    squared_distances: found.of_point(i).map(|(_, distance)| distance).collect(),
                });
            }
        }
        drop((found, points, halo));
        let runtime = context.runtime_env();
        let table = |name: &str| format!("{}{name}/", self.prefix);
        let columns: Vec<(&str, ArrayRef)> = vec![(CORE_COLUMN, Arc::new(Float64Array::from(cores)))];
        let cores = write_columns(&runtime, &table("neighbor_cores"), part.index, columns).await?;
        let pairs = if from.is_empty() {
            None
        } else {
            let columns: Vec<(&str, ArrayRef)> = vec![
                ("a", u32s(from)),
                ("cell", u32s(cells)),
                ("b", u32s(to)),
                ("squared_distance", Arc::new(Float64Array::from(distances))),
            ];
            Some(write_columns(&runtime, &table("neighbors"), part.index, columns).await?)
        };
        Progress::add_rows(context, part.rows);
        Ok(NeighborsFound { cores, pairs, sampled })
    }

    /// The points of other cells within the margin, nearest to the cell's box first, limited as [`LEAST_HALO`] says.
    async fn halo<const D: usize>(
        &self,
        part: &Part,
        cell: &Cell<D>,
        context: &Arc<TaskContext>,
    ) -> Result<(f64, Vec<HaloPoint<D>>)> {
        let own = cell.tree.bounds();
        let margin = squared_margin(&cell.tree, self.neighbors);
        let most = cell.tree.len().max(LEAST_HALO);
        let mut others: Vec<(f64, &Part)> = self
            .cells
            .iter()
            .filter(|(other, _)| other.index != part.index)
            .map(|(other, bounds)| (own.squared_distance_to_box(&bounds.to_box::<D>()), other))
            .collect();
        others.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut halo: Vec<HaloPoint<D>> = Vec::new();
        let mut limit = margin;
        let key = |point: &HaloPoint<D>| (point.distance, point.cell, point.place);
        for (distance, other) in others {
            if distance > limit {
                break;
            }
            let other_cell = load_cell::<D>(context, other, &self.features).await?;
            halo.extend(within(&other_cell, other.index, &own, limit));
            if halo.len() > most {
                halo.select_nth_unstable_by(most, |a, b| {
                    key(a).partial_cmp(&key(b)).unwrap_or(std::cmp::Ordering::Equal)
                });
                halo.truncate(most);
                limit = halo.iter().fold(0.0, |limit, point| f64::max(limit, point.distance));
            }
        }
        halo.sort_unstable_by(|a, b| key(a).partial_cmp(&key(b)).unwrap_or(std::cmp::Ordering::Equal));
        Ok((limit, halo))
    }

    /// Searches the other cells for nearer neighbours of points whose neighbours may lie beyond the margin. The points
    /// it finds join the halo.
    async fn look_further<const D: usize>(
        &self,
        part: &Part,
        points: &[[f64; D]],
        open: &[usize],
        found: &mut Neighbors,
        halo: &mut Vec<HaloPoint<D>>,
        context: &Arc<TaskContext>,
    ) -> Result<()> {
        let n = part.rows as usize;
        let mut known: HashMap<(u32, u32), u32> =
            halo.iter().zip(n as u32..).map(|(point, i)| ((point.cell, point.place), i)).collect();
        let searched = known.len();
        for (other, bounds) in self.cells.iter().filter(|(other, _)| other.index != part.index) {
            let bounds = bounds.to_box::<D>();
            let reaches = |found: &Neighbors, i: usize| {
                bounds.squared_distance(&points[i]) < found.lists.worst(found.place[i] as usize)
            };
            if !open.iter().any(|i| reaches(found, *i)) {
                continue;
            }
            let cell = load_cell::<D>(context, other, &self.features).await?;
            for &i in open {
                if !reaches(found, i) {
                    continue;
                }
                let list = found.place[i] as usize;
                found.lists.extend(list, &points[i], &cell.tree, &mut |j| {
                    let next = (n + halo.len()) as u32;
                    let name = *known.entry((other.index, j as u32)).or_insert(next);
                    if name == next {
                        let weight = cell.weights.as_ref().map_or(1, |weights| weights[j]);
                        let point = cell.tree.point(j);
                        let (cell, place) = (other.index, j as u32);
                        halo.push(HaloPoint { distance: f64::INFINITY, cell, place, weight, point });
                    }
                    (name as usize >= n + searched).then_some(name)
                });
            }
        }
        Ok(())
    }
}

fn within<const D: usize>(
    cell: &Cell<D>,
    index: u32,
    bounds: &BoundingBox<D>,
    limit: f64,
) -> impl Iterator<Item = HaloPoint<D>> {
    (0..cell.tree.len()).filter_map(move |i| {
        let point = cell.tree.point(i);
        let distance = bounds.squared_distance(&point);
        let weight = cell.weights.as_ref().map_or(1, |weights| weights[i]);
        (distance <= limit).then_some(HaloPoint { distance, cell: index, place: i as u32, weight, point })
    })
}

/// How far from a cell's box the neighbours of almost all its points lie, estimated from a few points of the cell.
fn squared_margin<const D: usize>(tree: &SpatialTree<D>, k: usize) -> f64 {
    let n = tree.len();
    if n <= k || k == 0 {
        return f64::INFINITY;
    }
    let drawn = n.min(MARGIN_SAMPLE);
    let mut furthest: Vec<f64> = (0..drawn)
        .map(|i| {
            let query = tree.point(i * n / drawn);
            let mut distances: Vec<f64> = (0..n).map(|j| squared_distance(&query, &tree.point(j))).collect();
            // The point itself is one of them.
            *distances.select_nth_unstable_by(k, f64::total_cmp).1
        })
        .collect();
    let at = ((drawn - 1) as f64 * WITHIN_MARGIN).ceil() as usize;
    *furthest.select_nth_unstable_by(at, f64::total_cmp).1
}

/// Neighbours of points in the caller's order, whatever the order they were searched in.
struct Neighbors {
    lists: NeighborLists,
    /// For each list, the point it belongs to; for each point, its list.
    order: Vec<u32>,
    place: Vec<u32>,
}

impl Neighbors {
    fn find<const D: usize>(points: &[[f64; D]], columns: usize, k: usize, seed: u64) -> Self {
        if columns > MAX_EXACT_DIMENSIONS {
            let order: Vec<u32> = (0..points.len() as u32).collect();
            return Self { lists: nn_descent(points, k, seed), place: order.clone(), order };
        }
        let (tree, order) = SpatialTree::<D>::build(&matrix(points.concat(), D), 1);
        let mut place = vec![0; order.len()];
        order.iter().zip(0..).for_each(|(point, i)| place[*point as usize] = i);
        Self { lists: exact_neighbors(&tree, k), order, place }
    }

    fn of_point(&self, i: usize) -> impl Iterator<Item = (u32, f64)> {
        self.lists.of(self.place[i] as usize).map(|(j, distance)| (self.point(j), distance))
    }

    /// The point that a name in the lists stands for. Points that were found later keep their own number as their name.
    fn point(&self, name: u32) -> u32 {
        self.order.get(name as usize).copied().unwrap_or(name)
    }
}

/// Finds how far the nearest points of a cell are from points of the sample by comparing all of them. The neighbours
/// that were found are measured against that. Holds the cell.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct NearestPoints {
    /// Features, in order.
    pub features: Vec<String>,
    /// Ids of the queries, which are not neighbours of themselves, and their coordinates.
    pub queries: Vec<(u64, Vec<f64>)>,
    /// Number of neighbours.
    pub neighbors: usize,
}

#[async_trait]
impl PartTask for NearestPoints {
    const NAME: &'static str = "nearest_points";
    /// For each query, squared distances, ascending.
    type Output = Vec<Vec<f64>>;

    async fn run(&self, inputs: &[Part], context: &Arc<TaskContext>) -> Result<Vec<Vec<f64>>> {
        let part = only(inputs)?;
        with_dimensions!(self.features.len(), D => {
            let cell = load_cell::<D>(context, part, &self.features).await?;
            let nearest = |(id, query): &(u64, Vec<f64>)| {
                let mut point = [0.0; D];
                point.iter_mut().zip(query).for_each(|(value, coordinate)| *value = *coordinate);
                let mut found: Vec<f64> = Vec::with_capacity(self.neighbors + 1);
                let others = (0..cell.tree.len()).filter(|i| cell.ids[*i] != *id);
                for distance in others.map(|i| squared_distance(&point, &cell.tree.point(i))) {
                    if found.len() < self.neighbors || found.last().is_some_and(|last| distance < *last) {
                        found.insert(found.partition_point(|other| *other <= distance), distance);
                        found.truncate(self.neighbors);
                    }
                }
                found
            };
            Ok(self.queries.iter().map(nearest).collect())
        })
    }
}
