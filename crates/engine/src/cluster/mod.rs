//! The cluster that a job runs on: embedded in this process, or a remote scheduler.
//!
//! Every step goes the same way: a physical plan is sent to a Ballista scheduler over gRPC, and its results are streamed
//! back. The embedded cluster runs that scheduler, and an executor, in this process.

mod embedded;

use std::sync::Arc;

use ballista_core::execution_plans::execute_physical_plan;
use ballista_core::extension::SessionConfigExt;
use datafusion::arrow::array::AsArray;
use datafusion::arrow::datatypes::UInt32Type;
use datafusion::arrow::record_batch::RecordBatch;
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::execution::{SendableRecordBatchStream, SessionState};
use datafusion::physical_plan::ExecutionPlan;
use datafusion_proto::protobuf::PhysicalPlanNode;
use futures::{StreamExt, TryStreamExt};
use serde::de::DeserializeOwned;

pub use embedded::EmbeddedOptions;

use crate::artifact::Part;
use crate::error::{EngineError, Fault, Result};
use crate::operators::{self, MapPartsExec, PartTask, parts_table};
use crate::progress::RowsDone;
use crate::runtime::{MemoryPlan, runtime_env, session_config, session_state};
use crate::store::{PartitionStore, Statistics};

/// The failure of a task without what Ballista and DataFusion wrap around it.
fn unwrap(text: &str) -> &str {
    let mut inner = text.rsplit_once("runtime execution error: ").map_or(text, |(_, inner)| inner);
    for wrapper in ["DataFusionError(", "Shared("] {
        if let Some(rest) = inner.strip_prefix(wrapper).and_then(|rest| rest.strip_suffix(')')) {
            inner = rest;
        }
    }
    inner
}

/// What a full disk says, wherever on the way to us it was quoted.
const DISK_FULL: &str = "No space left on device";

/// A cluster to run plans on, and the driver's own session.
pub struct Cluster {
    scheduler_url: String,
    state: SessionState,
    store: Arc<PartitionStore>,
    rows_done: Arc<RowsDone>,
    /// Kept alive with the cluster; none for a remote one.
    _embedded: Option<embedded::Embedded>,
}

impl Cluster {
    /// Starts a scheduler and an executor in this process, on loopback ports that the system chooses.
    ///
    /// # Errors
    /// When a port or the work directory cannot be had.
    pub async fn embedded(options: EmbeddedOptions) -> Result<Self> {
        let store = Arc::new(PartitionStore::new(options.memory.store));
        let rows_done = Arc::new(RowsDone::default());
        let runtime = runtime_env(options.memory)?;
        let state = session_state(session_config(Arc::clone(&store), Arc::clone(&rows_done)), runtime);
        let embedded = embedded::Embedded::start(&options, &state)
            .await
            .map_err(|error| EngineError::new(Fault::Cluster, format!("the embedded cluster cannot start: {error}")))?;
        Ok(Self {
            scheduler_url: embedded.scheduler_url().to_owned(),
            state,
            store,
            rows_done,
            _embedded: Some(embedded),
        })
    }

    /// Connects to the scheduler at `url` (`http://host:port`). Its workers must run the same version and see the same
    /// object stores.
    ///
    /// # Errors
    /// When the driver's own session cannot be set up. The connection is made with each plan.
    pub fn remote(url: &str) -> Result<Self> {
        let memory = MemoryPlan::detect();
        let store = Arc::new(PartitionStore::new(memory.store));
        let rows_done = Arc::new(RowsDone::default());
        let state = session_state(session_config(Arc::clone(&store), Arc::clone(&rows_done)), runtime_env(memory)?);
        Ok(Self { scheduler_url: url.to_owned(), state, store, rows_done, _embedded: None })
    }

    /// Where the scheduler listens.
    #[must_use]
    pub fn scheduler_url(&self) -> &str {
        &self.scheduler_url
    }

    /// The driver's session: for planning, not for running plans.
    #[must_use]
    pub fn state(&self) -> &SessionState {
        &self.state
    }

    /// The driver's object stores.
    #[must_use]
    pub fn runtime(&self) -> Arc<RuntimeEnv> {
        Arc::clone(self.state.runtime_env())
    }

    /// Rows that tasks in this process have gone over since it started; on a remote cluster that is none.
    #[must_use]
    pub fn rows_done(&self) -> Arc<RowsDone> {
        Arc::clone(&self.rows_done)
    }

    /// What the partition store of this process did; on a remote cluster the workers have their own.
    #[must_use]
    pub fn store_statistics(&self) -> Statistics {
        self.store.statistics()
    }

