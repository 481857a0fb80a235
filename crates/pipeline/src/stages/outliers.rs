//! Outliers: cuts the rows that lie outside a feature's fence.

use segmenta_algorithms::outliers::Fence;
use segmenta_algorithms::scalers::Transform;
use segmenta_algorithms::sums::Bounds;
use segmenta_engine::artifact::Part;
use segmenta_engine::operators::SplitOutliers;
use segmenta_engine::{EngineError, Result};
use serde::{Deserialize, Serialize};

use super::impute::Imputed;
use super::{MomentColumns, StageContext, means_and_variances, rows_of, singly};
use crate::quantiles::{self, Columns, Wanted};
use crate::spec::{OutlierMethod, Outliers};

/// What the stage made.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Split {
    /// The rows kept; the imputed ones as they are where none is cut by rule.
    pub kept: Vec<Part>,
    /// The rows cut, with the rule and the feature that cut them.
    pub rejected: Vec<Part>,
    /// A feature each; `None` where none was applied.
    pub fences: Vec<Option<Fence>>,
    /// Rows cut by each feature: the first of the spec that is outside its fence.
    pub cut_by: Vec<u64>,
    /// Bounds of the kept rows, a feature each.
    pub bounds: Vec<Bounds>,
}

/// Runs the stage.
///
/// # Errors
/// Fences that leave no row.
pub async fn run(
    context: &StageContext<'_>,
    settings: &Outliers,
    features: &[String],
    imputed: &Imputed,
) -> Result<Split> {
    let bounds: Vec<Bounds> = imputed.features.iter().map(|feature| feature.bounds).collect();
    let rows = rows_of(&imputed.parts);
    if settings.method == OutlierMethod::None {
        // Every row is kept, and need not be written again.
        let (fences, cut_by) = (vec![None; features.len()], vec![0; features.len()]);
        return Ok(Split { kept: imputed.parts.clone(), rejected: vec![], fences, cut_by, bounds });
    }
    let fences: Vec<Option<Fence>> = match settings.method {
        OutlierMethod::None => vec![None; features.len()],
        OutlierMethod::Iqr => {
            let quartiles = quantiles(context, features, imputed, &[(0.25, None), (0.75, None)]).await?;
            quartiles.iter().map(|q| wide(Fence::iqr(q[0], q[1], settings.factor))).collect()
        }
        OutlierMethod::Zscore => {
            let columns = MomentColumns {
                parts: &imputed.parts,
                names: features,
                group: None,
                transform: Transform::None,
                bounds: &bounds,
            };
            let moments = means_and_variances(context, &columns).await?;
            let fence = |mean: f64, variance: f64| wide(Fence::zscore(mean, variance.sqrt(), settings.factor));
            moments.into_iter().flatten().map(|m| fence(m.mean, m.variance)).collect()
        }
        OutlierMethod::Mad => {
            let medians = quantiles(context, features, imputed, &[(0.5, None)]).await?;
            let centers: Vec<f64> = medians.iter().map(|q| q[0]).collect();
            let deviations = quantiles(context, features, imputed, &[(0.5, Some(&centers))]).await?;
            let fence =
                |(median, deviation): (&f64, &Vec<f64>)| wide(Fence::mad(*median, deviation[0], settings.factor));
            centers.iter().zip(&deviations).map(fence).collect()
        }
    };
    for (name, _) in features.iter().zip(&fences).filter(|(_, fence)| fence.is_none()) {
        context.warn(format!(
            "outliers: `{name}` has no spread by `{}` (at least half of its values are equal), so no row is cut by it",
            settings.method.name()
        ));
    }
    let everything = Fence { low: f64::NEG_INFINITY, high: f64::INFINITY };
    let task = SplitOutliers {
        kept_prefix: format!("{}kept/", context.prefix),
        rejected_prefix: format!("{}rejected/", context.prefix),
        features: features.to_vec(),
        fences: fences.iter().map(|fence| fence.unwrap_or(everything)).collect(),
        rule: settings.method.name().to_owned(),
    };
    let mut split = Split {
        kept: vec![],
        rejected: vec![],
        fences,
        cut_by: vec![0; features.len()],
        bounds: vec![Bounds::default(); features.len()],
    };
    for part in context.map_parts(task, &singly(&imputed.parts)).await? {
        split.kept.extend(part.kept);
        split.rejected.extend(part.rejected);
        split.cut_by.iter_mut().zip(&part.cut_by).for_each(|(total, cut)| *total += cut);
        split.bounds.iter_mut().zip(&part.bounds).for_each(|(total, bounds)| total.merge(bounds));
    }
    if split.kept.is_empty() {
        return Err(EngineError::spec(format!(
            "outliers: the fences cut all {rows} rows; raise `outliers.factor` ({}) or set `method: none`",
            settings.factor
        )));
    }
    Ok(split)
}

/// A fence of no width would cut every row off the most common value: it is not applied.
fn wide(fence: Fence) -> Option<Fence> {
    (fence.high > fence.low).then_some(fence)
}

/// `[feature][quantile]`; with a center, of the absolute deviations from it.
async fn quantiles(
    context: &StageContext<'_>,
    features: &[String],
    imputed: &Imputed,
    quantiles: &[(f64, Option<&[f64]>)],
) -> Result<Vec<Vec<f64>>> {
    let rows = rows_of(&imputed.parts);
    let mut wanted = Vec::with_capacity(features.len() * quantiles.len());
    for (column, feature) in imputed.features.iter().enumerate() {
        for (q, centers) in quantiles {
            let center = centers.map(|centers| centers[column]);
            let bounds = match center {
                Some(center) => Bounds { min: 0.0, max: feature.bounds.reach(center) },
                None => feature.bounds,
            };
            wanted.push(Wanted { column, group: None, center, q: *q, count: rows, bounds });
        }
    }
    let columns = Columns { parts: &imputed.parts, names: features, group: None, transform: Transform::None };
    let found = quantiles::find(context, &columns, &wanted).await?;
    Ok(found.chunks(quantiles.len()).map(|q| q.iter().map(|v| v.unwrap_or_default()).collect()).collect())
}
