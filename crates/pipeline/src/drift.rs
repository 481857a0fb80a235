//! Drift: how customers were distributed when a model was made, and whether new rows still are.

use segmenta_algorithms::drift::{Distribution, decile_edges};
use segmenta_engine::Result;
use segmenta_engine::artifact::Part;
use segmenta_engine::operators::CountBins;

use crate::stage::StageContext;
use crate::stages::{Draw, draw, singly};

/// The deciles come from a sample of this many rows. They need not be exact, because the shares between them are.
const SAMPLE_ROWS: usize = 10_000;
const SAMPLE_SEED: u64 = 0x0064_7269_6674;

/// How each of `features` is distributed over all rows of a feature table, missing cells included: two passes.
///
/// # Errors
/// Those of the passes.
pub async fn distributions(
    context: &StageContext<'_>,
    features: &[String],
    parts: &[Part],
) -> Result<Vec<Distribution>> {
    let wanted = Draw { parts, columns: features, seed: SAMPLE_SEED, rows: SAMPLE_ROWS, keep: false };
    let sampled = draw(context, &wanted).await?;
    let edges = (0..features.len()).map(|j| decile_edges(sampled.iter().map(|row| row.point[j]))).collect();
    count(context, features, parts, edges).await
}

/// How each of `features` is distributed between given edges.
///
/// # Errors
/// Those of the pass.
pub async fn count(
    context: &StageContext<'_>,
    features: &[String],
    parts: &[Part],
    edges: Vec<Vec<f64>>,
) -> Result<Vec<Distribution>> {
    let task = CountBins { columns: features.to_vec(), edges: edges.clone() };
    let merge = |total: &mut Vec<Vec<u64>>, part: Vec<Vec<u64>>| {
        total.iter_mut().flatten().zip(part.into_iter().flatten()).for_each(|(total, count)| *total += count);
    };
    let counts = context.merge_parts(task, &singly(parts), merge).await?;
    Ok(edges.into_iter().zip(&counts).map(|(edges, counts)| Distribution::from_counts(edges, counts)).collect())
}
