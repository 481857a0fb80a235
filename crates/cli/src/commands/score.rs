//! `segmenta score`: gives new customers the segments of a published model.

use anyhow::Context;
use clap::Args;
use segmenta_pipeline::job::RunOptions;
use segmenta_pipeline::score::ScoreJob;
use segmenta_pipeline::spec::ScoreSpec;
use segmenta_pipeline::submission::Submission;

use super::current_folder;
use super::embedded::Embedded;
use super::run::{run_embedded, show};
use super::submit;
use crate::remote::Access;

/// Score new customers: give them the segments of a published model
///
/// The input has the id and feature columns of the model, one row a customer.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  segmenta score --model runs/cdnow/model.json --input 'new/*.parquet' --output runs/scores
  segmenta score --model s3://lake/model.json --input s3://lake/new/ --output s3://lake/scores \\
    --coordinator http://coordinator:50050")]
pub(crate) struct Arguments {
    /// The model.json that a job published
    #[arg(long, value_name = "FILE")]
    model: String,
    /// Parquet files, globs, folders or URLs
    #[arg(long, required = true, num_args = 1.., value_name = "LOCATION")]
    input: Vec<String>,
    /// The folder to write to: empty, or a URL
    #[arg(long, value_name = "FOLDER")]
    output: String,
    /// Score on a coordinator (http://host:port) instead of in this process, and wait for it; paths are as it sees them
    #[arg(long, value_name = "URL", conflicts_with_all = ["threads", "memory"])]
    coordinator: Option<String>,
    #[command(flatten)]
    access: Access,
    #[command(flatten)]
    embedded: Embedded,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let spec = ScoreSpec {
        name: "score".to_owned(),
        model: arguments.model.clone(),
        input: arguments.input.clone(),
        output: arguments.output.clone(),
    };
    let base = current_folder();
    if let Some(url) = &arguments.coordinator {
        let text = serde_json::to_string(&spec).context("the arguments cannot be written as a spec")?;
        let request = submit::request_of(text, &base, &submit::How::default());
        return submit::and_wait(&arguments.access.target(url)?, request);
    }
    let job = Submission::Score(ScoreJob::new(spec, base));
    let embedded = arguments.embedded.options()?;
    let runtime = crate::threads::runtime()?;
    show(&job, &runtime.block_on(run_embedded(&job, embedded, &RunOptions::default()))?)
}
