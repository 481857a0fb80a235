//! The segments on the page: what sets each apart, and the sample of customers that is drawn.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use segmenta_algorithms::labels::NAMES;
use segmenta_algorithms::principal_components::principal_components;
use segmenta_algorithms::rows::{Rows, matrix};
use segmenta_engine::{EngineError, Result};
use serde::Serialize;

use super::filters::{number, percent, thousands};
use super::{damaged, short};
use segmenta_results::clusterings::Algorithm;
use segmenta_results::published::Published;
use segmenta_results::words::plural;
use segmenta_spec::OutlierAction;

/// Customers that are drawn on a plot.
const DRAWN: usize = 2_500;
/// Features whose pairs are drawn.
const SHOWN: usize = 4;
/// Segments of a clustering that are listed: the largest.
const LISTED: usize = 100;
/// The most traits that are listed of a segment.
const TRAITS: usize = 3;
/// A feature sets a segment apart if its mean is at least this far from that of all, in standard deviations.
const MATERIAL: f64 = 0.25;
/// Bins of outlier scores.
const BINS: usize = 20;
/// The colour of each of [`NAMES`], so that segments with the same name look alike in every report. The most frequent
/// names have the colours that are easiest to tell apart.
const COLORS: [i32; 16] = [0, 2, 3, 4, 12, 6, 10, 1, 13, 9, 5, 7, 15, 14, 8, 0];

/// A feature over all assigned rows.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Overall {
    pub(super) mean: f64,
    pub(super) standard_deviation: f64,
    #[serde(skip)]
    least: f64,
}

/// One way to cluster the customers.
#[derive(Debug, Serialize)]
pub(super) struct Clustering {
    pub(super) algorithm: Algorithm,
    pub(super) title: &'static str,
    pub(super) segments: Vec<SegmentView>,
    rule_fidelity: Option<f64>,
    hidden: usize,
}

impl Clustering {
    /// What plots call a segment.
    pub(super) fn short(&self, cluster: i32) -> String {
        let mut of = self.segments.iter().filter(|segment| segment.cluster == cluster);
        of.next().map_or_else(|| self.algorithm.unnamed(cluster), |segment| segment.short.clone())
    }
}

/// A segment.
#[derive(Debug, Clone, Serialize)]
pub(super) struct SegmentView {
    pub(super) cluster: i32,
    pub(super) name: String,
    pub(super) short: String,
    /// Its colour's number in the palette; -1 for noise.
    pub(super) color: i32,
    pub(super) size: u64,
    pub(super) share: f64,
    /// What its customers have spent, and their share of what all customers in segments have spent; `None` where that
    /// is not known.
    spent: Option<f64>,
    spent_share: Option<f64>,
    silhouette: Option<f64>,
    action: Option<String>,
    why: Option<String>,
    #[serde(skip)]
    score: Option<f64>,
    /// Which of [`NAMES`] its name stands for.
    #[serde(skip)]
    kind: String,
    traits: Vec<String>,
    rule: Option<RuleView>,
    features: Vec<FeatureView>,
}

#[derive(Debug, Clone, Serialize)]
struct RuleView {
    text: String,
    precision: Option<f64>,
    recall: Option<f64>,
}

#[derive(Debug, Clone, Copy, Serialize)]
struct FeatureView {
    mean: f64,
    standard_deviation: f64,
    min: f64,
    p05: f64,
    p25: f64,
    p50: f64,
    p75: f64,
    p95: f64,
    max: f64,
    /// How far its mean is from that of all customers, in their standard deviations.
    z: f64,
}

#[cfg(test)]
impl SegmentView {
    pub(super) fn plain(cluster: i32, name: &str) -> Self {
        Self {
            cluster,
            name: name.to_owned(),
            short: name.to_owned(),
            color: cluster,
            size: 1,
            share: 0.5,
            spent: None,
            spent_share: None,
            silhouette: None,
            action: None,
            why: None,
            score: None,
            kind: name.to_owned(),
            traits: vec![],
            rule: None,
            features: vec![],
        }
    }
}

/// The table of segments.
struct Table<'a> {
    published: &'a Published,
    algorithms: Vec<Option<String>>,
    sizes: Vec<f64>,
}

impl<'a> Table<'a> {
    fn new(published: &'a Published) -> Result<Self> {
        let table = &published.segments;
        let algorithms = table.texts("algorithm").ok_or_else(|| damaged(TABLE, "algorithm"))?;
        Ok(Self { published, algorithms, sizes: table.numbers("size").ok_or_else(|| damaged(TABLE, "size"))? })
    }

