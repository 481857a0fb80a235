//! Evaluate: measures every k, chooses one, and labels the rows with its clusters.
//!
//! One pass over the points measures every candidate and draws the rows whose silhouettes are computed; see `silhouettes` and
//! `choosing`.

mod choosing;
mod numbering;
mod silhouettes;

use std::collections::{BTreeMap, BTreeSet};

use segmenta_algorithms::kmeans::{self, Centers, Gap, Judge, Quality, prominences};
use segmenta_algorithms::metrics::{calinski_harabasz, davies_bouldin};
use segmenta_algorithms::rows::matrix;
use segmenta_engine::artifact::Part;
use segmenta_engine::operators::{Assign, ClusterQuality, Judged, Place, Scale, StratifiedSample};
use segmenta_engine::{EngineError, Result};
use segmenta_results::clusterings::{Algorithm, Choice, Measures};
use segmenta_results::segments::Segment;
use serde::{Deserialize, Serialize};

use self::numbering::{Numbering, number};
use self::silhouettes::Estimate;
use super::kmeans::Candidate;
use super::scale::Scaled;
use super::{rows_of, singly};
use crate::clustering::Clustering;
use crate::stage::{Given, Made, Stage, StageContext};
use crate::stages::clusterings;
use crate::stages::hdbscan::HdbscanStage;
use crate::stages::hierarchy::HierarchyStage;
use crate::stages::impute::ImputeStage;
use crate::stages::kmeans::KMeansStage;
use crate::stages::outliers::OutliersStage;
use crate::stages::scale::ScaleStage;
use segmenta_spec::{JobSpec, OutlierAction, Select};
use serde_json::Value;

/// The stage.
pub struct EvaluateStage;

impl Stage for EvaluateStage {
    const NAME: &'static str = "evaluate";
    const AFTER: &'static [&'static str] = &[KMeansStage::NAME, HierarchyStage::NAME, HdbscanStage::NAME];
    type Output = Evaluated;

    fn settings(given: &Given<'_>) -> serde_json::Result<Value> {
        serde_json::to_value((&given.spec.evaluate, given.spec.kmeans.select, given.previous))
    }

    fn describe(given: &Given<'_>) -> String {
        describe(given.spec)
    }

    fn rows(_given: &Given<'_>, made: &Made) -> Result<u64> {
        Ok(rows_of(&made.of::<OutliersStage>()?.kept))
    }

    async fn run(context: &StageContext<'_>, given: &Given<'_>, made: &Made) -> Result<Evaluated> {
        run(context, given, made).await
    }
}

fn describe(spec: &JobSpec) -> String {
    let rows = spec.evaluate.silhouette_rows;
    let how = match (spec.kmeans.k.len(), spec.kmeans.select) {
        (1, _) => "k is fixed",
        (_, Select::Elbow) => "choose k by the elbow of the inertia",
        (_, Select::Silhouette) => "choose k by the silhouette",
        (_, Select::CalinskiHarabasz) => "choose k by the Calinski-Harabasz index",
        (_, Select::DaviesBouldin) => "choose k by the Davies-Bouldin index",
        (_, Select::Gap) => "choose k by the gap statistic",
    };
    let numbers = match &spec.previous {
        Some(previous) => format!("; number the segments as those of {previous}"),
        None => String::new(),
    };
    format!("{how}; silhouette exact up to {rows} rows; assign every row{numbers}")
}

/// What the stage made.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Evaluated {
    /// By ascending k, as the candidates of K-Means.
    pub measures: Vec<Measures>,
    /// The chosen k.
    pub chosen_k: usize,
    /// Why, in a sentence.
    pub why: String,
    /// What each rule would choose; none for a fixed k.
    pub choices: Vec<Choice>,
    /// Rows that the silhouette was computed from.
    pub silhouette_rows: u64,
    /// True when the silhouette is that of all rows.
    pub silhouette_is_exact: bool,
    /// The number of each cluster of the chosen candidate. Rows are labelled with it.
    pub numbers: Vec<i32>,
    /// The least number that no segment of this run or of earlier runs has had.
    pub next_number: i32,
    /// The rows with their clusters and distances.
    pub assignments: Vec<Part>,
    /// For each part of the assignments, the parts of prepared points that together have its rows in its order.
    pub points: Vec<Vec<Part>>,
    /// For each clustering, K-Means first, the rows of each cluster that were set aside from the fit.
    pub aside: Vec<BTreeMap<i32, u64>>,
}

/// K-Means with the chosen k.
impl Clustering for Evaluated {
    fn algorithm(&self) -> Algorithm {
        Algorithm::Kmeans
    }

    fn numbers(&self) -> (i32, usize) {
        (0, self.numbers.iter().max().map_or(0, |largest| *largest as usize + 1))
    }

    fn complete(&self, segment: &mut Segment) {
        let chosen = self.measures.iter().find(|measures| measures.k == self.chosen_k);
        let cluster = self.numbers.iter().position(|number| *number == segment.cluster);
        segment.silhouette = chosen.and_then(|measures| *measures.silhouette_by_cluster.get(cluster?)?);
    }
}

