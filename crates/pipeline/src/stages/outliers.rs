//! Outliers: sets aside the rows that lie outside a feature's fence.

use segmenta_algorithms::moments::MomentUnits;
use segmenta_algorithms::outliers::{Fence, IsolationForest, first_outside};
use segmenta_algorithms::quantiles::{QuantileSearch, QuantileSketch};
use segmenta_engine::artifact::Part;
use segmenta_engine::operators::{ForestCut, KeptFeature, ScoreForest, SplitOutliers, Variable, write_none_rejected};
use segmenta_engine::{EngineError, Result};
use serde::{Deserialize, Serialize};

use super::impute::Imputed;
use super::{Draw, MeanAndVariance, MomentColumns, draw, means_and_variances, rows_of, singly};
use crate::quantiles::{self, Columns, Wanted};
use crate::stage::{Given, Made, Stage, StageContext};
use crate::stages::by_feature;
use crate::stages::extract::ExtractStage;
use crate::stages::impute::ImputeStage;
use segmenta_results::words::{self, plural};
use segmenta_spec::JobSpec;
use segmenta_spec::{Forest, ForestThreshold, OutlierRule, Outliers, Quantiles};
use serde_json::Value;

/// The stage.
pub struct OutliersStage;

impl Stage for OutliersStage {
    const NAME: &'static str = "outliers";
    const AFTER: &'static [&'static str] = &[ImputeStage::NAME];
    type Output = Split;

    fn settings(given: &Given<'_>) -> serde_json::Result<Value> {
        serde_json::to_value(&given.spec.outliers)
    }

    fn describe(given: &Given<'_>) -> String {
        describe(given.spec)
    }

    fn rows(_given: &Given<'_>, made: &Made) -> Result<u64> {
        Ok(rows_of(&made.of::<ExtractStage>()?.parts))
    }

    async fn run(context: &StageContext<'_>, given: &Given<'_>, made: &Made) -> Result<Split> {
        run(context, &given.spec.outliers, &given.spec.source.features, made.of::<ImputeStage>()?).await
    }
}

fn describe(spec: &JobSpec) -> String {
    let outliers = &spec.outliers;
    let fences = by_feature(&spec.source.features, &outliers.rules, |rule| match rule {
        OutlierRule::Iqr { factor } => format!("set aside beyond {factor} interquartile ranges from the quartiles"),
        OutlierRule::Zscore { factor } => format!("set aside beyond {factor} standard deviations from the mean"),
        OutlierRule::Mad { factor } => format!("set aside at modified z-scores beyond {factor}"),
        OutlierRule::Percentile { low, high } => format!("set aside beyond the quantiles {low} and {high}"),
        OutlierRule::None => "keep every row".to_owned(),
    });
    let forest = outliers.forest.map_or_else(String::new, |forest| {
        let cut = match forest.threshold {
            ForestThreshold::Contamination(share) => format!("at most {share} of the rows within the fences"),
            ForestThreshold::Score(score) => format!("rows within the fences with scores above {score}"),
        };
        format!("; by an isolation forest of {} trees, {cut}", forest.trees)
    });
    format!("{fences}{forest}")
}

/// What the stage made.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Split {
    /// The rows kept. If no rule sets a row aside, these are the imputed parts themselves.
    pub kept: Vec<Part>,
    /// The rows set aside, with the rule and the feature that set them aside.
    pub rejected: Vec<Part>,
    /// One entry for each feature; `None` where no fence was applied.
    pub fences: Vec<Option<Fence>>,
    /// The forest, if the spec asks for one.
    pub forest: Option<ForestCut>,
    /// One entry for each feature.
    pub features: Vec<SplitFeature>,
}

/// A feature after the outliers were set aside.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SplitFeature {
    /// Rows set aside by it: it is the first feature of the spec that is outside its fence.
    pub cut: u64,
    /// Rows that the isolation forest set aside, counted at the feature that isolates them the most.
    pub cut_by_forest: u64,
    /// How the cells of the kept rows are distributed.
    pub sketch: QuantileSketch,
    /// Mean and population variance of the kept rows.
    pub mean: f64,
    /// Population variance of the kept rows.
    pub variance: f64,
}

