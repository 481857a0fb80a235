//! Rewrites some expressions of a query into forms that DataFusion 55 answers correctly, before it gives them types.
//!
//! | written | planned as | because |
//! |---|---|---|
//! | `amount >= 8.63` of a DECIMAL | the literal as the DECIMAL(3, 2) that it is | as a DOUBLE made DECIMAL(30, 15) it is 8.630000000000001 |
//! | `b IS TRUE`, `IS NOT TRUE`, … | `b IS NOT DISTINCT FROM true`, … | twice in one query, the former cannot be planned |
//! | `(SELECT MAX(day) FROM t) - MAX(day)` | the subquery's column under a name of its own | two columns of one name cannot be told apart |

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow::datatypes::DataType;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::common::{Column, DFSchema, Result, ScalarValue};
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{
    BinaryExpr, Expr, ExprSchemable, LogicalPlan, LogicalPlanBuilder, Operator, Subquery, lit,
};
use datafusion::optimizer::AnalyzerRule;

/// The rule; to be run before types are coerced.
#[derive(Debug, Default)]
pub(super) struct PlainExpressions {
    subqueries: AtomicU64,
}

impl AnalyzerRule for PlainExpressions {
    fn analyze(&self, plan: LogicalPlan, _config: &ConfigOptions) -> Result<LogicalPlan> {
        plan.transform_up_with_subqueries(|node| {
            let mut schema = merge_schema(&node.inputs());
            if let LogicalPlan::TableScan(scan) = &node {
                schema.merge(&scan.projected_schema);
            }
            let names = NamePreserver::new(&node);
            let plain = node.map_expressions(|expression| {
                let name = names.save(&expression);
                let plain = expression.transform_up(|expression| self.plain(expression, &schema))?;
                Ok(plain.update_data(|expression| name.restore(expression)))
            })?;
            if plain.transformed { plain.map_data(LogicalPlan::recompute_schema) } else { Ok(plain) }
        })
        .data()
    }

    fn name(&self) -> &'static str {
        "plain_expressions"
    }
}

impl PlainExpressions {
    fn plain(&self, expression: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
        Ok(match expression {
            Expr::BinaryExpr(BinaryExpr { left, op, right }) if is_comparison(op) => {
                let (new_left, new_right) = (exact(&left, &right, schema), exact(&right, &left, schema));
                let is_changed = new_left.is_some() || new_right.is_some();
                let left = new_left.map_or(left, Box::new);
                let right = new_right.map_or(right, Box::new);
                Transformed::new_transformed(Expr::BinaryExpr(BinaryExpr { left, op, right }), is_changed)
            }
            Expr::Between(mut between) => {
                let bounds = [exact(&between.low, &between.expr, schema), exact(&between.high, &between.expr, schema)];
                let is_changed = bounds.iter().any(Option::is_some);
                let [low, high] = bounds;
                between.low = low.map_or(between.low, Box::new);
                between.high = high.map_or(between.high, Box::new);
                Transformed::new_transformed(Expr::Between(between), is_changed)
            }
            Expr::InList(mut within) => {
                let mut is_changed = false;
                for item in &mut within.list {
                    if let Some(exact) = exact(item, &within.expr, schema) {
                        (*item, is_changed) = (exact, true);
                    }
                }
                Transformed::new_transformed(Expr::InList(within), is_changed)
            }
            Expr::IsTrue(inner) => Transformed::yes(compared(inner, Operator::IsNotDistinctFrom, true)),
            Expr::IsNotTrue(inner) => Transformed::yes(compared(inner, Operator::IsDistinctFrom, true)),
            Expr::IsFalse(inner) => Transformed::yes(compared(inner, Operator::IsNotDistinctFrom, false)),
            Expr::IsNotFalse(inner) => Transformed::yes(compared(inner, Operator::IsDistinctFrom, false)),
            Expr::ScalarSubquery(subquery) if subquery.subquery.schema().fields().len() == 1 => {
                let number = self.subqueries.fetch_add(1, Ordering::Relaxed);
                let column = Expr::Column(Column::from(subquery.subquery.schema().qualified_field(0)));
                let named = LogicalPlanBuilder::from(Arc::unwrap_or_clone(subquery.subquery))
                    .project([column.alias(format!("__value_{number}"))])?
                    .build()?;
                Transformed::yes(Expr::ScalarSubquery(Subquery { subquery: Arc::new(named), ..subquery }))
            }
            other => Transformed::no(other),
        })
    }
}

fn is_comparison(op: Operator) -> bool {
    use Operator::{Eq, Gt, GtEq, IsDistinctFrom, IsNotDistinctFrom, Lt, LtEq, NotEq};
    matches!(op, Eq | NotEq | Lt | LtEq | Gt | GtEq | IsDistinctFrom | IsNotDistinctFrom)
}

fn compared(inner: Box<Expr>, op: Operator, value: bool) -> Expr {
    Expr::BinaryExpr(BinaryExpr { left: inner, op, right: Box::new(lit(value)) })
}

/// A floating-point literal as the decimal that it was written as, where it is compared with a decimal.
fn exact(literal: &Expr, other: &Expr, schema: &DFSchema) -> Option<Expr> {
    let (value, sign) = match literal {
        Expr::Literal(ScalarValue::Float64(Some(value)), _) => (*value, 1),
        Expr::Negative(inner) => match &**inner {
            Expr::Literal(ScalarValue::Float64(Some(value)), _) => (*value, -1),
            _ => return None,
        },
        _ => return None,
    };
    if !matches!(
        other.get_type(schema).ok()?,
        DataType::Decimal128(..) | DataType::Decimal64(..) | DataType::Decimal32(..)
    ) {
        return None;
    }
    // The shortest text that gives this float is what was written, up to 17 digits. Even for `1e30` it has no exponent.
    let text = value.to_string();
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let digits = format!("{whole}{fraction}");
    let unscaled: i128 = digits.parse().ok()?;
    let precision = u8::try_from(digits.trim_start_matches(['-', '0']).len().max(fraction.len()).max(1)).ok()?;
    let scale = i8::try_from(fraction.len()).ok()?;
    (precision <= 38).then(|| lit(ScalarValue::Decimal128(Some(sign * unscaled), precision, scale)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::datatypes::{Field, Schema};
    use datafusion::logical_expr::col;

    #[test]
    fn literals_are_the_decimals_that_they_are_written_as() {
        let fields = vec![Field::new("m", DataType::Decimal128(11, 2), true), Field::new("x", DataType::Float64, true)];
        let schema = DFSchema::try_from(Schema::new(fields)).unwrap();
        let decimal = |value, precision, scale| Some(lit(ScalarValue::Decimal128(Some(value), precision, scale)));
        assert_eq!(exact(&lit(8.63), &col("m"), &schema), decimal(863, 3, 2));
        assert_eq!(exact(&lit(0.05), &col("m"), &schema), decimal(5, 2, 2));
        assert_eq!(exact(&lit(-8.63), &col("m"), &schema), decimal(-863, 3, 2));
        assert_eq!(exact(&Expr::Negative(Box::new(lit(8.63))), &col("m"), &schema), decimal(-863, 3, 2));
        assert_eq!(exact(&lit(100.0), &col("m"), &schema), decimal(100, 3, 0));
        assert_eq!(exact(&lit(8.63), &col("x"), &schema), None);
        assert_eq!(exact(&lit(f64::NAN), &col("m"), &schema), None);
        assert_eq!(exact(&lit(1e300), &col("m"), &schema), None);
    }
}
