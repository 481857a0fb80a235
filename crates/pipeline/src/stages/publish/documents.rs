//! The published documents: the model and the metrics.

use segmenta_engine::artifact::{Part, part_url};
use segmenta_engine::operators::hdbscan::DensityModelCell;
use serde_json::{Value, json};

use super::{FORMAT, Results};
use crate::stages::extract::part_count;
use crate::stages::profile::Algorithm;
use crate::stages::rows_of;

/// Patterns of missing features that are published: those of most rows.
const MISSING_PATTERNS: usize = 100;

/// `model.json`: what is needed to treat a new customer in the same way.
/// `forest`: the checksum of the document of the trees, and the threshold.
pub(super) fn model(results: &Results<'_>, forest: Option<(String, f64)>) -> Value {
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
            let number = results.evaluated.numbers.get(cluster).copied();
            let segment = segments.find(|s| Some(s.cluster) == number);
            json!({
                "cluster": number,
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
        "parts": part_count(results.sources.rows()),
        "source": {
            "tables": spec.source.tables.iter().map(|table| &table.name).collect::<Vec<_>>(),
            "sql": spec.source.sql,
        },
        "profile": spec.profile,
        "impute": {
            "fills": spec.impute.fills,
            "neighbors": spec.impute.neighbors,
            "weights": spec.impute.weights,
            "donors": (!results.imputed.donors.is_empty()).then(|| rows_of(&results.imputed.donors)),
            "donor_parts": results.imputed.donors.iter().map(|part| published_part("donors", part)).collect::<Vec<_>>(),
            "bounds": results.imputed.bounds,
            "fill": results.imputed.fill,
        },
        "distributions": results.profiled.distributions,
        "outliers": {
            "rules": spec.outliers.rules,
            "fences": results.split.fences,
            "forest": forest.map(|(sha256, threshold)| json!({"threshold": threshold, "sha256": sha256})),
        },
        "scale": {
            "scalers": results.scaled.scalers,
        },
        "kmeans": {
            "k": results.evaluated.chosen_k,
            "algorithm": spec.kmeans.algorithm,
            "seed": spec.kmeans.seed,
            "clusters": clusters,
            "next_number": results.evaluated.next_number,
            "splits": chosen.map(|candidate| candidate.clustering.centers.splits()),
        },
        "hierarchy": results.hierarchy.map(|hierarchy| json!({
            "linkage": spec.hierarchy.map(|settings| settings.linkage),
            "clusters": hierarchy.clusters,
            "cut_below": hierarchy.cut_below,
            "cut_above": hierarchy.cut_above,
            "dendrogram": {
                "points": hierarchy.points,
                "leaves": hierarchy.top.nodes,
                "leaf_sizes": hierarchy.top.dendrogram.weights(),
                "linkage": hierarchy.top.dendrogram.linkage_matrix().iter().map(<[f64]>::to_vec).collect::<Vec<_>>(),
            },
        })),
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
pub(super) fn metrics(results: &Results<'_>) -> Value {
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
                "imputation_error": results.imputed.error.as_ref().map(|error| &error.features[j]),
                "cut_as_outlier": results.split.features[j].cut,
                "cut_by_forest": results.split.features[j].cut_by_forest,
            })
        })
        .collect();
    let names = &results.spec.source.features;
    let (patterns, other_patterns) = results.extracted.patterns.most_frequent(MISSING_PATTERNS);
    let missing_patterns: Vec<Value> = patterns
        .iter()
        .map(|(mask, rows)| {
            let missing = names.iter().enumerate().filter(|(j, _)| mask >> j & 1 == 1).map(|(_, name)| name);
            json!({"missing": missing.collect::<Vec<_>>(), "rows": rows})
        })
        .collect();
    json!({
        "format": FORMAT,
        "job": results.spec.name,
        "parameters": results.spec,
        "rows": {
            "source": results.sources.shards().map(|shard| shard.rows).sum::<u64>(),
            "customers": rows_of(&results.extracted.parts),
            "rejected": rows_of(&results.split.rejected),
            "assigned": rows_of(&evaluated.assignments),
        },
        "features": features,
        "missing_patterns": missing_patterns,
        "missing_otherwise": other_patterns,
        "hierarchy": results.hierarchy.map(|hierarchy| json!({
            "points": hierarchy.points,
            "is_exact": hierarchy.is_exact,
            "reduction": hierarchy.reduction,
            "clusters": hierarchy.clusters.iter().map(|cluster| cluster.size).collect::<Vec<_>>(),
        })),
        "agreements": results.profiled.agreements,
        "rules": results.profiled.rules.iter().map(|rules| json!({
            "algorithm": rules.algorithm,
            "fidelity": rules.fidelity,
            "rules": rules.segments,
        })).collect::<Vec<_>>(),
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
