//! Profile: what each segment looks like in the units of the features, what it is called, and a rule for who is in it.

mod rules;
mod sample;

use segmenta_algorithms::drift::Distribution;
use segmenta_algorithms::hierarchy::{Cell, Contingency};
use segmenta_algorithms::labels::{Label, Standing, label_segments};
use segmenta_algorithms::moments::MomentUnits;
use segmenta_algorithms::quantiles::QuantileSearch;
use segmenta_algorithms::sums::Bounds;
use segmenta_engine::artifact::{NameColumn, Part};
use segmenta_engine::operators::{AddLabels, CrossTabulate, GroupColumn, Variable};
use segmenta_engine::{EngineError, Result};
use segmenta_results::clusterings::{Agreement, Algorithm};
use segmenta_results::segments::{
    ClusteringRules, FeatureProfile, LEAST_SHARE, MOST_LABELS, QUANTILES, Segment, spent,
};
use serde::{Deserialize, Serialize};

use self::sample::SegmentSample;
use super::impute::{ImputeStage, Imputed};
use super::{MomentColumns, means_and_variances, rows_of, singly};
use crate::clustering::Clustering;
use crate::drift;
use crate::quantiles::{self, Columns, Wanted};
use crate::stage::{Given, Made, Stage, StageContext};
use crate::stages::clusterings;
use crate::stages::evaluate::EvaluateStage;
use crate::stages::extract::{ExtractStage, LARGEST};
use segmenta_spec::JobSpec;
use segmenta_spec::OutlierAction;
use segmenta_spec::Profile;
use serde_json::Value;

/// The stage.
pub struct ProfileStage;

impl Stage for ProfileStage {
    const NAME: &'static str = "profile";
    const AFTER: &'static [&'static str] = &[EvaluateStage::NAME];
    type Output = Profiled;

    fn settings(given: &Given<'_>) -> serde_json::Result<Value> {
        serde_json::to_value(&given.spec.profile)
    }

    fn describe(given: &Given<'_>) -> String {
        describe(given.spec)
    }

    fn rows(_given: &Given<'_>, made: &Made) -> Result<u64> {
        Ok(rows_of(&made.of::<EvaluateStage>()?.assignments))
    }

    async fn run(context: &StageContext<'_>, given: &Given<'_>, made: &Made) -> Result<Profiled> {
        run(context, given, made).await
    }
}

fn describe(spec: &JobSpec) -> String {
    let profile = &spec.profile;
    let roles = [
        ("recency", &profile.recency),
        ("frequency", &profile.frequency),
        ("monetary", &profile.monetary),
        ("tenure", &profile.tenure),
    ];
    let named: Vec<String> =
        roles.iter().filter_map(|(role, name)| name.as_ref().map(|name| format!("{role} = {name}"))).collect();
    let gone = match (profile.lapsed_after, &profile.tenure) {
        (Some(after), _) => format!("; customers have lapsed after {after} without a purchase"),
        (None, Some(_)) => "; customers have lapsed after three of their intervals without a purchase".to_owned(),
        (None, None) => String::new(),
    };
    if profile.has_roles() {
        format!("statistics and labels of each segment by {}{gone}", named.join(", "))
    } else {
        "statistics of each segment (no labels: no feature is named as recency, frequency or monetary)".to_owned()
    }
}

/// What the stage made.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Profiled {
    /// The segments that hold a row, by algorithm and cluster.
    pub segments: Vec<Segment>,
    /// How each feature is distributed over all customers, for measuring drift later.
    pub distributions: Vec<Distribution>,
    /// How far every two of the clusterings agree.
    pub agreements: Vec<Agreement>,
    /// Rules of each clustering that has few enough segments.
    pub rules: Vec<ClusteringRules>,
    /// A sample of the assigned rows in which each segment appears.
    pub sample: Part,
    /// The assignments with the names of the segments; those of the stage before if no segment has a name.
    pub assignments: Vec<Part>,
}

