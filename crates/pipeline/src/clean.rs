//! Removes what earlier runs left behind and no run will continue.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use datafusion::execution::runtime_env::RuntimeEnv;
use futures::TryStreamExt;
use object_store::{ObjectMeta, ObjectStore};
use segmenta_engine::artifact::{remove, resolve};
use segmenta_engine::{EngineError, Result};
use segmenta_results::manifest::read_manifest;
use serde::Serialize;

use crate::lease::{Lease, LeaseOptions};
use crate::publication::{Kind, LOCK, fence};
use crate::stages::publish;
use crate::work::Work;

/// Where a job's record is, below its output.
const RECORD: &str = "_work/job.json";
/// Where its leases are. The last one stays, because their numbers must not start again from the beginning.
const LEASE: &str = "_work/lease/";

/// What was found at one output.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Cleaned {
    /// The output, a URL that ends in `/`.
    pub output: String,
    /// Objects that were removed, or would be.
    pub objects: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Why it was left alone, if it was.
    pub kept: Option<Kept>,
}

/// Why an output was left alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kept {
    /// Something was written there not long ago.
    Young,
    /// A process is working on it.
    InUse,
}

/// Removes the work prefixes of the outputs at and below `location` (a URL that ends in `/`) to which nothing was
/// written for `age`. A run can then no longer resume there. Where no manifest says that the output is complete, files
/// that a run published there are removed as well. Published results stay.
///
/// # Errors
/// When a place cannot be listed or written to.
pub async fn clean(runtime: &Arc<RuntimeEnv>, location: &str, age: Duration, dry_run: bool) -> Result<Vec<Cleaned>> {
    let (store, prefix) = resolve(runtime, location)?;
    let objects = match store.list(Some(&prefix)).try_collect::<Vec<_>>().await {
        Ok(objects) => objects,
        Err(object_store::Error::NotFound { .. }) => vec![],
        Err(error) => return Err(EngineError::output(format!("{location}: cannot be listed: {error}"))),
    };
    let below = |object: &ObjectMeta| -> Option<String> {
        let path = object.location.as_ref().strip_prefix(prefix.as_ref())?;
        Some(path.trim_start_matches('/').to_owned())
    };
    let all: Vec<(String, &ObjectMeta)> = objects.iter().filter_map(|object| Some((below(object)?, object))).collect();
    let outputs: BTreeSet<&str> = all
        .iter()
        .filter_map(|(path, _)| path.strip_suffix(RECORD))
        .filter(|output| output.is_empty() || output.ends_with('/'))
        .collect();
    let mut cleaned = Vec::new();
    for output in outputs {
        let of_output: Vec<(&str, &ObjectMeta)> =
            all.iter().filter_map(|(path, object)| Some((path.strip_prefix(output)?, *object))).collect();
        cleaned.push(clean_output(runtime, &format!("{location}{output}"), &of_output, age, dry_run).await?);
    }
    Ok(cleaned)
}

/// What at an output nobody needs: the work folder, and files of publications that were never completed or that no
/// manifest names any more.
async fn dead<'a>(
    runtime: &RuntimeEnv,
    output: &str,
    objects: &[(&'a str, &'a ObjectMeta)],
) -> Result<Vec<(&'a str, &'a ObjectMeta)>> {
    let manifest = read_manifest(runtime, output).await?;
    let named: BTreeSet<&str> = manifest.iter().flat_map(|m| &m.outputs).map(|file| file.path.as_str()).collect();
    let has_manifest = objects.iter().any(|(path, _)| *path == "manifest.json");
    let is_left = |path: &str| match (&manifest, has_manifest) {
        (Some(_), _) => Kind::Results.owns(path) && !named.contains(path),
        // The manifest has another format: it stays as it is.
        (None, true) => false,
        (None, false) => Kind::Results.owns(path) || publish::DOCUMENTS.contains(&path),
    };
    // A late process sees from the lease that it has lost its own, and the lock may be held.
    let is_work = |path: &str| path.starts_with("_work/") && !path.starts_with(LEASE) && path != LOCK;
    Ok(objects.iter().filter(|(path, _)| is_work(path) || is_left(path)).copied().collect())
}

