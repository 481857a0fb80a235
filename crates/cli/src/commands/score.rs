//! `segmenta score`: gives new customers the segments of a published model.

use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use segmenta_engine::EngineError;
use segmenta_engine::cluster::Cluster;
use segmenta_pipeline::score::{ScoreManifest, ScoreRequest, score};
use segmenta_service::shutdown;

use super::embedded::Embedded;
use crate::console::{self, Console};

/// Score new customers: give them the segments of a published model
///
/// The input has the id and feature columns of the model, one row a customer.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  segmenta score --model runs/cdnow/model.json --input 'new/*.parquet' --output runs/scores")]
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
    #[command(flatten)]
    embedded: Embedded,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let embedded = arguments.embedded.options()?;
    let request = ScoreRequest {
        model: arguments.model.clone(),
        input: arguments.input.clone(),
        output: arguments.output.clone(),
    };
    let base = std::env::current_dir().unwrap_or_else(|_| PathBuf::from("/"));
    let runtime = tokio::runtime::Runtime::new().context("threads cannot be started")?;
    let scored = async {
        let cluster = Cluster::embedded(embedded).await?;
        let console = Console::new(cluster.task_progress());
        let scored = score(&cluster, &request, &base, &console).await;
        console.finish();
        scored
    };
    let manifest: ScoreManifest = runtime.block_on(async {
        tokio::select! {
            scored = scored => scored,
            stop = shutdown::requested() => Err(EngineError::job(match stop {
                Ok(()) => "stopped on request; nothing was published".to_owned(),
                Err(error) => format!("signals cannot be listened for: {error}"),
            })),
        }
    })?;
    console::scored(&manifest, &request.output)?;
    Ok(())
}
