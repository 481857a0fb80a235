//! `segmenta status`: one job of a coordinator, with its stages.

use clap::Args;
use segmenta_service::api::GetRequest;

use crate::remote::OneJob;

/// Show a job of a coordinator, with its stages
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  segmenta status ID --coordinator http://coordinator:50050
  segmenta status ID --json | jq .stages")]
pub(crate) struct Arguments {
    #[command(flatten)]
    job: OneJob,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    arguments.job.ask(async |mut client, id| Ok(client.get(GetRequest { id }).await?.into_inner().job))
}
