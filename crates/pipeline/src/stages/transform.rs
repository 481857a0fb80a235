//! Transform: finds what brings in the tails of skewed features, before any fence is set. No row is written: the values
//! are transformed where they are used.

use segmenta_algorithms::quantiles::QuantileSketch;
use segmenta_algorithms::scalers::{SKEWED, Transform, TransformChoice, YeoJohnsonSearch, choose_transform};
use segmenta_engine::operators::Variable;
use segmenta_engine::{EngineError, Result};
use segmenta_results::words;
use segmenta_spec::{FeatureScale, JobSpec, Scale, TransformMethod};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::impute::{ImputeStage, Imputed};
use super::{by_feature, moments_of_variables, rows_of};
use crate::stage::{Given, Made, Stage, StageContext};

/// The stage.
pub struct TransformStage;

impl Stage for TransformStage {
    const NAME: &'static str = "transform";
    const AFTER: &'static [&'static str] = &[ImputeStage::NAME];
    type Output = Transformed;

    fn settings(given: &Given<'_>) -> serde_json::Result<Value> {
        let methods: Vec<TransformMethod> = given.spec.scale.features.iter().map(|scale| scale.transform).collect();
        serde_json::to_value(methods)
    }

    fn describe(given: &Given<'_>) -> String {
        describe(given.spec)
    }

    fn rows(_given: &Given<'_>, made: &Made) -> Result<u64> {
        Ok(rows_of(&made.of::<ImputeStage>()?.parts))
    }

    async fn run(context: &StageContext<'_>, given: &Given<'_>, made: &Made) -> Result<Transformed> {
        run(context, &given.spec.scale, &given.spec.source.features, made.of::<ImputeStage>()?).await
    }
}

fn describe(spec: &JobSpec) -> String {
    by_feature(&spec.source.features, &spec.scale.features, |scale| {
        match scale.transform {
            TransformMethod::Auto => return format!("a logarithm or Yeo-Johnson at a skewness beyond {SKEWED}"),
            TransformMethod::None => "as they are",
            TransformMethod::Log1p => "log1p",
            TransformMethod::SignedLog1p => "log1p of either sign",
            TransformMethod::YeoJohnson => "Yeo-Johnson",
        }
        .to_owned()
    })
}

/// What the stage made.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Transformed {
    /// One for each feature.
    pub transforms: Vec<Transform>,
    /// How skewed each feature is without it; `None` where it has no spread.
    pub skewness: Vec<Option<f64>>,
}

/// Runs the stage: no pass but for Yeo-Johnson, whose lambdas are found in a few over all rows.
///
/// # Errors
/// A value outside the domain of the transform.
async fn run(
    context: &StageContext<'_>,
    settings: &Scale,
    features: &[String],
    imputed: &Imputed,
) -> Result<Transformed> {
    let sketches: Vec<&QuantileSketch> = imputed.features.iter().map(|feature| &feature.sketch).collect();
    let bounds = sketches.iter().map(|sketch| sketch.bounds());
    let outside = features.iter().zip(&settings.features).zip(bounds).filter_map(|((name, scale), bounds)| {
        let is_outside = scale.transform == TransformMethod::Log1p && bounds.min <= -1.0;
        is_outside.then(|| format!("`{name}` goes down to {}", bounds.min))
    });
    let listed: Vec<String> = outside.collect();
    if !listed.is_empty() {
        return Err(EngineError::spec(format!(
            "scale.transform: log1p needs values above -1, but {}; shift the feature in source.sql, or set `transform: \
             signed_log1p`, `yeo_johnson` or `none` for it",
            listed.join(", ")
        )));
    }
    let choice = |(scale, sketch): (&FeatureScale, &&QuantileSketch)| match scale.transform {
        TransformMethod::Auto => choose_transform(sketch),
        TransformMethod::None => TransformChoice::This(Transform::None),
        TransformMethod::Log1p => TransformChoice::This(Transform::Log1p),
        TransformMethod::SignedLog1p => TransformChoice::This(Transform::SignedLog1p),
        TransformMethod::YeoJohnson => TransformChoice::YeoJohnson,
    };
    let choices: Vec<TransformChoice> = settings.features.iter().zip(&sketches).map(choice).collect();
    let search = |(choice, sketch): (&TransformChoice, &&QuantileSketch)| {
        (*choice == TransformChoice::YeoJohnson).then(|| YeoJohnsonSearch::new(sketch))
    };
    let searches = choices.iter().zip(&sketches).map(search).collect();
    let powers = powers(context, features, imputed, searches).await?;
    let transform = |(choice, power): (&TransformChoice, Option<Transform>)| match choice {
        TransformChoice::This(transform) => *transform,
        TransformChoice::YeoJohnson => power.unwrap_or(Transform::None),
    };
    Ok(Transformed {
        transforms: choices.iter().zip(powers).map(transform).collect(),
        skewness: sketches.iter().map(|sketch| sketch.skewness(|value| value)).collect(),
    })
}

/// Completes the searches for Yeo-Johnson's lambda, all of them in the same passes.
async fn powers(
    context: &StageContext<'_>,
    features: &[String],
    imputed: &Imputed,
    mut searches: Vec<Option<YeoJohnsonSearch>>,
) -> Result<Vec<Option<Transform>>> {
    loop {
        // For each feature that is searched for: the result of every lambda, and the logarithm that its likelihood
        // needs.
        let mut variables: Vec<Variable> = vec![];
        let mut open: Vec<usize> = vec![];
        for (column, search) in searches.iter().enumerate() {
            let Some((search, lambdas)) = search.as_ref().and_then(|search| Some((search, search.lambdas()?))) else {
                continue;
            };
            open.push(column);
            variables.extend(lambdas.map(|lambda| Variable { column, transform: search.with(lambda) }));
            variables.push(Variable { column, transform: search.logarithm() });
        }
        if open.is_empty() {
            let is_bounded =
                |search: &Option<YeoJohnsonSearch>| search.as_ref().is_some_and(YeoJohnsonSearch::is_bounded);
            let bounded = features.iter().zip(&searches).filter(|(_, search)| is_bounded(search));
            let bounded: Vec<&str> = bounded.map(|(name, _)| name.as_str()).collect();
            if !bounded.is_empty() {
                context.warn(format!(
                    "{}: the likelihood of Yeo-Johnson's lambda rises up to where the values become too large; the last lambda \
                     before that is taken",
                    words::features(&bounded)
                ));
            }
            return Ok(searches.iter().map(|search| search.as_ref().and_then(YeoJohnsonSearch::transform)).collect());
        }
        let sketches: Vec<&QuantileSketch> = imputed.features.iter().map(|feature| &feature.sketch).collect();
        let moments = moments_of_variables(context, &imputed.parts, features, &sketches, &variables).await?;
        for (column, moments) in open.iter().zip(moments.chunks_exact(variables.len() / open.len())) {
            let ([powers @ .., (mean_log, _)], Some(search)) = (moments, &mut searches[*column]) else { continue };
            search.narrow(&std::array::from_fn(|i| powers[i].1), *mean_log);
        }
    }
}
