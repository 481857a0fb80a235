//! Rules, matching and principal components against scikit-learn and scipy: fixtures are described in `tests/parity/README.md`.

#![allow(clippy::unwrap_used)]

use ndarray::Array2;
use segmenta_algorithms::matching::best_matching;
use segmenta_algorithms::principal_components::principal_components;
use segmenta_algorithms::rows::{Rows, matrix};
use segmenta_algorithms::rules::{DecisionTree, Limits, Rules};
use serde_json::Value;

fn cases(kind: &str) -> Vec<Value> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/parity/rules.json");
    let fixture: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    list(&fixture[kind])
}

fn list<T: serde::de::DeserializeOwned>(value: &Value) -> Vec<T> {
    serde_json::from_value(value.clone()).unwrap()
}

fn rows_of(value: &Value) -> Array2<f64> {
    let rows: Vec<Vec<f64>> = list(value);
    matrix(rows.concat(), rows[0].len())
}

#[test]
fn trees_predict_what_scikit_learns_do() {
    let mut compared = 0;
    for (number, case) in cases("trees").iter().enumerate() {
        let (points, classes) = (rows_of(&case["points"]), list::<u32>(&case["classes"]));
        let (weights, count) = (list::<f64>(&case["weights"]), case["class_count"].as_u64().unwrap() as usize);
        for result in case["results"].as_array().unwrap() {
            let limits: Limits = serde_json::from_value(result.clone()).unwrap();
            let tree = DecisionTree::grow(&points, &classes, &weights, count, &limits).unwrap();
            assert!(tree.leaves() <= limits.max_leaves && tree.is_sound(points.ncols()));
            let predicted: Vec<u32> = points.row_slices().map(|row| tree.predict(row)).collect();
            assert_eq!(predicted, list::<u32>(&result["predicted"]), "case {number}, {limits:?}");
            let accuracy = result["accuracy"].as_f64().unwrap();
            let found = Rules::of(&tree).fidelity;
            assert!((found - accuracy).abs() < 1e-9, "case {number}, {limits:?}: {found} is not {accuracy}");
            compared += 1;
        }
    }
    assert_eq!(compared, 27);
}

#[test]
fn components_are_scikit_learns() {
    for (number, case) in cases("components").iter().enumerate() {
        let (points, weights) = (rows_of(&case["points"]), list::<f64>(&case["weights"]));
        let explained: Vec<f64> = list(&case["explained"]);
        // Directions in which rows do not differ are arbitrary.
        let rank = explained.iter().filter(|share| **share > 1e-12).count();
        let found = principal_components(&points, &weights, rank).unwrap();
        let close = |ours: &[f64], theirs: &[f64]| {
            assert_eq!(ours.len(), theirs.len(), "case {number}");
            for (ours, theirs) in ours.iter().zip(theirs) {
                assert!((ours - theirs).abs() < 1e-9, "case {number}: {ours} is not {theirs}");
            }
        };
        close(&found.means, &list::<f64>(&case["means"]));
        close(&found.explained, &explained[..rank]);
        close(&found.components, &list::<Vec<f64>>(&case["components"])[..rank].concat());
    }
}

#[test]
fn matchings_are_scipys() {
    for (number, case) in cases("assignments").iter().enumerate() {
        let scores = rows_of(&case["scores"]);
        let found = best_matching(scores.values(), scores.nrows(), scores.ncols()).unwrap();
        assert_eq!(found, list::<Option<usize>>(&case["columns"]), "case {number}");
        let pairs = found.iter().enumerate().filter_map(|(row, column)| Some(scores.row_slice(row)[(*column)?]));
        assert!((pairs.sum::<f64>() - case["total"].as_f64().unwrap()).abs() < 1e-9);
    }
}
