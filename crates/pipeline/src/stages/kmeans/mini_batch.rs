//! Mini-batch K-Means for all candidates. Each step reads one batch, the same for all candidates, and a pass over all
//! points comes last.

use segmenta_algorithms::hashing::combine;
use segmenta_algorithms::kmeans::{Centers, Clustering, MiniBatch, Progress, coordinate_quanta};
use segmenta_engine::Result;
use segmenta_engine::operators::{Batch, PassCandidate, Wanted};

use super::{Candidate, Points, Started, flat};
use crate::stages::rows_of;
use segmenta_spec::KMeans;

/// Batches have a seed of their own.
const BATCH_SEED: u64 = 0x0062_6174_6368;

pub(super) async fn run(
    points: &Points<'_>,
    settings: &KMeans,
    started: Vec<Started>,
    batch_rows: u64,
) -> Result<Vec<Candidate>> {
    let d = points.columns();
    let quanta = coordinate_quanta(&points.scaled.bounds);
    let weight = points.scaled.weight as f64;
    let rows = rows_of(&points.scaled.parts);
    let ids: Vec<(usize, usize)> = started.iter().map(|start| (start.k, start.restart)).collect();
    let mut runs: Vec<MiniBatch> =
        started.into_iter().map(|start| MiniBatch::new(start.centroids, d, weight, settings.max_iterations)).collect();
    for step in 0.. {
        let mut moving: Vec<&mut MiniBatch> = runs.iter_mut().filter(|r| r.progress() == Progress::Running).collect();
        if moving.is_empty() {
            break;
        }
        let batch = Batch::of(combine(combine(settings.seed, BATCH_SEED), step), batch_rows, rows);
        let asked: Vec<PassCandidate> = moving.iter().map(|run| flat(run.centroids(), d, Wanted::Inertia)).collect();
        let partials = points.pass(asked, batch).await?;
        for (run, partial) in moving.iter_mut().zip(&partials) {
            let assigner = points.assigner(Centers::flat(run.centroids().to_vec(), d));
            run.step(partial, assigner.inertia(partial), &quanta);
        }
    }
    let asked = runs.iter().map(|run| flat(run.centroids(), d, Wanted::Inertia)).collect();
    let partials = points.pass(asked, None).await?;
    let finish = |(run, ((k, restart), partial)): (&MiniBatch, (&(usize, usize), &_))| {
        let assigner = points.assigner(Centers::flat(run.centroids().to_vec(), d));
        Candidate {
            k: *k,
            restart: *restart,
            clustering: Clustering::new(&assigner, partial),
            iterations: run.iterations(),
            relocated: 0,
            progress: run.progress(),
        }
    };
    Ok(runs.iter().zip(ids.iter().zip(&partials)).map(finish).collect())
}
