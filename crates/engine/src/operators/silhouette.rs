//! The silhouette over all pairs of a (sample of) points, for all candidates in one pass.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::execution::TaskContext;
use datafusion::execution::memory_pool::MemoryConsumer;
use segmenta_algorithms::kmeans::Assigner;
use segmenta_algorithms::matrix::Matrix;
use segmenta_algorithms::metrics::SilhouetteReference;
use segmenta_algorithms::sums::{Bounds, Quantum};
use serde::{Deserialize, Serialize};

use super::{PartTask, RowSample, only};
use crate::artifact::{Part, load_points};
use crate::error::Result;
use crate::store::PartitionStore;

/// Computes the silhouettes of the sampled points of a part against all sampled points. A worker holds the sample once
/// for each candidate, `8 d` bytes a point, in the partition store; a task holds its own part.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Silhouette {
    /// Features, in order.
    pub columns: Vec<String>,
    /// Bounds of the scaled features over all parts.
    pub bounds: Vec<Bounds>,
    /// All parts: the reference points come from everywhere.
    pub parts: Vec<Part>,
    /// Which points take part.
    pub sample: RowSample,
    /// How many that is, about.
    pub rows: u64,
    /// The centroids of each candidate, `k x d`.
    pub candidates: Vec<Vec<f64>>,
}

/// Of one candidate and cluster.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SilhouetteSums {
    /// Points.
    pub count: u64,
    /// Sum of their silhouettes, in [`Silhouette::quantum`].
    pub sum: i128,
    /// Sum of their squares, in the same unit.
    pub squares: i128,
}

impl SilhouetteSums {
    /// Adds the points of another part.
    pub fn merge(&mut self, other: &Self) {
        self.count += other.count;
        self.sum += other.sum;
        self.squares += other.squares;
    }
}

impl Silhouette {
    /// The unit of the sums: silhouettes lie in `[-1, 1]`.
    #[must_use]
    pub fn quantum() -> Quantum {
        Quantum::for_bound(1.0)
    }

    async fn references(&self, context: &Arc<TaskContext>) -> Result<Arc<Vec<SilhouetteReference>>> {
        let store = PartitionStore::of(context)?;
        let checksums: Vec<&str> = self.parts.iter().map(|part| part.sha256.as_str()).collect();
        let bits: Vec<u64> = self.candidates.iter().flatten().map(|value| value.to_bits()).collect();
        let key = format!("silhouette#{}#{:?}#{bits:x?}", checksums.join(","), self.sample);
        let references = store
            .get_or_load(&key, async {
                let d = self.columns.len();
                let bytes = self.rows as usize * 8 * d * (self.candidates.len() + 1);
                let reservation = MemoryConsumer::new("segmenta silhouette").register(context.memory_pool());
                reservation.try_grow(bytes)?;
                let mut points = Matrix::with_capacity(self.rows as usize, d);
                for part in &self.parts {
                    let part = load_points(context, part, &self.columns).await?;
                    for (row, id) in part.rows.iter().zip(&part.ids) {
                        if self.sample.holds(*id) {
                            points.push(row);
                        }
                    }
                }
                let references = self
                    .candidates
                    .iter()
                    .map(|centroids| {
                        let assigner = Assigner::new(centroids.clone(), &self.bounds, 0);
                        let labels: Vec<u32> = points.iter().map(|row| assigner.nearest(row).0 as u32).collect();
                        SilhouetteReference::new(&points, &labels, assigner.k())
                    })
                    .collect::<Vec<_>>();
                Ok((references, bytes))
            })
            .await?;
        Ok(references)
    }
}

#[async_trait]
impl PartTask for Silhouette {
    const NAME: &'static str = "silhouette";
    /// `[candidate][cluster]`
    type Output = Vec<Vec<SilhouetteSums>>;

    async fn run(&self, inputs: &[Part], context: &Arc<TaskContext>) -> Result<Self::Output> {
        let references = self.references(context).await?;
        let points = load_points(context, only(inputs)?, &self.columns).await?;
        let quantum = Self::quantum();
        let mut result = Vec::with_capacity(self.candidates.len());
        for (centroids, reference) in self.candidates.iter().zip(references.iter()) {
            let assigner = Assigner::new(centroids.clone(), &self.bounds, 0);
            let mut sums = vec![SilhouetteSums::default(); assigner.k()];
            for (row, id) in points.rows.iter().zip(&points.ids) {
                if !self.sample.holds(*id) {
                    continue;
                }
                let (cluster, _) = assigner.nearest(row);
                let silhouette = reference.silhouette(row, cluster as u32);
                sums[cluster].count += 1;
                sums[cluster].sum += i128::from(quantum.quanta(silhouette));
                sums[cluster].squares += i128::from(quantum.quanta(silhouette * silhouette));
            }
            result.push(sums);
        }
        Ok(result)
    }
}
