//! The map side of all variants of K-Means: one pass serves all candidates.

use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::execution::TaskContext;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use segmenta_algorithms::hashing::combine;
use segmenta_algorithms::kmeans::{
    Assigner, Centers, FilterTree, MAX_FILTERED, Partial, accumulate_all, coordinate_quanta,
};
use segmenta_algorithms::rows::{Rows, matrix};
use segmenta_algorithms::sums::Bounds;
use segmenta_algorithms::with_dimensions;
use serde::{Deserialize, Serialize};

use super::{PartTask, RowSample, only};
use crate::artifact::{Part, Points, decode_points, load_points};
use crate::error::Result;
use crate::store::{PartitionStore, StoreKey};

/// One candidate of a pass.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PassCandidate {
    /// What points are assigned by.
    pub centers: Centers,
    /// What the pass returns for it beside counts and sums.
    pub wanted: Wanted,
}

/// What a pass learns of a candidate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Wanted {
    /// Counts and sums, which are all that a step needs.
    Sums,
    /// The inertia as well.
    Inertia,
    /// This many of the farthest points as well, to re-seed empty clusters with.
    Farthest(usize),
}

impl Wanted {
    /// How many of the farthest points.
    #[must_use]
    pub fn farthest(self) -> usize {
        match self {
            Self::Farthest(points) => points,
            Self::Sums | Self::Inertia => 0,
        }
    }
}

/// A seeded batch of points. The space of row ids is divided into equal slices, and the batch is the rows in some of
/// them. As ids are hashes, that is as good as any sample. A slice is a run of rows of a part, so no other rows are
/// read. Which points the batch holds depends on nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Batch {
    /// Seed of the step.
    pub seed: u64,
    /// There are 2 to the power of this many slices.
    slice_bits: u32,
    /// Largest hash of a slice that is in the batch.
    threshold: u64,
}

/// A batch has about this many slices.
const SLICES: u64 = 64;

impl Batch {
    /// A batch of about `wanted` of `rows` rows; `None` where that is all of them.
    #[must_use]
    pub fn of(seed: u64, wanted: u64, rows: u64) -> Option<Self> {
        let RowSample { threshold, .. } = RowSample::of(seed, wanted, rows);
        let slices = SLICES.saturating_mul(rows / wanted.max(1));
        (wanted < rows).then(|| Self { seed, slice_bits: slices.next_power_of_two().ilog2().clamp(1, 40), threshold })
    }

    /// The rows of a part that are in the batch, given the part's ascending `ids`.
    fn rows(&self, ids: &[u64]) -> Vec<Range<usize>> {
        let slice = |id: &u64| id >> (64 - self.slice_bits);
        let (Some(first), Some(last)) = (ids.first().map(slice), ids.last().map(slice)) else { return vec![] };
        let chosen = (first..=last).filter(|slice| combine(self.seed, *slice) <= self.threshold);
        chosen
            .map(|chosen| ids.partition_point(|id| slice(id) < chosen)..ids.partition_point(|id| slice(id) <= chosen))
            .collect()
    }
}

/// Assigns the points of a part by each candidate and returns counts, sums and whatever else is wanted. With few
/// columns it works on boxes of points, otherwise on single points. For the next pass the partition store keeps the
/// part's tree, about `14 d + 2` bytes a row, or its points, `8 (d + 1)`. While a tree is built from the points, that
/// takes `16 d + 8` more. Besides those it holds `16 k (d + 1)` bytes a candidate.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct KMeansPass {
    /// Features, in order.
    pub columns: Vec<String>,
    /// Bounds of the scaled features over all parts.
    pub bounds: Vec<Bounds>,
    /// The candidates that still move.
    pub candidates: Vec<PassCandidate>,
    /// If given, only the points of this batch.
    pub batch: Option<Batch>,
}

#[async_trait]
impl PartTask for KMeansPass {
    const NAME: &'static str = "kmeans_pass";
    /// In the order of `candidates`.
    type Output = Vec<Partial>;

