//! The work prefix of a job and the manifests of its stages. A job resumes from these.
//!
//! ```text
//!   <output>/_work/job.json               which job owns the output
//!   <output>/_work/lease/<token>.json     which process is working on it
//!   <output>/_work/<stage>/<fingerprint>-<token>-<lease>/  the stage's artifact
//!   <output>/_work/<stage>/manifest.json  written last: the stage is complete
//! ```
//!
//! A stage is reused when its *fingerprint* is the same: the hash of its part of the spec, of the version of the format
//! and of the fingerprint of the stage before it. The first stage hashes the inputs (location, size, version). The
//! artifact lies in a folder named by the fingerprint and the token of the lease. So what a run without its lease still
//! writes lies beside the files of a later run, and it removes nothing of a later token.

use std::sync::Arc;

use datafusion::execution::runtime_env::RuntimeEnv;
use futures::{StreamExt, TryStreamExt};
use object_store::{ObjectStore, ObjectStoreExt};
use segmenta_engine::artifact::{get, hex, put, remove, resolve};
use segmenta_engine::{EngineError, Result};
use segmenta_results::cost::StageCost;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::lease::Lease;

/// Bumped when the same spec and inputs give different artifacts than before.
const FORMAT: u32 = 8;

/// Digits of a fingerprint that name a folder.
const SHORT: usize = 16;

/// Objects that are removed at the same time.
const DELETES_AT_ONCE: usize = 16;

/// The manifest of a complete stage.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct StageManifest<T> {
    /// Name of the stage.
    pub stage: String,
    /// What it was made from.
    pub fingerprint: String,
    /// What it cost.
    pub cost: StageCost,
    /// What a user should know about the data, for example cells that were not finite.
    pub warnings: Vec<String>,
    /// What it made.
    pub output: T,
}

/// The work prefix of a job.
#[derive(Debug, Clone)]
pub struct Work {
    runtime: Arc<RuntimeEnv>,
    prefix: String,
}

/// Hashes what a stage depends on.
///
/// # Errors
/// Never for the settings of a stage.
pub fn fingerprint(stage: &str, settings: &impl Serialize, before: &str) -> Result<String> {
    let content = serde_json::to_vec(&(FORMAT, stage, settings, before))
        .map_err(|error| EngineError::job(format!("{stage}: settings cannot be written as JSON: {error}")))?;
    Ok(hex(&Sha256::digest(content)))
}

impl Work {
    /// The work prefix under `output`, a URL that ends in `/`.
    #[must_use]
    pub fn new(runtime: Arc<RuntimeEnv>, output: &str) -> Self {
        Self { runtime, prefix: format!("{output}_work/") }
    }

    /// The URL of the folder for what a stage makes, ending in `/`.
    #[must_use]
    pub fn artifact_prefix(&self, stage: &str, fingerprint: &str, lease: &Lease) -> String {
        let short = fingerprint.get(..SHORT).unwrap_or(fingerprint);
        format!("{}{short}-{}-{}/", self.stage_prefix(stage), lease.token(), lease.short_id())
    }

    fn stage_prefix(&self, stage: &str) -> String {
        format!("{}{stage}/", self.prefix)
    }

