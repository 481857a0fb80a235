//! HDBSCAN.
pub mod collapse;
pub mod core_distances;
pub mod forest;
pub mod joining;
pub mod outside;
mod parallel;
pub mod space_partition;
pub mod spanning_tree;
pub mod spatial_tree;
mod union_find;
