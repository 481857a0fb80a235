//! The job spec: what a user writes. Strict YAML (JSON is YAML too).
//!
//! Every key is known, every value is checked, and all mistakes are reported at once with their key and line.
//!
//! ```text
//!   document.rs   what a user writes: keys, kinds, limits, descriptions ──▶ JSON Schema
//!   check.rs      a document against that schema
//!   parse.rs      from what was written to the types here: defaults, and what depends on more than one key
//!   lib.rs        the types that the stages work from
//! ```

mod check;
pub mod depth;
mod document;
mod parse;
mod reader;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use segmenta_algorithms::hdbscan::selection::SelectionOptions;
use segmenta_algorithms::hierarchy::Linkage;
use segmenta_algorithms::imputation::NeighborWeights;
use serde::{Deserialize, Serialize};

pub use check::schema;
pub use reader::{SpecError, SpecErrors};

/// Coordinates of the centroids of a sweep, one start each, up to which the gap statistic takes no more than seconds.
pub const MAX_GAP_SWEEP: usize = 25_000;

/// A whole job.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct JobSpec {
    /// Names the job; an output belongs to the job of its name.
    pub name: String,
    /// Where the customers come from.
    pub source: Source,
    /// How missing cells are filled.
    pub impute: Impute,
    /// Which rows are cut.
    pub outliers: Outliers,
    /// How features are scaled.
    pub scale: Scale,
    /// K-Means.
    pub kmeans: KMeans,
    /// Hierarchical clustering; left out where the spec has no such section.
    pub hierarchy: Option<Hierarchy>,
    /// HDBSCAN; left out where the spec has no such section.
    pub hdbscan: Option<Hdbscan>,
    /// How clusterings are judged.
    pub evaluate: Evaluate,
    /// Which features are recency, frequency and monetary value.
    pub profile: Profile,
    /// What an earlier run published, whose segments keep their numbers: a path relative to the spec, or a URL.
    pub previous: Option<String>,
    /// Folder to publish under: a path relative to the spec, or a URL.
    pub output: String,
}

/// Tables, and the SQL that makes one row a customer of them.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Source {
    /// In the order of the spec.
    pub tables: Vec<Table>,
    /// A query; without it, the one table holds the features.
    pub sql: Option<String>,
    /// Columns that identify a customer.
    pub id: Vec<String>,
    /// Columns to segment by, 1 to 64.
    pub features: Vec<String>,
    /// Column that says how many customers a row stands for to the clusterings: a whole number from 1.
    pub weight: Option<String>,
    /// Columns of numbers that say more about the segments, and take no part in the clustering.
    pub beside: Vec<String>,
}

/// A table in SQL.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Table {
    /// Its name in SQL.
    pub name: String,
    /// Paths, globs, folders or URLs.
    pub locations: Vec<String>,
}

/// How missing cells of a feature are filled.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fill {
    /// With the mean of the nearest neighbours.
    Knn,
    /// With the mean of the feature.
    Mean,
    /// With the median of the feature.
    Median,
    /// With this value.
    Constant(f64),
    /// Not at all: a missing cell is an error.
    None,
}

/// Which rows donate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Donors {
    /// Every row.
    All,
    /// All rows up to this many; above it, a seeded sample of about as many.
    AtMost(u64),
}

/// The `impute` section.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Impute {
    /// A feature each.
    pub fills: Vec<Fill>,
    /// Neighbours of [`Fill::Knn`].
    pub neighbors: usize,
    /// Their weights.
    pub weights: NeighborWeights,
    /// The rows they are found among.
    pub donors: Donors,
}

/// What makes a row an outlier by one feature.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OutlierRule {
    /// Beyond so many interquartile ranges from the quartiles.
    Iqr {
        /// Interquartile ranges.
        factor: f64,
    },
    /// Beyond so many standard deviations from the mean.
    Zscore {
        /// Standard deviations.
        factor: f64,
    },
    /// A modified z-score beyond this.
    Mad {
        /// The score.
        factor: f64,
    },
    /// Beyond two quantiles.
    Percentile {
        /// The lower one, in `[0, 1]`.
        low: f64,
        /// The upper one.
        high: f64,
    },
    /// Nothing.
    None,
}

impl OutlierRule {
    /// As its method is written in the spec.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Iqr { .. } => "iqr",
            Self::Zscore { .. } => "zscore",
            Self::Mad { .. } => "mad",
            Self::Percentile { .. } => "percentile",
            Self::None => "none",
        }
    }

    /// Its factor, where it has one.
    #[must_use]
    pub fn factor(self) -> Option<f64> {
        match self {
            Self::Iqr { factor } | Self::Zscore { factor } | Self::Mad { factor } => Some(factor),
            Self::Percentile { .. } | Self::None => None,
        }
    }

    /// The rule of a factor that is so many times as large.
    #[must_use]
    pub fn widened(self, times: f64) -> Self {
        match self {
            Self::Iqr { factor } => Self::Iqr { factor: factor * times },
            Self::Zscore { factor } => Self::Zscore { factor: factor * times },
            Self::Mad { factor } => Self::Mad { factor: factor * times },
            Self::Percentile { .. } | Self::None => self,
        }
    }
}

