//! Scoring: gives new rows the segments of a published model.

use std::path::Path;
use std::sync::Arc;

use datafusion::execution::runtime_env::RuntimeEnv;
use futures::StreamExt;
use segmenta_algorithms::hdbscan::condensed_tree::CondensedCluster;
use segmenta_algorithms::hdbscan::membership::Memberships;
use segmenta_algorithms::hdbscan::selection::{Selected, SelectionOptions};
use segmenta_algorithms::outliers::Fence;
use segmenta_algorithms::scalers::Scaler;
use segmenta_engine::artifact::{Part, get, put_new, resolve};
use segmenta_engine::cluster::Cluster;
use segmenta_engine::operators::hdbscan::{DensityModel, DensityModelCell};
use segmenta_engine::operators::{Score, Scored};
use segmenta_engine::{EngineError, Result};
use serde::{Deserialize, Serialize};

use crate::job::Observer;
use crate::lease::{Lease, LeaseOptions};
use crate::location::{to_folder_url, to_url};
use crate::source::{Shard, Sources};
use crate::spec::{ImputeMethod, Source, Table};
use crate::stages::hdbscan::DensityCluster;
use crate::stages::publish::{FORMAT, Output, copy, manifest_url, pretty};
use crate::stages::{StageContext, extract, rows_of, singly};
use crate::work::{Work, remove_all};

/// What is to be scored.
#[derive(Debug, Clone)]
pub struct ScoreRequest {
    /// Path or URL of a `model.json`.
    pub model: String,
    /// Paths, globs, folders or URLs of Parquet with the columns of the model.
    pub input: Vec<String>,
    /// Folder to write to.
    pub output: String,
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
    /// The published files.
    pub outputs: Vec<Output>,
}

#[derive(Debug, Deserialize)]
struct Model {
    format: u32,
    job: String,
    id: Vec<String>,
    features: Vec<String>,
    impute: ImputeModel,
    outliers: OutlierModel,
    scale: ScaleModel,
    kmeans: KMeansModel,
    hdbscan: Option<HdbscanModel>,
}

#[derive(Debug, Deserialize)]
struct ImputeModel {
    method: ImputeMethod,
    /// None where no cell was missing.
    fill: Option<Vec<f64>>,
}

#[derive(Debug, Deserialize)]
struct OutlierModel {
    fences: Vec<Option<Fence>>,
}

#[derive(Debug, Deserialize)]
struct ScaleModel {
    scalers: Vec<Scaler>,
}

#[derive(Debug, Deserialize)]
struct KMeansModel {
    clusters: Vec<KMeansCluster>,
}

#[derive(Debug, Deserialize)]
struct KMeansCluster {
    centroid_scaled: Vec<f64>,
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
        let at = |part: Part| Part { url: format!("{folder}{}", part.url), ..part };
        let cells = self.points.into_iter().map(|cell| DensityModelCell {
            points: at(cell.points),
            cores: at(cell.cores),
            tree: at(cell.tree),
        });
        DensityModel {
            cells: cells.collect(),
            clusters: self.condensed_tree,
            memberships,
            min_samples: self.min_samples,
        }
    }
}

const STAGE: &str = "score";

/// Scores rows: one pass to bring them into the form of a feature table, one to score them.
///
/// # Errors
/// A model that cannot be read, input that does not have its columns, an output that holds other files.
pub async fn score(
    cluster: &Cluster,
    request: &ScoreRequest,
    base: &Path,
    observer: &dyn Observer,
) -> Result<ScoreManifest> {
    let runtime = cluster.runtime();
    let output = to_folder_url(&request.output, base)?;
    let (url, model) = read_model(&runtime, &request.model, base).await?;
    let source = Source {
        tables: vec![Table { name: "input".to_owned(), locations: request.input.clone() }],
        sql: None,
        id: model.id.clone(),
        features: model.features.clone(),
        weight: None,
    };
    let sources = Sources::find(&runtime, &source, base, &output).await?;
    sources.features(cluster.state(), &source, None).await?;
    let work = Work::new(Arc::clone(&runtime), &output);
    check_empty(&runtime, &output).await?;
    let lease = Lease::take(&runtime, &work.url("lease/"), &LeaseOptions::of_this_process()).await?;
    let run = async {
        // Another process may have had it, while this one waited for the lease.
        check_empty(&runtime, &output).await?;
        let source = (&source, &sources, base);
        let to = Destination { work: &work, output: &output, lease: &lease };
        score_into(cluster, url, model, source, &to, observer).await
    };
    let result = tokio::select! {
        manifest = run => manifest,
        error = lease.lost() => Err(error),
    };
    lease.release().await;
    if result.is_ok() {
        work.clear(STAGE).await?;
        remove_all(&runtime, &work.url("lease/")).await?;
    }
    result
}

/// Where scores go to, and who may write there.
struct Destination<'a> {
    work: &'a Work,
    output: &'a str,
    lease: &'a Lease,
}

