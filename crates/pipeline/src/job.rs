//! A job: its stages in order. A stage whose manifest is already there is not run again.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use datafusion::execution::SessionState;
use datafusion::execution::runtime_env::RuntimeEnv;
use segmenta_engine::cluster::Cluster;
use segmenta_engine::{EngineError, Result};
use segmenta_results::cost::{StageCost, StageReport};
use segmenta_results::manifest::{Manifest, is_whole, read_manifest};
use segmenta_spec::{JobSpec, OutlierAction};
use tracing::Instrument;

use crate::driver::{AnyStage, Declared, Driver, PlannedStage};
use crate::lease::{Lease, LeaseOptions};
use crate::location::{to_folder_url, to_url};
use crate::observer::Observer;
use crate::owner::{check_owner, claim};
use crate::previous::Previous;
use crate::process::{peak_memory, reset_peak_memory};
use crate::source::{Dependence, SourceTable, Sources};
use crate::stage::{Given, Made, Stage, StageContext};
use crate::stages::evaluate::{EvaluateStage, Evaluated};
use crate::stages::extract::{self, ExtractStage};
use crate::stages::hdbscan::{DensityClustered, HdbscanStage};
use crate::stages::hierarchy::{HierarchyStage, Linked};
use crate::stages::impute::ImputeStage;
use crate::stages::kmeans::KMeansStage;
use crate::stages::outliers::OutliersStage;
use crate::stages::profile::{ProfileStage, Profiled};
use crate::stages::publish::{self, Results};
use crate::stages::rows_of;
use crate::stages::scale::ScaleStage;
use crate::stages::transform::TransformStage;
use crate::work::Work;

/// The stages of a job, in the order they run. A spec may leave some of them out.
static STAGES: [&dyn AnyStage; 10] = [
    &Declared::<ExtractStage>::new(),
    &Declared::<ImputeStage>::new(),
    &Declared::<TransformStage>::new(),
    &Declared::<OutliersStage>::new(),
    &Declared::<ScaleStage>::new(),
    &Declared::<KMeansStage>::new(),
    &Declared::<HierarchyStage>::new(),
    &Declared::<HdbscanStage>::new(),
    &Declared::<EvaluateStage>::new(),
    &Declared::<ProfileStage>::new(),
];

/// The step after all stages: it puts the results where readers look for them.
const PUBLISH: &str = "publish";

/// What `check` finds out.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The tables.
    pub tables: Vec<SourceTable>,
    /// The stages, in order.
    pub stages: Vec<PlannedStage>,
    /// Where the job publishes.
    pub output: String,
    /// What was noticed about the query.
    pub warnings: Vec<String>,
}

/// How to run a job.
#[derive(Debug, Clone)]
pub struct RunOptions {
    /// Start over instead of resuming.
    pub fresh: bool,
    /// Scan each shard in this many partitions; by default the number follows from its size. Changes no result.
    pub partitions_per_shard: Option<usize>,
    /// How the lease on the output is held during the run.
    pub lease: LeaseOptions,
}

impl Default for RunOptions {
    fn default() -> Self {
        Self { fresh: false, partitions_per_shard: None, lease: LeaseOptions::of_this_process() }
    }
}

/// The result of a run.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// What was published.
    pub manifest: Manifest,
    /// Where, a URL that ends in `/`.
    pub output: String,
    /// Customers in the feature table.
    pub customers: u64,
    /// Customers that are outliers.
    pub outliers: u64,
    /// The share of the monetary feature that those hold who were set aside from the fit; `None` where no feature is monetary
    /// or some values are negative.
    pub outliers_share: Option<f64>,
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

/// What a run is prepared with.
struct Prepared {
    sources: Sources,
    moment: String,
    previous: Option<Previous>,
    plan: Vec<PlannedStage>,
    work: Work,
    output: String,
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

    /// A job from the text of a spec. Relative paths of the spec start from `base`; if that is empty, they are
    /// mistakes.
    ///
    /// # Errors
    /// Every mistake of the spec, with `origin` in front.
    pub fn parse(text: &str, origin: &str, base: impl Into<PathBuf>) -> Result<Self> {
        let spec = JobSpec::parse(text, origin).map_err(|errors| EngineError::spec(errors.to_string()))?;
        Ok(Self::new(spec, base))
    }

