//! Publish: copies what the stages made to where users look for it, writes the documents, and replaces the manifest
//! last: see `publication.rs`.

mod documents;
mod tables;

use std::sync::Arc;

use bytes::Bytes;
use datafusion::execution::runtime_env::RuntimeEnv;
use segmenta_engine::artifact::{Part, get, hex};
use segmenta_engine::operators::hdbscan::DensityModelCell;
use segmenta_engine::{EngineError, Result};
use segmenta_report::page;
use segmenta_results::cost::StageReport;
use segmenta_results::manifest::{FORMAT, Manifest, Output, REPORT_FILE, first_gone};
use segmenta_results::model::ForestModel;
use segmenta_results::published::{Columns, Published};
use segmenta_results::segments::{self, rules_sql};
use segmenta_spec::JobSpec;
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::evaluate::{EvaluateStage, Evaluated};
use super::extract::{ExtractStage, Extracted};
use super::hdbscan::{DensityClustered, HdbscanStage};
use super::hierarchy::{HierarchyStage, Linked};
use super::impute::{ImputeStage, Imputed};
use super::kmeans::{Clustered, KMeansStage};
use super::outliers::{OutliersStage, Split};
use super::profile::{ProfileStage, Profiled};
use super::scale::{ScaleStage, Scaled};
use super::transform::{TransformStage, Transformed};
use crate::lease::Lease;
use crate::publication::{Kind, Publication};
use crate::source::Sources;
use crate::stage::{Given, Made, StageContext};

/// The trees of an isolation forest.
pub(crate) const FOREST_FILE: &str = "model/forest.json";

/// The sample of assigned rows.
const SAMPLE_FILE: &str = "sample.parquet";

/// Documents at paths that do not change, besides the manifest and the tables that it names.
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
    pub transformed: &'a Transformed,
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
    /// The cost of each stage so far.
    pub stages: &'a [StageReport],
    /// What was noticed on the way.
    pub warnings: &'a [String],
}

impl<'a> Results<'a> {
    /// The results of a job whose stages have run.
    ///
    /// # Errors
    /// When a stage has not run.
    pub fn new(given: &Given<'a>, made: &'a Made, stages: &'a [StageReport], warnings: &'a [String]) -> Result<Self> {
        Ok(Self {
            spec: given.spec,
            sources: given.sources,
            extracted: made.of::<ExtractStage>()?,
            imputed: made.of::<ImputeStage>()?,
            transformed: made.of::<TransformStage>()?,
            split: made.of::<OutliersStage>()?,
            scaled: made.of::<ScaleStage>()?,
            clustered: made.of::<KMeansStage>()?,
            hierarchy: made.find::<HierarchyStage>(),
            density: made.find::<HdbscanStage>(),
            evaluated: made.of::<EvaluateStage>()?,
            profiled: made.of::<ProfileStage>()?,
            stages,
            warnings,
        })
    }
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
    // What replaces the old results has to be there before anything is removed.
    let model_cells = || results.density.iter().flat_map(|density| &density.model);
    let of_model = |of: fn(&DensityModelCell) -> &Part| -> Vec<Part> { model_cells().map(of).cloned().collect() };
    let linked = || results.hierarchy.iter().flat_map(|linked| &linked.model);
    let model_tables = [
        ("hierarchy_points", linked().map(|cell| cell.points.clone()).collect()),
        ("hierarchy_labels", linked().map(|cell| cell.labels.clone()).collect()),
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
    let table = segments::table(&results.spec.source.features, &results.profiled.segments, &results.profiled.rules)?;
    let quality = tables::quality(results)?;
    let forest = match &results.split.forest {
        Some(cut) => Some((json_bytes(&cut.forest)?, cut.threshold)),
        None => None,
    };
    let of_model = forest
        .as_ref()
        .map(|(content, threshold)| ForestModel { threshold: *threshold, sha256: hex(&Sha256::digest(content)) });
    let sampled = get(&runtime, &sample.url).await?.map(|content| content.to_vec()).unwrap_or_default();
    let publication = Publication::begin(&runtime, output, lease, Kind::Results).await?;
    let (model, metrics) = (documents::model(results, of_model), documents::metrics(results)?);
    let (spec, profiled) = (results.spec, results.profiled);
    let sql = rules_sql(&spec.name, &spec.source.features, &profiled.rules, &profiled.segments);
    let mut documents = vec![
        ("segments.parquet", Some(table.num_rows() as u64), segments::parquet(&table)?),
        ("segments.sql", None, sql.into_bytes()),
        ("quality.parquet", Some(quality.num_rows() as u64), segments::parquet(&quality)?),
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
    let unfit = |error: &dyn std::fmt::Display| EngineError::job(format!("publish: {SAMPLE_FILE}: {error}"));
    let published = Published {
        model,
        metrics,
        segments: Columns::new(table),
        quality: Columns::new(quality),
        sample: Columns::parse(sampled.into()).map_err(|error| unfit(&error))?,
        manifest: manifest.clone(),
    };
    let report = Bytes::from(page::html(&published)?);

    for (folder, parts) in tables {
        publication.copy(parts, &folder).await?;
    }
    let mut stay: Vec<(&str, Bytes)> = vec![(REPORT_FILE, report)];
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

/// Puts documents at the paths that do not change, and removes what was published before.
async fn finish(
    publication: &Publication<'_>,
    content: &Bytes,
    stay: &[(&str, Bytes)],
    manifest: &Manifest,
) -> Result<()> {
    publication.put_documents(content, stay).await?;
    publication.sweep(&manifest.outputs).await
}

/// Completes a publication whose run stopped after it replaced the manifest.
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
            None => Some(page::html(&Published::read(runtime, output).await?)?.into()),
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
