//! What a query may not contain, because DataFusion would answer it wrongly or differently in each run, and what its
//! answer depends on besides its text.
//!
//! | refused | why |
//! |---|---|
//! | `random()` and the like | other values each time |
//! | `ROW_NUMBER() OVER ()`, `LIMIT` or `ARRAY_AGG` without an ORDER BY, … | rows come in any order |
//! | `NOT IN (SELECT …)` whose rows depend on the outer row, or within OR, CASE and the like | NULL is taken for false |
//! | `RIGHT` and `FULL JOIN … USING`, `NATURAL` | the shared column is NULL where only the right side has a row |
//! | `EXCEPT ALL`, `INTERSECT ALL` | repeated rows are not counted |
//! | `x = ANY (SELECT …)`, `ALL` | the comparison is lost |
//! | `LAG(x) IGNORE NULLS OVER (…)`, `SUM(x) FILTER (…) OVER (…)` | lost on the way to a worker |
//! | `TABLESAMPLE` | it is ignored |
//!
//! If an ORDER BY has equal rows, their order cannot be told from the query. There are warnings for that.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, JoinConstraint, JoinType, Result as DataFusionResult};
use datafusion::logical_expr::expr::{AggregateFunction, NullTreatment, WindowFunction};
use datafusion::logical_expr::{
    Distinct, Expr, LogicalPlan, Operator, Volatility, WindowFrame, WindowFrameBound, WindowFrameUnits,
    WindowFunctionDefinition,
};
use datafusion::sql::parser::Statement as ParsedStatement;
use datafusion::sql::sqlparser::ast::{
    Expr as SqlExpr, Query, SetExpr, SetOperator, SetQuantifier, Statement, TableFactor, Visit, Visitor,
};
use segmenta_engine::{EngineError, Result};

/// What the answer of a query depends on besides its text and the shards.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Dependence {
    /// The day or the moment at which it is run. Empty for most queries.
    pub moment: String,
    /// One sentence for each place where equal rows may come in any order.
    pub warnings: Vec<String>,
}

/// Window functions whose value depends on which of several rows comes first.
const BY_PLACE: [&str; 7] = ["row_number", "ntile", "lag", "lead", "first_value", "last_value", "nth_value"];
/// Aggregates whose value depends on it too.
const BY_ORDER: [&str; 5] = ["array_agg", "string_agg", "first_value", "last_value", "nth_value"];

fn refused(what: impl std::fmt::Display) -> EngineError {
    EngineError::spec(format!("source.sql: {what}"))
}

/// Refuses parts of a statement that its plan no longer shows.
///
/// # Errors
/// Set operations and samples that DataFusion would misread.
pub(super) fn check_statement(statement: &ParsedStatement) -> Result<()> {
    let ParsedStatement::Statement(statement) = statement else { return Ok(()) };
    let statement: &Statement = statement;
    match statement.visit(&mut Misread) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(what) => Err(refused(what)),
    }
}

struct Misread;

impl Visitor for Misread {
    type Break = String;

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<String> {
        set_operation(&query.body)
    }

    fn pre_visit_expr(&mut self, expression: &SqlExpr) -> ControlFlow<String> {
        let (SqlExpr::AnyOp { right, .. } | SqlExpr::AllOp { right, .. }) = expression else {
            return ControlFlow::Continue(());
        };
        match &**right {
            SqlExpr::Subquery(_) => ControlFlow::Break(
                "ANY, SOME and ALL (SELECT …): the comparison would be lost; write IN (SELECT …), or EXISTS (SELECT 1 FROM … \
                 WHERE …)"
                    .to_owned(),
            ),
            _ => ControlFlow::Continue(()),
        }
    }

    fn pre_visit_table_factor(&mut self, table: &TableFactor) -> ControlFlow<String> {
        match table {
            TableFactor::Table { name, sample: Some(_), .. } => ControlFlow::Break(format!(
                "{name} TABLESAMPLE: samples are not taken, all rows would be read; take one by a condition on a hash or a \
                 number, for example WHERE customer_id % 100 = 0"
            )),
            _ => ControlFlow::Continue(()),
        }
    }
}

fn set_operation(body: &SetExpr) -> ControlFlow<String> {
    let SetExpr::SetOperation { op, set_quantifier, left, right } = body else { return ControlFlow::Continue(()) };
    let counts = matches!(set_quantifier, SetQuantifier::All | SetQuantifier::AllByName);
    if counts && matches!(op, SetOperator::Except | SetOperator::Intersect | SetOperator::Minus) {
        return ControlFlow::Break(format!(
            "{op} ALL: how often a row occurs would not be counted; write {op} without ALL, or number equal rows first \
             (ROW_NUMBER() OVER (PARTITION BY all columns ORDER BY one of them)) and compare the numbers too"
        ));
    }
    set_operation(left)?;
    set_operation(right)
}

