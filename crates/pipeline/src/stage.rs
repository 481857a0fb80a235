//! What a stage is: its name, the stages it reads from, the part of the spec that it uses, and how it runs.

use std::any::Any;
use std::collections::HashMap;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use segmenta_engine::artifact::Part;
use segmenta_engine::cluster::Cluster;
use segmenta_engine::operators::PartTask;
use segmenta_engine::{EngineError, Result};
use segmenta_results::cost::StepCost;
use segmenta_spec::JobSpec;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::observer::Observer;
use crate::previous::Previous;
use crate::process::{peak_memory, reset_peak_memory};
use crate::source::Sources;

/// A stage of a job. What it makes depends only on its settings and on what the stages before it made.
pub trait Stage {
    /// Its name, in the work folder and in messages.
    const NAME: &'static str;
    /// The stages that it reads from.
    const AFTER: &'static [&'static str];
    /// What goes into its manifest.
    type Output: Serialize + DeserializeOwned + 'static;

    /// Whether a job with this spec has the stage.
    #[must_use]
    fn is_in(_spec: &JobSpec) -> bool {
        true
    }

    /// Everything in the job that its result depends on, besides the stages before it.
    ///
    /// # Errors
    /// Never for settings of a spec that was read.
    fn settings(given: &Given<'_>) -> serde_json::Result<Value>;

    /// What it will do, in a few words.
    fn describe(given: &Given<'_>) -> String;

    /// Refuses whatever the job and the number of rows alone show to be impossible.
    ///
    /// # Errors
    /// When the spec is at fault.
    fn check(_given: &Given<'_>) -> Result<()> {
        Ok(())
    }

    /// The rows that go in.
    ///
    /// # Errors
    /// When a stage before it has not run.
    fn rows(given: &Given<'_>, made: &Made) -> Result<u64>;

    /// Runs it.
    ///
    /// # Errors
    /// Those of its passes, and errors about what the data cannot give.
    #[allow(async_fn_in_trait)]
    async fn run(context: &StageContext<'_>, given: &Given<'_>, made: &Made) -> Result<Self::Output>;
}

/// The job that a stage belongs to.
#[derive(Clone, Copy)]
pub struct Given<'a> {
    /// Its spec.
    pub spec: &'a JobSpec,
    /// The folder that relative locations of the spec start from.
    pub base: &'a Path,
    /// Where it publishes to, a URL that ends in `/`.
    pub output: &'a str,
    /// Its inputs.
    pub sources: &'a Sources,
    /// What the query takes from the clock.
    pub moment: &'a str,
    /// The segments whose numbers are kept.
    pub previous: Option<&'a Previous>,
    /// Scan each shard in this many partitions. Changes no result.
    pub partitions_per_shard: Option<usize>,
}

impl Given<'_> {
    /// The number of customers, where no query stands between them and the sources.
    #[must_use]
    pub fn customers(&self) -> Option<u64> {
        let rows = self.sources.rows();
        (self.spec.source.sql.is_none() && rows > 0).then_some(rows)
    }
}

/// What the stages so far have made.
#[derive(Default)]
pub struct Made(HashMap<&'static str, Box<dyn Any>>);

impl Made {
    /// What a stage that comes before has made.
    ///
    /// # Errors
    /// When that stage has not run.
    pub fn of<S: Stage>(&self) -> Result<&S::Output> {
        self.find::<S>().ok_or_else(|| EngineError::job(format!("the stage {} has not run", S::NAME)))
    }

    /// What a stage made that the job may not have.
    #[must_use]
    pub fn find<S: Stage>(&self) -> Option<&S::Output> {
        self.0.get(S::NAME)?.downcast_ref()
    }

    /// Keeps what a stage made.
    pub(crate) fn put<S: Stage>(&mut self, output: S::Output) {
        self.0.insert(S::NAME, Box::new(output));
    }

    /// Hands over what a stage made.
    pub(crate) fn take<S: Stage>(&mut self) -> Option<S::Output> {
        Some(*self.0.remove(S::NAME)?.downcast().ok()?)
    }
}

/// What a stage works with.
pub struct StageContext<'a> {
    /// Runs the plans.
    pub cluster: &'a Cluster,
    /// URL of the stage's folder, ending in `/`.
    pub prefix: String,
    stage: &'static str,
    observer: &'a dyn Observer,
    passes: AtomicU64,
    warnings: Mutex<Vec<String>>,
    steps: Mutex<Steps>,
}

