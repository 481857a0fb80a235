//! Lloyd's algorithm for all candidates: one pass a step, and one more with the final centroids.

use segmenta_algorithms::kmeans::{Centers, Clustering, Lloyd, Partial, Progress, coordinate_quanta};
use segmenta_engine::Result;
use segmenta_engine::operators::{PassCandidate, Wanted};

use super::{Candidate, Points, Started, flat};
use segmenta_spec::KMeans;

/// One candidate during the run.
struct Run {
    k: usize,
    restart: usize,
    lloyd: Lloyd,
    done: Option<Candidate>,
}

pub(super) async fn run(
    points: &Points<'_>,
    settings: &KMeans,
    started: Vec<Started>,
    tolerance: f64,
) -> Result<Vec<Candidate>> {
    let d = points.columns();
    let quanta = coordinate_quanta(&points.scaled.bounds);
    let run = |Started { k, restart, centroids }| Run {
        k,
        restart,
        lloyd: Lloyd::new(centroids, d, tolerance, settings.max_iterations),
        done: None,
    };
    let mut runs: Vec<Run> = started.into_iter().map(run).collect();
    loop {
        let mut moving: Vec<&mut Run> = runs.iter_mut().filter(|run| run.done.is_none()).collect();
        if moving.is_empty() {
            return Ok(runs.into_iter().filter_map(|run| run.done).collect());
        }
        let asked: Vec<PassCandidate> = moving.iter().map(|run| run.asks(d)).collect();
        let mut partials = points.pass(asked, None).await?;
        reseed(points, &moving, &mut partials).await?;
        for (run, partial) in moving.iter_mut().zip(&partials) {
            if run.lloyd.progress() == Progress::Running {
                run.lloyd.step(partial, &partial.farthest, &quanta);
            } else {
                let assigner = points.assigner(Centers::flat(run.lloyd.centroids().to_vec(), d));
                run.done = Some(Candidate {
                    k: run.k,
                    restart: run.restart,
                    clustering: Clustering::new(&assigner, partial),
                    iterations: run.lloyd.iterations(),
                    relocated: run.lloyd.relocated(),
                    progress: run.lloyd.progress(),
                });
            }
        }
    }
}

impl Run {
    fn asks(&self, columns: usize) -> PassCandidate {
        let wanted = match self.lloyd.progress() {
            Progress::Running => Wanted::Sums,
            Progress::Converged | Progress::IterationLimit => Wanted::Inertia,
        };
        flat(self.lloyd.centroids(), columns, wanted)
    }
}

/// Empty clusters are rare, so a pass is repeated for the farthest points only when there are some.
async fn reseed(points: &Points<'_>, moving: &[&mut Run], partials: &mut [Partial]) -> Result<()> {
    let is_emptied = |i: &usize| moving[*i].lloyd.progress() == Progress::Running && partials[*i].empty_clusters() > 0;
    let emptied: Vec<usize> = (0..moving.len()).filter(is_emptied).collect();
    if emptied.is_empty() {
        return Ok(());
    }
    let farthest = |i: &usize| {
        let wanted = Wanted::Farthest(partials[*i].empty_clusters());
        flat(moving[*i].lloyd.centroids(), points.columns(), wanted)
    };
    let again = points.pass(emptied.iter().map(farthest).collect(), None).await?;
    for (i, partial) in emptied.into_iter().zip(again) {
        partials[i] = partial;
    }
    Ok(())
}
