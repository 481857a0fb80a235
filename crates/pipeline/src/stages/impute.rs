//! Impute: fills the missing cells and flags them.

use segmenta_algorithms::scalers::Transform;
use segmenta_algorithms::sums::Bounds;
use segmenta_engine::artifact::Part;
use segmenta_engine::operators::{DonorSet, DrawDonors, Impute as ImputeTask, ImputedFeature, RowSample};
use segmenta_engine::{EngineError, Result};
use serde::{Deserialize, Serialize};

use super::extract::Extracted;
use super::{MomentColumns, StageContext, means_and_variances, rows_of, singly};
use crate::quantiles::{self, Columns, Wanted};
use crate::spec::{Donors, Impute, ImputeMethod};

/// Which rows are donors is a sample of its own, not that of K-Means.
const DONOR_SEED: u64 = 0x0064_6f6e_6f72;

/// What the stage made.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Imputed {
    /// The feature table without a gap, with `<feature>_imputed` flags; as it was extracted where nothing was missing.
    pub parts: Vec<Part>,
    /// A feature each.
    pub features: Vec<ImputedFeature>,
    /// The rows that neighbours were looked for among, with their features, where that was needed.
    pub donors: Vec<Part>,
    /// What cells were filled with where there was no neighbour, or always (mean, median); a feature each, where needed.
    pub fill: Option<Vec<f64>>,
}

/// Runs the stage.
///
/// # Errors
/// Missing cells with `method: none`; donors that do not fit a worker's memory.
pub async fn run(
    context: &StageContext<'_>,
    settings: &Impute,
    features: &[String],
    extracted: &Extracted,
) -> Result<Imputed> {
    let rows = rows_of(&extracted.parts);
    let missing: u64 = extracted.features.iter().map(|feature| feature.missing).sum();
    let bounds: Vec<Bounds> = extracted.features.iter().map(|feature| feature.bounds).collect();
    if missing == 0 {
        // The feature table has no gap, and need not be written again.
        let features = bounds.into_iter().map(|bounds| ImputedFeature { filled: 0, bounds }).collect();
        return Ok(Imputed { parts: extracted.parts.clone(), features, donors: vec![], fill: None });
    }
    if settings.method == ImputeMethod::None {
        let cells = features.iter().zip(&extracted.features).filter(|(_, feature)| feature.missing > 0);
        let listed: Vec<String> = cells.map(|(name, f)| format!("{} of `{name}`", f.missing)).collect();
        return Err(EngineError::input(format!(
            "cells are missing ({}) and `impute: {{method: none}}` does not fill them: choose a method, or filter the \
             rows out in source.sql",
            listed.join(", ")
        )));
    }
    let fill = match settings.method {
        ImputeMethod::Median => medians(context, features, extracted, &bounds).await?,
        _ => means(context, features, extracted, &bounds).await?,
    };
    let mut donors = None;
    if settings.method == ImputeMethod::Knn {
        let (sample, count) = match settings.donors {
            Donors::AtMost(most) if most < rows => (RowSample::of(DONOR_SEED, most, rows), most),
            _ => (RowSample::of(DONOR_SEED, rows, rows), rows),
        };
        if !sample.is_everything() {
            context.warn(format!(
                "impute: neighbours are looked for among a sample of about {count} of {rows} rows; `impute.donors: \
                 all` takes every row"
            ));
        }
        let prefix = format!("{}donors/", context.prefix);
        let task = DrawDonors { prefix, features: features.to_vec(), sample };
        let parts: Vec<Part> =
            context.map_parts(task, &singly(&extracted.parts)).await?.into_iter().flatten().collect();
        // A tiny sample may be empty: then `fill` does.
        let set = DonorSet { parts, neighbors: settings.neighbors, weights: settings.weights };
        donors = (!set.parts.is_empty()).then_some(set);
    }
    let donor_parts = donors.as_ref().map(|donors| donors.parts.clone()).unwrap_or_default();
    let task = ImputeTask { prefix: context.prefix.clone(), features: features.to_vec(), donors, fill: fill.clone() };
    let mut totals = vec![ImputedFeature::default(); features.len()];
    let mut parts = Vec::with_capacity(extracted.parts.len());
    for imputed in context.map_parts(task, &singly(&extracted.parts)).await? {
        for (total, feature) in totals.iter_mut().zip(&imputed.features) {
            total.merge(feature);
        }
        parts.push(imputed.part);
    }
    Ok(Imputed { parts, features: totals, donors: donor_parts, fill: Some(fill) })
}

async fn means(
    context: &StageContext<'_>,
    features: &[String],
    extracted: &Extracted,
    bounds: &[Bounds],
) -> Result<Vec<f64>> {
    let columns =
        MomentColumns { parts: &extracted.parts, names: features, group: None, transform: Transform::None, bounds };
    let moments = means_and_variances(context, &columns).await?;
    Ok(moments.into_iter().flatten().map(|m| m.mean).collect())
}

async fn medians(
    context: &StageContext<'_>,
    features: &[String],
    extracted: &Extracted,
    bounds: &[Bounds],
) -> Result<Vec<f64>> {
    let rows = rows_of(&extracted.parts);
    let wanted: Vec<Wanted> = (0..features.len())
        .map(|column| Wanted {
            column,
            group: None,
            center: None,
            q: 0.5,
            count: rows - extracted.features[column].missing,
            bounds: bounds[column],
        })
        .collect();
    let columns = Columns { parts: &extracted.parts, names: features, group: None, transform: Transform::None };
    let found = quantiles::find(context, &columns, &wanted).await?;
    Ok(found.into_iter().map(Option::unwrap_or_default).collect())
}
