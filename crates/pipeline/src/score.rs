//! Scoring: gives new rows the segments of a published model.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use datafusion::execution::SessionState;
use datafusion::execution::runtime_env::RuntimeEnv;
use futures::StreamExt;
use segmenta_algorithms::drift::Distribution;
use segmenta_algorithms::imputation::MAX_FEATURES;
use segmenta_algorithms::kmeans::Centers;
use segmenta_algorithms::outliers::{Fence, IsolationForest};
use segmenta_algorithms::scalers::Scaler;
use segmenta_engine::artifact::{NameColumn, Part, get, hex, resolve};
use segmenta_engine::cluster::Cluster;
use segmenta_engine::operators::hdbscan::DensityModelCell;
use segmenta_engine::operators::hierarchy::LabelledCell;
use segmenta_engine::operators::{
    DonorSearch, DonorSet, Filling, ForestCut, OutlierRules, Placement, Score, Scored, Spent,
};
use segmenta_engine::{EngineError, Result};
use segmenta_results::clusterings::Algorithm;
use segmenta_results::drift::DriftReport;
use segmenta_results::manifest::{FORMAT, Manifest, Output, Shard, first_gone, is_plain, manifest_url, read_manifest};
use segmenta_results::model::{
    ForestModel, HdbscanModel, HierarchyModel, ImputeModel, KMeansModel, Model, SourceModel,
};
use segmenta_results::published::{file, read_whole};
use segmenta_spec::{Fill, OutlierAction, ScoreSpec, Source, Table};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::drift;
use crate::driver::PlannedStage;
use crate::job::Plan;
use crate::lease::{Lease, LeaseOptions};
use crate::location::{to_folder_url, to_url};
use crate::observer::Observer;
use crate::publication::{Kind, Publication};
use crate::source::Sources;
use crate::stage::StageContext;
use crate::stages::hdbscan::density_model;
use crate::stages::publish::{FOREST_FILE, pretty};
use crate::stages::{extract, rows_of, singly};
use crate::work::{Work, fingerprint};

/// A scoring job: its spec, and the folder that relative paths start from.
#[derive(Debug, Clone)]
pub struct ScoreJob {
    spec: ScoreSpec,
    base: PathBuf,
}

/// What a run is prepared with.
struct Prepared {
    url: String,
    files: Files,
    model: Model,
    source: Source,
    sources: Sources,
    fingerprint: String,
    /// What an earlier run published from the same model and inputs.
    published: Option<ScoreManifest>,
}

/// `manifest.json` of scores.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ScoreManifest {
    /// Version of the published files.
    pub format: u32,
    /// As in a job's manifest.
    #[serde(default)]
    pub edition: u64,
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
    /// The share of the monetary feature that these rows have; `None` where the model has no such feature or some
    /// values are negative.
    pub outside_share: Option<OutsideShare>,
    /// Rows that HDBSCAN calls noise; `None` where the model has no HDBSCAN part.
    pub noise: Option<u64>,
    /// How the rows have changed since the model was made; `None` where the model does not say how they were.
    pub drift: Option<DriftReport>,
    /// The published files.
    pub outputs: Vec<Output>,
}

/// How much of a feature rows outside the fences have.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OutsideShare {
    /// The feature.
    pub feature: String,
    /// The share of its sum over all rows, 0 to 1.
    pub share: f64,
}

/// What every model starts with.
#[derive(Debug, Deserialize)]
struct Format {
    format: u32,
}

/// How cells are filled, given how many cells of each feature are `missing`.
fn filling(model: ImputeModel, features: &[String], missing: &[u64], files: &Files) -> Result<Filling> {
    let has_value = |j: usize| model.fill.is_some() && model.fills[j] != Fill::None;
    if let Some(j) = (0..features.len()).find(|j| missing[*j] > 0 && !has_value(*j)) {
        return Err(EngineError::input(format!(
            "--input: {} cells of `{}` are missing, and the model has nothing to fill them with, because none were \
             missing when it was made; leave such rows out",
            missing[j], features[j]
        )));
    }
    let by_neighbors = (0..features.len()).filter(|j| model.fills[*j] == Fill::Knn);
    let needs_donors = by_neighbors.clone().any(|j| missing[j] > 0) && !model.donor_parts.is_empty();
    Ok(Filling {
        donors: needs_donors.then(|| DonorSet {
            parts: model.donor_parts.into_iter().map(|part| files.part(part)).collect(),
            search: DonorSearch { neighbors: model.neighbors, weights: model.weights, bounds: model.bounds },
        }),
        by_neighbors: by_neighbors.fold(0, |all, j| all | 1 << j),
        values: model.fill.unwrap_or_else(|| vec![0.0; features.len()]),
    })
}

