//! The whole job against scikit-learn, on CDNOW customers with missing cells; fixtures, their script and what they leave
//! out are in `tests/parity`.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;
use sha2::{Digest, Sha256};

use segmenta_pipeline::job::RunOptions;

use crate::support::{
    by_customer, column, customers, features_job, folder, json, numbers, read_parquet, root, run, segmenta, texts,
};

const FEATURES: [&str; 3] = ["recency", "frequency", "monetary"];
/// Relative, as the fixtures promise.
const TOLERANCE: f64 = 1e-9;
/// Where the rows are: whole, and shuffled over five files of uneven size.
const SHARDINGS: [&str; 2] = ["features.parquet", "features/*.parquet"];

fn fixture(name: &str) -> Value {
    json(&root().join("tests/parity").join(name))
}

fn tables(sharding: &str) -> String {
    root().join("tests/parity").join(sharding).display().to_string()
}

fn assert_close(ours: f64, theirs: f64, what: &str) {
    assert!((ours - theirs).abs() <= TOLERANCE * theirs.abs().max(1e-12), "{what}: {ours} is not {theirs}");
}

/// The fixtures are of the values as they are.
const RAW: &str = "scale: {transform: none}";

/// The values of each feature, in the order of [`FEATURES`].
fn by_feature(value: &Value) -> [f64; 3] {
    FEATURES.map(|feature| value[feature].as_f64().unwrap())
}

/// Runs with fixed sections and returns the output folder's parent.
fn prepared(sharding: &str, sections: &str, check: impl Fn(&Path)) {
    let folder = folder();
    let job = features_job(&tables(sharding), &format!("{sections}\nkmeans: {{k: 2}}\n"), folder.path());
    run(&job, 2, &RunOptions::default()).unwrap();
    check(&folder.path().join("out"));
}

#[test]
fn knn_imputation_fences_and_standard_scaler() {
    let fixture = fixture("preparation.json");
    for sharding in SHARDINGS {
        for weights in ["uniform", "distance"] {
            let sections =
                format!("impute: {{method: knn, neighbors: 5, weights: {weights}}}\noutliers: {{factor: 1.5}}\n{RAW}");
            prepared(sharding, &sections, |out| {
                check_imputation(out, &fixture["knn"][weights]);
                if weights == "uniform" {
                    check_fences(out, &fixture["iqr"], true);
                    let (mean, scale) = (&fixture["standard_scaler"]["mean"], &fixture["standard_scaler"]["scale"]);
                    check_scaler(out, by_feature(mean), by_feature(scale));
                }
            });
        }
    }
}

fn check_imputation(out: &Path, expected: &Value) {
    let (kept, rejected) = (read_parquet(&out.join("assignments")), read_parquet(&out.join("rejected")));
    let mut imputed = 0;
    for feature in FEATURES {
        let mut values = by_customer(&kept, feature);
        values.extend(by_customer(&rejected, feature));
        let mut flags = by_customer(&kept, &format!("{feature}_imputed"));
        flags.extend(by_customer(&rejected, &format!("{feature}_imputed")));
        imputed += flags.values().filter(|flag| **flag == 1.0).count();
        for (i, name) in expected["feature"].as_array().unwrap().iter().enumerate() {
            if name == feature {
                let customer = expected["customer_id"][i].as_i64().unwrap();
                assert_eq!(flags[&customer], 1.0);
                assert_close(
                    values[&customer],
                    expected["value"][i].as_f64().unwrap(),
                    &format!("{feature} of {customer}"),
                );
            }
        }
    }
    assert_eq!(imputed, expected["customer_id"].as_array().unwrap().len());
}

fn check_fences(out: &Path, expected: &Value, ids_too: bool) {
    let model = json(&out.join("model.json"));
    let fences = model["outliers"]["fences"].as_array().unwrap();
    for ((feature, fence), (low, high)) in
        FEATURES.iter().zip(fences).zip(by_feature(&expected["lo"]).into_iter().zip(by_feature(&expected["hi"])))
    {
        assert_close(fence["low"].as_f64().unwrap(), low, &format!("lower fence of {feature}"));
        assert_close(fence["high"].as_f64().unwrap(), high, &format!("upper fence of {feature}"));
    }
    let rejected = read_parquet(&out.join("rejected"));
    assert_eq!(rejected.num_rows() as u64, expected["n_rejected"].as_u64().unwrap());
    if ids_too {
        let ours: BTreeSet<i64> = customers(&rejected).into_iter().collect();
        let theirs: BTreeSet<i64> =
            expected["rejected_customer_ids"].as_array().unwrap().iter().map(|id| id.as_i64().unwrap()).collect();
        assert_eq!(ours, theirs);
    }
}

