//! Starting a process anew in its place.

use anyhow::Context;

/// Becomes a new process of the same command, which waits for what this one lost as it does whenever it starts.
#[cfg(unix)]
pub(crate) fn start_anew() -> anyhow::Result<()> {
    use std::os::unix::process::CommandExt;
    let binary = std::env::current_exe().context("the binary cannot be found")?;
    let error = std::process::Command::new(binary).args(std::env::args_os().skip(1)).exec();
    Err(error).context("the process cannot start anew")
}

/// Leaves it to whoever started this one.
#[cfg(not(unix))]
pub(crate) fn start_anew() -> anyhow::Result<()> {
    Err(segmenta_engine::EngineError::new(segmenta_engine::Fault::Cluster, "has to be started anew")).context("stopped")
}
