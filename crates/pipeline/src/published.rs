//! What a job has published, as it is read again: by the report, by `explain` and by `compare`.

use std::collections::BTreeMap;
use std::sync::Arc;

use datafusion::arrow::array::{Array, AsArray, RecordBatch};
use datafusion::arrow::compute::{cast, concat_batches};
use datafusion::arrow::datatypes::{DataType, Float64Type, Int32Type};
use datafusion::error::DataFusionError;
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use segmenta_algorithms::drift::Distribution;
use segmenta_algorithms::hdbscan::condensed_tree::CondensedCluster;
use segmenta_algorithms::scalers::Scaler;
use segmenta_engine::artifact::{get, hex};
use segmenta_engine::operators::hdbscan::DensityModelCell;
use segmenta_engine::{EngineError, Result};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::job::StageReport;
use crate::publication::manifest_url;
use crate::stages::evaluate::Choice;
use crate::stages::hdbscan::DensityCluster;
use crate::stages::hierarchy::{LinkedCluster, Reduction};
use crate::stages::profile::{Agreement, Algorithm};
use crate::stages::publish::{FORMAT, Manifest, published};

/// The documents and small tables of an output.
pub struct Published {
    /// `manifest.json`.
    pub manifest: Manifest,
    /// `model.json`, as far as it is shown.
    pub model: Model,
    /// `metrics.json`, as far as it is shown.
    pub metrics: Metrics,
    /// `segments.parquet`.
    pub segments: Columns,
    /// `quality.parquet`.
    pub quality: Columns,
    /// `sample.parquet`.
    pub sample: Columns,
}

impl Published {
    /// From what is published under `output`, a URL that ends in `/`.
    ///
    /// # Errors
    /// Nothing there, something damaged, or of another version.
    pub async fn read(runtime: &RuntimeEnv, output: &str) -> Result<Self> {
        let mut manifest = Self::manifest(runtime, output).await?;
        loop {
            let error = match Self::of(runtime, output, manifest.clone()).await {
                Ok(published) => return Ok(published),
                Err(error) => error,
            };
            // What the manifest named is gone where something was published meanwhile.
            let now = Self::manifest(runtime, output).await?;
            if now.edition == manifest.edition {
                return Err(error);
            }
            manifest = now;
        }
    }

