//! [`MapPartsExec`]: runs a task on every part that its input lists.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::{AsArray, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{DataFusionError, Result, internal_err};
use datafusion::datasource::memory::MemorySourceConfig;
use datafusion::datasource::source::DataSourceExec;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::{EquivalenceProperties, PhysicalExpr};
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::metrics::{BaselineMetrics, ExecutionPlanMetricsSet, MetricsSet};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties, Partitioning, PlanProperties,
};
use futures::{Stream, StreamExt, TryStreamExt};

use super::{DynPartTask, only_child, result_batch, result_schema};
use crate::artifact::Part;
use crate::progress::{Progress, observed};

const PARTS_COLUMN: &str = "parts";

/// A leaf with one partition for each item: the parts, one of each artifact, that a task works on together.
///
/// # Errors
/// Never for parts that can be written as JSON, which all can.
pub fn parts_table(items: &[Vec<Part>]) -> Result<Arc<dyn ExecutionPlan>> {
    let schema: SchemaRef = Arc::new(Schema::new(vec![Field::new(PARTS_COLUMN, DataType::Utf8, false)]));
    let partitions: Vec<Vec<RecordBatch>> = items
        .iter()
        .map(|parts| {
            let json = serde_json::to_string(parts).map_err(|error| DataFusionError::External(Box::new(error)))?;
            Ok(vec![RecordBatch::try_new(Arc::clone(&schema), vec![Arc::new(StringArray::from(vec![json]))])?])
        })
        .collect::<Result<_>>()?;
    Ok(MemorySourceConfig::try_new_exec(&partitions, schema, None)?)
}

/// The items that the leaf of a plan lists, where that is a [`parts_table`].
pub(crate) fn listed_parts(plan: &Arc<dyn ExecutionPlan>) -> Option<Vec<Vec<Part>>> {
    let source = match plan.children().as_slice() {
        [child] => return listed_parts(child),
        [] => plan.downcast_ref::<DataSourceExec>()?.data_source().downcast_ref::<MemorySourceConfig>()?,
        _ => return None,
    };
    let item = |batches: &Vec<RecordBatch>| {
        let column = batches.first()?.column_by_name(PARTS_COLUMN)?.as_string_opt::<i32>()?;
        serde_json::from_str(column.iter().flatten().next()?).ok()
    };
    source.partitions().iter().map(item).collect()
}

/// The items of a [`parts_table`], one after the other.
pub(super) fn read_lists(input: SendableRecordBatchStream) -> impl Stream<Item = Result<Vec<Part>>> + Send {
    input
        .map_ok(|batch| {
            let lists: Vec<String> = batch.column(0).as_string::<i32>().iter().flatten().map(str::to_owned).collect();
            futures::stream::iter(lists.into_iter().map(Ok::<_, DataFusionError>))
        })
        .try_flatten()
        .map(|list| serde_json::from_str(&list?).map_err(|error| DataFusionError::External(Box::new(error))))
}

/// Runs a [`PartTask`](super::PartTask) on each row of its input, which lists the parts to work on (see
/// [`parts_table`]). Output: one row `(part, result)` for each.
#[derive(Debug)]
pub struct MapPartsExec {
    task: Arc<dyn DynPartTask>,
    input: Arc<dyn ExecutionPlan>,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
}

impl MapPartsExec {
    /// Runs `task` over the parts that `input` lists.
    #[must_use]
    pub fn new(task: Arc<dyn DynPartTask>, input: Arc<dyn ExecutionPlan>) -> Self {
        let properties = result_properties(&input);
        Self { task, input, properties, metrics: ExecutionPlanMetricsSet::new() }
    }

    /// The task.
    #[must_use]
    pub fn task(&self) -> &Arc<dyn DynPartTask> {
        &self.task
    }
}

/// Properties of an operator that turns each input partition into results.
pub(super) fn result_properties(input: &Arc<dyn ExecutionPlan>) -> Arc<PlanProperties> {
    Arc::new(PlanProperties::new(
        EquivalenceProperties::new(result_schema()),
        Partitioning::UnknownPartitioning(input.output_partitioning().partition_count()),
        EmissionType::Incremental,
        Boundedness::Bounded,
    ))
}

/// How long a task may take; an extension of a worker's session settings.
#[derive(Debug, Clone, Copy)]
pub struct TaskTimeout(pub Duration);

/// Runs a task for as long as this process lets it. What is overdue counts as an I/O failure, which Ballista tries again,
/// on another worker if it can. A task that computes without a pause is not interrupted, but is over some time.
async fn within_limit(
    name: &str,
    context: &TaskContext,
    run: impl Future<Output = crate::Result<Vec<u8>>>,
) -> Result<Vec<u8>> {
    let Some(limit) = context.session_config().get_extension::<TaskTimeout>() else { return Ok(run.await?) };
    match tokio::time::timeout(limit.0, run).await {
        Ok(result) => Ok(result?),
        Err(_) => {
            let message = format!("the task {name} did not end within {} seconds", limit.0.as_secs());
            Err(DataFusionError::IoError(std::io::Error::new(std::io::ErrorKind::TimedOut, message)))
        }
    }
}

impl DisplayAs for MapPartsExec {
    fn fmt_as(&self, _t: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MapPartsExec: task={}", self.task.name())
    }
}

impl ExecutionPlan for MapPartsExec {
    fn name(&self) -> &'static str {
        "MapPartsExec"
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
        Ok(Arc::new(Self::new(Arc::clone(&self.task), input)))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let metrics = BaselineMetrics::new(&self.metrics, partition);
        let input = self.input.execute(partition, Arc::clone(&context))?;
        let (task, of_task) = (Arc::clone(&self.task), Arc::clone(&context));
        let results = read_lists(input).then(move |parts| {
            let (task, context, metrics) = (Arc::clone(&task), Arc::clone(&context), metrics.clone());
            async move {
                let parts = parts?;
                let Some((index, rows)) = parts.first().map(|part| (part.index, part.rows)) else {
                    return internal_err!("a task without a part");
                };
                let timer = metrics.elapsed_compute().timer();
                let result = within_limit(task.name(), &context, task.run_encoded(&parts, &context)).await?;
                timer.done();
                Progress::add_rows(&context, rows);
                metrics.record_output(1);
                result_batch(index, &result)
            }
        });
        let results = Box::pin(RecordBatchStreamAdapter::new(result_schema(), results));
        Ok(observed(self.task.name(), partition, &of_task, results))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }
}
