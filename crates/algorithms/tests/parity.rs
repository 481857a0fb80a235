//! The kernels against scikit-learn: fixtures and tolerances are described in `tests/parity/README.md`.

#![allow(clippy::unwrap_used)]

use segmenta_algorithms::imputation::{KnnImputer, NeighborWeights};
use segmenta_algorithms::matrix::{Matrix, squared_distance};
use segmenta_algorithms::metrics::{SilhouetteReference, calinski_harabasz, davies_bouldin};
use serde_json::Value;

fn fixture(name: &str) -> Value {
    let path = format!("{}/../../tests/parity/{name}", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// A JSON matrix; `null` is a missing cell.
fn matrix(value: &Value) -> Matrix {
    let rows = value.as_array().unwrap();
    let columns = rows[0].as_array().unwrap().len();
    let cells = rows.iter().flat_map(|row| row.as_array().unwrap()).map(|cell| cell.as_f64().unwrap_or(f64::NAN));
    Matrix::new(cells.collect(), columns)
}

fn assert_close(ours: f64, theirs: f64, tolerance: f64, what: &str) {
    assert!((ours - theirs).abs() <= tolerance * theirs.abs().max(1.0), "{what}: {ours} is not {theirs}");
}

#[test]
fn knn_imputation_on_small_matrices() {
    let fixture = fixture("knn_small.json");
    let mut compared = 0;
    for case in fixture["cases"].as_array().unwrap() {
        let input = matrix(&case["input"]);
        let d = input.columns();
        let ids: Vec<u64> = (0..input.rows() as u64).collect();
        let means: Vec<f64> = (0..d)
            .map(|j| {
                let cells: Vec<f64> = input.iter().map(|row| row[j]).filter(|cell| !cell.is_nan()).collect();
                cells.iter().sum::<f64>() / cells.len() as f64
            })
            .collect();
        for result in case["results"].as_array().unwrap() {
            let neighbors = result["n_neighbors"].as_u64().unwrap() as usize;
            let (weights, tolerance) = match result["weights"].as_str().unwrap() {
                "uniform" => (NeighborWeights::Uniform, 1e-12),
                // scikit-learn's own distances lose digits for near donors.
                _ => (NeighborWeights::Distance, 2e-9),
            };
            let imputer = KnnImputer::new(&input, &ids, neighbors, weights, means.clone());
            let output = matrix(&result["output"]);
            for (row, expected) in input.iter().zip(output.iter()) {
                let mut row = row.to_vec();
                imputer.impute(&mut row);
                for (ours, theirs) in row.iter().zip(expected) {
                    assert_close(*ours, *theirs, tolerance, &format!("{} {neighbors} {weights:?}", case["name"]));
                    compared += 1;
                }
            }
        }
    }
    assert!(compared > 1_000);
}

#[test]
fn quality_scores_on_three_hundred_points() {
    let fixture = fixture("metrics_small.json");
    let points = matrix(&fixture["points"]);
    let labels: Vec<u32> =
        fixture["labels"].as_array().unwrap().iter().map(|label| label.as_u64().unwrap() as u32).collect();
    let k = fixture["n_clusters"].as_u64().unwrap() as usize;
    let d = points.columns();

    let reference = SilhouetteReference::new(&points, &labels, k);
    let samples = fixture["silhouette_samples"].as_array().unwrap();
    let mut total = 0.0;
    for ((row, label), expected) in points.iter().zip(&labels).zip(samples) {
        let silhouette = reference.silhouette(row, *label);
        assert_close(silhouette, expected.as_f64().unwrap(), 1e-9, "silhouette of a row");
        total += silhouette;
    }
    let mean = total / points.rows() as f64;
    assert_close(mean, fixture["silhouette"].as_f64().unwrap(), 1e-9, "silhouette");

    let mut means = Matrix::new(vec![0.0; k * d], d);
    let mut counts = vec![0u64; k];
    for (row, label) in points.iter().zip(&labels) {
        counts[*label as usize] += 1;
        means.row_mut(*label as usize).iter_mut().zip(row).for_each(|(sum, value)| *sum += value);
    }
    for (c, count) in counts.iter().enumerate() {
        means.row_mut(c).iter_mut().for_each(|sum| *sum /= *count as f64);
    }
    let (mut within, mut spreads) = (0.0, vec![0.0; k]);
    for (row, label) in points.iter().zip(&labels) {
        let squared = squared_distance(row, means.row(*label as usize));
        within += squared;
        spreads[*label as usize] += squared.sqrt() / counts[*label as usize] as f64;
    }
    let score = calinski_harabasz(&means, &counts, within).unwrap();
    assert_close(score, fixture["calinski_harabasz"].as_f64().unwrap(), 1e-9, "Calinski-Harabasz");
    let score = davies_bouldin(&means, &counts, &spreads).unwrap();
    assert_close(score, fixture["davies_bouldin"].as_f64().unwrap(), 1e-9, "Davies-Bouldin");
}
