//! Publish: copies what the stages made to where users look for it, and makes the documents, the manifest last: see `publication.rs`.

mod documents;
mod tables;

use std::sync::Arc;

use bytes::Bytes;
use datafusion::execution::runtime_env::RuntimeEnv;
use segmenta_engine::artifact::{Part, get, hex};
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
use crate::publication::{Kind, Publication, first_gone, is_plain, manifest_url};
use crate::published::{Columns, Published};
use crate::report;
use crate::source::{Shard, Sources};
use crate::spec::JobSpec;

pub use crate::publication::Output;

/// Bumped when the published files change their form.
pub(crate) const FORMAT: u32 = 4;

/// The trees of an isolation forest.
pub(crate) const FOREST_FILE: &str = "model/forest.json";

/// The sample of assigned rows.
const SAMPLE_FILE: &str = "sample.parquet";

/// The page. It is not in the manifest, because it shows what is, and can be made again at any time.
pub const REPORT_FILE: &str = "report.html";

/// What is at paths that stay, beside the manifest and the tables that it names.
pub(crate) const DOCUMENTS: &[&str] =
    &["segments.parquet", "segments.sql", "quality.parquet", SAMPLE_FILE, "model.json", "metrics.json", REPORT_FILE];

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
pub async fn published(runtime: &RuntimeEnv, output: &str) -> Result<Option<Manifest>> {
    let content = get(runtime, &manifest_url(output)).await?;
    let manifest: Option<Manifest> = content.and_then(|content| serde_json::from_slice(&content).ok());
    // Whoever may write to the output may have written this, and is not to read what only this process can.
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
    let parts = || results.profiled.assignments.iter().chain(&results.split.rejected).chain(of_model()).chain([sample]);
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
    let publication = Publication::begin(&runtime, output, lease, Kind::Results).await?;
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
    let tables = [("assignments", &results.profiled.assignments), ("rejected", &results.split.rejected)]
        .into_iter()
        .map(|(folder, parts)| (folder.to_owned(), parts))
        .chain(model_tables.iter().map(|(table, parts)| (format!("model/{table}"), parts)));
    let tables: Vec<(String, &Vec<Part>)> = tables.collect();
    let mut outputs: Vec<Output> =
        tables.iter().flat_map(|(folder, parts)| publication.listed(parts, folder)).collect();
    outputs.extend(documents.iter().map(|(name, rows, content)| Output {
        name: (*name).to_owned(),
        path: publication.path(name),
        rows: *rows,
        bytes: content.len() as u64,
        sha256: hex(&Sha256::digest(content)),
    }));
    let manifest = Manifest {
        format: FORMAT,
        edition: publication.edition(),
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
    let page = Bytes::from(report::page(&published)?);

    for (folder, parts) in tables {
        publication.copy(parts, &folder).await?;
    }
    let mut stay: Vec<(&str, Bytes)> = vec![(REPORT_FILE, page)];
    for (name, _, content) in documents {
        let content = Bytes::from(content);
        publication.put(name, content.clone()).await?;
        if DOCUMENTS.contains(&name) {
            stay.push((name, content));
        }
    }
    let content = Bytes::from(pretty(&manifest)?);
    publication.commit(content.clone(), &manifest.outputs).await?;
    finish(&publication, &content, &stay, &manifest).await?;
    Ok(manifest)
}

/// Puts documents at the paths that stay, and removes what was published before.
async fn finish(
    publication: &Publication<'_>,
    content: &Bytes,
    stay: &[(&str, Bytes)],
    manifest: &Manifest,
) -> Result<()> {
    publication.put_documents(content, stay).await?;
    publication.sweep(&manifest.outputs).await
}

/// Brings a publication to its end whose run did not come further than to its manifest.
///
/// # Errors
/// A document that is gone; a place that cannot be written to.
pub async fn complete(runtime: &Arc<RuntimeEnv>, output: &str, manifest: &Manifest, lease: &Lease) -> Result<()> {
    let resumed = Publication::resume(runtime, output, lease, Kind::Results, manifest).await?;
    let Some(publication) = resumed else { return Ok(()) };
    let mut stay: Vec<(&str, Bytes)> = vec![];
    for name in DOCUMENTS {
        let content = match manifest.document(name) {
            Some(file) => get(runtime, &format!("{output}{}", file.path)).await?,
            // The report.
            None => Some(report::page(&Published::read(runtime, output).await?)?.into()),
        };
        let there = get(runtime, &format!("{output}{name}")).await?;
        stay.extend(content.filter(|content| there.as_ref() != Some(content)).map(|content| (*name, content)));
    }
    match publication.found() {
        Some(content) => finish(&publication, content, &stay, manifest).await,
        None => Ok(()),
    }
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