async fn run(context: &StageContext<'_>, given: &Given<'_>, made: &Made) -> Result<Evaluated> {
    let (settings, kmeans) = (&given.spec.evaluate, &given.spec.kmeans);
    let features = given.spec.source.features.as_slice();
    let scaled = made.of::<ScaleStage>()?;
    let clustered = made.of::<KMeansStage>()?;
    let candidates = &clustered.candidates;
    context.begin_step("judge every k");
    let sample = silhouettes::sample(context, settings, scaled, candidates);
    let Judged { qualities, drawn, drawn_weights } =
        judge(context, features, scaled, candidates, sample.clone()).await?;
    context.begin_step("compute silhouettes");
    let estimates = match &sample {
        Some(sample) => silhouettes::estimate(context, features, candidates, sample, &drawn, &drawn_weights).await?,
        None => vec![],
    };
    let is_exact = sample.as_ref().is_some_and(silhouettes::is_exact);
    let curve: Vec<(usize, f64)> =
        candidates.iter().map(|candidate| (candidate.k, candidate.clustering.inertia)).collect();
    let mut estimates = estimates.into_iter();
    let judged = candidates.iter().zip(&qualities).zip(prominences(&curve));
    let measures: Vec<Measures> = judged
        .map(|((candidate, quality), elbow_prominence)| {
            // A single cluster has no silhouette, and was not asked for one.
            let estimate = if candidate.k > 1 { estimates.next() } else { None };
            let gap = clustered.gaps.iter().find(|gap| gap.k == candidate.k);
            measure(candidate, quality, elbow_prominence, estimate, gap, scaled)
        })
        .collect();
    let choices = choosing::choices(&measures, &clustered.gaps);
    let (chosen_k, why) = choosing::choose(kmeans, &measures, &choices)?;
    let chosen = candidates
        .iter()
        .find(|candidate| candidate.k == chosen_k)
        .ok_or_else(|| EngineError::job("evaluate: there is no candidate to choose"))?;
    let numbering = match given.previous {
        Some(previous) => number(previous, chosen.clustering.centers.centroids(), &scaled.scalers)?,
        None => Numbering::by_cluster(chosen_k),
    };
    context.begin_step("assign the rows");
    let centers = chosen.clustering.centers.clone();
    let assigned = assign(context, given.spec, made, centers, &numbering.numbers).await?;
    let Numbering { numbers, next_number } = numbering;
    Ok(Evaluated {
        measures,
        chosen_k,
        why,
        choices,
        silhouette_rows: rows_of(&drawn),
        silhouette_is_exact: is_exact,
        numbers,
        next_number,
        assignments: assigned.assignments,
        points: assigned.points,
        aside: assigned.aside,
    })
}

/// The assignments, the points of their rows, and the rows of each cluster that were set aside.
struct Assigned {
    assignments: Vec<Part>,
    points: Vec<Vec<Part>>,
    aside: Vec<BTreeMap<i32, u64>>,
}

