//! K-Means: sweeps k by map-reduce. One pass over the points serves every candidate (k, restart) that still moves.

use segmenta_algorithms::hashing::combine;
use segmenta_algorithms::kmeans::{Assigner, Lloyd, Partial, Progress, coordinate_quanta, plus_plus, within_clusters};
use segmenta_algorithms::matrix::Matrix;
use segmenta_engine::artifact::Part;
use segmenta_engine::operators::{KMeansPass, PassCandidate, RowSample, Sample, Sampled, Wanted};
use segmenta_engine::{EngineError, Result};
use serde::{Deserialize, Serialize};

use super::scale::Scaled;
use super::{StageContext, rows_of, singly};
use crate::spec::{KMeans, Start};

/// Starts are drawn from a sample of this many points, or [`SAMPLE_ROWS_A_CLUSTER`] for each cluster if that is more.
const SAMPLE_ROWS: usize = 4_096;
const SAMPLE_ROWS_A_CLUSTER: usize = 64;

/// What the stage made.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Clustered {
    /// The best start of each k, by ascending k.
    pub candidates: Vec<Candidate>,
    /// Points that the starts were drawn from; 0 for given centroids.
    pub sample_rows: u64,
    /// Passes over the points, the sample included.
    pub passes: u64,
}

/// The outcome for one k.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Candidate {
    /// Number of clusters.
    pub k: usize,
    /// Which restart it comes from, from 0.
    pub restart: usize,
    /// `k x d` in scaled space: what points are assigned by.
    pub centroids: Vec<f64>,
    /// `k x d`: the means of the points assigned to each, which differ from the centroids by no more than the tolerance.
    pub means: Vec<f64>,
    /// Points of each cluster.
    pub counts: Vec<u64>,
    /// Sums of squared distances of each cluster's points to its mean.
    pub within: Vec<f64>,
    /// Sum of squared distances to the nearest centroid.
    pub inertia: f64,
    /// Steps taken.
    pub iterations: usize,
    /// Empty clusters re-seeded on the way.
    pub relocated: usize,
    /// How it ended.
    pub progress: Progress,
}

/// One candidate on its way.
struct Run {
    k: usize,
    restart: usize,
    lloyd: Lloyd,
    done: Option<Candidate>,
}

/// Runs the stage.
///
/// # Errors
/// Fewer rows than clusters.
pub async fn run(
    context: &StageContext<'_>,
    settings: &KMeans,
    features: &[String],
    scaled: &Scaled,
) -> Result<Clustered> {
    let rows = rows_of(&scaled.parts);
    let largest = settings.k.last().copied().unwrap_or(1);
    if rows < largest as u64 {
        return Err(EngineError::spec(format!(
            "kmeans.k: {largest} clusters of {rows} rows cannot be; lower k to at most {rows}, or check what \
             source.sql and outliers leave"
        )));
    }
    let inputs = singly(&scaled.parts);
    let d = features.len();
    let tolerance = settings.tolerance * scaled.variances.iter().sum::<f64>() / d as f64;
    let (starts, sample_rows) = starts(context, settings, features, &inputs).await?;
    let mut runs: Vec<Run> = starts
        .into_iter()
        .map(|(k, restart, centroids)| Run {
            k,
            restart,
            lloyd: Lloyd::new(centroids, d, tolerance, settings.max_iterations),
            done: None,
        })
        .collect();
    let quanta = coordinate_quanta(&scaled.bounds);
    loop {
        let mut moving: Vec<&mut Run> = runs.iter_mut().filter(|run| run.done.is_none()).collect();
        if moving.is_empty() {
            break;
        }
        let wanted = |lloyd: &Lloyd| match lloyd.progress() {
            Progress::Running => Wanted::Sums,
            Progress::Converged | Progress::IterationLimit => Wanted::Inertia,
        };
        let asked: Vec<(&Lloyd, Wanted)> = moving.iter().map(|run| (&run.lloyd, wanted(&run.lloyd))).collect();
        let mut partials = pass(context, features, scaled, &inputs, &asked).await?;
        // Empty clusters are rare: only then is a pass repeated, for the farthest points.
        let emptied: Vec<usize> = (0..moving.len())
            .filter(|i| moving[*i].lloyd.progress() == Progress::Running && partials[*i].empty_clusters() > 0)
            .collect();
        if !emptied.is_empty() {
            let farthest = |i: &usize| (&moving[*i].lloyd, Wanted::Farthest(partials[*i].empty_clusters()));
            let asked: Vec<(&Lloyd, Wanted)> = emptied.iter().map(farthest).collect();
            let again = pass(context, features, scaled, &inputs, &asked).await?;
            for (i, partial) in emptied.into_iter().zip(again) {
                partials[i] = partial;
            }
        }
        for (run, partial) in moving.iter_mut().zip(&partials) {
            if run.lloyd.progress() == Progress::Running {
                run.lloyd.step(partial, &partial.farthest, &quanta);
            } else {
                run.done = Some(run.finish(partial, scaled));
            }
        }
    }
    let mut best: Vec<Candidate> = Vec::new();
    for candidate in runs.into_iter().filter_map(|run| run.done) {
        match best.iter_mut().find(|b| b.k == candidate.k) {
            Some(b) if candidate.inertia < b.inertia => *b = candidate,
            Some(_) => {}
            None => best.push(candidate),
        }
    }
    best.sort_by_key(|candidate| candidate.k);
    for candidate in &best {
        let empty = candidate.counts.iter().filter(|count| **count == 0).count();
        if empty > 0 {
            context.warn(format!(
                "k-means: {empty} of {} clusters stay empty: there are no more than {} distinct points",
                candidate.k,
                candidate.k - empty
            ));
        }
        if candidate.progress == Progress::IterationLimit {
            context.warn(format!(
                "k-means: k = {} was still moving after {} iterations; raise `kmeans.max_iterations`",
                candidate.k, candidate.iterations
            ));
        }
    }
    Ok(Clustered { candidates: best, sample_rows, passes: context.passes() })
}

