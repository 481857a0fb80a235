//! Means and variances of columns by group, as sums.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::execution::TaskContext;
use segmenta_algorithms::moments::{MomentSums, MomentUnits};
use segmenta_algorithms::rows::Rows;
use segmenta_algorithms::scalers::Transform;
use serde::{Deserialize, Serialize};

use super::{PartTask, only};
use crate::artifact::{Part, load_points};
use crate::error::Result;

/// For each group and variable, the sums behind mean and variance. Missing cells do not count. Holds the columns of a part:
/// `8 (d + 1)` bytes a row.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Moments {
    /// The columns to load.
    pub columns: Vec<String>,
    /// Where the group of a row is; without it there is a single group.
    pub group: Option<GroupColumn>,
    /// What to sum.
    pub variables: Vec<Variable>,
    /// The units of the sums, a row of variables for each group.
    pub units: Vec<Vec<MomentUnits>>,
}

/// A column, and the transform that is applied to it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Variable {
    /// Index of the column.
    pub column: usize,
    /// Applied to its values.
    pub transform: Transform,
}

impl Variable {
    /// Variables that are columns as they are.
    #[must_use]
    pub fn plain(columns: usize) -> Vec<Self> {
        (0..columns).map(|column| Self { column, transform: Transform::None }).collect()
    }
}

/// A column with the number of a row's group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupColumn {
    /// Its name.
    pub name: String,
    /// The first group.
    pub first: i32,
    /// Number of groups; rows of other groups do not count.
    pub groups: usize,
}

impl GroupColumn {
    /// The place of a group among those that count, if it is one of them.
    fn place(&self, value: f64) -> Option<usize> {
        let place = value - f64::from(self.first);
        (place >= 0.0 && place < self.groups as f64).then_some(place as usize)
    }
}

#[async_trait]
impl PartTask for Moments {
    const NAME: &'static str = "moments";
    /// `[group][variable]`
    type Output = Vec<Vec<MomentSums>>;

    async fn run(&self, inputs: &[Part], context: &Arc<TaskContext>) -> Result<Self::Output> {
        let mut columns = self.columns.clone();
        columns.extend(self.group.iter().map(|group| group.name.clone()));
        let points = load_points(context, only(inputs)?, &columns).await?;
        let d = self.columns.len();
        let mut moments = vec![vec![MomentSums::default(); self.variables.len()]; self.units.len()];
        for row in points.rows.row_slices() {
            let place = self.group.as_ref().map_or(Some(0), |group| group.place(row[d]));
            let Some((moments, units)) = place.and_then(|group| moments.get_mut(group).zip(self.units.get(group)))
            else {
                continue;
            };
            for (variable, (moments, units)) in self.variables.iter().zip(moments.iter_mut().zip(units)) {
                let value = variable.transform.apply(row[variable.column]);
                if !value.is_nan() {
                    moments.add(value, units);
                }
            }
        }
        Ok(moments)
    }
}
