//! Lets the filter of a sort-merge join see NULL.
//!
//! For rows without a partner, DataFusion 55's sort-merge join gives the filter NULL for the other side's columns, in a
//! batch with the schema of the *inputs*. Where that schema says "never NULL", as for a COUNT, the task fails
//! ("declared as non-nullable but contains null values").

use std::sync::Arc;

use arrow::datatypes::{Field, Schema};
use datafusion::common::Result;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::joins::SortMergeJoinExec;
use datafusion::physical_plan::joins::utils::JoinFilter;

/// The rule.
#[derive(Debug)]
pub(super) struct NullableFilters;

impl PhysicalOptimizerRule for NullableFilters {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, _config: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        plan.transform_up(|node| {
            let join = node.downcast_ref::<SortMergeJoinExec>();
            let Some((join, filter)) = join.and_then(|join| Some((join, join.filter().as_ref()?))) else {
                return Ok(Transformed::no(node));
            };
            if filter.schema().fields().iter().all(|field| field.is_nullable()) {
                return Ok(Transformed::no(node));
            }
            let fields = filter.schema().fields().iter().map(|field| field.as_ref().clone().with_nullable(true));
            let schema = Arc::new(Schema::new(fields.collect::<Vec<Field>>()));
            let filter = JoinFilter::new(Arc::clone(filter.expression()), filter.column_indices().to_vec(), schema);
            Ok(Transformed::yes(Arc::new(SortMergeJoinExec::try_new(
                Arc::clone(join.left()),
                Arc::clone(join.right()),
                join.on().to_vec(),
                Some(filter),
                join.join_type(),
                join.sort_options().to_vec(),
                join.null_equality(),
            )?)))
        })
        .data()
    }

    fn name(&self) -> &'static str {
        "nullable_filters"
    }

    fn schema_check(&self) -> bool {
        true
    }
}
