//! [`MapParts`]: runs a task on every part that its input lists.

use std::sync::Arc;
use std::time::Duration;

use arrow::array::{AsArray, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::common::{DataFusionError, Result, internal_err};
use datafusion::datasource::memory::MemorySourceConfig;
use datafusion::datasource::source::DataSourceExec;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::metrics::BaselineMetrics;
use futures::{Stream, StreamExt, TryStreamExt};
use serde::{Deserialize, Serialize};

use super::operator::{Operator, Output};
use super::{DynPartTask, PartTask, result_batch};
use crate::artifact::Part;
use crate::progress::Progress;

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
#[derive(Debug, Serialize, Deserialize)]
pub struct MapParts {
    #[serde(with = "by_name")]
    task: Arc<dyn DynPartTask>,
}

impl MapParts {
    /// Runs `task` on each item of its input.
    #[must_use]
    pub fn new(task: impl PartTask) -> Self {
        Self { task: Arc::new(task) }
    }
}

/// A task travels as its name and its settings in postcard.
mod by_name {
    use std::sync::Arc;

    use serde::de::Error as _;
    use serde::ser::Error as _;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::super::DynPartTask;
    use super::super::registry::restore_task;

    pub(super) fn serialize<S: Serializer>(task: &Arc<dyn DynPartTask>, serializer: S) -> Result<S::Ok, S::Error> {
        (task.name(), task.encode().map_err(S::Error::custom)?).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Arc<dyn DynPartTask>, D::Error> {
        let (name, body) = <(String, Vec<u8>)>::deserialize(deserializer)?;
        restore_task(&name, &body).map_err(D::Error::custom)
    }
}

/// How long a task may take; an extension of a worker's session settings.
#[derive(Debug, Clone, Copy)]
pub struct TaskTimeout(pub Duration);

/// Runs a task for as long as this process allows. A task that takes longer fails with an I/O error, which Ballista
/// tries again, on another worker if it can. A task that computes without ever yielding is not interrupted, but such a
/// task ends some time.
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

impl Operator for MapParts {
    const NAME: &'static str = "MapPartsExec";

    fn describe(&self) -> String {
        format!("task={}", self.task.name())
    }

    fn work(&self) -> &str {
        self.task.name()
    }

    fn run(
        self: Arc<Self>,
        input: SendableRecordBatchStream,
        context: Arc<TaskContext>,
        metrics: BaselineMetrics,
    ) -> Output {
        let results = read_lists(input).then(move |parts| {
            let (task, context, metrics) = (Arc::clone(&self.task), Arc::clone(&context), metrics.clone());
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
        results.boxed()
    }
}