/// Runs the stage: one pass splits the rows. Before it there is one pass for fences by moments and one or two for exact
/// quantiles.
///
/// # Errors
/// When the fences leave no row.
pub async fn run(
    context: &StageContext<'_>,
    settings: &Outliers,
    features: &[String],
    imputed: &Imputed,
) -> Result<Split> {
    let rows = rows_of(&imputed.parts);
    // Variances can be taken around the median, and the median stays within the fences.
    let units = |sketch: &QuantileSketch| MomentUnits::new(sketch.quantile(0.5).unwrap_or_default(), &sketch.bounds());
    let units: Vec<MomentUnits> = imputed.features.iter().map(|feature| units(&feature.sketch)).collect();
    if settings.forest.is_none() && settings.rules.iter().all(|rule| *rule == OutlierRule::None) {
        // Every row is kept, so nothing has to be written again.
        let moments = moments(context, features, imputed, &units).await?;
        let kept = imputed.features.iter().zip(moments).map(|(feature, moments)| SplitFeature {
            cut: 0,
            cut_by_forest: 0,
            sketch: feature.sketch.clone(),
            mean: moments.mean,
            variance: moments.variance,
        });
        let fences = vec![None; features.len()];
        let rejected = none_rejected(context, features, imputed).await?;
        let features = kept.collect();
        return Ok(Split { kept: imputed.parts.clone(), rejected, fences, forest: None, features });
    }
    let fences = fences(context, settings, features, imputed, &units).await?;
    let applied: Vec<Fence> = fences.iter().map(|fence| fence.unwrap_or(Fence::EVERYTHING)).collect();
    let forest = match &settings.forest {
        Some(settings) => Some(forest(context, settings, features, imputed, &applied).await?),
        None => None,
    };
    let task = SplitOutliers {
        kept_prefix: format!("{}kept/", context.prefix),
        rejected_prefix: format!("{}rejected/", context.prefix),
        features: features.to_vec(),
        fences: applied,
        forest: forest.clone(),
        rules: settings.rules.iter().map(|rule| rule.name().to_owned()).collect(),
        units: units.clone(),
    };
    let mut totals = vec![KeptFeature::default(); features.len()];
    let (mut kept, mut rejected) = (vec![], vec![]);
    for part in context.map_parts(task, &singly(&imputed.parts)).await? {
        kept.extend(part.kept);
        rejected.extend(part.rejected);
        totals.iter_mut().zip(&part.features).for_each(|(total, feature)| total.merge(feature));
    }
    if rejected.is_empty() {
        rejected = none_rejected(context, features, imputed).await?;
    }
    if kept.is_empty() {
        return Err(EngineError::spec(format!(
            "outliers: the rules set all {rows} rows aside; raise `outliers.factor`, or set `method: none`"
        )));
    }
    let mut split = Split { kept, rejected, fences, forest, features: vec![] };
    let precise = totals.iter().zip(&units).all(|(feature, units)| feature.moments.is_precise(units));
    let moments: Vec<MeanAndVariance> = if precise {
        totals.iter().zip(&units).map(|(feature, units)| MeanAndVariance::new(&feature.moments, units)).collect()
    } else {
        let units: Vec<MomentUnits> = totals
            .iter()
            .zip(&units)
            .map(|(feature, units)| MomentUnits::new(feature.moments.mean(units), &feature.sketch.bounds()))
            .collect();
        let columns = MomentColumns {
            parts: &split.kept,
            names: features,
            group: None,
            variables: &Variable::plain(features.len()),
            units: &units,
        };
        means_and_variances(context, &columns).await?.into_iter().flatten().collect()
    };
    split.features = totals
        .into_iter()
        .zip(moments)
        .map(|(feature, moments)| SplitFeature {
            cut: feature.cut,
            cut_by_forest: feature.cut_by_forest,
            sketch: feature.sketch,
            mean: moments.mean,
            variance: moments.variance,
        })
        .collect();
    Ok(split)
}

/// The table of the customers set aside, if there are none.
async fn none_rejected(context: &StageContext<'_>, features: &[String], imputed: &Imputed) -> Result<Vec<Part>> {
    let Some(first) = imputed.parts.first() else { return Ok(vec![]) };
    let prefix = format!("{}rejected/", context.prefix);
    Ok(vec![write_none_rejected(&context.cluster.runtime(), &prefix, first, features).await?])
}

/// The least and the largest number of sampled rows that the trees are grown on.
const FOREST_ROWS: (usize, usize) = (4_096, 131_072);

/// Grows the forest on a seeded sample of the rows within their fences, and finds its threshold.
async fn forest(
    context: &StageContext<'_>,
    settings: &Forest,
    features: &[String],
    imputed: &Imputed,
    fences: &[Fence],
) -> Result<ForestCut> {
    let rows = (settings.trees * settings.rows).clamp(FOREST_ROWS.0, FOREST_ROWS.1);
    let wanted = Draw { parts: &imputed.parts, columns: features, seed: settings.seed, rows, keep: true };
    let mut sample = draw(context, &wanted).await?;
    sample.retain(|row| first_outside(&row.point, fences).is_none());
    let sample: Vec<f64> = sample.into_iter().flat_map(|row| row.point).collect();
    let forest = IsolationForest::grow(&sample, features.len(), settings.trees, settings.rows, settings.seed);
    let threshold = match settings.threshold {
        ForestThreshold::Score(score) => score,
        ForestThreshold::Contamination(share) => {
            let task = ScoreForest { features: features.to_vec(), fences: fences.to_vec(), forest: forest.clone() };
            let merge = |total: &mut QuantileSketch, part: QuantileSketch| total.merge(&part);
            let scores = context.merge_parts(task, &singly(&imputed.parts), merge).await?;
            let most = (share * scores.count() as f64) as u64;
            scores.at_most_above(most).unwrap_or(1.0)
        }
    };
    Ok(ForestCut { forest, threshold })
}

