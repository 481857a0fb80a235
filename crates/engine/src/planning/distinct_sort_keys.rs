//! Removes sort keys from an aggregate that have no effect: repeated ones, and those that are constant within a group.
//!
//! DataFusion 55 removes such keys from the order that it requires of the rows, but not from the aggregate, which then
//! panics. Examples are `FIRST_VALUE(x ORDER BY day, day)` and `DISTINCT ON (k) … ORDER BY k, day`.

use datafusion::common::Result;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::{Aggregate, Expr, LogicalPlan};
use datafusion::optimizer::optimizer::ApplyOrder;
use datafusion::optimizer::{OptimizerConfig, OptimizerRule};

/// The rule.
#[derive(Debug)]
pub(super) struct DistinctSortKeys;

impl OptimizerRule for DistinctSortKeys {
    fn name(&self) -> &'static str {
        "distinct_sort_keys"
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        Some(ApplyOrder::BottomUp)
    }

    fn supports_rewrite(&self) -> bool {
        true
    }

    fn rewrite(&self, plan: LogicalPlan, _config: &dyn OptimizerConfig) -> Result<Transformed<LogicalPlan>> {
        let names = NamePreserver::new(&plan);
        let LogicalPlan::Aggregate(Aggregate { input, group_expr, aggr_expr, schema, .. }) = plan else {
            return Ok(Transformed::no(plan));
        };
        let mut is_changed = false;
        let mut aggregates = Vec::with_capacity(aggr_expr.len());
        for expression in aggr_expr {
            let name = names.save(&expression);
            let rewritten = expression.transform_up(|inner| {
                let Expr::AggregateFunction(mut call) = inner else { return Ok(Transformed::no(inner)) };
                let before = call.params.order_by.len();
                let mut seen: Vec<Expr> = group_expr.clone();
                call.params.order_by.retain(|key| {
                    let is_new = !seen.contains(&key.expr);
                    seen.push(key.expr.clone());
                    is_new
                });
                let is_shorter = call.params.order_by.len() < before;
                Ok(Transformed::new_transformed(Expr::AggregateFunction(call), is_shorter))
            })?;
            is_changed |= rewritten.transformed;
            aggregates.push(name.restore(rewritten.data));
        }
        let aggregate = Aggregate::try_new_with_schema(input, group_expr, aggregates, schema)?;
        Ok(Transformed::new_transformed(LogicalPlan::Aggregate(aggregate), is_changed))
    }
}
