//! `model.json`: what is needed to treat a new customer in the same way.

use std::collections::BTreeMap;

use segmenta_algorithms::drift::Distribution;
use segmenta_algorithms::hdbscan::condensed_tree::CondensedCluster;
use segmenta_algorithms::hdbscan::selection::SelectionOptions;
use segmenta_algorithms::hierarchy::Linkage;
use segmenta_algorithms::imputation::NeighborWeights;
use segmenta_algorithms::kmeans::Split;
use segmenta_algorithms::labels::Label;
use segmenta_algorithms::outliers::Fence;
use segmenta_algorithms::scalers::Scaler;
use segmenta_algorithms::sums::Bounds;
use segmenta_engine::artifact::Part;
use segmenta_engine::operators::hdbscan::DensityModelCell;
use segmenta_engine::operators::hierarchy::LabelledCell;
use segmenta_spec::{Fill, KMeansAlgorithm, OutlierAction, OutlierRule, Profile};
use serde::{Deserialize, Serialize};

use crate::clusterings::{DensityCluster, LinkedCluster};

/// The document.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Model {
    /// Version of the published files.
    pub format: u32,
    /// Name of the job.
    pub job: String,
    /// Version of Segmenta.
    pub segmenta: String,
    /// The columns that identify a customer.
    pub id: Vec<String>,
    /// The features, in order.
    pub features: Vec<String>,
    /// Slices that the row ids are cut into.
    pub parts: u32,
    /// What the features are made from.
    pub source: SourceModel,
    /// What they mean.
    pub profile: Profile,
    /// How missing cells are filled.
    pub impute: ImputeModel,
    /// How each feature is distributed, to tell drift by.
    pub distributions: Vec<Distribution>,
    /// Who is an outlier.
    pub outliers: OutlierModel,
    /// How features are scaled.
    pub scale: ScaleModel,
    /// K-Means.
    pub kmeans: KMeansModel,
    /// The hierarchy, where the job has one.
    pub hierarchy: Option<HierarchyModel>,
    /// HDBSCAN, where the job has it.
    pub hdbscan: Option<HdbscanModel>,
}

/// Tables and query of a job.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SourceModel {
    /// Names of its tables.
    pub tables: Vec<String>,
    /// Its query; `None` where the one table has the features.
    pub sql: Option<String>,
}

/// How missing cells are filled.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ImputeModel {
    /// One for each feature.
    pub fills: Vec<Fill>,
    /// Nearest neighbours of a row.
    pub neighbors: usize,
    /// How they are weighted.
    pub weights: NeighborWeights,
    /// Rows of donors; `None` where no cell was missing.
    pub donors: Option<u64>,
    /// The tables that these are in.
    pub donor_parts: Vec<Part>,
    /// The bounds of each feature over all rows.
    pub bounds: Vec<Bounds>,
    /// What cells are filled with where there is no neighbour, or always; `None` where no cell was missing.
    pub fill: Option<Vec<f64>>,
}

/// Who is an outlier.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct OutlierModel {
    /// What becomes of them.
    #[serde(default)]
    pub action: OutlierAction,
    /// One for each feature.
    pub rules: Vec<OutlierRule>,
    /// The fences that the rules gave.
    pub fences: Vec<Option<Fence>>,
    /// The forest, where the job has one.
    pub forest: Option<ForestModel>,
}

/// An isolation forest, whose trees are a document of their own.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ForestModel {
    /// The score from which on a row is set aside.
    pub threshold: f64,
    /// SHA-256 of the document.
    pub sha256: String,
}

/// How features are scaled.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ScaleModel {
    /// One for each feature.
    pub scalers: Vec<Scaler>,
}

