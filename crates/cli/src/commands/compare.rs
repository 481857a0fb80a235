//! `segmenta compare`: what has changed between two runs.

use clap::Args;
use segmenta_engine::runtime::planning_state;
use segmenta_pipeline::location::to_folder_url;
use segmenta_report::compare::compare;

use super::current_folder;
use crate::show;

/// Compare two runs: which segments are the same, who moved between them, which features drifted
///
/// Segments are matched one to one, by the customers that they share and by how near their means are.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  segmenta compare runs/week-46 runs/week-47
  segmenta compare s3://lake/segments/w46 s3://lake/segments/w47 --json | jq '.clusterings[0].moves'

A job whose spec names the earlier run as `previous` keeps its segments' numbers.")]
pub(crate) struct Arguments {
    /// The folder or URL that the earlier run has published to
    old: String,
    /// The folder or URL that the later run has published to
    new: String,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let here = current_folder();
    let (old, new) = (to_folder_url(&arguments.old, &here)?, to_folder_url(&arguments.new, &here)?);
    let runtime = crate::threads::runtime()?;
    let found = runtime.block_on(async { compare(&planning_state()?, &old, &new).await })?;
    show::comparison(&found)?;
    Ok(())
}
