//! Starting a process anew in its place.

use anyhow::Context;

/// Becomes a new process of the same command, which waits for what this one lost as it does whenever it starts.
#[cfg(unix)]
pub(crate) fn start_anew() -> anyhow::Result<()> {
    start_anew_with(&[])
}

/// The same, with further variables.
#[cfg(unix)]
pub(crate) fn start_anew_with(variables: &[(&str, &str)]) -> anyhow::Result<()> {
    use std::os::unix::process::CommandExt;
    let binary = std::env::current_exe().context("the binary cannot be found")?;
    let variables = variables.iter().copied();
    let error = std::process::Command::new(binary).args(std::env::args_os().skip(1)).envs(variables).exec();
    Err(error).context("the process cannot start anew")
}

/// Leaves it to whoever started this one.
#[cfg(not(unix))]
pub(crate) fn start_anew() -> anyhow::Result<()> {
    start_anew_with(&[])
}

/// See above.
#[cfg(not(unix))]
pub(crate) fn start_anew_with(_variables: &[(&str, &str)]) -> anyhow::Result<()> {
    Err(segmenta_engine::EngineError::new(segmenta_engine::Fault::Cluster, "has to be started anew")).context("stopped")
}
