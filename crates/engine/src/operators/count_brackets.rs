//! One pass of the search for quantiles: counts the values that fall into brackets.

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::execution::TaskContext;
use segmenta_algorithms::quantiles::{Bracket, BracketCounter, BracketCounts};
use segmenta_algorithms::rows::Rows;
use segmenta_algorithms::scalers::Transform;
use serde::{Deserialize, Serialize};

use super::PartTask;
use crate::artifact::{Part, load_points};
use crate::error::Result;

/// Only the rows of one group.
pub type Group = Option<i32>;

/// How far a transformed value is from a center.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Deviation {
    /// Applied first.
    pub transform: Transform,
    /// The center.
    pub center: f64,
}

impl Deviation {
    /// That of `value`.
    #[must_use]
    pub fn of(&self, value: f64) -> f64 {
        (self.transform.apply(value) - self.center).abs()
    }
}

/// A bracket to count, and the values to count in it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct BracketTarget {
    /// Index of the column.
    pub column: usize,
    /// Only the rows of this group.
    pub group: Group,
    /// Count the absolute deviations of the transformed values instead of the values.
    pub deviation: Option<Deviation>,
    /// The bracket.
    pub bracket: Bracket,
}

/// Counts all targets in one pass over one or more parts of an artifact. Holds the columns of a part, `8 (d + 1)` bytes
/// a row, and 24 KiB a target. The driver gets that much for each list of parts, which is why parts come in lists.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CountBrackets {
    /// Columns to load.
    pub columns: Vec<String>,
    /// The column with the group of a row.
    pub group: Option<String>,
    /// What to count.
    pub targets: Vec<BracketTarget>,
}

#[async_trait]
impl PartTask for CountBrackets {
    const NAME: &'static str = "count_brackets";
    /// In the order of `targets`.
    type Output = Vec<BracketCounts>;

    async fn run(&self, inputs: &[Part], context: &Arc<TaskContext>) -> Result<Self::Output> {
        let mut columns = self.columns.clone();
        columns.extend(self.group.clone());
        let mut counters: Vec<BracketCounter> =
            self.targets.iter().map(|target| BracketCounter::new(target.bracket)).collect();
        // Targets by group, so that a row is compared only with its own.
        let mut by_group: HashMap<Group, Vec<usize>> = HashMap::new();
        for (i, target) in self.targets.iter().enumerate() {
            by_group.entry(target.group).or_default().push(i);
        }
        for part in inputs {
            let points = load_points(context, part, &columns).await?;
            for row in points.rows.row_slices() {
                let group = self.group.as_ref().map(|_| row[self.columns.len()] as i32);
                for &i in by_group.get(&group).map_or(&[][..], Vec::as_slice) {
                    let target = &self.targets[i];
                    let mut value = row[target.column];
                    if value.is_nan() {
                        continue;
                    }
                    if let Some(deviation) = target.deviation {
                        value = deviation.of(value);
                    }
                    counters[i].add(value);
                }
            }
        }
        Ok(counters.into_iter().map(BracketCounter::finish).collect())
    }
}
