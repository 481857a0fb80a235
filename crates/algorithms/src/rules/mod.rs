//! Short rules that say which rows a segment has: a shallow decision tree, and its leaves as conditions on raw features.
//!
//! ```text
//!              recency <= 180                     segment 1:  recency <= 180 and frequency > 4
//!             /              \                    segment 0:  recency <= 180 and frequency <= 4
//!     frequency <= 4       segment 2      ──▶     segment 2:  recency > 180
//!       /        \
//!  segment 0   segment 1
//! ```
//!
//! The segments are given, as a class for each row. The tree learns to separate them with few splits, so it does not
//! get all rows right: [`Rules`] says how many. Thresholds are the roundest numbers that split the rows in the same
//! way.
//!
//! Reference: Breiman, Friedman, Olshen and Stone, Classification and Regression Trees, 1984. scikit-learn's
//! `DecisionTreeClassifier` with `max_leaf_nodes` grows the same tree, up to ties and thresholds.

mod conditions;
mod threshold;
mod tree;

pub use conditions::{Condition, Conjunction, Rule, Rules};
pub use threshold::roundest;
pub use tree::{DecisionTree, Limits, Node, Split};
