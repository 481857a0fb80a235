//! Scale: brings the features to comparable scales, and writes the prepared points.

use segmenta_algorithms::quantiles::{QuantileSearch, QuantileSketch};
use segmenta_algorithms::scalers::{Scaler, Transform};
use segmenta_algorithms::sums::{Bounds, MOST_TERMS};
use segmenta_engine::artifact::Part;
use segmenta_engine::operators::{Scale as ScaleTask, Variable};
use segmenta_engine::{EngineError, Result};
use serde::{Deserialize, Serialize};

use super::extract::LARGEST;
use super::outliers::Split;
use super::{moments_of_variables, singly};
use crate::quantiles::{self, Columns, Wanted};
use crate::stage::{Given, Made, Stage, StageContext};
use crate::stages::outliers::OutliersStage;
use crate::stages::transform::TransformStage;
use crate::stages::{by_feature, rows_of};
use segmenta_results::words::{self, plural};
use segmenta_spec::JobSpec;
use segmenta_spec::{Scale, ScaleMethod, Source};
use serde_json::Value;

/// The stage.
pub struct ScaleStage;

impl Stage for ScaleStage {
    const NAME: &'static str = "scale";
    const AFTER: &'static [&'static str] = &[OutliersStage::NAME];
    type Output = Scaled;

    fn settings(given: &Given<'_>) -> serde_json::Result<Value> {
        let methods: Vec<ScaleMethod> = given.spec.scale.features.iter().map(|scale| scale.method).collect();
        serde_json::to_value(methods)
    }

    fn describe(given: &Given<'_>) -> String {
        describe(given.spec)
    }

    fn rows(_given: &Given<'_>, made: &Made) -> Result<u64> {
        Ok(rows_of(&made.of::<OutliersStage>()?.kept))
    }

    async fn run(context: &StageContext<'_>, given: &Given<'_>, made: &Made) -> Result<Scaled> {
        let (split, transformed) = (made.of::<OutliersStage>()?, made.of::<TransformStage>()?);
        run(context, &given.spec.scale, &given.spec.source, split, &transformed.transforms).await
    }
}

fn describe(spec: &JobSpec) -> String {
    by_feature(&spec.source.features, &spec.scale.features, |scale| {
        match scale.method {
            ScaleMethod::Standard => "to mean 0 and variance 1",
            ScaleMethod::Robust => "to median 0 and interquartile range 1",
            ScaleMethod::Minmax => "to the range 0 to 1",
            ScaleMethod::None => "as they are",
        }
        .to_owned()
    })
}

/// What the stage made.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Scaled {
    /// The prepared points: row id and scaled features, row for row those of the kept rows.
    pub parts: Vec<Part>,
    /// One entry for each feature.
    pub scalers: Vec<Scaler>,
    /// Bounds of the scaled features.
    pub bounds: Vec<Bounds>,
    /// Population variances of the scaled features. K-Means' tolerance is relative to them.
    pub variances: Vec<f64>,
    /// Whether the points have weights.
    pub is_weighted: bool,
    /// Sum of their weights, or their number if they have no weights.
    pub weight: u64,
}

