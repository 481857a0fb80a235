//! Hierarchical clustering: Ward, average, complete and single linkage of weighted points, and the reduction of many
//! rows to few.
//!
//! | rows | way |
//! |---|---|
//! | distinct ones within [`Linkage::exact_points`] | [`Dendrogram::new`], exact |
//! | more | [`seeds`] of a sample, a [`Reducer`] on every worker, [`MicroClusters`], then [`Dendrogram::new`] of these |
//! | single linkage of any number | [`Dendrogram::from_spanning_tree`] of HDBSCAN's tree with a `min_samples` of 1, exact |
//!
//! A [`Dendrogram`] is cut by number or height to a [`Cut`]; a [`Contingency`] compares clusterings of the same rows.
//!
//! With few columns, Ward's linkage of many points goes by rounds of mutual pairs over a kd-tree. With many columns it
//! goes by a nearest-neighbour chain, as average and complete linkage do. Single linkage goes by a spanning tree. All
//! of them are exact.
//!
//! # What a reduction costs
//!
//! Let `w(X)` be the sum over the rows of a set `X` of their squared distances to the centroids of their
//! micro-clusters, and `W` that of all rows: the variance that is lost. Ward's height of two sets is `h(A, B) = sqrt(2
//! a b / (a + b)) |m_A - m_B|`, `h^2 / 2` being what their merge adds to the sum of squares within clusters. Write `h'`
//! for the height when every row is moved to its centroid.
//!
//! 1. *Of unions of micro-clusters, `h' = h`*: rows and their centroid have the same count and mean. So every merge of the reduced
//!    dendrogram is as high as it is said to be, and the sum of squares within the segments of a cut is `W` plus half of the squared
//!    heights below the cut, exactly. Half of all squared heights is the total less `W`.
//! 2. *Of any two disjoint sets of rows, `|h' - h| <= sqrt(2 (w(A) + w(B))) <= sqrt(2 W)`.* A mean moves by the mean of the moves, at most
//!    `sqrt(w(A) / a)` (Jensen), so `|h' - h| <= sqrt(2 a b / (a + b)) (sqrt(w(A) / a) + sqrt(w(B) / b))
//!    = sqrt(2) (sqrt(q w(A)) + sqrt(p w(B)))` with `p = a / (a + b)`, `q = b / (a + b)`, at most `sqrt(2 (q + p) (w(A) + w(B)))` by
//!    Cauchy and Schwarz. In particular no merge of the exact dendrogram, looked at in the reduced points, is off by more.
//! 3. *What is hidden is low*: within a micro-cluster of sum of squares `w`, half of the squared heights of any hierarchy add up to `w`, so that
//!    none is higher than `sqrt(2 w)`.
//!
//! This bounds heights, but not which rows are together. Where there is structure, a reduced cut is the exact one.
//! Where clusters overlap, or where a cut asks for more segments than there are, Ward's choice between merges of nearly
//! equal height changes with the smallest move of a row. The reduced cut is then a different one, whose sum of squares
//! within segments is a few percent above or below the exact cut's. Exact linkage of rows that were moved by less than
//! a ten-thousandth of their range gives a different cut too, which is as a rule about equally far away.
//! `examples/hierarchy.rs` measures both.

mod agreement;
mod chain;
mod cut;
mod features;
mod linkage;
mod points;
mod rounds;

pub use agreement::{Cell, Contingency};
pub use cut::{Cut, Segment, Top};
pub use features::{LabelledPoints, MicroClusters, Reducer, seeds};
pub use linkage::{Dendrogram, Linkage, Merge};
pub use points::WeightedPoints;