/// Loads the forest with its trees, which are in a document below the model.
async fn load_forest(model: &ForestModel, runtime: &RuntimeEnv, files: &Files, features: usize) -> Result<ForestCut> {
    let url = files.url(FOREST_FILE);
    let broken = |what: &str| EngineError::input(format!("{url}: {what}; publish the model anew"));
    let content = get(runtime, &url).await?.ok_or_else(|| broken("is gone"))?;
    if hex(&Sha256::digest(&content)) != model.sha256 {
        return Err(broken("is not the forest of this model"));
    }
    let forest: IsolationForest =
        serde_json::from_slice(&content).map_err(|error| broken(&format!("is not a forest: {error}")))?;
    if !forest.is_sound(features) {
        return Err(broken("is not a forest of the model's features"));
    }
    Ok(ForestCut { forest, threshold: model.threshold })
}

/// What rows are assigned by.
fn centers(model: &KMeansModel, columns: usize) -> Centers {
    let centroids = model.clusters.iter().flat_map(|cluster| cluster.centroid_scaled.clone()).collect();
    Centers::tree(centroids, columns, model.splits.clone())
}

/// How rows get their place in HDBSCAN's clustering, its tables located.
fn density(model: HdbscanModel, files: &Files) -> Placement {
    let cells = model.points.into_iter().map(|cell| DensityModelCell {
        points: files.part(cell.points),
        cores: files.part(cell.cores),
        tree: files.part(cell.tree),
    });
    let HdbscanModel { condensed_tree, clusters, selection, min_samples, .. } = model;
    Placement::Density(density_model(cells.collect(), condensed_tree, &clusters, &selection, min_samples))
}

/// The same for the hierarchy's; `None` where the model is of a version that did not keep its points.
fn nearest(model: HierarchyModel, files: &Files) -> Option<Placement> {
    let cells = model
        .points
        .into_iter()
        .map(|cell| LabelledCell { points: files.part(cell.points), labels: files.part(cell.labels) });
    let cells: Vec<LabelledCell> = cells.collect();
    (!cells.is_empty()).then_some(Placement::Nearest(cells))
}

/// The names of the clusters, by the column that they are in.
fn names(model: &Model) -> Vec<NameColumn> {
    let of_kmeans = model.kmeans.clusters.iter();
    let of_kmeans = of_kmeans.filter_map(|cluster| Some((cluster.cluster, cluster.label.as_ref()?.name.clone())));
    let of_hierarchy = model.hierarchy.iter().flat_map(|model| &model.labels);
    let of_hierarchy = of_hierarchy.map(|(cluster, label)| (*cluster, label.name.clone()));
    let column = |algorithm: Algorithm, names: BTreeMap<i32, String>| NameColumn {
        of: algorithm.column().to_owned(),
        name: format!("{}_label", algorithm.name()),
        names,
    };
    let columns =
        [column(Algorithm::Kmeans, of_kmeans.collect()), column(Algorithm::Hierarchy, of_hierarchy.collect())];
    columns.into_iter().filter(|column| !column.names.is_empty()).collect()
}

/// Where the files of a model are.
struct Files {
    /// The URL of the folder of the output.
    folder: String,
    /// The paths below the folder that the manifest gives, by name. A file that it does not list is at its name.
    paths: BTreeMap<String, String>,
}

impl Files {
    fn url(&self, name: &str) -> String {
        format!("{}{}", self.folder, self.paths.get(name).map_or(name, String::as_str))
    }

    /// A part as the model names it, with the location to read it from.
    fn part(&self, part: Part) -> Part {
        Part { url: self.url(&part.url), ..part }
    }
}

const STAGE: &str = "score";

impl ScoreJob {
    /// A job from a spec; relative paths of the spec start from `base`.
    #[must_use]
    pub fn new(spec: ScoreSpec, base: impl Into<PathBuf>) -> Self {
        Self { spec, base: base.into() }
    }

    /// The spec.
    #[must_use]
    pub fn spec(&self) -> &ScoreSpec {
        &self.spec
    }