    fn rows_of(&self, algorithm: Algorithm) -> impl Iterator<Item = usize> {
        (0..self.sizes.len()).filter(move |i| self.algorithms[*i].as_deref() == Some(algorithm.name()))
    }

    fn numbers(&self, column: &str) -> Result<Vec<f64>> {
        self.published.segments.numbers(column).ok_or_else(|| damaged(TABLE, column))
    }
}

const TABLE: &str = "segments.parquet";

/// Means and standard deviations over all assigned rows, from those of the K-Means segments.
pub(super) fn overall(published: &Published) -> Result<Vec<Overall>> {
    let table = Table::new(published)?;
    let of = |feature: &String| -> Result<Overall> {
        let (means, deviations) =
            (table.numbers(&format!("{feature}_mean"))?, table.numbers(&format!("{feature}_std"))?);
        let least = table.numbers(&format!("{feature}_min"))?;
        let total: f64 = table.rows_of(Algorithm::Kmeans).map(|i| table.sizes[i]).sum();
        let average = |of: &dyn Fn(usize) -> f64| {
            table.rows_of(Algorithm::Kmeans).map(|i| table.sizes[i] * of(i)).sum::<f64>() / total.max(1.0)
        };
        let mean = average(&|i| means[i]);
        let variance = average(&|i| deviations[i].powi(2) + (means[i] - mean).powi(2));
        let least = table.rows_of(Algorithm::Kmeans).map(|i| least[i]).fold(f64::INFINITY, f64::min);
        Ok(Overall { mean, standard_deviation: variance.sqrt(), least })
    };
    published.model.features.iter().map(of).collect()
}

/// The means of a K-Means segment; `None` where it holds no row.
pub(super) fn means(published: &Published, cluster: i32) -> Result<Option<Vec<f64>>> {
    let table = Table::new(published)?;
    let clusters = published.segments.labels("cluster").ok_or_else(|| damaged(TABLE, "cluster"))?;
    let Some(row) = table.rows_of(Algorithm::Kmeans).find(|i| clusters[*i] == cluster) else { return Ok(None) };
    let mean = |feature: &String| Ok(table.numbers(&format!("{feature}_mean"))?[row]);
    published.model.features.iter().map(mean).collect::<Result<_>>().map(Some)
}

/// The clusterings that the job has; K-Means first.
pub(super) fn clusterings(published: &Published, overall: &[Overall]) -> Result<Vec<Clustering>> {
    let table = Table::new(published)?;
    let mut found = vec![];
    for algorithm in Algorithm::ALL {
        let mut rows: Vec<usize> = table.rows_of(algorithm).collect();
        if rows.is_empty() {
            continue;
        }
        rows.sort_by(|a, b| table.sizes[*b].total_cmp(&table.sizes[*a]));
        // If HDBSCAN has many clusters, the table holds only the largest.
        let all = match (algorithm, &published.model.hdbscan) {
            (Algorithm::Hdbscan, Some(model)) => model.clusters.len() + (rows.len() - named(&table, &rows)?),
            _ => rows.len(),
        };
        let hidden = all.saturating_sub(LISTED);
        rows.truncate(LISTED);
        let mut segments = views(&table, algorithm, &rows, overall)?;
        segments.sort_by(by_standing);
        color(&mut segments);
        let rules = published.metrics.rules.iter().find(|rules| rules.algorithm == algorithm);
        let title = algorithm.title();
        found.push(Clustering { algorithm, title, segments, rule_fidelity: rules.map(|rules| rules.fidelity), hidden });
    }
    Ok(found)
}

/// A segment with a name from [`NAMES`] has the colour of that name; if several have the same name, the first one gets
/// it. All others get the colours that are left. Where no segment has a name, each has the colour of its number.
fn color(segments: &mut [SegmentView]) {
    let of_name = |segment: &SegmentView| {
        let known = NAMES.iter().position(|known| *known == segment.kind).filter(|_| segment.score.is_some());
        known.map(|at| COLORS[at])
    };
    let mut taken: Vec<i32> = vec![];
    let mut left: Vec<usize> = vec![];
    for (at, segment) in segments.iter_mut().enumerate().filter(|(_, segment)| segment.cluster >= 0) {
        match of_name(segment).filter(|color| !taken.contains(color)) {
            Some(color) => {
                segment.color = color;
                taken.push(color);
            }
            None => left.push(at),
        }
    }
    if taken.is_empty() {
        return;
    }
    let mut free = (0..).filter(|color| !taken.contains(color));
    for at in left {
        segments[at].color = free.next().unwrap_or_default();
    }
}

