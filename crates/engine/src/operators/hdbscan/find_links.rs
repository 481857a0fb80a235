//! A round of Boruvka's algorithm: a cell's search for edges to other cells.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::execution::TaskContext;
use datafusion::execution::runtime_env::RuntimeEnv;
use object_store::ObjectStoreExt;
use segmenta_algorithms::hdbscan::forest::{Outward, near_in_other, nearest_in_other, widest};
use segmenta_algorithms::hdbscan::joining::{Link, Place};
use segmenta_algorithms::hdbscan::neighbors::MAX_EXACT_DIMENSIONS;
use segmenta_algorithms::hdbscan::outside::{LabelledTree, Nearest, label_nodes};
use segmenta_algorithms::with_dimensions;
use serde::{Deserialize, Serialize};

use super::super::{PartTask, only};
use super::cell::{Cell, CellBounds, Cores, load_cell, load_cores};
use crate::artifact::{Part, put, resolve};
use crate::error::{EngineError, Result};
use crate::store::{PartitionStore, StoreKey};

/// Finds the shortest edges from the components that have points in a cell to points of other cells, or of any cell. Other
/// cells are read where such an edge may lead, one at a time.
///
/// Holds the cell and one other, with 16 bytes a point for their core distances and components, and 80 bytes for each
/// component of the cell.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct FindLinks {
    /// Features, in order.
    pub features: Vec<String>,
    /// All cells, by index.
    pub cells: Vec<SearchedCell>,
    /// Where [`write_components`] put the components of this round.
    pub components: String,
    /// Whether an edge within the cell may be the shortest as well, because the driver knows of no such edges. This is
    /// so for the graph of neighbours, whose edges are approximate beyond [`MAX_EXACT_DIMENSIONS`] features.
    pub within_cells: bool,
}

/// A cell in a round.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SearchedCell {
    /// Its points.
    pub points: Part,
    /// Their core distances and fragments.
    pub cores: Part,
    /// The box around them.
    pub bounds: CellBounds,
    /// The number of its first fragment over all cells.
    pub first_fragment: u32,
    /// Number of its fragments.
    pub fragments: u32,
}

/// Bytes of a fragment in the file of components.
const ENTRY: usize = 12;

/// Writes, for each fragment, its component and the squared reach of the shortest known edge out of that component.
///
/// # Errors
/// A place that cannot be written to.
pub async fn write_components(runtime: &RuntimeEnv, url: &str, limits: &[(u32, f64)]) -> Result<()> {
    let mut bytes = Vec::with_capacity(limits.len() * ENTRY);
    for (component, limit) in limits {
        bytes.extend_from_slice(&component.to_le_bytes());
        bytes.extend_from_slice(&limit.to_le_bytes());
    }
    put(runtime, url, bytes).await
}

/// The components of a cell's points and nodes in a round.
#[derive(Debug)]
struct Labels {
    limits: Vec<(u32, f64)>,
    component: Vec<u32>,
    node_component: Vec<u32>,
}

#[async_trait]
impl PartTask for FindLinks {
    const NAME: &'static str = "find_links";
    type Output = Vec<Link>;

    async fn run(&self, inputs: &[Part], context: &Arc<TaskContext>) -> Result<Vec<Link>> {
        let part = only(inputs)?;
        with_dimensions!(self.features.len(), D => self.find::<D>(part, context).await)
    }
}

