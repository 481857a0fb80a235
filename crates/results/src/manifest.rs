//! The manifest of what is published: which files, where, and made from what.

use datafusion::execution::runtime_env::RuntimeEnv;
use futures::{StreamExt, TryStreamExt};
use object_store::ObjectStoreExt;
use segmenta_engine::artifact::{Part, get, resolve};
use segmenta_engine::{EngineError, Result};
use serde::{Deserialize, Serialize};

/// Its name below an output.
pub const MANIFEST: &str = "manifest.json";

/// Bumped when the published files change their form.
pub const FORMAT: u32 = 4;

/// The page. It is not in the manifest, because it shows what is, and can be made again at any time.
pub const REPORT_FILE: &str = "report.html";

/// Files that are looked at at once.
const AT_ONCE: usize = 16;

/// One input file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shard {
    /// Table of the spec.
    pub table: String,
    /// Where it is.
    pub url: String,
    /// Its size.
    pub bytes: u64,
    /// Its version: the store's ETag, or the time of its last change.
    pub version: String,
    /// Its rows.
    pub rows: u64,
}

/// A published file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Output {
    /// What it is, such as `assignments/part-00000.parquet`: the same in every publication.
    #[serde(default)]
    pub name: String,
    /// Where it is, below the output.
    pub path: String,
    /// Rows, of a table.
    pub rows: Option<u64>,
    /// Size.
    pub bytes: u64,
    /// SHA-256 in hexadecimal.
    pub sha256: String,
}

impl Output {
    /// As a part of a table under `output`, a URL that ends in `/`.
    #[must_use]
    pub fn part(&self, index: u32, output: &str) -> Part {
        Part {
            index,
            url: format!("{output}{}", self.path),
            rows: self.rows.unwrap_or_default(),
            bytes: self.bytes,
            sha256: self.sha256.clone(),
        }
    }
}

/// `manifest.json`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Manifest {
    /// Version of the published files.
    pub format: u32,
    /// How many times something was published under the output, this time included.
    #[serde(default)]
    pub edition: u64,
    /// Name of the job that owns the output.
    pub job: String,
    /// Version of Segmenta.
    pub segmenta: String,
    /// What the results were made from: spec and inputs.
    pub fingerprint: String,
    /// When it was published, RFC 3339, UTC.
    pub published_at: String,
    /// The input files.
    pub inputs: Vec<Shard>,
    /// The published files.
    pub outputs: Vec<Output>,
}

/// The manifest of what is published under `output`, if there is one of this form.
///
/// # Errors
/// A manifest that cannot be read, or that names files elsewhere.
pub async fn read_manifest(runtime: &RuntimeEnv, output: &str) -> Result<Option<Manifest>> {
    let content = get(runtime, &manifest_url(output)).await?;
    let manifest: Option<Manifest> = content.and_then(|content| serde_json::from_slice(&content).ok());
    // Whoever may write to the output may have written this, and must not get to read what only this process can.
    if let Some(file) = manifest.iter().flat_map(|m| &m.outputs).find(|file| !is_plain(&file.path)) {
        return Err(EngineError::input(format!(
            "{}: names {}, which is not below the output; remove the manifest, and run the job again",
            manifest_url(output),
            file.path
        )));
    }
    Ok(manifest)
}

impl Manifest {
    /// A document by its name, such as `model.json`.
    #[must_use]
    pub fn document(&self, name: &str) -> Option<&Output> {
        self.outputs.iter().find(|output| output.name == name)
    }

    /// The parts of a table, such as `assignments`, with their numbers.
    pub fn table(&self, folder: &str) -> impl Iterator<Item = (u32, &Output)> {
        let start = format!("{folder}/part-");
        self.outputs.iter().filter_map(move |output| {
            let number = output.name.strip_prefix(&start)?.strip_suffix(".parquet")?;
            Some((number.parse().ok()?, output))
        })
    }
}

/// True when every file of the manifest is there, with its size.
///
/// # Errors
/// A store that cannot be asked.
pub async fn is_whole(runtime: &RuntimeEnv, output: &str, manifest: &Manifest) -> Result<bool> {
    let files = manifest.outputs.iter().map(|file| (format!("{output}{}", file.path), file.bytes));
    Ok(first_gone(runtime, files).await?.is_none())
}

/// Whether a path of a manifest leads nowhere but below the output.
#[must_use]
pub fn is_plain(path: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/-_.".contains(c);
    !path.is_empty()
        && path.chars().all(plain)
        && path.split('/').all(|part| !part.is_empty() && !part.starts_with('.'))
}

/// The URL of the manifest.
#[must_use]
pub fn manifest_url(output: &str) -> String {
    format!("{output}{MANIFEST}")
}

/// The first of the files that is not there with its size.
///
/// # Errors
/// A store that cannot be asked.
pub async fn first_gone(runtime: &RuntimeEnv, files: impl Iterator<Item = (String, u64)>) -> Result<Option<String>> {
    let checks = files.map(|(url, bytes)| async move {
        let (store, path) = resolve(runtime, &url)?;
        match store.head(&path).await {
            Ok(meta) => Ok((meta.size != bytes).then_some(url)),
            Err(object_store::Error::NotFound { .. }) => Ok(Some(url)),
            Err(error) => Err(EngineError::output(format!("{url}: cannot be read: {error}"))),
        }
    });
    let gone: Vec<Option<String>> = futures::stream::iter(checks).buffered(AT_ONCE).try_collect().await?;
    Ok(gone.into_iter().flatten().next())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_a_manifest_lead_nowhere_else() {
        for path in ["/etc/passwd", "../x", "a/../b", "a//b", "a/.b", "", "a b", "%2e%2e/x"] {
            assert!(!is_plain(path), "{path}");
        }
        assert!(is_plain("documents/3-1f2e3d4c/segments.sql"));
    }
}
