//! HDBSCAN: hierarchical density-based clustering (Campello, Moulavi and Sander 2013), exact, over cells of space.
//!
//! | term | meaning |
//! |---|---|
//! | core distance | the radius around a point within which the weights, its own included, reach `min_samples` |
//! | mutual reachability distance | `max(core a, core b, d(a, b))` |
//! | condensed tree | the single-linkage tree of mutual reachability without splits that leave fewer rows than `min_cluster_size` |
//!
//! The steps: rows are collapsed to weighted points ([`collapse`]). Each cell of space ([`space_partition`]) gets a
//! kd-tree ([`crate::spatial_tree`]), core distances ([`core_distances`]) and its own spanning tree
//! ([`spanning_tree`]), most of which is certain ([`forest`]). Rounds over the cells join the rest ([`joining`]). Then
//! the driver condenses the tree ([`condensed_tree`]), treating heights that differ only by rounding as one ([`ties`]),
//! selects clusters ([`selection`]), and labels points or calls them noise ([`membership`]).
//!
//! # What a resolution costs
//!
//! With a resolution eps every row moves to its point, by at most `s = eps sqrt(d) / 2`. Let `c` and `c'` be a row's core
//! distance before and after. The ball of radius `c + 2 s` around the row's point holds the points of all rows that were
//! within `c` of the row, so `c' <= c + 2 s`; and the other way round, `c <= c' + 2 s`. The distance of two rows changes by at
//! most `2 s`, hence so does their mutual reachability distance, a maximum of three values that do. A dendrogram height is
//! the least, over all paths between two rows, of the longest step: every path's longest step changes by at most `2 s`, so
//! the least does. Core distances, mutual reachability distances and dendrogram heights are therefore within
//! `2 s = eps sqrt(d)` of the exact ones. The largest shift that occurred gives a tighter bound afterwards, twice itself.

pub mod collapse;
pub mod condensed_tree;
pub mod core_distances;
pub mod forest;
pub mod joining;
pub mod membership;
pub mod neighbor_graph;
pub mod neighbors;
pub mod outside;
pub mod prediction;
pub mod resolution;
pub mod selection;
pub mod space_partition;
pub mod spanning_tree;
pub mod ties;
pub(crate) mod union_find;
pub mod validity;
