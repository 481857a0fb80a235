//! The cluster that a job runs on: embedded in this process, or a remote scheduler.
//!
//! Every step goes the same way: a physical plan is sent to a Ballista scheduler over gRPC, and its results are streamed
//! back. A coordinator runs that scheduler in its process; the embedded cluster runs an executor in it as well.

mod clients;
mod connection;
mod embedded;
mod placement;
mod scheduler;
mod shuffle_files;
mod tasks;
mod work_folder;
mod worker;

use std::sync::Arc;
use std::time::Duration;

use arrow::array::AsArray;
use arrow::datatypes::UInt32Type;
use arrow::record_batch::RecordBatch;
use ballista_core::execution_plans::execute_physical_plan;
use ballista_core::extension::SessionConfigExt;
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::execution::{SendableRecordBatchStream, SessionState};
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties};
use datafusion_proto::protobuf::PhysicalPlanNode;
use futures::{StreamExt, TryStreamExt};
use serde::de::DeserializeOwned;
use tokio::net::TcpListener;
use tracing::Instrument;

pub use connection::MemberTls;
pub use embedded::EmbeddedOptions;
pub use scheduler::{PlanProgress, Plans, SchedulerOptions, Worker};
pub use work_folder::WorkFolder;
pub use worker::{HEARTBEAT, WorkerOptions, WorkerProcess, WorkerStatistics};

use crate::artifact::Part;
use crate::error::{EngineError, Fault, Result};
use crate::operators::{self, MapParts, OperatorExec, PartTask, parts_table};
use crate::planning::submitted;
use crate::progress::Progress;
use crate::runtime::{MemoryPlan, runtime_env, session_config, session_like, session_state};
use crate::store::{PartitionStore, Statistics};
use crate::trace::carried;

/// The failure of a task without the text that Ballista and DataFusion wrap around it.
fn unwrap(text: &str) -> &str {
    let mut inner = text.rsplit_once("runtime execution error: ").map_or(text, |(_, inner)| inner);
    for wrapper in ["DataFusionError(", "Shared("] {
        if let Some(rest) = inner.strip_prefix(wrapper).and_then(|rest| rest.strip_suffix(')')) {
            inner = rest;
        }
    }
    inner
}

/// What a full disk's error says. It is quoted in longer texts on its way to the driver.
const DISK_FULL: &str = "No space left on device";

/// Attempts at a plan whose results were lost on their way to the driver. Ballista runs a task again when another task
/// could not fetch its results, but not when the driver could not.
const PLAN_ATTEMPTS: u32 = 4;

/// Pause before a plan is tried again. It doubles with each attempt.
const FIRST_PAUSE: Duration = Duration::from_millis(500);

/// Texts of errors for a connection that could not be made or broke, and for results that were lost with their worker.
const LOST_ON_THE_WAY: &[&str] = &[
    "Shuffle fetch partition error",
    "tonic::transport",
    "GrpcConnectionError",
    "GrpcActionError",
    "tcp connect error",
    "transport error",
    "connection closed before message completed",
    "h2 protocol error",
];

/// A cluster to run plans on, and the driver's own session. Clones share it.
#[derive(Clone)]
pub struct Cluster {
    scheduler_url: String,
    state: SessionState,
    store: Arc<PartitionStore>,
    progress: Arc<Progress>,
    parts: Parts,
}

/// The parts of the cluster that run in this process. They live as long as it does.
#[derive(Clone)]
enum Parts {
    All(#[expect(dead_code, reason = "is kept alive")] Arc<embedded::Embedded>),
    Scheduler(Arc<scheduler::Scheduler>),
    None,
}

impl Cluster {
    fn new(memory: MemoryPlan, tls: Option<MemberTls>) -> Result<Self> {
        let store = Arc::new(PartitionStore::new(memory.store));
        let progress = Arc::new(Progress::default());
        let config = session_config(Arc::clone(&store), Arc::clone(&progress))
            .with_ballista_override_create_grpc_client_endpoint(connection::endpoints(tls));
        let state = session_state(config, runtime_env(memory)?);
        Ok(Self { scheduler_url: String::new(), state, store, progress, parts: Parts::None })
    }

    /// Starts a scheduler and an executor in this process, on loopback ports that the system chooses.
    ///
    /// # Errors
    /// When no port or no work directory is available.
    pub async fn embedded(options: EmbeddedOptions) -> Result<Self> {
        let cluster = Self::new(options.memory, None)?;
        let embedded = embedded::Embedded::start(&options, &cluster.state)
            .await
            .map_err(|error| EngineError::new(Fault::Cluster, format!("the embedded cluster cannot start: {error}")))?;
        Ok(Self { scheduler_url: embedded.scheduler_url(), parts: Parts::All(Arc::new(embedded)), ..cluster })
    }

    /// Starts a scheduler in this process that listens for workers.
    ///
    /// # Errors
    /// When the listener cannot be used.
    pub async fn scheduling(listener: TcpListener, options: &SchedulerOptions, memory: MemoryPlan) -> Result<Self> {
        let cluster = Self::new(memory, options.tls.clone())?;
        let scheduler = scheduler::Scheduler::start(listener, options, &cluster.state)
            .await
            .map_err(|error| EngineError::new(Fault::Cluster, format!("the scheduler cannot start: {error}")))?;
        Ok(Self { scheduler_url: scheduler.local_url(), parts: Parts::Scheduler(Arc::new(scheduler)), ..cluster })
    }

