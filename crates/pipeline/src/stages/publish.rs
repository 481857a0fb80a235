//! Publish: copies what the stages made to where users look for it, the manifest last.
//!
//! A reader that waits for `manifest.json` never sees half a result: it is removed before anything changes and written
//! after everything else is there.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, Float64Array, Int32Array, RecordBatch, StringArray, UInt64Array};
use datafusion::arrow::datatypes::{DataType, Field, Schema};
use datafusion::error::DataFusionError;
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::parquet::arrow::ArrowWriter;
use datafusion::parquet::file::properties::WriterProperties;
use futures::{StreamExt, TryStreamExt};
use object_store::ObjectStoreExt;
use segmenta_engine::artifact::{Part, get, hex, part_url, put, put_new, resolve};
use segmenta_engine::operators::hdbscan::DensityModelCell;
use segmenta_engine::{EngineError, Result};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::evaluate::Evaluated;
use super::extract::Extracted;
use super::hdbscan::DensityClustered;
use super::impute::Imputed;
use super::kmeans::Clustered;
use super::outliers::Split;
use super::profile::{Algorithm, Profiled, QUANTILES};
use super::scale::Scaled;
use super::{StageContext, rows_of};
use crate::job::StageReport;
use crate::lease::Lease;
use crate::source::{Shard, Sources};
use crate::spec::JobSpec;
use crate::work::{remove, remove_all};

/// Bumped when the published files change their form.
pub(crate) const FORMAT: u32 = 1;

/// Folders that this stage has for itself.
const FOLDERS: &[&str] = &["assignments/", "rejected/", "model/"];

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
    const FILES: &[&str] = &["manifest.json", "segments.parquet", "model.json", "metrics.json"];
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
    let parts = || results.evaluated.assignments.iter().chain(&results.split.rejected).chain(of_model());
    if let Some(gone) = first_gone(&runtime, parts().map(|part| (part.url.clone(), part.bytes))).await? {
        return Err(EngineError::input(format!("{gone}: is gone or damaged; run again with --fresh to make it anew")));
    }
    let segments = segments_table(&results.spec.source.features, results.profiled)?;
    let rows = segments.num_rows() as u64;
    let documents = [
        ("segments.parquet", Some(rows), parquet(&segments)?),
        ("model.json", None, pretty(&model(results))?),
        ("metrics.json", None, pretty(&metrics(results))?),
    ];
    let tables = [("assignments", &results.evaluated.assignments), ("rejected", &results.split.rejected)]
        .into_iter()
        .map(|(folder, parts)| (folder.to_owned(), parts))
        .chain(model_tables.iter().map(|(table, parts)| (format!("model/{table}"), parts)));

    lease.check()?;
    remove(&runtime, &manifest_url(output)).await?;
    for folder in FOLDERS {
        remove_all(&runtime, &format!("{output}{folder}")).await?;
    }
    let mut outputs = Vec::new();
    for (folder, parts) in tables {
        lease.check()?;
        outputs.extend(copy(&runtime, parts, output, &folder).await?);
    }
    for (name, rows, content) in documents {
        let file =
            Output { path: name.to_owned(), rows, bytes: content.len() as u64, sha256: hex(&Sha256::digest(&content)) };
        lease.check()?;
        put(&runtime, &format!("{output}{name}"), content).await?;
        outputs.push(file);
    }
    let manifest = Manifest {
        format: FORMAT,
        job: results.spec.name.clone(),
        segmenta: env!("CARGO_PKG_VERSION").to_owned(),
        fingerprint: fingerprint.to_owned(),
        published_at: chrono::Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Secs, true),
        inputs: results.sources.shards().cloned().collect(),
        outputs,
    };
    lease.check()?;
    if put_new(&runtime, &manifest_url(output), pretty(&manifest)?).await? {
        return Ok(manifest);
    }
    Err(EngineError::output(format!("{output}: another process published there meanwhile; run again")))
}

pub(crate) async fn copy(runtime: &Arc<RuntimeEnv>, parts: &[Part], output: &str, folder: &str) -> Result<Vec<Output>> {
    let copies = parts.iter().map(|part| async move {
        let target = part_url(&format!("{output}{folder}/"), part.index);
        let (store, from) = resolve(runtime, &part.url)?;
        let (_, to) = resolve(runtime, &target)?;
        store
            .copy(&from, &to)
            .await
            .map_err(|error| EngineError::output(format!("{target}: cannot be copied from {}: {error}", part.url)))?;
        Ok::<_, EngineError>(Output {
            path: format!("{folder}/part-{:05}.parquet", part.index),
            rows: Some(part.rows),
            bytes: part.bytes,
            sha256: part.sha256.clone(),
        })
    });
    futures::stream::iter(copies).buffered(COPIES_AT_ONCE).try_collect().await
}

pub(crate) fn pretty(value: &impl Serialize) -> Result<Vec<u8>> {
    let mut text = serde_json::to_vec_pretty(value)
        .map_err(|error| EngineError::job(format!("a published document cannot be written as JSON: {error}")))?;
    text.push(b'\n');
    Ok(text)
}

