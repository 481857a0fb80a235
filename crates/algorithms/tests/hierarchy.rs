//! Hierarchical clustering against scipy and scikit-learn: fixtures are described in `tests/parity/README.md`.

#![allow(clippy::unwrap_used)]

use ndarray::Array2;
use segmenta_algorithms::hashing::{mix, unit_interval};
use segmenta_algorithms::hdbscan::condensed_tree::Edge;
use segmenta_algorithms::hdbscan::core_distances::core_distances;
use segmenta_algorithms::hdbscan::spanning_tree::spanning_tree;
use segmenta_algorithms::hierarchy::{Contingency, Dendrogram, Linkage, MicroClusters, Reducer, WeightedPoints, seeds};
use segmenta_algorithms::rows::{Rows, matrix, squared_distance};
use segmenta_algorithms::spatial_tree::SpatialTree;
use segmenta_algorithms::sums::Bounds;
use segmenta_algorithms::with_dimensions;
use serde_json::Value;

fn fixture() -> Value {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/parity/hierarchy.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn list<T: serde::de::DeserializeOwned>(value: &Value) -> Vec<T> {
    serde_json::from_value(value.clone()).unwrap()
}

fn assert_same_partition(ours: &[u32], theirs: &[i32], what: &str) {
    let mut table = Contingency::default();
    let ours: Vec<i32> = ours.iter().map(|label| *label as i32).collect();
    table.add_rows(&ours, theirs);
    let (first, second) = table.totals();
    let cells = table.cells().count();
    assert!(cells == first.len() && cells == second.len(), "{what}");
}

fn assert_heights(dendrogram: &Dendrogram, expected: &[f64], what: &str) {
    assert_eq!(dendrogram.merges().len(), expected.len(), "{what}");
    for (merge, expected) in dendrogram.merges().iter().zip(expected) {
        assert!((merge.height - expected).abs() <= 1e-9 * expected, "{what}: {} is not {expected}", merge.height);
    }
}

#[test]
fn linkage_and_cuts_are_scipys() {
    let fixture = fixture();
    let mut compared = 0;
    for (number, case) in fixture["cases"].as_array().unwrap().iter().enumerate() {
        let rows: Vec<Vec<f64>> = list(&case["points"]);
        let points = matrix(rows.concat(), rows[0].len());
        let weights: Vec<u64> = list(&case["weights"]);
        for result in case["results"].as_array().unwrap() {
            let linkage: Linkage = serde_json::from_value(result["linkage"].clone()).unwrap();
            let what = format!("case {number}, {linkage:?}");
            let dendrogram = Dendrogram::new(&WeightedPoints { points: &points, weights: &weights }, linkage);
            assert_heights(&dendrogram, &list::<f64>(&result["heights"]), &what);
            for (k, labels) in (1..).zip(list::<Vec<i32>>(&result["maxclust"])) {
                assert_same_partition(&dendrogram.cut_into(k).labels, &labels, &format!("{what}, {k} clusters"));
            }
            let thresholds: Vec<f64> = list(&result["thresholds"]);
            for (height, labels) in thresholds.iter().zip(list::<Vec<i32>>(&result["distance"])) {
                assert_same_partition(&dendrogram.cut_at(*height).labels, &labels, &format!("{what}, at {height}"));
            }
            if result["nodes"].is_array() {
                let theirs = list::<Vec<f64>>(&result["nodes"]);
                for (ours, theirs) in dendrogram.linkage_matrix().row_slices().zip(theirs) {
                    assert_eq!([ours[0], ours[1], ours[3]], theirs[..], "{what}");
                }
                assert_eq!(dendrogram.top(5).nodes, list::<u32>(&result["top"]), "{what}");
                assert_same_partition(&dendrogram.cut_into(4).labels, &list::<i32>(&result["sklearn"]), &what);
            }
            if linkage == Linkage::Single {
                let edges = with_dimensions!(points.ncols(), D => edges_of::<D>(&points));
                let from_tree = Dendrogram::from_spanning_tree(&weights, &edges);
                assert_heights(&from_tree, &list::<f64>(&result["heights"]), &what);
                for k in 1..9 {
                    assert_eq!(from_tree.cut_into(k).labels, dendrogram.cut_into(k).labels, "{what}");
                }
            }
            compared += 1;
        }
    }
    assert_eq!(compared, 21);
}

/// The spanning tree that HDBSCAN builds, of Euclidean distances.
fn edges_of<const D: usize>(points: &Array2<f64>) -> Vec<Edge> {
    let (tree, rows) = SpatialTree::<D>::build(points, 1);
    let ids: Vec<u64> = rows.iter().map(|row| u64::from(*row)).collect();
    let edges = spanning_tree(&tree, &core_distances(&tree, None, 1, 1), &ids, 1);
    let end = |point: u32| rows[point as usize];
    edges.iter().map(|e| Edge { distance: e.squared_distance.sqrt(), a: end(e.a), b: end(e.b) }).collect()
}

#[test]
fn the_adjusted_rand_index_is_scikit_learns() {
    for case in fixture()["agreement"].as_array().unwrap() {
        let mut table = Contingency::default();
        table.add_rows(&list::<i32>(&case["first"]), &list::<i32>(&case["second"]));
        let expected = case["adjusted_rand_index"].as_f64().unwrap();
        let found = table.adjusted_rand_index();
        assert!((found - expected).abs() <= 4.0 * f64::EPSILON * expected.abs(), "{found} is not {expected}");
    }
}

/// Ten blobs of uneven size and shape, five of them in pairs.
fn blobs(n: usize) -> Array2<f64> {
    let value = |i: u64| {
        let (row, column) = (i / 3, i % 3);
        let share = unit_interval(mix(row ^ 1 << 40));
        let blob = (10.0 * share * share) as u64;
        let spread = 0.5 + 0.2 * (mix(blob ^ column << 8) % 8) as f64;
        // The sum of four uniform numbers is nearly normal.
        let noise: f64 = (0..4).map(|k| unit_interval(mix(i ^ k << 50)) - 0.5).sum();
        [
            [0, 0, 0],
            [9, 0, 0],
            [30, 0, 0],
            [30, 10, 0],
            [0, 40, 5],
            [9, 41, 7],
            [60, 60, 0],
            [60, 60, 11],
            [0, 0, 90],
            [12, 1, 90],
        ][blob as usize][column as usize] as f64
            + spread * noise
    };
    matrix((0..3 * n as u64).map(value).collect(), 3)
}

fn within(points: &Array2<f64>, labels: &[u32]) -> f64 {
    let k = labels.iter().max().map_or(0, |label| *label as usize + 1);
    let (mut counts, mut means) = (vec![0.0; k], vec![[0.0; 3]; k]);
    for (row, label) in points.row_slices().zip(labels) {
        counts[*label as usize] += 1.0;
        means[*label as usize].iter_mut().zip(row).for_each(|(sum, value)| *sum += value);
    }
    means.iter_mut().zip(&counts).for_each(|(mean, count)| mean.iter_mut().for_each(|sum| *sum /= count));
    points.row_slices().zip(labels).map(|(row, label)| squared_distance(row, &means[*label as usize])).sum()
}

/// What a reduction to a tenth of the rows makes of data with structure, beside exact linkage.
#[test]
fn a_reduction_finds_what_exact_linkage_finds() {
    let rows = 20_000;
    let points = blobs(rows);
    let exact = Dendrogram::new(&WeightedPoints { points: &points, weights: &vec![1; rows] }, Linkage::Ward);
    let mut bounds = vec![Bounds::default(); 3];
    points.row_slices().for_each(|row| row.iter().zip(&mut bounds).for_each(|(value, bounds)| bounds.include(*value)));
    let reducer = Reducer::<3>::new(&seeds(&points, 2_000), &bounds);
    let mut partial = reducer.assigner().empty_partial();
    reducer.accumulate(&points, None, &mut partial);
    let micro = MicroClusters::new(reducer.assigner(), &partial);
    assert!(micro.lost_share() < 1e-3, "{}", micro.lost_share());
    let reduced = Dendrogram::new(&micro.points(), Linkage::Ward);
    let of_row: Vec<u32> = reducer.assign(&points).iter().map(|seed| micro.of_seed[*seed as usize]).collect();
    for k in 3..=10 {
        let (cut, expected) = (reduced.cut_into(k), exact.cut_into(k));
        let labels: Vec<u32> = of_row.iter().map(|point| cut.labels[*point as usize]).collect();
        let mut table = Contingency::default();
        labels.iter().zip(&expected.labels).for_each(|(a, b)| table.add(*a as i32, *b as i32, 1));
        assert!(table.adjusted_rand_index() >= 0.95, "{k}: {}", table.adjusted_rand_index());
        let ratio = within(&points, &labels) / within(&points, &expected.labels);
        assert!(ratio <= 1.02, "{k}: {ratio}");
        assert!((micro.within_segments(&cut.labels) / within(&points, &labels) - 1.0).abs() < 1e-9);
    }
}
