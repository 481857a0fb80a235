//! What a user writes, key by key.
//!
//! These types are where a key, its meaning, its kind and its limits are written down. Their JSON Schema is what a
//! document is checked against ([`crate::check`]) and what editors complete and check by (`segmenta schema`). What
//! depends on more than one key is checked when a document becomes a [`JobSpec`](crate::JobSpec).

// Descriptions of the schema are plain text: editors show them as they are.
#![allow(rustdoc::broken_intra_doc_links, rustdoc::invalid_html_tags)]

use indexmap::IndexMap;
use schemars::JsonSchema;
use segmenta_algorithms::hdbscan::selection::SelectionMethod;
use segmenta_algorithms::hierarchy::Linkage;
use segmenta_algorithms::imputation::NeighborWeights;
use serde::Deserialize;

use crate::{FenceSpace, OutlierAction, Quantiles, ScaleMethod, Select, TransformMethod};

/// A job that segments customers.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct JobDocument {
    /// A name for the job: letters, digits, `.`, `_` and `-`. An output belongs to the job of its name.
    #[schemars(required, extend("maxLength" = 100, "pattern" = "^[A-Za-z0-9._-]+$"))]
    pub(crate) name: Option<String>,
    /// Where the customers come from: {tables, sql, id, features}.
    #[schemars(required)]
    pub(crate) source: Option<Source>,
    /// How missing cells are filled.
    pub(crate) impute: Option<OrMethod<FillMethod, Impute>>,
    /// Which rows are outliers, and what becomes of them.
    pub(crate) outliers: Option<OrMethod<OutlierMethod, Outliers>>,
    /// How features are scaled.
    pub(crate) scale: Option<OrMethod<ScaleMethod, Scale>>,
    /// K-Means.
    pub(crate) kmeans: Option<KMeans>,
    /// Hierarchical clustering. Left out, it does not run; `{}` runs it with its defaults.
    pub(crate) hierarchy: Option<Hierarchy>,
    /// HDBSCAN. Left out, it does not run; `{}` runs it with its defaults.
    pub(crate) hdbscan: Option<Hdbscan>,
    /// How clusterings are judged.
    pub(crate) evaluate: Option<Evaluate>,
    /// Which features are recency, frequency and monetary value.
    pub(crate) profile: Option<Profile>,
    /// The output of an earlier run, whose segments keep their numbers: a path or a URL.
    pub(crate) previous: Option<String>,
    /// The folder to publish under: a path or a URL.
    #[schemars(required)]
    pub(crate) output: Option<String>,
}

/// A job that scores rows by a published model.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ScoreDocument {
    /// A name for the job: letters, digits, `.`, `_` and `-`.
    #[schemars(required, extend("maxLength" = 100, "pattern" = "^[A-Za-z0-9._-]+$"))]
    pub(crate) name: Option<String>,
    /// The path or URL of a model.json that a job has published.
    #[schemars(required)]
    pub(crate) model: Option<String>,
    /// Parquet with the columns of the model: a path, glob, folder or URL, or a list of them. Stands in place of `tables`.
    pub(crate) input: Option<Texts>,
    /// The tables that a query makes the columns of the model from: names and locations.
    pub(crate) tables: Option<Tables>,
    /// The query over `tables`. Left out, it is the query of the job that made the model.
    pub(crate) sql: Option<String>,
    /// The folder to write to: a path or a URL.
    #[schemars(required)]
    pub(crate) output: Option<String>,
}

/// One text, or a list of texts.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(extend("errorMessage" = "must be text, or a list of texts that is not empty"))]
pub(crate) enum Texts {
    /// One.
    One(String),
    /// Several.
    Many(#[schemars(length(min = 1))] Vec<String>),
}

impl Texts {
    pub(crate) fn into_list(self) -> Vec<String> {
        match self {
            Self::One(text) => vec![text],
            Self::Many(texts) => texts,
        }
    }
}

/// Names of tables and their locations, for example {orders: data/*.parquet}. A location is a Parquet file, a glob or a
/// folder, as a path or a URL; or a list of them.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(transparent)]
#[schemars(extend(
    "minProperties" = 1,
    "errorMessage" = "must name at least one table, for example {orders: data/*.parquet}"
))]
pub(crate) struct Tables(pub(crate) IndexMap<String, Texts>);