/// How many of the rows are segments and not noise.
fn named(table: &Table<'_>, rows: &[usize]) -> Result<usize> {
    let clusters = table.published.segments.labels("cluster").ok_or_else(|| damaged(TABLE, "cluster"))?;
    Ok(rows.iter().filter(|i| clusters[**i] >= 0).count())
}

/// The best first, as the console has them; noise last.
fn by_standing(a: &SegmentView, b: &SegmentView) -> Ordering {
    let score = |segment: &SegmentView| segment.score.unwrap_or(0.0);
    (a.cluster < 0).cmp(&(b.cluster < 0)).then(score(b).total_cmp(&score(a))).then(a.cluster.cmp(&b.cluster))
}

fn views(table: &Table<'_>, algorithm: Algorithm, rows: &[usize], overall: &[Overall]) -> Result<Vec<SegmentView>> {
    let segments = &table.published.segments;
    let clusters = segments.labels("cluster").ok_or_else(|| damaged(TABLE, "cluster"))?;
    let text = |column: &str| segments.texts(column).ok_or_else(|| damaged(TABLE, column));
    let (names, actions, whys, rules) = (text("label")?, text("action")?, text("why")?, text("rule")?);
    // Tables of earlier versions have our own words alone.
    let before_comma =
        |name: &Option<String>| name.as_ref().map(|name| name.split(',').next().unwrap_or_default().to_owned());
    let kinds = segments.texts("label_kind").unwrap_or_else(|| names.iter().map(before_comma).collect());
    let (shares, silhouettes, scores) =
        (table.numbers("share")?, table.numbers("silhouette")?, table.numbers("score")?);
    let (precisions, recalls) = (table.numbers("rule_precision")?, table.numbers("rule_recall")?);
    let known = |value: f64| (!value.is_nan()).then_some(value);
    let names_of_features = &table.published.model.features;
    let mut profiles: Vec<Vec<FeatureView>> = vec![vec![]; rows.len()];
    for (feature, overall) in names_of_features.iter().zip(overall) {
        let column = |suffix: &str| table.numbers(&format!("{feature}_{suffix}"));
        let (mean, std, min, max) = (column("mean")?, column("std")?, column("min")?, column("max")?);
        let [p05, p25, p50, p75, p95] =
            [column("p05")?, column("p25")?, column("p50")?, column("p75")?, column("p95")?];
        for (profile, i) in profiles.iter_mut().zip(rows) {
            let i = *i;
            let apart = mean[i] - overall.mean;
            profile.push(FeatureView {
                mean: mean[i],
                standard_deviation: std[i],
                min: min[i],
                p05: p05[i],
                p25: p25[i],
                p50: p50[i],
                p75: p75[i],
                p95: p95[i],
                max: max[i],
                z: if overall.standard_deviation > 0.0 { apart / overall.standard_deviation } else { 0.0 },
            });
        }
    }
    let money = Money::column(table.published);
    let spent = |i: usize, features: &[FeatureView]| money.map(|j| table.sizes[i] * features[j].mean);
    // Outputs of earlier versions do not have it.
    let shares_of_money = segments.numbers("monetary_share");
    let units = units(table.published);
    let view = |(i, features): (&usize, Vec<FeatureView>)| {
        let (i, cluster) = (*i, clusters[*i]);
        let spent = spent(i, &features);
        let name = names[i].clone().unwrap_or_else(|| algorithm.unnamed(cluster));
        SegmentView {
            cluster,
            short: name.clone(),
            name,
            color: cluster.max(-1),
            size: table.sizes[i] as u64,
            share: shares[i],
            spent,
            spent_share: shares_of_money.as_ref().and_then(|shares| known(shares[i])),
            silhouette: known(silhouettes[i]),
            action: actions[i].clone(),
            why: whys[i].clone(),
            score: known(scores[i]),
            kind: kinds[i].clone().unwrap_or_default(),
            traits: if cluster < 0 { vec![] } else { traits(names_of_features, &units, &features, overall) },
            rule: rules[i].clone().map(|text| RuleView {
                text,
                precision: known(precisions[i]),
                recall: known(recalls[i]),
            }),
            features,
        }
    };
    Ok(rows.iter().zip(profiles).map(view).collect())
}

