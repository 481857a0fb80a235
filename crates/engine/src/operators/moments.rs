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
    /// Where the group of a row is; without it there is a single group.
    pub group: Option<GroupColumn>,
    /// Applied to every value first.
    pub transform: Transform,
    /// Sum squared deviations from these, a row of columns for each group.
    pub centers: Option<Vec<Vec<f64>>>,
    /// The unit of each column's sum.
    pub quanta: Vec<FineQuantum>,
}

/// A column with the number of a row's group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupColumn {
    /// Its name.
    pub name: String,
    /// The first group.
    pub first: i32,
    /// Number of groups; rows of others do not count.
    pub groups: usize,
}

impl GroupColumn {
    /// The place of a group among those that count.
    fn place(&self, value: f64) -> Option<usize> {
        let place = value - f64::from(self.first);
        (place >= 0.0 && place < self.groups as f64).then_some(place as usize)
    }
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
        columns.extend(self.group.iter().map(|group| group.name.clone()));
        let points = load_points(context, only(inputs)?, &columns).await?;
        let d = self.columns.len();
        let groups = self.group.as_ref().map_or(1, |group| group.groups);
        let mut moments = vec![vec![ColumnMoments::default(); d]; groups];
        for row in points.rows.iter() {
            let place = self.group.as_ref().map_or(Some(0), |group| group.place(row[d]));
            let Some(group) = place else { continue };
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
