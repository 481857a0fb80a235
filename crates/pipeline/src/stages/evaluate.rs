//! Evaluate: judges every k, chooses one, and labels the rows by it.

use segmenta_algorithms::kmeans::{Judge, Quality, elbow};
use segmenta_algorithms::matrix::Matrix;
use segmenta_algorithms::metrics::{calinski_harabasz, davies_bouldin};
use segmenta_engine::artifact::Part;
use segmenta_engine::operators::{Assign, ClusterQuality, JudgedCandidate, RowSample, Silhouette, SilhouetteSums};
use segmenta_engine::{EngineError, Result};
use serde::{Deserialize, Serialize};

use super::hdbscan::DensityClustered;
use super::kmeans::{Candidate, Clustered};
use super::outliers::Split;
use super::scale::Scaled;
use super::{StageContext, rows_of, singly};
use crate::spec::{Evaluate, KMeans, Select};

/// The rows of the silhouette are a sample of their own.
const SILHOUETTE_SEED: u64 = 0x73_696c_686f;

/// What the stage made.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Evaluated {
    /// By ascending k, as the candidates of K-Means.
    pub measures: Vec<Measures>,
    /// The chosen k.
    pub chosen_k: usize,
    /// Why, in a sentence.
    pub why: String,
    /// Rows that the silhouette was computed from, and whether that is all of them.
    pub silhouette_rows: u64,
    /// True when the silhouette is that of all rows.
    pub silhouette_is_exact: bool,
    /// The kept rows with their cluster and distance.
    pub assignments: Vec<Part>,
}

/// How good the clustering with one k is. Measures that need two clusters are `None` for one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Measures {
    /// Number of clusters.
    pub k: usize,
    /// Sum of squared distances to the nearest centroid.
    pub inertia: f64,
    /// Mean silhouette, -1 to 1; more is better.
    pub silhouette: Option<f64>,
    /// Its standard error where it comes from a sample; 0 when it is exact.
    pub silhouette_error: Option<f64>,
    /// Mean silhouette of each cluster; `None` where no row of the cluster was in the sample.
    pub silhouette_by_cluster: Vec<Option<f64>>,
    /// Silhouette of squared distances over all rows, exact, as Spark's evaluator has it.
    pub silhouette_squared: Option<f64>,
    /// Simplified silhouette over all rows, exact: distances to means in the place of mean distances.
    pub silhouette_simplified: Option<f64>,
    /// More is better.
    pub calinski_harabasz: Option<f64>,
    /// Less is better.
    pub davies_bouldin: Option<f64>,
}

/// Runs the stage.
///
/// # Errors
/// Those of its passes.
#[allow(clippy::too_many_arguments)]
pub async fn run(
    context: &StageContext<'_>,
    settings: &Evaluate,
    kmeans: &KMeans,
    features: &[String],
    split: &Split,
    scaled: &Scaled,
    clustered: &Clustered,
    density: Option<&DensityClustered>,
) -> Result<Evaluated> {
    let candidates = &clustered.candidates;
    let inputs = singly(&scaled.parts);
    let rows = rows_of(&scaled.parts);
    let sample = RowSample::of(SILHOUETTE_SEED, settings.silhouette_rows, rows);
    let qualities = qualities(context, features, scaled, candidates, &inputs).await?;
    let silhouettes: Vec<Vec<SilhouetteSums>> = if candidates.iter().any(|candidate| candidate.k > 1) {
        let task = Silhouette {
            columns: features.to_vec(),
            bounds: scaled.bounds.clone(),
            parts: scaled.parts.clone(),
            sample,
            rows: rows.min(settings.silhouette_rows),
            candidates: candidates.iter().map(|candidate| candidate.centroids.clone()).collect(),
        };
        let merge = |total: &mut Vec<Vec<SilhouetteSums>>, part: Vec<Vec<SilhouetteSums>>| {
            total.iter_mut().flatten().zip(part.iter().flatten()).for_each(|(total, sums)| total.merge(sums));
        };
        context.merge_parts(task, &inputs, merge).await?
    } else {
        vec![]
    };
    let silhouette_rows = silhouettes.first().map_or(0, |sums| sums.iter().map(|s| s.count).sum());
    let measures: Vec<Measures> = candidates
        .iter()
        .zip(&qualities)
        .enumerate()
        .map(|(i, (candidate, quality))| {
            let sums = silhouettes.get(i).map_or(&[][..], Vec::as_slice);
            measure(candidate, quality, sums, scaled, sample.is_everything())
        })
        .collect();
    let (chosen_k, why) = choose(kmeans, &measures);
    let chosen = candidates
        .iter()
        .find(|candidate| candidate.k == chosen_k)
        .ok_or_else(|| EngineError::job("evaluate: there is no candidate to choose"))?;
    let task = Assign {
        prefix: format!("{}assignments/", context.prefix),
        features: features.to_vec(),
        bounds: scaled.bounds.clone(),
        centroids: chosen.centroids.clone(),
    };
    let mut aligned: Vec<Vec<Part>> =
        split.kept.iter().zip(&scaled.parts).map(|(kept, points)| vec![kept.clone(), points.clone()]).collect();
    if let Some(density) = density {
        aligned.iter_mut().zip(&density.labels).for_each(|(parts, labels)| parts.push(labels.clone()));
    }
    let assignments = context.map_parts(task, &aligned).await?;
    Ok(Evaluated { measures, chosen_k, why, silhouette_rows, silhouette_is_exact: sample.is_everything(), assignments })
}