/// Most cells of a contingency table that are kept.
const MAX_CELLS: usize = 1_000;

async fn run(context: &StageContext<'_>, given: &Given<'_>, made: &Made) -> Result<Profiled> {
    let (settings, features) = (&given.spec.profile, given.spec.source.features.as_slice());
    let (extracted, imputed) = (made.of::<ExtractStage>()?, made.of::<ImputeStage>()?);
    let evaluated = made.of::<EvaluateStage>()?;
    let assignments = evaluated.assignments.as_slice();
    let clusterings = clusterings(made);
    context.begin_step("count distributions");
    let distributions = drift::distributions(context, features, &extracted.parts).await?;
    context.begin_step("describe the segments");
    let monetary = given.spec.monetary();
    // K-Means comes first, and each customer is in one of its segments.
    let mut total = None;
    let mut segments = vec![];
    for (clustering, aside) in clusterings.iter().zip(&evaluated.aside) {
        let (first, groups) = clustering.numbers();
        clustering.warning().into_iter().for_each(|warning| context.warn(warning));
        let group = GroupColumn { name: clustering.algorithm().column().to_owned(), first, groups };
        let mut found = profile(context, clustering.algorithm(), group.clone(), features, imputed, assignments).await?;
        for segment in &mut found {
            segment.fit_size = segment.size - aside.get(&segment.cluster).copied().unwrap_or(0).min(segment.size);
            clustering.complete(segment);
        }
        if let Some(monetary) = monetary {
            total = total.or_else(|| spent(&found, monetary));
            for segment in &mut found {
                let own = spent(std::slice::from_ref(segment), monetary).unwrap_or(0.0);
                segment.monetary_share = total.map(|total| own / total);
            }
        }
        if clustering.has_names() {
            let tenures = tenures(context, given.spec, &group, &found, assignments).await?;
            label(settings, features, &tenures, &mut found);
        }
        segments.append(&mut found);
    }
    let agreements = agreements(context, assignments, &clusterings).await?;
    context.begin_step("draw a sample");
    let sets_aside = given.spec.outliers.action == OutlierAction::SetAside;
    let sample =
        SegmentSample::draw(context, features, &evaluated.points, assignments, &segments, &clusterings, sets_aside)
            .await?;
    context.begin_step("find rules");
    let rules = rules::find(context, features, &sample, assignments, &segments).await?;
    let sample = sample.write(context, features).await?;
    let assignments = with_labels(context, assignments, &segments).await?;
    Ok(Profiled { segments, distributions, agreements, rules, sample, assignments })
}

/// The assignments with the names of the segments, so that readers need not look a number up.
async fn with_labels(context: &StageContext<'_>, assignments: &[Part], segments: &[Segment]) -> Result<Vec<Part>> {
    let column = |algorithm: Algorithm| {
        let of = segments.iter().filter(|segment| segment.algorithm == algorithm);
        let names = of.filter_map(|segment| Some((segment.cluster, segment.label.as_ref()?.name.clone())));
        NameColumn {
            of: algorithm.column().to_owned(),
            name: format!("{}_label", algorithm.name()),
            names: names.collect(),
        }
    };
    let all = Algorithm::ALL.map(column);
    let columns: Vec<NameColumn> = all.into_iter().filter(|column| !column.names.is_empty()).collect();
    if columns.is_empty() {
        return Ok(assignments.to_vec());
    }
    context.begin_step("write the names");
    let task = AddLabels { prefix: format!("{}assignments/", context.prefix), columns };
    context.map_parts(task, &singly(assignments)).await
}

