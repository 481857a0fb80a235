//! What the tests share: folders, Parquet files, running the binary, running jobs in the process.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float64Array, Int64Array, RecordBatch};
use arrow::compute::{cast, concat_batches};
use arrow::datatypes::{DataType, Float64Type, Int64Type};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use segmenta_engine::cluster::{Cluster, EmbeddedOptions};
use segmenta_engine::runtime::MemoryPlan;
use segmenta_engine::{EngineError, Result};
use segmenta_pipeline::job::{Job, Outcome, RunOptions};
use segmenta_spec::JobSpec;
use serde_json::Value;
use tempfile::TempDir;

/// The root of the project.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

pub(crate) fn folder() -> TempDir {
    TempDir::with_prefix("segmenta-test-").unwrap()
}

/// What the binary said.
pub(crate) struct Said {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// Runs the binary.
pub(crate) fn segmenta(arguments: &[&str]) -> Said {
    segmenta_with(&[], arguments)
}

/// Runs the binary at the root of the project, with some variables set.
pub(crate) fn segmenta_with(environment: &[(&str, &str)], arguments: &[&str]) -> Said {
    let mut command = Command::new(env!("CARGO_BIN_EXE_segmenta"));
    command.args(arguments).env_remove("RUST_LOG").envs(environment.iter().copied()).current_dir(root());
    let output = command.output().unwrap();
    Said {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

/// Writes a spec that uses the example's data, with some of its text replaced, and returns its path.
pub(crate) fn cdnow_spec(folder: &Path, replacements: &[(&str, &str)]) -> PathBuf {
    let examples = root().join("examples");
    let mut text = fs::read_to_string(examples.join("cdnow.yaml")).unwrap();
    for (from, to) in replacements {
        assert!(text.contains(from), "the example has no `{from}`");
        text = text.replace(from, to);
    }
    let data = examples.join("data/cdnow").display().to_string();
    text = text.replace("orders: data/cdnow", &format!("orders: {data}")).replace("../runs/cdnow", "out");
    let path = folder.join("job.yaml");
    fs::write(&path, text).unwrap();
    path
}

/// A job over a folder of features, with the given sections.
pub(crate) fn features_job(tables: &str, sections: &str, base: &Path) -> Job {
    let text = format!(
        "name: test\nsource:\n  tables: {{features: {tables}}}\n  id: customer_id\n  features: [recency, frequency, \
         monetary]\noutput: out\n{sections}"
    );
    Job::new(JobSpec::parse(&text, "test.yaml").unwrap(), base)
}

pub(crate) fn options(threads: usize) -> EmbeddedOptions {
    EmbeddedOptions { threads, memory: MemoryPlan::new(2 << 30) }
}

/// Runs a job on an embedded cluster of its own.
pub(crate) fn run(job: &Job, threads: usize, options_of_run: &RunOptions) -> Result<Outcome, EngineError> {
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let cluster = Cluster::embedded(options(threads)).await?;
        job.run(&cluster, options_of_run, &()).await
    })
}

/// Writes columns of equal length as one Parquet file.
pub(crate) fn write_parquet(path: &Path, columns: &[(&str, ArrayRef)]) {
    let batch = RecordBatch::try_from_iter(columns.iter().map(|(name, column)| (*name, Arc::clone(column)))).unwrap();
    write_batch(path, &batch);
}

pub(crate) fn write_batch(path: &Path, batch: &RecordBatch) {
    let mut writer = ArrowWriter::try_new(File::create(path).unwrap(), batch.schema(), None).unwrap();
    writer.write(batch).unwrap();
    writer.close().unwrap();
}

pub(crate) fn floats(values: impl IntoIterator<Item = Option<f64>>) -> ArrayRef {
    Arc::new(values.into_iter().collect::<Float64Array>())
}

pub(crate) fn ids(values: impl IntoIterator<Item = i64>) -> ArrayRef {
    Arc::new(values.into_iter().map(Some).collect::<Int64Array>())
}

/// All rows of a Parquet file, or of the files of a folder in the order of their names.
pub(crate) fn read_parquet(path: &Path) -> RecordBatch {
    let mut files = vec![path.to_path_buf()];
    if path.is_dir() {
        files = fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
    }
    let mut batches = Vec::new();
    for file in files {
        let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(file).unwrap()).unwrap();
        // Where there are no rows there is no batch, and a schema all the same.
        batches.push(RecordBatch::new_empty(Arc::clone(reader.schema())));
        batches.extend(reader.build().unwrap().map(|batch| batch.unwrap()));
    }
    concat_batches(&batches[0].schema(), &batches).unwrap()
}

/// A column as floats; null as NaN.
pub(crate) fn column(batch: &RecordBatch, name: &str) -> Vec<f64> {
    let column = cast(batch.column_by_name(name).expect(name), &DataType::Float64).unwrap();
    column.as_primitive::<Float64Type>().iter().map(|value| value.unwrap_or(f64::NAN)).collect()
}

/// A column of text.
pub(crate) fn texts(batch: &RecordBatch, name: &str) -> Vec<Option<String>> {
    let column = cast(batch.column_by_name(name).expect(name), &DataType::Utf8).unwrap();
    column.as_string::<i32>().iter().map(|text| text.map(str::to_owned)).collect()
}

/// `customer_id` of each row.
pub(crate) fn customers(batch: &RecordBatch) -> Vec<i64> {
    let column = cast(batch.column_by_name("customer_id").unwrap(), &DataType::Int64).unwrap();
    assert_eq!(column.null_count(), 0);
    column.as_primitive::<Int64Type>().values().to_vec()
}

/// A column by `customer_id`.
pub(crate) fn by_customer(batch: &RecordBatch, name: &str) -> BTreeMap<i64, f64> {
    customers(batch).into_iter().zip(column(batch, name)).collect()
}

pub(crate) fn json(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

/// The numbers of a JSON array.
pub(crate) fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|number| number.as_f64().unwrap()).collect()
}

/// Where a published file is that is called so in every publication.
pub(crate) fn published_path(output: &Path, name: &str) -> PathBuf {
    let manifest = json(&output.join("manifest.json"));
    let file = manifest["outputs"].as_array().unwrap().iter().find(|file| file["name"] == name).expect(name);
    output.join(file["path"].as_str().unwrap())
}

/// Name and checksum of each published table.
pub(crate) fn table_checksums(outcome: &Outcome) -> Vec<(String, u64, String)> {
    let tables = outcome.manifest.outputs.iter().filter(|output| output.rows.is_some());
    tables.map(|output| (output.name.clone(), output.bytes, output.sha256.clone())).collect()
}
