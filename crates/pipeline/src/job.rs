//! A job: its stages in order, each resumed where its manifest is already there.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use datafusion::execution::SessionState;
use datafusion::execution::runtime_env::RuntimeEnv;
use futures::StreamExt;
use object_store::ObjectMeta;
use segmenta_algorithms::hierarchy::Linkage;
use segmenta_algorithms::quantiles::QuantileSketch;
use segmenta_engine::artifact::{Part, get, put_new, resolve};
use segmenta_engine::cluster::Cluster;
use segmenta_engine::operators::Intact;
use segmenta_engine::{EngineError, Fault, Result};
use segmenta_results::cost::{StageCost, StageReport};
use segmenta_results::manifest::{Manifest, is_whole, manifest_url, read_manifest};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tracing::Instrument;

use crate::lease::{Lease, LeaseOptions};
use crate::location::{to_folder_url, to_url};
use crate::observer::Observer;
use crate::process::{peak_memory, reset_peak_memory};
use crate::publication::LOCK;
use crate::source::{Dependence, SourceTable, Sources, part_count};
use crate::stages::evaluate::{Evaluated, Previous};
use crate::stages::extract::Extracted;
use crate::stages::hdbscan::DensityClustered;
use crate::stages::hierarchy::Linked;
use crate::stages::impute::Imputed;
use crate::stages::outliers::Split;
use crate::stages::profile::{Clusterings, Profiled};
use crate::stages::publish::{self, Results};
use crate::stages::{
    StageContext, evaluate, extract, hdbscan, hierarchy, impute, kmeans, outliers, profile, rows_of, scale,
};
use crate::work::{StageManifest, Work, fingerprint};
use segmenta_results::words::{count, plural};
use segmenta_spec::{
    CutRule, Donors, Fill, ForestThreshold, Graph, Hdbscan, Hierarchy, JobSpec, KMeansAlgorithm, MinClusterSize,
    OutlierRule, Resolution, ScaleMethod, Select, Source, Start, TransformMethod,
};

/// A stage as it is planned.
#[derive(Debug, Clone)]
pub struct PlannedStage {
    /// Its name.
    pub name: &'static str,
    /// What it will do, in a few words.
    pub what: String,
    /// What its result depends on.
    pub fingerprint: String,
    /// True when an earlier run has completed it.
    pub complete: bool,
}

/// What `check` finds out.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The tables.
    pub tables: Vec<SourceTable>,
    /// The stages, in order.
    pub stages: Vec<PlannedStage>,
    /// Where the job publishes to.
    pub output: String,
    /// What was noticed about the query.
    pub warnings: Vec<String>,
}

/// How to run a job.
#[derive(Debug, Clone)]
pub struct RunOptions {
    /// Start over instead of resuming.
    pub fresh: bool,
    /// Scan each shard in so many partitions; by default as many as its size asks for. Changes no result.
    pub partitions_per_shard: Option<usize>,
    /// How the lease on the output is held meanwhile.
    pub lease: LeaseOptions,
}

impl Default for RunOptions {
    fn default() -> Self {
        Self { fresh: false, partitions_per_shard: None, lease: LeaseOptions::of_this_process() }
    }
}

/// What came out.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// What was published.
    pub manifest: Manifest,
    /// Where, a URL that ends in `/`.
    pub output: String,
    /// Customers in the feature table.
    pub customers: u64,
    /// Customers set aside as outliers.
    pub rejected: u64,
    /// The share of the monetary feature that they hold; `None` where no feature is monetary, or some of it is negative.
    pub rejected_share: Option<f64>,
    /// The hierarchy, where the spec asks for it.
    pub hierarchy: Option<Linked>,
    /// HDBSCAN's clusters, where the spec asks for them.
    pub density: Option<DensityClustered>,
    /// The chosen k, why, and the measures.
    pub evaluated: Evaluated,
    /// The segments.
    pub profiled: Profiled,
    /// How each stage went.
    pub stages: Vec<StageReport>,
    /// What was noticed on the way.
    pub warnings: Vec<String>,
}

/// A job spec and the folder it is in.
#[derive(Debug, Clone)]
pub struct Job {
    spec: JobSpec,
    base: PathBuf,
}

/// What a run goes by.
struct Prepared {
    sources: Sources,
    previous: Option<Previous>,
    plan: Vec<PlannedStage>,
    work: Work,
    output: String,
}

/// What `_work/job.json` holds.
#[derive(Debug, Serialize, Deserialize)]
struct JobRecord {
    job: String,
    segmenta: String,
}

impl Job {
    /// Reads a job spec.
    ///
    /// # Errors
    /// A file that cannot be read, or every mistake of the spec.
    pub fn load(path: &Path) -> Result<Self> {
        let origin = path.display().to_string();
        let (text, base) = read_spec(path)?;
        Self::parse(&text, &origin, base)
    }

