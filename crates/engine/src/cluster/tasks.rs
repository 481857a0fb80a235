//! How an executor runs a task: as Ballista does, but guarded against two faults.
//!
//! * A task that panics fails with an error of ours, which says so and what to do.
//! * Metrics of operators are not sent to the scheduler. It adds them up by the operator's place in the stage, but a
//!   task of a UNION has only the branches it works on. Where the numbers of operators differ, Ballista 55 refuses the
//!   task's report and the plan waits for it for ever (near
//!   <https://github.com/apache/datafusion-ballista/issues/2184>). Segmenta does not read these metrics.

use std::fmt;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use arrow::error::ArrowError;
use async_trait::async_trait;
use ballista_core::JobId;
use ballista_core::serde::protobuf::{RuntimeStatsReport, ShuffleWritePartition, TaskColumnStats, WindowStateReport};
use ballista_executor::execution_engine::{DefaultExecutionEngine, ExecutionEngine, QueryStageExecutor};
use datafusion::common::{DataFusionError, Result};
use datafusion::execution::TaskContext;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::metrics::MetricsSet;
use datafusion::prelude::SessionConfig;
use futures::FutureExt;

use crate::error::{EngineError, panic_text};

/// Ballista's own engine, guarded.
pub(super) struct GuardedEngine(DefaultExecutionEngine);

impl GuardedEngine {
    pub(super) fn new(engine: DefaultExecutionEngine) -> Self {
        Self(engine)
    }
}

impl ExecutionEngine for GuardedEngine {
    fn create_query_stage_exec(
        &self,
        job_id: JobId,
        stage_id: usize,
        task_id: usize,
        global_output_partition_ids: Vec<usize>,
        plan: Arc<dyn ExecutionPlan>,
        work_dir: &str,
        config: &SessionConfig,
    ) -> Result<Arc<dyn QueryStageExecutor>> {
        let outputs = global_output_partition_ids;
        let stage = self.0.create_query_stage_exec(job_id, stage_id, task_id, outputs, plan, work_dir, config)?;
        Ok(Arc::new(GuardedStage(stage)))
    }
}

#[derive(Debug)]
struct GuardedStage(Arc<dyn QueryStageExecutor>);

impl fmt::Display for GuardedStage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[async_trait]
impl QueryStageExecutor for GuardedStage {
    async fn execute_query_stage(
        &self,
        task_id: usize,
        context: Arc<TaskContext>,
    ) -> Result<Vec<ShuffleWritePartition>> {
        match AssertUnwindSafe(self.0.execute_query_stage(task_id, context)).catch_unwind().await {
            Ok(Err(error)) => Err(told(error)),
            Ok(done) => done,
            Err(panic) => Err(panicked(panic_text(panic.as_ref())).into()),
        }
    }

    fn collect_plan_metrics(&self) -> Vec<MetricsSet> {
        vec![]
    }

    fn collect_runtime_stats_reports(&self) -> Vec<RuntimeStatsReport> {
        self.0.collect_runtime_stats_reports()
    }

    fn collect_window_state_reports(&self) -> Result<Vec<WindowStateReport>> {
        self.0.collect_window_state_reports()
    }

    fn collect_column_stats(&self) -> Vec<TaskColumnStats> {
        self.0.collect_column_stats()
    }
}

/// Returns an error as it is, unless it reports a panic on another thread, which Ballista and DataFusion turn into text,
/// or a value that a query cannot be computed with. Ballista sends the latter as a debug print, so it becomes an error
/// of ours, whose sentence survives.
fn told(error: DataFusionError) -> DataFusionError {
    if let DataFusionError::ArrowError(cause, _) = error.find_root()
        && let Some(sentence) = unfit_value(cause)
    {
        return EngineError::job(sentence).into();
    }
    let text = error.to_string();
    match text.split_once(" panicked with message ") {
        Some((_, message)) if !EngineError::is_in(&text) => panicked(message.trim_matches('"')).into(),
        _ => error,
    }
}

fn unfit_value(cause: &ArrowError) -> Option<String> {
    match cause {
        ArrowError::DivideByZero => Some(
            "a whole number or a decimal is divided by 0; divide by NULLIF(…, 0), which gives NULL there".to_owned(),
        ),
        ArrowError::ArithmeticOverflow(message) => Some(format!("a number does not fit its type: {message}")),
        ArrowError::CastError(message) | ArrowError::ParseError(message) | ArrowError::ComputeError(message) => {
            Some(message.clone())
        }
        _ => None,
    }
}

fn panicked(message: &str) -> EngineError {
    EngineError::job(format!(
        "a task panicked ({message}). That is a defect of Segmenta or of a library it is built on, not of your data: please report \
         it with the job spec, and with the lines about the panic in the log of the process that ran the task"
    ))
}

#[cfg(test)]
mod tests {
    use ballista_core::execution_plans::ChaosExec;
    use datafusion::physical_plan::ExecutionPlan;
    use datafusion::prelude::SessionContext;

    use super::*;
    use crate::cluster::{Cluster, EmbeddedOptions};
    use crate::error::Fault;
    use crate::runtime::MemoryPlan;

    #[tokio::test(flavor = "multi_thread")]
    async fn a_task_that_panics_fails_with_what_it_said() {
        let options = EmbeddedOptions { threads: 1, memory: MemoryPlan::new(1 << 28) };
        let cluster = Cluster::embedded(options).await.unwrap();
        let context = SessionContext::new_with_state(cluster.state().clone());
        let plan = context.sql("VALUES (1), (2)").await.unwrap().create_physical_plan().await.unwrap();
        let plan: Arc<dyn ExecutionPlan> = Arc::new(ChaosExec::new(plan, 1.0, "panic", Some(1)).unwrap());
        let error = cluster.collect(plan).await.unwrap_err();
        assert_eq!(error.fault, Fault::Job);
        assert!(error.message.contains("a task panicked (") && error.message.contains("please report it"), "{error}");
        // The engine still works after the panic.
        let plan = context.sql("VALUES (1), (2)").await.unwrap().create_physical_plan().await.unwrap();
        assert_eq!(cluster.collect(plan).await.unwrap().iter().map(|batch| batch.num_rows()).sum::<usize>(), 2);
    }
}
