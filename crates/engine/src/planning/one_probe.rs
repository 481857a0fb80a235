//! Runs a nested-loop join as a single task where its answer needs the whole of its probe side.
//!
//! ```text
//!   NestedLoopJoin(LEFT)              NestedLoopJoin(LEFT)
//!     build (whole)            ▶        build (whole)
//!     probe, n partitions               Whole ── CoalescePartitions ── probe, n partitions
//! ```
//!
//! A nested-loop join reads its left side whole and goes through its right side partition by partition. Which rows of
//! the left side found no partner is known only when *all* partitions are done. DataFusion's partitions share a bitmap
//! for that. On a cluster each task has a bitmap of its own, and reports rows as unmatched that another task has
//! matched (<https://github.com/apache/datafusion-ballista/issues/1055>). With one partition on the right there is only
//! one task.
//!
//! Such a join compares every pair of rows anyway, so either its right side is small or the query is too slow in any
//! case.

use std::sync::Arc;

use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::common::{JoinType, Result};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::coalesce_partitions::CoalescePartitionsExec;
use datafusion::physical_plan::joins::NestedLoopJoinExec;
use datafusion::physical_plan::{ExecutionPlan, replace_children_if_necessary};

use crate::operators::WholeExec;

/// The rule.
#[derive(Debug)]
pub(super) struct OneProbe;

/// Whether a join's answer for a row of its left side depends on the whole of its right side.
fn needs_the_whole_probe(join_type: JoinType) -> bool {
    match join_type {
        JoinType::Left | JoinType::Full | JoinType::LeftSemi | JoinType::LeftAnti | JoinType::LeftMark => true,
        JoinType::Inner | JoinType::Right | JoinType::RightSemi | JoinType::RightAnti | JoinType::RightMark => false,
    }
}

impl PhysicalOptimizerRule for OneProbe {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, _config: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        plan.transform_up(|node| {
            let Some(join) = node.downcast_ref::<NestedLoopJoinExec>() else {
                return Ok(Transformed::no(node));
            };
            // DataFusion may split a scan into more partitions than the plan shows, so even a single one is coalesced.
            if join.right().is::<WholeExec>() || !needs_the_whole_probe(*join.join_type()) {
                return Ok(Transformed::no(node));
            }
            let probe = if join.right().is::<CoalescePartitionsExec>() {
                Arc::clone(join.right())
            } else {
                Arc::new(CoalescePartitionsExec::new(Arc::clone(join.right())))
            };
            let children: Vec<Arc<dyn ExecutionPlan>> = vec![Arc::clone(join.left()), Arc::new(WholeExec::new(probe))];
            Ok(Transformed::yes(replace_children_if_necessary(node, children)?))
        })
        .data()
    }

    fn name(&self) -> &'static str {
        "one_probe"
    }

    fn schema_check(&self) -> bool {
        true
    }
}
