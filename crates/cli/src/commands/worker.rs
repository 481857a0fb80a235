//! `segmenta worker`: runs the tasks of a coordinator's jobs.

use std::path::PathBuf;

use clap::Args;
use segmenta_service::config::{self, WorkerConfig, WorkerFlags};
use segmenta_service::worker::{self, Ended};

use crate::anew::start_anew;
use crate::console;
use crate::memory;

/// Run a worker: the tasks of a coordinator's jobs
///
/// Each flag has a variable (SEGMENTA_TASK_PORT for --task-port) and a key of the configuration file (task_port). A
/// flag overrides the variable, and the variable overrides the file.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  segmenta worker --scheduler coordinator:50060 --bind 0.0.0.0 --work-dir /scratch")]
pub(crate) struct Arguments {
    /// Configuration file (TOML)
    #[arg(long, value_name = "FILE", env = "SEGMENTA_CONFIG")]
    config: Option<PathBuf>,
    /// Print the configuration that would be used, and stop
    #[arg(long)]
    print_config: bool,
    #[command(flatten)]
    flags: WorkerFlags,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let config: WorkerConfig = config::load(arguments.config.as_deref(), &arguments.flags)?;
    if arguments.print_config {
        console::line(config::print(&config)?.trim_end())?;
        return Ok(());
    }
    memory::keep_to(config.memory_plan())?;
    let runtime = crate::threads::runtime()?;
    let ended = runtime.block_on(worker::run(&config));
    // Tasks that did not end in time are not waited for.
    runtime.shutdown_background();
    match ended? {
        Ended::Stopped => Ok(()),
        Ended::Outdated => start_anew(),
        Ended::Dismissed => {
            tracing::warn!("the scheduler is gone; starting anew and waiting for it");
            start_anew()
        }
    }
}
