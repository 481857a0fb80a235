//! Publish: copies what the stages made to where users look for it, the manifest last.
//!
//! A reader that waits for `manifest.json` never sees half a result: it is removed before anything changes and written
//! after everything else is there.

mod documents;
mod tables;

use std::sync::Arc;

use datafusion::execution::runtime_env::RuntimeEnv;
use futures::{StreamExt, TryStreamExt};
use object_store::ObjectStoreExt;
use segmenta_engine::artifact::{Part, get, hex, part_url, put, put_new, resolve};
use segmenta_engine::operators::hdbscan::DensityModelCell;
use segmenta_engine::{EngineError, Result};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::StageContext;
use super::evaluate::Evaluated;
use super::extract::Extracted;
use super::hdbscan::DensityClustered;
use super::hierarchy::Linked;
use super::impute::Imputed;
use super::kmeans::Clustered;
use super::outliers::Split;
use super::profile::{Profiled, rules_sql};
use super::scale::Scaled;
use crate::job::StageReport;
use crate::lease::Lease;
use crate::published::{Columns, Published};
use crate::report;
use crate::source::{Shard, Sources};
use crate::spec::JobSpec;
use crate::work::{remove, remove_all};

/// Bumped when the published files change their form.
pub(crate) const FORMAT: u32 = 3;

/// Folders that this stage has for itself.
const FOLDERS: &[&str] = &["assignments/", "rejected/", "model/"];

/// The trees of an isolation forest.
pub(crate) const FOREST_FILE: &str = "model/forest.json";

/// The sample of assigned rows.
const SAMPLE_FILE: &str = "sample.parquet";

/// The page. It is not in the manifest, because it shows what is, and can be made again at any time.
pub const REPORT_FILE: &str = "report.html";

/// Copied at once.
const COPIES_AT_ONCE: usize = 8;

/// Everything that is published.
pub struct Results<'a> {
    /// The spec.
    pub spec: &'a JobSpec,
    /// The inputs.
    pub sources: &'a Sources,
    /// What each stage made.
    pub extracted: &'a Extracted,
    /// See above.
    pub imputed: &'a Imputed,
    /// See above.
    pub split: &'a Split,
    /// See above.
    pub scaled: &'a Scaled,
    /// See above.
    pub clustered: &'a Clustered,
    /// Where the spec asks for it.
    pub hierarchy: Option<&'a Linked>,
    /// Where the spec asks for it.
    pub density: Option<&'a DensityClustered>,
    /// See above.
    pub evaluated: &'a Evaluated,
    /// See above.
    pub profiled: &'a Profiled,
    /// What the stages so far took.
    pub stages: &'a [StageReport],
    /// What was noticed on the way.
    pub warnings: &'a [String],
}

/// `manifest.json`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Manifest {
    /// Version of the published files.
    pub format: u32,
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

/// A published file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Output {
    /// Path below the output.
    pub path: String,
    /// Rows, of a table.
    pub rows: Option<u64>,
    /// Size.
    pub bytes: u64,
    /// SHA-256 in hexadecimal.
    pub sha256: String,
}

/// The manifest of what is published under `output`, if there is one of this form.
///
/// # Errors
/// A manifest that cannot be read.
pub async fn published(runtime: &RuntimeEnv, output: &str) -> Result<Option<Manifest>> {
    let content = get(runtime, &manifest_url(output)).await?;
    Ok(content.and_then(|content| serde_json::from_slice(&content).ok()))
}

/// The URL of the manifest.
#[must_use]
pub fn manifest_url(output: &str) -> String {
    format!("{output}manifest.json")
}

/// Whether a path below an output is one that this stage writes.
pub(crate) fn is_published_path(path: &str) -> bool {
    const FILES: &[&str] = &[
        "manifest.json",
        "segments.parquet",
        "segments.sql",
        "quality.parquet",
        SAMPLE_FILE,
        "model.json",
        "metrics.json",
        REPORT_FILE,
    ];
    FILES.contains(&path) || FOLDERS.iter().any(|folder| path.starts_with(folder))
}

