//! Published tables as one CSV file, for those who work in a spreadsheet.

use std::fs::{self, File};
use std::io::BufWriter;
use std::path::{Path, PathBuf};

use arrow::csv::WriterBuilder;
use datafusion::execution::runtime_env::RuntimeEnv;
use futures::StreamExt;
use segmenta_engine::artifact::read_part;
use segmenta_engine::{EngineError, Result};

use segmenta_results::manifest::Output;

/// Writes the published `folder` (such as `assignments/`) of `output`, a URL that ends in `/`, to a local file: a
/// header, and one line for each row in the order of the parts. The file appears when it is complete. Returns the
/// number of rows. Holds a batch.
///
/// # Errors
/// A part that is gone or damaged; a file that cannot be written.
pub async fn write(runtime: &RuntimeEnv, output: &str, outputs: &[Output], folder: &str, file: &Path) -> Result<u64> {
    let unwritable =
        |error: &dyn std::fmt::Display| EngineError::output(format!("{}: cannot be written: {error}", file.display()));
    let unfinished = PathBuf::from(format!("{}.unfinished", file.display()));
    let target = File::create(&unfinished).map_err(|error| unwritable(&error))?;
    let mut writer = WriterBuilder::new().with_header(true).build(BufWriter::new(target));
    let mut rows = 0;
    for (index, of_table) in (0..).zip(outputs.iter().filter(|output| output.name.starts_with(folder))) {
        let mut batches = read_part(runtime, &of_table.part(index, output), None).await?;
        while let Some(batch) = batches.next().await {
            let batch = batch?;
            rows += batch.num_rows() as u64;
            writer.write(&batch).map_err(|error| unwritable(&error))?;
        }
    }
    let buffer = writer.into_inner();
    let target = buffer.into_inner().map_err(|error| unwritable(&error))?;
    target.sync_all().map_err(|error| unwritable(&error))?;
    fs::rename(&unfinished, file).map_err(|error| unwritable(&error))?;
    Ok(rows)
}