impl Run {
    /// From the pass with the final centroids.
    fn finish(&self, partial: &Partial, scaled: &Scaled) -> Candidate {
        let assigner = Assigner::new(self.lloyd.centroids().to_vec(), &scaled.bounds, 0);
        let means = assigner.means(partial);
        Candidate {
            k: self.k,
            restart: self.restart,
            centroids: self.lloyd.centroids().to_vec(),
            within: within_clusters(&assigner, &means, &partial.counts, &assigner.inertias(partial)),
            means,
            counts: partial.counts.clone(),
            inertia: assigner.inertia(partial),
            iterations: self.lloyd.iterations(),
            relocated: self.lloyd.relocated(),
            progress: self.lloyd.progress(),
        }
    }
}

/// The merged partial of each candidate, with what is wanted of it.
async fn pass(
    context: &StageContext<'_>,
    features: &[String],
    scaled: &Scaled,
    inputs: &[Vec<Part>],
    asked: &[(&Lloyd, Wanted)],
) -> Result<Vec<Partial>> {
    let candidates = asked
        .iter()
        .map(|(lloyd, wanted)| PassCandidate { centroids: lloyd.centroids().to_vec(), wanted: *wanted })
        .collect();
    let task = KMeansPass { columns: features.to_vec(), bounds: scaled.bounds.clone(), candidates };
    let merge = |total: &mut Vec<Partial>, part: Vec<Partial>| {
        for ((total, partial), (_, wanted)) in total.iter_mut().zip(&part).zip(asked) {
            total.merge(partial, wanted.farthest());
        }
    };
    context.merge_parts(task, inputs, merge).await
}

/// `(k, restart, centroids)` of every candidate, and how many points they were drawn from.
async fn starts(
    context: &StageContext<'_>,
    settings: &KMeans,
    features: &[String],
    inputs: &[Vec<Part>],
) -> Result<(Vec<(usize, usize, Vec<f64>)>, u64)> {
    if let Start::Centroids(rows) = &settings.start {
        return Ok((vec![(rows.len(), 0, rows.concat())], 0));
    }
    let largest = settings.k.last().copied().unwrap_or(1);
    let wanted = SAMPLE_ROWS.max(SAMPLE_ROWS_A_CLUSTER * largest);
    // Four times as many as are wanted lie below this hash; that there are too few happens to nobody, but may.
    let rows: u64 = inputs.iter().flatten().map(|part| part.rows).sum();
    let likely = RowSample::of(settings.seed, 4 * wanted as u64, rows).threshold;
    let draw = async |threshold: u64| -> Result<Vec<Sampled>> {
        let task = Sample { columns: features.to_vec(), seed: settings.seed, rows: wanted, threshold };
        Ok(context.map_parts(task, inputs).await?.into_iter().flatten().collect())
    };
    let mut sampled = draw(likely).await?;
    if (sampled.len() as u64) < rows.min(wanted as u64) {
        sampled = draw(u64::MAX).await?;
    }
    sampled.sort_by_key(|point| (point.hash, point.id));
    sampled.truncate(wanted);
    let mut sample = Matrix::with_capacity(sampled.len(), features.len());
    for point in &sampled {
        sample.push(&point.point);
    }
    let mut starts = Vec::with_capacity(settings.k.len() * settings.restarts);
    for &k in &settings.k {
        for restart in 0..settings.restarts {
            let seed = combine(combine(settings.seed, k as u64), restart as u64);
            starts.push((k, restart, plus_plus(&sample, k, seed)));
        }
    }
    Ok((starts, sampled.len() as u64))
}
