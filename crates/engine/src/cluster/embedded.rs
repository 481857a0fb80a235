//! A Ballista scheduler and executor in this process.
//!
//! Ballista's own standalone mode polls for work and leaves Nagle's algorithm on, which costs 100 ms a plan. Here the
//! scheduler *pushes* tasks and every listener has TCP_NODELAY, so a plan costs a few milliseconds. K-Means pays that
//! once a pass.

use std::sync::Arc;
use std::time::Duration;

use ballista_core::BALLISTA_PROTOCOL_VERSION;
use ballista_core::config::TaskSchedulingPolicy;
use ballista_core::error::BallistaError;
use ballista_core::ids::new_instance_id;
use ballista_core::registry::BallistaFunctionRegistry;
use ballista_core::serde::protobuf::scheduler_grpc_client::SchedulerGrpcClient;
use ballista_core::serde::protobuf::{ExecutorOperatingSystemSpecification, ExecutorRegistration};
use ballista_core::serde::scheduler::ExecutorSpecification;
use ballista_core::utils::{GrpcServerConfig, create_grpc_client_endpoint, create_grpc_server};
use ballista_executor::execution_engine::DefaultExecutionEngine;
use ballista_executor::executor::Executor;
use ballista_executor::executor_process::ExecutorProcessConfig;
use ballista_executor::executor_server;
use ballista_executor::health::ExecutorHealth;
use ballista_executor::metrics::{ExecutorMetricCollectionPolicy, LoggingMetricsCollector};
use ballista_executor::shutdown::ShutdownNotifier;
use datafusion::execution::SessionState;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tonic::transport::server::TcpIncoming;

use super::scheduler::{Codec, Scheduler, SchedulerOptions, codec};
use super::shuffle_files::shuffle_service;
use super::tasks::GuardedEngine;
use super::work_folder::WorkFolder;
use crate::runtime::{MAX_MESSAGE_BYTES, MemoryPlan};

/// Attempts to find a free port for the executor, which is told the port's number and binds it itself.
const PORT_ATTEMPTS: usize = 5;

/// How the embedded cluster runs.
#[derive(Debug, Clone)]
pub struct EmbeddedOptions {
    /// Tasks that run at once.
    pub threads: usize,
    /// Memory of the process.
    pub memory: MemoryPlan,
}

impl Default for EmbeddedOptions {
    /// As many threads as the machine has cores, and seven tenths of the machine's memory.
    fn default() -> Self {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        Self { threads, memory: MemoryPlan::detect() }
    }
}

/// The running parts; dropping it stops them and removes the shuffle files.
pub(super) struct Embedded {
    scheduler: Scheduler,
    servers: Vec<JoinHandle<()>>,
    shutdown: ShutdownNotifier,
    work_folder: WorkFolder,
}

impl Drop for Embedded {
    fn drop(&mut self) {
        // There may be no receiver any more, and then there is nothing left to stop.
        let _ = self.shutdown.notify_shutdown.send(());
        for server in &self.servers {
            server.abort();
        }
    }
}

impl Embedded {
    pub(super) async fn start(options: &EmbeddedOptions, state: &SessionState) -> Result<Self, BallistaError> {
        let work_folder = WorkFolder::create(None)?;
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let scheduler = Scheduler::start(listener, &SchedulerOptions::default(), state).await?;
        let mut embedded = Self { scheduler, servers: vec![], shutdown: ShutdownNotifier::new(), work_folder };
        embedded.start_executor(options, state, codec(state)).await?;
        Ok(embedded)
    }

    pub(super) fn scheduler_url(&self) -> String {
        self.scheduler.local_url()
    }

    async fn start_executor(
        &mut self,
        options: &EmbeddedOptions,
        state: &SessionState,
        codec: Codec,
    ) -> Result<(), BallistaError> {
        let work_dir = self.work_folder.path().to_string_lossy().into_owned();
        let flight = TcpListener::bind("127.0.0.1:0").await?;
        let flight_port = flight.local_addr()?.port();
        let service = shuffle_service(work_dir.clone());
        self.servers.push(tokio::spawn(async move {
            let served = create_grpc_server(&GrpcServerConfig::default())
                .add_service(service)
                .serve_with_incoming(TcpIncoming::from(flight).with_nodelay(Some(true)))
                .await;
            if let Err(error) = served {
                tracing::error!(%error, "the embedded executor's flight server stopped");
            }
        }));

        let endpoint = create_grpc_client_endpoint(self.scheduler_url(), None)?;
        let channel = endpoint.connect().await?;
        let scheduler = SchedulerGrpcClient::new(channel)
            .max_decoding_message_size(MAX_MESSAGE_BYTES)
            .max_encoding_message_size(MAX_MESSAGE_BYTES);
        let mut attempt = 0;
        loop {
            attempt += 1;
            // The executor binds its gRPC port itself, by number: find a free one, and try again if another process
            // took it first.
            let grpc_port = TcpListener::bind("127.0.0.1:0").await?.local_addr()?.port();
            let executor = executor(options, state, &work_dir, flight_port, grpc_port);
            let config = ExecutorProcessConfig {
                bind_host: "127.0.0.1".into(),
                port: flight_port,
                grpc_port,
                scheduler_host: "127.0.0.1".into(),
                scheduler_port: self.scheduler.port(),
                vcores: options.threads,
                task_scheduling_policy: TaskSchedulingPolicy::PushStaged,
                grpc_max_decoding_message_size: MAX_MESSAGE_BYTES as u32,
                grpc_max_encoding_message_size: MAX_MESSAGE_BYTES as u32,
                metric_collection_policy: ExecutorMetricCollectionPolicy::Off,
                ..ExecutorProcessConfig::default()
            };
            // The executor asks its process to stop through this channel; here the process is the job's own.
            let (stop, mut stopped) = mpsc::channel(1);
            tokio::spawn(async move { while stopped.recv().await.is_some() {} });
            let started = executor_server::startup(
                scheduler.clone(),
                Arc::new(config),
                Arc::new(executor),
                codec.clone(),
                stop,
                &self.shutdown,
                ExecutorHealth::new(),
            )
            .await;
            match started {
                Ok(server) => {
                    self.servers.push(tokio::spawn(async move {
                        let _ = server.await;
                    }));
                    return Ok(());
                }
                Err(error) if attempt >= PORT_ATTEMPTS => return Err(error),
                Err(error) => {
                    tracing::debug!(%error, grpc_port, "the embedded executor did not start; trying another port");
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            }
        }
    }
}

fn executor(
    options: &EmbeddedOptions,
    state: &SessionState,
    work_dir: &str,
    flight_port: u16,
    grpc_port: u16,
) -> Executor {
    let registration = ExecutorRegistration {
        id: new_instance_id(),
        host: Some("127.0.0.1".into()),
        port: u32::from(flight_port),
        grpc_port: u32::from(grpc_port),
        specification: Some(ExecutorSpecification::default().with_vcores(options.threads as u32).into()),
        os_info: Some(ExecutorOperatingSystemSpecification::default()),
        ballista_protocol_version: BALLISTA_PROTOCOL_VERSION,
    };
    let (config, runtime) = (state.config().clone(), Arc::clone(state.runtime_env()));
    Executor::new(
        registration,
        work_dir,
        Arc::new(move |_| Ok(Arc::clone(&runtime))),
        Arc::new(move || config.clone()),
        Arc::new(BallistaFunctionRegistry::from(state)),
        Arc::new(LoggingMetricsCollector::default()),
        options.threads,
        Arc::new(GuardedEngine::new(DefaultExecutionEngine::new())),
    )
}
