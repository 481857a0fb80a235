//! The documents and small tables of an output, read together.

use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::{cast, concat_batches};
use arrow::datatypes::{DataType, Float64Type, Int32Type};
use datafusion::error::DataFusionError;
use datafusion::execution::runtime_env::RuntimeEnv;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use segmenta_engine::artifact::{get, hex};
use segmenta_engine::{EngineError, Result};
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

use crate::clusterings::Algorithm;
use crate::manifest::{FORMAT, Manifest, manifest_url, read_manifest};
use crate::metrics::Metrics;
use crate::model::Model;
use crate::segments::SegmentRow;

/// The documents and small tables of an output.
pub struct Published {
    /// `manifest.json`.
    pub manifest: Manifest,
    /// `model.json`.
    pub model: Model,
    /// `metrics.json`.
    pub metrics: Metrics,
    /// `segments.parquet`.
    pub segments: Columns,
    /// `quality.parquet`.
    pub quality: Columns,
    /// `sample.parquet`.
    pub sample: Columns,
}

impl Published {
    /// Reads what is published under `output`, a URL that ends in `/`.
    ///
    /// # Errors
    /// Nothing there, something damaged, or of another version.
    pub async fn read(runtime: &RuntimeEnv, output: &str) -> Result<Self> {
        read_whole(runtime, output, async |manifest| Self::of(runtime, output, manifest).await).await
    }

    async fn of(runtime: &RuntimeEnv, output: &str, manifest: Manifest) -> Result<Self> {
        let model: Model = document(runtime, output, &manifest, "model.json").await?;
        if !model.has_sound_trees() {
            return Err(EngineError::input(format!(
                "{output}model.json: its parts do not fit together; publish the job anew"
            )));
        }
        Ok(Self {
            model,
            metrics: with_outliers(document(runtime, output, &manifest, "metrics.json").await?),
            segments: Columns::read(runtime, output, &manifest, "segments.parquet").await?,
            quality: Columns::read(runtime, output, &manifest, "quality.parquet").await?,
            sample: Columns::read(runtime, output, &manifest, "sample.parquet").await?,
            manifest,
        })
    }
}

/// Versions that only set outliers aside did not count them again.
fn with_outliers(mut metrics: Metrics) -> Metrics {
    metrics.rows.outliers = metrics.rows.outliers.max(metrics.rows.rejected);
    metrics
}

/// A published table that lacks a column.
#[must_use]
pub fn damaged(table: &str, column: &str) -> EngineError {
    EngineError::input(format!("{table}: has no column {column}, which this version publishes; run the job anew"))
}

impl Published {
    /// The segments, in the order of their table.
    ///
    /// # Errors
    /// A table that lacks a column.
    pub fn segment_rows(&self) -> Result<Vec<SegmentRow>> {
        let table = &self.segments;
        let lacks = |column: &'static str| move || damaged("segments.parquet", column);
        let texts = |column: &'static str| table.texts(column).ok_or_else(lacks(column));
        let numbers = |column: &'static str| table.numbers(column).ok_or_else(lacks(column));
        let clusters = table.labels("cluster").ok_or_else(lacks("cluster"))?;
        let (algorithms, labels, rules) = (texts("algorithm")?, texts("label")?, texts("rule")?);
        let (sizes, shares) = (numbers("size")?, numbers("share")?);
        // Outputs of earlier versions do not have it.
        let monetary = table.numbers("monetary_share");
        let row = |(i, cluster): (usize, i32)| SegmentRow {
            algorithm: algorithms[i].clone().unwrap_or_default(),
            cluster,
            size: sizes[i] as u64,
            share: shares[i],
            monetary_share: monetary.as_ref().map(|shares| shares[i]).filter(|share| !share.is_nan()),
            label: labels[i].clone(),
            rule: rules[i].clone(),
        };
        Ok(clusters.into_iter().enumerate().map(row).collect())
    }

    /// Whether the job has this clustering.
    #[must_use]
    pub fn has(&self, algorithm: Algorithm) -> bool {
        self.sample.labels(algorithm.column()).is_some()
    }
}

/// The manifest of what is published under `output`.
///
/// # Errors
/// None there, or one of another version.
pub async fn manifest_of(runtime: &RuntimeEnv, output: &str) -> Result<Manifest> {
    let Some(manifest) = read_manifest(runtime, output).await? else {
        let what = match get(runtime, &manifest_url(output)).await? {
            Some(_) => "manifest.json is not one that this version wrote; publish the job anew",
            None => "there is no manifest.json, so no job has published there (or it is not done yet)",
        };
        return Err(EngineError::input(format!("{output}: {what}")));
    };
    if manifest.format != FORMAT {
        return Err(EngineError::input(format!(
            "{output}: its files are of format {}, and this version reads {FORMAT}; run the job anew",
            manifest.format
        )));
    }
    Ok(manifest)
}

