//! The published documents: the model and the metrics.

use std::collections::BTreeMap;

use segmenta_algorithms::labels::Label;
use segmenta_algorithms::rows::Rows as _;
use segmenta_engine::artifact::{Part, part_url};
use segmenta_engine::operators::hdbscan::DensityModelCell;
use segmenta_engine::operators::hierarchy::LabelledCell;
use segmenta_engine::{EngineError, Result};
use segmenta_results::clusterings::{Algorithm, Measures};
use segmenta_results::manifest::FORMAT;
use segmenta_results::metrics::{
    CandidateMetrics, FeatureMetrics, HdbscanMetrics, HierarchyMetrics, KMeansMetrics, Metrics, Pattern, Rows,
    RulesMetrics, SegmentMetrics,
};
use segmenta_results::model::{
    DendrogramModel, ForestModel, HdbscanModel, HierarchyModel, ImputeModel, KMeansCluster, KMeansModel, Model,
    OutlierModel, ScaleModel, SourceModel,
};
use serde_json::Value;

use super::Results;
use crate::source::part_count;
use crate::stages::kmeans::Candidate;
use crate::stages::rows_of;

/// Number of patterns of missing features that are published: those that most rows have.
const MISSING_PATTERNS: usize = 100;

/// The model. `forest` is the model's entry for the document of the trees.
pub(super) fn model(results: &Results<'_>, forest: Option<ForestModel>) -> Model {
    let spec = results.spec;
    let d = spec.source.features.len().max(1);
    let chosen = results.clustered.candidates.iter().find(|c| c.k == results.evaluated.chosen_k);
    let raw = |point: &[f64]| -> Vec<f64> {
        point.iter().zip(&results.scaled.scalers).map(|(value, scaler)| scaler.invert(*value)).collect()
    };
    let centroids = chosen.iter().flat_map(|candidate| candidate.clustering.centers.centroids().chunks(d));
    let counts = chosen.iter().flat_map(|candidate| &candidate.clustering.counts);
    let cluster = |((centroid, size), number): ((&[f64], &u64), &i32)| {
        let mut segments = results.profiled.segments.iter().filter(|s| s.algorithm == Algorithm::Kmeans);
        let segment = segments.find(|segment| segment.cluster == *number);
        KMeansCluster {
            cluster: *number,
            size: *size,
            rows: segment.map_or(0, |segment| segment.size),
            centroid_scaled: centroid.to_vec(),
            centroid: raw(centroid),
            label: segment.and_then(|segment| segment.label.clone()),
        }
    };
    Model {
        format: FORMAT,
        job: spec.name.clone(),
        segmenta: env!("CARGO_PKG_VERSION").to_owned(),
        id: spec.source.id.clone(),
        features: spec.source.features.clone(),
        parts: part_count(results.sources.rows()),
        source: SourceModel {
            tables: spec.source.tables.iter().map(|table| table.name.clone()).collect(),
            sql: spec.source.sql.clone(),
        },
        profile: spec.profile.clone(),
        impute: ImputeModel {
            fills: spec.impute.fills.clone(),
            neighbors: spec.impute.neighbors,
            weights: spec.impute.weights,
            donors: (!results.imputed.donors.is_empty()).then(|| rows_of(&results.imputed.donors)),
            donor_parts: results.imputed.donors.iter().map(|part| published_part("donors", part)).collect(),
            bounds: results.imputed.bounds.clone(),
            fill: results.imputed.fill.clone(),
        },
        distributions: results.profiled.distributions.clone(),
        outliers: OutlierModel {
            action: spec.outliers.action,
            rules: results.split.rules.clone(),
            fences: results.split.fences.clone(),
            forest,
        },
        scale: ScaleModel { scalers: results.scaled.scalers.clone() },
        kmeans: KMeansModel {
            k: results.evaluated.chosen_k,
            algorithm: spec.kmeans.algorithm,
            seed: spec.kmeans.seed,
            clusters: centroids.zip(counts).zip(&results.evaluated.numbers).map(cluster).collect(),
            next_number: results.evaluated.next_number,
            splits: chosen.map(|candidate| candidate.clustering.centers.splits().to_vec()).unwrap_or_default(),
        },
        hierarchy: results.hierarchy.zip(spec.hierarchy).map(|(linked, settings)| {
            let dendrogram = &linked.top.dendrogram;
            HierarchyModel {
                linkage: settings.linkage,
                clusters: linked.clusters.clone(),
                labels: labels_of(results, Algorithm::Hierarchy),
                cut_below: linked.cut_below,
                cut_above: linked.cut_above,
                dendrogram: DendrogramModel {
                    points: linked.points,
                    leaves: linked.top.nodes.clone(),
                    leaf_sizes: dendrogram.weights().to_vec(),
                    linkage: dendrogram
                        .linkage_matrix()
                        .row_slices()
                        .map(|merge| std::array::from_fn(|i| merge[i]))
                        .collect(),
                },
                points: linked.model.iter().map(published_points).collect(),
            }
        }),
        hdbscan: results.density.zip(spec.hdbscan.as_ref()).map(|(density, settings)| HdbscanModel {
            min_cluster_size: density.min_cluster_size,
            min_samples: settings.min_samples,
            resolution: density.resolution,
            selection: settings.selection,
            clusters: density.clusters.clone(),
            condensed_tree: density.tree.clone(),
            points: density.model.iter().map(published_cell).collect(),
        }),
    }
}

/// What the segments of a clustering are called, by their numbers.
fn labels_of(results: &Results<'_>, algorithm: Algorithm) -> BTreeMap<i32, Label> {
    let segments = results.profiled.segments.iter().filter(|segment| segment.algorithm == algorithm);
    segments.filter_map(|segment| Some((segment.cluster, segment.label.clone()?))).collect()
}

