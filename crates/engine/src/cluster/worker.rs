//! A worker: Ballista's executor process with our codec, functions, object stores and partition store.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ballista_core::config::TaskSchedulingPolicy;
use ballista_core::extension::SessionConfigExt;
use ballista_core::registry::BallistaFunctionRegistry;
use ballista_executor::execution_engine::DefaultExecutionEngine;
use ballista_executor::executor_process::{ExecutorProcessConfig, start_executor_process};
use ballista_executor::health::ExecutorHealth;
use ballista_executor::metrics::ExecutorMetricCollectionPolicy;
use datafusion::execution::runtime_env::RuntimeEnv;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::clients::ClientPool;
use super::connection::{MemberTls, endpoints};
use super::shuffle_files::ShuffleFiles;
use super::tasks::GuardedEngine;
use crate::error::{EngineError, Fault, Result};
use crate::operators::TaskTimeout;
use crate::progress::Progress;
use crate::runtime::{MAX_MESSAGE_BYTES, MemoryPlan, runtime_env, session_config, session_state};
use crate::store::{PartitionStore, Statistics};
use crate::tls::TlsServer;

/// How often a worker tells the scheduler that it is alive. After five failures in a row the worker ends.
pub const HEARTBEAT: Duration = Duration::from_secs(3);

/// How a worker runs.
#[derive(Debug, Clone)]
pub struct WorkerOptions {
    /// Host of the scheduler.
    pub scheduler_host: String,
    /// Port of the scheduler.
    pub scheduler_port: u16,
    /// Address to listen on.
    pub bind: IpAddr,
    /// Host at which the scheduler and other workers reach this one. If none is given, it is the address that the
    /// scheduler sees.
    pub host: Option<String>,
    /// Port on which shuffle files are served.
    pub flight_port: u16,
    /// Port on which tasks arrive.
    pub task_port: u16,
    /// Tasks that run at once.
    pub slots: usize,
    /// Memory of the process.
    pub memory: MemoryPlan,
    /// Folder for shuffle files, which no other process uses.
    pub work_dir: PathBuf,
    /// How long to wait for the scheduler to come up.
    pub connect_timeout: Duration,
    /// A task that takes longer is tried again elsewhere; zero for no limit.
    pub task_timeout: Duration,
    /// Time that the worker has for its tasks and shuffle files once it is asked to stop.
    pub drain_timeout: Duration,
    /// TLS with the scheduler and other workers.
    pub tls: Option<MemberTls>,
}

/// A worker of this process. Clones share it.
#[derive(Clone)]
pub struct WorkerProcess {
    options: WorkerOptions,
    store: Arc<PartitionStore>,
    progress: Arc<Progress>,
    runtime: Arc<RuntimeEnv>,
    health: ExecutorHealth,
}

/// What a worker has done, and holds.
#[derive(Debug, Clone, Copy)]
pub struct WorkerStatistics {
    /// Rows that its tasks have read.
    pub rows: u64,
    /// Tasks that succeeded.
    pub tasks_done: u64,
    /// Tasks that failed, each attempt counted.
    pub tasks_failed: u64,
    /// What its partition store did.
    pub store: Statistics,
    /// Bytes that its tasks have reserved of the memory pool.
    pub reserved_bytes: u64,
}

impl WorkerProcess {
    /// Sets a worker up.
    ///
    /// # Errors
    /// When DataFusion cannot set up its spill directory.
    pub fn new(options: WorkerOptions) -> Result<Self> {
        let store = Arc::new(PartitionStore::new(options.memory.store));
        let runtime = runtime_env(options.memory)?;
        Ok(Self { options, store, progress: Arc::default(), runtime, health: ExecutorHealth::new() })
    }