    /// Where it reads from, including the model, as URLs. Globs are not expanded.
    ///
    /// # Errors
    /// A path that cannot be written as a URL.
    pub fn sources(&self) -> Result<Vec<String>> {
        let tables = self.spec.tables.iter().flat_map(|table| &table.locations);
        let locations = self.spec.input.iter().chain(tables).chain([&self.spec.model]);
        locations.map(|location| to_url(location, &self.base)).collect()
    }

    /// Where it writes, a URL that ends in `/`.
    ///
    /// # Errors
    /// A path that cannot be written as a URL.
    pub fn output(&self) -> Result<String> {
        to_folder_url(&self.spec.output, &self.base)
    }

    async fn prepare(&self, state: &SessionState, output: &str) -> Result<Prepared> {
        let runtime = state.runtime_env();
        let Found { url, files, model, sha256 } = read_model(runtime, &self.spec.model, &self.base).await?;
        let (tables, sql) = self.tables(&url, &model.source)?;
        let source = Source {
            tables,
            sql,
            id: model.id.clone(),
            features: model.features.clone(),
            weight: None,
            beside: vec![],
        };
        let sources = Sources::find(runtime, &source, &self.base, output).await?;
        let moment = sources.features(state, &source, None).await?.dependence.moment;
        let shards: Vec<_> =
            sources.shards().map(|shard| (&shard.table, &shard.url, shard.bytes, &shard.version)).collect();
        let fingerprint = fingerprint(STAGE, &(FORMAT, &url, sha256, shards, &source.sql, moment), "")?;
        let published = published(runtime, output, &fingerprint).await?;
        Ok(Prepared { url, files, model, source, sources, fingerprint, published })
    }

    /// The tables to read, and the query over them: the input as it is, or the query of the model or of the spec over
    /// tables.
    fn tables(&self, model: &str, of_model: &SourceModel) -> Result<(Vec<Table>, Option<String>)> {
        let spec = &self.spec;
        if spec.tables.is_empty() {
            return Ok((vec![Table { name: "input".to_owned(), locations: spec.input.clone() }], None));
        }
        if spec.sql.is_some() {
            return Ok((spec.tables.clone(), spec.sql.clone()));
        }
        let Some(sql) = &of_model.sql else {
            return Err(EngineError::spec(format!(
                "tables: the job of {model} had no query; give its one table as `input`, or a query as `sql`"
            )));
        };
        let given: BTreeSet<&str> = spec.tables.iter().map(|table| table.name.as_str()).collect();
        let read: BTreeSet<&str> = of_model.tables.iter().map(String::as_str).collect();
        if given != read {
            let listed = |names: &BTreeSet<&str>| names.iter().copied().collect::<Vec<_>>().join(", ");
            return Err(EngineError::spec(format!(
                "tables: the query of {model} reads {}, and {} is given; name all of them, and no other",
                listed(&read),
                listed(&given)
            )));
        }
        Ok((spec.tables.clone(), Some(sql.clone())))
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

    /// Scores rows, unless an earlier run did so: one pass turns them into a feature table, one scores them, and one
    /// measures drift. Stops when `stop` completes, whose value is then the error.
    ///
    /// # Errors
    /// When the model cannot be read, the input lacks its columns, or the output holds other files.
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
            // Another process may have published them while this one waited for the lease.
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
        if result.is_ok() {
            // The scores are published; leftover files harm nobody.
            if let Err(error) = work.clear(STAGE, &lease).await {
                observer.warning(&format!("the work folder of the scores was not removed: {error}"));
            }
        }
        lease.release().await;
        result
    }
}