/// How the quantiles behind a fence are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Quantiles {
    /// Exactly.
    Exact,
    /// From the sketch that the pass before left: off by less than 0.4 % of themselves, and no pass of their own.
    Sketch,
}

/// From which score of the isolation forest on a row is an outlier.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ForestThreshold {
    /// The one that at most this share of the rows lies above.
    Contamination(f64),
    /// Above this, in `(0, 1)`.
    Score(f64),
}

/// An isolation forest, for outliers that no single feature shows.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Forest {
    /// Who is cut.
    pub threshold: ForestThreshold,
    /// Trees.
    pub trees: usize,
    /// Rows that each is grown on.
    pub rows: usize,
    /// Seed.
    pub seed: u64,
}

/// What becomes of outliers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OutlierAction {
    /// They take no part in the fit, and get their segments afterwards, as new customers do.
    SetAside,
    /// Their values are moved to the fence for the fit (winsorised).
    Clip,
    /// They are in no segment.
    // What models that do not say it were made with.
    #[default]
    Drop,
}

/// Where fences are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FenceSpace {
    /// Among the transformed values.
    Transformed,
    /// Among the values as they are.
    Raw,
}

/// The `outliers` section.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Outliers {
    /// What becomes of them.
    pub action: OutlierAction,
    /// Where the fences are found.
    pub space: FenceSpace,
    /// A feature each.
    pub rules: Vec<OutlierRule>,
    /// A feature each: whether its factor is the default one, which gives way to `share_limit`.
    pub may_widen: Vec<bool>,
    /// The share of all rows that rules of default factors may set aside together.
    pub share_limit: f64,
    /// How the quantiles behind them are found.
    pub quantiles: Quantiles,
    /// Applied to the rows within all fences.
    pub forest: Option<Forest>,
}

/// How a feature is scaled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ScaleMethod {
    /// To mean 0 and population variance 1.
    Standard,
    /// To median 0 and interquartile range 1.
    Robust,
    /// To `[0, 1]`.
    Minmax,
    /// Not at all.
    None,
}

/// What a feature is transformed by before it is scaled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TransformMethod {
    /// What its skewness asks for: nothing, one of the logarithms, or Yeo and Johnson's.
    Auto,
    /// Nothing.
    None,
    /// `ln(1 + x)`.
    Log1p,
    /// `sign(x) ln(1 + |x|)`.
    SignedLog1p,
    /// Yeo and Johnson's power transform, of the lambda that makes the values most likely normal.
    YeoJohnson,
}

/// How one feature is scaled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct FeatureScale {
    /// The method.
    pub method: ScaleMethod,
    /// Applied before it.
    pub transform: TransformMethod,
}

/// The `scale` section.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Scale {
    /// A feature each.
    pub features: Vec<FeatureScale>,
}

/// What decides on k.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Select {
    /// The elbow of the inertia.
    Elbow,
    /// The largest silhouette.
    Silhouette,
    /// The largest Calinski-Harabasz index.
    CalinskiHarabasz,
    /// The least Davies-Bouldin index.
    DaviesBouldin,
    /// The gap statistic.
    Gap,
}

impl Select {
    /// Every rule.
    pub const ALL: [Self; 5] = [Self::Elbow, Self::Silhouette, Self::CalinskiHarabasz, Self::DaviesBouldin, Self::Gap];

    /// As it is written in the spec.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Elbow => "elbow",
            Self::Silhouette => "silhouette",
            Self::CalinskiHarabasz => "calinski_harabasz",
            Self::DaviesBouldin => "davies_bouldin",
            Self::Gap => "gap",
        }
    }
}

/// How clusters are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KMeansAlgorithm {
    /// Lloyd's.
    Lloyd,
    /// Mini-batch K-Means.
    Minibatch {
        /// Rows of a batch, about.
        batch_rows: u64,
    },
    /// Bisecting K-Means.
    Bisecting,
}

/// Where K-Means starts from.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub enum Start {
    /// Greedy k-means++ on a seeded sample.
    #[serde(rename = "kmeans++")]
    KmeansPlusPlus,
    /// k-means|| over all rows.
    #[serde(rename = "kmeans||")]
    KmeansParallel,
    /// These centroids, `k` rows of as many numbers as there are features, in scaled space.
    #[serde(rename = "centroids")]
    Centroids(Vec<Vec<f64>>),
}

/// The `kmeans` section.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct KMeans {
    /// The numbers of clusters to try, ascending.
    pub k: Vec<usize>,
    /// How one is chosen.
    pub select: Select,
    /// How clusters are found.
    pub algorithm: KMeansAlgorithm,
    /// Seed of the start.
    pub seed: u64,
    /// Starts for each k; the one with the least inertia counts.
    pub restarts: usize,
    /// Most iterations.
    pub max_iterations: usize,
    /// Convergence: the squared move of the centroids, relative to the mean variance of the features.
    pub tolerance: f64,
    /// The start.
    pub start: Start,
}