fn check_scaler(out: &Path, centers: [f64; 3], scales: [f64; 3]) {
    let model = json(&out.join("model.json"));
    let scalers = model["scale"]["scalers"].as_array().unwrap();
    for (j, feature) in FEATURES.iter().enumerate() {
        assert_close(scalers[j]["center"].as_f64().unwrap(), centers[j], &format!("center of {feature}"));
        assert_close(scalers[j]["scale"].as_f64().unwrap(), scales[j], &format!("scale of {feature}"));
    }
}

#[test]
fn the_other_fences_and_scalers() {
    let fixture = fixture("preparation.json");
    for sharding in SHARDINGS {
        prepared(sharding, "outliers: {factor: 1.5}\nscale: {method: robust, transform: none}", |out| {
            let robust = &fixture["robust_scaler"];
            check_scaler(out, by_feature(&robust["center"]), by_feature(&robust["scale"]));
        });
        prepared(sharding, "outliers: {factor: 1.5}\nscale: {method: minmax, transform: none}", |out| {
            let (low, high) =
                (by_feature(&fixture["minmax_scaler"]["data_min"]), by_feature(&fixture["minmax_scaler"]["data_max"]));
            check_scaler(out, low, std::array::from_fn(|j| high[j] - low[j]));
        });
        prepared(sharding, &format!("outliers: {{method: zscore, factor: 3}}\n{RAW}"), |out| {
            check_fences(out, &fixture["zscore"], false);
        });
        prepared(sharding, &format!("outliers: {{method: mad, factor: 3.5}}\n{RAW}"), |out| {
            check_fences(out, &fixture["modified_zscore"], false);
        });
    }
}

#[test]
fn kmeans_from_the_same_start() {
    let fixture = fixture("kmeans.json");
    for sharding in SHARDINGS {
        let folder = folder();
        for case in fixture["cases"].as_array().unwrap() {
            check_kmeans(case, sharding, folder.path(), 0);
        }
        check_kmeans(&fixture["empty_cluster"], sharding, folder.path(), 1);
    }
}

/// In one folder, so that the preparation is done once and resumed from.
fn check_kmeans(case: &Value, sharding: &str, folder: &Path, relocated: u64) {
    let k = case["k"].as_u64().unwrap() as usize;
    let sections = format!(
        "outliers: {{factor: 1.5, action: drop}}\n{RAW}\nkmeans: {{k: {k}, start: {}, tolerance: 1e-4}}\n",
        case["start"]
    );
    let outcome = run(&features_job(&tables(sharding), &sections, folder), 2, &RunOptions::default()).unwrap();
    let out = folder.join("out");
    let metrics = json(&out.join("metrics.json"));
    let ours = &metrics["kmeans"]["candidates"][0];
    assert_eq!(ours["iterations"], case["n_iter"], "iterations of k = {k}");
    assert_eq!(ours["sizes"], case["sizes"], "sizes of k = {k}");
    assert_eq!(ours["relocated_clusters"].as_u64().unwrap(), relocated);
    assert_close(ours["inertia"].as_f64().unwrap(), case["inertia"].as_f64().unwrap(), "inertia");

    let model = json(&out.join("model.json"));
    for (cluster, expected) in
        model["kmeans"]["clusters"].as_array().unwrap().iter().zip(case["centers"].as_array().unwrap())
    {
        for (ours, theirs) in numbers(&cluster["centroid_scaled"]).into_iter().zip(numbers(expected)) {
            assert_close(ours, theirs, &format!("a centroid of k = {k}"));
        }
    }
    // The case with the empty cluster has no scores and no labels of its own but these.
    for score in ["silhouette", "calinski_harabasz", "davies_bouldin"] {
        if let Some(expected) = case[score].as_f64() {
            assert_close(ours[score].as_f64().unwrap(), expected, &format!("{score} of k = {k}"));
        }
    }
    assert!(outcome.evaluated.silhouette_is_exact);
    let assignments = read_parquet(&out.join("assignments"));
    let labels = by_customer(&assignments, "kmeans_cluster");
    let joined: Vec<String> = labels.values().map(|label| format!("{label}")).collect();
    let digest: String = Sha256::digest(joined.join(",")).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(Some(digest.as_str()), case["labels_sha256"].as_str(), "labels of k = {k}");
    if k == 4 && relocated == 0 {
        let expected = read_parquet(&root().join("tests/parity/labels_k4.parquet"));
        assert_eq!(labels, by_customer(&expected, "label"));
    }
    assert!(column(&assignments, "kmeans_distance").iter().all(|distance| distance.is_finite()));
}

