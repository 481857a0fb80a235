//! `segmenta report`: makes the report of a published output anew.

use clap::Args;
use segmenta_engine::artifact::put;
use segmenta_engine::runtime::{MemoryPlan, runtime_env};
use segmenta_pipeline::location::{to_folder_url, to_url};
use segmenta_report::page::html;
use segmenta_results::manifest::REPORT_FILE;
use segmenta_results::published::Published;
use serde_json::json;

use super::current_folder;
use crate::console::{line, place, result};

/// Make the report of what a job has published: one HTML page that needs no network
///
/// A job makes it itself when it publishes; this makes it anew, from the published files alone.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  segmenta report runs/cdnow
  segmenta report s3://lake/segments/customers --to customers.html")]
pub(crate) struct Arguments {
    /// The folder or URL that a job has published to
    output: String,
    /// The file to write [default: report.html in the output]
    #[arg(long, value_name = "FILE")]
    to: Option<String>,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let here = current_folder();
    let output = to_folder_url(&arguments.output, &here)?;
    let target = match &arguments.to {
        Some(file) => to_url(file, &here)?,
        None => format!("{output}{REPORT_FILE}"),
    };
    let runtime = crate::threads::runtime()?;
    runtime.block_on(async {
        let stores = runtime_env(MemoryPlan::detect())?;
        let page = html(&Published::read(&stores, &output).await?)?;
        put(&stores, &target, page).await
    })?;
    result(|| json!({"report": target}), || line(&format!("open {} to look at it", place(&target))))?;
    Ok(())
}