    /// The URL of an object beside the stages.
    #[must_use]
    pub fn url(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    /// The manifest of a stage, if it is complete and was made from the same things.
    ///
    /// # Errors
    /// When a manifest cannot be read, or names files outside of the work prefix. A manifest of another format counts
    /// as none.
    pub async fn complete<T: DeserializeOwned>(
        &self,
        stage: &str,
        fingerprint: &str,
    ) -> Result<Option<StageManifest<T>>> {
        let url = format!("{}manifest.json", self.stage_prefix(stage));
        let Some(content) = get(&self.runtime, &url).await? else { return Ok(None) };
        let manifest: Option<StageManifest<T>> = serde_json::from_slice(&content).ok();
        let Some(manifest) = manifest.filter(|manifest| manifest.fingerprint == fingerprint) else { return Ok(None) };
        // Whoever may write to the output may have written this, and must not make this process read what only it can
        // read.
        let written: Value = serde_json::from_slice(&content).unwrap_or_default();
        if let Some(outside) = leads_out(&written, &self.prefix) {
            return Err(EngineError::input(format!(
                "{url}: names {outside}, which is not a file of this job; remove the folder {} and run the job again",
                self.prefix
            )));
        }
        Ok(Some(manifest))
    }

    /// Marks a stage as complete.
    ///
    /// # Errors
    /// A place that cannot be written to.
    pub async fn commit<T: Serialize>(&self, manifest: &StageManifest<T>) -> Result<()> {
        let content = serde_json::to_vec_pretty(manifest).map_err(|error| {
            EngineError::job(format!("{}: manifest cannot be written as JSON: {error}", manifest.stage))
        })?;
        put(&self.runtime, &format!("{}manifest.json", self.stage_prefix(&manifest.stage)), content).await
    }

    /// Total bytes in a stage's folder.
    ///
    /// # Errors
    /// A place that cannot be listed.
    pub async fn bytes(&self, stage: &str) -> Result<u64> {
        let prefix = self.stage_prefix(stage);
        let (store, path) = resolve(&self.runtime, &prefix)?;
        let sum = store.list(Some(&path)).try_fold(0, async |sum, object| Ok(sum + object.size)).await;
        match sum {
            Ok(bytes) => Ok(bytes),
            Err(object_store::Error::NotFound { .. }) => Ok(0),
            Err(error) => Err(EngineError::input(format!("{prefix}: cannot be listed: {error}"))),
        }
    }

    /// Removes what runs up to the holder of the lease left of a stage. Its manifest goes first.
    ///
    /// # Errors
    /// A place that cannot be written to.
    pub async fn clear(&self, stage: &str, lease: &Lease) -> Result<()> {
        let prefix = self.stage_prefix(stage);
        lease.check()?;
        remove(&self.runtime, &format!("{prefix}manifest.json")).await?;
        let is_old = |path: &str| token_of(path).is_none_or(|token| token <= lease.token());
        remove_where(&self.runtime, &prefix, is_old, Some(lease)).await
    }
}

/// The first location in a stage's manifest that is not plainly below `prefix`.
fn leads_out<'a>(manifest: &'a Value, prefix: &str) -> Option<&'a str> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/-_.".contains(c);
    let is_below = |url: &str| {
        url.strip_prefix(prefix)
            .is_some_and(|name| name.chars().all(plain) && !name.split('/').any(|part| part == ".."))
    };
    match manifest {
        Value::Array(values) => values.iter().find_map(|value| leads_out(value, prefix)),
        Value::Object(fields) => fields.iter().find_map(|(key, value)| match value {
            Value::String(url) if key == "url" => (!is_below(url)).then_some(url.as_str()),
            value => leads_out(value, prefix),
        }),
        _ => None,
    }
}

/// The token in a path below the folder of a stage.
fn token_of(path: &str) -> Option<u64> {
    let (rest, _lease) = path.split('/').next()?.rsplit_once('-')?;
    rest.rsplit_once('-')?.1.parse().ok()
}

/// Removes every object under a prefix.
///
/// # Errors
/// A place that cannot be written to.
pub async fn remove_all(runtime: &RuntimeEnv, prefix: &str) -> Result<()> {
    remove_where(runtime, prefix, |_| true, None).await
}

/// Removes the objects under a prefix whose paths below it are wanted gone. If a lease is given, only as long as it is
/// held.
async fn remove_where(
    runtime: &RuntimeEnv,
    prefix: &str,
    gone: impl Fn(&str) -> bool,
    lease: Option<&Lease>,
) -> Result<()> {
    let (store, path) = resolve(runtime, prefix)?;
    let failed = |error: object_store::Error| EngineError::output(format!("{prefix}: cannot be cleared: {error}"));
    let mut objects = match store.list(Some(&path)).try_collect::<Vec<_>>().await {
        Ok(objects) => objects,
        Err(object_store::Error::NotFound { .. }) => return Ok(()),
        Err(error) => return Err(failed(error)),
    };
    objects.retain(|object| {
        let below = object.location.as_ref().strip_prefix(path.as_ref()).unwrap_or(object.location.as_ref());
        gone(below.trim_start_matches('/'))
    });
    futures::stream::iter(objects)
        .map(|object| {
            let store = Arc::clone(&store);
            async move {
                lease.map_or(Ok(()), Lease::check)?;
                match store.delete(&object.location).await {
                    Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
                    Err(error) => Err(failed(error)),
                }
            }
        })
        .buffer_unordered(DELETES_AT_ONCE)
        .try_collect::<Vec<()>>()
        .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_stage_names_files_of_its_job_alone() {
        let found = |url: &str| {
            let output =
                json!({"a": 1, "parts": [{"url": "s3://b/out/_work/scale/x/part-0.parquet"}, {"of": {"url": url}}]});
            leads_out(&output, "s3://b/out/_work/").map(str::to_owned)
        };
        assert_eq!(found("s3://b/out/_work/impute/1f/part-00001.parquet"), None);
        for url in [
            "file:///etc/passwd",
            "s3://b/out/_work/../secret",
            "s3://b/out/_work/%2e%2e/x",
            "s3://b/out/_work",
            "part-0",
        ] {
            assert_eq!(found(url).as_deref(), Some(url));
        }
    }
}
