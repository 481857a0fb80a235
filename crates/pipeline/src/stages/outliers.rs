//! Outliers: sets aside the rows that lie outside a feature's fence.

use segmenta_algorithms::moments::MomentUnits;
use segmenta_algorithms::outliers::{Fence, IsolationForest, Reach, first_outside};
use segmenta_algorithms::quantiles::{QuantileSearch, QuantileSketch};
use segmenta_engine::artifact::Part;
use segmenta_engine::operators::{
    ForestCut, KeptFeature, ScoreForest, SketchExcess, SplitOutliers, Variable, write_none_rejected,
};
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
        let (spec, imputed) = (given.spec, made.of::<ImputeStage>()?);
        let split = run(context, &spec.outliers, &spec.source.features, imputed).await?;
        if let Some(warning) = too_many(spec, imputed, &split) {
            context.warn(warning);
        }
        Ok(split)
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

/// What a user should know where more customers are set aside than `share_limit`, which a `factor` of the spec may ask for.
fn too_many(spec: &JobSpec, imputed: &Imputed, split: &Split) -> Option<String> {
    let share = rows_of(&split.rejected) as f64 / rows_of(&imputed.parts).max(1) as f64;
    if share <= spec.outliers.share_limit {
        return None;
    }
    let features = &spec.source.features;
    let cut = |j: &usize| split.features[*j].cut + split.features[*j].cut_by_forest;
    let most = (0..features.len()).max_by(|a, b| cut(a).cmp(&cut(b)).then(b.cmp(a)))?;
    let money = spec.profile.monetary.as_ref().and_then(|name| {
        let held = split.monetary_share(imputed, features.iter().position(|feature| feature == name)?)?;
        Some(format!(" with {} of all `{name}`,", words::percent(held)))
    });
    Some(format!(
        "outliers: {} of the customers are set aside,{} most of them by `{}`; they are in no segment. Raise `factor`, leave it out \
         (then at most {} are set aside), or bring in a skewed feature's tail with `scale.transform`",
        words::percent(share),
        money.unwrap_or_default(),
        features[most],
        words::percent(spec.outliers.share_limit),
    ))
}

/// What the stage made.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Split {
    /// The rows kept. If no rule sets a row aside, these are the imputed parts themselves.
    pub kept: Vec<Part>,
    /// The rows set aside, with the rule and the feature that set them aside.
    pub rejected: Vec<Part>,
    /// The rules, one for each feature, with the factors that were applied.
    pub rules: Vec<OutlierRule>,
    /// One entry for each feature; `None` where no fence was applied.
    pub fences: Vec<Option<Fence>>,
    /// The forest, if the spec asks for one.
    pub forest: Option<ForestCut>,
    /// One entry for each feature.
    pub features: Vec<SplitFeature>,
}

impl Split {
    /// Of the sum of feature `monetary` over all customers, the share of those set aside; `None` where a value is negative, or
    /// the sum is not above 0.
    #[must_use]
    pub fn monetary_share(&self, imputed: &Imputed, monetary: usize) -> Option<f64> {
        let sum = |sketch: &QuantileSketch, rows: u64| {
            let mean = sketch.mean().filter(|_| sketch.bounds().min >= 0.0)?;
            Some(mean * rows as f64)
        };
        let all = sum(&imputed.features[monetary].sketch, rows_of(&imputed.parts)).filter(|all| *all > 0.0)?;
        let kept = sum(&self.features[monetary].sketch, rows_of(&self.kept))?;
        Some((1.0 - kept / all).clamp(0.0, 1.0))
    }
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
        let (features, rules) = (kept.collect(), settings.rules.clone());
        return Ok(Split { kept: imputed.parts.clone(), rejected, rules, fences, forest: None, features });
    }
    let Fenced { mut fences, reaches } = fences(context, settings, features, imputed, &units).await?;
    let times = widen(context, settings, features, imputed, &mut fences, &reaches).await?;
    let rules = settings.rules.iter().zip(&settings.may_widen).map(|(rule, widened)| match times {
        Some(times) if *widened => rule.widened(times),
        _ => *rule,
    });
    let rules: Vec<OutlierRule> = rules.collect();
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
    let mut split = Split { kept, rejected, rules, fences, forest, features: vec![] };
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

/// What the rules gave.
struct Fenced {
    /// One entry for each feature; `None` where no fence is applied.
    fences: Vec<Option<Fence>>,
    /// The reach of each fence that may be widened.
    reaches: Vec<Option<Reach>>,
}