/// Labels the rows that were fitted, and those that were set aside, as new customers would be.
async fn assign(
    context: &StageContext<'_>,
    spec: &JobSpec,
    made: &Made,
    centers: Centers,
    numbers: &[i32],
) -> Result<Assigned> {
    let features = spec.source.features.as_slice();
    let (imputed, split, scaled) = (made.of::<ImputeStage>()?, made.of::<OutliersStage>()?, made.of::<ScaleStage>()?);
    let clusterings = clusterings(made);
    let others: Vec<&dyn Clustering> =
        clusterings.into_iter().filter(|clustering| clustering.labels().is_some()).collect();
    // Where values were moved to their fences, the rows are published as they were.
    let is_clipped = spec.outliers.action == OutlierAction::Clip;
    let fitted = if is_clipped { &imputed.parts } else { &split.kept };
    let mut groups: BTreeMap<u32, Vec<Part>> = BTreeMap::new();
    for (i, (rows, points)) in fitted.iter().zip(&scaled.parts).enumerate() {
        let labels = others.iter().filter_map(|clustering| clustering.labels()?.get(i));
        groups.entry(rows.index).or_default().extend([rows, points].into_iter().chain(labels).cloned());
    }
    let first_aside: BTreeSet<u32> =
        split.aside.iter().map(|part| part.index).filter(|index| !groups.contains_key(index)).collect();
    if !split.aside.is_empty() {
        let scale = Scale {
            prefix: format!("{}aside/points/", context.prefix),
            features: features.to_vec(),
            scalers: scaled.scalers.clone(),
            weight: None,
        };
        let points = context.map_parts(scale, &singly(&split.aside)).await?;
        let points: Vec<Part> = points.into_iter().map(|scaled| scaled.part).collect();
        let mut labels: Vec<Vec<Part>> = vec![];
        for clustering in &others {
            let name = clustering.algorithm().name();
            let placement =
                clustering.placement().ok_or_else(|| EngineError::job(format!("{name} labels no new rows")))?;
            let prefix = format!("{}aside/{name}/", context.prefix);
            let task = Place { prefix, columns: features.to_vec(), placement };
            labels.push(context.map_parts(task, &singly(&points)).await?);
        }
        for (i, (rows, points)) in split.aside.iter().zip(&points).enumerate() {
            let labels = labels.iter().map(|labels| &labels[i]);
            groups.entry(rows.index).or_default().extend([rows, points].into_iter().chain(labels).cloned());
        }
    }
    let mut task = Assign {
        prefix: format!("{}assignments/", context.prefix),
        features: features.to_vec(),
        centers,
        numbers: numbers.to_vec(),
        labels: others.len(),
        outliers: split.rules(&spec.outliers, features),
        fits_outliers: is_clipped,
        has_fitted: true,
    };
    let (unfitted, inputs): (Vec<_>, Vec<_>) = groups.into_iter().partition(|(index, _)| first_aside.contains(index));
    let parts_of = |groups: &[(u32, Vec<Part>)]| groups.iter().map(|(_, parts)| parts.clone()).collect::<Vec<_>>();
    let mut written = context.map_parts(task.clone(), &parts_of(&inputs)).await?;
    if !unfitted.is_empty() {
        task.has_fitted = false;
        written.extend(context.map_parts(task, &parts_of(&unfitted)).await?);
    }
    let width = 2 + others.len();
    let points_of = |(_, parts): &(u32, Vec<Part>)| parts.chunks(width).map(|group| group[1].clone()).collect();
    let mut points: Vec<(u32, Vec<Part>)> =
        inputs.iter().chain(&unfitted).map(|group| (group.0, points_of(group))).collect();
    points.sort_by_key(|(index, _)| *index);
    written.sort_by_key(|written| written.part.index);
    let mut aside = vec![BTreeMap::new(); 1 + others.len()];
    for (total, counted) in written.iter().flat_map(|written| written.aside.iter().enumerate()) {
        counted.iter().for_each(|(cluster, rows)| *aside[total].entry(*cluster).or_default() += rows);
    }
    Ok(Assigned {
        assignments: written.into_iter().map(|written| written.part).collect(),
        points: points.into_iter().map(|(_, points)| points).collect(),
        aside,
    })
}

/// The quality of each candidate, the points of the sample, in parts, and their weight in each stratum.
async fn judge(
    context: &StageContext<'_>,
    features: &[String],
    scaled: &Scaled,
    candidates: &[Candidate],
    sample: Option<StratifiedSample>,
) -> Result<Judged> {
    let task = ClusterQuality {
        columns: features.to_vec(),
        bounds: scaled.bounds.clone(),
        candidates: candidates.iter().map(|candidate| candidate.clustering.clone()).collect(),
        sample,
    };
    let mut judged = context.merge_parts(task, &singly(&scaled.parts), Judged::merge).await?;
    // Parts arrive in any order.
    judged.drawn.sort_by_key(|part| part.index);
    Ok(judged)
}

fn measure(
    candidate: &Candidate,
    quality: &Quality,
    elbow_prominence: f64,
    estimate: Option<Estimate>,
    gap: Option<&Gap>,
    scaled: &Scaled,
) -> Measures {
    let kmeans::Clustering { means, counts, within, inertia, .. } = &candidate.clustering;
    let distance = Judge::distance_quantum(means, &scaled.bounds);
    let within = within.iter().sum();
    let mean_distances: Vec<f64> =
        quality.distances.iter().zip(counts).map(|(sum, count)| distance.mean(*sum, *count)).collect();
    let means = matrix(means.clone(), scaled.bounds.len());
    let clusters = counts.iter().filter(|count| **count > 0).count();
    let weight = counts.iter().sum();
    let unit = Judge::silhouette_quantum();
    let overall = |sums: &[i128]| (clusters > 1).then(|| unit.mean(sums.iter().sum(), weight));
    let by_cluster = |sums: &[i128]| -> Vec<Option<f64>> {
        let of = |(sum, count): (&i128, &u64)| (clusters > 1 && *count > 0).then(|| unit.mean(*sum, *count));
        sums.iter().zip(counts).map(of).collect()
    };
    let estimate = estimate.filter(|_| clusters > 1);
    Measures {
        k: candidate.k,
        inertia: *inertia,
        elbow_prominence,
        silhouette: estimate.as_ref().map(|estimate| estimate.mean),
        silhouette_error: estimate.as_ref().map(|estimate| estimate.error),
        silhouette_by_cluster: estimate.map(|estimate| estimate.by_cluster).unwrap_or_default(),
        silhouette_squared: overall(&quality.squared_silhouettes),
        silhouette_squared_by_cluster: by_cluster(&quality.squared_silhouettes),
        silhouette_simplified: overall(&quality.simplified_silhouettes),
        silhouette_simplified_by_cluster: by_cluster(&quality.simplified_silhouettes),
        calinski_harabasz: calinski_harabasz(&means, counts, within),
        davies_bouldin: davies_bouldin(&means, counts, &mean_distances),
        gap: gap.map(|gap| gap.gap),
        gap_error: gap.map(|gap| gap.error),
    }
}