/// What sets a segment apart, the most telling first.
fn traits(names: &[String], units: &[Option<String>], features: &[FeatureView], overall: &[Overall]) -> Vec<String> {
    let mut telling: Vec<usize> = (0..features.len()).filter(|j| features[*j].z.abs() >= MATERIAL).collect();
    telling.sort_by(|a, b| features[*b].z.abs().total_cmp(&features[*a].z.abs()).then(a.cmp(b)));
    telling.truncate(TRAITS);
    if telling.is_empty() {
        return vec!["close to the average in everything".to_owned()];
    }
    let words = |j: usize| {
        let (name, feature, all) = (&names[j], &features[j], &overall[j]);
        let (mean, average) = (number(feature.mean), in_units(all.mean, units[j].as_deref()));
        // A ratio says nothing where values may be negative.
        if all.least < 0.0 || all.mean <= 0.0 {
            let side = if feature.z > 0.0 { "above" } else { "below" };
            return format!("{name} is {side} the average: {mean} against {average}");
        }
        match feature.mean / all.mean {
            times if times >= 2.0 => format!("{name} is {times:.1} times the average: {mean} against {average}"),
            times if times > 1.0 => {
                format!("{name} is {:.0} % above the average: {mean} against {average}", (times - 1.0) * 100.0)
            }
            times => format!("{name} is {:.0} % below the average: {mean} against {average}", (1.0 - times) * 100.0),
        }
    };
    telling.into_iter().map(words).collect()
}

/// As the page writes counts.
fn thousands_of(n: u64) -> String {
    thousands(n as f64)
}

/// What a reader should know first, in sentences.
pub(super) fn headline(published: &Published, clusterings: &[Clustering]) -> Vec<String> {
    let rows = &published.metrics.rows;
    let Some(kmeans) = clusterings.first() else { return vec![] };
    let segments = &kmeans.segments;
    let (found, all) = (segments.len() + kmeans.hidden, thousands_of(rows.customers));
    let assigned = match thousands_of(rows.assigned) {
        assigned if assigned == all => format!("All {all}"),
        assigned => format!("{assigned} of {all}"),
    };
    let mut said =
        vec![format!("{assigned} customers are in {found} {}.", plural(found as u64, "segment", "segments"))];
    if let (true, Some(largest)) = (segments.len() > 1, segments.iter().max_by_key(|segment| segment.size)) {
        said.push(format!("The largest is {}, with {} of them.", largest.name, percent(largest.share)));
    }
    said.extend(worth(published, segments));
    if rows.outliers > 0 {
        let share = rows.outliers as f64 / rows.customers.max(1) as f64;
        let held = match Money::new(published) {
            Some(Money { feature, set_aside: Some(held), .. }) => format!(", with {} of all {feature}", percent(held)),
            _ => String::new(),
        };
        let (n, are) =
            (thousands_of(rows.outliers), plural(rows.outliers, "customer is an outlier", "customers are outliers"));
        said.push(format!("{n} {are}: {} of all{held}. {}", percent(share), outliers_became(published)));
    }
    if segments.iter().all(|segment| segment.action.is_none()) {
        said.push(
            "The segments have no names, because the job does not say which features are recency, frequency and monetary value \
             (`profile` in its spec)."
                .to_owned(),
        );
    }
    if let (Some(model), Some(metrics)) = (&published.model.hdbscan, &published.metrics.hdbscan) {
        let share = metrics.noise as f64 / metrics.weight.max(1) as f64;
        said.push(format!(
            "By density, HDBSCAN finds {} {}, and counts {} of the customers as noise.",
            model.clusters.len(),
            plural(model.clusters.len() as u64, "cluster", "clusters"),
            percent(share)
        ));
    }
    said
}

/// What became of outliers.
pub(super) fn outliers_became(published: &Published) -> &'static str {
    match published.model.outliers.action {
        OutlierAction::SetAside => {
            "The segments were found without them; each of them is in the segment that it is nearest to."
        }
        OutlierAction::Clip => "Their values were moved to the fences to find the segments.",
        OutlierAction::Drop => "They are in no segment: look at them by themselves.",
    }
}

/// A value with its unit, where it has one.
fn in_units(value: f64, unit: Option<&str>) -> String {
    match unit {
        Some(unit) => format!("{}\u{a0}{unit}", number(value)),
        None => number(value),
    }
}

/// What each feature is counted in, where the spec says so.
pub(super) fn units(published: &Published) -> Vec<Option<String>> {
    let units = published.metrics.parameters.get("profile").and_then(|profile| profile.get("units"));
    let unit = |feature: &String| Some(units?.get(feature)?.as_str()?.to_owned());
    published.model.features.iter().map(unit).collect()
}