async fn moments(
    context: &StageContext<'_>,
    features: &[String],
    imputed: &Imputed,
    units: &[MomentUnits],
) -> Result<Vec<MeanAndVariance>> {
    let variables = Variable::plain(features.len());
    let columns = MomentColumns { parts: &imputed.parts, names: features, group: None, variables: &variables, units };
    Ok(means_and_variances(context, &columns).await?.into_iter().flatten().collect())
}

/// One entry for each feature; `None` where no fence is applied.
async fn fences(
    context: &StageContext<'_>,
    settings: &Outliers,
    features: &[String],
    imputed: &Imputed,
    units: &[MomentUnits],
) -> Result<Vec<Option<Fence>>> {
    let rules = &settings.rules;
    let moments = if rules.iter().any(|rule| matches!(rule, OutlierRule::Zscore { .. })) {
        moments(context, features, imputed, units).await?
    } else {
        vec![]
    };
    // The quantiles that each rule needs. For a modified z-score, the second is that of the deviations from the first.
    let asked: Vec<Vec<(f64, Option<f64>)>> = rules
        .iter()
        .map(|rule| match *rule {
            OutlierRule::Iqr { .. } => vec![(0.25, None), (0.75, None)],
            OutlierRule::Mad { .. } => vec![(0.5, None)],
            OutlierRule::Percentile { low, high } => vec![(low, None), (high, None)],
            OutlierRule::Zscore { .. } | OutlierRule::None => vec![],
        })
        .collect();
    let found = quantiles(context, settings.quantiles, features, imputed, &asked).await?;
    let deviations: Vec<Vec<(f64, Option<f64>)>> = rules
        .iter()
        .zip(&found)
        .map(|(rule, found)| match (rule, found.first()) {
            (OutlierRule::Mad { .. }, Some(median)) => vec![(0.5, Some(*median))],
            _ => vec![],
        })
        .collect();
    let deviations = quantiles(context, settings.quantiles, features, imputed, &deviations).await?;
    let mut flat = vec![];
    let mut fences = Vec::with_capacity(rules.len());
    for (j, rule) in rules.iter().enumerate() {
        let fence = match (*rule, found[j].as_slice(), deviations[j].as_slice()) {
            (OutlierRule::Iqr { factor }, [q1, q3], _) => Fence::iqr(*q1, *q3, factor),
            (OutlierRule::Percentile { .. }, [low, high], _) => Fence { low: *low, high: *high },
            (OutlierRule::Mad { factor }, [median], [deviation]) => Fence::mad(*median, *deviation, factor),
            (OutlierRule::Zscore { factor }, _, _) => {
                Fence::zscore(moments[j].mean, moments[j].variance.sqrt(), factor)
            }
            _ => {
                fences.push(None);
                continue;
            }
        };
        // A fence of zero width would set aside every row except those with the most common value, so it is not
        // applied.
        let fence = (fence.high > fence.low).then_some(fence);
        if fence.is_none() {
            flat.push(features[j].as_str());
        }
        fences.push(fence);
    }
    if !flat.is_empty() {
        let has = plural(flat.len() as u64, "has", "have");
        context.warn(format!(
            "outliers: {} {has} no spread by the rule (at least half of the values are equal), so it sets no row aside",
            words::features(&flat)
        ));
    }
    Ok(fences)
}

/// For each feature, the quantiles asked for: `(q, center)`, with a center if the quantile is of the absolute
/// deviations from it.
async fn quantiles(
    context: &StageContext<'_>,
    how: Quantiles,
    features: &[String],
    imputed: &Imputed,
    asked: &[Vec<(f64, Option<f64>)>],
) -> Result<Vec<Vec<f64>>> {
    let sketches = || imputed.features.iter().map(|feature| &feature.sketch);
    if how == Quantiles::Sketch {
        let of = |sketch: &QuantileSketch, (q, center): (f64, Option<f64>)| match center {
            Some(center) => sketch.deviation_quantile(center, q),
            None => sketch.quantile(q),
        };
        let of_feature = |(sketch, asked): (&QuantileSketch, &Vec<(f64, Option<f64>)>)| {
            asked.iter().map(|asked| of(sketch, *asked).unwrap_or_default()).collect()
        };
        return Ok(sketches().zip(asked).map(of_feature).collect());
    }
    let mut wanted = vec![];
    for (column, (sketch, asked)) in sketches().zip(asked).enumerate() {
        for (q, center) in asked {
            let search = match center {
                Some(center) => QuantileSearch::new(*q, sketch.count(), 0.0, sketch.bounds().reach(*center)),
                None => QuantileSearch::from_sketch(*q, sketch),
            };
            wanted.push(Wanted { column, group: None, center: *center, search });
        }
    }
    let columns = Columns { parts: &imputed.parts, names: features, group: None };
    let found = quantiles::find(context, &columns, wanted).await?;
    let mut values = found.iter().map(|search| search.as_ref().and_then(QuantileSearch::value).unwrap_or_default());
    Ok(asked.iter().map(|asked| values.by_ref().take(asked.len()).collect()).collect())
}
