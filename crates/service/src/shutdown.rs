//! Stopping when asked to: by Ctrl-C, or by SIGTERM, which is how Kubernetes and service managers ask.

use std::io;

/// Completes when the process is asked to stop.
///
/// # Errors
/// When signals cannot be listened for.
#[cfg(unix)]
pub async fn requested() -> io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted,
        _ = terminate.recv() => Ok(()),
    }
}

/// Asks this process to stop, as somebody else would.
///
/// # Errors
/// When the system refuses.
#[cfg(unix)]
pub fn request() -> io::Result<()> {
    use rustix::process::{Signal, getpid, kill_process};
    Ok(kill_process(getpid(), Signal::TERM)?)
}

/// Asks this process to stop.
///
/// # Errors
/// Always: there are no signals to ask with.
#[cfg(not(unix))]
pub fn request() -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Completes when the process is asked to stop.
///
/// # Errors
/// When signals cannot be listened for.
#[cfg(not(unix))]
pub async fn requested() -> io::Result<()> {
    tokio::signal::ctrl_c().await
}
