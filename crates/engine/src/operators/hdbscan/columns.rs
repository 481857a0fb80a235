//! The columns of HDBSCAN's tables.

/// The point that a row was collapsed to: its place in its cell's tree.
pub(super) const POINT_COLUMN: &str = "__point";
/// Squared core distance of a point.
pub(super) const CORE_COLUMN: &str = "squared_core";
/// Fragment of a point, numbered in its cell.
pub(super) const FRAGMENT_COLUMN: &str = "fragment";
/// Cluster of a row; -1 for noise.
pub const CLUSTER_COLUMN: &str = "hdbscan_cluster";
/// How firmly a row belongs to its cluster, 0 to 1.
pub const PROBABILITY_COLUMN: &str = "hdbscan_probability";
/// The cluster of the condensed tree that a point falls out of.
pub(super) const NODE_COLUMN: &str = "node";
/// The distance at which it falls out.
pub(super) const HEIGHT_COLUMN: &str = "height";
/// GLOSH outlier score of a row, 0 to 1.
pub const SCORE_COLUMN: &str = "hdbscan_outlier_score";