    /// Connects to the scheduler at `url` (`http://host:port`). Its workers must run the same version and see the same
    /// object stores.
    ///
    /// # Errors
    /// When the driver's own session cannot be set up. The connection is made with each plan.
    pub fn remote(url: &str) -> Result<Self> {
        Ok(Self { scheduler_url: url.to_owned(), ..Self::new(MemoryPlan::detect(), None)? })
    }

    /// The same cluster, whose plans run under a name.
    #[must_use]
    pub fn named(&self, name: &str) -> Self {
        let config = self.state.config().clone().with_ballista_job_name(name);
        Self { state: session_like(&self.state, config), ..self.clone() }
    }

    /// Stops the plans that run under a name. Does nothing where the scheduler is in another process.
    pub async fn cancel(&self, name: &str) {
        if let Parts::Scheduler(scheduler) = &self.parts {
            scheduler.cancel(name).await;
        }
    }

    /// How far the plans that run under a name have come. `None` where the scheduler is in another process.
    pub async fn progress(&self, name: &str) -> Option<PlanProgress> {
        match &self.parts {
            Parts::Scheduler(scheduler) => scheduler.progress(name).await,
            Parts::All(_) | Parts::None => None,
        }
    }

    /// The workers that the scheduler in this process knows.
    pub async fn workers(&self) -> Vec<Worker> {
        match &self.parts {
            Parts::Scheduler(scheduler) => scheduler.workers().await,
            Parts::All(_) | Parts::None => vec![],
        }
    }

    /// How many plans ended and how, for the scheduler in this process.
    pub async fn plans(&self) -> Plans {
        match &self.parts {
            Parts::Scheduler(scheduler) => scheduler.plans().await,
            Parts::All(_) | Parts::None => Plans::default(),
        }
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

    /// Rows that tasks in this process have read since it started; none when the cluster is remote.
    #[must_use]
    pub fn task_progress(&self) -> Arc<Progress> {
        Arc::clone(&self.progress)
    }

    /// What the partition store of this process did; on a remote cluster the workers have their own.
    #[must_use]
    pub fn store_statistics(&self) -> Statistics {
        self.store.statistics()
    }

    /// Runs a plan and collects its results, in no particular order. Only for results that are always small.
    ///
    /// # Errors
    /// The plan's own failure, or a cluster that cannot be reached.
    pub async fn collect(&self, plan: Arc<dyn ExecutionPlan>) -> Result<Vec<RecordBatch>> {
        self.with_attempts(&plan, async || {
            let stream = self.stream(Arc::clone(&plan)).await?;
            stream.try_collect().await.map_err(|error| self.explain(&error))
        })
        .await
    }

    /// Runs a plan again, after a pause, when its results were lost.
    async fn with_attempts<T>(
        &self,
        plan: &Arc<dyn ExecutionPlan>,
        mut run: impl AsyncFnMut() -> Result<T>,
    ) -> Result<T> {
        let partitions = plan.output_partitioning().partition_count();
        let mut attempt = 1;
        loop {
            let span = tracing::info_span!("plan", operator = plan.name(), partitions, attempt);
            match run().instrument(span).await {
                Err(error) if error.fault == Fault::Cluster && attempt < PLAN_ATTEMPTS => {
                    tracing::warn!(%error, attempt, "the results of a plan did not arrive; it runs again");
                    tokio::time::sleep(FIRST_PAUSE * 2_u32.pow(attempt - 1)).await;
                    attempt += 1;
                }
                result => return result,
            }
        }
    }

    async fn stream(&self, plan: Arc<dyn ExecutionPlan>) -> Result<SendableRecordBatchStream> {
        let config = submitted(carried(self.state.config().clone()));
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
        // An error of our own operators names its cause, whatever the text around it.
        if !EngineError::is_in(&text) && LOST_ON_THE_WAY.iter().any(|sign| text.contains(sign)) {
            return EngineError::new(
                Fault::Cluster,
                format!("the scheduler at {} or a worker of it cannot be reached: {text}", self.scheduler_url),
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

    /// Runs a plan of results (see [`operators::result_schema`]) and hands each to `take` with the index of its part,
    /// in the order in which they arrive.
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
        self.with_attempts(&plan, async || {
            let mut results: Vec<(u32, T)> = Vec::new();
            self.for_each_result(Arc::clone(&plan), |part, result| results.push((part, result))).await?;
            results.sort_by_key(|(part, _)| *part);
            Ok(results.into_iter().map(|(_, result)| result).collect())
        })
        .await
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
        self.with_attempts(&plan, async || {
            let mut total: Option<T::Output> = None;
            let take = |_, result| match &mut total {
                Some(total) => merge(total, result),
                None => total = Some(result),
            };
            self.for_each_result(Arc::clone(&plan), take).await?;
            Ok(total)
        })
        .await
    }
}

fn plan_of<T: PartTask>(task: T, inputs: &[Vec<Part>]) -> Result<Option<Arc<dyn ExecutionPlan>>> {
    if inputs.is_empty() {
        return Ok(None);
    }
    Ok(Some(Arc::new(OperatorExec::new(MapParts::new(task), parts_table(inputs)?))))
}
