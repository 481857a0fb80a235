//! [`OperatorExec`]: what each of our operators is to DataFusion.
//!
//! An [`Operator`] is its settings, a description and a function from a stream to a stream. The rest of an
//! `ExecutionPlan` is the same for all and is here, once: properties, children, metrics, tracing.

use std::fmt;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::common::Result;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::{EquivalenceProperties, PhysicalExpr};
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::metrics::{BaselineMetrics, ExecutionPlanMetricsSet, MetricsSet};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties, Partitioning, PlanProperties,
};
use futures::stream::BoxStream;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{encode, only_child, result_schema};
use crate::progress::observed;

/// What an operator makes of one partition.
pub(super) type Output = BoxStream<'static, Result<RecordBatch>>;

/// An operator with one input, which it goes over partition by partition. It must be a pure function of its settings
/// and its input: Ballista may run it twice.
pub trait Operator: Serialize + DeserializeOwned + fmt::Debug + Send + Sync + 'static {
    /// Names the operator in plans, and on the way to a worker.
    const NAME: &'static str;

    /// What EXPLAIN says of its settings.
    fn describe(&self) -> String;

    /// Names its work in traces.
    fn work(&self) -> &str {
        Self::NAME
    }

    /// The columns it emits.
    fn schema(&self) -> SchemaRef {
        result_schema()
    }

    /// Goes over one partition.
    fn run(
        self: Arc<Self>,
        input: SendableRecordBatchStream,
        context: Arc<TaskContext>,
        metrics: BaselineMetrics,
    ) -> Output;
}

/// An [`Operator`] behind a pointer.
pub(crate) trait DynOperator: fmt::Debug + Send + Sync {
    fn name(&self) -> &'static str;
    fn describe(&self) -> String;
    fn work(&self) -> &str;
    fn schema(&self) -> SchemaRef;
    /// The settings in postcard.
    fn encode(&self) -> Result<Vec<u8>>;
    fn run(
        self: Arc<Self>,
        input: SendableRecordBatchStream,
        context: Arc<TaskContext>,
        metrics: BaselineMetrics,
    ) -> Output;
}

impl<O: Operator> DynOperator for O {
    fn name(&self) -> &'static str {
        O::NAME
    }

    fn describe(&self) -> String {
        Operator::describe(self)
    }

    fn work(&self) -> &str {
        Operator::work(self)
    }

    fn schema(&self) -> SchemaRef {
        Operator::schema(self)
    }

    fn encode(&self) -> Result<Vec<u8>> {
        encode(self)
    }

    fn run(
        self: Arc<Self>,
        input: SendableRecordBatchStream,
        context: Arc<TaskContext>,
        metrics: BaselineMetrics,
    ) -> Output {
        Operator::run(self, input, context, metrics)
    }
}

/// An [`Operator`] in a plan.
#[derive(Debug)]
pub struct OperatorExec {
    operator: Arc<dyn DynOperator>,
    input: Arc<dyn ExecutionPlan>,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
}

impl OperatorExec {
    /// `operator` over `input`.
    #[must_use]
    pub fn new(operator: impl Operator, input: Arc<dyn ExecutionPlan>) -> Self {
        Self::over(Arc::new(operator), input)
    }

    pub(crate) fn over(operator: Arc<dyn DynOperator>, input: Arc<dyn ExecutionPlan>) -> Self {
        let properties = Arc::new(PlanProperties::new(
            EquivalenceProperties::new(operator.schema()),
            Partitioning::UnknownPartitioning(input.output_partitioning().partition_count()),
            EmissionType::Incremental,
            Boundedness::Bounded,
        ));
        Self { operator, input, properties, metrics: ExecutionPlanMetricsSet::new() }
    }

    pub(crate) fn operator(&self) -> &Arc<dyn DynOperator> {
        &self.operator
    }
}

impl DisplayAs for OperatorExec {
    fn fmt_as(&self, _t: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.operator.name(), self.operator.describe())
    }
}

impl ExecutionPlan for OperatorExec {
    fn name(&self) -> &'static str {
        self.operator.name()
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn apply_expressions(
        &self,
        _f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        let input = only_child(self.name(), children)?;
        Ok(Arc::new(Self::over(Arc::clone(&self.operator), input)))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let metrics = BaselineMetrics::new(&self.metrics, partition);
        let input = self.input.execute(partition, Arc::clone(&context))?;
        let output = Arc::clone(&self.operator).run(input, Arc::clone(&context), metrics);
        let output = Box::pin(RecordBatchStreamAdapter::new(self.operator.schema(), output));
        Ok(observed(self.operator.work(), partition, &context, output))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }
}
