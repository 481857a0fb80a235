//! The stages of a job, one a file, in the order they run.
//!
//! | stage | reads | makes |
//! |---|---|---|
//! | [`extract`] | the sources | the feature table: one row a customer, in parts by row id |
//! | [`impute`] | features | features without a gap, with a flag for each cell that was filled |
//! | [`transform`] | imputed features | what brings in the tails of skewed features |
//! | [`outliers`] | imputed features, transforms | the rows within their fences, and those set aside |
//! | [`scale`] | kept rows | prepared points: row id and scaled features |
//! | [`kmeans`] | points | the best centroids for each k |
//! | [`hierarchy`] | points | a dendrogram of the rows or of micro-clusters, and its cut |
//! | [`hdbscan`] | points | density-based clusters, noise and outlier scores of every row |
//! | [`evaluate`] | points, centroids | measures for each k, the chosen k, the assignments |
//! | [`profile`] | assignments | what each segment looks like, and its label |
//! | [`publish`] | everything | the published files |
//!
//! Each declares itself as a [`Stage`], and the job lists them. A stage returns a small value that
//! goes into its manifest; rows go into parts under its prefix.

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
pub mod transform;

use segmenta_algorithms::moments::{MomentSums, MomentUnits};
use segmenta_algorithms::quantiles::QuantileSketch;
use segmenta_algorithms::sums::Bounds;
use segmenta_engine::Result;
use segmenta_engine::artifact::Part;
use segmenta_engine::operators::{GroupColumn, Moments, RowSample, Sample, Sampled, Variable};

use crate::clustering::Clustering;
use crate::stage::{Made, Stage, StageContext};

/// The clusterings that the job has made so far, in the order of the tables.
pub(crate) fn clusterings(made: &Made) -> Vec<&dyn Clustering> {
    let found = [
        clustering::<evaluate::EvaluateStage>(made),
        clustering::<hierarchy::HierarchyStage>(made),
        clustering::<hdbscan::HdbscanStage>(made),
    ];
    found.into_iter().flatten().collect()
}

fn clustering<S: Stage<Output: Clustering>>(made: &Made) -> Option<&dyn Clustering> {
    made.find::<S>().map(|found| found as &dyn Clustering)
}

/// Each part on its own: what most passes run over.
pub(crate) fn singly(parts: &[Part]) -> Vec<Vec<Part>> {
    parts.iter().map(|part| vec![part.clone()]).collect()
}

/// A seeded sample of rows to draw.
pub(crate) struct Draw<'a> {
    pub(crate) parts: &'a [Part],
    pub(crate) columns: &'a [String],
    pub(crate) seed: u64,
    /// How many rows to draw, if there are that many.
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
    // Four times as many as are wanted are expected below this hash. Too few is practically impossible, but would be
    // handled.
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

/// Means and variances by `[group][variable]`, in one pass. A second pass around the means follows if a group of rows
/// is so far from the center of the units, and so narrow, that its variance would be lost in rounding.
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

/// Mean and population variance of variables of features whose values are sketched.
pub(crate) async fn moments_of_variables(
    context: &StageContext<'_>,
    parts: &[Part],
    features: &[String],
    sketches: &[&QuantileSketch],
    variables: &[Variable],
) -> Result<Vec<(f64, f64)>> {
    // The transforms are increasing, so they map bounds to bounds and medians to medians.
    let units = variables.iter().map(|Variable { column, transform }| {
        let (bounds, median) = (sketches[*column].bounds(), sketches[*column].quantile(0.5).unwrap_or_default());
        let bounds = Bounds { min: transform.apply(bounds.min), max: transform.apply(bounds.max) };
        MomentUnits::new(transform.apply(median), &bounds)
    });
    let units: Vec<MomentUnits> = units.collect();
    let columns = MomentColumns { parts, names: features, group: None, variables, units: &units };
    let moments = means_and_variances(context, &columns).await?;
    Ok(moments.into_iter().flatten().map(|moments| (moments.mean, moments.variance)).collect())
}

/// The settings of the features in words: once if they are the same for all, otherwise with the features of each.
fn by_feature<T>(features: &[String], settings: &[T], describe: impl Fn(&T) -> String) -> String {
    let mut said: Vec<(String, Vec<&str>)> = vec![];
    for (feature, settings) in features.iter().zip(settings) {
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
