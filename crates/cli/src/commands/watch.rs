//! `segmenta watch`: shows a job of a coordinator until it is over.

use anyhow::Context;
use clap::Args;

use crate::console;
use crate::remote::{Remote, follow, result_of};

/// Show a job of a coordinator until it is over; the exit code is the job's
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The job's id, as `submit` and `jobs` print it
    id: String,
    #[command(flatten)]
    remote: Remote,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let target = arguments.remote.target()?;
    let runtime = tokio::runtime::Runtime::new().context("threads cannot be started")?;
    runtime.block_on(async {
        let job = follow(&target, &arguments.id).await?;
        result_of(&job)?;
        console::line(&format!("published: {}", console::place(&job.output)))?;
        Ok(())
    })
}
