//! Sums of columns, or of their squared deviations from given centres, by group.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::execution::TaskContext;
use segmenta_algorithms::scalers::Transform;
use segmenta_algorithms::sums::{Bounds, FineQuantum};
use serde::{Deserialize, Serialize};

use super::{PartTask, only};
use crate::artifact::{Part, load_points};
use crate::error::Result;

/// For each group and column: count, bounds, and the sum of the (transformed) values, or with `centers` the sum of their
/// squared deviations. Missing cells do not count. Holds the columns of a part: `8 (d + 1)` bytes a row.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Moments {
    /// The columns to sum.
    pub columns: Vec<String>,
    /// A column of group numbers below `groups`; without one there is a single group.
    pub group: Option<String>,
    /// Number of groups.
    pub groups: usize,
    /// Applied to every value first.
    pub transform: Transform,
    /// Sum squared deviations from these, a row of columns for each group.
    pub centers: Option<Vec<Vec<f64>>>,
    /// The unit of each column's sum.
    pub quanta: Vec<FineQuantum>,
}

/// Of one group and column.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct ColumnMoments {
    /// Cells that have a value.
    pub count: u64,
    /// Their sum, in quanta.
    pub sum: i128,
    /// Their bounds, after the transform.
    pub bounds: Bounds,
}

impl ColumnMoments {
    /// Adds the cells of another part.
    pub fn merge(&mut self, other: &Self) {
        self.count += other.count;
        self.sum += other.sum;
        self.bounds.merge(&other.bounds);
    }
}

#[async_trait]
impl PartTask for Moments {
    const NAME: &'static str = "moments";
    /// `[group][column]`
    type Output = Vec<Vec<ColumnMoments>>;

    async fn run(&self, inputs: &[Part], context: &Arc<TaskContext>) -> Result<Self::Output> {
        let mut columns = self.columns.clone();
        columns.extend(self.group.clone());
        let points = load_points(context, only(inputs)?, &columns).await?;
        let d = self.columns.len();
        let mut moments = vec![vec![ColumnMoments::default(); d]; self.groups];
        for row in points.rows.iter() {
            let group = if self.group.is_some() { row[d] as usize } else { 0 };
            for (j, moments) in moments[group].iter_mut().enumerate() {
                let value = self.transform.apply(row[j]);
                if value.is_nan() {
                    continue;
                }
                moments.count += 1;
                moments.bounds.include(value);
                let term = match &self.centers {
                    Some(centers) => (value - centers[group][j]) * (value - centers[group][j]),
                    None => value,
                };
                moments.sum += self.quanta[j].quanta(term);
            }
        }
        Ok(moments)
    }
}
