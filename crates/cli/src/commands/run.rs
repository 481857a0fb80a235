//! `segmenta run`: runs a job on an embedded cluster.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use segmenta_engine::EngineError;
use segmenta_engine::cluster::{Cluster, EmbeddedOptions};
use segmenta_pipeline::job::{Job, Outcome, RunOptions};
use segmenta_service::shutdown;

use super::embedded::Embedded;
use super::submit;
use crate::console::{self, Console};
use crate::remote::Access;

/// Run a job: read, prepare, cluster, judge and publish
///
/// Resumes after the last stage that an earlier run with the same spec and inputs completed.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  segmenta run examples/cdnow.yaml
  segmenta run job.yaml --fresh --memory 16GiB
  segmenta run job.yaml --coordinator http://coordinator:50050")]
pub(crate) struct Arguments {
    /// The job spec (YAML or JSON)
    spec: PathBuf,
    /// Start over instead of resuming
    #[arg(long)]
    fresh: bool,
    /// Run it on a coordinator (http://host:port) instead of in this process: submit and watch in one
    #[arg(long, value_name = "URL", conflicts_with_all = ["threads", "memory", "partitions_per_shard"])]
    coordinator: Option<String>,
    #[command(flatten)]
    access: Access,
    #[command(flatten)]
    embedded: Embedded,
    /// Scan each shard in so many partitions [default: by its size]; changes no result
    #[arg(long, value_name = "N")]
    partitions_per_shard: Option<NonZeroUsize>,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    if let Some(url) = &arguments.coordinator {
        let how = submit::How { fresh: arguments.fresh, ..submit::How::default() };
        return submit::and_wait(&arguments.access.target(url)?, &arguments.spec, &how);
    }
    let job = Job::load(&arguments.spec)?;
    let embedded = arguments.embedded.options()?;
    let options = RunOptions {
        fresh: arguments.fresh,
        partitions_per_shard: arguments.partitions_per_shard.map(Into::into),
        ..RunOptions::default()
    };
    let runtime = tokio::runtime::Runtime::new().context("threads cannot be started")?;
    let outcome = runtime.block_on(run_embedded(&job, embedded, &options))?;
    console::outcome(&job, &outcome)?;
    Ok(())
}

async fn run_embedded(job: &Job, embedded: EmbeddedOptions, options: &RunOptions) -> Result<Outcome, EngineError> {
    let cluster = Cluster::embedded(embedded).await?;
    let console = Console::new(cluster.task_progress());
    let stop = async {
        EngineError::job(match shutdown::requested().await {
            Ok(()) => "stopped on request; run it again to go on after the last complete stage".to_owned(),
            Err(error) => format!("signals cannot be listened for: {error}"),
        })
    };
    let outcome = job.run_until(&cluster, options, &console, stop).await;
    console.finish();
    outcome
}
