//! Starting a process anew in its place.

use anyhow::Context;

/// Replaces this process by a new one of the same command. The new one waits for what this one lost, as it does at
/// every start.
pub(crate) fn start_anew() -> anyhow::Result<()> {
    start_anew_with(&[])
}

/// The same, with further environment variables.
#[cfg(unix)]
pub(crate) fn start_anew_with(variables: &[(&str, &str)]) -> anyhow::Result<()> {
    use std::os::unix::process::CommandExt;
    let binary = std::env::current_exe().context("the binary cannot be found")?;
    let variables = variables.iter().copied();
    let error = std::process::Command::new(binary).args(std::env::args_os().skip(1)).envs(variables).exec();
    Err(error).context("the process cannot start anew")
}

/// Fails: on this system a process cannot replace itself, so whoever started it has to start it again.
#[cfg(not(unix))]
pub(crate) fn start_anew_with(_variables: &[(&str, &str)]) -> anyhow::Result<()> {
    Err(segmenta_engine::EngineError::new(segmenta_engine::Fault::Cluster, "has to be started anew")).context("stopped")
}
