//! The map side of K-Means: one pass serves all candidates.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::execution::TaskContext;
use datafusion::execution::memory_pool::MemoryConsumer;
use segmenta_algorithms::kmeans::{Assigner, FilterTree, MAX_FILTERED, Partial, accumulate_all};
use segmenta_algorithms::sums::Bounds;
use segmenta_algorithms::with_dimensions;
use serde::{Deserialize, Serialize};

use super::{PartTask, only};
use crate::artifact::{Part, Points, load_points};
use crate::error::Result;
use crate::store::PartitionStore;

/// One candidate of a pass.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PassCandidate {
    /// `k x d`, row-major.
    pub centroids: Vec<f64>,
    /// What is wanted of it beside counts and sums.
    pub wanted: Wanted,
}

/// What a pass learns of a candidate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Wanted {
    /// Counts and sums: what a step takes.
    Sums,
    /// The inertia as well.
    Inertia,
    /// So many of the farthest points as well, to re-seed empty clusters with.
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

/// Assigns the points of a part to the nearest centroid of each candidate and returns counts, sums and what else is wanted. In
/// few columns it goes by boxes of points, else by the points. The partition store keeps for the next pass the part's tree,
/// about `13 d + 2` bytes a row, or its points, `8 (d + 1)`; a tree is built from the points, which takes both for that while. Besides
/// those it holds `16 k (d + 1)` bytes a candidate.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct KMeansPass {
    /// Features, in order.
    pub columns: Vec<String>,
    /// Bounds of the scaled features over all parts.
    pub bounds: Vec<Bounds>,
    /// The candidates that still move.
    pub candidates: Vec<PassCandidate>,
}

#[async_trait]
impl PartTask for KMeansPass {
    const NAME: &'static str = "kmeans_pass";
    /// As `candidates`.
    type Output = Vec<Partial>;

    async fn run(&self, inputs: &[Part], context: &Arc<TaskContext>) -> Result<Vec<Partial>> {
        let part = only(inputs)?;
        let assigners: Vec<Assigner> = self
            .candidates
            .iter()
            .map(|asked| Assigner::new(asked.centroids.clone(), &self.bounds, asked.wanted.farthest()))
            .collect();
        let mut partials: Vec<Partial> = assigners.iter().map(Assigner::empty_partial).collect();
        let (mut near, mut far) = (vec![], vec![]);
        for ((asked, assigner), partial) in self.candidates.iter().zip(&assigners).zip(&mut partials) {
            match asked.wanted {
                Wanted::Sums => near.push((assigner, false, partial)),
                Wanted::Inertia => near.push((assigner, true, partial)),
                Wanted::Farthest(_) => far.push((assigner, partial)),
            }
        }
        if self.columns.len() > MAX_FILTERED {
            accumulate_all(&self.points(context, part).await?.rows, near.into_iter());
        } else if !near.is_empty() {
            with_dimensions!(self.columns.len(), D => {
                let tree = self.tree::<D>(context, part).await?;
                near.into_iter().for_each(|(assigner, measured, partial)| tree.accumulate(assigner, measured, partial));
            });
        }
        if !far.is_empty() {
            let points = self.points(context, part).await?;
            far.into_iter().for_each(|(assigner, partial)| assigner.accumulate(&points.rows, &points.ids, partial));
        }
        Ok(partials)
    }
}

impl KMeansPass {
    async fn points(&self, context: &TaskContext, part: &Part) -> Result<Arc<Points>> {
        load_points(context, part, &self.columns).await
    }

    async fn tree<const D: usize>(&self, context: &TaskContext, part: &Part) -> Result<Arc<FilterTree<D>>> {
        let key = format!("filter#{}#{}", part.sha256, self.columns.join("\u{1f}"));
        let store = PartitionStore::of(context)?;
        let tree = store.get_or_load(&key, async {
            let points = self.points(context, part).await?;
            let reservation = MemoryConsumer::new("segmenta filter tree").register(context.memory_pool());
            // The points with their rows while they are sorted, and the tree.
            reservation.try_grow(part.rows as usize * (8 * D + 8 + 13 * D + 2))?;
            let tree = FilterTree::<D>::build(&points.rows, &self.bounds);
            let bytes = tree.bytes();
            Ok((tree, bytes))
        });
        Ok(tree.await?)
    }
}
