//! HDBSCAN through the engine.

use std::collections::BTreeSet;

use segmenta_pipeline::job::{Job, RunOptions};

use crate::support::{
    cdnow_spec, column, features_job, floats, folder, ids, json, read_parquet, run, table_checksums, write_parquet,
};

#[test]
fn any_number_of_cells_and_threads_gives_the_same_bytes() {
    let mut tables = Vec::new();
    let mut cells = BTreeSet::new();
    for (cell_rows, threads) in [(1_000_000, 2), (6_000, 1), (640, 2), (640, 4)] {
        let folder = folder();
        let section = format!("resolution: auto, cell_rows: {cell_rows}");
        let spec = cdnow_spec(folder.path(), &[("to: 10", "to: 3"), ("resolution: auto", &section)]);
        let outcome = run(&Job::load(&spec).unwrap(), threads, RunOptions::default()).unwrap();
        let mut density = outcome.density.clone().unwrap();
        cells.insert(density.cells);
        assert!(density.cells == 1 || density.rounds > 0);
        (density.cells, density.rounds, density.labels) = (0, 0, vec![]);
        tables.push((table_checksums(&outcome), format!("{density:?}")));
    }
    // Cells without a row are left out.
    assert!(cells.len() == 3 && cells.contains(&1) && cells.iter().any(|cells| *cells > 20), "{cells:?}");
    assert!(tables.iter().all(|other| *other == tables[0]), "{tables:#?}");
}

#[test]
fn what_is_published_of_density() {
    let folder = folder();
    let spec = cdnow_spec(folder.path(), &[("to: 10", "to: 3")]);
    let outcome = run(&Job::load(&spec).unwrap(), 2, RunOptions::default()).unwrap();
    let assignments = read_parquet(&folder.path().join("out/assignments"));
    let labels = column(&assignments, "hdbscan_cluster");
    let probabilities = column(&assignments, "hdbscan_probability");
    let scores = column(&assignments, "hdbscan_outlier_score");
    let metrics = json(&folder.path().join("out/metrics.json"));
    let density = &metrics["hdbscan"];
    for cluster in density["clusters"].as_array().unwrap() {
        let rows = labels.iter().filter(|label| **label == cluster["cluster"].as_f64().unwrap()).count();
        assert_eq!(rows as u64, cluster["size"].as_u64().unwrap());
    }
    assert_eq!(labels.iter().filter(|label| **label < 0.0).count() as u64, density["noise"].as_u64().unwrap());
    for ((label, probability), score) in labels.iter().zip(&probabilities).zip(&scores) {
        assert!((*label < 0.0) == (*probability == 0.0), "{label} {probability}");
        assert!((0.0..=1.0).contains(probability) && (0.0..=1.0).contains(score));
    }
    // What scikit-learn 1.9.1 finds in the same rows with min_cluster_size 250 and min_samples 10.
    let sizes: Vec<u64> = outcome.density.unwrap().clusters.iter().map(|cluster| cluster.size).collect();
    assert_eq!(sizes, [11_875, 4_012, 2_094, 1_275, 797, 415]);
    assert_eq!(density["min_cluster_size"], 250);
    let model = json(&folder.path().join("out/model.json"));
    assert!(model["hdbscan"]["condensed_tree"].as_array().unwrap().len() > 6);
}

#[test]
fn a_grid_states_its_bound_and_fits_its_budget() {
    let folder = folder();
    let section = "resolution: auto, budget: 3000, cell_rows: 5000";
    let spec = cdnow_spec(folder.path(), &[("to: 10", "to: 3"), ("resolution: auto", section)]);
    let density = run(&Job::load(&spec).unwrap(), 2, RunOptions::default()).unwrap().density.unwrap();
    assert!(density.points <= 3_000 && density.points > 1_000, "{}", density.points);
    assert!(density.resolution > 0.0 && density.bound == density.resolution * 3f64.sqrt());
    assert!(density.measured_bound > 0.0 && density.measured_bound <= density.bound * (1.0 + 1e-12));
    assert_eq!(density.clusters.iter().map(|cluster| cluster.size).sum::<u64>() + density.noise, density.rows);
}

#[test]
fn odd_data() {
    let job = |values: &dyn Fn(i64) -> f64, section: &str| {
        let folder = folder();
        let column = || floats((0..400).map(|i| Some(values(i))));
        let columns =
            [("customer_id", ids(0..400)), ("recency", column()), ("frequency", column()), ("monetary", column())];
        write_parquet(&folder.path().join("a.parquet"), &columns);
        let sections = format!("outliers: {{method: none}}\nkmeans: {{k: 1}}\nhdbscan: {section}\n");
        run(&features_job("a.parquet", &sections, folder.path()), 2, RunOptions::default())
    };
    // All points equal: one point of weight 400, which is the root.
    let same = job(&|_| 1.0, "{min_cluster_size: 5}").unwrap();
    let density = same.density.unwrap();
    assert_eq!((density.points, density.clusters.len(), density.noise), (1, 0, 400));
    assert!(same.warnings.iter().any(|warning| warning.contains("every row is noise")), "{:?}", same.warnings);
    let single = job(&|_| 1.0, "{min_cluster_size: 5, allow_single_cluster: true}").unwrap().density.unwrap();
    assert_eq!((single.clusters.len(), single.noise), (1, 0));
    // Two places, far heavier than a cluster needs to be: infinitely dense.
    let two = job(&|i| (i % 2) as f64, "{min_cluster_size: 5}").unwrap().density.unwrap();
    assert_eq!(two.clusters.iter().map(|cluster| cluster.size).collect::<Vec<_>>(), [200, 200]);
    // Single linkage, in effect in one dimension: the gap in the middle is the only one.
    let line = |i: i64| if i < 150 { i as f64 } else { i as f64 + 50.0 };
    let linked = job(&line, "{min_cluster_size: 100, min_samples: 1}").unwrap().density.unwrap();
    assert_eq!(linked.clusters.iter().map(|cluster| cluster.size).collect::<Vec<_>>(), [250, 150]);
    for (section, key) in [
        ("{min_samples: 401}", "hdbscan.min_samples: 401"),
        ("{min_cluster_size: [5, 401]}", "hdbscan.min_cluster_size: 401"),
    ] {
        let error = job(&line, section).unwrap_err();
        assert!(error.message.contains(key) && error.message.contains("400 rows"), "{}", error.message);
    }
}