    /// A job of the text of a spec; relative paths of the spec start from `base`, and are mistakes where it is empty.
    ///
    /// # Errors
    /// Every mistake of the spec, with `origin` in front.
    pub fn parse(text: &str, origin: &str, base: impl Into<PathBuf>) -> Result<Self> {
        let spec = JobSpec::parse(text, origin).map_err(|errors| EngineError::spec(errors.to_string()))?;
        Ok(Self::new(spec, base))
    }

    /// A job of a spec; relative paths of the spec start from `base`.
    #[must_use]
    pub fn new(spec: JobSpec, base: impl Into<PathBuf>) -> Self {
        Self { spec, base: base.into() }
    }

    /// The spec.
    #[must_use]
    pub fn spec(&self) -> &JobSpec {
        &self.spec
    }

    /// Where it reads from, the previous output included, as URLs: a glob stays in them.
    ///
    /// # Errors
    /// A path that cannot be written as a URL.
    pub fn sources(&self) -> Result<Vec<String>> {
        let tables = self.spec.source.tables.iter().flat_map(|table| &table.locations);
        tables.chain(&self.spec.previous).map(|location| to_url(location, &self.base)).collect()
    }

    /// Where it publishes to, a URL that ends in `/`.
    ///
    /// # Errors
    /// A path that cannot be written as a URL.
    pub fn output(&self) -> Result<String> {
        to_folder_url(&self.spec.output, &self.base)
    }

    /// Checks the spec against the sources' footers and plans the stages, without running anything.
    ///
    /// # Errors
    /// Sources that cannot be read or do not fit the spec; an output of another job.
    pub async fn check(&self, state: &SessionState) -> Result<Plan> {
        let runtime = state.runtime_env();
        let output = self.output()?;
        let sources = Sources::find(runtime, &self.spec.source, &self.base, &output).await?;
        let features = sources.features(state, &self.spec.source, None).await?;
        let Dependence { moment, warnings } = features.dependence.clone();
        extract::check_query(state, features, &self.spec.source, &sources).await?;
        self.check_rows(&sources)?;
        check_owner(runtime, &output, &self.spec.name).await?;
        let work = Work::new(Arc::clone(runtime), &output);
        let previous = self.previous(runtime, &output).await?;
        let mut stages = self.plan(&sources, &output, &moment, previous.as_ref())?;
        for stage in &mut stages {
            stage.complete = if stage.name == PUBLISH {
                self.is_published(runtime, &output, &stage.fingerprint).await?.is_some()
            } else {
                work.complete::<serde_json::Value>(stage.name, &stage.fingerprint).await?.is_some()
            };
        }
        Ok(Plan { tables: sources.tables, stages, output, warnings })
    }

    /// Runs the job.
    ///
    /// # Errors
    /// Input, output, spec or cluster at fault; the error says which.
    pub async fn run(&self, cluster: &Cluster, options: &RunOptions, observer: &dyn Observer) -> Result<Outcome> {
        self.run_until(cluster, options, observer, std::future::pending()).await
    }

    /// Runs the job until it is done, or until `stop` completes, with what it says as the error. The driver then does
    /// nothing more; a plan that is running on the cluster has to be cancelled there.
    ///
    /// # Errors
    /// As [`Job::run`].
    pub async fn run_until(
        &self,
        cluster: &Cluster,
        options: &RunOptions,
        observer: &dyn Observer,
        stop: impl Future<Output = EngineError>,
    ) -> Result<Outcome> {
        let mut stop = std::pin::pin!(stop);
        let prepared = async {
            let prepared = self.prepare(cluster, options).await?;
            let lease = Lease::take(&cluster.runtime(), &prepared.work.url("lease/"), &options.lease).await?;
            Ok::<_, EngineError>((prepared, lease))
        };
        let (prepared, lease) = tokio::select! {
            prepared = prepared => prepared?,
            error = &mut stop => return Err(error),
        };
        // For traces alone: in the log of a process that runs one job it would say what everybody knows.
        let span = tracing::debug_span!("run", job = self.spec.name, output = prepared.output);
        let result = tokio::select! {
            outcome = self.run_stages(cluster, options, observer, &prepared, &lease).instrument(span) => outcome,
            error = lease.lost() => Err(error),
            error = &mut stop => Err(error),
        };
        lease.release().await;
        result
    }

    /// What can be found out, and refused, before the job has the output to itself.
    async fn prepare(&self, cluster: &Cluster, options: &RunOptions) -> Result<Prepared> {
        let runtime = cluster.runtime();
        let (spec, output) = (&self.spec, self.output()?);
        let sources = Sources::find(&runtime, &spec.source, &self.base, &output).await?;
        // Mistakes in the query come out before anything is written.
        let features = sources.features(cluster.state(), &spec.source, options.partitions_per_shard).await?;
        let moment = features.dependence.moment.clone();
        extract::check_query(cluster.state(), features, &spec.source, &sources).await?;
        let previous = self.previous(&runtime, &output).await?;
        let plan = self.plan(&sources, &output, &moment, previous.as_ref())?;
        check_owner(&runtime, &output, &spec.name).await?;
        let work = Work::new(Arc::clone(&runtime), &output);
        claim(&runtime, &work, &spec.name).await?;
        Ok(Prepared { sources, previous, plan, work, output })
    }

