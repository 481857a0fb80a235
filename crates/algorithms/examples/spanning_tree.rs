//! Times the kernel of HDBSCAN in one process: kd-tree, core distances, spanning tree.
//!
//!     cargo run --release -p segmenta-algorithms --example spanning_tree -- POINTS COLUMNS MIN_SAMPLES THREADS
//!
//! `POINTS` holds rows of little-endian doubles. Prints seconds and the weight of the tree as JSON.

#![allow(clippy::print_stdout, clippy::unwrap_used)]

use ndarray::Array2;
use segmenta_algorithms::rows::matrix;
use std::time::Instant;

use segmenta_algorithms::hdbscan::core_distances::core_distances;
use segmenta_algorithms::hdbscan::spanning_tree::spanning_tree;
use segmenta_algorithms::spatial_tree::SpatialTree;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let bytes = std::fs::read(&arguments[1]).unwrap();
    let values = bytes.chunks_exact(8).map(|value| f64::from_le_bytes(value.try_into().unwrap())).collect();
    let number = |i: usize| arguments[i].parse::<usize>().unwrap();
    let points = matrix(values, number(2));
    segmenta_algorithms::with_dimensions!(number(2), D => time::<D>(&points, number(3), number(4)));
}

fn time<const D: usize>(points: &Array2<f64>, min_samples: usize, threads: usize) {
    let start = Instant::now();
    let (tree, order) = SpatialTree::<D>::build(points, threads);
    let build = start.elapsed().as_secs_f64();
    let core = core_distances(&tree, None, min_samples, threads);
    let cores = start.elapsed().as_secs_f64() - build;
    let ids: Vec<u64> = order.iter().map(|row| u64::from(*row)).collect();
    let edges = spanning_tree(&tree, &core, &ids, threads);
    let total = start.elapsed().as_secs_f64();
    let weight: f64 = edges.iter().map(|edge| edge.squared_reach.sqrt()).sum();
    println!(
        r#"{{"rows": {}, "build": {build:.3}, "core_distances": {cores:.3}, "total": {total:.3}, "weight": {weight}}}"#,
        points.nrows()
    );
}