fn parquet(batch: &RecordBatch) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let properties = WriterProperties::builder().set_created_by("segmenta".to_owned()).build();
    let write = || -> Result<(), datafusion::parquet::errors::ParquetError> {
        let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), Some(properties))?;
        writer.write(batch)?;
        writer.close()?;
        Ok(())
    };
    write().map_err(|error| EngineError::job(format!("segments.parquet: {error}")))?;
    Ok(bytes)
}

/// One row a segment, by cluster.
fn segments_table(features: &[String], profiled: &Profiled) -> Result<RecordBatch> {
    let segments = &profiled.segments;
    let label = |get: fn(&segmenta_algorithms::labels::Label) -> String| -> ArrayRef {
        Arc::new(segments.iter().map(|s| s.label.as_ref().map(get)).collect::<StringArray>())
    };
    let mut columns: Vec<(String, DataType, ArrayRef)> = vec![
        (
            "algorithm".into(),
            DataType::Utf8,
            Arc::new(segments.iter().map(|s| Some(s.algorithm.name())).collect::<StringArray>()),
        ),
        ("cluster".into(), DataType::Int32, Arc::new(segments.iter().map(|s| s.cluster).collect::<Int32Array>())),
        ("size".into(), DataType::UInt64, Arc::new(segments.iter().map(|s| s.size).collect::<UInt64Array>())),
        ("share".into(), DataType::Float64, Arc::new(segments.iter().map(|s| s.share).collect::<Float64Array>())),
        (
            "silhouette".into(),
            DataType::Float64,
            Arc::new(segments.iter().map(|s| s.silhouette).collect::<Float64Array>()),
        ),
        ("label".into(), DataType::Utf8, label(|l| l.name.clone())),
        ("action".into(), DataType::Utf8, label(|l| l.action.clone())),
        ("why".into(), DataType::Utf8, label(|l| l.why.clone())),
        (
            "score".into(),
            DataType::Float64,
            Arc::new(segments.iter().map(|s| s.label.as_ref().map(|l| l.score)).collect::<Float64Array>()),
        ),
    ];
    for (j, name) in features.iter().enumerate() {
        let mut add = |suffix: &str, value: &dyn Fn(&super::profile::FeatureProfile) -> f64| {
            let values: Float64Array = segments.iter().map(|s| s.features.get(j).map(value)).collect();
            columns.push((format!("{name}_{suffix}"), DataType::Float64, Arc::new(values)));
        };
        add("mean", &|f| f.mean);
        add("std", &|f| f.standard_deviation);
        add("min", &|f| f.min);
        for (i, q) in QUANTILES.iter().enumerate() {
            add(&format!("p{:02}", (q * 100.0).round()), &move |f| f.quantiles[i]);
        }
        add("max", &|f| f.max);
    }
    let fields: Vec<Field> = columns
        .iter()
        .map(|(name, data_type, column)| Field::new(name, data_type.clone(), column.null_count() > 0))
        .collect();
    let arrays: Vec<ArrayRef> = columns.into_iter().map(|(_, _, column)| column).collect();
    Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).map_err(DataFusionError::from)?)
}

/// `model.json`: what is needed to treat a new customer in the same way.
fn model(results: &Results<'_>) -> Value {
    let spec = results.spec;
    let d = spec.source.features.len().max(1);
    let chosen = results.clustered.candidates.iter().find(|c| c.k == results.evaluated.chosen_k);
    let raw = |point: &[f64]| -> Vec<f64> {
        point.iter().zip(&results.scaled.scalers).map(|(value, scaler)| scaler.invert(*value)).collect()
    };
    let clusters: Vec<Value> = chosen
        .iter()
        .flat_map(|candidate| {
            candidate.clustering.centers.centroids().chunks(d).zip(&candidate.clustering.counts).enumerate()
        })
        .map(|(cluster, (centroid, count))| {
            let mut segments = results.profiled.segments.iter().filter(|s| s.algorithm == Algorithm::Kmeans);
            let segment = segments.find(|s| s.cluster as usize == cluster);
            json!({
                "cluster": cluster,
                "size": count,
                "rows": segment.map_or(0, |segment| segment.size),
                "centroid_scaled": centroid,
                "centroid": raw(centroid),
                "label": segment.and_then(|s| s.label.as_ref()),
            })
        })
        .collect();
    json!({
        "format": FORMAT,
        "job": spec.name,
        "segmenta": env!("CARGO_PKG_VERSION"),
        "id": spec.source.id,
        "features": spec.source.features,
        "impute": {
            "method": spec.impute.method,
            "neighbors": spec.impute.neighbors,
            "weights": spec.impute.weights,
            "donors": (!results.imputed.donors.is_empty()).then(|| rows_of(&results.imputed.donors)),
            "donor_parts": results.imputed.donors.iter().map(|part| published_part("donors", part)).collect::<Vec<_>>(),
            "fill": results.imputed.fill,
        },
        "distributions": results.profiled.distributions,
        "outliers": {
            "method": spec.outliers.method,
            "factor": spec.outliers.factor,
            "fences": results.split.fences,
        },
        "scale": {
            "method": spec.scale.method,
            "scalers": results.scaled.scalers,
        },
        "kmeans": {
            "k": results.evaluated.chosen_k,
            "algorithm": spec.kmeans.algorithm,
            "seed": spec.kmeans.seed,
            "clusters": clusters,
            "splits": chosen.map(|candidate| candidate.clustering.centers.splits()),
        },
        "hdbscan": results.density.map(|density| json!({
            "min_cluster_size": density.min_cluster_size,
            "min_samples": spec.hdbscan.as_ref().map(|hdbscan| hdbscan.min_samples),
            "resolution": density.resolution,
            "selection": spec.hdbscan.as_ref().map(|hdbscan| hdbscan.selection),
            "clusters": density.clusters,
            "condensed_tree": density.tree,
            "points": density.model.iter().map(published_cell).collect::<Vec<_>>(),
        })),
    })
}

