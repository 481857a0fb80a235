//! `segmenta coordinator`: runs the scheduler and the job service.

use std::path::PathBuf;

use clap::Args;
use segmenta_service::config::{self, CoordinatorConfig, CoordinatorFlags};
use segmenta_service::coordinator::{self, Ended};
use segmenta_service::shutdown;

use crate::anew::start_anew;
use crate::console;
use crate::memory;

/// Run a coordinator: the job service, and the scheduler that workers join
///
/// Each flag has a variable (SEGMENTA_MAX_RUNNING_JOBS for --max-running-jobs) and a key of the configuration file
/// (max_running_jobs). A flag overrides the variable, and the variable overrides the file.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  segmenta coordinator --state /var/lib/segmenta --allow file:///data/
  segmenta coordinator --listen 0.0.0.0:50050 --scheduler-listen 10.0.0.7:50060 --state s3://lake/segmenta \\
    --allow s3://lake/customers/ --token-file tokens.toml")]
pub(crate) struct Arguments {
    /// Configuration file (TOML)
    #[arg(long, value_name = "FILE", env = "SEGMENTA_CONFIG")]
    config: Option<PathBuf>,
    /// Print the configuration that would be used, and stop
    #[arg(long)]
    print_config: bool,
    #[command(flatten)]
    flags: CoordinatorFlags,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let config: CoordinatorConfig = config::load(arguments.config.as_deref(), &arguments.flags)?;
    if arguments.print_config {
        console::line(config::print(&config)?.trim_end())?;
        return Ok(());
    }
    memory::keep_to(config.memory_plan())?;
    let runtime = crate::threads::runtime()?;
    let ended = runtime.block_on(coordinator::run(&config, async {
        if let Err(error) = shutdown::requested().await {
            tracing::error!(%error, "signals cannot be listened for");
        }
    }))?;
    match ended {
        Ended::Stopped => Ok(()),
        // Drivers may still be at work, and must not write anything more.
        Ended::Replaced => start_anew(),
    }
}
