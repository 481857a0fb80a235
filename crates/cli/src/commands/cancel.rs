//! `segmenta cancel`: stops a job of a coordinator.

use anyhow::Context;
use clap::Args;
use segmenta_service::api::CancelRequest;
use segmenta_service::client::explain;

use crate::remote::{Remote, job_of, show_job};

/// Stop a job of a coordinator; what its stages have made stays for a resume
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
        let request = CancelRequest { id: arguments.id.clone() };
        let answer = target.connect().await?.cancel(request).await.map_err(|status| explain(&status))?;
        show_job(&job_of(answer.into_inner().job)?)?;
        Ok(())
    })
}