/// True when every file of the manifest is there, with its size.
///
/// # Errors
/// A store that cannot be asked.
pub async fn is_whole(runtime: &RuntimeEnv, output: &str, manifest: &Manifest) -> Result<bool> {
    let files = manifest.outputs.iter().map(|file| (format!("{output}{}", file.path), file.bytes));
    Ok(first_gone(runtime, files).await?.is_none())
}

/// The first of the files that is not there with its size.
pub(crate) async fn first_gone(
    runtime: &RuntimeEnv,
    files: impl Iterator<Item = (String, u64)>,
) -> Result<Option<String>> {
    let checks = files.map(|(url, bytes)| async move {
        let (store, path) = resolve(runtime, &url)?;
        match store.head(&path).await {
            Ok(meta) => Ok((meta.size != bytes).then_some(url)),
            Err(object_store::Error::NotFound { .. }) => Ok(Some(url)),
            Err(error) => Err(EngineError::output(format!("{url}: cannot be read: {error}"))),
        }
    });
    let gone: Vec<Option<String>> = futures::stream::iter(checks).buffered(COPIES_AT_ONCE).try_collect().await?;
    Ok(gone.into_iter().flatten().next())
}

/// Publishes under `output` (a URL that ends in `/`).
///
/// # Errors
/// A place that cannot be written to; a lease that was lost.
pub async fn run(
    context: &StageContext<'_>,
    results: &Results<'_>,
    output: &str,
    fingerprint: &str,
    lease: &Lease,
) -> Result<Manifest> {
    let runtime = context.cluster.runtime();
    // Before anything is taken away, what replaces it has to be there.
    let model_cells = || results.density.iter().flat_map(|density| &density.model);
    let of_model = |of: fn(&DensityModelCell) -> &Part| -> Vec<Part> { model_cells().map(of).cloned().collect() };
    let model_tables = [
        ("points", of_model(|c| &c.points)),
        ("cores", of_model(|c| &c.cores)),
        ("tree", of_model(|c| &c.tree)),
        ("donors", results.imputed.donors.clone()),
    ];
    let of_model = || model_tables.iter().flat_map(|(_, parts)| parts);
    let sample = &results.profiled.sample;
    let parts =
        || results.evaluated.assignments.iter().chain(&results.split.rejected).chain(of_model()).chain([sample]);
    if let Some(gone) = first_gone(&runtime, parts().map(|part| (part.url.clone(), part.bytes))).await? {
        return Err(EngineError::input(format!("{gone}: is gone or damaged; run again with --fresh to make it anew")));
    }
    let segments = tables::segments(&results.spec.source.features, results.profiled)?;
    let quality = tables::quality(results)?;
    let forest = match &results.split.forest {
        Some(cut) => Some((json_bytes(&cut.forest)?, cut.threshold)),
        None => None,
    };
    let of_model = forest.as_ref().map(|(content, threshold)| (hex(&Sha256::digest(content)), *threshold));
    let sampled = get(&runtime, &sample.url).await?.map(|content| content.to_vec()).unwrap_or_default();
    let (model, metrics) = (documents::model(results, of_model), documents::metrics(results));
    let (spec, profiled) = (results.spec, results.profiled);
    let sql = rules_sql(&spec.name, &spec.source.features, &profiled.rules, &profiled.segments);
    let mut documents = vec![
        ("segments.parquet", Some(segments.num_rows() as u64), tables::parquet(&segments)?),
        ("segments.sql", None, sql.into_bytes()),
        ("quality.parquet", Some(quality.num_rows() as u64), tables::parquet(&quality)?),
        (SAMPLE_FILE, Some(sample.rows), sampled.clone()),
        ("model.json", None, pretty(&model)?),
        ("metrics.json", None, pretty(&metrics)?),
    ];
    documents.extend(forest.map(|(content, _)| (FOREST_FILE, None, content)));
    let tables = [("assignments", &results.evaluated.assignments), ("rejected", &results.split.rejected)]
        .into_iter()
        .map(|(folder, parts)| (folder.to_owned(), parts))
        .chain(model_tables.iter().map(|(table, parts)| (format!("model/{table}"), parts)));
    let tables: Vec<(String, &Vec<Part>)> = tables.collect();
    let mut outputs: Vec<Output> = tables.iter().flat_map(|(folder, parts)| listed(parts, folder)).collect();
    outputs.extend(documents.iter().map(|(name, rows, content)| Output {
        path: (*name).to_owned(),
        rows: *rows,
        bytes: content.len() as u64,
        sha256: hex(&Sha256::digest(content)),
    }));
    let manifest = Manifest {
        format: FORMAT,
        job: results.spec.name.clone(),
        segmenta: env!("CARGO_PKG_VERSION").to_owned(),
        fingerprint: fingerprint.to_owned(),
        published_at: chrono::Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Secs, true),
        inputs: results.sources.shards().cloned().collect(),
        outputs,
    };
    let unfit = |what: &str, error: &dyn std::fmt::Display| EngineError::job(format!("publish: {what}: {error}"));
    let published = Published {
        model: serde_json::from_value(model).map_err(|error| unfit("model.json", &error))?,
        metrics: serde_json::from_value(metrics).map_err(|error| unfit("metrics.json", &error))?,
        segments: Columns::new(segments),
        quality: Columns::new(quality),
        sample: Columns::parse(sampled.into()).map_err(|error| unfit(SAMPLE_FILE, &error))?,
        manifest: manifest.clone(),
    };
    let page = report::page(&published)?;

    lease.check()?;
    remove(&runtime, &manifest_url(output)).await?;
    for folder in FOLDERS {
        remove_all(&runtime, &format!("{output}{folder}")).await?;
    }
    for (folder, parts) in tables {
        lease.check()?;
        copy(&runtime, parts, output, &folder).await?;
    }
    for (name, _, content) in documents {
        lease.check()?;
        put(&runtime, &format!("{output}{name}"), content).await?;
    }
    lease.check()?;
    put(&runtime, &format!("{output}{REPORT_FILE}"), page).await?;
    lease.check()?;
    if put_new(&runtime, &manifest_url(output), pretty(&manifest)?).await? {
        return Ok(manifest);
    }
    Err(EngineError::output(format!("{output}: another process published there meanwhile; run again")))
}