    async fn run_stages(
        &self,
        cluster: &Cluster,
        options: &RunOptions,
        observer: &dyn Observer,
        prepared: &Prepared,
        lease: &Lease,
    ) -> Result<Outcome> {
        let Prepared { sources, previous, plan, work, output } = prepared;
        let spec = &self.spec;
        // Another job may have had it, while this one waited for the lease.
        check_owner(&cluster.runtime(), output, &spec.name).await?;
        if options.fresh {
            for stage in plan {
                work.clear(stage.name, lease).await?;
            }
        }
        let features = &spec.source.features;
        let mut driver =
            Driver { cluster, work, observer, plan, lease, redone: vec![], stages: vec![], warnings: vec![] };
        let planned = driver.planned(PUBLISH)?;
        let is_over =
            !options.fresh && self.is_published(&cluster.runtime(), output, &planned.fingerprint).await?.is_some();
        driver.find_redone(is_over).await?;
        let source_rows = sources.shards().map(|shard| shard.rows).sum();
        let extracted: Extracted = driver
            .stage("extract", source_rows, async |context| {
                extract::run(context, &spec.source, sources, &self.base, options.partitions_per_shard).await
            })
            .await?;
        let customers = rows_of(&extracted.parts);
        let imputed = driver
            .stage("impute", customers, async |context| impute::run(context, &spec.impute, features, &extracted).await)
            .await?;
        let split = driver
            .stage("outliers", customers, async |context| {
                outliers::run(context, &spec.outliers, features, &imputed).await
            })
            .await?;
        let kept = rows_of(&split.kept);
        let scaled = driver
            .stage("scale", kept, async |context| scale::run(context, &spec.scale, &spec.source, &split).await)
            .await?;
        let clustered = driver
            .stage("kmeans", kept, async |context| kmeans::run(context, &spec.kmeans, features, &scaled).await)
            .await?;
        let hierarchy: Option<Linked> = match &spec.hierarchy {
            Some(settings) => Some(
                driver
                    .stage("hierarchy", kept, async |context| {
                        hierarchy::run(context, settings, features, &scaled, part_count(sources.rows())).await
                    })
                    .await?,
            ),
            None => None,
        };
        let density: Option<DensityClustered> = match &spec.hdbscan {
            Some(settings) => Some(
                driver
                    .stage("hdbscan", kept, async |context| {
                        hdbscan::run(context, settings, features, &scaled, part_count(sources.rows())).await
                    })
                    .await?,
            ),
            None => None,
        };
        let labels: Vec<&[Part]> = [
            hierarchy.as_ref().map(|hierarchy| hierarchy.labels.as_slice()),
            density.as_ref().map(|density| density.labels.as_slice()),
        ]
        .into_iter()
        .flatten()
        .collect();
        let evaluated = driver
            .stage("evaluate", kept, async |context| {
                let previous = previous.as_ref();
                evaluate::run(
                    context,
                    &spec.evaluate,
                    &spec.kmeans,
                    features,
                    &split,
                    &scaled,
                    &clustered,
                    &labels,
                    previous,
                )
                .await
            })
            .await?;
        let profiled = driver
            .stage("profile", kept, async |context| {
                let (hierarchy, density) = (hierarchy.as_ref(), density.as_ref());
                let clusterings = Clusterings { evaluated: &evaluated, hierarchy, density };
                profile::run(context, &spec.profile, features, &extracted, &split, &scaled, &clusterings).await
            })
            .await?;
        let (stages, warnings) = (driver.stages.clone(), driver.warnings.clone());
        let results = Results {
            spec,
            sources,
            extracted: &extracted,
            imputed: &imputed,
            split: &split,
            scaled: &scaled,
            clustered: &clustered,
            hierarchy: hierarchy.as_ref(),
            density: density.as_ref(),
            evaluated: &evaluated,
            profiled: &profiled,
            stages: &stages,
            warnings: &warnings,
        };
        let manifest = self.publish(&mut driver, &results, output, options.fresh).await?;
        Ok(Outcome {
            manifest,
            output: output.clone(),
            customers,
            rejected: rows_of(&split.rejected),
            rejected_share: self.rejected_share(&imputed, &split),
            stages: driver.stages,
            warnings,
            hierarchy,
            density,
            evaluated,
            profiled,
        })
    }

