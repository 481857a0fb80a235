//! Mini-batch K-Means: Sculley, "Web-scale k-means clustering" (WWW 2010), with scikit-learn's `MiniBatchKMeans` as the model.
//!
//! A step looks at a part of the rows. A centroid moves to the mean of all rows that were ever assigned to it, so its
//! moves become smaller the more rows it has seen.

use super::{Partial, Progress};
use crate::sums::Quantum;

/// Steps in a row that may pass without a smaller inertia.
const PATIENCE: usize = 10;

/// The driver's side of mini-batch K-Means for one candidate.
///
/// It **stops** when the smoothed inertia a row of the batches has not become smaller for 10 steps; the smoothing weighs a
/// batch by twice its share of all rows, as scikit-learn's does. Clusters that a batch has no row of stay where they are; none
/// are re-seeded.
#[derive(Debug, Clone)]
pub struct MiniBatch {
    features: usize,
    centroids: Vec<f64>,
    /// Weight that each centroid is the mean of.
    seen: Vec<f64>,
    /// Of all rows.
    weight: f64,
    smoothed: Option<f64>,
    least: f64,
    without_progress: usize,
    max_iterations: usize,
    iterations: usize,
    progress: Progress,
}

impl MiniBatch {
    /// Starts from `centroids` (`k x d`, row-major), over rows whose weights add up to `weight`.
    #[must_use]
    pub fn new(centroids: Vec<f64>, features: usize, weight: f64, max_iterations: usize) -> Self {
        Self {
            seen: vec![0.0; centroids.len().checked_div(features).unwrap_or(0)],
            features,
            centroids,
            weight,
            smoothed: None,
            least: f64::INFINITY,
            without_progress: 0,
            max_iterations,
            iterations: 0,
            progress: if max_iterations == 0 { Progress::IterationLimit } else { Progress::Running },
        }
    }

    /// `k x d`, row-major.
    #[must_use]
    pub fn centroids(&self) -> &[f64] {
        &self.centroids
    }

    /// Steps taken.
    #[must_use]
    pub fn iterations(&self) -> usize {
        self.iterations
    }

    /// Whether another batch is needed.
    #[must_use]
    pub fn progress(&self) -> Progress {
        self.progress
    }

    /// One step from the merged partial of a batch with [`MiniBatch::centroids`], and its `inertia`. `quanta` are those of the pass, a
    /// feature each. A batch without a row moves nothing.
    pub fn step(&mut self, partial: &Partial, inertia: f64, quanta: &[Quantum]) {
        let d = self.features;
        let rows: u64 = partial.counts.iter().sum();
        for (c, count) in partial.counts.iter().enumerate().filter(|(_, count)| **count > 0) {
            let share = *count as f64 / (self.seen[c] + *count as f64);
            self.seen[c] += *count as f64;
            for (j, quantum) in quanta.iter().enumerate() {
                let centroid = &mut self.centroids[c * d + j];
                *centroid += share * (quantum.mean(partial.sums[c * d + j], *count) - *centroid);
            }
        }
        self.iterations += 1;
        if rows > 0 {
            let inertia = inertia / rows as f64;
            let share = (2.0 * rows as f64 / (self.weight + 1.0)).min(1.0);
            let smoothed = self.smoothed.map_or(inertia, |smoothed| smoothed + share * (inertia - smoothed));
            self.smoothed = Some(smoothed);
            self.without_progress = if smoothed < self.least { 0 } else { self.without_progress + 1 };
            self.least = self.least.min(smoothed);
        }
        if self.without_progress >= PATIENCE {
            self.progress = Progress::Converged;
        } else if self.iterations >= self.max_iterations {
            self.progress = Progress::IterationLimit;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hashing::{mix, unit_interval};
    use crate::kmeans::{Assigner, Centers, coordinate_quanta};
    use crate::rows::matrix;
    use crate::sums::Bounds;

    #[test]
    fn finds_two_blobs_and_stops() {
        let bounds = [Bounds { min: 0.0, max: 11.0 }];
        let quanta = coordinate_quanta(&bounds);
        let mut batches = MiniBatch::new(vec![3.0, 4.0], 1, 10_000.0, 500);
        while batches.progress() == Progress::Running {
            let seed = batches.iterations() as u64;
            let value = |i: u64| 10.0 * (i % 2) as f64 + unit_interval(mix(mix(seed) ^ i));
            let rows = matrix((0..100).map(value).collect(), 1);
            let assigner = Assigner::new(Centers::flat(batches.centroids().to_vec(), 1), &bounds, 0);
            let mut partial = assigner.empty_partial();
            assigner.accumulate(&rows, &[], None, &mut partial);
            batches.step(&partial, assigner.inertia(&partial), &quanta);
        }
        assert_eq!(batches.progress(), Progress::Converged);
        let mut found = batches.centroids().to_vec();
        found.sort_by(f64::total_cmp);
        // The first batches, assigned by a bad start, still count.
        assert!((found[0] - 0.5).abs() < 0.2 && (found[1] - 10.5).abs() < 0.2, "{found:?}");
    }
}