/// A part of one of the model's tables, as the model names it: by its path relative to the model.
fn published_part(table: &str, part: &Part) -> Part {
    Part { url: part_url(&format!("model/{table}/"), part.index), ..part.clone() }
}

/// A cell of the hierarchy's points, as the model names it.
fn published_points(cell: &LabelledCell) -> LabelledCell {
    LabelledCell {
        points: published_part("hierarchy_points", &cell.points),
        labels: published_part("hierarchy_labels", &cell.labels),
    }
}

/// A cell of HDBSCAN's points, as the model names it.
fn published_cell(cell: &DensityModelCell) -> DensityModelCell {
    DensityModelCell {
        points: published_part("points", &cell.points),
        cores: published_part("cores", &cell.cores),
        tree: published_part("tree", &cell.tree),
    }
}

/// The metrics.
///
/// # Errors
/// Never for a spec that was read.
pub(super) fn metrics(results: &Results<'_>) -> Result<Metrics> {
    let Results { spec, evaluated, clustered, .. } = results;
    let parameters = match serde_json::to_value(spec) {
        Ok(Value::Object(parameters)) => parameters,
        _ => return Err(EngineError::job("metrics.json: the spec cannot be written as JSON")),
    };
    let names = &spec.source.features;
    let feature = |(j, name): (usize, &String)| {
        let (found, imputed) = (&results.extracted.features[j], &results.imputed.features[j]);
        FeatureMetrics {
            feature: name.clone(),
            missing: found.missing,
            nan: found.nan,
            infinite: found.infinite,
            imputed: imputed.filled,
            imputation_error: results.imputed.error.as_ref().map(|error| error.features[j].clone()),
            skewness: results.transformed.skewness[j],
            transform: Some(results.transformed.transforms[j]),
            cut_as_outlier: results.split.features[j].cut,
            cut_by_forest: results.split.features[j].cut_by_forest,
        }
    };
    let (patterns, missing_otherwise) = results.extracted.patterns.most_frequent(MISSING_PATTERNS);
    let pattern = |(mask, rows): &(u64, u64)| {
        let missing = names.iter().enumerate().filter(|(j, _)| mask >> j & 1 == 1).map(|(_, name)| name.clone());
        Pattern { missing: missing.collect(), rows: *rows }
    };
    let candidate = |(candidate, measures): (&Candidate, &Measures)| CandidateMetrics {
        measures: measures.clone(),
        sizes: candidate.clustering.counts.clone(),
        iterations: candidate.iterations,
        ended: candidate.progress,
        relocated_clusters: candidate.relocated,
        restart: candidate.restart,
    };
    Ok(Metrics {
        format: FORMAT,
        job: spec.name.clone(),
        parameters,
        rows: Rows {
            source: results.sources.rows(),
            customers: rows_of(&results.extracted.parts),
            outliers: results.split.outliers(),
            rejected: rows_of(&results.split.rejected),
            assigned: rows_of(&evaluated.assignments),
        },
        features: names.iter().enumerate().map(feature).collect(),
        missing_patterns: patterns.iter().map(pattern).collect(),
        missing_otherwise,
        hierarchy: results.hierarchy.map(|hierarchy| HierarchyMetrics {
            points: hierarchy.points,
            is_exact: hierarchy.is_exact,
            reduction: hierarchy.reduction,
            clusters: hierarchy.clusters.iter().map(|cluster| cluster.size).collect(),
        }),
        agreements: results.profiled.agreements.clone(),
        rules: { results.profiled.rules.iter() }
            .map(|rules| RulesMetrics {
                algorithm: rules.algorithm,
                fidelity: rules.fidelity,
                rules: rules.segments.clone(),
            })
            .collect(),
        hdbscan: results.density.map(|density| HdbscanMetrics {
            rows: density.rows,
            weight: density.weight,
            points: density.points,
            resolution: density.resolution,
            height_error_bound: density.bound,
            height_error_bound_measured: density.measured_bound,
            cells: density.cells,
            rounds: density.rounds,
            neighbor_graph: density.graph.clone(),
            spanning_tree_weight: density.spanning_weight,
            min_cluster_size: density.min_cluster_size,
            why: density.why.clone(),
            clusters: density.clusters.clone(),
            noise: density.noise,
            candidates: density.candidates.clone(),
        }),
        kmeans: KMeansMetrics {
            chosen_k: evaluated.chosen_k,
            selected_by: (spec.kmeans.k.len() > 1).then_some(spec.kmeans.select),
            why: evaluated.why.clone(),
            choices: evaluated.choices.clone(),
            algorithm: spec.kmeans.algorithm,
            passes: clustered.passes,
            start_sample_rows: clustered.sample_rows,
            oversampled_rows: clustered.oversampled_rows,
            silhouette_rows: evaluated.silhouette_rows,
            silhouette_is_exact: evaluated.silhouette_is_exact,
            candidates: clustered.candidates.iter().zip(&evaluated.measures).map(candidate).collect(),
        },
        segments: results
            .profiled
            .segments
            .iter()
            .map(|segment| SegmentMetrics {
                algorithm: segment.algorithm,
                cluster: segment.cluster,
                label: segment.label.as_ref().map(|label| label.name.clone()),
                rows: segment.size,
                fit_rows: segment.fit_size,
                share: segment.share,
                monetary_share: segment.monetary_share,
            })
            .collect(),
        warnings: results.warnings.to_vec(),
        stages: results.stages.to_vec(),
    })
}
