//! Scoring: gives new rows the segments of a published model.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use datafusion::execution::SessionState;
use datafusion::execution::runtime_env::RuntimeEnv;
use futures::StreamExt;
use segmenta_algorithms::drift::Distribution;
use segmenta_algorithms::hdbscan::condensed_tree::CondensedCluster;
use segmenta_algorithms::hdbscan::membership::Memberships;
use segmenta_algorithms::hdbscan::selection::{Selected, SelectionOptions};
use segmenta_algorithms::imputation::{MAX_FEATURES, NeighborWeights};
use segmenta_algorithms::kmeans::{Centers, Split as KMeansSplit};
use segmenta_algorithms::outliers::{Fence, IsolationForest};
use segmenta_algorithms::scalers::Scaler;
use segmenta_algorithms::sums::Bounds;
use segmenta_engine::artifact::{Part, get, hex, put_new, resolve};
use segmenta_engine::cluster::Cluster;
use segmenta_engine::operators::hdbscan::{DensityModel, DensityModelCell};
use segmenta_engine::operators::{DonorSearch, DonorSet, Filling, ForestCut, Score, Scored};
use segmenta_engine::{EngineError, Result};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::drift::{self, DriftReport};
use crate::job::{Observer, Plan, PlannedStage};
use crate::lease::{Lease, LeaseOptions};
use crate::location::{to_folder_url, to_url};
use crate::source::{Shard, Sources};
use crate::spec::{Fill, ScoreSpec, Source, Table};
use crate::stages::hdbscan::DensityCluster;
use crate::stages::publish::{FOREST_FILE, FORMAT, Output, copy, first_gone, listed, manifest_url, pretty};
use crate::stages::{StageContext, extract, rows_of, singly};
use crate::work::{Work, fingerprint, remove_all};

/// A scoring job: its spec, and the folder that relative paths start from.
#[derive(Debug, Clone)]
pub struct ScoreJob {
    spec: ScoreSpec,
    base: PathBuf,
}

/// What a run goes by.
struct Prepared {
    url: String,
    model: Model,
    source: Source,
    sources: Sources,
    fingerprint: String,
    /// What an earlier run published of the same.
    published: Option<ScoreManifest>,
}

/// `manifest.json` of scores.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ScoreManifest {
    /// Version of the published files.
    pub format: u32,
    /// URL of the model.
    pub model: String,
    /// Name of the job that made it.
    pub job: String,
    /// Version of Segmenta.
    pub segmenta: String,
    /// What the scores were made from: the model and the inputs.
    pub fingerprint: String,
    /// When it was published, RFC 3339, UTC.
    pub published_at: String,
    /// The input files.
    pub inputs: Vec<Shard>,
    /// Rows scored.
    pub rows: u64,
    /// Missing cells that were filled.
    pub filled_cells: u64,
    /// Rows with a feature outside the model's fences.
    pub outside: u64,
    /// Rows that HDBSCAN calls noise; where the model has no such part, `None`.
    pub noise: Option<u64>,
    /// What became of the rows since the model was made; `None` where the model does not say how they were.
    pub drift: Option<DriftReport>,
    /// The published files.
    pub outputs: Vec<Output>,
}

/// What every model starts with.
#[derive(Debug, Deserialize)]
struct Format {
    format: u32,
}

#[derive(Debug, Deserialize)]
struct Model {
    job: String,
    id: Vec<String>,
    features: Vec<String>,
    impute: ImputeModel,
    outliers: OutlierModel,
    scale: ScaleModel,
    kmeans: KMeansModel,
    hdbscan: Option<HdbscanModel>,
    distributions: Vec<Distribution>,
}

#[derive(Debug, Deserialize)]
struct ImputeModel {
    fills: Vec<Fill>,
    neighbors: usize,
    weights: NeighborWeights,
    bounds: Vec<Bounds>,
    /// None where no cell was missing.
    donor_parts: Vec<Part>,
    /// None where no cell was missing.
    fill: Option<Vec<f64>>,
}

