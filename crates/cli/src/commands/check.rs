//! `segmenta check`: validates a job without running it.

use std::path::PathBuf;

use clap::Args;
use segmenta_engine::runtime::planning_state;

use super::run::load;
use crate::show;

/// Check a job without running it: the spec, the sources' schemas, the query
///
/// Prints the tables with their columns, and the stages that `run` would go through.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  segmenta check job.yaml
  segmenta check job.yaml --json | jq '.tables[].columns'")]
pub(crate) struct Arguments {
    /// The job spec (YAML or JSON)
    spec: PathBuf,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let job = load(&arguments.spec)?;
    let runtime = crate::threads::runtime()?;
    let plan = runtime.block_on(async { job.check(&planning_state()?).await })?;
    show::plan(job.name(), &plan)?;
    Ok(())
}
