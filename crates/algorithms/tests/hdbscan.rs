//! Properties of HDBSCAN over all of its steps.

#![allow(clippy::unwrap_used)]

use ndarray::Array2;
use proptest::prelude::*;
use segmenta_algorithms::hashing::mix;
use segmenta_algorithms::hdbscan::collapse::collapse;
use segmenta_algorithms::hdbscan::condensed_tree::{CondensedCluster, CondensedTree, Edge, WeightedPoints, sort_edges};
use segmenta_algorithms::hdbscan::core_distances::core_distances;
use segmenta_algorithms::hdbscan::membership::Memberships;
use segmenta_algorithms::hdbscan::selection::{SelectionMethod, SelectionOptions, select};
use segmenta_algorithms::hdbscan::spanning_tree::spanning_tree;
use segmenta_algorithms::hdbscan::ties::Rounding;
use segmenta_algorithms::rows::{Rows, matrix};
use segmenta_algorithms::scalers::{Scaler, Transform};
use segmenta_algorithms::spatial_tree::SpatialTree;
use segmenta_algorithms::sums::Bounds;

/// Edges (by row of `points`) and core distances.
fn edges_and_cores(
    points: &Array2<f64>,
    weights: Option<&[u32]>,
    ids: &[u64],
    min_samples: usize,
) -> (Vec<Edge>, Vec<f64>) {
    let (tree, order) = SpatialTree::<2>::build(points, 1);
    let tree_ids: Vec<u64> = order.iter().map(|row| ids[*row as usize]).collect();
    let tree_weights: Option<Vec<u32>> =
        weights.map(|weights| order.iter().map(|row| weights[*row as usize]).collect());
    let found = core_distances(&tree, tree_weights.as_deref(), min_samples, 1);
    let mut edges: Vec<Edge> = spanning_tree(&tree, &found, &tree_ids, 1)
        .iter()
        .map(|edge| Edge { distance: edge.squared_reach.sqrt(), a: order[edge.a as usize], b: order[edge.b as usize] })
        .collect();
    sort_edges(&mut edges);
    let mut cores = vec![0.0; order.len()];
    order.iter().zip(&found.squared_core).for_each(|(row, squared)| cores[*row as usize] = squared.sqrt());
    (edges, cores)
}

/// Distinct places on a lattice (a small one has ties everywhere), each with a weight.
fn places(seed: u64, n: u64, spread: u64) -> (Array2<f64>, Vec<u32>, Vec<u64>) {
    let mut places: Vec<[u64; 2]> = (0..n).map(|i| [0, 1].map(|j| mix(seed ^ (2 * i + j)) % spread)).collect();
    places.sort_unstable();
    places.dedup();
    let n = places.len() as u64;
    let weights = (0..n).map(|i| if mix(i ^ seed).is_multiple_of(3) { 1 + (mix(i) % 9) as u32 } else { 1 }).collect();
    let ids = (0..n).map(|i| mix(seed.wrapping_add(i))).collect();
    (matrix(places.iter().flatten().map(|v| *v as f64 * 0.37).collect(), 2), weights, ids)
}

/// What a row falls out of, and where.
fn row(tree: &CondensedTree, point: usize) -> (CondensedCluster, f64) {
    let mut cluster = tree.clusters[tree.point_cluster[point] as usize];
    cluster.parent = None;
    (cluster, tree.point_height[point])
}