impl ImputeModel {
    /// How cells are filled, where `missing` cells of each feature are. `folder`: the URL that the model's paths are relative to.
    fn filling(self, features: &[String], missing: &[u64], folder: &str) -> Result<Filling> {
        let has_value = |j: usize| self.fill.is_some() && self.fills[j] != Fill::None;
        if let Some(j) = (0..features.len()).find(|j| missing[*j] > 0 && !has_value(*j)) {
            return Err(EngineError::input(format!(
                "--input: {} cells of `{}` are missing, and the model has nothing to fill them with, as none were where it \
                 comes from; leave such rows out",
                missing[j], features[j]
            )));
        }
        let by_neighbors = (0..features.len()).filter(|j| self.fills[*j] == Fill::Knn);
        let needs_donors = by_neighbors.clone().any(|j| missing[j] > 0) && !self.donor_parts.is_empty();
        Ok(Filling {
            donors: needs_donors.then(|| DonorSet {
                parts: self.donor_parts.into_iter().map(|part| part_below(folder, part)).collect(),
                search: DonorSearch { neighbors: self.neighbors, weights: self.weights, bounds: self.bounds },
            }),
            by_neighbors: by_neighbors.fold(0, |all, j| all | 1 << j),
            values: self.fill.unwrap_or_else(|| vec![0.0; features.len()]),
        })
    }
}

#[derive(Debug, Deserialize)]
struct OutlierModel {
    fences: Vec<Option<Fence>>,
    forest: Option<ForestModel>,
}

#[derive(Debug, Deserialize)]
struct ForestModel {
    threshold: f64,
    sha256: String,
}

impl ForestModel {
    /// With the trees, which lie in a document below the model. `folder`: the URL that the model's paths are relative to.
    async fn load(&self, runtime: &RuntimeEnv, folder: &str, features: usize) -> Result<ForestCut> {
        let url = format!("{folder}{FOREST_FILE}");
        let broken = |what: &str| EngineError::input(format!("{url}: {what}; publish the model anew"));
        let content = get(runtime, &url).await?.ok_or_else(|| broken("is gone"))?;
        if hex(&Sha256::digest(&content)) != self.sha256 {
            return Err(broken("is not the forest of this model"));
        }
        let forest: IsolationForest =
            serde_json::from_slice(&content).map_err(|error| broken(&format!("is not a forest: {error}")))?;
        if !forest.is_sound(features) {
            return Err(broken("is not a forest of the model's features"));
        }
        Ok(ForestCut { forest, threshold: self.threshold })
    }
}

#[derive(Debug, Deserialize)]
struct ScaleModel {
    scalers: Vec<Scaler>,
}

#[derive(Debug, Deserialize)]
struct KMeansModel {
    clusters: Vec<KMeansCluster>,
    splits: Vec<KMeansSplit>,
}

impl KMeansModel {
    fn centers(&self, columns: usize) -> Centers {
        let centroids = self.clusters.iter().flat_map(|cluster| cluster.centroid_scaled.clone()).collect();
        Centers::tree(centroids, columns, self.splits.clone())
    }
}

#[derive(Debug, Deserialize)]
struct KMeansCluster {
    cluster: i32,
    rows: u64,
    centroid_scaled: Vec<f64>,
    label: Option<LabelModel>,
}

#[derive(Debug, Deserialize)]
struct LabelModel {
    name: String,
}

#[derive(Debug, Deserialize)]
struct HdbscanModel {
    min_samples: u64,
    selection: SelectionOptions,
    clusters: Vec<DensityCluster>,
    condensed_tree: Vec<CondensedCluster>,
    points: Vec<DensityModelCell>,
}

impl HdbscanModel {
    /// `folder`: the URL that the model's paths are relative to.
    fn density(self, folder: &str) -> DensityModel {
        let mut selected: Vec<(u32, i32)> = self.clusters.iter().map(|c| (c.node, c.cluster)).collect();
        selected.sort_unstable();
        let (clusters, labels): (Vec<u32>, Vec<i32>) = selected.into_iter().unzip();
        let selected = Selected { clusters, stability: vec![] };
        let memberships = Memberships::new(&self.condensed_tree, &selected, &labels, &self.selection);
        let cells = self.points.into_iter().map(|cell| DensityModelCell {
            points: part_below(folder, cell.points),
            cores: part_below(folder, cell.cores),
            tree: part_below(folder, cell.tree),
        });
        DensityModel {
            cells: cells.collect(),
            clusters: self.condensed_tree,
            memberships,
            min_samples: self.min_samples,
        }
    }
}

/// A part whose URL is relative to `folder`.
fn part_below(folder: &str, part: Part) -> Part {
    Part { url: format!("{folder}{}", part.url), ..part }
}

const STAGE: &str = "score";

impl ScoreJob {
    /// A job of a spec; relative paths of it start from `base`.
    #[must_use]
    pub fn new(spec: ScoreSpec, base: impl Into<PathBuf>) -> Self {
        Self { spec, base: base.into() }
    }