async fn score_into(
    cluster: &Cluster,
    url: String,
    model: Model,
    (source, sources, base): (&Source, &Sources, &Path),
    to: &Destination<'_>,
    observer: &dyn Observer,
) -> Result<ScoreManifest> {
    let (runtime, output) = (cluster.runtime(), to.output);
    let scores = format!("{output}scores/");
    to.work.clear(STAGE).await?;
    remove_all(&runtime, &scores).await?;

    observer.stage_started(STAGE, sources.rows());
    let context = StageContext::new(cluster, to.work.artifact_prefix(STAGE, "scored"), STAGE, observer);
    context.begin_step("read");
    let extracted = extract::run(&context, source, sources, base, None).await?;
    let missing = model.features.iter().zip(&extracted.features).find(|(_, feature)| feature.missing > 0);
    if let (Some((name, feature)), None) = (missing, &model.impute.fill) {
        return Err(EngineError::input(format!(
            "--input: {} cells of `{name}` are missing, and the model has nothing to fill them with, as none were where it \
             comes from; leave such rows out",
            feature.missing
        )));
    }
    let everything = Fence { low: f64::NEG_INFINITY, high: f64::INFINITY };
    let folder = &url[..url.rfind('/').map_or(0, |slash| slash + 1)];
    let task = Score {
        prefix: format!("{}scores/", context.prefix),
        features: model.features.clone(),
        fill: model.impute.fill.clone().unwrap_or_else(|| vec![0.0; model.features.len()]),
        fences: model.outliers.fences.iter().map(|fence| fence.unwrap_or(everything)).collect(),
        scalers: model.scale.scalers.clone(),
        centroids: model.kmeans.clusters.iter().flat_map(|cluster| cluster.centroid_scaled.clone()).collect(),
        density: model.hdbscan.map(|hdbscan| hdbscan.density(folder)),
    };
    let has_density = task.density.is_some();
    context.begin_step("score");
    let scored: Vec<Scored> = context.map_parts(task, &singly(&extracted.parts)).await?;
    let sum = |of: fn(&Scored) -> u64| scored.iter().map(of).sum::<u64>();
    let filled_cells = sum(|scored| scored.filled);
    if filled_cells > 0 && model.impute.method == ImputeMethod::Knn {
        context.warn(format!(
            "{filled_cells} missing cells were filled with the means of the model's features: a model does not hold the rows \
             that its nearest-neighbour imputation looked among"
        ));
    }
    let parts: Vec<Part> = scored.iter().map(|scored| scored.part.clone()).collect();
    let manifest = ScoreManifest {
        format: FORMAT,
        model: url,
        job: model.job,
        segmenta: env!("CARGO_PKG_VERSION").to_owned(),
        published_at: chrono::Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Secs, true),
        inputs: sources.shards().cloned().collect(),
        rows: rows_of(&parts),
        filled_cells,
        outside: sum(|scored| scored.outside),
        noise: has_density.then(|| sum(|scored| scored.noise)),
        outputs: copy(&runtime, &parts, output, "scores").await?,
    };
    to.lease.check()?;
    if put_new(&runtime, &manifest_url(output), pretty(&manifest)?).await? {
        return Ok(manifest);
    }
    Err(EngineError::output(format!("--output: {output}: another process published there meanwhile")))
}

async fn read_model(runtime: &RuntimeEnv, location: &str, base: &Path) -> Result<(String, Model)> {
    let url = to_url(location, base)?;
    let content = get(runtime, &url).await.map_err(|error| EngineError::input(format!("{url}: {}", error.message)))?;
    let content = content.ok_or_else(|| {
        EngineError::input(format!("{url}: there is no such model; a job publishes it as model.json"))
    })?;
    let broken = |what: String| EngineError::input(format!("{url}: is not a model of this version: {what}"));
    let model: Model = serde_json::from_slice(&content).map_err(|error| broken(error.to_string()))?;
    let d = model.features.len();
    let fits = d > 0
        && [model.impute.fill.as_ref().map_or(d, Vec::len), model.outliers.fences.len(), model.scale.scalers.len()]
            == [d; 3]
        && !model.kmeans.clusters.is_empty()
        && model.kmeans.clusters.iter().all(|cluster| cluster.centroid_scaled.len() == d)
        && model.hdbscan.as_ref().is_none_or(HdbscanModel::is_sound);
    if model.format != FORMAT {
        return Err(broken(format!("its format is {}, not {FORMAT}", model.format)));
    }
    if !fits {
        return Err(broken("its parts do not fit together".to_owned()));
    }
    Ok((url, model))
}

impl HdbscanModel {
    /// Parents come before their children, and clusters are nodes of the tree.
    fn is_sound(&self) -> bool {
        let nodes = self.condensed_tree.len();
        let tree = self.condensed_tree.iter().enumerate();
        self.clusters.iter().all(|cluster| (cluster.node as usize) < nodes)
            && tree.clone().all(|(i, node)| node.parent.map_or(i == 0, |parent| (parent as usize) < i))
    }
}

/// Scores may replace what a run left that did not come to its end, and nothing else.
async fn check_empty(runtime: &RuntimeEnv, output: &str) -> Result<()> {
    let (store, path) = resolve(runtime, output)?;
    let mut objects = store.list(Some(&path));
    let has_manifest = get(runtime, &manifest_url(output)).await?.is_some();
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
            Err(object_store::Error::NotFound { .. }) => return Ok(()),
            Err(error) => return Err(EngineError::output(format!("{output}: cannot be listed: {error}"))),
        }
    }
    Ok(())
}