/// Outliers take no part in the fit, or another one, and get segments: fences among transformed values, scaler, centroids, and the
/// labels of all customers.
#[test]
fn every_customer_gets_the_segment_that_scikit_learn_predicts() {
    let fixture = fixture("set_aside.json");
    for action in ["set_aside", "clip"] {
        let (expected, folder) = (&fixture[action], folder());
        let sections = format!(
            "outliers: {{action: {action}}}\nkmeans: {{k: 4, start: {}, tolerance: 1e-4}}\nhierarchy: {{clusters: 3}}\n",
            expected["start"]
        );
        run(&features_job(&tables(SHARDINGS[0]), &sections, folder.path()), 2, &RunOptions::default()).unwrap();
        let out = folder.path().join("out");
        let (model, metrics) = (json(&out.join("model.json")), json(&out.join("metrics.json")));
        let chosen: Vec<&Value> =
            metrics["features"].as_array().unwrap().iter().map(|feature| &feature["transform"]).collect();
        assert_eq!(chosen, ["none", "log1p", "log1p"]);
        for (j, feature) in FEATURES.iter().enumerate() {
            for end in ["low", "high"] {
                let ours = model["outliers"]["fences"][j][end].as_f64().unwrap();
                assert_close(ours, fixture["fences"][end][j].as_f64().unwrap(), &format!("{end} of {feature}"));
            }
        }
        let numbers_of = |name: &str| -> [f64; 3] { std::array::from_fn(|j| expected[name][j].as_f64().unwrap()) };
        check_scaler(&out, numbers_of("scaler_mean"), numbers_of("scaler_scale"));
        for (cluster, center) in
            model["kmeans"]["clusters"].as_array().unwrap().iter().zip(expected["centers"].as_array().unwrap())
        {
            for (ours, theirs) in numbers(&cluster["centroid_scaled"]).into_iter().zip(numbers(center)) {
                assert_close(ours, theirs, "a centroid");
            }
        }
        let all = read_parquet(&out.join("assignments"));
        let labels = by_customer(&all, "kmeans_cluster");
        let joined: Vec<String> = labels.values().map(|label| format!("{label}")).collect();
        let digest: String = Sha256::digest(joined.join(",")).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(Some(digest.as_str()), expected["labels_sha256"].as_str(), "labels with {action}");
        // Who is an outlier, and why.
        let (outlier, feature) = (column(&all, "outlier"), texts(&all, "outlier_feature"));
        let (value, low, high) =
            (column(&all, "outlier_value"), column(&all, "outlier_fence_low"), column(&all, "outlier_fence_high"));
        let ours = |name: &str| -> BTreeSet<i64> {
            let named =
                customers(&all).into_iter().zip(&feature).filter(|(_, feature)| feature.as_deref() == Some(name));
            named.map(|(customer, _)| customer).collect()
        };
        let mut outliers = 0;
        for name in FEATURES {
            let theirs = fixture["outliers"][name].as_array().unwrap().iter().map(|id| id.as_i64().unwrap());
            assert_eq!(ours(name), theirs.collect(), "outliers by {name}");
            outliers += ours(name).len();
        }
        for i in 0..all.num_rows() {
            let is_beyond = value[i] < low[i] || value[i] > high[i];
            assert!((outlier[i] == 1.0) == is_beyond && feature[i].is_some() == is_beyond);
        }
        assert_eq!(metrics["rows"]["outliers"].as_u64(), Some(outliers as u64));
        assert_eq!(metrics["rows"]["assigned"], all.num_rows());
        // Sizes with the outliers and without.
        for segment in metrics["segments"].as_array().unwrap().iter().filter(|s| s["algorithm"] == "kmeans") {
            let cluster = segment["cluster"].as_u64().unwrap() as usize;
            assert_eq!(segment["rows"], expected["sizes"][cluster]);
            assert_eq!(segment["fit_rows"], expected["sizes_of_fit"][cluster]);
        }
        // New customers are labelled in the same way, by every clustering.
        let text = |path: &str| folder.path().join(path).display().to_string();
        let (model, scores) = (text("out"), text("scores"));
        let input = root().join("tests/parity/features.parquet").display().to_string();
        let said = segmenta(&["score", "--model", &model, "--input", &input, "--output", &scores]);
        assert_eq!(said.code, 0, "{}", said.err);
        let scored = read_parquet(Path::new(&scores).join("scores").as_path());
        for name in ["kmeans_cluster", "kmeans_distance", "hierarchy_cluster"] {
            assert_eq!(by_customer(&scored, name), by_customer(&all, name), "{name} with {action}");
        }
    }
}
