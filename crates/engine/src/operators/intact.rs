//! Reads artifacts of an earlier run from end to end, to find those that have changed since they were written.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::execution::TaskContext;
use futures::StreamExt;
use object_store::ObjectStoreExt;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::PartTask;
use crate::artifact::{Part, hex, resolve};
use crate::error::Result;

/// Returns the URLs of those parts that no longer have the size and checksum with which they were written, or are gone.
/// Holds what the store sends at a time.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Intact {}

#[async_trait]
impl PartTask for Intact {
    const NAME: &'static str = "intact";
    type Output = Vec<String>;

    async fn run(&self, inputs: &[Part], context: &Arc<TaskContext>) -> Result<Vec<String>> {
        let runtime = context.runtime_env();
        let mut damaged = vec![];
        for part in inputs {
            let (store, path) = resolve(&runtime, &part.url)?;
            // Whatever keeps this task from reading the part would keep a stage from reading it too.
            let Ok(found) = store.get(&path).await else {
                damaged.push(part.url.clone());
                continue;
            };
            let (mut hash, mut bytes, mut content) = (Sha256::new(), 0, found.into_stream());
            while let Some(Ok(chunk)) = content.next().await {
                bytes += chunk.len() as u64;
                hash.update(&chunk);
            }
            if bytes != part.bytes || hex(&hash.finalize()) != part.sha256 {
                damaged.push(part.url.clone());
            }
        }
        Ok(damaged)
    }
}