impl FindLinks {
    async fn find<const D: usize>(&self, part: &Part, context: &Arc<TaskContext>) -> Result<Vec<Link>> {
        let own = self
            .cells
            .iter()
            .find(|cell| cell.points.index == part.index)
            .ok_or_else(|| EngineError::job(format!("cell {} is not one of the job's", part.index)))?;
        let (cell, cores, labels) = self.load::<D>(own, context).await?;
        let mut names: Vec<(u32, f64)> = labels.limits.clone();
        names.sort_unstable_by_key(|(component, _)| *component);
        names.dedup_by_key(|(component, _)| *component);
        let slot = |component: &u32| names.partition_point(|(name, _)| name < component) as u32;
        let by_fragment: Vec<u32> = labels.limits.iter().map(|(component, _)| slot(component)).collect();
        let slots: Vec<u32> = cores.fragment.iter().map(|fragment| by_fragment[*fragment as usize]).collect();
        let mut found: Vec<Outward> = names
            .iter()
            .map(|(_, limit)| Outward { best: Nearest::within(*limit), from: 0, cell: part.index })
            .collect();
        let bounds = cell.tree.bounds();
        // The cell itself is the first, at distance zero.
        let mut searched: Vec<(f64, &SearchedCell)> = self
            .cells
            .iter()
            .filter(|other| self.within_cells || other.points.index != part.index)
            .map(|other| (bounds.squared_distance_to_box(&other.bounds.to_box()), other))
            .collect();
        searched.sort_by(|(a, cell), (b, other)| {
            let is_other = |cell: &SearchedCell| cell.points.index != part.index;
            a.total_cmp(b).then(is_other(cell).cmp(&is_other(other)))
        });
        // Approximate in the same way as the neighbours are.
        let is_approximate = self.within_cells && self.features.len() > MAX_EXACT_DIMENSIONS;
        let mut target_component = vec![u32::MAX; found.len()];
        for (distance, other) in searched {
            if distance > widest(&found) {
                break;
            }
            let (other_cell, other_cores, other_labels) = self.load::<D>(other, context).await?;
            let before: Vec<Nearest> = found.iter().map(|outward| outward.best).collect();
            let from = labelled(&cell, &cores, &labels);
            let to = labelled(&other_cell, &other_cores, &other_labels);
            if is_approximate {
                near_in_other(from, to, other.points.index, &slots, &mut found);
            } else {
                nearest_in_other(from, to, other.points.index, &slots, &mut found);
            }
            for ((outward, before), component) in found.iter().zip(before).zip(&mut target_component) {
                if outward.best != before {
                    *component = other_labels.component[outward.best.target as usize];
                }
            }
        }
        let mut links = Vec::new();
        for ((outward, (name, _)), component) in found.iter().zip(&names).zip(target_component) {
            if component != u32::MAX {
                let from = Place { cell: part.index, point: outward.from };
                let to = Place { cell: outward.cell, point: outward.best.target };
                links.push(Link::found(&outward.best, (from, to), (*name, component)));
            }
        }
        Ok(links)
    }

    async fn load<const D: usize>(
        &self,
        cell: &SearchedCell,
        context: &Arc<TaskContext>,
    ) -> Result<(Arc<Cell<D>>, Arc<Cores>, Arc<Labels>)> {
        let points = load_cell::<D>(context, &cell.points, &self.features).await?;
        let cores = load_cores(context, &cell.cores).await?;
        let store = PartitionStore::of(context)?;
        let key = StoreKey::of(&cell.points, &format!("components#{}", self.components));
        let labels = store
            .get_or_load(&key, async {
                let limits = self.read_components(cell, context).await?;
                let component: Vec<u32> = cores.fragment.iter().map(|fragment| limits[*fragment as usize].0).collect();
                let node_component = label_nodes(&points.tree, &component);
                let bytes = limits.capacity() * 16 + (component.capacity() + node_component.capacity()) * 4;
                Ok((Labels { limits, component, node_component }, bytes))
            })
            .await?;
        Ok((points, cores, labels))
    }

    async fn read_components(&self, cell: &SearchedCell, context: &TaskContext) -> Result<Vec<(u32, f64)>> {
        let (store, path) = resolve(&context.runtime_env(), &self.components)?;
        let start = u64::from(cell.first_fragment) * ENTRY as u64;
        let end = start + u64::from(cell.fragments) * ENTRY as u64;
        let bytes = store
            .get_range(&path, start..end)
            .await
            .map_err(|error| EngineError::input(format!("{}: cannot be read: {error}", self.components)))?;
        let entries = bytes.chunks_exact(ENTRY).map(|entry| {
            let (mut component, mut limit) = ([0; 4], [0; 8]);
            component.copy_from_slice(&entry[..4]);
            limit.copy_from_slice(&entry[4..]);
            (u32::from_le_bytes(component), f64::from_le_bytes(limit))
        });
        Ok(entries.collect())
    }
}

fn labelled<'a, const D: usize>(cell: &'a Cell<D>, cores: &'a Cores, labels: &'a Labels) -> LabelledTree<'a, D> {
    LabelledTree {
        tree: &cell.tree,
        squared_core: &cores.squared_core,
        ids: &cell.ids,
        component: &labels.component,
        node_component: &labels.node_component,
    }
}