/// A part of one of the model's tables, as the model names it: by its path relative to the model.
fn published_part(table: &str, part: &Part) -> Part {
    Part { url: part_url(&format!("model/{table}/"), part.index), ..part.clone() }
}

/// A cell of HDBSCAN's points, as the model names it.
fn published_cell(cell: &DensityModelCell) -> DensityModelCell {
    DensityModelCell {
        points: published_part("points", &cell.points),
        cores: published_part("cores", &cell.cores),
        tree: published_part("tree", &cell.tree),
    }
}

/// `metrics.json`: what happened, and how good the result is.
fn metrics(results: &Results<'_>) -> Value {
    let evaluated = results.evaluated;
    let candidates: Vec<Value> = results
        .clustered
        .candidates
        .iter()
        .zip(&evaluated.measures)
        .map(|(candidate, measures)| {
            json!({
                "k": candidate.k,
                "inertia": measures.inertia,
                "elbow_prominence": measures.elbow_prominence,
                "silhouette": measures.silhouette,
                "silhouette_error": measures.silhouette_error,
                "silhouette_by_cluster": measures.silhouette_by_cluster,
                "silhouette_squared": measures.silhouette_squared,
                "silhouette_squared_by_cluster": measures.silhouette_squared_by_cluster,
                "silhouette_simplified": measures.silhouette_simplified,
                "silhouette_simplified_by_cluster": measures.silhouette_simplified_by_cluster,
                "calinski_harabasz": measures.calinski_harabasz,
                "davies_bouldin": measures.davies_bouldin,
                "gap": measures.gap,
                "gap_error": measures.gap_error,
                "sizes": candidate.clustering.counts,
                "iterations": candidate.iterations,
                "ended": candidate.progress,
                "relocated_clusters": candidate.relocated,
                "restart": candidate.restart,
            })
        })
        .collect();
    let features: Vec<Value> = results
        .spec
        .source
        .features
        .iter()
        .enumerate()
        .map(|(j, name)| {
            let (found, imputed) = (&results.extracted.features[j], &results.imputed.features[j]);
            json!({
                "feature": name,
                "missing": found.missing,
                "nan": found.nan,
                "infinite": found.infinite,
                "imputed": imputed.filled,
                "cut_as_outlier": results.split.cut_by[j],
            })
        })
        .collect();
    json!({
        "format": FORMAT,
        "job": results.spec.name,
        "rows": {
            "source": results.sources.shards().map(|shard| shard.rows).sum::<u64>(),
            "customers": rows_of(&results.extracted.parts),
            "rejected": rows_of(&results.split.rejected),
            "assigned": rows_of(&evaluated.assignments),
        },
        "features": features,
        "hdbscan": results.density.map(|density| json!({
            "rows": density.rows,
            "weight": density.weight,
            "points": density.points,
            "resolution": density.resolution,
            "height_error_bound": density.bound,
            "height_error_bound_measured": density.measured_bound,
            "cells": density.cells,
            "rounds": density.rounds,
            "neighbor_graph": density.graph,
            "spanning_tree_weight": density.spanning_weight,
            "min_cluster_size": density.min_cluster_size,
            "why": density.why,
            "clusters": density.clusters,
            "noise": density.noise,
            "candidates": density.candidates,
        })),
        "kmeans": {
            "chosen_k": evaluated.chosen_k,
            "selected_by": (results.spec.kmeans.k.len() > 1).then_some(results.spec.kmeans.select),
            "why": evaluated.why,
            "choices": evaluated.choices,
            "algorithm": results.spec.kmeans.algorithm,
            "passes": results.clustered.passes,
            "start_sample_rows": results.clustered.sample_rows,
            "oversampled_rows": results.clustered.oversampled_rows,
            "silhouette_rows": evaluated.silhouette_rows,
            "silhouette_is_exact": evaluated.silhouette_is_exact,
            "candidates": candidates,
        },
        "warnings": results.warnings,
        "stages": results.stages,
    })
}
