//! Hierarchical clustering: the whole job, exact and over micro-clusters.

use std::collections::BTreeMap;
use std::path::Path;

use arrow::array::AsArray;
use segmenta_algorithms::hashing::{mix, unit_interval};
use segmenta_algorithms::hierarchy::{Contingency, Dendrogram, Linkage, WeightedPoints};
use segmenta_algorithms::rows::matrix;
use segmenta_pipeline::job::RunOptions;

use crate::support::{
    column, features_job, floats, folder, ids, json, numbers, read_parquet, run, table_checksums, write_parquet,
};

const FEATURES: [&str; 3] = ["recency", "frequency", "monetary"];

/// Blobs of customers, each row `times` times.
fn blobs(path: &Path, rows: i64, times: i64) {
    let random = |i: i64, j: u64| (0..4).map(|k| unit_interval(mix(mix(i as u64) ^ (j << 8 | k)))).sum::<f64>() - 2.0;
    let blob = |i: i64| [0, 0, 0, 1, 1, 2][(mix(i as u64) % 6) as usize];
    let centers = [[0.0, 0.0, 0.0], [12.0, 3.0, -9.0], [-10.0, 14.0, 4.0]];
    let cell = |i: i64, j: usize| Some(centers[blob(i / times)][j] + 2.0 * random(i / times, j as u64));
    let mut columns = vec![("customer_id", ids(0..rows))];
    columns.extend(FEATURES.iter().enumerate().map(|(j, name)| (*name, floats((0..rows).map(|i| cell(i, j))))));
    write_parquet(path, &columns);
}

const PLAIN: &str = "outliers: {method: none}\nscale: {method: none}\nkmeans: {k: 3}\n";

#[test]
fn exact_linkage_is_that_of_all_rows() {
    let folder = folder();
    blobs(&folder.path().join("a.parquet"), 900, 2);
    let out = folder.path().join("out");
    for (name, linkage) in [
        ("ward", Linkage::Ward),
        ("average", Linkage::Average),
        ("complete", Linkage::Complete),
        ("single", Linkage::Single),
    ] {
        let sections = format!("{PLAIN}hierarchy: {{linkage: {name}, clusters: 4}}\n");
        run(&features_job("a.parquet", &sections, folder.path()), 2, &RunOptions::default()).unwrap();
        let assigned = read_parquet(&out.join("assignments"));
        let columns: Vec<Vec<f64>> = FEATURES.iter().map(|name| column(&assigned, name)).collect();
        // Every row a point of its own: the same heights and the same cut as of distinct ones with weights.
        let values = (0..assigned.num_rows()).flat_map(|i| columns.iter().map(move |column| column[i])).collect();
        let points = matrix(values, 3);
        let dendrogram = Dendrogram::new(&WeightedPoints { points: &points, weights: &[1; 900] }, linkage);
        let model = json(&out.join("model.json"));
        let top = model["hierarchy"]["dendrogram"]["linkage"].as_array().unwrap();
        let merges = dendrogram.merges();
        for (ours, theirs) in top.iter().rev().zip(merges.iter().rev()).take(100) {
            let ours = numbers(ours);
            assert!((ours[2] - theirs.height).abs() <= 1e-9 * theirs.height, "{name}: {ours:?} {theirs:?}");
        }
        let metrics = json(&out.join("metrics.json"));
        assert_eq!(metrics["hierarchy"]["is_exact"], true);
        assert_eq!(metrics["hierarchy"]["points"], 450, "equal rows are one point");
        if linkage == Linkage::Ward {
            let labels: Vec<i32> = column(&assigned, "hierarchy_cluster").iter().map(|label| *label as i32).collect();
            let expected: Vec<i32> = dendrogram.cut_into(4).labels.iter().map(|label| *label as i32).collect();
            let mut contingency = Contingency::default();
            contingency.add_rows(&labels, &expected);
            assert_eq!(contingency.adjusted_rand_index(), 1.0);
        }
    }
}

#[test]
fn what_is_published_fits_together() {
    let folder = folder();
    blobs(&folder.path().join("a.parquet"), 3_000, 1);
    let sections = format!("{PLAIN}hierarchy: {{}}\nhdbscan: {{min_cluster_size: 100}}\n");
    run(&features_job("a.parquet", &sections, folder.path()), 2, &RunOptions::default()).unwrap();
    let out = folder.path().join("out");
    let (model, metrics) = (json(&out.join("model.json")), json(&out.join("metrics.json")));
    let assigned = read_parquet(&out.join("assignments"));
    let mut sizes = BTreeMap::new();
    column(&assigned, "hierarchy_cluster").iter().for_each(|label| *sizes.entry(*label as i64).or_insert(0.0) += 1.0);
    assert_eq!(sizes.into_values().collect::<Vec<f64>>(), numbers(&metrics["hierarchy"]["clusters"]));
    let segments = read_parquet(&out.join("segments.parquet"));
    let algorithm = segments.column_by_name("algorithm").unwrap().as_string::<i32>();
    let path = segments.column_by_name("tree_path").unwrap().as_string::<i32>();
    let paths: Vec<&str> =
        (0..segments.num_rows()).filter(|i| algorithm.value(*i) == "hierarchy").map(|i| path.value(i)).collect();
    let root = (2 * 3_000 - 2).to_string();
    assert!(paths.len() == 3 && paths.iter().all(|path| path.split('/').next() == Some(&root)), "{paths:?}");
    // All three find the blobs.
    let agreements = metrics["agreements"].as_array().unwrap();
    assert_eq!(agreements.len(), 3);
    for agreement in agreements {
        assert!(agreement["adjusted_rand_index"].as_f64().unwrap() > 0.9, "{agreement}");
        let cells = agreement["contingency"].as_array().unwrap();
        assert_eq!(cells.iter().map(|cell| cell["count"].as_u64().unwrap()).sum::<u64>(), 3_000);
    }
    let dendrogram = &model["hierarchy"]["dendrogram"];
    assert_eq!(dendrogram["linkage"].as_array().unwrap().len(), 1_000);
    assert_eq!(dendrogram["leaves"].as_array().unwrap().len(), 1_001);
}

