//! Pushes projections down, but not into a sort-merge join that has a filter.
//!
//! DataFusion 55's `ProjectionPushdown` moves a projection below a sort-merge join and leaves the join's filter as it
//! was. The filter's columns are then other columns, or do not exist: rows are wrong, or a task panics. Upstream fixed
//! it in <https://github.com/apache/datafusion/pull/24593>, which is in no release yet. Ballista plans every equality
//! join as a sort-merge join, so here this is the usual case.
//!
//! This rule also leaves out one more thing that DataFusion's does: it moves parts of a nested-loop join's filter below
//! the join, which saves time and changes no answer.

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::joins::SortMergeJoinExec;
use datafusion::physical_plan::projection::{ProjectionExec, remove_unnecessary_projections};

/// The rule.
#[derive(Debug)]
pub(super) struct PushProjections;

impl PushProjections {
    /// The rule of DataFusion that it replaces.
    pub(super) const REPLACES: &str = "ProjectionPushdown";
}

impl PhysicalOptimizerRule for PushProjections {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, _config: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        plan.transform_down(|node| {
            let input = node.downcast_ref::<ProjectionExec>().map(ProjectionExec::input);
            let join = input.and_then(|input| input.downcast_ref::<SortMergeJoinExec>());
            if join.is_some_and(|join| join.filter().is_some()) {
                return Ok(Transformed::no(node));
            }
            remove_unnecessary_projections(node)
        })
        .data()
    }

    fn name(&self) -> &'static str {
        "push_projections"
    }

    fn schema_check(&self) -> bool {
        true
    }
}