/// Compares the clusterings with each other, if there are several.
async fn agreements(
    context: &StageContext<'_>,
    assignments: &[Part],
    clusterings: &[&dyn Clustering],
) -> Result<Vec<Agreement>> {
    let column = |clustering: &&dyn Clustering| clustering.algorithm().column().to_owned();
    let columns: Vec<String> = clusterings.iter().map(column).collect();
    if columns.len() < 2 {
        return Ok(vec![]);
    }
    context.begin_step("set the clusterings against each other");
    let task = CrossTabulate { columns: columns.clone() };
    let pairs: Vec<(usize, usize)> = task.pairs().collect();
    let merge = |total: &mut Vec<Contingency>, part: Vec<Contingency>| {
        total.iter_mut().zip(&part).for_each(|(total, part)| total.merge(part));
    };
    let found = context.merge_parts(task, &singly(assignments), merge).await?;
    let agreement = |((first, second), found): ((usize, usize), &Contingency)| {
        let mut contingency: Vec<Cell> = found.cells().collect();
        contingency.sort_by_key(|cell| (std::cmp::Reverse(cell.count), cell.first, cell.second));
        contingency.truncate(MAX_CELLS);
        Agreement {
            first: columns[first].clone(),
            second: columns[second].clone(),
            adjusted_rand_index: found.adjusted_rand_index(),
            contingency,
        }
    };
    Ok(pairs.into_iter().zip(&found).map(agreement).collect())
}

/// The segments of one clustering, without labels.
async fn profile(
    context: &StageContext<'_>,
    algorithm: Algorithm,
    group: GroupColumn,
    features: &[String],
    imputed: &Imputed,
    assignments: &[Part],
) -> Result<Vec<Segment>> {
    let first = group.first;
    let units = imputed.features.iter().map(|feature| {
        let sketch = &feature.sketch;
        MomentUnits::new(sketch.quantile(0.5).unwrap_or_default(), &sketch.bounds())
    });
    let columns = MomentColumns {
        parts: assignments,
        names: features,
        group: Some(group.clone()),
        variables: &Variable::plain(features.len()),
        units: &units.collect::<Vec<_>>(),
    };
    let moments = means_and_variances(context, &columns).await?;
    let mut wanted = Vec::with_capacity(moments.len() * features.len() * QUANTILES.len());
    for (cluster, features) in (first..).zip(&moments) {
        for (column, feature) in features.iter().enumerate() {
            for q in QUANTILES {
                let search = QuantileSearch::new(q, feature.count, feature.bounds.min, feature.bounds.max);
                wanted.push(Wanted { column, group: Some(cluster), deviation: None, search });
            }
        }
    }
    let columns = Columns { parts: assignments, names: features, group: Some(&group.name) };
    let found = quantiles::find(context, &columns, wanted).await?;
    let quantiles: Vec<f64> =
        found.iter().map(|search| search.as_ref().and_then(QuantileSearch::value).unwrap_or_default()).collect();
    let of_cluster = features.len() * QUANTILES.len();
    let rows = rows_of(assignments);
    let mut segments = Vec::with_capacity(moments.len());
    for (cluster, (moments, quantiles)) in (first..).zip(moments.iter().zip(quantiles.chunks(of_cluster))) {
        let size = moments.first().map_or(0, |feature| feature.count);
        if size == 0 {
            continue;
        }
        let profile = moments.iter().zip(quantiles.chunks(QUANTILES.len())).map(|(feature, q)| FeatureProfile {
            mean: feature.mean,
            standard_deviation: feature.variance.sqrt(),
            min: feature.bounds.min,
            max: feature.bounds.max,
            quantiles: std::array::from_fn(|i| q[i]),
        });
        segments.push(Segment {
            algorithm,
            cluster,
            tree_path: None,
            size,
            fit_size: size,
            share: size as f64 / rows as f64,
            monetary_share: None,
            silhouette: None,
            label: None,
            features: profile.collect(),
        });
    }
    Ok(segments)
}

