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

/// Completes when the process is asked to stop.
///
/// # Errors
/// When signals cannot be listened for.
#[cfg(not(unix))]
pub async fn requested() -> io::Result<()> {
    tokio::signal::ctrl_c().await
}
