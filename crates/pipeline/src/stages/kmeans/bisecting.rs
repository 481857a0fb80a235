//! Bisecting K-Means: one run to the largest k gives every clustering of the sweep. A pass serves all splits that are
//! being tried, in all restarts.

use segmenta_algorithms::hashing::combine;
use segmenta_algorithms::kmeans::{Bisection, Centers, Progress};
use segmenta_engine::operators::{PassCandidate, Wanted};
use segmenta_engine::{EngineError, Result};

use super::starts::WeightedPoints;
use super::{Candidate, Points};
use segmenta_spec::KMeans;

pub(super) async fn run(
    points: &Points<'_>,
    settings: &KMeans,
    sample: Option<&WeightedPoints>,
    tolerance: f64,
) -> Result<Vec<Candidate>> {
    let sample = sample.ok_or_else(|| EngineError::job("bisecting k-means: no sample to start from"))?;
    let largest = settings.k.last().copied().unwrap_or(2);
    // All rows are the first leaf, and one pass computes their count, sum and inertia.
    let whole = Centers::flat(sample.mean(), points.columns());
    let partials = points.pass(vec![PassCandidate { centers: whole.clone(), wanted: Wanted::Inertia }], None).await?;
    let whole = points.assigner(whole);
    let new = |partial| Bisection::new(&whole, partial, largest, tolerance, settings.max_iterations);
    let mut runs: Vec<Bisection> = partials.iter().cycle().take(settings.restarts).map(new).collect();
    loop {
        for (restart, run) in runs.iter_mut().enumerate() {
            // Beginning one split may carry out others that were tried before, which changes the numbers of the
            // clusters.
            while let Some(leaf) = run.untried().first().copied() {
                let current = run.current();
                let seed = combine(combine(settings.seed, restart as u64), leaf as u64 ^ ((current.k() as u64) << 32));
                let start = sample.split(current, leaf, seed).await?;
                run.begin(leaf, start);
            }
        }
        let trials: Vec<(usize, _)> = runs.iter().enumerate().filter_map(|(i, run)| Some((i, run.trial()?))).collect();
        if trials.is_empty() {
            break;
        }
        let asked =
            trials.iter().map(|(_, centers)| PassCandidate { centers: centers.clone(), wanted: Wanted::Inertia });
        let partials = points.pass(asked.collect(), None).await?;
        for ((i, centers), partial) in trials.into_iter().zip(&partials) {
            runs[i].step(&points.assigner(centers), partial);
        }
    }
    let candidates = runs.iter().enumerate().flat_map(|(restart, run)| {
        settings.k.iter().map(move |k| {
            let found = run.clustering(*k);
            Candidate {
                k: *k,
                restart,
                clustering: found.clustering,
                iterations: found.iterations,
                relocated: 0,
                progress: if found.unsettled > 0 { Progress::IterationLimit } else { Progress::Converged },
            }
        })
    });
    Ok(candidates.collect())
}
