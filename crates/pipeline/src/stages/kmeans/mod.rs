//! K-Means: sweeps k by map-reduce. One pass over the points serves every candidate (k, restart) that still moves,
//! whatever its variant.
//!
//! | file | |
//! |---|---|
//! | `starts` | the sample of the points, the starts, and the gap statistic |
//! | `lloyd` | Lloyd's algorithm |
//! | `mini_batch` | mini-batch K-Means |
//! | `bisecting` | bisecting K-Means |

mod bisecting;
mod lloyd;
mod mini_batch;
mod starts;

use segmenta_algorithms::kmeans::{Assigner, Centers, Clustering, Gap, MAX_FILTERED, Partial, Progress};
use segmenta_engine::artifact::Part;
use segmenta_engine::operators::{Batch, KMeansPass, PassCandidate, Wanted};
use segmenta_engine::{EngineError, Result};
use serde::{Deserialize, Serialize};

use super::scale::Scaled;
use super::{rows_of, singly};
use crate::stage::{Given, Made, Stage, StageContext};
use crate::stages::outliers::OutliersStage;
use crate::stages::scale::ScaleStage;
use segmenta_results::words::plural;
use segmenta_spec::JobSpec;
use segmenta_spec::{KMeans, KMeansAlgorithm, Start};
use serde_json::Value;

/// The stage.
pub struct KMeansStage;

impl Stage for KMeansStage {
    const NAME: &'static str = "kmeans";
    const AFTER: &'static [&'static str] = &[ScaleStage::NAME];
    type Output = Clustered;

    fn settings(given: &Given<'_>) -> serde_json::Result<Value> {
        let KMeans { k, seed, restarts, max_iterations, tolerance, start, algorithm, .. } = &given.spec.kmeans;
        serde_json::to_value((k, seed, restarts, max_iterations, tolerance, start, algorithm))
    }

    fn describe(given: &Given<'_>) -> String {
        describe(given.spec)
    }

    fn check(given: &Given<'_>) -> Result<()> {
        given.customers().map_or(Ok(()), |rows| check_rows(&given.spec.kmeans, rows))
    }

    fn rows(_given: &Given<'_>, made: &Made) -> Result<u64> {
        Ok(rows_of(&made.of::<OutliersStage>()?.kept))
    }

    async fn run(context: &StageContext<'_>, given: &Given<'_>, made: &Made) -> Result<Clustered> {
        run(context, &given.spec.kmeans, &given.spec.source.features, made.of::<ScaleStage>()?).await
    }
}

fn describe(spec: &JobSpec) -> String {
    let kmeans = &spec.kmeans;
    let starts = format!("{} {}", kmeans.restarts, plural(kmeans.restarts as u64, "start", "starts"));
    let start = match kmeans.start {
        Start::KmeansPlusPlus => format!("k-means++ (seed {}, {starts} each)", kmeans.seed),
        Start::KmeansParallel => format!("k-means|| (seed {}, {starts} each)", kmeans.seed),
        Start::Centroids(_) => "the given centroids".to_owned(),
    };
    let k = describe_k(&kmeans.k);
    match kmeans.algorithm {
        KMeansAlgorithm::Lloyd => format!("{k} from {start}"),
        KMeansAlgorithm::Minibatch { batch_rows } => format!("{k} by batches of {batch_rows} rows, from {start}"),
        KMeansAlgorithm::Bisecting => {
            format!("{k} by bisecting (seed {}, {starts})", kmeans.seed)
        }
    }
}

fn describe_k(k: &[usize]) -> String {
    match k {
        [k] => format!("k = {k}"),
        [first, .., last] => format!("k = {first}..{last}, all in each pass"),
        [] => String::new(),
    }
}

/// What the stage made.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Clustered {
    /// The best start of each k, by ascending k.
    pub candidates: Vec<Candidate>,
    /// The gap statistic of each k that has one.
    pub gaps: Vec<Gap>,
    /// Points of the sample that starts and gaps come from; 0 where none was needed.
    pub sample_rows: u64,
    /// Points that k-means|| drew; 0 for other kinds of start.
    pub oversampled_rows: u64,
    /// Passes over the points, including the one that draws the sample.
    pub passes: u64,
}

/// The outcome for one k.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Candidate {
    /// Number of clusters.
    pub k: usize,
    /// The restart it comes from, counted from 0.
    pub restart: usize,
    /// Its clusters, in scaled space. Means differ from centroids by no more than the tolerance.
    pub clustering: Clustering,
    /// Steps taken.
    pub iterations: usize,
    /// Empty clusters re-seeded on the way.
    pub relocated: usize,
    /// How it ended.
    pub progress: Progress,
}

/// A candidate's start: `k x d` centroids, for a k and a restart.
struct Started {
    k: usize,
    restart: usize,
    centroids: Vec<f64>,
}

/// The prepared points, and the way to pass over them.
struct Points<'a> {
    context: &'a StageContext<'a>,
    features: &'a [String],
    scaled: &'a Scaled,
    inputs: Vec<Vec<Part>>,
}

