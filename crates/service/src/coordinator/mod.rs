//! The coordinator: Ballista's scheduler for the workers, and beside it the job service for everybody else.
//!
//! ```text
//!   people, schedulers ──gRPC──▶ service ──▶ jobs (queue, drivers) ──plans──▶ scheduler ◀──tasks, heartbeats── workers
//!                                   │          │
//!                                 access     record ──▶ <state>/jobs/<id>.json
//! ```
//!
//! One coordinator at a time works with a state folder: it holds the lease on it, others stand by. Beyond that, each
//! job's output has a lease of its own, which its driver holds.

pub mod access;
pub mod allowed;
pub mod checks;
pub mod jobs;
pub mod record;
pub mod refusal;
pub mod service;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytesize::ByteSize;
use prometheus_client::registry::Registry;
use segmenta_engine::cluster::{Cluster, HEARTBEAT, SchedulerOptions};
use segmenta_engine::tls::TlsServer;
use segmenta_engine::{EngineError, Fault, Result, connections};
use segmenta_pipeline::lease::{Lease, LeaseOptions};
use segmenta_pipeline::location::to_folder_url;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tonic::transport::Server;

use crate::api::jobs_server::JobsServer;
use crate::config::CoordinatorConfig;
use crate::metrics::CoordinatorMetrics;
use crate::probes::Probes;
use access::Tokens;
use allowed::Allowed;
use checks::{CheckLimits, Checks};
use jobs::{Jobs, Limits};
use record::Records;
use service::JobService;

/// Calls that a connection may have open.
const CALLS_PER_CONNECTION: usize = 64;

/// Bytes that a call may have beyond its spec.
const MESSAGE_OVERHEAD: usize = 64 * 1024;

/// How often a silent connection is asked whether it is still there.
const KEEPALIVE: Duration = Duration::from_secs(20);

/// The least memory for a check, which takes half of it before it has read anything.
const LEAST_CHECK_MEMORY: ByteSize = ByteSize::mib(128);

/// Why a coordinator ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// It was asked to.
    Stopped,
    /// It lost the lease on its state.
    Replaced,
}