    /// A job from a spec; relative paths of the spec start from `base`.
    #[must_use]
    pub fn new(spec: JobSpec, base: impl Into<PathBuf>) -> Self {
        Self { spec, base: base.into() }
    }

    /// The spec.
    #[must_use]
    pub fn spec(&self) -> &JobSpec {
        &self.spec
    }

    /// Where it reads from, including the previous output, as URLs. Globs are not expanded.
    ///
    /// # Errors
    /// A path that cannot be written as a URL.
    pub fn sources(&self) -> Result<Vec<String>> {
        let tables = self.spec.source.tables.iter().flat_map(|table| &table.locations);
        tables.chain(&self.spec.previous).map(|location| to_url(location, &self.base)).collect()
    }

    /// Where it publishes, a URL that ends in `/`.
    ///
    /// # Errors
    /// A path that cannot be written as a URL.
    pub fn output(&self) -> Result<String> {
        to_folder_url(&self.spec.output, &self.base)
    }

    /// Checks the spec against the sources' footers and plans the stages, without running anything.
    ///
    /// # Errors
    /// When sources cannot be read or do not fit the spec, or the output belongs to another job.
    pub async fn check(&self, state: &SessionState) -> Result<Plan> {
        let runtime = state.runtime_env();
        let output = self.output()?;
        let sources = Sources::find(runtime, &self.spec.source, &self.base, &output).await?;
        let features = sources.features(state, &self.spec.source, None).await?;
        let Dependence { moment, warnings } = features.dependence.clone();
        extract::check_query(state, features, &self.spec.source, &sources).await?;
        check_owner(runtime, &output, &self.spec.name).await?;
        let work = Work::new(Arc::clone(runtime), &output);
        let previous = self.previous(runtime, &output).await?;
        let given = self.given(&sources, &moment, previous.as_ref(), &output);
        for stage in self.stages() {
            stage.check(&given)?;
        }
        let mut stages = self.plan(&given)?;
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

    /// Runs the job until it is done or until `stop` completes, whose value is then the error. The driver does nothing
    /// more after that; a plan that is running on the cluster has to be cancelled there.
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
        // At debug level, for traces alone: in the log of a process that runs one job it would say nothing new.
        let span = tracing::debug_span!("run", job = self.spec.name, output = prepared.output);
        let result = tokio::select! {
            outcome = self.run_stages(cluster, options, observer, &prepared, &lease).instrument(span) => outcome,
            error = lease.lost() => Err(error),
            error = &mut stop => Err(error),
        };
        lease.release().await;
        result
    }

    /// Everything that can be found out and refused before the job has the output to itself.
    async fn prepare(&self, cluster: &Cluster, options: &RunOptions) -> Result<Prepared> {
        let runtime = cluster.runtime();
        let (spec, output) = (&self.spec, self.output()?);
        let sources = Sources::find(&runtime, &spec.source, &self.base, &output).await?;
        // Mistakes in the query are reported before anything is written.
        let features = sources.features(cluster.state(), &spec.source, options.partitions_per_shard).await?;
        let moment = features.dependence.moment.clone();
        extract::check_query(cluster.state(), features, &spec.source, &sources).await?;
        let previous = self.previous(&runtime, &output).await?;
        let plan = self.plan(&self.given(&sources, &moment, previous.as_ref(), &output))?;
        check_owner(&runtime, &output, &spec.name).await?;
        let work = Work::new(Arc::clone(&runtime), &output);
        claim(&runtime, &work, &spec.name).await?;
        Ok(Prepared { sources, moment, previous, plan, work, output })
    }

