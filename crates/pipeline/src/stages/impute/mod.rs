//! Impute: fills the missing cells and flags them.

mod error;

use datafusion::execution::memory_pool::MemoryLimit;
use segmenta_algorithms::imputation::KnnImputer;
use segmenta_algorithms::moments::MomentUnits;
use segmenta_algorithms::quantiles::QuantileSearch;
use segmenta_algorithms::sums::Bounds;
use segmenta_engine::artifact::Part;
use segmenta_engine::operators::{
    DonorSearch, DonorSet, DrawDonors, Filling, Impute as ImputeTask, ImputedFeature, RowSample, SearchDonors, Variable,
};
use segmenta_engine::{EngineError, Result};
use serde::{Deserialize, Serialize};

pub use error::ImputationError;

use super::extract::Extracted;
use super::{MeanAndVariance, MomentColumns, means_and_variances, rows_of, singly};
use crate::quantiles::{self, Columns, Wanted};
use crate::stage::{Given, Made, Stage, StageContext};
use crate::stages::by_feature;
use crate::stages::extract::ExtractStage;
use segmenta_spec::JobSpec;
use segmenta_spec::{Donors, Fill, Impute};
use serde_json::Value;

/// Seed of the sample of donors, which differs from that of K-Means.
const DONOR_SEED: u64 = 0x0064_6f6e_6f72;

/// The stage.
pub struct ImputeStage;

impl Stage for ImputeStage {
    const NAME: &'static str = "impute";
    const AFTER: &'static [&'static str] = &[ExtractStage::NAME];
    type Output = Imputed;

    fn settings(given: &Given<'_>) -> serde_json::Result<Value> {
        serde_json::to_value(&given.spec.impute)
    }

    fn describe(given: &Given<'_>) -> String {
        describe(given.spec)
    }

    fn rows(_given: &Given<'_>, made: &Made) -> Result<u64> {
        Ok(rows_of(&made.of::<ExtractStage>()?.parts))
    }

    async fn run(context: &StageContext<'_>, given: &Given<'_>, made: &Made) -> Result<Imputed> {
        run(context, &given.spec.impute, &given.spec.source.features, made.of::<ExtractStage>()?).await
    }
}