/// The parts as the manifest lists them.
pub(crate) fn listed(parts: &[Part], folder: &str) -> Vec<Output> {
    let output = |part: &Part| Output {
        path: format!("{folder}/part-{:05}.parquet", part.index),
        rows: Some(part.rows),
        bytes: part.bytes,
        sha256: part.sha256.clone(),
    };
    parts.iter().map(output).collect()
}

/// Copies the parts to a folder of the output.
pub(crate) async fn copy(runtime: &Arc<RuntimeEnv>, parts: &[Part], output: &str, folder: &str) -> Result<()> {
    let copies = parts.iter().map(|part| async move {
        let target = part_url(&format!("{output}{folder}/"), part.index);
        let (store, from) = resolve(runtime, &part.url)?;
        let (_, to) = resolve(runtime, &target)?;
        store
            .copy(&from, &to)
            .await
            .map_err(|error| EngineError::output(format!("{target}: cannot be copied from {}: {error}", part.url)))
    });
    futures::stream::iter(copies).buffered(COPIES_AT_ONCE).try_collect().await
}

fn json_bytes(value: &impl Serialize) -> Result<Vec<u8>> {
    serde_json::to_vec(value)
        .map_err(|error| EngineError::job(format!("a published document cannot be written as JSON: {error}")))
}

pub(crate) fn pretty(value: &impl Serialize) -> Result<Vec<u8>> {
    let mut text = serde_json::to_vec_pretty(value)
        .map_err(|error| EngineError::job(format!("a published document cannot be written as JSON: {error}")))?;
    text.push(b'\n');
    Ok(text)
}