/// Where a dendrogram is cut.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CutRule {
    /// Into so many clusters.
    Clusters(usize),
    /// At this height.
    Height(f64),
}

/// The `hierarchy` section.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Hierarchy {
    /// How far two clusters are apart.
    pub linkage: Linkage,
    /// Where the dendrogram is cut.
    pub cut: CutRule,
    /// Distinct points up to which the linkage is that of all rows.
    pub budget: usize,
    /// What more are reduced to.
    pub micro_clusters: usize,
    /// Seed of the sample that seeds come from.
    pub seed: u64,
}

/// The least size of a cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum MinClusterSize {
    /// One of several shares of the rows.
    Auto,
    /// One of these, ascending.
    OneOf(Vec<u64>),
}

/// The side of the grid whose cells become points.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Resolution {
    /// 0 while the distinct points fit this budget, and above it the least that does.
    Auto {
        /// Points.
        budget: u64,
    },
    /// This; 0 for every distinct point.
    Side(f64),
}

/// The graph whose spanning tree is condensed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Graph {
    /// Every pair of points: exact.
    Exact,
    /// Every point and its nearest neighbours, and the shortest edges between the components that they make.
    Knn {
        /// Neighbours of a point, at least `min_samples - 1`.
        neighbors: usize,
    },
}

/// The `hdbscan` section.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Hdbscan {
    /// The least size of a cluster, in rows.
    pub min_cluster_size: MinClusterSize,
    /// Rows within a core distance, the row itself included.
    pub min_samples: u64,
    /// The grid.
    pub resolution: Resolution,
    /// The graph.
    pub graph: Graph,
    /// How clusters are selected.
    pub selection: SelectionOptions,
    /// Rows of a cell of space, about: what a worker holds at a time. Changes no result.
    pub cell_rows: u64,
}

/// The `evaluate` section.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Evaluate {
    /// The silhouette is exact up to this many rows, and that of a seeded sample of about as many above it.
    pub silhouette_rows: u64,
}

/// What a segment is called, and what to do with it, in the user's own words.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnLabel {
    /// The name.
    pub name: Option<String>,
    /// The action.
    pub action: Option<String>,
}

/// The `profile` section: what the features mean.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Profile {
    /// Time since the last purchase: less is better.
    pub recency: Option<String>,
    /// Number of purchases.
    pub frequency: Option<String>,
    /// Money spent.
    pub monetary: Option<String>,
    /// Time since the first purchase: a feature, or another column of the source.
    #[serde(default)]
    pub tenure: Option<String>,
    /// Time without a purchase after which a customer has lapsed, in the unit of the recency.
    #[serde(default)]
    pub lapsed_after: Option<f64>,
    /// The user's own words, by the label that they replace.
    #[serde(default)]
    pub labels: BTreeMap<String, OwnLabel>,
    /// What features are counted in, by their name: shown beside their values.
    pub units: BTreeMap<String, String>,
    /// The day that the features describe: shown by the report.
    pub as_of: Option<String>,
}

impl JobSpec {
    /// Which of the features is money, where one is.
    #[must_use]
    pub fn monetary(&self) -> Option<usize> {
        let named = self.profile.monetary.as_ref()?;
        self.source.features.iter().position(|feature| feature == named)
    }
}

impl Profile {
    /// Whether a feature has a role, without which segments get no names.
    #[must_use]
    pub fn has_roles(&self) -> bool {
        [&self.recency, &self.frequency, &self.monetary].into_iter().any(Option::is_some)
    }
}

/// A scoring job: a published model, and the rows that it labels.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ScoreSpec {
    /// Names the job.
    pub name: String,
    /// Path or URL of a `model.json`.
    pub model: String,
    /// Paths, globs, folders or URLs of Parquet with the columns of the model; none where there are tables.
    pub input: Vec<String>,
    /// The tables that a query makes the columns of the model from.
    pub tables: Vec<Table>,
    /// That query; where it is left out, the one of the job that made the model.
    pub sql: Option<String>,
    /// Folder to write to: a path relative to the spec, or a URL.
    pub output: String,
}

/// What a document holds.
#[derive(Debug, Clone, PartialEq)]
pub enum Spec {
    /// A job that segments.
    Job(Box<JobSpec>),
    /// One that scores: it has a key `model`.
    Score(ScoreSpec),
}

impl Spec {
    /// Parses a document; `origin` (the file) is named in errors.
    ///
    /// # Errors
    /// Every mistake of the spec, each with its key and line.
    pub fn parse(text: &str, origin: &str) -> Result<Self, SpecErrors> {
        parse::spec(text, origin)
    }
}

impl JobSpec {
    /// Parses the spec of a job that segments; `origin` (the file) is named in errors.
    ///
    /// # Errors
    /// Every mistake of the spec, each with its key and line; a spec that scores.
    pub fn parse(text: &str, origin: &str) -> Result<Self, SpecErrors> {
        match Spec::parse(text, origin)? {
            Spec::Job(spec) => Ok(*spec),
            Spec::Score(_) => Err(parse::not_a_job(origin)),
        }
    }
}
