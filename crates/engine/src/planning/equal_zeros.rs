//! Lets -0.0 and 0.0 match as keys of a join.
//!
//! They are equal, but a shuffle and a sort-merge join compare their bits. Adding 0.0 turns -0.0 into 0.0 and changes
//! no other float.

use arrow::datatypes::DataType;
use datafusion::common::Result;
use datafusion::common::tree_node::Transformed;
use datafusion::logical_expr::{Expr, ExprSchemable, LogicalPlan, cast, lit};
use datafusion::optimizer::optimizer::ApplyOrder;
use datafusion::optimizer::{OptimizerConfig, OptimizerRule};

/// The rule. It works on the logical plan, so that computed keys find their place.
#[derive(Debug)]
pub(super) struct EqualZeros;

impl OptimizerRule for EqualZeros {
    fn name(&self) -> &'static str {
        "equal_zeros"
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        Some(ApplyOrder::BottomUp)
    }

    fn supports_rewrite(&self) -> bool {
        true
    }

    fn rewrite(&self, plan: LogicalPlan, _config: &dyn OptimizerConfig) -> Result<Transformed<LogicalPlan>> {
        let LogicalPlan::Join(mut join) = plan else { return Ok(Transformed::no(plan)) };
        let mut is_changed = false;
        for (left, right) in &mut join.on {
            for (key, input) in [(left, &join.left), (right, &join.right)] {
                let data_type = key.get_type(input.schema())?;
                if data_type.is_floating() && !is_done(key) {
                    *key = key.clone() + zero(data_type);
                    is_changed = true;
                }
            }
        }
        Ok(Transformed::new_transformed(LogicalPlan::Join(join), is_changed))
    }
}

fn zero(data_type: DataType) -> Expr {
    match data_type {
        DataType::Float64 => lit(0.0_f64),
        DataType::Float32 => lit(0.0_f32),
        other => cast(lit(0.0_f64), other),
    }
}

/// A rule may run several times on the same plan.
fn is_done(key: &Expr) -> bool {
    let Expr::BinaryExpr(sum) = key else { return false };
    [lit(0.0_f64), lit(0.0_f32)].contains(&*sum.right) || matches!(&*sum.right, Expr::Cast(_))
}