    /// The spec.
    #[must_use]
    pub fn spec(&self) -> &ScoreSpec {
        &self.spec
    }

    /// Where it reads from, the model included, as URLs: a glob stays in them.
    ///
    /// # Errors
    /// A path that cannot be written as a URL.
    pub fn sources(&self) -> Result<Vec<String>> {
        let locations = self.spec.input.iter().chain([&self.spec.model]);
        locations.map(|location| to_url(location, &self.base)).collect()
    }

    /// Where it writes to, a URL that ends in `/`.
    ///
    /// # Errors
    /// A path that cannot be written as a URL.
    pub fn output(&self) -> Result<String> {
        to_folder_url(&self.spec.output, &self.base)
    }

    async fn prepare(&self, state: &SessionState, output: &str) -> Result<Prepared> {
        let runtime = state.runtime_env();
        let (url, model, sha256) = read_model(runtime, &self.spec.model, &self.base).await?;
        let source = Source {
            tables: vec![Table { name: "input".to_owned(), locations: self.spec.input.clone() }],
            sql: None,
            id: model.id.clone(),
            features: model.features.clone(),
            weight: None,
        };
        let sources = Sources::find(runtime, &source, &self.base, output).await?;
        sources.features(state, &source, None).await?;
        let shards: Vec<_> = sources.shards().map(|shard| (&shard.url, shard.bytes, &shard.version)).collect();
        let fingerprint = fingerprint(STAGE, &(FORMAT, &url, sha256, shards), "")?;
        let published = published(runtime, output, &fingerprint).await?;
        Ok(Prepared { url, model, source, sources, fingerprint, published })
    }

    /// Checks model and input without scoring anything.
    ///
    /// # Errors
    /// As [`ScoreJob::run_until`].
    pub async fn check(&self, state: &SessionState) -> Result<Plan> {
        let output = self.output()?;
        let Prepared { model, sources, fingerprint, published, .. } = self.prepare(state, &output).await?;
        let clusters = model.kmeans.clusters.len();
        let density = if model.hdbscan.is_some() { ", and HDBSCAN's" } else { "" };
        let stage = PlannedStage {
            name: STAGE,
            what: format!("the {clusters} segments of job {}{density}; drift", model.job),
            fingerprint,
            complete: published.is_some(),
        };
        Ok(Plan { tables: sources.tables, stages: vec![stage], output, warnings: vec![] })
    }

    /// Scores rows, unless an earlier run did so: one pass to bring them into the form of a feature table, one to score them, one
    /// to tell drift. Stops when `stop` completes, with what it says as the error.
    ///
    /// # Errors
    /// A model that cannot be read, input that does not have its columns, an output that holds other files.
    pub async fn run_until(
        &self,
        cluster: &Cluster,
        lease: &LeaseOptions,
        observer: &dyn Observer,
        stop: impl Future<Output = EngineError>,
    ) -> Result<ScoreManifest> {
        let mut stop = std::pin::pin!(stop);
        let (runtime, output) = (cluster.runtime(), self.output()?);
        let work = Work::new(Arc::clone(&runtime), &output);
        let prepared = async {
            let prepared = self.prepare(cluster.state(), &output).await?;
            Ok::<_, EngineError>((prepared, Lease::take(&runtime, &work.url("lease/"), lease).await?))
        };
        let (prepared, lease) = tokio::select! {
            prepared = prepared => prepared?,
            error = &mut stop => return Err(error),
        };
        let run = async {
            // Another process may have had it, while this one waited for the lease.
            if let Some(manifest) = published(&runtime, &output, &prepared.fingerprint).await? {
                return Ok(manifest);
            }
            let to = Destination { work: &work, output: &output, lease: &lease };
            score_into(cluster, prepared, &self.base, &to, observer).await
        };
        let result = tokio::select! {
            manifest = run => manifest,
            error = lease.lost() => Err(error),
            error = &mut stop => Err(error),
        };
        lease.release().await;
        if result.is_ok() {
            let cleared = async {
                work.clear(STAGE).await?;
                remove_all(&runtime, &work.url("lease/")).await
            };
            // The scores are there; what is left behind harms nobody.
            if let Err(error) = cleared.await {
                observer.warning(&format!("the work folder of the scores was not removed: {error}"));
            }
        }
        result
    }
}

/// Where scores go to, and who may write there.
struct Destination<'a> {
    work: &'a Work,
    output: &'a str,
    lease: &'a Lease,
}

