//! The stages of a job, one a file, in the order they run.
//!
//! | stage | reads | makes |
//! |---|---|---|
//! | [`extract`] | the sources | the feature table: one row a customer, in parts by row id |
//! | [`impute`] | features | features without a gap, with a flag for each cell that was filled |
//! | [`outliers`] | imputed features | the rows within their fences, and those cut off |
//! | [`scale`] | kept rows | prepared points: row id and scaled features |
//! | [`kmeans`] | points | the best centroids for each k |
//! | [`hierarchy`] | points | a dendrogram of the rows or of micro-clusters, and its cut |
//! | [`hdbscan`] | points | density-based clusters, noise and outlier scores of every row |
//! | [`evaluate`] | points, centroids | measures for each k, the chosen k, the assignments |
//! | [`profile`] | assignments | what each segment looks like, and its label |
//! | [`publish`] | everything | the published files |
//!
//! A stage is a function of a [`StageContext`], its section of the spec and what earlier stages made. It returns a small
//! value that goes into its manifest; rows go into parts under its prefix.

pub mod evaluate;
pub mod extract;
pub mod hdbscan;
pub mod hierarchy;
pub mod impute;
pub mod kmeans;
pub mod outliers;
pub mod profile;
pub mod publish;
pub mod scale;

use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use segmenta_algorithms::moments::{MomentSums, MomentUnits};
use segmenta_algorithms::sums::Bounds;
use segmenta_engine::artifact::Part;
use segmenta_engine::cluster::Cluster;
use segmenta_engine::operators::{GroupColumn, Moments, PartTask, RowSample, Sample, Sampled, Variable};
use segmenta_engine::{EngineError, Result};

use crate::observer::Observer;
use crate::process::{peak_memory, reset_peak_memory};
use segmenta_results::cost::StepCost;

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

/// The steps of a stage: those that are done, and the one that goes on.
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

    /// Starts a step of the stage, for stages whose cost is of several kinds; the one before it ends.
    pub fn begin_step(&self, step: &'static str) {
        let mut steps = self.steps.lock().unwrap_or_else(PoisonError::into_inner);
        steps.close();
        reset_peak_memory();
        steps.open = Some((step, Instant::now()));
        self.observer.step_started(self.stage, step);
    }

    /// Tells how far a step is that goes over no rows.
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

/// One part an item: what most passes run over.
pub(crate) fn singly(parts: &[Part]) -> Vec<Vec<Part>> {
    parts.iter().map(|part| vec![part.clone()]).collect()
}

/// A seeded sample of rows to draw.
pub(crate) struct Draw<'a> {
    pub(crate) parts: &'a [Part],
    pub(crate) columns: &'a [String],
    pub(crate) seed: u64,
    /// How many rows, where there are as many.
    pub(crate) rows: usize,
    /// Whether passes over the same points follow.
    pub(crate) keep: bool,
}

/// Draws the rows whose hash of (seed, row id) is smallest, in that order.
pub(crate) async fn draw(context: &StageContext<'_>, wanted: &Draw<'_>) -> Result<Vec<Sampled>> {
    let inputs = singly(wanted.parts);
    let pass = async |threshold: u64| -> Result<Vec<Sampled>> {
        let Draw { seed, rows, keep, .. } = *wanted;
        let task = Sample { columns: wanted.columns.to_vec(), seed, rows, threshold, keep };
        Ok(context.map_parts(task, &inputs).await?.into_iter().flatten().collect())
    };
    // Four times as many as are wanted lie below this hash; that there are too few happens to nobody, but may.
    let rows = rows_of(wanted.parts);
    let mut drawn = pass(RowSample::of(wanted.seed, 4 * wanted.rows as u64, rows).threshold).await?;
    if (drawn.len() as u64) < rows.min(wanted.rows as u64) {
        drawn = pass(u64::MAX).await?;
    }
    drawn.sort_by_key(|row| (row.hash, row.id));
    drawn.truncate(wanted.rows);
    Ok(drawn)
}

/// Rows of all parts.
pub(crate) fn rows_of(parts: &[Part]) -> u64 {
    parts.iter().map(|part| part.rows).sum()
}

/// Mean and population variance of a column.
#[derive(Debug, Clone, Copy)]
pub(crate) struct MeanAndVariance {
    /// Cells that have a value.
    pub(crate) count: u64,
    /// Their mean, 0 without any.
    pub(crate) mean: f64,
    /// Their population variance, 0 without any.
    pub(crate) variance: f64,
    /// Their bounds.
    pub(crate) bounds: Bounds,
}

impl MeanAndVariance {
    pub(crate) fn new(sums: &MomentSums, units: &MomentUnits) -> Self {
        Self { count: sums.count, mean: sums.mean(units), variance: sums.variance(units), bounds: sums.bounds() }
    }
}

/// Columns to take means and variances of.
pub(crate) struct MomentColumns<'a> {
    pub(crate) parts: &'a [Part],
    pub(crate) names: &'a [String],
    /// The groups of the rows.
    pub(crate) group: Option<GroupColumn>,
    pub(crate) variables: &'a [Variable],
    /// Units of each variable.
    pub(crate) units: &'a [MomentUnits],
}

/// `[group][variable]`, in one pass; in a second one around the means, where a group of rows is so far from the center of the units and so
/// narrow that its variance would be lost in rounding.
pub(crate) async fn means_and_variances(
    context: &StageContext<'_>,
    columns: &MomentColumns<'_>,
) -> Result<Vec<Vec<MeanAndVariance>>> {
    let groups = columns.group.as_ref().map_or(1, |group| group.groups);
    let inputs = singly(columns.parts);
    let pass = async |units: Vec<Vec<MomentUnits>>| -> Result<Vec<Vec<MomentSums>>> {
        let task = Moments {
            columns: columns.names.to_vec(),
            group: columns.group.clone(),
            variables: columns.variables.to_vec(),
            units,
        };
        let merge = |total: &mut Vec<Vec<MomentSums>>, part: Vec<Vec<MomentSums>>| {
            total.iter_mut().flatten().zip(part.iter().flatten()).for_each(|(total, moments)| total.merge(moments));
        };
        context.merge_parts(task, &inputs, merge).await
    };
    let mut units = vec![columns.units.to_vec(); groups];
    let mut sums = pass(units.clone()).await?;
    let both = || sums.iter().flatten().zip(units.iter().flatten());
    if !both().all(|(sums, units)| sums.is_precise(units)) {
        let around = both().map(|(sums, units)| MomentUnits::new(sums.mean(units), &sums.bounds()));
        let around: Vec<MomentUnits> = around.collect();
        units = around.chunks(columns.variables.len().max(1)).map(<[MomentUnits]>::to_vec).collect();
        sums = pass(units.clone()).await?;
    }
    let of_group = |(sums, units): (&Vec<MomentSums>, &Vec<MomentUnits>)| {
        sums.iter().zip(units).map(|(sums, units)| MeanAndVariance::new(sums, units)).collect()
    };
    Ok(sums.iter().zip(&units).map(of_group).collect())
}