async fn clean_output(
    runtime: &Arc<RuntimeEnv>,
    output: &str,
    objects: &[(&str, &ObjectMeta)],
    age: Duration,
    dry_run: bool,
) -> Result<Cleaned> {
    let found = dead(runtime, output, objects).await?;
    let mut cleaned = Cleaned {
        output: output.to_owned(),
        objects: found.len() as u64,
        bytes: found.iter().map(|(_, object)| object.size).sum(),
        kept: None,
    };
    let youngest: Option<DateTime<Utc>> = found.iter().map(|(_, object)| object.last_modified).max();
    let is_old = youngest.is_none_or(|at| (Utc::now() - at).to_std().is_ok_and(|since| since >= age));
    if !is_old {
        cleaned.kept = Some(Kept::Young);
        return Ok(cleaned);
    }
    if dry_run || found.is_empty() {
        return Ok(cleaned);
    }
    // A run that starts meanwhile waits, and finds nothing to resume.
    let options = LeaseOptions { patience: Duration::ZERO, ..LeaseOptions::of_this_process() };
    let Ok(lease) = Lease::take(runtime, &format!("{output}{LEASE}"), &options).await else {
        cleaned.kept = Some(Kept::InUse);
        return Ok(cleaned);
    };
    // A run may have ended just before, and its manifest now names files that no manifest named.
    let found = dead(runtime, output, &found).await?;
    if found.iter().any(|(path, _)| !path.starts_with("_work/")) {
        fence(runtime, output, &lease).await?;
    }
    let work = Work::new(Arc::clone(runtime), output);
    let mut stages: BTreeSet<&str> = BTreeSet::new();
    for (path, _) in found {
        match path.strip_prefix("_work/").and_then(|rest| rest.split_once('/')) {
            Some((stage, _)) => drop(stages.insert(stage)),
            None if path == RECORD => {}
            None => {
                lease.check()?;
                remove(runtime, &format!("{output}{path}")).await?;
            }
        }
    }
    for stage in stages {
        work.clear(stage, &lease).await?;
    }
    // The record goes last, because it marks this as a job's output for as long as anything is left.
    lease.check()?;
    remove(runtime, &format!("{output}{RECORD}")).await?;
    lease.release().await;
    Ok(cleaned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use segmenta_engine::artifact::put;
    use segmenta_engine::runtime::{MemoryPlan, runtime_env};

    async fn tree(files: &[&str]) -> (tempfile::TempDir, Arc<RuntimeEnv>, String) {
        let folder = tempfile::tempdir().unwrap();
        let runtime = runtime_env(MemoryPlan::new(1 << 20)).unwrap();
        let url = format!("file://{}/", folder.path().display());
        for file in files {
            put(&runtime, &format!("{url}{file}"), "12345").await.unwrap();
        }
        (folder, runtime, url)
    }

    /// The files that are there, except leases.
    fn left(folder: &std::path::Path) -> Vec<String> {
        let mut files = Vec::new();
        let mut folders = vec![folder.to_owned()];
        while let Some(at) = folders.pop() {
            for entry in std::fs::read_dir(at).unwrap().map(|entry| entry.unwrap().path()) {
                if entry.is_dir() {
                    folders.push(entry);
                } else if !entry.ends_with("lease") && !entry.parent().unwrap().ends_with("lease") {
                    files.push(entry.strip_prefix(folder).unwrap().display().to_string());
                }
            }
        }
        files.sort();
        files
    }

    const WHOLE: &[&str] =
        &["a/_work/job.json", "a/_work/scale/part-0.parquet", "a/manifest.json", "a/assignments/part-0.parquet"];
    const HALF: &[&str] =
        &["b/_work/job.json", "b/_work/scale/manifest.json", "b/assignments/part-0.parquet", "b/notes.txt"];

    #[tokio::test]
    async fn what_is_published_stays_and_half_of_it_goes() {
        let files = [WHOLE, HALF, &["c/other.parquet"]].concat();
        let (folder, runtime, url) = tree(&files).await;
        let dry = clean(&runtime, &url, Duration::ZERO, true).await.unwrap();
        assert_eq!(left(folder.path()).len(), files.len());
        let cleaned = clean(&runtime, &url, Duration::ZERO, false).await.unwrap();
        assert_eq!(cleaned, dry);
        let expected = |output: &str, objects: u64| Cleaned {
            output: format!("{url}{output}"),
            objects,
            bytes: 5 * objects,
            kept: None,
        };
        assert_eq!(cleaned, [expected("a/", 2), expected("b/", 3)]);
        assert_eq!(
            left(folder.path()),
            ["a/assignments/part-0.parquet", "a/manifest.json", "b/notes.txt", "c/other.parquet"]
        );
    }

    #[tokio::test]
    async fn what_is_young_or_in_use_stays() {
        let (folder, runtime, url) = tree(HALF).await;
        let young = clean(&runtime, &url, Duration::from_secs(60), false).await.unwrap();
        assert_eq!(young[0].kept, Some(Kept::Young));
        let options = LeaseOptions::of_this_process();
        let _lease = Lease::take(&runtime, &format!("{url}b/_work/lease/"), &options).await.unwrap();
        let used = clean(&runtime, &format!("{url}b/"), Duration::ZERO, false).await.unwrap();
        assert_eq!(used[0].kept, Some(Kept::InUse));
        assert_eq!(left(folder.path()).len(), HALF.len());
    }
}
