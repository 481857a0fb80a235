//! What is published about each clustering.

use segmenta_algorithms::hdbscan::condensed_tree::infinite;
use segmenta_algorithms::hierarchy::Cell;
use segmenta_engine::operators::KMEANS_COLUMN;
use segmenta_engine::operators::hdbscan::CLUSTER_COLUMN;
use segmenta_engine::operators::hierarchy::HIERARCHY_COLUMN;
use segmenta_spec::Select;
use serde::{Deserialize, Serialize};

/// What found a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Algorithm {
    /// K-Means.
    Kmeans,
    /// A cut of a hierarchy.
    Hierarchy,
    /// HDBSCAN.
    Hdbscan,
}

/// How a clustering is told of.
struct Words {
    /// As it is written in the published tables.
    name: &'static str,
    /// The column that holds the numbers of its clusters.
    column: &'static str,
    /// As people call it.
    title: &'static str,
    /// What one of its clusters is called before its number.
    cluster: &'static str,
}

impl Algorithm {
    /// Every clustering, in the order of the tables.
    pub const ALL: [Self; 3] = [Self::Kmeans, Self::Hierarchy, Self::Hdbscan];

    #[rustfmt::skip]
    const fn words(self) -> Words {
        match self {
            Self::Kmeans => Words { name: "kmeans", column: KMEANS_COLUMN, title: "K-Means", cluster: "Segment" },
            Self::Hierarchy => Words { name: "hierarchy", column: HIERARCHY_COLUMN, title: "Hierarchical clustering", cluster: "Cluster" },
            Self::Hdbscan => Words { name: "hdbscan", column: CLUSTER_COLUMN, title: "HDBSCAN", cluster: "Cluster" },
        }
    }

    /// The column that holds the numbers of its clusters.
    #[must_use]
    pub fn column(self) -> &'static str {
        self.words().column
    }

    /// As people call it.
    #[must_use]
    pub fn title(self) -> &'static str {
        self.words().title
    }

    /// As it is written in the published tables.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.words().name
    }

    /// What a cluster without a name of its own is called. Below 0 there is noise.
    #[must_use]
    pub fn unnamed(self, cluster: i32) -> String {
        if cluster < 0 { "Noise".to_owned() } else { format!("{} {cluster}", self.words().cluster) }
    }
}

/// How good the clustering with one k is. Measures that need two clusters are `None` for one.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Measures {
    /// Number of clusters.
    pub k: usize,
    /// Sum of squared distances to the centroid.
    pub inertia: f64,
    /// How far the curve of inertia lies below the line between its ends, as a share of its height.
    pub elbow_prominence: f64,
    /// Mean silhouette of Euclidean distances, -1 to 1; more is better.
    pub silhouette: Option<f64>,
    /// Its standard error where it comes from a sample; 0 when it is exact.
    pub silhouette_error: Option<f64>,
    /// The same of each cluster; `None` where no row of the cluster was in the sample.
    pub silhouette_by_cluster: Vec<Option<f64>>,
    /// Silhouette of squared distances over all rows, exact, as Spark's evaluator has it.
    pub silhouette_squared: Option<f64>,
    /// The same of each cluster; `None` without a row.
    pub silhouette_squared_by_cluster: Vec<Option<f64>>,
    /// Simplified silhouette over all rows, exact: distances to means in the place of mean distances.
    pub silhouette_simplified: Option<f64>,
    /// The same of each cluster; `None` without a row.
    pub silhouette_simplified_by_cluster: Vec<Option<f64>>,
    /// More is better.
    pub calinski_harabasz: Option<f64>,
    /// Less is better.
    pub davies_bouldin: Option<f64>,
    /// The gap statistic.
    pub gap: Option<f64>,
    /// Its standard error.
    pub gap_error: Option<f64>,
}

/// What a rule would choose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Choice {
    /// The rule.
    pub rule: Select,
    /// The k.
    pub k: usize,
}

/// What a reduction to micro-clusters costs, or for single linkage that of more than 20,000,000 distinct rows to a grid.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Reduction {
    /// Share of the total variance of the rows that is within micro-clusters; `None` for a grid.
    pub lost_variance: Option<f64>,
    /// With Ward's linkage, and with a grid: no two sets of rows are higher or lower by more than this.
    pub height_error: Option<f64>,
    /// With Ward's linkage, and with a grid: no merge within a point is higher than this.
    pub hidden_height: Option<f64>,
}

/// A cluster of the cut.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LinkedCluster {
    /// `hierarchy_cluster` of its rows.
    pub cluster: i32,
    /// Their weights, added up; their number where they have none.
    pub size: u64,
    /// The nodes from the root down to its own. Points are numbered first, then merges.
    pub path: Vec<u32>,
}

/// What one `min_cluster_size` gave.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DensityCandidate {
    /// The size.
    pub min_cluster_size: u64,
    /// Clusters found.
    pub clusters: usize,
    /// Rows without a cluster.
    pub noise: u64,
    /// Sum of the stabilities of the selected clusters.
    #[serde(with = "infinite")]
    pub stability: f64,
    /// Relative validity, -1 to 1; `None` without a cluster.
    pub validity: Option<f64>,
}

/// One cluster.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DensityCluster {
    /// `hdbscan_cluster` of its rows.
    pub cluster: i32,
    /// Its rows.
    pub size: u64,
    /// Its cluster in the condensed tree.
    pub node: u32,
    /// Its stability.
    #[serde(with = "infinite")]
    pub stability: f64,
    /// Its persistence: the stability as a share of what it could be.
    pub persistence: f64,
}

/// How good the neighbour graph is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NeighborGraph {
    /// Neighbours of each point.
    pub neighbors: usize,
    /// Share of the true nearest neighbours that were found, over a seeded sample of points.
    pub recall: f64,
    /// Points of the sample.
    pub recall_points: usize,
    /// Components of the graph, which their shortest edges then joined.
    pub components: u32,
}

/// How far two clusterings of the same rows agree.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Agreement {
    /// The first column of labels.
    pub first: String,
    /// The second column of labels.
    pub second: String,
    /// 1 where both are the same but for names, about 0 where they have nothing to do with each other.
    pub adjusted_rand_index: f64,
    /// Rows by pair of labels: those that hold most of them, up to 1,000.
    pub contingency: Vec<Cell>,
}
