//! Writes the names of segments beside their numbers.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::execution::TaskContext;
use serde::{Deserialize, Serialize};

use super::{PartTask, only};
use crate::artifact::{NameColumn, Part, with_names};
use crate::error::Result;
use crate::progress::Progress;

/// Copies a part of the assignments and adds the names; see [`with_names`] for what it holds.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct AddLabels {
    /// URL to write under.
    pub prefix: String,
    /// What to add.
    pub columns: Vec<NameColumn>,
}

#[async_trait]
impl PartTask for AddLabels {
    const NAME: &'static str = "add_labels";
    type Output = Part;

    async fn run(&self, inputs: &[Part], context: &Arc<TaskContext>) -> Result<Part> {
        let part = only(inputs)?;
        let labelled = with_names(context, part, &self.prefix, &self.columns).await?;
        Progress::add_rows(context, part.rows);
        Ok(labelled)
    }
}