proptest! {
    #[test]
    fn a_weighted_point_is_as_many_rows(
        seed in any::<u64>(), n in 5u64..120, spread in prop::sample::select(vec![6u64, 30, 1 << 40]),
        min_samples in 1usize..12, min_cluster_size in 2u64..12,
    ) {
        let (points, weights, ids) = places(seed, n, spread);
        let (edges, cores) = edges_and_cores(&points, Some(&weights), &ids, min_samples);
        prop_assume!(cores.iter().all(|core| core.is_finite()));
        let weighted = WeightedPoints { weights: &weights, core_distances: &cores };
        let tree = CondensedTree::new(points.nrows(), &edges, Some(weighted), min_cluster_size, &mut |_| {});
        // The same rows one by one, the copies of a place joined at their core distance.
        let mut repeated = edges.clone();
        let (mut next, mut copies) = (points.nrows() as u32, vec![]);
        for (place, weight) in (0u32..).zip(&weights) {
            for _ in 1..*weight {
                repeated.push(Edge { distance: cores[place as usize], a: place, b: next });
                copies.push((place, next));
                next += 1;
            }
        }
        sort_edges(&mut repeated);
        let one_by_one = CondensedTree::new(next as usize, &repeated, None, min_cluster_size, &mut |_| {});
        let plain = |tree: &CondensedTree| -> Vec<(f64, f64, u64)> {
            tree.clusters.iter().map(|c| (c.birth, c.death, c.size)).collect()
        };
        prop_assert_eq!(plain(&tree), plain(&one_by_one));
        for (ours, theirs) in tree.clusters.iter().zip(&one_by_one.clusters) {
            let close = (ours.stability - theirs.stability).abs() <= 1e-9 * theirs.stability.abs();
            prop_assert!(close || ours.stability == theirs.stability, "{ours:?} {theirs:?}");
        }
        let falls = |tree: &CondensedTree, point: usize| {
            let (cluster, height) = row(tree, point);
            (cluster.birth, cluster.death, cluster.size, height)
        };
        for point in 0..points.nrows() {
            prop_assert_eq!(falls(&tree, point), falls(&one_by_one, point));
        }
        for (place, copy) in copies {
            prop_assert_eq!(falls(&tree, place as usize), falls(&one_by_one, copy as usize));
        }
    }

    #[test]
    fn the_order_of_rows_and_of_equal_edges_does_not_matter(
        seed in any::<u64>(), n in 5u64..120, spread in prop::sample::select(vec![6u64, 1 << 40]),
        min_samples in 1usize..8, min_cluster_size in 2u64..12,
    ) {
        let (points, _, ids) = places(seed, n, spread);
        let n = points.nrows();
        let (edges, _) = edges_and_cores(&points, None, &ids, min_samples.min(n));
        let tree = CondensedTree::new(n, &edges, None, min_cluster_size, &mut |_| {});
        let renamed = |point: u32| (n as u32 - 1) - point;
        let mut reversed: Vec<Edge> = edges
            .iter()
            .rev()
            .map(|edge| Edge { distance: edge.distance, a: renamed(edge.b), b: renamed(edge.a) })
            .collect();
        reversed.sort_by(|a, b| a.distance.total_cmp(&b.distance));
        let again = CondensedTree::new(n, &reversed, None, min_cluster_size, &mut |_| {});
        prop_assert_eq!(tree.clusters.len(), again.clusters.len());
        for point in 0..n {
            prop_assert_eq!(row(&tree, point), row(&again, renamed(point as u32) as usize));
        }
    }

    /// Whole numbers and prices have many equal distances. After shifting and scaling these differ in their last bits,
    /// but the tree is the same.
    #[test]
    fn shift_and_scale_do_not_decide_ties(
        seed in any::<u64>(), n in 20u64..200, spread in prop::sample::select(vec![8u64, 30, 500]),
        shift in prop::sample::select(vec![0.0, 0.1, 1e3, 123_456.7]), scale in 0.001..1000.0f64,
        min_samples in 1usize..8, min_cluster_size in 2u64..12,
    ) {
        let (places, weights, ids) = places(seed, n, spread);
        let whole: Vec<f64> = places.values().iter().map(|value| (value / 0.37).round()).collect();
        let plain = Scaler { transform: Transform::None, center: 0.0, scale: 1.0 };
        let moved = Scaler { transform: Transform::None, center: shift + 0.3, scale };
        let tree = |values: Vec<f64>, scaler: &Scaler| {
            let points = matrix(values.iter().map(|value| scaler.apply(*value)).collect(), 2);
            let mut bounds = [Bounds::default(); 2];
            points.row_slices().for_each(|row| (0..2).for_each(|j| bounds[j].include(row[j])));
            let (mut edges, mut cores) = edges_and_cores(&points, Some(&weights), &ids, min_samples);
            let rounding = Rounding::new(&[*scaler; 2], &bounds);
            rounding.settle(&mut edges);
            rounding.settle_core_distances(&mut cores, &edges);
            let weighted = WeightedPoints { weights: &weights, core_distances: &cores };
            CondensedTree::new(points.nrows(), &edges, Some(weighted), min_cluster_size, &mut |_| {})
        };
        let expected = tree(whole.clone(), &plain);
        let found = tree(whole.iter().map(|value| value * 0.1 + shift).collect(), &moved);
        let shape = |tree: &CondensedTree| -> Vec<u64> { tree.clusters.iter().map(|cluster| cluster.size).collect() };
        prop_assert_eq!(shape(&expected), shape(&found));
        let options = SelectionOptions {
            method: SelectionMethod::Eom, cluster_selection_epsilon: 0.0, max_cluster_size: None, allow_single_cluster: false,
        };
        let members = |tree: &CondensedTree| -> Vec<Vec<usize>> {
            let selected = select(&tree.clusters, &options);
            let numbers: Vec<i32> = (0..).take(selected.clusters.len()).collect();
            let memberships = Memberships::new(&tree.clusters, &selected, &numbers, &options);
            let mut members = vec![vec![]; numbers.len()];
            for i in 0..tree.point_cluster.len() {
                let label = memberships.of(tree.point_cluster[i], tree.point_height[i]).label;
                if let Ok(label) = usize::try_from(label) {
                    members[label].push(i);
                }
            }
            members.sort();
            members
        };
        prop_assert_eq!(members(&expected), members(&found));
    }

    /// Core distances and dendrogram heights move by no more than the resolution's bound, nor than twice the largest shift.
    #[test]
    fn the_bound_of_a_resolution_holds(
        seed in any::<u64>(), n in 5u64..150, resolution in prop::sample::select(vec![0.05, 0.3, 1.0, 4.0]),
        min_samples in 1usize..8,
    ) {
        let values = (0..2 * n).map(|i| (mix(seed ^ i) % 10_000) as f64 * 0.001 * (1.0 + (i % 5) as f64)).collect();
        let rows = matrix(values, 2);
        let ids: Vec<u64> = (0..n).collect();
        let (edges, cores) = edges_and_cores(&rows, None, &ids, min_samples.min(n as usize));
        let collapsed = collapse::<2>(&rows, &ids, None, resolution).unwrap();
        let (near, near_cores) =
            edges_and_cores(&collapsed.points, Some(&collapsed.weights), &collapsed.ids, min_samples.min(n as usize));
        let bound = (resolution * 2f64.sqrt()).min(2.0 * collapsed.squared_shift.sqrt()) + 1e-9;
        let exact = heights(n as usize, &edges);
        let points = collapsed.points.nrows();
        let moved = heights(points, &near);
        for a in 0..n as usize {
            let point_a = collapsed.point_of_row[a] as usize;
            prop_assert!((cores[a] - near_cores[point_a]).abs() <= bound);
            for b in 0..a {
                let point_b = collapsed.point_of_row[b] as usize;
                let height = if point_a == point_b { near_cores[point_a] } else { moved[point_a * points + point_b] };
                let exact = exact[a * n as usize + b];
                prop_assert!((exact - height).abs() <= bound, "{exact} {height} {bound}");
            }
        }
    }
}

/// Cophenetic heights of all pairs, `n x n`.
fn heights(n: usize, edges: &[Edge]) -> Vec<f64> {
    let mut heights = vec![0.0; n * n];
    let mut groups: Vec<Vec<usize>> = (0..n).map(|i| vec![i]).collect();
    let mut group: Vec<usize> = (0..n).collect();
    for edge in edges {
        let (a, b) = (group[edge.a as usize], group[edge.b as usize]);
        let moved = std::mem::take(&mut groups[b]);
        for &x in &groups[a] {
            for &y in &moved {
                heights[x * n + y] = edge.distance;
                heights[y * n + x] = edge.distance;
            }
        }
        moved.iter().for_each(|y| group[*y] = a);
        groups[a].extend(moved);
    }
    heights
}
