//! Where K-Means starts: the sample of the points, k-means|| over all of them, and the clustering in memory.

use std::sync::Arc;

use ndarray::Array2;
use segmenta_algorithms::hashing::combine;
use segmenta_algorithms::kmeans::{Centers, Gap, ROUNDS, best_of, gaps, plus_plus};
use segmenta_algorithms::parallel::for_each_chunk;
use segmenta_algorithms::rows::{Rows, matrix};
use segmenta_engine::operators::{Oversample, Sampled, Wanted};
use segmenta_engine::{EngineError, Result};

use super::{Points, Started, flat};
use crate::stages::{Draw, draw};
use segmenta_spec::{KMeans, MAX_GAP_SWEEP};

/// Starts are drawn from a sample of this many points, or [`SAMPLE_ROWS_A_CLUSTER`] for each cluster if that is more.
const SAMPLE_ROWS: usize = 16_384;
const SAMPLE_ROWS_A_CLUSTER: usize = 64;
/// A start is the best of up to this many that were refined in memory; fewer where they would take more than
/// [`LOCAL_WORK`].
const LOCAL_STARTS: usize = 10;
/// Multiplications that starts may take, which is a few seconds.
const LOCAL_WORK: f64 = 2e10;
/// Approximate number of steps that refine a start.
const LOCAL_STEPS: f64 = 30.0;
/// k-means|| draws this many points a round for each cluster.
const OVERSAMPLING: f64 = 2.0;
/// Points that the gap statistic looks at.
const GAP_ROWS: usize = 2_048;
/// The gap statistic has a seed of its own.
const GAP_SEED: u64 = 0x0067_6170;
const SPLIT_SEED: u64 = 0x0073_706c_6974;
const ROUND_SEED: u64 = 0x0072_6f75_6e64;

/// Points in memory, each with a weight, in an order that depends on nothing but the data and the seed. Clones share them.
#[derive(Debug, Clone)]
pub(super) struct WeightedPoints(Arc<Weighted>);

#[derive(Debug)]
struct Weighted {
    points: Array2<f64>,
    weights: Vec<f64>,
}

/// A seeded sample of the points.
pub(super) async fn sample(points: &Points<'_>, settings: &KMeans) -> Result<WeightedPoints> {
    let largest = settings.k.last().copied().unwrap_or(1);
    let wanted = SAMPLE_ROWS.max(SAMPLE_ROWS_A_CLUSTER * largest);
    let sampled = draw(
        points.context,
        &Draw {
            parts: &points.scaled.parts,
            columns: points.features,
            seed: settings.seed,
            rows: wanted,
            keep: points.go_by_points(settings),
        },
    )
    .await?;
    let rows = matrix(sampled.iter().flat_map(|point| point.point.iter().copied()).collect(), points.columns());
    let weights = sampled.iter().map(|point| f64::from(point.weight)).collect();
    Ok(WeightedPoints::of(Weighted { points: rows, weights }))
}

/// Draws points over all rows by k-means||, each weighted by the points that are nearest to it.
pub(super) async fn oversample(
    points: &Points<'_>,
    settings: &KMeans,
    sample: &WeightedPoints,
) -> Result<WeightedPoints> {
    let d = points.columns();
    let largest = settings.k.last().copied().unwrap_or(1);
    let Weighted { points: rows, weights } = &*sample.0;
    let mut drawn = plus_plus(rows, weights, 1, combine(settings.seed, ROUND_SEED));
    for round in 0..ROUNDS {
        let partials = points.pass(vec![flat(&drawn, d, Wanted::Inertia)], None).await?;
        let assigner = points.assigner(Centers::flat(drawn.clone(), d));
        let potential: f64 = partials.iter().map(|partial| assigner.inertia(partial)).sum();
        if potential <= 0.0 {
            break;
        }
        let task = Oversample {
            columns: points.features.to_vec(),
            drawn: drawn.clone(),
            rate: OVERSAMPLING * largest as f64 / potential,
            seed: combine(combine(settings.seed, ROUND_SEED), round + 1),
        };
        let found = points.context.map_parts(task, &points.inputs).await?;
        let mut found: Vec<Sampled> = found.into_iter().flatten().collect();
        found.sort_by_key(|point| (point.hash, point.id));
        found.iter().for_each(|point| drawn.extend_from_slice(&point.point));
    }
    let partials = points.pass(vec![flat(&drawn, d, Wanted::Sums)], None).await?;
    let counts = partials.into_iter().next().map(|partial| partial.counts).unwrap_or_default();
    // Of equal points, the first one gets all the weight.
    let there = |i: &usize| counts.get(*i).is_some_and(|count| *count > 0);
    let kept: Vec<usize> = (0..drawn.len() / d).filter(there).collect();
    Ok(WeightedPoints::of(Weighted {
        points: matrix(kept.iter().flat_map(|i| drawn[i * d..(i + 1) * d].iter().copied()).collect(), d),
        weights: kept.iter().map(|i| counts[*i] as f64).collect(),
    }))
}

