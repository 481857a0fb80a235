//! Runs the stages of a job and skips those whose manifest is already there. It knows none of them by name.

use std::collections::HashSet;
use std::marker::PhantomData;
use std::time::Instant;

use async_trait::async_trait;
use segmenta_engine::artifact::Part;
use segmenta_engine::cluster::Cluster;
use segmenta_engine::operators::Intact;
use segmenta_engine::{EngineError, Fault, Result};
use segmenta_results::cost::{StageCost, StageReport};
use segmenta_spec::JobSpec;
use serde_json::Value;
use tracing::Instrument;

use crate::lease::Lease;
use crate::observer::Observer;
use crate::process::{peak_memory, reset_peak_memory};
use crate::stage::{Given, Made, Stage, StageContext};
use crate::work::{StageManifest, Work, fingerprint};

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

/// A [`Stage`] in a list of several.
#[async_trait(?Send)]
pub(crate) trait AnyStage: Sync {
    /// [`Stage::is_in`].
    fn is_in(&self, spec: &JobSpec) -> bool;
    /// [`Stage::check`].
    fn check(&self, given: &Given<'_>) -> Result<()>;
    /// The stage as it is planned after the stages `before`.
    fn planned(&self, given: &Given<'_>, before: &[PlannedStage]) -> Result<PlannedStage>;
    /// Takes what an earlier run made, or runs the stage, and adds the result to `made`.
    async fn drive(&self, driver: &mut Driver<'_>, given: &Given<'_>, made: &mut Made) -> Result<()>;
}

/// A stage by its type.
pub(crate) struct Declared<S>(PhantomData<fn() -> S>);

impl<S> Declared<S> {
    pub(crate) const fn new() -> Self {
        Self(PhantomData)
    }
}

#[async_trait(?Send)]
impl<S: Stage> AnyStage for Declared<S> {
    fn is_in(&self, spec: &JobSpec) -> bool {
        S::is_in(spec)
    }

    fn check(&self, given: &Given<'_>) -> Result<()> {
        S::check(given)
    }

    fn planned(&self, given: &Given<'_>, before: &[PlannedStage]) -> Result<PlannedStage> {
        PlannedStage::new(S::NAME, S::describe(given), S::settings(given), S::AFTER, before)
    }

    async fn drive(&self, driver: &mut Driver<'_>, given: &Given<'_>, made: &mut Made) -> Result<()> {
        let output = driver.stage::<S>(given, made).await?;
        made.put::<S>(output);
        Ok(())
    }
}

impl PlannedStage {
    /// Plans a stage from its settings and from the stages `before` that it comes `after`; its fingerprint hashes
    /// theirs.
    ///
    /// # Errors
    /// When the settings cannot be written as JSON.
    pub(crate) fn new(
        name: &'static str,
        what: String,
        settings: serde_json::Result<Value>,
        after: &[&str],
        before: &[Self],
    ) -> Result<Self> {
        let settings = settings
            .map_err(|error| EngineError::job(format!("{name}: settings cannot be written as JSON: {error}")))?;
        let before = before.iter().filter(|stage| after.contains(&stage.name));
        let before: Vec<&str> = before.map(|stage| stage.fingerprint.as_str()).collect();
        let fingerprint = fingerprint(name, &settings, &before.join(" "))?;
        Ok(Self { name, what, fingerprint, complete: false })
    }
}

/// Runs stages and records how each went.
pub(crate) struct Driver<'a> {
    pub(crate) cluster: &'a Cluster,
    pub(crate) work: &'a Work,
    pub(crate) observer: &'a dyn Observer,
    plan: &'a [PlannedStage],
    pub(crate) lease: &'a Lease,
    /// Stages that are done again, whatever an earlier run left of them.
    redone: Vec<&'static str>,
    pub(crate) stages: Vec<StageReport>,
    pub(crate) warnings: Vec<String>,
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
    /// Drives planned stages on an output whose lease this process holds.
    pub(crate) fn new(
        cluster: &'a Cluster,
        work: &'a Work,
        observer: &'a dyn Observer,
        plan: &'a [PlannedStage],
        lease: &'a Lease,
    ) -> Self {
        Self { cluster, work, observer, plan, lease, redone: vec![], stages: vec![], warnings: vec![] }
    }

    /// Finds the stages that are done again: those that an earlier run did not complete, those with a file that is gone
    /// or changed, and those that list a file of such a stage as their own. Where everything is published, files are
    /// not checked.
    pub(crate) async fn find_redone(&mut self, is_published: bool) -> Result<()> {
        let mut complete: Vec<(&'static str, Vec<Part>)> = vec![];
        for stage in self.plan {
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

    /// Reads the files of complete stages, and marks those stages to be done again whose files have changed since they
    /// were written.
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

    pub(crate) fn report(&mut self, report: StageReport) {
        self.observer.stage_finished(&report);
        self.stages.push(report);
    }

    /// Takes what an earlier run made, or runs the stage and commits it.
    async fn stage<S: Stage>(&mut self, given: &Given<'_>, made: &Made) -> Result<S::Output> {
        let (name, rows) = (S::NAME, S::rows(given, made)?);
        let planned = self.planned(name)?;
        let is_redone = self.redone.contains(&name);
        if !is_redone && let Some(manifest) = self.work.complete::<S::Output>(name, &planned.fingerprint).await? {
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
        let output = S::run(&context, given, made).instrument(tracing::info_span!("stage", name)).await;
        // If nobody else is at fault, the user has to know in which stage to look.
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
