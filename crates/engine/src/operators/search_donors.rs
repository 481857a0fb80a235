//! Nearest-neighbour imputation: a worker holds all donors, or one share of them at a time.
//!
//! ```text
//!   donors fit a worker      every worker: all donors ──▶ Impute
//!   they do not              SearchDonors: (rows, share of the donors) ──▶ nearest of the share ──▶ Impute: merge, fill
//! ```
//!
//! Both give the same bits: which donors are nearest, and what they add up to, does not depend on the shares.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::execution::TaskContext;
use datafusion::execution::memory_pool::MemoryConsumer;
use datafusion::execution::runtime_env::RuntimeEnv;
use futures::StreamExt;
use segmenta_algorithms::imputation::{Donors, KnnImputer, Nearest, NeighborWeights};
use segmenta_algorithms::sums::Bounds;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{PartTask, decode, encode};
use crate::artifact::{Part, append_rows, get, hex, put, read_part};
use crate::error::{EngineError, Result};
use crate::store::{PartitionStore, StoreKey};

/// Rows that are filled at once. They are many, so that the search for neighbours can go through the tree in order.
pub(super) const ROWS_AT_ONCE: usize = 131_072;

/// The donors of a nearest-neighbour imputation, and how they are searched.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct DonorSet {
    /// Parts with their features (see [`super::DrawDonors`]).
    pub parts: Vec<Part>,
    /// How neighbours are found.
    pub search: DonorSearch,
}

/// How neighbours are found.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct DonorSearch {
    /// Number of neighbours.
    pub neighbors: usize,
    /// Their weights.
    pub weights: NeighborWeights,
    /// Bounds of each feature over all rows.
    pub bounds: Vec<Bounds>,
}

impl DonorSet {
    /// Number of donors.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.parts.iter().map(|part| part.rows).sum()
    }

    /// The imputer of this worker: made by the first task, shared by the others.
    pub(super) async fn imputer(&self, features: &[String], context: &TaskContext) -> Result<Arc<KnnImputer>> {
        self.search.imputer(&self.parts, features, context).await
    }
}

impl DonorSearch {
    /// The imputer over the donors of these parts.
    async fn imputer(&self, parts: &[Part], features: &[String], context: &TaskContext) -> Result<Arc<KnnImputer>> {
        let store = PartitionStore::of(context)?;
        let bounds: Vec<(u64, u64)> = self.bounds.iter().map(|b| (b.min.to_bits(), b.max.to_bits())).collect();
        let settings = (self.neighbors, self.weights, bounds);
        let made = format!("imputer#{settings:x?}#{}", features.join("\u{1f}"));
        let imputer = store
            .get_or_load(&StoreKey::of_all(parts, &made), async {
                let rows: u64 = parts.iter().map(|part| part.rows).sum();
                let bytes = KnnImputer::most_bytes(rows as usize, features.len());
                let reservation = MemoryConsumer::new("segmenta donors").register(context.memory_pool());
                reservation.try_grow(bytes)?;
                let mut donors = Donors::new(features.len());
                let mut values = Vec::new();
                for part in parts {
                    let mut batches = read_part(&context.runtime_env(), part, Some(features)).await?;
                    while let Some(batch) = batches.next().await {
                        values.clear();
                        append_rows(&batch?, features, &mut values)?;
                        donors.extend(&values);
                    }
                }
                // Tasks run side by side, each on one thread.
                let imputer = KnnImputer::new(donors, self.neighbors, self.weights, &self.bounds, 1);
                Ok((imputer, bytes))
            })
            .await?;
        Ok(imputer)
    }
}

/// Searches some of the donors for the nearest neighbours of the missing cells of a part. The part is its first input,
/// the donors' parts are the others. Writes the result as one object under `prefix`, and [`super::Impute`] merges the
/// objects for all donors. Holds 131,072 rows and their neighbours, up to `24 k` bytes for each missing cell of the
/// part, and the donors once a worker.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SearchDonors {
    /// URL to write under, ending in `/`.
    pub prefix: String,
    /// Features, in order.
    pub features: Vec<String>,
    /// How neighbours are found.
    pub search: DonorSearch,
}

#[async_trait]
impl PartTask for SearchDonors {
    const NAME: &'static str = "search_donors";
    /// The object, described as a part without rows.
    type Output = Part;

    async fn run(&self, inputs: &[Part], context: &Arc<TaskContext>) -> Result<Part> {
        let [part, donors @ ..] = inputs else {
            return Err(EngineError::job("a search for neighbours without rows"));
        };
        let imputer = self.search.imputer(donors, &self.features, context).await?;
        let mut batches = read_part(&context.runtime_env(), part, Some(&self.features)).await?;
        let (mut values, mut found) = (Vec::new(), Vec::new());
        loop {
            let next = batches.next().await.transpose()?;
            if let Some(batch) = &next {
                append_rows(batch, &self.features, &mut values)?;
            }
            let rows = values.len() / self.features.len();
            if rows >= ROWS_AT_ONCE || (next.is_none() && rows > 0) {
                found.push(imputer.nearest(&values));
                values.clear();
            }
            if next.is_none() {
                break;
            }
        }
        let content = encode(&found)?;
        let first = donors.first().map_or(0, |donors| donors.index);
        let url = format!("{}{:05}-{first:05}.nearest", self.prefix, part.index);
        let (bytes, sha256) = (content.len() as u64, hex(&Sha256::digest(&content)));
        put(&context.runtime_env(), &url, content).await?;
        Ok(Part { index: part.index, url, rows: 0, bytes, sha256 })
    }
}

/// Reads, batch by batch, what several [`SearchDonors`] tasks found for one part.
pub(super) struct NearestReader {
    /// The batches, the first one last.
    batches: Vec<Nearest>,
}

impl NearestReader {
    pub(super) async fn open(runtime: &RuntimeEnv, found: &[Part]) -> Result<Self> {
        let mut batches: Vec<Nearest> = vec![];
        for part in found {
            let gone = || EngineError::input(format!("{}: is gone; run again with --fresh to make it anew", part.url));
            let of_share: Vec<Nearest> = decode(&get(runtime, &part.url).await?.ok_or_else(gone)?)?;
            if batches.is_empty() {
                batches = of_share;
            } else {
                batches.iter_mut().zip(&of_share).for_each(|(all, share)| all.merge(share));
            }
        }
        batches.reverse();
        Ok(Self { batches })
    }

    /// The neighbours of the next batch.
    pub(super) fn next(&mut self) -> Result<Nearest> {
        self.batches.pop().ok_or_else(|| EngineError::job("neighbours of fewer rows than there are"))
    }
}
