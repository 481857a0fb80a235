//! The worker: a Ballista executor with our operators, and probes beside it.

use std::time::Duration;

use prometheus_client::registry::Registry;
use segmenta_engine::cluster::{MemberTls, WorkFolder, WorkerOptions, WorkerProcess};
use segmenta_engine::{EngineError, Fault, Result};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::config::WorkerConfig;
use crate::metrics::WorkerMetrics;
use crate::probes::Probes;
use crate::shutdown;

/// How often the certificate files are checked for changes.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// How long a coordinator may take to answer before a worker says that there is none.
const REACH: Duration = Duration::from_secs(2);

/// Why a worker ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// It was asked to.
    Stopped,
    /// Its certificate changed. New connections would still show the old one.
    Outdated,
    /// Its scheduler went away, or told it to go.
    Dismissed,
}

/// Runs a worker until the process is asked to stop, or its scheduler is gone for good.
///
/// # Errors
/// A configuration that cannot work, a port or folder that cannot be used, or a scheduler that cannot be reached.
pub async fn run(config: &WorkerConfig) -> Result<Ended> {
    let (scheduler_host, scheduler_port) = host_and_port(&config.scheduler)?;
    config.check_exposed()?;
    // Workers may share the configured folder, so each has its own below it. What a dead worker left there is removed.
    let folder = WorkFolder::create(config.work_dir.as_deref())
        .map_err(|error| EngineError::output(format!("work_dir: no folder can be made there: {error}")))?;
    let slots = match config.slots {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        slots => slots,
    };
    let tls = config.member_tls()?;
    if tls.is_none() && !config.bind.is_loopback() {
        tracing::warn!(bind = %config.bind, "insecure: whoever reaches this worker can run tasks and read what plans leave");
    }
    for (key, port) in [("flight_port", config.flight_port), ("task_port", config.task_port)] {
        // Ballista listens on these ports later, and would not say which of them it cannot use.
        TcpListener::bind((config.bind, port)).await.map_err(|error| {
            EngineError::new(
                Fault::Cluster,
                format!(
                    "{key}: {}:{port} cannot be listened on: {error}; give each worker of a host ports of its own",
                    config.bind
                ),
            )
        })?;
    }
    let patience = Duration::from_secs(config.connect_timeout_seconds);
    if let Err(error) = reach(&scheduler_host, scheduler_port).await {
        tracing::warn!(
            scheduler = config.scheduler,
            %error,
            "no coordinator answers there; trying again for {} s",
            patience.as_secs()
        );
    }
    let worker = WorkerProcess::new(WorkerOptions {
        scheduler_host,
        scheduler_port,
        bind: config.bind,
        host: config.host.clone(),
        flight_port: config.flight_port,
        task_port: config.task_port,
        slots,
        memory: config.memory_plan(),
        work_dir: folder.path().to_owned(),
        task_timeout: Duration::from_secs(config.task_timeout_seconds),
        drain_timeout: Duration::from_secs(config.drain_timeout_seconds),
        tls: tls.clone(),
        connect_timeout: patience,
    })?;
    let probing = match config.probe_listen {
        Some(address) => {
            let listener = TcpListener::bind(address).await.map_err(|error| {
                EngineError::new(Fault::Cluster, format!("probe_listen: {address} cannot be listened on: {error}"))
            })?;
            Some(probes(&worker).serve(listener))
        }
        None => None,
    };
    tracing::info!(
        scheduler = config.scheduler,
        slots,
        flight_port = config.flight_port,
        task_port = config.task_port,
        "worker started"
    );
    let (asking, asked) = watch::channel(false);
    // Ballista listens for the same signals, and lets its tasks end.
    let listening = tokio::spawn(async move {
        if let Err(error) = shutdown::requested().await {
            tracing::error!(%error, "signals cannot be listened for");
        }
        asking.send_replace(true);
    });
    let outdating = tls.map(|tls| tokio::spawn(outdated(tls, config.drain_timeout_seconds)));
    let result = worker.run(asked.clone()).await;
    probing.inspect(JoinHandle::abort);
    listening.abort();
    let is_outdated = outdating.as_ref().is_some_and(JoinHandle::is_finished);
    outdating.inspect(JoinHandle::abort);
    result?;
    let ended = match (*asked.borrow(), is_outdated) {
        (true, true) => Ended::Outdated,
        (true, false) => Ended::Stopped,
        (false, _) => Ended::Dismissed,
    };
    tracing::info!(why = ?ended, "worker stopped");
    Ok(ended)
}

/// Waits until the files of a certificate change, and then asks this process to stop after a random pause of up to
/// `spread` seconds. The pause keeps workers whose certificates change together from stopping together.
async fn outdated(tls: MemberTls, spread: u64) {
    let before = tls.modified();
    while tls.modified() == before {
        tokio::time::sleep(LOOK_AGAIN).await;
    }
    let pause = Duration::from_millis(uuid::Uuid::new_v4().as_u64_pair().0 % (spread.max(1) * 1000));
    tracing::info!(certificate = %tls.certificate.display(), ?pause, "the certificate changed; starting anew with it after a pause");
    tokio::time::sleep(pause).await;
    if let Err(error) = shutdown::request() {
        tracing::error!(%error, "this process cannot be asked to stop");
    }
}

/// Whether somebody listens there.
async fn reach(host: &str, port: u16) -> std::io::Result<()> {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let connecting = tokio::time::timeout(REACH, tokio::net::TcpStream::connect((host, port)));
    connecting.await.unwrap_or_else(|_| Err(std::io::ErrorKind::TimedOut.into())).map(drop)
}

fn probes(worker: &WorkerProcess) -> Probes {
    let (mut registry, metrics) = (Registry::default(), WorkerMetrics::default());
    metrics.register(&mut registry);
    let (asked, told) = (worker.clone(), worker.clone());
    Probes::new(
        registry,
        move || asked.is_ready(),
        move || {
            metrics.set(&told.statistics());
            Box::pin(async {})
        },
    )
}

fn host_and_port(address: &str) -> Result<(String, u16)> {
    let wrong = || EngineError::spec(format!("scheduler: {address} is not host:port"));
    let (host, port) = address.rsplit_once(':').ok_or_else(wrong)?;
    let port = port.parse().map_err(|_| wrong())?;
    if host.is_empty() || host.contains('/') { Err(wrong()) } else { Ok((host.to_owned(), port)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schedulers_address() {
        assert_eq!(host_and_port("a.b:50060").unwrap(), ("a.b".to_owned(), 50060));
        assert_eq!(host_and_port("[::1]:1").unwrap(), ("[::1]".to_owned(), 1));
        for wrong in ["a", "a:x", ":1", "http://a:1", "a:70000"] {
            assert!(host_and_port(wrong).is_err(), "{wrong}");
        }
    }
}