    /// The manifest of what is published under `output`.
    ///
    /// # Errors
    /// None there, or one of another version.
    pub async fn manifest(runtime: &RuntimeEnv, output: &str) -> Result<Manifest> {
        let Some(manifest) = published(runtime, output).await? else {
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

    async fn of(runtime: &RuntimeEnv, output: &str, manifest: Manifest) -> Result<Self> {
        let model: Model = document(runtime, output, &manifest, "model.json").await?;
        if !model.is_sound() {
            return Err(EngineError::input(format!(
                "{output}model.json: its parts do not fit together; publish the job anew"
            )));
        }
        Ok(Self {
            model,
            metrics: document(runtime, output, &manifest, "metrics.json").await?,
            segments: Columns::read(runtime, output, &manifest, "segments.parquet").await?,
            quality: Columns::read(runtime, output, &manifest, "quality.parquet").await?,
            sample: Columns::read(runtime, output, &manifest, "sample.parquet").await?,
            manifest,
        })
    }
}

/// A row of `segments.parquet`, without its features.
pub(crate) struct SegmentRow {
    pub(crate) algorithm: String,
    pub(crate) cluster: i32,
    pub(crate) size: u64,
    pub(crate) share: f64,
    pub(crate) label: Option<String>,
    pub(crate) rule: Option<String>,
}

/// A published table that lacks a column.
pub(crate) fn damaged(table: &str, column: &str) -> EngineError {
    EngineError::input(format!("{table}: has no column {column}, which this version publishes; run the job anew"))
}

impl Published {
    /// The segments, in the order of their table.
    pub(crate) fn segment_rows(&self) -> Result<Vec<SegmentRow>> {
        let table = &self.segments;
        let lacks = |column: &'static str| move || damaged("segments.parquet", column);
        let texts = |column: &'static str| table.texts(column).ok_or_else(lacks(column));
        let numbers = |column: &'static str| table.numbers(column).ok_or_else(lacks(column));
        let clusters = table.labels("cluster").ok_or_else(lacks("cluster"))?;
        let (algorithms, labels, rules) = (texts("algorithm")?, texts("label")?, texts("rule")?);
        let (sizes, shares) = (numbers("size")?, numbers("share")?);
        let row = |(i, cluster): (usize, i32)| SegmentRow {
            algorithm: algorithms[i].clone().unwrap_or_default(),
            cluster,
            size: sizes[i] as u64,
            share: shares[i],
            label: labels[i].clone(),
            rule: rules[i].clone(),
        };
        Ok(clusters.into_iter().enumerate().map(row).collect())
    }

    /// Whether the job has this clustering.
    pub(crate) fn has(&self, algorithm: Algorithm) -> bool {
        match algorithm {
            Algorithm::Kmeans => true,
            Algorithm::Hierarchy => self.model.hierarchy.is_some(),
            Algorithm::Hdbscan => self.model.hdbscan.is_some(),
        }
    }
}

async fn document<T: DeserializeOwned>(
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
pub(crate) async fn file(runtime: &RuntimeEnv, output: &str, manifest: &Manifest, name: &str) -> Result<bytes::Bytes> {
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
    /// Of a table that is at hand.
    #[must_use]
    pub fn new(batch: RecordBatch) -> Self {
        Self(batch)
    }

    async fn read(runtime: &RuntimeEnv, output: &str, manifest: &Manifest, name: &str) -> Result<Self> {
        Self::parse(file(runtime, output, manifest, name).await?)
            .map_err(|error| EngineError::input(format!("{output}{name}: cannot be read: {error}")))
    }

    /// Of the bytes of a Parquet file.
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

/// `model.json`, as far as it is shown.
#[derive(Debug, Deserialize)]
pub struct Model {
    pub(crate) id: Vec<String>,
    pub(crate) parts: u32,
    pub(crate) features: Vec<String>,
    pub(crate) distributions: Vec<Distribution>,
    pub(crate) scale: ScaleModel,
    pub(crate) impute: ImputeModel,
    pub(crate) kmeans: KMeansModel,
    pub(crate) hierarchy: Option<HierarchyModel>,
    pub(crate) hdbscan: Option<HdbscanModel>,
}

impl Model {
    /// Whether the trees are trees: children come before their parents in a dendrogram, and after them in a condensed tree.
    fn is_sound(&self) -> bool {
        let dendrogram = self.hierarchy.as_ref().is_none_or(|hierarchy| hierarchy.dendrogram.is_sound());
        let tree = self.hdbscan.iter().flat_map(|hdbscan| hdbscan.condensed_tree.iter().enumerate());
        dendrogram && { tree }.all(|(i, node)| node.parent.map_or(i == 0, |parent| (parent as usize) < i))
    }
}

#[derive(Debug, Deserialize)]
pub(crate) struct ImputeModel {
    pub(crate) fills: Vec<Value>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct ScaleModel {
    pub(crate) scalers: Vec<Scaler>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct KMeansModel {
    pub(crate) clusters: Vec<KMeansCluster>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct KMeansCluster {
    pub(crate) cluster: i32,
    pub(crate) centroid_scaled: Vec<f64>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct HierarchyModel {
    pub(crate) linkage: String,
    pub(crate) clusters: Vec<LinkedCluster>,
    pub(crate) cut_below: f64,
    pub(crate) cut_above: Option<f64>,
    pub(crate) dendrogram: DendrogramModel,
}

#[derive(Debug, Deserialize)]
pub(crate) struct DendrogramModel {
    pub(crate) points: u64,
    pub(crate) leaves: Vec<u32>,
    pub(crate) leaf_sizes: Vec<u64>,
    pub(crate) linkage: Vec<[f64; 4]>,
}

impl DendrogramModel {
    fn is_sound(&self) -> bool {
        let leaves = self.leaves.len();
        let is_below = |node: f64, merge: usize| node >= 0.0 && node < (leaves + merge) as f64;
        let mut merges = self.linkage.iter().enumerate();
        leaves == self.linkage.len() + 1
            && leaves == self.leaf_sizes.len()
            && (leaves as u64..=u64::from(u32::MAX)).contains(&self.points)
            && merges.all(|(i, [left, right, ..])| is_below(*left, i) && is_below(*right, i))
    }
}

#[derive(Debug, Deserialize)]
pub(crate) struct HdbscanModel {
    pub(crate) clusters: Vec<DensityCluster>,
    pub(crate) condensed_tree: Vec<CondensedCluster>,
    pub(crate) points: Vec<DensityModelCell>,
}

/// `metrics.json`, as far as it is shown.
#[derive(Debug, Deserialize)]
pub struct Metrics {
    pub(crate) parameters: BTreeMap<String, Value>,
    pub(crate) rows: Rows,
    pub(crate) features: Vec<FeatureMetrics>,
    pub(crate) missing_patterns: Vec<Pattern>,
    pub(crate) missing_otherwise: u64,
    pub(crate) kmeans: KMeansMetrics,
    pub(crate) hierarchy: Option<HierarchyMetrics>,
    pub(crate) hdbscan: Option<HdbscanMetrics>,
    pub(crate) agreements: Vec<Agreement>,
    pub(crate) rules: Vec<RulesMetrics>,
    pub(crate) warnings: Vec<String>,
    pub(crate) stages: Vec<StageReport>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct RulesMetrics {
    pub(crate) algorithm: Algorithm,
    pub(crate) fidelity: f64,
}

#[derive(Debug, Clone, Copy, Deserialize, serde::Serialize)]
pub(crate) struct Rows {
    pub(crate) source: u64,
    pub(crate) customers: u64,
    pub(crate) rejected: u64,
    pub(crate) assigned: u64,
}

#[derive(Debug, Deserialize)]
pub(crate) struct FeatureMetrics {
    pub(crate) feature: String,
    pub(crate) missing: u64,
    pub(crate) imputed: u64,
    pub(crate) imputation_error: Option<ImputationError>,
    pub(crate) cut_as_outlier: u64,
    pub(crate) cut_by_forest: u64,
}

#[derive(Debug, Deserialize)]
pub(crate) struct ImputationError {
    pub(crate) all_rows: Option<f64>,
    pub(crate) sample: Option<f64>,
}

#[derive(Debug, Clone, Deserialize, serde::Serialize)]
pub(crate) struct Pattern {
    pub(crate) missing: Vec<String>,
    pub(crate) rows: u64,
}

#[derive(Debug, Deserialize)]
pub(crate) struct KMeansMetrics {
    pub(crate) chosen_k: usize,
    pub(crate) selected_by: Option<String>,
    pub(crate) why: String,
    pub(crate) choices: Vec<Choice>,
    pub(crate) silhouette_is_exact: bool,
    pub(crate) candidates: Vec<CandidateMetrics>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct CandidateMetrics {
    pub(crate) k: usize,
    pub(crate) inertia: f64,
    pub(crate) silhouette: Option<f64>,
    pub(crate) silhouette_error: Option<f64>,
    pub(crate) silhouette_simplified: Option<f64>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct HierarchyMetrics {
    pub(crate) points: u64,
    pub(crate) is_exact: bool,
    pub(crate) reduction: Option<Reduction>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct HdbscanMetrics {
    pub(crate) points: u64,
    pub(crate) resolution: f64,
    pub(crate) height_error_bound: f64,
    pub(crate) height_error_bound_measured: f64,
    pub(crate) cells: usize,
    pub(crate) rounds: usize,
    pub(crate) min_cluster_size: u64,
    pub(crate) why: String,
    pub(crate) noise: u64,
    pub(crate) neighbor_graph: Option<Value>,
}
