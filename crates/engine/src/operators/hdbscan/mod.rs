//! HDBSCAN's operators: the part of [`segmenta_algorithms::hdbscan`] that runs on the workers.
//!
//! ```text
//!   points by row id ──Scatter──▶ shuffle by cell ──Gather──▶ cells: weighted points in tree order, and the point of each row
//!   cell ──GrowForest──▶ core distances, certain edges, open edges         (reads the cells that a ball reaches into)
//!   cell ──FindLinks──▶ shortest edges out of its components, once a round  (reads the cells they may lead to)
//!   labels of points ──Scatter──▶ shuffle by row id ──Gather──▶ labels, row for row those of the prepared points
//! ```
//!
//! A cell's tree is brought to the queries, not the queries to the cell: a tree is small (about 40 bytes a point), is kept
//! in the process's partition store, and serves every query that reaches it, whereas queries would cost two more shuffles
//! a round.

mod cell;
mod columns;
mod count_points;
mod find_links;
mod find_neighbors;
mod gather;
mod graph_forest;
mod grow_forest;
mod predictor;
mod scatter;

pub use cell::{CellBounds, CellPoints, read_ids, read_weights, write_labels};
pub(super) use cell::{read_columns, write_columns};
pub use columns::{CLUSTER_COLUMN, PROBABILITY_COLUMN, SCORE_COLUMN};
pub use count_points::CountPoints;
pub use find_links::{FindLinks, SearchedCell, write_components};
pub use find_neighbors::{FindNeighbors, NearestPoints, NeighborsFound, SampledPoint};
pub use gather::{Gather, Gathered};
pub use graph_forest::{GraphForest, GraphForestGrown, read_fragments, read_graph_edges};
pub use grow_forest::{ForestGrown, GrowForest, read_edges, read_links};
pub use predictor::{DensityModel, DensityModelCell};
pub use scatter::{PointLabels, Scatter};

use std::sync::Arc;

use arrow::compute::SortOptions;
use datafusion::physical_expr::expressions::col;
use datafusion::physical_expr::{LexOrdering, PhysicalSortExpr};
use datafusion::physical_plan::repartition::RepartitionExec;
use datafusion::physical_plan::sorts::sort::SortExec;
use datafusion::physical_plan::{ExecutionPlan, Partitioning};

use super::{OperatorExec, PART_COLUMN, parts_table};
use crate::artifact::{Part, ROW_COLUMN};
use crate::error::{EngineError, Result};

/// The plan that brings the rows of `inputs` to their targets: scattered, shuffled over `targets`, sorted by target and
/// row id, and gathered.
///
/// # Errors
/// Never for the schemas that [`Scatter`] has.
pub fn shuffle_plan(
    scatter: Scatter,
    inputs: &[Vec<Part>],
    gather: Gather,
    targets: u32,
) -> Result<Arc<dyn ExecutionPlan>> {
    let rows: Arc<dyn ExecutionPlan> = Arc::new(OperatorExec::new(scatter, parts_table(inputs)?));
    let schema = rows.schema();
    let by_target = Partitioning::Hash(vec![col(PART_COLUMN, &schema)?], targets.max(1) as usize);
    let shuffled: Arc<dyn ExecutionPlan> = Arc::new(RepartitionExec::try_new(rows, by_target)?);
    let mut order = Vec::new();
    for name in [PART_COLUMN, ROW_COLUMN] {
        order.push(PhysicalSortExpr::new(col(name, &schema)?, SortOptions::default()));
    }
    let order = LexOrdering::new(order).ok_or_else(|| EngineError::job("an ordering without columns"))?;
    let sorted: Arc<dyn ExecutionPlan> = Arc::new(SortExec::new(order, shuffled).with_preserve_partitioning(true));
    Ok(Arc::new(OperatorExec::new(gather, sorted)))
}
