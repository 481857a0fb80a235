//! Ballista's scheduler with our codec, session and listener.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::extract::ConnectInfo;
use ballista_core::JobId;
use ballista_core::config::TaskSchedulingPolicy;
use ballista_core::error::BallistaError;
use ballista_core::extension::SessionConfigExt;
use ballista_core::ids::new_instance_id;
use ballista_core::serde::BallistaCodec;
use ballista_core::serde::protobuf::scheduler_grpc_server::SchedulerGrpcServer;
use ballista_core::serde::protobuf::task_status;
use ballista_core::utils::{GrpcServerConfig, create_grpc_server};
use ballista_scheduler::cluster::BallistaCluster;
use ballista_scheduler::config::{SchedulerConfig, TaskDistributionPolicy};
use ballista_scheduler::metrics::SchedulerMetricsCollector;
use ballista_scheduler::scheduler_server::SchedulerServer;
use ballista_scheduler::state::execution_stage::{ExecutionStage, TaskInfo};
use datafusion::execution::SessionState;
use datafusion_proto::protobuf::{LogicalPlanNode, PhysicalPlanNode};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tonic::service::interceptor::InterceptedService;
use tonic::{Request, Status};

use super::connection::{MemberTls, endpoints};
use super::placement::Placement;
use crate::connections;
use crate::runtime::{MAX_MESSAGE_BYTES, session_like};

pub(super) type Codec = BallistaCodec<LogicalPlanNode, PhysicalPlanNode>;

/// How long a plan waits for a worker.
const PATIENCE: Duration = Duration::from_secs(24 * 60 * 60);

/// How a scheduler treats workers and tasks that fail.
#[derive(Debug, Clone)]
pub struct SchedulerOptions {
    /// Host at which workers reach the scheduler.
    pub host: String,
    /// A worker that has not been heard from for this long is lost, and its tasks run again elsewhere.
    pub worker_timeout: Duration,
    /// Time that a worker has to finish its tasks while it shuts down.
    pub drain_timeout: Duration,
    /// Attempts at a task whose failure may pass, such as a lost connection.
    pub task_attempts: usize,
    /// Attempts at a stage whose shuffle files were lost.
    pub stage_attempts: usize,
    /// Time after which the shuffle files of a finished plan are removed.
    pub shuffle_files_kept: Duration,
    /// TLS with the workers.
    pub tls: Option<MemberTls>,
}

impl Default for SchedulerOptions {
    fn default() -> Self {
        Self {
            host: "127.0.0.1".to_owned(),
            worker_timeout: Duration::from_secs(180),
            drain_timeout: Duration::from_secs(30),
            task_attempts: 4,
            stage_attempts: 4,
            shuffle_files_kept: Duration::from_secs(30),
            tls: None,
        }
    }
}

/// A running scheduler; dropping it stops it.
pub(super) struct Scheduler {
    address: SocketAddr,
    server: SchedulerServer<LogicalPlanNode, PhysicalPlanNode>,
    counts: Arc<PlanCounts>,
    listening: JoinHandle<()>,
}