    async fn publish(
        &self,
        driver: &mut Driver<'_>,
        results: &Results<'_>,
        output: &str,
        fresh: bool,
    ) -> Result<Manifest> {
        let rows = rows_of(&results.evaluated.assignments);
        let planned = driver.planned(PUBLISH)?;
        let runtime = driver.cluster.runtime();
        let started = Instant::now();
        driver.observer.stage_started(PUBLISH, rows);
        // Starting over leaves the old results to their readers until now.
        let existing = if fresh { None } else { self.is_published(&runtime, output, &planned.fingerprint).await? };
        let resumed = existing.is_some();
        let manifest = match existing {
            Some(manifest) => {
                publish::complete(&runtime, output, &manifest, driver.lease).await?;
                manifest
            }
            None => {
                reset_peak_memory();
                let prefix = driver.work.artifact_prefix(PUBLISH, &planned.fingerprint, driver.lease);
                let context = StageContext::new(driver.cluster, prefix, PUBLISH, driver.observer);
                publish::run(&context, results, output, &planned.fingerprint, driver.lease).await?
            }
        };
        let cost = StageCost {
            rows,
            seconds: started.elapsed().as_secs_f64(),
            bytes_written: manifest.outputs.iter().map(|output| output.bytes).sum(),
            peak_memory_bytes: peak_memory(),
            ..StageCost::default()
        };
        driver.report(StageReport { stage: PUBLISH.to_owned(), resumed, cost });
        Ok(manifest)
    }

    /// The manifest of what is published, when it is whole and of this spec and these inputs.
    async fn is_published(&self, runtime: &RuntimeEnv, output: &str, fingerprint: &str) -> Result<Option<Manifest>> {
        match read_manifest(runtime, output).await? {
            Some(manifest) if manifest.fingerprint == fingerprint && is_whole(runtime, output, &manifest).await? => {
                Ok(Some(manifest))
            }
            _ => Ok(None),
        }
    }

    /// The share of what all customers have spent that those have who were set aside.
    fn rejected_share(&self, imputed: &Imputed, split: &Split) -> Option<f64> {
        let monetary = self.spec.profile.monetary.as_ref()?;
        let j = self.spec.source.features.iter().position(|feature| feature == monetary)?;
        let sum = |sketch: &QuantileSketch, rows: u64| {
            let mean = sketch.mean().filter(|_| sketch.bounds().min >= 0.0)?;
            Some(mean * rows as f64)
        };
        let all = sum(&imputed.features[j].sketch, rows_of(&imputed.parts)).filter(|all| *all > 0.0)?;
        let kept = sum(&split.features[j].sketch, rows_of(&split.kept))?;
        Some((1.0 - kept / all).clamp(0.0, 1.0))
    }

    /// Refuses more segments than rows, where no query stands between the two. A run finds out by itself, after what comes first.
    fn check_rows(&self, sources: &Sources) -> Result<()> {
        let (rows, spec) = (sources.rows(), &self.spec);
        if spec.source.sql.is_some() || rows == 0 {
            return Ok(());
        }
        kmeans::check_rows(&spec.kmeans, rows)?;
        match &spec.hdbscan {
            // Rows that weigh more than 1 are more to HDBSCAN.
            Some(settings) if spec.source.weight.is_none() => hdbscan::cluster_sizes(settings, rows).map(drop),
            _ => Ok(()),
        }
    }

    /// The segments whose numbers are kept, where the spec names an earlier run.
    async fn previous(&self, runtime: &RuntimeEnv, output: &str) -> Result<Option<Previous>> {
        let Some(location) = &self.spec.previous else { return Ok(None) };
        let url = to_folder_url(location, &self.base)?;
        if url == output {
            return Err(EngineError::spec(format!(
                "previous: {url} is where this job publishes; name the folder of an earlier run, and give each run its own"
            )));
        }
        Previous::read(runtime, &url, &self.spec.source.features).await.map(Some)
    }