async fn qualities(
    context: &StageContext<'_>,
    features: &[String],
    scaled: &Scaled,
    candidates: &[Candidate],
    inputs: &[Vec<Part>],
) -> Result<Vec<Quality>> {
    let task = ClusterQuality {
        columns: features.to_vec(),
        bounds: scaled.bounds.clone(),
        candidates: candidates
            .iter()
            .map(|candidate| JudgedCandidate {
                centroids: candidate.centroids.clone(),
                means: candidate.means.clone(),
                counts: candidate.counts.clone(),
                within: candidate.within.clone(),
            })
            .collect(),
    };
    let merge = |total: &mut Vec<Quality>, part: Vec<Quality>| {
        total.iter_mut().zip(&part).for_each(|(total, quality)| total.merge(quality));
    };
    context.merge_parts(task, inputs, merge).await
}

fn measure(
    candidate: &Candidate,
    quality: &Quality,
    silhouettes: &[SilhouetteSums],
    scaled: &Scaled,
    exact: bool,
) -> Measures {
    let distance = Judge::distance_quantum(&candidate.means, &scaled.bounds);
    let within = candidate.within.iter().sum();
    let mean_distances: Vec<f64> =
        quality.distances.iter().zip(&candidate.counts).map(|(sum, count)| distance.mean(*sum, *count)).collect();
    let means = Matrix::new(candidate.means.clone(), scaled.bounds.len());
    let quantum = Silhouette::quantum();
    let clusters = candidate.counts.iter().filter(|count| **count > 0).count();
    let silhouettes = if clusters > 1 { silhouettes } else { &[] };
    let (count, sum, squares) = silhouettes
        .iter()
        .fold((0, 0, 0), |(count, sum, squares), s| (count + s.count, sum + s.sum, squares + s.squares));
    let silhouette = (count > 0).then(|| quantum.mean(sum, count));
    let error = silhouette.map(|mean| {
        let variance = (quantum.mean(squares, count) - mean * mean).max(0.0);
        if exact { 0.0 } else { (variance / count as f64).sqrt() }
    });
    let rows = candidate.counts.iter().sum();
    let overall = |sums: &[i128]| (clusters > 1).then(|| Judge::silhouette_quantum().mean(sums.iter().sum(), rows));
    Measures {
        k: candidate.k,
        inertia: candidate.inertia,
        silhouette,
        silhouette_error: error,
        silhouette_by_cluster: silhouettes
            .iter()
            .map(|s| (s.count > 0).then(|| quantum.mean(s.sum, s.count)))
            .collect(),
        silhouette_squared: overall(&quality.squared_silhouettes),
        silhouette_simplified: overall(&quality.simplified_silhouettes),
        calinski_harabasz: calinski_harabasz(&means, &candidate.counts, within),
        davies_bouldin: davies_bouldin(&means, &candidate.counts, &mean_distances),
    }
}

fn choose(settings: &KMeans, measures: &[Measures]) -> (usize, String) {
    if let [k] = settings.k.as_slice() {
        return (*k, format!("k is fixed at {k} by the spec"));
    }
    let (first, last) = (settings.k.first().copied().unwrap_or(1), settings.k.last().copied().unwrap_or(1));
    let by_silhouette = || {
        let best = measures.iter().filter_map(|m| m.silhouette.map(|s| (m.k, s)));
        // Ties go to the smaller k.
        best.reduce(|best, next| if next.1 > best.1 { next } else { best })
    };
    if settings.select == Select::Silhouette
        && let Some((k, silhouette)) = by_silhouette()
    {
        return (k, format!("the mean silhouette over k = {first}..{last} is largest, {silhouette:.4}, at k = {k}"));
    }
    let curve: Vec<(usize, f64)> = measures.iter().map(|m| (m.k, m.inertia)).collect();
    match elbow(&curve) {
        Some(elbow) if elbow.prominence > 0.0 => (
            elbow.k,
            format!(
                "the inertia over k = {first}..{last} has its elbow at k = {}: there it lies {:.1} % of its height below \
                 the straight line between its ends",
                elbow.k,
                elbow.prominence * 100.0
            ),
        ),
        _ => (first, format!("the inertia over k = {first}..{last} has no elbow, so the smallest k is taken")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::Start;

    fn measures(curve: &[(usize, f64, f64)]) -> Vec<Measures> {
        let measures = curve.iter().map(|(k, inertia, silhouette)| Measures {
            k: *k,
            inertia: *inertia,
            silhouette: Some(*silhouette),
            silhouette_error: Some(0.0),
            silhouette_by_cluster: vec![],
            silhouette_squared: None,
            silhouette_simplified: None,
            calinski_harabasz: None,
            davies_bouldin: None,
        });
        measures.collect()
    }

    #[test]
    fn chooses_by_what_the_spec_says() {
        let mut settings = KMeans {
            k: vec![2, 3, 4, 5],
            select: Select::Elbow,
            seed: 0,
            restarts: 1,
            max_iterations: 10,
            tolerance: 1e-4,
            start: Start::KmeansPlusPlus,
        };
        let curve = measures(&[(2, 100.0, 0.5), (3, 30.0, 0.6), (4, 25.0, 0.6), (5, 22.0, 0.1)]);
        assert_eq!(choose(&settings, &curve).0, 3);
        settings.select = Select::Silhouette;
        assert_eq!(choose(&settings, &curve).0, 3);
        settings.select = Select::Elbow;
        let line = measures(&[(2, 30.0, 0.5), (3, 20.0, 0.6), (4, 10.0, 0.6), (5, 0.0, 0.1)]);
        let (k, why) = choose(&settings, &line);
        assert!(k == 2 && why.contains("no elbow"), "{why}");
        settings.k = vec![4];
        assert!(choose(&settings, &curve[2..3]).1.contains("fixed"));
    }
}
