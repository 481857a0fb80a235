//! `segmenta clean`: removes what abandoned runs left.

use std::path::Path;

use anyhow::bail;
use bytesize::ByteSize;
use clap::Args;
use segmenta_engine::EngineError;
use segmenta_engine::runtime::{MemoryPlan, runtime_env};
use segmenta_pipeline::clean::{Kept, clean};
use segmenta_pipeline::location::to_folder_url;

use segmenta_results::words::count;
use serde_json::json;

use super::current_folder;
use crate::console::{self, line, place};

/// Remove what abandoned runs left: work folders and half-published results
///
/// Published results stay. A job that is resumed later starts over. An output that a process works on is left alone.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  segmenta clean runs --older-than 7d --dry-run
  segmenta clean s3://lake/segments/ --older-than 12h")]
pub(crate) struct Arguments {
    /// Outputs, or folders or URLs above them
    #[arg(required = true)]
    locations: Vec<String>,
    /// Leave alone what was written to within this time, for example 12h or 7d
    #[arg(long, value_name = "TIME", default_value = "7d")]
    older_than: humantime::Duration,
    /// Only say what would be removed
    #[arg(long)]
    dry_run: bool,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let here = current_folder();
    let runtime = crate::threads::runtime()?;
    let stores = runtime_env(MemoryPlan::detect())?;
    runtime.block_on(async {
        let mut found = vec![];
        for location in &arguments.locations {
            let url = to_folder_url(location, &here)?;
            if url.starts_with("file://") && !Path::new(&place(&url)).exists() {
                bail!(EngineError::input(format!("{location}: there is no such folder")));
            }
            for cleaned in clean(&stores, &url, *arguments.older_than, arguments.dry_run).await? {
                let what = format!("{} files, {}", count(cleaned.objects), ByteSize(cleaned.bytes));
                let how = match (cleaned.kept, arguments.dry_run) {
                    (Some(Kept::Young), _) => format!("left alone: written to within {}", arguments.older_than),
                    (Some(Kept::InUse), _) => "left alone: a process is working on it".to_owned(),
                    (None, true) => format!("would remove {what}"),
                    (None, false) => format!("removed {what}"),
                };
                found.push((cleaned, how));
            }
        }
        let words = || match found.as_slice() {
            [] => console::line("no outputs of jobs with anything left to remove"),
            found => found.iter().try_for_each(|(cleaned, how)| line(&format!("{}: {how}", place(&cleaned.output)))),
        };
        console::result(|| json!(found.iter().map(|(cleaned, _)| cleaned).collect::<Vec<_>>()), words)?;
        Ok(())
    })
}
