//! LAG, LEAD and NTH_VALUE that are never run backwards.
//!
//! Where two windows sort in opposite orders, DataFusion 55 sorts once and runs one of them from the other end. For
//! these three functions alone, the plan does not say that a function was reversed. So it is lost when the plan travels
//! to a worker, and LAG comes out as LEAD. Here the plan is told that they cannot be reversed.

use std::sync::Arc;

use arrow::compute::SortOptions;
use arrow::datatypes::{DataType, FieldRef};
use datafusion::common::Result;
use datafusion::logical_expr::function::{
    ExpressionArgs, PartitionEvaluatorArgs, WindowFunctionSimplification, WindowUDFFieldArgs,
};
use datafusion::logical_expr::{
    Documentation, LimitEffect, PartitionEvaluator, ReversedUDWF, Signature, WindowUDF, WindowUDFImpl,
};
use datafusion::physical_expr::PhysicalExpr;

const NAMES: [&str; 3] = ["lag", "lead", "nth_value"];

/// The window functions, with ours in place of these three.
pub(super) fn unreversed(functions: Vec<Arc<WindowUDF>>) -> Vec<Arc<WindowUDF>> {
    let guard = |function: Arc<WindowUDF>| {
        if NAMES.contains(&function.name()) { Arc::new(Unreversed(function).into()) } else { function }
    };
    functions.into_iter().map(guard).collect()
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Unreversed(Arc<WindowUDF>);

impl WindowUDFImpl for Unreversed {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn aliases(&self) -> &[String] {
        self.0.aliases()
    }

    fn signature(&self) -> &Signature {
        self.0.signature()
    }

    fn expressions(&self, arguments: ExpressionArgs<'_>) -> Vec<Arc<dyn PhysicalExpr>> {
        self.0.inner().expressions(arguments)
    }

    fn partition_evaluator(&self, arguments: PartitionEvaluatorArgs<'_>) -> Result<Box<dyn PartitionEvaluator>> {
        self.0.inner().partition_evaluator(arguments)
    }

    fn simplify(&self) -> Option<WindowFunctionSimplification> {
        self.0.inner().simplify()
    }

    fn field(&self, arguments: WindowUDFFieldArgs<'_>) -> Result<FieldRef> {
        self.0.inner().field(arguments)
    }

    fn sort_options(&self) -> Option<SortOptions> {
        self.0.inner().sort_options()
    }

    fn coerce_types(&self, arguments: &[DataType]) -> Result<Vec<DataType>> {
        self.0.inner().coerce_types(arguments)
    }

    fn reverse_expr(&self) -> ReversedUDWF {
        ReversedUDWF::NotSupported
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.0.inner().documentation()
    }

    fn limit_effect(&self, arguments: &[Arc<dyn PhysicalExpr>]) -> LimitEffect {
        self.0.inner().limit_effect(arguments)
    }
}