/// A key of the profile that names a feature, as the number of the feature.
pub(super) fn role(published: &Published, key: &str) -> Option<usize> {
    let name = published.metrics.parameters.get("profile")?.get(key)?.as_str()?;
    published.model.features.iter().position(|feature| feature == name)
}

/// What customers have spent, where a feature tells.
#[derive(Debug, Serialize)]
pub(super) struct Money {
    feature: String,
    unit: Option<String>,
    /// The share of what all customers have spent that comes from those who were set aside; `None` where it is not known.
    set_aside: Option<f64>,
}

impl Money {
    fn column(published: &Published) -> Option<usize> {
        role(published, "monetary")
    }

    pub(super) fn new(published: &Published) -> Option<Self> {
        let j = Self::column(published)?;
        let feature = published.model.features[j].clone();
        let total = |step: &str| sum_of(published, &feature, step);
        let set_aside = match (total("imputed"), total("kept")) {
            // What is fitted of customers whose values were moved is not what they spent.
            _ if published.model.outliers.action == OutlierAction::Clip => None,
            (Some(all), Some(kept)) if all > 0.0 => Some((1.0 - kept / all).clamp(0.0, 1.0)),
            _ => None,
        };
        Some(Self { unit: units(published)[j].clone(), set_aside, feature })
    }
}

/// The sum of a feature after a step of the preparation, by `quality.parquet`; `None` where it may be negative.
fn sum_of(published: &Published, feature: &str, step: &str) -> Option<f64> {
    let quality = &published.quality;
    let (features, steps) = (quality.texts("feature")?, quality.texts("step")?);
    let (means, rows, least) = (quality.numbers("mean")?, quality.numbers("rows")?, quality.numbers("min")?);
    let is_it = |i: &usize| features[*i].as_deref() == Some(feature) && steps[*i].as_deref() == Some(step);
    let row = (0..features.len()).find(is_it)?;
    (least[row] >= 0.0).then(|| means[row] * rows[row])
}

/// How much of the money of those in segments comes from the best of them.
fn worth(published: &Published, segments: &[SegmentView]) -> Option<String> {
    let Money { feature, .. } = Money::new(published)?;
    let share = |segment: &SegmentView| segment.spent_share.unwrap_or_default() / segment.share;
    let most = segments.iter().max_by(|a, b| share(a).total_cmp(&share(b))).filter(|_| segments.len() > 1)?;
    Some(format!(
        "{} is {} of the customers in segments, and {} of their {feature}.",
        most.name,
        percent(most.share),
        percent(most.spent_share?)
    ))
}

/// The customers that are drawn.
#[derive(Debug, Serialize)]
pub(super) struct Sample {
    rows: usize,
    of: u64,
    /// What a reader has to know about how they were drawn.
    note: &'static str,
    /// The features that are shown, by their index: the most telling first.
    shown: Vec<usize>,
    /// The values of each of these features, in the order of their index, with one value for each row.
    values: Vec<Vec<Option<f64>>>,
    /// Along the first two principal components.
    pc: Vec<Vec<Option<f64>>>,
    /// By clustering, the cluster of each row.
    #[serde(flatten)]
    clusters: BTreeMap<&'static str, Vec<i32>>,
}

/// The first two principal components of the scaled features.
#[derive(Debug, Serialize)]
pub(super) struct Components {
    explained: Vec<f64>,
    loadings: Vec<Vec<f64>>,
}