/// A section, or its method alone.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(crate) enum OrMethod<M, S> {
    /// `none` stands for `{method: none}`.
    Method(M),
    /// The whole section.
    Section(S),
}

/// Where the customers come from.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Source {
    /// A mapping of table names to locations, for example {orders: data/*.parquet}.
    #[schemars(required)]
    pub(crate) tables: Option<Tables>,
    /// A query over the tables that gives one row for each customer. Left out, the one table is read as it is.
    pub(crate) sql: Option<String>,
    /// The column, or columns, that identify a customer.
    #[schemars(required)]
    pub(crate) id: Option<Texts>,
    /// The columns to segment by: 1 to 64 columns of numbers.
    #[schemars(required)]
    pub(crate) features: Option<Texts>,
    /// A column that says how many customers a row stands for: a whole number from 1.
    pub(crate) weight: Option<String>,
}

/// How missing cells are filled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum FillMethod {
    /// The mean of the nearest neighbours.
    Knn,
    /// The mean of the feature.
    Mean,
    /// The median of the feature.
    Median,
    /// The value of the key `value`.
    Constant,
    /// A missing cell is an error.
    None,
}

/// How missing cells are filled.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Impute {
    /// How missing cells are filled.
    #[schemars(extend("default" = "knn"))]
    pub(crate) method: Option<FillMethod>,
    /// What `method: constant` fills missing cells with.
    #[schemars(extend("errorMessage" = "must be a number of up to 1e140"), range(min = -1e140, max = 1e140))]
    pub(crate) value: Option<f64>,
    /// Neighbours of a row. Only for `method: knn`.
    #[schemars(range(min = 1, max = 1_000), extend("default" = 5))]
    pub(crate) neighbors: Option<u64>,
    /// How neighbours count: alike, or by the inverse of their distance. Only for `method: knn`.
    #[schemars(with = "Option<String>", extend("enum" = ["uniform", "distance"], "default" = "uniform"))]
    pub(crate) weights: Option<NeighborWeights>,
    /// The rows that neighbours are found among: `all`, or at most so many. Only for `method: knn`.
    #[schemars(extend("default" = 200_000))]
    pub(crate) donors: Option<Donors>,
    /// Features that are filled in a way of their own.
    pub(crate) features: Option<IndexMap<String, OrMethod<FillMethod, FillOf>>>,
}

/// How missing cells of one feature are filled.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FillOf {
    /// How missing cells are filled.
    pub(crate) method: Option<FillMethod>,
    /// What `method: constant` fills missing cells with.
    #[schemars(extend("errorMessage" = "must be a number of up to 1e140"), range(min = -1e140, max = 1e140))]
    pub(crate) value: Option<f64>,
}

/// The rows that donate.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(extend("errorMessage" = "must be `all`, or the largest number of donor rows"))]
pub(crate) enum Donors {
    /// Every row.
    All(All),
    /// At most so many, a seeded sample.
    AtMost(#[schemars(range(min = 1))] u64),
}

/// The word `all`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum All {
    /// Every row.
    All,
}

/// What makes a row an outlier by one feature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum OutlierMethod {
    /// Beyond `factor` interquartile ranges from the quartiles.
    Iqr,
    /// Beyond `factor` standard deviations from the mean.
    Zscore,
    /// A modified z-score beyond `factor`.
    Mad,
    /// Beyond the quantiles `low` and `high`.
    Percentile,
    /// Nothing.
    None,
}

/// Which rows are outliers.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Outliers {
    /// What becomes of outliers: they take no part in the fit and get their segments afterwards, their values are moved to the
    /// fences, or they are in no segment.
    #[schemars(extend("default" = "set_aside"))]
    pub(crate) action: Option<OutlierAction>,
    /// Whether fences are found among the transformed values or among those as they are.
    #[schemars(extend("default" = "transformed"))]
    pub(crate) space: Option<FenceSpace>,
    /// What makes a row an outlier by one feature.
    #[schemars(extend("default" = "iqr"))]
    pub(crate) method: Option<OutlierMethod>,
    /// How far is too far: 2.2 for `iqr`, 3 for `zscore` and 3.5 for `mad`, unless it is given.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub(crate) factor: Option<f64>,
    /// The lower quantile. Only for `method: percentile`.
    #[schemars(range(min = 0, max = 1), extend("default" = 0.01))]
    pub(crate) low: Option<f64>,
    /// The upper quantile. Only for `method: percentile`.
    #[schemars(range(min = 0, max = 1), extend("default" = 0.99))]
    pub(crate) high: Option<f64>,
    /// The most that rules may set aside, as a share of all customers, unless they have a `factor`: they are widened until that
    /// holds.
    #[schemars(range(max = 1), extend("exclusiveMinimum" = 0, "default" = 0.05))]
    pub(crate) share_limit: Option<f64>,
    /// How quantiles are found: exactly, or from a sketch that is off by less than 0.4 %.
    #[schemars(extend("default" = "exact"))]
    pub(crate) quantiles: Option<Quantiles>,
    /// An isolation forest, for outliers that no single feature shows. `{}` has its defaults.
    pub(crate) forest: Option<Forest>,
    /// Features that have a rule of their own.
    pub(crate) features: Option<IndexMap<String, OrMethod<OutlierMethod, OutlierRuleOf>>>,
}