async fn score_into(
    cluster: &Cluster,
    prepared: Prepared,
    base: &Path,
    to: &Destination<'_>,
    observer: &dyn Observer,
) -> Result<ScoreManifest> {
    let Prepared { url, model, source, sources, fingerprint, .. } = prepared;
    let (runtime, output) = (cluster.runtime(), to.output);
    let scores = format!("{output}scores/");
    to.work.clear(STAGE).await?;
    remove_all(&runtime, &scores).await?;

    observer.stage_started(STAGE, sources.rows());
    let context = StageContext::new(cluster, to.work.artifact_prefix(STAGE, "scored"), STAGE, observer);
    context.begin_step("read");
    let extracted = extract::run(&context, &source, &sources, base, None).await?;
    let folder = &url[..url.rfind('/').map_or(0, |slash| slash + 1)];
    let missing: Vec<u64> = extracted.features.iter().map(|feature| feature.missing).collect();
    let filling = model.impute.filling(&model.features, &missing, folder)?;
    let forest = match &model.outliers.forest {
        Some(forest) => Some(forest.load(&runtime, folder, model.features.len()).await?),
        None => None,
    };
    let task = Score {
        prefix: format!("{}scores/", context.prefix),
        features: model.features.clone(),
        filling,
        fences: model.outliers.fences.iter().map(|fence| fence.unwrap_or(Fence::EVERYTHING)).collect(),
        forest,
        scalers: model.scale.scalers.clone(),
        centers: model.kmeans.centers(model.features.len()),
        numbers: model.kmeans.clusters.iter().map(|cluster| cluster.cluster).collect(),
        labels: model.kmeans.clusters.iter().map(|cluster| Some(cluster.label.as_ref()?.name.clone())).collect(),
        density: model.hdbscan.map(|hdbscan| hdbscan.density(folder)),
    };
    let has_density = task.density.is_some();
    context.begin_step("score");
    let scored: Vec<Scored> = context.map_parts(task, &singly(&extracted.parts)).await?;
    let sum = |of: fn(&Scored) -> u64| scored.iter().map(of).sum::<u64>();
    context.begin_step("tell drift");
    let drift = if model.distributions.is_empty() {
        None
    } else {
        let edges = model.distributions.iter().map(|distribution| distribution.edges.clone()).collect();
        let now = drift::count(&context, &model.features, &extracted.parts, edges).await?;
        let mut sizes = vec![0; model.kmeans.clusters.len()];
        scored.iter().for_each(|part| sizes.iter_mut().zip(&part.inside).for_each(|(size, rows)| *size += rows));
        let sizes_then: Vec<u64> = model.kmeans.clusters.iter().map(|cluster| cluster.rows).collect();
        Some(DriftReport::new(&model.features, (&model.distributions, &now), (&sizes_then, &sizes)))
    };
    if let Some(warning) = drift.as_ref().and_then(DriftReport::warning) {
        context.warn(warning);
    }
    let parts: Vec<Part> = scored.iter().map(|scored| scored.part.clone()).collect();
    let manifest = ScoreManifest {
        format: FORMAT,
        model: url,
        job: model.job,
        segmenta: env!("CARGO_PKG_VERSION").to_owned(),
        fingerprint,
        published_at: chrono::Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Secs, true),
        inputs: sources.shards().cloned().collect(),
        rows: rows_of(&parts),
        filled_cells: sum(|scored| scored.filled),
        outside: sum(|scored| scored.outside),
        noise: has_density.then(|| sum(|scored| scored.noise)),
        drift,
        outputs: listed(&parts, "scores"),
    };
    copy(&runtime, &parts, output, "scores").await?;
    to.lease.check()?;
    if put_new(&runtime, &manifest_url(output), pretty(&manifest)?).await? {
        return Ok(manifest);
    }
    Err(EngineError::output(format!("--output: {output}: another process published there meanwhile")))
}

