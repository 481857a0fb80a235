//! `segmenta explain`: why one customer is in its segment.

use clap::Args;
use segmenta_engine::runtime::{MemoryPlan, runtime_env};
use segmenta_pipeline::location::to_folder_url;
use segmenta_report::explain::explain;

use super::current_folder;
use crate::show;

/// Explain why one customer is in its segment, or is an outlier
///
/// Prints the customer's features (raw, imputed and scaled), its distances to the centroids, the rule of its segment,
/// and its way down the trees of the other clusterings.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  segmenta explain runs/cdnow 3
  segmenta explain s3://lake/segments/customers DE 4711      # where two columns identify a customer
  segmenta explain runs/cdnow 3 --json | jq .kmeans.distances")]
pub(crate) struct Arguments {
    /// The folder or URL that a job has published to
    output: String,
    /// The customer: a value for each id column, in their order
    #[arg(required = true, allow_negative_numbers = true)]
    id: Vec<String>,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let here = current_folder();
    let output = to_folder_url(&arguments.output, &here)?;
    let runtime = crate::threads::runtime()?;
    let found = runtime.block_on(async {
        let stores = runtime_env(MemoryPlan::detect())?;
        explain(&stores, &output, &arguments.id).await
    })?;
    show::explanation(&found)?;
    Ok(())
}
