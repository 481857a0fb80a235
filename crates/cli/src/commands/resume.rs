//! `segmenta resume`: puts a job back into a coordinator's queue.

use clap::Args;
use segmenta_service::api::ResumeRequest;

use crate::remote::OneJob;

/// Put a job that failed or was cancelled back into the queue; it goes on after its last complete stage
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  segmenta resume ID --coordinator http://coordinator:50050")]
pub(crate) struct Arguments {
    #[command(flatten)]
    job: OneJob,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    arguments.job.ask(async |mut client, id| Ok(client.resume(ResumeRequest { id }).await?.into_inner().job))
}