impl Drop for Scheduler {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

/// The codec for plans, with what the sessions of `state` know.
pub(super) fn codec(state: &SessionState) -> Codec {
    let config = state.config();
    Codec::new(config.ballista_logical_extension_codec(), config.ballista_physical_extension_codec())
}

impl Scheduler {
    /// Serves on `listener`, with sessions like `state`.
    pub(super) async fn start(
        listener: TcpListener,
        options: &SchedulerOptions,
        state: &SessionState,
    ) -> Result<Self, BallistaError> {
        let address = listener.local_addr()?;
        let endpoint = format!("{}:{}", options.host, address.port());
        let config = SchedulerConfig {
            scheduler_id: new_instance_id(),
            external_host: options.host.clone(),
            bind_port: address.port(),
            // Polling for work would multiply the latency of a plan.
            scheduling_policy: TaskSchedulingPolicy::PushStaged,
            finished_job_data_clean_up_interval_seconds: options.shuffle_files_kept.as_secs(),
            finished_job_state_clean_up_interval_seconds: options.shuffle_files_kept.as_secs(),
            grpc_server_max_decoding_message_size: MAX_MESSAGE_BYTES as u32,
            grpc_server_max_encoding_message_size: MAX_MESSAGE_BYTES as u32,
            grpc_client_max_message_size: MAX_MESSAGE_BYTES as u32,
            executor_timeout_seconds: options.worker_timeout.as_secs(),
            expire_dead_executor_interval_seconds: (options.worker_timeout.as_secs() / 4).clamp(1, 15),
            executor_termination_grace_period: options.drain_timeout.as_secs(),
            // Plans wait for workers, however late these come; jobs have timeouts of their own.
            no_executors_grace_period_seconds: PATIENCE.as_secs(),
            task_distribution: TaskDistributionPolicy::Custom(Arc::new(Placement::default())),
            task_max_failures: options.task_attempts,
            stage_max_failures: options.stage_attempts,
            override_create_grpc_client_endpoint: Some(endpoints(options.tls.clone())),
            ..SchedulerConfig::default()
        };
        let template = state.clone();
        let session_builder = Arc::new(move |config| Ok(session_like(&template, config)));
        let session_config = state.config().clone();
        let config_producer = Arc::new(move || session_config.clone());
        let cluster = BallistaCluster::new_memory(&endpoint, session_builder, config_producer);
        let counts = Arc::new(PlanCounts::default());
        let mut server: SchedulerServer<LogicalPlanNode, PhysicalPlanNode> =
            SchedulerServer::new(endpoint, cluster, codec(state), Arc::new(config), Arc::clone(&counts) as _);
        server.init().await?;
        let service = SchedulerGrpcServer::new(server.clone())
            .max_decoding_message_size(MAX_MESSAGE_BYTES)
            .max_encoding_message_size(MAX_MESSAGE_BYTES);
        let service = InterceptedService::new(service, with_address as fn(_) -> _);
        let router = create_grpc_server(&GrpcServerConfig::default()).add_service(service);
        let tls = match &options.tls {
            Some(tls) => Some(tls.server().map_err(|error| BallistaError::Configuration(error.message))?),
            None => None,
        };
        let listening = tokio::spawn(async move {
            let served = match tls {
                Some(tls) => router.serve_with_incoming(tls.incoming(listener)).await,
                None => router.serve_with_incoming(connections::incoming(listener)).await,
            };
            if let Err(error) = served {
                tracing::error!(%error, "the scheduler stopped");
            }
        });
        Ok(Self { address, server, counts, listening })
    }

    /// Where this process reaches the scheduler.
    pub(super) fn local_url(&self) -> String {
        let host = if self.address.ip().is_unspecified() { Ipv4Addr::LOCALHOST.into() } else { self.address.ip() };
        format!("http://{}", SocketAddr::new(host, self.address.port()))
    }

    /// The port it listens on.
    pub(super) fn port(&self) -> u16 {
        self.address.port()
    }

    /// The workers that are alive, and the tasks that they can run at once.
    pub(super) async fn workers(&self) -> Vec<Worker> {
        let known = self.server.state.executor_manager.get_executors_state().await.unwrap_or_default();
        known
            .into_iter()
            .map(|(metadata, ..)| Worker {
                id: metadata.id,
                address: format!("{}:{}", metadata.host, metadata.port),
                slots: metadata.specification.vcores,
            })
            .collect()
    }