    /// The stages with their fingerprints: each hashes its part of the spec and the fingerprints of those it reads from.
    /// The output is in the first one: manifests list their parts by URL, and a folder that was copied elsewhere must not
    /// be taken for the one it was copied from. `moment` is what the query takes from the clock.
    fn plan(
        &self,
        sources: &Sources,
        output: &str,
        moment: &str,
        previous: Option<&Previous>,
    ) -> Result<Vec<PlannedStage>> {
        let spec = &self.spec;
        let parts = part_count(sources.rows());
        let shards: Vec<_> = sources.shards().map(|shard| (&shard.url, shard.bytes, &shard.version)).collect();
        let Source { tables, sql, id, features, weight } = &spec.source;
        let source = (tables, sql, id, features, weight);
        let kmeans = (
            &spec.kmeans.k,
            spec.kmeans.seed,
            spec.kmeans.restarts,
            spec.kmeans.max_iterations,
            spec.kmeans.tolerance,
            &spec.kmeans.start,
            &spec.kmeans.algorithm,
        );
        type Settings = serde_json::Result<serde_json::Value>;
        let extract: Settings = serde_json::to_value((source, shards, parts, output, moment));
        let mut settings: Vec<(&'static str, &'static [&'static str], String, Settings)> = vec![
            ("extract", &[], self.describe_extract(sources, parts), extract),
            ("impute", &["extract"], self.describe_impute(), serde_json::to_value(&spec.impute)),
            ("outliers", &["impute"], self.describe_outliers(), serde_json::to_value(&spec.outliers)),
            ("scale", &["outliers"], self.describe_scale(), serde_json::to_value(&spec.scale)),
            ("kmeans", &["scale"], self.describe_kmeans(), serde_json::to_value(kmeans)),
        ];
        if let Some(hierarchy) = &spec.hierarchy {
            settings.push(("hierarchy", &["scale"], describe_hierarchy(hierarchy), serde_json::to_value(hierarchy)));
        }
        if let Some(hdbscan) = &spec.hdbscan {
            settings.push(("hdbscan", &["scale"], describe_hdbscan(hdbscan), serde_json::to_value(hdbscan)));
        }
        let evaluate = serde_json::to_value((&spec.evaluate, spec.kmeans.select, previous));
        settings.extend::<Vec<(&'static str, &'static [&'static str], String, Settings)>>(vec![
            ("evaluate", &["kmeans", "hierarchy", "hdbscan"], self.describe_evaluate(), evaluate),
            ("profile", &["evaluate"], self.describe_profile(), serde_json::to_value(&spec.profile)),
            (PUBLISH, &["profile"], format!("to {output}, manifest last"), serde_json::to_value(&spec.name)),
        ]);
        let mut stages: Vec<PlannedStage> = Vec::with_capacity(settings.len());
        for (name, after, what, settings) in settings {
            let settings = settings
                .map_err(|error| EngineError::job(format!("{name}: settings cannot be written as JSON: {error}")))?;
            let before: Vec<&str> = stages
                .iter()
                .filter(|stage| after.contains(&stage.name))
                .map(|stage| stage.fingerprint.as_str())
                .collect();
            let fingerprint = fingerprint(name, &settings, &before.join(" "))?;
            stages.push(PlannedStage { name, what, fingerprint, complete: false });
        }
        Ok(stages)
    }

    fn describe_extract(&self, sources: &Sources, parts: u32) -> String {
        let rows: u64 = sources.shards().map(|shard| shard.rows).sum();
        let shards = sources.shards().count();
        let how = if self.spec.source.sql.is_some() { "source.sql" } else { "the table as it is" };
        format!(
            "{how} over {} rows of {shards} {}, into {parts} parts",
            count(rows),
            plural(shards as u64, "shard", "shards")
        )
    }

    fn describe_impute(&self) -> String {
        let impute = &self.spec.impute;
        self.by_feature(&impute.fills, |fill| match fill {
            Fill::Knn => {
                let donors = match impute.donors {
                    Donors::All => "all rows".to_owned(),
                    Donors::AtMost(rows) => format!("at most {rows} rows"),
                };
                format!("mean of the {} nearest neighbours among {donors}", impute.neighbors)
            }
            Fill::Mean => "mean of the feature".to_owned(),
            Fill::Median => "median of the feature".to_owned(),
            Fill::Constant(value) => format!("the value {value}"),
            Fill::None => "none: a missing cell is an error".to_owned(),
        })
    }

    fn describe_outliers(&self) -> String {
        let outliers = &self.spec.outliers;
        let fences = self.by_feature(&outliers.rules, |rule| match rule {
            OutlierRule::Iqr { factor } => format!("cut beyond {factor} interquartile ranges from the quartiles"),
            OutlierRule::Zscore { factor } => format!("cut beyond {factor} standard deviations from the mean"),
            OutlierRule::Mad { factor } => format!("cut at modified z-scores beyond {factor}"),
            OutlierRule::Percentile { low, high } => format!("cut beyond the quantiles {low} and {high}"),
            OutlierRule::None => "keep every row".to_owned(),
        });
        let forest = outliers.forest.map_or_else(String::new, |forest| {
            let cut = match forest.threshold {
                ForestThreshold::Contamination(share) => format!("at most {share} of the rows within"),
                ForestThreshold::Score(score) => format!("rows within of scores above {score}"),
            };
            format!("; by an isolation forest of {} trees, {cut}", forest.trees)
        });
        format!("{fences}{forest}")
    }

    fn describe_scale(&self) -> String {
        self.by_feature(&self.spec.scale.features, |scale| {
            let method = match scale.method {
                ScaleMethod::Standard => "to mean 0 and variance 1",
                ScaleMethod::Robust => "to median 0 and interquartile range 1",
                ScaleMethod::Minmax => "to the range 0 to 1",
                ScaleMethod::None => "as they are",
            };
            match scale.transform {
                TransformMethod::None => method.to_owned(),
                TransformMethod::Log1p => format!("log1p, then {method}"),
                TransformMethod::SignedLog1p => format!("log1p of either sign, then {method}"),
                TransformMethod::YeoJohnson => format!("Yeo-Johnson, then {method}"),
            }
        })
    }

    /// The settings of the features in words: once where they are the same for all, and else with the features of each.
    fn by_feature<T>(&self, settings: &[T], describe: impl Fn(&T) -> String) -> String {
        let mut said: Vec<(String, Vec<&str>)> = vec![];
        for (feature, settings) in self.spec.source.features.iter().zip(settings) {
            let words = describe(settings);
            match said.iter_mut().find(|(known, _)| *known == words) {
                Some((_, features)) => features.push(feature),
                None => said.push((words, vec![feature])),
            }
        }
        match said.as_slice() {
            [(words, _)] => words.clone(),
            _ => {
                let each: Vec<String> =
                    said.iter().map(|(words, features)| format!("{}: {words}", features.join(", "))).collect();
                each.join("; ")
            }
        }
    }

    fn describe_kmeans(&self) -> String {
        let kmeans = &self.spec.kmeans;
        let starts = format!("{} {}", kmeans.restarts, plural(kmeans.restarts as u64, "start", "starts"));
        let start = match kmeans.start {
            Start::KmeansPlusPlus => format!("k-means++ (seed {}, {starts} each)", kmeans.seed),
            Start::KmeansParallel => format!("k-means|| (seed {}, {starts} each)", kmeans.seed),
            Start::Centroids(_) => "the given centroids".to_owned(),
        };
        let k = describe_k(&kmeans.k);
        match kmeans.algorithm {
            KMeansAlgorithm::Lloyd => format!("{k} from {start}"),
            KMeansAlgorithm::Minibatch { batch_rows } => format!("{k} by batches of {batch_rows} rows, from {start}"),
            KMeansAlgorithm::Bisecting => {
                format!("{k} by bisecting (seed {}, {starts})", kmeans.seed)
            }
        }
    }

    fn describe_evaluate(&self) -> String {
        let rows = self.spec.evaluate.silhouette_rows;
        let how = match (self.spec.kmeans.k.len(), self.spec.kmeans.select) {
            (1, _) => "k is fixed",
            (_, Select::Elbow) => "choose k by the elbow of the inertia",
            (_, Select::Silhouette) => "choose k by the silhouette",
            (_, Select::CalinskiHarabasz) => "choose k by the Calinski-Harabasz index",
            (_, Select::DaviesBouldin) => "choose k by the Davies-Bouldin index",
            (_, Select::Gap) => "choose k by the gap statistic",
        };
        let numbers = match &self.spec.previous {
            Some(previous) => format!("; number the segments as those of {previous}"),
            None => String::new(),
        };
        format!("{how}; silhouette exact up to {rows} rows; assign every row{numbers}")
    }

    fn describe_profile(&self) -> String {
        let profile = &self.spec.profile;
        let roles = [("recency", &profile.recency), ("frequency", &profile.frequency), ("monetary", &profile.monetary)];
        let named: Vec<String> =
            roles.iter().filter_map(|(role, name)| name.as_ref().map(|name| format!("{role} = {name}"))).collect();
        if named.is_empty() {
            "statistics of each segment (no labels: no feature is named as recency, frequency or monetary)".to_owned()
        } else {
            format!("statistics and labels of each segment by {}", named.join(", "))
        }
    }
}

const PUBLISH: &str = "publish";

/// The text of a job spec, and the folder that its relative paths start from.
///
/// # Errors
/// A file that cannot be read.
pub fn read_spec(path: &Path) -> Result<(String, PathBuf)> {
    let origin = path.display();
    let text = std::fs::read_to_string(path)
        .map_err(|error| EngineError::spec(format!("{origin}: the job spec cannot be read: {error}")))?;
    let absolute = std::path::absolute(path)
        .map_err(|error| EngineError::spec(format!("{origin}: has no absolute path: {error}")))?;
    Ok((text, absolute.parent().unwrap_or(Path::new("/")).to_owned()))
}

fn describe_hierarchy(hierarchy: &Hierarchy) -> String {
    let linkage = match hierarchy.linkage {
        Linkage::Ward => "Ward's",
        Linkage::Average => "average",
        Linkage::Complete => "complete",
        Linkage::Single => "single",
    };
    let cut = match hierarchy.cut {
        CutRule::Clusters(clusters) => format!("into {clusters}"),
        CutRule::Height(height) => format!("at {height}"),
    };
    format!(
        "{linkage} linkage, cut {cut}; exact up to {} distinct rows, of {} micro-clusters above",
        hierarchy.budget, hierarchy.micro_clusters
    )
}

fn describe_hdbscan(hdbscan: &Hdbscan) -> String {
    let size = match &hdbscan.min_cluster_size {
        MinClusterSize::Auto => "of a size chosen by validity".to_owned(),
        MinClusterSize::OneOf(sizes) => {
            let sizes: Vec<String> = sizes.iter().map(u64::to_string).collect();
            format!("of at least {} rows", sizes.join(" or "))
        }
    };
    let resolution = match hdbscan.resolution {
        Resolution::Auto { budget } => format!("every distinct row a point up to {budget} rows, on a grid above"),
        Resolution::Side(0.0) => "every distinct row a point".to_owned(),
        Resolution::Side(side) => format!("on a grid of side {side}"),
    };
    let graph = match hdbscan.graph {
        Graph::Exact => String::new(),
        Graph::Knn { neighbors } => format!(", by the graph of {neighbors} nearest neighbours (approximate)"),
    };
    format!("clusters {size}, min_samples {}; {resolution}{graph}", hdbscan.min_samples)
}

fn describe_k(k: &[usize]) -> String {
    match k {
        [k] => format!("k = {k}"),
        [first, .., last] => format!("k = {first}..{last}, all in each pass"),
        [] => String::new(),
    }
}

/// Runs stages and keeps the books.
struct Driver<'a> {
    cluster: &'a Cluster,
    work: &'a Work,
    observer: &'a dyn Observer,
    plan: &'a [PlannedStage],
    lease: &'a Lease,
    /// Stages that are done again, whatever an earlier run has left of them.
    redone: Vec<&'static str>,
    stages: Vec<StageReport>,
    warnings: Vec<String>,
}

