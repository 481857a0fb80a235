//! Scores rows by an isolation forest.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::execution::TaskContext;
use segmenta_algorithms::outliers::{Fence, IsolationForest, first_outside};
use segmenta_algorithms::quantiles::{QuantileSketch, SketchCounter};
use segmenta_algorithms::rows::Rows;
use serde::{Deserialize, Serialize};

use super::{PartTask, only};
use crate::artifact::{Part, load_points};
use crate::error::Result;

/// Bits of the sketch of scores. It distinguishes scores that differ by a relative 2^-16.
const SCORE_BITS: u32 = 16;

/// An isolation forest, and the score above which a row is an outlier.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ForestCut {
    /// The forest.
    pub forest: IsolationForest,
    /// The score.
    pub threshold: f64,
}

impl ForestCut {
    /// For each row (`n x d`, row-major) that no fence has set aside, whether the forest does: its score, and the
    /// feature that isolates it.
    pub(super) fn cut(&self, rows: &[f64], features: usize, is_cut: &[bool]) -> Vec<Option<(f64, usize)>> {
        let within: Vec<f64> = rows
            .chunks_exact(features)
            .zip(is_cut)
            .filter(|(_, cut)| !**cut)
            .flat_map(|(row, _)| row.to_vec())
            .collect();
        let mut scores = self.forest.scores(&within).into_iter();
        let judge = |(row, cut): (&[f64], &bool)| {
            let score = if *cut { None } else { scores.next() };
            score.filter(|score| *score > self.threshold).map(|score| (score, self.forest.reason(row)))
        };
        rows.chunks_exact(features).zip(is_cut).map(judge).collect()
    }
}

/// Sketches the scores of the rows of a part that are within their fences. Holds the part: `8 (d + 1)` bytes a row.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ScoreForest {
    /// Features, in order.
    pub features: Vec<String>,
    /// Their fences.
    pub fences: Vec<Fence>,
    /// The forest.
    pub forest: IsolationForest,
}

#[async_trait]
impl PartTask for ScoreForest {
    const NAME: &'static str = "score_forest";
    type Output = QuantileSketch;

    async fn run(&self, inputs: &[Part], context: &Arc<TaskContext>) -> Result<QuantileSketch> {
        let points = load_points(context, only(inputs)?, &self.features).await?;
        let mut counter = SketchCounter::new(SCORE_BITS);
        let mut rows = Vec::new();
        for row in points.rows.row_slices().filter(|row| first_outside(row, &self.fences).is_none()) {
            rows.extend_from_slice(row);
            if rows.len() == ROWS_AT_ONCE * self.features.len() {
                self.forest.scores(&rows).into_iter().for_each(|score| counter.add(score));
                rows.clear();
            }
        }
        self.forest.scores(&rows).into_iter().for_each(|score| counter.add(score));
        Ok(counter.finish())
    }
}

/// Rows that are scored together.
const ROWS_AT_ONCE: usize = 8_192;
