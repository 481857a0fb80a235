//! Outliers: keeps the rows that lie outside a feature's fence out of the fit, or moves their values to the fence.
//!
//! Fences are found among transformed values, unless the job says otherwise, and are told in the units of the features.

use segmenta_algorithms::moments::MomentUnits;
use segmenta_algorithms::outliers::{Fence, IsolationForest, Reach, first_outside};
use segmenta_algorithms::quantiles::{QuantileSearch, QuantileSketch};
use segmenta_algorithms::scalers::Transform;
use segmenta_engine::artifact::Part;
use segmenta_engine::operators::{
    Deviation, ForestCut, KeptFeature, OutlierRules, OutliersGo, ScoreForest, SketchExcess, SplitOutliers, Variable,
    write_none_rejected,
};
use segmenta_engine::{EngineError, Result};
use serde::{Deserialize, Serialize};

use super::impute::Imputed;
use super::transform::TransformStage;
use super::{Draw, MeanAndVariance, MomentColumns, draw, means_and_variances, moments_of_variables, rows_of, singly};
use crate::quantiles::{self, Columns, Wanted};
use crate::stage::{Given, Made, Stage, StageContext};
use crate::stages::by_feature;
use crate::stages::extract::ExtractStage;
use crate::stages::impute::ImputeStage;
use segmenta_results::words::{self, plural};
use segmenta_spec::JobSpec;
use segmenta_spec::{FenceSpace, Forest, ForestThreshold, OutlierAction, OutlierRule, Outliers, Quantiles};
use serde_json::Value;

/// The stage.
pub struct OutliersStage;

impl Stage for OutliersStage {
    const NAME: &'static str = "outliers";
    const AFTER: &'static [&'static str] = &[TransformStage::NAME];
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
        let transforms = match spec.outliers.space {
            FenceSpace::Transformed => made.of::<TransformStage>()?.transforms.clone(),
            FenceSpace::Raw => vec![Transform::None; spec.source.features.len()],
        };
        let split = run(context, &spec.outliers, &spec.source.features, imputed, &transforms).await?;
        if let Some(warning) = too_many(spec, imputed, &split) {
            context.warn(warning);
        }
        Ok(split)
    }
}