#[test]
fn micro_clusters_find_what_all_rows_show_for_any_partitioning() {
    let folder = folder();
    blobs(&folder.path().join("a.parquet"), 6_000, 1);
    let labels = |sections: &str, options: &RunOptions, threads: usize| {
        let job = features_job("a.parquet", &format!("{PLAIN}hierarchy: {sections}\n"), folder.path());
        let outcome = run(&job, threads, options).unwrap();
        let out = folder.path().join("out");
        let labels = column(&read_parquet(&out.join("assignments")), "hierarchy_cluster");
        let labels: Vec<i32> = labels.iter().map(|label| *label as i32).collect();
        (labels, json(&out.join("metrics.json"))["hierarchy"].clone(), table_checksums(&outcome))
    };
    let (exact, _, _) = labels("{}", &RunOptions::default(), 2);
    let reduced = "{budget: 2000, micro_clusters: 300}";
    let first = RunOptions { partitions_per_shard: Some(1), fresh: true, ..RunOptions::default() };
    let (found, metrics, tables) = labels(reduced, &first, 1);
    let mut contingency = Contingency::default();
    contingency.add_rows(&exact, &found);
    assert!(contingency.adjusted_rand_index() > 0.99, "{}", contingency.adjusted_rand_index());
    assert_eq!(metrics["is_exact"], false);
    let lost = metrics["reduction"]["lost_variance"].as_f64().unwrap();
    assert!(lost > 0.0 && lost < 0.05 && metrics["reduction"]["height_error"].as_f64().unwrap() > 0.0, "{metrics}");
    let other = RunOptions { partitions_per_shard: Some(7), fresh: true, ..RunOptions::default() };
    assert_eq!(tables, labels(reduced, &other, 4).2);
}

#[test]
fn single_linkage_beyond_the_budget_is_that_of_all_rows() {
    let folder = folder();
    blobs(&folder.path().join("a.parquet"), 4_000, 2);
    let found = |section: &str| {
        let sections = format!("{PLAIN}hierarchy: {section}\n");
        run(&features_job("a.parquet", &sections, folder.path()), 2, &RunOptions::default()).unwrap();
        let out = folder.path().join("out");
        let heights: Vec<f64> = json(&out.join("model.json"))["hierarchy"]["dendrogram"]["linkage"]
            .as_array()
            .unwrap()
            .iter()
            .map(|merge| numbers(merge)[2])
            .collect();
        let labels = column(&read_parquet(&out.join("assignments")), "hierarchy_cluster");
        (heights, labels, json(&out.join("metrics.json"))["hierarchy"].clone())
    };
    let (heights, labels, _) = found("{linkage: single, clusters: 5}");
    let (beyond, beyond_labels, metrics) = found("{linkage: single, clusters: 5, budget: 1000}");
    assert_eq!((&metrics["is_exact"], &metrics["points"]), (&true.into(), &2_000.into()));
    assert_eq!(heights.len(), beyond.len());
    assert!(heights.iter().zip(&beyond).all(|(a, b)| (a - b).abs() <= 1e-12 * a), "heights differ");
    let as_labels = |labels: &[f64]| -> Vec<i32> { labels.iter().map(|label| *label as i32).collect() };
    let mut contingency = Contingency::default();
    contingency.add_rows(&as_labels(&labels), &as_labels(&beyond_labels));
    assert_eq!(contingency.adjusted_rand_index(), 1.0);
}

#[test]
fn cuts_that_do_not_fit() {
    let folder = folder();
    blobs(&folder.path().join("a.parquet"), 600, 2);
    for (section, warns) in [
        ("{clusters: 1000}", true),
        ("{clusters: 1000, linkage: single, budget: 100}", true),
        ("{height: 1e-9, linkage: single}", false),
    ] {
        let job = features_job("a.parquet", &format!("{PLAIN}hierarchy: {section}\n"), folder.path());
        let outcome = run(&job, 2, &RunOptions::default()).unwrap();
        let hierarchy = outcome.hierarchy.unwrap();
        assert_eq!(hierarchy.clusters.len() as u64, hierarchy.points, "{section}");
        let warning =
            format!("hierarchy: {} clusters, not 1000: there are no more than {0} distinct rows", hierarchy.points);
        assert_eq!(outcome.warnings.contains(&warning), warns, "{section}: {:?}", outcome.warnings);
    }
}
