//! `segmenta watch`: shows a job of a coordinator until it is over.

use clap::Args;

use crate::remote::{OneJob, follow, show_result};

/// Show a job of a coordinator until it is over; the exit code is the job's
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  segmenta watch ID --coordinator http://coordinator:50050")]
pub(crate) struct Arguments {
    #[command(flatten)]
    job: OneJob,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let target = arguments.job.remote.target()?;
    let runtime = crate::threads::runtime()?;
    runtime.block_on(async {
        let job = follow(&target, &arguments.job.id).await?;
        show_result(&job)
    })
}