/// Where scores go, and who may write there.
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
    let Prepared { url, files, model, source, sources, fingerprint, .. } = prepared;
    let (runtime, output) = (cluster.runtime(), to.output);
    to.work.clear(STAGE, to.lease).await?;

    observer.stage_started(STAGE, sources.rows());
    let context = StageContext::new(cluster, to.work.artifact_prefix(STAGE, "scored", to.lease), STAGE, observer);
    context.begin_step("read");
    let extracted = extract::run(&context, &source, &sources, base, None).await?;
    let missing: Vec<u64> = extracted.features.iter().map(|feature| feature.missing).collect();
    let names = names(&model);
    let filling = filling(model.impute, &model.features, &missing, &files)?;
    let forest = match &model.outliers.forest {
        Some(forest) => Some(load_forest(forest, &runtime, &files, model.features.len()).await?),
        None => None,
    };
    let (hierarchy, hdbscan) = (model.hierarchy, model.hdbscan);
    let has_density = hdbscan.is_some();
    let placements =
        [hierarchy.and_then(|hierarchy| nearest(hierarchy, &files)), hdbscan.map(|hdbscan| density(hdbscan, &files))];
    let task = Score {
        prefix: format!("{}scores/", context.prefix),
        features: model.features.clone(),
        filling,
        outliers: OutlierRules {
            features: model.features.clone(),
            fences: model.outliers.fences.iter().map(|fence| fence.unwrap_or(Fence::EVERYTHING)).collect(),
            rules: model.outliers.rules.iter().map(|rule| rule.name().to_owned()).collect(),
            forest,
        },
        clips: model.outliers.action == OutlierAction::Clip,
        scalers: model.scale.scalers.clone(),
        centers: centers(&model.kmeans, model.features.len()),
        numbers: model.kmeans.clusters.iter().map(|cluster| cluster.cluster).collect(),
        placements: placements.into_iter().flatten().collect(),
        names,
        monetary: model.profile.monetary.as_ref().and_then(|name| model.features.iter().position(|f| f == name)),
    };
    let monetary = task.monetary.map(|j| model.features[j].clone());
    context.begin_step("score");
    let scored: Vec<Scored> = context.map_parts(task, &singly(&extracted.parts)).await?;
    let sum = |of: fn(&Scored) -> u64| scored.iter().map(of).sum::<u64>();
    context.begin_step("tell drift");
    let drift = if model.distributions.is_empty() {
        None
    } else {
        let edges = model.distributions.iter().map(|distribution| distribution.edges.clone()).collect();
        let now = drift::count(&context, &model.features, &extracted.parts, edges).await?;
        // Who was dropped as an outlier was in no segment then.
        let of = if model.outliers.action == OutlierAction::Drop {
            |part: &Scored| part.inside.clone()
        } else {
            |part: &Scored| part.sizes.clone()
        };
        let mut sizes = vec![0; model.kmeans.clusters.len()];
        scored.iter().for_each(|part| sizes.iter_mut().zip(of(part)).for_each(|(size, rows)| *size += rows));
        let sizes_then: Vec<u64> = model.kmeans.clusters.iter().map(|cluster| cluster.rows).collect();
        Some(DriftReport::new(&model.features, (&model.distributions, &now), (&sizes_then, &sizes)))
    };
    if let Some(warning) = drift.as_ref().and_then(DriftReport::warning) {
        context.warn(warning);
    }
    let parts: Vec<Part> = scored.iter().map(|scored| scored.part.clone()).collect();
    let publication = Publication::begin(&runtime, output, to.lease, Kind::Scores).await?;
    let manifest = ScoreManifest {
        format: FORMAT,
        edition: publication.edition(),
        model: url,
        job: model.job,
        segmenta: env!("CARGO_PKG_VERSION").to_owned(),
        fingerprint,
        published_at: chrono::Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Secs, true),
        inputs: sources.shards().cloned().collect(),
        rows: rows_of(&parts),
        filled_cells: sum(|scored| scored.filled),
        outside: sum(|scored| scored.outside),
        outside_share: monetary.and_then(|feature| Some(OutsideShare { feature, share: share_outside(&scored)? })),
        noise: has_density.then(|| sum(|scored| scored.noise)),
        drift,
        outputs: publication.listed(&parts, "scores"),
    };
    publication.copy(&parts, "scores").await?;
    publication.commit(pretty(&manifest)?.into(), &manifest.outputs).await?;
    if let Err(error) = publication.sweep(&manifest.outputs).await {
        context.warn(format!("what a run before left of its scores could not be removed: {error}"));
    }
    Ok(manifest)
}

/// The share of the monetary feature that rows outside the fences have; `None` where some values are negative or all
/// are 0.
fn share_outside(scored: &[Scored]) -> Option<f64> {
    let spent: Vec<Spent> = scored.iter().map(|scored| scored.spent).collect::<Option<_>>()?;
    let sum = |of: fn(&Spent) -> f64| spent.iter().map(of).sum::<f64>();
    let all = sum(|spent| spent.all);
    (all > 0.0).then(|| sum(|spent| spent.outside) / all)
}

/// A model that was found.
struct Found {
    url: String,
    files: Files,
    model: Model,
    /// Hash of its document.
    sha256: String,
}