/// Runs a coordinator until `stop` completes, then lets its drivers write down where they are; or until it loses the lease on
/// its state, and then writes nothing more.
///
/// # Errors
/// A configuration that cannot work, an address that cannot be listened on, or a state folder that cannot be used.
pub async fn run(config: &CoordinatorConfig, stop: impl Future<Output = ()>) -> Result<Ended> {
    let mut stop = std::pin::pin!(stop);
    let least = 3 * HEARTBEAT.as_secs();
    if config.worker_timeout_seconds < least {
        return Err(EngineError::spec(format!(
            "worker_timeout_seconds: {} is too short for workers that tell every {} seconds that they are alive; take {least} \
             or more",
            config.worker_timeout_seconds,
            HEARTBEAT.as_secs()
        )));
    }
    config.check_exposed()?;
    if config.check_memory < LEAST_CHECK_MEMORY {
        return Err(EngineError::spec(format!(
            "check_memory: {} is too little for any check; take {LEAST_CHECK_MEMORY} or more",
            config.check_memory
        )));
    }
    let tokens = Arc::new(Tokens::open(config.token_file.as_deref())?);
    let tls = config.job_service_tls()?.map(TlsServer::open).transpose()?;
    let state = state_folder(config)?;
    let allowed = Allowed::new(&config.allow, &state)?;
    let scheduler_listener = bind("scheduler_listen", config.scheduler_listen).await?;
    let listener = bind("listen", config.listen).await?;
    let probe_listener = match config.probe_listen {
        Some(address) => Some(bind("probe_listen", address).await?),
        None => None,
    };
    if allowed.is_empty() {
        tracing::warn!("no location is allowed, so that every job will be refused: set allow");
    }
    if !tokens.are_asked_for() && !config.listen.ip().is_loopback() {
        tracing::warn!(listen = %config.listen, "whoever reaches the job service can use it: set token_file");
    }
    if config.cluster_certificate.is_none() && !config.scheduler_listen.ip().is_loopback() {
        tracing::warn!(
            scheduler_listen = %config.scheduler_listen,
            "insecure: whoever reaches the scheduler can run any plan"
        );
    }
    if tokens.are_asked_for() && tls.is_none() && !config.listen.ip().is_loopback() {
        tracing::warn!(listen = %config.listen, "tokens go over the wire unencrypted: set certificate and key");
    }

    let scheduler = SchedulerOptions {
        host: config.host.clone().unwrap_or_else(|| reachable_at(config.scheduler_listen)),
        worker_timeout: Duration::from_secs(config.worker_timeout_seconds),
        drain_timeout: Duration::from_secs(config.drain_timeout_seconds),
        task_attempts: config.task_attempts,
        stage_attempts: config.stage_attempts,
        tls: config.member_tls()?,
        ..SchedulerOptions::default()
    };
    let cluster = Cluster::scheduling(scheduler_listener, &scheduler, config.memory_plan()).await?;
    let (metrics, ready) = (CoordinatorMetrics::default(), Arc::new(AtomicBool::new(false)));
    let checks = Checks::new(CheckLimits {
        timeout: Duration::from_secs(config.check_timeout_seconds.max(1)),
        memory: config.check_memory.as_u64(),
    });
    let probing = probe_listener.map(|listener| probes(&cluster, &metrics, &ready, &checks).serve(listener));
    let lasts = Duration::from_secs(config.lease_seconds.max(1));
    let job_lease = LeaseOptions { lasts, patience: lasts + lasts, ..LeaseOptions::of_this_process() };
    // A standby waits for this lease without a limit.
    let own_lease = LeaseOptions { patience: Duration::MAX, ..job_lease.clone() };
    tracing::info!(scheduler = %config.scheduler_listen, state, "coordinator started; taking the lease on its state");
    let runtime = cluster.runtime();
    let lease_folder = format!("{state}lease/");
    let lease = tokio::select! {
        lease = Lease::take(&runtime, &lease_folder, &own_lease) => Arc::new(lease?),
        () = &mut stop => return Ok(Ended::Stopped),
    };

    let limits = Limits {
        running: config.max_running_jobs,
        waiting: config.max_waiting_jobs,
        running_per_owner: config.max_running_jobs_per_owner.unwrap_or(config.max_running_jobs),
        waiting_per_owner: config.max_waiting_jobs_per_owner.unwrap_or(config.max_waiting_jobs),
        finished: config.max_finished_jobs,
        timeout: Duration::from_secs(config.job_timeout_seconds),
        spec_bytes: config.max_spec_bytes,
    };
    let records = Records::new(cluster.runtime(), &state, Arc::clone(&lease));
    let jobs = Jobs::open(cluster, records, allowed, limits, job_lease, metrics, checks).await?;
    let (health, health_service) = tonic_health::server::health_reporter();
    health.set_serving::<JobsServer<JobService>>().await;
    let message = config.max_spec_bytes + MESSAGE_OVERHEAD;
    let service = JobsServer::new(JobService::new(jobs.clone(), tokens)).max_decoding_message_size(message);
    let reflection = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(crate::api::DESCRIPTORS)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        .build_v1()
        .map_err(|error| EngineError::job(format!("the protocol's description is of no use: {error}")))?;
    let (close, closed) = tokio::sync::oneshot::channel::<()>();
    let router = Server::builder()
        .concurrency_limit_per_connection(CALLS_PER_CONNECTION)
        .http2_keepalive_interval(Some(KEEPALIVE))
        .add_service(health_service)
        .add_service(reflection)
        .add_service(service);
    let closed = async {
        // An error means that the sender is gone, which closes the service as well.
        let _ = closed.await;
    };
    let serving = tokio::spawn(async move {
        let served = match tls {
            Some(tls) => router.serve_with_incoming_shutdown(tls.incoming(listener), closed).await,
            None => router.serve_with_incoming_shutdown(connections::incoming(listener), closed).await,
        };
        if let Err(error) = served {
            tracing::error!(%error, "the job service stopped");
        }
    });
    let dispatching = tokio::spawn({
        let jobs = jobs.clone();
        async move { jobs.dispatch().await }
    });
    ready.store(true, Ordering::Relaxed);
    tracing::info!(listen = %config.listen, "ready for jobs");

    let ended = tokio::select! {
        () = stop => Ended::Stopped,
        error = lease.lost() => {
            tracing::error!(%error, "no longer the coordinator");
            Ended::Replaced
        }
    };
    ready.store(false, Ordering::Relaxed);
    health.set_not_serving::<JobsServer<JobService>>().await;
    let _ = close.send(());
    if ended == Ended::Stopped {
        tracing::info!("stopping; jobs that run will go on with the next coordinator");
        jobs.close().await;
        lease.release().await;
    }
    dispatching.abort();
    // It is not waited for: clients that watch jobs would keep it open for as long as they like.
    serving.abort();
    probing.inspect(JoinHandle::abort);
    Ok(ended)
}

fn probes(cluster: &Cluster, metrics: &CoordinatorMetrics, ready: &Arc<AtomicBool>, checks: &Checks) -> Probes {
    let mut registry = Registry::default();
    metrics.register(&mut registry);
    let (cluster, metrics, ready, checks) = (cluster.clone(), metrics.clone(), Arc::clone(ready), checks.clone());
    Probes::new(
        registry,
        move || ready.load(Ordering::Relaxed) && checks.can_serve(),
        move || {
            let (cluster, metrics) = (cluster.clone(), metrics.clone());
            Box::pin(async move {
                metrics.set(&cluster.workers().await, cluster.plans().await);
            })
        },
    )
}

fn state_folder(config: &CoordinatorConfig) -> Result<String> {
    let state = config.state.as_deref().ok_or_else(|| {
        EngineError::spec(
            "state: a coordinator needs a folder that outlives it, for example s3://bucket/segmenta (--state)",
        )
    })?;
    let here = std::env::current_dir()
        .map_err(|error| EngineError::spec(format!("the working directory cannot be told: {error}")))?;
    to_folder_url(state, &here)
}

async fn bind(key: &str, address: SocketAddr) -> Result<TcpListener> {
    TcpListener::bind(address)
        .await
        .map_err(|error| EngineError::new(Fault::Cluster, format!("{key}: {address} cannot be listened on: {error}")))
}

/// The host that workers use, if none is configured.
fn reachable_at(address: SocketAddr) -> String {
    if address.ip().is_unspecified() {
        sysinfo::System::host_name().unwrap_or_else(|| "localhost".to_owned())
    } else {
        address.ip().to_string()
    }
}
