//! Profile: what each segment looks like in the units of the features, what to call it, and a rule that tells who is in it.

mod rules;
mod sample;

use segmenta_algorithms::drift::Distribution;
use segmenta_algorithms::hierarchy::{Cell, Contingency};
use segmenta_algorithms::labels::{Standing, label_segments};
use segmenta_algorithms::moments::MomentUnits;
use segmenta_algorithms::quantiles::QuantileSearch;
use segmenta_engine::Result;
use segmenta_engine::artifact::{NameColumn, Part};
use segmenta_engine::operators::hdbscan::CLUSTER_COLUMN;
use segmenta_engine::operators::hierarchy::HIERARCHY_COLUMN;
use segmenta_engine::operators::{AddLabels, CrossTabulate, GroupColumn, Variable};
use segmenta_results::clusterings::{Agreement, Algorithm, label_column};
use segmenta_results::segments::{ClusteringRules, FeatureProfile, LEAST_SHARE, MOST_LABELS, QUANTILES, Segment};
use serde::{Deserialize, Serialize};

use self::sample::SegmentSample;
use super::evaluate::Evaluated;
use super::extract::Extracted;
use super::hdbscan::DensityClustered;
use super::hierarchy::Linked;
use super::outliers::Split;
use super::scale::Scaled;
use super::{MomentColumns, StageContext, means_and_variances, rows_of, singly};
use crate::drift;
use crate::quantiles::{self, Columns, Wanted};
use segmenta_spec::Profile;

/// What the stage made.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Profiled {
    /// The segments that hold a row, by algorithm and cluster.
    pub segments: Vec<Segment>,
    /// How each feature is distributed over all customers, to tell drift by.
    pub distributions: Vec<Distribution>,
    /// How far each two of the clusterings agree.
    pub agreements: Vec<Agreement>,
    /// Rules of each clustering that has few enough segments.
    pub rules: Vec<ClusteringRules>,
    /// A sample of the assigned rows in which each segment is seen.
    pub sample: Part,
    /// The assignments with the names of the segments; those of the stage before where no segment has a name.
    pub assignments: Vec<Part>,
}

/// Cells of a contingency table that are kept.
const MAX_CELLS: usize = 1_000;

/// The clusterings of a job.
#[derive(Debug, Clone, Copy)]
pub struct Clusterings<'a> {
    /// K-Means, and the labels of all.
    pub evaluated: &'a Evaluated,
    /// Where the spec asks for it.
    pub hierarchy: Option<&'a Linked>,
    /// Where the spec asks for it.
    pub density: Option<&'a DensityClustered>,
}

/// HDBSCAN's clusters that are profiled: the largest.
const MAX_DENSITY_SEGMENTS: usize = 100;

/// Runs the stage.
///
/// # Errors
/// Those of its passes.
pub async fn run(
    context: &StageContext<'_>,
    settings: &Profile,
    features: &[String],
    extracted: &Extracted,
    split: &Split,
    scaled: &Scaled,
    clusterings: &Clusterings<'_>,
) -> Result<Profiled> {
    let Clusterings { evaluated, hierarchy, density } = *clusterings;
    context.begin_step("count distributions");
    let distributions = drift::distributions(context, features, &extracted.parts).await?;
    context.begin_step("describe the segments");
    let k = evaluated.chosen_k;
    let numbers = evaluated.numbers.iter().max().map_or(0, |largest| *largest as usize + 1);
    let group = GroupColumn { name: "kmeans_cluster".to_owned(), first: 0, groups: numbers };
    let mut segments = profile(context, Algorithm::Kmeans, group, features, split, evaluated).await?;
    let by_cluster = evaluated.measures.iter().find(|m| m.k == k).map(|m| m.silhouette_by_cluster.as_slice());
    for segment in &mut segments {
        let cluster = evaluated.numbers.iter().position(|number| *number == segment.cluster);
        segment.silhouette = by_cluster.and_then(|s| s.get(cluster?).copied().flatten());
    }
    label(settings, features, &mut segments);
    if let Some(hierarchy) = hierarchy {
        let group = GroupColumn { name: HIERARCHY_COLUMN.to_owned(), first: 0, groups: hierarchy.clusters.len() };
        let mut found = profile(context, Algorithm::Hierarchy, group, features, split, evaluated).await?;
        for segment in &mut found {
            let cluster = hierarchy.clusters.iter().find(|cluster| cluster.cluster == segment.cluster);
            segment.tree_path = cluster.map(|cluster| cluster.path.clone());
        }
        label(settings, features, &mut found);
        segments.append(&mut found);
    }
    if let Some(density) = density {
        let clusters = density.clusters.len().min(MAX_DENSITY_SEGMENTS);
        if clusters < density.clusters.len() {
            context.warn(format!(
                "hdbscan finds {} clusters; segments.parquet has the {clusters} largest of them",
                density.clusters.len()
            ));
        }
        let group = GroupColumn { name: CLUSTER_COLUMN.to_owned(), first: -1, groups: clusters + 1 };
        let mut found = profile(context, Algorithm::Hdbscan, group, features, split, evaluated).await?;
        // Clusters of one density are of any size and shape, and often one of them has most customers: what sets them apart is
        // described by their features, and no name that promises or gives up on somebody follows from it.
        segments.append(&mut found);
    }
    let agreements = agreements(context, evaluated, hierarchy.is_some(), density.is_some()).await?;
    context.begin_step("draw a sample");
    let assignments = &evaluated.assignments;
    let sample = SegmentSample::draw(context, features, &scaled.parts, assignments, &segments).await?;
    context.begin_step("find rules");
    let rules = rules::find(context, features, &sample, assignments, &segments).await?;
    let sample = sample.write(context, features).await?;
    let assignments = with_labels(context, assignments, &segments).await?;
    Ok(Profiled { segments, distributions, agreements, rules, sample, assignments })
}