const MODEL: &str = "model.json";

/// Reads a model: the one that is published under a folder, or a document. Its content is checked as far as anything
/// here relies on it.
async fn read_model(runtime: &RuntimeEnv, location: &str, base: &Path) -> Result<Found> {
    let (url, folder, content, manifest) = if location.ends_with(".json") {
        let url = to_url(location, base)?;
        let folder = url[..url.rfind('/').map_or(0, |slash| slash + 1)].to_owned();
        let content =
            get(runtime, &url).await.map_err(|error| EngineError::input(format!("{url}: {}", error.message)))?;
        let content = content.ok_or_else(|| {
            EngineError::input(format!("{url}: there is no such model; a job publishes it as model.json"))
        })?;
        // Its files are where the manifest next to it says, if the two are of the same publication.
        let sha256 = hex(&Sha256::digest(&content));
        let is_its_own = |manifest: &Manifest| manifest.document(MODEL).is_some_and(|model| model.sha256 == sha256);
        let manifest = read_manifest(runtime, &folder).await?.filter(is_its_own);
        (url, folder, content, manifest)
    } else {
        let folder = to_folder_url(location, base)?;
        let read = async |manifest: Manifest| Ok((file(runtime, &folder, &manifest, MODEL).await?, manifest));
        let (content, manifest) = read_whole(runtime, &folder, read).await?;
        (format!("{folder}{MODEL}"), folder, content, Some(manifest))
    };
    let sha256 = hex(&Sha256::digest(&content));
    let files = manifest.iter().flat_map(|manifest| &manifest.outputs);
    let paths = files.filter(|file| lies_below(&file.path)).map(|file| (file.name.clone(), file.path.clone()));
    let files = Files { folder, paths: paths.collect() };
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
        && [model.outliers.fences.len(), model.outliers.rules.len(), model.scale.scalers.len()] == [d; 3]
        && model.outliers.fences.iter().flatten().all(|fence| fence.low <= fence.high)
        && model
            .hierarchy
            .iter()
            .flat_map(|model| &model.points)
            .all(|c| is_of_a_model(&c.points) && is_of_a_model(&c.labels))
        && model.kmeans.clusters.iter().all(|cluster| cluster.centroid_scaled.len() == d)
        && centers(&model.kmeans, d).is_sound(d)
        && (model.distributions.is_empty() || model.distributions.len() == d)
        && model.distributions.iter().all(Distribution::is_sound)
        && model.hdbscan.as_ref().is_none_or(is_sound);
    if !fits {
        return Err(broken("its parts do not fit together".to_owned()));
    }
    Ok(Found { url, files, model, sha256 })
}

/// Its tree is one, and its tables lie below the model.
fn is_sound(model: &HdbscanModel) -> bool {
    let mut parts = model.points.iter().flat_map(|cell| [&cell.points, &cell.cores, &cell.tree]);
    (1..=MOST_NEIGHBORS as u64).contains(&model.min_samples) && parts.all(is_of_a_model) && model.has_sound_tree()
}

/// The largest number of neighbours or samples that a spec may ask for.
const MOST_NEIGHBORS: usize = 1_000;

/// Whether a part of a model lies below the model, so that a model cannot point anywhere else, and has no more rows
/// than a part may have.
fn is_of_a_model(part: &Part) -> bool {
    lies_below(&part.url) && part.rows < u64::from(u32::MAX)
}

/// Whether a name or a path points to the tables of a model.
fn lies_below(path: &str) -> bool {
    path.starts_with("model/") && is_plain(path)
}

/// The manifest that an earlier run wrote for the same model and inputs. Scores may replace what an unfinished run
/// left, and nothing else.
async fn published(runtime: &RuntimeEnv, output: &str, fingerprint: &str) -> Result<Option<ScoreManifest>> {
    let (store, path) = resolve(runtime, output)?;
    let mut objects = store.list(Some(&path));
    let manifest = get(runtime, &manifest_url(output)).await?;
    let has_manifest = manifest.is_some();
    let same = manifest.and_then(|manifest| serde_json::from_slice::<ScoreManifest>(&manifest).ok());
    let is_same = |manifest: &ScoreManifest| {
        manifest.fingerprint == fingerprint && manifest.outputs.iter().all(|file| is_plain(&file.path))
    };
    if let Some(manifest) = same.filter(is_same) {
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
