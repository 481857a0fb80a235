//! `segmenta schema`: what editors complete and check a job spec by.

use clap::Args;
use segmenta_spec::schema;

use crate::console::line;

/// Print the JSON Schema of job specs, for editors
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  segmenta schema > job-spec.schema.json

An editor that knows YAML completes and checks a spec whose first line is
  # yaml-language-server: $schema=job-spec.schema.json")]
pub(crate) struct Arguments {}

pub(crate) fn run() -> anyhow::Result<()> {
    line(&serde_json::to_string_pretty(&schema())?)?;
    Ok(())
}