    /// Runs a plan and collects its results, in no particular order. For results that are small by their nature.
    ///
    /// # Errors
    /// The plan's own failure, or a cluster that cannot be reached.
    pub async fn collect(&self, plan: Arc<dyn ExecutionPlan>) -> Result<Vec<RecordBatch>> {
        self.stream(plan).await?.try_collect().await.map_err(|error| self.explain(&error))
    }

    async fn stream(&self, plan: Arc<dyn ExecutionPlan>) -> Result<SendableRecordBatchStream> {
        let config = self.state.config().clone();
        let codec = config.ballista_physical_extension_codec();
        execute_physical_plan::<PhysicalPlanNode>(
            self.scheduler_url.clone(),
            &config.ballista_config(),
            plan,
            codec.as_ref(),
            self.state.session_id().to_owned(),
            config,
        )
        .await
        .map_err(|error| self.explain(&error))
    }

    fn explain(&self, error: &datafusion::error::DataFusionError) -> EngineError {
        let text = error.to_string();
        if text.contains("tonic::transport")
            || text.contains("GrpcConnectionError")
            || text.contains("tcp connect error")
        {
            return EngineError::new(
                Fault::Cluster,
                format!("the scheduler at {} cannot be reached: {text}", self.scheduler_url),
            );
        }
        let known = EngineError::from_datafusion(error);
        if known.fault == Fault::Job && known.message.contains(DISK_FULL) {
            return EngineError::output(
                "a worker's disk is full: shuffle files and spills go to its temporary folder; make room, or set TMPDIR to \
                 a folder with more",
            );
        }
        EngineError::new(known.fault, unwrap(&known.message))
    }

    /// Runs a plan of results (see [`operators::result_schema`]) and hands each to `take` with the index of its part, in
    /// the order of their arrival.
    ///
    /// # Errors
    /// As [`Cluster::collect`].
    async fn for_each_result<T: DeserializeOwned>(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        mut take: impl FnMut(u32, T),
    ) -> Result<()> {
        let mut stream = self.stream(plan).await?;
        while let Some(batch) = stream.next().await {
            let batch = batch.map_err(|error| self.explain(&error))?;
            let parts = batch.column(0).as_primitive::<UInt32Type>();
            for (part, result) in parts.values().iter().zip(batch.column(1).as_binary::<i32>().iter()) {
                take(*part, operators::decode(result.unwrap_or_default())?);
            }
        }
        Ok(())
    }

    /// Runs a plan of results (see [`operators::result_schema`]) and decodes them, ordered by part.
    ///
    /// # Errors
    /// As [`Cluster::collect`].
    pub async fn collect_results<T: DeserializeOwned>(&self, plan: Arc<dyn ExecutionPlan>) -> Result<Vec<T>> {
        let mut results: Vec<(u32, T)> = Vec::new();
        self.for_each_result(plan, |part, result| results.push((part, result))).await?;
        results.sort_by_key(|(part, _)| *part);
        Ok(results.into_iter().map(|(_, result)| result).collect())
    }

    /// Runs `task` on every item of `inputs` (the parts that it reads together, see [`PartTask`]) and returns the
    /// results in the order of the parts' indices.
    ///
    /// # Errors
    /// As [`Cluster::collect`].
    pub async fn map_parts<T: PartTask>(&self, task: T, inputs: &[Vec<Part>]) -> Result<Vec<T::Output>> {
        match plan_of(task, inputs)? {
            Some(plan) => self.collect_results(plan).await,
            None => Ok(vec![]),
        }
    }

    /// As [`Cluster::map_parts`], but merges each result into one as it arrives, so that the driver holds one whatever
    /// the number of parts. `merge` must not care about the order. `None` without inputs.
    ///
    /// # Errors
    /// As [`Cluster::collect`].
    pub async fn merge_parts<T: PartTask>(
        &self,
        task: T,
        inputs: &[Vec<Part>],
        mut merge: impl FnMut(&mut T::Output, T::Output),
    ) -> Result<Option<T::Output>> {
        let Some(plan) = plan_of(task, inputs)? else { return Ok(None) };
        let mut total: Option<T::Output> = None;
        let take = |_, result| match &mut total {
            Some(total) => merge(total, result),
            None => total = Some(result),
        };
        self.for_each_result(plan, take).await?;
        Ok(total)
    }
}

fn plan_of<T: PartTask>(task: T, inputs: &[Vec<Part>]) -> Result<Option<Arc<dyn ExecutionPlan>>> {
    if inputs.is_empty() {
        return Ok(None);
    }
    Ok(Some(Arc::new(MapPartsExec::new(Arc::new(task), parts_table(inputs)?))))
}
