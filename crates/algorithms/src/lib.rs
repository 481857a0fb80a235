//! The algorithms of Segmenta, pure: matrices and arrays in, plain values out.
//!
//! Nothing here does I/O, is async, or knows of DataFusion or Ballista. Each kernel comes in the two halves of a
//! map-reduce: a *partial* computed from one partition of rows, and a *merge* of partials. Merges are exact (see
//! [`sums`]): a result depends on the set of rows, never on how they were split, ordered or scheduled.
//!
//! | module | what it does | checked against |
//! |---|---|---|
//! | [`imputation`] | nan-Euclidean k-nearest-neighbour imputation over kd-trees | scikit-learn `KNNImputer` |
//! | [`missing`] | which features are missing together | |
//! | [`quantiles`] | sketches, and exact quantiles by refining histograms | numpy `percentile` |
//! | [`moments`] | means and variances in one pass | |
//! | [`outliers`] | fences: IQR, z-score, modified z-score, percentiles; isolation forest | numpy, scikit-learn |
//! | [`scalers`] | standard, robust, min-max; logarithms, Yeo-Johnson | scikit-learn |
//! | [`kmeans`] | starts, map-reduce Lloyd, mini-batch and bisecting, choice of k | scikit-learn `KMeans` |
//! | [`hdbscan`] | core distances, spanning tree, condensed tree, selection, memberships | scikit-learn, hdbscan, scipy |
//! | [`hierarchy`] | Ward, average, complete and single linkage, cuts, micro-clusters, agreement | scipy, scikit-learn |
//! | [`metrics`] | silhouette, Calinski-Harabasz, Davies-Bouldin | scikit-learn |
//! | [`parallel`] | work in chunks on a few threads | |
//! | [`drift`] | population stability index | |
//! | [`labels`] | names of segments from recency, frequency and monetary value | |
//! | [`rules`] | short rules that say which rows a segment has: a shallow decision tree | scikit-learn `DecisionTreeClassifier` |
//! | [`matching`] | which segment of one run is which of another: the assignment problem | scipy `linear_sum_assignment` |
//! | [`principal_components`] | the directions in which weighted rows differ most | scikit-learn `PCA` |
//! | [`rows`] | matrices, and their rows as slices | |
//! | [`spatial_tree`] | kd-trees | |
//! | [`sums`] | sums that are exact in any order, bounds | |
//! | [`hashing`] | random choices from hashes | |
//! | [`input`] | what is wrong with the arrays that an algorithm was given | |

pub mod drift;
pub mod hashing;
pub mod hdbscan;
pub mod hierarchy;
pub mod imputation;
pub mod input;
pub mod kmeans;
pub mod labels;
pub mod matching;
pub mod metrics;
pub mod missing;
pub mod moments;
pub mod outliers;
pub mod parallel;
pub mod principal_components;
pub mod quantiles;
pub mod rows;
pub mod rules;
pub mod scalers;
pub mod spatial_tree;
pub mod sums;