/// K-Means.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct KMeansModel {
    /// The chosen k.
    pub k: usize,
    /// The algorithm.
    pub algorithm: KMeansAlgorithm,
    /// Its seed.
    pub seed: u64,
    /// The clusters, in the order of their centroids.
    pub clusters: Vec<KMeansCluster>,
    /// The least number that no segment has had.
    pub next_number: i32,
    /// How bisecting came to them; empty otherwise.
    pub splits: Vec<Split>,
}

/// A cluster of K-Means.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct KMeansCluster {
    /// Its number, `kmeans_cluster` of its rows.
    pub cluster: i32,
    /// Their weights, added up.
    pub size: u64,
    /// Its rows.
    pub rows: u64,
    /// Its centroid in scaled space.
    pub centroid_scaled: Vec<f64>,
    /// The same in the units of the features.
    pub centroid: Vec<f64>,
    /// What it is called.
    pub label: Option<Label>,
}

/// A hierarchy.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct HierarchyModel {
    /// How far two clusters are apart.
    pub linkage: Linkage,
    /// The clusters of the cut.
    pub clusters: Vec<LinkedCluster>,
    /// What they are called, by their numbers.
    #[serde(default)]
    pub labels: BTreeMap<i32, Label>,
    /// Height of the highest merge within a cluster.
    pub cut_below: f64,
    /// Height of the lowest merge between two clusters; `None` for a single cluster.
    pub cut_above: Option<f64>,
    /// The highest merges.
    pub dendrogram: DendrogramModel,
    /// The tables of the points that were linked, or of seeds of those, with their labels.
    #[serde(default)]
    pub points: Vec<LabelledCell>,
}

/// The top of a dendrogram.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct DendrogramModel {
    /// Points that were linked.
    pub points: u64,
    /// The nodes that its leaves are in the whole dendrogram.
    pub leaves: Vec<u32>,
    /// Their weights.
    pub leaf_sizes: Vec<u64>,
    /// scipy's linkage matrix: left, right, height, count.
    pub linkage: Vec<[f64; 4]>,
}

impl DendrogramModel {
    fn is_sound(&self) -> bool {
        let leaves = self.leaves.len();
        let is_below = |node: f64, merge: usize| node >= 0.0 && node < (leaves + merge) as f64;
        let mut merges = self.linkage.iter().enumerate();
        leaves == self.linkage.len() + 1
            && leaves == self.leaf_sizes.len()
            && (leaves as u64..=u64::from(u32::MAX)).contains(&self.points)
            && merges.all(|(i, [left, right, ..])| is_below(*left, i) && is_below(*right, i))
    }
}

/// HDBSCAN.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct HdbscanModel {
    /// The chosen size.
    pub min_cluster_size: u64,
    /// Neighbours of a core distance.
    pub min_samples: u64,
    /// Side of the grid; 0 where every distinct point was kept.
    pub resolution: f64,
    /// How clusters are selected.
    pub selection: SelectionOptions,
    /// The clusters, by label.
    pub clusters: Vec<DensityCluster>,
    /// The condensed tree.
    pub condensed_tree: Vec<CondensedCluster>,
    /// The tables of the points, a cell each.
    pub points: Vec<DensityModelCell>,
}

impl Model {
    /// Whether the trees are trees: children come before their parents in a dendrogram, and after them in a condensed tree.
    #[must_use]
    pub fn has_sound_trees(&self) -> bool {
        self.hierarchy.as_ref().is_none_or(|hierarchy| hierarchy.dendrogram.is_sound())
            && self.hdbscan.as_ref().is_none_or(HdbscanModel::has_sound_tree)
    }
}

impl HdbscanModel {
    /// Whether the condensed tree is a tree: parents come before their children, and clusters are nodes of it.
    #[must_use]
    pub fn has_sound_tree(&self) -> bool {
        let mut tree = self.condensed_tree.iter().enumerate();
        tree.all(|(i, node)| node.parent.map_or(i == 0, |parent| (parent as usize) < i))
            && self.clusters.iter().all(|cluster| (cluster.node as usize) < self.condensed_tree.len())
    }
}