/// The outlier rule of one feature.
#[derive(Debug, Default, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct OutlierRuleOf {
    /// What makes a row an outlier by this feature.
    pub(crate) method: Option<OutlierMethod>,
    /// How far is too far.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub(crate) factor: Option<f64>,
    /// The lower quantile. Only for `method: percentile`.
    #[schemars(range(min = 0, max = 1))]
    pub(crate) low: Option<f64>,
    /// The upper quantile. Only for `method: percentile`.
    #[schemars(range(min = 0, max = 1))]
    pub(crate) high: Option<f64>,
}

/// An isolation forest.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Forest {
    /// Set aside at most this share of the rows: those of the highest scores.
    #[schemars(range(max = 0.5), extend("exclusiveMinimum" = 0, "default" = 0.01))]
    pub(crate) contamination: Option<f64>,
    /// Or: set aside the rows of higher scores than this.
    #[schemars(extend("exclusiveMinimum" = 0, "exclusiveMaximum" = 1))]
    pub(crate) score: Option<f64>,
    /// Trees.
    #[schemars(range(min = 1, max = 1_000), extend("default" = 100))]
    pub(crate) trees: Option<u64>,
    /// Rows that each tree is grown on.
    #[schemars(range(min = 2, max = 65_536), extend("default" = 256))]
    pub(crate) rows: Option<u64>,
    /// The seed of the sample.
    #[schemars(extend("default" = 0))]
    pub(crate) seed: Option<u64>,
}

/// How features are scaled.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Scale {
    /// How features are scaled.
    #[schemars(extend("default" = "standard"))]
    pub(crate) method: Option<ScaleMethod>,
    /// What features are transformed by before they are scaled. `auto` takes a logarithm or Yeo-Johnson where a feature is skewed.
    #[schemars(extend("default" = "auto"))]
    pub(crate) transform: Option<TransformMethod>,
    /// Features that are scaled in a way of their own.
    pub(crate) features: Option<IndexMap<String, OrMethod<ScaleMethod, ScaleOf>>>,
}

/// How one feature is scaled.
#[derive(Debug, Default, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ScaleOf {
    /// How the feature is scaled.
    pub(crate) method: Option<ScaleMethod>,
    /// What it is transformed by before it is scaled.
    pub(crate) transform: Option<TransformMethod>,
}

/// The numbers of clusters to try.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(extend("errorMessage" = "must be a whole number from 1 to 1000, or a range {from: 2, to: 10}"))]
pub(crate) enum K {
    /// This one.
    One(#[schemars(range(min = 1, max = 1_000))] u64),
    /// A range.
    Range(KRange),
}

/// A range of numbers of clusters.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct KRange {
    /// The first.
    #[schemars(range(min = 2, max = 1_000), extend("default" = 2))]
    pub(crate) from: Option<u64>,
    /// The last.
    #[schemars(range(min = 2, max = 1_000), extend("default" = 10))]
    pub(crate) to: Option<u64>,
}

/// How K-Means finds clusters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Algorithm {
    /// Lloyd's algorithm.
    Lloyd,
    /// Mini-batch K-Means: each step looks at some rows only.
    Minibatch,
    /// Bisecting K-Means: the cluster of the largest inertia is split in two until there are k.
    Bisecting,
}

/// Where K-Means starts from.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(extend("errorMessage" = "must be `kmeans++`, `kmeans||`, or a list of centroids: a list of numbers (scaled features) each"))]
pub(crate) enum Start {
    /// From points that are drawn.
    Drawn(Drawn),
    /// From these centroids.
    Centroids(Vec<Vec<f64>>),
}

