//! `segmenta score`: gives new customers the segments of a published model.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::Args;
use segmenta_engine::EngineError;
use segmenta_pipeline::job::RunOptions;
use segmenta_pipeline::score::ScoreJob;
use segmenta_pipeline::submission::Submission;
use segmenta_spec::{ScoreSpec, Table};

use super::current_folder;
use super::embedded::Embedded;
use super::run::{run_embedded, show, write_csv};
use super::submit;
use crate::memory;
use crate::remote::Access;
use serde_json::json;

/// Score new customers: give them the segments of a published model
///
/// Either the input has the id and feature columns of the model, with one row for each customer, or the query of the
/// model's job makes these from new tables.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  segmenta score --model runs/cdnow/model.json --input 'new/*.parquet' --output runs/scores
  segmenta score --model runs/cdnow --table orders='new/*.parquet' --output runs/scores --csv scores.csv
  segmenta score --model s3://lake/model.json --input s3://lake/new/ --output s3://lake/scores \\
    --coordinator http://coordinator:50050")]
pub(crate) struct Arguments {
    /// The model.json that a job published
    #[arg(long, value_name = "FILE")]
    model: String,
    /// Parquet files, globs, folders or URLs, with the columns of the model
    #[arg(long, required_unless_present = "table", num_args = 1.., value_name = "LOCATION")]
    input: Vec<String>,
    /// A table that the query reads, by its name in the job; to be repeated for each location of each table
    #[arg(long, conflicts_with = "input", value_name = "NAME=LOCATION")]
    table: Vec<String>,
    /// A file with the query over the tables [default: the query of the model's job]
    #[arg(long, requires = "table", value_name = "FILE")]
    sql: Option<PathBuf>,
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
    /// Write the scores to a CSV file too
    #[arg(long, value_name = "FILE", conflicts_with = "coordinator")]
    csv: Option<PathBuf>,
}

/// The tables that are given. Locations with the same name are one table.
fn tables(given: &[String]) -> Result<Vec<Table>, EngineError> {
    let mut tables: Vec<Table> = vec![];
    for table in given {
        let Some((name, location)) = table.split_once('=').filter(|(name, location)| {
            !name.is_empty() && !location.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        }) else {
            return Err(EngineError::spec(format!(
                "--table {table}: is not a name and a location, for example --table orders='new/*.parquet'"
            )));
        };
        match tables.iter_mut().find(|known| known.name.eq_ignore_ascii_case(name)) {
            Some(known) => known.locations.push(location.to_owned()),
            None => tables.push(Table { name: name.to_owned(), locations: vec![location.to_owned()] }),
        }
    }
    Ok(tables)
}

/// The text of a spec that scores, as JSON.
fn document(spec: &ScoreSpec) -> String {
    let tables: BTreeMap<&str, &[String]> =
        spec.tables.iter().map(|table| (table.name.as_str(), table.locations.as_slice())).collect();
    let mut document = json!({"name": spec.name, "model": spec.model, "output": spec.output});
    if tables.is_empty() {
        document["input"] = json!(spec.input);
    } else {
        document["tables"] = json!(tables);
    }
    if let Some(sql) = &spec.sql {
        document["sql"] = json!(sql);
    }
    document.to_string()
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let sql = match &arguments.sql {
        Some(file) => Some(
            std::fs::read_to_string(file)
                .map_err(|error| EngineError::spec(format!("--sql {}: cannot be read: {error}", file.display())))?,
        ),
        None => None,
    };
    let spec = ScoreSpec {
        name: "score".to_owned(),
        model: arguments.model.clone(),
        input: arguments.input.clone(),
        tables: tables(&arguments.table)?,
        sql,
        output: arguments.output.clone(),
    };
    let base = current_folder();
    if let Some(url) = &arguments.coordinator {
        let request = submit::request_of(document(&spec), &base, &submit::How::default());
        return submit::and_wait(&arguments.access.target(url)?, request);
    }
    let job = Submission::Score(ScoreJob::new(spec, base));
    let embedded = arguments.embedded.options()?;
    memory::keep_to(embedded.memory)?;
    let runtime = crate::threads::runtime()?;
    let done = runtime.block_on(run_embedded(&job, embedded, &RunOptions::default()))?;
    show(&job, &done)?;
    match &arguments.csv {
        Some(file) => write_csv(&runtime, &job, &done, file),
        None => Ok(()),
    }
}