/// Reads what a manifest names. Reads it again if a newer publication has removed the files meanwhile.
///
/// # Errors
/// Those of `read`; no manifest, or one of another version.
pub async fn read_whole<T>(runtime: &RuntimeEnv, output: &str, read: impl AsyncFn(Manifest) -> Result<T>) -> Result<T> {
    let mut manifest = manifest_of(runtime, output).await?;
    loop {
        let edition = manifest.edition;
        let error = match read(manifest).await {
            Ok(read) => return Ok(read),
            Err(error) => error,
        };
        manifest = manifest_of(runtime, output).await?;
        if manifest.edition == edition {
            return Err(error);
        }
    }
}

/// A JSON document that a manifest names.
///
/// # Errors
/// One that is gone, another than was published, or of another version.
pub async fn document<T: DeserializeOwned>(
    runtime: &RuntimeEnv,
    output: &str,
    manifest: &Manifest,
    name: &str,
) -> Result<T> {
    let content = file(runtime, output, manifest, name).await?;
    serde_json::from_slice(&content)
        .map_err(|error| EngineError::input(format!("{output}{name}: cannot be read: {error}; publish the job anew")))
}

/// A document that a manifest names, whole and as it was published.
///
/// # Errors
/// One that is gone, or another than was published.
pub async fn file(runtime: &RuntimeEnv, output: &str, manifest: &Manifest, name: &str) -> Result<bytes::Bytes> {
    let path = manifest.document(name).map_or(name, |file| file.path.as_str());
    let content = get(runtime, &format!("{output}{path}")).await?;
    let content =
        content.ok_or_else(|| EngineError::input(format!("{output}{path}: is gone; publish the job anew")))?;
    if manifest.document(name).is_some_and(|file| hex(&Sha256::digest(&content)) != file.sha256) {
        return Err(EngineError::input(format!(
            "{output}{path}: is not what was published; publish the job anew (run it with --fresh)"
        )));
    }
    Ok(content)
}

/// A small table.
#[derive(Debug, Clone)]
pub struct Columns(RecordBatch);

impl Columns {
    /// The columns of a table in memory.
    #[must_use]
    pub fn new(batch: RecordBatch) -> Self {
        Self(batch)
    }

    async fn read(runtime: &RuntimeEnv, output: &str, manifest: &Manifest, name: &str) -> Result<Self> {
        Self::parse(file(runtime, output, manifest, name).await?)
            .map_err(|error| EngineError::input(format!("{output}{name}: cannot be read: {error}")))
    }

    /// The columns of a Parquet file, from its bytes.
    ///
    /// # Errors
    /// A file that is damaged.
    pub fn parse(content: bytes::Bytes) -> std::result::Result<Self, DataFusionError> {
        let reader = ParquetRecordBatchReaderBuilder::try_new(content)?;
        let schema = Arc::clone(reader.schema());
        let batches = reader.build()?.collect::<std::result::Result<Vec<_>, _>>()?;
        Ok(Self(concat_batches(&schema, &batches)?))
    }

    /// Rows.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.0.num_rows()
    }

    /// A column of numbers, null as NaN; `None` where there is none of that name.
    #[must_use]
    pub fn numbers(&self, name: &str) -> Option<Vec<f64>> {
        let column = cast(self.0.column_by_name(name)?, &DataType::Float64).ok()?;
        Some(column.as_primitive::<Float64Type>().iter().map(|value| value.unwrap_or(f64::NAN)).collect())
    }

    /// A column of labels.
    #[must_use]
    pub fn labels(&self, name: &str) -> Option<Vec<i32>> {
        let column = cast(self.0.column_by_name(name)?, &DataType::Int32).ok()?;
        Some(column.as_primitive::<Int32Type>().iter().map(Option::unwrap_or_default).collect())
    }

    /// A column of texts.
    #[must_use]
    pub fn texts(&self, name: &str) -> Option<Vec<Option<String>>> {
        let column = cast(self.0.column_by_name(name)?, &DataType::Utf8).ok()?;
        let texts = column.as_string::<i32>();
        Some((0..texts.len()).map(|i| texts.is_valid(i).then(|| texts.value(i).to_owned())).collect())
    }
}