/// Widens the fences whose factor the spec does not set, so that they set aside no more than its share of the rows. All of them
/// are widened by the same factor, which is the least that does it; it is returned where it is not 1.
async fn widen(
    context: &StageContext<'_>,
    settings: &Outliers,
    features: &[String],
    imputed: &Imputed,
    fences: &mut [Option<Fence>],
    reaches: &[Option<Reach>],
) -> Result<Option<f64>> {
    let rows = rows_of(&imputed.parts);
    let most = (settings.share_limit * rows as f64) as u64;
    let outside = |j: usize| {
        let fence = fences[j].unwrap_or(Fence::EVERYTHING);
        let bins = imputed.features[j].sketch.bins().iter();
        bins.filter(|bin| bin.low < fence.low || bin.high > fence.high).map(|bin| bin.count).sum::<u64>()
    };
    let each: Vec<(usize, u64)> =
        (0..features.len()).filter(|j| reaches[*j].is_some()).map(|j| (j, outside(j))).collect();
    // No more rows than that are outside of one fence or another.
    if each.iter().map(|(_, count)| count).sum::<u64>() <= most {
        return Ok(None);
    }
    context.begin_step("count the rows outside of the fences");
    let fixed = fences.iter().zip(reaches).map(|(fence, reach)| match reach {
        Some(_) => Fence::EVERYTHING,
        None => fence.unwrap_or(Fence::EVERYTHING),
    });
    let task = SketchExcess { features: features.to_vec(), fixed: fixed.collect(), reaches: reaches.to_vec() };
    let merge = |total: &mut QuantileSketch, part: QuantileSketch| total.merge(&part);
    let excess = context.merge_parts(task, &singly(&imputed.parts), merge).await?;
    let Some(times) = excess.at_most_above(most).filter(|times| *times > 1.0) else { return Ok(None) };
    // A little more, so that rounding leaves the row inside that is on the fence.
    let times = times * (1.0 + 1e-12);
    let beyond: u64 = excess.bins().iter().filter(|bin| bin.high > 1.0).map(|bin| bin.count).sum();
    for (fence, reach) in fences.iter_mut().zip(reaches) {
        if let (Some(fence), Some(reach)) = (fence, reach) {
            *fence = reach.fence(times);
        }
    }
    let widest = each.iter().max_by(|a, b| a.1.cmp(&b.1).then(b.0.cmp(&a.0))).map_or(0, |(j, _)| *j);
    let factor = settings.rules[widest].widened(times).factor().unwrap_or_default();
    context.warn(format!(
        "outliers: the fences would set aside {} of the customers, most of them by `{}`, where `share_limit` allows {}; they are \
         widened by {times:.2}, that of `{}` to a factor of {factor:.2}. Set `factor` to decide it yourself; `scale.transform` \
         brings in the tails of a skewed feature",
        words::percent(beyond as f64 / rows as f64),
        features[widest],
        words::percent(settings.share_limit),
        features[widest],
    ));
    Ok(Some(times))
}

async fn fences(
    context: &StageContext<'_>,
    settings: &Outliers,
    features: &[String],
    imputed: &Imputed,
    units: &[MomentUnits],
) -> Result<Fenced> {
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
    let mut reaches = vec![None; rules.len()];
    for (j, rule) in rules.iter().enumerate() {
        let reach = match (*rule, found[j].as_slice(), deviations[j].as_slice()) {
            (OutlierRule::Iqr { factor }, [q1, q3], _) => Some(Reach::iqr(*q1, *q3, factor)),
            (OutlierRule::Mad { factor }, [median], [deviation]) => Some(Reach::mad(*median, *deviation, factor)),
            (OutlierRule::Zscore { factor }, _, _) => {
                Some(Reach::zscore(moments[j].mean, moments[j].variance.sqrt(), factor))
            }
            _ => None,
        };
        let fence = match (*rule, found[j].as_slice(), reach) {
            (_, _, Some(reach)) => reach.fence(1.0),
            (OutlierRule::Percentile { .. }, [low, high], _) => Fence { low: *low, high: *high },
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
        reaches[j] = reach.filter(|_| fence.is_some() && settings.may_widen[j]);
        fences.push(fence);
    }
    if !flat.is_empty() {
        let has = plural(flat.len() as u64, "has", "have");
        context.warn(format!(
            "outliers: {} {has} no spread by the rule (at least half of the values are equal), so it sets no row aside",
            words::features(&flat)
        ));
    }
    Ok(Fenced { fences, reaches })
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
