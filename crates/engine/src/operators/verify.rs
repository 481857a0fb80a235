//! Reads files from end to end, to find the damaged ones.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::execution::TaskContext;
use serde::{Deserialize, Serialize};

use super::{PartTask, only};
use crate::artifact::{Part, read_through};
use crate::error::Result;

/// Decodes every page of a Parquet file and says what is wrong with it, if anything is. Holds one batch.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Verify {}

#[async_trait]
impl PartTask for Verify {
    const NAME: &'static str = "verify";
    type Output = Option<String>;

    async fn run(&self, inputs: &[Part], context: &Arc<TaskContext>) -> Result<Option<String>> {
        let part = only(inputs)?;
        Ok(read_through(&context.runtime_env(), &part.url, part.bytes).await?.err().map(|error| error.to_string()))
    }
}