/// Parts that one task reads.
const PARTS_A_TASK: usize = 16;

/// The parts that are listed anywhere in what a stage made.
fn parts_in(output: &serde_json::Value, parts: &mut Vec<Part>) {
    match output {
        serde_json::Value::Array(values) => values.iter().for_each(|value| parts_in(value, parts)),
        serde_json::Value::Object(fields) => match serde_json::from_value::<Part>(output.clone()) {
            Ok(part) => parts.push(part),
            Err(_) => fields.values().for_each(|value| parts_in(value, parts)),
        },
        _ => {}
    }
}

impl<'a> Driver<'a> {
    /// Finds the stages that are done again: those that an earlier run did not complete, those with a file that is gone or not what
    /// was written, and those that have a file of such a stage as their own. Where everything is published, files are not looked at.
    async fn find_redone(&mut self, is_published: bool) -> Result<()> {
        let mut complete: Vec<(&'static str, Vec<Part>)> = vec![];
        for stage in self.plan.iter().filter(|stage| stage.name != PUBLISH) {
            match self.work.complete::<serde_json::Value>(stage.name, &stage.fingerprint).await? {
                Some(manifest) => {
                    let mut parts = vec![];
                    parts_in(&manifest.output, &mut parts);
                    complete.push((stage.name, parts));
                }
                None => self.redone.push(stage.name),
            }
        }
        if !(is_published && self.redone.is_empty()) {
            self.check_parts(&complete).await?;
        }
        let mut known = usize::MAX;
        while std::mem::replace(&mut known, self.redone.len()) != self.redone.len() {
            for (stage, parts) in &complete {
                let of_redone = |part: &Part| part.origin().is_some_and(|(_, from)| self.redone.contains(&from));
                if !self.redone.contains(stage) && parts.iter().any(of_redone) {
                    self.redone.push(stage);
                }
            }
        }
        Ok(())
    }

    /// Reads the files of complete stages, and has those done again whose files are not what was written.
    async fn check_parts(&mut self, complete: &[(&'static str, Vec<Part>)]) -> Result<()> {
        let mut parts: Vec<Part> = complete.iter().flat_map(|(_, parts)| parts.iter().cloned()).collect();
        parts.sort_by(|a, b| a.url.cmp(&b.url));
        parts.dedup_by(|a, b| a.url == b.url);
        if parts.is_empty() {
            return Ok(());
        }
        let tasks: Vec<Vec<Part>> = parts.chunks(PARTS_A_TASK).map(<[Part]>::to_vec).collect();
        let damaged: HashSet<String> = self.cluster.map_parts(Intact {}, &tasks).await?.into_iter().flatten().collect();
        for (stage, parts) in complete {
            let Some(part) = parts.iter().find(|part| damaged.contains(&part.url)) else { continue };
            self.observer.warning(&format!(
                "{}: is gone, or not what the stage {stage} wrote; the stage is done again",
                part.url
            ));
            self.redone.push(stage);
        }
        Ok(())
    }

    fn planned(&self, name: &str) -> Result<&'a PlannedStage> {
        let planned = self.plan.iter().find(|stage| stage.name == name);
        planned.ok_or_else(|| EngineError::job(format!("the stage {name} is not in the plan")))
    }

    fn report(&mut self, report: StageReport) {
        self.observer.stage_finished(&report);
        self.stages.push(report);
    }

    /// Takes what an earlier run made, or runs the stage and commits it.
    async fn stage<T, F>(&mut self, name: &'static str, rows: u64, run: F) -> Result<T>
    where
        T: Serialize + DeserializeOwned,
        F: AsyncFnOnce(&StageContext<'_>) -> Result<T>,
    {
        let planned = self.planned(name)?;
        let is_redone = self.redone.contains(&name);
        if !is_redone && let Some(manifest) = self.work.complete::<T>(name, &planned.fingerprint).await? {
            manifest.warnings.iter().for_each(|warning| self.observer.warning(warning));
            self.warnings.extend(manifest.warnings);
            self.report(StageReport { stage: name.to_owned(), resumed: true, cost: manifest.cost });
            return Ok(manifest.output);
        }
        self.lease.check()?;
        self.work.clear(name, self.lease).await?;
        self.observer.stage_started(name, rows);
        reset_peak_memory();
        let started = Instant::now();
        let prefix = self.work.artifact_prefix(name, &planned.fingerprint, self.lease);
        let context = StageContext::new(self.cluster, prefix, name, self.observer);
        let output = run(&context).instrument(tracing::info_span!("stage", name)).await;
        // Where nobody else is to blame, one has to know where to look.
        let output = output.map_err(|error| match error.fault {
            Fault::Job => EngineError::job(format!("stage {name}: {}", error.message)),
            _ => error,
        })?;
        let steps = context.take_steps();
        let cost = StageCost {
            rows,
            passes: context.passes(),
            seconds: started.elapsed().as_secs_f64(),
            bytes_written: self.work.bytes(name).await?,
            peak_memory_bytes: steps.iter().map(|step| step.peak_memory_bytes).chain([peak_memory()]).max().flatten(),
            steps,
        };
        let manifest = StageManifest {
            stage: name.to_owned(),
            fingerprint: planned.fingerprint.clone(),
            cost: cost.clone(),
            warnings: context.into_warnings(),
            output,
        };
        self.lease.check()?;
        self.work.commit(&manifest).await?;
        self.warnings.extend(manifest.warnings);
        self.report(StageReport { stage: name.to_owned(), resumed: false, cost });
        Ok(manifest.output)
    }
}

/// Refuses an output that holds another job's results, or files that are not a job's at all.
async fn check_owner(runtime: &RuntimeEnv, output: &str, name: &str) -> Result<()> {
    let theirs = |owner: &str| {
        EngineError::spec(format!(
            "output: {output} already holds the results of the job `{owner}`; give `{name}` an output of its own, or \
             remove what is there"
        ))
    };
    let unreadable = |error: EngineError| EngineError::output(format!("output: {}", error.message));
    if let Some(content) = get(runtime, &manifest_url(output)).await.map_err(unreadable)? {
        return match serde_json::from_slice::<Manifest>(&content) {
            Ok(manifest) if manifest.job == name => Ok(()),
            Ok(manifest) => Err(theirs(&manifest.job)),
            Err(_) => Err(EngineError::spec(format!(
                "output: {output}manifest.json is not one that this version wrote; choose another output, or remove it"
            ))),
        };
    }
    let record = format!("{output}_work/job.json");
    let claimed = |content: &[u8]| match serde_json::from_slice::<JobRecord>(content) {
        Ok(record) if record.job != name => Err(theirs(&record.job)),
        _ => Ok(()),
    };
    if let Some(content) = get(runtime, &record).await.map_err(unreadable)? {
        return claimed(&content);
    }
    let (store, path) = resolve(runtime, output)?;
    // What `segmenta clean` leaves is nobody's.
    let is_left = |object: &ObjectMeta| {
        let below: Vec<_> = object.location.prefix_match(&path).into_iter().flatten().collect();
        let below: Vec<&str> = below.iter().map(AsRef::as_ref).collect();
        below.starts_with(&["_work", "lease"]) || below.join("/") == LOCK
    };
    let mut objects =
        store.list(Some(&path)).filter(|object| std::future::ready(!object.as_ref().is_ok_and(is_left))).boxed();
    let object = objects.next().await;
    // Another process may have put its name there after this one looked.
    if matches!(object, Some(Ok(_)))
        && let Some(content) = get(runtime, &record).await.map_err(unreadable)?
    {
        return claimed(&content);
    }
    match object {
        Some(Ok(object)) => Err(EngineError::spec(format!(
            "output: {output} holds files that are not a job's ({}); choose an empty folder",
            object.location
        ))),
        Some(Err(object_store::Error::NotFound { .. })) | None => Ok(()),
        Some(Err(error)) => Err(EngineError::output(format!("{output}: cannot be listed: {error}"))),
    }
}

/// Puts the job's name on the work prefix, if none is there; the first write, so that an output that is not writable is
/// found at once.
async fn claim(runtime: &RuntimeEnv, work: &Work, name: &str) -> Result<()> {
    let record = JobRecord { job: name.to_owned(), segmenta: env!("CARGO_PKG_VERSION").to_owned() };
    let content = serde_json::to_vec_pretty(&record)
        .map_err(|error| EngineError::job(format!("the job record cannot be written as JSON: {error}")))?;
    put_new(runtime, &work.url("job.json"), content).await.map(drop)
}