    async fn run(&self, inputs: &[Part], context: &Arc<TaskContext>) -> Result<Vec<Partial>> {
        let part = only(inputs)?;
        let assigners: Vec<Assigner> = self
            .candidates
            .iter()
            .map(|asked| Assigner::new(asked.centers.clone(), &self.bounds, asked.wanted.farthest()))
            .collect();
        let mut partials: Vec<Partial> = assigners.iter().map(Assigner::empty_partial).collect();
        // The candidates that can use boxes of points, and those that need single points.
        let (mut fast, mut plain) = (vec![], vec![]);
        for ((asked, assigner), partial) in self.candidates.iter().zip(&assigners).zip(&mut partials) {
            match asked.wanted {
                Wanted::Sums | Wanted::Inertia if assigner.centers().splits().is_empty() => {
                    fast.push((assigner, asked.wanted == Wanted::Inertia, partial));
                }
                _ => plain.push((assigner, partial)),
            }
        }
        if self.batch.is_none() && self.columns.len() <= MAX_FILTERED && !fast.is_empty() {
            with_dimensions!(self.columns.len(), D => {
                let tree = self.tree::<D>(context, part).await?;
                fast.drain(..).for_each(|(assigner, measured, partial)| tree.accumulate(assigner, measured, partial));
            });
        }
        if fast.is_empty() && plain.is_empty() {
            return Ok(partials);
        }
        let reservation = MemoryConsumer::new("segmenta batch").register(context.memory_pool());
        let points = self.points(context, part, &reservation).await?;
        accumulate_all(&points.rows, points.weights.as_deref(), fast.into_iter());
        for (assigner, partial) in plain {
            assigner.accumulate(&points.rows, &points.ids, points.weights.as_deref(), partial);
        }
        Ok(partials)
    }
}

impl Points {
    /// Keeps only these rows.
    fn take(&self, rows: &[Range<usize>]) -> Self {
        let d = self.rows.ncols();
        let values = rows.iter().flat_map(|rows| &self.rows.values()[rows.start * d..rows.end * d]);
        let weights = |weights: &Vec<u32>| rows.iter().flat_map(|rows| &weights[rows.clone()]).copied().collect();
        Self {
            ids: rows.iter().flat_map(|rows| &self.ids[rows.clone()]).copied().collect(),
            rows: matrix(values.copied().collect(), d),
            weights: self.weights.as_ref().map(weights),
        }
    }
}

impl KMeansPass {
    /// The points of the pass: those of the part or of a batch of it. Memory for the batch is reserved.
    async fn points(&self, context: &TaskContext, part: &Part, reservation: &MemoryReservation) -> Result<Arc<Points>> {
        let points = load_points(context, part, &self.columns).await?;
        let Some(batch) = self.batch else { return Ok(points) };
        let rows = batch.rows(&points.ids);
        let count: usize = rows.iter().map(Range::len).sum();
        reservation.try_grow(count * (8 * self.columns.len() + 12))?;
        Ok(Arc::new(points.take(&rows)))
    }

    async fn tree<const D: usize>(&self, context: &TaskContext, part: &Part) -> Result<Arc<FilterTree<D>>> {
        // A tree holds sums, and their units come from the bounds of all parts.
        let made = format!("filter#{:?}#{}", coordinate_quanta(&self.bounds), self.columns.join("\u{1f}"));
        let key = StoreKey::of(part, &made);
        let store = PartitionStore::of(context)?;
        let tree = store.get_or_load(&key, async {
            let reservation = MemoryConsumer::new("segmenta filter tree").register(context.memory_pool());
            // Memory for the points with their rows while these are sorted, and for the tree.
            reservation.try_grow(part.rows as usize * (8 * D + 8 + 14 * D + 2))?;
            let points = decode_points(context, part, &self.columns).await?;
            let tree = FilterTree::<D>::build(points.rows, points.weights.as_deref(), &self.bounds);
            let bytes = tree.bytes();
            Ok((tree, bytes))
        });
        Ok(tree.await?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use segmenta_algorithms::hashing::mix;

    #[test]
    fn a_batch_is_the_same_however_rows_are_split() {
        let mut ids: Vec<u64> = (0..200_000).map(mix).collect();
        ids.sort_unstable();
        let batch = Batch::of(3, 10_000, 200_000).unwrap();
        assert_eq!(Batch::of(3, 200_000, 200_000), None);
        let drawn = |ids: &[u64]| batch.rows(ids).into_iter().flat_map(|rows| ids[rows].to_vec()).collect::<Vec<u64>>();
        let whole = drawn(&ids);
        assert!((7_500..12_500).contains(&whole.len()), "{}", whole.len());
        let (low, high) = ids.split_at(70_001);
        assert_eq!(whole, [drawn(low), drawn(high)].concat());
        assert_eq!(drawn(&[]), Vec::<u64>::new());
    }
}