/// The steps of a stage: those that are done, and the one that is running.
#[derive(Default)]
struct Steps {
    done: Vec<StepCost>,
    open: Option<(&'static str, Instant)>,
}

impl Steps {
    fn close(&mut self) {
        if let Some((step, started)) = self.open.take() {
            let seconds = started.elapsed().as_secs_f64();
            self.done.push(StepCost { step: step.to_owned(), seconds, peak_memory_bytes: peak_memory() });
        }
    }
}

impl<'a> StageContext<'a> {
    pub(crate) fn new(cluster: &'a Cluster, prefix: String, stage: &'static str, observer: &'a dyn Observer) -> Self {
        Self {
            cluster,
            prefix,
            stage,
            observer,
            passes: AtomicU64::new(0),
            warnings: Mutex::default(),
            steps: Mutex::default(),
        }
    }

    /// Starts a step of the stage, for stages whose cost has several kinds; the step before it ends.
    pub fn begin_step(&self, step: &'static str) {
        let mut steps = self.steps.lock().unwrap_or_else(PoisonError::into_inner);
        steps.close();
        reset_peak_memory();
        steps.open = Some((step, Instant::now()));
        self.observer.step_started(self.stage, step);
    }

    /// Reports the progress of a step that passes over no rows.
    pub fn step_progress(&self, done: u64, total: u64) {
        self.observer.step_progress(self.stage, done, total);
    }

    /// What the steps took; the last one ends.
    pub(crate) fn take_steps(&self) -> Vec<StepCost> {
        let mut steps = self.steps.lock().unwrap_or_else(PoisonError::into_inner);
        steps.close();
        std::mem::take(&mut steps.done)
    }

    /// Runs a task over the parts: one pass over their rows.
    ///
    /// # Errors
    /// Those of the task.
    pub async fn map_parts<T: PartTask>(&self, task: T, inputs: &[Vec<Part>]) -> Result<Vec<T::Output>> {
        let results = self.cluster.map_parts(task, inputs).await?;
        self.count_pass();
        Ok(results)
    }

    /// Runs a task over the parts and merges the results as they arrive; `merge` must not care about their order.
    ///
    /// # Errors
    /// Those of the task; no parts.
    pub async fn merge_parts<T: PartTask>(
        &self,
        task: T,
        inputs: &[Vec<Part>],
        merge: impl FnMut(&mut T::Output, T::Output),
    ) -> Result<T::Output> {
        let total = self.cluster.merge_parts(task, inputs, merge).await?;
        self.count_pass();
        total.ok_or_else(|| EngineError::job(format!("{}: a pass over no parts", self.stage)))
    }

    /// Counts a pass that did not go through [`StageContext::map_parts`].
    pub(crate) fn count_pass(&self) {
        let passes = self.passes.fetch_add(1, Ordering::Relaxed) + 1;
        self.observer.pass_finished(self.stage, passes);
    }

    /// Passes so far.
    #[must_use]
    pub fn passes(&self) -> u64 {
        self.passes.load(Ordering::Relaxed)
    }

    /// Tells the user something about the data that does not stop the job.
    pub fn warn(&self, warning: String) {
        self.observer.warning(&warning);
        self.warnings.lock().unwrap_or_else(PoisonError::into_inner).push(warning);
    }

    pub(crate) fn into_warnings(self) -> Vec<String> {
        self.warnings.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}