/// What the query depends on.
///
/// # Errors
/// When the query would be answered wrongly, or differently in each run.
pub(super) fn check_plan(plan: &LogicalPlan) -> Result<Dependence> {
    let mut found = Found::default();
    plan.apply_with_subqueries(|node| {
        found.node(node)?;
        Ok(TreeNodeRecursion::Continue)
    })?;
    if !found.refusals.is_empty() {
        let refusals: Vec<&str> = found.refusals.iter().map(String::as_str).collect();
        return Err(refused(refusals.join("\nsource.sql: ")));
    }
    let utc = chrono::Utc::now();
    let moment = match (found.now, found.today) {
        (true, _) => utc.to_rfc3339(),
        (false, true) => utc.date_naive().to_string(),
        (false, false) => String::new(),
    };
    Ok(Dependence { moment, warnings: found.warnings.into_iter().collect() })
}

#[derive(Default)]
struct Found {
    today: bool,
    now: bool,
    refusals: BTreeSet<String>,
    warnings: BTreeSet<String>,
}

impl Found {
    fn node(&mut self, node: &LogicalPlan) -> DataFusionResult<()> {
        match node {
            LogicalPlan::Filter(filter) => self.condition(&filter.predicate),
            LogicalPlan::Join(join) => {
                let is_shared = join.join_constraint == JoinConstraint::Using && !join.on.is_empty();
                if is_shared && matches!(join.join_type, JoinType::Right | JoinType::Full) {
                    let (shared, _) = &join.on[0];
                    self.refusals.insert(format!(
                        "{} JOIN with USING or NATURAL: `{}` would be NULL where only the right side has a row; write ON a.{1} = \
                         b.{1} and COALESCE(a.{1}, b.{1}) AS {1}",
                        join.join_type.to_string().to_uppercase(),
                        unqualified(shared),
                    ));
                }
                if let Some(filter) = &join.filter {
                    self.condition(filter);
                }
            }
            LogicalPlan::Limit(limit) => {
                // The projection comes after the sort.
                let rows = match &*limit.input {
                    LogicalPlan::Projection(projection) => &projection.input,
                    _ => &limit.input,
                };
                if let LogicalPlan::Sort(sort) = &**rows {
                    self.ties("LIMIT", sort.expr.iter().map(|key| &key.expr));
                } else if limit.input.max_rows().is_none_or(|rows| rows > 1) {
                    self.any_order("LIMIT", "add an ORDER BY");
                }
            }
            LogicalPlan::Distinct(Distinct::On(distinct)) => match &distinct.sort_expr {
                Some(sort) => self.ties("DISTINCT ON", sort.iter().map(|key| &key.expr)),
                None => self.any_order("DISTINCT ON", "add an ORDER BY"),
            },
            _ => {}
        }
        node.apply_expressions(|expression| {
            expression.apply(|expression| {
                self.expression(expression);
                Ok(TreeNodeRecursion::Continue)
            })
        })?;
        Ok(())
    }

    fn any_order(&mut self, what: &str, remedy: &str) {
        self.refusals.insert(format!("{what} depends on the order of rows, which is another in each run; {remedy}"));
    }