    async fn run_stages(
        &self,
        cluster: &Cluster,
        options: &RunOptions,
        observer: &dyn Observer,
        prepared: &Prepared,
        lease: &Lease,
    ) -> Result<Outcome> {
        let Prepared { sources, moment, previous, plan, work, output } = prepared;
        // Another job may have taken the output while this one waited for the lease.
        check_owner(&cluster.runtime(), output, &self.spec.name).await?;
        if options.fresh {
            for stage in plan {
                work.clear(stage.name, lease).await?;
            }
        }
        let given = Given {
            partitions_per_shard: options.partitions_per_shard,
            ..self.given(sources, moment, previous.as_ref(), output)
        };
        let (publishing, planned) = plan.split_last().ok_or_else(|| EngineError::job("a plan without a stage"))?;
        let mut driver = Driver::new(cluster, work, observer, planned, lease);
        let fingerprint = &publishing.fingerprint;
        let is_over = !options.fresh && self.is_published(&cluster.runtime(), output, fingerprint).await?.is_some();
        driver.find_redone(is_over).await?;
        let mut made = Made::default();
        for stage in self.stages() {
            stage.drive(&mut driver, &given, &mut made).await?;
        }
        let (stages, warnings) = (driver.stages.clone(), driver.warnings.clone());
        let results = Results::new(&given, &made, &stages, &warnings)?;
        let customers = rows_of(&results.extracted.parts);
        let outliers = results.split.outliers();
        let share = self.spec.monetary().and_then(|j| results.split.monetary_share(results.imputed, j));
        let outliers_share = share.filter(|_| self.spec.outliers.action != OutlierAction::Clip);
        let manifest = self.publish(&mut driver, &results, output, publishing, options.fresh).await?;
        let took = |name: &str| EngineError::job(format!("the stage {name} has not run"));
        Ok(Outcome {
            manifest,
            output: output.clone(),
            customers,
            outliers,
            outliers_share,
            stages: driver.stages,
            warnings,
            hierarchy: made.take::<HierarchyStage>(),
            density: made.take::<HdbscanStage>(),
            evaluated: made.take::<EvaluateStage>().ok_or_else(|| took(EvaluateStage::NAME))?,
            profiled: made.take::<ProfileStage>().ok_or_else(|| took(ProfileStage::NAME))?,
        })
    }

    async fn publish(
        &self,
        driver: &mut Driver<'_>,
        results: &Results<'_>,
        output: &str,
        planned: &PlannedStage,
        fresh: bool,
    ) -> Result<Manifest> {
        let rows = rows_of(&results.evaluated.assignments);
        let runtime = driver.cluster.runtime();
        let started = Instant::now();
        driver.observer.stage_started(PUBLISH, rows);
        // With `--fresh`, readers keep the old results until now.
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

    /// The published manifest, if it is complete and belongs to this spec and these inputs.
    async fn is_published(&self, runtime: &RuntimeEnv, output: &str, fingerprint: &str) -> Result<Option<Manifest>> {
        match read_manifest(runtime, output).await? {
            Some(manifest) if manifest.fingerprint == fingerprint && is_whole(runtime, output, &manifest).await? => {
                Ok(Some(manifest))
            }
            _ => Ok(None),
        }
    }

    /// The segments of an earlier run whose numbers are kept, if the spec names such a run.
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

    /// The stages that the spec asks for.
    fn stages(&self) -> impl Iterator<Item = &'static dyn AnyStage> {
        STAGES.into_iter().filter(|stage| stage.is_in(&self.spec))
    }

    fn given<'a>(
        &'a self,
        sources: &'a Sources,
        moment: &'a str,
        previous: Option<&'a Previous>,
        output: &'a str,
    ) -> Given<'a> {
        Given { spec: &self.spec, base: &self.base, output, sources, moment, previous, partitions_per_shard: None }
    }

    /// The stages with their fingerprints, publishing last. Each hashes its settings and the fingerprints of the stages
    /// it reads from.
    fn plan(&self, given: &Given<'_>) -> Result<Vec<PlannedStage>> {
        let mut planned: Vec<PlannedStage> = vec![];
        for stage in self.stages() {
            planned.push(stage.planned(given, &planned)?);
        }
        let what = format!("to {}, manifest last", given.output);
        let name = serde_json::to_value(&self.spec.name);
        planned.push(PlannedStage::new(PUBLISH, what, name, &[ProfileStage::NAME], &planned)?);
        Ok(planned)
    }
}

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
