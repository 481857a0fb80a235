//! `segmenta resume`: puts a job back into a coordinator's queue.

use anyhow::Context;
use clap::Args;
use segmenta_service::api::ResumeRequest;
use segmenta_service::client::explain;

use crate::remote::{Remote, job_of, show_job};

/// Put a job that failed or was cancelled back into the queue; it goes on after its last complete stage
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
        let request = ResumeRequest { id: arguments.id.clone() };
        let answer = target.connect().await?.resume(request).await.map_err(|status| explain(&status))?;
        show_job(&job_of(answer.into_inner().job)?)?;
        Ok(())
    })
}
