//! `segmenta submit`: hands a job to a coordinator.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::Args;
use segmenta_engine::EngineError;
use segmenta_pipeline::job::read_spec;
use segmenta_service::api::{Job, JobSource, SubmitRequest};
use segmenta_service::client::{Target, explain};
use segmenta_service::shutdown;
use serde_json::json;
use url::Url;

use crate::console;
use crate::remote::{Remote, follow, job_of, show_result};

/// Submit a job to a coordinator
///
/// Prints the job's id. Relative paths of the spec start from its folder, as the coordinator and the workers see it.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  segmenta submit job.yaml --coordinator http://coordinator:50050
  segmenta submit job.yaml --wait --priority 5")]
pub(crate) struct Arguments {
    /// The job spec (YAML or JSON)
    spec: PathBuf,
    /// Show the job until it is over; the exit code is the job's
    #[arg(long)]
    wait: bool,
    #[command(flatten)]
    how: How,
    #[command(flatten)]
    remote: Remote,
}

#[derive(Debug, Default, Args)]
pub(crate) struct How {
    /// Jobs of a higher priority start first
    #[arg(long, value_name = "N", default_value_t = 0, allow_hyphen_values = true)]
    pub(crate) priority: i32,
    /// Seconds that the job may run [default: the coordinator's limit]
    #[arg(long, value_name = "SECONDS", default_value_t = 0, hide_default_value = true)]
    pub(crate) timeout: u64,
    /// Start over instead of resuming what an earlier run left under the same output
    #[arg(long)]
    pub(crate) fresh: bool,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let target = arguments.remote.target()?;
    if arguments.wait {
        return and_wait(&target, request(&arguments.spec, &arguments.how)?);
    }
    let request = request(&arguments.spec, &arguments.how)?;
    let runtime = crate::threads::runtime()?;
    let job = runtime.block_on(submit(&target, request))?;
    console::result(|| json!({"id": job.id}), || console::line(&job.id))?;
    Ok(())
}

/// Submits a job and shows it until it is over.
pub(crate) fn and_wait(target: &Target, request: SubmitRequest) -> anyhow::Result<()> {
    let runtime = crate::threads::runtime()?;
    runtime.block_on(async {
        let job = submit(target, request).await?;
        if !console::is_json() {
            console::line(&job.id)?;
        }
        let job = tokio::select! {
            job = follow(target, &job.id) => job?,
            stop = shutdown::requested() => {
                stop.context("signals cannot be listened for")?;
                bail!(EngineError::job(format!("the job goes on; `segmenta cancel {}` stops it", job.id)));
            }
        };
        show_result(&job)
    })
}

/// The request that submits a spec file.
pub(crate) fn request(spec: &Path, how: &How) -> Result<SubmitRequest, EngineError> {
    let (text, folder) = read_spec(spec)?;
    Ok(request_of(text, &folder, how))
}

/// The request that submits the text of a spec, whose relative paths start from `folder`.
pub(crate) fn request_of(spec: String, folder: &Path, how: &How) -> SubmitRequest {
    let base = Url::from_directory_path(folder).map(String::from).unwrap_or_default();
    let source = Some(JobSource { spec, base });
    SubmitRequest { source, priority: how.priority, timeout_seconds: how.timeout, fresh: how.fresh }
}

async fn submit(target: &Target, request: SubmitRequest) -> Result<Job, EngineError> {
    let answer = target.connect().await?.submit(request).await.map_err(|status| explain(&status))?;
    job_of(answer.into_inner().job)
}