fn describe(spec: &JobSpec) -> String {
    let impute = &spec.impute;
    by_feature(&spec.source.features, &impute.fills, |fill| match fill {
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

/// What the stage made.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Imputed {
    /// The feature table without gaps, with `<feature>_imputed` flags; the extracted table itself where nothing was
    /// missing.
    pub parts: Vec<Part>,
    /// One entry for each feature.
    pub features: Vec<ImputedFeature>,
    /// The rows among which neighbours were searched, with their features, if that was needed.
    pub donors: Vec<Part>,
    /// Bounds of the features before they were filled.
    pub bounds: Vec<Bounds>,
    /// The value for each feature, used where there was no neighbour, or always; given where cells were missing.
    pub fill: Option<Vec<f64>>,
    /// How far off neighbours are, where they filled cells.
    pub error: Option<ImputationError>,
}

/// Runs the stage. If cells are missing, one pass fills them. Before it there is one pass for means (also the last
/// resort of nearest neighbours), one or two for medians, one that draws the donors, and one that searches them where
/// they do not fit in a worker's memory.
///
/// # Errors
/// Missing cells with `method: none`; donors that do not fit a worker's memory.
pub async fn run(
    context: &StageContext<'_>,
    settings: &Impute,
    features: &[String],
    extracted: &Extracted,
) -> Result<Imputed> {
    let missing: Vec<u64> = extracted.features.iter().map(|feature| feature.missing).collect();
    let bounds: Vec<Bounds> = extracted.features.iter().map(|feature| feature.bounds()).collect();
    if missing.iter().all(|cells| *cells == 0) {
        // The feature table has no gap, so it is not written again.
        let features = extracted.features.iter();
        let features = features.map(|feature| ImputedFeature { filled: 0, sketch: feature.sketch.clone() }).collect();
        return Ok(Imputed {
            parts: extracted.parts.clone(),
            features,
            donors: vec![],
            bounds,
            fill: None,
            error: None,
        });
    }
    let unfilled: Vec<String> = (0..features.len())
        .filter(|j| missing[*j] > 0 && settings.fills[*j] == Fill::None)
        .map(|j| format!("{} of `{}`", missing[j], features[j]))
        .collect();
    if !unfilled.is_empty() {
        return Err(EngineError::input(format!(
            "cells are missing ({}) and `impute: {{method: none}}` does not fill them: choose a method, or filter the \
             rows out in source.sql",
            unfilled.join(", ")
        )));
    }
    let moments = moments(context, settings, features, extracted).await?;
    let values = values(context, settings, features, extracted, &moments).await?;
    let by_neighbors = |j: &usize| settings.fills[*j] == Fill::Knn;
    let (mut donors, mut error) = (None, None);
    if (0..features.len()).any(|j| missing[j] > 0 && by_neighbors(&j)) {
        let rows = rows_of(&extracted.parts);
        let sample = match settings.donors {
            Donors::AtMost(most) if most < rows => {
                context.warn(format!(
                    "impute: neighbours are looked for among a sample of about {most} of {rows} rows; `impute.donors: \
                     all` takes every row"
                ));
                RowSample::of(DONOR_SEED, most, rows)
            }
            _ => RowSample::of(DONOR_SEED, rows, rows),
        };
        let search = DonorSearch { neighbors: settings.neighbors, weights: settings.weights, bounds: bounds.clone() };
        error = error::estimate(context, &search, sample, features, &extracted.parts, &moments).await?;
        let task = DrawDonors { prefix: format!("{}donors/", context.prefix), features: features.to_vec(), sample };
        let parts = context.map_parts(task, &singly(&extracted.parts)).await?;
        let parts: Vec<Part> = parts.into_iter().flatten().collect();
        // A tiny sample may be empty; then the mean fills the cells.
        donors = (!parts.is_empty()).then_some(DonorSet { parts, search });
    }
    let donor_parts = donors.as_ref().map(|donors| donors.parts.clone()).unwrap_or_default();
    let mask = |all: u64, j: usize| all | 1 << j;
    let mut filling = Filling {
        donors,
        by_neighbors: if (0..features.len()).all(|j| by_neighbors(&j)) {
            u64::MAX
        } else {
            (0..features.len()).filter(by_neighbors).fold(0, mask)
        },
        values: values.clone(),
    };
    let mut inputs = singly(&extracted.parts);
    let shares = filling.donors.as_ref().map(|donors| shares(context, donors, features.len())).unwrap_or_default();
    if let (Some(donors), true) = (&mut filling.donors, shares.len() > 1) {
        tracing::info!(
            donors = donors.rows(),
            shares = shares.len(),
            "the donors do not fit a worker: each row meets every share of them"
        );
        search(context, &donors.search, features, &shares, &mut inputs).await?;
        // The donors are already in what the search found.
        donors.parts.clear();
    } else if let Some(donors) = &filling.donors {
        tracing::info!(donors = donors.rows(), "every worker holds all donors");
    }
    let task = ImputeTask { prefix: context.prefix.clone(), features: features.to_vec(), filling };
    let mut totals = vec![ImputedFeature::default(); features.len()];
    let mut parts = Vec::with_capacity(extracted.parts.len());
    for imputed in context.map_parts(task, &inputs).await? {
        totals.iter_mut().zip(&imputed.features).for_each(|(total, feature)| total.merge(feature));
        parts.push(imputed.part);
    }
    Ok(Imputed { parts, features: totals, donors: donor_parts, bounds, fill: Some(values), error })
}

/// The donors in shares that a worker can hold; a single share if it can hold them all. Workers are assumed to have the
/// memory of this process. The shares change no result.
fn shares(context: &StageContext<'_>, donors: &DonorSet, features: usize) -> Vec<Vec<Part>> {
    let budget = match context.cluster.runtime().memory_pool.memory_limit() {
        // Half of the pool. The store, which keeps the donors, is two thirds as large as the pool.
        MemoryLimit::Finite(bytes) => bytes / 2,
        _ => usize::MAX,
    };
    let mut shares: Vec<Vec<Part>> = vec![];
    let mut rows = 0;
    for part in &donors.parts {
        let more = part.rows as usize;
        match shares.last_mut() {
            Some(share) if KnnImputer::most_bytes(rows + more, features) <= budget => {
                share.push(part.clone());
                rows += more;
            }
            _ => {
                shares.push(vec![part.clone()]);
                rows = more;
            }
        }
    }
    shares
}

/// Searches every share of the donors, and adds what was found to the inputs of the pass that fills.
async fn search(
    context: &StageContext<'_>,
    search: &DonorSearch,
    features: &[String],
    shares: &[Vec<Part>],
    inputs: &mut [Vec<Part>],
) -> Result<()> {
    let task = SearchDonors {
        prefix: format!("{}nearest/", context.prefix),
        features: features.to_vec(),
        search: search.clone(),
    };
    // All rows meet one share before the next, so that a worker loads each share once.
    let of_share = |share: &Vec<Part>| inputs.iter().map(|rows| [rows.clone(), share.clone()].concat()).collect();
    let pairs: Vec<Vec<Part>> = shares.iter().flat_map(|share| -> Vec<Vec<Part>> { of_share(share) }).collect();
    let found = context.map_parts(task, &pairs).await?;
    for rows in inputs {
        let index = rows[0].index;
        rows.extend(found.iter().filter(|found| found.index == index).cloned());
    }
    Ok(())
}

/// Means and variances of the features, if they are needed; otherwise empty.
async fn moments(
    context: &StageContext<'_>,
    settings: &Impute,
    features: &[String],
    extracted: &Extracted,
) -> Result<Vec<MeanAndVariance>> {
    if !settings.fills.iter().any(|fill| matches!(fill, Fill::Knn | Fill::Mean)) {
        return Ok(vec![]);
    }
    let units = extracted
        .features
        .iter()
        .map(|feature| MomentUnits::new(feature.sketch.quantile(0.5).unwrap_or_default(), &feature.sketch.bounds()));
    let columns = MomentColumns {
        parts: &extracted.parts,
        names: features,
        group: None,
        variables: &Variable::plain(features.len()),
        units: &units.collect::<Vec<_>>(),
    };
    Ok(means_and_variances(context, &columns).await?.into_iter().flatten().collect())
}

/// The value that fills the cells of each feature. For nearest neighbours it is the mean, used where there is no
/// neighbour.
async fn values(
    context: &StageContext<'_>,
    settings: &Impute,
    features: &[String],
    extracted: &Extracted,
    moments: &[MeanAndVariance],
) -> Result<Vec<f64>> {
    let medians = medians(context, settings, features, extracted).await?;
    let value = |(j, fill): (usize, &Fill)| match fill {
        Fill::Knn | Fill::Mean => moments.get(j).map_or(0.0, |moments| moments.mean),
        Fill::Median => medians[j],
        Fill::Constant(value) => *value,
        Fill::None => 0.0,
    };
    Ok(settings.fills.iter().enumerate().map(value).collect())
}

/// The medians of the features that are filled with them; 0 for others.
async fn medians(
    context: &StageContext<'_>,
    settings: &Impute,
    features: &[String],
    extracted: &Extracted,
) -> Result<Vec<f64>> {
    let columns: Vec<usize> = (0..features.len()).filter(|j| settings.fills[*j] == Fill::Median).collect();
    let wanted = columns.iter().map(|&column| {
        let search = QuantileSearch::from_sketch(0.5, &extracted.features[column].sketch);
        Wanted { column, group: None, deviation: None, search }
    });
    let table = Columns { parts: &extracted.parts, names: features, group: None };
    let found = quantiles::find(context, &table, wanted.collect()).await?;
    let mut medians = vec![0.0; features.len()];
    for (column, search) in columns.into_iter().zip(found) {
        medians[column] = search.as_ref().and_then(QuantileSearch::value).unwrap_or_default();
    }
    Ok(medians)
}
