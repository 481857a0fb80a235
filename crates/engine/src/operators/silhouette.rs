//! The silhouettes of a sample of points, for all candidates in one pass.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::execution::TaskContext;
use datafusion::execution::memory_pool::MemoryConsumer;
use segmenta_algorithms::kmeans::{Centers, Judge};
use segmenta_algorithms::metrics::{Labelling, REPLICATES, Replicas, SilhouetteReference};
use segmenta_algorithms::rows::{Rows, matrix};
use serde::{Deserialize, Serialize};

use super::{PartTask, only};
use crate::artifact::{Part, Points, points_once};
use crate::error::Result;
use crate::store::{PartitionStore, StoreKey};

/// Computes the silhouettes of a part of a sample against the whole sample. A worker holds the sample once, in the
/// partition store: `8 (d + 1)` bytes a point, and up to eight times that when few points have the same clusters in all
/// candidates.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Silhouette {
    /// Features, in order.
    pub columns: Vec<String>,
    /// The whole sample.
    pub sample: Vec<Part>,
    /// The strata of the sample are its clusters.
    pub strata: Centers,
    /// For each stratum, how many rows a row of the sample stands for.
    pub factors: Vec<f64>,
    /// What points are assigned by in each candidate.
    pub candidates: Vec<Centers>,
}

/// Sums over the points of one stratum in one cluster.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SilhouetteSums {
    /// Sum of the weights of the points.
    pub weight: u64,
    /// Weighted sum of their silhouettes, in [`Judge::silhouette_quantum`].
    pub sum: i128,
    /// The same for their silhouettes in each replicate.
    pub replicates: [i128; REPLICATES],
    /// The portion of those sums that comes from the points of the group that the replicate leaves out.
    pub left_out: [i128; REPLICATES],
    /// The weights of the points of that group.
    pub weight_left_out: [u64; REPLICATES],
}

impl SilhouetteSums {
    /// Adds the points of another part.
    pub fn merge(&mut self, other: &Self) {
        self.weight += other.weight;
        self.sum += other.sum;
        for g in 0..REPLICATES {
            self.replicates[g] += other.replicates[g];
            self.left_out[g] += other.left_out[g];
            self.weight_left_out[g] += other.weight_left_out[g];
        }
    }

    /// The mean silhouette; 0 without points.
    #[must_use]
    pub fn mean(&self) -> f64 {
        Judge::silhouette_quantum().mean(self.sum, self.weight)
    }

    /// The mean silhouette in each replicate, where a point stands for `factor` rows of its stratum.
    #[must_use]
    pub fn replicates(&self, factor: f64) -> [f64; REPLICATES] {
        let (unit, replicas) = (Judge::silhouette_quantum(), Replicas::new(factor));
        std::array::from_fn(|g| {
            let weight = replicas.sum(self.weight as f64, self.weight_left_out[g] as f64);
            let sum = replicas.sum(unit.value(self.replicates[g]), unit.value(self.left_out[g]));
            // All points of the stratum may be in that one group. Then nothing is known without them, and the mean
            // stays as it is.
            if weight > 0.0 { sum / weight } else { self.mean() }
        })
    }
}

/// By stratum and cluster.
pub type SilhouettesByStratum = BTreeMap<(u32, u32), SilhouetteSums>;

impl Silhouette {
    /// The weight of point `i`, how many rows a row of its stratum stands for, and the stratum.
    fn weight(&self, points: &Points, i: usize) -> (u32, f64, u32) {
        let weight = points.weights.as_ref().map_or(1, |weights| weights[i]);
        let (stratum, _) = self.strata.nearest(points.rows.row_slice(i));
        (weight, self.factors[stratum], stratum as u32)
    }

    async fn reference(&self, context: &Arc<TaskContext>) -> Result<Arc<SilhouetteReference>> {
        let store = PartitionStore::of(context)?;
        let bits: Vec<u64> = self.candidates.iter().flat_map(Centers::centroids).map(|value| value.to_bits()).collect();
        let key = StoreKey::of_all(&self.sample, &format!("silhouette#{bits:x?}"));
        let reference = store
            .get_or_load(&key, async {
                let d = self.columns.len();
                let rows = self.sample.iter().map(|part| part.rows as usize).sum::<usize>();
                // Memory for the points, their labels and their layout; at worst each point is alone in its group.
                let bytes = rows * (8 * (d + 1) + 12 * self.candidates.len() + 64 * (d + 1) + 64);
                let reservation = MemoryConsumer::new("segmenta silhouette").register(context.memory_pool());
                reservation.try_grow(bytes)?;
                let mut points = Vec::with_capacity(rows * d);
                let mut weights = Vec::with_capacity(rows);
                for part in &self.sample {
                    let part = points_once(context, part, &self.columns).await?;
                    for (i, row) in part.rows.row_slices().enumerate() {
                        points.extend_from_slice(row);
                        let (weight, factor, _) = self.weight(&part, i);
                        weights.push(f64::from(weight) * factor);
                    }
                }
                let points = matrix(points, d);
                let labelling = |centers: &Centers| Labelling {
                    k: centers.k(),
                    labels: points.row_slices().map(|row| centers.nearest(row).0 as u32).collect(),
                };
                let labellings: Vec<Labelling> = self.candidates.iter().map(labelling).collect();
                let reference = SilhouetteReference::new(&points, &weights, &labellings, &self.factors);
                let bytes = reference.bytes();
                Ok((reference, bytes))
            })
            .await?;
        Ok(reference)
    }
}

#[async_trait]
impl PartTask for Silhouette {
    const NAME: &'static str = "silhouette";
    /// In the order of `candidates`.
    type Output = Vec<SilhouettesByStratum>;

    async fn run(&self, inputs: &[Part], context: &Arc<TaskContext>) -> Result<Self::Output> {
        let reference = self.reference(context).await?;
        let part = only(inputs)?;
        let before = self.sample.iter().take_while(|other| other.index != part.index);
        let before = before.map(|part| part.rows as usize).sum::<usize>();
        let points = points_once(context, part, &self.columns).await?;
        let quantum = Judge::silhouette_quantum();
        let mut result = vec![SilhouettesByStratum::new(); self.candidates.len()];
        for (i, row) in points.rows.row_slices().enumerate() {
            let (weight, factor, stratum) = self.weight(&points, i);
            let labels: Vec<u32> = self.candidates.iter().map(|centers| centers.nearest(row).0 as u32).collect();
            let group = reference.group(before + i);
            let silhouettes = reference.silhouettes(row, factor, group, &labels);
            for ((result, cluster), silhouette) in result.iter_mut().zip(labels).zip(silhouettes) {
                let term = |value: f64| i128::from(weight) * i128::from(quantum.quanta(value));
                let mut sums = SilhouetteSums {
                    weight: u64::from(weight),
                    sum: term(silhouette.value),
                    replicates: silhouette.replicates.map(term),
                    ..SilhouetteSums::default()
                };
                sums.left_out[group] = sums.replicates[group];
                sums.weight_left_out[group] = sums.weight;
                result.entry((stratum, cluster)).or_default().merge(&sums);
            }
        }
        Ok(result)
    }
}
