//! `segmenta cancel`: stops a job of a coordinator.

use clap::Args;
use segmenta_service::api::CancelRequest;

use crate::remote::OneJob;

/// Stop a job of a coordinator; what its stages have made stays for a resume
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  segmenta cancel ID --coordinator http://coordinator:50050")]
pub(crate) struct Arguments {
    #[command(flatten)]
    job: OneJob,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    arguments.job.ask(async |mut client, id| Ok(client.cancel(CancelRequest { id }).await?.into_inner().job))
}