    fn ties<'a>(&mut self, what: &str, keys: impl Iterator<Item = &'a Expr>) {
        let keys: Vec<String> = keys.map(|key| format!("`{}`", unqualified(key))).collect();
        self.warnings.insert(format!(
            "source.sql: {what} takes rows in the order of {}; where rows are equal in that, another run may take others: \
             make the order total, for example by the id as its last column",
            keys.join(", ")
        ));
    }

    fn expression(&mut self, expression: &Expr) {
        match expression {
            Expr::ScalarFunction(call) => match call.func.signature().volatility {
                Volatility::Immutable => {}
                Volatility::Stable if ["current_date", "today"].contains(&call.name()) => self.today = true,
                Volatility::Stable => self.now = true,
                Volatility::Volatile => {
                    self.refusals.insert(format!(
                        "{}() gives other values each time, so no run could be repeated or resumed; leave it out",
                        call.name()
                    ));
                }
            },
            // DataFusion would leave it to each task to fail.
            Expr::Cast(cast) => {
                if let Expr::Literal(value, _) = &*cast.expr
                    && value.cast_to(cast.field.data_type()).is_err()
                {
                    self.refusals.insert(format!("`{expression}`: {value} is no {}", cast.field.data_type()));
                }
            }
            Expr::AggregateFunction(call) => self.aggregate(call),
            Expr::WindowFunction(call) => self.window(call),
            _ => {}
        }
    }

    fn aggregate(&mut self, call: &AggregateFunction) {
        let name = call.func.name();
        if !BY_ORDER.contains(&name) {
            return;
        }
        let parameters = &call.params;
        if parameters.order_by.is_empty() {
            self.any_order(&name.to_uppercase(), "write an ORDER BY into its parentheses");
        } else if !parameters.args.first().is_some_and(|value| parameters.order_by.iter().any(|key| key.expr == *value))
        {
            self.ties(&name.to_uppercase(), parameters.order_by.iter().map(|key| &key.expr));
        }
    }

    fn window(&mut self, call: &WindowFunction) {
        let (name, parameters) = (call.fun.name(), &call.params);
        if parameters.null_treatment == Some(NullTreatment::IgnoreNulls) {
            self.refusals.insert(format!(
                "{}() IGNORE NULLS OVER (…): the NULLs would not be passed over; leave rows with NULL out first, in a subquery",
                name.to_uppercase()
            ));
        }
        if parameters.filter.is_some() {
            self.refusals.insert(format!(
                "{}(…) FILTER (WHERE …) OVER (…): the filter would be lost; write CASE WHEN … THEN … END into its parentheses",
                name.to_uppercase()
            ));
        }
        let by_place = match &call.fun {
            WindowFunctionDefinition::WindowUDF(_) => BY_PLACE.contains(&name),
            WindowFunctionDefinition::AggregateUDF(_) => {
                BY_ORDER.contains(&name) || cuts_between_equals(&parameters.window_frame)
            }
        };
        if !by_place {
            return;
        }
        let what = format!("{}() OVER (…)", name.to_uppercase());
        if parameters.order_by.is_empty() {
            let remedy = if name == "row_number" {
                "add an ORDER BY; and for an id, take a column that stays with its row"
            } else {
                "add an ORDER BY"
            };
            self.any_order(&what, remedy);
        } else {
            let keys = parameters.partition_by.iter().chain(parameters.order_by.iter().map(|key| &key.expr));
            self.ties(&what, keys);
        }
    }

    /// A condition of WHERE, HAVING, QUALIFY or ON. Each part of it that is joined by AND may be a NOT IN.
    fn condition(&mut self, condition: &Expr) {
        match condition {
            Expr::BinaryExpr(both) if both.op == Operator::And => {
                self.condition(&both.left);
                self.condition(&both.right);
            }
            Expr::InSubquery(within) if within.negated => {
                if !within.subquery.outer_ref_columns.is_empty() {
                    self.not_in("of rows that depend on the outer one");
                }
                self.value(&within.expr);
            }
            Expr::Not(inner) => match &**inner {
                Expr::InSubquery(within) if !within.negated && within.subquery.outer_ref_columns.is_empty() => {
                    self.value(&within.expr);
                }
                _ => self.value(condition),
            },
            _ => self.disjunction(condition),
        }
    }

    /// Within AND and OR alone, a row is kept or not, so NULL and false mean the same.
    fn disjunction(&mut self, condition: &Expr) {
        match condition {
            Expr::BinaryExpr(both) if matches!(both.op, Operator::And | Operator::Or) => {
                self.disjunction(&both.left);
                self.disjunction(&both.right);
            }
            Expr::InSubquery(within) if !within.negated => self.value(&within.expr),
            _ => self.value(condition),
        }
    }

    /// Places where NULL and false differ.
    fn value(&mut self, expression: &Expr) {
        let found = expression.exists(|inner| Ok(matches!(inner, Expr::InSubquery(_)))).unwrap_or(true);
        if found {
            self.not_in("within OR, NOT or a function");
        }
    }

    fn not_in(&mut self, which: &str) {
        self.refusals.insert(format!(
            "NOT IN (SELECT …) {which}: NULL would be taken for false; write NOT EXISTS (SELECT 1 FROM … WHERE b.x = a.x), which \
             says what is to become of NULL"
        ));
    }
}

/// Whether a frame may hold one of two rows that are equal in the order, but not the other.
fn cuts_between_equals(frame: &WindowFrame) -> bool {
    let is_whole = |bound: &WindowFrameBound| bound.is_unbounded();
    frame.units == WindowFrameUnits::Rows && !(is_whole(&frame.start_bound) && is_whole(&frame.end_bound))
}

fn unqualified(expression: &Expr) -> String {
    match expression {
        Expr::Column(Column { name, .. }) => name.clone(),
        other => other.to_string(),
    }
}