pub(super) fn sample(published: &Published, clusterings: &[Clustering]) -> Result<(Sample, Option<Components>)> {
    const TABLE: &str = "sample.parquet";
    let (sample, features) = (&published.sample, &published.model.features);
    let column = |name: &str| sample.numbers(name).ok_or_else(|| damaged(TABLE, name));
    let rows = sample.rows().min(DRAWN);
    let shown = telling(clusterings, features.len());
    let drawn = |values: Vec<f64>| values[..rows].iter().map(|value| short(*value)).collect::<Vec<_>>();
    let mut drawn_features = shown.clone();
    drawn_features.sort_unstable();
    let values = drawn_features.iter().map(|j| Ok(drawn(column(&features[*j])?))).collect::<Result<_>>()?;
    let (mut pc, mut components) = (vec![], None);
    if features.len() > 1 {
        let scaled: Vec<Vec<f64>> =
            features.iter().map(|feature| column(&format!("{feature}_scaled"))).collect::<Result<_>>()?;
        let points: Vec<f64> = (0..sample.rows()).flat_map(|i| scaled.iter().map(move |column| column[i])).collect();
        let points = matrix(points, features.len());
        let found = principal_components(&points, &column("weight")?, 2)
            .map_err(|error| EngineError::input(format!("{TABLE}: has no principal components: {error}")))?;
        let placed: Vec<Vec<f64>> = points.row_slices().take(rows).map(|row| found.coordinates(row)).collect();
        let axes = found.explained.len();
        pc = (0..axes).map(|axis| placed.iter().map(|at| short(at[axis])).collect()).collect();
        let loadings = found.components.chunks_exact(features.len()).map(<[f64]>::to_vec).collect();
        components = Some(Components { explained: found.explained, loadings });
    }
    let clusters = |algorithm: Algorithm| {
        let clusters = sample.labels(algorithm.column())?;
        Some((algorithm.name(), clusters[..rows].to_vec()))
    };
    let of = published.metrics.rows.assigned;
    let note = if rows as u64 == of {
        ""
    } else {
        "Small segments have more marks than their share: marks show where segments lie, not how many customers they hold."
    };
    let sample = Sample {
        rows,
        of,
        note,
        shown,
        values,
        pc,
        clusters: Algorithm::ALL.into_iter().filter_map(clusters).collect(),
    };
    Ok((sample, components))
}

/// The features that set the K-Means segments apart the most: by the share of their variance that lies between segments.
fn telling(clusterings: &[Clustering], features: usize) -> Vec<usize> {
    let segments = clusterings.first().map_or(&[][..], |kmeans| &kmeans.segments);
    let between =
        |j: usize| -> f64 { segments.iter().map(|segment| segment.share * segment.features[j].z.powi(2)).sum() };
    let mut order: Vec<usize> = (0..features).collect();
    order.sort_by(|a, b| between(*b).total_cmp(&between(*a)).then(a.cmp(b)));
    order.truncate(SHOWN);
    order
}

/// How outlier scores are spread.
#[derive(Debug, Serialize)]
pub(super) struct Noise {
    rows: u64,
    share: f64,
    edges: Vec<f64>,
    clustered: Vec<f64>,
    noise: Vec<f64>,
}

pub(super) fn noise(published: &Published) -> Option<Noise> {
    let rows = published.metrics.hdbscan.as_ref()?.noise;
    let sample = &published.sample;
    let (labels, scores) = (sample.labels("hdbscan_cluster")?, sample.numbers("hdbscan_outlier_score")?);
    let weights = sample.numbers("weight")?;
    let shares = |is_noise: bool| {
        let mut bins = vec![0.0; BINS];
        for ((label, score), weight) in labels.iter().zip(&scores).zip(&weights) {
            if (*label < 0) == is_noise && !score.is_nan() {
                bins[((score * BINS as f64) as usize).min(BINS - 1)] += weight;
            }
        }
        let total: f64 = bins.iter().sum();
        bins.into_iter().map(|bin| if total > 0.0 { bin / total } else { 0.0 }).collect()
    };
    Some(Noise {
        rows,
        share: rows as f64 / published.metrics.rows.assigned.max(1) as f64,
        edges: (0..=BINS).map(|i| i as f64 / BINS as f64).collect(),
        clustered: shares(false),
        noise: shares(true),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_sets_a_segment_apart_is_said() {
        let names = ["spend", "balance", "age", "visits"].map(str::to_owned);
        let feature = |mean: f64, z: f64| FeatureView {
            mean,
            standard_deviation: 1.0,
            min: 0.0,
            p05: 0.0,
            p25: 0.0,
            p50: 0.0,
            p75: 0.0,
            p95: 0.0,
            max: 0.0,
            z,
        };
        let overall = |mean: f64, least: f64| Overall { mean, standard_deviation: 1.0, least };
        let all = [overall(45.0, 0.0), overall(-3.0, -10.0), overall(40.0, 18.0), overall(10.0, 0.0)];
        let features = [feature(144.0, 2.0), feature(12.0, 1.0), feature(40.1, 0.01), feature(4.0, -0.5)];
        assert_eq!(
            traits(&names, &vec![None; 4], &features, &all),
            [
                "spend is 3.2 times the average: 144 against 45",
                "balance is above the average: 12 against −3",
                "visits is 60 % below the average: 4 against 10",
            ]
        );
        assert_eq!(
            traits(&names[2..3], &[Some("years".to_owned())], &features[2..3], &all[2..3]),
            ["close to the average in everything"]
        );
    }
}
