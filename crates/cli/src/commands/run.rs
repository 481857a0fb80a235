//! `segmenta run`: runs a job on an embedded cluster.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use clap::Args;
use segmenta_engine::EngineError;
use segmenta_engine::cluster::{Cluster, EmbeddedOptions};
use segmenta_engine::runtime::{MemoryPlan, runtime_env};
use segmenta_pipeline::csv;
use segmenta_pipeline::job::{RunOptions, read_spec};
use segmenta_pipeline::submission::{Done, Submission};
use segmenta_results::words::count;
use segmenta_service::shutdown;
use tokio::runtime::Runtime;

use super::embedded::Embedded;
use super::submit;
use crate::console::Console;
use crate::memory;
use crate::remote::Access;
use crate::show;

/// Run a job: read, prepare, cluster, judge and publish
///
/// Resumes after the last stage that an earlier run with the same spec and inputs completed.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  segmenta run examples/cdnow.yaml
  segmenta run job.yaml --fresh --memory 16GiB
  segmenta run job.yaml --json | jq .segments
  segmenta run job.yaml --csv segments.csv
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
    /// Partitions that each shard is scanned in, which do not change results [default: by its size]
    #[arg(long, value_name = "N")]
    partitions_per_shard: Option<NonZeroUsize>,
    /// Write the customers with their segments to a CSV file too
    #[arg(long, value_name = "FILE", conflicts_with = "coordinator")]
    csv: Option<PathBuf>,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    if let Some(url) = &arguments.coordinator {
        let how = submit::How { fresh: arguments.fresh, ..submit::How::default() };
        return submit::and_wait(&arguments.access.target(url)?, submit::request(&arguments.spec, &how)?);
    }
    let embedded = arguments.embedded.options()?;
    memory::keep_to(embedded.memory)?;
    let job = load(&arguments.spec)?;
    let options = RunOptions {
        fresh: arguments.fresh,
        partitions_per_shard: arguments.partitions_per_shard.map(Into::into),
        ..RunOptions::default()
    };
    let runtime = crate::threads::runtime()?;
    let done = runtime.block_on(run_embedded(&job, embedded, &options))?;
    show(&job, &done)?;
    match &arguments.csv {
        Some(file) => write_csv(&runtime, &job, &done, file),
        None => Ok(()),
    }
}

/// Writes what was published, a customer a line, to a local file.
pub(crate) fn write_csv(runtime: &Runtime, job: &Submission, done: &Done, file: &Path) -> anyhow::Result<()> {
    let (outputs, folder) = match done {
        Done::Segmented(outcome) => (&outcome.manifest.outputs, "assignments/"),
        Done::Scored(manifest) => (&manifest.outputs, "scores/"),
    };
    let output = job.output()?;
    let rows = runtime.block_on(async {
        let stores = runtime_env(MemoryPlan::detect())?;
        csv::write(&stores, &output, outputs, folder, file).await
    })?;
    if !crate::console::is_json() {
        crate::console::line(&format!("{} customers written to {}", count(rows), file.display()))?;
    }
    Ok(())
}

/// Reads a spec of either kind.
pub(crate) fn load(spec: &Path) -> Result<Submission, EngineError> {
    let (text, base) = read_spec(spec)?;
    Submission::parse(&text, &spec.display().to_string(), base)
}

/// Shows what came out of a job.
pub(crate) fn show(job: &Submission, done: &Done) -> anyhow::Result<()> {
    match (job, done) {
        (Submission::Segment(job), Done::Segmented(outcome)) => show::outcome(job, outcome)?,
        (_, Done::Scored(manifest)) => show::scored(manifest, &job.output()?)?,
        (Submission::Score(_), Done::Segmented(_)) => {}
    }
    Ok(())
}

pub(crate) async fn run_embedded(
    job: &Submission,
    embedded: EmbeddedOptions,
    options: &RunOptions,
) -> Result<Done, EngineError> {
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