/// The mean time since the first purchase of each segment, where the job names it.
async fn tenures(
    context: &StageContext<'_>,
    spec: &JobSpec,
    group: &GroupColumn,
    segments: &[Segment],
    assignments: &[Part],
) -> Result<Vec<Option<f64>>> {
    let Some(name) = &spec.profile.tenure else { return Ok(vec![None; segments.len()]) };
    if let Some(j) = spec.source.features.iter().position(|feature| feature == name) {
        return Ok(segments.iter().map(|segment| Some(segment.features.get(j)?.mean)).collect());
    }
    // Nothing is known of its values before: the first pass is for their bounds.
    let (mut bounds, mut moments) = (Bounds { min: -LARGEST, max: LARGEST }, vec![]);
    for _ in 0..2 {
        let columns = MomentColumns {
            parts: assignments,
            names: std::slice::from_ref(name),
            group: Some(group.clone()),
            variables: &Variable::plain(1),
            units: &[MomentUnits::new(0.5 * bounds.min + 0.5 * bounds.max, &bounds)],
        };
        moments = means_and_variances(context, &columns).await?;
        bounds = Bounds::default();
        moments.iter().flatten().for_each(|moments| bounds.merge(&moments.bounds));
        if bounds.is_empty() {
            return Ok(vec![None; segments.len()]);
        }
        if bounds.max_abs() > LARGEST {
            return Err(EngineError::input(format!(
                "profile.tenure: `{name}` goes up to {:e}; it is the time since the first purchase, in the unit of the recency",
                bounds.max_abs()
            )));
        }
    }
    let of = |segment: &Segment| {
        let group = usize::try_from(segment.cluster - group.first).ok()?;
        moments.get(group)?.first().filter(|moments| moments.count > 0).map(|moments| moments.mean)
    };
    Ok(segments.iter().map(of).collect())
}

/// Names the segments if the spec says what the features mean. `tenures` has one entry for each.
fn label(settings: &Profile, features: &[String], tenures: &[Option<f64>], segments: &mut [Segment]) {
    let named = segments.iter_mut().zip(tenures).filter(|(segment, _)| segment.share >= LEAST_SHARE);
    let (mut segments, tenures): (Vec<&mut Segment>, Vec<Option<f64>>) =
        named.map(|(segment, tenure)| (segment, *tenure)).unzip();
    if !settings.has_roles() || segments.len() > MOST_LABELS {
        return;
    }
    let of = |segment: &Segment, role: &Option<String>| -> Option<FeatureProfile> {
        let feature = role.as_ref()?;
        let index = features.iter().position(|name| name == feature)?;
        segment.features.get(index).cloned()
    };
    let mean = |segment: &Segment, role: &Option<String>| of(segment, role).map(|profile| profile.mean);
    let median = |segment: &Segment, role: &Option<String>| of(segment, role).map(|profile| profile.quantiles[2]);
    let standings: Vec<Standing> = segments
        .iter()
        .zip(tenures)
        .map(|(segment, tenure)| Standing {
            recency: mean(segment, &settings.recency),
            silence: median(segment, &settings.recency),
            frequency: mean(segment, &settings.frequency),
            monetary: mean(segment, &settings.monetary),
            tenure,
            share: segment.share,
        })
        .collect();
    for (segment, mut label) in segments.iter_mut().zip(label_segments(&standings, settings.lapsed_after)) {
        in_own_words(settings, &mut label);
        segment.label = Some(label);
    }
}

/// Puts the user's own words in the place of ours. What tells segments of one name apart stays, unless the whole name has
/// words of its own.
fn in_own_words(settings: &Profile, label: &mut Label) {
    let (whole, kind) = (settings.labels.get(&label.name), settings.labels.get(&label.kind));
    if let Some(action) = whole.and_then(|own| own.action.as_ref()).or(kind.and_then(|own| own.action.as_ref())) {
        label.action.clone_from(action);
    }
    if let Some(name) = whole.and_then(|own| own.name.as_ref()) {
        label.name.clone_from(name);
    } else if let Some(name) = kind.and_then(|own| own.name.as_ref()) {
        label.name = format!("{name}{}", label.name.strip_prefix(&label.kind).unwrap_or_default());
    }
}