/// How starting points are drawn.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) enum Drawn {
    /// Greedy k-means++ on a seeded sample.
    #[serde(rename = "kmeans++")]
    PlusPlus,
    /// k-means|| over all rows.
    #[serde(rename = "kmeans||")]
    Parallel,
}

/// K-Means.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct KMeans {
    /// The number of clusters, or a range of numbers to try: {from: 2, to: 10}.
    #[schemars(extend("default" = {"from": 2, "to": 10}))]
    pub(crate) k: Option<K>,
    /// The rule that chooses k.
    #[schemars(extend("default" = "elbow"))]
    pub(crate) select: Option<Select>,
    /// How clusters are found.
    #[schemars(extend("default" = "lloyd"))]
    pub(crate) algorithm: Option<Algorithm>,
    /// Rows of a batch, about. Only for `algorithm: minibatch`.
    #[schemars(range(min = 1_000), extend("default" = 65_536))]
    pub(crate) batch_rows: Option<u64>,
    /// The seed of the starts, and of the batches.
    #[schemars(extend("default" = 0))]
    pub(crate) seed: Option<u64>,
    /// Starts for each k, of which the one with the least inertia counts.
    #[schemars(range(min = 1, max = 100), extend("default" = 1))]
    pub(crate) restarts: Option<u64>,
    /// The most iterations of each start.
    #[schemars(range(min = 1, max = 1_000_000), extend("default" = 300))]
    pub(crate) max_iterations: Option<u64>,
    /// When centroids stand still: the squares of their moves add up to no more than this times the mean variance of the features.
    #[schemars(range(min = 0), extend("default" = 0.0001))]
    pub(crate) tolerance: Option<f64>,
    /// Where K-Means starts from: `kmeans++`, `kmeans||`, or a list of centroids in scaled space.
    #[schemars(extend("default" = "kmeans++"))]
    pub(crate) start: Option<Start>,
}

/// Hierarchical clustering.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Hierarchy {
    /// How far two clusters are apart, as scipy defines it.
    #[schemars(with = "Option<String>", extend("enum" = ["ward", "average", "complete", "single"], "default" = "ward"))]
    pub(crate) linkage: Option<Linkage>,
    /// Cut the dendrogram into so many clusters.
    #[schemars(range(min = 1, max = 1_000), extend("default" = 3))]
    pub(crate) clusters: Option<u64>,
    /// Or: cut it at this height.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub(crate) height: Option<f64>,
    /// Distinct rows up to which the linkage is exact: 200000 for `ward` in up to 6 features, and otherwise 20000, unless it is given.
    #[schemars(range(min = 2, max = 2_000_000))]
    pub(crate) budget: Option<u64>,
    /// What more rows are reduced to: 20000 for `ward` in up to 6 features, and otherwise 4000, unless it is given.
    #[schemars(range(min = 2, max = 100_000))]
    pub(crate) micro_clusters: Option<u64>,
    /// The seed of the sample that micro-clusters start from.
    #[schemars(extend("default" = 0))]
    pub(crate) seed: Option<u64>,
}

/// The word `auto`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Auto {
    /// What the data asks for.
    Auto,
}

