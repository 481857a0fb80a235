//! Compares the segments that rules give with those that rows have.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::execution::TaskContext;
use segmenta_algorithms::hierarchy::Contingency;
use segmenta_algorithms::rows::Rows;
use segmenta_algorithms::rules::DecisionTree;
use serde::{Deserialize, Serialize};

use super::{PartTask, only};
use crate::artifact::{Part, points_once};
use crate::error::Result;

/// Counts the rows of a part by label and by the class that a tree gives them, for several clusterings. Holds the
/// columns, 8 bytes a row each.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ApplyRules {
    /// Features, in raw units, in the order of the trees.
    pub features: Vec<String>,
    /// The clusterings.
    pub clusterings: Vec<RuledClustering>,
}

/// A clustering, and the tree that is to give its segments.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RuledClustering {
    /// The column of its labels.
    pub column: String,
    /// Its tree.
    pub tree: DecisionTree,
}

#[async_trait]
impl PartTask for ApplyRules {
    const NAME: &'static str = "apply_rules";
    /// For each clustering, labels by class.
    type Output = Vec<Contingency>;

    async fn run(&self, inputs: &[Part], context: &Arc<TaskContext>) -> Result<Vec<Contingency>> {
        let d = self.features.len();
        let mut columns = self.features.clone();
        columns.extend(self.clusterings.iter().map(|clustering| clustering.column.clone()));
        let points = points_once(context, only(inputs)?, &columns).await?;
        let count = |(i, clustering): (usize, &RuledClustering)| {
            let labels: Vec<i32> = points.rows.row_slices().map(|row| row[d + i] as i32).collect();
            let classes: Vec<i32> =
                points.rows.row_slices().map(|row| clustering.tree.predict(&row[..d]) as i32).collect();
            let mut contingency = Contingency::default();
            contingency.add_rows(&labels, &classes);
            contingency
        };
        Ok(self.clusterings.iter().enumerate().map(count).collect())
    }
}
