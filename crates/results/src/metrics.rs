//! `metrics.json`: what happened, and how good the result is.

use segmenta_algorithms::kmeans::Progress;
use segmenta_algorithms::scalers::Transform;
use segmenta_spec::{KMeansAlgorithm, Select};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::clusterings::{
    Agreement, Algorithm, Choice, DensityCandidate, DensityCluster, Measures, NeighborGraph, Reduction,
};
use crate::cost::StageReport;
use crate::segments::SegmentRule;

/// The document.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Metrics {
    /// Version of the published files.
    pub format: u32,
    /// Name of the job.
    pub job: String,
    /// Its spec, with every default.
    pub parameters: Map<String, Value>,
    /// How many rows there were.
    pub rows: Rows,
    /// One for each feature.
    pub features: Vec<FeatureMetrics>,
    /// Combinations of features that rows miss: those that most rows miss.
    pub missing_patterns: Vec<Pattern>,
    /// Rows that miss other combinations.
    pub missing_otherwise: u64,
    /// The hierarchy, where the job has one.
    pub hierarchy: Option<HierarchyMetrics>,
    /// How far each two of the clusterings agree.
    pub agreements: Vec<Agreement>,
    /// The rules of each clustering that has few enough segments.
    pub rules: Vec<RulesMetrics>,
    /// HDBSCAN, where the job has it.
    pub hdbscan: Option<HdbscanMetrics>,
    /// K-Means.
    pub kmeans: KMeansMetrics,
    /// The segments that hold a row, by clustering and number.
    #[serde(default)]
    pub segments: Vec<SegmentMetrics>,
    /// What was noticed on the way.
    pub warnings: Vec<String>,
    /// What each stage took.
    pub stages: Vec<StageReport>,
}

/// A segment in few numbers; `segments.parquet` has more.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SegmentMetrics {
    /// What found it.
    pub algorithm: Algorithm,
    /// Its number.
    pub cluster: i32,
    /// Its name, where it has one.
    pub label: Option<String>,
    /// Its rows.
    pub rows: u64,
    /// Those that took part in the fit.
    #[serde(default)]
    pub fit_rows: u64,
    /// Their share of all rows in segments.
    pub share: f64,
    /// Their share of the monetary feature.
    pub monetary_share: Option<f64>,
}

/// How many rows there were.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Rows {
    /// Of all tables.
    pub source: u64,
    /// Of the feature table.
    pub customers: u64,
    /// Outliers.
    #[serde(default)]
    pub outliers: u64,
    /// Set aside from the fit.
    pub rejected: u64,
    /// In segments.
    pub assigned: u64,
}

/// What became of a feature.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct FeatureMetrics {
    /// Its name.
    pub feature: String,
    /// Cells without a value, those below included.
    pub missing: u64,
    /// Cells that were NaN.
    pub nan: u64,
    /// Cells that were infinite.
    pub infinite: u64,
    /// Cells that were filled.
    pub imputed: u64,
    /// How far off they are; `None` where no neighbours filled any.
    pub imputation_error: Option<FeatureError>,
    /// Its skewness before any transform; `None` where it has no spread.
    #[serde(default)]
    pub skewness: Option<f64>,
    /// What it is transformed by.
    #[serde(default)]
    pub transform: Option<Transform>,
    /// Rows that are outliers for it.
    pub cut_as_outlier: u64,
    /// Rows that are outliers by the forest, and that it is the reason for.
    pub cut_by_forest: u64,
}

/// How far off the filled cells of a feature are: root mean squares, in standard deviations of the feature. Filling in
/// the mean would give 1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FeatureError {
    /// Cells that were masked.
    pub cells: u64,
    /// With neighbours among all rows.
    pub all_rows: Option<f64>,
    /// With neighbours among the sample of donors; `None` where the donors are all rows.
    pub sample: Option<f64>,
}

/// Features that rows miss together.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Pattern {
    /// Their names; none for rows that miss nothing.
    pub missing: Vec<String>,
    /// The rows.
    pub rows: u64,
}

/// A hierarchy.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct HierarchyMetrics {
    /// Points that were linked.
    pub points: u64,
    /// Whether they are the distinct rows themselves.
    pub is_exact: bool,
    /// What the reduction lost; `None` where there was none.
    pub reduction: Option<Reduction>,
    /// The sizes of the clusters, by label.
    pub clusters: Vec<u64>,
}

/// The rules of a clustering.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RulesMetrics {
    /// Which.
    pub algorithm: Algorithm,
    /// Share of all rows to which the rules give the segment that they are in.
    pub fidelity: f64,
    /// A rule for each segment that has one.
    pub rules: Vec<SegmentRule>,
}

/// HDBSCAN.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct HdbscanMetrics {
    /// Rows before they became points.
    pub rows: u64,
    /// Their weights, added up.
    pub weight: u64,
    /// Points.
    pub points: u64,
    /// Side of the grid; 0 where every distinct point was kept.
    pub resolution: f64,
    /// How far any height of the dendrogram may be from the exact one.
    pub height_error_bound: f64,
    /// The same from how far rows were moved in fact.
    pub height_error_bound_measured: f64,
    /// Cells of space that held a row.
    pub cells: usize,
    /// Rounds that joined the cells' trees.
    pub rounds: usize,
    /// The neighbour graph, where the tree is that of one.
    pub neighbor_graph: Option<NeighborGraph>,
    /// Total length of the spanning tree over the rows.
    pub spanning_tree_weight: f64,
    /// The chosen size.
    pub min_cluster_size: u64,
    /// Why, in a sentence.
    pub why: String,
    /// The clusters, by label.
    pub clusters: Vec<DensityCluster>,
    /// Rows without a cluster.
    pub noise: u64,
    /// What each `min_cluster_size` gave.
    pub candidates: Vec<DensityCandidate>,
}

/// K-Means.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct KMeansMetrics {
    /// The chosen k.
    pub chosen_k: usize,
    /// The rule that chose; `None` for a fixed k.
    pub selected_by: Option<Select>,
    /// Why, in a sentence.
    pub why: String,
    /// What each rule would choose.
    pub choices: Vec<Choice>,
    /// The algorithm.
    pub algorithm: KMeansAlgorithm,
    /// Passes over the rows.
    pub passes: u64,
    /// Rows of the sample that starts come from; 0 where they do not come from one.
    pub start_sample_rows: u64,
    /// Rows that k-means|| drew.
    pub oversampled_rows: u64,
    /// Rows that silhouettes were computed from.
    pub silhouette_rows: u64,
    /// Whether these are all.
    pub silhouette_is_exact: bool,
    /// By ascending k.
    pub candidates: Vec<CandidateMetrics>,
}

/// The outcome for one k.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CandidateMetrics {
    /// How good it is.
    #[serde(flatten)]
    pub measures: Measures,
    /// Weights of the rows of each cluster, added up.
    pub sizes: Vec<u64>,
    /// Steps taken.
    pub iterations: usize,
    /// How it ended.
    pub ended: Progress,
    /// Empty clusters that were seeded anew on the way.
    pub relocated_clusters: usize,
    /// Which restart it comes from, from 0.
    pub restart: usize,
}