/// Runs the stage: one pass writes the points. Before it there is one pass for the moments of transformed features and
/// one or two for quantiles. The moments of untransformed features came with the rows.
///
/// # Errors
/// Scaled values whose squares cannot be added up.
pub async fn run(
    context: &StageContext<'_>,
    settings: &Scale,
    source: &Source,
    split: &Split,
    transforms: &[Transform],
) -> Result<Scaled> {
    let features = &source.features;
    let variables: Vec<Variable> =
        transforms.iter().enumerate().map(|(column, transform)| Variable { column, transform: *transform }).collect();
    let moments = moments(context, features, split, &variables).await?;
    let quartiles = quartiles(context, settings, features, split, transforms).await?;
    let scaler = |j: usize| {
        let (transform, bounds, (mean, variance)) = (transforms[j], split.features[j].sketch.bounds(), moments[j]);
        match (settings.features[j].method, quartiles[j]) {
            (ScaleMethod::Standard, _) => Scaler::new(transform, mean, variance.sqrt()),
            (ScaleMethod::Robust, Some([q1, median, q3])) => Scaler::new(transform, median, q3 - q1),
            (ScaleMethod::Minmax, _) => {
                let (min, max) = (transform.apply(bounds.min), transform.apply(bounds.max));
                Scaler::new(transform, min, max - min)
            }
            (ScaleMethod::None | ScaleMethod::Robust, _) => Scaler { transform, center: 0.0, scale: 1.0 },
        }
    };
    let scalers: Vec<Scaler> = (0..features.len()).map(scaler).collect();
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
    let large = features.iter().zip(&scaled_bounds).find(|(_, bounds)| bounds.max_abs() > LARGEST);
    if let Some((name, bounds)) = large {
        return Err(EngineError::input(format!(
            "feature `{name}` goes up to {:e} once it is scaled, and squares of more than {LARGEST:e} cannot be added up: most of \
             its values are alike, and some are far away. Set `scale: {{method: standard}}` for it, a transform, or cut its \
             outliers",
            bounds.max_abs()
        )));
    }
    let named = |of: &dyn Fn(usize) -> bool| -> Vec<&str> {
        (0..features.len()).filter(|j| of(*j)).map(|j| features[j].as_str()).collect()
    };
    let is_same = |j: usize| scaled_bounds[j].min == scaled_bounds[j].max;
    let same = named(&is_same);
    if !same.is_empty() {
        let them = plural(same.len() as u64, "it does", "they do");
        let is = plural(same.len() as u64, "is", "are");
        context.warn(format!(
            "{} {is} the same for every row that was kept: {them} not tell rows apart",
            words::features(&same)
        ));
    }
    let has_no_range = |j: usize| {
        let is_robust = settings.features[j].method == ScaleMethod::Robust;
        is_robust && !is_same(j) && quartiles[j].is_some_and(|[q1, median, q3]| Scaler::is_constant(median, q3 - q1))
    };
    let raw = named(&has_no_range);
    if let Some(first) = raw.first() {
        context.warn(format!(
            "{}: half of the values or more are the same, so that the interquartile range is 0 and `method: robust` leaves \
             them in their own unit; set `scale: {{features: {{{first}: standard}}}}`",
            words::features(&raw)
        ));
    }
    let variances = moments.iter().zip(&scalers).map(|((_, variance), s)| variance / (s.scale * s.scale)).collect();
    Ok(Scaled { parts, scalers, bounds: scaled_bounds, variances, is_weighted: source.weight.is_some(), weight })
}

/// Mean and population variance of each variable.
async fn moments(
    context: &StageContext<'_>,
    features: &[String],
    split: &Split,
    variables: &[Variable],
) -> Result<Vec<(f64, f64)>> {
    if variables.iter().all(|variable| variable.transform == Transform::None) {
        let feature = |variable: &Variable| &split.features[variable.column];
        return Ok(variables.iter().map(feature).map(|feature| (feature.mean, feature.variance)).collect());
    }
    let sketches: Vec<&QuantileSketch> = split.features.iter().map(|feature| &feature.sketch).collect();
    moments_of_variables(context, &split.kept, features, &sketches, variables).await
}

/// The quartiles of the transformed values of the features whose scaler asks for them.
async fn quartiles(
    context: &StageContext<'_>,
    settings: &Scale,
    features: &[String],
    split: &Split,
    transforms: &[Transform],
) -> Result<Vec<Option<[f64; 3]>>> {
    let robust: Vec<usize> =
        (0..features.len()).filter(|j| settings.features[*j].method == ScaleMethod::Robust).collect();
    let wanted = robust.iter().flat_map(|&column| {
        [0.25, 0.5, 0.75].map(|q| Wanted {
            column,
            group: None,
            deviation: None,
            search: QuantileSearch::from_sketch(q, &split.features[column].sketch),
        })
    });
    let columns = Columns { parts: &split.kept, names: features, group: None };
    let found = quantiles::find(context, &columns, wanted.collect()).await?;
    let mut quartiles = vec![None; features.len()];
    for (j, found) in robust.into_iter().zip(found.chunks_exact(3)) {
        let of = |search: &Option<QuantileSearch>| search.as_ref()?.value_of(|value| transforms[j].apply(value));
        quartiles[j] = Some([0, 1, 2].map(|i| of(&found[i]).unwrap_or_default()));
    }
    Ok(quartiles)
}