/// The least size of a cluster.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(extend("errorMessage" = "must be a whole number of at least 2, a list of them, or `auto`"))]
pub(crate) enum MinClusterSize {
    /// One of several shares of the rows.
    Auto(Auto),
    /// This.
    One(#[schemars(range(min = 2))] u64),
    /// The most valid of these.
    OneOf(#[schemars(length(min = 1), inner(range(min = 2)))] Vec<u64>),
}

/// The side of the grid whose cells become points.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(extend("errorMessage" = "must be `auto`, 0 to keep every distinct point, or the side of a grid"))]
pub(crate) enum Resolution {
    /// The least that leaves no more points than `budget`.
    Auto(Auto),
    /// This; 0 for every distinct point.
    Side(#[schemars(range(min = 0))] f64),
}

/// The graph whose spanning tree is condensed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum GraphName {
    /// Every pair of points.
    Exact,
    /// Every point and its nearest neighbours: an approximation.
    Knn,
}

/// HDBSCAN.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Hdbscan {
    /// The fewest rows of a cluster, a list of which the most valid is chosen, or `auto`: 0.2, 0.5, 1, 2 or 5 % of the rows.
    #[schemars(extend("default" = "auto"))]
    pub(crate) min_cluster_size: Option<MinClusterSize>,
    /// The rows within a core distance, the row itself included.
    #[schemars(range(min = 1, max = 1_000), extend("default" = 10))]
    pub(crate) min_samples: Option<u64>,
    /// `0` keeps every distinct point; a number puts the rows of each cell of a grid of that side, in scaled space, at one point; `auto` is
    /// 0 up to `budget` rows, and above it the least side that leaves no more points than that.
    #[schemars(extend("default" = "auto"))]
    pub(crate) resolution: Option<Resolution>,
    /// Points. Only for `resolution: auto`.
    #[schemars(range(min = 1_000, max = 4_294_967_294_u64), extend("default" = 20_000_000))]
    pub(crate) budget: Option<u64>,
    /// The graph whose spanning tree is condensed.
    #[schemars(extend("default" = "exact"))]
    pub(crate) graph: Option<GraphName>,
    /// Neighbours of a point, at least `min_samples - 1`: 15 unless it is given. Only for `graph: knn`.
    #[schemars(range(min = 1, max = 1_000))]
    pub(crate) neighbors: Option<u64>,
    /// How clusters are selected: by excess of mass, or the leaves of the tree.
    #[schemars(with = "Option<String>", extend("enum" = ["eom", "leaf"], "default" = "eom"))]
    pub(crate) selection: Option<SelectionMethod>,
    /// Clusters born below this distance give way to their ancestors.
    #[schemars(range(min = 0), extend("default" = 0))]
    pub(crate) cluster_selection_epsilon: Option<f64>,
    /// `selection: eom` selects no larger clusters.
    #[schemars(range(min = 2))]
    pub(crate) max_cluster_size: Option<u64>,
    /// Whether everything may be one cluster.
    #[schemars(extend("default" = false))]
    pub(crate) allow_single_cluster: Option<bool>,
    /// Rows of a cell of space, which a worker holds at a time. Changes no result.
    #[schemars(range(min = 100, max = 100_000_000), extend("default" = 262_144))]
    pub(crate) cell_rows: Option<u64>,
}

/// How clusterings are judged.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Evaluate {
    /// Rows up to which the Euclidean silhouette is exact. Above it, it is that of a seeded sample of about as many.
    #[schemars(range(min = 100, max = 200_000), extend("default" = 25_000))]
    pub(crate) silhouette_rows: Option<u64>,
}

/// What a segment is called, and what to do with it.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct OwnLabel {
    /// The name.
    #[schemars(length(min = 1, max = 80))]
    pub(crate) name: Option<String>,
    /// The action.
    #[schemars(length(min = 1, max = 400))]
    pub(crate) action: Option<String>,
}

/// What the features mean.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Profile {
    /// The feature that is the time since the last purchase: less is better. Unless it is given, the feature of this name.
    pub(crate) recency: Option<String>,
    /// The feature that is the number of purchases. Unless it is given, the feature of this name.
    pub(crate) frequency: Option<String>,
    /// The feature that is the money spent. Unless it is given, the feature of this name.
    pub(crate) monetary: Option<String>,
    /// The time since the first purchase: a feature, or another column that the clusterings do not see. Unless it is given, the
    /// feature of this name. With it, names say that customers have gone only if they have not bought for three times their usual
    /// interval.
    pub(crate) tenure: Option<String>,
    /// The time without a purchase, in the unit of the recency, after which names say that customers have gone. Without it and
    /// without `tenure`, no name says so.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub(crate) lapsed_after: Option<f64>,
    /// Your own words for segments, in any language: {VIP: {name: Stammkunden, action: Zum Empfang einladen.}}.
    pub(crate) labels: Option<IndexMap<String, OwnLabel>>,
    /// What features are counted in, for example {recency: days, monetary: USD}: shown beside their values.
    #[schemars(extend("additionalProperties" = {
        "type": "string", "minLength": 1, "maxLength": 16,
        "errorMessage": "a feature has one unit, for example USD or days"
    }))]
    pub(crate) units: Option<IndexMap<String, String>>,
    /// The day that the features describe, for example 2026-07-01: shown by the report.
    #[schemars(extend("format" = "date"))]
    pub(crate) as_of: Option<String>,
}