fn describe(spec: &JobSpec) -> String {
    let outliers = &spec.outliers;
    let act = match outliers.action {
        OutlierAction::SetAside => "set aside from the fit",
        OutlierAction::Clip => "moved to the fence for the fit",
        OutlierAction::Drop => "dropped",
    };
    let fences = by_feature(&spec.source.features, &outliers.rules, |rule| match rule {
        OutlierRule::Iqr { factor } => format!("{act} beyond {factor} interquartile ranges from the quartiles"),
        OutlierRule::Zscore { factor } => format!("{act} beyond {factor} standard deviations from the mean"),
        OutlierRule::Mad { factor } => format!("{act} at modified z-scores beyond {factor}"),
        OutlierRule::Percentile { low, high } => format!("{act} beyond the quantiles {low} and {high}"),
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

/// What a user should know where more customers are outliers than `share_limit`, which a rule that the spec settles may ask for.
fn too_many(spec: &JobSpec, imputed: &Imputed, split: &Split) -> Option<String> {
    let share = split.outliers() as f64 / rows_of(&imputed.parts).max(1) as f64;
    if share <= spec.outliers.share_limit {
        return None;
    }
    let features = &spec.source.features;
    let cut = |j: &usize| split.features[*j].cut + split.features[*j].cut_by_forest;
    let most = (0..features.len()).max_by(|a, b| cut(a).cmp(&cut(b)).then(b.cmp(a)))?;
    // What is fitted of customers whose values were moved is not what they spent.
    let monetary = spec.monetary().filter(|_| spec.outliers.action != OutlierAction::Clip);
    let money = monetary.and_then(|j| {
        let held = split.monetary_share(imputed, j)?;
        Some(format!(" with {} of all `{}`,", words::percent(held), features[j]))
    });
    let become_of = match spec.outliers.action {
        OutlierAction::SetAside => "they take no part in the fit, and get their segments afterwards",
        OutlierAction::Clip => "their values are moved to the fences for the fit",
        OutlierAction::Drop => "they are in no segment",
    };
    let (by_forest, by_fence): (u64, u64) =
        split.features.iter().fold((0, 0), |(a, b), feature| (a + feature.cut_by_forest, b + feature.cut));
    let limit = words::percent(spec.outliers.share_limit);
    let way_out = match spec.outliers.rules[most] {
        _ if by_forest > by_fence => "lower the forest's `contamination`, or raise its `score`".to_owned(),
        OutlierRule::Percentile { .. } => "move `low` and `high` outwards".to_owned(),
        _ => format!("raise `factor`, or leave it out (then at most {limit} are outliers)"),
    };
    Some(format!(
        "outliers: {} of the customers are outliers,{} most of them by `{}`; {become_of}. To have fewer, {way_out}",
        words::percent(share),
        money.unwrap_or_default(),
        features[most],
    ))
}

/// What the stage made.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Split {
    /// The rows that are fitted. If no rule sets a row aside, these are the imputed parts themselves.
    pub kept: Vec<Part>,
    /// The rows set aside, for the stages that give them segments; none where outliers are dropped.
    pub aside: Vec<Part>,
    /// The same rows as they are published, with the rule and the feature that set them aside.
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
    /// How many rows are outliers.
    #[must_use]
    pub fn outliers(&self) -> u64 {
        self.features.iter().map(|feature| feature.cut + feature.cut_by_forest).sum()
    }

    /// What tells outliers from other rows. `settings` are those of the job.
    #[must_use]
    pub fn rules(&self, settings: &Outliers, features: &[String]) -> OutlierRules {
        OutlierRules {
            features: features.to_vec(),
            fences: self.fences.iter().map(|fence| fence.unwrap_or(Fence::EVERYTHING)).collect(),
            rules: settings.rules.iter().map(|rule| rule.name().to_owned()).collect(),
            forest: self.forest.clone(),
        }
    }

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
    /// Outliers by it: it is the first feature of the spec that is outside its fence.
    pub cut: u64,
    /// Outliers by the isolation forest, counted at the feature that isolates them the most.
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
    transforms: &[Transform],
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
        let kept = imputed.parts.clone();
        return Ok(Split { kept, aside: vec![], rejected, rules, fences, forest: None, features });
    }
    let Fenced { mut fences, reaches } = fences(context, settings, features, imputed, transforms).await?;
    let times = widen(context, settings, features, imputed, &mut fences, &reaches, transforms).await?;
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
    let mut split = Split { kept: vec![], aside: vec![], rejected: vec![], rules, fences, forest, features: vec![] };
    let of = |table: &str| format!("{}{table}/", context.prefix);
    let outliers = match settings.action {
        OutlierAction::Clip => OutliersGo::ToFences,
        OutlierAction::SetAside => {
            OutliersGo::Apart { aside_prefix: Some(of("aside")), rejected_prefix: of("rejected") }
        }
        OutlierAction::Drop => OutliersGo::Apart { aside_prefix: None, rejected_prefix: of("rejected") },
    };
    let rules = split.rules(settings, features);
    let task = SplitOutliers { rules, outliers, kept_prefix: of("kept"), units: units.clone() };
    let mut totals = vec![KeptFeature::default(); features.len()];
    for part in context.map_parts(task, &singly(&imputed.parts)).await? {
        split.kept.extend(part.kept);
        split.aside.extend(part.aside);
        split.rejected.extend(part.rejected);
        totals.iter_mut().zip(&part.features).for_each(|(total, feature)| total.merge(feature));
    }
    if split.rejected.is_empty() {
        split.rejected = none_rejected(context, features, imputed).await?;
    }
    if split.kept.is_empty() {
        return Err(EngineError::spec(format!(
            "outliers: the rules set all {rows} rows aside; raise `outliers.factor`, or set `method: none`"
        )));
    }
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
    transforms: &[Transform],
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
    let task = SketchExcess {
        features: features.to_vec(),
        fixed: fixed.collect(),
        transforms: transforms.to_vec(),
        reaches: reaches.to_vec(),
    };
    let merge = |total: &mut QuantileSketch, part: QuantileSketch| total.merge(&part);
    let excess = context.merge_parts(task, &singly(&imputed.parts), merge).await?;
    let Some(times) = excess.at_most_above(most).filter(|times| *times > 1.0) else { return Ok(None) };
    // A little more, so that rounding leaves the row inside that is on the fence.
    let times = times * (1.0 + 1e-12);
    let beyond: u64 = excess.bins().iter().filter(|bin| bin.high > 1.0).map(|bin| bin.count).sum();
    for ((fence, reach), transform) in fences.iter_mut().zip(reaches).zip(transforms) {
        if let (Some(fence), Some(reach)) = (fence, reach) {
            *fence = reach.fence(times).before(*transform);
        }
    }
    let widest = each.iter().max_by(|a, b| a.1.cmp(&b.1).then(b.0.cmp(&a.0))).map_or(0, |(j, _)| *j);
    let factor = settings.rules[widest].widened(times).factor().unwrap_or_default();
    context.warn(format!(
        "outliers: {} of the customers would be outliers, most of them by `{}`, where `share_limit` allows {}; the fences are \
         widened by {times:.2}, that of `{}` to a factor of {factor:.2}. Set `factor` to decide it yourself",
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
    transforms: &[Transform],
) -> Result<Fenced> {
    let rules = &settings.rules;
    let moments = if rules.iter().any(|rule| matches!(rule, OutlierRule::Zscore { .. })) {
        let sketches: Vec<&QuantileSketch> = imputed.features.iter().map(|feature| &feature.sketch).collect();
        let variables =
            transforms.iter().enumerate().map(|(column, transform)| Variable { column, transform: *transform });
        let variables: Vec<Variable> = variables.collect();
        moments_of_variables(context, &imputed.parts, features, &sketches, &variables).await?
    } else {
        vec![]
    };
    // The quantiles that each rule needs. For a modified z-score, the second is that of the deviations from the first.
    let asked: Vec<Vec<Asked>> = rules
        .iter()
        .zip(transforms)
        .map(|(rule, transform)| match *rule {
            OutlierRule::Iqr { .. } => [0.25, 0.75].map(|q| Asked::Value(q, *transform)).into(),
            OutlierRule::Mad { .. } => vec![Asked::Value(0.5, *transform)],
            // A transform is increasing: it leaves who lies beyond a quantile as it is.
            OutlierRule::Percentile { low, high } => [low, high].map(|q| Asked::Value(q, Transform::None)).into(),
            OutlierRule::Zscore { .. } | OutlierRule::None => vec![],
        })
        .collect();
    let found = quantiles(context, settings.quantiles, features, imputed, &asked).await?;
    let deviations: Vec<Vec<Asked>> = rules
        .iter()
        .zip(&found)
        .zip(transforms)
        .map(|((rule, found), transform)| match (rule, found.first()) {
            (OutlierRule::Mad { .. }, Some(median)) => {
                vec![Asked::Deviation(0.5, Deviation { transform: *transform, center: *median })]
            }
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
                let (mean, variance) = moments[j];
                Some(Reach::zscore(mean, variance.sqrt(), factor))
            }
            _ => None,
        };
        let (fence, transform) = match (*rule, found[j].as_slice(), reach) {
            (_, _, Some(reach)) => (reach.fence(1.0), transforms[j]),
            (OutlierRule::Percentile { .. }, [low, high], _) => (Fence { low: *low, high: *high }, Transform::None),
            _ => {
                fences.push(None);
                continue;
            }
        };
        // A fence of zero width would set aside every row except those with the most common value, so it is not
        // applied.
        let fence = (fence.high > fence.low).then(|| fence.before(transform));
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

/// A quantile that a rule needs.
#[derive(Debug, Clone, Copy)]
enum Asked {
    /// Of the values, transformed.
    Value(f64, Transform),
    /// Of deviations.
    Deviation(f64, Deviation),
}

/// For each feature, the quantiles asked for.
async fn quantiles(
    context: &StageContext<'_>,
    how: Quantiles,
    features: &[String],
    imputed: &Imputed,
    asked: &[Vec<Asked>],
) -> Result<Vec<Vec<f64>>> {
    let sketches = || imputed.features.iter().map(|feature| &feature.sketch);
    if how == Quantiles::Sketch {
        let of = |sketch: &QuantileSketch, asked: &Asked| match *asked {
            Asked::Value(q, transform) => sketch.quantile(q).map(|value| transform.apply(value)),
            Asked::Deviation(q, Deviation { transform, center }) => {
                sketch.deviation_quantile(|value| transform.apply(value), center, q)
            }
        };
        let of_feature = |(sketch, asked): (&QuantileSketch, &Vec<Asked>)| {
            asked.iter().map(|asked| of(sketch, asked).unwrap_or_default()).collect()
        };
        return Ok(sketches().zip(asked).map(of_feature).collect());
    }
    let mut wanted = vec![];
    for (column, (sketch, asked)) in sketches().zip(asked).enumerate() {
        for asked in asked {
            let (deviation, search) = match *asked {
                Asked::Value(q, _) => (None, QuantileSearch::from_sketch(q, sketch)),
                Asked::Deviation(q, deviation) => {
                    let bounds = sketch.bounds();
                    let largest = deviation.of(bounds.min).max(deviation.of(bounds.max));
                    (Some(deviation), QuantileSearch::new(q, sketch.count(), 0.0, largest))
                }
            };
            wanted.push(Wanted { column, group: None, deviation, search });
        }
    }
    let columns = Columns { parts: &imputed.parts, names: features, group: None };
    let found = quantiles::find(context, &columns, wanted).await?;
    let mut found = found.iter();
    let mut value = |asked: &Asked| {
        let search = found.next()?.as_ref()?;
        match *asked {
            Asked::Value(_, transform) => search.value_of(|value| transform.apply(value)),
            Asked::Deviation(..) => search.value(),
        }
    };
    Ok(asked.iter().map(|asked| asked.iter().map(|asked| value(asked).unwrap_or_default()).collect()).collect())
}