impl Points<'_> {
    /// The merged partial of each candidate, of all points or of a batch.
    async fn pass(&self, candidates: Vec<PassCandidate>, batch: Option<Batch>) -> Result<Vec<Partial>> {
        let farthest: Vec<usize> = candidates.iter().map(|asked| asked.wanted.farthest()).collect();
        let task =
            KMeansPass { columns: self.features.to_vec(), bounds: self.scaled.bounds.clone(), candidates, batch };
        let merge = |total: &mut Vec<Partial>, part: Vec<Partial>| {
            for ((total, partial), farthest) in total.iter_mut().zip(&part).zip(&farthest) {
                total.merge(partial, *farthest);
            }
        };
        self.context.merge_parts(task, &self.inputs, merge).await
    }

    fn assigner(&self, centers: Centers) -> Assigner {
        Assigner::new(centers, &self.scaled.bounds, 0)
    }

    /// Whether passes look at single points rather than at boxes of points.
    fn go_by_points(&self, settings: &KMeans) -> bool {
        self.columns() > MAX_FILTERED || settings.algorithm != KMeansAlgorithm::Lloyd
    }

    fn columns(&self) -> usize {
        self.features.len()
    }
}

/// A flat candidate of a pass.
fn flat(centroids: &[f64], columns: usize, wanted: Wanted) -> PassCandidate {
    PassCandidate { centers: Centers::flat(centroids.to_vec(), columns), wanted }
}

/// Refuses more clusters than rows.
///
/// # Errors
/// When there are fewer rows than clusters.
pub(crate) fn check_rows(settings: &KMeans, rows: u64) -> Result<()> {
    match settings.k.last() {
        Some(largest) if *largest as u64 > rows => Err(EngineError::spec(format!(
            "kmeans.k: {rows} rows cannot make {largest} clusters; lower k to at most {rows}, or check what \
             source.sql and outliers leave"
        ))),
        _ => Ok(()),
    }
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
    check_rows(settings, rows_of(&scaled.parts))?;
    let points = Points { context, features, scaled, inputs: singly(&scaled.parts) };
    let needs_sample = settings.k.len() > 1 || !matches!(settings.start, Start::Centroids(_));
    context.begin_step("draw a sample");
    let sample = if needs_sample { Some(starts::sample(&points, settings).await?) } else { None };
    let tolerance = settings.tolerance * scaled.variances.iter().sum::<f64>() / features.len() as f64;
    let mut oversampled_rows = 0;
    let candidates = if settings.algorithm == KMeansAlgorithm::Bisecting {
        context.begin_step("move the centroids");
        bisecting::run(&points, settings, sample.as_ref(), tolerance).await?
    } else {
        context.begin_step("find starts");
        let started = match (&settings.start, &sample) {
            (Start::Centroids(rows), _) => vec![Started { k: rows.len(), restart: 0, centroids: rows.concat() }],
            (Start::KmeansPlusPlus, Some(sample)) => sample.starts(settings).await?,
            (Start::KmeansParallel, Some(sample)) => {
                let drawn = starts::oversample(&points, settings, sample).await?;
                oversampled_rows = drawn.rows();
                drawn.starts(settings).await?
            }
            (_, None) => return Err(EngineError::job("k-means: no sample to start from")),
        };
        context.begin_step("move the centroids");
        match settings.algorithm {
            KMeansAlgorithm::Minibatch { batch_rows } => {
                mini_batch::run(&points, settings, started, batch_rows).await?
            }
            _ => lloyd::run(&points, settings, started, tolerance).await?,
        }
    };
    let best = best_of_each(candidates);
    context.begin_step("compute gaps");
    let gaps = match &sample {
        Some(sample) if settings.k.len() > 1 => sample.gaps(settings).await?,
        _ => vec![],
    };
    warn(context, &best);
    let sample_rows = sample.map_or(0, |sample| sample.rows());
    Ok(Clustered { candidates: best, gaps, sample_rows, oversampled_rows, passes: context.passes() })
}

/// For each k, the restart with the least inertia; the first of equal ones.
fn best_of_each(candidates: Vec<Candidate>) -> Vec<Candidate> {
    let mut best: Vec<Candidate> = Vec::new();
    for candidate in candidates {
        match best.iter_mut().find(|b| b.k == candidate.k) {
            Some(b) if candidate.clustering.inertia < b.clustering.inertia => *b = candidate,
            Some(_) => {}
            None => best.push(candidate),
        }
    }
    best.sort_by_key(|candidate| candidate.k);
    best
}

fn warn(context: &StageContext<'_>, candidates: &[Candidate]) {
    let empty = |candidate: &Candidate| candidate.clustering.counts.iter().filter(|count| **count == 0).count();
    let with_empty: Vec<&Candidate> = candidates.iter().filter(|candidate| empty(candidate) > 0).collect();
    if let [.., largest] = with_empty.as_slice() {
        let empty = empty(largest);
        context.warn(format!(
            "k-means: with k = {}, {empty} clusters stay empty{}: there are no more than {} distinct points",
            largest.k,
            if with_empty.len() > 1 { ", and some with a smaller k too" } else { "" },
            largest.k - empty
        ));
    }
    let moving = candidates.iter().filter(|candidate| candidate.progress == Progress::IterationLimit);
    let moving: Vec<(String, usize)> =
        moving.map(|candidate| (candidate.k.to_string(), candidate.iterations)).collect();
    if let [(_, iterations), ..] = moving.as_slice() {
        let ks: Vec<&str> = moving.iter().map(|(k, _)| k.as_str()).collect();
        context.warn(format!(
            "k-means: k = {} {} still moving after {iterations} iterations; raise `kmeans.max_iterations`",
            ks.join(", "),
            plural(ks.len() as u64, "was", "were")
        ));
    }
}