/// The assignments with the names of the segments, for those who would not look a number up.
async fn with_labels(context: &StageContext<'_>, assignments: &[Part], segments: &[Segment]) -> Result<Vec<Part>> {
    let column = |algorithm: Algorithm| {
        let of = segments.iter().filter(|segment| segment.algorithm == algorithm);
        let names = of.filter_map(|segment| Some((segment.cluster, segment.label.as_ref()?.name.clone())));
        NameColumn {
            of: label_column(algorithm).to_owned(),
            name: format!("{}_label", algorithm.name()),
            names: names.collect(),
        }
    };
    let all = [Algorithm::Kmeans, Algorithm::Hierarchy, Algorithm::Hdbscan].map(column);
    let columns: Vec<NameColumn> = all.into_iter().filter(|column| !column.names.is_empty()).collect();
    if columns.is_empty() {
        return Ok(assignments.to_vec());
    }
    context.begin_step("write the names");
    let task = AddLabels { prefix: format!("{}assignments/", context.prefix), columns };
    context.map_parts(task, &singly(assignments)).await
}

/// Sets the clusterings against each other, where there are several.
async fn agreements(
    context: &StageContext<'_>,
    evaluated: &Evaluated,
    has_hierarchy: bool,
    has_density: bool,
) -> Result<Vec<Agreement>> {
    let others = [(has_hierarchy, HIERARCHY_COLUMN), (has_density, CLUSTER_COLUMN)];
    let others = others.into_iter().filter(|(is_there, _)| *is_there).map(|(_, column)| column);
    let columns: Vec<String> = ["kmeans_cluster"].into_iter().chain(others).map(str::to_owned).collect();
    if columns.len() < 2 {
        return Ok(vec![]);
    }
    context.begin_step("set the clusterings against each other");
    let task = CrossTabulate { columns: columns.clone() };
    let pairs: Vec<(usize, usize)> = task.pairs().collect();
    let merge = |total: &mut Vec<Contingency>, part: Vec<Contingency>| {
        total.iter_mut().zip(&part).for_each(|(total, part)| total.merge(part));
    };
    let found = context.merge_parts(task, &singly(&evaluated.assignments), merge).await?;
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
    split: &Split,
    evaluated: &Evaluated,
) -> Result<Vec<Segment>> {
    let first = group.first;
    let units = split.features.iter().map(|feature| MomentUnits::new(feature.mean, &feature.sketch.bounds()));
    let columns = MomentColumns {
        parts: &evaluated.assignments,
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
                wanted.push(Wanted { column, group: Some(cluster), center: None, search });
            }
        }
    }
    let columns = Columns { parts: &evaluated.assignments, names: features, group: Some(&group.name) };
    let found = quantiles::find(context, &columns, wanted).await?;
    let quantiles: Vec<f64> =
        found.iter().map(|search| search.as_ref().and_then(QuantileSearch::value).unwrap_or_default()).collect();
    let of_cluster = features.len() * QUANTILES.len();
    let rows = rows_of(&evaluated.assignments);
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
            share: size as f64 / rows as f64,
            silhouette: None,
            label: None,
            features: profile.collect(),
        });
    }
    Ok(segments)
}

/// Names the segments where the spec says what the features mean.
fn label(settings: &Profile, features: &[String], segments: &mut [Segment]) {
    let mut segments: Vec<&mut Segment> = segments.iter_mut().filter(|segment| segment.share >= LEAST_SHARE).collect();
    if !settings.has_roles() || segments.len() > MOST_LABELS {
        return;
    }
    let mean = |segment: &Segment, role: &Option<String>| {
        let feature = role.as_ref()?;
        let index = features.iter().position(|name| name == feature)?;
        segment.features.get(index).map(|profile| profile.mean)
    };
    let standings: Vec<Standing> = segments
        .iter()
        .map(|segment| Standing {
            recency: mean(segment, &settings.recency),
            frequency: mean(segment, &settings.frequency),
            monetary: mean(segment, &settings.monetary),
            share: segment.share,
        })
        .collect();
    for (segment, label) in segments.iter_mut().zip(label_segments(&standings)) {
        segment.label = Some(label);
    }
}