/// The URL of a model, the model, and the checksum of its document. What is in it is checked as far as anything here relies on it.
async fn read_model(runtime: &RuntimeEnv, location: &str, base: &Path) -> Result<(String, Model, String)> {
    // A folder that a job has published to is as good as its model.
    let is_file = location.ends_with(".json");
    let url = if is_file { to_url(location, base)? } else { format!("{}model.json", to_folder_url(location, base)?) };
    let content = get(runtime, &url).await.map_err(|error| EngineError::input(format!("{url}: {}", error.message)))?;
    let content = content.ok_or_else(|| {
        EngineError::input(format!("{url}: there is no such model; a job publishes it as model.json"))
    })?;
    let broken = |what: String| EngineError::input(format!("{url}: is not a model of this version: {what}"));
    let Format { format } = serde_json::from_slice(&content).map_err(|error| broken(error.to_string()))?;
    if format != FORMAT {
        return Err(broken(format!("its format is {format}, not {FORMAT}")));
    }
    let model: Model = serde_json::from_slice(&content).map_err(|error| broken(error.to_string()))?;
    let d = model.features.len();
    let sound_scaler = |scaler: &Scaler| scaler.center.is_finite() && scaler.scale.is_finite() && scaler.scale != 0.0;
    let fits = (1..=MAX_FEATURES).contains(&d)
        && (1..=MOST_NEIGHBORS).contains(&model.impute.neighbors)
        && model.scale.scalers.iter().all(sound_scaler)
        && model.impute.donor_parts.iter().all(is_of_a_model)
        && model.impute.fill.as_ref().is_none_or(|fill| fill.len() == d)
        && [model.impute.fills.len(), model.impute.bounds.len()] == [d; 2]
        && [model.outliers.fences.len(), model.scale.scalers.len()] == [d; 2]
        && model.kmeans.clusters.iter().all(|cluster| cluster.centroid_scaled.len() == d)
        && model.kmeans.centers(d).is_sound(d)
        && (model.distributions.is_empty() || model.distributions.len() == d)
        && model.distributions.iter().all(Distribution::is_sound)
        && model.hdbscan.as_ref().is_none_or(HdbscanModel::is_sound);
    if !fits {
        return Err(broken("its parts do not fit together".to_owned()));
    }
    Ok((url, model, hex(&Sha256::digest(&content))))
}

impl HdbscanModel {
    /// Parents come before their children, and clusters are nodes of the tree.
    fn is_sound(&self) -> bool {
        let nodes = self.condensed_tree.len();
        let tree = self.condensed_tree.iter().enumerate();
        let mut parts = self.points.iter().flat_map(|cell| [&cell.points, &cell.cores, &cell.tree]);
        (1..=MOST_NEIGHBORS as u64).contains(&self.min_samples)
            && parts.all(is_of_a_model)
            && self.clusters.iter().all(|cluster| (cluster.node as usize) < nodes)
            && tree.clone().all(|(i, node)| node.parent.map_or(i == 0, |parent| (parent as usize) < i))
    }
}

/// The most neighbours, or samples, that a spec may ask for.
const MOST_NEIGHBORS: usize = 1_000;

/// Whether a part of a model lies below it, so that a model leads nowhere else, and has as many rows as one may have.
fn is_of_a_model(part: &Part) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/-_.".contains(c);
    let below = part.url.starts_with("model/") && !part.url.contains("..") && part.url.chars().all(plain);
    below && part.rows < u64::from(u32::MAX)
}

/// The manifest of what an earlier run made of the same. Scores may replace what a run left that did not come to its end, and
/// nothing else.
async fn published(runtime: &RuntimeEnv, output: &str, fingerprint: &str) -> Result<Option<ScoreManifest>> {
    let (store, path) = resolve(runtime, output)?;
    let mut objects = store.list(Some(&path));
    let manifest = get(runtime, &manifest_url(output)).await?;
    let has_manifest = manifest.is_some();
    let same = manifest.and_then(|manifest| serde_json::from_slice::<ScoreManifest>(&manifest).ok());
    if let Some(manifest) = same.filter(|manifest| manifest.fingerprint == fingerprint) {
        let files = manifest.outputs.iter().map(|file| (format!("{output}{}", file.path), file.bytes));
        if first_gone(runtime, files).await?.is_none() {
            return Ok(Some(manifest));
        }
    }
    while let Some(object) = objects.next().await {
        match object {
            Ok(object) => {
                let mut below = object.location.prefix_match(&path).into_iter().flatten();
                let first = below.next().map(|part| part.as_ref().to_owned()).unwrap_or_default();
                if has_manifest || (first != "_work" && first != "scores") {
                    return Err(EngineError::spec(format!(
                        "--output: {output} holds files already ({}); choose an empty folder, or remove what is there",
                        object.location
                    )));
                }
            }
            Err(object_store::Error::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(EngineError::output(format!("{output}: cannot be listed: {error}"))),
        }
    }
    Ok(None)
}