    /// Whether the scheduler has heard from it lately.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.health.is_ready()
    }

    /// What it has done, and holds.
    #[must_use]
    pub fn statistics(&self) -> WorkerStatistics {
        WorkerStatistics {
            rows: self.progress.rows(),
            tasks_done: self.progress.done(),
            tasks_failed: self.progress.failed(),
            store: self.store.statistics(),
            reserved_bytes: self.runtime.memory_pool.reserved() as u64,
        }
    }

    /// Runs until the process is asked to stop (SIGTERM, Ctrl-C) or the scheduler tells it to. Ballista hears that
    /// request by itself, and `asked` reports it too. From then on the worker takes no more tasks, finishes those it
    /// has, and serves its shuffle files until no running plan needs them, all within the time for draining.
    ///
    /// # Errors
    /// When a port or a folder is not available, or the scheduler cannot be reached.
    pub async fn run(&self, mut asked: watch::Receiver<bool>) -> Result<()> {
        let options = self.options.clone();
        let runtime = Arc::clone(&self.runtime);
        let connect = endpoints(options.tls.clone());
        let mut config = session_config(Arc::clone(&self.store), Arc::clone(&self.progress))
            .with_ballista_override_create_grpc_client_endpoint(Arc::clone(&connect));
        if !options.task_timeout.is_zero() {
            config = config.with_extension(Arc::new(TaskTimeout(options.task_timeout)));
        }
        let state = session_state(config.clone(), Arc::clone(&runtime));
        let scheduler = format!("{}:{}", options.scheduler_host, options.scheduler_port);
        let shuffle_files = ShuffleFiles::new(&options.work_dir);
        let was_asked = asked.clone();
        let mut drained = std::pin::pin!(async move {
            // When the sender is dropped nobody has asked the worker to stop, so the time for draining must not begin.
            if asked.wait_for(|asked| *asked).await.is_err() {
                std::future::pending::<()>().await;
            }
            tokio::time::sleep(options.drain_timeout).await;
        });
        let (bind, _forwarding) = match &options.tls {
            Some(tls) => (inner_address(options.bind)?, Some(forward(&options, &tls.server()?).await?)),
            None => (options.bind, None),
        };
        let engine = DefaultExecutionEngine::with_client_pool(Arc::new(ClientPool::start()));
        let process = ExecutorProcessConfig {
            bind_host: bind.to_string(),
            external_host: options.host,
            port: options.flight_port,
            grpc_port: options.task_port,
            scheduler_host: options.scheduler_host,
            scheduler_port: options.scheduler_port,
            scheduler_connect_timeout_seconds: options.connect_timeout.as_secs().clamp(1, 3600) as u16,
            vcores: options.slots,
            task_scheduling_policy: TaskSchedulingPolicy::PushStaged,
            work_dir: Some(options.work_dir.display().to_string()),
            grpc_max_decoding_message_size: MAX_MESSAGE_BYTES as u32,
            grpc_max_encoding_message_size: MAX_MESSAGE_BYTES as u32,
            executor_heartbeat_interval_seconds: HEARTBEAT.as_secs(),
            metric_collection_policy: ExecutorMetricCollectionPolicy::Off,
            // Ballista splits this between its task slots.
            memory_pool_size: Some(options.memory.pool as u64),
            override_execution_engine: Some(Arc::new(GuardedEngine::new(engine))),
            override_function_registry: Some(Arc::new(BallistaFunctionRegistry::from(&state))),
            override_runtime_producer: Some(Arc::new(move |_| Ok(Arc::clone(&runtime)))),
            override_logical_codec: Some(config.ballista_logical_extension_codec()),
            override_physical_codec: Some(config.ballista_physical_extension_codec()),
            override_create_grpc_client_endpoint: Some(Arc::clone(&connect)),
            override_arrow_flight_service: Some(shuffle_files.server()),
            override_config_producer: Some(Arc::new(move || config.clone())),
            health: self.health.clone(),
            ..ExecutorProcessConfig::default()
        };
        let seconds = options.drain_timeout.as_secs();
        tokio::select! {
            ended = start_executor_process(Arc::new(process)) => ended.map_err(|error| {
                EngineError::new(Fault::Cluster, format!("the worker cannot go on; its scheduler is {scheduler}: {error}"))
            })?,
            () = &mut drained => {
                tracing::warn!(seconds, "tasks that did not end in time will run again elsewhere");
                return Ok(());
            }
        }
        if *was_asked.borrow() {
            tokio::select! {
                () = shuffle_files.needed(&scheduler, &connect) => {}
                () = drained => tracing::warn!(seconds, "a plan still needs shuffle files of this worker; they will be made anew"),
            }
        }
        Ok(())
    }
}

/// Where Ballista's servers listen when TLS is on. They know no TLS, so ours listens at `bind` on the same ports and
/// forwards to them.
fn inner_address(bind: IpAddr) -> Result<IpAddr> {
    if bind.is_unspecified() {
        return Err(EngineError::spec(format!(
            "bind: {bind}: with TLS this has to be the address of one interface, such as the pod's"
        )));
    }
    let inner = if bind == IpAddr::V4(Ipv4Addr::LOCALHOST) { Ipv4Addr::new(127, 0, 0, 2) } else { Ipv4Addr::LOCALHOST };
    Ok(inner.into())
}

/// Forwards connections that arrive over TLS to Ballista's servers.
async fn forward(options: &WorkerOptions, tls: &TlsServer) -> Result<Forwarding> {
    let inner = inner_address(options.bind)?;
    let mut tasks = Vec::new();
    for port in [options.flight_port, options.task_port] {
        let address = SocketAddr::new(options.bind, port);
        let listener = TcpListener::bind(address)
            .await
            .map_err(|error| EngineError::new(Fault::Cluster, format!("{address} cannot be listened on: {error}")))?;
        tasks.push(tls.forward(listener, SocketAddr::new(inner, port)));
    }
    Ok(Forwarding(tasks))
}

struct Forwarding(Vec<JoinHandle<()>>);

impl Drop for Forwarding {
    fn drop(&mut self) {
        self.0.iter().for_each(JoinHandle::abort);
    }
}