    /// How far the plans that run under a name have come; `None` if there are none.
    pub(super) async fn progress(&self, name: &str) -> Option<PlanProgress> {
        let running = self.server.state.task_manager.get_running_job_cache();
        let mut progress: Option<PlanProgress> = None;
        for plan in running.values() {
            let graph = plan.execution_graph.read().await;
            if graph.job_name() != name {
                continue;
            }
            let total = progress.get_or_insert_default();
            for stage in graph.stages().values() {
                let (partitions, done) = match stage {
                    // How many there will be is unknown until the inputs are there.
                    ExecutionStage::UnResolved(_) => (0, 0),
                    ExecutionStage::Resolved(stage) => (stage.partitions, 0),
                    ExecutionStage::Running(stage) => (stage.partitions, partitions_done(&stage.task_infos)),
                    ExecutionStage::Successful(stage) => (stage.partitions, stage.partitions),
                    ExecutionStage::Failed(stage) => (stage.partitions, 0),
                };
                total.partitions += partitions as u64;
                total.done += done as u64;
            }
        }
        progress
    }

    /// How many of its plans ended and how, and what they wait for now.
    pub(super) async fn plans(&self) -> Plans {
        let running = self.server.state.task_manager.get_running_job_cache();
        let mut waiting_tasks = 0;
        // Ballista defines a metric for this but does not report it.
        for plan in running.values() {
            waiting_tasks += plan.execution_graph.read().await.available_tasks() as u64;
        }
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Plans { done: read(&self.counts.done), failed: read(&self.counts.failed), waiting_tasks }
    }

    /// Stops the plans that run under a name.
    pub(super) async fn cancel(&self, name: &str) {
        let running = self.server.state.task_manager.get_running_jobs().await.unwrap_or_default();
        for plan in running.into_iter().filter(|plan| plan.job_name == name) {
            let id: JobId = plan.job_id;
            if let Err(error) = self.server.cancel_job(id.clone()).await {
                tracing::warn!(%error, plan = %id, "a plan could not be cancelled");
            }
        }
    }
}

/// Ballista takes a worker's host from the address that its call came from, and expects that address where axum's own
/// server puts it.
fn with_address(mut request: Request<()>) -> Result<Request<()>, Status> {
    if let Some(address) = request.remote_addr() {
        request.extensions_mut().insert(ConnectInfo(address));
    }
    Ok(request)
}

fn partitions_done(tasks: &[TaskInfo]) -> usize {
    let successful = tasks.iter().filter(|task| matches!(task.task_status, task_status::Status::Successful(_)));
    successful.map(|task| task.global_input_partition_ids.len()).sum()
}

/// How far a plan is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PlanProgress {
    /// Partitions that are done.
    pub done: u64,
    /// Partitions of the stages that are planned so far.
    pub partitions: u64,
}

/// Plans since the scheduler started.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Plans {
    /// Plans that succeeded.
    pub done: u64,
    /// Plans that failed: one of their tasks failed too often, or for a reason that no retry changes.
    pub failed: u64,
    /// Tasks that are ready to run and wait for a worker with a free slot.
    pub waiting_tasks: u64,
}

/// Counts what Ballista reports about its plans.
#[derive(Default)]
struct PlanCounts {
    done: AtomicU64,
    failed: AtomicU64,
}

impl SchedulerMetricsCollector for PlanCounts {
    fn record_submitted(&self, _: &JobId, _: u64, _: u64) {}

    fn record_completed(&self, _: &JobId, _: u64, _: u64) {
        self.done.fetch_add(1, Ordering::Relaxed);
    }

    fn record_failed(&self, _: &JobId, _: u64, _: u64) {
        self.failed.fetch_add(1, Ordering::Relaxed);
    }

    fn record_cancelled(&self, _: &JobId) {}

    fn set_pending_tasks_queue_size(&self, _: u64) {}

    fn gather_metrics(&self) -> Result<Option<(Vec<u8>, String)>, BallistaError> {
        Ok(None)
    }
}

/// A worker that a scheduler knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Worker {
    /// Its id, which is new with each start.
    pub id: String,
    /// Where its shuffle files are served.
    pub address: String,
    /// Tasks that it runs at once.
    pub slots: u32,
}