impl WeightedPoints {
    fn of(rows: Weighted) -> Self {
        Self(Arc::new(rows))
    }

    pub(super) fn rows(&self) -> u64 {
        self.0.points.nrows() as u64
    }

    /// The weighted mean.
    pub(super) fn mean(&self) -> Vec<f64> {
        best_of(&self.0.points, &self.0.weights, 1, 0, 1).centroids
    }

    /// A start for each k and restart.
    pub(super) async fn starts(&self, settings: &KMeans) -> Result<Vec<Started>> {
        let coordinates = self.0.points.values().len() * settings.k.iter().sum::<usize>() * settings.restarts;
        let work = coordinates as f64 * LOCAL_STEPS;
        let local = (LOCAL_WORK / work.max(1.0)).min(LOCAL_STARTS as f64) as usize;
        let restarts = settings.restarts;
        let jobs: Vec<(usize, usize, u64)> = settings
            .k
            .iter()
            .flat_map(|k| {
                (0..restarts).map(|restart| (*k, restart, combine(combine(settings.seed, *k as u64), restart as u64)))
            })
            .collect();
        in_memory(self, move |here, threads| {
            for_each_chunk(jobs, threads, |(k, restart, seed)| {
                let centroids = match local {
                    0 => plus_plus(&here.points, &here.weights, k, seed),
                    starts => best_of(&here.points, &here.weights, k, seed, starts).centroids,
                };
                Started { k, restart, centroids }
            })
        })
        .await
    }

    /// A start for the split of one of the clusters that `current` makes: two centroids, if two points are in the
    /// cluster.
    pub(super) async fn split(&self, current: Centers, cluster: usize, seed: u64) -> Result<Option<Vec<f64>>> {
        in_memory(self, move |here, _| {
            let d = here.points.ncols();
            let (mut members, mut weights) = (vec![], vec![]);
            for (row, weight) in here.points.row_slices().zip(&here.weights) {
                if current.nearest(row).0 == cluster {
                    members.extend_from_slice(row);
                    weights.push(*weight);
                }
            }
            let start = best_of(&matrix(members, d), &weights, 2, combine(seed, SPLIT_SEED), LOCAL_STARTS).centroids;
            (start.len() == 2 * d && start[..d] != start[d..]).then_some(start)
        })
        .await
    }

    /// The gap statistic of each k; empty for a sweep that it would slow down too much.
    pub(super) async fn gaps(&self, settings: &KMeans) -> Result<Vec<Gap>> {
        let rows = self.0.points.nrows().min(GAP_ROWS);
        if settings.k.iter().sum::<usize>() * self.0.points.ncols() > MAX_GAP_SWEEP {
            return Ok(vec![]);
        }
        let (ks, seed, d) = (settings.k.clone(), combine(settings.seed, GAP_SEED), self.0.points.ncols());
        let some = Self::of(Weighted {
            points: matrix(self.0.points.values()[..rows * d].to_vec(), d),
            weights: self.0.weights[..rows].to_vec(),
        });
        in_memory(&some, move |here, threads| gaps(&here.points, &here.weights, &ks, seed, threads)).await
    }
}

/// Runs a computation on threads that may block.
async fn in_memory<T: Send + 'static>(
    points: &WeightedPoints,
    work: impl FnOnce(&Weighted, usize) -> T + Send + 'static,
) -> Result<T> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let done = tokio::task::spawn_blocking({
        let points = Arc::clone(&points.0);
        move || work(&points, threads)
    })
    .await;
    done.map_err(|error| EngineError::job(format!("k-means: the starts were not found: {error}")))
}
