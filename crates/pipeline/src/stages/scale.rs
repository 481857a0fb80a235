//! Scale: puts the features on one footing, and writes the prepared points.

use segmenta_algorithms::scalers::{Scaler, Transform};
use segmenta_algorithms::sums::{Bounds, MOST_TERMS};
use segmenta_engine::artifact::Part;
use segmenta_engine::operators::Scale as ScaleTask;
use segmenta_engine::{EngineError, Result};
use serde::{Deserialize, Serialize};

use super::outliers::Split;
use super::{MomentColumns, StageContext, means_and_variances, rows_of, singly};
use crate::quantiles::{self, Columns, Wanted};
use crate::spec::{Scale, ScaleMethod, Source};

/// What the stage made.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Scaled {
    /// The prepared points: row id and scaled features, row for row those of the kept rows.
    pub parts: Vec<Part>,
    /// A feature each.
    pub scalers: Vec<Scaler>,
    /// Bounds of the scaled features.
    pub bounds: Vec<Bounds>,
    /// Population variances of the scaled features: what K-Means' tolerance is relative to.
    pub variances: Vec<f64>,
    /// Whether the points have weights.
    pub is_weighted: bool,
    /// Their weights, added up; their number where they have none.
    pub weight: u64,
}

/// Runs the stage.
///
/// # Errors
/// A value outside the domain of the transform.
pub async fn run(context: &StageContext<'_>, settings: &Scale, source: &Source, split: &Split) -> Result<Scaled> {
    let features = &source.features;
    let transform = settings.transform;
    if transform == Transform::Log1p {
        let outside = features.iter().zip(&split.bounds).filter(|(_, bounds)| bounds.min <= -1.0);
        let listed: Vec<String> =
            outside.map(|(name, bounds)| format!("`{name}` goes down to {}", bounds.min)).collect();
        if !listed.is_empty() {
            return Err(EngineError::spec(format!(
                "scale.transform: log1p needs values above -1, but {}; shift the feature in source.sql, or set `transform: \
                 none`",
                listed.join(", ")
            )));
        }
    }
    // The transforms are monotonic.
    let bounds: Vec<Bounds> =
        split.bounds.iter().map(|b| Bounds { min: transform.apply(b.min), max: transform.apply(b.max) }).collect();
    let columns = MomentColumns { parts: &split.kept, names: features, group: None, transform, bounds: &bounds };
    let moments: Vec<_> = means_and_variances(context, &columns).await?.into_iter().flatten().collect();
    let scalers: Vec<Scaler> = match settings.method {
        ScaleMethod::None => features.iter().map(|_| Scaler { transform, center: 0.0, scale: 1.0 }).collect(),
        ScaleMethod::Standard => moments.iter().map(|m| Scaler::new(transform, m.mean, m.variance.sqrt())).collect(),
        ScaleMethod::Minmax => bounds.iter().map(|b| Scaler::new(transform, b.min, b.max - b.min)).collect(),
        ScaleMethod::Robust => {
            let rows = rows_of(&split.kept);
            let mut wanted = Vec::new();
            for (column, bounds) in bounds.iter().enumerate() {
                for q in [0.25, 0.5, 0.75] {
                    wanted.push(Wanted { column, group: None, center: None, q, count: rows, bounds: *bounds });
                }
            }
            let columns = Columns { parts: &split.kept, names: features, group: None, transform };
            let found = quantiles::find(context, &columns, &wanted).await?;
            let found: Vec<f64> = found.into_iter().map(Option::unwrap_or_default).collect();
            found.chunks_exact(3).map(|q| Scaler::new(transform, q[1], q[2] - q[0])).collect()
        }
    };
    let task = ScaleTask {
        prefix: context.prefix.clone(),
        features: features.clone(),
        scalers: scalers.clone(),
        weight: source.weight.clone(),
    };
    let mut scaled_bounds = vec![Bounds::default(); features.len()];
    let (mut parts, mut weight) = (Vec::with_capacity(split.kept.len()), 0_u64);
    for scaled in context.map_parts(task, &singly(&split.kept)).await? {
        scaled_bounds.iter_mut().zip(&scaled.bounds).for_each(|(total, bounds)| total.merge(bounds));
        parts.push(scaled.part);
        weight = weight.saturating_add(scaled.weight);
    }
    if weight > MOST_TERMS {
        return Err(EngineError::input(format!(
            "source.weight: the rows stand for {weight} customers; {MOST_TERMS} are the most that can be added up exactly"
        )));
    }
    for (name, bounds) in features.iter().zip(&scaled_bounds) {
        if bounds.min == bounds.max {
            context
                .warn(format!("feature `{name}` is the same for every row that was kept: it does not tell rows apart"));
        }
    }
    let variances = moments.iter().zip(&scalers).map(|(m, s)| m.variance / (s.scale * s.scale)).collect();
    Ok(Scaled { parts, scalers, bounds: scaled_bounds, variances, is_weighted: source.weight.is_some(), weight })
}
