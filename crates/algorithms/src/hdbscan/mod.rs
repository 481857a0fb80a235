//! HDBSCAN.
pub mod core_distances;
mod parallel;
pub mod spanning_tree;
pub mod spatial_tree;
mod union_find;
